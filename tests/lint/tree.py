"""The files under lint, and C source taken apart: code, strings, comments."""
import functools
import os
import re
import subprocess
from typing import NamedTuple

TOKEN = re.compile(
    r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)


class Complaint(NamedTuple):
    file: str
    line: int
    what: str
    todo: str

    def __str__(self):
        return f"{self.file}:{self.line}: {self.what}: {self.todo}"


class Source(NamedTuple):
    """Same length and lines as the text; what is not code is blanked."""
    code: str
    strings: list  # (line, text); neighbours are joined as C joins them
    comments: list  # (line, text)


def blank(text):
    return re.sub(r"[^\n]", " ", text)


def parse(text):
    code, strings, comments = [], [], []
    end, line, end_of_string = 0, 1, -1
    for match in TOKEN.finditer(text):
        between, token = text[end:match.start()], match.group()
        code += [between, blank(token)]
        line += between.count("\n")
        if token[0] == '"':
            if end_of_string == end and not between.strip():
                first, joined = strings.pop()
                strings.append((first, joined + token[1:-1]))
            else:
                strings.append((line, token[1:-1]))
            end_of_string = match.end()
        elif token[0] == "/":
            comments.append((line, token))
        line += token.count("\n")
        end = match.end()
    code.append(text[end:])
    return Source("".join(code), strings, comments)


class Tree:
    def __init__(self, root, files):
        self.root, self.files = root, sorted(files)

    @classmethod
    def of_repository(cls, root):
        """Tracked files, and new ones that git does not ignore."""
        listing = subprocess.run(
            ["git", "-C", root, "-c", "safe.directory=*", "ls-files", "-z",
             "--cached", "--others", "--exclude-standard"], check=True, stdout=subprocess.PIPE)
        names = listing.stdout.decode().split("\0")
        return cls(root, [n for n in set(names)
                          if n and os.path.isfile(os.path.join(root, n))])

    def named(self, *endings):
        return [f for f in self.files if f.endswith(endings)]

    def path(self, file):
        return os.path.join(self.root, file)

    @functools.lru_cache(maxsize=None)
    def text(self, file):
        """"" for a file that is no text."""
        with open(self.path(file), "rb") as stream:
            data = stream.read()
        try:
            return "" if b"\0" in data else data.decode()
        except UnicodeDecodeError:
            return ""

    @functools.lru_cache(maxsize=None)
    def source(self, file):
        return parse(self.text(file))


def line_of(text, position):
    return text.count("\n", 0, position) + 1


def matches(pattern, text):
    """(line, match) of each."""
    for match in re.finditer(pattern, text):
        yield line_of(text, match.start()), match
