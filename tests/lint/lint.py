#!/usr/bin/python3 -B
"""make lint: FILE:LINE: what is wrong: what to do about it."""
import os
import shutil
import sys

import rule_calls
import rule_format
import rule_headers
import rule_includes
import rule_places
import rule_sizes
import rule_words
from tree import Tree

RULES = [rule_format, rule_includes, rule_words, rule_sizes, rule_calls,
         rule_headers, rule_places]


def main():
    for tool in ("git", "gcc", "clang-format"):
        if not shutil.which(tool):
            sys.exit(f"lint: {tool} is missing: run make deps-check")
    root = os.path.dirname(os.path.dirname(os.path.dirname(
        os.path.abspath(__file__))))
    tree = Tree.of_repository(root)
    n_complaints = 0
    for rule in RULES:
        for complaint in sorted(rule.check(tree)):
            print(complaint)
            n_complaints += 1
    print(f"lint: {len(tree.files)} files, {rule_sizes.summary(tree)}")
    print(f"lint: {n_complaints} complaints" if n_complaints else
          "lint: clean")
    sys.exit(1 if n_complaints else 0)


if __name__ == "__main__":
    main()
