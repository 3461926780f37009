"""A real JupyterHub for comparison: Debian's, or that of a checkout.

Dummy logins, servers of its SimpleLocalProcessSpawner (tiny_server.py), and
carrel-proxy as its proxy, so that no Node is needed. As root it runs as the
account that its maker gives.
"""
import atexit
import os
import shutil
import signal
import subprocess
import tempfile

import report
from ports import free_port
from report import claim, until
from web import Browser

HERE = os.path.dirname(os.path.abspath(__file__))
STANDINS = os.path.join(HERE, "../compat/standins")
PYTHON = "/usr/bin/python3"
CONFIG = """
c.JupyterHub.bind_url = "http://127.0.0.1:%(port)d"
c.JupyterHub.hub_port = %(hub_port)d
c.ConfigurableHTTPProxy.command = ["%(dir)s/carrel-proxy"]
c.ConfigurableHTTPProxy.api_url = "http://127.0.0.1:%(api_port)d"
c.ConfigurableHTTPProxy.pid_file = "%(dir)s/proxy.pid"
c.JupyterHub.db_url = "sqlite:///%(dir)s/hub.sqlite"
c.JupyterHub.cookie_secret_file = "%(dir)s/cookie_secret"
c.JupyterHub.authenticator_class = "dummy"
c.DummyAuthenticator.password = "x"
c.Authenticator.allow_all = True
c.Authenticator.admin_users = {"boss"}
c.JupyterHub.spawner_class = "simple"
c.SimpleLocalProcessSpawner.home_dir_template = "%(dir)s/home"
c.Spawner.cmd = ["/usr/bin/python3", "%(dir)s/tiny_server.py"]
c.JupyterHub.allow_named_servers = True
c.JupyterHub.named_server_limit_per_user = 3
"""


def version(source=None):
    """What it calls itself; None when it does not run here."""
    code = "import jupyterhub.app; print(jupyterhub.__version__)"
    found = subprocess.run([PYTHON, "-c", code], env=environment(source), capture_output=True, text=True)
    return found.stdout.strip() if found.returncode == 0 else None


def environment(source=None, home="/"):
    """Of a program of the checkout `source`, or of Debian's package."""
    env = {"PATH": "/usr/bin:/bin:/usr/sbin:/sbin", "HOME": home, "PYTHONDONTWRITEBYTECODE": "1"}
    if source:
        env["PYTHONPATH"] = os.path.abspath(source) + ":" + os.path.abspath(STANDINS)
    return env


class ReferenceHub:
    def __init__(self, account=None, source=None, more=""):
        self.dir = tempfile.mkdtemp(prefix="carrelt-reference-")
        os.chmod(self.dir, 0o755)
        self.account, self.source = account, source
        self.port = free_port()
        self.url = "http://127.0.0.1:%d" % self.port
        shutil.copy(os.path.join(HERE, "tiny_server.py"), self.dir)
        # a build below a closed directory is not open to the account
        shutil.copy(os.path.join(report.bin_dir(), "carrel-proxy"), self.dir)
        with open(os.path.join(self.dir, "config.py"), "w") as f:
            f.write(CONFIG % {"port": self.port, "hub_port": free_port(), "api_port": free_port(), "dir": self.dir})
            f.write(more)
            if source:
                f.write("c.JupyterHub.data_files_path = %r\n" % os.path.join(os.path.abspath(source), "share/jupyterhub"))
        os.mkdir(os.path.join(self.dir, "home"))
        if account:
            for name in (".", "home"):
                os.chown(os.path.join(self.dir, name), account.uid, account.gid)
        atexit.register(self.clean)

    def start(self):
        self.out = open(os.path.join(self.dir, "out"), "ab")
        argv = [PYTHON, "-m", "jupyterhub", "-f", "config.py"]
        if self.account:
            argv = ["setpriv", "--reuid", self.account.name, "--regid", self.account.name, "--init-groups"] + argv
        self.process = subprocess.Popen(argv, cwd=self.dir, env=environment(self.source, self.dir + "/home"),
                                        stdin=subprocess.DEVNULL, stdout=self.out, stderr=subprocess.STDOUT,
                                        start_new_session=True)
        until("JupyterHub to answer", 90, self.answers, pause=0.2)
        return self

    def answers(self):
        claim(self.process.poll() is None, "JupyterHub ended:\n" + self.output())
        try:
            return Browser(self.url).get("/hub/login").status == 200
        except OSError:
            return False

    def output(self):
        with open(os.path.join(self.dir, "out"), "rb") as f:
            return f.read().decode("utf-8", "replace")[-6000:]

    def clean(self):
        if not os.path.isdir(self.dir):
            return
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)  # ends its servers and its proxy
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.out.close()
        shutil.rmtree(self.dir, ignore_errors=True)
