"""Deeds against a running proxy, each short, checked, and picked by a seed: what
people, notebooks, hubs and strangers do to it all day."""
import random
import socket
import ssl
import threading
import time

import report
from proxy_world import TOKEN, UPGRADE, Backend, Head, Sock, read_body, read_response, reply
from report import claim, equal
from tunnels import accept_key

N_ROUTES = 40
BIG = b"big answer " * 100000


def notebook(s, backend):
    """Echoes bodies and tunnels; some addresses behave badly."""
    while True:
        head = Head(s.until(b"\r\n\r\n"))
        if head.get("Upgrade"):
            s.send(b"HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n"
                   % accept_key(head.get("Sec-WebSocket-Key")).encode())
            while s.data or s.more():
                s.send(s.data)
                s.data = b""
            return
        body = read_body(s, head)
        if "/die" in head.line:
            s.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nhalf")
            s.reset()
            return
        s.send(reply(BIG if "/big" in head.line else body))


def quiet(handler):
    """A backend's side may be cut off at any time: that is no error here."""
    def run(s, backend):
        try:
            handler(s, backend)
        except (OSError, EOFError, ValueError):
            pass
    return run


class Churn:
    """`where()` gives (public port, API port) now. Deeds come from several threads."""

    def __init__(self, name, where, tls=False, seed=1):
        self.name, self.where, self.seed = name, where, seed
        self.backend = Backend(quiet(notebook))
        self.counts, self.wrong = {}, []
        self.lock, self.stopping = threading.Lock(), threading.Event()
        self.threads = []
        self.context = None
        if tls:
            self.context = ssl.create_default_context()
            self.context.check_hostname, self.context.verify_mode = False, ssl.CERT_NONE

    # ---- life

    def begin(self, n_threads=4):
        self.stopping.clear()
        self.threads = [threading.Thread(target=self._run, args=(self.seed * 100 + i,), daemon=True)
                        for i in range(n_threads)]
        for t in self.threads:
            t.start()

    def end(self):
        self.stopping.set()
        for t in self.threads:
            t.join(60)
            claim(not t.is_alive(), "a deed of %s hangs" % self.name)

    def _run(self, seed):
        rng = random.Random(seed)
        while not self.stopping.is_set():
            deed = rng.choice(DEEDS)
            name = deed.__name__
            try:
                deed(self, rng)
            except (report.Failure, OSError, EOFError, ValueError) as e:
                with self.lock:
                    self.wrong.append("%s: %s %s" % (name, type(e).__name__, e))
            with self.lock:
                self.counts[name] = self.counts.get(name, 0) + 1
            time.sleep(rng.uniform(0, 0.02))

    # ---- doors

    def connect(self):
        sock = socket.create_connection(("127.0.0.1", self.where()[0]), 30)
        if self.context:
            sock = self.context.wrap_socket(sock, server_hostname="alpha.test")
        s = Sock(sock)
        sock.settimeout(30)
        return s

    def api(self, method, path, body=b""):
        """As a hub does: what another process will answer is asked again."""
        for _ in range(100):
            try:
                sock = socket.create_connection(("127.0.0.1", self.where()[1]), 30)
                s = Sock(sock)
                s.send(b"%s %s HTTP/1.1\r\nHost: h\r\nAuthorization: token %s\r\nConnection: close\r\n"
                       b"Content-Length: %d\r\n\r\n%s" % (method.encode(), path.encode(), TOKEN.encode(), len(body), body))
                status = read_response(s)[0].status
                s.close()
            except (OSError, EOFError):
                status = 503
            if status != 503:
                return status
            time.sleep(0.05)
        raise report.Failure("%s %s is never answered" % (method, path))

    def prepare(self):
        self.add("/", self.backend.url)
        self.add("/dead", "http://127.0.0.1:1")

    def add(self, path, target):
        equal(self.api("POST", "/api/routes" + path, b'{"target": "%s"}' % target.encode()), 201, "adding " + path)


# ---- deeds -----------------------------------------------------------------

def requests(c, rng):
    s = c.connect()
    for i in range(rng.randrange(1, 6)):
        body = rng.randbytes(rng.choice((0, 1, 100, 5000, 200000)))
        if rng.random() < 0.5:
            head = "Content-Length: %d\r\n\r\n" % len(body)
            data = body
        else:
            head = "Transfer-Encoding: chunked\r\n\r\n"
            data = (b"%x\r\n%s\r\n" % (len(body), body) if body else b"") + b"0\r\n\r\n"
        data = b"POST /echo/%d HTTP/1.1\r\nHost: h\r\n%s%s" % (rng.randrange(100), head.encode(), data)
        if i > 0 and not answered_at_all(s, data):
            break
        head, got = read_response(s if i > 0 else s.send(data))
        equal((head.status, got == body), (200, True), "an echoed request")
        if head.get("Connection") == "close":  # the process that drains says so
            break
    s.close()


def answered_at_all(s, data):
    """A kept connection may end, at its time or in a takeover, just when a request comes."""
    try:
        return bool(s.send(data).data) or s.more()
    except (ConnectionResetError, BrokenPipeError, ssl.SSLEOFError):
        return False


def tunnels(c, rng):
    s = c.connect().send((UPGRADE % "/ws").encode())
    equal(Head(s.until(b"\r\n\r\n")).status, 101, "a handshake")
    for _ in range(rng.randrange(1, 8)):
        data = rng.randbytes(rng.randrange(1, 60000))
        equal(s.send(data).take(len(data)) == data, True, "bytes through a tunnel")
        time.sleep(rng.uniform(0, 0.1))
    rng.choice((s.close, s.reset))()


def routes(c, rng):
    path = "/churn/%d" % rng.randrange(N_ROUTES)
    if rng.random() < 0.6:
        c.add(path, c.backend.url)
    else:
        status = c.api("DELETE", "/api/routes" + path)
        claim(status in (204, 404), "a deletion answers %d" % status)


def aborted_upload(c, rng):
    s = c.connect().send(b"POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 900000\r\n\r\n")
    s.send(b"x" * rng.randrange(100000))
    s.reset()


def aborted_download(c, rng):
    s = c.connect().send(b"GET /big HTTP/1.1\r\nHost: h\r\n\r\n")
    s.take(rng.randrange(1, 1000))
    s.reset()


def slow_head(c, rng):
    s = c.connect()
    for byte in b"GET /echo HTTP/1.1\r\nHost: h\r\n\r\n"[:rng.randrange(5, 40)]:
        s.send(bytes([byte]))
        time.sleep(0.01)
    s.close()


def slow_reader(c, rng):
    s = c.connect().send(b"GET /big HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
    head = Head(s.until(b"\r\n\r\n"))
    left = int(head.get("Content-Length"))
    while left > 0:
        left -= len(s.take(min(left, 120000)))
        time.sleep(0.02)
    s.close()


def strangers(c, rng):
    s = c.connect()
    s.send(rng.choice((b"\x16\x03\x01\x02\x00\x01\x00\x01", b"GET /echo\r\n\r\n", b"GET  / HTTP/1.1\r\n\r\n",
                       rng.randbytes(500) + b"\r\n\r\n", b"GET /%zz HTTP/1.1\r\nHost: h\r\n\r\n",
                       b"GET / HTTP/1.1\r\nHost: h\r\nX: " + b"x" * 80000 + b"\r\n\r\n")))
    s.sock.settimeout(0.5)
    try:
        s.rest()
    except OSError:
        pass
    s.close()


def dead_backends(c, rng):
    s = c.connect().send(b"GET /dead HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
    equal(read_response(s)[0].status, 503, "a dead backend")
    s.close()


def broken_answers(c, rng):
    s = c.connect().send(b"GET /die HTTP/1.1\r\nHost: h\r\n\r\n")
    s.until(b"\r\n\r\n")
    claim(len(s.rest()) < 1000, "a broken answer is not whole")
    s.close()


def refused_tunnels(c, rng):
    s = c.connect().send((UPGRADE % "/dead/ws").encode())
    equal(read_response(s)[0].status, 503, "a tunnel to a dead backend")
    s.close()


DEEDS = (requests, requests, tunnels, tunnels, routes, aborted_upload, aborted_download, slow_head, slow_reader,
         strangers, dead_backends, broken_answers, refused_tunnels)
