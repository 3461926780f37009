#!/usr/bin/python3
"""The same requests to a real JupyterHub and to ours, and their answers compared.

What differs on purpose stands in intended.json, each with its reason; an entry
that no longer fits anything is a failure, like a difference without an entry.

    make differential                 beside Debian's JupyterHub
    make differential SRC=DIR         beside the JupyterHub of a checkout
    ... SHOW=1                        print every difference
    ... RECORD=1                      keep the answers that only newer releases give

What the JupyterHub beside us is too old for (shares, for Debian's) is compared
with recorded.json: what the first release that has it was seen to answer.
"""
# timeout: 400
import fnmatch
import json
import os
import re
import sys
import urllib.parse

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../lib"))
import answers
import report
import rest_cases  # in this order: each asks of what those before have made
import browser_cases
import start_cases
import share_cases  # last: an older hub beside us knows nothing of what these make
from asking import CASES
from reference_hub import ReferenceHub, version
from report import claim, equal, until
from rest import begin_hub, end_hub
from settings import OURS, SERVICES, theirs_of
from web import Browser

assert rest_cases and browser_cases and start_cases and share_cases


class Hub:
    """One of the two, and what its answers gave to keep."""

    def __init__(self, name, url):
        self.name, self.url, self.browsers = name, url, {}
        self.kept = {who: service["api_token"] for who, service in SERVICES.items()}
        self.plain = answers.Plain(url, self.kept)
        for who in ("boss", "alice"):
            b = Browser(url)
            equal(b.login(who, "x").status, 302, "login of %s at %s" % (who, name))
            b.get("/hub/home")
            answer = b.api("POST", "/users/%s/tokens" % who, {"note": "tests"},
                           headers={"Referer": url + "/hub/home"})
            claim(answer.status in (200, 201), "%s: a token of %s: %d %s" % (name, who, answer.status, answer.text[:300]))
            self.kept[who] = answer.json()["token"]

    def fill(self, text, browser=None):
        def value(match):
            if match.group(1) == "xsrf" and browser:
                return browser.cookie("_xsrf") or ""
            return self.kept.get(match.group(1), match.group(0))
        return re.sub(r"\{(\w+)\}", value, text)

    def once(self, case):
        browser = self.browsers.setdefault(case.browser, Browser(self.url)) if case.browser else Browser(self.url)
        headers = {k: self.fill(v, browser) for k, v in case.headers.items()}
        if case.who:
            headers["Authorization"] = "token " + self.kept[case.who]
        if case.browser:  # the release 3 goes by it: a form comes from its own page
            headers.setdefault("Referer", self.url + (self.fill(case.path) if case.method == "POST" else "/hub/home"))
        raw = case.raw if case.body is None else json.dumps(case.body)
        if isinstance(raw, list):
            raw = urllib.parse.urlencode([(k, self.fill(v, browser)) for k, v in raw])
            headers.setdefault("Content-Type", "application/x-www-form-urlencoded")
        elif raw is not None:
            raw = self.fill(raw, browser) if case.who is None and case.body is None else raw
            headers.setdefault("Content-Type", "application/json")
        return browser.request(case.method, self.fill(case.path, browser), raw, headers)

    def ask(self, case):
        if case.wait:
            seconds, path, wanted = case.wait
            until("%s: %s: %s is %r" % (self.name, case.name, path, wanted), seconds,
                  lambda: self.flat(case, self.once(case)).get(path if path == "status" else "body." + path) == wanted)
        answer = self.once(case)
        try:
            for name, place in case.keep.items():
                self.kept[name] = self.found(answer, place)
        except (ValueError, KeyError, TypeError):
            raise report.Failure("%s: %s answers %d %s" % (self.name, case.name, answer.status, answer.text[:300]))
        return self.flat(case, answer)

    def found(self, answer, place):
        if place.startswith("location "):
            query = urllib.parse.urlsplit(answer.location() or "").query
            return urllib.parse.parse_qs(query)[place.split()[1]][0]
        return answer.json()[place]

    def flat(self, case, answer):
        return answers.flat(answer, self.plain, case.fields)


class Intended:
    """Entries {"case": pattern, "place": pattern, "theirs": value?, "ours": value?, "versions": [...]?, "why": text}."""

    def __init__(self, path):
        with open(path) as f:
            self.entries = json.load(f)
        self.used = set()

    def covers(self, major, case, place, theirs, ours):
        found = False
        for i, e in enumerate(self.entries):
            if str(major) in e.get("versions", [str(major)]) and \
                    fnmatch.fnmatchcase(case, e["case"]) and fnmatch.fnmatchcase(place, e["place"]) and \
                    e.get("theirs", theirs) == theirs and e.get("ours", ours) == ours:
                self.used.add(i)
                found = True
        return found

    def stale(self, major):
        """Of those that are about the release that was asked."""
        return ["%(case)s, %(place)s: %(why)s" % e for i, e in enumerate(self.entries)
                if i not in self.used and str(major) in e.get("versions", [str(major)])]


class Recorded:
    """{release: {case: answer}}: what is asked since the release 5 as that one answered it, later ones likewise."""

    PATH = os.path.join(HERE, "recorded.json")

    def __init__(self):
        with open(self.PATH) as f:
            self.answers = json.load(f)

    @staticmethod
    def release_of(case):
        return max(5, case.since)

    def ask(self, case):
        known = self.answers.get(str(self.release_of(case)), {})
        claim(case.name in known, "recorded.json has no such case: RECORD=1 SRC=a checkout of the release %d" % self.release_of(case))
        return known[case.name]

    def keep(self, major, seen):
        wanted = {c.name for c in CASES if c.since > 3 and self.release_of(c) == major}
        self.answers[str(major)] = {name: seen[name] for name in seen if name in wanted}
        with open(self.PATH, "w") as f:
            f.write("{\n" + ",\n".join('"%s": {\n%s\n}' % (release, ",\n".join(
                "%s: %s" % (json.dumps(name), json.dumps(answer, sort_keys=True)) for name, answer in cases.items()))
                for release, cases in sorted(self.answers.items())) + "\n}\n")


def compare(case, major, theirs, mine, intended):
    found = answers.differences(theirs, mine)
    if os.environ.get("SHOW"):
        for d in found:
            print("difference: %s" % json.dumps([case.name, *d]))
    wrong = ["%s: theirs %r, ours %r" % d for d in found if not intended.covers(major, case.name, *d)]
    claim(not wrong, "%s %s: %s" % (case.method, case.path, "; ".join(wrong)))


class Run:
    """All cases, in order; `seen` is what the JupyterHub beside us answered."""

    def __init__(self, major, reference, ours):
        self.major, self.reference, self.ours, self.seen = major, reference, ours, {}
        self.recorded, self.intended = Recorded(), Intended(os.path.join(HERE, "intended.json"))

    def one(self, case):
        if case.since > self.major:
            major, theirs = self.recorded.release_of(case), self.recorded.ask(case)
        else:
            major, theirs = self.major, self.reference.ask(case)
            self.seen[case.name] = theirs
        compare(case, major, theirs, self.ours.ask(case), self.intended)

    def tests(self):
        return [(c.name, lambda c=c: self.one(c)) for c in CASES] + [
            ("every entry of intended.json fits something",
             lambda: equal(self.intended.stale(self.major), [], "entries without a difference"))]


def main():
    source = os.environ.get("SRC") or None
    report.group("differential")
    release = version(source)
    if not release:
        claim(not source, "the JupyterHub of %s does not run here" % source)
        report.skip("beside JupyterHub", "there is no jupyterhub (Debian's package of that name)")
        report.finish()
    major = int(release.split(".")[0])
    carrel = begin_hub(OURS)
    theirs = ReferenceHub(carrel.account, source, theirs_of(major)).start()
    try:
        reference, ours = Hub("JupyterHub " + release, theirs.url), Hub("Carrel", carrel.url)
        run = Run(major, reference, ours)
        report.run(run.tests())
        if os.environ.get("RECORD"):
            run.recorded.keep(major, run.seen)
        end_hub(carrel)
    finally:
        theirs.clean()
    report.finish()


if __name__ == "__main__":
    main()
