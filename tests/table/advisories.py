#!/usr/bin/python3
"""docs/advisories.md: every test that it names is there and bears the advisory's name; no test of an advisory is left out."""
import glob
import os
import re
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "../lib"), os.path.join(HERE, "../guards")]
import report
import rows
from report import claim, equal, source_dir

ID = re.compile(r"CVE-\d{4}-\d{4,}|GHSA(?:-\w{4}){3}|WS-\d{4}-\d{4}", re.I)
report.group("table")


def text(path):
    with open(os.path.join(source_dir(), path)) as f:
        return f.read()


def table():
    for line in text("docs/advisories.md").splitlines():
        cells = [c.strip() for c in line.strip("|").split(" | ")]
        if len(cells) == 4 and ID.match(cells[0].strip("| ")):
            yield ID.findall(cells[0]), cells[2], cells[3].strip(" |")


def bears(source, advisory):
    """CVE-2020-1234 in the name of a story or a comment, cve_2020_1234 in that of a function."""
    return advisory.lower() in source.lower() or advisory.lower().replace("-", "_") in source


def tests_are_there():
    found = 0
    for ids, _, cell in table():
        tests = re.findall(r"`([^`]+)` ([^;`]+)", cell)
        claim(tests, "%s has no test" % ids)
        for path, name in tests:
            claim(rows.is_told(path, rows.title_of(path, name.strip())), "%s: no test %r" % (path, name))
            found += 1
        for advisory in ids:
            claim(any(bears(text(path), advisory) for path, _ in tests), "no test of %s is named after it" % advisory)
    claim(found >= 40, "only %d tests were read" % found)


def none_is_left_out():
    known = {advisory.lower() for ids, _, _ in table() for advisory in ids}
    for path in glob.glob(source_dir() + "/tests/unit/*/test_*.c"):
        with open(path) as f:
            for name in re.findall(r"\btest_((?:cve_\d+_\d+)|(?:ghsa(?:_\w{4}){3}))", f.read()):
                claim(name.replace("_", "-") in known, "%s: %s is not in docs/advisories.md" % (path, name))


def rows_are_whole():
    seen = [advisory for ids, _, _ in table() for advisory in ids]
    equal(sorted(seen), sorted(set(seen)), "advisories, each once")
    for ids, guard, _ in table():
        claim(len(guard) > 20, "%s has no guard" % ids)
        for path in re.findall(r"`((?:auth|base|db|hub|proxy|spawner)/[\w./]*)`", guard):
            claim(os.path.exists(os.path.join(source_dir(), path)), "%s: %s is not there" % (ids, path))


report.run([("each advisory has its test, by name", tests_are_there), ("no test of an advisory is left out", none_is_left_out),
            ("each row names its guard", rows_are_whole)])
report.finish()
