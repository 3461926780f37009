"""Each header compiles alone, and its guard is named after its path."""
import concurrent.futures
import os
import re
import subprocess

from tree import Complaint


def compile_alone(tree, file):
    run = subprocess.run(
        ["gcc", "-fsyntax-only", "-std=c11", "-D_GNU_SOURCE", "-I.",
         "-Itests/unit", "-Wall", "-Wextra", "-Werror", "-x", "c", "-include",
         file, "/dev/null"],
        cwd=tree.root, check=False, stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE, text=True, env={**os.environ, "LC_ALL": "C"})
    if run.returncode == 0:
        return
    match = re.search(r":(\d+):\d+: (?:fatal )?error: (.*)", run.stderr)
    line, why = (int(match.group(1)), match.group(2)) if match else (1, "")
    yield Complaint(file, line, f"does not compile alone ({why})",
                    "include or declare what its declarations need")


def check_guard(tree, file):
    name = file.replace("/", "_").replace(".", "_").replace("-", "_").upper()
    guard = name if name.startswith("CARREL_") else "CARREL_" + name
    if f"#ifndef {guard}\n#define {guard}\n" not in tree.text(file):
        yield Complaint(file, 1, "no include guard of its own",
                        f"name it {guard}")


def check(tree):
    headers = tree.named(".h")
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for found in pool.map(lambda file: list(compile_alone(tree, file)),
                              headers):
            yield from found
    for file in headers:
        if not file.startswith("tests/"):
            yield from check_guard(tree, file)
