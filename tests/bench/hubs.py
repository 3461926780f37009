"""The two hubs: ours, and Debian's JupyterHub 3.0.0, each with a proxy of ours in front."""
import os
import secrets
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time

from measure import Skip
import report
from ports import free_port
from programs import Programs
from proxy_world import Proxy
from web import Browser, wait_http

ADMIN = "boss"
OURS = """\
hub:
  port: %(hub_port)d
  log_level: warn
auth:
  type: dummy
  allow_all: true
  admin_users: [boss]
  options:
    password: x
audit:
  file: %%(dir)s/state/audit.jsonl
"""
JUPYTERHUB = """\
c.JupyterHub.bind_url = "http://127.0.0.1:%(port)d"
c.JupyterHub.hub_port = %(hub_port)d
c.JupyterHub.db_url = "sqlite:///%(dir)s/jupyterhub.sqlite"
c.JupyterHub.cookie_secret_file = "%(dir)s/cookie"
c.JupyterHub.log_level = "WARN"
c.ConfigurableHTTPProxy.should_start = False
c.ConfigurableHTTPProxy.api_url = "http://127.0.0.1:%(api_port)d"
c.ConfigurableHTTPProxy.auth_token = "%(token)s"
c.JupyterHub.authenticator_class = "%(authenticator)s"
c.JupyterHub.spawner_class = "simple"
c.DummyAuthenticator.password = "x"
c.Authenticator.admin_users = {"boss"}
c.JupyterHub.cleanup_servers = False
"""


def user_names(n):
    return ["u%05d" % i for i in range(n)]


class Hub:
    """What the measurements need of either: pid, port, token, cookie."""
    user_token = None

    def sign_in(self):
        """A token and a cookie of the administrator, as scripts and browsers send them."""
        browser = Browser("http://127.0.0.1:%d" % self.hub_port)
        report.until("the hub answers", 60, lambda: self.answers(browser))
        answer = browser.login(ADMIN, "x")
        report.equal(answer.status, 302, "login of " + ADMIN)
        browser.get("/hub/home")
        made = browser.api("POST", "/users/%s/tokens" % ADMIN, {"note": "bench"},
                           headers={"Referer": "http://127.0.0.1:%d/hub/home" % self.hub_port})
        report.claim(made.status in (200, 201), "a token: %d %s" % (made.status, made.text[:200]))
        self.token = made.json()["token"]
        self.cookie = browser.cookie_header("/hub/home")
        self.auth = "Authorization: token " + self.token

    @staticmethod
    def answers(browser):
        try:
            return browser.get("/hub/api/", follow=False, timeout=5).status == 200
        except OSError:
            return False


class Ours(Hub):
    name = "carrel"

    def __init__(self, n_users=0, n_servers=0, config=OURS, policy=None):
        more = {"policy": policy} if policy else {}
        self.programs = Programs(["/bin/false"], config, **more)
        self.hub_port = self.programs.hub_port
        with open(self.programs.dir + "/carrel.yaml") as f:
            self.programs._write("carrel.yaml", f.read() % {"dir": self.programs.dir})
        self.programs.begin("spawner")
        self.programs.begin("proxy")
        if n_users or n_servers:
            self.begin()
            self.programs.end("hub")
            self.fill(n_users, n_servers)

    @property
    def database(self):
        return self.programs.dir + "/state/carrel.sqlite"

    @property
    def pid(self):
        return self.programs.running["hub"].pid

    def begin(self):
        """Seconds until it answers."""
        start = time.monotonic()
        self.programs.begin("hub", ready=False)
        browser = Browser("http://127.0.0.1:%d" % self.hub_port)
        report.until("our hub is ready", 60, lambda: self.answers(browser), pause=0.002)
        return time.monotonic() - start

    def fill(self, n_users, n_servers=0):
        db = sqlite3.connect(self.database)
        now = time.time_ns() // 1000
        with db:
            db.executemany("INSERT OR IGNORE INTO user (name, created_us) VALUES (?, ?)",
                           [(n, now) for n in user_names(n_users)])
            db.executemany("INSERT INTO server (user_id, name, created_us) SELECT id, '', ? FROM user WHERE name = ?",
                           [(now, n) for n in user_names(n_servers)])
        db.close()

    def login_form(self):
        browser = Browser("http://127.0.0.1:%d" % self.hub_port)
        page = browser.get("/hub/login")
        from web import hidden
        form = dict(hidden(page.text))
        return browser.cookie_header("/hub/login"), form.get("_xsrf", "")

    def end(self):
        self.programs.clean()


class JupyterHub(Hub):
    name = "jupyterhub"

    def __init__(self, n_users=0, authenticator="dummy", proxy=True):
        if not shutil.which("jupyterhub"):
            raise Skip("jupyterhub is not installed")
        self.dir = tempfile.mkdtemp(prefix="carrel-bench-jh-")
        self.port, self.hub_port = free_port(), free_port()
        token = secrets.token_hex(16)
        self.proxy = Proxy(token=token)
        with open(self.dir + "/config.py", "w") as f:
            f.write(JUPYTERHUB % dict(port=self.proxy.port, hub_port=self.hub_port, dir=self.dir, token=token,
                                      api_port=self.proxy.api_port, authenticator=authenticator))
        self.process = None
        self.begin()
        if n_users:
            self.stop()
            self.fill(n_users)

    @property
    def pid(self):
        return self.process.pid

    def begin(self):
        start = time.monotonic()
        env = {"PATH": "/usr/bin:/bin:/usr/sbin:/sbin", "HOME": self.dir}
        with open(self.dir + "/log", "ab") as log:
            self.process = subprocess.Popen(["/usr/bin/jupyterhub", "-f", self.dir + "/config.py"], cwd=self.dir,
                                            env=env, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        browser = Browser("http://127.0.0.1:%d" % self.hub_port)
        report.until("JupyterHub is ready", 60, lambda: self.answers(browser), pause=0.01)
        return time.monotonic() - start

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(10)

    def fill(self, n_users):
        db = sqlite3.connect(self.dir + "/jupyterhub.sqlite")
        with db:
            db.executemany("INSERT INTO users (name, admin, created, encrypted_auth_state, cookie_id) "
                           "VALUES (?, 0, datetime('now'), NULL, ?)",
                           [(n, secrets.token_hex(16)) for n in user_names(n_users)])
            db.execute("INSERT OR IGNORE INTO user_role_map (user_id, role_id) "
                       "SELECT users.id, roles.id FROM users, roles WHERE roles.name = 'user'")
        db.close()

    def login_form(self):
        return "", ""

    def end(self):
        self.stop()
        self.proxy.stop()
        shutil.rmtree(self.dir, ignore_errors=True)
