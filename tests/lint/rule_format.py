"""Every .c and .h file is as clang-format 14 with .clang-format leaves it."""
import re
import subprocess

from tree import Complaint


def check(tree):
    files = tree.named(".c", ".h")
    if not files:
        return
    run = subprocess.run(
        ["clang-format", "--dry-run", "--Werror", *files], cwd=tree.root,
        check=False, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        text=True)
    seen = set()
    for match in re.finditer(r"^(\S+?):(\d+):\d+: error: ", run.stderr, re.M):
        file, line = match.group(1), int(match.group(2))
        if file not in seen:
            seen.add(file)
            yield Complaint(file, line, "not formatted",
                            f"run clang-format -i {file}")
    if run.returncode != 0 and not seen:
        yield Complaint(".clang-format", 1, "clang-format failed",
                        run.stderr.strip()[:200])
