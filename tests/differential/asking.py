"""What a case is: one request, put to both hubs, and what of its answer is kept.

Who asks: the name of a token (boss, an administrator; alice, a user; a service;
or one that a case kept), or nobody. Or a browser, by its name, with its cookies.
`{name}` in a path, header or body is a value that an earlier case kept; a browser's
`{xsrf}` is its XSRF token. Cases are asked in order: each builds on those before.
"""
import collections

Case = collections.namedtuple("Case", "name who browser method path body raw headers keep wait since fields")
CASES = []


def ask(name, who, method, path, body=None, raw=None, headers=None, keep=None, wait=None, since=0):
    """REST, with a token. wait: (seconds, place in the answer, value): ask again until it is so.

    since: the reference's first release that has it; beside an older one it is left out.
    """
    CASES.append(Case(name, who, None, method, "/hub/api" + path, body, raw, headers or {}, keep or {}, wait, since, False))


def visit(name, browser, method, path, form=None, body=None, headers=None, keep=None, wait=None, since=0, fields=False):
    """By a browser. form: [(name, value)]; fields: the fields of the page's forms are compared too.

    keep: {name: member of the answer}, or {name: "location KEY"}, an argument of the address that it leads to.
    """
    CASES.append(Case(name, None, browser, method, path, body, form, headers or {}, keep or {}, wait, since, fields))
