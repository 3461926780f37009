#!/usr/bin/python3
"""Too much of HTTP/2: floods of frames that cost the proxy work end the connection
that sends them, and no other."""
# timeout: 180
import os
import socket
import ssl
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))

import report
from proxy_world import LIMIT, Backend, Sock, reply
from report import claim, equal

try:
    from h2_client import CALM, PROTOCOL, World
except ModuleNotFoundError:
    report.skip("HTTP/2", "python3-h2 is not installed")
    report.finish()

# ---- floods -------------------------------------------------------------------

def flood(kind, make, n=5000, batch=100, between=lambda c: None):
    before = metrics()['proxy_http2_floods{kind="%s"}' % kind]
    c = client()
    equal(c.ask("/x").status, 200, "before")
    for _ in range(n // batch):
        try:
            c.raw(b"".join(make(c) for _ in range(batch)))
            between(c)
        except OSError:
            break
    equal(c.end_reason(), CALM, "GOAWAY for " + kind)
    equal(metrics()['proxy_http2_floods{kind="%s"}' % kind], before + 1, "the metric for " + kind)
    c.close()
    other = client()
    equal(other.ask("/x").status, 200, "other connections")
    other.close()


def rapid_reset():
    """CVE-2023-44487: streams are opened and reset at once."""
    block = client().h2.encoder.encode([(":method", "GET"), (":scheme", "https"), (":authority", "h"), (":path", "/x")],
                                       huffman=False)
    ids = iter(range(101, 1 << 20, 2))

    def one(c):
        stream = next(ids)
        return c.frame(1, 5, stream, block) + c.frame(3, 0, stream, b"\0\0\0\x08")
    flood("resets", one)


def resets_that_we_are_made_to_send():
    """CVE-2025-8671: each stream is malformed, so that the proxy resets it."""
    block = client().h2.encoder.encode([(":method", "GET"), (":scheme", "https"), (":authority", "h"), (":path", "/x"),
                                        ("x-a", "b\n")], huffman=False)
    ids = iter(range(101, 1 << 20, 2))

    def answered(c):
        """They count as open until the reset has gone."""
        n = len(c.pings)
        c.h2.ping(b"12345678")
        c.flush()
        c.until(lambda: len(c.pings) > n or c.goaways)
    flood("resets", lambda c: c.frame(1, 5, next(ids), block), batch=50, between=answered)


def control_frames():
    flood("settings", lambda c: c.frame(4))
    flood("pings", lambda c: c.frame(6, 0, 0, b"12345678"))
    flood("window_updates", lambda c: c.frame(8, 0, 0, b"\0\0\0\1"))
    flood("priorities", lambda c: c.frame(2, 0, 1001, b"\0\0\0\0\x10"))


def empty_data():
    c = client()
    stream = c.open(c.fields("/x", "POST"), end=False)
    before = metrics()['proxy_http2_floods{kind="empty_data"}']
    try:
        for _ in range(20):
            c.raw(c.frame(0, 0, stream) * 50)
    except OSError:
        pass
    equal(c.end_reason(), CALM, "GOAWAY")
    equal(metrics()['proxy_http2_floods{kind="empty_data"}'], before + 1, "the metric")
    c.close()


def continuations():
    """CVE-2024-28182: a head that never ends."""
    before = metrics()['proxy_http2_floods{kind="continuations"}']
    c = client()
    try:
        c.raw(c.frame(1, 0, 1, b"\x82"))
        for _ in range(200):
            c.raw(c.frame(9, 0, 1, b""))
    except OSError:
        pass
    equal(c.end_reason(), CALM, "GOAWAY")
    equal(metrics()['proxy_http2_floods{kind="continuations"}'], before + 1, "the metric")
    c.close()


def heads_that_unfold():
    """A few bytes of HPACK that stand for megabytes, again and again."""
    before = metrics()['proxy_http2_floods{kind="heads"}']
    c = client()
    c.ask("/x", more=[("x-long", "y" * 3500)])
    index = c.h2.encoder.encode([("x-long", "y" * 3500)])
    equal(len(index), 1, "the field is one byte")
    block = c.h2.encoder.encode([(":method", "GET"), (":scheme", "https"), (":authority", "alpha.test"),
                                 (":path", "/x")]) + index * 10000
    try:
        for stream in range(101, 301, 2):
            c.raw(c.frame(1, 5, stream, block))
    except OSError:
        pass
    equal(c.end_reason(), CALM, "GOAWAY")
    equal(metrics()['proxy_http2_floods{kind="heads"}'], before + 1, "the metric")
    c.close()


def too_many_streams():
    go = threading.Event()

    def handler(s, backend):
        s.until(b"\r\n\r\n")
        go.wait(30)
        s.send(reply("x"))
    proxy.add("/held", Backend(handler).url)
    c = client()
    c.ask("/x")
    equal(c.h2.remote_settings.max_concurrent_streams, 100, "what is offered")
    block = c.h2.encoder.encode([(":method", "GET"), (":scheme", "https"), (":authority", "h"), (":path", "/held")])
    c.raw(b"".join(c.frame(1, 5, 101 + 2 * i, block) for i in range(101)))
    equal(c.end_reason(), PROTOCOL, "the 101st stream")
    go.set()
    c.close()


def nonsense():
    for data in (b"GET / HTTP/1.1\r\nHost: h\r\n\r\n", b"\0" * 100):
        context = ssl.create_default_context(cafile=world.authority.cert)
        context.set_alpn_protocols(["h2"])
        plain = socket.create_connection(("127.0.0.1", proxy.port), LIMIT)
        s = Sock(context.wrap_socket(plain, server_hostname="alpha.test"))
        s.send(data)
        claim(b"HTTP/1" not in s.rest(), "HTTP/1.1 where HTTP/2 was agreed on")
        s.close()
    c = client()
    c.raw(c.frame(0, 0, 0, b"data on stream 0"))
    equal(c.end_reason(), PROTOCOL, "DATA on stream 0")


world = World()
proxy, client, metrics = world.proxy, world.client, world.metrics
world.run([
    ("rapid reset", rapid_reset),
    ("resets that we are made to send", resets_that_we_are_made_to_send),
    ("floods of control frames", control_frames),
    ("a flood of empty DATA", empty_data),
    ("a flood of CONTINUATION", continuations),
    ("heads that unfold", heads_that_unfold),
    ("too many streams", too_many_streams),
    ("nonsense", nonsense),
])
