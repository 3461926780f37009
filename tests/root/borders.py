#!/usr/bin/python3
"""What a person with a notebook, or a page of somebody else, tries at the borders.

Everything is spoken byte by byte as an attacker would: forged headers at the
servers' port, writes without a token, redirects to elsewhere, other people's
codes and tokens, and what was valid before logout and stop.
"""
import base64
import concurrent.futures
import hashlib
import http.client
import json
import os
import re
import resource
import socket
import sys
import time
import urllib.parse

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
import accounts
import report
from report import claim, equal, until
from web import Browser, hidden
from world import Carrel

report.group("root", "pam", "single-user")
if not accounts.can_make():
    report.skip("borders", "needs root: it makes Unix accounts")
    report.finish()

ann = accounts.Account("carreltbann")
ben = accounts.Account("carreltbben")
# As on a machine where nobody has raised anything.
HARD_FILES = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (1024, HARD_FILES))
carrel = Carrel().start()
resource.setrlimit(resource.RLIMIT_NOFILE, (min(4096, HARD_FILES), HARD_FILES))
at_ann, at_ben = Browser(carrel.url), Browser(carrel.url, "127.0.0.2")
inside = "http://127.0.0.1:%d" % carrel.hub_port
state = {}
CALLBACK = "/user/%s/oauth_callback" % ann.name
CLIENT = "jupyterhub-user-" + ann.name


def environment_of(account):
    for pid in account.processes():
        try:
            with open("/proc/%d/environ" % pid, "rb") as f:
                env = dict(e.split(b"=", 1) for e in f.read().split(b"\0") if b"=" in e)
        except OSError:
            continue
        if b"JUPYTERHUB_API_TOKEN" in env:
            return {k.decode(): v.decode() for k, v in env.items()}
    return None


def begin():
    for browser, account in ((at_ann, ann), (at_ben, ben)):
        equal(browser.login(account.name, account.password).status, 302, "login of " + account.name)
        browser.start_server(account.name)
        state[account.name] = environment_of(account)
        claim(state[account.name], "no token in the environment of " + account.name)


def forged_headers():
    """Where servers connect nothing is believed that a proxy would say."""
    forged = {"X-Forwarded-For": "203.0.113.7", "X-Forwarded-Proto": "https", "X-Real-IP": "203.0.113.7",
              "X-Forwarded-Host": "evil.example", "Forwarded": "for=203.0.113.7;proto=https",
              "REMOTE_USER": ann.name, "Remote-User": ann.name, "X-Remote-User": ann.name}
    b = Browser(inside)
    page = b.get("/hub/login", headers=forged)
    equal(page.status, 200, "the login page with forged headers")
    for line in page.headers.get_all("Set-Cookie") or []:
        claim("secure" not in line.lower(), "a forged https made a cookie Secure: %s" % line.split("=")[0])
    equal(b.get("/hub/home", follow=False, headers=forged).status, 302, "home with a forged login header")
    carrel.lines.clear()
    answer = b.post("/hub/login", dict(hidden(page.text), username="carreltbnone", password="x"),
                    follow=False, headers=forged)
    equal(answer.status, 403, "a wrong login at the servers' port")
    claim(until("its line", 5, lambda: carrel.seen("login refused.*from=127.0.0.1")), "the peer was forged")
    claim(not carrel.seen("203.0.113.7"), "a forged address was believed")


def writes():
    """Every route that writes, from the one place where they are declared."""
    with open(os.path.join(report.source_dir(), "hub/routes.def")) as f:
        found = re.findall(r'^ROUTE\("(\w+)",\s*"([^"]+)",\s*(\w+)', f.read(), re.M)
    return [(m, "/hub" + p.replace(":user", ann.name).replace(":server?", "").replace(":server", "x")
             .replace("*", "y"), g) for m, p, g in found
            if m not in ("GET", "HEAD") and g not in ("OAUTH", "PUBLIC")]


def writes_need_the_token():
    cases = writes()
    claim(len(cases) > 10, "only %d routes that write were found" % len(cases))
    foreign = {"Origin": "http://evil.example", "Referer": "http://evil.example/", "Sec-Fetch-Site": "cross-site"}
    for method, path, _ in cases:
        for label, headers in (("no token", {}), ("a wrong token", {"X-XSRFToken": "x"}),
                               ("Ben's token", {"X-XSRFToken": at_ben.cookie("_xsrf") or "y"}),
                               ("another site", foreign)):
            for kind in ("application/json", "application/x-www-form-urlencoded", "text/plain"):
                body = "{}" if kind.endswith("json") else ""
                answer = at_ann.request(method, path, body, dict(headers, **{"Content-Type": kind}))
                claim(answer.status in (403, 405), "%s %s with %s (%s) answers %d"
                      % (method, path, label, kind, answer.status))
    equal(at_ann.api("GET", "/users/" + ann.name).json()["servers"][""]["ready"], True, "Ann's server afterwards")


ELSEWHERE = [
    "//evil.example", "///evil.example", "////evil.example/x", "/\\evil.example", "\\\\evil.example",
    "\\/evil.example", "/\t/evil.example", "/\n/evil.example", "\t//evil.example", " //evil.example",
    "http:evil.example", "http:/evil.example", "http://evil.example", "HTTP://evil.example",
    "https://evil.example", "hTTps:\\\\evil.example", "http:\\/\\/evil.example", "//evil.example:80/",
    "//evil.example@127.0.0.1", "http://127.0.0.1@evil.example/", "http://127.0.0.1:80@evil.example",
    "http://127.0.0.1.evil.example/", "http://127.0.0.1:%d.evil.example" % carrel.port,
    "http://127.0.0.1:%d@evil.example/" % carrel.port, "http://127.0.0.1:%d\\@evil.example" % carrel.port,
    "javascript:alert(1)", "JaVaScRiPt:alert(1)", "data:text/html,x", "vbscript:x", "file:///etc/passwd",
    "/%2fevil.example", "/%5cevil.example", "%2f%2fevil.example", "/%09/evil.example", "/%0d%0aX: y",
    "/\r\nX-Injected: y", "/..//evil.example", "/.//evil.example", "/hub/..//evil.example", "?//evil.example",
    "#//evil.example", "//%65vil.example", "//evil%E3%80%82example", "/\u3002/evil.example", "\u2044/evil.example",
    "//[::1]", "http://[::1]@evil.example", "http:///evil.example", "http://evil.example#@127.0.0.1:%d" % carrel.port,
    "//127.0.0.1:%d\u00a0.evil.example" % carrel.port, ".//evil.example", "evil.example", "", "/" * 4000,
    "/" + "a" * 9000, "/\0/evil.example", "/\x7f/evil.example",
]


def lands(location, start):
    """The host that a browser goes to: tab and newline are dropped, backslashes are slashes."""
    text = location.strip(" \t\r\n")
    text = re.sub("[\t\r\n]", "", text).replace("\\", "/")
    parts = urllib.parse.urlsplit(urllib.parse.urljoin(start, text))
    return parts.scheme, parts.netloc.rsplit("@", 1)[-1]


def check_redirect(answer, what):
    location = answer.location()
    if location is None:
        claim(answer.status < 500, "%s answers %d" % (what, answer.status))
        return
    claim(not answer.headers.get("X-Injected") and "\n" not in location, "%s splits the answer" % what)
    equal(lands(location, carrel.url + "/hub/login"), ("http", "127.0.0.1:%d" % carrel.port), what + " leads")
    claim(not location.startswith("//"), "%s leads to %r" % (what, location))


def redirects_stay_here():
    for text in ELSEWHERE:
        quoted = urllib.parse.quote(text, safe="")
        for path in ("/hub/login?next=", "/hub/spawn?next=", "/hub/spawn-pending/%s?next=" % ann.name,
                     "/hub/?next=", "/hub/logout-not?next="):
            check_redirect(at_ann.get(path + quoted, follow=False), "next=%r at %s" % (text, path))
        raw = urllib.parse.quote(text, safe="/\\:@#?[]").replace("\\", "%5C").split("#")[0]
        for prefix in ("/", "/hub", "/hub/", "/hub/user-redirect/", "/user/%s/" % ann.name, "/user/", "/services/"):
            if len(prefix + raw) < 8000 and not (prefix == "/" and raw.startswith("?")):
                target = prefix + raw
                c = http.client.HTTPConnection("127.0.0.1", carrel.port, timeout=20)
                c.putrequest("GET", target.replace(" ", "%20"), skip_host=True)
                c.putheader("Host", "127.0.0.1:%d" % carrel.port)
                c.putheader("Cookie", at_ann.cookie_header("/hub/"))
                c.endheaders()
                r = c.getresponse()
                r.read()
                c.close()
                if prefix.startswith("/user/" + ann.name):
                    continue
                location = r.headers.get("Location")
                if location is not None:
                    equal(lands(location, carrel.url + target)[1], "127.0.0.1:%d" % carrel.port,
                          "GET %r leads" % target[:80])
    wanted = ["//evil.example", "/\\evil.example", "http://evil.example", "/\t/evil.example"]
    for text in wanted:
        check_redirect(Browser(carrel.url, "127.0.0.9").login(ann.name, ann.password, text), "login with %r" % text)


# ---- OAuth ------------------------------------------------------------------


def ask_code(browser, client=CLIENT, callback=CALLBACK, **more):
    args = dict(client_id=client, redirect_uri=callback, response_type="code", state="s")
    args.update(more)
    return browser.get("/hub/api/oauth2/authorize?" + urllib.parse.urlencode(args), follow=False)


def code_of(answer):
    claim(answer.status == 302, "authorize answers %d" % answer.status)
    query = urllib.parse.parse_qs(urllib.parse.urlsplit(answer.location()).query)
    return query.get("code", [None])[0]


def change(code, client=CLIENT, **more):
    form = dict(grant_type="authorization_code", code=code, client_id=client,
                client_secret=state[ann.name]["JUPYTERHUB_API_TOKEN"], redirect_uri=CALLBACK)
    form.update(more)
    form = {k: v for k, v in form.items() if v is not None}
    return Browser(inside).post("/hub/api/oauth2/token", form, follow=False)


def a_code_counts_once():
    code = code_of(ask_code(at_ann))
    first = change(code)
    equal(first.status, 200, "a code is changed")
    token = first.json()["access_token"]
    model = Browser(inside).api("GET", "/user", token=token).json()
    equal(model["name"], ann.name, "whose token it is")
    claim(not any(s.startswith("admin") for s in model["scopes"]), "too much was granted")
    equal(change(code).status, 400, "the same code again")
    equal(Browser(inside).api("GET", "/user", token=token).status, 403, "what came of a code that two people had")


def a_code_is_its_clients():
    code = code_of(ask_code(at_ann))
    ben_secret = state[ben.name]["JUPYTERHUB_API_TOKEN"]
    equal(change(code, "jupyterhub-user-" + ben.name, client_secret=ben_secret).status, 400, "Ben's server with Ann's code")
    equal(change(code, client_secret=ben_secret).status, 401, "Ann's client with Ben's secret")
    equal(change(code, client_secret="").status, 401, "an empty secret")
    equal(change(code, client_secret=None).status, 401, "no secret")
    equal(change(code, redirect_uri="http://evil.example/").status, 400, "another redirect_uri")
    equal(change(code, client="jupyterhub", client_secret="x").status, 401, "the hub's own client")
    equal(change(code).status, 200, "the right client after all those")


def the_address_is_the_registered_one():
    for uri in ("http://evil.example/cb", "//evil.example/cb", CALLBACK + "/", CALLBACK + "?x=1", CALLBACK + "#f",
                CALLBACK.upper(), "/user/%s/oauth_callback" % ben.name, carrel.url + CALLBACK, CALLBACK + "%00"):
        answer = ask_code(at_ann, callback=uri)
        equal(answer.status, 400, "authorize with redirect_uri %r" % uri)
    twice = "/hub/api/oauth2/authorize?client_id=%s&response_type=code&redirect_uri=%s&redirect_uri=%s" % (
        CLIENT, CALLBACK, "http://evil.example")
    equal(at_ann.get(twice, follow=False).status, 400, "redirect_uri twice")


def pkce_cannot_be_left_out():
    verifier = "v" * 64
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    code = code_of(ask_code(at_ann, code_challenge=challenge, code_challenge_method="S256"))
    equal(change(code).status, 400, "no verifier")
    equal(change(code, code_verifier=challenge).status, 400, "the challenge as verifier")
    equal(change(code, code_verifier="w" * 64).status, 400, "a wrong verifier")
    equal(change(code, code_verifier=verifier).status, 200, "the verifier")


def a_stranger_gets_no_code():
    equal(ask_code(at_ben).status, 403, "Ben asks for a code of Ann's server")
    nobody = ask_code(Browser(carrel.url))
    claim(nobody.status == 302 and "/hub/login?" in nobody.location(), "nobody gets %d" % nobody.status)


def a_servers_token_is_small():
    b, token = Browser(inside), state[ben.name]["JUPYTERHUB_API_TOKEN"]
    for method, path in (("GET", "/users/" + ann.name), ("POST", "/users/%s/server" % ann.name),
                         ("DELETE", "/users/%s/server" % ann.name), ("GET", "/users/%s/server" % ann.name),
                         ("POST", "/users/%s/activity" % ann.name)):
        answer = b.api(method, path, {"last_activity": "2030-01-01T00:00:00Z"} if method == "POST" else None, token)
        claim(answer.status in (403, 404), "%s %s with Ben's server's token answers %d" % (method, path, answer.status))
    for method, path in (("GET", "/users/%s/tokens" % ben.name), ("POST", "/users/%s/tokens" % ben.name),
                         ("GET", "/users/%s/shared" % ben.name), ("DELETE", "/users/%s/server" % ben.name),
                         ("PATCH", "/users/" + ben.name), ("POST", "/shares/%s/" % ben.name)):
        answer = b.api(method, path, None if method in ("GET", "DELETE") else {}, token)
        equal(answer.status, 403, "%s %s of Ben himself with his server's token" % (method, path))
    for header in ("token " + "0" * 32, "Bearer ", "token", "Basic eDp5", "token " + token + "x", "token " + "a" * 9000):
        answer = b.request("GET", "/hub/api/user", headers={"Authorization": header})
        claim(answer.status in (403, 431), "Authorization of %d bytes answers %d" % (len(header), answer.status))


def descriptors():
    return len(os.listdir("/proc/%d/fd" % carrel.pid("hub")))


def who_leaves_costs_nothing():
    """Pages that follow a start and are closed in the middle of it."""
    path = "/hub/api/users/%s/server" % ann.name
    claim(at_ann.api("DELETE", "/users/%s/server" % ann.name).status in (202, 204), "stop")
    until("only Ben's is left", 40, lambda: len(carrel.server_keys()) == 1)
    head = "Host: x\r\nCookie: %s\r\nX-XSRFToken: %s\r\n" % (at_ann.cookie_header(path), at_ann.cookie("_xsrf"))

    def begin_and_leave(line, more=""):
        with socket.create_connection(("127.0.0.1", carrel.port), 10) as s:
            s.sendall((line + " HTTP/1.1\r\n" + head + more + "\r\n").encode())
            s.recv(10) if line.startswith("GET") else time.sleep(0.2)
    before = descriptors()
    begin_and_leave("POST " + path, "Content-Length: 0\r\n")
    for _ in range(30):
        begin_and_leave("GET %s/progress" % path)
    at_ann.wait_server(ann.name)
    state[ann.name] = environment_of(ann)
    until("the hub has let go of those who left (%d descriptors before)" % before, 10,
          lambda: descriptors() < before + 10)


def crowds_stay_outside():
    """Idle connections to the servers' port must not take the pages' descriptors."""
    crowd = []
    try:
        for _ in range(2000):
            crowd.append(socket.create_connection(("127.0.0.1", carrel.hub_port), 10))
        # More of them than the proxy has spare connections to the hub.
        with concurrent.futures.ThreadPoolExecutor(40) as pool:
            pages = list(pool.map(lambda _: Browser(carrel.url).request("GET", "/hub/login", timeout=5).status,
                                  range(400)))
    finally:
        for s in crowd:
            s.close()
    equal(set(pages), {200}, "the login page meanwhile")


# ---- the end ----------------------------------------------------------------


def after_logout():
    old = at_ann.cookie_header("/hub/")
    xsrf = at_ann.cookie("_xsrf")
    code = code_of(ask_code(at_ann))
    token = change(code_of(ask_code(at_ann))).json()["access_token"]
    equal(Browser(inside).api("GET", "/user", token=token).status, 200, "the token before logout")
    equal(at_ann.get("/hub/logout").status, 200, "logout")
    b = Browser(carrel.url)
    equal(b.request("GET", "/hub/home", headers={"Cookie": old}).status, 302, "home with the old cookie")
    answer = b.request("POST", "/hub/api/users/%s/server" % ann.name,
                       headers={"Cookie": old, "X-XSRFToken": xsrf or ""})
    equal(answer.status, 403, "a write with the old cookie")
    equal(Browser(inside).api("GET", "/user", token=token).status, 403, "the token after logout")
    equal(change(code).status, 400, "a code from before the logout")


def after_stop():
    token = state[ann.name]["JUPYTERHUB_API_TOKEN"]
    equal(at_ann.login(ann.name, ann.password).status, 302, "login again")
    code = code_of(ask_code(at_ann))
    oauth = change(code_of(ask_code(at_ann))).json()["access_token"]
    equal(Browser(inside).api("GET", "/user", token=token).status, 200, "the server's token before its stop")
    claim(at_ann.api("DELETE", "/users/%s/server" % ann.name).status in (202, 204), "stop")
    until("it has stopped", 40, lambda: not carrel.server_keys() or len(carrel.server_keys()) == 1)
    until("its token is over", 10,
          lambda: Browser(inside).api("GET", "/user", token=token).status == 403)
    equal(Browser(inside).api("GET", "/user", token=oauth).status, 403, "a token that came through it")
    equal(change(code, client_secret=token).status, 401, "a code of a stopped server")
    equal(ask_code(at_ann).status, 400, "authorize for a stopped server")


report.run([
    ("Ann and Ben start their servers", begin),
    ("headers forged at the servers' port are ignored", forged_headers),
    ("each write needs the token of its session", writes_need_the_token),
    ("no redirect leads elsewhere (CVE-2026-33709, CVE-2019-10255)", redirects_stay_here),
    ("a code counts once", a_code_counts_once),
    ("a code counts for its client only", a_code_is_its_clients),
    ("codes go to the registered address only", the_address_is_the_registered_one),
    ("PKCE cannot be left out", pkce_cannot_be_left_out),
    ("a stranger gets no code", a_stranger_gets_no_code),
    ("a server's token is good for that server (CVE-2024-22421, CVE-2026-40171)", a_servers_token_is_small),
    ("who leaves in the middle of a start costs nothing", who_leaves_costs_nothing),
    ("a crowd at the servers' port leaves the pages alone", crowds_stay_outside),
    ("after logout nothing of the session counts (CVE-2021-41247)", after_logout),
    ("after a stop nothing of the server counts", after_stop),
], on_failure=carrel.print_lines)
report.finish()
