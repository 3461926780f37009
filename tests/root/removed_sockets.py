#!/usr/bin/python3
"""Somebody removes the sockets of running programs: they come back, and the log says so."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
import report
from report import claim, equal, until
from web import Browser
from world import Carrel

report.group("root")
if os.geteuid() != 0:
    report.skip("removed sockets", "needs root: the programs run as accounts of their own")
    report.finish()
carrel = Carrel()
carrel.start()


def find(name):
    for root in (carrel.run_dir, carrel.state_dir):
        for folder, _, files in os.walk(root):
            if name in files:
                return os.path.join(folder, name)
    claim(False, "there is no " + name)


def comes_back(name):
    path = find(name)
    carrel.lines.clear()
    st = os.stat(path)
    os.unlink(path)
    until(name + " is there again", 15, lambda: os.path.exists(path))
    until("its line", 15, lambda: carrel.seen("removed and is made again.*" + name))
    again = os.stat(path)
    equal((again.st_mode, again.st_uid, again.st_gid), (st.st_mode, st.st_uid, st.st_gid), "mode and owner")


def hub_sock():
    for _ in range(2):
        comes_back("hub.sock")
        # More than the proxy has connections that it can use again.
        for _ in range(40):
            equal(Browser(carrel.url).get("/hub/login").status, 200, "the login page")


def spawner_sock():
    comes_back("spawner.sock")
    carrel.lines.clear()
    carrel.kill("hub")
    until("the new hub has found it", 30, lambda: carrel.seen("the spawner is there"))


def takeover_socket():
    comes_back("routes.journal.takeover")
    carrel.lines.clear()
    # An engine that follows gets the first socket from its parent.
    children = "/proc/%d/task/%d/children" % ((carrel.pid("proxy"),) * 2)
    with open(children) as f:
        os.kill(int(f.read().split()[0]), 9)
    until("the next engine has made it again", 30,
          lambda: carrel.seen("removed and is made again.*routes.journal.takeover"))
    until("the page", 30, lambda: Browser(carrel.url).get("/hub/login").status == 200)


def another_owner_is_left_alone():
    """What is in the way is not removed, and it is said once."""
    path = find("hub.sock")
    carrel.lines.clear()
    os.unlink(path)
    os.mkdir(path)
    until("its line", 15, lambda: carrel.seen("removed and cannot be made again.*hub.sock"))
    os.rmdir(path)
    until("hub.sock is there again", 15, lambda: carrel.seen("removed and is made again.*hub.sock"))
    equal(len(carrel.seen("cannot be made again")), 1, "lines")


def the_end():
    equal(carrel.stop(), 0, "exit status")


report.run([
    ("hub.sock", hub_sock),
    ("spawner.sock", spawner_sock),
    ("the proxy's takeover socket", takeover_socket),
    ("what is in the way stays", another_owner_is_left_alone),
    ("all ends well", the_end),
], on_failure=carrel.print_lines)
report.finish()
