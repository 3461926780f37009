#!/usr/bin/python3
"""The hub reads its configuration again: what is different is said, what can be is in force, the rest waits for a restart."""
import os
import re
import signal
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
import report
from report import bin_dir, claim, equal, until
from rest import Caller, begin_hub, end_hub

report.group("reload")
MORE = """\
  custom_scopes:
    custom:grades:read: {description: Read grades.}
  load_roles:
    - {name: grader, scopes: ['custom:grades:read'], users: [alice]}
"""
carrel = begin_hub(MORE)
PLAIN = open(carrel.dir + "/carrel.yaml").read()


def reload(text):
    """What the hub says until it has read the file."""
    with open(carrel.dir + "/carrel.yaml", "w") as f:
        f.write(text)
    before = len(carrel.lines)
    carrel.running["hub"].send_signal(signal.SIGHUP)

    def done():
        new = carrel.lines[before:]
        return new if any("was read again" in line or "nothing changed" in line for line in new) else None
    return "\n".join(until("the hub says what it read", 20, done))


def changes(said):
    return {m[0]: m[1:] for m in re.findall(
        r'option changed option=(\S+) from="([^"]*)" to="([^"]*)" in_force="([^"]*)"', said)}


def begin():
    global boss, alice
    boss, alice = Caller(carrel, "boss"), Caller(carrel, "alice")


def in_force():
    alice.no(400, "Named servers are not enabled.", "POST", "/users/alice/servers/lab")
    said = reload(PLAIN + "server:\n  allow_named_servers: true\n  start_timeout: 61s\nsession:\n  max_token_age: 1h\n")
    equal(changes(said), {"server.allow_named_servers": ("false", "true", "now"),
                          "server.start_timeout": ("60s", "61s", "now"),
                          "session.max_token_age": ("0s", "3600s", "now")}, "what changed")
    claim('waits_for_restart=""' in said, "the summary: %s" % said)
    alice.ok(201, "PUT", "/users/alice/servers/lab")
    alice.no(400, None, "POST", "/users/alice/tokens", {"expires_in": 7200})
    equal(changes(reload(open(carrel.dir + "/carrel.yaml").read())), {}, "the same again")


def waits():
    said = reload(PLAIN.replace("admin_users: [boss]", "admin_users: [boss, alice]\n  allowed_users: [a, b, c, d, e, f, g, h, i]")
                  .replace("password: x", "password: secret") + "server:\n  allow_named_servers: true\n")
    seen = changes(said)
    equal(seen["auth.admin_users"], ("[boss]", "[boss, alice]", "after a restart"), "a list")
    equal(seen["auth.allowed_users"], ("[]", "(9 entries)", "after a restart"), "a long list")
    equal(seen["auth.options"], ("(a section)", "(a section)", "after a restart"), "what may be secret")
    claim("secret" not in said, "a secret is shown")
    claim("auth.admin_users" in re.search(r'waits_for_restart="([^"]*)"', said)[1], "the summary")
    claim(not alice.ok(200, "GET", "/user").json()["admin"], "it does not wait")
    equal(Caller(carrel, "boss").ok(200, "GET", "/user").json()["admin"], True, "the old password holds")


def wrong():
    for text, says in (("server: {start_timeout: never}\n", "server.start_timeout"), ("colour: red\n", "colour"),
                       ("hub: [\n", "carrel.yaml:"), ("  x: y\n", "carrel.yaml:")):
        said = reload(PLAIN + text)
        claim("nothing changed" in said and says in said, "%r: %s" % (text, said))
        equal(changes(said), {}, "what changed")
        path = carrel.dir + "/carrel.yaml"
        r = subprocess.run([os.path.join(bin_dir(), "carrel-hub"), "--check", "--config", path],
                           stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=20)
        equal(r.returncode, 78, "--check says the same")
    alice.ok(200, "GET", "/users/alice/servers/lab")


def at_a_logout():
    """Two options that are in force at once: servers end with the login, and clients must use PKCE."""
    reload(PLAIN + "server:\n  allow_named_servers: true\n  shutdown_on_logout: true\n  stop_grace: 1s\n"
           "session:\n  oauth_require_pkce: true\n")
    carl = Caller(carrel, "carl")
    equal(carl.ok(201, "POST", "/users/carl/server").status, 201, "a start")
    back = carl.browser.get("/hub/api/oauth2/authorize?client_id=jupyterhub-user-carl&response_type=code", follow=False)
    claim("error=invalid_request" in back.location() and "code_challenge" in back.location(), back.location())
    carl.browser.get("/hub/logout", follow=False)
    until("the server ends", 30, lambda: boss.ok(200, "GET", "/users/carl").json()["servers"] == {})


def scopes_stay():
    """Scopes of the configuration wait for the restart, whatever a reload says; nobody's change meanwhile."""
    held = lambda: [s for s in alice.ok(200, "GET", "/user").json()["scopes"] if s.startswith("custom:")]
    equal(held(), ["custom:grades:read"], "before")
    said = reload(PLAIN.replace("custom:grades:read", "custom:marks:read"))
    equal(changes(said)["auth.custom_scopes"][2], "after a restart", "custom scopes")
    equal(held(), ["custom:grades:read"], "after a reload")
    carrel.end("hub")
    carrel.begin("hub")
    equal(held(), ["custom:marks:read"], "after a restart")


report.run([("people log in", begin), ("what can be is in force at once", in_force), ("the rest waits", waits),
            ("a wrong file changes nothing", wrong), ("servers end with a login, clients use PKCE", at_a_logout), ("scopes wait for the restart", scopes_stay),
            ("the hub ends in order", lambda: end_hub(carrel))], carrel.print_lines)
carrel.clean()
report.finish()
