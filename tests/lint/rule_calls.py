"""Banned calls, // comments, notes to be done later, and no VLA."""
import concurrent.futures
import os
import re
import subprocess

from tree import Complaint, matches

BANNED = {
    "strcpy": "str_copy, whose truncation is an error",
    "stpcpy": "str_copy, whose truncation is an error",
    "strncpy": "str_copy, whose truncation is an error",
    "strcat": "a struct buf",
    "strncat": "a struct buf",
    "sprintf": "str_format or a struct buf",
    "vsprintf": "a struct buf",
    "strtok": "slice_split",
    "gets": "fd_read_all",
    "atoi": "num_range",
    "atol": "num_range",
    "atoll": "num_range",
    "atof": "num_range",
    "system": "fork and execve with an argv[]",
    "popen": "fork and execve with an argv[]",
    "alloca": "an arena",
}
CALL = re.compile(r"(?<![\w.>])(%s)\s*\(" % "|".join(BANNED))
LATER = re.compile(r"\b(TO" r"DO|FIX" r"ME|X" r"XX)\b")


def check_calls(tree, file):
    for line, match in matches(CALL, tree.source(file).code):
        name = match.group(1)
        yield Complaint(file, line, f"call of {name}()",
                        f"use {BANNED[name]}")
    for line, text in tree.source(file).comments:
        if text.startswith("//"):
            yield Complaint(file, line, "a // comment",
                            "write a /* */ sentence above the line")


def check_later(tree):
    for file in tree.files:
        for line, match in matches(LATER, tree.text(file)):
            yield Complaint(file, line, match.group(),
                            "do it now, or open an issue and say no more here")


def vlas(tree, file):
    run = subprocess.run(
        ["gcc", "-fsyntax-only", "-std=c11", "-D_GNU_SOURCE", "-I.",
         "-Itests/unit", "-Wvla", '-DCARREL_VERSION="0"', file],
        cwd=tree.root, check=False, stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE, text=True, env={**os.environ, "LC_ALL": "C"})
    for match in re.finditer(r"^(\S+?):(\d+):\d+: warning: .*\[-Wvla\]",
                             run.stderr, re.M):
        yield Complaint(match.group(1), int(match.group(2)),
                        "an array of variable length",
                        "use a fixed bound, or an arena")


def check(tree):
    for file in tree.named(".c", ".h"):
        yield from check_calls(tree, file)
    yield from check_later(tree)
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for found in pool.map(lambda file: list(vlas(tree, file)),
                              tree.named(".c")):
            yield from found
