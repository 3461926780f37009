"""Measurements of reverse proxies: bodies, WebSockets, TLS, HTTP/2, idle tunnels, routes, workers."""
import json
import os
import re
import subprocess
import tempfile
import threading

import measure
import report
import rivals
from measure import UPGRADE, Backend, Load, request

SMALL, LARGE = request("GET", "/"), request("GET", "/64k")
N_IDLE, N_ROUTES, N_CHANGES = 5000, 100000, 1000
BOTH = ("carrel", "chp")  # who have a REST API for routes


def with_field(measure_all, **options):
    backend = Backend()
    try:
        with rivals.Field(backend, **options) as field:
            return {what: {**cells, **field.skipped} for what, cells in measure_all(field.programs).items()}
    finally:
        backend.close()


def compare(programs, data, **options):
    def one(p):
        return measure.once(p.pid, p.port, data, tls=bool(p.tls), seconds=1, **options)
    for p in programs.values():  # pools, caches and the compiler of JavaScript get warm
        try:
            measure.once(p.pid, p.port, data, tls=bool(p.tls), operations=3000, seconds=1, warm=True, **options)
        except report.Failure:
            pass
    return measure.in_turn(programs, one)


def http(tls):
    return with_field(lambda p: {"200 bytes": compare(p, SMALL), "64 KiB": compare(p, LARGE)}, tls=tls)


def websocket(tls):
    return with_field(lambda p: {"64 bytes": compare(p, UPGRADE, websocket=64),
                                 "64 KiB": compare(p, UPGRADE, websocket=65536)}, tls=tls)


def proxy_http(out):
    out["proxy-http"] = {"plain": http(False), "TLS": http(True)}


def proxy_websocket(out):
    out["proxy-websocket"] = {"plain": websocket(False), "TLS": websocket(True)}


# ---- HTTP/2 ---------------------------------------------------------------


def h2load(p, path):
    """h2load's own connections: 8 with 8 streams each; their handshakes count too."""
    if not p.h2 or not p.speaks_h2():
        raise measure.Skip("it does not speak HTTP/2")
    with tempfile.NamedTemporaryFile(prefix="carrel-bench-") as log:
        before = measure.cpu(p.pid)
        text = rivals.output([rivals.wanted("h2load"), "-c", "8", "-m", "8", "-D", "1", "--warm-up-time", "0",
                              "--log-file", log.name, "https://127.0.0.1:%d%s" % (p.port, path)])
        used = measure.cpu(p.pid) - before
        took = sorted(int(line.split()[2]) for line in log.read().decode().splitlines())
    found = re.search(r"(\d+) done, (\d+) succeeded, (\d+) failed", text)
    report.claim(found and int(found.group(2)) > 0 and found.group(3) == "0", "h2load says " + text[-400:])
    n = int(found.group(2))
    return {"cpu_us": used / n * 1e6, "rate": n, "operations": n, "resumed": 0,
            "p50_us": took[len(took) // 2], "p99_us": took[len(took) * 99 // 100]}


def proxy_h2(out):
    out["proxy-h2"] = with_field(lambda p: {
        what: measure.in_turn(p, lambda one, path=path: h2load(one, path))
        for what, path in (("200 bytes", "/"), ("64 KiB", "/64k"))}, tls=True)


# ---- 5,000 idle tunnels ---------------------------------------------------


def idle(p):
    tls = bool(p.tls)
    measure.once(p.pid, p.port, UPGRADE, websocket=64, tls=tls, connections=16, operations=1000)
    before = measure.memory(p.pid)[1]
    crowd = Load(p.port, UPGRADE, websocket=64, tls=tls, connections=N_IDLE, operations=N_IDLE, seconds=30)
    try:
        after = measure.memory(p.pid)[1]
        busy = measure.best([measure.once(p.pid, p.port, UPGRADE, websocket=64, tls=tls, seconds=1)
                             for _ in range(measure.REPEATS)])
        done = crowd.go()
        report.claim(not done["errors"], "%d of the idle tunnels were gone" % done["errors"])
    finally:
        crowd.close()
    return {"bytes_per_tunnel": (after - before) / N_IDLE, "process_bytes": after, "cpu_us_beside": busy["cpu_us"]}


def each(programs, one):
    out = {}
    for name, p in programs.items():
        try:
            out[name] = one(p)
        except (report.Failure, measure.Skip) as e:
            out[name] = {"skipped": str(e)}
    return out


def proxy_idle(out):
    out["proxy-idle"] = {kind: with_field(lambda p: {"tunnels": each(p, idle)}, tls=kind == "TLS")["tunnels"]
                         for kind in ("plain", "TLS")}


# ---- routes ---------------------------------------------------------------


def post_routes(p, n, connections=8):
    body = json.dumps({"target": "http://127.0.0.1:%d" % p.values["backend"], "user": "######"})
    data = request("POST", "/api/routes/user/u######", ["Authorization: token " + rivals.TOKEN], body)
    return measure.once(p.pid, p.api_port, data, expect=201, operations=n, first=1000000, connections=connections,
                        seconds=120)


def routes(p):
    n = N_ROUTES if p.name == "carrel" else N_ROUTES // 10  # CHP is as slow with the first as with the last
    post_routes(p, 10)
    few = request("GET", "/user/u00000#/x")
    many = request("GET", "/user/u0#####/x")

    def look(data, among):
        return measure.best([measure.once(p.pid, p.port, data, range=among, seconds=1) for _ in range(4)][1:])
    ten = look(few, 10)
    before = measure.memory(p.pid)[1]
    added = post_routes(p, n)
    return {"routes": n, "add_cpu_s": added["cpu_us"] * N_ROUTES / 1e6, "add_rate": added["rate"],
            "lookup_10": ten, "lookup_many": look(many, n), "bytes_per_route": (measure.memory(p.pid)[1] - before) / n}


def proxy_routes(out):
    out["proxy-routes"] = with_field(lambda p: {"routes": each(p, routes)}, only=BOTH)["routes"]


def churn(p):
    """Requests on one route while another connection adds and replaces others as fast as it can."""
    post_routes(p, 10)
    data = request("GET", "/user/u00000#/x")
    quiet = measure.best([measure.once(p.pid, p.port, data, range=10, seconds=1) for _ in range(4)][1:])
    changes = {}
    load = Load(p.port, data, range=10, seconds=4)

    def change():
        changes.update(post_routes(p, N_CHANGES, connections=1))
    t = threading.Thread(target=change)
    try:
        load.start()
        t.start()
        r = load.result()
        t.join()
    finally:
        load.close()
    report.claim(changes, "no route could be changed")
    return {"quiet_p99_us": quiet["p99_us"], "p99_us": r["p99_us"], "errors": r["errors"],
            "rate": r["operations"] / r["seconds"], "changes": N_CHANGES, "change_p99_us": changes["p99_us"]}


def proxy_churn(out):
    out["proxy-churn"] = with_field(lambda p: {"churn": each(p, churn)}, only=BOTH)["churn"]


# ---- workers, handshakes --------------------------------------------------


def proxy_workers(out):
    rows = {}
    for n in (1, 2, 4):
        rows[n] = with_field(lambda p: {"http": compare(p, SMALL), "websocket": compare(p, UPGRADE, websocket=64)},
                             workers=n, only=("carrel", "nginx", "haproxy"))
    out["proxy-workers"] = rows


def proxy_handshake(out):
    """A connection, one request, the end of it: what TLS adds to a plain one is the handshake."""
    options = {"reconnect": True, "connections": 8}
    plain = with_field(lambda p: {"c": compare(p, SMALL, **options)})["c"]
    full, resumed = with_field(lambda p: {"f": compare(p, SMALL, **options),
                                          "r": compare(p, SMALL, resume=True, **options)}, tls=True).values()
    out["proxy-handshake"] = {name: {"plain": plain[name], "full": full[name], "resumed": resumed[name]}
                              for name in full}


SECTIONS = {
    "proxy-http": proxy_http,
    "proxy-websocket": proxy_websocket,
    "proxy-h2": proxy_h2,
    "proxy-idle": proxy_idle,
    "proxy-routes": proxy_routes,
    "proxy-churn": proxy_churn,
    "proxy-workers": proxy_workers,
    "proxy-handshake": proxy_handshake,
}
