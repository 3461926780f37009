#!/usr/bin/python3
"""The same requests to a real JupyterHub and to ours, and their answers compared.

What differs on purpose stands in intended.json, each with its reason; an entry
that no longer fits anything is a failure, like a difference without an entry.

    make differential                 beside Debian's JupyterHub
    make differential SRC=DIR         beside the JupyterHub of a checkout
    ... SHOW=1                        print every difference
"""
# timeout: 240
import fnmatch
import json
import os
import re
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../lib"))
import report
from cases import CASES
from reference_hub import ReferenceHub, version
from report import claim, equal, until
from rest import begin_hub, end_hub
from web import Browser

OPTIONS = "server:\n  allow_named_servers: true\n  named_server_limit: 3\n"
HEADERS = ["Content-Type", "Location", "WWW-Authenticate", "Access-Control-Allow-Origin",
           "Access-Control-Allow-Headers", "Retry-After", "Cache-Control", "Set-Cookie"]
TIME = re.compile(r"^(\d{4})-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z$")
ABSENT = "(absent)"


class Hub:
    """One of the two, and what its answers gave to keep."""

    def __init__(self, name, url):
        self.name, self.url, self.kept = name, url, {}
        for who in ("boss", "alice"):
            b = Browser(url)
            equal(b.login(who, "x").status, 302, "login of %s at %s" % (who, name))
            b.get("/hub/home")
            answer = b.api("POST", "/users/%s/tokens" % who, {"note": "tests"},
                           headers={"Referer": url + "/hub/home"})
            claim(answer.status in (200, 201), "%s: a token of %s: %d %s" % (name, who, answer.status, answer.text[:300]))
            self.kept[who] = answer.json()["token"]

    def fill(self, text):
        return re.sub(r"\{(\w+)\}", lambda m: self.kept.get(m.group(1), m.group(0)), text)

    def once(self, case):
        headers = {k: self.fill(v) for k, v in case.headers.items()}
        if case.who:
            headers["Authorization"] = "token " + self.kept[case.who]
        raw = case.raw if case.body is None else json.dumps(case.body)
        if raw is not None:
            headers.setdefault("Content-Type", "application/json")
        return Browser(self.url).request(case.method, "/hub/api" + self.fill(case.path), raw, headers)

    def ask(self, case):
        if case.wait:
            seconds, path, wanted = case.wait
            until("%s: %s: %s is %r" % (self.name, case.name, path, wanted), seconds,
                  lambda: self.flat(self.once(case)).get("body." + path) == wanted)
        answer = self.once(case)
        try:
            for name, key in case.keep.items():
                self.kept[name] = answer.json()[key]
        except (ValueError, KeyError, TypeError):
            raise report.Failure("%s: %s answers %d %s" % (self.name, case.name, answer.status, answer.text[:300]))
        return self.flat(answer)

    def flat(self, answer):
        """An answer as {place: value}, without what is different in every run."""
        seen = {"status": answer.status}
        for name in HEADERS:
            if answer.headers[name]:
                seen["header." + name] = self.plain(re.sub(r";\s*charset=utf-8$", "", answer.headers[name], flags=re.I))
        kind = answer.headers["Content-Type"] or ""
        if kind.startswith("application/json") and answer.body:
            flatten(seen, "body", self.plain_tree(answer.json()))
        elif kind.startswith("text/event-stream"):
            events = [line[6:] for line in answer.text.splitlines() if line.startswith("data: ")]
            flatten(seen, "last_event", self.plain_tree(json.loads(events[-1])) if events else ABSENT)
        elif not kind.startswith("text/html"):
            seen["body"] = self.plain(answer.text)
        return seen

    def plain_tree(self, value):
        if isinstance(value, dict):
            return {k: self.plain_tree(v) for k, v in value.items()}
        if isinstance(value, list):
            return [self.plain_tree(v) for v in value]
        return self.plain(value) if isinstance(value, str) else value

    def plain(self, text):
        """Of times only those of this century's tests stay: what a case sent."""
        match = TIME.match(text)
        if match:
            return text if int(match.group(1)) < 2021 else "<time>"
        for name, value in self.kept.items():
            text = text.replace(value, "<%s>" % name) if len(value) > 5 else re.sub(
                r"\b%s\b" % re.escape(value), "<%s>" % name, text)
        text = text.replace(self.url, "<hub>")
        if text.startswith("<hub>") and "?" in text:  # the order of a query says nothing
            address, _, query = text.partition("?")
            text = address + "?" + "&".join(sorted(query.split("&")))
        text = re.sub(r"\b(0x)?[0-9a-f]{32}\b", "<hex>", text)
        return re.sub(r"^a\d+$", "<id>", text)


def flatten(seen, place, value):
    if isinstance(value, dict):
        if not value:
            seen[place] = {}
        for k, v in value.items():
            flatten(seen, "%s.%s" % (place, k), v)
    elif isinstance(value, list) and value and all(isinstance(v, dict) for v in value):
        for i, v in enumerate(value):
            flatten(seen, "%s.%d" % (place, i), v)
    elif isinstance(value, list) and all(isinstance(v, str) for v in value):
        seen[place] = sorted(value)
    else:
        seen[place] = value


def differences(theirs, ours):
    places = sorted(set(theirs) | set(ours))
    return [(p, theirs.get(p, ABSENT), ours.get(p, ABSENT)) for p in places
            if theirs.get(p, ABSENT) != ours.get(p, ABSENT)]


class Intended:
    """Entries {"case": pattern, "place": pattern, "theirs": value?, "ours": value?, "versions": [...]?, "why": text}."""

    def __init__(self, path, release):
        with open(path) as f:
            self.entries = [e for e in json.load(f) if release.split(".")[0] in e.get("versions", [release.split(".")[0]])]
        self.used = set()

    def covers(self, case, place, theirs, ours):
        found = False
        for i, e in enumerate(self.entries):
            if fnmatch.fnmatchcase(case, e["case"]) and fnmatch.fnmatchcase(place, e["place"]) and \
                    e.get("theirs", theirs) == theirs and e.get("ours", ours) == ours:
                self.used.add(i)
                found = True
        return found

    def stale(self):
        return ["%(case)s, %(place)s: %(why)s" % e for i, e in enumerate(self.entries) if i not in self.used]


def compare(case, reference, ours, intended):
    theirs, mine = reference.ask(case), ours.ask(case)
    found = differences(theirs, mine)
    if os.environ.get("SHOW"):
        for d in found:
            print("difference: %s" % json.dumps([case.name, *d]))
    wrong = ["%s: theirs %r, ours %r" % d for d in found if not intended.covers(case.name, *d)]
    claim(not wrong, "%s %s: %s" % (case.method, case.path, "; ".join(wrong)))


def main():
    source = os.environ.get("SRC") or None
    report.group("differential")
    release = version(source)
    if not release:
        claim(not source, "the JupyterHub of %s does not run here" % source)
        report.skip("beside JupyterHub", "there is no jupyterhub (Debian's package of that name)")
        report.finish()
    intended = Intended(os.path.join(HERE, "intended.json"), release)
    carrel = begin_hub(OPTIONS)
    theirs = ReferenceHub(carrel.account, source).start()
    try:
        reference, ours = Hub("JupyterHub " + release, theirs.url), Hub("Carrel", carrel.url)
        report.run([(c.name, lambda c=c: compare(c, reference, ours, intended)) for c in CASES])
        report.run([("every entry of intended.json fits something",
                     lambda: equal(intended.stale(), [], "entries without a difference"))])
        end_hub(carrel)
    finally:
        theirs.clean()
    report.finish()


if __name__ == "__main__":
    main()
