"""What a running program costs: CPU and memory of all its processes, and a load on it."""
import json
import os
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
import report  # noqa: E402

BUILD = os.environ.get("CARREL_BUILD", os.path.join(report.source_dir(), "build"))
REPEATS = 3


class Skip(Exception):
    """This measurement cannot be made here; the text says why."""


def processes(pid):
    """A process and those below it."""
    found = [pid]
    for p in found:
        try:
            for task in os.listdir("/proc/%d/task" % p):
                with open("/proc/%d/task/%s/children" % (p, task)) as f:
                    found += map(int, f.read().split())
        except OSError:
            pass
    return found


def cpu(pid):
    """Seconds of CPU, user and system, of all threads of all these processes."""
    total = 0
    for p in processes(pid):
        try:
            for task in os.listdir("/proc/%d/task" % p):
                with open("/proc/%d/task/%s/schedstat" % (p, task)) as f:
                    total += int(f.read().split()[0])
        except OSError:
            pass
    return total / 1e9


def memory(pid):
    """(resident, proportional) bytes: the second counts what is shared once."""
    rss = pss = 0
    for p in processes(pid):
        try:
            with open("/proc/%d/smaps_rollup" % p) as f:
                for line in f:
                    word, *rest = line.split()
                    rss += int(rest[0]) * 1024 if word == "Rss:" else 0
                    pss += int(rest[0]) * 1024 if word == "Pss:" else 0
        except OSError:
            pass
    return rss, pss


def request(method, path, headers=(), body=None, host="bench.example"):
    """The bytes of one; each # becomes a digit (load.c)."""
    lines = ["%s %s HTTP/1.1" % (method, path), "Host: " + host, *headers]
    data = (body or "").encode()
    if body is not None:
        lines.append("Content-Length: %d" % len(data))
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + data


UPGRADE = request("GET", "/ws", ["Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13",
                                 "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="])


class Load:
    """tests/bench/load.c: connections that are open and wait for go()."""

    def __init__(self, port, data, **options):
        self.file = tempfile.NamedTemporaryFile(prefix="carrel-bench-")
        self.file.write(data)
        self.file.flush()
        argv = [BUILD + "/bench/load", "--port", str(port), "--request", self.file.name]
        for name, value in options.items():
            if value is True:
                argv.append("--" + name)
            elif value:
                argv += ["--" + name, str(value)]
        self.process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, text=True)
        if self.process.stdout.readline() != "open\n":
            raise report.Failure(self.process.stderr.read().strip())

    def start(self):
        self.process.stdin.write("go\n")
        self.process.stdin.flush()

    def result(self):
        line = self.process.stdout.readline()
        if not line:
            raise report.Failure(self.process.stderr.read().strip())
        return json.loads(line)

    def go(self):
        self.start()
        return self.result()

    def close(self):
        self.process.stdin.close()
        self.process.wait(30)
        self.process.stdout.close()
        self.process.stderr.close()
        self.file.close()


class Backend:
    """tests/bench/backend.c."""

    def __init__(self):
        self.process = subprocess.Popen([BUILD + "/bench/backend"], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)
        self.port = int(self.process.stdout.readline())
        self.url = "http://127.0.0.1:%d" % self.port

    def close(self):
        self.process.stdin.close()
        self.process.wait(10)
        self.process.stdout.close()


def once(pid, port, data, warm=False, **options):
    """One bounded load; CPU counts from when all connections are open."""
    load = Load(port, data, **options)
    try:
        before = cpu(pid)
        r = load.go()
        used = cpu(pid) - before
    finally:
        load.close()
    if not warm and r["errors"]:
        raise report.Failure("%d errors, the first: %s" % (r["errors"], r["wrong"]))
    n = max(1, r["operations"])
    return {"cpu_us": used / n * 1e6, "rate": n / r["seconds"], "p50_us": r["p50_us"], "p99_us": r["p99_us"],
            "operations": n, "resumed": r["resumed"]}


def best(samples):
    """Of several runs: the least CPU, the highest rate, the least p99. Others' work on the machine only adds."""
    return {"cpu_us": min(s["cpu_us"] for s in samples), "cpu_us_max": max(s["cpu_us"] for s in samples),
            "rate": max(s["rate"] for s in samples), "p50_us": min(s["p50_us"] for s in samples),
            "p99_us": min(s["p99_us"] for s in samples), "operations": sum(s["operations"] for s in samples)}


def in_turn(programs, measure, repeats=REPEATS):
    """measure(program) for each in turn, again and again, so that a noisy minute hits all; {name: best}."""
    seen, failed = {}, {}
    for _ in range(repeats):
        for name, program in programs.items():
            if name in failed:
                continue
            try:
                seen.setdefault(name, []).append(measure(program))
            except (report.Failure, Skip, OSError) as e:
                failed[name] = str(e)
    return {**{n: best(s) for n, s in seen.items() if n not in failed},
            **{n: {"skipped": why} for n, why in failed.items()}}
