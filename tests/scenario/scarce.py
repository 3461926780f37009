#!/usr/bin/python3
"""When descriptors or memory are scarce, or spawner and proxy go in the midst of a start: the hub stays, says what is
missing, and goes on by itself when it is there again."""
# timeout: 240
import http.client
import http.server
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
import report
from programs import CONFIG, Programs
from report import claim, equal, until
from rest import Caller, end_hub
from web import Browser, wait_http

report.group("scarce")
BODIES, BODY, ROOM = 60, 1 << 20, 192 << 20
carrel = Programs(["/bin/false"], CONFIG.replace("  allow_all: true\n", "  allow_all: true\n  admin_users: [boss]\n") +
                  "server:\n  slow_spawn_timeout: 0s\n  slow_stop_timeout: 0s\n  start_timeout: 60s\n",
                  policy="allow_fake: true\nprofiles:\n  default:\n    kind: fake\n")


class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("X-JupyterHub-Version", "6.0.0")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


backend = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
threading.Thread(target=backend.serve_forever, daemon=True).start()


def begin():
    global boss
    for name in ("spawner", "proxy", "hub"):
        carrel.begin(name)
    wait_http(Browser(carrel.url), "/hub/health", 200)
    carrel.wait_together()
    boss = Caller(carrel, "boss").token_of("boss")
    boss.browser = Browser("http://127.0.0.1:%d" % carrel.hub_port)  # whatever the proxy does
    boss.ok(201, "POST", "/users", {"usernames": ["ann", "ben", "cleo", "dan"]})


def pid():
    return carrel.running["hub"].pid


def limit(what, soft):
    """Of the hub, as its own account; the soft one before it."""
    with open("/proc/%d/limits" % pid()) as f:
        was = re.search(r"%s +(\S+)" % {"nofile": "Max open files", "as": "Max address space"}[what], f.read()).group(1)
    as_account = ["setpriv", "--reuid", carrel.account.name, "--regid", carrel.account.name, "--init-groups"]
    subprocess.run((as_account if carrel.account else []) + ["prlimit", "--pid=%d" % pid(), "--%s=%s:" % (what, soft)],
                   check=True, timeout=20)
    return was


def start(name, **script):
    script["address"] = "127.0.0.1:%d" % backend.server_address[1]
    return boss.call("POST", "/users/%s/server" % name, script)


def server_of(name):
    return boss.ok(200, "GET", "/users/" + name).json()["servers"].get("", {})


def runs(name):
    return server_of(name).get("ready") and Browser(carrel.url).get("/user/%s/x" % name, follow=False).status == 200


def stop(name):
    claim(boss.call("DELETE", "/users/%s/server" % name).status in (202, 204), "the stop of " + name)
    until("the server of %s to be at rest" % name, 60, lambda: not server_of(name).get("pending"))


def works(name):
    """From a login to a server that runs, and back."""
    caller = Caller(carrel, name)
    claim(start(name).status in (201, 202), "a start")
    until("the server of " + name, 60, lambda: runs(name))
    stop(name)
    equal(caller.browser.get("/hub/logout", follow=False).status, 302, "logout")


# ---- descriptors -----------------------------------------------------------------

def cpu():
    with open("/proc/%d/stat" % pid()) as f:
        fields = f.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def n_open():
    return len(os.listdir("/proc/%d/fd" % pid()))


def descriptors():
    """None is left: who is there is served, others wait without costing anything, and come in when there is room."""
    kept = http.client.HTTPConnection("127.0.0.1", carrel.hub_port, timeout=60)
    kept.request("GET", "/hub/api/")
    kept.getresponse().read()
    few = n_open() + 4
    was, idle = limit("nofile", few), []
    try:
        for _ in range(40):
            idle.append(socket.create_connection(("127.0.0.1", carrel.hub_port), 10))
            idle[-1].sendall(b"GET /hub/api/ HTTP/1.1\r\n")  # and never ends
        until("the last descriptor to be taken", 20, lambda: n_open() >= few)
        before = cpu()
        for _ in range(20):
            kept.request("GET", "/hub/api/")
            equal(json.loads(kept.getresponse().read())["version"][0], "6", "the connection that was there")
        time.sleep(2)
        used = cpu() - before
        claim(used < 1, "the hub uses %.1f s of CPU in 2 s without a descriptor" % used)
        claim(len(carrel.lines) < 20000, "%d lines" % len(carrel.lines))
    finally:
        for s in idle:
            s.close()
        kept.close()
        limit("nofile", was)
    until("the hub to answer again", 60, lambda: boss.call("GET", "/info", timeout=20).status == 200)
    works("ann")


def in_a_start():
    """No descriptor for the look at a server that starts: it is looked at again, and runs when there is one."""
    until("the hub to rest", 30, lambda: boss.call("GET", "/info").status == 200)
    kept = http.client.HTTPConnection("127.0.0.1", carrel.hub_port, timeout=60)
    headers = {"Authorization": "token " + boss.token, "Content-Type": "application/json"}
    kept.request("GET", "/hub/api/info", headers=headers)
    kept.getresponse().read()
    was = limit("nofile", 5)
    try:
        kept.request("POST", "/hub/api/users/ben/server",
                     json.dumps({"address": "127.0.0.1:%d" % backend.server_address[1]}), headers)
        answer = kept.getresponse()
        answer.read()
        equal(answer.status, 202, "a start")
        time.sleep(2)
        kept.request("GET", "/hub/api/users/ben", headers=headers)
        equal(json.loads(kept.getresponse().read())["servers"][""]["pending"], "spawn", "it is on its way")
    finally:
        limit("nofile", was)
    until("the server of ben", 60, lambda: runs("ben"))
    stop("ben")
    kept.close()


# ---- memory ----------------------------------------------------------------------

def memory():
    """The largest bodies, from many at once, in little memory: each is bounded, and so is what is made of it."""
    with open("/proc/%d/statm" % pid()) as f:
        now = int(f.read().split()[0]) * os.sysconf("SC_PAGESIZE")
    was = limit("as", now + ROOM)
    bodies = [b'{"usernames":[' + b'"a",' * (BODY // 4 - 10) + b'"a"]}', b"[" * (BODY - 10), b'{"a":' * (BODY // 6),
              b'{"usernames":["' + b"x" * (BODY - 100) + b'"]}', b'{"usernames":[' + b"1e9," * (BODY // 4 - 10) + b"1]}"]
    wrong = []

    def ask(i):
        try:
            answer = boss.call("POST", "/users", raw=bodies[i % len(bodies)], timeout=110)
            claim(answer.status in (400, 413), "a body of a megabyte is answered %d" % answer.status)
        except Exception as e:
            wrong.append("%s %s" % (type(e).__name__, e))
    threads = [threading.Thread(target=ask, args=(i,)) for i in range(BODIES)]
    for t in threads:
        t.start()
    for t in threads:
        t.join(120)
    claim(not wrong, "%d went wrong, such as %s" % (len(wrong), wrong[:1]))
    equal(carrel.running["hub"].poll(), None, "the hub lives")
    limit("as", was)
    works("cleo")


# ---- others go in the midst of a start -------------------------------------------

def spawner_goes():
    """Killed while it starts a server: that start ends with a reason, the next one works."""
    claim(start("dan", delay_ms=60000).status == 202, "a start")
    until("it is asked", 20, lambda: server_of("dan").get("pending") == "spawn")
    carrel.end("spawner", signal.SIGKILL)
    claim(start("ann").status in (202, 503), "a start without a spawner")
    carrel.begin("spawner")
    until("the start to end", 60, lambda: not server_of("dan").get("pending"))
    why = boss.ok(200, "GET", "/explain/server/dan/").text
    claim("spawner was restarted" in why, "why: " + why[:500])
    until("a start that waited, or none", 60, lambda: not server_of("ann").get("pending"))
    if server_of("ann").get("ready"):
        stop("ann")
    works("dan")


def proxy_goes():
    """Killed while a server starts: it is ready when the proxy is there again, with the routes of all."""
    claim(start("ann").status in (201, 202), "a start")
    until("the server of ann", 60, lambda: runs("ann"))
    direct = http.client.HTTPConnection("127.0.0.1", carrel.hub_port, timeout=60)
    headers = {"Authorization": "token " + boss.token, "Content-Type": "application/json"}

    def ask(method, path, body=None):
        direct.request(method, "/hub/api" + path, json.dumps(body) if body is not None else None, headers)
        r = direct.getresponse()
        return r.status, r.read()
    carrel.end("proxy", signal.SIGKILL)
    os.unlink(carrel.dir + "/state/routes.journal")  # the next one knows nothing
    status, _ = ask("POST", "/users/ben/server", {"address": "127.0.0.1:%d" % backend.server_address[1]})
    equal(status, 202, "a start without a proxy")
    equal(ask("GET", "/users/ben")[0], 200, "everything else goes on")
    carrel.begin("proxy")
    until("both servers", 60, lambda: runs("ann") and runs("ben"), pause=0.2)
    for name in ("ann", "ben"):
        stop(name)


report.run([("everything begins", begin), ("no descriptor is left", descriptors),
            ("no descriptor in the midst of a start", in_a_start), ("little memory and large bodies", memory),
            ("the spawner goes in the midst of a start", spawner_goes),
            ("the proxy goes in the midst of a start", proxy_goes), ("the hub ends in order", lambda: end_hub(carrel))],
           lambda: carrel.print_lines(40))
carrel.clean()
report.finish()
