"""Tests that documents name: `tests/scenario/x.py` name."""
import os
import re

import report
from report import claim

NAMED = re.compile(r"`(tests/[^`]+)` (\w+)")


def read(path):
    with open(os.path.join(report.source_dir(), path), encoding="utf-8") as f:
        return f.read()


def table_rows(path, last_column):
    """The rows of a document's table, without its heads."""
    lines = [line for line in read(path).splitlines() if line.startswith("| ")]
    return [line for line in lines if not line.endswith("| %s |" % last_column)]


def claim_runs(path, name, line):
    """Defined, and run: named once more than it is defined."""
    text = read(path)
    defined = re.search(r"^(?:def|static void) %s\(" % name, text, re.M)
    claim(defined and len(re.findall(r"\b%s\b" % name, text)) > 1,
          "%s has no test %s that runs: %s" % (path, name, line))
