#!/usr/bin/python3
"""The real carrel-proxy seen from outside: who holds what, metrics, flags and how it
ends when they are wrong, lines of its log (contract/proxy.md 2, 3, 12, 14, 15)."""
# timeout: 120
import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
import report
from report import claim, equal
from ports import free_port
from proxy_world import Backend, Proxy, Sock, echo, open_tunnel, read_response, reply, tunnel_backend

plain = None
SOON = 10
PROGRAM = os.path.join(report.bin_dir(), "carrel-proxy")


# ---- who holds what ---------------------------------------------------------------

def holdings(p, query=""):
    status, body = p.api("GET", "/api/holdings" + query)
    equal(status, 200, "holdings (%r)" % body)
    return json.loads(body)


def who_holds_what():
    release = threading.Event()

    def slow(s, backend):
        s.until(b"\r\n\r\n")
        release.wait(SOON)
        s.send(reply("late"))
    p = Proxy()
    ws, waits = Backend(tunnel_backend), Backend(slow)
    for i in range(5):
        p.add("/user/%d" % i, ws.url, user="u%d" % i)
    p.add("/slow", waits.url)
    p.add("/bulk", plain.url)
    tunnels = [open_tunnel(p, "/user/%d" % i)[0] for i in range(4) for _ in range(i)]
    asked = [p.connect().send(b"GET /slow HTTP/1.1\r\nHost: h\r\n\r\n") for _ in range(5)]
    p.ask("/bulk", method="POST", fields="Content-Length: 100000\r\n", body=b"x" * 100000)
    all = report.until("all to be open", SOON, lambda: holdings(p)["open"] == 11 and holdings(p))
    equal([(h["route"], h["open"], h["tunnels"]) for h in all["holders"]],
          [("/slow", 5, 0), ("/user/3", 3, 3), ("/user/2", 2, 2), ("/user/1", 1, 1)], "by open ones")
    equal((all["routes"], all["tunnels"], all["order"]), (7, 6, "open"), "the sum")
    equal(all["holders"][1]["data"]["user"], "u3", "the route's data")
    few = holdings(p, "?order=tunnels&limit=2")
    equal([h["route"] for h in few["holders"]], ["/user/3", "/user/2"], "the first two by tunnels")
    top = report.until("bytes to be told", SOON, lambda: holdings(p, "?order=bytes&limit=1")["holders"])
    equal((top[0]["route"], top[0]["bytes"] >= 100000), ("/bulk", True), "by bytes")
    p.delete("/user/3")
    equal([(h["route"], h["data"]) for h in holdings(p)["holders"]][1], ("/user/3", None), "what is left of a deleted one")
    for bad in ("?order=name", "?limit=0", "?limit=1001", "?limit=x"):
        equal(p.api("GET", "/api/holdings" + bad)[0], 400, bad)
    equal(p.api("GET", "/api/holdings", token="wrong")[0], 403, "with a wrong token")
    equal(p.api("POST", "/api/holdings", {})[0], 405, "no other method")
    release.set()
    for s in asked + tunnels:
        s.close()
    report.until("nobody to hold anything", SOON, lambda: holdings(p)["open"] == 0)
    p.stop()


def holdings_of_many_routes():
    dir = tempfile.mkdtemp(prefix="carrel-seen-")
    journal = os.path.join(dir, "routes.journal")
    with open(journal, "w") as f:
        for i in range(100000):
            f.write('{"op":"set","at":1700000000000,"route":{"/user/%d":{"target":"http://127.0.0.1:%d"}}}\n' %
                    (i, 1000 + i % 60000))
    port = free_port()
    p = Proxy("--journal", journal, "--metrics-ip", "127.0.0.1", "--metrics-port", str(port))
    p.metrics_port = port
    p.add("/user/99999", Backend(tunnel_backend).url)
    tunnel, _ = open_tunnel(p, "/user/99999")
    answers = []
    threads = [threading.Thread(target=lambda: answers.append(holdings(p)), daemon=True) for _ in range(5)]
    for t in threads:
        t.start()
    while any(t.is_alive() for t in threads):
        equal(tunnel.send(b"still").take(5), b"still", "traffic goes on")
    equal([[h["route"] for h in a["holders"]] for a in answers], [["/user/99999"]] * 5, "five at once")
    # a client that leaves in the middle
    for _ in range(20):
        s = p.connect_api()
        s.send(b"GET /api/holdings HTTP/1.1\r\nHost: h\r\nAuthorization: token proxy-test-token\r\n\r\n")
        s.close()
    equal(holdings(p)["routes"], 100000, "afterwards")
    tunnel.close()
    p.stop()


# ---- metrics ------------------------------------------------------------------------

def metrics(p):
    s = Sock(socket.create_connection(("127.0.0.1", p.metrics_port), SOON))
    s.send(b"GET /metrics HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
    body = read_response(s)[1].decode()
    s.close()
    return {k: float(v) for k, v in
            (l.rsplit(" ", 1) for l in body.splitlines() if not l.startswith("#"))}


# Of CHP: contract/proxy.md 12. Names that dashboards know.
OF_CHP = """api_route_get api_route_add api_route_delete find_target_for_req_count
find_target_for_req_sum find_target_for_req{quantile="0.5"} last_activity_updating_count
requests_ws requests_web process_cpu_user_seconds_total process_cpu_system_seconds_total
process_cpu_seconds_total process_start_time_seconds process_resident_memory_bytes
process_virtual_memory_bytes process_open_fds process_max_fds"""


def metrics_say_what_is_open():
    port = free_port()
    p = Proxy("--metrics-ip", "127.0.0.1", "--metrics-port", str(port), default=plain.url, workers=1)
    p.metrics_port = port
    seen = metrics(p)
    for name in OF_CHP.split():
        claim(name in seen, "%s is missing" % name)
    release = threading.Event()

    def slow(s, backend):
        s.until(b"\r\n\r\n")
        release.wait(SOON)
        s.send(reply("late"))
    p.add("/slow", Backend(slow).url)
    p.add("/ws", Backend(tunnel_backend).url)
    tunnel, _ = open_tunnel(p, "/ws")
    waiting, busy = p.connect(), p.connect()
    read_response(waiting.send(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"))
    busy.send(b"GET /slow HTTP/1.1\r\nHost: h\r\n\r\n")

    def as_it_is():
        m = metrics(p)
        return [m['proxy_connections{state="%s"}' % s] for s in ("handshake", "request", "waiting", "tunnel")] + \
               [m['proxy_target_connections{state="%s"}' % s] for s in ("idle", "used")]
    # a tunnel's connection to its target counts as used until it is open
    report.until("each to be where it is", SOON, lambda: as_it_is() == [0, 1, 1, 1, 1, 1])
    m = metrics(p)
    equal((m["proxy_open_tunnels"], m["proxy_routes"]), (1, 3), "tunnels and routes")
    for name in ('proxy_machine_sockets{state="time_wait"}', "proxy_longest_turn_seconds", "proxy_handshakes",
                 'proxy_errors{reason="refused"}', 'proxy_refused{limit="route"}', "proxy_client_bytes"):
        claim(name in m, "%s is missing" % name)
    claim(m['proxy_machine_sockets{state="in_use"}'] >= 4, "sockets are counted")
    release.set()
    read_response(busy)
    for s in (tunnel, waiting, busy):
        s.close()
    report.until("all to be closed", SOON, lambda: as_it_is()[:4] == [0, 0, 0, 0])
    p.stop()


# ---- the command line -----------------------------------------------------------------

# Every flag of configurable-http-proxy 5.x (its bin/configurable-http-proxy), and whether
# it takes a value.
FLAGS_OF_CHP = {
    "ip": 1, "port": 1, "socket": 1, "ssl-key": 1, "ssl-cert": 1, "ssl-ca": 1, "ssl-request-cert": 0,
    "ssl-reject-unauthorized": 0, "ssl-protocol": 1, "ssl-ciphers": 1, "ssl-allow-rc4": 0, "ssl-dhparam": 1,
    "api-ip": 1, "api-port": 1, "api-socket": 1, "api-ssl-key": 1, "api-ssl-cert": 1, "api-ssl-ca": 1,
    "api-ssl-request-cert": 0, "api-ssl-reject-unauthorized": 0, "client-ssl-key": 1, "client-ssl-cert": 1,
    "client-ssl-ca": 1, "client-ssl-request-cert": 0, "client-ssl-reject-unauthorized": 0, "default-target": 1,
    "error-target": 1, "error-path": 1, "redirect-port": 1, "redirect-to": 1, "pid-file": 1, "no-x-forward": 0,
    "no-prepend-path": 0, "no-include-prefix": 0, "auto-rewrite": 0, "change-origin": 0, "protocol-rewrite": 1,
    "custom-header": 1, "insecure": 0, "host-routing": 0, "metrics-ip": 1, "metrics-port": 1, "metrics-socket": 1,
    "log-level": 1, "timeout": 1, "proxy-timeout": 1, "storage-backend": 1, "keep-alive-timeout": 1,
}


def run(*args, **env):
    done = subprocess.run([PROGRAM, *args], capture_output=True, text=True, timeout=SOON,
                          env=dict(os.environ, **env))
    return done.returncode, done.stdout, done.stderr


def every_flag_of_chp_is_known():
    for flag, takes_value in FLAGS_OF_CHP.items():
        code, _, err = run("--" + flag, *(["--help"] if not takes_value else []))
        if takes_value:
            equal(code, 1, "--%s without a value" % flag)
            claim("needs a value" in err, "--%s: %s" % (flag, err))
        else:
            equal((code, err), (0, ""), "--" + flag)


def help_and_version():
    for flag in ("-h", "--help"):
        code, out, err = run(flag)
        equal((code, err), (0, ""), flag)
        for name in FLAGS_OF_CHP:
            if name not in ("ssl-allow-rc4", "client-ssl-request-cert", "client-ssl-reject-unauthorized", "storage-backend"):
                claim("--%s" % name in out, "%s does not tell of --%s" % (flag, name))
    for flag in ("-V", "--version"):
        code, out, _ = run(flag)
        claim(code == 0 and re.search(r"\d+\.\d+", out), flag)


def wrong_command_lines_end_with_1():
    dir = tempfile.mkdtemp(prefix="carrel-seen-")
    missing, junk = os.path.join(dir, "missing.pem"), os.path.join(dir, "junk.pem")
    with open(junk, "w") as f:
        f.write("this is no key")
    for args, why in (
            (["--prot", "80"], "did you mean --port"), (["--no-such-flag"], "--no-such-flag"), (["word"], "word"),
            (["--port", "x"], "--port"), (["--port", "70000"], "--port"), (["--timeout", "-1"], "--timeout"),
            (["--log-level", "loud"], "loud"), (["--socket", "/x", "--port", "1"], "--socket"),
            (["--error-target", "http://h", "--error-path", dir], "exclude"),
            (["--redirect-port", "80"], "--redirect-port"), (["--custom-header", "x"], "colon was expected"),
            (["--storage-backend", "module"], "--journal"), (["--host-routing=yes"], "takes no value"),
            (["--ssl-key", missing, "--ssl-cert", missing], missing), (["--ssl-key", junk, "--ssl-cert", junk], junk),
            (["--api-ssl-key", missing, "--api-ssl-cert", missing], missing),
            (["--client-ssl-ca", missing], missing), (["--ssl-protocol", "SSLv3"], "SSLv3"),
            (["--max-head-bytes", "100"], "--max-head-bytes"), (["--max-header-count", "257"], "--max-header-count"),
            (["--access-log", os.path.join(dir, "no/dir")], "--access-log"),
            (["--access-log-format", "xml"], "xml"), (["--default-target", "ftp://h"], "--default-target"),
            (["--pid-file", os.path.join(dir, "no/pid")], "pid"), (["--pid-file", ""], "--pid-file: the value is empty"),
            (["--ssl-key="], "--ssl-key: the value is empty"), (["--ip", "::1", "--port", "x"], "--port"), (["--trusted-proxy", "all"], "all")):
        full = args if "--port" in args else ["--port", "0", "--api-port", "0"] + args
        if "--socket" in args:
            full = args
        code, out, err = run(*full)
        equal(code, 1, "%r: exit code (%s)" % (args, err))
        claim(why in err and err.count("\n") <= 2, "%r says why in a line: %r" % (args, err))
    code, _, err = run("--port", "0", CONFIGPROXY_AUTH_TOKEN="", CONFIGPROXY_AUTH_TOKEN_FILE=missing)
    claim(code == 1 and "CONFIGPROXY_AUTH_TOKEN_FILE" in err, "a token file that is not there: " + err)


# ---- the log --------------------------------------------------------------------------

LINE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z (error|warn|info|debug) proxy [^\0-\x1f]+")


def log_lines_have_one_form():
    p = Proxy("--log-level", "debug", "--ssl-allow-rc4", default=plain.url)
    p.add("/a", plain.url)
    p.ask("/a")
    p.ask("/%")
    p.add("/dead", "http://127.0.0.1:1")
    p.ask("/dead?token=geheim", fields="Authorization: token geheim\r\n")
    p.api("GET", "/api/routes", token="geheim")
    p.api("GET", "/api/nothing?token=geheim")
    p.raw(b"\x1b[31mBAD\r\n\r\n")
    p.stop()
    out = p.output()
    for line in out.splitlines():
        claim(LINE.fullmatch(line), "the line %r" % line)
    for needed in ("request method=GET path=/a target=%s upgrade=0" % plain.url, "Route added /a", "api status=201 method=POST path=/api/routes/a",
                   "api status=403 method=GET path=/api/routes", "request failed status=503"):
        claim(needed in out, "%r is missing in %s" % (needed, out))
    claim("geheim" not in out, "no secrets")


def the_log_says_where_it_listens():
    p = Proxy("--api-ip", "", "--metrics-ip", "127.0.0.1", "--metrics-port", "0", "--error-path", "/no/such")
    out = p.output()
    for form in (r"Proxying http://127\.0\.0\.1:\d+ workers=2", r"REST API http://\*:\d+/api/routes",
                 r"error pages cannot be read directory=/no/such"):
        claim(re.search(form, out), "%s is missing in %s" % (form, out))
    port = int(re.search(r"Metrics http://127\.0\.0\.1:(\d+)/metrics", out).group(1))
    s = Sock(socket.create_connection(("127.0.0.1", port), SOON))
    equal(read_response(s.send(b"GET /metrics HTTP/1.1\r\nHost: h\r\n\r\n"))[0].status, 200, "the metrics")
    s.close()
    p.stop()
    p = Proxy("--api-ip", "::1")
    claim(re.search(r"REST API http://\[::1\]:\d+/", p.output()), p.output())
    p.stop()


def main():
    global plain
    report.group("proxy")
    plain = Backend(echo)
    tests = (who_holds_what, holdings_of_many_routes, metrics_say_what_is_open, every_flag_of_chp_is_known,
             help_and_version, wrong_command_lines_end_with_1, log_lines_have_one_form, the_log_says_where_it_listens)
    report.run([("seen: " + t.__name__, t) for t in tests if not sys.argv[1:] or t.__name__ in sys.argv[1:]])
    report.finish()


main()
