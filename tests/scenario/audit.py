#!/usr/bin/python3
"""The audit file of a real hub: what a day leaves in it, what never stands there, and that it stays bounded."""
import json
import os
import shutil
import signal
import stat
import sys

LIB = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib")
sys.path.insert(0, LIB)
import report
from programs import CONFIG, Programs
from report import claim, equal, until
from web import Browser, wait_http

report.group("audit")
PASSWORD = "Correct-Horse-Battery"
MEMBERS = {"time", "event", "actor", "via", "token", "from", "target", "server", "status", "detail"}
carrel = None


def audit_file():
    return carrel.dir + "/state/audit.jsonl"


def records():
    found = []
    with open(audit_file()) as f:
        for line in f:
            r = json.loads(line)
            claim(set(r) <= MEMBERS and {"time", "event"} <= set(r), "members of %r" % r)
            claim(all(len(v) < 256 for v in r.values() if isinstance(v, str)), "a long value in %r" % r)
            found.append(r)
    return found


def last(event):
    found = [r for r in records() if r["event"] == event]
    claim(found, "no %s in %r" % (event, records()))
    return found[-1]


def log_in(name):
    b = Browser(carrel.url)
    equal(b.login(name, PASSWORD).status, 302, "login of " + name)
    return b


def begin():
    global carrel
    config = CONFIG.replace("password: x", "password: " + PASSWORD).replace(
        "  allow_all: true", "  allow_all: true\n  admin_users: [boss]")
    carrel = Programs(profile=["/usr/bin/python3", "@DIR@/tunnels.py"], config=config)
    shutil.copy(os.path.join(LIB, "tunnels.py"), carrel.dir + "/tunnels.py")
    with open(carrel.dir + "/carrel.yaml", "a") as f:
        f.write("audit:\n  file: %s\n  max_size: 64K\n  keep: 2\n" % audit_file())
    for name in ("spawner", "proxy", "hub"):
        carrel.begin(name)
    wait_http(Browser(carrel.url), "/hub/login", 200)
    carrel.wait_together()
    equal(last("hub-started")["actor"], "hub", "who started")
    equal(stat.S_IMODE(os.stat(audit_file()).st_mode), 0o600, "mode of the file")


def a_day():
    anna = log_in("anna")
    equal(last("login")["actor"], "anna", "who came in")
    equal(last("login")["from"], "127.0.0.1", "from where")
    anna.start_server("anna")
    boss = log_in("boss")
    equal(boss.api("DELETE", "/users/anna/server").status in (202, 204), True, "boss stops anna's server")
    r = last("server-stop")
    equal((r["actor"], r["via"], r["target"], r["server"]), ("boss", "login", "anna", ""), "who stopped what")
    equal(last("server-start")["actor"], "anna", "who started")
    b = Browser(carrel.url)
    claim(b.login("anna", "Wrong-Horse").status == 403, "a wrong password is let in")
    equal(last("login-failed").get("target"), "anna", "whose login failed")
    claim(b.login("Typed-Password-As-Name", "x").status == 403, "a stranger is let in")
    claim("target" not in last("login-failed"), "an unknown name is told")
    anna.get("/hub/logout")
    equal(last("logout")["actor"], "anna", "who left")


def reload_is_told():
    path = carrel.dir + "/carrel.yaml"
    with open(path) as f:
        text = f.read()
    with open(path, "w") as f:
        f.write(text.replace("hub:\n", "hub:\n  redirect_to_server: false\n"))
    carrel.running["hub"].send_signal(signal.SIGHUP)
    until("the change is told", 10, lambda: any(r["event"] == "config-changed" for r in records()))
    equal(last("config-changed")["detail"], "hub.redirect_to_server", "what changed")


def no_secrets():
    with open(audit_file()) as f:
        text = f.read().lower()
    for secret in (PASSWORD, "Wrong-Horse", "Typed-Password-As-Name", carrel.token, "_xsrf", "cookie"):
        claim(secret.lower() not in text, "%r stands in the file" % secret)


def a_restart_goes_on_in_the_same_file():
    before = len(records())
    equal(carrel.end("hub"), 0, "exit of the hub")
    equal(records()[before]["event"], "hub-stopped", "the last record of the old hub")
    carrel.begin("hub")
    wait_http(Browser(carrel.url), "/hub/login", 200)
    equal(records()[before + 1]["event"], "hub-started", "the first of the new one")


def the_file_is_bounded():
    for _ in range(1500):
        b = log_in("anna")
        b.get("/hub/logout", follow=False)
        if os.path.exists(audit_file() + ".2"):
            break
    sizes = [os.path.getsize(audit_file() + e) for e in ("", ".1", ".2")]
    claim(all(s <= 65536 for s in sizes) and min(sizes[1:]) > 60000, "sizes %r" % sizes)
    claim(not os.path.exists(audit_file() + ".3"), "more are kept than may be")
    records()


report.run([
    ("the hub says that it serves", begin),
    ("logins, failures, starts, stops, and who did them", a_day),
    ("a reload of the configuration is told", reload_is_told),
    ("no secret stands in the file", no_secrets),
    ("a restart goes on in the same file", a_restart_goes_on_in_the_same_file),
    ("the file is bounded", the_file_is_bounded),
], on_failure=lambda: carrel and carrel.print_lines(40))
if carrel:
    carrel.clean()
report.finish()
