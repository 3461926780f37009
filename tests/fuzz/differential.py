#!/usr/bin/python3
"""What carrel-proxy forwards, Node and tornado read as it did.

Seeded requests, whole ones and mutated ones, go through the proxy to a recorder
that keeps the bytes. The same bytes are then sent to a server of Node's and one
of tornado's, followed by one more request. Each must see exactly the request that
was forwarded (method, target, fields, body) and the one behind it, or refuse it:
never another one, never another end. What broke off must not come whole.

    make fuzz-differential [RUNS=100000] [SEED=1]     (make check: 1,500)
"""
# timeout: 300
import base64
import json
import os
import random
import re
import shutil
import socket
import subprocess
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../lib"))
import report
from proxy_world import Proxy
from report import claim

RUNS = int(os.environ.get("RUNS") or 1500)
SEED = int(os.environ.get("SEED") or 1)
BEHIND = b"GET /behind HTTP/1.1\r\nHost: behind\r\nConnection: close\r\n\r\n"
PYTHON = "/usr/bin/python3"  # Debian's, with Debian's tornado


# ---- what is sent ------------------------------------------------------------

METHODS = (b"GET", b"GET", b"POST", b"POST", b"PUT", b"DELETE", b"OPTIONS", b"HEAD", b"PATCH", b"M-SEARCH", b"get", b"X")
TARGETS = (b"/", b"/a/b?c=d", b"/%41%2f", b"/a//b;c", b"/p/x?y", b"/a?b?c#", b"/\xc3\xa9", b"/|\"<>", b"http://h/abs?x",
           b"*", b"/a\\b", b"/?" + b"q" * 300, b"//evil/x")
FIELDS = (b"Host: h", b"Host: h:80", b"Accept: */*", b"Cookie: a=b; c=d", b"X-E:", b"X-T:\t a \t", b"X-L: " + b"v" * 500,
          b"X-U: \xe9\xff", b"x-dup: 1", b"X-Dup: 2", b"Connection: close", b"Connection: x-dup, keep-alive",
          b"Connection: content-length", b"Connection: transfer-encoding", b"Connection: host", b"TE: trailers",
          b"Trailer: X-Sum", b"Expect: 100-continue", b"Expect: x", b"Upgrade: websocket", b"Upgrade: h2c",
          b"Connection: Upgrade", b"Keep-Alive: 5", b"Content-Encoding: gzip", b"Content-Type: text/plain",
          b"X-Forwarded-For: 1.2.3.4", b"Transfer_Encoding: chunked", b"Content_Length: 3", b"Date: x",
          b"Proxy-Connection: x", b"X!#$%&'*+-.^_`|~: odd")
BITS = (b"\r", b"\n", b"\r\n", b"\r\n\r\n", b"\0", b"\t", b" ", b"  ", b":", b",", b";", b"=", b"\"", b"\x0b", b"\x0c", b"\x7f",
        b"\x85", b"\xa0", b"0x", b"+", b"-", b"_", b"0", b"00", b"f", b"chunked", b"identity", b"Content-Length: 5\r\n",
        b"Content-Length: 0\r\n", b"Transfer-Encoding: chunked\r\n", b"Transfer-Encoding: gzip, chunked\r\n", b"\r\n 1",
        b"HTTP/1.0", b"HTTP/1.1", b"HTTP/0.9", b"GET /in HTTP/1.1\r\nHost: i\r\n\r\n", b"0\r\n\r\n", b"18446744073709551616",
        b"Host: i\r\n", b"#", b"?", b"%", b"\\", b"\xe2\x80\xa8", b"1e1", b"\x1c", b"\x1f")


def chunks(rng, body):
    out = b""
    while body:
        n = rng.randrange(1, len(body) + 1)
        size = b"%x" % n if rng.random() < 0.7 else b"%06X" % n
        extension = rng.choice((b"", b"", b";a", b";a=b", b";a=\"b;c\"", b" ;a", b";"))
        out += size + extension + b"\r\n" + body[:n] + b"\r\n"
        body = body[n:]
    trailers = b"".join(rng.choice((b"", b"", b"X-Sum: 1\r\n", b"X-Two: a\r\n")) for _ in range(2))
    return out + rng.choice((b"0", b"0", b"000", b"0;x=y")) + b"\r\n" + trailers + b"\r\n"


def whole_request(rng):
    version = b"HTTP/1.1" if rng.random() < 0.9 else b"HTTP/1.0"
    line = rng.choice(METHODS) + b" " + rng.choice(TARGETS) + b" " + version + b"\r\n"
    fields = [b"Host: h"] if rng.random() < 0.95 else []
    fields += rng.choices(FIELDS[2:], k=rng.randrange(5)) + (rng.choices(FIELDS, k=1) if rng.random() < 0.2 else [])
    body, kind = rng.randbytes(rng.choice((0, 1, 5, 40))), rng.randrange(4)
    if rng.random() < 0.3:
        body = b"GET /smuggled HTTP/1.1\r\nHost: s\r\n\r\n"
    if kind == 0:
        fields.append(b"Content-Length: %d" % len(body))
    elif kind == 1:
        fields.append(b"Transfer-Encoding: chunked")
        body = chunks(rng, body)
    else:
        body = b""
    rng.shuffle(fields)
    return line + b"".join(f + b"\r\n" for f in fields) + b"\r\n" + body


def mutated(rng, data):
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        at = rng.randrange(len(data) + 1)
        if rng.random() < 0.4:  # where it matters: at a line's end, a colon, a blank
            places = [m.start() for m in re.finditer(rb"[\r:, ]", data)]
            at = rng.choice(places) if places else at
        kind = rng.randrange(4)
        if kind == 0:
            data = data[:at] + rng.choice(BITS) + data[at:]
        elif kind == 1:
            data = data[:at] + data[at + rng.randrange(1, 4):]
        elif kind == 2:
            data = data[:at] + rng.choice(BITS) + data[at + 1:]
        else:
            lines = data.split(b"\r\n")
            lines.insert(rng.randrange(len(lines)), rng.choice(lines))
            data = b"\r\n".join(lines)
    return data


def case(rng):
    parts = [whole_request(rng) for _ in range(rng.choice((1, 1, 2)))]
    if rng.random() < 0.65:
        parts[0] = mutated(rng, parts[0])
    if rng.random() < 0.1:  # and breaks off
        return parts[0][:rng.randrange(1, len(parts[0]))]
    return b"".join(parts) + (BEHIND if rng.random() < 0.8 else b"")


# ---- the recorder --------------------------------------------------------------

class Message:
    """A request as the proxy meant it: the strictest reading of its bytes."""

    def __init__(self, raw, is_whole, line=b"", fields=(), body=b""):
        self.raw, self.is_whole, self.fields, self.body = raw, is_whole, list(fields), body
        self.method, self.target = (line.split(b" ") + [b""])[:2]


class Broken(Exception):
    pass


class Recorder:
    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.url = "http://127.0.0.1:%d" % self.listener.getsockname()[1]
        self.messages, self.n_answers, self.strange = [], 0, []
        self.lock = threading.Lock()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            sock, _ = self.listener.accept()
            threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def _serve(self, sock):
        stream = Stream(sock)
        try:
            while True:
                stream.raw = b""
                message = self.read(stream)
                with self.lock:
                    self.messages.append(message)
                    self.n_answers += 1
                sock.sendall(b"HTTP/1.1 200 OK\r\nX-Recorder: 1\r\nContent-Length: 0\r\n\r\n")
        except Broken as e:
            with self.lock:
                self.strange.append("%s in %r" % (e, stream.raw[:2000]))
        except (EOFError, OSError):
            if stream.raw:
                with self.lock:
                    self.messages.append(Message(stream.raw, False))
        sock.close()

    def read(self, stream):
        line = stream.line()
        if not re.fullmatch(rb"[!-~]+ [!-\xff]+ HTTP/1\.1", line):
            raise Broken("the first line %r" % line)
        fields = self.fields(stream)
        lengths = [v for k, v in fields if k.lower() == b"content-length"]
        codings = [v for k, v in fields if k.lower() == b"transfer-encoding"]
        body = b""
        if len(lengths) + len(codings) > 1 or codings not in ([], [b"chunked"]):
            raise Broken("more than one framing")
        if lengths:
            if not re.fullmatch(rb"[0-9]+", lengths[0]):
                raise Broken("the length %r" % lengths[0])
            body = stream.take(int(lengths[0]))
        while codings:
            size = stream.line()
            if not re.fullmatch(rb"[0-9a-fA-F]+", size):
                raise Broken("a chunk's size %r" % size)
            if int(size, 16) == 0:
                self.fields(stream)
                break
            body += stream.take(int(size, 16))
            if stream.take(2) != b"\r\n":
                raise Broken("a chunk's end")
        return Message(stream.raw, True, line, fields, body)

    def fields(self, stream):
        out = []
        while True:
            line = stream.line()
            if not line:
                return out
            found = re.fullmatch(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([^\0-\x08\x0a-\x1f\x7f]*?)[ \t]*", line)
            if not found:
                raise Broken("the field %r" % line)
            out.append(found.groups())

    def collect(self):
        with self.lock:
            out = self.messages, self.n_answers, self.strange
            self.messages, self.n_answers, self.strange = [], 0, []
        return out


class Stream:
    def __init__(self, sock):
        self.sock, self.data, self.raw = sock, b"", b""

    def more(self):
        got = self.sock.recv(65536)
        if not got:
            self.raw += self.data
            raise EOFError
        self.data += got

    def take(self, n):
        while len(self.data) < n:
            self.more()
        out, self.data = self.data[:n], self.data[n:]
        self.raw += out
        return out

    def line(self):
        while b"\n" not in self.data:
            self.more()
        out = self.take(self.data.index(b"\n") + 1)
        if not out.endswith(b"\r\n"):
            raise Broken("a bare LF")
        return out[:-2]


# ---- the real readers --------------------------------------------------------------

class Reader:
    def __init__(self, name, argv):
        self.name, self.results, self.n = name, {}, {"same": 0, "refused": 0, "broken off": 0}
        self.process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.port = int(self.process.stdout.readline())
        self.ready = threading.Condition()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self.process.stdout:
            result = json.loads(line)
            with self.ready:
                self.results[result["port"]] = result["seen"]
                self.ready.notify_all()

    def ask(self, data):
        """What it sees when these bytes and their end come."""
        with socket.create_connection(("127.0.0.1", self.port), 10) as s:
            port = s.getsockname()[1]
            try:
                s.sendall(data)
                s.shutdown(socket.SHUT_WR)
                while s.recv(65536):
                    pass
            except (ConnectionResetError, BrokenPipeError):
                pass
        with self.ready:
            if not self.ready.wait_for(lambda: port in self.results, 10):
                raise report.Failure("%s says nothing about %r" % (self.name, data))
            return self.results.pop(port)

    def stop(self):
        self.process.stdin.close()
        self.process.wait(10)


def values(fields):
    """By name, in order; names in any letters. Bytes that Latin-1 calls blanks
    count as such: tornado cuts them off a value, though they are none in HTTP."""
    out = {}
    for name, value in fields:
        out.setdefault(name.lower(), []).append(value.strip(b" \t\x85\xa0"))
    return out


def decoded(seen):
    flat = [base64.b64decode(x) for x in seen["fields"]]
    return (seen["method"].encode("latin-1"), base64.b64decode(seen["target"]),
            values(zip(flat[::2], flat[1::2])), base64.b64decode(seen["body"]))


def compare(reader, message):
    """None, or what it read otherwise."""
    seen = [decoded(r) for r in reader.ask(message.raw + (BEHIND if message.is_whole else b""))]
    if not message.is_whole:
        reader.n["broken off"] += 1
        return "whole to %s: %r" % (reader.name, seen) if seen else None
    if not seen:
        reader.n["refused"] += 1
        return None
    wanted = (message.method, message.target, values(message.fields), message.body)
    if seen[0] != wanted:
        return "%s read %r, wanted %r" % (reader.name, seen[0], wanted)
    # Behind an upgrade Node reads no other request, and we send none there
    if b"upgrade" not in wanted[2] and (len(seen) != 2 or seen[1][1] != b"/behind"):
        return "%s read %d requests, not the one behind: %r" % (reader.name, len(seen), seen[1:])
    reader.n["same"] += 1
    return None


# ---- the story -------------------------------------------------------------

def send(proxy, data):
    """All that the proxy answers."""
    with socket.create_connection(("127.0.0.1", proxy.port), 10) as s:
        out = b""
        try:
            s.sendall(data)
            s.shutdown(socket.SHUT_WR)
            while True:
                got = s.recv(65536)
                if not got:
                    break
                out += got
        except (ConnectionResetError, BrokenPipeError):
            pass
        return out


def settle(recorder, answers):
    """What was recorded: all that was answered, and what broke off before."""
    messages, n, strange = [], 0, []
    end = time.monotonic() + 10
    while True:
        more = recorder.collect()
        messages, n, strange = messages + more[0], n + more[1], strange + more[2]
        if n >= answers or strange or time.monotonic() > end:
            return messages, n, strange


def run(runs, seed, readers):
    recorder, rng = Recorder(), random.Random(seed)
    proxy = Proxy("--trusted-proxy", "10.0.0.0/8", default=recorder.url, workers=1)
    proxy.add("/p", recorder.url + "/base?q=1")
    n_forwarded = 0
    try:
        for i in range(runs):
            data = case(rng)
            answer = send(proxy, data)
            n_answers = answer.lower().count(b"\r\nx-recorder: 1\r\n")
            messages, n, strange = settle(recorder, n_answers)
            where = "case %d of seed %d, sent %r" % (i, seed, data)
            claim(not strange, "the proxy forwarded %s; %s" % (strange, where))
            claim(n == n_answers, "%d requests were forwarded, the client has %d answers; %s" % (n, n_answers, where))
            n_forwarded += len(messages)
            for message in messages:
                for reader in readers:
                    wrong = compare(reader, message)
                    claim(not wrong, "%s; forwarded %r; %s" % (wrong, message.raw, where))
        claim(proxy.process.poll() is None, "the proxy lives")
    finally:
        proxy.stop()
    print("# %d cases, %d requests forwarded" % (runs, n_forwarded))
    for reader in readers:
        print("# %s: %s" % (reader.name, ", ".join("%d %s" % (v, k) for k, v in reader.n.items())))
    claim(n_forwarded > runs / 4, "only %d requests came through" % n_forwarded)


def readers_here():
    """Those that are installed, started; and the names of the others."""
    found, missing = [], []
    if shutil.which("node"):
        found.append(Reader("node", [shutil.which("node"), os.path.join(HERE, "reader_node.mjs")]))
    else:
        missing.append("node")
    has_tornado = os.path.exists(PYTHON) and subprocess.run([PYTHON, "-c", "import tornado"], capture_output=True)
    if has_tornado and has_tornado.returncode == 0:
        found.append(Reader("tornado", [PYTHON, os.path.join(HERE, "reader_tornado.py")]))
    else:
        missing.append("tornado")
    return found, missing


def main():
    report.group("fuzz")
    readers, missing = readers_here()
    for name in missing:
        report.skip("%s reads what is forwarded as the proxy did" % name, "it is not installed")
    if readers:
        names = " and ".join(r.name for r in readers)
        report.run([(names + " read what is forwarded as the proxy did", lambda: run(RUNS, SEED, readers))])
    for reader in readers:
        reader.stop()
    report.finish()


if __name__ == "__main__":
    main()
