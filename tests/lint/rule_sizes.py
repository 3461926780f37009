"""Functions of at most 100 lines, files of 800, headers of 150.

tests/lint/long_functions.txt names the pure tables and flat switches that may
be longer: FILE:FUNCTION reason.
"""
import os
import re
from typing import NamedTuple

from tree import Complaint

FUNCTION_MAX, FILE_MAX, HEADER_MAX = 100, 800, 150
ALLOWED = "tests/lint/long_functions.txt"


class Function(NamedTuple):
    file: str
    name: str
    line: int
    n_lines: int


def signature(lines, brace):
    """First line and name of the function whose body opens at `brace`."""
    first = brace
    while first > 0 and re.match(r"[\s\w*].*[^;}]\s*$", lines[first - 1]):
        first -= 1
    head = " ".join(lines[first:brace])
    names = re.findall(r"(\w+)\s*\(", head)
    names = [n for n in names if n != "__attribute__"]
    return first, names[0] if names else "?"


def functions(tree, file):
    """The layout of clang-format: the body's braces stand in column 0."""
    lines = tree.source(file).code.split("\n")
    brace = None
    for number, line in enumerate(lines):
        if line.rstrip() == "{" and brace is None:
            brace = number
        elif line.rstrip() == "}" and brace is not None:
            first, name = signature(lines, brace)
            yield Function(file, name, first + 1, number - first + 1)
            brace = None


def read_allowed(tree):
    if not os.path.exists(tree.path(ALLOWED)):
        return {}
    entries = {}
    for number, line in enumerate(tree.text(ALLOWED).split("\n"), 1):
        if line and not line.startswith("#"):
            name, _, reason = line.partition(" ")
            entries[name] = (number, reason.strip())
    return entries


def check_functions(tree):
    allowed = read_allowed(tree)
    used = set()
    for file in tree.named(".c", ".h"):
        for function in functions(tree, file):
            if function.n_lines <= FUNCTION_MAX:
                continue
            key = f"{file}:{function.name}"
            used.add(key)
            if not allowed.get(key, (0, ""))[1]:
                yield Complaint(
                    file, function.line,
                    f"{function.name} has {function.n_lines} lines, more than "
                    f"{FUNCTION_MAX}",
                    "divide it; if it is a pure table or a flat switch, add "
                    f'"{key} reason" to {ALLOWED}')
    for key, (number, _) in allowed.items():
        if key not in used:
            yield Complaint(ALLOWED, number, f"{key} is not too long",
                            "delete the line")


def check(tree):
    yield from check_functions(tree)
    for file in tree.named(".c", ".h", ".py", ".sh"):
        n_lines = tree.text(file).count("\n")
        most = HEADER_MAX if file.endswith(".h") else FILE_MAX
        if n_lines > most:
            yield Complaint(file, most + 1,
                            f"the file has {n_lines} lines, more than {most}",
                            "divide it by what its parts are for")


def summary(tree):
    """Median and 95th percentile of what the programs are made of."""
    sizes = sorted(f.n_lines for file in tree.named(".c")
                   if not file.startswith("tests/")
                   for f in functions(tree, file))
    if not sizes:
        return "no functions"
    return (f"{len(sizes)} functions: median {sizes[len(sizes) // 2]}, "
            f"p95 {sizes[len(sizes) * 95 // 100]}, longest {sizes[-1]} lines")
