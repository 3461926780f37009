#!/usr/bin/python3
"""A workshop: one password for everybody, another for those who look after it."""
import os
import sqlite3
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
import report
from programs import Programs
from report import claim, equal
from web import Browser, wait_http

report.group("shared-password")

USER, GROUP, ADMIN = "workshop in may", "group of the third table", "only those who look after it know this"
CONFIG = """\
hub:
  port: %%(hub_port)d
auth:
  type: shared-password
  allow_all: true
  manage_groups: true
  admin_users: [%s]
  username_map: {root: boss}
  throttle: {failures: 1000, failures_per_address: 1000}
  options:
    user_password: %s
    admin_password: %s
    password_groups: {"%s": [table-3, guests]}
"""
programs = Programs(["/bin/sleep", "60"], config=CONFIG % ("boss", USER, ADMIN, GROUP))
addresses = iter("127.0.3.%d" % i for i in range(1, 250))


def login(name, password, status):
    b = Browser(programs.url, next(addresses))
    answer = b.login(name, password)
    equal(answer.status, status, "login of %s" % name)
    return b.api("GET", "/user").json() if status == 302 else answer.text


def everybody():
    for name in ("alice", "bob"):
        me = login(name, USER, 302)
        equal((me["name"], me["admin"]), (name, False), "who came in")
    claim("Invalid username or password" in login("alice", "wrong", 403), "the page does not say that it was wrong")


def administrators():
    for name in ("boss", "BOSS", " boss", "root"):
        text = login(name, USER, 403)
        claim("Invalid username or password" in text, "%r is told that the password was right" % name)
        me = login(name, ADMIN, 302)
        equal((me["name"], me["admin"]), ("boss", True), "who came in as %r" % name)
    login("alice", ADMIN, 403)


def in_database(admin):
    programs.end("hub")
    db = sqlite3.connect(programs.dir + "/state/carrel.sqlite")
    with db:
        equal(db.execute("UPDATE user SET admin = ? WHERE name = 'bob'", (admin,)).rowcount, 1, "rows of bob")
    db.close()
    programs.begin("hub")
    wait_http(Browser(programs.url), "/hub/login", 200)


def made_one_by_another():
    """Who is an administrator by the database alone needs their password too."""
    in_database(1)
    login("bob", USER, 403)
    login("BOB", USER, 403)
    equal(login("bob", ADMIN, 302)["admin"], True, "bob's being an administrator")
    in_database(0)
    equal(login("bob", USER, 302)["admin"], False, "bob's being an administrator")


def groups():
    """A password of a group puts people into it, and opens no administrator's name."""
    equal(sorted(login("tom", GROUP, 302)["groups"]), ["guests", "table-3"], "tom's groups")
    equal(login("tom", USER, 302)["groups"], [], "tom's groups with everybody's password")
    login("boss", GROUP, 403)


def a_changed_password_ends_logins():
    people = {}
    for name, password in (("alice", USER), ("tom", GROUP), ("boss", ADMIN)):
        people[name] = b = Browser(programs.url, next(addresses))
        equal(b.login(name, password).status, 302, "login of %s" % name)
    own = people["alice"].api("POST", "/users/alice/tokens", {"note": "script"}).json()["token"]

    def restart(old, new):
        programs.end("hub")
        with open(programs.dir + "/carrel.yaml") as f:
            text = f.read()
        with open(programs.dir + "/carrel.yaml", "w") as f:
            f.write(text.replace(old, new))
        programs.begin("hub")
        wait_http(Browser(programs.url), "/hub/login", 200)

    def are_in():
        return [n for n, b in people.items() if b.api("GET", "/user").status == 200]

    restart("x", "x")
    equal(are_in(), ["alice", "tom", "boss"], "who is in after a restart")
    restart(USER, "workshop in june")
    equal(are_in(), ["tom", "boss"], "who is in after everybody's password was changed")
    restart(GROUP, "group of the fourth table")
    equal(are_in(), ["boss"], "who is in after the group's was changed")
    restart(ADMIN, ADMIN[::-1])
    equal(are_in(), [], "who is in after the administrators' was changed")
    equal(Browser(programs.url).api("GET", "/user", token=own).status, 200, "a token that alice made for a script")
    login("alice", USER, 403)
    login("alice", "workshop in june", 302)


def nothing_secret_is_logged():
    claim(any("people share one password" in line for line in programs.lines), "no warning at start")
    for line in programs.lines:
        claim(USER not in line and ADMIN not in line and GROUP not in line, "a log line has a password")


for name in ("spawner", "proxy", "hub"):
    programs.begin(name)
wait_http(Browser(programs.url), "/hub/login", 200)
report.run([
    ("everybody comes in with the one password", everybody),
    ("administrators need theirs, however their name is written", administrators),
    ("so does who was made one by another", made_one_by_another),
    ("a password of a group puts people into it", groups),
    ("a changed password ends the logins that came of it", a_changed_password_ends_logins),
    ("no password is in the log", nothing_secret_is_logged),
], on_failure=programs.print_lines)
programs.clean()
report.finish()
