#!/usr/bin/python3
"""Churn of everything, and at the end all is as it was at the beginning.

    make soak [SECONDS=600]     (make check: 20)

Four worlds at once, on loopback: a proxy whose place the next one takes again
and again, with tunnels that outlive them all; a proxy with TLS whose certificates
change, with HTTP/2 on half of its connections; and hub, spawner and proxy with a hub that is started again, every other
time after kill -9, while servers come and go; and a hub that is never started again, under everything that people,
administrators and services do (lib/hub_churn.py), with the size of its database. Deeds for proxies are those of lib/churn.py.
After a first round, at half-time and at the end everything calms down and each
process is looked at: descriptors and sockets must be as after the first round,
and memory may grow by no more than a bound between half-time and the end.
"""
# timeout: 300
import os
import random
import shutil
import signal
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
LIB = os.path.join(HERE, "../lib")
sys.path[:0] = [LIB, HERE]
import report
from certs import Authority
from churn import Churn
from hub_churn import HubChurn
from programs import Programs
from proxy_takeover import World
from proxy_world import Proxy, child_of
from report import claim, equal, until
from tunnels import Tunnels
from web import Browser

try:
    import h2_churn
except ModuleNotFoundError:
    h2_churn = None  # python3-h2 is not installed

SECONDS = int(os.environ.get("SOAK_SECONDS", "20"))
FIRST_ROUND = min(20, max(5, SECONDS // 10))
N_TUNNELS = 50
GROWTH = 1536 << 10  # bytes, from half-time to the end
FD_SLACK = 6  # connections to backends that are kept for the next request


def look_at(pid):
    """Descriptors, established sockets, resident memory."""
    links = []
    for fd in os.listdir("/proc/%d/fd" % pid):
        try:
            links.append(os.readlink("/proc/%d/fd/%s" % (pid, fd)))
        except OSError:
            pass
    with open("/proc/%d/statm" % pid) as f:
        rss = int(f.read().split()[1]) * os.sysconf("SC_PAGESIZE")
    return len(links), sum(link.startswith("socket:") for link in links), rss


class Repeated:
    """A thread that does something every so often, and says what went wrong."""

    def __init__(self, name, pause, deed):
        self.name, self.pause, self.deed = name, pause, deed
        self.n, self.wrong = 0, []

    def begin(self):
        self.stopping = threading.Event()
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        while not self.stopping.wait(self.pause):
            try:
                self.deed(self.n)
            except Exception as e:
                self.wrong.append("%s: %s %s" % (self.name, type(e).__name__, e))
            self.n += 1

    def end(self):
        self.stopping.set()
        self.thread.join(60)
        claim(not self.thread.is_alive(), "%s hangs" % self.name)


# ---- the worlds ----------------------------------------------------------------

class Succession:
    """Proxies that take over from each other, and tunnels through all of them."""

    def __init__(self):
        self.world = World("--keep-alive-timeout", "1000")
        self.churn = Churn("takeover", lambda: (self.world.now.port, self.world.now.api_port), seed=1)
        self.churn.prepare()
        self.steady = None
        self.takeovers = Repeated("takeover", 2.0, lambda n: self.take_over())
        self.doers = [self.churn, self.takeovers]

    def take_over(self):
        self.world.next(workers=2)
        while len(self.world.old) > 3:
            old = self.world.old.pop(0)
            self.world.old_ended(old)
            shutil.rmtree(old.dir, ignore_errors=True)

    def rested(self):
        """What drains has gone: one process is left."""
        self.world.old_ended()
        return {"proxy after takeovers": self.world.now.engine(), "its parent": self.world.now.process.pid}

    def counts(self):
        return dict(self.churn.counts, takeovers=self.takeovers.n)

    def stop(self):
        self.world.stop()


class Certificates:
    def __init__(self):
        self.ca = Authority()
        self.pairs = [self.ca.issue("alpha.test", kind=kind) for kind in ("ec", "rsa", "ec")]
        self.files = [self.ca.path("now.key"), self.ca.path("now.pem")]
        self.change(0)
        self.proxy = Proxy("--ssl-key", self.files[0], "--ssl-cert", self.files[1], "--keep-alive-timeout", "1000")
        self.churn = Churn("tls", lambda: (self.proxy.port, self.proxy.api_port), tls=True, seed=2)
        self.churn.prepare()
        self.reloads = Repeated("reload", 1.0, self.reload)
        self.streams = [Repeated("HTTP/2", 0.02, lambda n, i=i: self.by_http2(random.Random(n * 2 + i)))
                        for i in range(2)] if h2_churn else []
        self.doers = [self.churn, self.reloads] + self.streams

    def by_http2(self, rng):
        h2_churn.deed(self.proxy.port, self.ca.cert, rng)

    def change(self, n):
        for source, to in zip(self.pairs[n % len(self.pairs)], self.files):
            shutil.copy(source, to + ".new")
            os.rename(to + ".new", to)

    def reload(self, n):
        self.change(n)
        self.proxy.process.send_signal(signal.SIGHUP)

    def rested(self):
        claim(self.proxy.process.poll() is None, "the proxy with TLS lives")
        return {"proxy with TLS": self.proxy.engine(), "parent of that": self.proxy.process.pid}

    def counts(self):
        return dict(self.churn.counts, reloads=self.reloads.n, http2=sum(s.n for s in self.streams))

    def stop(self):
        self.proxy.stop()
        shutil.rmtree(self.proxy.dir, ignore_errors=True)
        shutil.rmtree(self.ca.dir, ignore_errors=True)


class House:
    """Hub, spawner and proxy; the hub is started again and again."""

    def __init__(self):
        self.carrel = Programs(profile=["/usr/bin/python3", "@DIR@/tunnels.py"])
        shutil.copy(os.path.join(LIB, "tunnels.py"), self.carrel.dir + "/tunnels.py")
        for name in ("spawner", "proxy", "hub"):
            self.carrel.begin(name)
        self.browser = Browser(self.carrel.url)
        equal(self.browser.login("steady", "x").status, 302, "login")
        self.browser.start_server("steady")
        self.people = Repeated("login, start, use, stop", 0.2, self.person)
        self.restarts = Repeated("hub restart", 4.0, self.restart)
        self.lock = threading.Lock()
        self.doers = [self.people, self.restarts]

    def person(self, n):
        name = "p%d" % (n % 5)
        with self.lock:  # a start needs its hub; what runs does not
            b = Browser(self.carrel.url)
            equal(b.login(name, "x").status, 302, "login of " + name)
            b.start_server(name)
        t = Tunnels(self.carrel.port, 5, lambda i: "/user/%s/ws" % ("steady" if i else name), pause=0.02, seed=n)
        time.sleep(0.5)
        claim(not t.wrong(), "tunnels: %s" % t.wrong()[:2])
        wrong = t.finish()
        claim(not wrong, "tunnels: %s" % wrong[:2])
        with self.lock:
            answer = b.api("DELETE", "/users/%s/server" % name)
            claim(answer.status in (202, 204), "stop answers %d" % answer.status)
            until("the server is gone", 30, lambda: not b.api("GET", "/users/" + name).json()["servers"])

    def restart(self, n):
        with self.lock:
            self.carrel.end("hub", signal.SIGKILL if n % 2 else signal.SIGTERM)
            time.sleep(0.2)
            self.carrel.begin("hub")

    def rested(self):
        del self.carrel.lines[:-2000]
        until("the server that stays", 30, lambda: self.browser.get("/user/steady/x").status == 200)
        pids = {name: p.pid for name, p in self.carrel.running.items()}
        return dict(pids, engine=child_of(pids["proxy"]))

    def counts(self):
        return {"logins, starts and stops": self.people.n, "hub restarts": self.restarts.n}

    def stop(self):
        self.carrel.clean()


class OneHub:
    """Never started again: it gives everything back, its database too."""
    WHO = ["one", "two", "three"]

    def __init__(self):
        self.churn = HubChurn()
        self.doers = [Repeated("hub: " + who, 0.02, lambda n, who=who: self.churn.deed(n, who)) for who in self.WHO]

    def rested(self):
        del self.churn.carrel.lines[:-2000]
        self.churn.clean(self.WHO)
        return {"one hub: " + name: p.pid for name, p in self.churn.carrel.running.items()}

    def sizes(self):
        return {"database of one hub": self.churn.database_bytes()}

    def counts(self):
        return self.churn.counts()

    def stop(self):
        self.churn.stop()


# ---- the story -------------------------------------------------------------

class Steady:
    """Tunnels that are open from the beginning to the end."""

    def __init__(self, succession):
        self.tunnels = Tunnels(succession.world.now.port, N_TUNNELS, lambda i: "/ws/%d" % i, pause=0.2)
        until("tunnels to open", 30, lambda: self.tunnels.opened() == N_TUNNELS or self.tunnels.wrong())

    def wrong(self):
        return self.tunnels.wrong()


def churn_for(worlds, seconds):
    doers = [d for w in worlds for d in w.doers]
    for d in doers:
        d.begin()
    time.sleep(seconds)
    for d in doers:
        d.end()
    wrong = [x for d in doers for x in d.wrong]
    claim(not wrong, "%d deeds went wrong: %s" % (len(wrong), wrong[:5]))


def measure(worlds):
    """When nothing changes any more."""
    pids = {}
    for w in worlds:
        pids.update(w.rested())
    last = [None, 0]

    def is_calm():
        now = {name: look_at(pid)[:2] for name, pid in pids.items()}
        last[1] = last[1] + 1 if now == last[0] else 0
        last[0] = now
        return last[1] >= 8
    until("everything to calm down", 90, is_calm, pause=0.5)
    out = {name: look_at(pid) for name, pid in pids.items()}
    for w in worlds:
        if isinstance(w, OneHub):
            out.update((name, (0, 0, size)) for name, size in w.sizes().items())
    return out


def table(points):
    print("# %-24s %17s %17s %26s" % ("process", "descriptors", "sockets", "memory, KiB"))
    for name in points[0]:
        row = [" ".join("%*d" % (w, point[name][i] >> shift) for point in points)
               for i, w, shift in ((0, 5, 0), (1, 5, 0), (2, 8, 10))]
        print("# %-24s %s %s %s" % (name, *row))


def compare(points):
    first, half, last = points
    wrong = []
    for name in first:
        for i, what in ((0, "descriptors"), (1, "sockets")):
            if last[name][i] > first[name][i] + FD_SLACK:
                wrong.append("%s: %d %s, %d at first" % (name, last[name][i], what, first[name][i]))
        if name != "hub" and last[name][2] > half[name][2] + GROWTH:  # the hub is a new process each time
            wrong.append("%s: memory grew by %d KiB from half-time to the end"
                         % (name, (last[name][2] - half[name][2]) >> 10))
    claim(not wrong, "; ".join(wrong))


worlds = []


def story():
    succession = Succession()
    worlds.append(succession)
    worlds.append(Certificates())
    worlds.append(House())
    worlds.append(OneHub())
    steady = Steady(succession)
    points = []
    for seconds in (FIRST_ROUND, SECONDS / 2, SECONDS / 2):
        churn_for(worlds, seconds)
        points.append(measure(worlds))
        claim(not steady.wrong(), "a tunnel that stays: %s" % steady.wrong()[:3])
    for w in worlds:
        print("# %s: %s" % (type(w).__name__.lower(), ", ".join("%d %s" % (n, k) for k, n in sorted(w.counts().items()))))
    table(points)
    wrong = steady.tunnels.finish()
    claim(not wrong, "%d tunnels that stayed: %s" % (len(wrong), wrong[:3]))
    compare(points)


def say_all():
    for w in worlds:
        if isinstance(w, House):
            w.carrel.print_lines(60)
        elif isinstance(w, OneHub):
            w.churn.carrel.print_lines(60)
        else:
            print("---- a proxy said:\n" + (w.proxy if isinstance(w, Certificates) else w.world.now).output()[-3000:])


report.group("soak")
report.run([("%d seconds of churn leave nothing behind" % SECONDS, story)], say_all)
for w in worlds:
    w.stop()
report.finish()
