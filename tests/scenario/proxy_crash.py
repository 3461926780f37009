#!/usr/bin/python3
"""The proxy's engine dies by kill -9, again and again, and who has a quiet
WebSocket does not notice: the parent keeps it. One whose bytes were in the
engine's hands is closed, never corrupted (docs/architecture.md "Proxy crash").
"""
# timeout: 240
import mmap
import os
import random
import resource
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
import report
from ports import free_port
from proxy_takeover import STEPS, Peer, World, listens, metrics, running, say_all
from proxy_world import (UPGRADE, Backend, Head, Proxy, Sock, child_of, echo,
                         open_tunnel, read_response, tunnel_backend)
from report import claim, equal, until
from tunnels import Tunnels, serve_echo

N_IDLE, N_BUSY, N_KILLS = 1000, 200, 10


def parent_fds(p):
    return len(os.listdir("/proc/%d/fd" % p.process.pid))


def kill_engine(p, signo=signal.SIGKILL):
    """Returns when it is dead; the next one may not be there yet."""
    pid = p.engine()
    claim(pid != p.process.pid, "there is a parent")
    os.kill(pid, signo)
    until("the engine to be dead", 10, lambda: child_of(p.process.pid) != pid, pause=0.002)
    return pid


def crash(p, signo=signal.SIGKILL):
    """Kill the engine and ask the next one; the question waits in the listener's queue."""
    pid = kill_engine(p, signo)
    equal(p.ask("/_chp_healthz")[0].status, 200, "an answer of the next engine")
    claim(p.engine() != pid, "it is another one")


def protected(p, n, before):
    until("the parent to have %d tunnels" % n, 10, lambda: parent_fds(p) >= before + 2 * n)


def served_a_second():
    """An engine that died earlier than this is started again later: not what is tested here."""
    time.sleep(1.1)


def echoes(tunnels, text):
    for s in tunnels:
        s.send(text)
    for i, s in enumerate(tunnels):
        equal(s.take(len(text)), text, "tunnel %d of %d" % (i, len(tunnels)))


def tunnel_to_echo(p, path):
    """A tunnel to tunnels.serve_echo."""
    s = p.connect().send((UPGRADE % path).encode())
    equal(Head(s.until(b"\r\n\r\n")).status, 101, "handshake")
    return s


# ---- the story -------------------------------------------------------------

def idle_websockets_outlive_the_engine():
    backend_port, metrics_port = free_port(), free_port()
    serve_echo(backend_port)
    until("the backend", 5, lambda: listens(backend_port))
    w = World("--metrics-ip", "127.0.0.1", "--metrics-port", str(metrics_port))
    p, target = w.now, "http://127.0.0.1:%d" % backend_port
    for i in range(10):
        p.add("/user/u%d" % i, target, user="u%d" % i)
    p.add("/quiet", target)
    engine_before, parent_before = p.n_fds(), parent_fds(p)
    tunnels = [tunnel_to_echo(p, "/user/u%d/ws" % (i % 10)) for i in range(N_IDLE)]
    protected(p, N_IDLE, parent_before)
    quiet = p.last_activity("/quiet")
    for n in range(N_KILLS):
        served_a_second()
        before = p.routes()
        kill_engine(p)
        waiting = p.connect().send(b"GET /user/u1/page HTTP/1.1\r\nHost: h\r\n\r\n")
        head, body = read_response(waiting)
        equal((head.status, body), (200, b"ok"), "a connection that came between, kill %d" % n)
        waiting.close()
        after = p.routes()
        equal({k: dict(v, last_activity=0) for k, v in after.items()},
              {k: dict(v, last_activity=0) for k, v in before.items()}, "routes after kill %d" % n)
        claim(all(after[k]["last_activity"] >= before[k]["last_activity"] for k in before), "activity goes on")
        p.add("/added/%d" % n, target)
        m = metrics(metrics_port)
        equal((m["proxy_engine_restarts"], m["proxy_open_tunnels"]), (n + 1, N_IDLE), "counted")
        echoes(tunnels, b"still here after kill %d" % n)
    equal(p.last_activity("/quiet"), quiet, "nobody used this one")
    m = metrics(metrics_port)
    equal((m["proxy_tunnels_recovered"], m["proxy_tunnels_lost"]), (N_IDLE * N_KILLS, 0), "none was lost")
    for s in tunnels:
        s.close()
    until("the engine's descriptors to be closed", 10, lambda: p.n_fds() <= engine_before + 2)
    until("the parent's descriptors to be closed", 10, lambda: parent_fds(p) <= parent_before)
    w.stop()


def flowing_bytes_are_never_corrupted():
    backend_port = free_port()
    serve_echo(backend_port)
    until("the backend", 5, lambda: listens(backend_port))
    w = World()
    p = w.now
    p.add("/", "http://127.0.0.1:%d" % backend_port)
    before = parent_fds(p)
    tunnels = Tunnels(p.port, N_BUSY, lambda i: "/ws", pause=0.05)
    until("all tunnels are open", 30, lambda: tunnels.opened() == N_BUSY or tunnels.wrong())
    claim(not tunnels.wrong(), "tunnels: %s" % tunnels.wrong()[:3])
    protected(p, N_BUSY, before)
    for n in range(N_KILLS):
        served_a_second()
        crash(p, (signal.SIGKILL, signal.SIGSEGV, signal.SIGABRT)[n % 3])
        echoed = tunnels.echoed()
        until("bytes go on", 20, lambda: tunnels.echoed() > echoed)
        claim(not tunnels.corrupted(), "after kill %d: %s" % (n, tunnels.corrupted()[:3]))
    tunnels.finish()
    wrong = tunnels.corrupted()
    claim(not wrong, "%d corrupted: %s" % (len(wrong), wrong[:3]))
    claim(tunnels.closed() < N_BUSY, "every one was closed: nothing was recovered")
    print("# %d of %d went through %d kills, %d bytes came back" % (
        N_BUSY - tunnels.closed(), N_BUSY, N_KILLS, tunnels.echoed()))
    until("the parent's descriptors to be closed", 10, lambda: parent_fds(p) <= before)
    w.stop()


class Flood:
    """As many seeded bytes as go, there and back; what comes back must be a prefix of them."""

    def __init__(self, p, seed):
        self.seed, self.n, self.state = seed, 0, "flows"
        self.s = tunnel_to_echo(p, "/flood").sock
        for run in (self._send, self._receive):
            threading.Thread(target=run, daemon=True).start()

    def _send(self):
        rng = random.Random(self.seed)
        try:
            while True:
                self.s.sendall(rng.randbytes(65536))
        except OSError:
            pass

    def _receive(self):
        rng, wanted = random.Random(self.seed), b""
        try:
            while True:
                data = self.s.recv(65536)
                if not data:
                    break
                while len(wanted) < len(data):
                    wanted += rng.randbytes(65536)
                if not wanted.startswith(data):
                    self.state = "other bytes came back after %d" % self.n
                    return
                wanted = wanted[len(data):]
                self.n += len(data)
        except OSError:
            pass
        self.state = "closed"


def floods_are_never_corrupted():
    """Most of the time bytes are in hand here: some are closed, the others go on exactly."""
    backend_port = free_port()
    serve_echo(backend_port)
    until("the backend", 5, lambda: listens(backend_port))
    w = World()
    p = w.now
    p.add("/", "http://127.0.0.1:%d" % backend_port)
    floods, n_closed, n_went_on = [], 0, 0
    for n in range(N_KILLS):
        before = parent_fds(p)
        fresh = [Flood(p, 100 * n + i) for i in range(6 - len(floods))]
        floods += fresh
        protected(p, len(fresh), before)
        served_a_second()
        crash(p)
        seen = {f: f.n for f in floods}
        until("each goes on or is closed", 20, lambda: all(f.n > seen[f] or f.state != "flows" for f in floods))
        wrong = [f.state for f in floods if f.state not in ("flows", "closed")]
        claim(not wrong, "after kill %d: %s" % (n, wrong))
        n_closed += sum(f.state == "closed" for f in floods)
        n_went_on += sum(f.state == "flows" for f in floods)
        floods = [f for f in floods if f.state == "flows"]
    print("# %d times a flood went on, %d times it was closed" % (n_went_on, n_closed))
    w.stop()


def bytes_in_hand_close_a_tunnel():
    """A reader that does not read: the proxy's queue is full when the engine dies."""
    data = random.Random(5).randbytes(32000000)

    def handler(s, backend):
        s.until(b"\r\n\r\n")
        s.send(b"HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\nfirst")
        s.sock.settimeout(60)
        s.send(data)
    metrics_port = free_port()
    w = World("--metrics-ip", "127.0.0.1", "--metrics-port", str(metrics_port))
    p, backend = w.now, Backend(handler)
    p.add("/slow", backend.url)
    p.add("/ws", Backend(tunnel_backend).url)
    before = parent_fds(p)
    slow, _ = open_tunnel(p, "/slow")
    quiet, _ = open_tunnel(p, "/ws")
    protected(p, 2, before)
    served_a_second()  # the queue is full by now
    crash(p)
    got = slow.rest()
    claim(got.endswith(b"<reset>"), "it is reset, so that nobody takes it for the whole")
    got = got[:-7]
    claim(len(got) < len(data) and data.startswith(got), "what came is a part of what was sent")
    until("the backend to be told", 10, lambda: backend.errors)
    echoes([quiet], b"the other one goes on")
    m = metrics(metrics_port)
    equal((m["proxy_tunnels_recovered"], m["proxy_tunnels_lost"]), (1, 1), "counted")
    w.stop()


def half_closed_tunnels_go_on():
    gate = threading.Event()

    def handler(s, backend):
        s.until(b"\r\n\r\n")
        s.send(b"HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\nfirst")
        n = len(s.rest())
        backend.seen.append(n)
        gate.wait(20)
        s.send(b"sum %d" % n)
    w = World()
    p, backend = w.now, Backend(handler)
    p.add("/half", backend.url)
    before = parent_fds(p)
    s, _ = open_tunnel(p, "/half")
    s.send(b"x" * 1000)
    s.sock.shutdown(socket.SHUT_WR)
    until("the end to reach the backend", 5, lambda: backend.seen == [1000])
    protected(p, 1, before)
    served_a_second()
    crash(p)
    gate.set()
    equal(s.rest(), b"sum 1000", "an answer after our end, from another engine")
    until("the parent's descriptors to be closed", 5, lambda: parent_fds(p) <= before)
    w.stop()


# ---- routes and activity ---------------------------------------------------

def activity_is_not_forgotten():
    w = World()
    p = w.now
    p.add("/http", Backend(echo).url)
    p.add("/gone", Backend(tunnel_backend).url)
    before = parent_fds(p)
    s, _ = open_tunnel(p, "/gone")
    protected(p, 1, before)
    set_at = p.last_activity("/http")
    served_a_second()
    p.ask("/http")
    used_at = p.last_activity("/http")
    claim(used_at > set_at, "it was used")
    p.delete("/gone")
    crash(p)
    equal(p.last_activity("/http"), used_at, "the time is not in the journal, and is known")
    echoes([s], b"a tunnel without a route")
    p.add("/gone", Backend(tunnel_backend).url)
    again_at = p.last_activity("/gone")
    served_a_second()
    echoes([s], b"ping")
    claim(p.last_activity("/gone") > again_at, "it shows in the route that came again")
    served_a_second()
    crash(p)
    echoes([s], b"and once more")
    w.stop()


# ---- again and again -------------------------------------------------------

def waits(p):
    return [int(x.split()[0]) for x in p.output().split(" wait_ms=")[1:]]


def a_crash_loop_backs_off():
    w = World()
    p = w.now
    p.add("/ws", Backend(tunnel_backend).url)
    before = parent_fds(p)
    s, _ = open_tunnel(p, "/ws")
    protected(p, 1, before)
    served_a_second()
    for _ in range(5):
        until("an engine", 10, lambda: child_of(p.process.pid), pause=0.002)
        kill_engine(p)
    until("all deaths to be reported", 5, lambda: len(waits(p)) == 5)
    equal(waits(p), [0, 100, 200, 400, 800], "waiting times")
    echoes([s], b"the tunnel went through all of it")
    served_a_second()
    crash(p)
    equal(waits(p)[-1], 0, "an engine that served is followed at once")
    echoes([s], b"and this")
    w.stop()


def what_kills_every_engine_is_let_go():
    """Eight deaths one after the other may be due to what was taken over."""
    w = World()
    p = w.now
    p.add("/ws", Backend(tunnel_backend).url)
    before = parent_fds(p)
    s, _ = open_tunnel(p, "/ws")
    protected(p, 1, before)
    for _ in range(8):
        until("an engine", 20, lambda: child_of(p.process.pid), pause=0.002)
        kill_engine(p)
    claim(s.ended(), "the tunnel is closed")
    equal(p.ask("/nowhere")[0].status, 404, "the proxy serves")
    echoes([open_tunnel(p, "/ws")[0]], b"new ones are possible")
    w.stop()


def a_start_that_fails_later_is_tried_again():
    w = World()
    p = w.now
    p.add("/ws", Backend(tunnel_backend).url)
    before = parent_fds(p)
    s, _ = open_tunnel(p, "/ws")
    protected(p, 1, before)
    served_a_second()
    os.rename(w.dir + "/routes", w.dir + "/aside")
    os.mkdir(w.dir + "/routes")  # no file: the engine cannot start
    kill_engine(p)
    until("two failed starts", 10, lambda: p.output().count("status=1") >= 2)
    equal(p.process.poll(), None, "the parent lives")
    os.rmdir(w.dir + "/routes")
    os.rename(w.dir + "/aside", w.dir + "/routes")
    echoes([s], b"when it is mended the tunnel goes on")
    equal(p.ask("/nowhere")[0].status, 404, "and the proxy serves")
    w.stop()


def a_start_that_fails_late_loses_nothing():
    """The engine has the tunnels in its hands already when it cannot go on."""
    p = Proxy()
    p.add("/ws", Backend(tunnel_backend).url)
    before = parent_fds(p)
    tunnels = [open_tunnel(p, "/ws")[0] for _ in range(20)]
    protected(p, len(tunnels), before)
    served_a_second()
    # the last descriptors that it wants are those of the REST API
    few = p.n_fds() - 1
    resource.prlimit(p.process.pid, resource.RLIMIT_NOFILE, (few, few))
    kill_engine(p)
    until("two failed starts", 10, lambda: p.output().count("carrel-proxy: REST API") >= 2)
    claim(parent_fds(p) > before + len(tunnels), "the parent has the tunnels still")
    for s in tunnels:
        s.sock.setblocking(False)
        try:
            raise report.Failure("a tunnel has ended: %r" % s.sock.recv(1))
        except BlockingIOError:
            pass
    p.kill()


# ---- with takeovers --------------------------------------------------------

def crashes_and_takeovers():
    w = World()
    w.now.add("/ws", Backend(tunnel_backend).url)
    before = parent_fds(w.now)
    tunnels = [open_tunnel(w.now, "/ws")[0] for _ in range(50)]
    for n in range(3):
        protected(w.now, len(tunnels), before)
        served_a_second()
        crash(w.now)
        echoes(tunnels, b"crash %d" % n)
        w.next()
        echoes(tunnels, b"takeover %d" % n)
        w.old_ended()
        tunnels.append(open_tunnel(w.now, "/ws")[0])
    protected(w.now, len(tunnels), before)
    served_a_second()
    crash(w.now)
    echoes(tunnels, b"crash after takeover")
    for s in tunnels:
        s.close()
    until("the parent's descriptors to be closed", 10, lambda: parent_fds(w.now) <= before)
    w.stop()


def the_old_engine_dies_at_each_step_of_a_takeover():
    w = World()
    p = w.now
    p.add("/ws", Backend(tunnel_backend).url)
    before = parent_fds(p)
    tunnels = [open_tunnel(p, "/ws")[0] for _ in range(20)]
    for name, act in STEPS[:11]:
        protected(p, len(tunnels), before)
        served_a_second()
        peer = Peer(w.socket)
        act(peer)
        kill_engine(p)
        peer.close()  # the journal's lock went to it
        echoes(tunnels, b"after " + name.encode())
    equal(p.process.poll(), None, "the parent lives")
    w.next()
    echoes(tunnels, b"a takeover that succeeds")
    w.old_ended()
    w.stop()


def the_old_engine_dies_when_the_new_process_has_begun():
    """Nobody else may touch the tunnels then: the parent lets go of all."""
    w = World()
    p = w.now
    p.add("/ws", Backend(tunnel_backend).url)
    before = parent_fds(p)
    s, _ = open_tunnel(p, "/ws")
    protected(p, 1, before)
    peer = Peer(w.socket)
    dict(STEPS)["GO"](peer)
    word = mmap.mmap(peer.fds[0], 4)
    equal(word[:4], struct.pack("=I", 0), "the word")
    word[:4] = struct.pack("=I", 1)  # as the new process says that it has begun
    kill_engine(p)
    until("the parent to end", 5, lambda: p.process.poll() is not None)
    equal(p.process.returncode, 0, "its status")
    s.send(b"x")
    try:
        s.sock.settimeout(0.5)
        claim(not s.more(), "somebody read what is another's")
    except OSError:
        pass  # the new process has it still, and this test does not read
    word.close()
    peer.close()
    w.stop()


# ---- the parent ------------------------------------------------------------

def gone(pid):
    return not os.path.exists("/proc/%d/exe" % pid)


def the_parent_is_killed():
    port, api_port = free_port(), free_port()
    d = tempfile.mkdtemp(prefix="carrelt-crash-")
    backend = Backend(echo)
    p = Proxy("--port", str(port), "--api-port", str(api_port), "--journal", d + "/j")
    p.add("/echo", backend.url)
    for _ in range(5):
        engine = p.engine()
        p.kill()
        p.start()  # at once, as JupyterHub would: ports and journal are free
        until("the engine to go with its parent", 5, lambda: gone(engine))
        equal(p.ask("/echo")[0].status, 200, "routes of the journal")
    equal(p.stop(), 0, "end")
    shutil.rmtree(d)


def signals_pass_through():
    gate = threading.Event()

    def slow(s, backend):
        s.until(b"\r\n\r\n")
        s.send(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nabc")
        gate.wait(10)
        s.send(b"def")
    p = Proxy(default=Backend(slow).url)
    s = p.connect().send(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
    s.until(b"abc")
    # as a service manager does that signals every process of the group
    os.kill(p.engine(), signal.SIGTERM)
    p.process.terminate()
    until("the listener to close", 5, lambda: not listens(p.port))
    os.kill(p.engine(), signal.SIGTERM)
    gate.set()
    equal(s.take(3), b"def", "a running answer is completed")
    equal(p.process.wait(5), 0, "status")
    gate.clear()
    p = Proxy(default=Backend(slow).url)
    s = p.connect().send(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
    s.until(b"abc")
    p.process.terminate()
    until("the listener to close", 5, lambda: not listens(p.port))
    p.process.send_signal(signal.SIGINT)
    equal(p.process.wait(5), 0, "the second signal ends it")
    gate.set()


def signals_while_there_is_no_engine():
    w = World()
    p = w.now
    pid_file = w.dir + "/pid"
    w.next("--pid-file", pid_file)
    p = w.now
    with open(pid_file) as f:
        equal(f.read(), str(p.process.pid), "the pid file names the parent")
    for _ in range(7):
        until("an engine", 10, lambda: child_of(p.process.pid), pause=0.002)
        kill_engine(p)
    p.process.terminate()
    equal(p.process.wait(2), 0, "status")
    claim(not os.path.exists(pid_file), "the pid file is gone")
    claim(not listens(p.port), "nobody listens")
    w.stop()


def without_a_parent():
    p = Proxy("--no-parent")
    equal(child_of(p.process.pid), None, "children")
    equal(p.ask("/nowhere")[0].status, 404, "it serves")
    p.process.terminate()
    equal(p.process.wait(5), 0, "status")


def a_parent_that_is_slow():
    """Tunnels work while nobody takes them, and are protected later."""
    w = World()
    p, backend = w.now, Backend(tunnel_backend)
    p.add("/ws", backend.url)
    before = parent_fds(p)
    p.process.send_signal(signal.SIGSTOP)
    for n in range(3):
        tunnels = [open_tunnel(p, "/ws")[0] for _ in range(150)]
        echoes(tunnels, b"with a parent that sleeps")
        if n < 2:
            for s in tunnels:
                s.close()
    p.process.send_signal(signal.SIGCONT)
    protected(p, 150, before)
    served_a_second()
    crash(p)
    echoes(tunnels, b"and now they are kept")
    for s in tunnels:
        s.close()
    until("the parent's descriptors to be closed", 10, lambda: parent_fds(p) <= before)
    w.stop()


def more_tunnels_than_the_parent_can_keep():
    w = World()
    w.now.stop()
    w.now = p = Proxy("--max-connections", "100", *w.args, prefix=("prlimit", "--nofile=200:200"))
    p.add("/ws", Backend(tunnel_backend).url)
    tunnels = [open_tunnel(p, "/ws")[0] for _ in range(75)]
    echoes(tunnels, b"all work")
    served_a_second()
    crash(p)
    kept = []
    for s in tunnels:
        try:
            s.send(b"who")
            if s.take(3) == b"who":
                kept.append(s)
        except (OSError, EOFError):
            pass
    claim(0 < len(kept) < 75, "%d of 75 were kept" % len(kept))
    w.stop()


# ---- the service manager ---------------------------------------------------

class Manager:
    """What a service manager hears by sd_notify(3), and from whom."""

    def __init__(self, d):
        self.path = d + "/notify"
        self.s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.s.bind(self.path)
        self.s.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        self.s.settimeout(10)

    def hear(self):
        text, control, _, _ = self.s.recvmsg(512, 512)
        pid = struct.unpack("=iII", control[0][2])[0]
        return text.decode(), pid


def the_service_manager_hears_the_parent():
    d = tempfile.mkdtemp(prefix="carrelt-crash-")
    m = Manager(d)
    env = {"NOTIFY_SOCKET": m.path}
    first = Proxy("--journal", d + "/j", env=env)
    equal(m.hear(), ("READY=1", first.process.pid), "at the start")
    crash(first)
    equal(m.hear(), ("READY=1", first.process.pid), "after a crash")
    second = Proxy("--journal", d + "/j", "--takeover", env=env)
    equal(m.hear(), ("MAINPID=%d" % second.process.pid, second.process.pid), "after a takeover")
    equal(m.hear(), ("READY=1", second.process.pid), "and then")
    equal(first.process.wait(10), 0, "the first one ends")
    second.process.terminate()
    equal(m.hear(), ("STOPPING=1", second.process.pid), "at the end")
    equal(second.process.wait(10), 0, "status")
    shutil.rmtree(d)


def an_upgrade_under_a_service_manager():
    """An administrator starts the new program by hand; when the unit's own process has
    ended, the manager starts the unit again (Restart=always), which takes over in turn."""
    d = tempfile.mkdtemp(prefix="carrelt-crash-")
    m = Manager(d)
    unit = ("--journal", d + "/j", "--takeover")
    first = Proxy(*unit, env={"NOTIFY_SOCKET": m.path})
    equal(m.hear(), ("READY=1", first.process.pid), "the unit starts")
    first.add("/ws", Backend(tunnel_backend).url)
    before = parent_fds(first)
    tunnels = [open_tunnel(first, "/ws")[0] for _ in range(20)]
    by_hand = Proxy(*unit)
    equal(first.process.wait(10), 0, "the unit's process ends in order")
    echoes(tunnels, b"with the one by hand")
    again = Proxy(*unit, env={"NOTIFY_SOCKET": m.path})
    equal(m.hear()[0], "MAINPID=%d" % again.process.pid, "the unit's new process")
    equal(m.hear(), ("READY=1", again.process.pid), "is ready")
    equal(by_hand.process.wait(10), 0, "the one by hand ends")
    echoes(tunnels, b"with the unit again")
    protected(again, len(tunnels), before)
    served_a_second()
    crash(again)
    echoes(tunnels, b"and after its crash")
    again.stop()
    shutil.rmtree(d)


def main():
    report.group("proxy")
    tests = (idle_websockets_outlive_the_engine, flowing_bytes_are_never_corrupted,
             floods_are_never_corrupted, bytes_in_hand_close_a_tunnel,
             half_closed_tunnels_go_on, activity_is_not_forgotten, a_crash_loop_backs_off,
             what_kills_every_engine_is_let_go, a_start_that_fails_later_is_tried_again,
             a_start_that_fails_late_loses_nothing, crashes_and_takeovers,
             the_old_engine_dies_at_each_step_of_a_takeover, the_old_engine_dies_when_the_new_process_has_begun,
             the_parent_is_killed, signals_pass_through, signals_while_there_is_no_engine, without_a_parent,
             a_parent_that_is_slow, more_tunnels_than_the_parent_can_keep, the_service_manager_hears_the_parent,
             an_upgrade_under_a_service_manager)
    wanted = sys.argv[1:]
    report.run([(f.__name__, f) for f in tests if not wanted or f.__name__ in wanted], say_all)
    for w in list(running):
        w.stop()
    report.finish()


if __name__ == "__main__":
    main()
