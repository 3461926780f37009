#!/usr/bin/python3
"""What `carrel completion` prints: each shell takes it, and completes every noun, verb and option of the help."""
import os
import re
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
import report
from report import bin_dir, claim, equal

report.group("table")
CARREL = os.path.join(bin_dir(), "carrel")

BASH = """
. <("$0" completion bash)
IFS='|' read -r -a COMP_WORDS <<<"$1"
[ "${1: -1}" = '|' ] && COMP_WORDS+=('')
COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
_carrel
printf '%s\\n' "${COMPREPLY[@]}"
"""
# Without an editor: compadd and compdef say what they are given.
ZSH = """
compdef() { }
compadd() { shift; print -l -- "$@" }
eval "$("$0" completion zsh)"
words=("${(@s:|:)1}")
CURRENT=${#words}
_carrel_complete
"""


def run(*argv):
    p = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=30)
    claim(p.returncode == 0 and not p.stderr, "%s: %d %s" % (argv[:2], p.returncode, p.stderr))
    return p.stdout


def helped(*words):
    return run(CARREL, *words, "--help")


def options(text):
    return sorted(set(re.findall(r"^  (--[a-z-]+)", text, re.M)))


def verbs_of(text):
    return re.findall(r"^  ([a-z]+)", text, re.M)


def check(complete):
    """complete("carrel|users|") is the list of words that come next."""
    top = verbs_of(helped())
    equal(sorted(complete("carrel|")), sorted(top + ["--help", "--version"]), "the first word")
    nouns = [w for w in top if helped(w).startswith("usage: carrel %s VERB" % w)]
    claim(len(nouns) == 7, "nouns: %r" % nouns)
    for noun in nouns:
        verbs = verbs_of(helped(noun))
        equal(sorted(complete("carrel|%s|" % noun)), sorted(verbs + ["--help"]), "after " + noun)
        for verb in verbs:
            equal(sorted(complete("carrel|%s|%s|x|" % (noun, verb))), options(helped(noun, verb)),
                  "options of %s %s" % (noun, verb))
    equal(sorted(complete("carrel|why|")), options(helped("why")), "options of why")
    equal(sorted(complete("carrel|completion|")), ["--help", "bash", "zsh"], "after completion")
    equal(complete("carrel|nonsense|"), [], "after what is no verb")


def bash():
    subprocess.run(["bash", "-n"], input=run(CARREL, "completion", "bash"), text=True, check=True, timeout=30)

    def complete(line):
        return run("bash", "--norc", "-c", BASH, CARREL, line).split()
    check(complete)
    equal(complete("carrel|us"), ["users"], "a beginning")
    equal(complete("carrel|users|re"), ["remove", "rename"], "the beginning of two")


def zsh():
    subprocess.run(["zsh", "-n"], input=run(CARREL, "completion", "zsh"), text=True, check=True, timeout=30)
    check(lambda line: run("zsh", "-f", "-c", ZSH, CARREL, line).split())


def refuses():
    p = subprocess.run([CARREL, "completion", "fish"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    equal((p.returncode, p.stdout), (2, ""), "another shell")


tests = [("completion in bash", bash), ("completion in another shell", refuses)]
if shutil.which("zsh"):
    tests.append(("completion in zsh", zsh))
else:
    report.skip("completion in zsh", "zsh is not installed")
report.run(tests)
report.finish()
