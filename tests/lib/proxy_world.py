"""Around the real proxy: the program itself, backends that do what a test says,
and clients that speak HTTP/1.1 byte by byte."""
import json
import os
import re
import socket
import subprocess
import tempfile
import threading
import time

import report

TOKEN = "proxy-test-token"
LIMIT = 10  # seconds that anything may take


class Sock:
    """A socket with a buffer: what was read beyond a message stays."""

    def __init__(self, sock):
        self.sock, self.data = sock, b""
        sock.settimeout(LIMIT)

    def send(self, data):
        self.sock.sendall(data)
        return self

    def more(self):
        got = self.sock.recv(65536)
        self.data += got
        return bool(got)

    def take(self, n):
        while len(self.data) < n:
            if not self.more():
                raise EOFError("ended after %d of %d bytes" % (len(self.data), n))
        out, self.data = self.data[:n], self.data[n:]
        return out

    def until(self, mark):
        while mark not in self.data:
            if not self.more():
                raise EOFError("ended before %r: %r" % (mark, self.data[:200]))
        return self.take(self.data.index(mark) + len(mark))

    def rest(self):
        """All that comes until the end."""
        try:
            while self.more():
                pass
        except ConnectionResetError:
            self.data += b"<reset>"
        out, self.data = self.data, b""
        return out

    def ended(self):
        """Is the next thing that comes the end?"""
        try:
            return not self.data and not self.more()
        except ConnectionResetError:
            return True

    def close(self):
        self.sock.close()

    def reset(self):
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.sock.close()


class Head:
    def __init__(self, raw):
        self.raw = raw
        lines = raw.decode("latin-1").split("\r\n")
        self.line = lines[0]
        self.fields = [tuple(l.split(": ", 1)) if ": " in l else (l.rstrip(":"), "")
                       for l in lines[1:] if l]

    def all(self, name):
        return [v for k, v in self.fields if k.lower() == name.lower()]

    def get(self, name):
        found = self.all(name)
        return found[0] if found else None

    @property
    def status(self):
        return int(self.line.split(" ")[1])


def read_chunks(s):
    """A chunked body: payload and the raw trailer lines."""
    body = b""
    while True:
        size = int(s.until(b"\r\n").split(b";")[0], 16)
        if size == 0:
            break
        body += s.take(size)
        report.equal(s.take(2), b"\r\n", "end of a chunk")
    trailers = b""
    while True:
        line = s.until(b"\r\n")
        if line == b"\r\n":
            return body, trailers
        trailers += line


def read_body(s, head):
    if "chunked" in (head.get("Transfer-Encoding") or "").lower():
        return read_chunks(s)[0]
    if head.get("Content-Length"):
        return s.take(int(head.get("Content-Length")))
    return b""


def read_response(s, method="GET"):
    """Head and body of one final response."""
    head = Head(s.until(b"\r\n\r\n"))
    if method == "HEAD" or head.status in (204, 304):
        return head, b""
    if not head.get("Content-Length") and not head.get("Transfer-Encoding"):
        return head, s.rest()
    return head, read_body(s, head)


def reply(body=b"", status="200 OK", fields=""):
    if isinstance(body, str):
        body = body.encode()
    return ("HTTP/1.1 %s\r\n%sContent-Length: %d\r\n\r\n" % (status, fields, len(body))).encode() + body


def echo(s, backend):
    """Answers each request with the bytes that it saw."""
    while True:
        try:
            head = Head(s.until(b"\r\n\r\n"))
        except (EOFError, OSError):
            return
        body = read_body(s, head)
        backend.seen.append((head, body))
        s.send(reply(head.raw + body))


class Backend:
    """Runs `handler(sock, backend)` in a thread for each connection."""

    def __init__(self, handler=echo, path=None):
        self.handler, self.seen, self.n_connections = handler, [], 0
        self.errors = []
        if path:
            self.listener = socket.socket(socket.AF_UNIX)
            self.listener.bind(path)
            self.url = "http+unix://" + path.replace("/", "%2F")
        else:
            self.listener = socket.socket()
            self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self.listener.bind(("127.0.0.1", 0))
            self.port = self.listener.getsockname()[1]
            self.url = "http://127.0.0.1:%d" % self.port
        self.listener.listen(256)
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            self.n_connections += 1
            threading.Thread(target=self._serve, args=(Sock(sock),), daemon=True).start()

    def _serve(self, s):
        try:
            self.handler(s, self)
        except (OSError, EOFError) as e:
            self.errors.append(e)
        finally:
            s.close()

    def close(self):
        # wakes accept(), which close() alone does not
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()


class Proxy:
    def __init__(self, *args, token=TOKEN, prefix=(), default=None, env=None, workers=2):
        self.dir = tempfile.mkdtemp(prefix="carrel-proxy-")
        self.out_path = os.path.join(self.dir, "out")
        self.args = [os.path.join(report.bin_dir(), "carrel-proxy"), "--workers", str(workers)]
        if "--socket" not in args:
            self.args += ["--ip", "127.0.0.1", "--port", "0"]
        if "--api-port" not in args and "--api-socket" not in args:
            self.args += ["--api-port", "0"]
        if default:
            self.args += ["--default-target", default]
        self.args = list(prefix) + self.args + list(args)
        self.env = dict(os.environ, CONFIGPROXY_AUTH_TOKEN=token, **(env or {}))
        self.start()

    def start(self):
        out = open(self.out_path, "ab")
        begin = out.tell()
        self.process = subprocess.Popen(self.args, stdout=out, stderr=subprocess.STDOUT, env=self.env)
        out.close()
        report.until("the proxy to start", LIMIT,
                     lambda: "REST API " in self.output(begin) or self.process.poll() is not None)
        if self.process.poll() is not None:
            raise report.Failure("the proxy ended at start: " + self.output(begin))
        text = self.output(begin)
        found = re.search(r"Proxying https?://[^ ]*:(\d+)", text)
        self.port = int(found.group(1)) if found else None
        found = re.search(r"REST API https?://[^ ]*:(\d+)/", text)
        self.api_port = int(found.group(1)) if found else None
        return self

    def output(self, begin=0):
        with open(self.out_path, "rb") as f:
            f.seek(begin)
            return f.read().decode("utf-8", "replace")

    # ---- clients

    def connect(self):
        s = socket.create_connection(("127.0.0.1", self.port), LIMIT)
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return Sock(s)

    def ask(self, target="/", method="GET", fields="", body=b"", version="1.1", host="h"):
        """One request on a connection of its own: head and body."""
        s = self.connect()
        lines = "%s %s HTTP/%s\r\n" % (method, target, version)
        if host is not None:
            lines += "Host: %s\r\n" % host
        s.send((lines + fields + "\r\n").encode("latin-1") + body)
        answer = read_response(s, method)
        s.close()
        return answer

    def raw(self, data):
        s = self.connect().send(data)
        out = s.rest()
        s.close()
        return out

    # ---- the REST API

    def connect_api(self):
        return Sock(socket.create_connection(("127.0.0.1", self.api_port), LIMIT))

    def api(self, method, path, body=None, token=TOKEN, fields="", scheme="token"):
        s = self.connect_api()
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
        head = "%s %s HTTP/1.1\r\nHost: h\r\nConnection: close\r\n" % (method, path)
        if token:
            head += "Authorization: %s %s\r\n" % (scheme, token)
        if body is not None:
            head += "Content-Length: %d\r\n" % len(body)
        s.send((head + fields + "\r\n").encode() + (body or b""))
        answer = read_response(s, method)
        s.close()
        return answer[0].status, answer[1]

    def add(self, path, target, **data):
        data["target"] = target
        status, body = self.api("POST", "/api/routes" + path, data)
        report.equal(status, 201, "adding %s (%r)" % (path, body))

    def delete(self, path):
        report.equal(self.api("DELETE", "/api/routes" + path)[0], 204, "deleting " + path)

    def routes(self, query=""):
        status, body = self.api("GET", "/api/routes" + query)
        report.equal(status, 200, "listing")
        return json.loads(body)

    def last_activity(self, path):
        return self.routes()[path]["last_activity"]

    # ---- the process

    def engine(self):
        """The process that does the work: a child of the one that was started, or that itself."""
        return child_of(self.process.pid) or self.process.pid

    def n_fds(self):
        return len(os.listdir("/proc/%d/fd" % self.engine()))

    def rss(self):
        with open("/proc/%d/statm" % self.engine()) as f:
            return int(f.read().split()[1]) * os.sysconf("SC_PAGESIZE")

    def cpu(self):
        total, pid = 0, self.engine()
        for task in os.listdir("/proc/%d/task" % pid):
            with open("/proc/%d/task/%s/schedstat" % (pid, task)) as f:
                total += int(f.read().split()[0])
        return total / 1e9

    def kill(self):
        self.process.kill()
        self.process.wait()

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(1)
            except subprocess.TimeoutExpired:
                self.process.terminate()
        return self.process.wait(LIMIT)


def child_of(pid):
    """The process id of a process's child, or None."""
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            with open("/proc/%s/stat" % name) as f:
                fields = f.read().rsplit(")", 1)[1].split()
        except OSError:
            continue
        if fields[0] != "Z" and int(fields[1]) == pid:
            return int(name)
    return None


def wait_until_after(then):
    """Route times have milliseconds: let one pass."""
    while time.time() <= then:
        time.sleep(0.002)


def seen(body):
    """The head that the echoing backend saw."""
    return Head(body.split(b"\r\n\r\n")[0] + b"\r\n\r\n")


def named(name):
    def handler(s, backend):
        while True:
            s.until(b"\r\n\r\n")
            s.send(reply(name))
    return Backend(handler)


UPGRADE = ("GET %s HTTP/1.1\r\nHost: h\r\nConnection: keep-alive, Upgrade\r\nUpgrade: WebSocket\r\n"
           "Sec-WebSocket-Key: k\r\nSec-WebSocket-Protocol: v1.kernel\r\n\r\n")


def tunnel_backend(s, backend):
    """After the handshake every byte comes back."""
    head = Head(s.until(b"\r\n\r\n"))
    backend.seen.append(head)
    s.send(b"HTTP/1.1 101 Switching\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: a\r\n\r\nfirst")
    while True:
        if s.data:
            s.send(s.data)
            s.data = b""
        if not s.more():
            return


def open_tunnel(p, path, early=b""):
    s = p.connect().send((UPGRADE % path).encode() + early)
    head = Head(s.until(b"\r\n\r\n"))
    report.equal(head.status, 101, "handshake")
    report.equal(s.take(5), b"first", "what came with the 101")
    return s, head
