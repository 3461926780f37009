#!/usr/bin/python3
"""`carrel up` itself: places, accounts, messages, restarts, ends."""
import os
import pwd
import re
import shutil
import signal
import socket
import stat
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
import accounts
import report
from report import bin_dir, claim, equal, until
from web import Browser
from world import Carrel

report.group("root")
if not accounts.can_make():
    report.skip("carrel up as root", "needs root: it makes system accounts")
    report.finish()

carrel = Carrel()


def ready():
    carrel.start()
    equal(Browser(carrel.url).get("/hub/health").status, 200, "health over the public port")
    claim(carrel.seen("serving all accounts"), "it does not say whom it serves")
    claim(carrel.seen("Who can log in|nobody can log in"), "it does not say who can log in")


def who_runs_as_whom():
    wanted = {"hub": "carrel", "proxy": "carrel-proxy", "spawner": "root"}
    for name, account in wanted.items():
        uid = os.stat("/proc/%d" % carrel.pid(name)).st_uid
        with open("/proc/%d/status" % carrel.pid(name)) as f:
            uid = int(re.search(r"^Uid:\s+(\d+)", f.read(), re.M).group(1))
        equal(pwd.getpwuid(uid).pw_name, account, "account of the %s" % name)


def places():
    def mode(path):
        s = os.stat(path)
        return "%o %s:%s" % (stat.S_IMODE(s.st_mode), pwd.getpwuid(s.st_uid).pw_name,
                             __import__("grp").getgrgid(s.st_gid).gr_name)
    equal(mode(carrel.run_dir), "1775 root:carrel", "run directory")
    # Entered by name, for the certificates of one's own server; not listed.
    equal(mode(carrel.run_dir + "/servers"), "711 root:root", "keepers' directory")
    equal(mode(carrel.run_dir + "/spawner.sock").split(":")[0], "600 carrel", "spawner.sock")
    equal(mode(carrel.run_dir + "/hub.sock"), "660 carrel:carrel-proxy", "hub.sock")
    equal(mode(carrel.state_dir + "/hub"), "700 carrel:carrel", "state directory")
    equal(mode(carrel.state_dir + "/hub/carrel.sqlite").split()[0], "600", "database")
    equal(mode(carrel.state_dir + "/proxy.token"), "640 root:carrel-proxy", "token")


def spawner_capabilities():
    with open("/proc/%d/status" % carrel.pid("spawner")) as f:
        bounding = int(re.search(r"^CapBnd:\s+(\w+)", f.read(), re.M).group(1), 16)
    for name, bit in (("SYS_ADMIN", 21), ("SYS_MODULE", 16), ("NET_ADMIN", 12), ("SYS_RAWIO", 17),
                      ("MKNOD", 27), ("SYS_BOOT", 22)):
        claim(not bounding & (1 << bit), "the spawner kept CAP_" + name)


def strangers_cannot_speak():
    """A local person at the two sockets and at the proxy's REST."""
    code = ("import socket,sys\n"
            "for path,kind in ((%r,socket.SOCK_SEQPACKET),(%r,socket.SOCK_STREAM)):\n"
            "    try:\n        socket.socket(socket.AF_UNIX,kind).connect(path)\n"
            "    except PermissionError: continue\n    sys.exit(path)\n"
            % (carrel.run_dir + "/spawner.sock", carrel.run_dir + "/hub.sock"))
    done = subprocess.run(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups",
                           "/usr/bin/python3", "-c", code], stderr=subprocess.PIPE, text=True, cwd="/")
    equal(done.returncode, 0, "nobody connects to %s" % done.stderr)
    import http.client
    c = http.client.HTTPConnection("127.0.0.1", carrel.api_port)
    c.request("GET", "/api/routes")
    equal(c.getresponse().status, 403, "the proxy's REST without a token")


def each_comes_back():
    for name in ("proxy", "spawner", "hub"):
        carrel.kill(name)
    until("all three serve again", 30, lambda: _health())
    claim(carrel.seen("was ended by signal 9"), "carrel up does not say why it started something again")


def _health():
    try:
        return Browser(carrel.url).get("/hub/health", follow=False).status == 200
    except OSError:
        return False


def hub_away():
    """While the hub is away its pages are the proxy's own, and say so."""
    pid = carrel.pid("hub")
    try:
        os.kill(pid, signal.SIGKILL)
        seen = Browser(carrel.url).get("/hub/home", follow=False)
        claim(seen.status in (302, 503), "while the hub is away /hub answers %d" % seen.status)
        if seen.status == 503:
            claim(seen.headers.get("Retry-After"), "no Retry-After")
    finally:
        until("the hub is back", 40, _health)


def port_in_use():
    other = Carrel()
    other.port = carrel.port
    other.start(wait=False)
    until("it ends", 20, lambda: other.process.poll() is not None)
    equal(other.process.returncode, 1, "exit code")
    claim(other.seen(r"port %d is in use by carrel-proxy \(pid \d+\)" % carrel.port),
          "it does not name the owner: %r" % other.lines[-3:])
    other.clean()


def nobody_may_come_in():
    closed = Carrel("auth: {blocked_users: [eve]}\n")
    try:
        closed.start()
        until("it is said after all else", 10, lambda: closed.seen("WARNING: Nobody may log in: set auth.allow_all"))
        claim(closed.seen("error hub nobody may log in"), "it is no error in the hub's log")
        claim(not carrel.seen("WARNING"), "it is said where people may come in")
    finally:
        closed.clean()


def bad_settings():
    other = Carrel(config="auth:\n  alow_all: true\n")
    other.start(wait=False)
    until("it ends", 20, lambda: other.process.poll() is not None)
    claim(other.process.returncode != 0, "exit code 0")
    claim(other.seen(r"carrel\.yaml:2:3.*alow_all.*allow_all") or other.seen(r":2:3.*alow_all.*allow_all"),
          "file, line, column and the nearest key are not named: %r" % other.lines[-4:])
    other.clean()


def _says_with(shadow, *patterns):
    """What `carrel up` says where /etc/shadow is this, for it alone."""
    other = Carrel()
    path = os.path.join(other.dir, "shadow")
    with open(path, "w") as f:
        f.write(shadow)
    try:
        other.start(within=["unshare", "--mount", "sh", "-c", 'mount --bind "$0" /etc/shadow && exec "$@"', path])
        for pattern in patterns:
            until("it says %r" % pattern, 10, lambda: other.seen(pattern))
        return "\n".join(other.lines)
    finally:
        other.clean()


def nobody_has_a_password():
    locked = "root:*:19000:0:99999:7:::\n%s:!$6$locked:19000:0:99999:7:::\ndaemon:$6$x:19000:0:99999:7:::\n"
    person = accounts.Account("carreltlogins0")
    try:
        _says_with(locked % person.name, "No account of this machine has a password yet",
                   r"^ +sudo useradd --create-home demo && sudo passwd demo$")
        said = _says_with(locked.replace("!$6$locked", "$6$set") % person.name,
                          r"every account with a password here \(1: %s\)" % person.name)
        claim("demo" not in said, "an account is suggested where one is")
    finally:
        accounts.remove(person.name)


def ends():
    started = time.monotonic()
    equal(carrel.stop(), 0, "exit code after SIGTERM")
    claim(time.monotonic() - started < 10, "it took more than 10 s")
    claim(carrel.seen("no notebook server was running"), "it does not say how many go on")
    for port in (carrel.port, carrel.api_port, carrel.hub_port):
        with socket.socket() as s:
            claim(s.connect_ex(("127.0.0.1", port)) != 0, "somebody still listens on %d" % port)


def closed_clone():
    """Programs and settings under a directory that only root can enter."""
    hidden = Carrel()
    clone = os.path.join(hidden.dir, "clone")
    shutil.copytree(bin_dir(), clone + "/bin")
    shutil.copytree(hidden.pam_dir, clone + "/pam.d")
    for name in ("config", "spawner_config"):
        setattr(hidden, name, shutil.copy(getattr(hidden, name), clone))
        os.chmod(getattr(hidden, name), 0o600)
    hidden.pam_dir = clone + "/pam.d"
    os.chmod(clone, 0o700)
    before = os.environ.get("CARREL_BIN")
    os.environ["CARREL_BIN"] = clone + "/bin"
    try:
        hidden.start()
        equal(Browser(hidden.url).get("/hub/login").status, 200, "login page")
    finally:
        if before is None:
            del os.environ["CARREL_BIN"]
        else:
            os.environ["CARREL_BIN"] = before
        hidden.clean()


report.run([
    ("it becomes ready and says for whom", ready),
    ("each program runs as its account", who_runs_as_whom),
    ("places have their owners and modes (CVE-2022-29241)", places),
    ("the spawner gave up what it does not need", spawner_capabilities),
    ("a stranger can connect to neither socket and asks the proxy in vain", strangers_cannot_speak),
    ("each program comes back after kill -9", each_comes_back),
    ("while the hub is away the proxy says so", hub_away),
    ("a port in use is named with its owner", port_in_use),
    ("a mistake in the settings is named with its place", bad_settings),
    ("a policy that admits nobody is said last", nobody_may_come_in),
    ("where no account has a password a demonstration account is suggested", nobody_has_a_password),
    ("SIGTERM ends all three", ends),
    ("it works from a clone that only root can enter", closed_clone),
], on_failure=carrel.print_lines)
report.finish()
