"""Spawner, hub and proxy started one by one by the test itself, without root.

For stories that restart them more often than `carrel up` would. Logins are
dummy ones, servers of the kind `simple`: every person's server runs as the
account of the test.
"""
import atexit
import http.client
import itertools
import os
import pwd
import secrets
import shutil
import signal
import subprocess
import tempfile
import threading

import accounts
from report import Failure, bin_dir, claim, until
from ports import free_port

CONFIG = """\
hub:
  port: %(hub_port)d
auth:
  type: dummy
  allow_all: true
  options:
    password: x
"""

POLICY = """\
profiles:
  default:
    kind: simple
    command: [%(command)s]
    environment:
      PATH: /usr/bin:/bin
"""


_n_accounts = itertools.count()


def own_account():
    """A name that no running test has, another one each time; those of tests that were killed are removed."""
    for entry in pwd.getpwall():
        pid = entry.pw_name.removeprefix("carreltp").partition("x")[0]
        if pid != entry.pw_name and pid.isdigit() and not os.path.exists("/proc/" + pid):
            accounts.remove(entry.pw_name)
    return "carreltp%dx%d" % (os.getpid(), next(_n_accounts))


class Programs:
    def __init__(self, profile, config=CONFIG, policy=POLICY, account=None):
        self.dir = tempfile.mkdtemp(prefix="carrelt-")
        os.chmod(self.dir, 0o755)
        self.port, self.api_port, self.hub_port = free_port(), free_port(), free_port()
        self.url = "http://127.0.0.1:%d" % self.port
        self.token = secrets.token_hex(32)
        self.lines, self.running = [], {}
        # As root, everything runs as an account without a privilege.
        # One for each test, so that they can run side by side.
        self.account = accounts.Account(account or own_account()) if accounts.can_make() else None
        command = ", ".join(a.replace("@DIR@", self.dir) for a in profile)
        self._write("carrel.yaml", config % {"hub_port": self.hub_port})
        self._write("spawner.yaml", policy % {"command": command})
        for name in ("run", "state", "home"):
            os.mkdir(os.path.join(self.dir, name), 0o700)
            if self.account:
                os.chown(os.path.join(self.dir, name), self.account.uid, self.account.gid)
        atexit.register(self.clean)

    def _write(self, name, text):
        with open(os.path.join(self.dir, name), "w") as f:
            f.write(text)

    def argv(self, name):
        d, run = self.dir, self.dir + "/run"
        sock = run + "/hub.sock"
        return {
            "spawner": ["--config", d + "/spawner.yaml", "--socket", run + "/spawner.sock", "--run-dir", run],
            "hub": ["--config", d + "/carrel.yaml", "--state-dir", d + "/state", "--run-dir", run,
                    "--spawner-socket", run + "/spawner.sock", "--hub-socket", sock,
                    "--proxy-api-url", "http://127.0.0.1:%d" % self.api_port],
            "proxy": ["--ip", "127.0.0.1", "--port", str(self.port), "--api-ip", "127.0.0.1",
                      "--api-port", str(self.api_port), "--journal", d + "/state/routes.journal",
                      "--error-target", "http+unix://%s/hub/error" % sock.replace("/", "%2F")],
        }[name]

    def begin(self, name, ready=True):
        claim(name not in self.running, "%s runs already" % name)
        exe = os.open(os.path.join(bin_dir(), "carrel-" + name), os.O_RDONLY)
        os.set_inheritable(exe, True)
        argv = ["carrel-" + name] + self.argv(name)
        if self.account:
            argv = ["setpriv", "--reuid", self.account.name, "--regid", self.account.name, "--init-groups",
                    "/proc/self/fd/%d" % exe] + argv[1:]
        else:
            argv = ["/proc/self/fd/%d" % exe] + argv[1:]
        p = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
                             pass_fds=[exe], cwd="/",
                             env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": self.dir + "/home",
                                  "CONFIGPROXY_AUTH_TOKEN": self.token,
                                  **{k: v for k, v in os.environ.items() if k.endswith("SAN_OPTIONS")}})
        os.close(exe)
        self.watch(name, p)
        if ready:
            self.wait(name)

    def watch(self, name, p):
        """Keep its lines, and end it with the others."""
        self.running[name] = p
        threading.Thread(target=self._read, args=(name, p), daemon=True).start()

    def _read(self, name, p):
        for raw in p.stdout:
            self.lines.append("%-7s | %s" % (name, raw.decode("utf-8", "replace").rstrip("\n")))

    def wait(self, name):
        import socket

        def up():
            p = self.running[name]
            if p.poll() is not None:
                raise Failure("%s ended with %d" % (name, p.returncode))
            try:
                if name == "spawner":
                    return os.path.exists(self.dir + "/run/spawner.sock")
                port = self.port if name == "proxy" else self.hub_port
                socket.create_connection(("127.0.0.1", port), 1).close()
                return name != "hub" or "proxy" not in self.running or self._is_routed()
            except (OSError, http.client.HTTPException):
                return False
        try:
            until("%s is up" % name, 20, up, pause=0.02)
        except Failure:
            self.print_lines()
            raise

    def wait_together(self):
        """The hub has found the spawner: a start is no 503 any more."""
        until("the hub knows the spawner", 20, lambda: [x for x in self.lines if "the spawner is there" in x], pause=0.02)

    def _is_routed(self):
        """Has the hub its route? Without one the proxy answers 404."""
        c = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            c.request("GET", "/hub/login")
            return c.getresponse().status not in (404, 502, 503)
        finally:
            c.close()

    def end(self, name, signo=signal.SIGTERM):
        p = self.running.pop(name)
        p.send_signal(signo)
        try:
            p.wait(20)
        except subprocess.TimeoutExpired:
            p.kill()
            raise Failure("%s did not end within 20 s of signal %d" % (name, signo))
        return p.returncode

    def print_lines(self, last=150):
        print("---- lines of the programs (last %d) ----" % last)
        for line in self.lines[-last:]:
            print("  " + line)
        print("----", flush=True)

    def clean(self):
        if not os.path.isdir(self.dir):
            return
        for name in list(self.running):
            try:
                self.end(name, signal.SIGKILL)
            except Failure:
                pass
        argv = [os.path.join(bin_dir(), "carrel-spawner"), "--stop-all", "--run-dir", self.dir + "/run"]
        subprocess.run(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=60)
        shutil.rmtree(self.dir, ignore_errors=True)
