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

USER, ADMIN = "workshop in may", "only those who look after it know this"
CONFIG = """\
hub:
  port: %%(hub_port)d
auth:
  type: shared-password
  allow_all: true
  admin_users: [%s]
  username_map: {root: boss}
  throttle: {failures: 1000, failures_per_address: 1000}
  options:
    user_password: %s
    admin_password: %s
"""
programs = Programs(["/bin/sleep", "60"], config=CONFIG % ("boss", USER, ADMIN))
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


def nothing_secret_is_logged():
    claim(any("people share one password" in line for line in programs.lines), "no warning at start")
    for line in programs.lines:
        claim(USER not in line and ADMIN not in line, "a log line has a password")


for name in ("spawner", "proxy", "hub"):
    programs.begin(name)
wait_http(Browser(programs.url), "/hub/login", 200)
report.run([
    ("everybody comes in with the one password", everybody),
    ("administrators need theirs, however their name is written", administrators),
    ("so does who was made one by another", made_one_by_another),
    ("no password is in the log", nothing_secret_is_logged),
], on_failure=programs.print_lines)
programs.clean()
report.finish()
