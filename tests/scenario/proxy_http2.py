#!/usr/bin/python3
"""HTTP/2 of the proxy: streams as clients, their windows, and what must not get
through to a target (contract/proxy.md 17)."""
# timeout: 180
import hashlib
import os
import random
import shutil
import socket
import ssl
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))

import report
from proxy_world import LIMIT, Backend, Head, Proxy, Sock, read_body, reply, seen
from report import claim, equal, until

try:
    from h2.settings import SettingCodes

    from h2_client import CANCEL, PROTOCOL, World
except ModuleNotFoundError:
    report.skip("HTTP/2", "python3-h2 is not installed")
    report.finish()

# ---- requests and answers -----------------------------------------------------

def a_request():
    c = client()
    a = c.ask("/x?q=1", more=[("x-own", "a b"), ("cookie", "a=1"), ("cookie", "b=2")])
    equal(a.status, 200, "status")
    head = seen(a.body)
    equal(head.line, "GET /x?q=1 HTTP/1.1", "the target's line")
    equal(head.all("Host"), ["alpha.test"], "Host")
    equal(head.get("x-own"), "a b", "a field")
    equal(head.all("cookie"), ["a=1; b=2"], "the cookie's pieces are one")
    equal(head.get("X-Forwarded-Proto"), "https", "scheme")
    equal(head.get("X-Forwarded-For"), "127.0.0.1", "peer")
    equal(head.all("Transfer-Encoding") + head.all("Content-Length"), [], "framing of no body")
    claim(a.get("date") and not a.get("connection"), "fields of the answer: %r" % a.fields)
    c.close()


def bodies_both_ways():
    c = client()
    for size in (0, 1, 16384, 65536, 300000):
        sent = random.Random(size).randbytes(size)
        a = c.ask("/x", method="POST", body=sent)
        claim(a.status == 200 and a.body.endswith(sent), "%d bytes in chunks: %r" % (size, a.__dict__))
        head = seen(a.body)
        equal(head.all("Transfer-Encoding"), ["chunked"], "framing")
        a = c.ask("/x", method="PUT", body=sent, more=[("content-length", str(size))])
        claim(a.status == 200 and a.body.endswith(sent), "%d bytes with a length" % size)
        equal((seen(a.body).all("content-length"), seen(a.body).all("Transfer-Encoding")), ([str(size)], []), "framing")
    equal(seen(c.ask("/x", method="POST").body).all("Content-Length"), ["0"], "a POST without a body")
    equal(c.ask("/x", method="HEAD").body, b"", "HEAD has no body")
    c.close()


def many_streams_at_once():
    c = client()
    streams = [c.open(c.fields("/x?n=%d" % i)) for i in range(90)]
    for i, stream in enumerate(streams):
        equal(seen(c.wait(stream).body).line, "GET /x?n=%d HTTP/1.1" % i, "stream %d" % stream)
    c.close()


def answers_of_all_kinds():
    def handler(s, backend):
        path = Head(s.until(b"\r\n\r\n")).line.split()[1]
        if path.endswith("early"):
            s.send(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + reply("x"))
        elif path.endswith("trailers"):
            s.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n"
                   b"3\r\nabc\r\n0\r\nX-Sum: 6\r\n\r\n")
        elif path.endswith("none"):
            s.send(b"HTTP/1.1 204 No Content\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\n\r\n")
        elif path.endswith("close"):
            s.send(b"HTTP/1.0 200 OK\r\nKeep-Alive: timeout=5\r\nConnection: X-Gone\r\nX-Gone: 1\r\n\r\nuntil the end")
            s.close()
        elif path.endswith("cut"):
            s.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc")
            s.close()
        elif path.endswith("cut-chunk"):
            s.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n")
            s.close()
    proxy.add("/kinds", Backend(handler).url)
    c = client()
    a = c.ask("/kinds/early")
    equal((dict(a.interim[0])[":status"], a.status, a.body), ("103", 200, b"x"), "a 103")
    a = c.ask("/kinds/trailers")
    equal((a.body, a.trailers), (b"abc", [("x-sum", "6")]), "trailers")
    a = c.ask("/kinds/none")
    equal((a.status, a.all("set-cookie"), a.body), (204, ["a=1", "b=2"], b""), "no content")
    a = c.ask("/kinds/close")
    equal((a.status, a.body), (200, b"until the end"), "until the connection ends")
    claim(not [k for k, _ in a.fields if k in ("keep-alive", "connection", "x-gone", "transfer-encoding")], "hop by hop")
    for path in ("cut", "cut-chunk"):
        a = c.ask("/kinds/" + path)
        equal((a.status, a.body, a.done, a.reset), (200, b"abc", False, 2), "an answer that breaks off")
    equal(c.ask("/x").status, 200, "the connection goes on")
    c.close()


def request_trailers():
    c = client()
    stream = c.open(c.fields("/x", "POST", [("trailer", "x-sum")]), end=False)
    c.body(stream, b"abc", end=False)
    c.h2.send_headers(stream, [("x-sum", "6")], end_stream=True)
    c.flush()
    equal(c.wait(stream).status, 200, "status")
    stream = c.open(c.fields("/x", "POST"), end=False)
    c.h2.send_headers(stream, [("content-length", "6")], end_stream=True)
    c.flush()
    a = c.wait(stream)
    claim(a.status == 400 or a.reset == PROTOCOL, "framing in the trailers: %r %r" % (a.status, a.reset))
    c.close()


def errors_have_pages():
    c = client()
    a = c.ask("/nothing/here")
    equal((a.status, a.get("content-type"), a.get("retry-after")), (404, "text/html", "5"), "no route")
    claim(b"404:" in a.body, "its page")
    a = c.ask("/dead/x")
    equal((a.status, a.get("retry-after")), (503, "2"), "a dead target")
    equal(c.ask("/_chp_healthz").body, b'{"status":"OK"}', "health")
    equal(c.ask("/dead/x", method="POST", body=b"x" * 200000).status, 503, "and a body for nobody")
    c.close()


def activity_and_metrics():
    before, first = proxy.last_activity("/x"), metrics()
    time.sleep(0.01)
    c = client()
    until("activity", 5, lambda: c.ask("/x").status == 200 and proxy.last_activity("/x") > before)
    now = metrics()
    equal(now["proxy_http2_connections"], first["proxy_http2_connections"] + 1, "open connections")
    claim(now["proxy_http2_streams"] > first["proxy_http2_streams"], "streams are counted")
    claim(now["requests_web"] > first["requests_web"], "and requests")
    c.close()
    until("the connection's end", 5, lambda: metrics()["proxy_http2_connections"] == first["proxy_http2_connections"])


# ---- flow ---------------------------------------------------------------------

def large_answers():
    """Whole and in order, whatever of them goes at once and whatever has to wait for windows or the socket."""
    data = random.Random(7).randbytes(1 << 20)

    def handler(s, backend):
        for _ in range(3):  # a connection that is kept
            kind, size = Head(s.until(b"\r\n\r\n")).line.split()[1].split("/")[2:]
            body = data[:int(size)]
            if kind == "length":
                s.send(reply(body))
                continue
            s.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            for at in range(0, len(body), 50000):
                part = body[at:at + 50000]
                s.send(b"%x\r\n%s\r\n" % (len(part), part))
            s.send(b"0\r\nX-Sum: 6\r\n\r\n")
    proxy.add("/large", Backend(handler).url)

    def check(c, stream, size, kind):
        a = c.wait(stream)
        equal((a.status, a.done, a.reset), (200, True, None), "an answer of %d bytes" % size)
        claim(a.body == data[:size], "%d bytes of %d came, or in another order" % (len(a.body), size))
        equal(a.trailers, [("x-sum", "6")] if kind == "chunks" else [], "trailers")
    # of one read exactly, of a read and a little, of many
    wanted = [(size, kind) for size in (16383, 16384, 40000, 65536, 67584, 70000, 1 << 20) for kind in ("length", "chunks")]
    for window in (1000, 65535, 1 << 24):
        c = client()
        c.h2.update_settings({SettingCodes.INITIAL_WINDOW_SIZE: window})
        c.h2.increment_flow_control_window(1 << 24)
        c.flush()
        for size, kind in wanted if window > 1000 else wanted[:4]:
            check(c, c.open(c.fields("/large/%s/%d" % (kind, size))), size, kind)
        streams = [(c.open(c.fields("/large/%s/%d" % (kind, size))), size, kind) for size, kind in wanted[:12] * 2]
        for one in streams:
            check(c, *one)
        c.close()


def a_client_that_reads_nothing():
    """All windows are open and the socket is full: what waits is bounded, and comes when it is asked for."""
    data = random.Random(8).randbytes(2 << 20)

    def handler(s, backend):
        s.until(b"\r\n\r\n")
        s.send(reply(data))
    backend = Backend(handler)
    proxy.add("/full", backend.url)
    c = client()
    c.h2.update_settings({SettingCodes.INITIAL_WINDOW_SIZE: 1 << 30})
    c.h2.increment_flow_control_window(1 << 30)
    c.flush()
    before = proxy.rss()
    # In one piece: while answers are stuck, the proxy takes no requests.
    streams = [c.open(c.fields("/full"), at_once=False) for _ in range(24)]
    c.flush()
    until("all targets are asked", LIMIT, lambda: backend.n_connections == 24)
    claim(proxy.rss() - before < 8 << 20, "memory grew by %d" % (proxy.rss() - before))
    for stream in streams:
        claim(c.wait(stream).body == data, "another answer")
    c.close()


def a_slow_stream_holds_nobody():
    """One stream's window is shut, with megabytes behind it; the others go on, in bounded memory."""
    data = random.Random(5).randbytes(8 << 20)

    def handler(s, backend):
        s.until(b"\r\n\r\n")
        s.send(reply(data))
    proxy.add("/big", Backend(handler).url)
    c = client(reads=False)
    slow = [c.open(c.fields("/big")) for _ in range(8)]
    before = proxy.rss()
    c.until(lambda: all(len(c.streams[s].body) > 0 for s in slow) or
            sum(len(c.streams[s].body) for s in slow) >= 65535)
    c.h2.increment_flow_control_window(1 << 24)
    c.flush()
    for _ in range(50):
        equal(c.ask("/x").status, 200, "another stream")
    claim(proxy.rss() - before < 8 << 20, "memory grew by %d" % (proxy.rss() - before))
    c.h2.increment_flow_control_window(1 << 24, slow[0])
    c.flush()
    a = c.wait(slow[0])
    equal(hashlib.sha256(a.body).digest(), hashlib.sha256(data).digest(), "the answer, when it may come")
    c.close()


def a_slow_target_is_not_flooded():
    """A target that does not read: the client's window shuts, and opens again."""
    go = threading.Event()

    def handler(s, backend):
        head = Head(s.until(b"\r\n\r\n"))
        go.wait(30)
        s.send(reply(hashlib.sha256(read_body(s, head)).hexdigest()))
    proxy.add("/slow", Backend(handler).url)
    c = client()
    stream = c.open(c.fields("/slow", "POST", [("content-length", str(32 << 20))]), end=False)
    data, sent = random.Random(6).randbytes(32 << 20), 0
    before = proxy.rss()
    while sent < len(data):
        n = min(16384, c.h2.local_flow_control_window(stream))
        if n == 0:
            c.sock.settimeout(0.5)
            try:
                c.more()
            except TimeoutError:
                break
            finally:
                c.sock.settimeout(LIMIT)
            continue
        c.h2.send_data(stream, data[sent:sent + n])
        c.flush()
        sent += n
    claim(sent < len(data), "the window never shut")
    claim(proxy.rss() - before < 4 << 20, "memory grew by %d" % (proxy.rss() - before))
    equal(c.ask("/x", method="POST", body=b"others").status, 200, "another stream")
    go.set()
    c.body(stream, data[sent:])
    equal(c.wait(stream).body.decode(), hashlib.sha256(data).hexdigest(), "the body")
    c.close()


def a_body_before_the_target_is_there():
    """The connection to the target hangs while a whole window of body comes."""
    full = socket.socket()
    full.bind(("127.0.0.1", 0))
    full.listen(0)
    first = socket.create_connection(full.getsockname(), LIMIT)
    proxy.add("/full", "http://127.0.0.1:%d" % full.getsockname()[1])
    c = client()
    equal(c.ask("/x").status, 200, "SETTINGS have come")
    stream = c.open(c.fields("/full", "POST"), end=False)
    data = random.Random(9).randbytes(c.h2.local_flow_control_window(stream))
    claim(len(data) >= 262144, "the window has %d bytes" % len(data))
    c.body(stream, data)
    equal(c.ask("/x").status, 200, "the others")
    full.accept()[0].close()
    first.close()
    s = Sock(full.accept()[0])
    head = Head(s.until(b"\r\n\r\n"))
    equal(hashlib.sha256(read_body(s, head)).digest(), hashlib.sha256(data).digest(), "the body")
    s.send(reply("late"))
    equal(c.wait(stream).body, b"late", "the answer")
    c.close()
    full.close()


def windows_come_back():
    """Bodies that nobody takes, refused or reset half-way, leave the connection's window as it was."""
    c = client()
    for _ in range(40):
        equal(c.ask("/dead/x", method="POST", body=b"x" * 200000).status, 503, "a body for nobody")
    for _ in range(60):
        stream = c.open(c.fields("/slow", "POST", [("content-length", "1000000")]), end=False)
        c.body(stream, b"x" * 100000, end=False)
        c.h2.reset_stream(stream, CANCEL)
        c.flush()
    sent = random.Random(10).randbytes(4 << 20)
    claim(c.ask("/x", method="POST", body=sent).body.endswith(sent), "4 MiB after that")
    c.close()


def a_reset_ends_the_request():
    gone = threading.Event()

    def handler(s, backend):
        s.until(b"\r\n\r\n")
        if s.ended():
            gone.set()
    proxy.add("/never", Backend(handler).url)
    c = client()
    stream = c.open(c.fields("/never"))
    c.ask("/x")
    c.h2.reset_stream(stream, CANCEL)
    c.flush()
    claim(gone.wait(5), "the target hears of it")
    equal(c.ask("/x").status, 200, "the connection goes on")
    c.close()


# ---- what must not get through ------------------------------------------------

def request_smuggling_by_downgrade():
    """No field, path or method reads otherwise in HTTP/1.1: refused, and the target sees nothing."""
    evil = "GET /evil HTTP/1.1\r\nHost: e\r\n\r\n"
    refused = [
        ("CRLF in a value", {"more": [("x-a", "b\r\n\r\n" + evil)]}),
        ("LF in a value", {"more": [("x-a", "b\nTransfer-Encoding: chunked")]}),
        ("CR in a value", {"more": [("x-a", "b\rX: y")]}),
        ("NUL in a value", {"more": [("x-a", "b\0")]}),
        ("blank before a value", {"more": [("x-a", " b")]}),
        ("CRLF in a name", {"more": [("x-a: b\r\nx-c", "d")]}),
        ("a colon in a name", {"more": [("transfer-encoding: chunked\r\nx", "d")]}),
        ("a blank in a name", {"more": [("x a", "d")]}),
        ("upper-case name", {"more": [("X-A", "b")]}),
        ("transfer-encoding", {"more": [("transfer-encoding", "chunked")]}),
        ("connection", {"more": [("connection", "x-forwarded-for")]}),
        ("upgrade", {"more": [("upgrade", "websocket")]}),
        ("keep-alive", {"more": [("keep-alive", "5")]}),
        ("proxy-connection", {"more": [("proxy-connection", "close")]}),
        ("te", {"more": [("te", "trailers, chunked")]}),
        ("two lengths", {"more": [("content-length", "0"), ("content-length", "5")]}),
        ("a length that is none", {"more": [("content-length", "+5")]}),
        ("a list of lengths", {"more": [("content-length", "5, 5")]}),
        ("another host", {"more": [("host", "other.test")]}),
        ("two hosts", {"more": [("host", "alpha.test"), ("host", "alpha.test")]}),
        ("blank in the path", {"path": "/x HTTP/1.1\r\nHost: e\r\n\r\n"}),
        ("a blank in the path", {"path": "/x y"}),
        ("LF in the path", {"path": "/x\nHost:e"}),
        ("fragment in the path", {"path": "/x#y"}),
        ("absolute path", {"path": "http://other.test/x"}),
        ("path without a slash", {"path": "x"}),
        ("empty path", {"path": ""}),
        ("star without OPTIONS", {"path": "*"}),
        ("CRLF in the method", {"method": "GET /evil HTTP/1.1\r\nHost: e\r\n\r\nGET"}),
        ("blank in the method", {"method": "GET /evil"}),
        ("plain CONNECT", {"method": "CONNECT"}),
        ("CRLF in the authority", {"authority": "h\r\nX: y"}),
        ("user in the authority", {"authority": "u@alpha.test"}),
        ("list in the authority", {"authority": "a, b"}),
        ("path in the authority", {"authority": "a/b"}),
        ("another scheme", {"scheme": "http"}),
        ("no scheme", {"scheme": "https://alpha.test/evil?"}),
    ]
    n = len(backend.seen)
    for name, named in refused:
        c = client()
        path = named.pop("path", "/x")
        a = c.ask(path, **named)
        claim(a.status == 400 or a.reset == PROTOCOL, "%s: %r %r" % (name, a.status, a.reset))
        claim(c.ask("/_chp_healthz").status == 200 or c.goaways, "%s: the connection" % name)
        c.close()
    for name, fields in (
            ("no path", [(":method", "GET"), (":scheme", "https"), (":authority", "h")]),
            ("no method", [(":scheme", "https"), (":authority", "h"), (":path", "/")]),
            ("no host at all", [(":method", "GET"), (":scheme", "https"), (":path", "/")]),
            ("two paths", [(":method", "GET"), (":scheme", "https"), (":authority", "h"), (":path", "/"), (":path", "/a")]),
            ("unknown pseudo", [(":method", "GET"), (":scheme", "https"), (":authority", "h"), (":path", "/"), (":x", "y")]),
            ("pseudo behind a field", [(":method", "GET"), (":scheme", "https"), ("x", "y"), (":authority", "h"),
                                       (":path", "/")])):
        c = client()
        a = c.wait(c.open(fields))
        claim(a.status == 400 or a.reset == PROTOCOL, "%s: %r %r" % (name, a.status, a.reset))
        c.close()
    equal([h.line for h, _ in backend.seen[n:]], [], "what the target saw")


def lengths_that_lie():
    for length, sent in ((5, b"abc"), (3, b"abcdef"), (0, b"abc")):
        c = client()
        n = len(backend.seen)
        stream = c.open(c.fields("/x", "POST", [("content-length", str(length))]), end=False)
        c.body(stream, sent)
        a = c.wait(stream)
        # a body of no bytes is complete at once, and may be answered before more comes
        claim(a.reset == PROTOCOL or a.status == 400 or length == 0, "%d for %d bytes: %r %r" % (length, len(sent), a.status, a.reset))
        claim(all(len(body) == int(h.get("content-length") or 0) for h, body in backend.seen[n:]), "what the target saw")
        c.close()


def what_is_allowed():
    c = client()
    a = c.ask("/x", method="OPTIONS", more=[("te", "trailers")])
    equal((a.status, seen(a.body).get("TE")), (200, "trailers"), "te")
    equal(seen(c.ask("/x", more=[("host", "alpha.test")]).body).all("Host"), ["alpha.test"], "the same host twice")
    fields = [(":method", "GET"), (":scheme", "https"), (":path", "/x"), ("host", "only.test")]
    equal(seen(c.wait(c.open(fields)).body).all("Host"), ["only.test"], "Host alone")
    a = c.ask("/x", more=[("x-forwarded-for", "9.9.9.9"), ("x-latin", b"\xe9")])
    equal(seen(a.body).get("x-latin"), "\xe9", "bytes from 0x80 on")
    equal(c.ask("/x", more=[("x-long", "y" * 70000)]).status, 431, "a head over 64 KiB")
    equal(c.ask("/x", more=[("x-%d" % i, "y") for i in range(300)]).status, 431, "300 fields")
    equal(len(seen(c.ask("/x", more=[("x-long", "y" * 60000)]).body).get("x-long")), 60000, "one of 60,000 bytes")
    c.close()


# ---- ALPN, the other clients --------------------------------------------------

def protocol_choice():
    context = ssl.create_default_context(cafile=world.authority.cert)

    def chosen(port, *offered, name="alpha.test"):
        context.set_alpn_protocols(list(offered))
        plain = socket.create_connection(("127.0.0.1", port), LIMIT)
        s = context.wrap_socket(plain, server_hostname=name)
        out = s.selected_alpn_protocol()
        s.close()
        return out
    equal(chosen(proxy.port, "http/1.1", "h2"), "h2", "the server prefers HTTP/2")
    equal(chosen(proxy.port, "http/1.1"), "http/1.1", "HTTP/1.1 alone")
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    equal(chosen(proxy.port, "h2", "http/1.1"), "h2", "TLS 1.2")
    context.set_ciphers("ECDHE-ECDSA-AES128-SHA256")
    equal(chosen(proxy.port, "h2", "http/1.1"), "http/1.1", "a cipher that HTTP/2 forbids")
    context.set_ciphers("DEFAULT")
    context.maximum_version = ssl.TLSVersion.TLSv1_3
    p = Proxy(*world.args, "--no-http2", "--api-ssl-key", world.certificate[0], "--api-ssl-cert", world.certificate[1])
    equal(chosen(p.port, "h2", "http/1.1"), "http/1.1", "--no-http2")
    equal(chosen(p.api_port, "h2", "http/1.1"), "http/1.1", "the REST API")
    p.stop()


def curl():
    if not shutil.which("curl") or "HTTP2" not in subprocess.run(["curl", "--version"], capture_output=True, text=True).stdout:
        return report.skip("curl", "there is no curl with HTTP/2")
    data = os.path.join(proxy.dir, "upload")
    with open(data, "wb") as f:
        f.write(random.Random(8).randbytes(3 << 20))
    out = subprocess.run(
        ["curl", "-sS", "--http2", "--cacert", world.authority.cert, "--connect-to", "alpha.test:443:127.0.0.1:%d" % proxy.port,
         "--data-binary", "@" + data, "-w", "%{http_version} %{http_code}", "-o", data + ".back",
         "https://alpha.test/x", "https://alpha.test/x", "-o", data + ".back2"],
        capture_output=True, text=True, timeout=60)
    claim(out.stdout.startswith("2 200"), "curl: %r %r" % (out.stdout, out.stderr))
    with open(data, "rb") as f, open(data + ".back", "rb") as g:
        claim(g.read().endswith(f.read()), "what comes back")


world = World()
proxy, client, metrics, backend = world.proxy, world.client, world.metrics, world.backend
world.run([
    ("a request by HTTP/2 is one of HTTP/1.1 to the target", a_request),
    ("bodies pass both ways", bodies_both_ways),
    ("ninety streams at once", many_streams_at_once),
    ("answers of all kinds", answers_of_all_kinds),
    ("trailers of a request", request_trailers),
    ("errors have their pages", errors_have_pages),
    ("activity and metrics count streams", activity_and_metrics),
    ("large answers", large_answers),
    ("a client that reads nothing", a_client_that_reads_nothing),
    ("a slow stream holds nobody", a_slow_stream_holds_nobody),
    ("a slow target is not flooded", a_slow_target_is_not_flooded),
    ("a body before the target is there", a_body_before_the_target_is_there),
    ("windows come back", windows_come_back),
    ("a reset ends the request", a_reset_ends_the_request),
    ("request smuggling by downgrade", request_smuggling_by_downgrade),
    ("lengths that lie", lengths_that_lie),
    ("what is allowed", what_is_allowed),
    ("which protocol is chosen", protocol_choice),
    ("curl --http2", curl),
])
