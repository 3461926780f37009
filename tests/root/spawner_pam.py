#!/usr/bin/python3
"""Logins and sessions through the real PAM, by the real carrel-spawner as root.

timeout: 120
"""
import contextlib
import os
import subprocess
import sys
import time
sys.path.insert(0, os.path.join(
    os.path.dirname(os.path.abspath(__file__)), "../lib"))
import spawner_bench
from accounts import run
from report import claim
from spawner_bench import (
    IDS, POLICY, Server, Skip, Spawner, children, expect_login, is_alive,
    login, read, until, with_service)


def test_right_password_logs_in(b):
    run("usermod", "-a", "-G", "games", b.alice.name)
    end, prompts = expect_login(b, b.alice.name, b.alice.password, "success")
    claim(end["account"] == b.alice.name, "account %r" % end)
    claim(sorted(end["groups"]) == sorted([b.alice.name, "games"]) or
          set(end["groups"]) >= {b.alice.name, "games"},
          "groups %r" % end["groups"])
    claim(len(prompts) == 1 and not prompts[0]["echo"], "%r" % prompts)


def test_wrong_password_and_unknown_name_look_the_same(b):
    times, ends = [], []
    for name in b.alice.name, "carrelnobody":
        begin = time.monotonic()
        end, _ = expect_login(b, name, "wrong", "denied")
        times.append(time.monotonic() - begin)
        ends.append((end["code"], end["text"], end["account"]))
    claim(ends[0] == ends[1], "answers differ: %r" % ends)
    claim(min(times) > 0.9 and max(times) < 8, "times %r" % times)


def test_wrong_password_does_not_delay_another(b):
    hub = b.spawner.hub
    slow = next(IDS)
    hub.say("AUTH_BEGIN", id=slow, account=b.alice.name, rhost="")
    hub.expect("AUTH_PROMPT", id=slow)
    hub.say("AUTH_REPLY", id=slow, reply="wrong")
    begin = time.monotonic()
    expect_login(b, b.bob.name, b.bob.password, "success")
    took = time.monotonic() - begin
    claim(took < 1.0, "the other login took %.2f s" % took)
    claim(hub.expect("AUTH_END", id=slow)["code"] == "denied", "code")


def memory_of(pid):
    """All that can be read and written in a process, piece by piece."""
    with open("/proc/%d/maps" % pid) as maps, \
            open("/proc/%d/mem" % pid, "rb") as memory:
        for line in maps:
            place, rights = line.split()[:2]
            if not rights.startswith("rw") or "[v" in line:
                continue
            first, last = (int(x, 16) for x in place.split("-"))
            # A sanitizer's shadow is larger than the machine.
            if last - first > 1 << 30:
                continue
            memory.seek(first)
            yield memory.read(last - first)


def test_spawner_forgets_passwords(b):
    expect_login(b, b.alice.name, b.alice.password, "success")
    wrong = "Wrong-" + b.alice.password
    expect_login(b, b.bob.name, wrong, "denied")
    for word in b.alice.password, wrong[:14]:
        for piece in memory_of(b.spawner.process.pid):
            claim(word.encode() not in piece, "a password is still there")


def test_spawner_forgets_tokens(b):
    token = "tok-%d-secret" % next(IDS)
    server = Server(b.spawner, b.alice.name, env={"JPY_API_TOKEN": token})
    server.started()
    claim(token in server.proc("environ"), "the server has no token")
    for piece in memory_of(b.spawner.process.pid):
        claim(token.encode() not in piece, "a token is still there")
    server.stop()


def test_root_and_system_accounts_do_not_log_in(b):
    for name in "root", "daemon", "nobody":
        expect_login(b, name, "whatever", "denied")


def test_strange_names_are_denied(b):
    for name in "a b", "../etc", "-x", "a:b", "x\ny":
        expect_login(b, name, "whatever", "denied")


def test_locked_account_is_denied(b):
    run("passwd", "-l", b.bob.name)
    try:
        expect_login(b, b.bob.name, b.bob.password, "denied")
    finally:
        run("passwd", "-u", b.bob.name)


def test_expired_account_is_told(b):
    run("usermod", "-e", "2020-01-01", b.bob.name)
    try:
        end, _ = expect_login(b, b.bob.name, b.bob.password, "expired")
        claim(end["text"], "no text")
    finally:
        run("usermod", "-e", "", b.bob.name)


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
        claim(end["code"] == "timeout", "%r" % end)
        claim(time.monotonic() - begin < 5, "too late")
        pid = int(read(marker))
        until(lambda: not is_alive(pid), "the module's program is gone")


def test_several_prompts_are_steps(b):
    found = subprocess.run(["find", "/usr/lib", "-name", "pam_matrix.so"],
                           stdout=subprocess.PIPE).stdout.decode().split()
    if not found:
        raise Skip("pam_matrix.so is missing: install libpam-wrapper")
    matrix = found[0]
    passdb = os.path.join(b.dir, "matrix")
    with open(passdb, "w") as f:
        f.write("%s:second-Factor-3:two\n" % b.alice.name)
    os.chmod(passdb, 0o600)
    stack = ("auth requisite pam_unix.so\n"
             "auth required %s verbose echo passdb=%s\n"
             "account required pam_permit.so\n" % (matrix, passdb))
    with with_service(b, "two", stack) as s:
        end, prompts = login(s.hub, b.alice.name, b.alice.password, "second-Factor-3")
        claim(end["code"] == "success", "%r" % end)
        claim(len(prompts) == 2, "%d prompts" % len(prompts))
        claim([p["echo"] for p in prompts] == [False, True], "%r" % prompts)
        end, prompts = login(s.hub, b.alice.name, b.alice.password, "wrong")
        claim(end["code"] == "denied", "%r" % end)


def test_cancelled_login_ends_its_process(b):
    hub = b.spawner.hub
    number = next(IDS)
    hub.say("AUTH_BEGIN", id=number, account=b.alice.name, rhost="")
    hub.expect("AUTH_PROMPT", id=number)
    before = children(b.spawner.process.pid, "carrel-login")
    claim(before, "no login process")
    hub.say("AUTH_CANCEL", id=number)
    claim(hub.expect("AUTH_END", id=number)["code"] == "cancelled", "code")
    until(lambda: not children(b.spawner.process.pid, "carrel-login"),
               "the login process is gone")


def test_too_many_logins_of_one_account_are_refused(b):
    hub = b.spawner.hub
    numbers = [next(IDS) for _ in range(5)]
    for n in numbers:
        hub.say("AUTH_BEGIN", id=n, account=b.alice.name, rhost="")
    claim(hub.expect("AUTH_END")["code"] == "limit", "code")
    for n in numbers[:4]:
        hub.say("AUTH_CANCEL", id=n)
    for n in numbers[:4]:
        hub.expect("AUTH_END", id=n)


def test_hub_that_leaves_takes_its_logins_along(b):
    hub = b.spawner.hub
    hub.say("AUTH_BEGIN", id=next(IDS), account=b.alice.name, rhost="")
    hub.expect("AUTH_PROMPT")
    b.spawner.connect()
    until(lambda: not children(b.spawner.process.pid, "carrel-login"),
               "the login process is gone")


def test_missing_service_is_unavailable(b):
    with with_service(b, "nothing",
                      "auth required pam_nonexistent.so\n"
                      "account required pam_nonexistent.so\n") as s:
        end, _ = login(s.hub, b.alice.name, "x")
        claim(end["code"] == "unavailable" and end["text"], "%r" % end)


def test_refused_session_fails_the_start(b):
    stack = ("auth required pam_unix.so\naccount required pam_unix.so\n"
             "session required pam_deny.so\n")
    with with_service(b, "deny", stack, POLICY) as s:
        m = Server(s, b.alice.name).failed("session")
        claim("PAM" in m["text"], "%r" % m)


def test_session_that_hangs_fails_the_start(b):
    stack = ("account required pam_permit.so\nauth required pam_permit.so\n"
             "session required pam_exec.so quiet /bin/sleep 600\n")
    with with_service(b, "slow", stack, "start_timeout: 1s\n") as s:
        m = Server(s, b.alice.name).failed("session")
        claim("start_timeout" in m["text"], "%r" % m)


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
        claim("FROM_PAM=yes" in env, "PAM's environment is missing: %r" % env)
        claim("LANG=C.UTF-8" in env, "the profile must win: %r" % env)
        server.stop()
    lines = [line.split() for line in read(log).splitlines()]
    claim([x[0] for x in lines] == ["open_session", "close_session"],
          "%r" % lines)
    claim(lines[0][1:] == lines[1][1:], "%r" % lines)


KEEPING = """
profiles:
  default: {command: [/bin/sleep, "1000"], keep_login_handle: 3s}
  alone: {command: [/bin/sleep, "1000"]}
"""


def test_login_waits_and_becomes_the_keeper(b):
    log = os.path.join(b.dir, "kept.log")
    script = os.path.join(b.dir, "kept.sh")
    with open(script, "w") as f:
        f.write("#!/bin/sh\necho $PAM_TYPE $PPID >> %s\n" % log)
    os.chmod(script, 0o755)
    stack = ("auth required pam_unix.so\nauth required pam_exec.so quiet %s\n"
             "account required pam_unix.so\n"
             "session required pam_exec.so quiet %s\n" % (script, script))
    with with_service(b, "kept", stack, KEEPING) as s:
        for _ in range(2):
            end, _ = login(s.hub, b.alice.name, b.alice.password)
            claim(end["code"] == "success", "%r" % end)
        until(lambda: len(children(s.process.pid, "carrel-login")) == 1,
              "one login of an account waits, the last one")
        server = Server(s, b.alice.name).started()
        keeper = int(server.proc("stat").rpartition(")")[2].split()[1])
        status = server.status()
        claim(status["Uid"].split() == [str(b.alice.uid)] * 4, "uid")
        claim(status["NoNewPrivs"] == "1", "no_new_privs")
        names = {x.split("=")[0] for x in server.proc("environ").split("\0")}
        claim(names == {"", "PATH", "LANG", "HOME", "USER", "LOGNAME", "SHELL",
                        "JUPYTERHUB_SINGLEUSER_APP", "JUPYTERHUB_SERVICE_URL"},
              "environment %r" % names)
        # What it opens itself for a moment it closes again; what it got stays.
        until(lambda: len(os.listdir("/proc/%d/fd" % server.pid)) == 3,
              "the server has its three descriptors and no others")
        # No login waits any more: the next one has a keeper of its own.
        other = Server(s, b.alice.name).started()
        s.kill()
        s.start()
        end = server.stop()
        claim(end["asked"], "%r" % end)
        lines = [x.split() for x in read(log).splitlines()]
        mine = [x[0] for x in lines if x[1] == str(keeper)]
        claim(mine == ["auth", "open_session", "close_session"], "%r" % lines)
        other.stop()
        claim(not children(s.process.pid, "carrel-login"), "a login is left")


def test_login_that_nobody_needs_ends(b):
    with with_service(b, "idle", "auth required pam_unix.so\n"
                      "account required pam_unix.so\n"
                      "session required pam_unix.so\n",
                      KEEPING.replace("3s", "1s")) as s:
        login(s.hub, b.alice.name, b.alice.password)
        claim(children(s.process.pid, "carrel-login"), "no login waits")
        server = Server(s, b.alice.name, "alone").started()
        claim(children(s.process.pid, "carrel-login"), "it was taken")
        server.stop()
        until(lambda: not children(s.process.pid, "carrel-login"), "it ends")


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
        claim(line.split()[3:5] == ["256", "512"], line)
        claim(server.status()["Umask"] == "0077", "umask")
        server.stop()


spawner_bench.run_all("pam", spawner_bench.tests_of(sys.modules[__name__]))
