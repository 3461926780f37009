"""A real carrel-spawner under test, and its hub: the test itself.

Speaks the spawner's wire (SOCK_SEQPACKET, a JSON object a packet), makes two
throw-away accounts and the PAM services that a test asks for.
"""
import contextlib
import errno
import itertools
import json
import os
import pwd
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import traceback

import accounts
import report
from accounts import run
from report import claim

SPAWNER = os.path.join(report.bin_dir(), "carrel-spawner")
UP_TO_S = 20


def until(what, text):
    return report.until(text, UP_TO_S, what, pause=0.02)


def read(path):
    try:
        with open(path, "rb") as f:
            return f.read().decode("utf-8", "replace")
    except OSError as e:
        if e.errno in (errno.ENOENT, errno.ESRCH):
            return ""
        raise


def is_alive(pid):
    stat = read("/proc/%d/stat" % pid)
    return bool(stat) and stat.rpartition(")")[2].split()[0] not in "ZX"


def children(pid, name):
    out = []
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        stat = read("/proc/%s/stat" % entry)
        if not stat:
            continue
        comm = stat[stat.index("(") + 1:stat.rindex(")")]
        rest = stat.rpartition(")")[2].split()
        if comm == name and int(rest[1]) == pid and rest[0] not in "ZX":
            out.append(int(entry))
    return out


def new_account():
    while True:
        name = "carrelt%02d" % random.randrange(100)
        try:
            pwd.getpwnam(name)
        except KeyError:
            return accounts.Account(name)


class Hub:
    """One connection to the spawner."""

    def __init__(self, path, hello=True):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.sock.settimeout(UP_TO_S)
        self.sock.connect(path)
        self.waiting = []
        if hello:
            self.say("HELLO", version=5)
            self.expect("HELLO")

    def say(self, kind, **members):
        self.raw(json.dumps(dict(members, type=kind)).encode())

    def raw(self, data):
        self.sock.send(data)

    def receive(self):
        data = self.sock.recv(70000)
        if not data:
            raise report.Failure("the spawner closed the connection")
        return json.loads(data)

    def expect(self, kind, **members):
        """The next message of this type with these members; others wait."""
        def fits(m):
            return m["type"] == kind and all(
                m.get(k) == v for k, v in members.items())
        for m in self.waiting:
            if fits(m):
                self.waiting.remove(m)
                return m
        while True:
            try:
                m = self.receive()
            except socket.timeout:
                raise report.Failure("no %s %r came; but %r" % (
                    kind, members, self.waiting)) from None
            if fits(m):
                return m
            self.waiting.append(m)

    def closed_by_peer(self):
        try:
            while self.sock.recv(70000):
                pass
            return True
        except ConnectionResetError:
            return True
        except socket.timeout:
            return False

    def close(self):
        self.sock.close()


class Spawner:
    """A real spawner with a run-dir of its own."""

    def __init__(self, bench, policy, user=None):
        self.bench = bench
        self.dir = tempfile.mkdtemp(prefix="carrel-spawner-test-")
        self.run_dir = os.path.join(self.dir, "run")
        self.socket = os.path.join(self.run_dir, "spawner.sock")
        self.config = os.path.join(self.dir, "spawner.yaml")
        self.log = open(os.path.join(self.dir, "log"), "w+b")
        self.user = user
        self.process = None
        self.hub = None
        os.chmod(self.dir, 0o755)
        with open(self.config, "w") as f:
            f.write(policy)
        os.chmod(self.config, 0o644)
        if user:
            os.mkdir(self.run_dir)
            os.chown(self.run_dir, user.uid, user.gid)
        self.start()

    def argv(self, *more):
        argv = [SPAWNER, "--config", self.config, "--run-dir", self.run_dir,
                "--pam-dir", self.bench.pam_dir] + list(more)
        if self.user:
            return ["setpriv", "--reuid", str(self.user.uid), "--regid",
                    str(self.user.gid), "--init-groups"] + argv
        return argv + ["--client-user", "root"]

    def start(self):
        self.process = subprocess.Popen(self.argv(), stderr=self.log,
                                        stdin=subprocess.DEVNULL)
        until(lambda: self.try_connect(), "the spawner listens")

    def try_connect(self):
        claim(self.process.poll() is None,
              "the spawner ended: " + self.log_text())
        try:
            self.hub = Hub(self.socket)
            return True
        except (FileNotFoundError, ConnectionRefusedError):
            return False

    def log_text(self):
        return read(self.log.name)[-3000:]

    def connect(self):
        self.hub.close()
        self.hub = Hub(self.socket)
        return self.hub

    def kill(self, signo=signal.SIGKILL):
        self.process.send_signal(signo)
        self.process.wait(UP_TO_S)
        self.hub.close()

    def close(self):
        with contextlib.suppress(Exception):
            self.kill(signal.SIGTERM)
        with contextlib.suppress(Exception):
            subprocess.run(self.argv("--stop-all"), timeout=60,
                           stdout=subprocess.DEVNULL,
                           stderr=subprocess.DEVNULL)
        self.log.close()
        shutil.rmtree(self.dir, ignore_errors=True)


class UserSpawner(Spawner):
    """As an ordinary user; the hub's connections come from a child that has
    become that user and hands the socket over."""

    def try_connect(self):
        claim(self.process.poll() is None,
              "the spawner ended: " + self.log_text())
        here, there = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        pid = os.fork()
        if pid == 0:
            os.setgroups([])
            os.setresgid(*[self.user.gid] * 3)
            os.setresuid(*[self.user.uid] * 3)
            try:
                hub = Hub(self.socket)
                socket.send_fds(there, [b"x"], [hub.sock.fileno()])
            except OSError:
                there.close()
            os._exit(0)
        there.close()
        data, fds, _, _ = socket.recv_fds(here, 1, 1)
        os.waitpid(pid, 0)
        here.close()
        if not fds:
            return False
        self.hub = Hub.__new__(Hub)
        self.hub.sock = socket.socket(fileno=fds[0])
        self.hub.sock.settimeout(UP_TO_S)
        self.hub.waiting = []
        return True


class Server:
    """A server that the hub has started."""

    def __init__(self, spawner, account, profile="default", env=None, **more):
        self.spawner = spawner
        self.key = "%016x" % random.getrandbits(64)
        self.account = account
        self.pid = 0
        spawner.hub.say("START", key=self.key, account=account,
                        profile=profile, env=env or {}, **more)

    def started(self):
        hub = self.spawner.hub
        while True:
            m = hub.receive()
            if m.get("key") != self.key:
                hub.waiting.append(m)
                continue
            claim(m["type"] == "STARTED", "not started but %r" % m)
            self.pid, self.address = m["pid"], m["address"]
            return self

    def failed(self, code):
        m = self.spawner.hub.expect("FAILED", key=self.key)
        claim(m["code"] == code, "expected %s, got %r" % (code, m))
        return m

    def proc(self, name):
        return read("/proc/%d/%s" % (self.pid, name))

    def status(self):
        return dict(line.split(":\t", 1)
                    for line in self.proc("status").splitlines()
                    if ":\t" in line)

    def tail(self):
        self.spawner.hub.say("TAIL", key=self.key)
        return self.spawner.hub.expect("TAIL_REPLY", key=self.key)["text"]

    def until_says(self, text):
        until(lambda: text in self.tail(), "the server says " + text)

    def stop(self, grace_ms=3000):
        self.spawner.hub.say("STOP", key=self.key, grace_ms=grace_ms)
        return self.exited()

    def exited(self):
        m = self.spawner.hub.expect("EXITED", key=self.key)
        self.spawner.hub.say("ACK", key=self.key)
        return m


POLICY = """
start_timeout: 8s
auth: {module_timeout: 8s}
profiles:
  default:
    command: [/bin/sleep, "1000"]
    environment: {PATH: /usr/bin:/bin, LANG: C.UTF-8, FROM_PROFILE: "1"}
  loose:
    command: [/bin/sleep, "1000"]
    no_new_privs: false
  small:
    command: [/usr/bin/python3, -c, "x = bytearray(300 * 1024 * 1024)"]
    limits: {memory: 40M}
  limited:
    command: [/bin/sleep, "1000"]
    limits: {memory: 100M, pids: 20, cpu: 0.5}
  listener:
    command:
      - /usr/bin/python3
      - -c
      - |
        import os, socket, time, urllib.parse
        time.sleep(0.3)
        s = socket.socket()
        url = urllib.parse.urlsplit(os.environ["JUPYTERHUB_SERVICE_URL"])
        s.bind((url.hostname, url.port))
        s.listen()
        time.sleep(1000)
  broken: {command: [/nonexistent/program]}
  noisy:
    command: [/bin/sh, -c, "echo first line; echo 'no module: x' >&2; exit 3"]
  flood:
    command:
      - /bin/sh
      - -c
      - "i=0; while [ $i -lt 40000 ]; do echo line $i of many many words;
        i=$((i+1)); done; printf 'end \\\\033[31mred\\\\033[0m \\\\001\\\\377 x\\\\n';
        exit 4"
  orphans:
    command:
      - /usr/bin/python3
      - -c
      - |
        import os, signal, sys, time
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                signal.signal(signal.SIGTERM, signal.SIG_IGN)
                signal.signal(signal.SIGINT, signal.SIG_IGN)
                with open("orphan.pid", "w") as f:
                    f.write(str(os.getpid()))
                time.sleep(1000)
            os._exit(0)
        time.sleep(1000)
  stubborn:
    command:
      [/bin/sh, -c, "trap '' INT TERM; echo up; while :; do sleep 1; done"]
"""


class Bench:
    """What all tests share: the PAM stacks, two accounts, one spawner."""

    def __init__(self):
        self.dir = tempfile.mkdtemp(prefix="carrel-pam-test-")
        os.chmod(self.dir, 0o755)
        self.pam_dir = os.path.join(self.dir, "pam.d")
        os.mkdir(self.pam_dir)
        for name in os.listdir("/etc/pam.d"):
            if name.startswith("common-") or name == "other":
                shutil.copy(os.path.join("/etc/pam.d", name), self.pam_dir)
        shutil.copy(os.path.join(
            report.source_dir(), "etc", "pam.d", "carrel"), self.pam_dir)
        self.alice = new_account()
        self.bob = new_account()
        self.spawner = Spawner(self, POLICY)

    def service(self, name, text):
        with open(os.path.join(self.pam_dir, name), "w") as f:
            f.write(text)

    def mend(self):
        """Whatever the test before left behind is not the next one's."""
        if self.spawner.process.poll() is None:
            self.spawner.connect()
        else:
            print("the spawner had died:\n" + self.spawner.log_text())
            self.spawner.start()

    def close(self):
        self.spawner.close()
        shutil.rmtree(self.dir, ignore_errors=True)


IDS = itertools.count(1)


def with_service(b, name, stack, policy=""):
    b.service(name, stack)
    return contextlib.closing(
        Spawner(b, "pam_service: %s\n%s" % (name, policy)))


def login(hub, account, *replies):
    """Answer every prompt in turn; the END and the prompts."""
    number = next(IDS)
    hub.say("AUTH_BEGIN", id=number, account=account, rhost="192.0.2.7")
    prompts = []
    replies = list(replies)
    while True:
        m = hub.receive()
        if m.get("id") != number:
            hub.waiting.append(m)
        elif m["type"] == "AUTH_PROMPT":
            prompts.append(m)
            if not replies:
                return m, prompts
            hub.say("AUTH_REPLY", id=number, reply=replies.pop(0))
        else:
            return m, prompts


def expect_login(bench, account, password, code):
    end, prompts = login(bench.spawner.hub, account, password)
    claim(end.get("code") == code, "expected %s, got %r" % (code, end))
    return end, prompts


class Skip(Exception):
    """This machine cannot run the test; the text says what it lacks."""


def title(test):
    return test.__name__.replace("test_", "", 1).replace("_", " ")


def run_one(bench, test):
    bench.mend()
    try:
        test(bench)
    except Skip as why:
        report.skip(title(test), why)
    except report.Failure as why:
        report.not_ok(title(test), why)
        print(bench.spawner.log_text())
    except Exception as why:
        traceback.print_exc()
        report.not_ok(title(test), repr(why))
        print(bench.spawner.log_text())
    else:
        report.ok(title(test))


def run_all(group, tests):
    """Each test is a function of a bench. Words on the command line choose."""
    report.group(group)
    wanted = [t for t in tests if not sys.argv[1:] or any(
        word in t.__name__ for word in sys.argv[1:])]
    if not accounts.can_make():
        for test in wanted:
            report.skip(title(test), "needs root: it makes Unix accounts")
        report.finish()
    bench = Bench()
    try:
        for test in wanted:
            run_one(bench, test)
    finally:
        bench.close()
    report.finish()


def tests_of(module):
    """Its functions test_*, in their order."""
    return [f for n, f in vars(module).items() if n.startswith("test_")]
