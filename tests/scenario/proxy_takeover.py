#!/usr/bin/python3
"""A proxy takes over from the one that runs, and nobody notices: 1,000 WebSockets
with flowing bytes through 10 takeovers, answers that run, activity, counters,
and new processes that die at every step (docs/architecture.md "Proxy upgrade").
"""
# timeout: 180
import array
import http.client
import json
import os
import random
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
import accounts
import report
from ports import free_port
from proxy_world import (UPGRADE, Backend, Head, Proxy, Sock, echo, open_tunnel,
                         read_response, reply, tunnel_backend)
from report import claim, equal, until
from tunnels import Tunnels, serve_echo

N_TUNNELS, N_TAKEOVERS = 1000, 10
running = []


class World:
    """One proxy after the other on the same journal."""

    def __init__(self, *args):
        self.dir = tempfile.mkdtemp(prefix="carrelt-takeover-")
        self.args = ("--journal", self.dir + "/routes") + args
        self.socket = self.dir + "/routes.takeover"
        self.old = []
        self.now = Proxy(*self.args)
        running.append(self)

    def next(self, *args, **kw):
        fresh = Proxy(*(self.args + ("--takeover",) + args), **kw)
        self.old.append(self.now)
        self.now = fresh
        equal((fresh.port, fresh.api_port), (self.old[-1].port, self.old[-1].api_port), "ports")
        return fresh

    def old_ended(self, proxy=None):
        for p in [proxy] if proxy else self.old:
            until("the process before to end", 10, lambda: p.process.poll() is not None)
            equal(p.process.returncode, 0, "its exit status")

    def stop(self):
        for p in self.old:
            if p.process.poll() is None:
                p.kill()
        self.now.stop()
        shutil.rmtree(self.dir, ignore_errors=True)
        running.remove(self)


def say_all():
    for w in running:
        for p in w.old[-2:] + [w.now]:
            print("---- a proxy said:\n" + p.output()[-3000:])


def listens(port):
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
        return True
    except OSError:
        return False


def metrics(port):
    s = Sock(socket.create_connection(("127.0.0.1", port), 5))
    s.send(b"GET /metrics HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
    head, body = read_response(s)
    equal(head.status, 200, "metrics")
    return {k: float(v) for k, v in (l.rsplit(" ", 1) for l in body.decode().splitlines() if l[0] != "#")}


# ---- the story -------------------------------------------------------------

def call_with_retry(w, method, path, body=None):
    """As JupyterHub does: 503 and a connection that ended are asked again."""
    for _ in range(50):
        try:
            status, data = w.now.api(method, path, body)
        except (OSError, EOFError):
            status = 503
        if status != 503:
            return status
        time.sleep(0.05)
    raise report.Failure("%s %s is never answered" % (method, path))


def flowing_tunnels():
    metrics_port, backend_port = free_port(), free_port()
    w = World("--metrics-ip", "127.0.0.1", "--metrics-port", str(metrics_port))
    serve_echo(backend_port)
    target = "http://127.0.0.1:%d" % backend_port
    until("the backend", 5, lambda: listens(backend_port))
    for i in range(10):
        w.now.add("/user/u%d" % i, target, user="u%d" % i, extra={"deep": [1, None, True]})
    w.now.add("/quiet", target)
    tunnels = Tunnels(w.now.port, N_TUNNELS, lambda i: "/user/u%d/ws" % (i % 10), pause=0.2)
    until("all tunnels are open", 60, lambda: tunnels.opened() == N_TUNNELS or tunnels.wrong())
    quiet = w.now.last_activity("/quiet")
    stop, failures, asked = threading.Event(), [], [0]

    def ask():
        """Requests on fresh connections all the while: each must be answered."""
        while not stop.is_set():
            try:
                head, body = w.now.ask("/user/u1/page")
                asked[0] += 1
                if (head.status, body) != (200, b"ok"):
                    failures.append("%d %r" % (head.status, body[:50]))
            except (OSError, EOFError) as e:
                failures.append(repr(e))
            time.sleep(0.002)
    threads = [threading.Thread(target=ask, daemon=True) for _ in range(3)]
    for t in threads:
        t.start()
    rng, added = random.Random(3), []
    for n in range(N_TAKEOVERS):
        before = w.now.routes()
        w.next(workers=rng.choice((1, 2, 3)))
        after = w.now.routes()
        equal({k: dict(v, last_activity=0) for k, v in after.items()},
              {k: dict(v, last_activity=0) for k, v in before.items()}, "routes after takeover %d" % n)
        claim(all(after[k]["last_activity"] >= before[k]["last_activity"] for k in before), "activity goes on")
        equal(call_with_retry(w, "POST", "/api/routes/added/%d" % n, {"target": target}), 201, "a new route")
        added.append("/added/%d" % n)
        seen = tunnels.least()
        until("bytes go on in every tunnel", 20, lambda: tunnels.least() > seen or tunnels.wrong())
        claim(not tunnels.wrong(), "after takeover %d: %s" % (n, tunnels.wrong()[:3]))
    stop.set()
    for t in threads:
        t.join(10)
    w.old_ended()
    claim(not failures, "%d of %d requests failed: %s" % (len(failures), asked[0], failures[:3]))
    equal(w.now.last_activity("/quiet"), quiet, "nobody used this one")
    until("the activity of those in use goes on", 5, lambda: w.now.last_activity("/user/u3") > quiet)
    equal(set(added) <= set(w.now.routes()), True, "routes that were added between")
    m = metrics(metrics_port)
    equal((m["requests_ws"], m["proxy_open_tunnels"]), (N_TUNNELS, N_TUNNELS), "counted through all")
    claim(m["requests_web"] >= asked[0] and m["api_route_add"] == 11 + N_TAKEOVERS, "counters: %r" % m)
    wrong = tunnels.finish()
    claim(not wrong, "%d tunnels: %s" % (len(wrong), wrong[:3]))
    until("tunnels to be gone", 5, lambda: metrics(metrics_port)["proxy_open_tunnels"] == 0)
    print("# %d tunnels, %d bytes came back, %d requests" % (N_TUNNELS, tunnels.echoed(), asked[0]))
    w.now.kill()
    w.now.start()
    claim(set(added) <= set(w.now.routes()), "the journal was carried on")
    w.stop()


def slow_reader_and_half_close():
    """Queued bytes and half-closed tunnels move too."""
    gate, data = threading.Event(), random.Random(5).randbytes(6000000)

    def handler(s, backend):
        s.until(b"\r\n\r\n")
        s.send(b"HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\nfirst")
        s.send(data)
        s.send(b"sum %d" % len(s.rest()))
    w = World()
    w.now.add("/slow", Backend(handler).url)
    s, _ = open_tunnel(w.now, "/slow")
    s.send(b"x" * 1000)
    s.sock.shutdown(socket.SHUT_WR)
    time.sleep(0.3)  # until the proxy's queue is full
    for _ in range(3):
        w.next()
    equal(s.take(len(data)), data, "six megabytes to a slow reader")
    equal(s.rest(), b"sum 1000", "and an answer after our end")
    w.stop()


def what_cannot_move_is_drained():
    gate = threading.Event()

    def handler(s, backend):
        head = Head(s.until(b"\r\n\r\n"))
        if head.get("Upgrade"):
            gate.wait(10)
            s.send(b"HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\nfirst")
            s.send(s.take(4))
            s.until(b"bye")
            return
        s.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello")
        gate.wait(10)
        s.send(b"world")
    metrics_port = free_port()
    w = World("--metrics-ip", "127.0.0.1", "--metrics-port", str(metrics_port))
    w.now.add("/run", Backend(handler).url)
    w.now.add("/late", Backend(handler).url)
    w.now.add("/echo", Backend(echo).url)
    running_answer = w.now.connect().send(b"GET /run HTTP/1.1\r\nHost: h\r\n\r\n")
    claim(running_answer.until(b"hello"), "it runs")
    late = w.now.connect().send((UPGRADE % "/late").encode())
    idle = w.now.connect().send(b"GET /echo HTTP/1.1\r\nHost: h\r\n\r\n")
    read_response(idle)
    silent = w.now.connect()  # accepted, and has not asked yet
    until("all are counted", 5, lambda: metrics(metrics_port)["proxy_open_connections"] == 4)
    before = w.now.last_activity("/run")
    first = w.now
    w.next()
    claim(idle.ended(), "an idle connection is closed")
    equal(read_response(silent.send(b"GET /echo HTTP/1.1\r\nHost: h\r\n\r\n"))[0].status, 200,
          "who had connected before is answered")
    claim(first.process.poll() is None, "the old one drains")
    equal(metrics(metrics_port)["proxy_open_connections"] >= 2, True, "the sum of both is shown")
    w.next()  # and again, while the first one still drains
    time.sleep(1.1)  # activity is noted once a second
    gate.set()
    equal(running_answer.take(5), b"world", "a running answer ends")
    claim(late.until(b"first"), "an upgrade that was on its way")
    equal(late.send(b"ping").take(4), b"ping", "goes through")
    w.old_ended()
    until("the activity that the old ones saw", 5, lambda: w.now.last_activity("/run") > before)
    m = metrics(metrics_port)
    equal((m["proxy_open_tunnels"], m["proxy_open_connections"]), (1, 0), "the late tunnel is ours now")
    equal(m['requests_proxy{status="200"}'], 3, "answers are counted once")
    late.send(b"bye")
    claim(late.ended(), "its end passes too")
    w.stop()


# ---- new processes that die ------------------------------------------------

class Peer:
    """Speaks the new side's part of the takeover (proxy/parcel.h)."""

    def __init__(self, path):
        self.s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.s.settimeout(10)
        self.s.connect(path)
        self.fds = []

    def say(self, kind, rest=b""):
        self.s.send(b"\0" + bytes([kind]) + rest)

    def hello(self, version=1, magic=0x4c525243):
        self.say(1, struct.pack("<II", magic, version))

    def hear(self):
        """Type and payload of one message; descriptors are kept open."""
        data = b""
        while True:
            part, control, flags, _ = self.s.recvmsg(40000, socket.CMSG_SPACE(32 * 4))
            for level, kind, raw in control:
                fds = array.array("i")
                fds.frombytes(raw[:len(raw) - len(raw) % 4])
                self.fds += list(fds)
            if not part:
                raise EOFError("the proxy hung up")
            data += part[1:]
            if part[0] == 0:
                return data[0], data[1:]

    def until(self, kind):
        while self.hear()[0] != kind:
            pass

    def close(self):
        self.s.close()
        for fd in self.fds:
            os.close(fd)
        self.fds = []


STEPS = (
    ("connect", lambda p: None),
    ("HELLO", lambda p: p.hello()),
    ("WELCOME", lambda p: (p.hello(), p.until(2))),
    ("a socket", lambda p: (p.hello(), p.until(4))),
    ("a route", lambda p: (p.hello(), p.until(5))),
    ("all routes", lambda p: (p.hello(), p.until(6))),
    ("PREPARED", lambda p: (p.hello(), p.until(6), p.say(7))),
    ("a tunnel", lambda p: (p.hello(), p.until(6), p.say(7), p.until(8))),
    ("all tunnels", lambda p: (p.hello(), p.until(6), p.say(7), p.until(9))),
    ("READY", lambda p: (p.hello(), p.until(6), p.say(7), p.until(9), p.say(10))),
    ("GO", lambda p: (p.hello(), p.until(6), p.say(7), p.until(9), p.say(10), p.until(11))),
    ("another version", lambda p: (p.hello(version=9), equal(p.hear()[0], 3, "refusal"))),
    ("another magic", lambda p: p.hello(magic=1)),
    ("no message", lambda p: p.s.send(b"\0\xff\xff")),
    ("a part without an end", lambda p: p.s.send(b"\1\1")),
    ("DONE too early", lambda p: (p.hello(), p.until(6), p.say(12))),
)


def new_one_dies_at_each_step():
    w = World()
    backend = Backend(tunnel_backend)
    w.now.add("/ws", backend.url)
    w.now.add("/echo", Backend(echo).url)
    tunnels = [open_tunnel(w.now, "/ws")[0] for _ in range(20)]
    fds = w.now.n_fds()
    for n, (name, act) in enumerate(STEPS):
        peer = Peer(w.socket)
        act(peer)
        for t in tunnels[:10]:  # they come while the tunnel may be at rest
            t.send(b"%04d" % n)
        peer.close()
        for t in tunnels[10:]:
            t.send(b"%04d" % n)
        for t in tunnels:
            equal(t.take(4), b"%04d" % n, "a tunnel after death at " + name)
        equal(w.now.ask("/echo")[0].status, 200, "a request after death at " + name)
        w.now.add("/after/%d" % n, backend.url)
    until("descriptors to be closed", 5, lambda: w.now.n_fds() <= fds + 2)
    equal(w.now.process.poll(), None, "the old one lives")
    equal(open_tunnel(w.now, "/ws")[0].send(b"new").take(3), b"new", "a new tunnel")
    for t in tunnels:
        t.send(b"last")
    w.next()
    for t in tunnels:
        equal(t.take(4), b"last", "after a takeover that succeeds")
    w.old_ended()
    w.stop()


def new_process_killed_anywhere():
    """kill -9 of the real program, each time half a millisecond later."""
    w = World()
    w.now.add("/ws", Backend(tunnel_backend).url)
    tunnels = [open_tunnel(w.now, "/ws")[0] for _ in range(50)]
    for i in range(500):
        w.now.add("/some/%d" % i, "http://127.0.0.1:1")
    n_given_up = 0
    for n in range(80):
        out = open(w.dir + "/new", "wb")
        # As one process: that one stops and dies in the very moment.
        p = subprocess.Popen(w.now.args + ["--takeover", "--no-parent"],
                             stdout=out, stderr=subprocess.STDOUT, env=w.now.env)
        time.sleep(n * 0.0005)
        p.send_signal(signal.SIGSTOP)
        text = open(w.dir + "/new").read()
        if "taken over" in text:
            p.send_signal(signal.SIGCONT)
            break
        p.kill()
        p.wait()
        out.close()
        if w.now.process.poll() is not None or any(
                t in w.now.output() for t in ("another process has taken over", "in the moment it began")):
            break
        n_given_up += 1
        for t in tunnels:
            t.send(b"%04d" % n)
        for t in tunnels:
            equal(t.take(4), b"%04d" % n, "a tunnel after kill %d" % n)
        equal(len(w.now.routes()), 501, "routes after kill %d" % n)
    claim(n_given_up > 0, "no process was killed before it had begun")
    print("# %d new processes were killed before they had begun" % n_given_up)
    if p.poll() is None:
        p.kill()
        p.wait()
    w.stop()


def a_second_one_waits_outside():
    w = World()
    peer = Peer(w.socket)
    peer.hello()
    peer.until(6)
    late = []
    adding = threading.Thread(target=lambda: late.append(w.now.api("POST", "/api/routes/x", {"target": "http://h"})))
    adding.start()
    other = Peer(w.socket)
    try:
        other.hello()
        other.hear()
        raise report.Failure("two takeovers at once")
    except (OSError, EOFError):
        pass
    claim(not late, "a change of routes waits")
    peer.close()
    adding.join(5)
    equal(late and late[0][0], 201, "and goes on when the takeover is given up")
    w.stop()


# ---- refusals --------------------------------------------------------------

def refused(w, text, *args, **kw):
    try:
        Proxy(*args, **kw).stop()
    except report.Failure as e:
        claim(text in str(e), "%r: %s" % (args, e))
    else:
        raise report.Failure("%r was accepted" % (args,))
    equal(w.now.ask("/echo")[0].status, 200, "the old one serves after that")


def refusals():
    w = World()
    w.now.add("/echo", Backend(echo).url)
    equal(os.stat(w.socket).st_mode & 0o777, 0o600, "mode of the socket")
    refused(w, "--takeover-socket", "--takeover")
    refused(w, "another file", "--takeover", "--takeover-socket", w.socket, "--journal", w.dir + "/../" + os.path.basename(w.dir) + "-other")
    refused(w, "in use", "--takeover", *w.args, "--ip", "127.0.0.2", "--port", str(w.now.port), "--api-port", str(w.now.api_port), "--api-ip", "0.0.0.0")
    w.stop()
    for name in os.listdir(tempfile.gettempdir()):
        if name == os.path.basename(w.dir) + "-other":
            os.unlink(os.path.join(tempfile.gettempdir(), name))
    plain = Proxy("--takeover", "--takeover-socket", w.dir + ".none")
    claim("no proxy to take over from" in plain.output(), "without one that runs it starts as usual")
    plain.stop()
    claim(not os.path.exists(w.dir + ".none"), "its socket is removed at the end")


def wrong_account():
    if not accounts.can_make():
        report.skip("another account is refused on both sides", "needs root")
        return
    account = accounts.Account("carreltakeover1")
    d = tempfile.mkdtemp(prefix="carrelt-takeover-")
    os.chown(d, account.uid, account.gid)
    exe = tempfile.mkdtemp(prefix="carrelt-bin-")
    os.chmod(exe, 0o755)
    shutil.copy(os.path.join(report.bin_dir(), "carrel-proxy"), exe)
    try:
        p = Proxy("--journal", d + "/j", prefix=["setpriv", "--reuid", str(account.uid), "--regid", str(account.gid), "--clear-groups", "sh", "-c", "shift; exec %s/carrel-proxy \"$@\"" % exe, "sh"])
        try:
            Proxy("--journal", d + "/j", "--takeover").stop()
        except report.Failure as e:
            claim("same account" in str(e), str(e))
        else:
            raise report.Failure("root took over from another account")
        peer = Peer(d + "/j.takeover")
        try:
            peer.hello()
            peer.hear()
            raise report.Failure("the proxy talks to another account")
        except (OSError, EOFError):
            pass
        peer.close()
        claim("is refused" in p.output(), "and says so")
        equal(p.stop(), 0, "end")
    finally:
        shutil.rmtree(d)
        shutil.rmtree(exe)


# ---- the known gap ---------------------------------------------------------

def a_route_that_comes_again_keeps_its_activity():
    w = World()
    backend = Backend(tunnel_backend)
    w.now.add("/user/a", backend.url)
    s, _ = open_tunnel(w.now, "/user/a")
    for again in ("at once", "after a takeover"):
        w.now.delete("/user/a")
        if again == "after a takeover":
            w.next()
        w.now.add("/user/a", backend.url)
        before = w.now.last_activity("/user/a")
        time.sleep(1.1)
        s.send(b"ping").take(4)
        claim(w.now.last_activity("/user/a") > before, "a tunnel from before shows in the new route, " + again)
    w.stop()


def main():
    report.group("proxy")
    tests = (flowing_tunnels, slow_reader_and_half_close, what_cannot_move_is_drained, new_one_dies_at_each_step,
             new_process_killed_anywhere, a_second_one_waits_outside, refusals, wrong_account,
             a_route_that_comes_again_keeps_its_activity)
    wanted = sys.argv[1:]
    report.run([(f.__name__, f) for f in tests if not wanted or f.__name__ in wanted], say_all)
    for w in list(running):
        w.stop()
    report.finish()


if __name__ == "__main__":
    main()
