#!/usr/bin/python3
"""200 WebSockets with seeded bytes flowing through everything that is restarted or changed.

20 hub restarts (every other one by kill -9), 5 spawner restarts, and 2,000 route
changes that delete, replace and restore the very routes of the open tunnels.
None may drop, none may lose or reorder a byte. A proxy that closes tunnels when
their route is deleted must fail the same story.
"""
import http.client
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time

LIB = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib")
sys.path.insert(0, LIB)
import accounts
import report
from programs import Programs
from report import claim, equal, until
from tunnels import Tunnels, serve_echo
from web import Browser
from ports import free_port

report.group("websockets")
N_TUNNELS, N_USERS, N_CHANGES = 200, 4, 2000
HUB_RESTARTS, SPAWNER_RESTARTS = 20, 5


class Routes:
    """The proxy's REST, over one connection."""

    def __init__(self, port, token):
        self.c = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        self.headers = {"Authorization": "token " + token}

    def call(self, method, path, body=None):
        for attempt in (1, 2):
            try:
                self.c.request(method, "/api/routes" + path, json.dumps(body) if body else None, self.headers)
                r = self.c.getresponse()
                data = r.read()
                claim(r.status < 400 or (method == "DELETE" and r.status == 404),
                      "%s %s answers %d" % (method, path, r.status))
                return json.loads(data) if data and method == "GET" else None
            except (http.client.HTTPException, OSError):
                self.c.close()
                if attempt == 2:
                    raise

    def change(self, rng, path, route, elsewhere):
        """One change; the route is right again after the third of each round."""
        kind = rng.randrange(3)
        if kind == 0:
            self.call("DELETE", path)
        elif kind == 1:
            self.call("POST", path, dict(route, target=elsewhere))
        else:
            self.call("POST", path, route)


def story(carrel):
    users = ["u%d" % i for i in range(N_USERS)]
    browsers = {}
    for u in users:
        b = browsers[u] = Browser(carrel.url)
        equal(b.login(u, "x").status, 302, "login of %s" % u)
        b.start_server(u)
    routes = Routes(carrel.api_port, carrel.token)
    wanted = {"/user/" + u: routes.call("GET", "")["/user/" + u] for u in users}
    for r in wanted.values():
        r.pop("last_activity", None)
    tunnels = Tunnels(carrel.port, N_TUNNELS, lambda i: "/user/u%d/ws" % (i % N_USERS))
    until("all tunnels are open", 30, lambda: tunnels.opened() == N_TUNNELS or tunnels.wrong())
    rng = random.Random(7)
    deeds = ["hub"] * HUB_RESTARTS + ["spawner"] * SPAWNER_RESTARTS
    rng.shuffle(deeds)
    per_deed, elsewhere = N_CHANGES // len(deeds), "http://127.0.0.1:%d" % free_port()
    for n, deed in enumerate(deeds):
        carrel.end(deed, signal.SIGKILL if n % 2 else signal.SIGTERM)
        for _ in range(per_deed):
            path = rng.choice(list(wanted))
            routes.change(rng, path, wanted[path], elsewhere)
        carrel.begin(deed)
        claim(not tunnels.wrong(), "after %s %d: %s" % (deed, n, tunnels.wrong()[:3]))
    before = tunnels.least()
    until("bytes go on flowing in every tunnel", 20, lambda: tunnels.least() > before or tunnels.wrong())
    wrong = tunnels.finish()
    claim(not wrong, "%d of %d tunnels: %s" % (len(wrong), N_TUNNELS, wrong[:3]))
    print("# %d tunnels, %d bytes came back" % (N_TUNNELS, tunnels.echoed()))

    def agrees():
        now = routes.call("GET", "")
        return all(now.get(p, {}).get("target") == r["target"] for p, r in wanted.items())
    until("reconcile has restored every route", 40, agrees)
    for u in users:
        until("%s is ready" % u, 20, lambda: ready(browsers[u], u))


def ready(browser, user):
    answer = browser.api("GET", "/users/" + user)
    return answer.status == 200 and answer.json()["servers"].get("", {}).get("ready")


def control():
    """The same kind of tunnels and changes against a proxy that does it wrong."""
    port, api_port, echo = free_port(), free_port(), free_port()
    p = subprocess.Popen(["/usr/bin/python3", os.path.join(LIB, "control_proxy.py"), str(port), str(api_port)])
    try:
        serve_echo(echo)
        route = {"target": "http://127.0.0.1:%d" % echo}

        def change(method, body=None):
            c = http.client.HTTPConnection("127.0.0.1", api_port, timeout=10)
            c.request(method, "/api/routes/user/u0", json.dumps(body) if body else None)
            c.getresponse().read()
            c.close()

        def first():
            try:
                change("POST", route)
                return True
            except OSError:
                return False
        until("the control proxy accepts", 10, first)
        tunnels = Tunnels(port, 10, lambda i: "/user/u0/ws")
        until("tunnels through the control are open", 10, lambda: tunnels.opened() == 10 or tunnels.wrong())
        claim(not tunnels.wrong(), "the control cannot even open tunnels: %s" % tunnels.wrong()[:2])
        change("DELETE")
        change("POST", route)
        time.sleep(1)
        claim(len(tunnels.finish()) == 10, "closed tunnels were not noticed: this test tests nothing")
    finally:
        p.kill()
        p.wait()


carrel = None


def run_story():
    global carrel
    carrel = Programs(profile=["/usr/bin/python3", "@DIR@/tunnels.py"])
    shutil.copy(os.path.join(LIB, "tunnels.py"), carrel.dir + "/tunnels.py")
    for name in ("spawner", "proxy", "hub"):
        carrel.begin(name)
    story(carrel)


report.run([
    ("a proxy that closes tunnels on deletion fails this story", control),
    ("200 WebSockets outlive 20 hub and 5 spawner restarts and 2,000 route changes", run_story),
], on_failure=lambda: carrel and carrel.print_lines())
if carrel:
    carrel.clean()
report.finish()
