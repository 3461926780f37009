#!/usr/bin/python3
"""Our hub and spawner with configurable-http-proxy from npm in our proxy's place:
log in, start, a WebSocket and a real kernel, named servers, a hub that is started
again, and a CHP that is started again without its routes."""
# timeout: 240
import http.client
import json
import os
import shutil
import signal
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
LIB = os.path.join(HERE, "../lib")
sys.path.insert(0, LIB)
import chp
import report
from programs import Programs
from report import claim, equal, until
from tunnels import Tunnels
from web import Browser, Kernel, wait_http

CONFIG = """\
hub:
  port: %(hub_port)d
server:
  allow_named_servers: true
proxy:
  check_interval: 2s
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
      PATH: /usr/local/bin:/usr/bin:/bin
      LANG: C.UTF-8
      JUPYTERHUB_SINGLEUSER_APP: notebook.notebookapp.NotebookApp
"""
SINGLE_USER = "/usr/bin/jupyterhub-singleuser"


class WithChp(Programs):
    def __init__(self, profile):
        super().__init__(profile, CONFIG, POLICY)
        shutil.copy(os.path.join(LIB, "tunnels.py"), self.dir)
        # the account of the test may not see the clone
        shutil.copytree(chp.HOME + "/node_modules", self.dir + "/node_modules")

    def begin(self, name, ready=True):
        if name != "proxy":
            super().begin(name, ready)
            return
        own = chp.PROGRAM.replace(chp.HOME, self.dir)
        argv = [shutil.which("node"), own] + chp.without_ours(self.argv("proxy"))
        if self.account:
            argv = ["setpriv", "--reuid", self.account.name, "--regid", self.account.name, "--init-groups"] + argv
        p = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, cwd="/",
                             env={"PATH": "/usr/bin:/bin", "HOME": self.dir + "/home",
                                  "CONFIGPROXY_AUTH_TOKEN": self.token})
        self.watch(name, p)
        self.wait(name)


def begin(profile):
    global carrel
    carrel = WithChp(profile)
    for name in ("spawner", "proxy", "hub"):
        carrel.begin(name)
    b = Browser(carrel.url)
    equal(b.login("ann", "x").status, 302, "login")
    b.start_server("ann")
    return b


def add_named(b, name):
    answer = b.api("POST", "/users/ann/servers/" + name)
    claim(answer.status in (201, 202), "start of %s answers %d: %s" % (name, answer.status, answer.text[:200]))

    def is_ready():
        model = b.api("GET", "/users/ann").json()
        return model["servers"].get(name, {}).get("ready")
    until("the server %s" % name, 60, is_ready)


def tunnels_open(paths):
    t = Tunnels(carrel.port, len(paths), lambda i: paths[i], pause=0.05)
    until("tunnels to open", 20, lambda: t.opened() == len(paths) or t.wrong())
    claim(not t.wrong(), "tunnels: %s" % t.wrong()[:2])
    return t


def flows(t):
    before = t.least()
    until("bytes in every tunnel", 20, lambda: t.least() > before or t.wrong())
    claim(not t.wrong(), "tunnels: %s" % t.wrong()[:2])


def routes():
    c = http.client.HTTPConnection("127.0.0.1", carrel.api_port, timeout=20)
    c.request("GET", "/api/routes", headers={"Authorization": "token " + carrel.token})
    answer = c.getresponse()
    equal(answer.status, 200, "listing of CHP")
    return json.loads(answer.read())


def routes_and_restarts():
    """Small servers that echo."""
    b = begin(["/usr/bin/python3", "@DIR@/tunnels.py"])
    for name in ("lab", "second"):
        add_named(b, name)
    paths = ["/user/ann/ws", "/user/ann/lab/ws", "/user/ann/second/ws"]
    t = tunnels_open(paths)
    for signo in (signal.SIGTERM, signal.SIGKILL):
        carrel.end("hub", signo)
        flows(t)
        carrel.begin("hub")
        wait_http(b, "/hub/home", 200)
        until("the servers of before", 30, lambda: len(
            [s for s in b.api("GET", "/users/ann").json()["servers"].values() if s["ready"]]) == 3)
        flows(t)
    claim(not t.finish(), "the tunnels outlive the hub's restarts")
    carrel.end("proxy")
    carrel.begin("proxy")  # it comes without a route
    for path in paths:
        wait_http(b, path, 200, seconds=30)
    t = tunnels_open(paths)
    flows(t)
    claim(not t.finish(), "tunnels after CHP was started again")
    answer = b.api("DELETE", "/users/ann/servers/lab")
    claim(answer.status in (202, 204), "stop answers %d" % answer.status)
    until("the route of what was stopped to go", 30, lambda: "/user/ann/lab" not in routes())
    equal({p for p in routes() if p != "/"}, {"/user/ann", "/user/ann/second"}, "routes that stay")
    wait_http(b, "/user/ann/second/ws", 200)


def real_kernel():
    b = begin([SINGLE_USER])
    kernel = Kernel(b, "ann")
    equal(kernel.execute("6 * 7"), "42", "the kernel's answer")
    equal(len(kernel.execute("print('x' * 1000000)")), 1000001, "a megabyte over the WebSocket")
    carrel.end("hub", signal.SIGKILL)
    equal(kernel.execute("1 + 1"), "2", "without a hub")
    carrel.begin("hub")
    wait_http(b, "/hub/home", 200)
    equal(kernel.execute("40 + 2"), "42", "and with the next one")
    kernel.close()


carrel = None


def story(fn):
    def test():
        try:
            fn()
        except Exception:
            if carrel:
                carrel.print_lines()
            raise
        finally:
            if carrel:
                carrel.clean()
    return test


def main():
    report.group("chp")
    tests = [("our hub over CHP: servers, named ones, tunnels, restarts", routes_and_restarts),
             ("our hub over CHP: a real kernel", real_kernel)]
    for name, fn in tests:
        reason = chp.missing()
        if fn is real_kernel and not os.path.exists(SINGLE_USER):
            reason = reason or "there is no %s" % SINGLE_USER
        if reason:
            report.skip(name, reason)
        else:
            report.run([(name, story(fn))])
    report.finish()


if __name__ == "__main__":
    main()
