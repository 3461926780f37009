#!/usr/bin/python3
"""What docs/security-checks.md asks for and no other test shows."""
import json
import os
import subprocess
import sys
import urllib.parse

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
import report
from report import bin_dir, claim, equal, until
from rest import Caller, begin_hub, end_hub
from web import Browser

report.group("security")
carrel = begin_hub("""\
  load_groups: {crew: [alice]}
  load_roles:
    - {name: clerk, scopes: ['admin:users!group=crew', 'admin:groups!group=crew', 'tokens!group=crew'], users: [clerk]}
    - {name: keeper, scopes: ['admin:users', 'tokens', 'delete:users'], users: [keeper]}
""")
secrets = []


def begin():
    global boss, alice, clerk, keeper
    boss, alice, clerk, keeper = (Caller(carrel, name) for name in ("boss", "alice", "clerk", "keeper"))
    secrets.extend([carrel.token, boss.browser.cookie("jupyterhub-hub-login"), alice.browser.cookie("_xsrf")])
    claim(all(secrets), "the secrets are known")


def creation_wants_the_whole_scope():
    clerk.ok(200, "PATCH", "/users/alice", {"admin": False})
    for path, body in (("/users", {"usernames": ["new"]}), ("/users/new", None), ("/groups", {"groups": ["new"]}),
                       ("/groups/new", None)):
        clerk.no(403, None, "POST", path, body)
    boss.no(404, None, "GET", "/users/new")
    boss.no(404, None, "GET", "/groups/new")


def admins_are_for_admins():
    keeper.no(403, "Only admins can grant admin permissions", "POST", "/users/new", {"admin": True})
    keeper.no(403, None, "POST", "/users", {"usernames": ["new"], "admin": True})
    keeper.no(403, None, "PATCH", "/users/alice", {"admin": True})
    keeper.no(403, None, "PATCH", "/users/boss", {"name": "mine"})
    mine = "Only admins can change tokens of other admins"
    keeper.no(403, mine, "POST", "/users/boss/tokens")
    keeper.no(403, mine, "DELETE", "/users/boss/tokens/" + boss.token_of("boss").id)
    keeper.no(403, None, "DELETE", "/users/boss")
    boss.no(404, None, "GET", "/users/new")
    equal(boss.ok(200, "GET", "/users/alice").json()["admin"], False, "alice is an administrator")


def unknown_options_are_fatal():
    with open(os.path.join(carrel.dir, "carrel.yaml")) as f:
        text = f.read()
    for line in ("  blocked_user: [mallory]\n", "  allowed_user: [alice]\n"):
        path = os.path.join(carrel.dir, "wrong.yaml")
        with open(path, "w") as f:
            f.write(text.replace("auth:\n", "auth:\n" + line))
        r = subprocess.run([os.path.join(bin_dir(), "carrel-hub"), "--check", "--config", path],
                           capture_output=True, text=True, timeout=30)
        claim(r.returncode != 0 and line.split(":")[0].strip() in r.stdout + r.stderr,
              "%r: %d %s" % (line, r.returncode, r.stdout + r.stderr))


def processes():
    """Command lines of everything that this test began."""
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open("/proc/%s/cmdline" % pid, "rb") as f:
                line = f.read()
            with open("/proc/%s/environ" % pid, "rb") as f:
                environ = f.read()
        except OSError:
            continue
        if carrel.dir.encode() in line + environ:
            yield pid, line, environ


def secrets_stand_in_no_argument():
    alice.ok(201, "POST", "/users/alice/server")
    found = list(processes())
    tokens = {v.split(b"=", 1)[1] for _, _, e in found for v in e.split(b"\0") if v.startswith(b"JUPYTERHUB_API_TOKEN=")}
    claim(len(found) >= 4 and len(tokens) == 1, "processes: %r" % [line for _, line, _ in found])
    secrets.append(tokens.pop().decode())
    for pid, line, _ in found:
        for secret in secrets:
            claim(secret.encode() not in line, "process %s has a secret as an argument: %r" % (pid, line[:80]))
    for where, _, names in os.walk(os.path.join(carrel.dir, "state")):
        for name in names:
            mode = os.stat(os.path.join(where, name)).st_mode & 0o777
            claim(not mode & 0o077, "%s has mode %o" % (name, mode))


def deep_and_strange_bodies():
    deep = b"[" * 100000
    for raw in (deep, b'{"usernames":' + deep + b"]" * 100000 + b"}", b'{"usernames":["\xff\xfe"]}', b'{"usernames":["a\\u0000b"]}',
                b'{"usernames":["%s"]}' % (b"a" * 5000), b"\0", b'{"usernames":["\\ud800"]}', b"1e999999",
                b'{"usernames":["a"],"usernames":["b"]}'):
        answer = boss.call("POST", "/users", raw=raw)
        claim(answer.status == 400 and answer.json()["message"], "%r...: %d" % (raw[:30], answer.status))
    equal(boss.call("POST", "/users", raw=b'{"usernames":["' + b"a" * 10485760 + b'"]}').status, 413, "10 MiB")
    names = {u["name"] for u in boss.ok(200, "GET", "/users").json()}
    equal(names, {"boss", "alice", "clerk", "keeper"}, "the users")


def an_upgrade_is_a_request():
    asks = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==", "Sec-Fetch-Mode": "websocket"}
    stranger = Browser(carrel.url)
    for path, refused in (("/hub/api/user", (403,)), ("/hub/api/users", (403,)), ("/hub/user/alice/api/kernels/x/channels", (302, 403, 404)),
                          ("/hub/home", (302,)), ("/hub/api/users/alice/server/progress", (403,))):
        answer = stranger.request("GET", path, headers=asks)
        claim(answer.status in refused, "%s by upgrade: %d" % (path, answer.status))
    answer = alice.browser.request("GET", "/hub/api/users/boss", headers=asks)
    equal(answer.status, 404, "another's model by upgrade")
    answer = alice.browser.request("POST", "/hub/api/users/alice/tokens", headers=asks)
    equal(answer.status, 403, "a write by upgrade without the token")


def nothing_secret_is_logged():
    token = alice.token_of("alice")
    secrets.append(token.token)
    token.ok(200, "GET", "/user")
    token.call("GET", "/user?token=" + token.token)
    Browser(carrel.url).login("alice", "not-the-pass-word")
    secrets.append("not-the-pass-word")
    text = "\n".join(carrel.lines)
    claim("alice" in text, "the log tells of alice")
    for secret in secrets:
        claim(secret not in text, "a secret is in the log: %s..." % secret[:4])


def names_are_no_options():
    """A name that looks like an option or a command is refused, or one name all the way to the process."""
    for name in ("-rf", "--help", "$(id)", ";id", "`id`"):
        quoted = urllib.parse.quote(name, "")
        answer = boss.call("POST", "/users/" + quoted)
        claim(answer.status in (201, 400), "%s: %d" % (name, answer.status))
        if answer.status == 400:
            continue
        answer = boss.call("POST", "/users/%s/server" % quoted)
        if answer.status != 201:  # no account can have that name: said before anything is run
            claim("name of the account" in answer.text, "a start of %s: %d %s" % (name, answer.status, answer.text))
            continue
        user = [v for _, _, e in processes() for v in e.split(b"\0") if v == b"JUPYTERHUB_USER=" + name.encode()]
        claim(len(user) >= 1, "no server of %s" % name)
        argv = [line for _, line, e in processes() if b"JUPYTERHUB_USER=" + name.encode() + b"\0" in e]
        claim(all(name.encode() not in line.split(b"\0") for line in argv), "%s is an argument: %r" % (name, argv))
        boss.ok(204, "DELETE", "/users/%s/server" % quoted)


report.run([
    ("people log in", begin),
    ("creating wants the unfiltered scope", creation_wants_the_whole_scope),
    ("only administrators touch administrators", admins_are_for_admins),
    ("a rule that is not known ends the start", unknown_options_are_fatal),
    ("no secret is an argument, no file is open", secrets_stand_in_no_argument),
    ("deep and strange bodies change nothing", deep_and_strange_bodies),
    ("an upgrade is asked what any request is asked", an_upgrade_is_a_request),
    ("names are no options", names_are_no_options),
    ("nothing secret is logged", nothing_secret_is_logged),
    ("the hub ends", lambda: end_hub(carrel)),
], on_failure=lambda: carrel.print_lines(30))
report.finish()
