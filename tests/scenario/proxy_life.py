#!/usr/bin/python3
"""The real carrel-proxy over time: tunnels, activity, memory, descriptors, kill -9,
the end, start-up (contract/proxy.md 4, 11, 12, 15 and the points of 17 that are
built)."""
# timeout: 180
import os
import random
import socket
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
import report
from report import claim, equal
from ports import free_port
from proxy_world import (UPGRADE, Backend, Head, Proxy, Sock, echo, open_tunnel,
                         read_body, read_response, reply, seen, tunnel_backend)

plain = None   # a backend that echoes
proxy = None   # a proxy with the routes of most tests


# ---- WebSockets (contract 11, 17.8, 17.9) --------------------------------------

def websocket_echo():
    backend = Backend(tunnel_backend)
    proxy.add("/ws", backend.url)
    s, head = open_tunnel(proxy, "/ws", b"early bytes")
    equal((head.get("Upgrade"), head.get("Connection"), head.get("Sec-WebSocket-Accept")),
          ("websocket", "Upgrade", "a"), "fields of the 101")
    equal(s.take(11), b"early bytes", "what came with the handshake")
    got = backend.seen[0]
    equal((got.all("Connection"), got.get("Upgrade"), got.get("X-Forwarded-Proto"), got.all("X-Forwarded-Host")),
          (["Upgrade"], "WebSocket", "ws", []), "the handshake as the backend sees it")
    data = random.Random(2).randbytes(2000000)
    threading.Thread(target=s.send, args=(data,), daemon=True).start()
    equal(s.take(len(data)), data, "two megabytes")
    s.sock.shutdown(socket.SHUT_WR)
    claim(s.ended(), "the end comes back")


def half_closed_tunnel():
    def handler(s, backend):
        s.until(b"\r\n\r\n")
        s.send(b"HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\nfirst")
        s.send(b"sum %d" % len(s.rest()))
    proxy.add("/half", Backend(handler).url)
    s, _ = open_tunnel(proxy, "/half")
    s.send(b"x" * 1000)
    s.sock.shutdown(socket.SHUT_WR)
    equal(s.rest(), b"sum 1000", "an answer after our end")


def refused_upgrades_are_complete_answers():
    def handler(s, backend):
        s.until(b"\r\n\r\n")
        s.send(reply("go away", "403 Forbidden", "X-Why: no\r\n"))
    proxy.add("/refuse", Backend(handler).url)
    s = proxy.connect().send((UPGRADE % "/refuse").encode())
    head, body = read_response(s)
    equal((head.status, head.get("X-Why"), body), (403, "no", b"go away"), "the backend's refusal")
    claim(s.ended(), "then it ends")
    fds = proxy.n_fds()
    for _ in range(20):
        s = proxy.connect().send((UPGRADE % "/nowhere").encode())
        head, body = read_response(s)
        equal((head.status, body, head.get("Content-Length")), (404, b"", "0"), "no route")
        claim(s.ended(), "and it ends")
        s.close()
    report.until("descriptors to be closed", 5, lambda: proxy.n_fds() <= fds)
    head, body = proxy.ask("/echo", method="POST", fields="Connection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: 0\r\n")
    equal((head.status, seen(body).all("Upgrade")), (200, []), "a POST is served without upgrade")

    def unasked(s, backend):
        s.until(b"\r\n\r\n")
        s.send(b"HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n")
    proxy.add("/unasked", Backend(unasked).url)
    equal(proxy.ask("/unasked")[0].status, 503, "a 101 that nobody asked for")


def tunnels_outlive_route_changes():
    p = Proxy()
    backend = Backend(tunnel_backend)
    for i in range(50):
        p.add("/t/%d" % i, backend.url)
    tunnels = [open_tunnel(p, "/t/%d" % i)[0] for i in range(50)]
    rng = random.Random(3)
    for n in range(500):
        i = rng.randrange(50)
        if n % 3 == 0:
            p.api("DELETE", "/api/routes/t/%d" % i)
        else:
            p.add("/t/%d" % i, plain.url if n % 3 == 1 else backend.url)
        data = rng.randbytes(rng.randrange(1, 5000))
        s = tunnels[rng.randrange(50)]
        equal(s.send(data).take(len(data)), data, "bytes through change %d" % n)
    for s in tunnels:
        equal(s.send(b"still").take(5), b"still", "every tunnel at the end")
        s.close()
    report.until("the tunnels' descriptors to be closed", 5, lambda: p.n_fds() < 60)
    p.stop()


# ---- activity (contract 4, 17.20) ---------------------------------------------

def activity():
    def status(s, backend):
        while True:
            head = Head(s.until(b"\r\n\r\n"))
            read_body(s, head)
            s.send(reply(status=head.line.split("/")[2].split(" ")[0] + " x"))
    proxy.add("/act", Backend(status).url)
    proxy.add("/act-ws", Backend(tunnel_backend).url)
    proxy.add("/act-dead", "http://127.0.0.1:1")

    def moves(path, deed):
        proxy.add(path, proxy.routes()[path]["target"])
        before = proxy.last_activity(path)
        time.sleep(0.01)
        deed()
        return proxy.last_activity(path) > before
    claim(moves("/act", lambda: proxy.ask("/act/200")), "a 200 counts")
    claim(not moves("/act", lambda: proxy.ask("/act/404")), "a 404 does not")
    claim(not moves("/act", lambda: proxy.ask("/act/302")), "a 302 does not")
    claim(moves("/act", lambda: proxy.ask("/act/404", method="POST", fields="Content-Length: 1\r\n", body=b"x")),
          "a request body counts")
    claim(not moves("/act-dead", lambda: proxy.ask("/act-dead")), "a dead backend does not")
    claim(not moves("/act", lambda: proxy.ask("/_chp_healthz")), "health does not")
    s, _ = open_tunnel(proxy, "/act-ws")
    time.sleep(1.1)
    claim(moves("/act-ws", lambda: s.send(b"x").take(1)), "bytes in a tunnel count")
    s.close()


# ---- memory and descriptors ---------------------------------------------------

def a_slow_reader_costs_bounded_memory():
    def flood(s, backend):
        s.until(b"\r\n\r\n")
        s.sock.settimeout(60)
        s.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n")
        try:
            while True:
                s.send(b"x" * 65536)
                backend.seen.append(65536)
        except OSError:
            pass
    backend = Backend(flood)
    p = Proxy(default=backend.url, workers=1)
    before = p.rss()
    slow = [p.connect().send(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n") for _ in range(20)]
    time.sleep(1)
    claim(p.rss() - before < 8 << 20, "memory grew by %d" % (p.rss() - before))
    cpu = p.cpu()
    time.sleep(0.5)
    claim(p.cpu() - cpu < 0.1, "it waits without work: %g s" % (p.cpu() - cpu))
    for s in slow:
        s.close()
    report.until("descriptors to be closed", 10, lambda: p.n_fds() < 40)
    p.stop()


def idle_tunnels_are_cheap():
    p = Proxy(default=Backend(tunnel_backend).url, workers=1)
    open_tunnel(p, "/warm")[0].close()
    before, n = p.rss(), 400
    tunnels = [open_tunnel(p, "/x")[0] for _ in range(n)]
    each = (p.rss() - before) / n
    with open("/proc/%d/maps" % p.process.pid) as f:
        limit = 8192 if "libasan" in f.read() else 1024
    claim(each < limit, "an idle tunnel costs %d bytes" % each)
    for s in tunnels:
        s.close()
    p.stop()


def no_descriptors_left():
    p = Proxy("--max-connections", "100", default=plain.url, prefix=("prlimit", "--nofile=48:48"), workers=1)
    held = []
    for _ in range(60):
        held.append(p.connect())
    time.sleep(0.3)
    cpu = p.cpu()
    time.sleep(0.7)
    claim(p.cpu() - cpu < 0.2, "it does not spin: %g s" % (p.cpu() - cpu))
    claim("cannot be accepted" in p.output(), "it says so")
    for s in held:
        s.close()

    def serves():
        try:
            return p.ask("/")[0].status == 200
        except (OSError, EOFError):
            return False
    report.until("service to be back", 10, serves)
    p.stop()


# ---- the process --------------------------------------------------------------

def routes_survive_kill_9():
    journal = os.path.join(proxy.dir, "routes.journal")
    p = Proxy("--journal", journal)
    for i in range(50):
        p.add("/j/%d" % i, plain.url, user="u%d" % i)
    for i in range(0, 50, 2):
        p.delete("/j/%d" % i)
    before = p.routes()
    p.kill()
    with open(journal, "ab") as f:
        f.write(b'{"op":"set","at":1,"route":{"/torn":{"tar')
    p.start()
    after = p.routes()
    equal({k: v["target"] for k, v in after.items()}, {k: v["target"] for k, v in before.items()}, "routes")
    equal(p.ask("/j/1")[0].status, 200, "and they serve")
    claim("torn" in p.output(), "the torn line is reported")
    p.delete("/j/1")
    equal(p.stop(), 0, "status at the end")
    p.start()
    equal(len(p.routes()), 24, "routes after an orderly end")
    second = Proxy.__new__(Proxy)
    try:
        second.__init__("--journal", journal)
        raise report.Failure("a second proxy took the journal")
    except report.Failure as e:
        claim("used by another proxy" in str(e), "the second is refused: %s" % e)
    p.stop()


def sigterm_drains():
    def slow(s, backend):
        s.until(b"\r\n\r\n")
        s.send(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nabc")
        time.sleep(0.6)
        s.send(b"def")
    pid_file = os.path.join(proxy.dir, "pid")
    p = Proxy("--pid-file", pid_file, default=Backend(slow).url)
    with open(pid_file) as f:
        equal(f.read(), str(p.process.pid), "pid file")
    idle = p.connect()
    s = p.connect().send(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
    s.until(b"abc")
    p.process.terminate()
    claim(idle.ended(), "an idle connection is closed")
    claim(not os.path.exists(pid_file), "the pid file is gone")
    report.until("the listener to close", 3, lambda: refused(p.port))
    equal(s.take(3), b"def", "a running answer is completed")
    equal(p.process.wait(5), 0, "status")


def refused(port):
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
        return False
    except OSError:
        return True


def start_up_errors():
    for args, text in (
            (["--nosuch"], "unknown option"), (["--prot", "1"], "did you mean --port"), (["word"], "unexpected"),
            (["--port"], "needs a value"), (["--workers", "0"], "1 to 256"), (["--ssl-key", "x"], "open x"),
            (["--custom-header", "x"], "colon was expected"), (["--storage-backend", "m"], "--journal"),
            (["--error-target", "http://h", "--error-path", "/"], "exclude"), (["--log-level", "loud"], "no level"),
            (["--socket", "/tmp/x", "--port", "1"], "cannot be used together"),
            (["--port", str(proxy.port)], "in use"), (["--default-target", "x"], "--default-target")):
        try:
            Proxy(*args).stop()
        except report.Failure as e:
            claim(text in str(e), "%s: %s" % (args, e))
        else:
            raise report.Failure("%s was accepted" % args)
    p = Proxy("--client-ssl-request-cert", "--client-ssl-reject-unauthorized", "--ip=", workers=1)
    claim("is ignored" in p.output(), "flags without effect are named")
    p.stop()


def metrics():
    port = free_port()
    p = Proxy("--metrics-ip", "127.0.0.1", "--metrics-port", str(port), default=plain.url)
    p.ask("/x")
    p.ask("/%")
    p.api("GET", "/api/routes")
    p.api("POST", "/api/routes/m", {"target": plain.url})
    p.api("DELETE", "/api/routes/m")
    s = Sock(socket.create_connection(("127.0.0.1", port), 5))
    s.send(b"GET /metrics HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
    head, body = read_response(s)
    equal(head.get("Content-Type"), "text/plain; version=0.0.4; charset=utf-8", "type")
    values = dict(l.rsplit(" ", 1) for l in body.decode().splitlines() if not l.startswith("#"))
    for name, wanted in (("api_route_get", "1"), ("api_route_add", "1"), ("api_route_delete", "1"),
                         ("requests_web", "2"), ("requests_ws", "0"), ('requests_proxy{status="200"}', "1"),
                         ('requests_proxy{status="400"}', "1"), ('requests_api{status="201"}', "1"),
                         ("find_target_for_req_count", "2"), ("proxy_routes", "1")):
        equal(values.get(name), wanted, name)
    claim(float(values["process_open_fds"]) > 5, "process metrics")
    p.stop()


def main():
    global plain, proxy
    report.group("proxy")
    plain = Backend(echo)
    proxy = Proxy("--drain-timeout", "1")
    proxy.add("/echo", plain.url)
    tests = (
        websocket_echo, half_closed_tunnel, refused_upgrades_are_complete_answers, tunnels_outlive_route_changes,
        activity, a_slow_reader_costs_bounded_memory, idle_tunnels_are_cheap, no_descriptors_left,
        routes_survive_kill_9, sigterm_drains, start_up_errors, metrics)
    wanted = sys.argv[1:]
    report.run([(f.__name__, f) for f in tests if not wanted or f.__name__ in wanted],
               lambda: print("---- the proxy said:\n" + proxy.output()[-6000:]))
    claim(proxy.process.poll() is None, "the proxy lives to the end")
    equal(proxy.stop(), 0, "and ends in order")
    report.finish()


if __name__ == "__main__":
    main()
