#!/usr/bin/python3
"""Services, as one account: external and managed ones, who gets in, what the hub does when they end."""
import json
import os
import re
import shutil
import signal
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../lib"))
import report
from ports import free_port
from programs import CONFIG, POLICY, Programs
from report import claim, equal, until
from rest import Caller
from web import Browser, hidden, wait_http

report.group("services")
TOKEN = "0123456789abcdef0123456789abcdef"
OUTSIDE_PORT, FIXED_PORT = free_port(), free_port()
SERVICES = """\
services:
  outside:
    url: http://127.0.0.1:%d
    api_token: %s
    info: {owner: somebody, level: 3}
    oauth_client_allowed_scopes: [read:servers!user]
  kept:
    url: http://127.0.0.1
    managed: tiny
    oauth_no_confirm: true
  fixed:
    url: http://127.0.0.1:%d
    managed: tiny
    display: false
  silent: {api_token: %s}
  worker: {managed: worker}
  broken: {managed: broken}
  unknown: {managed: nowhere}
""" % (OUTSIDE_PORT, TOKEN, FIXED_PORT, TOKEN.replace("0", "f"))
ROLES = """\
  load_roles:
    - {name: reader, scopes: [list:services, "read:services!service=outside"], users: [reader]}
    - {name: guest, scopes: ["access:services!service=outside", "access:services!service=kept"],
       users: [alice, bob]}
    - {name: counter, scopes: [list:users, read:users:activity], services: [outside, worker]}
"""
PROGRAMS = POLICY + """\
services:
  tiny: {command: [/usr/bin/python3, @DIR@/tiny_service.py]}
  worker: {command: [/bin/sleep, "100000"], cwd: /tmp}
  broken: {command: [/bin/sh, -c, "echo it hurts >&2; exit 7"], stop_grace: 1s}
"""


class World(Programs):
    def _write(self, name, text):
        super()._write(name, text.replace("@DIR@", self.dir))


def config(services=SERVICES, roles=ROLES):
    text = CONFIG.replace("  allow_all: true\n", "  allow_all: true\n  admin_users: [boss]\n" + roles)
    return text + services.replace("%", "%%") + "service_check_interval: 1s\n"


def restart_hub(services=SERVICES, roles=ROLES):
    carrel.end("hub")
    carrel._write("carrel.yaml", config(services, roles) % {"hub_port": carrel.hub_port})
    carrel.begin("hub")


carrel = World(["/usr/bin/python3", "@DIR@/tiny_server.py"], config(), PROGRAMS)
for name in ("tiny_server.py", "tiny_service.py"):
    shutil.copy(os.path.join(HERE, "../lib", name), carrel.dir)
    os.chmod(os.path.join(carrel.dir, name), 0o644)


def service(name, state=None, seconds=20):
    """What the hub says of it, once it is in that state."""
    def ask():
        m = boss.ok(200, "GET", "/services/" + name).json()
        return m if state in (None, m["status"]) else None
    return until("service %s is %s" % (name, state), seconds, ask)


def own(name):
    """What the service says of itself, by its token."""
    return Browser(carrel.url).get("/services/%s/self" % name, follow=False)


def routes():
    return {path.rstrip("/"): r for path, r in boss.ok(200, "GET", "/proxy?limit=200").json().items()}


def begin():
    global boss
    for name in ("spawner", "proxy", "hub"):
        carrel.begin(name)
    wait_http(Browser(carrel.url), "/hub/health", 200)
    boss = Caller(carrel, "boss")
    service("kept", "running")
    service("fixed", "running")
    service("worker", "running")


# ---- what is shown ----

def models():
    m = service("outside")
    equal({k: m[k] for k in ("kind", "name", "admin", "url", "prefix", "command", "pid", "info", "display", "roles",
                             "status")},
          {"kind": "service", "name": "outside", "admin": False, "url": "http://127.0.0.1:%d" % OUTSIDE_PORT,
           "prefix": "/services/outside/", "command": [], "pid": 0, "info": {"owner": "somebody", "level": 3},
           "display": True, "roles": ["counter"], "status": "external"}, "an external service")
    m = service("kept")
    equal((m["managed"], m["info"], m["roles"], m["failure"]), ("tiny", {}, [], None), "a managed one")
    claim(os.path.exists("/proc/%d" % m["pid"]), "its pid %d is nobody's" % m["pid"])
    every = boss.ok(200, "GET", "/services").json()
    equal(sorted(every), ["broken", "fixed", "kept", "outside", "silent", "unknown", "worker"], "all of them")
    boss.no(404, "No such service: nothing", "GET", "/services/nothing")
    boss.no(405, None, "PUT", "/services/kept", {})


def models_by_scope():
    reader = Caller(carrel, "reader")
    every = reader.ok(200, "GET", "/services").json()
    equal(every["kept"], {"kind": "service", "name": "kept", "admin": False}, "the name only")
    claim("info" in every["outside"] and "roles" not in every["outside"], "read:services without roles")
    equal(reader.ok(200, "GET", "/services/kept").json(), every["kept"], "one of them")
    token = boss.token_of("boss", scopes=["list:services!service=kept"])
    equal(list(token.ok(200, "GET", "/services").json()), ["kept"], "a filtered list")
    token.no(404, "No access to resources or resources not found", "GET", "/services/outside")
    token = boss.token_of("boss", scopes=["read:roles:services!service=outside"])
    equal(token.ok(200, "GET", "/services/outside").json(),
          {"kind": "service", "name": "outside", "roles": ["counter"]}, "the roles only")
    Caller(carrel, "alice").no(403, None, "GET", "/services")
    Caller(carrel, "alice").no(403, None, "GET", "/services/kept")


def a_service_calls():
    """By the token of the configuration: what its roles permit, and no more."""
    caller = Caller(carrel, token=TOKEN)
    me = caller.ok(200, "GET", "/user").json()
    equal((me["kind"], me["name"], me["admin"], me["session_id"]), ("service", "outside", False, None), "who it is")
    claim(re.fullmatch("a[0-9]+", me["token_id"]), "its token's id is %r" % me["token_id"])
    claim("list:users" in me["scopes"] and "read:users:name" in me["scopes"], "its scopes: %r" % me["scopes"])
    claim("boss" in [u["name"] for u in caller.ok(200, "GET", "/users").json()], "it lists users")
    caller.no(403, None, "POST", "/users/zoe")
    until("the audit log names the service", 10,
          lambda: [x for x in carrel.lines if "event=change actor=outside via=service" in x])
    caller.no(403, None, "GET", "/services")
    caller.no(403, "Service boss not found or no permissions to generate tokens", "POST", "/users/boss/tokens")
    for path in ("/users/", "/users/x", "/users/boss/server", "/groups", "/info"):
        claim(caller.call("GET", path).status in (403, 404), "GET %s is not refused" % path)
    none = Caller(carrel, token=TOKEN.replace("0", "f")).ok(200, "GET", "/user").json()
    equal((none["name"], none["scopes"]), ("silent", ["access:services!service=silent"][:len(none["scopes"])]),
          "one without roles")


def environment():
    env = json.loads(Browser(carrel.url).get("/services/kept/env").text)
    port = env["JUPYTERHUB_SERVICE_URL"]
    claim(re.fullmatch(r"http://127\.0\.0\.1:\d+", port), "where it listens: %r" % port)
    wanted = {"JUPYTERHUB_SERVICE_NAME": "kept", "JUPYTERHUB_SERVICE_PREFIX": "/services/kept/",
              "JUPYTERHUB_CLIENT_ID": "service-kept", "JUPYTERHUB_BASE_URL": "/", "JUPYTERHUB_USER": "",
              "JUPYTERHUB_API_URL": "http://127.0.0.1:%d/hub/api" % carrel.hub_port,
              "JUPYTERHUB_OAUTH_CALLBACK_URL": "/services/kept/oauth_callback",
              "JUPYTERHUB_OAUTH_ACCESS_SCOPES": '["access:services", "access:services!service=kept"]',
              "JUPYTERHUB_OAUTH_CLIENT_ALLOWED_SCOPES": "[]"}
    equal({k: env.get(k) for k in wanted}, wanted, "its environment")
    claim("JUPYTERHUB_ACTIVITY_URL" not in env and "JUPYTERHUB_ACTIVITY_URL" not in env, "an address for activity")
    fixed = json.loads(Browser(carrel.url).get("/services/fixed/env").text)
    equal(fixed["JUPYTERHUB_SERVICE_URL"], "http://127.0.0.1:%d" % FIXED_PORT, "the port of the configuration")
    equal(json.loads(own("kept").text)["name"], "kept", "whom its token speaks for")
    with open("/proc/%d/environ" % service("worker")["pid"], "rb") as f:
        worker = dict(p.split(b"=", 1) for p in f.read().split(b"\0") if p)
    claim(b"JUPYTERHUB_SERVICE_URL" not in worker and b"JUPYTERHUB_CLIENT_ID" not in worker, "a worker has no url")
    equal(os.readlink("/proc/%d/cwd" % service("worker")["pid"]), "/tmp", "its directory")


# ---- logging in ----

def login_with_question():
    """An external service of the test's own; people are asked once."""
    env = {"JUPYTERHUB_SERVICE_PREFIX": "/services/outside/", "JUPYTERHUB_CLIENT_ID": "service-outside",
           "JUPYTERHUB_API_URL": "http://127.0.0.1:%d/hub/api" % carrel.hub_port, "JUPYTERHUB_BASE_URL": "/",
           "JUPYTERHUB_API_TOKEN": TOKEN, "JUPYTERHUB_OAUTH_CALLBACK_URL": "/services/outside/oauth_callback",
           "JUPYTERHUB_SERVICE_URL": "http://127.0.0.1:%d" % OUTSIDE_PORT}
    equal(Browser(carrel.url).get("/services/outside/", follow=False).status, 503, "while it does not run")
    outside = subprocess.Popen([sys.executable, os.path.join(HERE, "../lib/tiny_service.py")],
                               env=dict(os.environ, **env), stderr=subprocess.DEVNULL)
    try:
        wait_http(Browser(carrel.url), "/services/outside/env", 200)
        until("the hub sees that it answers", 15, lambda: service("outside")["answers"] is True)
        ask_alice()
        refuse_carl()
        revoke()
    finally:
        outside.kill()
        outside.wait()
    until("the hub sees that it does not answer", 15, lambda: service("outside")["answers"] is False)


def ask_alice():
    alice = Caller(carrel, "alice").browser
    page = alice.get("/services/outside/")
    claim("JupyterHub service outside" in page.text and "/oauth2/authorize" in page.url, "nobody asked: " + page.url)
    claim("read:servers!user=alice" in page.text, "what it wants is not told")
    form = dict(hidden(page.text))
    scopes = re.findall(r'name="scopes" value="([^"]+)"', page.text)
    answer = alice.post(page.url, [("_xsrf", form["_xsrf"])] + [("scopes", s) for s in scopes])
    claim(answer.status == 200, "after the question: %d %s" % (answer.status, answer.text[:300]))
    me = json.loads(answer.text)
    equal((me["kind"], me["name"]), ("user", "alice"), "whom the service sees")
    claim("access:services!service=outside" in me["scopes"], "access is granted: %r" % me["scopes"])
    claim("read:servers!user=alice" in me["scopes"] and "users:activity" not in str(me["scopes"]), "what was allowed")
    alice.jar.pop(("service-outside", "/services/outside/"))
    equal(json.loads(alice.get("/services/outside/").text)["name"], "alice", "the second time nobody asks")
    alice.jar.pop(("service-outside", "/services/outside/"))
    refused = alice.get("/services/outside/?servers")
    equal((refused.status, refused.text), (403, "error: invalid_scope"), "more than it may ask for")


def refuse_carl():
    carl = Caller(carrel, "carl").browser
    page = carl.get("/services/outside/")
    equal(page.status, 403, "somebody without access")
    claim("You do not have permission to access JupyterHub service outside" in page.text, "it says whose")


def revoke():
    """Logging out ends what the service holds of this browser."""
    bob = Caller(carrel, "bob").browser
    page = bob.get("/services/outside/")
    scopes = re.findall(r'name="scopes" value="([^"]+)"', page.text)
    bob.post(page.url, [("_xsrf", hidden(page.text)["_xsrf"])] + [("scopes", s) for s in scopes])
    equal(json.loads(bob.get("/services/outside/").text)["name"], "bob", "bob is in")
    bob.get("/hub/logout")
    equal(json.loads(bob.get("/services/outside/").text)["refused"], 403, "his token at the service")


def login_without_question():
    alice = Caller(carrel, "alice").browser
    equal(json.loads(alice.get("/services/kept/").text)["name"], "alice", "oauth_no_confirm")
    equal(Caller(carrel, "carl").browser.get("/services/kept/").status, 403, "it is no way around access")


def pages():
    alice = Caller(carrel, "alice").browser.get("/hub/home").text
    claim('href="/services/kept/"' in alice and 'href="/services/outside/"' in alice, "her services are not shown")
    claim("fixed" not in alice and "worker" not in alice, "what is not to be shown is")
    claim("/services/" not in Caller(carrel, "carl").browser.get("/hub/home").text, "services of others are shown")
    boss_home = boss.browser.get("/hub/home").text
    claim('href="/services/kept/"' in boss_home and "fixed" not in boss_home, "an administrator's services")
    equal(Caller(carrel, "carl").browser.get("/hub/services/kept/x").status, 404, "somebody without access")
    equal(Caller(carrel, "alice").browser.get("/hub/services/none/").status, 404, "no such service")


# ---- made over REST ----

def made_at_runtime():
    port = free_port()
    spec = {"url": "http://127.0.0.1:%d" % port, "api_token": "runtime-token-0123456789", "info": {"a": 1},
            "oauth_no_confirm": True, "oauth_client_allowed_scopes": ["read:servers!user"]}
    for body, status, said in (
            (None, 400, "Body must be a JSON object"), ([1], 400, None), ({"urll": "x"}, 400, "Invalid JSON keys: urll"),
            ({"url": 1}, 400, "service.url must be a string, not: a number"), ({"url": "ftp://x"}, 400, None),
            ({"command": ["/bin/sh"]}, 400, None), ({"api_token": "short"}, 400, None), ({"api_token": TOKEN}, 409, None),
            ({"oauth_client_allowed_scopes": ["x:y"]}, 400, None), ({"oauth_client_allowed_scopes": [1]}, 400, None),
            ({"api_token": "a" * 20, "oauth_redirect_uri": "//evil"}, 400, None),
            ({"oauth_no_confirm": True}, 400, None),
            (dict(spec, oauth_client_id="other"), 400, None), (dict(spec, oauth_client_id="service-kept"), 409, None)):
        boss.no(status, said, "POST", "/services/late", body)
    boss.no(404, "No such service: late", "GET", "/services/late")
    boss.no(400, None, "POST", "/services/a%20b", {})
    boss.no(409, "Service kept already exists", "POST", "/services/kept", spec)
    reader = Caller(carrel, "reader")
    reader.no(403, None, "POST", "/services/late", spec)
    narrow = boss.token_of("boss", scopes=["admin:services"])
    narrow.no(400, None, "POST", "/services/late", {"admin": True})
    narrow.no(400, None, "POST", "/services/late", dict(spec, oauth_client_allowed_scopes=["list:users"]))
    narrow.no(400, None, "POST", "/services/late", dict(spec, oauth_client_allowed_scopes=["inherit"]))
    m = narrow.ok(201, "POST", "/services/late", spec).json()
    equal((m["name"], m["url"], m["info"], m["status"], m["admin"]),
          ("late", spec["url"], {"a": 1}, "external", False), "what was made")
    equal(Caller(carrel, token=spec["api_token"]).ok(200, "GET", "/user").json()["name"], "late", "its token")
    until("its route is there", 20, lambda: "/services/late" in routes())
    restart_hub()
    m = boss.ok(200, "GET", "/services/late").json()
    equal((m["url"], m["info"]), (spec["url"], {"a": 1}), "after a restart")
    equal(Caller(carrel, token=spec["api_token"]).ok(200, "GET", "/user").json()["name"], "late", "its token, still")
    boss.no(405, None, "DELETE", "/services/kept")
    boss.no(404, "No such service: nothing", "DELETE", "/services/nothing")
    reader.no(403, None, "DELETE", "/services/late")
    equal(boss.ok(200, "DELETE", "/services/late").body, b"", "body of a deletion")
    boss.no(404, "No such service: late", "GET", "/services/late")
    Caller(carrel, token=spec["api_token"]).no(403, None, "GET", "/user")
    until("its route goes", 20, lambda: "/services/late" not in routes())
    for name in ("kept", "fixed", "worker"):
        service(name, "running")


# ---- the life of managed ones ----

def failures():
    m = service("broken", "failed")
    equal(m["failure"], "exited with status 7", "why it ended")
    claim("it hurts" in m["tail"], "its last words: %r" % m["tail"])
    m = service("unknown", "failed")
    claim('has no "nowhere"' in m["failure"] and "spawner.yaml" in m["failure"], "why: %r" % m["failure"])
    until("the log tells both", 10, lambda: [x for x in carrel.lines if "service ended" in x and "it hurts" in x]
          and [x for x in carrel.lines if "service ended" in x and "nowhere" in x])
    token = boss.token_of("boss", scopes=["read:services"])
    claim("tail" not in token.ok(200, "GET", "/services/broken").json(), "last words are for administrators")
    waits = [int(m) for x in carrel.lines for m in re.findall(r"server=broken.*again_in_ms=(\d+)", x)]
    claim(waits == sorted(waits) and waits[0] == 1000, "it waits longer and longer: %r" % waits)


def killed():
    for name in ("kept", "worker"):
        old = service(name, "running")["pid"]
        os.kill(old, signal.SIGKILL)
        until("%s runs again" % name, 20, lambda: service(name)["pid"] not in (0, old)
              and service(name)["status"] == "running")
    claim([x for x in carrel.lines if "service ended" in x and "signal 9" in x], "the log does not say how it ended")
    wait_http(Browser(carrel.url), "/services/kept/self", 200)
    equal(json.loads(own("kept").text)["name"], "kept", "its new token")


def route_is_kept():
    claim("/services/kept" in routes(), "the route is not told: %r" % list(routes()))
    carrel.end("proxy", signal.SIGKILL)
    os.unlink(carrel.dir + "/state/routes.journal")
    carrel.begin("proxy")
    wait_http(Browser(carrel.url), "/services/kept/self", 200, 30)
    until("the external one too", 20, lambda: "/services/outside" in routes())


def adopted():
    before = {n: (service(n, "running")["pid"], own(n).text if n != "worker" else "") for n in ("kept", "fixed", "worker")}
    restart_hub()
    claim(json.loads(own("kept").text)["pid"] == before["kept"][0], "another process answers")
    for name, (pid, said) in before.items():
        equal(service(name, "running")["pid"], pid, "pid of %s after a restart of the hub" % name)
        if said:
            equal(json.loads(own(name).text), json.loads(said), "the same token still works for " + name)
    # in place of the dead hub's; and a restart of the spawner disturbs nobody
    carrel.end("spawner", signal.SIGKILL)
    carrel.begin("spawner")
    until("the spawner is seen again", 20, lambda: service("kept")["status"] == "running")
    equal(service("kept", "running")["pid"], before["kept"][0], "pid after a restart of the spawner")


def ended_meanwhile():
    pid = service("worker", "running")["pid"]
    carrel.end("hub")
    os.kill(pid, signal.SIGKILL)
    until("it has ended", 10, lambda: not os.path.exists("/proc/%d" % pid))
    carrel.begin("hub")
    until("it runs again", 20, lambda: service("worker")["pid"] not in (0, pid) and service("worker")["status"] == "running")


def changed():
    pid = service("kept", "running")["pid"]
    restart_hub(SERVICES.replace("    oauth_no_confirm: true\n", "    oauth_client_allowed_scopes: [inherit]\n"))
    until("it is started anew with its new settings", 20,
          lambda: service("kept")["pid"] not in (0, pid) and service("kept")["status"] == "running")
    env = json.loads(Browser(carrel.url).get("/services/kept/env").text)
    equal(env["JUPYTERHUB_OAUTH_CLIENT_ALLOWED_SCOPES"], '["inherit"]', "the new settings")


def removed():
    pids = {n: service(n, "running")["pid"] for n in ("kept", "worker", "fixed")}
    restart_hub("services:\n  fixed: {url: 'http://127.0.0.1:%d', managed: tiny}\n" % FIXED_PORT, "")
    until("what is not configured any more ends", 20,
          lambda: not any(os.path.exists("/proc/%d" % pids[n]) for n in ("kept", "worker")))
    equal(sorted(boss.ok(200, "GET", "/services").json()), ["fixed"], "what is left")
    until("their routes go", 20, lambda: [p for p in routes() if "/services/" in p] == ["/services/fixed"])
    Caller(carrel, token=TOKEN).no(403, None, "GET", "/user")
    page = Caller(carrel, "alice").browser.get("/hub/api/oauth2/authorize?client_id=service-kept&response_type=code")
    equal(page.status, 400, "its OAuth client")


def listed_and_stopped():
    """`carrel-spawner --list` and --stop-all know services as what they are."""
    argv = [os.path.join(report.bin_dir(), "carrel-spawner"), "--run-dir", carrel.dir + "/run"]
    if carrel.account:  # keepers speak to their own account only
        exe = os.open(argv[0], os.O_RDONLY)
        os.set_inheritable(exe, True)
        argv = ["setpriv", "--reuid", carrel.account.name, "--regid", carrel.account.name, "--init-groups",
                "/proc/self/fd/%d" % exe] + argv[1:]
    said = subprocess.run(argv + ["--list"], stdout=subprocess.PIPE, text=True, timeout=30,
                          close_fds=False).stdout
    pid = service("fixed", "running")["pid"]
    claim("service:tiny" in said and str(pid) in said, "--list says %r" % said)
    carrel.end("hub")
    subprocess.run(argv + ["--stop-all"], stdout=subprocess.DEVNULL, timeout=60, close_fds=False)
    until("it is stopped", 20, lambda: not os.path.exists("/proc/%d" % pid))
    carrel.begin("hub")
    until("a hub starts it again", 20, lambda: service("fixed")["status"] == "running")


def shutdown():
    pid = service("fixed", "running")["pid"]
    boss.ok(202, "POST", "/shutdown", {"servers": True})
    until("the hub took it along", 30, lambda: not os.path.exists("/proc/%d" % pid))
    equal(carrel.running.pop("hub").wait(30), 0, "how the hub ends")


# ---- the configuration ----

def check():
    for text, wanted in (
            ("{a: {command: [/bin/x]}}", "\"command\" of a service has no place in this file"),
            ("[{name: a, user: root}]", "spawner.yaml below \"services\""),
            ("{a: {environment: {A: b}}}", "\"environment\" of a service"),
            ("{a: {urll: x}}", "urll"),
            ("{a b: {}}", "a service's name has"),
            ("{../a: {}}", "a service's name has"),
            ("[{url: x}]", "a service's name has"),
            ("[{name: a}, {name: a}]", "stands here twice"),
            ("{a: {url: ftp://x}}", "service a"),
            ("{a: {managed: x, url: 'http://example.org:1'}}", "url of a managed service"),
            ("{a: {managed: x, api_token: 0123456789abcdef}}", "a new token at each start"),
            ("{a: {api_token: short}}", "16 characters"),
            ("{a: {api_token: 'with a blank in it!'}}", "no blanks"),
            ("{a: {api_token: 0123456789abcdef}, b: {api_token: 0123456789abcdef}}", "api_token of another"),
            ("{a: {oauth_no_confirm: true}}", "needs api_token"),
            ("{a: {oauth_no_confirm: true, api_token: 0123456789abcdef}}", "needs url"),
            ("{a: {url: 'http://h:1', api_token: 0123456789abcdef, oauth_client_id: x}}", "must begin with"),
            ("{a: {url: 'http://h:1', api_token: 0123456789abcdef, oauth_redirect_uri: '//evil'}}", "must be a path"),
            ("{a: {url: 'http://h:1', api_token: 0123456789abcdef, oauth_client_allowed_scopes: [x:y]}}", "x:y"),
            ("{a: {info: [1]}}", "info must be a map"),
            ("x", "must be a map of names")):
        carrel._write("check.yaml", "services: %s\n" % text)
        done = subprocess.run([os.path.join(report.bin_dir(), "carrel-hub"), "--check", "--config",
                               carrel.dir + "/check.yaml"], stderr=subprocess.PIPE, text=True, timeout=20)
        equal(done.returncode, 78, "--check of %s" % text)
        claim(wanted in done.stderr and "check.yaml:1:" in done.stderr, "%s: %r does not say %r" % (
            text, done.stderr, wanted))
    carrel._write("check.yaml", "auth: {load_roles: [{name: abc, services: [ghost]}]}\n")
    done = subprocess.run([os.path.join(report.bin_dir(), "carrel-hub"), "--check", "--config",
                           carrel.dir + "/check.yaml"], stderr=subprocess.PIPE, text=True, timeout=20)
    claim("there is no such service" in done.stderr, "a role of a ghost: %r" % done.stderr)


report.run([
    ("services of a hub come up", begin),
    ("REST tells what they are", models),
    ("each field by its scope", models_by_scope),
    ("a service calls with its own token", a_service_calls),
    ("the environment of the contract", environment),
    ("people are asked once, and only who may", login_with_question),
    ("nobody is asked with oauth_no_confirm", login_without_question),
    ("pages show what somebody may use", pages),
    ("one that cannot run says why, and is tried again", failures),
    ("one that is killed is started again", killed),
    ("external ones are made and deleted over REST", made_at_runtime),
    ("a proxy without memory gets their routes", route_is_kept),
    ("a restart of the hub or the spawner takes them up again", adopted),
    ("what ended meanwhile is started", ended_meanwhile),
    ("new settings begin with a new process", changed),
    ("what is taken out of the configuration is stopped, and all it had goes", removed),
    ("the spawner lists and stops them", listed_and_stopped),
    ("a shutdown with servers takes them along", shutdown),
    ("the configuration says what is wrong with it", check),
], on_failure=carrel.print_lines)
carrel.clean()
report.finish()
