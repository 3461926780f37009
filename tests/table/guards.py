#!/usr/bin/python3
"""tests/guards/guards.txt fits the tree: each guard stands once where its row says, and whatever the advisories, the
security check-list and the stricter points name as their test is the test of a row for them."""
import os
import re
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "../lib"), os.path.join(HERE, "../guards")]
import report
import rows
from named_tests import read, table_rows
from report import claim, equal

report.group("table")
ROWS = rows.read()
TEST = re.compile(r"`(tests/[^`]+)` ([^`|]+?)(?=[;,] `| \||$)")
ISSUE = ("forged ID tokens", "unsigned ID tokens", "alg confusion", "wrong audience", "replayed code", "replayed nonce",
         "state of another browser", "open redirects", "unverified e-mail", "group claim spoofing",
         "header from an unlisted address", "one contract suite")


def same_test(path, name):
    return path, rows.title_of(path, name.strip())


def guarded():
    """{key: the tests of its rows}."""
    tests = {}
    for row in ROWS:
        for key in row.keys:
            tests.setdefault(key, set()).update(same_test(*test) for test in row.tests)
    return tests


def guards_stand_once():
    for row in ROWS:
        try:
            row.changed(report.source_dir())
        except (rows.Stale, OSError) as problem:
            raise report.Failure("guards.txt:%d: %s: %s" % (row.line, row.name, problem)) from problem


def tests_are_there():
    names = [row.name for row in ROWS]
    equal(sorted(set(names)), sorted(names), "names, each once")
    for row in ROWS:
        for path, name in row.tests:
            title = rows.title_of(path, name)
            claim(rows.is_told(path, title), "guards.txt:%d: %s has no test %r" % (row.line, path, name))


def listed():
    """(keys, the guard, the tests) of each advisory and each item of the check-list."""
    for line in table_rows("docs/advisories.md", "test"):
        cells = line.split(" | ")
        yield re.findall(r"(?:CVE|GHSA|WS)-[\w-]+", cells[0]), cells[2], TEST.findall(cells[3])
    for line in table_rows("docs/security-checks.md", "shown by"):
        cells = line.split(" | ")
        if cells[0] != "| ":
            yield ["check " + cells[0].strip("| ")], cells[2], TEST.findall(cells[3])


def asked_for():
    """(key, test) of everything that the documents claim to be shown."""
    for keys, _, tests in listed():
        for key in keys:
            for test in tests:
                yield key, test
    stricter = read("docs/differences.md").split("## Stricter")[1].split("\n## ")[0]
    for path, name in re.findall(r"\| `(tests/[^`]+)` (\w+) \|$", stricter, re.M):
        yield "stricter " + name, (path, name)


def each_claim_has_a_guard():
    tests, keys = guarded(), {"issue: " + words for words in ISSUE}
    for key, test in asked_for():
        keys.add(key)
        claim(same_test(*test) in tests.get(key, ()), "no guard for %r has the test %s %s" % (key, *test))
    claim(len(keys) > 80, "only %d keys were read" % len(keys))
    equal(sorted(set(tests) - keys), [], "what no document claims")
    equal(sorted("issue: " + words for words in ISSUE if "issue: " + words not in tests), [], "without a guard")


def documents_name_the_place():
    for keys, guard, _ in listed():
        named = set(re.findall(r"`((?:auth|base|db|hub|proxy|spawner)/[\w./]+)`", guard))
        for key in keys:
            places = {path for row in ROWS if key in row.keys for path in row.files()}
            claim(named & places, "%s is kept out in %s, not in %s" % (key, sorted(places), guard))


report.run([("each guard stands once where its row says", guards_stand_once),
            ("each row's tests are there", tests_are_there),
            ("each claim of a document has its guard", each_claim_has_a_guard),
            ("documents name the place of their guard", documents_name_the_place)])
report.finish()
