#!/usr/bin/python3
"""A front end before the proxy logs people in and names them in a header: who may say so, and who is nobody."""
import os
import secrets
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
import report
from programs import Programs
from report import bin_dir, claim, equal
from web import Browser, wait_http

report.group("header-login")

SECRET = secrets.token_hex(16)
secret_file = tempfile.NamedTemporaryFile("w", prefix="carrelt-", suffix=".secret")
secret_file.write(SECRET + "\nnot this line\n")
secret_file.flush()
os.chmod(secret_file.name, 0o644)

CONFIG = """\
hub:
  port: %%(hub_port)d
auth:
  type: header
  allowed_groups: [course]
  admin_groups: [staff]
  options:
    username_header: X-Forwarded-User
    groups_header: X-Forwarded-Groups
    from: [%s]
    secret_file: %s
"""
FRONT_END = "127.0.5.1"  # one of this machine, so it needs the secret
programs = Programs(["/bin/sleep", "60"], config=CONFIG % (FRONT_END, secret_file.name))


def headers(user, groups="course", secret=SECRET, **more):
    h = {"X-Forwarded-User": user, "X-Forwarded-Groups": groups, "X-Carrel-Secret": secret}
    h.update(more)
    return {k: v for k, v in h.items() if v is not None}


def came_in(b, h, url="/hub/login?next=%2Fhub%2Fhome"):
    answer = b.request("GET", url, headers=h)
    if answer.status == 302 and b.cookie("jupyterhub-hub-login"):
        return b.api("GET", "/user").json()
    claim(not b.cookie("jupyterhub-hub-login"), "a login cookie came with status %d" % answer.status)
    claim(answer.status in (302, 403), "status %d" % answer.status)
    return None


def front():
    return Browser(programs.url, FRONT_END)


def people_come_in():
    me = came_in(front(), headers("Alice"))
    claim(me, "alice did not come in")
    equal((me["name"], me["admin"]), ("alice", False), "who came in")
    me = came_in(front(), headers("boss", "other, staff"))
    equal((me["name"], me["admin"]), ("boss", True), "who came in")
    claim(not came_in(front(), headers("carol", "other")), "somebody without a permitted group came in")
    answer = front().request("GET", "/hub/login", headers=headers(None))
    equal(answer.status, 403, "status without a name")
    claim("another login" in answer.text, "the page does not say where to go")


def forged_headers_are_nobodys():
    """Each with the right secret but one thing wrong; the first is a person with a notebook and curl."""
    api = "http://127.0.0.1:%d" % programs.hub_port
    for address in ("127.0.0.1", FRONT_END):
        claim(not came_in(Browser(api, address), headers("mallory", "staff")), "believed on the API's port")
        claim(not came_in(Browser(api, address), headers("mallory", "staff", **{"X-Forwarded-For": FRONT_END})),
              "believed on the API's port with a forged address")
    for h in (headers("mallory", "staff"), headers("mallory", "staff", **{"X-Forwarded-For": FRONT_END}),
              headers("mallory", "staff", **{"X-Forwarded-For": "192.0.2.1, " + FRONT_END}),
              headers("mallory", "staff", **{"X-Real-IP": FRONT_END, "Forwarded": "for=" + FRONT_END})):
        claim(not came_in(Browser(programs.url, "127.0.0.1"), h), "believed from an address that is not listed")
    for secret in (None, "", "wrong", SECRET[:-1], SECRET + "0", "not this line"):
        claim(not came_in(front(), headers("mallory", "staff", secret)), "believed with the secret %r" % secret)
    equal(Browser(api).request("GET", "/hub/api/user", headers=headers("boss", "staff")).status, 403,
          "a header instead of a token")


def is_refused(address, *lines):
    """What no client of HTTP sends by itself: names that are there twice."""
    import socket
    s = socket.create_connection(("127.0.0.1", programs.port), 10, (address, 0))
    s.sendall(("GET /hub/login HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-Forwarded-Groups: course\r\n"
               "X-Carrel-Secret: %s\r\n%s\r\n" % (SECRET, "".join(line + "\r\n" for line in lines))).encode())
    data = b""
    while chunk := s.recv(65536):
        data += chunk
    s.close()
    claim(data.startswith(b"HTTP/1.1 403") and b"jupyterhub-hub-login=" not in data, "%r: %r" % (lines, data[:200]))


def two_headers_are_refused():
    """The front end added its own to one from outside."""
    is_refused(FRONT_END, "X-Forwarded-User: boss", "X-Forwarded-User: alice")


def the_last_of_two_lines_is_the_proxys():
    """Whom the proxy believes can say any address, but not that it is the one that the proxy saw."""
    for mine in ("x", "", "192.0.2.1", FRONT_END):
        is_refused("127.0.0.1", "X-Forwarded-User: alice", "X-Forwarded-For: " + FRONT_END, "X-Forwarded-For: " + mine)


def another_person_on_the_same_browser():
    b = front()
    claim(came_in(b, headers("alice")), "alice did not come in")
    old = dict(b.jar)
    equal(b.request("GET", "/hub/home", headers=headers("alice")).status, 200, "her own page")
    answer = b.request("GET", "/hub/home", headers=headers("boss", "staff"))
    equal(answer.status, 302, "status of a page when the front end names somebody else")
    claim("/hub/login" in answer.location(), "not to the login but to %s" % answer.location())
    claim(came_in(b, headers("boss", "staff")), "the other did not come in")
    b.jar = old
    equal(b.request("GET", "/hub/home").status, 302, "status of the first one's cookie afterwards")


def start_without_a_secret():
    """An address of this machine is not believed without one, and the hub says so before it starts."""
    for address, word in (("127.0.0.0/8", "secret_file"), ("0.0.0.0/0", "secret_file"), ("'::/0'", "secret_file"),
                          ("nonsense", "from"), ("", "from")):
        text = (CONFIG % (address, "")) % {"hub_port": 1}
        with tempfile.NamedTemporaryFile("w", suffix=".yaml") as f:
            f.write(text.replace("secret_file: \n", ""))
            f.flush()
            p = subprocess.run([os.path.join(bin_dir(), "carrel-hub"), "--check", "--config", f.name],
                               capture_output=True, text=True, timeout=20)
        claim(p.returncode != 0 and word in p.stdout + p.stderr,
              "from: [%s]: status %d, %s" % (address, p.returncode, p.stdout + p.stderr))


def nothing_secret_is_logged():
    claim(any("not believed" in line for line in programs.lines), "no line about a header that is not believed")
    claim(not any(SECRET in line for line in programs.lines), "a log line has the secret")


for name in ("spawner", "proxy", "hub"):
    programs.begin(name)
wait_http(Browser(programs.url), "/hub/login", 403)
report.run([
    ("people whom the front end names come in", people_come_in),
    ("a local person with curl and forged headers is nobody", forged_headers_are_nobodys),
    ("two headers are refused", two_headers_are_refused),
    ("an address in a line of one's own is not the proxy's", the_last_of_two_lines_is_the_proxys),
    ("another person on the same browser", another_person_on_the_same_browser),
    ("an address of this machine needs a secret", start_without_a_secret),
    ("the secret is not in the log", nothing_secret_is_logged),
], on_failure=programs.print_lines)
programs.clean()
report.finish()
