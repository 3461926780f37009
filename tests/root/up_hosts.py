#!/usr/bin/python3
"""`carrel up` tells the proxy to look at hosts when people have hosts of their own."""
import os
import shutil
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
import accounts
import report
from report import bin_dir, claim, equal
from world import Carrel

report.group("root", "subdomains")
if not accounts.can_make():
    report.skip("carrel up with hosts of their own", "needs root: it makes a Unix account")
    report.finish()

owner = accounts.Account("carreltuphosts")
carrel = Carrel(as_user=owner.name)
# The account must be able to reach what it starts.
for name, source in (("bin", bin_dir()), ("pam.d", carrel.pam_dir)):
    shutil.copytree(source, os.path.join(carrel.dir, name))
os.environ["CARREL_BIN"] = carrel.dir + "/bin"
carrel.pam_dir = carrel.dir + "/pam.d"


def proxy_flags():
    carrel.lines.clear()
    carrel.start()
    with open("/proc/%d/cmdline" % carrel.pid("proxy"), "rb") as f:
        flags = f.read().split(b"\0")
    equal(carrel.stop(), 0, "exit code after SIGTERM")
    return flags


def one_host():
    claim(b"--host-routing" not in proxy_flags(), "the proxy looks at hosts")


def many_hosts():
    with open(carrel.config) as f:
        text = f.read()
    carrel._write("carrel.yaml", text + "  subdomain_host: http://localhost:%d\n" % carrel.port)
    claim(b"--host-routing" in proxy_flags(), "the proxy was not told to look at hosts")


report.run([
    ("without the option it does not", one_host),
    ("with hub.subdomain_host it does", many_hosts),
], on_failure=carrel.print_lines)
carrel.clean()
report.finish()
