#!/usr/bin/python3
"""Somebody else takes the port of Ann's new server before she listens there.

The keeper of her server is held still, so that nothing but the hub's own
patience stands between her browser and the stranger: he is asked nothing, gets
no route, and when the keeper looks, the start fails and says why.
"""
import http.server
import json
import os
import signal
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
import accounts
import report
from report import claim, equal, until
from web import Browser
from world import Carrel

report.group("root", "listener")
if not accounts.can_make():
    report.skip("a stranger's listener", "needs root: it makes Unix accounts")
    report.finish()

SERVER = """
import http.server, os, signal, time, urllib.parse
while not os.path.exists(os.path.expanduser("~/listen")): time.sleep(0.05)
class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers(); self.wfile.write(b"her own")
    def log_message(self, *a): pass
port = urllib.parse.urlsplit(os.environ["JUPYTERHUB_SERVICE_URL"]).port
http.server.HTTPServer(("127.0.0.1", port), Answer).serve_forever()
"""
PROFILES = """
profiles:
  default:
    command: [/usr/bin/python3, -c, %s]
""" % json.dumps(SERVER)

ann = accounts.Account("carreltready1")
carrel = Carrel(spawner_config=PROFILES).start()
at_ann = Browser(carrel.url)


class Stranger(http.server.BaseHTTPRequestHandler):
    asked = []

    def do_GET(self):
        Stranger.asked.append(self.path)
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"stranger")

    def log_message(self, *_):
        pass


def ask():
    """Ann's start; the state that her keeper has written, with the process."""
    answer = at_ann.api("POST", "/users/%s/server" % ann.name)
    claim(answer.status in (201, 202), "start answers %d: %s" % (answer.status, answer.text[:300]))
    return until("the process runs", 20, state)


def state():
    for key in carrel.server_keys():
        try:
            with open("%s/servers/%s/state.json" % (carrel.run_dir, key)) as f:
                s = json.load(f)
        except (OSError, ValueError):
            continue
        if s["phase"] == "running":
            return s
    return None


def model():
    return at_ann.api("GET", "/users/%s" % ann.name).json()["servers"].get("")


def route():
    """What the proxy gives who asks for Ann's server."""
    return at_ann.get("/user/%s/x" % ann.name, follow=False)


def stranger_first():
    s = ask()
    os.kill(s["keeper_pid"], signal.SIGSTOP)
    try:
        host, port = s["address"].split(":")
        stranger = http.server.ThreadingHTTPServer((host, int(port)), Stranger)
        threading.Thread(target=stranger.serve_forever, daemon=True).start()
        end = time.monotonic() + 4
        while time.monotonic() < end:
            claim(route().text != "stranger", "Ann's browser was sent to the stranger")
            time.sleep(0.2)
        equal(Stranger.asked, [], "requests to the stranger")
        claim(not model()["ready"], "the server is called ready")
    finally:
        os.kill(s["keeper_pid"], signal.SIGCONT)
    last = at_ann.progress(ann.name)[-1]
    stranger.shutdown()
    stranger.server_close()
    claim(last.get("failed") and "a process of uid 0 listens on port" in last["message"],
          "the start ended with %r" % last)
    equal(Stranger.asked, [], "requests to the stranger")


def own_late():
    """Late, and the word of it is lost with the spawner: the list has it."""
    s = ask()
    os.kill(s["keeper_pid"], signal.SIGSTOP)
    spawner = carrel.pid("spawner")
    open(ann.home + "/listen", "w").close()
    try:
        time.sleep(1)
        claim(not model()["ready"], "ready before anybody looked")
        os.kill(spawner, signal.SIGKILL)
    finally:
        os.kill(s["keeper_pid"], signal.SIGCONT)
    last = at_ann.wait_server(ann.name)
    equal(last.get("url"), "/user/%s/" % ann.name, "url of the ready server")
    equal(at_ann.get("/user/%s/x" % ann.name).text, "her own", "who answers")


def hub_restart():
    """An adopted server is looked at as well, and keeps its route."""
    carrel.kill("hub")
    until("the hub has it again", 30, lambda: _ready())
    equal(at_ann.get("/user/%s/x" % ann.name).text, "her own", "who answers")


def _ready():
    try:
        m = model()
    except (OSError, ValueError, KeyError):
        return False
    return m and m["ready"]


def login():
    equal(at_ann.login(ann.name, ann.password).status, 302, "Ann's login")


report.run([
    ("Ann logs in", login),
    ("a stranger who has the port first is asked nothing and gets no route", stranger_first),
    ("her own server gets its route when it listens, though the word was lost", own_late),
    ("after a restart of the hub it is hers still", hub_restart),
], on_failure=carrel.print_lines)
report.finish()
