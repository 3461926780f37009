#!/usr/bin/python3
"""Each item of docs/security-checks.md names tests that exist."""
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
import report
from named_tests import NAMED, claim_runs, table_rows
from report import claim, equal

report.group("table")


def rows():
    body = table_rows("docs/security-checks.md", "shown by")
    numbers = [int(m.group(1)) for m in (re.match(r"\| (\d+) \|", line) for line in body) if m]
    equal(numbers, list(range(1, 17)), "items, in order")
    for line in body:
        named = NAMED.findall(line.split("|")[-2])
        claim(named, "no test stands in: %s" % line)
        for path, name in named:
            claim_runs(path, name, line)


report.run([("every item of the security check-list has its tests", rows)])
report.finish()
