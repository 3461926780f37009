#!/usr/bin/python3
"""Managed services under root: whose processes they are, the real client library, the idle culler.

The service is written with Debian's jupyterhub.services.auth; the culler is the
real one where CARREL_CULLER names a directory with it, else its requests.
"""
import atexit
import os
import pwd
import re
import shutil
import signal
import socket
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../lib"))
import accounts
import report
from ports import free_port
from report import bin_dir, claim, equal, until
from web import Browser, hidden, wait_http
from world import Carrel

report.group("root", "pam", "services")
if not accounts.can_make():
    report.skip("managed services", "needs root: it makes Unix accounts")
    report.finish()

ann = accounts.Account("carreltsvcann")
ben = accounts.Account("carreltsvcben")
boss = accounts.Account("carreltsvcboss", groups=["sudo"])
helper = accounts.Account("carreltsvchelper", groups=["games"])
PORT = free_port()
CONFIG = """\
auth:
  allow_all: true
  admin_groups: [sudo]
  load_roles:
    - {name: users-of-whoami, scopes: ["access:services!service=whoami"], users: [%s]}
    - name: culler
      scopes: [list:users, read:users:activity, read:servers, delete:servers]
      services: [culler]
activity: {interval: 1s}
service_check_interval: 2s
services:
  whoami: {url: "http://127.0.0.1", managed: whoami}
  culler: {managed: culler}
  taken: {url: "http://127.0.0.1:%d", managed: tiny}
  superuser: {url: "http://127.0.0.1", managed: superuser}
  hidden-root: {managed: hidden-root}
  ghost: {managed: ghost}
  lost: {managed: lost}
""" % (ann.name, PORT)
POLICY = """\
profiles:
  default: {command: [/usr/bin/python3, @DIR@/tiny_server.py]}
services:
  whoami: {command: [/usr/bin/python3, @DIR@/oauth_service.py], limits: {pids: 50}}
  culler:
    command: [/usr/bin/python3, @CULLER@]
    cwd: @DIR@
    user: carreltsvchelper
    environment: {PATH: /usr/bin:/bin, PYTHONPATH: "@CULLER_DIR@"}
  tiny: {command: [/usr/bin/python3, @DIR@/tiny_service.py]}
  superuser: {command: [/usr/bin/python3, @DIR@/tiny_service.py], user: root}
  hidden-root: {command: [/bin/sleep, "1000"], user: carreltsvctoor}
  ghost: {command: [/bin/sleep, "1000"], user: carreltsvcghost}
  lost: {command: [/bin/sleep, "1000"], cwd: "@DIR@/private"}
"""


class World(Carrel):
    def _write(self, name, text, extra=""):
        culler = os.environ.get("CARREL_CULLER", "")
        words = "-m, jupyterhub_idle_culler, --timeout=3, --cull-every=1, --api-page-size=1" if culler else \
            self.dir + "/culler_requests.py, '3', '1'"
        return super()._write(name, text.replace("@DIR@", self.dir).replace("@CULLER@", words)
                              .replace("@CULLER_DIR@", culler), extra)

    def configure(self, text):
        self._write("carrel.yaml", text, extra="hub:\n  port: %d\n" % self.hub_port)


def remove_toor():
    subprocess.run(["userdel", "-f", "carreltsvctoor"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


remove_toor()
atexit.register(remove_toor)
subprocess.run(["useradd", "-o", "-u", "0", "-M", "carreltsvctoor"], check=True)
squatter = socket.socket()
squatter.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
carrel = World(CONFIG, POLICY)
os.mkdir(carrel.dir + "/private", 0o700)
for name in ("tiny_server.py", "tiny_service.py", "oauth_service.py", "culler_requests.py"):
    shutil.copy(os.path.join(HERE, "../lib", name), carrel.dir)
    os.chmod(os.path.join(carrel.dir, name), 0o644)
at_boss = Browser(carrel.url)


def service(name, state=None, seconds=30, other_than=0):
    def ask():
        try:
            answer = at_boss.api("GET", "/services/" + name)
        except OSError:  # the proxy is away
            return None
        if answer.status != 200:
            return None
        m = answer.json()
        return m if state in (None, m["status"]) and m["pid"] != (other_than or -1) else None
    return until("service %s is %s" % (name, state), seconds, ask)


def status_of(pid):
    with open("/proc/%d/status" % pid) as f:
        return dict(line.rstrip("\n").split(":\t", 1) for line in f if ":\t" in line)


def begin():
    """Somebody sits on the port of one service already."""
    squatter.bind(("127.0.0.1", PORT))
    squatter.listen()
    carrel.start()
    equal(at_boss.login(boss.name, boss.password).status, 302, "login of the administrator")
    at_boss.get("/hub/home")
    service("whoami", "running")
    service("culler", "running")


def whose_processes():
    own = pwd.getpwnam("carrel-services")
    claim(own.pw_uid < 1000 and own.pw_shell.endswith("nologin"), "carrel-services is no system account")
    for name, uid, groups in (("whoami", own.pw_uid, {own.pw_gid}),
                              ("culler", helper.uid, set(os.getgrouplist(helper.name, helper.gid)))):
        s = status_of(service(name)["pid"])
        equal(s["Uid"].split(), [str(uid)] * 4, "uids of " + name)
        equal({int(g) for g in s["Groups"].split()}, groups, "groups of " + name)
        equal((s["NoNewPrivs"], int(s["CapEff"], 16), int(s["CapPrm"], 16)), ("1", 0, 0), "privileges of " + name)
    equal(os.readlink("/proc/%d/cwd" % service("culler")["pid"]), carrel.dir, "directory of the culler")
    reader = subprocess.run(["setpriv", "--reuid", ann.name, "--regid", ann.name, "--init-groups", "cat",
                             "/proc/%d/environ" % service("whoami")["pid"]], stdout=subprocess.PIPE,
                            stderr=subprocess.DEVNULL)
    equal((reader.returncode != 0, reader.stdout), (True, b""), "a person reads a service's token")
    with open("/proc/%d/cmdline" % service("whoami")["pid"], "rb") as f:
        claim(not re.search(rb"[0-9a-f]{32}", f.read()), "a token in argv")


def root_only_by_name():
    m = service("superuser", "running")
    equal(status_of(m["pid"])["Uid"].split(), ["0"] * 4, "the one that says root")
    claim('only where spawner.yaml says "user: root"' in service("hidden-root", "failed")["failure"], "another uid 0")
    claim("there is no account carreltsvcghost" in service("ghost", "failed")["failure"], "an account of nobody")
    failure = service("lost", "failed")["failure"]
    claim("/private cannot be entered by carrel-services" in failure, "a directory that is not its own: %r" % failure)


def taken_port():
    """A stranger's listener gets no route, no people and no cookies."""
    m = service("taken", "failed")
    claim("listens on port %d" % PORT in m["failure"] or "Address already in use" in m["tail"],
          "why it failed: %r %r" % (m["failure"], m["tail"]))
    claim("/services/taken/" not in at_boss.api("GET", "/proxy?limit=200").json(), "it has a route")
    squatter.close()
    service("taken", "running", 90)
    claim(at_boss.get("/services/taken/env").status == 200, "once the port is free it serves")


def real_client():
    """HubOAuth of Debian's jupyterhub: question, cookie, access."""
    at_ann = Browser(carrel.url)
    equal(at_ann.login(ann.name, ann.password).status, 302, "login of ann")
    page = at_ann.get("/services/whoami/")
    claim("JupyterHub service whoami" in page.text, "nobody asked: %d %s" % (page.status, page.text[:200]))
    scopes = re.findall(r'name="scopes" value="([^"]+)"', page.text)
    answer = at_ann.post(page.url, [("_xsrf", hidden(page.text)["_xsrf"])] + [("scopes", s) for s in scopes])
    equal(answer.json()["name"], ann.name, "whom the service sees")
    equal(at_ann.get("/services/whoami/", follow=False).json()["name"], ann.name, "by the service's cookie")
    token = at_boss.api("POST", "/users/%s/tokens" % ann.name, {"note": "for the service"}).json()["token"]
    by_token = Browser(carrel.url).get("/services/whoami/", headers={"Authorization": "token " + token}, follow=False)
    equal(by_token.json()["name"], ann.name, "by a token")
    at_ben = Browser(carrel.url)
    at_ben.login(ben.name, ben.password)
    equal(at_ben.get("/services/whoami/").status, 403, "somebody without access")
    token = at_boss.api("POST", "/users/%s/tokens" % ben.name, {}).json()["token"]
    refused = Browser(carrel.url).get("/services/whoami/", headers={"Authorization": "token " + token}, follow=False)
    claim(refused.status in (302, 403), "a token without access: %d" % refused.status)


def culler():
    """Idle servers are stopped, page after page; the service may do nothing else."""
    for who in (ann, ben):
        answer = at_boss.api("POST", "/users/%s/server" % who.name, timeout=60)
        claim(answer.status in (201, 202), "start of a server: %d %s" % (answer.status, answer.text[:300]))

    def at_rest():
        return all(not at_boss.api("GET", "/users/" + who.name).json()["servers"] for who in (ann, ben))
    until("idle servers are culled", 60, at_rest)
    claim(not ann.processes() and not ben.processes(), "processes are left")
    with open("/proc/%d/environ" % service("culler")["pid"], "rb") as f:
        token = dict(p.split(b"=", 1) for p in f.read().split(b"\0") if p)[b"JUPYTERHUB_API_TOKEN"].decode()
    by_culler = {"Authorization": "token " + token}
    equal(Browser(carrel.url).get("/hub/api/users", headers=by_culler).status, 200, "the culler's token")
    equal(Browser(carrel.url).request("POST", "/hub/api/users/zoe", headers=by_culler).status, 403, "beyond its role")
    os.kill(service("culler")["pid"], signal.SIGKILL)
    until("its token ends with it", 20,
          lambda: Browser(carrel.url).get("/hub/api/users", headers=by_culler).status == 403)
    service("culler", "running")


def comes_back():
    for name in ("whoami", "culler"):
        old = service(name, "running")["pid"]
        os.kill(old, signal.SIGKILL)
        service(name, "running", 30, other_than=old)


def outlives():
    pids = {n: service(n, "running")["pid"] for n in ("whoami", "culler", "superuser")}
    for program in ("hub", "spawner", "proxy"):
        carrel.kill(program)
    until("the hub serves again", 30, lambda: service("whoami", "running"))
    for name, pid in pids.items():
        equal(service(name, "running")["pid"], pid, "pid of %s after all three were killed" % name)
    wait_http(Browser(carrel.url), "/services/superuser/env", 200, 30)


def keeper_killed():
    """Without its keeper a service is ended, and begins again."""
    pid = service("culler", "running")["pid"]
    with open("/proc/%d/status" % pid) as f:
        keeper = int(re.search(r"^PPid:\s+(\d+)", f.read(), re.M).group(1))
    os.kill(keeper, signal.SIGKILL)
    service("culler", "running", 30, other_than=pid)
    until("the first one is gone", 20, lambda: not os.path.exists("/proc/%d" % pid))


def removed():
    pids = {n: service(n, "running")["pid"] for n in ("whoami", "culler")}
    text = CONFIG.replace('  whoami: {url: "http://127.0.0.1", managed: whoami}\n', "")
    carrel.configure(text.replace("  load_roles:\n", "  load_groups: {}\n  load_roles:\n"))
    carrel.kill("hub", signal.SIGTERM)
    until("what is not configured any more ends", 30, lambda: not os.path.exists("/proc/%d" % pids["whoami"]))
    equal(service("culler", "running")["pid"], pids["culler"], "the other one")


def stopped():
    """`carrel up` leaves them running, `carrel stop --all` ends them."""
    pid = service("culler", "running")["pid"]
    carrel.stop()
    claim(os.path.exists("/proc/%d" % pid), "it ended with carrel up")
    listed = subprocess.run([bin_dir() + "/carrel-spawner", "--list", "--run-dir", carrel.run_dir], text=True,
                            stdout=subprocess.PIPE, timeout=60).stdout
    claim("service:culler" in listed and helper.name in listed, "--list says %r" % listed)
    carrel.stop_servers()
    until("it is stopped", 20, lambda: not os.path.exists("/proc/%d" % pid))


report.run([
    ("services begin with the hub", begin),
    ("each is the process of the account that root names, without privileges", whose_processes),
    ("root runs what says root, and nothing else", root_only_by_name),
    ("another account's listener on the port is refused", taken_port),
    ("the real client library logs people in", real_client),
    ("the idle culler stops idle servers", culler),
    ("kill -9 starts them again", comes_back),
    ("they outlive hub, spawner and proxy", outlives),
    ("without its keeper a service begins again", keeper_killed),
    ("out of the configuration, out of the machine", removed),
    ("carrel stop --all ends them", stopped),
], on_failure=carrel.print_lines)
carrel.clean()
report.finish()
