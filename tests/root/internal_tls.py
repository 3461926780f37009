#!/usr/bin/python3
"""hub.internal_tls: a real notebook behind mutual TLS. A person works in it; who has
no certificate, or only that of another server, is refused by the server and by the
hub; each of the three programs may go and come back."""
# timeout: 300
import glob
import os
import re
import stat
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
import accounts
import report
from report import Failure, claim, equal, until
from web import Browser, Kernel
from world import Carrel

report.group("root", "pam", "single-user")
if not accounts.can_make():
    report.skip("internal TLS", "needs root: it makes Unix accounts")
    report.finish()

ana = accounts.Account("carreltint1")
ben = accounts.Account("carreltint2")
carrel = Carrel("auth:\n  allow_all: true\n")
with open(carrel.config, "a") as f:
    f.write("  internal_tls: true\n")
browser, others = Browser(carrel.url), Browser(carrel.url, "127.0.0.2")


def environment(account):
    """Of the account's notebook server."""
    for pid in account.processes():
        try:
            with open("/proc/%d/environ" % pid, "rb") as f:
                env = dict(item.split("=", 1) for item in f.read().decode().split("\0") if "=" in item)
        except OSError:
            continue
        if "JUPYTERHUB_SSL_KEYFILE" in env:
            return env
    raise Failure("no process of %s was given a key" % account.name)


def curl(account, url, *args):
    """(exit status, HTTP status) of that account's attempt."""
    done = subprocess.run(["setpriv", "--reuid", str(account.uid), "--clear-groups", "curl", "-sk", "-o",
                           "/dev/null", "-w", "%{http_code}", "--max-time", "20", *args, url],
                          stdout=subprocess.PIPE, cwd="/", timeout=30)
    return done.returncode, done.stdout.decode()


def works(account, b):
    k = Kernel(b, account.name)
    equal(k.execute("6 * 7"), "42", "the kernel's answer")
    k.close()


def starts():
    carrel.start()
    for account, b in ((ana, browser), (ben, others)):
        equal(b.login(account.name, account.password).status, 302, "login")
        b.start_server(account.name)
    works(ana, browser)
    works(ben, others)
    env = environment(ana)
    claim(env["JUPYTERHUB_SERVICE_URL"].startswith("https://127.0.0.1:"), env["JUPYTERHUB_SERVICE_URL"])
    equal(env["JUPYTERHUB_API_URL"], "https://127.0.0.1:%d/hub/api" % carrel.hub_port, "the hub's address")


def speaks_with_the_hub():
    """The server itself asked the hub who this person is."""
    claim(not carrel.seen("TLS is refused"), "somebody's TLS was refused")


def files():
    env = environment(ana)
    for name in ("KEYFILE", "CERTFILE", "CLIENT_CA"):
        st = os.stat(env["JUPYTERHUB_SSL_" + name])
        equal((st.st_uid, stat.S_IMODE(st.st_mode)), (ana.uid, 0o400), name)
    for path in glob.glob(carrel.state_dir + "/**/internal-tls/*", recursive=True):
        equal(stat.S_IMODE(os.stat(path).st_mode), 0o600, path)
    claim(glob.glob(carrel.state_dir + "/**/internal-tls/*", recursive=True), "the hub keeps no certificates")
    for name in ("proxy.pem", "trust.crt"):
        st = os.stat(carrel.run_dir + "/internal-tls/" + name)
        equal(stat.S_IMODE(st.st_mode), 0o640, name)
    denied = subprocess.run(["setpriv", "--reuid", str(ben.uid), "--clear-groups", "cat",
                             env["JUPYTERHUB_SSL_KEYFILE"], carrel.run_dir + "/internal-tls/proxy.pem"],
                            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=30)
    equal((denied.returncode, denied.stdout), (1, b""), "another account reads keys")


def refused():
    """Without a certificate, and with one that is another server's."""
    env, own = environment(ana), environment(ben)
    server = env["JUPYTERHUB_SERVICE_URL"] + "api"
    hub = "https://127.0.0.1:%d/hub/api" % carrel.hub_port
    certificate = ["--cert", own["JUPYTERHUB_SSL_CERTFILE"], "--key", own["JUPYTERHUB_SSL_KEYFILE"]]
    for what, url in (("the server", server), ("the hub", hub)):
        status, code = curl(ben, url)
        claim(status != 0 and code == "000", "%s answered %s without a certificate" % (what, code))
        equal(curl(ben, url.replace("https:", "http:"))[1], "000", "%s without TLS" % what)
    status, code = curl(ben, server, *certificate)
    claim(status != 0 and code == "000", "ben's certificate opened ana's server: %s" % code)
    equal(curl(ben, hub, *certificate), (0, "200"), "the hub, with a certificate")
    equal(curl(ben, own["JUPYTERHUB_SERVICE_URL"] + "api", *certificate)[1], "000", "his own, as if he were the proxy")
    until("the hub says that it refused somebody", 10, lambda: carrel.seen("client's TLS is refused"))


def restarts():
    k = Kernel(browser, ana.name)
    for name in ("hub", "spawner"):
        carrel.kill(name)
        equal(k.execute("1 + 1"), "2", "an open kernel after %s was killed" % name)
    k.close()
    until("the hub answers", 30, lambda: browser.get("/hub/api").status == 200)
    carrel.kill("proxy")

    def through():
        try:
            return browser.get("/user/%s/api" % ana.name).status == 200
        except OSError:
            return False
    until("the way through the next proxy", 30, through)
    works(ana, browser)
    works(ben, others)


def new_certificates_are_believed():
    """The hub made itself another one; a new server and the old ones go on together."""
    answer = others.api("DELETE", "/users/%s/server" % ben.name)
    claim(answer.status in (202, 204), "stop answers %d" % answer.status)
    until("one server is left", 40, lambda: len(carrel.server_keys()) == 1)
    others.start_server(ben.name)
    works(ben, others)
    works(ana, browser)


def stops():
    equal(carrel.stop(), 0, "exit status")
    carrel.stop_servers()
    claim(carrel.server_keys(), "the next hub finds nothing of the servers that ended")
    equal(glob.glob(carrel.run_dir + "/servers/*/tls.*"), [], "keys of servers that ended")
    for line in carrel.lines:
        claim(not re.search("BEGIN|PRIVATE", line), "a key in the log")


report.run([
    ("people work in notebooks behind TLS", starts),
    ("hub, proxy and servers believe each other", speaks_with_the_hub),
    ("keys are their owners' alone", files),
    ("others are refused by servers and by the hub", refused),
    ("each program is killed and comes back", restarts),
    ("certificates made anew are believed", new_certificates_are_believed),
    ("an end leaves no keys", stops),
], on_failure=carrel.print_lines)
carrel.clean()
report.finish()
