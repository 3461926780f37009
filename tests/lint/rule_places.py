"""No path of somebody's machine and no host of a package registry."""
import re

from tree import Complaint, matches

PEOPLE = "alice|bob|carol|dave|erin|user|you|NAME"
PATH = re.compile(
    r"(?<![\w.$}~/-])/(?:work|root)(?![\w.-])|"
    rf"(?<![\w.$}}~/-])/home/(?!(?:{PEOPLE})\b)\w[\w.-]*")
REGISTRY = re.compile(
    r"\b(?:registry\.npmjs\.org|npmjs\.com|files\.pythonhosted\.org|"
    r"pypi\.org|crates\.io|proxy\.golang\.org|rubygems\.org|quay\.io|"
    r"ghcr\.io|gcr\.io|registry\.k8s\.io|docker\.io/|hub\.docker\.com|"
    r"(?:deb|snapshot|security|ftp)(?:\.\w+)?\.debian\.org|"
    r"archive\.ubuntu\.com)", re.I)


def is_exempt(file):
    """These rules name what they look for."""
    return file.startswith("tests/lint/")


def check(tree):
    for file in tree.files:
        if is_exempt(file):
            continue
        text = tree.text(file)
        for line, match in matches(PATH, text):
            if file.startswith("docs/") and "/home/" in match.group():
                continue
            yield Complaint(
                file, line, f"a path of one machine ({match.group()})",
                "take it from the environment or a flag; in examples people "
                "are alice, bob, carol")
        for line, match in matches(REGISTRY, text):
            yield Complaint(
                file, line, f"a registry's host ({match.group()})",
                "leave it to the package manager's own configuration")
