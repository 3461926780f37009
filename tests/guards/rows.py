"""Reads guards.txt: which text is a guard, and which test fails without it.

    guard: NAME
    for: KEY, KEY...             what it keeps out: an advisory; "check 7", an
                                 item of docs/security-checks.md; "stricter
                                 NAME", the point of docs/differences.md that
                                 the test NAME shows; "issue: WORDS", anything
                                 else that was asked for
    test: PROGRAM NAME           fails without it; several: each of them
    also: NAME                   a story before it that fails for the same reason
    file: PATH
    - the guard; several lines are one text
    + what stands there without it; several lines, or none
    file: PATH                   further places, when one of them is enough
    ...

Blanks and line ends in a guard's text stand for any blanks, so that formatting
the source changes nothing. The text has to stand exactly once in its file.
"""
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
import report

TABLE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "guards.txt")


class Stale(Exception):
    """The table does not fit the tree; the text says where."""


class Edit:
    def __init__(self, path):
        self.path, self.old, self.new = path, [], []

    def apply(self, text):
        """`text` without the guard."""
        words = " ".join(self.old).split()
        pattern = re.compile(r"\s+".join(map(re.escape, words)))
        found = list(pattern.finditer(text))
        if not words or len(found) != 1:
            raise Stale("%s: %r stands there %d times, not once" % (self.path, " ".join(words), len(found)))
        match, new = found[0], "\n".join(self.new)
        if new.split() == words:
            raise Stale("%s: %r is replaced by itself" % (self.path, " ".join(words)))
        return text[:match.start()] + new + text[match.end():]


class Row:
    def __init__(self, name, line):
        self.name, self.line = name, line
        self.keys, self.tests, self.also, self.edits = [], [], [], []

    def files(self):
        return sorted({edit.path for edit in self.edits})

    def changed(self, root):
        """{path: text without the guard}."""
        texts = {}
        for edit in self.edits:
            if edit.path not in texts:
                with open(os.path.join(root, edit.path), encoding="utf-8") as f:
                    texts[edit.path] = f.read()
            texts[edit.path] = edit.apply(texts[edit.path])
        return texts


def _take(row, word, rest, where):
    if word == "for" and not row.keys:
        row.keys = [key.strip() for key in rest.split(",")]
    elif word == "test":
        path, _, name = rest.partition(" ")
        row.tests.append((path, name.strip()))
    elif word == "also":
        row.also.append(rest)
    elif word == "file":
        row.edits.append(Edit(rest))
    else:
        raise Stale("%s: %r does not belong here" % (where, word))


def _check(row):
    if not (row.keys and row.tests and row.edits):
        raise Stale("guards.txt:%d: %s lacks what it is for, a test or a guard" % (row.line, row.name))
    for edit in row.edits:
        if not edit.old:
            raise Stale("guards.txt:%d: %s: no guard is named in %s" % (row.line, row.name, edit.path))


def read(path=TABLE):
    rows, row = [], None
    with open(path, encoding="utf-8") as f:
        lines = f.read().splitlines()
    for number, line in enumerate(lines, 1):
        where = "guards.txt:%d" % number
        word, _, rest = line.partition(":")
        if not line.strip() or line.startswith("#"):
            continue
        if word == "guard":
            row = Row(rest.strip(), number)
            rows.append(row)
        elif row is None:
            raise Stale("%s: no row has begun" % where)
        elif line[:2] in ("- ", "+ ", "+"):
            if not row.edits:
                raise Stale("%s: no file was named" % where)
            (row.edits[-1].old if line[0] == "-" else row.edits[-1].new).append(line[2:])
        else:
            _take(row, word, rest.strip(), where)
    for row in rows:
        _check(row)
    return rows


def title_of(path, name):
    """What a test's program prints: the title of a story that is named by its function (of test_like_this it is "like
    this"), or without the remark in parentheses at its end."""
    if not path.endswith(".py"):
        return name
    with open(os.path.join(report.source_dir(), path), encoding="utf-8") as f:
        text = f.read()
    if re.fullmatch(r"\w+", name):
        match = re.search(r'\("((?:[^"\\]|\\.)+)",\s*%s\)' % name, text)
    else:
        match = re.search(r'"(%s(?: \([^"]*\))?)"' % re.escape(name), text)
    if match:
        return match.group(1)
    return name.replace("test_", "", 1).replace("_", " ") if name.startswith("test_") else name


def is_told(path, title):
    """Does that program have a result of this name?"""
    with open(os.path.join(report.source_dir(), path), encoding="utf-8") as f:
        text = f.read()
    if path.endswith(".c"):  # what is not in the list of tests never runs
        return len(re.findall(r"\b%s\b" % title, text)) > 1
    function = title.replace(" ", "_")
    return '"%s"' % title in text or any("def %s(" % name in text for name in (function, "test_" + function))
