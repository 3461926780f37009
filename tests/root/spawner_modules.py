#!/usr/bin/python3
"""What real PAM modules do to logins and sessions, and accounts that are made: the real carrel-spawner as root.

timeout: 180
"""
import contextlib
import fcntl
import os
import pwd
import shutil
import subprocess
import sys
import time
sys.path.insert(0, os.path.join(
    os.path.dirname(os.path.abspath(__file__)), "../lib"))
import accounts
import spawner_bench
from accounts import run
from report import claim, equal
from spawner_bench import (
    POLICY, Server, Skip, Spawner, login, read, with_service)


@contextlib.contextmanager
def due(account):
    """Their password must be changed at the next login."""
    run("chage", "-d", "0", account.name)
    try:
        yield
    finally:
        run("chpasswd", text="%s:%s\n" % (account.name, account.password))
        run("chage", "-d", time.strftime("%Y-%m-%d"), account.name)


def test_password_that_is_due_is_changed(b):
    new = "a-New-Passw0rd-%s" % b.bob.password
    with due(b.bob):
        end, prompts = login(b.spawner.hub, b.bob.name, b.bob.password, b.bob.password, new, new)
        equal(end["code"], "success", "the login: %r" % end)
        equal(end["account"], b.bob.name, "account")
        claim(end.get("changed") is True, "it is not told that the password was changed")
        texts = [p["text"] for p in prompts]
        equal(len(texts), 4, "prompts %r" % texts)
        said, question = texts[1].rsplit("\n", 1)
        claim("required to change" in said, "the reason is not said: %r" % said)
        claim("urrent" in question, "question %r" % question)
        claim(not any(p["echo"] for p in prompts), "a password is shown")
        end, prompts = login(b.spawner.hub, b.bob.name, new)
        equal((end["code"], len(prompts)), ("success", 1), "the next login: %r" % end)
        claim("changed" not in end, "a login that changes nothing says so")
        equal(login(b.spawner.hub, b.bob.name, b.bob.password)[0]["code"], "denied", "the old password")


def test_change_that_fails_changes_nothing(b):
    old = b.bob.password
    with due(b.bob):
        for answers in ([old, old, "one-new-Pass1", "another-Pass2"],
                        [old, "not the old one"],
                        [old, old, "x", "x", "y", "y", "z", "z"]):
            end, _ = login(b.spawner.hub, b.bob.name, *answers)
            equal(end.get("code"), "password_expired", "after %d answers: %r" % (len(answers), end))
            claim("was not changed" in end["text"], "text %r" % end["text"])
            claim(all(a not in end["text"] for a in answers if len(a) > 1), "a password is told: %r" % end["text"])
        end, _ = login(b.spawner.hub, b.bob.name, old)
        claim("text" in end and "required to change" in end["text"], "the old one is not asked for again: %r" % end)


def test_expired_password_says_what_to_do(b):
    with due(b.bob), contextlib.closing(Spawner(b, "auth: {change_password: false}\n")) as s:
        end, _ = login(s.hub, b.bob.name, b.bob.password)
        equal(end["code"], "password_expired", "code")
        claim("passwd" in end["text"], "text %r" % end["text"])


def test_faillock_locks_after_failures(b):
    tally = os.path.join(b.dir, "tally")
    os.makedirs(tally, exist_ok=True)
    module = "pam_faillock.so %s deny=2 unlock_time=600 fail_interval=600 dir=" + tally
    stack = ("auth requisite %s\nauth [success=1 default=bad] pam_unix.so\nauth [default=die] %s\n"
             "auth sufficient %s\naccount required %s\naccount required pam_unix.so\n"
             % (module % "preauth", module % "authfail", module % "authsucc", module[:15]))
    with with_service(b, "faillock", stack) as s:
        equal(login(s.hub, b.alice.name, b.alice.password)[0]["code"], "success", "before")
        for _ in range(2):
            equal(login(s.hub, b.alice.name, "wrong")[0]["code"], "denied", "a wrong password")
        end, _ = login(s.hub, b.alice.name, b.alice.password)
        equal(end["code"], "denied", "locked: %r" % end)
        run("faillock", "--dir", tally, "--user", b.alice.name, "--reset")
        equal(login(s.hub, b.alice.name, b.alice.password)[0]["code"], "success", "after the reset")


def test_one_time_password_is_a_step(b):
    if not shutil.which("oathtool"):
        raise Skip("oathtool is missing: install oathtool and libpam-oath")
    secret = "3132333435363738393031323334353637383930"
    users = os.path.join(b.dir, "users.oath")
    with open(users, "w") as f:
        f.write("HOTP %s - %s\n" % (b.alice.name, secret))
    os.chmod(users, 0o600)
    stack = ("auth requisite pam_unix.so\nauth required pam_oath.so usersfile=%s window=3 digits=6\n"
             "account required pam_unix.so\n" % users)
    codes = run("oathtool", "--hotp", "-w", "3", secret).stdout.split()
    with with_service(b, "otp", stack) as s:
        end, prompts = login(s.hub, b.alice.name, b.alice.password, codes[0])
        equal(end["code"], "success", "the login: %r" % end)
        equal(len(prompts), 2, "prompts")
        claim("OATH" in prompts[1]["text"], "prompt %r" % prompts[1])
        end, _ = login(s.hub, b.alice.name, b.alice.password, codes[0])
        equal(end["code"], "denied", "a code used twice")
        end, prompts = login(s.hub, b.alice.name, "wrong", codes[1])
        equal((end["code"], len(prompts)), ("denied", 1), "a wrong password before the code")


def test_access_is_refused_by_an_account_module(b):
    rules = os.path.join(b.dir, "access.conf")
    with open(rules, "w") as f:
        f.write("-:%s:192.0.2.7\n+:ALL:ALL\n" % b.alice.name)
    stack = ("auth required pam_unix.so\naccount required pam_access.so accessfile=%s\n" % rules)
    with with_service(b, "access", stack) as s:
        equal(login(s.hub, b.alice.name, b.alice.password)[0]["code"], "denied", "from there")
        equal(login(s.hub, b.bob.name, b.bob.password)[0]["code"], "success", "another")


def test_home_is_made_at_the_first_start(b):
    stack = ("auth required pam_unix.so\naccount required pam_unix.so\n"
             "session required pam_mkhomedir.so umask=0077 skel=%s\n" % os.path.join(b.dir, "skel"))
    os.makedirs(os.path.join(b.dir, "skel"), exist_ok=True)
    with open(os.path.join(b.dir, "skel", "welcome"), "w") as f:
        f.write("hello\n")
    shutil.rmtree(b.bob.home)
    with with_service(b, "home", stack, POLICY) as s:
        server = Server(s, b.bob.name).started()
        stat = os.stat(b.bob.home)
        equal((stat.st_uid, stat.st_gid, stat.st_mode & 0o777), (b.bob.uid, b.bob.gid, 0o700), "the home")
        equal(os.stat(os.path.join(b.bob.home, "welcome")).st_uid, b.bob.uid, "owner of a file of skel")
        equal(os.readlink("/proc/%d/cwd" % server.pid), os.path.realpath(b.bob.home), "working directory")
        server.stop()


def test_login_uid_is_the_persons(b):
    if not os.access("/proc/self/loginuid", os.W_OK) or read("/proc/self/loginuid").strip() not in ("4294967295",):
        raise Skip("this machine's kernel lets nobody set a login uid here (CONFIG_AUDIT, or it is set already)")
    with with_service(b, "loginuid", "auth required pam_unix.so\naccount required pam_unix.so\n"
                      "session required pam_loginuid.so\n", POLICY) as s:
        server = Server(s, b.alice.name).started()
        equal(server.proc("loginuid").strip(), str(b.alice.uid), "loginuid")
        server.stop()


# A second one at the same time would fail, as useradd may under load.
MAKING = POLICY + """
create_account:
  - /bin/sh
  - -c
  - 'mkdir "$1" || exit 9; sleep 0.05; /usr/sbin/useradd --create-home --shell /bin/bash -- "$0"; s=$?; rmdir "$1"; exit $s'
  - "{account}"
  - %s
"""


def names(n):
    out = ["carrelt-made-%d-%d" % (os.getpid(), i) for i in range(n)]
    for name in out:
        accounts.remove(name)
    return out


def test_missing_accounts_are_made_on_request(b):
    made = names(6)
    try:
        with contextlib.closing(Spawner(b, MAKING % os.path.join(b.dir, "making"))) as s:
            m = Server(s, made[0]).failed("account")
            claim("there is no account" in m["text"], "not asked for: %r" % m)
            # All at once, but one account is made at a time.
            servers = [Server(s, name, create=True) for name in made]
            for name, server in zip(made, servers):
                server.pid = s.hub.expect("STARTED", key=server.key)["pid"]
                equal(server.status()["Uid"].split(), [str(pwd.getpwnam(name).pw_uid)] * 4, "uid of %s" % name)
                claim(pwd.getpwnam(name).pw_uid >= 1000, "a system account")
            for server in servers:
                server.stop()
            again = Server(s, made[0], create=True).started()
            again.stop()
    finally:
        for name in made:
            accounts.remove(name)


def test_accounts_that_cannot_be_made_say_why(b):
    with contextlib.closing(Spawner(b, MAKING % os.path.join(b.dir, "making"))) as s:
        for name in ("UPPER", "ana@example.org", "1st", "x" * 33, "a b", "a;id", "root"):
            m = Server(s, name, create=True).failed("account")
            claim(m["text"], "no text for %r" % name)
            if name != "root":
                claim(not subprocess.run(["getent", "passwd", name], stdout=subprocess.DEVNULL).returncode == 0,
                      "%r was made" % name)
    with contextlib.closing(Spawner(b, POLICY)) as s:
        m = Server(s, "carrelt-none", create=True).failed("account")
        claim("create_account" in m["text"], "no hint: %r" % m)
    for command, text in (('[/bin/sh, -c, "echo the disk is full >&2; exit 9", "{account}"]', "the disk is full"),
                          ('[/nonexistent/adduser, "{account}"]', "cannot be executed"),
                          ('[/bin/true, "{account}"]', "there is no account")):
        with contextlib.closing(Spawner(b, POLICY + "create_account: %s\n" % command)) as s:
            m = Server(s, "carrelt-none", create=True).failed("account")
            claim(text in m["text"], "expected %r: %r" % (text, m))


VISITS = POLICY + """
create_account: [/usr/sbin/useradd, --create-home, --shell, /bin/bash, --, "{account}"]
remove_account: [%s, "{account}"]
"""
USERDEL = "/usr/sbin/userdel, --remove, --"


def account_of(name):
    try:
        return pwd.getpwnam(name)
    except KeyError:
        return None


def mark_of(spawner, name):
    return os.path.join(spawner.run_dir, "servers/.made-" + name)


def visit(spawner, name):
    return Server(spawner, name, create=True, visit=True).started()


def test_a_visitors_account_goes_with_the_last_server(b):
    name, other = names(2)
    try:
        with contextlib.closing(Spawner(b, VISITS % USERDEL)) as s:
            first = visit(s, name)
            home = account_of(name).pw_dir
            equal(os.stat(mark_of(s, name)).st_mode & 0o777, 0o600, "mode of the mark")
            second = visit(s, name)
            first.stop()
            claim(account_of(name), "it is gone while a server of it runs")
            second.stop()
            equal((account_of(name), os.path.exists(home), os.path.exists(mark_of(s, name))), (None, False, False),
                  "account, home and mark")
            # who is no visitor keeps theirs, and so does everybody under a policy without the command
            Server(s, name, create=True).started().stop()
            claim(account_of(name), "an account of no visitor was removed")
            visit(s, name).stop()
            claim(account_of(name), "an account that was there before the visit was removed")
        with contextlib.closing(Spawner(b, VISITS.replace("remove_account: [%s", "#[%s") % USERDEL)) as s:
            visit(s, other).stop()
            claim(account_of(other), "it was removed without remove_account")
    finally:
        for each in (name, other):
            accounts.remove(each)


def test_an_account_that_was_not_made_is_never_removed(b):
    with contextlib.closing(Spawner(b, VISITS % USERDEL)) as s:
        for uid in (None, b.bob.uid, 0):
            if uid is not None:  # a mark of an older account of that name
                with open(mark_of(s, b.alice.name), "w") as f:
                    f.write("%d\n" % uid)
            visit(s, b.alice.name).stop()
            equal(account_of(b.alice.name).pw_uid, b.alice.uid, "alice, with a mark of uid %r" % uid)
        os.chown(mark_of(s, b.alice.name), b.alice.uid, -1)
        with open(mark_of(s, b.alice.name), "w") as f:
            f.write("%d\n" % b.alice.uid)
        visit(s, b.alice.name).stop()
        claim(account_of(b.alice.name), "alice was removed by a mark that is not root's")
        os.unlink(mark_of(s, b.alice.name))
        os.symlink("/etc/hostname", mark_of(s, b.alice.name))
        Server(s, b.alice.name, create=True, visit=True).failed("account")


def test_a_visitors_account_that_is_in_use_stays(b):
    name, = names(1)
    try:
        with contextlib.closing(Spawner(b, VISITS % USERDEL)) as s:
            server = visit(s, name)
            entry = account_of(name)
            left = subprocess.Popen(["setpriv", "--reuid", str(entry.pw_uid), "--clear-groups", "/bin/sleep", "1000"])
            try:
                tail = server.stop()["tail"]
                claim(account_of(name), "its uid would be somebody else's, with a process of before")
                claim("a process of %s is left" % name in tail, "nothing is said of it: %r" % tail)
            finally:
                left.kill()
                left.wait()
            # another server of theirs that begins, and has no process yet
            server = visit(s, name)
            with open(mark_of(s, name)) as mark:
                fcntl.flock(mark, fcntl.LOCK_SH)
                server.stop()
                claim(account_of(name), "it is gone before the next server has a process")
            visit(s, name).stop()
            equal(account_of(name), None, "the account after the next visit")
        with contextlib.closing(Spawner(b, VISITS % '/bin/sh, -c, "echo no room; exit 3"')) as s:
            tail = visit(s, name).stop()["tail"]
            claim(account_of(name) and "could not be removed" in tail and "no room" in tail, "it says %r" % tail)
    finally:
        accounts.remove(name)


def test_command_that_makes_accounts_is_checked(b):
    for line in ('create_account: [useradd, "{account}"]', "create_account: [/usr/sbin/useradd]",
                 'create_account: ["/bin/{account}"]', 'remove_account: [userdel, "{account}"]',
                 "remove_account: [/usr/sbin/userdel]"):
        path = os.path.join(b.dir, "bad.yaml")
        with open(path, "w") as f:
            f.write(POLICY + line + "\n")
        p = subprocess.run([spawner_bench.SPAWNER, "--config", path, "--run-dir", b.dir + "/none", "--client-user",
                            "root"], capture_output=True, text=True, timeout=20)
        claim(p.returncode != 0 and line.split(":")[0] in p.stderr, "%s: %d %s" % (line, p.returncode, p.stderr))


spawner_bench.run_all("pam", spawner_bench.tests_of(sys.modules[__name__]))
