#!/usr/bin/python3
"""The real carrel-spawner as root, with real accounts and PAM.

Speaks the spawner's wire itself, in the role of the hub. Makes throw-away
accounts and removes them. Prints one line per test.

timeout: 240
"""

import contextlib
import errno
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

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
BIN = os.environ.get("CARREL_BIN", os.path.join(TOP, "build", "bin"))
SPAWNER = os.path.join(BIN, "carrel-spawner")
PASSWORD = "Right-horse-7"
UP_TO_S = 20


class Failed(Exception):
    pass


class Skipped(Exception):
    pass


def check(true, text):
    if not true:
        raise Failed(text)


def wait_until(what, text, up_to_s=UP_TO_S):
    """Poll until what() is true; its value."""
    end = time.monotonic() + up_to_s
    while time.monotonic() < end:
        value = what()
        if value:
            return value
        time.sleep(0.02)
    raise Failed("did not happen in %d s: %s" % (up_to_s, text))


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


def run(*argv, **more):
    return subprocess.run(argv, check=True, stdout=subprocess.DEVNULL,
                          stderr=subprocess.PIPE, **more)


class Account:
    """A throw-away account."""

    made = []

    def __init__(self):
        while True:
            self.name = "carrelt%02d" % random.randrange(100)
            try:
                pwd.getpwnam(self.name)
            except KeyError:
                break
        run("useradd", "-m", "-s", "/bin/bash", self.name)
        Account.made.append(self)
        run("chpasswd", input=("%s:%s" % (self.name, PASSWORD)).encode())
        entry = pwd.getpwnam(self.name)
        self.uid, self.gid, self.home = entry.pw_uid, entry.pw_gid, entry.pw_dir

    @classmethod
    def remove_all(cls):
        while cls.made:
            a = cls.made.pop()
            subprocess.run(["userdel", "-r", "-f", a.name],
                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            subprocess.run(["groupdel", a.name],
                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


class Hub:
    """One connection to the spawner."""

    def __init__(self, path, hello=True):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.sock.settimeout(UP_TO_S)
        self.sock.connect(path)
        self.waiting = []
        if hello:
            self.say("HELLO", version=1)
            self.expect("HELLO")

    def say(self, kind, **members):
        self.raw(json.dumps(dict(members, type=kind)).encode())

    def raw(self, data):
        self.sock.send(data)

    def receive(self):
        data = self.sock.recv(70000)
        if not data:
            raise Failed("the spawner closed the connection")
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
                raise Failed("no %s %r came; but %r" % (
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
        wait_until(lambda: self.try_connect(), "the spawner listens")

    def try_connect(self):
        check(self.process.poll() is None,
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


class Server:
    """A server that the hub has started."""

    def __init__(self, spawner, account, profile="default", env=None):
        self.spawner = spawner
        self.key = "%016x" % random.getrandbits(64)
        self.account = account
        self.pid = 0
        spawner.hub.say("START", key=self.key, account=account,
                        profile=profile, env=env or {})

    def started(self):
        hub = self.spawner.hub
        while True:
            m = hub.receive()
            if m.get("key") != self.key:
                hub.waiting.append(m)
                continue
            check(m["type"] == "STARTED", "not started but %r" % m)
            self.pid, self.address = m["pid"], m["address"]
            return self

    def failed(self, code):
        m = self.spawner.hub.expect("FAILED", key=self.key)
        check(m["code"] == code, "expected %s, got %r" % (code, m))
        return m

    def proc(self, name):
        return read("/proc/%d/%s" % (self.pid, name))

    def status(self):
        return dict(line.split(":\t", 1)
                    for line in self.proc("status").splitlines()
                    if ":\t" in line)

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
    command: [/bin/sh, -c, "trap '' INT TERM; while :; do sleep 1; done"]
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
        shutil.copy(os.path.join(TOP, "etc", "pam.d", "carrel"), self.pam_dir)
        self.alice = Account()
        self.bob = Account()
        self.spawner = Spawner(self, POLICY)

    def service(self, name, text):
        with open(os.path.join(self.pam_dir, name), "w") as f:
            f.write(text)

    def close(self):
        self.spawner.close()
        shutil.rmtree(self.dir, ignore_errors=True)


IDS = iter(range(1, 1000000))


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
    check(end.get("code") == code, "expected %s, got %r" % (code, end))
    return end, prompts


# ---- PAM ------------------------------------------------------------------

def test_right_password_logs_in(b):
    run("usermod", "-a", "-G", "games", b.alice.name)
    end, prompts = expect_login(b, b.alice.name, PASSWORD, "success")
    check(end["account"] == b.alice.name, "account %r" % end)
    check(sorted(end["groups"]) == sorted([b.alice.name, "games"]) or
          set(end["groups"]) >= {b.alice.name, "games"},
          "groups %r" % end["groups"])
    check(len(prompts) == 1 and not prompts[0]["echo"], "%r" % prompts)


def test_wrong_password_and_unknown_name_look_the_same(b):
    times, ends = [], []
    for name in b.alice.name, "carrelnobody":
        begin = time.monotonic()
        end, _ = expect_login(b, name, "wrong", "denied")
        times.append(time.monotonic() - begin)
        ends.append((end["code"], end["text"], end["account"]))
    check(ends[0] == ends[1], "answers differ: %r" % ends)
    check(min(times) > 0.9 and max(times) < 8, "times %r" % times)


def test_wrong_password_does_not_delay_another(b):
    hub = b.spawner.hub
    slow = next(IDS)
    hub.say("AUTH_BEGIN", id=slow, account=b.alice.name, rhost="")
    hub.expect("AUTH_PROMPT", id=slow)
    hub.say("AUTH_REPLY", id=slow, reply="wrong")
    begin = time.monotonic()
    expect_login(b, b.bob.name, PASSWORD, "success")
    took = time.monotonic() - begin
    check(took < 1.0, "the other login took %.2f s" % took)
    check(hub.expect("AUTH_END", id=slow)["code"] == "denied", "code")


def test_root_and_system_accounts_do_not_log_in(b):
    for name in "root", "daemon", "nobody":
        expect_login(b, name, "whatever", "denied")


def test_strange_names_are_denied(b):
    for name in "a b", "../etc", "-x", "a:b", "x\ny":
        expect_login(b, name, "whatever", "denied")


def test_locked_account_is_denied(b):
    run("passwd", "-l", b.bob.name)
    try:
        expect_login(b, b.bob.name, PASSWORD, "denied")
    finally:
        run("passwd", "-u", b.bob.name)


def test_expired_account_is_told(b):
    run("usermod", "-e", "2020-01-01", b.bob.name)
    try:
        end, _ = expect_login(b, b.bob.name, PASSWORD, "expired")
        check(end["text"], "no text")
    finally:
        run("usermod", "-e", "", b.bob.name)


def test_expired_password_says_what_to_do(b):
    run("chage", "-d", "0", b.bob.name)
    try:
        end, _ = expect_login(b, b.bob.name, PASSWORD, "password_expired")
        check("passwd" in end["text"], "text %r" % end["text"])
    finally:
        run("chage", "-d", time.strftime("%Y-%m-%d"), b.bob.name)


def with_service(b, name, stack, policy=""):
    b.service(name, stack)
    return contextlib.closing(
        Spawner(b, "pam_service: %s\n%s" % (name, policy)))


def test_module_that_hangs_ends_in_timeout(b):
    marker = os.path.join(b.dir, "hanging.pid")
    script = os.path.join(b.dir, "hang.sh")
    with open(script, "w") as f:
        f.write("#!/bin/sh\necho $$ > %s\nexec sleep 600\n" % marker)
    os.chmod(script, 0o755)
    stack = ("auth required pam_exec.so quiet %s\n"
             "account required pam_permit.so\n" % script)
    with with_service(b, "hang", stack,
                      "auth: {module_timeout: 1s}\n") as s:
        begin = time.monotonic()
        end, _ = login(s.hub, b.alice.name)
        check(end["code"] == "timeout", "%r" % end)
        check(time.monotonic() - begin < 5, "too late")
        pid = int(read(marker))
        wait_until(lambda: not is_alive(pid), "the module's program is gone")


def test_several_prompts_are_steps(b):
    found = subprocess.run(["find", "/usr/lib", "-name", "pam_matrix.so"],
                           stdout=subprocess.PIPE).stdout.decode().split()
    if not found:
        raise Skipped("pam_matrix.so is missing: install libpam-wrapper")
    matrix = found[0]
    passdb = os.path.join(b.dir, "matrix")
    with open(passdb, "w") as f:
        f.write("%s:second-Factor-3:two\n" % b.alice.name)
    os.chmod(passdb, 0o600)
    stack = ("auth requisite pam_unix.so\n"
             "auth required %s verbose echo passdb=%s\n"
             "account required pam_permit.so\n" % (matrix, passdb))
    with with_service(b, "two", stack) as s:
        end, prompts = login(s.hub, b.alice.name, PASSWORD, "second-Factor-3")
        check(end["code"] == "success", "%r" % end)
        check(len(prompts) == 2, "%d prompts" % len(prompts))
        check([p["echo"] for p in prompts] == [False, True], "%r" % prompts)
        end, prompts = login(s.hub, b.alice.name, PASSWORD, "wrong")
        check(end["code"] == "denied", "%r" % end)


def test_cancelled_login_ends_its_process(b):
    hub = b.spawner.hub
    number = next(IDS)
    hub.say("AUTH_BEGIN", id=number, account=b.alice.name, rhost="")
    hub.expect("AUTH_PROMPT", id=number)
    before = children(b.spawner.process.pid, "carrel-login")
    check(before, "no login process")
    hub.say("AUTH_CANCEL", id=number)
    check(hub.expect("AUTH_END", id=number)["code"] == "cancelled", "code")
    wait_until(lambda: not children(b.spawner.process.pid, "carrel-login"),
               "the login process is gone")


def test_too_many_logins_of_one_account_are_refused(b):
    hub = b.spawner.hub
    numbers = [next(IDS) for _ in range(5)]
    for n in numbers:
        hub.say("AUTH_BEGIN", id=n, account=b.alice.name, rhost="")
    check(hub.expect("AUTH_END")["code"] == "limit", "code")
    for n in numbers[:4]:
        hub.say("AUTH_CANCEL", id=n)
    for n in numbers[:4]:
        hub.expect("AUTH_END", id=n)


def test_hub_that_leaves_takes_its_logins_along(b):
    hub = b.spawner.hub
    hub.say("AUTH_BEGIN", id=next(IDS), account=b.alice.name, rhost="")
    hub.expect("AUTH_PROMPT")
    b.spawner.connect()
    wait_until(lambda: not children(b.spawner.process.pid, "carrel-login"),
               "the login process is gone")


def test_missing_service_is_unavailable(b):
    with with_service(b, "nothing",
                      "auth required pam_nonexistent.so\n"
                      "account required pam_nonexistent.so\n") as s:
        end, _ = login(s.hub, b.alice.name, "x")
        check(end["code"] == "unavailable" and end["text"], "%r" % end)


def test_refused_session_fails_the_start(b):
    stack = ("auth required pam_unix.so\naccount required pam_unix.so\n"
             "session required pam_deny.so\n")
    with with_service(b, "deny", stack, POLICY) as s:
        m = Server(s, b.alice.name).failed("session")
        check("PAM" in m["text"], "%r" % m)


def test_session_that_hangs_fails_the_start(b):
    stack = ("account required pam_permit.so\nauth required pam_permit.so\n"
             "session required pam_exec.so quiet /bin/sleep 600\n")
    with with_service(b, "slow", stack, "start_timeout: 1s\n") as s:
        m = Server(s, b.alice.name).failed("session")
        check("start_timeout" in m["text"], "%r" % m)


def test_session_is_opened_and_closed_by_one_process(b):
    log = os.path.join(b.dir, "session.log")
    script = os.path.join(b.dir, "session.sh")
    with open(script, "w") as f:
        f.write("#!/bin/sh\necho $PAM_TYPE $PAM_USER $PPID >> %s\n" % log)
    os.chmod(script, 0o755)
    stack = ("account required pam_unix.so\nauth required pam_unix.so\n"
             "session required pam_exec.so quiet %s\n"
             "session required pam_env.so readenv=0 conffile=%s\n"
             % (script, os.path.join(b.dir, "env.conf")))
    with open(os.path.join(b.dir, "env.conf"), "w") as f:
        f.write("FROM_PAM DEFAULT=yes\nLANG DEFAULT=xx_XX\n")
    with with_service(b, "watched", stack, POLICY) as s:
        server = Server(s, b.alice.name).started()
        env = server.proc("environ").split("\0")
        check("FROM_PAM=yes" in env, "PAM's environment is missing: %r" % env)
        check("LANG=C.UTF-8" in env, "the profile must win: %r" % env)
        server.stop()
    lines = [line.split() for line in read(log).splitlines()]
    check([x[0] for x in lines] == ["open_session", "close_session"],
          "%r" % lines)
    check(lines[0][1:] == lines[1][1:], "%r" % lines)


def test_limits_and_umask_of_the_session_hold(b):
    limits = os.path.join(b.dir, "limits.conf")
    with open(limits, "w") as f:
        f.write("* soft nofile 256\n* hard nofile 512\n")
    stack = ("account required pam_unix.so\nauth required pam_unix.so\n"
             "session required pam_limits.so conf=%s\n"
             "session required pam_umask.so umask=0077\n" % limits)
    with with_service(b, "limits", stack, POLICY) as s:
        server = Server(s, b.alice.name).started()
        line = [x for x in server.proc("limits").splitlines()
                if x.startswith("Max open files")][0]
        check(line.split()[3:5] == ["256", "512"], line)
        check(server.status()["Umask"] == "0077", "umask")
        server.stop()


# ---- servers --------------------------------------------------------------

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


def test_server_runs_as_its_person(b):
    env = {"JUPYTERHUB_SERVICE_PREFIX": "/user/a/", "JPY_API_TOKEN": "tok"}
    s = Server(b.spawner, b.alice.name, env=env).started()
    status = s.status()
    want = [str(b.alice.uid)] * 4
    check(status["Uid"].split() == want, "uids " + status["Uid"])
    check(status["Gid"].split() == [str(b.alice.gid)] * 4, "gids")
    groups = {int(x) for x in status["Groups"].split()}
    check(groups == set(os.getgrouplist(b.alice.name, b.alice.gid)),
          "groups %r" % groups)
    check(status["NoNewPrivs"] == "1", "no_new_privs")
    for name in "CapInh", "CapPrm", "CapEff", "CapAmb":
        check(int(status[name], 16) == 0, name + " " + status[name])
    check(int(status["SigBlk"], 16) == 0 and int(status["SigIgn"], 16) == 0,
          "signals are blocked or ignored")
    check(os.readlink("/proc/%d/cwd" % s.pid) == b.alice.home, "cwd")
    fds = sorted(os.listdir("/proc/%d/fd" % s.pid), key=int)
    check(fds == ["0", "1", "2"], "descriptors %r" % fds)
    check(os.getsid(s.pid) == s.pid, "no session of its own")
    got = dict(x.split("=", 1) for x in s.proc("environ").split("\0") if x)
    check(got == {
        "PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "FROM_PROFILE": "1",
        "HOME": b.alice.home, "USER": b.alice.name, "LOGNAME": b.alice.name,
        "SHELL": "/bin/bash", "JPY_API_TOKEN": "tok",
        "JUPYTERHUB_SERVICE_PREFIX": "/user/a/",
        "JUPYTERHUB_SERVICE_URL": "http://%s/user/a/" % s.address,
    }, "environment %r" % got)
    check("/carrel/" + s.key in s.proc("cgroup"), "no cgroup of its own")
    check("tok" not in s.proc("cmdline"), "the token stands in argv")
    keeper = int(s.proc("stat").rpartition(")")[2].split()[1])
    check("tok" not in read("/proc/%d/cmdline" % keeper) +
          read("/proc/%d/environ" % keeper), "token at the keeper")
    check(os.getsid(keeper) == keeper, "the keeper has no session of its own")
    end = s.stop()
    check(end["asked"] and end["signal"] == signal.SIGINT, "%r" % end)
    wait_until(lambda: not read("/sys/fs/cgroup/unified/carrel/%s/"
                                "cgroup.procs" % s.key) and not
               os.path.exists("/sys/fs/cgroup/unified/carrel/" + s.key),
               "cgroup removed")
    wait_until(lambda: s.key not in os.listdir(b.spawner.run_dir + "/servers"),
               "directory removed")


def test_profile_may_allow_new_privileges(b):
    s = Server(b.spawner, b.alice.name, "loose").started()
    check(s.status()["NoNewPrivs"] == "0", "no_new_privs is set")
    s.stop()


def test_spawner_and_keeper_keep_few_capabilities(b):
    s = Server(b.spawner, b.alice.name).started()
    keeper = int(s.proc("stat").rpartition(")")[2].split()[1])
    # chown dac_override fowner kill setgid setuid setpcap sys_resource
    # audit_write audit_control
    allowed = sum(1 << n for n in (0, 1, 3, 5, 6, 7, 8, 24, 29, 30))
    for pid in b.spawner.process.pid, keeper:
        for line in read("/proc/%d/status" % pid).splitlines():
            if line.startswith(("CapPrm", "CapEff")):
                value = int(line.split()[1], 16)
                check(value & ~allowed == 0, "pid %d: %s" % (pid, line))
    s.stop()


def test_root_and_system_accounts_get_no_server(b):
    for name in "root", "daemon", "nobody", "carrelnobody":
        m = Server(b.spawner, name).failed("account")
        check(name in m["text"], "%r" % m)


def test_expired_account_gets_no_server(b):
    run("usermod", "-e", "2020-01-01", b.bob.name)
    try:
        Server(b.spawner, b.bob.name).failed("account")
    finally:
        run("usermod", "-e", "", b.bob.name)


def test_missing_home_is_told(b):
    os.rename(b.bob.home, b.bob.home + ".away")
    try:
        m = Server(b.spawner, b.bob.name).failed("account")
        check(b.bob.home in m["text"], "%r" % m)
    finally:
        os.rename(b.bob.home + ".away", b.bob.home)


def test_hub_sets_no_other_environment(b):
    for name in "LD_PRELOAD", "PATH", "JUPYTERHUB_SERVICE_URL", "A=B":
        Server(b.spawner, b.alice.name, env={name: "x"}).failed("profile")


def test_unknown_profile_and_missing_program_are_told(b):
    m = Server(b.spawner, b.alice.name, "nope").failed("profile")
    check("nope" in m["text"], "%r" % m)
    m = Server(b.spawner, b.alice.name, "broken").failed("exec")
    check("/nonexistent/program" in m["text"] and
          "No such file" in m["text"], "%r" % m)


def test_exit_brings_status_and_last_lines(b):
    s = Server(b.spawner, b.alice.name, "noisy").started()
    end = s.exited()
    check(end["status"] == 3 and end["signal"] == 0 and not end["asked"],
          "%r" % end)
    check("first line\n" in end["tail"] and "no module: x" in end["tail"],
          "%r" % end["tail"])


def test_long_log_is_bounded_and_clean(b):
    s = Server(b.spawner, b.alice.name, "flood").started()
    end = b.spawner.hub.expect("EXITED", key=s.key)
    size = sum(os.path.getsize(os.path.join(
        b.spawner.run_dir, "servers", s.key, n)) for n in ("log", "log.1"))
    check(size <= 2 * 256 * 1024, "the log has %d bytes" % size)
    b.spawner.hub.say("ACK", key=s.key)
    tail = end["tail"]
    check(len(tail.encode()) <= 8192 and tail.startswith("line "), "tail")
    check(tail.endswith("end red ?? x\n"), "%r" % tail[-40:])


def test_memory_limit_is_reported_as_oom(b):
    if not os.path.isdir("/sys/fs/cgroup/memory") and \
            "memory" not in read("/sys/fs/cgroup/cgroup.controllers"):
        raise Skipped("this machine has no memory controller")
    s = Server(b.spawner, b.alice.name, "small").started()
    end = s.exited()
    check(end["oom"] and end["signal"] == signal.SIGKILL, "%r" % end)


def test_limits_are_set(b):
    s = Server(b.spawner, b.alice.name, "limited").started()
    paths = [line.split(":") for line in s.proc("cgroup").splitlines()]
    names = dict((x[1], x[2]) for x in paths)
    want = (("pids", "pids.max", "20"), ("cpu", "cpu.cfs_quota_us", "50000"),
            ("memory", "memory.limit_in_bytes", str(100 << 20)))
    for controller, file, value in want:
        if controller in names:
            got = read("/sys/fs/cgroup/%s%s/%s" % (
                controller, names[controller], file)).strip()
            check(got == value, "%s is %s" % (file, got))
    env = s.proc("environ").split("\0")
    check("MEM_LIMIT=%d" % (100 << 20) in env and "CPU_LIMIT=0.500" in env,
          "%r" % env)
    s.stop()


def test_stop_takes_the_whole_tree(b):
    pid_file = os.path.join(b.alice.home, "orphan.pid")
    with contextlib.suppress(OSError):
        os.unlink(pid_file)
    s = Server(b.spawner, b.alice.name, "orphans").started()
    orphan = int(wait_until(lambda: read(pid_file), "the orphan runs"))
    check(is_alive(orphan), "no orphan")
    s.stop(grace_ms=500)
    check(not is_alive(orphan), "the orphan %d outlived the stop" % orphan)


def test_end_of_the_server_takes_the_tree_along(b):
    pid_file = os.path.join(b.alice.home, "orphan.pid")
    with contextlib.suppress(OSError):
        os.unlink(pid_file)
    s = Server(b.spawner, b.alice.name, "orphans").started()
    orphan = int(wait_until(lambda: read(pid_file), "the orphan runs"))
    os.kill(s.pid, signal.SIGKILL)
    end = s.exited()
    check(end["signal"] == signal.SIGKILL and not end["asked"], "%r" % end)
    check(not is_alive(orphan), "the orphan outlived the server")


def test_stop_kills_what_does_not_listen(b):
    s = Server(b.spawner, b.alice.name, "stubborn").started()
    begin = time.monotonic()
    end = s.stop(grace_ms=300)
    took = time.monotonic() - begin
    check(end["signal"] == signal.SIGKILL, "%r" % end)
    check(0.5 < took < 4, "took %.2f s" % took)
    s = Server(b.spawner, b.alice.name, "stubborn").started()
    b.spawner.hub.say("STOP", key=s.key, grace_ms=60000)
    b.spawner.hub.say("STOP", key=s.key, grace_ms=0)
    begin = time.monotonic()
    s.exited()
    check(time.monotonic() - begin < 3, "a second stop did not hurry")


def test_listener_of_another_account_fails_the_start(b):
    s = Server(b.spawner, b.alice.name).started()
    host, port = s.address.split(":")
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, int(port)))
        listener.listen()
        m = s.failed("listener")
    check("port " + port in m["text"], "%r" % m)
    wait_until(lambda: not is_alive(s.pid), "the server is ended")


def test_port_range_holds(b):
    policy = POLICY + "port_range: 45871-45872\n"
    with contextlib.closing(Spawner(b, policy)) as s:
        servers = [Server(s, b.alice.name).started() for _ in range(2)]
        ports = sorted(x.address for x in servers)
        check(ports == ["127.0.0.1:45871", "127.0.0.1:45872"], "%r" % ports)
        m = Server(s, b.alice.name).failed("limit")
        check("port_range" in m["text"], "%r" % m)
        for x in servers:
            x.stop(0)


def test_limits_on_servers_hold(b):
    policy = POLICY + "max_servers: 1\n"
    with contextlib.closing(Spawner(b, policy)) as s:
        first = Server(s, b.alice.name).started()
        Server(s, b.bob.name).failed("limit")
        s.hub.say("START", key=first.key, account=b.bob.name,
                  profile="default", env={})
        m = s.hub.expect("FAILED", key=first.key)
        check(m["code"] == "exists", "%r" % m)
        first.stop(0)


def test_list_and_tail(b):
    s = Server(b.spawner, b.alice.name).started()
    hub = b.spawner.hub
    hub.say("LIST")
    m = hub.expect("SERVER", key=s.key)
    check((m["account"], m["profile"], m["pid"], m["address"]) ==
          (b.alice.name, "default", s.pid, s.address), "%r" % m)
    hub.expect("LIST_END")
    hub.say("TAIL", key=s.key)
    hub.expect("TAIL_REPLY", key=s.key)
    s.stop()


# ---- restarts -------------------------------------------------------------

def test_killed_spawner_finds_its_servers_again(b):
    with contextlib.closing(Spawner(b, POLICY)) as s:
        server = Server(s, b.alice.name).started()
        for signo in signal.SIGKILL, signal.SIGTERM, signal.SIGABRT:
            s.kill(signo)
            check(is_alive(server.pid), "the server died")
            s.start()
            s.hub.say("LIST")
            m = s.hub.expect("SERVER", key=server.key)
            check((m["pid"], m["address"], m["account"]) ==
                  (server.pid, server.address, b.alice.name), "%r" % m)
            s.hub.expect("LIST_END")
        end = server.stop()
        check(end["asked"], "%r" % end)


def test_end_while_the_spawner_is_down_is_told_until_acknowledged(b):
    with contextlib.closing(Spawner(b, POLICY)) as s:
        server = Server(s, b.alice.name).started()
        keeper = int(server.proc("stat").rpartition(")")[2].split()[1])
        s.kill()
        os.kill(server.pid, signal.SIGTERM)
        wait_until(lambda: not is_alive(keeper), "the keeper ends")
        s.start()
        for _ in range(2):
            end = s.hub.expect("EXITED", key=server.key)
            check(end["signal"] == signal.SIGTERM and not end["asked"],
                  "%r" % end)
            s.connect()
        s.hub.expect("EXITED", key=server.key)
        s.hub.say("ACK", key=server.key)
        wait_until(lambda: not os.listdir(s.run_dir + "/servers"), "forgotten")
        s.kill()
        s.start()
        s.hub.say("LIST")
        s.hub.expect("LIST_END")
        check(not s.hub.waiting, "%r" % s.hub.waiting)


def test_killed_keeper_ends_its_server(b):
    pid_file = os.path.join(b.alice.home, "orphan.pid")
    for spawner_runs in True, False:
        with contextlib.suppress(OSError):
            os.unlink(pid_file)
        with contextlib.closing(Spawner(b, POLICY)) as s:
            server = Server(s, b.alice.name, "orphans").started()
            orphan = int(wait_until(lambda: read(pid_file), "the orphan runs"))
            keeper = int(server.proc("stat").rpartition(")")[2].split()[1])
            if not spawner_runs:
                s.kill()
            os.kill(keeper, signal.SIGKILL)
            if not spawner_runs:
                s.start()
            end = server.exited()
            check(end["signal"] == signal.SIGKILL, "%r" % end)
            check(not is_alive(server.pid) and not is_alive(orphan),
                  "processes are left")


def test_half_made_directory_is_removed(b):
    with contextlib.closing(Spawner(b, POLICY)) as s:
        s.kill()
        os.mkdir(s.run_dir + "/servers/00000000000000aa")
        s.start()
        wait_until(lambda: not os.listdir(s.run_dir + "/servers"), "removed")


def test_other_process_with_the_same_pid_is_not_adopted(b):
    with contextlib.closing(Spawner(b, POLICY)) as s:
        server = Server(s, b.alice.name).started()
        s.kill()
        path = "%s/servers/%s/state.json" % (s.run_dir, server.key)
        state = json.loads(read(path))
        keeper = state["keeper_pid"]
        os.kill(keeper, signal.SIGKILL)
        wait_until(lambda: not is_alive(keeper), "killed")
        with subprocess.Popen(["sleep", "100"]) as innocent:
            try:
                state["keeper_pid"] = innocent.pid
                with open(path, "w") as f:
                    json.dump(state, f)
                s.start()
                server.exited()
                check(innocent.poll() is None, "an innocent process died")
            finally:
                innocent.kill()


def test_list_and_stop_all_without_a_spawner(b):
    with contextlib.closing(Spawner(b, POLICY)) as s:
        server = Server(s, b.alice.name).started()
        s.kill()
        out = subprocess.run(s.argv("--list"), stdout=subprocess.PIPE,
                             check=True, timeout=30).stdout.decode()
        check(out.split()[:2] == [server.key, b.alice.name], out)
        run(*s.argv("--stop-all"), timeout=60)
        check(not is_alive(server.pid), "still alive")
        s.start()
        check(s.hub.expect("EXITED", key=server.key)["asked"], "asked")


# ---- the wire -------------------------------------------------------------

BAD_PACKETS = [
    b"", b"x", b"{}", b"[]", b'{"type":"NOPE"}', b'{"type":1}',
    b'{"type":"LIST","more":1}', b'{"type":"HELLO","version":1}',
    b'{"type":"STOP","key":"x"}', b'{"type":"STOP","key":"ZZZZZZZZZZZZZZZZ"}',
    b'{"type":"STOP","key":"0000000000000000","grace_ms":-5}',
    b'{"type":"STOP","key":"../../../../../.","grace_ms":5}',
    b'{"type":"AUTH_BEGIN","id":0,"account":"a","rhost":""}',
    b'{"type":"AUTH_BEGIN","id":1,"account":"","rhost":""}',
    b'{"type":"AUTH_BEGIN","id":1,"account":"' + b"a" * 300 +
    b'","rhost":""}',
    b'{"type":"AUTH_REPLY","id":1,"reply":"' + b"a" * 600 + b'"}',
    b'{"type":"START","key":"0000000000000000","account":"a","profile":"p",'
    b'"env":[]}',
    b'{"type":"TAIL","key":"0000000000000000","key":"0000000000000001"}',
    b'{"type":"LIST"' + b" " * 66000 + b"}", b"[" * 5000, b'{"type":"LIST"}x',
    b'{"type":"LI\xffST"}',
]


def test_bad_input_closes_the_connection_and_nothing_else(b):
    s = Server(b.spawner, b.alice.name).started()
    for packet in BAD_PACKETS:
        hub = b.spawner.connect()
        if packet:
            hub.raw(packet)
        else:
            hub.sock.shutdown(socket.SHUT_WR)
        check(hub.closed_by_peer(), "not closed after %r" % packet[:60])
    check(b.spawner.process.poll() is None, "the spawner died")
    check(is_alive(s.pid), "the server died")
    b.spawner.connect()
    s.stop()


def test_nothing_is_heard_before_hello(b):
    other = Hub(b.spawner.socket, hello=False)
    other.say("LIST")
    check(other.closed_by_peer(), "LIST was heard before HELLO")


def test_second_hub_is_refused_while_the_first_lives(b):
    other = Hub(b.spawner.socket, hello=False)
    other.say("HELLO", version=1)
    check(other.closed_by_peer(), "two hubs at once")
    b.spawner.hub.say("LIST")
    b.spawner.hub.expect("LIST_END")


def test_other_account_is_refused(b):
    os.chmod(b.spawner.socket, 0o666)
    code = ("import socket,sys; s=socket.socket(socket.AF_UNIX,"
            "socket.SOCK_SEQPACKET); s.settimeout(5); s.connect(sys.argv[1]);"
            "s.send(b'{\"type\":\"HELLO\",\"version\":1}');"
            "sys.exit(0 if s.recv(100)==b'' else 1)")
    try:
        done = subprocess.run(
            ["setpriv", "--reuid", str(b.bob.uid), "--clear-groups",
             "/usr/bin/python3", "-c", code, b.spawner.socket], timeout=20,
            stderr=subprocess.PIPE)
        check(done.returncode == 0 or b"Broken pipe" in done.stderr or
              b"reset" in done.stderr, done.stderr.decode()[-300:])
    finally:
        os.chmod(b.spawner.socket, 0o600)


def test_no_descriptor_or_zombie_is_left(b):
    pid = b.spawner.process.pid

    def count():
        return len(os.listdir("/proc/%d/fd" % pid))

    b.spawner.connect()
    before = count()
    for _ in range(5):
        expect_login(b, b.alice.name, PASSWORD, "success")
        Server(b.spawner, b.alice.name).started().stop(0)
    wait_until(lambda: count() == before,
               "%d descriptors before, %d after" % (before, count()))
    zombies = [e for e in os.listdir("/proc") if e.isdigit() and
               read("/proc/%s/stat" % e).rpartition(")")[2].split()[:2] ==
               ["Z", str(pid)]]
    check(not zombies, "zombies %r" % zombies)


def test_twenty_starts_at_once(b):
    servers = [Server(b.spawner, (b.alice, b.bob)[i % 2].name)
               for i in range(20)]
    for s in servers:
        m = b.spawner.hub.expect("STARTED", key=s.key)
        s.pid, s.address = m["pid"], m["address"]
    check(len({s.address for s in servers}) == 20, "a port was given twice")
    for s in servers:
        b.spawner.hub.say("STOP", key=s.key, grace_ms=2000)
    for s in servers:
        s.exited()


# ---- an ordinary user -----------------------------------------------------

USER_POLICY = """
profiles:
  default: {command: [/bin/sleep, "1000"]}
  any: {kind: simple, command: [/bin/sleep, "1000"]}
"""


def test_single_account_mode_serves_its_account_alone(b):
    b.service("user", "auth required pam_unix.so\n"
                      "account required pam_unix.so\n"
                      "session required pam_unix.so\n")
    policy = "pam_service: user\n" + USER_POLICY
    # The socket admits the spawner's own account: root may not connect.
    with contextlib.closing(UserSpawner(b, policy, b.alice)) as s:
        end, _ = login(s.hub, b.alice.name, PASSWORD)
        check(end["code"] == "success", "%r" % end)
        end, _ = login(s.hub, b.bob.name, PASSWORD)
        check(end["code"] == "denied", "%r" % end)
        server = Server(s, b.alice.name).started()
        check(server.status()["Uid"].split()[0] == str(b.alice.uid), "uid")
        server.stop()
        Server(s, b.bob.name).failed("account")
        server = Server(s, "somebody", "any").started()
        check(server.status()["Uid"].split()[0] == str(b.alice.uid), "uid")
        server.stop()


class UserSpawner(Spawner):
    """As an ordinary user; the hub's connections come from a child that has
    become that user and hands the socket over."""

    def try_connect(self):
        check(self.process.poll() is None,
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


def test_simple_does_not_exist_as_root(b):
    path = os.path.join(b.dir, "simple.yaml")
    with open(path, "w") as f:
        f.write(USER_POLICY)
    done = subprocess.run([SPAWNER, "--check", "--config", path],
                          stderr=subprocess.PIPE)
    check(done.returncode != 0 and b"simple" in done.stderr, "%r" % done)


def test_policy_that_everybody_can_write_is_refused(b):
    path = os.path.join(b.dir, "open.yaml")
    with open(path, "w") as f:
        f.write(POLICY)
    os.chmod(path, 0o666)
    done = subprocess.run([SPAWNER, "--check", "--config", path],
                          stderr=subprocess.PIPE)
    check(done.returncode != 0 and b"chmod" in done.stderr, "%r" % done)


PAM_TESTS = [
    test_right_password_logs_in,
    test_wrong_password_and_unknown_name_look_the_same,
    test_wrong_password_does_not_delay_another,
    test_root_and_system_accounts_do_not_log_in,
    test_strange_names_are_denied,
    test_locked_account_is_denied,
    test_expired_account_is_told,
    test_expired_password_says_what_to_do,
    test_module_that_hangs_ends_in_timeout,
    test_several_prompts_are_steps,
    test_cancelled_login_ends_its_process,
    test_too_many_logins_of_one_account_are_refused,
    test_hub_that_leaves_takes_its_logins_along,
    test_missing_service_is_unavailable,
    test_refused_session_fails_the_start,
    test_session_that_hangs_fails_the_start,
    test_session_is_opened_and_closed_by_one_process,
    test_limits_and_umask_of_the_session_hold,
]
ROOT_TESTS = [
    test_server_runs_as_its_person,
    test_profile_may_allow_new_privileges,
    test_spawner_and_keeper_keep_few_capabilities,
    test_root_and_system_accounts_get_no_server,
    test_expired_account_gets_no_server,
    test_missing_home_is_told,
    test_hub_sets_no_other_environment,
    test_unknown_profile_and_missing_program_are_told,
    test_exit_brings_status_and_last_lines,
    test_long_log_is_bounded_and_clean,
    test_memory_limit_is_reported_as_oom,
    test_limits_are_set,
    test_stop_takes_the_whole_tree,
    test_end_of_the_server_takes_the_tree_along,
    test_stop_kills_what_does_not_listen,
    test_listener_of_another_account_fails_the_start,
    test_port_range_holds,
    test_limits_on_servers_hold,
    test_list_and_tail,
    test_killed_spawner_finds_its_servers_again,
    test_end_while_the_spawner_is_down_is_told_until_acknowledged,
    test_killed_keeper_ends_its_server,
    test_half_made_directory_is_removed,
    test_other_process_with_the_same_pid_is_not_adopted,
    test_list_and_stop_all_without_a_spawner,
    test_bad_input_closes_the_connection_and_nothing_else,
    test_nothing_is_heard_before_hello,
    test_second_hub_is_refused_while_the_first_lives,
    test_other_account_is_refused,
    test_no_descriptor_or_zombie_is_left,
    test_twenty_starts_at_once,
    test_single_account_mode_serves_its_account_alone,
    test_simple_does_not_exist_as_root,
    test_policy_that_everybody_can_write_is_refused,
]


def run_one(bench, test):
    """True unless it failed."""
    name = test.__name__.replace("test_", "", 1).replace("_", " ")
    try:
        test(bench)
    except Skipped as why:
        print("skip %s: %s" % (name, why), flush=True)
        return True
    except Exception as why:
        print("not ok %s: %s" % (name, " ".join(str(why).split())[:600]),
              flush=True)
        if not isinstance(why, Failed):
            traceback.print_exc()
        print(bench.spawner.log_text(), file=sys.stderr)
        return False
    print("ok " + name, flush=True)
    return True


def run_group(bench, group, tests, wanted):
    print("group: " + group, flush=True)
    good = True
    for test in tests:
        if wanted and not any(w in test.__name__ for w in wanted):
            continue
        if bench.spawner.process.poll() is not None:
            print("# the spawner had died", flush=True)
            bench.spawner.start()
        good = run_one(bench, test) and good
        # Whatever a test left behind is not the next one's.
        bench.spawner.connect()
    return good


def main():
    groups = (("pam", PAM_TESTS), ("root", ROOT_TESTS))
    if os.geteuid() != 0:
        for group, tests in groups:
            print("group: " + group)
            for test in tests:
                print("skip %s: needs root" % test.__name__.replace(
                    "test_", "", 1).replace("_", " "))
        return 0
    signal.signal(signal.SIGTERM, lambda *a: sys.exit(1))
    bench = None
    good = False
    try:
        bench = Bench()
        good = all([run_group(bench, group, tests, sys.argv[1:])
                    for group, tests in groups])
    finally:
        if bench:
            bench.close()
        Account.remove_all()
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
