#!/usr/bin/python3 -B
"""A rule that cannot complain is worth nothing: each gets something bad.

Prints "ok NAME" lines for tests/run.py; with --quiet only what fails.
"""
import os
import shutil
import sys
import tempfile

import rule_calls
import rule_format
import rule_headers
import rule_includes
import rule_places
import rule_sizes
import rule_words
from tree import Tree, parse

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))


def body(n_lines):
    return "int f(void)\n{\n" + "\tf();\n" * (n_lines - 3) + "}\n"


def header(name, text=""):
    return f"#ifndef {name}\n#define {name}\n\n{text}\n#endif\n"


LONG = "tests/lint/long_functions.txt"
LATER = "TO" + "DO"

# rule: [(files, complaints expected as "FILE:LINE: beginning of the text")]
CASES = {
    rule_format: [
        ({"base/a.c": "int a;\n"}, []),
        ({"base/a.c": "int  a;\n", "base/b.c": "int b;\n"},
         ["base/a.c:1: not formatted"]),
        ({"base/a.h": "int a;\nint   b;\n"}, ["base/a.h:2: not formatted"]),
        ({"base/a.def": "A(  1)\n"}, []),
    ],
    rule_includes: [
        ({"hub/a.c": '#include "auth/a.h"\n#include "db/a.h"\n'
          '#include "spawner/client.h"\n#include "proxy/client.h"\n'
          "#include <proxy/b.h>\n",
          "auth/a.c": '#include "spawner/client.h"\n#include "base/a.h"\n',
          "tests/unit/base/a.c": '#include "hub/a.h"\n'}, []),
        ({"base/a.c": '\n#include "db/a.h"\n'},
         ['base/a.c:2: base/ may not include "db/a.h"']),
        ({"db/a.c": '#include "auth/a.h"\n'}, ["db/a.c:1: db/ may not"]),
        ({"auth/a.c": '#include "hub/a.h"\n'}, ["auth/a.c:1: auth/ may not"]),
        ({"auth/a.h": '#include "proxy/client.h"\n'}, ["auth/a.h:1: auth/"]),
        ({"hub/cli/a.c": '#  include "spawner/keeper.h"\n'},
         ["hub/cli/a.c:1: hub/ may not"]),
        ({"proxy/a.c": '#include "hub/a.h"\n'}, ["proxy/a.c:1: proxy/"]),
        ({"proxy/a.c": '#include "spawner/client.h"\n'},
         ["proxy/a.c:1: proxy/"]),
        ({"spawner/a.c": '#include "db/a.h"\n'}, ["spawner/a.c:1: spawner/"]),
        ({"hub/a.c": '#include "b.h"\n'}, ['hub/a.c:1: include of "b.h"']),
    ],
    rule_words: [
        ({"db/a.c": 'x("SELECT 1");\n', "tests/a.c": 'x("SELECT 1");\n',
          "hub/a.c": '/* "SELECT 1" */ x("SELECTED", "a <user> b");\n',
          "proxy/error.c": 'x("<html>");\n'}, []),
        ({"hub/a.c": '\nx("SELECT 1");\n'}, ["hub/a.c:2: SQL outside db/"]),
        ({"hub/a.c": 'x("INSERT "\n  "INTO t");\n'}, ["hub/a.c:1: SQL"]),
        ({"auth/a.c": 'x("UPDATE user SET a = 1");\n'}, ["auth/a.c:1: SQL"]),
        ({"auth/a.def": 'X("DELETE FROM user")\n'}, ["auth/a.def:1: SQL"]),
        ({"spawner/a.h": 'x("CREATE TABLE t");\n'}, ["spawner/a.h:1: SQL"]),
        ({"hub/a.c": 'x("<p class=a>");\n'}, ["hub/a.c:1: HTML in C"]),
        ({"base/a.c": 'x("</body>");\n'}, ["base/a.c:1: HTML in C"]),
        ({"auth/a.c": 'x("<!DOCTYPE html");\n'}, ["auth/a.c:1: HTML in C"]),
    ],
    rule_sizes: [
        ({"base/a.c": body(100), "base/b.c": "\n" * 800,
          "base/a.h": "\n" * 150,
          "base/c.c": "struct a {\n" + "\tint b;\n" * 200 + "};\n"}, []),
        ({"base/a.c": "\n" + body(101)},
         ["base/a.c:2: f has 101 lines, more than 100"]),
        ({"tests/unit/base/test_a.c": body(101)},
         ["tests/unit/base/test_a.c:1: f has 101 lines"]),
        ({"base/a.c": body(101), LONG: "# why\nbase/a.c:f a flat switch\n"},
         []),
        ({"base/a.c": body(101), LONG: "base/a.c:f\n"},
         ["base/a.c:1: f has 101 lines"]),
        ({"base/a.c": body(10), LONG: "base/a.c:f a flat switch\n"},
         [f"{LONG}:1: base/a.c:f is not too long"]),
        ({"base/a.c": "\n" * 801}, ["base/a.c:801: the file has 801 lines"]),
        ({"tests/a.py": "\n" * 801}, ["tests/a.py:801: the file has"]),
        ({"base/a.h": "\n" * 151}, ["base/a.h:151: the file has 151 lines"]),
    ],
    rule_calls: [
        ({"base/a.c": 'int my_system(void);\n/* system() */\n'
          'const char *s = "strcpy(";\nstruct q {\n\tint gets;\n};\n'
          "int b[sizeof(int)];\n"}, []),
        *[({"base/a.c": f"int f(void)\n{{\n\t{name} (1);\n}}\n"},
           [f"base/a.c:3: call of {name}()"]) for name in rule_calls.BANNED],
        ({"base/a.h": "int a; // why\n"}, ["base/a.h:1: a // comment"]),
        ({"docs/a.md": f"\n{LATER}: more\n"}, [f"docs/a.md:2: {LATER}"]),
        ({"base/a.c": f"/* {LATER} */\n"}, [f"base/a.c:1: {LATER}"]),
        ({"base/a.c": "int f(int n);\nint f(int n)\n{\n\tint a[n];\n\n"
          "\ta[0] = n;\n\treturn a[0];\n}\n"},
         ["base/a.c:4: an array of variable length"]),
    ],
    rule_headers: [
        ({"base/a.h": header("CARREL_BASE_A_H", "struct a;\n")}, []),
        ({"base/a.h": header("CARREL_BASE_A_H", "size_t f(void);\n")},
         ["base/a.h:4: does not compile alone"]),
        ({"base/a.h": header("CARREL_BASE_A_H", '#include "base/none.h"\n')},
         ["base/a.h:4: does not compile alone"]),
        ({"base/a.h": header("A_H")}, ["base/a.h:1: no include guard"]),
    ],
    rule_places: [
        ({"docs/a.md": "/home/somebody/x\n", "base/a.c": "/* a/work, /rooted, "
          "/hub/home/x, ${X}/work, ~/work */\n",
          "tests/a.c": '"/home/alice/.bashrc"\n'}, []),
        ({"base/a.c": "\n/* /work" "/main */\n"},
         ["base/a.c:2: a path of one machine (/work)"]),
        ({"etc/a.sh": "cd /root\n"}, ["etc/a.sh:1: a path of one machine"]),
        ({"tests/a.py": "x = '/home/somebody/x'\n"},
         ["tests/a.py:1: a path of one machine (/home/somebody)"]),
        ({"docs/a.md": "/work/x\n"}, ["docs/a.md:1: a path of one machine"]),
        ({"Makefile": "\tcurl https://pypi.org/x\n"},
         ["Makefile:1: a registry's host (pypi.org)"]),
    ],
}


def tree_of(folder, files):
    for name, text in files.items():
        path = os.path.join(folder, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as stream:
            stream.write(text)
    shutil.copy(os.path.join(ROOT, ".clang-format"), folder)
    return Tree(folder, list(files))


def problem_of(rule, files, expected):
    """What is wrong with the rule's answer; "" if nothing is."""
    with tempfile.TemporaryDirectory() as folder:
        found = [str(c) for c in rule.check(tree_of(folder, files))]
    for beginning in expected:
        if not any(text.startswith(beginning) for text in found):
            return f"no complaint {beginning!r}, but {found}"
    if len(found) != len(expected):
        return f"{len(expected)} complaints expected, not {found}"
    if not all(len(text.split(": ")) >= 3 for text in found):
        return f"a complaint does not say what to do: {found}"
    return ""


def check_parse():
    text = 'a /* b\n"c" */ "d\\"e" \'"\' // f\n"g"\n "h" i'
    source = parse(text)
    if (len(source.code) != len(text) or source.code.split() != ["a", "i"] or
            source.strings != [(2, 'd\\"e'), (3, "gh")] or
            [line for line, _ in source.comments] != [1, 2]):
        return f"{source}"
    return ""


def main():
    is_quiet = "--quiet" in sys.argv
    failed = 0
    results = [("source_is_taken_apart", check_parse())]
    for rule, cases in CASES.items():
        for number, (files, expected) in enumerate(cases, 1):
            kind = "complains" if expected else "is_content"
            results.append((f"{rule.__name__}_{number}_{kind}",
                            problem_of(rule, files, expected)))
    if not is_quiet:
        print("group: lint")
    for name, problem in results:
        if problem:
            failed += 1
            print(f"not ok {name}: {problem}")
        elif not is_quiet:
            print(f"ok {name}")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
