"""A whole Carrel for a test: `carrel up` with places, ports and settings of its own."""
import atexit
import os
import re
import shutil
import signal
import subprocess
import tempfile
import threading
import time

from ports import free_port
from report import Failure, bin_dir, claim, source_dir, until


class Carrel:
    """Runs until stop(); every line of the three programs is kept for a failure."""

    def __init__(self, config=None, spawner_config=None, pam_dir=None, as_user=None):
        self.dir = tempfile.mkdtemp(prefix="carrelt-")
        os.chmod(self.dir, 0o755)
        self.port, self.api_port, self.hub_port = free_port(), free_port(), free_port()
        self.url = "http://127.0.0.1:%d" % self.port
        self.lines, self.process, self.as_user = [], None, as_user
        self.config = self._write("carrel.yaml", config or
                                  "auth:\n  allow_all: true\n  admin_groups: [sudo]\n",
                                  extra="hub:\n  port: %d\n" % self.hub_port)
        if spawner_config is None:
            with open(os.path.join(source_dir(), "etc/spawner.yaml")) as f:
                spawner_config = f.read()
        self.spawner_config = self._write("spawner.yaml", spawner_config)
        self.pam_dir = pam_dir or os.path.join(source_dir(), "etc/pam.d")
        self.run_dir, self.state_dir = self.dir + "/run", self.dir + "/state"
        if as_user:
            shutil.chown(self.dir, as_user)
        atexit.register(self.clean)

    def _write(self, name, text, extra=""):
        path = os.path.join(self.dir, name)
        with open(path, "w") as f:
            f.write(text + extra)
        os.chmod(path, 0o644)
        return path

    def start(self, wait=True, within=()):
        """`within`: a command that ends by executing its arguments."""
        argv = list(within) + [os.path.join(bin_dir(), "carrel"), "up", "--config", self.config,
                "--spawner-config", self.spawner_config, "--pam-dir", self.pam_dir,
                "--run-dir", self.run_dir, "--state-dir", self.state_dir,
                "--port", str(self.port), "--api-port", str(self.api_port)]
        if self.as_user:
            argv = ["setpriv", "--reuid", self.as_user, "--regid", self.as_user, "--init-groups"] + argv
        self.process = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                        stdin=subprocess.DEVNULL, start_new_session=True)
        threading.Thread(target=self._read, args=(self.process,), daemon=True).start()
        if wait:
            self.wait_ready()
        return self

    def _read(self, process):
        for raw in process.stdout:
            self.lines.append(raw.decode("utf-8", "replace").rstrip("\n"))

    def seen(self, pattern):
        return [line for line in list(self.lines) if re.search(pattern, line)]

    def wait_ready(self):
        def ready():
            if self.process.poll() is not None:
                raise Failure("carrel up ended with %d" % self.process.returncode)
            return self.seen("Carrel is ready at")
        try:
            until("carrel up is ready", 40, ready)
        except Failure:
            self.print_lines()
            raise

    def pid(self, name):
        """The pid of hub, proxy or spawner under this `carrel up`; 0 if it does not run."""
        path = "/proc/%d/task/%d/children" % (self.process.pid, self.process.pid)
        try:
            with open(path) as f:
                children = f.read().split()
        except OSError:
            return 0
        for pid in children:
            try:
                with open("/proc/%s/cmdline" % pid, "rb") as f:
                    if f.read().split(b"\0")[0].endswith(b"carrel-" + name.encode()):
                        return int(pid)
            except OSError:
                pass
        return 0

    def kill(self, name, signo=signal.SIGKILL):
        """End one program and wait until `carrel up` has started it again."""
        old = self.pid(name)
        claim(old, "%s does not run" % name)
        os.kill(old, signo)
        return until("%s runs again" % name, 40, lambda: self.pid(name) not in (0, old))

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(25)
            except subprocess.TimeoutExpired:
                self.process.kill()
                raise Failure("carrel up did not end within 25 s of SIGTERM")
        return self.process.returncode if self.process else None

    def stop_servers(self):
        subprocess.run([os.path.join(bin_dir(), "carrel"), "stop", "--all",
                        "--run-dir", self.run_dir], stdout=subprocess.PIPE,
                       stderr=subprocess.STDOUT, timeout=60)

    def clean(self):
        if not os.path.isdir(self.dir):
            return
        try:
            self.stop()
        except Failure:
            pass
        self.stop_servers()
        shutil.rmtree(self.dir, ignore_errors=True)

    def print_lines(self, last=120):
        print("---- lines of this Carrel (last %d) ----" % last)
        for line in self.lines[-last:]:
            print("  " + line)
        print("----", flush=True)

    def server_keys(self):
        try:
            return sorted(os.listdir(self.run_dir + "/servers"))
        except OSError:
            return []


def wait_gone(pids, seconds=15):
    def gone():
        return [p for p in pids if _lives(p)] == []
    until("processes %s gone" % pids, seconds, gone)


def _lives(pid):
    try:
        with open("/proc/%d/stat" % pid) as f:
            return f.read().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def sleep_until(moment):
    time.sleep(max(0, moment - time.monotonic()))
