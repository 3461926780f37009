#!/usr/bin/python3
"""A class starts its servers at once, and a thousand servers run under one hub; no process of theirs exists (kind fake).

    CLASS=300 SERVERS=5000 tests/scenario/many_servers.py     (make check: 300 and 1000; make bench measures 300 and 5000)
"""
# timeout: 240
import datetime
import http.client
import http.server
import json
import os
import re
import signal
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
import report
from programs import CONFIG, Programs
from report import claim, equal, until
from rest import Caller, end_hub
from web import Browser, wait_http

CLASS, SERVERS = int(os.environ.get("CLASS", "300")), int(os.environ.get("SERVERS", "1000"))
CLIENTS, AT_A_TIME, ENVELOPE = 24, max(1, min(20, CLASS // 10)), {"Accept": "application/jupyterhub-pagination+json"}
MEMORY = 100 << 20
report.group("many")


class Answer(http.server.BaseHTTPRequestHandler):
    """All notebook servers there are."""
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.send_response(200)
        self.send_header("X-JupyterHub-Version", "6.0.0")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


class Everybody(http.server.ThreadingHTTPServer):
    daemon_threads, request_queue_size = True, 512


backend = Everybody(("127.0.0.1", 0), Answer)
threading.Thread(target=backend.serve_forever, daemon=True).start()
carrel = Programs(["/bin/false"], CONFIG.replace("  allow_all: true\n", "  allow_all: true\n  admin_users: [boss]\n") +
                  "server:\n  concurrent_spawn_limit: %d\n  slow_spawn_timeout: 0s\n  slow_stop_timeout: 0s\n" % AT_A_TIME,
                  policy="allow_fake: true\nprofiles:\n  default:\n    kind: fake\n")


def begin():
    global boss
    for name in ("spawner", "proxy", "hub"):
        carrel.begin(name)
    wait_http(Browser(carrel.url), "/hub/health", 200)
    carrel.wait_together()
    boss = Caller(carrel, "boss").token_of("boss")
    for name, n in (("pupil", CLASS), ("u", SERVERS)):
        for first in range(0, n, 1000):
            boss.ok(201, "POST", "/users", {"usernames": ["%s%d" % (name, i) for i in range(first, min(n, first + 1000))]})


def each(n, deed):
    """deed(connection, i) for all i, by some clients at once; each has its own connection."""
    todo, wrong, lock = iter(range(n)), [], threading.Lock()

    def run():
        c = http.client.HTTPConnection("127.0.0.1", carrel.hub_port, timeout=110)
        try:
            while not wrong:
                with lock:
                    i = next(todo, None)
                if i is None:
                    break
                deed(c, i)
        except Exception as e:
            wrong.append("%s %s" % (type(e).__name__, e))
        finally:
            c.close()
    threads = [threading.Thread(target=run, daemon=True) for _ in range(min(CLIENTS, n))]
    for t in threads:
        t.start()
    for t in threads:
        t.join(200)
    claim(not wrong, "%d went wrong, such as: %s" % (len(wrong), wrong[:1]))


def call(c, method, path, body, wanted):
    c.request(method, "/hub/api" + path, json.dumps(body) if body is not None else None,
              {"Authorization": "token " + boss.token, "Content-Type": "application/json"})
    r = c.getresponse()
    text = r.read()
    claim(r.status in wanted, "%s %s answers %d: %r" % (method, path, r.status, text[:200]))


def start(c, name, **script):
    call(c, "POST", "/users/%s/server" % name, dict(script, address="127.0.0.1:%d" % backend.server_address[1]), (201, 202))


def n_with(state):
    return boss.ok(200, "GET", "/users?state=%s&limit=1" % state, headers=ENVELOPE).json()["_pagination"]["total"]


def all_ready(n):
    """state=ready is a filter of the page, so pages are read whole."""
    seen, offset = 0, 0
    while True:
        page = boss.ok(200, "GET", "/users?state=active&limit=200&offset=%d" % offset, headers=ENVELOPE).json()
        seen += sum(1 for u in page["items"] if u["server"])
        offset += 200
        if not page["_pagination"]["next"]:
            return seen == n


def stop_all(prefix, n):
    each(n, lambda c, i: call(c, "DELETE", "/users/%s%d/server" % (prefix, i), None, (202, 204)))
    until("all to be at rest", 60, lambda: n_with("active") == 0)
    equal(sorted(boss.ok(200, "GET", "/proxy").json()), ["/"], "routes that are left")


def a_class():
    """More than may start at a time: nobody is refused, each sees the line get shorter, all get their server."""
    gate, places = threading.Event(), []

    def watch():
        """The last one of the class, whose start stands at the end of the line."""
        name = "pupil%d" % (CLASS - 1)
        gate.wait(60)
        until("the last start", 60, lambda: boss.ok(200, "GET", "/users/" + name).json()["pending"] == "spawn", pause=0.002)
        answer = boss.call("GET", "/users/%s/server/progress" % name, timeout=110)
        places.extend(int(n) for n in re.findall(r"Waiting in line: (\d+) start", answer.text))
        claim('"ready": true' in answer.text or '"ready":true' in answer.text, "the end of: " + answer.text[-300:])

    wrong = []

    def watcher():
        try:
            watch()
        except Exception as e:
            wrong.append(e)
    thread = threading.Thread(target=watcher, daemon=True)
    thread.start()
    gate.set()
    each(CLASS, lambda c, i: start(c, "pupil%d" % i, delay_ms=100))
    until("everybody's server", 110, lambda: all_ready(CLASS), pause=0.2)
    thread.join(60)
    claim(not thread.is_alive() and not wrong, "who watched the line: %s" % wrong[:1])
    claim(places and max(places) > 1 and places == sorted(places, reverse=True), "places in the line: %r" % places[:20])
    stop_all("pupil", CLASS)


def memory():
    with open("/proc/%d/statm" % carrel.running["hub"].pid) as f:
        return int(f.read().split()[1]) * os.sysconf("SC_PAGESIZE")


def post_activity(i):
    now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    return "/users/u%d/activity" % i, {"servers": {"": {"last_activity": now}}}


def many():
    """They run, report what they do, and outlive a hub that is killed; none is lost."""
    each(SERVERS, lambda c, i: start(c, "u%d" % i))
    until("all to be ready", 120, lambda: all_ready(SERVERS), pause=0.2)
    equal(len(boss.ok(200, "GET", "/proxy?limit=200", headers=ENVELOPE).json()["items"]), min(200, SERVERS + 1), "routes")
    each(SERVERS, lambda c, i: call(c, "POST", *post_activity(i), (200,)))
    before = memory()
    claim(before < MEMORY, "%d servers take %d MiB in the hub" % (SERVERS, before >> 20))
    carrel.end("hub", signal.SIGKILL)
    carrel.begin("hub")
    until("all to be ready behind the new hub", 120, lambda: all_ready(SERVERS), pause=0.2)
    for i in range(0, SERVERS, max(1, SERVERS // 20)):
        equal(Browser(carrel.url).get("/user/u%d/" % i, follow=False).status, 200, "the server of u%d" % i)
    stop_all("u", SERVERS)


report.run([("everything begins", begin), ("%d start at once, %d at a time" % (CLASS, AT_A_TIME), a_class),
            ("%d servers under one hub" % SERVERS, many), ("the hub ends in order", lambda: end_hub(carrel))],
           lambda: carrel.print_lines(40))
carrel.clean()
report.finish()
