#!/usr/bin/python3
"""One account opens all the connections that it can, to the servers' port and to the proxy's REST.

Others' notebooks still tell the hub what they do, and the hub still reaches its proxy.
"""
import http.client
import json
import os
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
import accounts
import report
from report import claim, equal, until
from web import Browser
from world import Carrel

report.group("root", "pam")
if not accounts.can_make():
    report.skip("greedy", "needs root: it makes Unix accounts")
    report.finish()

# Opens them, keeps them, and comes again when one is closed.
HOLD = """
import resource, select, socket, sys
hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 4096), hard))
poll, held, missing, said, n_closed = select.poll(), {}, [], False, 0
def open_one(port):
    try:
        s = socket.create_connection(("127.0.0.1", port), 10)
    except OSError:
        missing.append(port)
        return
    held[s.fileno()] = (s, port)
    poll.register(s, select.POLLIN)
for port in map(int, sys.argv[1:]):
    for _ in range(800):
        open_one(port)
print("open", flush=True)
while True:
    for fd, _ in poll.poll(1000)[:20]:
        s, port = held.pop(fd)
        poll.unregister(fd)
        s.close()
        missing.append(port)
        n_closed += 1
    again, missing = missing[:20], missing[20:]
    for port in again:
        open_one(port)
    if n_closed > 100 and not said:
        said = True
        print("refused", flush=True)
    select.select([], [], [], 0.02)
"""
POST = """
import http.client, sys
c = http.client.HTTPConnection("127.0.0.1", int(sys.argv[1]), timeout=10)
c.request("POST", sys.argv[2], sys.stdin.read(), {"Authorization": "token " + sys.argv[3]})
print(c.getresponse().status)
"""

# Between two of the other program's there may be room for one.
HEAR = """
import socket, sys
text, kept = b"", []
while not text and len(kept) < 200:
    s = socket.create_connection(("127.0.0.1", int(sys.argv[1])), 10)
    s.settimeout(0.2)
    kept.append(s)
    try:
        text = s.recv(4096)
    except OSError:
        pass
print(text.decode().split("\\r")[0])
"""

ann, ben = accounts.Account("carreltrobust1"), accounts.Account("carreltrobust2")
carrel = Carrel()
with open(carrel.config, "a") as f:
    f.write("  max_connections: 64\n")
carrel.start()
state = {}


def as_account(account, program, *args):
    return subprocess.Popen(["setpriv", "--reuid", str(account.uid), "--regid", str(account.gid), "--clear-groups",
                             sys.executable, "-c", program] + [str(a) for a in args],
                            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def ann_opens_all():
    b = Browser(carrel.url, "127.0.0.2")
    equal(b.login(ben.name, ben.password).status, 302, "Ben's login")
    state["token"] = b.api("POST", "/users/%s/tokens" % ben.name, body={}).json()["token"]
    state["ben"] = b
    p = state["ann"] = as_account(ann, HOLD, carrel.hub_port, carrel.api_port)
    equal(p.stdout.readline(), "open\n", "what Ann's program says")
    equal(p.stdout.readline(), "refused\n", "what Ann's program says")
    claim(until("the log names her", 10, lambda: carrel.seen("holds the most.*account %d" % ann.uid)), "no line")


def ben_posts_activity():
    body = json.dumps({"last_activity": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())})
    for _ in range(5):
        p = as_account(ben, POST, carrel.hub_port, "/hub/api/users/%s/activity" % ben.name, state["token"])
        out, _ = p.communicate(body, timeout=60)
        equal(out, "200\n", "Ben's activity")


def the_hub_reaches_its_proxy():
    """The new hub has no connection yet."""
    n = len(carrel.seen("ready.*socket=.*hub.sock"))
    carrel.kill("hub")
    until("the hub is ready", 30, lambda: len(carrel.seen("ready.*socket=.*hub.sock")) > n)
    b = state["ben"]
    equal(b.api("GET", "/user").status, 200, "Ben at the new hub")
    with open(carrel.state_dir + "/proxy.token") as f:
        token = f.read().strip()
    for _ in range(5):
        c = http.client.HTTPConnection("127.0.0.1", carrel.api_port, timeout=10)
        c.request("GET", "/api/routes", headers={"Authorization": "token " + token})
        equal(c.getresponse().status, 200, "routes asked by root")
        c.close()
    claim(not carrel.seen("proxy.*(away|unreachable|not answer)"), "the hub has lost its proxy")


def the_refusal_says_why():
    p = as_account(ann, HEAR, carrel.api_port)
    out, _ = p.communicate(timeout=60)
    equal(out, "HTTP/1.1 503 Service Unavailable\n", "what Ann hears")


def the_end():
    equal(state["ann"].poll(), None, "Ann's program")
    state["ann"].kill()
    state["ann"].wait()
    p = as_account(ann, POST, carrel.hub_port, "/hub/api/users/%s/activity" % ann.name, "x")
    out, _ = p.communicate("{}", timeout=60)
    equal(out, "403\n", "Ann afterwards")
    equal(carrel.stop(), 0, "exit status")


report.run([
    ("one account opens all that it can", ann_opens_all),
    ("another one's server posts its activity", ben_posts_activity),
    ("a new hub reaches its proxy", the_hub_reaches_its_proxy),
    ("who is refused hears why", the_refusal_says_why),
    ("afterwards all is as before", the_end),
], on_failure=carrel.print_lines)
report.finish()
