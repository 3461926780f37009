#!/usr/bin/python3
"""Each difference that docs/differences.md claims is shown by a test that exists."""
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
import report
from named_tests import claim_runs, table_rows
from report import claim

report.group("table")
ROW = re.compile(r"\| `(tests/[^`]+)` (\w+) \|$")


def rows():
    body = table_rows("docs/differences.md", "shown by")
    claim(len(body) > 25, "docs/differences.md has %d rows" % len(body))
    for line in body:
        m = ROW.search(line)
        claim(m, "no test stands in: %s" % line)
        claim_runs(*m.groups(), line)


report.run([("every difference has its test", rows)])
report.finish()
