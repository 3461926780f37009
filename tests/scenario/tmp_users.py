#!/usr/bin/python3
"""People for a visit: a new one for each browser, gone with their server."""
import os
import shutil
import sqlite3
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
import report
from programs import Programs
from report import bin_dir, claim, equal, until
from web import Browser, form_action, hidden, wait_http

report.group("tmp")

CONFIG = """\
hub:
  port: %(hub_port)d
auth:
  type: tmp
  allow_all: true
  options: {accounts: one, max_visitors: 3, lifetime: 1h}
server:
  stop_grace: 1s
"""
programs = Programs(["/usr/bin/python3", "@DIR@/tiny_server.py"], config=CONFIG)
shutil.copy(os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib/tiny_server.py"), programs.dir)


def ask(sql, *values):
    db = sqlite3.connect("file:%s/state/carrel.sqlite?mode=ro" % programs.dir, uri=True)
    try:
        return db.execute(sql, values).fetchall()
    finally:
        db.close()


def is_gone(name):
    return not ask("SELECT 1 FROM user WHERE name = ?", name)


def begin(b):
    """What the page's script does at once, and its button without scripts."""
    page = b.get("/hub/login?next=/hub/home")
    equal(page.status, 200, "the login page")
    claim('data-now="1"' in page.text, "the form is not sent by itself")
    return b.post(form_action(page), hidden(page.text), follow=False)


def visit():
    b = Browser(programs.url)
    answer = begin(b)
    equal((answer.status, answer.location()), (302, "/hub/home"), "a visit")
    b.name = b.api("GET", "/user").json()["name"]
    claim(b.name.startswith("tmp-") and len(b.name) == 16, "a visitor is called %r" % b.name)
    return b


def leave(b):
    b.get("/hub/logout")
    until("%s is gone" % b.name, 60, lambda: is_gone(b.name))


def each_visit_is_somebody_new():
    one, two = visit(), visit()
    claim(one.name != two.name, "two visitors are one")
    me = one.api("GET", "/user").json()
    equal((me["admin"], me["groups"]), (False, []), "what a visitor is")
    equal(one.get("/hub/login?next=/hub/home", follow=False).location(), "/hub/home", "the login page, logged in")
    equal(len(ask("SELECT 1 FROM visitor")), 2, "visitors")
    equal(one.api("GET", "/users/" + two.name).status, 404, "one asks for the other")
    leave(one)
    claim(not is_gone(two.name), "the other visitor went, too")
    leave(two)


def gone_with_their_server():
    b = visit()
    b.start_server(b.name)
    claim(b.api("GET", "/users/" + b.name).json()["server"], "the server runs")
    equal(ask("SELECT account FROM server")[0][0] != "root", True, "it does not run as root")
    claim(b.api("DELETE", "/users/%s/server" % b.name).status in (202, 204), "the stop")
    until("%s is gone" % b.name, 60, lambda: is_gone(b.name))
    equal(b.api("GET", "/user").status, 403, "the browser of who is gone")


def logging_out_stops_the_server():
    b = visit()
    b.start_server(b.name)
    address = ask("SELECT address FROM server")[0][0]
    leave(b)
    equal(ask("SELECT count(*) FROM server"), [(0,)], "servers")
    host, port = address.split(":")
    import socket
    s = socket.socket()
    claim(s.connect_ex((host, int(port))) != 0, "the server listens still")
    s.close()


def a_failed_start_can_be_read():
    """Somebody whose start failed is not thrown out before they know why."""
    script = programs.dir + "/tiny_server.py"
    os.rename(script, script + ".away")
    b = visit()
    last = b.progress_after_start()
    claim(last.get("failed"), "the start did not fail: %r" % last)
    seen = len(programs.lines)
    other = visit()
    other.get("/hub/logout")
    until("a look was had", 60, lambda: is_gone(other.name))
    claim(not is_gone(b.name), "the visitor is gone: %r" % programs.lines[seen:])
    claim("failed" in b.get("/hub/home").text.lower(), "the home page does not say that the start failed")
    os.rename(script + ".away", script)
    leave(b)


def places_are_bounded():
    guests = [visit() for _ in range(3)]
    answer = begin(Browser(programs.url))
    equal(answer.status, 503, "the fourth visit")
    claim("All places are taken" in answer.text, "the page does not say why")
    claim("data-now" not in answer.text, "the page asks again and again")
    leave(guests.pop())
    leave(visit())
    for b in guests:
        leave(b)


def when_the_time_is_over():
    b = visit()
    b.start_server(b.name)
    programs.end("hub")
    db = sqlite3.connect(programs.dir + "/state/carrel.sqlite")
    with db:
        db.execute("UPDATE visitor SET since_us = 1, until_us = 2")
    db.close()
    programs.begin("hub")
    until("%s is gone" % b.name, 60, lambda: is_gone(b.name))


def who_only_looks_is_nobody():
    """A probe of the login page, and a page elsewhere that sends the form, make no visitor."""
    for _ in range(5):
        equal(Browser(programs.url).get("/hub/login").status, 200, "a look")
    equal(Browser(programs.url).post("/hub/login", {}, follow=False).status, 403, "a form without a token")
    form = dict(hidden(Browser(programs.url).get("/hub/login").text), username="root", password="x")
    equal(Browser(programs.url).post("/hub/login", form, follow=False).status, 403, "another browser's token")
    equal(ask("SELECT count(*) FROM visitor"), [(0,)], "visitors")


def accounts_are_asked_for():
    def check(options, more=""):
        with open(programs.dir + "/check.yaml", "w") as f:
            f.write("auth:\n  type: tmp\n  allow_all: true\n%s  options: {%s}\n" % (more, options))
        return subprocess.run([os.path.join(bin_dir(), "carrel-hub"), "--config", programs.dir + "/check.yaml",
                               "--check"], capture_output=True, text=True)

    equal(check("accounts: one").returncode, 0, "accounts: one")
    answer = check("")
    equal(answer.returncode, 78, "without accounts")
    claim('needs the option "accounts"' in answer.stderr, "it says %r" % answer.stderr)
    answer = check("accounts: made")
    equal(answer.returncode, 78, "accounts: made without create_system_users")
    claim("create_system_users: true" in answer.stderr, "it says %r" % answer.stderr)
    equal(check("accounts: made", "  create_system_users: true\n").returncode, 0, "accounts: made")


def progress_after_start(self):
    answer = self.api("POST", "/users/%s/server" % self.name)
    return {"failed": answer.status >= 400} if answer.status not in (201, 202) else self.progress(self.name)[-1]


Browser.progress_after_start = progress_after_start
for name in ("spawner", "proxy", "hub"):
    programs.begin(name)
wait_http(Browser(programs.url), "/hub/home", 302)
report.run([
    ("each visit is somebody new", each_visit_is_somebody_new),
    ("a visitor goes with their server", gone_with_their_server),
    ("logging out stops the server", logging_out_stops_the_server),
    ("a failed start can be read", a_failed_start_can_be_read),
    ("places are bounded", places_are_bounded),
    ("a visit ends when its time is over", when_the_time_is_over),
    ("who only looks at the page is nobody", who_only_looks_is_nobody),
    ("it must be said whose account visitors' servers have", accounts_are_asked_for),
], on_failure=programs.print_lines)
programs.clean()
report.finish()
