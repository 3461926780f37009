#!/usr/bin/python3
"""Runs test programs, prints one line a test and last the counts.

    ok GROUP NAME
    FAIL GROUP NAME: reason       (then what the test printed, indented)
    skip GROUP NAME: reason
    ...
    N passed, N failed, N skipped

Three kinds of programs, told apart by their path:
  build*/test/ROOM/test_X   cmocka; the group is ROOM/X
  build*/fuzz_X             libFuzzer; the group is fuzz, seeds are in
                            tests/fuzz/seeds/X
  anything else             a script or program that prints "ok NAME",
                            "not ok NAME: reason", "skip NAME: reason"; a line
                            "group: NAME..." names the groups of what follows

A directory stands for the executable files in it. A line "timeout: SECONDS" in
the first lines of a script changes its time limit. A program that dies, runs no
test, or fails without saying which test did is a failure of its own.
"""
import argparse
import collections
import concurrent.futures
import os
import re
import signal
import subprocess
import sys
import tempfile
import time

OUTPUT_LINES = 300
RESULT = re.compile(r"(ok|not ok|skip) (?:\d+ (?:- )?)?(.*)")
# cmocka cuts a long message, its end of line included.
CUT = re.compile(r"(.+?)((?:not ok|ok) \d+ - \w+)")
SHOWN = {"ok": "ok", "not ok": "FAIL", "skip": "skip"}


class Result:
    def __init__(self, group, name, status, reason="", output=()):
        self.group, self.name, self.status = group, name, status
        self.reason, self.output = reason, list(output)

    def show(self):
        reason = f": {self.reason}" if self.reason else ""
        print(f"{SHOWN[self.status]} {self.group} {self.name}{reason}")
        if self.status == "not ok":
            for line in self.output:
                print(f"    {line}")
        sys.stdout.flush()


class Parser:
    """Lines of a program in, results out (by calling `report`)."""

    def __init__(self, group, is_cmocka, report):
        self.group, self.is_cmocka, self.report = group, is_cmocka, report
        self.output = collections.deque(maxlen=OUTPUT_LINES)
        self.pending = None  # cmocka says after "not ok" why
        self.planned = None
        self.n_results = self.n_failed = 0

    def feed(self, line):
        plan = re.fullmatch(r"1\.\.(\d+)", line)
        match = RESULT.fullmatch(line)
        cut = self.is_cmocka and not match and CUT.fullmatch(line)
        if cut:
            self.feed(cut.group(1))
            self.feed(cut.group(2))
        elif line.startswith("group: "):
            self.group = line[len("group: "):].strip()
        elif plan:
            # A suite that runs against several plugs has a plan for each.
            self.planned = (self.planned or 0) + int(plan.group(1))
        elif match:
            self.flush()
            self.result(match.group(1), match.group(2))
        elif self.pending and line.startswith("# "):
            self.pending.reason = self.pending.reason or line[2:]
            self.pending.output.append(line)
        else:
            self.flush()
            self.output.append(line)

    def result(self, status, text):
        name, _, reason = text.partition(": ")
        if text.startswith("# SKIP "):
            status, name = "skip", text[len("# SKIP "):]
            reason = self.output[-1] if self.output else "no reason given"
        elif self.is_cmocka and status == "not ok":
            name, _, reason = text.partition(" ")
        output = list(self.output)
        self.output.clear()
        self.n_results += 1
        self.n_failed += status == "not ok"
        result = Result(self.group, name, status, reason, output)
        if status == "not ok":
            self.pending = result
        else:
            self.report(result)

    def flush(self):
        if self.pending:
            result, self.pending = self.pending, None
            self.report(result)

    def finish(self, name, problem):
        self.flush()
        if not problem and self.n_results == 0:
            problem = "no test ran"
        if not problem and self.planned not in (None, self.n_results):
            problem = f"{self.n_results} of {self.planned} tests ran"
        if problem:
            self.report(Result(self.group, name, "not ok", problem,
                               self.output))


def how_it_ended(returncode, parser):
    """Why a program failed that no result line tells; "" if all is well."""
    if returncode < 0:
        return f"killed by {signal.Signals(-returncode).name}"
    if returncode > 0 and parser.n_failed == 0:
        return f"it ended with status {returncode}"
    return ""


def kill_group(process, signo):
    try:
        os.killpg(process.pid, signo)
    except ProcessLookupError:
        pass


def follow(process, output, feed, limit_s):
    """Feed lines as they come. True if the program ended in time."""
    deadline = time.monotonic() + limit_s
    rest = b""
    while True:
        is_over = process.poll() is not None
        chunk = output.read()
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            feed(line.decode("utf-8", "replace").rstrip("\r"))
        if is_over and not chunk:
            if rest:
                feed(rest.decode("utf-8", "replace"))
            return True
        if time.monotonic() > deadline:
            return False
        if not chunk:
            time.sleep(0.02)


def end_group(process, output, feed):
    """It may have servers to end: SIGTERM first."""
    kill_group(process, signal.SIGTERM)
    follow(process, output, feed, 10)


def run_command(command, name, limit_s, parser, env):
    with tempfile.TemporaryFile() as to, \
            open(f"/proc/self/fd/{to.fileno()}", "rb", buffering=0) as output:
        try:
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=to, stderr=to,
                env=env, start_new_session=True)
        except OSError as error:
            parser.finish(name, f"it cannot be started: {error.strerror}")
            return
        problem = f"no end after {limit_s} s, killed"
        try:
            if follow(process, output, parser.feed, limit_s):
                problem = how_it_ended(process.returncode, parser)
            else:
                end_group(process, output, parser.feed)
        finally:
            kill_group(process, signal.SIGKILL)
        process.wait()
        parser.finish(name, problem)


def kind_of(path):
    name = os.path.basename(path)
    if name.startswith("fuzz_") and not name.endswith(".py"):
        return "fuzz"
    if re.search(r"(^|/)test/", os.path.dirname(path) + "/") and \
            name.startswith("test_") and not name.endswith(".py"):
        return "unit"
    return "script"


def own_limit(path, default):
    try:
        with open(path, "rb") as file:
            head = file.read(4096).decode("utf-8", "replace")
    except OSError:
        return default
    match = re.search(r"^\W*timeout: (\d+)$", head, re.M)
    return int(match.group(1)) if match else default


def run_unit(path, options, report):
    room = path.split("/test/")[-1]
    group = os.path.join(os.path.dirname(room),
                         os.path.basename(room)[len("test_"):])
    env = dict(os.environ, CMOCKA_MESSAGE_OUTPUT="TAP")
    parser = Parser(group, True, report)
    run_command([os.path.abspath(path)], os.path.basename(path),
                options.timeout, parser, env)


def run_script(path, options, report):
    name = os.path.basename(path)
    group = os.path.basename(os.path.dirname(os.path.abspath(path)))
    run_command([os.path.abspath(path)], name, own_limit(path, options.timeout),
                Parser(group, False, report), None)


class FuzzParser:
    """The same face as Parser: one result, at the end."""

    def __init__(self, name, report):
        self.name, self.report = name, report
        self.output = collections.deque(maxlen=OUTPUT_LINES)
        self.found = ""
        self.n_failed = 0

    def feed(self, line):
        self.output.append(line)
        match = re.search(r"Test unit written to (\S+)", line)
        if match:
            self.found = f" (the input: {match.group(1)})"

    def finish(self, _, problem):
        status = "not ok" if problem else "ok"
        self.report(Result("fuzz", self.name, status,
                           problem and problem + self.found, self.output))


def run_fuzz(path, options, report):
    name = os.path.basename(path)[len("fuzz_"):]
    folder = os.path.dirname(os.path.abspath(path))
    seeds = os.path.join(os.path.dirname(os.path.abspath(__file__)),
                         "fuzz", "seeds", name)
    with tempfile.TemporaryDirectory() as scratch:
        corpus, limit_s = scratch, options.fuzz_seconds + 300
        if options.fuzz_seconds or options.fuzz_long:
            corpus = os.path.join(folder, "corpus", name)
            os.makedirs(corpus, exist_ok=True)
        if options.fuzz_long:
            limit_s = 300 + options.fuzz_long // 500
            bounds = [f"-runs={options.fuzz_long}"]
        elif options.fuzz_seconds:
            bounds = [f"-max_total_time={options.fuzz_seconds}"]
        else:
            bounds = [f"-runs={options.fuzz_runs}", "-seed=1",
                      "-max_total_time=120"]
        command = [os.path.abspath(path), *bounds, "-timeout=10",
                   "-rss_limit_mb=2048", "-print_final_stats=1",
                   f"-artifact_prefix={folder}/found-{name}-", corpus]
        if os.path.isdir(seeds):
            command.append(seeds)
        run_command(command, name, limit_s, FuzzParser(name, report), None)


def expand(paths, only):
    """Directories to the programs in them; only those that match."""
    programs = []
    for path in paths:
        inside = [path]
        if os.path.isdir(path):
            inside = sorted(entry.path for entry in os.scandir(path)
                            if entry.is_file() and
                            os.access(entry.path, os.X_OK))
        programs += [p for p in inside if not only or only in p]
    return programs


def require(result, required):
    """A skip in a required group is a failure."""
    if result.status == "skip" and required & set(result.group.split()):
        result.status = "not ok"
        result.reason = f"skipped, but here it must run: {result.reason}"
    return result


def parse_arguments():
    parser = argparse.ArgumentParser(description="Runs test programs.")
    parser.add_argument("programs", nargs="*", metavar="PROGRAM|DIRECTORY")
    parser.add_argument("--only", metavar="TEXT",
                        help="only programs whose path contains it")
    parser.add_argument("--require", default="", metavar="GROUP,...",
                        help="groups in which a skip is a failure")
    parser.add_argument("--jobs", type=int, default=1,
                        help="unit and fuzz programs at a time")
    parser.add_argument("--timeout", type=int, default=300, metavar="SECONDS")
    parser.add_argument("--fuzz-runs", type=int, default=10000, metavar="N")
    parser.add_argument("--fuzz-seconds", type=int, default=0,
                        help="fuzz for this long and keep the corpus")
    parser.add_argument("--fuzz-long", type=int, default=0, metavar="N",
                        help="fuzz N times and keep the corpus")
    return parser.parse_args()


def run_all(programs, options, report):
    runners = {"unit": run_unit, "fuzz": run_fuzz, "script": run_script}

    def run_collected(path):
        results = []
        runners[kind_of(path)](path, options, results.append)
        return results

    quick = [p for p in programs if kind_of(p) != "script"]
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        for results in pool.map(run_collected, quick):
            for result in results:
                report(result)
    for path in programs:
        if kind_of(path) == "script":
            run_script(path, options, report)


def main():
    options = parse_arguments()
    required = {group for group in options.require.split(",") if group}
    counts = collections.Counter()
    groups = set()

    def report(result):
        result = require(result, required)
        counts[result.status] += 1
        groups.update(result.group.split())
        result.show()

    run_all(expand(options.programs, options.only), options, report)
    for group in sorted(required - groups):
        if not options.only:
            report(Result(group, "-", "not ok",
                          "no test of this group was found"))
    if not counts:
        report(Result("run", "-", "not ok", "no test was found"))
    print(f"{counts['ok']} passed, {counts['not ok']} failed, "
          f"{counts['skip']} skipped")
    sys.exit(1 if counts["not ok"] else 0)


if __name__ == "__main__":
    main()
