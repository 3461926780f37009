"""Measurements of the hub beyond single calls: start, memory, many servers, system calls, PAM."""
import os
import re
import shutil
import statistics
import subprocess
import threading
import time

import accounts
import hub_api
import measure
import report
from hubs import OURS, JupyterHub, Ours
from measure import Backend, Skip, request
from web import Browser
from world import Carrel

N_ACCOUNTS, N_SERVERS, N_CROWD, N_CLASS, N_GROWTH = 50000, 1000, 5000, 300, 1000000
FAKE = """\
allow_fake: true
profiles:
  default:
    kind: fake
"""


def user_call(hub):
    return request("GET", "/hub/api/users/u0###0", [hub.auth])


def with_hub(work, kind=Ours, n_users=hub_api.N_USERS, **options):
    hub = kind(n_users, **options)
    try:
        hub.begin()
        hub.sign_in()
        return work(hub)
    finally:
        hub.end()


# ---- system calls, growth -------------------------------------------------


def count_calls(hub):
    n = 2000
    if not shutil.which("strace"):
        raise Skip("strace is not installed: etc/deps.sh bench")
    file = measure.tempfile.NamedTemporaryFile(prefix="carrel-bench-", suffix=".strace")
    load = measure.Load(hub.hub_port, user_call(hub), range=1000, connections=1, operations=n, seconds=60)
    trace = subprocess.Popen(["strace", "-f", "-c", "-U", "calls,name", "-o", file.name, "-p", str(hub.pid)],
                             stderr=subprocess.PIPE, text=True)
    trace.stderr.readline()  # attached
    done = load.go()
    trace.send_signal(2)
    trace.wait(30)
    trace.stderr.close()
    load.close()
    rows = re.findall(r"^\s*(\d+)\s+(\w+)$", file.read().decode(), re.M)
    file.close()
    report.claim(rows and not done["errors"], "strace counted nothing")
    per = {name: int(calls) / n for calls, name in rows if name != "total"}
    return {"per_call": sum(per.values()), "names": {k: round(v, 2) for k, v in per.items() if v >= 0.01}}


def hub_calls(out):
    out["hub-calls"] = {}
    for kind in (Ours, JupyterHub):
        try:
            out["hub-calls"][kind.name] = with_hub(count_calls, kind)
        except (Skip, report.Failure) as e:
            out["hub-calls"][kind.name] = {"skipped": str(e)}


def growth(hub):
    measure.once(hub.pid, hub.hub_port, user_call(hub), range=1000, connections=16, operations=50000, seconds=30)
    before = measure.memory(hub.pid)[0]
    r = measure.once(hub.pid, hub.hub_port, user_call(hub), range=1000, connections=16, operations=N_GROWTH,
                     seconds=180)
    return {"calls": r["operations"], "rss_before": before, "rss_after": measure.memory(hub.pid)[0],
            "cpu_us": r["cpu_us"]}


def hub_growth(out):
    out["hub-growth"] = with_hub(growth)


# ---- many servers ---------------------------------------------------------


def metric(hub, name):
    text = Browser("http://127.0.0.1:%d" % hub.hub_port).get(
        "/hub/metrics", headers={"Authorization": "token " + hub.token}).text
    return float(re.search(r"^%s (\S+)$" % name, text, re.M).group(1))


def start_servers(hub, backend, n, first=10000, at_once=50):
    """Of the kind fake: no process runs, and the backend answers for all."""
    data = request("POST", "/hub/api/users/u0####/server", [hub.auth, hub_api.JSON],
                   '{"address": "127.0.0.1:%d"}' % backend.port)
    before = measure.cpu(hub.pid)
    load = measure.Load(hub.hub_port, data, expect=201, first=first, operations=n, connections=at_once,
                        seconds=120)
    try:
        r = load.go()
    finally:
        load.close()
    report.claim(not r["errors"], "%d starts failed, the first: %s" % (r["errors"], r["wrong"]))
    return {"seconds": r["seconds"], "cpu_ms_per_start": (measure.cpu(hub.pid) - before) / n * 1e3}


def walk(hub):
    """Everybody, 200 a page; seconds."""
    browser = Browser("http://127.0.0.1:%d" % hub.hub_port)
    begun, seen = time.monotonic(), 0
    while True:
        n = len(browser.api("GET", "/users?limit=200&offset=%d" % seen, token=hub.token).json())
        if n == 0:
            return {"users": seen, "seconds": time.monotonic() - begun}
        seen += n


def crowd(hub, backend):
    before = measure.memory(hub.pid)[1]
    a_class = start_servers(hub, backend, N_CLASS, at_once=N_CLASS)
    started = start_servers(hub, backend, N_CROWD - N_CLASS, first=10000 + N_CLASS)
    after = measure.memory(hub.pid)[1]
    posted = measure.once(hub.pid, hub.hub_port, hub_api.report_activity(hub, 1), first=10000, operations=N_CROWD,
                          connections=16, seconds=60)
    walked = walk(hub)
    return {"servers": N_CROWD, "class": a_class, "start": started, "pss_before": before, "pss_with_all": after,
            "bytes_per_server": (after - before) / N_CROWD, "activity": posted, "walk": walked,
            "longest_turn_ms": metric(hub, "carrel_longest_turn_seconds") * 1e3,
            "pss_at_the_end": measure.memory(hub.pid)[1]}


def hub_servers(out):
    backend = Backend()
    try:
        out["hub-servers"] = with_hub(lambda hub: crowd(hub, backend), policy=FAKE)
    finally:
        backend.close()


def restart(hub, backend):
    start_servers(hub, backend, N_SERVERS)
    hub.programs.end("hub")
    hub.fill(N_ACCOUNTS)
    took = []
    for _ in range(measure.REPEATS):
        seconds = hub.begin()
        used = measure.cpu(hub.pid)
        report.until("the hub knows its servers", 60, lambda: metric(hub, "carrel_loop_turns_total") > 0)
        took.append({"seconds": seconds, "cpu_ms": used * 1e3, "pss": measure.memory(hub.pid)[1]})
        hub.programs.end("hub")
    hub.begin()
    return {"accounts": N_ACCOUNTS, "servers": N_SERVERS, "seconds": min(t["seconds"] for t in took),
            "cpu_ms": min(t["cpu_ms"] for t in took), "pss": took[-1]["pss"]}


def hub_start(out):
    backend = Backend()
    try:
        out["hub-start"] = {"carrel": with_hub(lambda hub: restart(hub, backend), policy=FAKE)}
    finally:
        backend.close()
    try:
        theirs = JupyterHub(N_ACCOUNTS)
        seconds = theirs.begin()
        out["hub-start"]["jupyterhub"] = {"accounts": N_ACCOUNTS, "servers": 0, "seconds": seconds,
                                          "cpu_ms": measure.cpu(theirs.pid) * 1e3, "pss": measure.memory(theirs.pid)[1]}
        theirs.end()
    except (Skip, report.Failure) as e:
        out["hub-start"]["jupyterhub"] = {"skipped": str(e)}


# ---- PAM ------------------------------------------------------------------


def cpu_with_gone(pids):
    """As measure.cpu, and what those used that have ended and were waited for."""
    total = 0
    for pid in pids:
        total += measure.cpu(pid)
        for p in measure.processes(pid):
            try:
                with open("/proc/%d/stat" % p) as f:
                    fields = f.read().rpartition(")")[2].split()
                total += (int(fields[13]) + int(fields[14])) / os.sysconf("SC_CLK_TCK")
            except OSError:
                pass
    return total


class PamOurs:
    name = "carrel"

    def __init__(self):
        self.carrel = Carrel().start()
        self.hub_port = self.carrel.hub_port
        self.pids = [self.carrel.pid("hub"), self.carrel.pid("spawner")]

    login_form = Ours.login_form

    def end(self):
        self.carrel.clean()


class PamJupyterHub(JupyterHub):
    def __init__(self):
        super().__init__(authenticator="pam")
        self.pids = [self.process.pid]


def pam_logins(hub, password):
    cookie, xsrf = hub.login_form()
    data = request("POST", "/hub/login", [hub_api.FORM] + (["Cookie: " + cookie] if cookie else []),
                   "username=carreltbench##&password=%s&_xsrf=%s" % (password, xsrf))
    samples = []
    for _ in range(measure.REPEATS):
        load = measure.Load(hub.hub_port, data, expect=302, range=16, operations=64, connections=16, seconds=60,
                            first=100)
        before = cpu_with_gone(hub.pids)
        r = load.go()
        used = cpu_with_gone(hub.pids) - before
        load.close()
        report.claim(not r["errors"], "a login failed: " + r["wrong"])
        samples.append((r["operations"] / r["seconds"], used / r["operations"] * 1e3))
    return {"logins_per_s": max(s[0] for s in samples), "cpu_ms": min(s[1] for s in samples)}


def timed_login(hub, name, password):
    begun = time.monotonic()
    answer = Browser("http://127.0.0.1:%d" % hub.hub_port).login(name, password)
    return time.monotonic() - begun, answer.status


def beside_wrong(hub, password, n_wrong):
    """A right login while others' wrong passwords are being checked; seconds, the median of three."""
    took = []
    for turn in range(3):
        wrong = [threading.Thread(target=timed_login, args=(hub, "carreltbench%02d" % (8 + (turn * 2 + i) % 8), "no"))
                 for i in range(n_wrong)]
        for t in wrong:
            t.start()
        time.sleep(0.3 if n_wrong else 0)
        seconds, status = timed_login(hub, "carreltbench00", password)
        report.equal(status, 302, "a right login")
        took.append(seconds)
        for t in wrong:
            t.join()
    return statistics.median(took)


def hub_pam(out):
    if not accounts.can_make():
        raise Skip("needs root: it makes accounts")
    password = "pw-bench-7"
    people = [accounts.Account("carreltbench%02d" % i) for i in range(16)]
    accounts.run("chpasswd", text="".join("%s:%s\n" % (p.name, password) for p in people))
    out["hub-pam"] = {}
    for kind in (PamOurs, PamJupyterHub):
        try:
            hub = kind()
            try:
                out["hub-pam"][hub.name] = dict(pam_logins(hub, password),
                                                alone_s=beside_wrong(hub, password, 0),
                                                beside_wrong_s=beside_wrong(hub, password, 1))
            finally:
                hub.end()
        except (Skip, report.Failure) as e:
            out["hub-pam"][kind.name] = {"skipped": str(e)}
    for p in people:
        accounts.remove(p.name)


SECTIONS = {
    "hub-api": hub_api.run,
    "hub-calls": hub_calls,
    "hub-growth": hub_growth,
    "hub-start": hub_start,
    "hub-servers": hub_servers,
    "hub-pam": hub_pam,
}
