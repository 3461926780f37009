#!/usr/bin/python3
"""WebSockets over HTTP/2 (RFC 8441), and how a connection ends: idle, at SIGTERM, in
a takeover."""
# timeout: 180
import hashlib
import os
import random
import shutil
import ssl
import sys
import tempfile
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))

import report
from proxy_world import LIMIT, Backend, Head, Proxy, reply
from tunnels import accept_key
from report import claim, equal, until

try:
    from h2_client import CANCEL, PROTOCOL, World
except ModuleNotFoundError:
    report.skip("HTTP/2", "python3-h2 is not installed")
    report.finish()

# ---- WebSockets (RFC 8441) ----------------------------------------------------

def websocket_backend(s, backend):
    head = Head(s.until(b"\r\n\r\n"))
    backend.seen.append(head)
    path = head.line.split()[1]
    if path.endswith("/refused"):
        s.send(reply("not here", "403 Forbidden"))
        return
    if path.endswith("/wrong"):
        s.send(b"HTTP/1.1 101 X\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: x\r\n\r\n")
        return
    if path.endswith("/success"):
        s.send(reply("fine"))
        return
    s.send(("HTTP/1.1 101 X\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Protocol: v1\r\n"
            "Sec-WebSocket-Accept: %s\r\n\r\nfirst" % accept_key(head.get("Sec-WebSocket-Key"))).encode())
    if path.endswith("/count"):
        s.send(b" counted %d" % len(s.rest()))
        return
    if path.endswith("/last"):
        s.sock.shutdown(1)
        backend.seen.append(s.rest())
        return
    while True:
        if s.data:
            s.send(s.data)
            s.data = b""
        try:
            if not s.more():
                return
        except ConnectionResetError:
            backend.seen.append("reset")
            return


def open_websocket(c, path="/ws/echo", **named):
    fields = [(":method", "CONNECT"), (":protocol", named.get("protocol", "websocket")), (":scheme", "https"),
              (":authority", c.name), (":path", path), ("sec-websocket-version", "13"),
              ("sec-websocket-protocol", "v1"), ("origin", "https://alpha.test")]
    return c.open(fields, end=False)


def websocket():
    c = client()
    stream = open_websocket(c)
    a = c.streams[stream]
    c.until(lambda: a.body)
    equal((a.status, a.body, a.get("sec-websocket-protocol")), (200, b"first", "v1"), "the handshake")
    equal(c.settings.get(8), 1, "SETTINGS_ENABLE_CONNECT_PROTOCOL")
    claim(not a.get("sec-websocket-accept") and not a.get("upgrade"), "fields of HTTP/1.1: %r" % a.fields)
    head = sockets.seen[-1]
    equal((head.line, head.get("Upgrade"), head.get("Connection")), ("GET /ws/echo HTTP/1.1", "websocket", "Upgrade"),
          "the handshake with the target")
    equal((head.get("X-Forwarded-Proto"), head.get("origin")), ("wss", "https://alpha.test"), "its fields")
    now = metrics()
    equal((now["proxy_http2_tunnels"], now["proxy_open_tunnels"]), (1, 1), "open tunnels")
    data = random.Random(7).randbytes(4 << 20)
    at = 0
    while at < len(data):
        n = min(16384, c.h2.local_flow_control_window(stream), len(data) - at)
        if n == 0:
            c.more()
            continue
        c.h2.send_data(stream, data[at:at + n])
        c.flush()
        at += n
    c.until(lambda: len(a.body) >= len(data) + 5)
    equal(hashlib.sha256(a.body[5:]).digest(), hashlib.sha256(data).digest(), "the echo")
    equal(c.ask("/x").status, 200, "and requests beside it")
    c.h2.end_stream(stream)
    c.flush()
    equal(c.wait(stream).done, True, "an end is answered by an end")
    until("no tunnel", 5, lambda: metrics()["proxy_open_tunnels"] == 0)
    c.close()


def websocket_ends():
    c = client()
    stream = open_websocket(c, "/ws/count")
    c.until(lambda: c.streams[stream].body)
    c.body(stream, b"12345")
    a = c.wait(stream)
    equal((a.body, a.done), (b"first counted 5", True), "half-closed by the client")
    stream = open_websocket(c, "/ws/last")
    a = c.wait(stream)
    equal((a.body, a.done), (b"first", True), "half-closed by the target")
    c.body(stream, b"x" * 200000)
    until("the rest to arrive", 5, lambda: sockets.seen[-1] == b"x" * 200000)
    stream = open_websocket(c)
    c.until(lambda: c.streams[stream].body)
    c.h2.reset_stream(stream, CANCEL)
    c.flush()
    until("the reset to pass", 5, lambda: sockets.seen[-1] == "reset")
    until("no tunnel", 5, lambda: metrics()["proxy_http2_tunnels"] == 0)
    c.close()


def websocket_refusals():
    c = client()
    a = c.wait(open_websocket(c, "/ws/refused"))
    equal((a.status, a.body), (403, b"not here"), "the target's own refusal")
    equal(c.wait(open_websocket(c, "/ws/wrong")).status, 503, "a wrong Sec-WebSocket-Accept")
    equal(c.wait(open_websocket(c, "/ws/success")).status, 503, "a 200 that would open the tunnel")
    equal(c.wait(open_websocket(c, "/nothing/ws")).status, 404, "no route")
    equal(c.wait(open_websocket(c, protocol="gopher")).status, 501, "another protocol")
    a = c.wait(c.open([(":method", "GET"), (":protocol", "websocket"), (":scheme", "https"), (":authority", "h"),
                       (":path", "/ws/echo")]))
    claim(a.status == 400 or a.reset == PROTOCOL, ":protocol without CONNECT: %r %r" % (a.status, a.reset))
    equal(c.ask("/x").status, 200, "the connection goes on")
    c.close()


# ---- the end ------------------------------------------------------------------

class Gate:
    """Answers when it is told to."""

    def __init__(self):
        self.go, self.n = threading.Event(), 0
        self.backend = Backend(self.serve)

    def serve(self, s, backend):
        while True:
            s.until(b"\r\n\r\n")
            self.n += 1
            self.go.wait(30)
            s.send(reply("at last"))


def an_idle_connection_ends():
    p = Proxy(*world.args, "--http2-idle-timeout", "300", default=backend.url)
    c = client(port=p.port)
    equal(c.ask("/x").status, 200, "a request")
    equal(c.end_reason(), 0, "GOAWAY without an error")
    p.stop()


def sigterm_drains():
    gate = Gate()
    p = Proxy(*world.args, default=gate.backend.url)
    p.add("/ws", sockets.url)
    c, idle = client(port=p.port), client(port=p.port)
    stream, tunnel = c.open(c.fields("/held")), open_websocket(c)
    idle.ask("/_chp_healthz")
    until("the request to arrive", 5, lambda: gate.n == 1)
    c.until(lambda: c.streams[tunnel].body)
    p.process.terminate()
    equal(idle.end_reason(), 0, "an idle connection")
    equal(idle.goaways[0], (0, 0x7fffffff), "the first GOAWAY says only that the end is near")
    c.until(lambda: len(c.goaways) == 2)
    equal(c.goaways, [(0, 0x7fffffff), (0, tunnel)], "two steps")
    gate.go.set()
    a = c.wait(stream)
    equal((a.status, a.body), (200, b"at last"), "what runs is finished")
    c.body(tunnel, b"still here")
    equal(c.wait(tunnel).body, b"firststill here", "and the tunnel goes on")
    equal(c.end_reason(), 0, "then the connection ends")
    equal(p.process.wait(LIMIT), 0, "and the proxy")


def takeover():
    """Open streams finish in the old process, new ones go to the new one, and a ticket resumes there."""
    d = tempfile.mkdtemp(prefix="carrelt-http2-")
    gate = Gate()
    args = world.args + ["--journal", d + "/routes"]
    old = Proxy(*args, default=gate.backend.url)
    old.add("/ws", sockets.url)
    c = client(port=old.port)
    stream, tunnel = c.open(c.fields("/held")), open_websocket(c)
    c.until(lambda: c.streams[tunnel].body)
    twelve = client(port=old.port, version=ssl.TLSVersion.TLSv1_2)
    twelve.ask("/_chp_healthz")
    new = Proxy(*args, "--takeover", default=gate.backend.url)
    equal(new.port, old.port, "the port")
    c.until(lambda: len(c.goaways) == 2)
    equal(c.goaways[-1][0], 0, "GOAWAY")
    for before in (c, twelve):
        claim(before.resumes(new.port), "a ticket of the old process resumes in the new one: " + before.sock.version())
    gate.go.set()
    equal(c.wait(stream).body, b"at last", "a stream of the old process")
    c.body(tunnel, b"still here")
    equal(c.wait(tunnel).body, b"firststill here", "a tunnel of the old process")
    equal(old.process.wait(LIMIT), 0, "the old process ends")
    fresh = client(port=new.port)
    equal(fresh.ask("/_chp_healthz").status, 200, "the new one serves")
    fresh.close()
    new.stop()
    shutil.rmtree(d)


world = World()
proxy, client, metrics, backend = world.proxy, world.client, world.metrics, world.backend
sockets = Backend(websocket_backend)
proxy.add("/ws", sockets.url)
world.run([
    ("WebSocket over HTTP/2", websocket),
    ("ends of a WebSocket", websocket_ends),
    ("WebSockets that are refused", websocket_refusals),
    ("an idle connection ends", an_idle_connection_ends),
    ("SIGTERM drains", sigterm_drains),
    ("a takeover", takeover),
])
