#!/usr/bin/python3
"""Takes each guard of guards.txt away in turn and demands that its test fails.

    make guards                 every row
    make guards ONLY=next       rows whose name, file, key or test has "next"

In a scratch copy of the tree, built already, so that one row costs the
compilation of what it changes. A test has to pass with the guard and to fail
without it; in a program of stories it has to be the first that fails, because
the others may go on from where it ended. A test that cannot be built or that
was skipped shows nothing.
"""
import argparse
import collections
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..")]
import rows
import run

BUILD_S, TEST_S = 900, 600
LEFT_OUT = shutil.ignore_patterns(".git", "build-*", "__pycache__", "node_modules")
NOT_FOR_MAKE = ("MAKEFLAGS", "MFLAGS", "MAKELEVEL", "CI", "SAN")


class Unshown(Exception):
    """The row shows nothing, or that its test does not look; the text says why."""


class Skipped(Exception):
    pass


def is_unit(path):
    return path.endswith(".c")


def program_of(path):
    """What runs the test: for unit tests, what is built from the file."""
    return "build/test/" + path[len("tests/unit/"):-len(".c")] if is_unit(path) else path


class Tree:
    """The scratch copy: its `make`, its tests, and what was changed in it."""

    def __init__(self, source):
        self.dir = tempfile.mkdtemp(prefix="carrel-guards-")
        self.root = os.path.join(self.dir, "tree")
        shutil.copytree(source, self.root, symlinks=True, ignore=LEFT_OUT)
        for packages in ("idp", "chp"):  # from npm; large, and only read
            there = os.path.join(source, "build", packages, "node_modules")
            if os.path.isdir(there):
                os.symlink(there, os.path.join(self.root, "build", packages, "node_modules"))
        os.chmod(self.dir, 0o755)  # servers of other accounts are started from it
        self.original = {}
        self.seen = {}  # results of programs with all guards in place

    def remove(self):
        shutil.rmtree(self.dir, ignore_errors=True)

    def change(self, texts):
        for path, text in texts.items():
            with open(os.path.join(self.root, path), encoding="utf-8") as f:
                self.original[path] = f.read()
            self.write(path, text)

    def restore(self):
        while self.original:
            self.write(*self.original.popitem())

    def write(self, path, text):
        with open(os.path.join(self.root, path), "w", encoding="utf-8") as f:
            f.write(text)

    def build(self, tests):
        targets = sorted({program_of(path) if is_unit(path) else "all" for path, _ in tests})
        env = {name: value for name, value in os.environ.items() if name not in NOT_FOR_MAKE}
        try:
            made = subprocess.run(["make", "-j%d" % os.cpu_count(), *targets], cwd=self.root, env=env, text=True,
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=BUILD_S, check=False)
        except subprocess.TimeoutExpired as slow:
            raise Unshown("it was not built within %d s" % BUILD_S) from slow
        if made.returncode != 0:
            raise Unshown("it cannot be built:\n" + made.stdout[-2000:])

    def results(self, path, name):
        """What the program of the test says; of a unit test it alone is run."""
        found = []
        options = argparse.Namespace(timeout=TEST_S)
        program = os.path.join(self.root, program_of(path))
        with environment(CARREL_BIN=None, CARREL_BUILD=os.path.join(self.root, "build"),
                         TEST_FILTER=name if is_unit(path) else None):
            (run.run_unit if is_unit(path) else run.run_script)(program, options, found.append)
        return found


class environment:
    def __init__(self, **values):
        self.values, self.before = values, dict(os.environ)

    def __enter__(self):
        for name, value in self.values.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value

    def __exit__(self, *_):
        os.environ.clear()
        os.environ.update(self.before)


def result_of(results, name):
    """Of a test that runs for several plugs, the one that failed."""
    named = [result for result in results if result.name == name]
    if named:
        return next((result for result in named if result.status == "not ok"), named[0])
    for result in results:  # a program that says why it runs nothing
        if result.status == "skip":
            raise Skipped(result.reason)
    said = "; ".join("%s: %s" % (r.name, r.reason) for r in results if r.status != "ok") or "nothing"
    raise Unshown("no result of this name was printed, but %s" % said[:1000])


def demand_pass(tree, path, name):
    """With its guard in place."""
    key = (path, name if is_unit(path) else "")
    if key not in tree.seen:
        tree.build([(path, name)])
        tree.seen[key] = tree.results(path, name)
    result = result_of(tree.seen[key], name)
    if result.status == "skip":
        raise Skipped(result.reason)
    if result.status != "ok":
        raise Unshown("%s fails with its guard, too: %s" % (name, result.reason))


def demand_failure(tree, path, name, also):
    """Without it. How it failed."""
    results = tree.results(path, name)
    result = result_of(results, name)
    if result.status != "not ok":
        raise Unshown("%s does not fail without it" % name)
    first = next(r for r in results if r.status == "not ok" and r.name not in also)
    if first is not result:
        raise Unshown("%s fails before %s: %s" % (first.name, name, first.reason))
    said = [line[len("ERROR: "):] for line in result.output if line.startswith("ERROR: ")]  # of fail_msg
    return said[0] if said else result.reason


def show(tree, row):
    """Raises if one of its tests does not fail without the guard."""
    tests = [(path, rows.title_of(path, name)) for path, name in row.tests]
    changed = row.changed(tree.root)
    for path, name in tests:
        demand_pass(tree, path, name)
    try:
        tree.change(changed)
        tree.build(tests)
        return [demand_failure(tree, path, name, [rows.title_of(path, one) for one in row.also]) for path, name in tests]
    finally:
        tree.restore()


def is_meant(row, only):
    texts = [row.name, *row.files(), *row.keys] + ["%s %s" % test for test in row.tests]
    return any(only.lower() in text.lower() for text in texts)


def run_row(tree, row):
    began = time.monotonic()
    try:
        reasons = show(tree, row)
    except (Unshown, rows.Stale) as problem:
        print("FAIL %s: %s" % (row.name, problem), flush=True)
        return "failed"
    except Skipped as skipped:
        print("skip %s: %s" % (row.name, skipped), flush=True)
        return "skipped"
    said = "; ".join(re.sub(r"\s+", " ", reason)[:100] for reason in reasons)
    print("ok %s (%d s): %s" % (row.name, time.monotonic() - began, said), flush=True)
    return "passed"


def main():
    parser = argparse.ArgumentParser(description="Takes guards away and looks whether tests notice.")
    parser.add_argument("--only", default="", help="rows in whose name, file, key or test this stands")
    only = parser.parse_args().only
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # the copy goes, too
    counts = collections.Counter()
    chosen = [row for row in rows.read() if is_meant(row, only)]
    tree = Tree(os.path.abspath(os.path.join(HERE, "../..")))
    try:
        for row in chosen:
            counts[run_row(tree, row)] += 1
    finally:
        tree.remove()
    print("%(passed)d passed, %(failed)d failed, %(skipped)d skipped" % collections.defaultdict(int, counts))
    sys.exit(1 if counts["failed"] or not chosen else 0)


if __name__ == "__main__":
    main()
