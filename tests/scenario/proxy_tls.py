#!/usr/bin/python3
"""TLS of the proxy: the public port, its certificates, and what they protect
(contract/proxy.md 2, 3, 9, 14)."""
# timeout: 180
import hashlib
import os
import random
import re
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))

import report
from certs import Authority
from proxy_world import (LIMIT, UPGRADE, Backend, Head, Proxy, Sock, echo, open_tunnel, read_response, reply, seen,
                         tunnel_backend)
from report import claim, equal


class SecureProxy(Proxy):
    """Clients speak TLS to it and check whom they speak to."""

    def __init__(self, *args, ca=None, name="alpha.test", **named):
        self.context = ssl.create_default_context(cafile=(ca or authority).cert)
        self.name = name
        super().__init__(*args, **named)

    def connect(self, name=None, context=None):
        plain = socket.create_connection(("127.0.0.1", self.port), LIMIT)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return Sock((context or self.context).wrap_socket(plain, server_hostname=name or self.name))


class ByHand:
    """A client that ends its own direction, and hears how the other one ends."""

    def __init__(self, version):
        self.sock = socket.create_connection(("127.0.0.1", proxy.port), LIMIT)
        self.sock.settimeout(LIMIT)
        self.came, self.goes = ssl.MemoryBIO(), ssl.MemoryBIO()
        context = client_context(version)
        context.options &= ~0x80  # SSL_OP_IGNORE_UNEXPECTED_EOF, which Python sets
        self.tls = context.wrap_bio(self.came, self.goes, server_hostname="alpha.test")
        self.until_done(self.tls.do_handshake)

    def until_done(self, work):
        while True:
            try:
                return work()
            except ssl.SSLWantReadError:
                self.sock.sendall(self.goes.read())
                data = self.sock.recv(65536)
                if data:
                    self.came.write(data)
                else:
                    self.came.write_eof()

    def read(self, n):
        out = b""
        while len(out) < n:
            try:
                part = self.until_done(lambda: self.tls.read(n - len(out)))
            except ssl.SSLZeroReturnError:
                return out
            if not part:
                return out
            out += part
        return out


def pair(key_and_cert):
    return ["--ssl-key", key_and_cert[0], "--ssl-cert", key_and_cert[1]]


def client_context(version=None, cert=None):
    context = ssl.create_default_context(cafile=authority.cert)
    if version:
        context.minimum_version = context.maximum_version = version
    if cert:
        context.load_cert_chain(cert[1], cert[0])
    return context


def refused(work):
    """Does TLS fail, at once or with the first byte?"""
    try:
        work()
    except (ssl.SSLError, ConnectionResetError, BrokenPipeError, EOFError):
        return True
    return False


def who(p, name):
    s = p.connect(name)
    names = [v for _, v in s.sock.getpeercert()["subjectAltName"]]
    s.close()
    return names


# ---- the public port ----------------------------------------------------------

def versions_and_ciphers():
    for version, text in ((ssl.TLSVersion.TLSv1_2, "TLSv1.2"), (ssl.TLSVersion.TLSv1_3, "TLSv1.3")):
        s = proxy.connect(context=client_context(version))
        equal(s.sock.version(), text, "version")
        if text == "TLSv1.2":
            equal(s.sock.cipher()[0], "ECDHE-ECDSA-AES128-GCM-SHA256", "the server's preference")
        s.close()
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    old.load_verify_locations(authority.cert)
    old.set_ciphers("ALL:@SECLEVEL=0")
    old.minimum_version, old.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
    claim(refused(lambda: proxy.connect(context=old)), "TLS 1.1 is refused")


def application_protocol():
    context = client_context()
    context.set_alpn_protocols(["http/1.1"])
    equal(proxy.connect(context=context).sock.selected_alpn_protocol(), "http/1.1", "ALPN")
    context.set_alpn_protocols(["gopher"])
    claim(refused(lambda: proxy.connect(context=context)), "nothing in common is refused")


def plain_http_is_closed():
    s = Sock(socket.create_connection(("127.0.0.1", proxy.port), LIMIT))
    s.send(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
    claim(b"HTTP" not in s.rest(), "no answer in the clear")


def forwarded_fields():
    _, body = proxy.ask("/x", host="alpha.test")
    head = seen(body)
    equal(head.get("X-Forwarded-Proto"), "https", "scheme")
    equal(head.get("X-Forwarded-Port"), "443", "port")
    _, body = proxy.ask("/x", host="alpha.test:8443")
    equal(seen(body).get("X-Forwarded-Port"), "8443", "port of the host")
    open_tunnel(proxy, "/ws")[0].close()
    equal(tunnels.seen[-1].get("X-Forwarded-Proto"), "wss", "scheme of a WebSocket")


def bodies_both_ways():
    sent = random.Random(1).randbytes(65536)
    for size in (1, 16384, 16385, 65536):
        for _ in range(5):
            head, body = proxy.ask("/x", method="POST", fields="Content-Length: %d\r\n" % size, body=sent[:size])
            equal(head.status, 200, "status")
            claim(body.endswith(sent[:size]), "%d bytes come back as they were" % size)


def big_answers():
    data = random.Random(2).randbytes(8 << 20)

    def handler(s, backend):
        while True:
            s.until(b"\r\n\r\n")
            s.send(reply(data))
    proxy.add("/big", Backend(handler).url)
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        s = proxy.connect(context=client_context(version))
        for _ in range(2):
            s.send(b"GET /big HTTP/1.1\r\nHost: h\r\n\r\n")
            time.sleep(0.1)
            equal(hashlib.sha256(read_response(s)[1]).digest(), hashlib.sha256(data).digest(), "the answer")
        s.close()


def websocket_under_pressure():
    """16 MiB of seeded bytes come back, though nobody reads for a while."""
    data = random.Random(3).randbytes(16 << 20)
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        s = proxy.connect(context=client_context(version))
        s.send((UPGRADE % "/ws").encode())
        equal(Head(s.until(b"\r\n\r\n")).status, 101, "handshake")
        s.take(5)
        s.sock.settimeout(60)
        writer = threading.Thread(target=s.sock.sendall, args=(data,), daemon=True)
        writer.start()
        time.sleep(0.5)
        equal(hashlib.sha256(s.take(len(data))).digest(), hashlib.sha256(data).digest(), "the echo")
        writer.join(LIMIT)
        s.close()


def half_closed_tunnel():
    """The end of one direction passes as such; the other goes on."""
    def handler(s, backend):
        s.until(b"\r\n\r\n")
        s.send(b"HTTP/1.1 101 X\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n")
        s.send(b"counted %d" % len(s.rest()))
    proxy.add("/half", Backend(handler).url)
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        s = ByHand(version)
        s.tls.write((UPGRADE % "/half").encode() + b"12345")
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += s.read(1)
        equal(Head(head).status, 101, "handshake")
        try:
            s.tls.unwrap()
        except ssl.SSLWantReadError:
            pass
        claim(s.read(1 << 20).endswith(b"counted 5"), "the answer comes after our end")
        s.sock.close()

    def dropping(s, backend):
        s.until(b"\r\n\r\n")
        s.send(b"HTTP/1.1 101 X\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\nlast")
    proxy.add("/drop", Backend(dropping).url)
    s = proxy.connect()
    s.send((UPGRADE % "/drop").encode())
    s.until(b"\r\n\r\n")
    equal(s.rest(), b"last", "what came before the end, and a proper end")


def a_broken_answer_is_no_proper_end():
    def handler(s, backend):
        s.until(b"\r\n\r\n")
        s.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n")
    proxy.add("/torn", Backend(handler).url)
    s = ByHand(ssl.TLSVersion.TLSv1_3)
    s.tls.write(b"GET /torn HTTP/1.0\r\nHost: h\r\n\r\n")
    try:
        out = s.read(1 << 20)
    except (ssl.SSLEOFError, ConnectionResetError):
        return
    raise report.Failure("it ended like a whole one: %r" % out)


def silent_clients_do_not_stay():
    s = socket.create_connection(("127.0.0.1", proxy.port), LIMIT)
    s.settimeout(15)
    begin = time.monotonic()
    claim(s.recv(1) == b"", "the connection is closed")
    claim(8 < time.monotonic() - begin < 14, "after ten seconds")


# ---- certificates -------------------------------------------------------------

def names_choose_certificates():
    p = SecureProxy(*pair(authority.issue("alpha.test", kind="rsa")), *pair(authority.issue("alpha.test")),
                    *pair(authority.issue("beta.test", "*.gamma.test")), default=plain.url)
    equal(who(p, "beta.test"), ["beta.test", "*.gamma.test"], "by name")
    equal(who(p, "x.gamma.test"), ["beta.test", "*.gamma.test"], "by wildcard")
    equal(who(p, "alpha.test"), ["alpha.test"], "the first")
    for ciphers, kind in (("ECDHE-ECDSA-AES128-GCM-SHA256", "ECDSA"), ("ECDHE-RSA-AES128-GCM-SHA256", "RSA")):
        context = client_context(ssl.TLSVersion.TLSv1_2)
        context.set_ciphers(ciphers)
        claim(kind in p.connect(context=context).sock.cipher()[0], "%s for a client that wants it" % kind)
    loose = ssl.create_default_context(cafile=authority.cert)
    loose.check_hostname = False
    s = p.connect("other.test", context=loose)
    equal(s.sock.getpeercert()["subjectAltName"], (("DNS", "alpha.test"),), "an unknown name gets the first")
    p.stop()


def passphrases():
    secret = authority.issue("alpha.test", passphrase="open sesame")
    p = SecureProxy(*pair(secret), default=plain.url, env={"CONFIGPROXY_SSL_KEY_PASSPHRASE": "open sesame"})
    equal(p.ask("/")[0].status, 200, "status")
    p.stop()
    fails(pair(secret), "has a passphrase: set CONFIGPROXY_SSL_KEY_PASSPHRASE")
    fails(pair(secret), "another passphrase", env={"CONFIGPROXY_SSL_KEY_PASSPHRASE": "wrong"})
    # what else a pair of files can be
    other = authority.issue("alpha.test")
    fails(["--ssl-key", other[0], "--ssl-cert", authority.issue("alpha.test")[1]], "does not belong to")
    fails(["--ssl-key", other[1], "--ssl-cert", other[1]], "no private key in PEM form")
    fails(["--ssl-key", other[0], "--ssl-cert", other[0]], "no certificate in PEM form")
    fails(pair(other) + ["--ssl-ca", "/no/such.pem"], "/no/such.pem")


def fails(args, text, env=None):
    try:
        Proxy(*args, env=env).stop()
    except report.Failure as e:
        claim(text in str(e), "%s: %s" % (args, e))
    else:
        raise report.Failure("%s was accepted" % args)


def flags():
    one, other = authority.issue("alpha.test"), authority.issue("alpha.test")
    both = os.path.join(authority.dir, "both.pem")
    with open(both, "w") as f:
        f.write(open(one[0]).read() + open(one[1]).read())
    for args in (["--ssl-key", both], ["--ssl-cert", both], pair(one) + ["--ssl-allow-rc4"],
                 pair(one) + ["--ssl-protocol", "TLS"]):
        p = SecureProxy(*args, default=plain.url, workers=1)
        equal(p.ask("/")[0].status, 200, "%s" % args)
        p.stop()
    for protocol, wanted in (("TLSv1_2", ssl.TLSVersion.TLSv1_2), ("TLSv1_3", ssl.TLSVersion.TLSv1_3)):
        p = SecureProxy(*pair(one), "--ssl-protocol", protocol, default=plain.url, workers=1)
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            equal(refused(lambda: p.connect(context=client_context(version))), version != wanted,
                  "%s by %s" % (version, protocol))
        p.stop()
    p = SecureProxy(*pair(one), "--ssl-ciphers", "TLS_CHACHA20_POLY1305_SHA256:ECDHE-ECDSA-CHACHA20-POLY1305",
                    default=plain.url, workers=1)
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        claim("CHACHA20" in p.connect(context=client_context(version)).sock.cipher()[0], "cipher of %s" % version)
    p.stop()
    fails(pair((one[0], other[1])), "key")
    fails(pair((one[0], "/nonexistent")), "/nonexistent")
    fails(pair((__file__, one[1])), "key in")
    fails(pair(one) + ["--ssl-key", one[0]], "in pairs")
    fails(pair(one) + ["--ssl-protocol", "SSLv3"], "not safe")
    fails(pair(one) + ["--ssl-ciphers", "NONSENSE"], "--ssl-ciphers")
    fails(pair(one) + ["--ssl-dhparam", one[0]], "DH parameters")
    fails(pair(one) + ["--ssl-request-cert", "--ssl-ca", one[0]], "CA certificates")


def finite_field_exchange():
    params = os.path.join(authority.dir, "dh.pem")
    subprocess.run(["openssl", "genpkey", "-genparam", "-algorithm", "DH", "-pkeyopt", "group:ffdhe2048",
                    "-out", params], check=True, capture_output=True)
    p = SecureProxy(*pair(authority.issue("alpha.test", kind="rsa")), "--ssl-dhparam", params, default=plain.url)
    context = client_context(ssl.TLSVersion.TLSv1_2)
    context.set_ciphers("DHE-RSA-AES128-GCM-SHA256")
    equal(p.connect(context=context).sock.cipher()[0], "DHE-RSA-AES128-GCM-SHA256", "cipher")
    p.stop()


def client_certificates():
    stranger = Authority("another CA").issue("eve")
    p = SecureProxy(*pair(authority.issue("alpha.test")), "--ssl-ca", authority.cert, "--ssl-request-cert",
                    "--ssl-reject-unauthorized", default=plain.url)

    def ask(context):
        s = p.connect(context=context)
        s.send(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
        return read_response(s)[0].status
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        equal(ask(client_context(version, authority.issue("alice"))), 200, "with a certificate")
        claim(refused(lambda: ask(client_context(version))), "without one: refused")
        claim(refused(lambda: ask(client_context(version, stranger))), "by another CA: refused")
    p.stop()


# ---- resumption ---------------------------------------------------------------

def s_client(port, *args):
    return subprocess.run(
        ["openssl", "s_client", "-connect", "127.0.0.1:%d" % port, "-CAfile", authority.cert,
         "-servername", "alpha.test"] + list(args),
        input=b"GET /x HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", capture_output=True, timeout=LIMIT).stdout


def sessions_resume_on_every_worker():
    p = SecureProxy(*pair(authority.issue("alpha.test")), default=plain.url, workers=4)
    for version in ("-tls1_2", "-tls1_3"):
        session = os.path.join(authority.dir, "session")
        out = s_client(p.port, version, "-sess_out", session, "-ign_eof")
        claim(b"200 OK" in out and b"\nNew, " in out, "the first is new")
        for i in range(12):
            out = s_client(p.port, version, "-sess_in", session, "-ign_eof")
            claim(b"\nReused, " in out, "connection %d resumes" % i)
        p.process.send_signal(1)
        report.until("the reload", LIMIT, lambda: "certificates are reloaded" in p.output())
        time.sleep(0.2)
        claim(b"\nReused, " in s_client(p.port, version, "-sess_in", session, "-ign_eof"), "after a reload too")
    p.stop()


# ---- reload -------------------------------------------------------------------

def replace(files, names):
    fresh = authority.issue(*names)
    for source, target in zip(fresh, files):
        shutil.copy(source, target + ".new")
        os.rename(target + ".new", target)


def certificates_are_reloaded():
    files = authority.issue("alpha.test")
    p = SecureProxy(*pair(files), default=tunnels.url)
    tunnel = open_tunnel(p, "/t")[0]
    replace(files, ["alpha.test", "second.test"])
    report.until("the new certificate", LIMIT, lambda: "second.test" in who(p, "alpha.test"))
    replace(files, ["alpha.test", "third.test"])
    p.process.send_signal(1)
    report.until("the third", 1.5, lambda: "third.test" in who(p, "alpha.test"))
    equal(tunnel.send(b"still here").take(10), b"still here", "the tunnel of the first")
    with open(files[1], "w") as f:
        f.write("no certificate\n")
    p.process.send_signal(1)
    report.until("the complaint", LIMIT, lambda: "certificates cannot be reloaded" in p.output())
    claim(files[1] in p.output(), "it names the file")
    claim("third.test" in who(p, "alpha.test"), "the old one stays")
    time.sleep(5)
    equal(p.output().count("cannot be reloaded"), 1, "said once")
    equal(tunnel.send(b"still here").take(10), b"still here", "the tunnel")
    replace(files, ["alpha.test", "fourth.test"])
    report.until("recovery", LIMIT, lambda: "fourth.test" in who(p, "alpha.test"))
    tunnel.close()
    p.stop()


# ---- targets ------------------------------------------------------------------

class SecureBackend(Backend):
    """A target that speaks TLS; `asks`: its clients need a certificate."""

    def __init__(self, handler, files, asks=False):
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(files[1], files[0])
        if asks:
            self.context.load_verify_locations(authority.cert)
            self.context.verify_mode = ssl.CERT_REQUIRED
        super().__init__(lambda s, b: handler(self.wrap(s), b))
        self.port = self.listener.getsockname()[1]

    def wrap(self, s):
        return Sock(self.context.wrap_socket(s.sock, server_side=True))


def ask_all(p, backend, path):
    """Pages, a big body and a WebSocket."""
    sent = random.Random(5).randbytes(65536)
    for _ in range(3):
        head, body = p.ask(path + "/x", method="POST", fields="Content-Length: 65536\r\n", body=sent)
        equal(head.status, 200, "status")
        claim(body.endswith(sent), "64 KiB come back")
    claim(backend.n_connections < 3, "connections are kept: %d" % backend.n_connections)


def secure_targets():
    files = authority.issue("localhost", "IP:127.0.0.1")
    here = SecureBackend(echo, files)
    sockets = SecureBackend(tunnel_backend, files)
    wrong = SecureBackend(echo, authority.issue("wrong.test"))
    stranger = SecureBackend(echo, Authority("another CA").issue("localhost", "IP:127.0.0.1"))
    p = Proxy("--client-ssl-ca", authority.cert)
    for name in ("localhost", "127.0.0.1"):
        p.add("/" + name, "https://%s:%d" % (name, here.port))
    p.add("/ws", "https://localhost:%d" % sockets.port)
    p.add("/wrong", "https://localhost:%d" % wrong.port)
    p.add("/wrong-ip", "https://127.0.0.1:%d" % wrong.port)
    p.add("/stranger", "https://localhost:%d" % stranger.port)
    ask_all(p, here, "/localhost")
    equal(p.ask("/127.0.0.1/x")[0].status, 200, "by number")
    for path in ("/wrong", "/wrong-ip", "/stranger"):
        equal(p.ask(path)[0].status, 503, path)
    claim("certificate" in p.output(), "and the log says why")
    data = random.Random(6).randbytes(8 << 20)
    s, _ = open_tunnel(p, "/ws")
    writer = threading.Thread(target=s.send, args=(data,), daemon=True)
    writer.start()
    time.sleep(0.3)
    claim(s.take(len(data)) == data, "8 MiB through a secure WebSocket")
    s.close()
    p.stop()
    p = Proxy("--insecure", default="https://localhost:%d" % wrong.port)
    equal(p.ask("/")[0].status, 200, "--insecure")
    p.stop()
    p = Proxy(default="https://localhost:%d" % here.port, env={"SSL_CERT_FILE": authority.cert})
    equal(p.ask("/")[0].status, 200, "by the system's CAs")
    p.stop()
    p = Proxy(default="https://localhost:%d" % here.port)
    equal(p.ask("/")[0].status, 503, "without its CA")
    p.stop()


def targets_that_ask_for_a_certificate():
    files = authority.issue("localhost")
    target = SecureBackend(echo, files, asks=True)
    pages = SecureBackend(lambda s, b: (s.until(b"\r\n\r\n"), s.send(reply("a page of the hub"))), files, asks=True)
    own = authority.issue("proxy")
    args = ["--client-ssl-key", own[0], "--client-ssl-cert", own[1], "--client-ssl-ca", authority.cert,
            "--client-ssl-request-cert", "--client-ssl-reject-unauthorized",
            "--error-target", "https://localhost:%d/error" % pages.port]
    p = Proxy(*args)
    p.add("/t", "https://localhost:%d" % target.port)
    ask_all(p, target, "/t")
    equal(p.ask("/nothing")[1], b"a page of the hub", "the error target")
    p.stop()
    p = Proxy("--client-ssl-ca", authority.cert, default="https://localhost:%d" % target.port)
    equal(p.ask("/")[0].status, 503, "without a certificate")
    p.stop()


# ---- the plain port -----------------------------------------------------------

def ask_plainly(p, target, fields="Host: alpha.test:80\r\n", method="GET"):
    port = int(re.search(r"redirection from=(\d+)", p.output()).group(1))
    s = Sock(socket.create_connection(("127.0.0.1", port), LIMIT))
    s.send(("%s %s HTTP/1.1\r\n%sConnection: close\r\n\r\n" % (method, target, fields)).encode())
    return read_response(s, method)


def plain_http_is_redirected():
    files, root = authority.issue("alpha.test"), tempfile.mkdtemp(prefix="carrel-webroot-")
    place = os.path.join(root, ".well-known/acme-challenge")
    os.makedirs(place)
    with open(os.path.join(place, "token_-1"), "w") as f:
        f.write("the key's thumbprint")
    os.symlink("/etc/hostname", os.path.join(place, "link"))
    p = SecureProxy(*pair(files), "--redirect-port", "0", "--acme-webroot", root, default=plain.url, workers=1)
    for host in ("alpha.test", "alpha.test:80"):
        head, _ = ask_plainly(p, "/user/x?y=%20z", "Host: %s\r\n" % host)
        equal((head.status, head.get("Location")),
              (301, "https://alpha.test:%d/user/x?y=%%20z" % p.port), "redirect of " + host)
    equal(ask_plainly(p, "/", "Host: [::1]:80\r\n")[0].get("Location"), "https://[::1]:%d/" % p.port, "IPv6")
    equal(ask_plainly(p, "/x", method="POST", fields="Host: h\r\nContent-Length: 9999\r\n")[0].status, 301, "POST")
    # the absolute form says the host
    for target, place in (("http://alpha.test/x?y", "alpha.test:%d/x?y"), ("http://alpha.test:80", "alpha.test:%d/"),
                          ("http://[::1]:80?q", "[::1]:%d/?q")):
        equal(ask_plainly(p, target, "Host: other\r\n")[0].get("Location"), "https://" + place % p.port, target)
    for target in ("*", "http:///x", "http://a@b/", "ftp://h/"):
        equal(ask_plainly(p, target)[0].status, 400, target)
    for fields in ("Host: \r\n", "Host: a b\r\n"):
        equal(ask_plainly(p, "/", fields)[0].status, 400, fields)
    head, body = ask_plainly(p, "/.well-known/acme-challenge/token_-1")
    equal((head.status, body), (200, b"the key's thumbprint"), "the challenge")
    for name in ("other", "link", "", ".", "..%2f..", "../../etc", "a" * 200):
        equal(ask_plainly(p, "/.well-known/acme-challenge/" + name)[0].status, 404, name)
    p.stop()
    p = SecureProxy(*pair(files), "--redirect-port", "0", "--redirect-to", "443", default=plain.url, workers=1)
    equal(ask_plainly(p, "/a")[0].get("Location"), "https://alpha.test/a", "443 is left out")
    equal(ask_plainly(p, "/.well-known/acme-challenge/x")[0].status, 301, "without a webroot")
    p.stop()
    fails(["--redirect-port", "0"], "needs --ssl-key")
    fails(pair(files) + ["--acme-webroot", root], "--redirect-port")


# ---- the REST API -------------------------------------------------------------

class ProxyWithSecureApi(Proxy):
    def connect_api(self, context=None):
        plain = socket.create_connection(("127.0.0.1", self.api_port), LIMIT)
        return Sock((context or self.api_context).wrap_socket(plain, server_hostname="127.0.0.1"))


def mutual_tls_on_the_api():
    files = authority.issue("localhost", "IP:127.0.0.1", passphrase="hush")
    stranger = Authority("another CA").issue("eve")
    ProxyWithSecureApi.api_context = client_context(cert=authority.issue("hub"))
    p = ProxyWithSecureApi(
        "--api-ssl-key", files[0], "--api-ssl-cert", files[1], "--api-ssl-ca", authority.cert,
        "--api-ssl-request-cert", "--api-ssl-reject-unauthorized",
        env={"CONFIGPROXY_API_SSL_KEY_PASSPHRASE": "hush"})
    for i in range(60):
        p.add("/r/%d" % i, plain.url, filler="x" * 5000)
    equal(len(p.routes()), 60, "routes")
    claim(len(p.api("GET", "/api/routes")[1]) > 300000, "a long listing comes whole")
    equal(p.ask("/r/1")[0].status, 200, "and they serve")
    equal(p.api("GET", "/api/routes", token="wrong")[0], 403, "the token still counts")
    equal(p.api("POST", "/api/routes/big", b"x" * 300000)[0], 413, "a refused body hears why")
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        for cert in (None, stranger):
            p.api_context = client_context(version, cert)
            claim(refused(p.routes), "a client with %s" % (cert and "a stranger's certificate"))
    del p.api_context
    s = Sock(socket.create_connection(("127.0.0.1", p.api_port), LIMIT))
    claim(b"HTTP" not in s.send(b"GET /api/routes HTTP/1.1\r\n\r\n").rest(), "no plain HTTP")
    fds = p.n_fds()
    held = [p.connect_api() for _ in range(20)]
    for s in held:
        s.close()
    report.until("descriptors to be closed", LIMIT, lambda: p.n_fds() <= fds)
    p.process.send_signal(1)
    report.until("the reload", LIMIT, lambda: 'reloaded for="REST API"' in p.output())
    equal(len(p.routes()), 60, "routes after a reload")
    equal(p.stop(), 0, "status")


# ---- cost ---------------------------------------------------------------------

def idle_tunnels_are_cheap():
    p = SecureProxy(*pair(authority.issue("alpha.test")), default=tunnels.url, workers=1)
    held = [open_tunnel(p, "/warm")[0] for _ in range(20)]
    before, n = p.rss(), 300
    held += [open_tunnel(p, "/x")[0] for _ in range(n)]
    each = (p.rss() - before) / n
    with open("/proc/%d/maps" % p.process.pid) as f:
        limit = 1 << 20 if "libasan" in f.read() else 16384
    claim(each < limit, "an idle tunnel costs %d bytes" % each)
    print("# an idle TLS tunnel costs %d bytes" % each)
    fds = p.n_fds()
    for s in held:
        s.close()
    report.until("descriptors to be closed", LIMIT, lambda: p.n_fds() < fds - 2 * n)
    p.stop()


def main():
    global authority, plain, proxy, tunnels
    report.group("proxy")
    authority = Authority()
    plain, tunnels = Backend(echo), Backend(tunnel_backend)
    proxy = SecureProxy(*pair(authority.issue("alpha.test")), "--drain-timeout", "1", default=plain.url)
    proxy.add("/ws", tunnels.url)
    tests = (
        versions_and_ciphers, application_protocol, plain_http_is_closed, forwarded_fields, bodies_both_ways,
        big_answers, websocket_under_pressure, half_closed_tunnel, a_broken_answer_is_no_proper_end,
        silent_clients_do_not_stay, names_choose_certificates, passphrases, flags, finite_field_exchange,
        client_certificates, sessions_resume_on_every_worker, certificates_are_reloaded, secure_targets,
        targets_that_ask_for_a_certificate, mutual_tls_on_the_api,
        plain_http_is_redirected, idle_tunnels_are_cheap)
    wanted = sys.argv[1:]
    report.run([(f.__name__, f) for f in tests if not wanted or f.__name__ in wanted],
               lambda: print("---- the proxy said:\n" + proxy.output()[-6000:]))
    claim(proxy.process.poll() is None, "the proxy lives to the end")
    equal(proxy.stop(), 0, "and ends in order")
    report.finish()


if __name__ == "__main__":
    main()
