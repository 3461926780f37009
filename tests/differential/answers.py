"""An answer as {place: value}, without what is different in every run."""
import email.utils
import html
import json
import re
import time

HEADERS = ["Content-Type", "Location", "WWW-Authenticate", "Access-Control-Allow-Origin",
           "Access-Control-Allow-Headers", "Retry-After", "Cache-Control", "Allow", "Pragma"]
TIME = re.compile(r"^(\d{4})-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z$")
ABSENT = "(absent)"


class Plain:
    """What the texts of one hub's answers are told by."""

    def __init__(self, url, kept):
        self.url, self.kept = url, kept

    def tree(self, value):
        if isinstance(value, dict):
            return {k: "<pid>" if k == "pid" and v else self.tree(v) for k, v in value.items()}
        if isinstance(value, list):
            return [self.tree(v) for v in value]
        return self.text(value) if isinstance(value, str) else value

    def text(self, text):
        """Of times only those of this century's tests stay: what a case sent."""
        match = TIME.match(text)
        if match:
            return text if int(match.group(1)) < 2021 else "<time>"
        if re.match(r"^(a|sc_)\d+$", text):
            return "<id>"
        for name, value in self.kept.items():
            text = text.replace(value, "<%s>" % name) if len(value) > 5 else re.sub(
                r"\b%s\b" % re.escape(value), "<%s>" % name, text)
        text = text.replace(self.url, "<hub>").replace(self.url.split("//")[1], "<host>")
        if text.startswith("<hub>") and "?" in text:  # the order of a query says nothing
            address, _, query = text.partition("?")
            text = address + "?" + "&".join(sorted(query.split("&")))
        text = re.sub(r"\b(0x)?[0-9a-f]{32}\b", "<hex>", text)
        text = re.sub(r"\bcode=[A-Za-z0-9]{30}\b", "code=<code>", text)
        return re.sub(r"^[A-Za-z0-9]{30}$", "<token>", text)


def flat(answer, plain, fields=False):
    seen = {"status": answer.status}
    for name in HEADERS:
        if answer.headers[name]:
            seen["header." + name] = plain.text(re.sub(r";\s*charset=utf-8$", "", answer.headers[name], flags=re.I))
    cookies(seen, answer, plain)
    policy = [d.strip() for d in (answer.headers["Content-Security-Policy"] or "").split(";")]
    seen["header.frames"] = next((d for d in policy if d.startswith("frame-ancestors")), ABSENT)
    seen["header.release"] = bool(answer.headers["X-JupyterHub-Version"])
    kind = answer.headers["Content-Type"] or ""
    if not answer.body:
        return seen
    if kind.startswith("application/json"):
        flatten(seen, "body", plain.tree(answer.json()))
    elif kind.startswith("text/event-stream"):
        events = [line[6:] for line in answer.text.splitlines() if line.startswith("data: ")]
        for name, event in (("first_event", events[:1]), ("last_event", events[-1:])):
            flatten(seen, name, plain.tree(json.loads(event[0])) if event else ABSENT)
    elif kind.startswith("text/") and not kind.startswith("text/html"):
        seen["body"] = plain.text(answer.text)
    elif fields:
        seen["forms"] = forms(answer.text, plain)
    return seen


def cookies(seen, answer, plain):
    """Of each cookie its attributes, and whether it is set or taken away."""
    for line in answer.headers.get_all("Set-Cookie") or []:
        first, *rest = [part.strip() for part in line.split(";")]
        name, _, value = first.partition("=")
        pairs = [part.partition("=")[::2] for part in rest]
        gone = value in ("", '""')
        told = sorted("%s=%s" % (k.lower(), lasts(k, v)) if v else k.lower() for k, v in pairs
                      if not gone or k.lower() in ("path", "domain"))
        seen["cookie." + plain.text(name)] = "; ".join(["taken" if gone else "set"] + told)


def lasts(key, value):
    if key.lower() != "expires":
        return value
    moment = email.utils.parsedate_to_datetime(value).timestamp()
    return "%d days" % round((moment - time.time()) / 86400)


def forms(page, plain):
    """Method and fields of each form: {name of a field: value of a hidden one}."""
    found = []
    for tag, inner in re.findall(r"<form\b([^>]*)>(.*?)</form>", page, re.S):
        form = dict(re.findall(r'([\w-]+)="([^"]*)"', tag))
        names = []
        for field in re.findall(r"<(?:input|textarea|select)\b[^>]*>", inner):
            a = dict(re.findall(r'([\w-]+)="([^"]*)"', field))
            if a.get("name") and a.get("name") != "raw-scopes":  # decoration of the reference
                value = a.get("value", "") if a.get("type") == "hidden" and a["name"] != "_xsrf" else ""
                names.append(a["name"] + ("=" + plain.text(html.unescape(value)) if value else ""))
        found.append("%s: %s" % (form.get("method", "get").lower(), ", ".join(sorted(names))))
    return sorted(found)


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
