#!/usr/bin/python3
"""A stock JupyterHub (Debian's) with carrel-proxy in the place of
configurable-http-proxy: log in, start, run a kernel over a WebSocket, named
servers, a hub that is killed and one that is started again; and the same with its
internal TLS, where it has certipy."""
# timeout: 240
import os
import shutil
import signal
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
import accounts
import report
from ports import free_port
from report import claim, equal, until
from web import Browser, Kernel

report.group("root", "pam", "single-user")
if not accounts.can_make():
    report.skip("stock JupyterHub", "needs root: it makes a Unix account")
    report.finish()
if not shutil.which("jupyterhub"):
    report.skip("stock JupyterHub", "there is no jupyterhub (Debian's package of that name)")
    report.finish()

CONFIG = """
c.JupyterHub.bind_url = "http://127.0.0.1:%(port)d"
c.JupyterHub.hub_port = %(hub_port)d
c.ConfigurableHTTPProxy.command = ["%(proxy)s", "--workers", "2"]
c.ConfigurableHTTPProxy.api_url = "%(scheme)s://127.0.0.1:%(api_port)d"
c.ConfigurableHTTPProxy.pid_file = "%(dir)s/proxy.pid"
c.JupyterHub.db_url = "sqlite:///%(dir)s/hub.sqlite"
c.JupyterHub.cookie_secret_file = "%(dir)s/cookie_secret"
c.JupyterHub.cleanup_servers = False
c.JupyterHub.internal_ssl = %(internal)r
c.JupyterHub.internal_certs_location = "%(dir)s/internal-ssl"
c.JupyterHub.allow_named_servers = True
c.Spawner.environment = {"JUPYTERHUB_SINGLEUSER_APP": "notebook.notebookapp.NotebookApp"}
c.Spawner.start_timeout = 90
c.Spawner.http_timeout = 60
c.PAMAuthenticator.open_sessions = False
"""


class Hub:
    def __init__(self, internal=False):
        self.dir = tempfile.mkdtemp(prefix="carrel-jupyterhub-")
        os.chmod(self.dir, 0o755)
        self.port = free_port()
        with open(os.path.join(self.dir, "config.py"), "w") as f:
            f.write(CONFIG % {
                "port": self.port, "hub_port": free_port(), "api_port": free_port(), "dir": self.dir,
                "proxy": os.path.abspath(os.path.join(report.bin_dir(), "carrel-proxy")),
                "scheme": "https" if internal else "http", "internal": internal})
        self.url = "http://127.0.0.1:%d" % self.port

    def start(self):
        self.out = open(os.path.join(self.dir, "out"), "ab")
        # /usr/bin first: the servers are Debian's, like the hub
        env = dict(os.environ, PATH="/usr/bin:/bin:/usr/sbin:/sbin")
        self.process = subprocess.Popen(["jupyterhub", "-f", "config.py"], cwd=self.dir, env=env,
                                        stdout=self.out, stderr=subprocess.STDOUT, start_new_session=True)
        until("JupyterHub to answer", 60, self.answers)
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

    def kill(self):
        """kill -9: its proxy goes on, and the next hub ends it by its pid file."""
        self.process.kill()
        self.process.wait()
        self.out.close()

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.out.close()


def first_reader(hub, account):
    b = Browser(hub.url)
    equal(b.login(account.name, account.password, follow=False).status, 302, "login")

    def ready():
        page = b.get("/hub/spawn")
        return page.status == 200 and "/user/%s/" % account.name in page.url and page
    until("the server to be ready", 90, ready, pause=0.5)
    kernel = Kernel(b, account.name)
    equal(kernel.execute("6 * 7"), "42", "the kernel's answer")
    equal(len(kernel.execute("print('x' * 1000000)")), 1000001, "a megabyte over the WebSocket")
    return b, kernel


def named_server(b, account):
    name = account.name
    xsrf = {"X-XSRFToken": b.cookie("_xsrf") or "", "Referer": b.base + "/hub/home"}
    answer = b.request("POST", "/hub/api/users/%s/servers/second" % name, "{}", xsrf, 90)
    claim(answer.status in (201, 202), "start of a named server: %d %s" % (answer.status, answer.text[:200]))
    until("the named server", 90, lambda: b.get("/user/%s/second/tree" % name).status == 200, pause=0.5)


def after_restart(hub, b, account, with_named):
    hub.start()
    for path in ["/user/%s/tree" % account.name] + ["/user/%s/second/tree" % account.name] * with_named:
        until(path + " behind the next hub", 30, lambda: b.get(path).status == 200, pause=0.5)
    kernel = Kernel(b, account.name)
    equal(kernel.execute("40 + 2"), "42", "a kernel after the hub was started again")
    return kernel


def story(internal):
    # of this run alone: others may test on this machine
    account = accounts.Account("carreltj%d" % os.getpid())
    hub = Hub(internal).start()
    try:
        b, kernel = first_reader(hub, account)
        if not internal:
            named_server(b, account)
        hub.kill()
        equal(kernel.execute("1 + 1"), "2", "the open WebSocket without a hub")
        kernel.ws.close()
        kernel = after_restart(hub, b, account, not internal)
        kernel.close()
        hub.stop()
        after_restart(hub, b, account, not internal).close()
    except Exception:
        print("---- JupyterHub said:\n" + hub.output())
        raise
    finally:
        hub.stop()
        accounts.remove(account.name)
        shutil.rmtree(hub.dir, ignore_errors=True)


def main():
    tests = [("a stock JupyterHub", lambda: story(False))]
    python = subprocess.run(["/usr/bin/python3", "-c", "import certipy"], capture_output=True)
    if python.returncode == 0:
        tests.append(("with its internal TLS", lambda: story(True)))
    report.run(tests)
    if python.returncode != 0:
        report.skip("with its internal TLS", "there is no certipy for /usr/bin/python3")
    report.finish()


if __name__ == "__main__":
    main()
