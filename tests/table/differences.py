#!/usr/bin/python3
"""Each difference that docs/differences.md claims is shown by a test that exists."""
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
import report
from report import claim

report.group("table")
ROW = re.compile(r"\| `(tests/[^`]+)` (\w+) \|$")


def read(path):
    with open(os.path.join(report.source_dir(), path), encoding="utf-8") as f:
        return f.read()


def is_there(text, path, name):
    """Defined, and run: named once more than it is defined."""
    found = re.findall(r"\b%s\b" % name, text)
    defined = re.search(r"^(?:def|static void) %s\(" % name, text, re.M)
    return defined and len(found) > 1


def rows():
    table = [line for line in read("docs/differences.md").splitlines() if line.startswith("| ")]
    body = [line for line in table if not line.endswith("| shown by |")]
    claim(len(body) > 25, "docs/differences.md has %d rows" % len(body))
    for line in body:
        m = ROW.search(line)
        claim(m, "no test stands in: %s" % line)
        claim(is_there(read(m.group(1)), *m.groups()), "%s has no test %s that runs: %s" % (m.groups() + (line,)))


report.run([("every difference has its test", rows)])
report.finish()
