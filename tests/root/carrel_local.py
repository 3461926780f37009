#!/usr/bin/python3
"""admin.sock: root and the hub's own account are administrators there, and nobody else is anything.

Each of the guards is tried alone: the mode of the socket, the kernel's word for who connects, and that what a proxy
sends on never counts.
"""
import json
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
import accounts
import report
from report import bin_dir, claim, equal
from web import Browser
from world import Carrel

report.group("root", "carrel-local")
if not accounts.can_make():
    report.skip("the administrator of the machine", "needs root: it makes Unix accounts")
    report.finish()

ASK = """
import socket, sys
s = socket.socket(socket.AF_UNIX)
try:
    s.connect(sys.argv[1])
except OSError as e:
    sys.exit("%s" % e.strerror)
s.sendall(("GET /hub/api/users HTTP/1.1\\r\\nHost: x\\r\\nConnection: close\\r\\n%s\\r\\n" % sys.argv[2]).encode())
answer = b""
while part := s.recv(65536):
    answer += part
print(answer.decode().split()[1])
"""
ann = accounts.Account("carreltcli1")
carrel = Carrel(config="auth:\n  allow_all: true\naudit:\n  file: @AUDIT@\n")
AUDIT = carrel.state_dir + "/hub/audit.jsonl"
with open(carrel.config) as f:
    text = f.read()
with open(carrel.config, "w") as f:
    f.write(text.replace("@AUDIT@", AUDIT))
carrel.start()
SOCKET, ADMIN = carrel.run_dir + "/hub.sock", carrel.run_dir + "/admin.sock"


def as_account(name, argv):
    if name != "root":
        argv = ["setpriv", "--reuid", name, "--regid", name, "--init-groups"] + argv
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("CARREL_", "JUPYTERHUB_", "XDG_"))}
    return subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          timeout=60, cwd="/", env=clean)


def ask(name, path, headers=""):
    """The status, or why there is no connection."""
    p = as_account(name, ["/usr/bin/python3", "-c", ASK, path, headers])
    return (p.stdout or p.stderr).strip()


def run(name, *args):
    """The program by an open descriptor: an account need not reach the clone."""
    exe = os.open(os.path.join(bin_dir(), "carrel"), os.O_RDONLY)
    os.set_inheritable(exe, True)
    argv = ["/proc/self/fd/%d" % exe] + list(args) + ["--run-dir", carrel.run_dir]
    if name != "root":
        argv = ["setpriv", "--reuid", name, "--regid", name, "--init-groups"] + argv
    try:
        return subprocess.run(argv, pass_fds=[exe], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True,
                              stderr=subprocess.PIPE, timeout=60, cwd="/",
                              env={"PATH": "/usr/bin:/bin", "HOME": "/nonexistent"})
    finally:
        os.close(exe)


def is_an_administrator(name):
    p = run(name, "users", "add", "made-by-" + name)
    equal((p.returncode, p.stdout), (0, "made made-by-%s\n" % name), "users add as %s: %s" % (name, p.stderr))


def administrators():
    is_an_administrator("root")
    is_an_administrator("carrel")
    st = os.stat(ADMIN)
    equal(oct(st.st_mode & 0o7777), "0o600", "the mode of admin.sock")


def nobody_else():
    for name in (ann.name, "carrel-proxy"):
        p = run(name, "users")
        equal(p.returncode, 4, "carrel users as %s: %s" % (name, p.stdout + p.stderr))
        claim("root and the hub's own account" in p.stderr, "what it says: " + p.stderr)
        equal(ask(name, ADMIN), "Permission denied", "a connection of " + name)


def by_the_kernels_word():
    """With a mode that lets everybody connect, as after a mistake."""
    os.chmod(ADMIN, 0o666)
    try:
        for name in (ann.name, "carrel-proxy"):
            equal(ask(name, ADMIN), "403", "what %s is answered" % name)
        equal(ask("root", ADMIN), "200", "what root is answered")
    finally:
        os.chmod(ADMIN, 0o600)


def not_what_is_sent_on():
    for header in ("X-Forwarded-For: 127.0.0.1", "X-Forwarded-Proto: https", "Forwarded: for=::1", "Cookie: a=b",
                   "Authorization: token " + "0" * 32):
        equal(ask("root", ADMIN, header + "\r\n"), "403", "a request with " + header)


def nowhere_else():
    equal(ask("root", SOCKET), "403", "root at the proxy's way in")
    equal(Browser(carrel.url).get("/hub/api/users").status, 403, "by the public address")
    equal(Browser("http://127.0.0.1:%d" % carrel.hub_port).get("/hub/api/users").status, 403, "by the servers' port")


def is_recorded():
    with open(AUDIT) as f:
        records = [json.loads(line) for line in f]
    told = [(r["actor"], r["via"]) for r in records if r["event"] == "change" and "/users" in r.get("detail", "")]
    equal(told, [("local root", "local"), ("local account of the hub", "local")], "the audit log")


def own_account():
    """One account runs all three: its proxy is no administrator for that."""
    one = Carrel(config="auth:\n  allow_all: true\n", as_user=ann.name,
                 spawner_config="profiles:\n  default:\n    kind: simple\n    command: [/bin/sleep, '60']\n").start()
    try:
        equal(Browser(one.url).get("/hub/api/users").status, 403, "by the proxy of the same account")
        equal(ask(ann.name, one.run_dir + "/admin.sock"), "200", "its own hub")
        equal(ask("carrel-proxy", one.run_dir + "/admin.sock"), "Permission denied", "somebody else's hub")
        equal(ask("root", one.run_dir + "/admin.sock"), "200", "root at an account's hub")
    except report.Failure:
        one.print_lines()
        raise
    finally:
        one.stop()


def end():
    equal(carrel.stop(), 0, "how it ends")


report.run([("root and the hub's account are administrators", administrators),
            ("an account and the proxy cannot connect", nobody_else),
            ("who connects is asked of the kernel", by_the_kernels_word),
            ("what a proxy sends on does not count", not_what_is_sent_on),
            ("no other way in knows them", nowhere_else), ("it is recorded", is_recorded),
            ("one account for all", own_account), ("it ends in order", end)], carrel.print_lines)
report.finish()
