#!/usr/bin/python3
"""With internal TLS, too, one account cannot hold all the connections of the servers' port."""
import os
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
import accounts
import report
from report import claim, equal, until
from world import Carrel

report.group("root", "pam")
if not accounts.can_make():
    report.skip("greedy_tls", "needs root: it makes Unix accounts")
    report.finish()

# Opens them, says nothing, and comes again when one is closed.
HOLD = """
import select, socket, sys
poll, held, missing, n_closed, said = select.poll(), {}, 200, 0, False
while True:
    for _ in range(min(missing, 20)):
        try:
            s = socket.create_connection(("127.0.0.1", int(sys.argv[1])), 10)
        except OSError:
            break
        held[s.fileno()] = s
        poll.register(s, select.POLLIN)
        missing -= 1
    for fd, _ in poll.poll(20)[:20]:
        poll.unregister(fd)
        held.pop(fd).close()
        missing += 1
        n_closed += 1
    if n_closed > 100 and not said:
        said = True
        print("refused", flush=True)
"""
ASK = """
import http.client, ssl, sys
ctx = ssl.create_default_context(cafile=sys.argv[2])
ctx.load_cert_chain(sys.argv[3])
c = http.client.HTTPSConnection("localhost", int(sys.argv[1]), timeout=20, context=ctx)
c.request("GET", "/hub/api/")
print(c.getresponse().status)
"""
ann, ben = accounts.Account("carreltapirest1"), accounts.Account("carreltapirest2")
carrel = Carrel()
with open(carrel.config, "a") as f:
    f.write("  max_connections: 64\n  internal_tls: true\n")
carrel.start()
state = {}


def as_account(account, program, *args):
    return subprocess.Popen(["setpriv", "--reuid", str(account.uid), "--regid", str(account.gid), "--clear-groups",
                             sys.executable, "-c", program] + [str(a) for a in args], stdout=subprocess.PIPE, text=True)


def files():
    """What a server of Ben's would have, of an account that can read it."""
    for name in ("hub.pem", "trust.crt"):
        for where, _, names in os.walk(carrel.state_dir):
            if name in names and where.endswith("internal-tls"):
                shutil.copy(os.path.join(where, name), carrel.dir)
        shutil.chown(carrel.dir + "/" + name, ben.name)


def asks():
    for _ in range(5):
        p = as_account(ben, ASK, carrel.hub_port, carrel.dir + "/trust.crt", carrel.dir + "/hub.pem")
        equal(p.communicate(timeout=60)[0], "200\n", "what Ben hears")


def ann_opens_all():
    p = state["ann"] = as_account(ann, HOLD, carrel.hub_port)
    equal(p.stdout.readline(), "refused\n", "what Ann's program says")
    claim(until("the log names her", 10, lambda: carrel.seen("holds the most.*account %d" % ann.uid)), "no line")


def the_end():
    equal(state["ann"].poll(), None, "Ann's program")
    state["ann"].kill()
    state["ann"].wait()
    asks()
    equal(carrel.stop(), 0, "exit status")


report.run([("certificates", files), ("alone he is served", asks), ("one account opens all that it can", ann_opens_all),
            ("another one is served all the same", asks), ("afterwards all is as before", the_end)],
           on_failure=carrel.print_lines)
report.finish()
