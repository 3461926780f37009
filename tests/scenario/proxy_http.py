#!/usr/bin/python3
"""The real carrel-proxy between clients and backends that speak HTTP/1.1 byte by
byte: REST, routing, heads, framing, connections, errors (contract/proxy.md 4 to
8 and the points of 17 that are built)."""
# timeout: 180
import json
import os
import random
import socket
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
import report
from report import claim, equal
from proxy_world import (Backend, Head, Proxy, Sock, echo, named, read_body, read_chunks,
                         read_response, reply, seen)

plain = None   # a backend that echoes
proxy = None   # a proxy with the routes of most tests


# ---- REST (contract 4) --------------------------------------------------------

def rest_round_trip():
    data = {"jupyterhub": True, "user": "a\u00e9", "n": 1.5, "none": None, "deep": {"x": [1, 2]}}
    proxy.add("/rest/a%40b", plain.url, **data)
    shown = proxy.routes()["/rest/a@b"]
    claim(shown.pop("last_activity").endswith("Z"), "last_activity ends in Z")
    equal(shown, dict(data, target=plain.url), "what was stored")
    status, body = proxy.api("GET", "/api/routes/rest/a@b")
    equal((status, json.loads(body)["user"]), (200, data["user"]), "one route")
    equal(proxy.api("GET", "/api/routes/rest")[0], 404, "a prefix is no route")
    proxy.delete("/rest/a@b")
    equal(proxy.api("DELETE", "/api/routes/rest/a@b")[0], 404, "deleting again")


def rest_paths():
    proxy.add("/rest/slash/", plain.url)
    proxy.add("rest-no-slash".join(["/", ""]), plain.url)
    proxy.add("/rest//inner", plain.url)
    keys = proxy.routes()
    for key in ("/rest/slash", "/rest-no-slash", "/rest//inner"):
        claim(key in keys, "%s is listed" % key)
        proxy.delete(key)
    equal(proxy.api("POST", "/api/routes/%zz", {"target": plain.url})[0], 400, "a bad escape")
    for path in ("/", "/api", "/api/", "/api/routesx"):
        equal(proxy.api("GET", path)[0], 404, path)
    for method in ("PUT", "PATCH", "HEAD", "OPTIONS"):
        equal(proxy.api(method, "/api/routes")[0], 405, method)


def rest_refuses_bad_bodies():
    for body in (b"", b"{", b"[]", b"1", b"{}", b'{"target": 1}', b'{"target": "not a url"}',
                 b'{"target": "ftp://h"}', b'{"target": "http://"}', b'{"target": "http://h:99999"}'):
        status, text = proxy.api("POST", "/api/routes/bad", body)
        equal(status, 400, repr(body))
        claim(text, "the answer to %r says why" % body)
    claim("/bad" not in proxy.routes(), "nothing was stored")


def rest_checks_the_token_before_the_body():
    equal(proxy.api("GET", "/api/routes", token="wrong")[0], 403, "a wrong token")
    equal(proxy.api("GET", "/api/routes", token="")[0], 403, "no token")
    equal(proxy.api("GET", "/api/routes", scheme="Basic x token")[0], 403, "a token in a heap")
    equal(proxy.api("GET", "/api/routes", scheme="Bearer")[0], 200, "Bearer")
    s = Sock(socket.create_connection(("127.0.0.1", proxy.api_port), 5))
    s.send(b"POST /api/routes/x HTTP/1.1\r\nHost: h\r\nContent-Length: 100000\r\n\r\n")
    equal(read_response(s)[0].status, 403, "before the body was sent")
    s.close()
    equal(proxy.api("POST", "/api/routes/x", b" " * 300000)[0], 413, "a body over the bound")


def rest_inactive_since():
    proxy.add("/rest/old", plain.url)
    middle = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(time.time() + 60)) + "Z"
    for name in ("inactiveSince", "inactive_since"):
        claim("/rest/old" in proxy.routes("?%s=%s" % (name, middle)), "older than in a minute")
        claim("/rest/old" not in proxy.routes("?%s=1999-01-01T00:00:00Z" % name), "not older than 1999")
        claim("/rest/old" in proxy.routes("?%s=" % name), "an empty value is no filter")
        equal(proxy.api("GET", "/api/routes?%s=endoftheuniverse" % name)[0], 400, "no date")
    proxy.delete("/rest/old")


# ---- routing (contract 5, 17.2, 17.4, 17.21) ----------------------------------

def reached(target, **more):
    head, body = proxy.ask(target, **more)
    return body.decode("latin-1") if head.status == 200 else head.status


def longest_prefix_of_whole_segments():
    for path in ("/b", "/b/c", "/b/c/d/e", "/user/alice", "/constructor", "/__proto__"):
        proxy.add(path, named(path).url)
    for target, wanted in (
            ("/b/c", "/b/c"), ("/b/c/", "/b/c"), ("/b/c/x?y", "/b/c"), ("/b/cx", "/b"), ("/bc", 404),
            ("/b/c/d", "/b/c"), ("/b/c/d/e/f", "/b/c/d/e"), ("/B/c", 404), ("/user/alice/x", "/user/alice"),
            ("/user%2Falice/x", "/user/alice"), ("/user/%61lice", "/user/alice"),
            ("http://other/user/alice", "/user/alice"),
            ("//evil/user/alice/x", 404), ("//user/alice", 404), ("/a/../user/alice", 404),
            ("/a/%2e%2e/user/alice", 404), ("/./user/alice", 404), ("/user/alice/../bob", "/user/alice"),
            ("/constructor", "/constructor"), ("/__proto__/x", "/__proto__"), ("/toString", 404),
            ("/%", 400), ("/%zz", 400), ("/a%00b", 400), ("/%ff", 400)):
        equal(reached(target), wanted, target)
    proxy.delete("/b")
    equal(reached("/b/c/x"), "/b/c", "a child outlives its parent")
    equal(reached("/b/x"), 404, "the parent is gone")


def host_routing():
    p = Proxy("--host-routing", default=named("default").url)
    p.add("/name.example", named("host").url)
    p.add("/Name.Example/deep", named("deep").url)
    p.add("/[::1]", named("six").url)
    for host, target, wanted in (
            ("name.example", "/", "host"), ("NAME.example:8000", "/x", "host"), ("name.example", "/deep/x", "deep"),
            ("[::1]:80", "/", "six"), ("other", "/name.example", "default"), ("", "/", "default")):
        equal(p.ask(target, host=host)[1].decode(), wanted, "%s %s" % (host, target))
    claim("/Name.Example/deep" in p.routes(), "the key is kept as it was given")
    equal(p.routes()["/name.example"]["host"], "name.example", "the host is listed")
    p.stop()


# ---- paths (contract 6) -------------------------------------------------------

def paths_sent():
    table = {
        (): (("/bar", "/bar/rest/of/it", "/foo/bar/rest/of/it"), ("/bar", "/bar?query=foo", "/foo/bar?query=foo"),
             ("/bar", "/bar", "/foo/bar"), ("/b@r/b r", "/b%40r/b%20r/x@%2e//y", "/foo/b%40r/b%20r/x@%2e//y")),
        ("--no-prepend-path",): (("/bar", "/bar/rest/of/it", "/bar/rest/of/it"), ("/bar", "/bar?", "/bar?")),
        ("--no-include-prefix",): (("/bar", "/bar/rest/of/it", "/foo/rest/of/it"), ("/bar", "/bar?q=1", "/foo?q=1"),
                                   ("/b@r/c", "/b%40r%2Fc%2Fx/y", "/foo/x/y")),
        ("--no-prepend-path", "--no-include-prefix"): (("/bar", "/bar/rest/of/it", "/rest/of/it"), ("/bar", "/bar", "/")),
    }
    for flags, rows in table.items():
        p = Proxy(*flags, workers=1)
        for route, target, wanted in rows:
            p.add(route.replace(" ", "%20"), plain.url + "/foo")
            equal(seen(p.ask(target)[1]).line, "GET %s HTTP/1.1" % wanted, "%s %s" % (flags, target))
        if not flags:
            p.add("/q", plain.url + "/base?x=1")
            equal(seen(p.ask("/q?y=2")[1]).line, "GET /base/q?x=1&y=2 HTTP/1.1", "two queries")
        p.stop()


# ---- headers (contract 7, 17.5, 17.18) ----------------------------------------

def header_order_spelling_repetition():
    fields = "X-oDD:  a\r\nCookie: a=b\r\nx-Two: 1\r\nCookie: c=d\r\nx-two: 2\r\n"
    lines = proxy.ask("/echo", fields=fields)[1].decode().split("\r\n")
    equal(lines[1:7], ["Host: h", "X-oDD:  a", "Cookie: a=b", "x-Two: 1", "Cookie: c=d", "x-two: 2"], "request")

    def handler(s, backend):
        s.until(b"\r\n\r\n")
        s.send(b"HTTP/1.1 299 Odd  Reason\r\nsEt-Cookie: a\r\nX-B: 1\r\nSet-cookie: b\r\nContent-Length: 0\r\n\r\n")
    proxy.add("/odd", Backend(handler).url)
    raw = proxy.raw(b"GET /odd HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
    claim(raw.startswith(b"HTTP/1.1 299 Odd  Reason\r\nsEt-Cookie: a\r\nX-B: 1\r\nSet-cookie: b\r\n"), raw)


def hop_by_hop_is_not_forwarded():
    fields = ("Connection: close, X-Named, Keep-Alive\r\nX-Named: secret\r\nKeep-Alive: 3\r\nTE: gzip\r\n"
              "Proxy-Authorization: x\r\nProxy-Connection: y\r\nUpgrade: h2c\r\nX-Kept: z\r\n")
    head = seen(proxy.ask("/echo", fields=fields)[1])
    for name in ("Connection", "X-Named", "Keep-Alive", "TE", "Proxy-Authorization", "Proxy-Connection", "Upgrade"):
        equal(head.all(name), [], name)
    equal(head.all("X-Kept"), ["z"], "others stay")


def forwarded_fields():
    head = seen(proxy.ask("/echo", host="pub.example:8443", fields="X-Forwarded-For: 9.9.9.9\r\n"
                          "x-forwarded-proto: https\r\nX-Forwarded-Port: 443\r\nX-Forwarded-Host: front\r\n")[1])
    equal(head.get("X-Forwarded-For"), "9.9.9.9,127.0.0.1", "a trusted peer's value is extended")
    equal(head.get("X-Forwarded-Proto"), "https,http", "proto")
    equal(head.get("X-Forwarded-Port"), "443,8443", "port")
    equal(head.all("X-Forwarded-Host"), ["front"], "host")
    p = Proxy("--trusted-proxy", "10.0.0.0/8", default=plain.url, workers=1)
    head = seen(p.ask("/", fields="X-Forwarded-For: 9.9.9.9\r\nForwarded: for=1\r\nX-Real-IP: 1\r\nX-Scheme: https\r\n"
                      "X-Forwarded-Prefix: /x\r\nX-Forwarded-Proto: https\r\n")[1])
    equal(head.all("X-Forwarded-For"), ["127.0.0.1"], "an untrusted peer's value is replaced")
    equal(head.all("X-Forwarded-Proto"), ["http"], "proto is replaced")
    equal(head.all("X-Forwarded-Port"), ["80"], "port without one in Host")
    for name in ("Forwarded", "X-Real-IP", "X-Scheme", "X-Forwarded-Prefix"):
        equal(head.all(name), [], name)
    p.stop()
    p = Proxy("--no-x-forward", default=plain.url, workers=1)
    claim(b"forwarded" not in p.ask("/")[1].lower(), "--no-x-forward adds none")
    p.stop()


def host_and_custom_headers():
    p = Proxy("--change-origin", "--custom-header", " k1 : v:1 ", "--custom-header=X-Two: 2", "--custom-header",
              "K1: last", default=plain.url, workers=1)
    head = seen(p.ask("/", fields="k1: mine\r\nK1: mine too\r\n", host="pub")[1])
    equal(head.get("Host"), plain.url[7:], "--change-origin")
    equal(head.all("k1"), ["last"], "a custom header replaces")
    equal(head.get("X-Two"), "2", "another one")
    p.stop()
    equal(seen(proxy.ask("http://abs.example:81/echo/x", host="other")[1]).get("Host"), "abs.example:81",
          "the absolute form says the host")
    equal(seen(proxy.ask("/echo", version="1.0", host=None)[1]).get("Host"), plain.url[7:], "HTTP/1.0 without Host")


def redirects_are_rewritten():
    def handler(s, backend):
        while True:
            head = Head(s.until(b"\r\n\r\n"))
            status, where = head.get("X-Status"), head.get("X-Where").replace("TARGET", backend.url[7:])
            s.send(reply(status=status + " x", fields="Location: %s\r\n" % where))
    backend = Backend(handler)
    p = Proxy("--auto-rewrite", "--protocol-rewrite", "https", default=backend.url, workers=1)
    for status, where, wanted in (
            ("302", "http://TARGET/a?b", "https://pub:8443/a?b"), ("303", "http://TARGET", "https://pub:8443"),
            ("201", "http://TARGET/", "https://pub:8443/"), ("200", "http://TARGET/", None), ("302", "/a", None),
            ("302", "http://other/a", None), ("304", "http://TARGET/", None)):
        head, _ = p.ask("/", host="pub:8443", fields="X-Status: %s\r\nX-Where: %s\r\n" % (status, where))
        equal(head.get("Location"), wanted or where.replace("TARGET", backend.url[7:]), "%s %s" % (status, where))
    p.stop()


# ---- framing (17.1) -----------------------------------------------------------

AMBIGUOUS = (
    b"POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    b"POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\nabc",
    b"POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 3, 3\r\n\r\nabc",
    b"POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: identity, chunked\r\n\r\n0\r\n\r\n",
    b"POST /echo HTTP/1.0\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    b"GET /echo HTTP/1.1\nHost: h\n\n",
    b"GET /echo HTTP/1.1\r\nHost: h\r\nA: b\r\n c\r\n\r\n",
    b"GET /echo HTTP/1.1\r\nHost: h\r\nHost: h\r\n\r\n",
    b"GET /echo HTTP/1.1\r\nHost: a, b\r\n\r\n",
    b"GET /echo HTTP/1.1\r\nHost : h\r\n\r\n",
    b"GET  /echo HTTP/1.1\r\nHost: h\r\n\r\n",
    b"GET /echo HTTP/1.1\r\nHost: h\r\nA: \0\r\n\r\n",
    b"GET /echo\x01 HTTP/1.1\r\nHost: h\r\n\r\n",
    b"GET /echo HTTP/1.1\r\n\r\n",
    b"CONNECT h:80 HTTP/1.1\r\nHost: h\r\n\r\n",
    b"POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3 \r\nabc\r\n0\r\n\r\n",
    b"POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\nabc\r\n0\r\n\r\n",
    b"POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n-3\r\nabc\r\n0\r\n\r\n",
    b"POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n0\r\n\r\n",
    b"POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n11111111111111111\r\nabc",
    b"POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nContent-Length: 1\r\n\r\n",
)


def ambiguous_requests_are_400_and_close():
    before = len(plain.seen)
    for data in AMBIGUOUS:
        answer = proxy.raw(data + b"GET /echo/second HTTP/1.1\r\nHost: h\r\n\r\n")
        claim(answer.startswith(b"HTTP/1.1 400 "), "%r: %r" % (data, answer[:100]))
        equal(answer.count(b"HTTP/1.1 "), 1, "answers to %r" % data)
        claim(b"Connection: close" in answer, "it closes: %r" % answer[:200])
    equal(len(plain.seen), before, "requests that reached the backend")


def bodies_travel_as_announced():
    for method in ("GET", "DELETE", "OPTIONS", "POST", "PATCH"):
        raw = proxy.ask("/echo", method=method, fields="Content-Length: 5\r\n", body=b"hello")[1]
        claim(raw.endswith(b"\r\n\r\nhello"), "%s with a length: %r" % (method, raw))
        equal(seen(raw).all("Content-Length"), ["5"], method)
        raw = proxy.ask("/echo", method=method, fields="Transfer-Encoding: chunked\r\n",
                        body=b"2;ext=\"x\"\r\nhe\r\n003\r\nllo\r\n0\r\n\r\n")[1]
        claim(raw.endswith(b"hello"), "%s in chunks: %r" % (method, raw))
        equal(seen(raw).all("Transfer-Encoding"), ["chunked"], method)
    size = 3000000
    body = random.Random(1).randbytes(size)
    raw = proxy.ask("/echo", method="PUT", fields="Content-Length: %d\r\n" % size, body=body)[1]
    claim(raw.endswith(body), "a large body arrives whole")


def trailers_pass_both_ways():
    def handler(s, backend):
        s.until(b"\r\n\r\n")
        backend.seen.append(read_chunks(s))
        s.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX-Sum: 1\r\n\r\n")
    backend = Backend(handler)
    proxy.add("/trail", backend.url)
    s = proxy.connect()
    s.send(b"POST /trail HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\nX-T: 2\r\n\r\n")
    s.until(b"\r\n\r\n")
    equal(read_chunks(s), (b"abc", b"X-Sum: 1\r\n"), "trailers of the answer")
    equal(backend.seen, [(b"x", b"X-T: 2\r\n")], "trailers of the request")
    s.close()


# ---- connections --------------------------------------------------------------

def keep_alive_and_pipelining():
    s = proxy.connect()
    s.send(b"GET /echo/1 HTTP/1.1\r\nHost: h\r\n\r\nPOST /echo/2 HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nhi"
           b"GET /echo/3 HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
    for i in (1, 2, 3):
        head, body = read_response(s)
        claim(b" /echo/%d " % i in body, "answers come in order")
    equal(head.get("Connection"), "close", "the last says close")
    claim(s.ended(), "and it is closed")
    head, _ = proxy.ask("/echo", fields="Connection: keep-alive\r\n")
    equal(head.get("Connection"), "keep-alive", "spelled out when it was asked for")
    n = plain.n_connections
    s = proxy.connect()
    for _ in range(20):
        s.send(b"GET /echo HTTP/1.1\r\nHost: h\r\n\r\n")
        read_response(s)
    claim(plain.n_connections <= n + 1, "connections to the backend are used again")
    s.close()


def http_1_0_clients():
    def handler(s, backend):
        s.until(b"\r\n\r\n")
        s.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n")
    proxy.add("/chunks", Backend(handler).url)
    raw = proxy.raw(b"GET /chunks HTTP/1.0\r\n\r\n")
    claim(raw.endswith(b"\r\n\r\nabcde"), "no chunks: %r" % raw)
    claim(b"ransfer-" not in raw and b"Connection: close" in raw, raw)
    s = proxy.connect().send(b"GET /echo HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
    equal(read_response(s)[0].get("Connection"), "keep-alive", "it may go on with a length")
    s.send(b"GET /echo HTTP/1.0\r\n\r\n")
    read_response(s)
    claim(s.ended(), "and ends without being asked to go on")


def responses_without_body():
    def handler(s, backend):
        while True:
            head = Head(s.until(b"\r\n\r\n"))
            if "HEAD" in head.line:
                s.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1234\r\n\r\n")
            elif "304" in head.line:
                s.send(b"HTTP/1.1 304 Not Modified\r\nContent-Length: 99\r\nETag: x\r\n\r\n")
            else:
                s.send(b"HTTP/1.1 204 No Content\r\n\r\n")
    proxy.add("/none", Backend(handler).url)
    s = proxy.connect()
    for method, path, status in (("HEAD", "/none", 200), ("GET", "/none/304", 304), ("GET", "/none", 204)):
        s.send(("%s %s HTTP/1.1\r\nHost: h\r\n\r\n" % (method, path)).encode())
        head, _ = read_response(s, method)
        equal(head.status, status, path)
        equal(head.get("Content-Length"), {200: "1234", 304: "99", 204: None}[status], "length of %d" % status)
    s.close()


def until_close_becomes_chunks():
    def handler(s, backend):
        s.until(b"\r\n\r\n")
        s.send(b"HTTP/1.0 200 OK\r\n\r\nall until the end")
    proxy.add("/close", Backend(handler).url)
    s = proxy.connect().send(b"GET /close HTTP/1.1\r\nHost: h\r\n\r\n")
    s.until(b"\r\n\r\n")
    equal(read_chunks(s)[0], b"all until the end", "body")
    s.send(b"GET /echo HTTP/1.1\r\nHost: h\r\n\r\n")
    equal(read_response(s)[0].status, 200, "the connection goes on")
    s.close()


def interim_answers():
    def handler(s, backend):
        head = Head(s.until(b"\r\n\r\n"))
        equal(head.get("Expect"), "100-continue", "Expect is passed on")
        if "no" in head.line:
            s.send(reply("refused", "417 Expectation Failed"))
            return
        s.send(b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n")
        # the next request must not meet this connection just before it ends
        s.send(reply(read_body(s, head), fields="Connection: close\r\n"))
    proxy.add("/expect", Backend(handler).url)
    s = proxy.connect()
    s.send(b"POST /expect HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n")
    claim(b"103 Early Hints\r\nLink: </x>" in s.until(b"\r\n\r\n"), "103 passes")
    claim(b"100 Continue" in s.until(b"\r\n\r\n"), "100 is the backend's")
    equal(read_response(s.send(b"body"))[1], b"body", "then the body")
    s.close()
    s = proxy.connect()
    s.send(b"POST /expect/no HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n")
    equal(read_response(s)[0].status, 417, "the backend may refuse")
    s.close()


def half_closed_client_gets_its_answer():
    def handler(s, backend):
        s.until(b"\r\n\r\n")
        time.sleep(0.3)
        s.send(reply("late"))
    proxy.add("/late", Backend(handler).url)
    s = proxy.connect().send(b"GET /late HTTP/1.1\r\nHost: h\r\n\r\n")
    s.sock.shutdown(socket.SHUT_WR)
    equal(read_response(s)[1], b"late", "answer")


def early_answer_to_an_upload():
    def handler(s, backend):
        s.until(b"\r\n\r\n")
        s.send(reply("too large", "413 Too Large", "Connection: close\r\n"))
        s.sock.shutdown(socket.SHUT_WR)
        s.rest()
    proxy.add("/early", Backend(handler).url)
    s = proxy.connect().send(b"POST /early HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000\r\n\r\n" + b"x" * 100000)
    equal(read_response(s)[0].status, 413, "answer before the end of the upload")
    s.close()


def ws_2020_0091_long_bodies_that_break_off():
    """GHSA-6x33-pw7p-hmpq: a long body ended the whole proxy."""
    stays = proxy.connect()
    length = b"POST /echo/long HTTP/1.1\r\nHost: h\r\nContent-Length: 50000000\r\n\r\n"
    chunks = b"POST /echo/long HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
    for head, body in ((length, b"x" * 300000), (chunks, b"fffff\r\n" + b"x" * 300000), (chunks, b"zz\r\n"),
                       (b"POST /nowhere HTTP/1.1\r\nHost: h\r\nContent-Length: 50000000\r\n\r\n", b"x" * 300000)):
        for waits in (False, True, False, True):
            s = proxy.connect()
            try:
                s.send(head + body)
                if waits:  # until the proxy has seen the end
                    s.sock.shutdown(socket.SHUT_WR)
                    s.rest()
            except OSError:
                pass   # the proxy may end it before all is sent
            s.close()
    stays.send(b"GET /echo/after HTTP/1.1\r\nHost: h\r\n\r\n")
    claim(b" /echo/after " in read_response(stays)[1], "a connection from before is served")
    stays.close()


def large_heads():
    value = "x" * 60000
    equal(len(seen(proxy.ask("/echo", fields="X-Big: %s\r\n" % value)[1]).get("X-Big")), 60000, "60 KB arrive")
    for data in (b"GET /echo HTTP/1.1\r\nHost: h\r\nX: " + b"x" * 70000, b"GET /echo HTTP/1.1\r\nHost: h\r\n" + b"A: b\r\n" * 300 + b"\r\n"):
        claim(proxy.raw(data).startswith(b"HTTP/1.1 431 "), "too much is 431")


def a_head_in_single_bytes():
    s = proxy.connect()
    for byte in b"GET /echo/slow HTTP/1.1\r\nHost: h\r\n\r\n":
        s.send(bytes([byte]))
    claim(b" /echo/slow " in read_response(s)[1], "it is understood")
    s.close()


# ---- upstream (17.6, 17.7, 17.13) ---------------------------------------------

def truncated_answers_are_told():
    cases = {
        "length": b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc",
        "chunks": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
        "head": b"HTTP/1.1 200 OK\r\nContent-Le",
        "bad-chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nzz",
    }

    def handler(s, backend):
        head = Head(s.until(b"\r\n\r\n"))
        s.send(cases[head.line.split("/")[2].split(" ")[0]])
        time.sleep(0.1)
    proxy.add("/cut", Backend(handler).url)
    for name in cases:
        raw = proxy.raw(b"GET /cut/" + name.encode() + b" HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
        if raw.startswith(b"HTTP/1.1 503 "):
            claim(name in ("head", "bad-chunk"), "nothing was sent before: %r" % raw)
        else:
            claim(b"abc" in raw and not raw.endswith(b"0\r\n\r\n"), "%s: %r" % (name, raw))


def stale_connections_cost_no_request():
    def handler(s, backend):
        # one answer on each connection, then an end that is not announced
        head = Head(s.until(b"\r\n\r\n"))
        body = read_body(s, head)
        s.send(reply(body or "ok"))
        backend.seen.append(head.line)
        s.until(b"\r\n\r\n")
        s.reset()
    backend = Backend(handler)
    p = Proxy(default=backend.url, workers=1)
    for i in range(10):
        head, body = p.ask("/%d" % i)
        equal((head.status, body), (200, b"ok"), "request %d" % i)
    head, body = p.ask("/put", method="PUT", fields="Content-Length: 3\r\n", body=b"new")
    equal((head.status, body), (200, b"new"), "a PUT with its body")
    p.stop()


def dead_backends_cost_no_sockets():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        url = "http://127.0.0.1:%d" % s.getsockname()[1]
    p = Proxy(workers=1)
    p.add("/dead", url)
    fds = p.n_fds()
    for i in range(200):
        head, _ = p.ask("/dead/%d" % i)
        equal(head.status, 503, "status")
        claim(head.get("Retry-After"), "Retry-After is said")
    claim(p.n_fds() <= fds + 1, "descriptors: %d, before %d" % (p.n_fds(), fds))
    # a route that is set anew is tried at once
    backend = named("alive")
    p.add("/dead", backend.url)
    equal(p.ask("/dead")[1], b"alive", "the new target")
    p.stop()


def unix_targets_and_listeners():
    dir = proxy.dir
    backend = Backend(path=os.path.join(dir, "b.sock"))
    proxy.add("/unix", backend.url + "/base")
    equal(seen(proxy.ask("/unix/x")[1]).line, "GET /base/unix/x HTTP/1.1", "a unix target")
    path, api = os.path.join(dir, "p.sock"), os.path.join(dir, "a.sock")
    p = Proxy("--socket", path, "--api-socket", api, default=plain.url)
    s = socket.socket(socket.AF_UNIX)
    s.connect(path)
    s = Sock(s).send(b"GET /x HTTP/1.1\r\nHost: h:9\r\n\r\n")
    head = seen(read_response(s)[1])
    equal((head.all("X-Forwarded-For"), head.get("X-Forwarded-Port")), ([], "9"), "no peer address there")
    p.kill()
    p.start()
    p.stop()


def names_are_looked_up():
    proxy.add("/name", "http://localhost:%d" % plain.port)
    equal(proxy.ask("/name")[0].status, 200, "localhost")
    proxy.add("/noname", "http://no-such-name.invalid:80")
    equal(proxy.ask("/noname")[0].status, 503, "an unknown name")


def timeouts():
    def handler(s, backend):
        s.until(b"\r\n\r\n")
        s.ended()
    p = Proxy("--proxy-timeout", "300", "--keep-alive-timeout", "400", default=Backend(handler).url, workers=1)
    begin = time.monotonic()
    equal(p.ask("/")[0].status, 503, "--proxy-timeout")
    claim(0.2 < time.monotonic() - begin < 3, "after its time")
    s = p.connect().send(b"GET /_chp_healthz HTTP/1.1\r\nHost: h\r\n\r\n")
    equal(read_response(s)[1], b'{"status":"OK"}', "health")
    begin = time.monotonic()
    claim(s.ended() and 0.2 < time.monotonic() - begin < 3, "--keep-alive-timeout")
    p.stop()
    p = Proxy("--timeout", "300", default=Backend(handler).url, workers=1)
    equal(p.raw(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"), b"", "--timeout ends without a word")
    p.stop()


# ---- errors (contract 8) ------------------------------------------------------

def error_pages():
    def pages(s, backend):
        head = Head(s.until(b"\r\n\r\n"))
        backend.seen.append(head)
        s.send(reply("page of " + head.line, "200 OK", "Content-Type: text/x\r\nX-Other: y\r\n"))
    target = Backend(pages)
    p = Proxy("--error-target", target.url + "/hub/error", workers=1)
    head, body = p.ask("/a b".replace(" ", "%20") + "?x=1&y")
    equal((head.status, head.get("Content-Type"), head.get("X-Other")), (404, "text/x", None), "the target's page")
    equal(target.seen[0].line, "GET /hub/error/404?url=%2Fa%2520b%3Fx%3D1%26y HTTP/1.1", "what is asked")
    p.add("/", target.url)
    target.close()
    p.ask("/x")
    head, body = p.ask("/x")
    equal(head.status, 503, "the hub is away")
    claim(b"hub is away" in body and head.get("Retry-After"), "our own page: %r" % body)
    p.stop()
    dir = p.dir
    for name in ("404", "error"):
        with open(os.path.join(dir, name + ".html"), "w") as f:
            f.write("file " + name)
    p = Proxy("--error-path", dir, workers=1)
    head, body = p.ask("/")
    equal((head.get("Content-Type"), body), ("text/html", b"file 404"), "the file of the code")
    equal(p.ask("/%")[1], b"file error", "the file for all others")
    p.stop()


def main():
    global plain, proxy
    report.group("proxy")
    plain = Backend(echo)
    proxy = Proxy("--drain-timeout", "1")
    proxy.add("/echo", plain.url)
    tests = (
        rest_round_trip, rest_paths, rest_refuses_bad_bodies, rest_checks_the_token_before_the_body,
        rest_inactive_since, longest_prefix_of_whole_segments, host_routing, paths_sent,
        header_order_spelling_repetition, hop_by_hop_is_not_forwarded, forwarded_fields, host_and_custom_headers,
        redirects_are_rewritten, ambiguous_requests_are_400_and_close, bodies_travel_as_announced,
        trailers_pass_both_ways, keep_alive_and_pipelining, http_1_0_clients, responses_without_body,
        until_close_becomes_chunks, interim_answers, half_closed_client_gets_its_answer, early_answer_to_an_upload,
        ws_2020_0091_long_bodies_that_break_off, large_heads, a_head_in_single_bytes, truncated_answers_are_told, stale_connections_cost_no_request,
        dead_backends_cost_no_sockets, unix_targets_and_listeners, names_are_looked_up, timeouts, error_pages)
    wanted = sys.argv[1:]
    report.run([(f.__name__, f) for f in tests if not wanted or f.__name__ in wanted],
               lambda: print("---- the proxy said:\n" + proxy.output()[-6000:]))
    claim(proxy.process.poll() is None, "the proxy lives to the end")
    equal(proxy.stop(), 0, "and ends in order")
    report.finish()


if __name__ == "__main__":
    main()
