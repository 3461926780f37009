#!/usr/bin/python3
"""The real carrel-proxy under abuse: too many connections, of all and of one client,
too many requests behind a front end and on one route, long heads, slow clients, silent
targets and tunnels, and tabs that ask a stopped server again and again (contract/proxy.md
17.6, 17.13, 17.16, 17.25)."""
# timeout: 120
import os
import socket
import struct
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
import report
from report import claim, equal
from proxy_world import (UPGRADE, Backend, Head, Proxy, Sock, echo, named, open_tunnel,
                         read_response, reply, tunnel_backend)

plain = None

GET = b"GET /x HTTP/1.1\r\nHost: h\r\n\r\n"
SOON = 10


def connect(p, source="127.0.0.1"):
    s = socket.create_connection(("127.0.0.1", p.port), SOON, source_address=(source, 0))
    return Sock(s)


def is_refused(p, request=GET):
    """A new connection is closed without an answer; its client may see that at once."""
    try:
        s = connect(p)
    except ConnectionResetError:
        return True
    try:
        s.send(request)
        return s.rest() in (b"", b"<reset>")
    except (ConnectionResetError, BrokenPipeError):
        return True
    finally:
        s.close()


def gets_in(p):
    try:
        s = connect(p)
    except OSError:
        return False
    try:
        return is_served(s)
    except (OSError, EOFError):
        return False
    finally:
        s.close()


def is_served(s, request=GET):
    return read_response(s.send(request))[0].status == 200


def metrics(p):
    s = Sock(socket.create_connection(("127.0.0.1", p.metrics_port), SOON))
    s.send(b"GET /metrics HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
    body = read_response(s)[1].decode()
    s.close()
    return {k: float(v) for k, v in
            (l.rsplit(" ", 1) for l in body.splitlines() if not l.startswith("#"))}


def refused(p, limit):
    return metrics(p)['proxy_refused{limit="%s"}' % limit]


def with_metrics(*args, **more):
    from ports import free_port
    port = free_port()
    p = Proxy("--metrics-ip", "127.0.0.1", "--metrics-port", str(port), *args, **more)
    p.metrics_port = port
    return p


# ---- connections ----------------------------------------------------------------

def one_client_has_so_many_connections():
    # nobody is a front end here, so loopback addresses are clients like others
    p = with_metrics("--max-client-connections", "5", "--trusted-proxy", "192.0.2.1", default=plain.url)
    mine = [connect(p) for _ in range(5)]
    for s in mine:
        claim(is_served(s), "the first five")
    claim(is_refused(p), "the sixth")
    other = connect(p, "127.0.0.2")
    claim(is_served(other), "another client")
    other.close()
    mine.pop().close()

    report.until("a place to be free again", SOON, lambda: gets_in(p))
    p.add("/ws", Backend(tunnel_backend).url)
    for s in mine:
        s.close()
    mine = []

    def opens():
        try:
            s = connect(p).send((UPGRADE % "/ws").encode())
            mine.append(s)
            return s.until(b"\r\n\r\n").startswith(b"HTTP/1.1 101")
        except (OSError, EOFError):
            return False
    for _ in range(5):
        report.until("a tunnel", SOON, opens)
    report.until("tunnels to count as well", SOON, lambda: is_refused(p))
    claim(refused(p, "client") >= 2, "the metrics count it")
    claim("limit=--max-client-connections client=127.0.0.1" in p.output(), "the log says it: " + p.output())
    p.stop()


def a_front_end_is_nobodys_client():
    p = with_metrics("--max-client-connections", "3", default=plain.url)
    many = [connect(p) for _ in range(20)]
    for s in many:
        claim(is_served(s), "a front end on the loopback address")
        s.close()

    release = threading.Event()

    def slow(s, backend):
        s.until(b"\r\n\r\n")
        backend.seen.append(1)
        release.wait(SOON)
        s.send(reply("late"))
    backend = Backend(slow)
    p.add("/slow", backend.url)

    def ask(address, path="/slow"):
        return connect(p).send(("GET %s HTTP/1.1\r\nHost: h\r\nX-Forwarded-For: %s\r\n\r\n" % (path, address)).encode())
    busy = [ask("6.6.6.6, 198.51.100.7") for _ in range(3)]
    report.until("three requests of one client", SOON, lambda: len(backend.seen) == 3)
    head, body = read_response(ask("198.51.100.7"))
    equal(head.status, 429, "the fourth")
    claim(head.get("Retry-After") and b"Too many" in body, "it says why: %r" % body)
    equal(read_response(ask("198.51.100.7, 127.0.0.1", "/x"))[0].status, 429, "behind one more front end of ours")
    equal(read_response(ask("6.6.6.6", "/x"))[0].status, 200, "another client, whom the first one named")
    claim(all(read_response(ask("2001:db8:0:%x::1" % i, "/x"))[0].status == 200 for i in range(5)), "IPv6 clients")
    release.set()
    for s in busy:
        equal(read_response(s)[1], b"late", "the three")
    equal(read_response(ask("198.51.100.7", "/x"))[0].status, 200, "afterwards")
    equal(refused(p, "client"), 2, "counted")
    p.stop()


def idle_connections_make_room():
    p = with_metrics("--max-connections", "10", default=plain.url, workers=1)
    p.add("/ws", Backend(tunnel_backend).url)
    tunnels = [open_tunnel(p, "/ws")[0] for _ in range(4)]
    idle = [connect(p) for _ in range(6)]
    for s in idle:
        claim(is_served(s), "all ten places")
    more = [connect(p) for _ in range(3)]
    for s in more:
        claim(is_served(s), "a new one is served at once")
    seen = metrics(p)
    equal(seen["proxy_gave_way"], 3, "as many idle ones were closed")
    equal(seen['proxy_refused{limit="connections"}'], 0, "nobody was refused")
    for t in tunnels:
        equal(t.send(b"still").take(5), b"still", "tunnels stay")
    tunnels += [open_tunnel(p, "/ws")[0] for _ in range(6)]
    claim(is_refused(p), "nothing is idle: refused")
    claim(refused(p, "connections") >= 1, "and counted")
    for t in tunnels:
        equal(t.send(b"still").take(5), b"still", "all tunnels stay")
        t.close()
    report.until("places to be free again", SOON, lambda: gets_in(p))
    p.stop()


def slow_heads_make_room():
    p = with_metrics("--max-connections", "8", default=plain.url, workers=1)
    slow = [connect(p).send(b"GET / HTTP/1.1\r\n") for _ in range(8)]
    report.until("those who say nothing to give way", SOON, lambda: gets_in(p))
    for s in slow:
        s.close()
    p.stop()


def a_refused_connection_leaves_nothing():
    p = with_metrics("--max-connections", "4", "--trusted-proxy", "192.0.2.1", default=plain.url, workers=2)
    p.add("/ws", Backend(tunnel_backend).url)
    tunnels = [open_tunnel(p, "/ws")[0] for _ in range(4)]
    fds = p.n_fds()
    for _ in range(200):
        claim(is_refused(p), "refused")
    claim(p.n_fds() <= fds, "descriptors: %d, before %d" % (p.n_fds(), fds))
    n_lines = p.output().count("a connection is refused at a limit")
    claim(1 <= n_lines <= 150, "the log is bounded: %d lines for 200" % n_lines)
    for t in tunnels:
        t.close()
    p.stop()


# ---- routes ---------------------------------------------------------------------

def a_route_has_so_many_requests():
    release = threading.Event()

    def slow(s, backend):
        s.until(b"\r\n\r\n")
        backend.seen.append(1)
        release.wait(SOON)
        s.send(reply("late"))
    backend = Backend(slow)
    p = with_metrics("--max-route-requests", "4", default=plain.url)
    p.add("/own", backend.url, proxy_limits={"open": 2})
    p.add("/flag", backend.url)

    def ask(path):
        return connect(p).send(("GET %s HTTP/1.1\r\nHost: h\r\n\r\n" % path).encode())
    busy = [ask("/own"), ask("/own")]
    report.until("two requests", SOON, lambda: len(backend.seen) == 2)
    n = backend.n_connections
    head, _ = read_response(ask("/own"))
    equal((head.status, bool(head.get("Retry-After"))), (503, True), "the route's own limit")
    equal(backend.n_connections, n, "the target hears nothing of it")
    busy += [ask("/flag") for _ in range(4)]
    report.until("four more", SOON, lambda: len(backend.seen) == 6)
    equal(read_response(ask("/flag"))[0].status, 503, "the flag's limit")
    equal(read_response(ask("/x"))[0].status, 200, "another route")
    p.add("/own", backend.url, proxy_limits={"open": 0})
    busy.append(ask("/own"))
    report.until("the new limit to hold", SOON, lambda: len(backend.seen) == 7)
    release.set()
    for s in busy:
        equal(read_response(s)[0].status, 200, "those inside are served")
    equal(refused(p, "route"), 2, "counted")
    p.stop()


def a_routes_limits_are_checked():
    p = Proxy()
    for bad in (7, {"open": -1}, {"open": "2"}, {"opn": 1}, {"tunnel_idle": 1e9}):
        status, body = p.api("POST", "/api/routes/x", {"target": plain.url, "proxy_limits": bad})
        equal(status, 400, "limits %r" % (bad,))
        claim(b"proxy_limits" in body, "says what is wrong: %r" % body)
    limits = {"open": 3, "tunnel_idle": 60, "request_idle": 5}
    p.add("/x", plain.url, proxy_limits=limits, user="alice")
    equal(p.routes()["/x"]["proxy_limits"], limits, "given back as set")
    equal(p.routes()["/x"]["user"], "alice", "beside other members")
    p.stop()


def idle_tunnels_end():
    p = with_metrics("--tunnel-idle-timeout", "2", workers=1)
    backend = Backend(tunnel_backend)
    p.add("/short", backend.url)
    p.add("/long", backend.url, proxy_limits={"tunnel_idle": 3600})
    quiet, kept = open_tunnel(p, "/short")[0], open_tunnel(p, "/long")[0]
    busy = open_tunnel(p, "/short")[0]
    stop = threading.Event()

    def talk():
        while not stop.wait(0.1):
            busy.send(b"x").take(1)
    thread = threading.Thread(target=talk, daemon=True)
    thread.start()
    claim(quiet.ended(), "a quiet tunnel ends")
    time.sleep(1.5)
    stop.set()
    thread.join()
    equal(busy.send(b"still").take(5), b"still", "one with bytes goes on")
    equal(kept.send(b"still").take(5), b"still", "and one whose route allows it")
    equal(metrics(p)['proxy_errors{reason="tunnel_idle"}'], 1, "counted")
    # a route that is set anew reaches the tunnels that are open, with their next bytes
    p.add("/long", backend.url, proxy_limits={"tunnel_idle": 1})
    time.sleep(1.1)
    kept.send(b"more").take(4)
    claim(kept.ended(), "the new limit holds")
    p.stop()


def a_silent_target_is_given_up():
    def silent(s, backend):
        s.until(b"\r\n\r\n")
        s.ended()
    p = Proxy("--proxy-timeout", "60000", workers=1)
    p.add("/silent", Backend(silent).url, proxy_limits={"request_idle": 1})
    equal(p.ask("/silent")[0].status, 503, "the route's own limit")
    p.stop()


# ---- heads and slow clients -----------------------------------------------------

def heads_are_bounded():
    p = with_metrics("--max-head-bytes", "2000", "--max-header-count", "20", default=plain.url)
    head = "GET / HTTP/1.1\r\nHost: h\r\n"
    equal(p.ask("/", fields="A: %s\r\n" % ("x" * 1000))[0].status, 200, "below both")
    equal(p.ask("/", fields="A: %s\r\n" % ("x" * 2000))[0].status, 431, "too long")
    equal(p.ask("/", fields="A: b\r\n" * 19)[0].status, 200, "twenty with Host")
    equal(p.ask("/", fields="A: b\r\n" * 20)[0].status, 431, "too many")
    s = p.connect().send((head + "A: " + "x" * 3000).encode())
    equal(read_response(s)[0].status, 431, "before its end is there")
    claim(s.ended(), "and the connection ends")
    equal(refused(p, "head"), 3, "counted")
    p.stop()


def slow_clients_end():
    p = with_metrics("--head-timeout", "600", "--stall-timeout", "1500", default=plain.url, workers=1)
    s = p.connect().send(b"GET / HT")
    equal(read_response(s)[0].status, 408, "a head that does not come")
    s = p.connect()
    claim(s.ended(), "no head at all")
    s = p.connect().send(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nabc")
    equal(read_response(s)[0].status, 408, "a body that does not come")

    def flood(s, backend):
        s.until(b"\r\n\r\n")
        s.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n")
        try:
            while True:
                s.send(b"x" * 65536)
        except OSError:
            backend.seen.append(1)
    backend = Backend(flood)
    p.add("/flood", backend.url)
    raw = socket.socket()
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    raw.connect(("127.0.0.1", p.port))
    raw.sendall(b"GET /flood HTTP/1.1\r\nHost: h\r\n\r\n")
    report.until("one who does not read to be closed", SOON, lambda: backend.seen)
    equal(metrics(p)['proxy_errors{reason="stalled"}'], 1, "counted")
    raw.close()
    # slow is not stalled
    raw = socket.socket()
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    raw.connect(("127.0.0.1", p.port))
    raw.sendall(b"GET /flood HTTP/1.1\r\nHost: h\r\n\r\n")
    raw.settimeout(SOON)
    end = time.monotonic() + 4
    while time.monotonic() < end:
        claim(raw.recv(65536), "a slow reader is served on")
        time.sleep(0.02)
    raw.close()
    p.stop()


# ---- tabs that ask again and again ----------------------------------------------

def hammering_is_answered_from_memory():
    def pages(s, backend):
        while True:
            head = Head(s.until(b"\r\n\r\n"))
            backend.seen.append(head.line)
            s.send(reply("page of " + head.line))
    hub = Backend(pages)
    p = with_metrics("--error-target", hub.url + "/hub/error", workers=1)
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        url = "http://127.0.0.1:%d" % s.getsockname()[1]
        p.add("/user/a", url)
        for _ in range(100):
            head, body = p.ask("/user/a/api/kernels")
            equal(head.status, 503, "the server is stopped")
            claim(head.get("Retry-After"), "Retry-After")
            claim(b"page of GET /hub/error/503" in body, "the hub's page: %r" % body)
        for _ in range(100):
            head, body = p.ask("/user/b/api/kernels")
            equal((head.status, bool(head.get("Retry-After"))), (404, True), "there is no such server")
    claim(len(hub.seen) <= 40, "the hub was asked %d times for 200 pages" % len(hub.seen))
    seen = metrics(p)
    claim(seen['proxy_errors{reason="dead"}'] >= 50, "most found the target known to be dead: %r" %
          seen['proxy_errors{reason="dead"}'])
    p.stop()


def main():
    global plain
    report.group("proxy")
    plain = Backend(echo)
    tests = (one_client_has_so_many_connections, a_front_end_is_nobodys_client,
             idle_connections_make_room, slow_heads_make_room, a_refused_connection_leaves_nothing,
             a_route_has_so_many_requests, a_routes_limits_are_checked, idle_tunnels_end,
             a_silent_target_is_given_up, heads_are_bounded, slow_clients_end,
             hammering_is_answered_from_memory)
    report.run([("limits: " + t.__name__, t) for t in tests if not sys.argv[1:] or t.__name__ in sys.argv[1:]])
    report.finish()


main()
