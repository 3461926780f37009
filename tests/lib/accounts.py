"""Throw-away Unix accounts: made for a test, always removed."""
import atexit
import os
import pwd
import secrets
import subprocess


def can_make():
    return os.geteuid() == 0


def run(*argv, text=None):
    return subprocess.run(argv, input=text, text=True, check=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


class Account:
    def __init__(self, name, groups=()):
        self.name = name
        self.password = "pw-" + secrets.token_hex(8)
        remove(name)
        run("useradd", "-m", "-s", "/bin/bash", *(["-G", ",".join(groups)] if groups else []), name)
        run("chpasswd", text="%s:%s\n" % (name, self.password))
        entry = pwd.getpwnam(name)
        self.uid, self.gid, self.home = entry.pw_uid, entry.pw_gid, entry.pw_dir
        atexit.register(remove, name)

    def processes(self):
        """Pids of everything that runs as this account."""
        found = []
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                if os.stat("/proc/" + pid).st_uid == self.uid:
                    found.append(int(pid))
            except OSError:
                pass
        return found


def remove(name):
    """With its files, and with whatever still runs as it."""
    try:
        uid = pwd.getpwnam(name).pw_uid
    except KeyError:
        return
    if uid >= 1000 and name.startswith("carrelt"):
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                if os.stat("/proc/" + pid).st_uid == uid:
                    os.kill(int(pid), 9)
            except OSError:
                pass
        subprocess.run(["userdel", "-r", "-f", name],
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
