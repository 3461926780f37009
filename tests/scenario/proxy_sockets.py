#!/usr/bin/python3
"""The unix sockets that the proxy listens on: their modes, what becomes of them
when somebody removes them, and at its end (contract/proxy.md 10)."""
# timeout: 120
import json
import os
import signal
import socket
import ssl
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
import report
from certs import Authority
from proxy_world import LIMIT, TOKEN, UPGRADE, Backend, Proxy, Sock, child_of, echo, read_response, tunnel_backend
from report import claim, equal, until

SOON = 30  # names are looked at every two seconds
NAMES = ("public", "api", "metrics")
REQUESTS = {"public": "GET /x HTTP/1.1\r\nHost: h\r\n\r\n", "metrics": "GET /metrics HTTP/1.1\r\nHost: h\r\n\r\n",
            "api": "GET /api/routes HTTP/1.1\r\nHost: h\r\nAuthorization: token %s\r\n\r\n" % TOKEN}


def echo_or_tunnel(s, backend):
    while b"\r\n\r\n" not in s.data and s.more():
        pass
    (tunnel_backend if b"Upgrade" in s.data else echo)(s, backend)


class World:
    """A proxy that listens on unix sockets alone."""

    def __init__(self, *args, target=None):
        self.dir = tempfile.mkdtemp(prefix="carrelt-sockets-")
        self.args = ["--socket", self.path("public"), "--api-socket", self.path("api"),
                     "--metrics-socket", self.path("metrics"), *args]
        self.proxy = Proxy(*self.args, default=target or plain.url)

    def path(self, name):
        return os.path.join(self.dir, name)

    def connect(self, name):
        s = socket.socket(socket.AF_UNIX)
        s.settimeout(LIMIT)
        s.connect(self.path(name))
        return s

    def ask(self, name, sock=None):
        s = Sock(sock or self.connect(name)).send(REQUESTS[name].encode())
        head, body = read_response(s)
        s.close()
        equal(head.status, 200, name)
        return body

    def answers(self, name):
        try:
            return bool(self.ask(name))
        except OSError:
            return False

    def listening(self, name):
        """The sockets that listen under the name, as /proc/PID/fd calls them."""
        with open("/proc/net/unix") as f:
            lines = [line.split() for line in f if line.endswith(" %s\n" % self.path(name))]
        return {"socket:[%s]" % fields[6] for fields in lines if fields[3] == "00010000"}

    def parent_has(self, sockets):
        fds = "/proc/%d/fd/" % self.proxy.process.pid
        return sockets & {os.readlink(fds + fd) for fd in os.listdir(fds)}

    def files(self):
        return sorted(f for f in os.listdir(self.dir) if f in NAMES)


def modes_follow_the_umask():
    for umask, mode in ((0o027, 0o640), (0o177, 0o600)):
        before = os.umask(umask)
        try:
            w = World()
        finally:
            os.umask(before)
        for name in NAMES:
            equal(oct(os.stat(w.path(name)).st_mode & 0o777), oct(mode), name)
            w.ask(name)
        os.unlink(w.path("public"))
        until("the name to be there again", SOON, lambda: w.answers("public"))
        equal(oct(os.stat(w.path("public")).st_mode & 0o777), oct(mode), "the mode of the new one")
        w.proxy.stop()


def a_removed_name_comes_back():
    w = World(target=both.url)
    s = Sock(w.connect("public")).send((UPGRADE % "/ws").encode())
    s.until(b"first")
    for name in NAMES:
        os.unlink(w.path(name))
    for name in NAMES:
        until("%s to answer again" % name, SOON, lambda: w.answers(name))
    # every worker accepts from the new one, and a tunnel that was open goes on
    for _ in range(50):
        w.ask("public")
    s.send(b"still there")
    equal(s.take(11), b"still there", "a tunnel from before")
    equal(json.loads(w.ask("api"))["/"]["target"], both.url, "the routes")
    claim("a socket had been removed and is made again" in w.proxy.output(), "it is told")
    # something else lies there: nothing is overwritten, and the way may become free
    os.unlink(w.path("api"))
    os.mkdir(w.path("api"))
    until("it to be told", SOON, lambda: "cannot be made again" in w.proxy.output())
    os.rmdir(w.path("api"))
    until("the API to answer again", SOON, lambda: w.answers("api"))
    w.proxy.stop()


def stands_still(pid):
    for task in os.listdir("/proc/%d/task" % pid):
        with open("/proc/%d/task/%s/stat" % (pid, task)) as f:
            if f.read().rsplit(")", 1)[1].split()[0] != "T":
                return False
    return True


def the_next_engine_has_the_new_ones():
    w = World()
    old = {name: w.listening(name) for name in NAMES}
    for name in NAMES:
        os.unlink(w.path(name))
    for name in NAMES:
        until("%s to answer again" % name, SOON, lambda: w.answers(name))
        until("the parent to have %s" % name, SOON, lambda: w.parent_has(w.listening(name) - old[name]))
        claim(not w.parent_has(old[name]), "the parent lets the old one go")
    before = {name: os.stat(w.path(name)).st_ino for name in NAMES}
    pid = child_of(w.proxy.process.pid)
    # what waits in a queue outlives the engine, so the parent has these sockets
    os.kill(pid, signal.SIGSTOP)
    until("all its threads to stand still", LIMIT, lambda: stands_still(pid))
    waiting = {name: w.connect(name) for name in NAMES}
    os.kill(pid, signal.SIGKILL)
    for name in NAMES:
        w.ask(name, waiting[name])
    equal({name: os.stat(w.path(name)).st_ino for name in NAMES}, before, "the names")
    w.proxy.stop()


def an_api_behind_tls_comes_back():
    authority = Authority()
    key, cert = authority.issue("localhost")
    w = World("--api-ssl-key", key, "--api-ssl-cert", cert)
    context = ssl.create_default_context(cafile=authority.cert)

    def answers():
        try:
            return w.ask("api", context.wrap_socket(w.connect("api"), server_hostname="localhost"))
        except OSError:
            return False
    claim(answers(), "before")
    os.unlink(w.path("api"))
    until("the API to answer again", SOON, answers)
    w.proxy.stop()


def the_end_removes_them():
    w = World()
    equal(w.files(), sorted(NAMES), "names")
    equal(w.proxy.stop(), 0, "exit")
    equal(w.files(), [], "names after the end")
    # but not those of somebody else
    w = World()
    os.unlink(w.path("public"))
    other = socket.socket(socket.AF_UNIX)
    other.bind(w.path("public"))
    other.listen()
    equal(w.proxy.stop(), 0, "exit")
    equal(w.files(), ["public"], "the other's")
    other.close()
    # killed: what it leaves is replaced
    w = World()
    w.proxy.kill()
    until("the engine to be gone", LIMIT, lambda: not w.answers("public"))
    equal(w.files(), sorted(NAMES), "names that lead nowhere")
    w.proxy.start()
    w.ask("public")
    w.proxy.stop()


def a_takeover_leaves_them():
    w = World("--takeover-socket", os.path.join(tempfile.mkdtemp(prefix="carrelt-sockets-"), "t"))
    before = {name: os.stat(w.path(name)).st_ino for name in NAMES}
    fresh = Proxy(*w.args, "--takeover", default=plain.url)
    equal(w.proxy.process.wait(LIMIT), 0, "the old one's exit")
    equal({name: os.stat(w.path(name)).st_ino for name in NAMES}, before, "names")
    for name in NAMES:
        os.unlink(w.path(name))
    for name in NAMES:
        try:
            until("%s to answer again" % name, SOON, lambda: w.answers(name))
        except report.Failure:
            print(w.proxy.output(), fresh.output())
            raise
    equal(fresh.stop(), 0, "exit")
    equal(w.files(), [], "names after the end")


def main():
    global plain, both
    report.group("proxy")
    wanted = sys.argv[1:]
    plain, both = Backend(echo), Backend(echo_or_tunnel)
    report.run([(f.__name__, f) for f in (
        modes_follow_the_umask, a_removed_name_comes_back, the_next_engine_has_the_new_ones,
        an_api_behind_tls_comes_back, the_end_removes_them, a_takeover_leaves_them)
        if not wanted or f.__name__ in wanted])
    report.finish()


if __name__ == "__main__":
    main()
