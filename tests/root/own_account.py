#!/usr/bin/python3
"""Carrel started by an ordinary account: it serves that account, and no other."""
import os
import shutil
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
import accounts
import report
from report import bin_dir, claim, equal, until
from web import Browser, Kernel
from world import Carrel

report.group("root", "pam", "single-user")
if not accounts.can_make():
    report.skip("carrel up as an ordinary account", "needs root: it makes Unix accounts")
    report.finish()

owner = accounts.Account("carreltown")
other = accounts.Account("carreltoth")
carrel = Carrel(as_user=owner.name)
# The account must be able to reach what it starts.
for name, source in (("bin", bin_dir()), ("pam.d", carrel.pam_dir)):
    shutil.copytree(source, os.path.join(carrel.dir, name))
os.environ["CARREL_BIN"] = carrel.dir + "/bin"
carrel.pam_dir = carrel.dir + "/pam.d"
browser = Browser(carrel.url)


def ready():
    carrel.start()
    claim(carrel.seen("serving that account only"), "it does not say whom it serves")
    claim(carrel.seen("Who can log in: %s" % owner.name), "it does not name who can log in")
    for name in ("hub", "proxy", "spawner"):
        equal(os.stat("/proc/%d" % carrel.pid(name)).st_uid, owner.uid, "account of the %s" % name)


def others_are_refused():
    equal(Browser(carrel.url, "127.0.0.3").login(other.name, other.password).status, 403, "another account")
    equal(Browser(carrel.url, "127.0.0.4").login("root", "x").status, 403, "root")
    equal(Browser(carrel.url, "127.0.0.5").login(owner.name, "wrong").status, 403, "a wrong password")


def works():
    equal(browser.login(owner.name, owner.password).status, 302, "the owner's login")
    browser.start_server(owner.name)
    k = Kernel(browser, owner.name)
    equal(k.execute("1+1"), "2", "1+1 in the kernel")
    k.close()


def stops():
    pids = set(owner.processes())
    answer = browser.api("DELETE", "/users/%s/server" % owner.name)
    claim(answer.status in (202, 204), "stop answers %d" % answer.status)
    until("the server and its keeper are gone", 40, lambda: len(set(owner.processes()) & pids) <= 4)
    until("no keeper is left", 20, lambda: carrel.server_keys() == [])
    equal(carrel.stop(), 0, "exit code after SIGTERM")
    until("nothing of the account runs", 10, lambda: not owner.processes())


report.run([
    ("it becomes ready and says for whom", ready),
    ("others are refused, and a wrong password", others_are_refused),
    ("its owner works in a real notebook", works),
    ("stopping leaves nothing", stops),
], on_failure=carrel.print_lines)
carrel.clean()
report.finish()
