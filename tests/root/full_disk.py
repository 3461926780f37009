#!/usr/bin/python3
"""The disk of the hub's and the proxy's state is full, and then it is not.

What runs goes on, what cannot be kept is refused with what a person can do,
nothing is half done, and no restart is needed afterwards.
"""
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
import accounts
import report
from report import claim, equal, until
from web import Browser
from world import Carrel

report.group("root", "pam", "single-user")
if not accounts.can_make():
    report.skip("full disk", "needs root: it makes Unix accounts and mounts a small file system")
    report.finish()

ann = accounts.Account("carreltfann")
carrel = Carrel()
os.mkdir(carrel.state_dir)
if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m", "none", carrel.state_dir],
                  stderr=subprocess.DEVNULL).returncode != 0:
    report.skip("full disk", "no file system can be mounted here")
    report.finish()
at_ann = Browser(carrel.url)
filler = carrel.state_dir + "/filler"
state = {}


def begin():
    carrel.start()
    equal(at_ann.login(ann.name, ann.password).status, 302, "login")
    at_ann.start_server(ann.name)
    state["hub"] = carrel.pid("hub")
    with open(filler, "wb", buffering=0) as f:
        try:
            while True:
                f.write(bytes(4096))
        except OSError:
            pass


def new_login():
    # The log of the database has some room that was taken beforehand.
    for i in range(400):
        answer = Browser(carrel.url, "127.0.1.%d" % (i // 2 + 1)).login(ann.name, ann.password)
        if answer.status != 302:
            break
    equal(answer.status, 500, "a login that cannot be kept")
    claim("administrator" in answer.text, "the page does not say what to do")
    claim(not answer.headers.get("Set-Cookie") or "jupyterhub-hub-login" not in str(answer.headers),
          "a login cookie was set")
    until("the log says why", 5, lambda: carrel.seen("no space left"))


def what_runs_goes_on():
    equal(at_ann.get("/hub/home").status, 200, "home")
    equal(at_ann.get("/user/%s/api" % ann.name).status, 200, "the server's API")
    equal(carrel.pid("hub"), state["hub"], "the hub's process")


def changes():
    for path in ("/users/%s/server", "/users/%s/servers/other", "/users/%s/tokens"):
        equal(at_ann.api("POST", path % ann.name).status in (400, 403, 500), True, "POST " + path)
    answer = at_ann.api("DELETE", "/users/%s/server" % ann.name)
    equal(answer.status, 500, "a stop that cannot be kept")
    equal(at_ann.get("/user/%s/api" % ann.name).status, 200, "the server's API")


def afterwards():
    os.unlink(filler)
    equal(Browser(carrel.url, "127.0.0.3").login(ann.name, ann.password).status, 302, "a login")
    claim(at_ann.api("DELETE", "/users/%s/server" % ann.name).status in (202, 204), "stop")
    until("the server has ended", 30, lambda: not ann.processes())
    at_ann.start_server(ann.name)
    claim(at_ann.api("DELETE", "/users/%s/server" % ann.name).status in (202, 204), "stop")
    until("the server has ended", 30, lambda: not ann.processes())
    equal(carrel.pid("hub"), state["hub"], "the hub's process")


try:
    report.run([
        ("a server runs and the disk gets full", begin),
        ("a login is refused and nothing is half done", new_login),
        ("what runs goes on", what_runs_goes_on),
        ("nothing is said to be done that cannot be kept", changes),
        ("with room again all works without a restart", afterwards),
    ], on_failure=carrel.print_lines)
finally:
    carrel.stop()
    carrel.stop_servers()
    subprocess.run(["umount", carrel.state_dir], check=False)
report.finish()
