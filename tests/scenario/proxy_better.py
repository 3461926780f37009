#!/usr/bin/python3
"""The 26 points in which carrel-proxy has to be better than configurable-http-proxy
(docs/conformance.md), a story for each.

Each story is short and about its point alone, so that the one who fails it fails
for that reason; control.py runs the same stories against CHP and against proxies
that do one thing wrong, and wants them to fail. The longer tests of the same
ground are proxy_http, proxy_life, proxy_tls and proxy_takeover.
"""
# timeout: 240
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
import proxy_world
import report
from certs import Authority
from ports import free_port
from proxy_world import (UPGRADE, Backend, Head, Proxy, Sock, echo, named, read_body, read_chunks,
                         read_response, reply, seen, tunnel_backend)
from report import claim, equal, until

N_ROUTES = 100000
started, folders = [], []


def proxy(*args, **kw):
    """One that is stopped at the end of the story."""
    p = Proxy(*args, **kw)
    started.append(p)
    return p


def stop_all():
    while started:
        p = started.pop()
        if p.process.poll() is None:
            p.kill()
        folders.append(p.dir)
    while folders:
        shutil.rmtree(folders.pop(), ignore_errors=True)


def all_hold(cases, ask):
    """Every case that does not hold is in the failure."""
    wrong = []
    for case in cases:
        try:
            ask(case)
        except (report.Failure, OSError, EOFError, ValueError) as e:
            wrong.append("%r: %s" % (case, e or type(e).__name__))
    claim(not wrong, "%d of %d: %s" % (len(wrong), len(cases), " / ".join(wrong)))


# ---- security ------------------------------------------------------------------

AMBIGUOUS = {
    "length and chunks": b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "two lengths": b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\na",
    "identity, chunked": b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: identity, chunked\r\n\r\n0\r\n\r\n",
    "chunks in HTTP/1.0": b"POST / HTTP/1.0\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "bare LF": b"GET / HTTP/1.1\nHost: h\n\n",
    "folded line": b"GET / HTTP/1.1\r\nHost: h\r\nA: b\r\n c\r\n\r\n",
    "two hosts": b"GET / HTTP/1.1\r\nHost: h\r\nHost: i\r\n\r\n",
    "a list of hosts": b"GET / HTTP/1.1\r\nHost: a, b\r\n\r\n",
    "blank before the colon": b"GET / HTTP/1.1\r\nHost : h\r\n\r\n",
    "two blanks": b"GET  / HTTP/1.1\r\nHost: h\r\n\r\n",
    "NUL": b"GET / HTTP/1.1\r\nHost: h\r\nA: \0\r\n\r\n",
    "a control byte": b"GET / HTTP/1.1\r\nHost: h\r\nA: \x01\r\n\r\n",
}


def p01_ambiguous_framing_is_refused():
    backend = Backend(echo)
    p = proxy(default=backend.url)

    def ask(name):
        answer = p.raw(AMBIGUOUS[name])
        claim(answer.startswith(b"HTTP/1.1 400 "), "answered with %r" % answer[:40])
    try:
        all_hold(AMBIGUOUS, ask)
    finally:
        print("# %d ambiguous requests reached the backend" % len(backend.seen))
    equal(len(backend.seen), 0, "requests that reached the backend")


def p01_bodies_travel_as_announced():
    p = proxy(default=Backend(echo).url)

    def ask(method):
        s = p.connect()
        s.send(b"%s / HTTP/1.1\r\nHost: h\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
               b"5\r\nhello\r\n0\r\n\r\n" % method.encode())
        body = read_response(s)[1]
        claim(body.endswith(b"\r\n\r\nhello"), "the backend read %r" % body[-30:])
        equal(seen(body).all("Transfer-Encoding"), ["chunked"], "framing")
    all_hold(("GET", "DELETE", "OPTIONS", "POST"), ask)


def p02_one_reading_of_the_path():
    p = proxy()
    p.add("/user/alice", named("alice").url)

    def ask(target):
        head, body = p.ask(target)
        equal((head.status, body == b"alice"), (404, False), "status, reached alice")
    equal(p.ask("/user/alice/x")[1], b"alice", "the route itself")
    all_hold(("//evil/user/alice/x", "/a/../user/alice", "/a/%2e%2e/user/alice"), ask)


def p03_the_token_comes_before_the_body():
    p = proxy()
    equal(p.api("GET", "/api/routes", scheme="Bearer")[0], 200, "Bearer")
    equal(p.api("GET", "/api/routes", scheme="Basic x token")[0], 403, "a token somewhere")
    s = p.connect_api().send(b"POST /api/routes/x HTTP/1.1\r\nHost: h\r\nContent-Length: 100000\r\n\r\n{")
    equal(read_response(s)[0].status, 403, "without a token, before the body")


def p03_bodies_are_bounded():
    p = proxy()
    status = p.api("POST", "/api/routes/x", b'{"target": "http://h", "x": "%s"}' % (b"x" * 1000000))[0]
    equal(status, 413, "a body of a megabyte")


def p04_words_of_the_language_are_words():
    p = proxy()
    for name in ("constructor", "__proto__", "toString"):
        equal(p.ask("/%s/x" % name)[0].status, 404, "no route for " + name)
        p.add("/" + name, named(name).url)
    for name in ("constructor", "__proto__", "toString"):
        equal(p.ask("/%s/x" % name)[1], name.encode(), "the route " + name)
        claim("/" + name in p.routes(), "%s is listed" % name)


def p05_hop_by_hop_stays_here():
    p = proxy(default=Backend(echo).url)
    head = seen(p.ask("/", fields="Connection: close, X-Named\r\nX-Named: a\r\nKeep-Alive: 3\r\nTE: gzip\r\n"
                      "Proxy-Authorization: x\r\nProxy-Connection: y\r\nX-Kept: z\r\n")[1])
    passed = [n for n in ("X-Named", "Keep-Alive", "TE", "Proxy-Authorization", "Proxy-Connection") if head.all(n)]
    equal(passed, [], "hop-by-hop fields that passed")
    equal(head.all("X-Kept"), ["z"], "others stay")


def p05_strangers_are_not_believed():
    p = proxy("--trusted-proxy", "10.0.0.0/8", default=Backend(echo).url)
    head = seen(p.ask("/", fields="X-Forwarded-For: 9.9.9.9\r\nX-Forwarded-Proto: https\r\n")[1])
    equal((head.get("X-Forwarded-For"), head.get("X-Forwarded-Proto")), ("127.0.0.1", "http"), "forwarded fields")


# ---- robustness ----------------------------------------------------------------

def p06_a_broken_answer_ends_at_once():
    def handler(s, backend):
        s.until(b"\r\n\r\n")
        s.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc")
        s.reset()
    p = proxy(default=Backend(handler).url)
    s = p.connect().send(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
    equal(s.until(b"\r\n\r\n")[:12], b"HTTP/1.1 200", "status line")
    try:
        rest = s.rest()
    except TimeoutError:
        raise report.Failure("the client is left hanging")
    equal(rest.replace(b"<reset>", b""), b"abc", "what came, and then the end")


def p07_stale_connections_cost_nothing():
    def handler(s, backend):
        read_body(s, Head(s.until(b"\r\n\r\n")))
        s.send(reply("ok"))
        s.until(b"\r\n\r\n")  # the next one on this connection is not answered
        s.reset()
    p = proxy(default=Backend(handler).url, workers=1)
    all_hold(range(6), lambda i: equal(p.ask("/%d" % i)[0].status, 200, "status"))


def p08_refused_upgrades_are_answered():
    p = proxy()
    p.add("/echo", Backend(echo).url)
    fds = p.n_fds()
    for _ in range(20):
        s = p.connect().send((UPGRADE % "/nowhere").encode())
        head, body = read_response(s)
        equal(head.status, 404, "no route")
        claim(s.ended(), "it ends")
        s.close()
    until("descriptors to be closed", 5, lambda: p.n_fds() <= fds + 1)
    raw = p.raw(b"GET /echo HTTP/1.1\r\nHost: h\r\nConnection: Upgrade, close\r\nUpgrade: h2c\r\n\r\n")
    claim(raw.startswith(b"HTTP/1.1 200 "), "another upgrade is served without it, not %r" % raw[:40])


def p09_early_bytes_arrive():
    p = proxy(default=Backend(tunnel_backend).url)
    for i in range(20):
        s = p.connect().send((UPGRADE % "/ws").encode() + b"early %02d" % i)
        equal(Head(s.until(b"\r\n\r\n")).status, 101, "handshake")
        equal(s.take(13), b"firstearly %02d" % i, "with the 101, and back what came with the request")
        s.close()


def p10_a_port_in_use_ends_it():
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        try:
            p = proxy("--port", str(other.getsockname()[1]), "--ip", "127.0.0.1")
        except report.Failure as e:
            text = str(e)
        else:
            until("it ends", 5, lambda: p.process.poll() is not None)
            claim(p.process.returncode != 0, "its status")
            text = p.output()
    claim("in use" in text and "\n    at " not in text, "it says so in a line: %s" % text[-300:])


def p10_its_own_stale_socket_is_replaced():
    p = proxy()
    path = os.path.join(p.dir, "public.sock")
    first = proxy("--socket", path, default=named("one").url)
    first.kill()
    proxy("--socket", path, default=named("two").url)
    s = socket.socket(socket.AF_UNIX)
    s.connect(path)
    equal(read_response(Sock(s).send(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"))[1], b"two", "the new one")


def p11_sigterm_drains():
    def slow(s, backend):
        s.until(b"\r\n\r\n")
        s.send(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nabc")
        until("the signal was sent", 10, lambda: backend.seen)
        s.send(b"def")
    backend = Backend(slow)
    p = proxy(default=backend.url)
    s = p.connect().send(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
    s.until(b"abc")
    p.process.terminate()
    until("the listener is closed", 5, lambda: not accepts(p.port))
    backend.seen.append("signal")
    equal(s.take(3), b"def", "the rest of a running answer")
    equal(p.process.wait(10), 0, "status")


def p11_routes_survive_a_restart():
    p = proxy()
    p = proxy("--journal", os.path.join(p.dir, "routes"))
    p.add("/a", named("a").url, user="x")
    p.kill()
    p.start()
    equal(p.ask("/a")[1], b"a", "the route serves")
    equal(p.routes()["/a"]["user"], "x", "and is listed")


def accepts(port):
    with socket.socket() as s:
        return s.connect_ex(("127.0.0.1", port)) == 0


def p12_every_call_is_answered():
    p = proxy()

    def ask(call):
        status, body = p.api(*call)
        equal(status, 404 if call[0] == "DELETE" else 400, "status")
    all_hold((("GET", "/api/routes/%zz"), ("POST", "/api/routes/%zz", {"target": "http://h"}),
              ("DELETE", "/api/routes")), ask)


def p12_targets_are_checked():
    p = proxy()
    all_hold(("not a url", "ftp://h", "http://", "http://h:99999", "http://h/\r\nx"),
             lambda t: equal(p.api("POST", "/api/routes/x", {"target": t})[0], 400, "status"))


def p13_dead_backends_cost_no_sockets():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        url = "http://127.0.0.1:%d" % s.getsockname()[1]
        p = proxy(default=url)
        fds = p.n_fds()
        for i in range(100):
            head, _ = p.ask("/%d" % i)
            equal(head.status, 503, "status")
            claim(head.get("Retry-After"), "it says when to come again")
    until("descriptors to be closed", 5, lambda: p.n_fds() <= fds + 1)


def p13_nothing_is_left_after_load():
    p = proxy(default=Backend(tunnel_backend).url)
    p.add("/echo", Backend(echo).url)

    def load():
        for i in range(60):
            p.connect().send(b"POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nabc").reset()
            s = p.connect().send((UPGRADE % "/ws").encode())
            s.until(b"first")
            s.reset()
            p.ask("/echo/%d" % i)
    load()
    until("descriptors after the first round", 15, lambda: n_sockets(p, 2))
    fds, rss = p.n_fds(), p.rss()
    for _ in range(4):
        load()
    until("descriptors to be as before", 15, lambda: p.n_fds() <= fds + 2)
    claim(p.rss() - rss < 2 << 20, "memory grew by %d bytes" % (p.rss() - rss))


def n_sockets(p, bound):
    """At most `bound` connections, which may be kept ones to backends."""
    table = subprocess.run(["ss", "-Htnp", "state", "established"], capture_output=True, text=True).stdout
    return table.count("pid=%d," % p.engine()) <= bound


# ---- function ------------------------------------------------------------------

def with_tls():
    ca = Authority()
    folders.append(ca.dir)
    key, cert = ca.issue("alpha.test")
    return ca, key, cert


def tls_connect(p, *alpn):
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    if alpn:
        context.set_alpn_protocols(alpn)
    raw = socket.create_connection(("127.0.0.1", p.port), proxy_world.LIMIT)
    return context.wrap_socket(raw, server_hostname="alpha.test")


def p14_http_2_at_the_front():
    _, key, cert = with_tls()
    p = proxy("--ssl-key", key, "--ssl-cert", cert, default=named("x").url)
    s = tls_connect(p, "h2", "http/1.1")
    equal(s.selected_alpn_protocol(), "h2", "protocol")
    s = Sock(s).send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\4\0\0\0\0\0")
    equal(s.take(9)[3], 4, "type of the first frame: SETTINGS")


def p15_heads_of_64_kib():
    p = proxy(default=Backend(echo).url)
    head, body = p.ask("/", fields="X-Big: %s\r\n" % ("x" * 60000))
    equal(head.status, 200, "status")
    equal(len(seen(body).get("X-Big")), 60000, "length at the backend")


def p16_uploads_have_an_idle_limit():
    """Three times as long as the limit, and never idle for as long."""
    p = proxy("--timeout", "2000", default=Backend(echo).url)
    s = p.connect().send(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 30\r\n\r\n")
    for _ in range(30):
        time.sleep(0.2)
        s.send(b"x")
    head, body = read_response(s)
    equal((head.status, body[-30:]), (200, b"x" * 30), "an upload of six seconds")


def p17_trailers_and_hints_pass():
    def handler(s, backend):
        s.until(b"\r\n\r\n")
        backend.seen.append(read_chunks(s)[1])
        s.send(b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"
               b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nX-Sum: 1\r\n\r\n")
    backend = Backend(handler)
    p = proxy(default=backend.url)
    s = p.connect().send(b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
                         b"1\r\nx\r\n0\r\nX-T: 2\r\n\r\n")
    equal(Head(s.until(b"\r\n\r\n")).status, 103, "first answer")
    equal(Head(s.until(b"\r\n\r\n")).status, 200, "second answer")
    equal(read_chunks(s), (b"a", b"X-Sum: 1\r\n"), "body and trailers")
    equal(backend.seen, [b"X-T: 2\r\n"], "trailers of the request")


def p17_the_backend_decides_expect():
    def handler(s, backend):
        s.until(b"\r\n\r\n")
        s.send(reply("", "417 Expectation Failed"))
    p = proxy(default=Backend(handler).url)
    s = p.connect().send(b"POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n")
    equal(read_response(s)[0].status, 417, "the first answer is the backend's")


def p17_half_close():
    def handler(s, backend):
        s.until(b"\r\n\r\n")
        s.send(b"HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n")
        s.send(b"sum %d" % len(s.rest()))
    p = proxy(default=Backend(handler).url)
    s = p.connect().send((UPGRADE % "/ws").encode())
    equal(Head(s.until(b"\r\n\r\n")).status, 101, "handshake")
    s.send(b"x" * 1000)
    s.sock.shutdown(socket.SHUT_WR)
    equal(s.rest(), b"sum 1000", "an answer after our end")


def p18_heads_stay_as_they_were():
    def handler(s, backend):
        backend.seen.append(Head(s.until(b"\r\n\r\n")))
        s.send(b"HTTP/1.1 200 Fine\r\nx-B: 1\r\nX-a: 2\r\nx-B: 3\r\nContent-Length: 0\r\n\r\n")
    backend = Backend(handler)
    p = proxy(default=backend.url)
    head, _ = p.ask("/", fields="X-oDD: a\r\nx-Two: 1\r\nX-oDD: b\r\nx-two: 2\r\n")
    equal([f for f in head.fields if f[0].lower() in ("x-a", "x-b")], [("x-B", "1"), ("X-a", "2"), ("x-B", "3")],
          "answer")
    equal([f for f in backend.seen[0].fields if f[0].lower() in ("x-odd", "x-two")],
          [("X-oDD", "a"), ("x-Two", "1"), ("X-oDD", "b"), ("x-two", "2")], "request")


def p19_the_undecoded_prefix_is_cut():
    p = proxy("--no-include-prefix")
    p.add("/b@r/c", Backend(echo).url)
    equal(seen(p.ask("/b%40r/c/x")[1]).line, "GET /x HTTP/1.1", "what the backend is asked")


def p19_redirects_get_the_public_port():
    def handler(s, backend):
        while True:
            status = Head(s.until(b"\r\n\r\n")).line.split("/")[1].split(" ")[0]
            s.send(reply(status=status + " x", fields="Location: %s/a\r\n" % backend.url))
    p = proxy("--auto-rewrite", default=Backend(handler).url)

    def ask(case):
        host, status = case
        equal(p.ask("/" + status, host=host)[0].get("Location"), "http://%s/a" % host, "Location")
    all_hold((("pub:8443", "302"), ("pub", "302"), ("pub:8443", "303")), ask)


def p20_bytes_from_the_backend_are_activity():
    def handler(s, backend):
        s.until(b"\r\n\r\n")
        s.send(b"HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n")
        until("to be told", 10, lambda: backend.seen)
        s.send(b"news")
        s.rest()
    backend = Backend(handler)
    p = proxy()
    p.add("/ws", backend.url)
    s = p.connect().send((UPGRADE % "/ws").encode())
    equal(Head(s.until(b"\r\n\r\n")).status, 101, "handshake")
    time.sleep(1.1)  # at most one store a second
    before = p.last_activity("/ws")
    backend.seen.append("now")
    equal(s.take(4), b"news", "from the backend")
    until("activity to be noted", 5, lambda: p.last_activity("/ws") > before)


def p21_host_names_have_no_case():
    p = proxy("--host-routing", default=named("default").url)
    p.add("/name.example", named("host").url)
    equal(p.ask("/", host="NAME.Example:80")[1], b"host", "a name in other letters")


# ---- scale and operation ----------------------------------------------------------

def cpu_of_threads(p):
    out, pid = {}, p.engine()
    for task in os.listdir("/proc/%d/task" % pid):
        with open("/proc/%d/task/%s/schedstat" % (pid, task)) as f:
            out[task] = int(f.read().split()[0])
    return out


def p22_all_cores_work():
    p = proxy(default=Backend(echo).url, workers=3)
    p.ask("/")
    before = cpu_of_threads(p)
    for _ in range(1000):
        p.ask("/_chp_healthz")
    after = cpu_of_threads(p)
    spent = sorted((after[t] - before.get(t, 0) for t in after), reverse=True)
    claim(spent[0] < 0.6 * sum(spent), "one of %d threads did %d %%" % (len(spent), 100 * spent[0] / sum(spent)))


def add_many(p, n, target):
    """n routes on one connection, a hundred calls at a time."""
    s = p.connect_api()
    for begin in range(0, n, 100):
        for i in range(begin, begin + 100):
            body = b'{"target": "%s", "user": "u%d", "jupyterhub": true}' % (target.encode(), i)
            s.send(b"POST /api/routes/user/u%d HTTP/1.1\r\nHost: h\r\nAuthorization: token %s\r\n"
                   b"Content-Length: %d\r\n\r\n%s" % (i, proxy_world.TOKEN.encode(), len(body), body))
        for i in range(100):
            equal(read_response(s)[0].status, 201, "adding")
    s.close()


def p23_a_long_listing_delays_nobody():
    """Asked while the listing is being made, a request is answered before it."""
    n, tries = N_ROUTES, 8
    p = proxy(default=named("x").url)
    add_many(p, n, "http://127.0.0.1:1")
    overtook = 0
    for _ in range(tries):
        api, s = p.connect_api(), p.connect()
        s.send(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
        read_response(s)
        api.sock.settimeout(60)
        api.send(b"GET /api/routes HTTP/1.1\r\nHost: h\r\nAuthorization: token %s\r\n\r\n"
                 % proxy_world.TOKEN.encode())
        time.sleep(0.01)  # until it has begun
        read_response(s.send(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"))
        api.sock.setblocking(False)
        try:
            api.sock.recv(1)
        except BlockingIOError:
            overtook += 1
        api.close()
        s.close()
    claim(overtook >= tries / 2, "%d of %d requests were answered before the listing of %d routes"
          % (overtook, tries, n))


def p24_memory():
    p = proxy(default=Backend(tunnel_backend).url, workers=1)
    at_rest = private_bytes(p)
    claim(at_rest < 8 << 20, "at rest %d bytes of its own" % at_rest)
    first = [p.connect() for _ in range(50)]
    for s in first:
        s.send((UPGRADE % "/ws").encode()).until(b"first")
    before, n, held = private_bytes(p), 300, []
    for _ in range(n):
        s = p.connect().send((UPGRADE % "/ws").encode())
        s.until(b"first")
        held.append(s)
    each = (private_bytes(p) - before) / n
    claim(each < 8192, "an idle tunnel costs %d bytes" % each)


def private_bytes(p):
    with open("/proc/%d/smaps_rollup" % p.engine()) as f:
        fields = dict(line.split(":") for line in f.read().splitlines()[1:])
    return int(fields["Private_Dirty"].split()[0]) << 10


def p25_certificates_are_reloaded():
    ca, key, cert = with_tls()
    key2, cert2 = ca.issue("alpha.test")
    p = proxy("--ssl-key", key, "--ssl-cert", cert, default=named("x").url)
    old = tls_connect(p)
    first = old.getpeercert(True)
    for new, place in ((key2, key), (cert2, cert)):
        shutil.copy(new, place)
    p.process.send_signal(signal.SIGHUP)

    def is_new():
        claim(p.process.poll() is None, "the proxy ended at SIGHUP")
        with tls_connect(p) as s:
            return s.getpeercert(True) != first
    until("the new certificate to be shown", 10, is_new)
    s = Sock(old).send(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
    equal(read_response(s)[1], b"x", "an open connection goes on")


def p25_who_asks_what_is_logged_without_secrets():
    folder = tempfile.mkdtemp(prefix="carrelt-")
    folders.append(folder)
    log = os.path.join(folder, "access.log")
    p = proxy("--access-log", log, default=named("x").url)
    p.connect().send(b"GET /page?token=sesame HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer sesame\r\n"
                     b"Cookie: s=sesame\r\nConnection: close\r\n\r\n").rest()
    until("the line to be written", 10, lambda: os.path.exists(log) and "/page" in open(log).read())
    text = open(log).read()
    claim("200" in text and "GET" in text, "what happened is not told: %r" % text)
    claim("sesame" not in text, "a secret is in the log: %r" % text)


def p25_a_route_has_limits_of_its_own():
    p = proxy()
    p.api("POST", "/api/routes/ws", {"target": Backend(tunnel_backend).url, "proxy_limits": {"open": 1}})
    first, _ = proxy_world.open_tunnel(p, "/ws")
    s = p.connect().send((UPGRADE % "/ws").encode())
    equal(read_response(s)[0].status, 503, "the second tunnel of a route for one")
    equal(first.send(b"on").take(2), b"on", "the first one goes on")


def p25_a_client_cannot_ask_without_end():
    p = proxy("--max-client-rate", "5", "--trusted-proxy", "192.0.2.1", default=named("x").url)
    s, answers = p.connect(), []
    for _ in range(20):
        answers.append(read_response(s.send(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"))[0])
    statuses = [a.status for a in answers]
    claim(statuses[:5] == [200] * 5 and 429 in statuses, "twenty at once: %r" % statuses)
    claim(answers[-1].get("Retry-After"), "it is not said when to come again")
    until("to be served again", 10, lambda: read_response(
        p.connect().send(b"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"))[0].status == 200)


def p25_metrics_are_for_who_has_the_token():
    folder = tempfile.mkdtemp(prefix="carrelt-")
    folders.append(folder)
    path, port = os.path.join(folder, "token"), free_port()
    with open(path, "w") as f:
        f.write("sesame\n")
    proxy("--metrics-ip", "127.0.0.1", "--metrics-port", str(port), "--metrics-token-file", path)

    def ask(*lines):
        s = Sock(socket.create_connection(("127.0.0.1", port), 10))
        head = "".join(x + "\r\n" for x in ("GET /metrics HTTP/1.1", "Host: h", "Connection: close") + lines)
        return read_response(s.send(head.encode() + b"\r\n"))
    equal(ask()[0].status, 401, "without the token")
    equal(ask("Authorization: Bearer sesam")[0].status, 401, "with another one")
    head, body = ask("Authorization: Bearer sesame")
    equal(head.status, 200, "with the token")
    claim(b"proxy_routes" in body, "no metrics")


def p26_it_starts_in_milliseconds():
    p = proxy()
    # CPU time: what another program takes meanwhile does not count
    claim(p.cpu() < 0.05, "its start took %g s of CPU" % p.cpu())


STORIES = [f for name, f in sorted(globals().items()) if name[0] == "p" and name[1:3].isdigit()]


def why_not(story):
    """Why a story cannot be told here; None: it can."""
    program = os.path.join(report.bin_dir(), "carrel-proxy")
    needs = subprocess.run(["readelf", "-d", program], capture_output=True, text=True).stdout
    if story is p14_http_2_at_the_front and "libnghttp2" not in needs:
        return "this carrel-proxy was built without nghttp2"
    if story in (p24_memory, p26_it_starts_in_milliseconds) and "libasan" in needs:
        return "ASan has memory and a start of its own"
    return None


def run(story):
    try:
        story()
    finally:
        stop_all()


def main():
    report.group("proxy")
    wanted = sys.argv[1:]
    last = {}

    def guarded(story):
        def test():
            try:
                story()
            finally:
                last["text"] = "".join("---- a proxy said:\n" + p.output()[-3000:] for p in started)
                stop_all()
        return test
    stories = [f for f in STORIES if not wanted or f.__name__ in wanted]
    report.run([(f.__name__, guarded(f)) for f in stories if not why_not(f)], lambda: print(last.get("text", "")))
    for f in filter(why_not, stories):
        report.skip(f.__name__, why_not(f))
    report.finish()


if __name__ == "__main__":
    main()
