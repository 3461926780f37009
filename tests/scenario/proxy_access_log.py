#!/usr/bin/python3
"""The access log of the real carrel-proxy: what is in a line and what never is, files
that it does not write to, rotation, and a log that nobody reads (contract/proxy.md
17.25)."""
# timeout: 120
import json
import os
import re
import signal
import socket
import sys
import tempfile
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
import report
from report import claim, equal
from ports import free_port
from proxy_world import Backend, Proxy, Sock, echo, named, open_tunnel, read_response, tunnel_backend

plain = None
SOON = 10
SECRETS = ("geheim", "Authorization", "Cookie", "Referer")


def lines(path):
    try:
        with open(path, encoding="ascii") as f:
            return f.read().splitlines()
    except FileNotFoundError:
        return []


def wait_for(path, n):
    return report.until("%d lines" % n, SOON, lambda: len(lines(path)) >= n and lines(path))


def log_file(name="access.log"):
    return os.path.join(tempfile.mkdtemp(prefix="carrel-access-"), name)


def a_line_for_each_request():
    path = log_file()
    p = Proxy("--access-log", path, default=plain.url, workers=1)
    p.add("/user/a", plain.url)
    p.add("/ws", Backend(tunnel_backend).url)
    p.ask("/user/a/x")
    p.ask("/gone/%", method="POST", fields="Content-Length: 0\r\n")
    open_tunnel(p, "/ws/t")[0].close()
    p.raw(b"BAD\r\n\r\n")
    p.ask("/_chp_healthz")
    got = [json.loads(l) for l in wait_for(path, 4)]
    equal([(l["method"], l["path"], l["status"], l["route"], l["upgrade"]) for l in got],
          [("GET", "/user/a/x", 200, "/user/a", False), ("POST", "/gone/%", 400, None, False),
           ("GET", "/ws/t", 101, "/ws", True), (None, None, 400, None, False)], "the lines")
    first = got[0]
    equal((first["client"], first["http"], first["tls"], first["target"]),
          ("127.0.0.1", "1.1", False, plain.url), "more of the first one")
    claim(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", first["time"]), "its time: " + first["time"])
    claim(first["bytes"] > 20 and first["ms"] >= 0, "bytes and time: %r" % first)
    equal(os.stat(path).st_mode & 0o777, 0o640, "the file's mode")
    p.stop()


def who_asks_behind_a_front_end():
    path = log_file()
    p = Proxy("--access-log", path, default=plain.url, workers=1)
    p.ask("/", fields="X-Forwarded-For: 198.51.100.7, 127.0.0.1\r\n")
    p.ask("/", fields="X-Forwarded-For: [2001:db8::1]:4711\r\n")
    p.ask("/", fields="X-Forwarded-For: unknown\r\n")
    equal([json.loads(l)["client"] for l in wait_for(path, 3)], ["198.51.100.7", "2001:db8::1", "127.0.0.1"], "clients")
    p.stop()
    path = log_file()
    p = Proxy("--access-log", path, "--trusted-proxy", "192.0.2.1", default=plain.url, workers=1)
    p.ask("/", fields="X-Forwarded-For: 198.51.100.7\r\n")
    equal(json.loads(wait_for(path, 1)[0])["client"], "127.0.0.1", "who is not trusted is not believed")
    p.stop()


def no_secrets():
    """CVE-2022-24757: an allow-list of fields; no query, cookie or authorization."""
    for form in ("json", "combined"):
        path = log_file()
        p = Proxy("--access-log", path, "--access-log-format", form, default=plain.url, workers=1)
        p.ask("/a?token=geheim", fields="Authorization: token geheim\r\nCookie: s=geheim\r\n"
              "Referer: http://h/?token=geheim\r\nX-Other: geheim\r\n")
        p.ask("http://geheim@h/b?c=geheim")
        p.ask("http://h/b?c=geheim#geheim")
        p.ask("/?/geheim")
        text = "\n".join(wait_for(path, 3))
        for secret in SECRETS:
            claim(secret not in text, "%s in %s" % (secret, text))
        p.stop()


def odd_bytes_are_escaped():
    for form in ("json", "combined"):
        path = log_file()
        p = Proxy("--access-log", path, "--access-log-format", form, default=plain.url, workers=1)
        p.ask('/"quoted"\\x')
        p.ask("/long/" + "x" * 60000)
        p.raw(b"GET /caf\xc3\xa9\x01 HTTP/1.1\r\nHost: h\r\n\r\n")
        got = wait_for(path, 3)
        equal(len(got), 3, "lines")
        claim(all(len(l) <= 4000 for l in got), "they are bounded")
        if form == "json":
            claim(json.loads(got[1])["path"].endswith("x..."), "a cut path")
            equal(json.loads(got[0])["path"], '/"quoted"\\x', "quotes")
        p.stop()


def the_combined_format():
    path = log_file()
    p = Proxy(default=plain.url, env={"CONFIGPROXY_ACCESS_LOG": path}, workers=1)
    p.ask("/json")
    claim(wait_for(path, 1)[0].startswith("{"), "by the environment")
    p.stop()
    p = Proxy("--access-log", path, "--access-log-format", "combined", default=plain.url, workers=1)
    p.ask("/x")
    line = wait_for(path, 2)[1]
    claim(re.fullmatch(r'127\.0\.0\.1 - - \[\d\d/\w{3}/\d{4}:\d\d:\d\d:\d\d \+0000\] "GET /x HTTP/1\.1" 200 \d+ "-" "-"', line),
          "the line, after those of the last run: " + line)
    p.stop()


def standard_output_takes_it():
    p = Proxy("--access-log", "-", default=plain.url, workers=1)
    p.ask("/to/stdout")
    report.until("the line", SOON, lambda: '"path":"/to/stdout"' in p.output())
    p.stop()


def rotation():
    for signo in (signal.SIGHUP, signal.SIGUSR1):
        path = log_file()
        p = Proxy("--access-log", path, default=plain.url, workers=1)
        p.ask("/one")
        wait_for(path, 1)
        os.rename(path, path + ".1")
        p.ask("/two")
        equal(len(wait_for(path + ".1", 2)), 2, "until then the old file")
        p.process.send_signal(signo)
        report.until("a new file", SOON, lambda: os.path.exists(path))
        p.ask("/three")
        claim("/three" in wait_for(path, 1)[0], "the new file")
        equal(len(lines(path + ".1")), 2, "the old one")
        # what cannot be opened leaves the file that is open
        os.rename(path, path + ".2")
        os.mkdir(path)
        p.process.send_signal(signo)
        report.until("the log to say so", SOON, lambda: "the old file stays" in p.output())
        p.ask("/four")
        wait_for(path + ".2", 2)
        p.stop()


def files_that_are_refused():
    dir = tempfile.mkdtemp(prefix="carrel-access-")
    target = os.path.join(dir, "target")
    open(target, "w").close()
    os.symlink(target, os.path.join(dir, "link"))
    os.link(target, os.path.join(dir, "twice"))
    everybody = os.path.join(dir, "everybody")
    open(everybody, "w").close()
    os.chmod(everybody, 0o666)
    os.mkfifo(os.path.join(dir, "fifo"))
    for name, why in (("link", "symbolic link"), ("twice", "more than one name"), ("everybody", "everybody may write"),
                      ("fifo", "nobody reads"), ("no/such", "No such file"), (".", "directory")):
        try:
            Proxy("--access-log", os.path.join(dir, name)).stop()
            raise report.Failure(name + " was taken")
        except report.Failure as e:
            claim(why in str(e), "%s: %s" % (name, e))
    equal(os.path.getsize(target), 0, "nothing was written")


def a_log_that_nobody_reads():
    """A full FIFO: requests are served, lines are lost and counted, the end comes."""
    path = log_file("fifo")
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    port = free_port()
    p = Proxy("--access-log", path, "--metrics-ip", "127.0.0.1", "--metrics-port", str(port),
              default=named("x").url, workers=1)
    s = p.connect()
    request = ("GET /%s HTTP/1.1\r\nHost: h\r\n\r\n" % ("y" * 1400)).encode()

    def ask(n):
        threading.Thread(target=s.send, args=(request * n,), daemon=True).start()
        for _ in range(n):
            equal(read_response(s)[0].status, 200, "served all the same")
    ask(800)

    def dropped():
        m = Sock(socket.create_connection(("127.0.0.1", port), SOON))
        m.send(b"GET /metrics HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
        text = read_response(m)[1].decode()
        return int(re.search(r"^proxy_access_dropped (\d+)$", text, re.M).group(1))
    claim(dropped() > 100, "lines are dropped and counted: %d" % dropped())
    claim(p.rss() < 64 << 20, "memory is bounded: %d" % p.rss())
    # read again, whole lines go on
    got = b""
    while True:
        try:
            data = os.read(reader, 65536)
        except BlockingIOError:
            if len(got) >= 500000:
                break
            ask(1)
            continue
        got += data
    text = got.decode().splitlines()
    claim(all(json.loads(l)["status"] == 200 for l in text[:-1]), "whole lines")
    p.process.terminate()
    p.process.wait(SOON)
    os.close(reader)


def main():
    global plain
    report.group("proxy")
    plain = Backend(echo)
    tests = (a_line_for_each_request, who_asks_behind_a_front_end, no_secrets, odd_bytes_are_escaped,
             the_combined_format, standard_output_takes_it, rotation, files_that_are_refused,
             a_log_that_nobody_reads)
    report.run([(t.__name__, t) for t in tests if not sys.argv[1:] or t.__name__ in sys.argv[1:]])
    report.finish()


main()
