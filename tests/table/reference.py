#!/usr/bin/python3
"""hub/reference.def: each place that it names is there, each option stands once, and none is without a word."""
import collections
import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
import report
from report import bin_dir, claim, equal, source_dir

report.group("table")
with open(source_dir() + "/hub/reference.def") as f:
    ROWS = re.findall(r'^REFERENCE\("([^"]*)", "([^"]*)", "([^"]*)", "([^"]*)"\)$', f.read(), re.M)


def output(program, *args):
    r = subprocess.run([os.path.join(bin_dir(), program), *args], stdout=subprocess.PIPE, text=True, timeout=30)
    equal(r.returncode, 0, "%s %s" % (program, " ".join(args)))
    return r.stdout


def places():
    options = set(re.findall(r"^\| `([\w.]+)`", output("carrel-hub", "--print-config-manual"), re.M))
    with open(source_dir() + "/spawner/policy.def") as f:
        policy = dict.fromkeys(("profile." if kind == "PROFILE" else "") + path for kind, path in re.findall(
            r'^(OPT|PROFILE)\(\w+, "([\w.]+)"', f.read(), re.M))
    flags = {name: output(*argv) for name, argv in (
        ("proxy", ("carrel-proxy", "--help")), ("hub", ("carrel-hub", "--help")), ("up", ("carrel", "up", "--help")))}
    for _, option, where, _ in ROWS:
        for place in where.split(",") if where else ():
            kind, _, path = place.partition(":")
            known = {"carrel": path in options, "spawner": path in policy}.get(kind)
            if known is None:
                known = re.search(re.escape(path) + r"\b", flags[kind]) is not None
            claim(known, "%s is said to be %s, which is not there" % (option, place))


def rows():
    with open(source_dir() + "/hub/reference.def") as f:
        equal(len(re.findall(r"^REFERENCE", f.read(), re.M)), len(ROWS), "rows that can be read")
    names = collections.Counter((c, o) for c, options, _, _ in ROWS for o in options.split(", "))
    equal([n for n, count in names.items() if count > 1], [], "options that stand there twice")
    equal([o for _, o, where, note in ROWS if not where and not note], [], "options without a word")
    claim(len(names) > 150, "there are %d options" % len(names))


report.run([("places of JupyterHub's options", places), ("every option of JupyterHub once", rows)])
report.finish()
