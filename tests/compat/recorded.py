#!/usr/bin/python3
"""What clients of JupyterHub ask, step by step, and the parts of the answers that they look at.

tests/compat/recorded/*.json: method, path, status (one or several), and perhaps
body (JSON) or form, headers, token (admin, bob, wrong or none), looks_at: {place:
{member: type}} or {place: type}, answer_headers. "?" after a type: or null.
"""
import json
import os
import re
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../lib"))
import report
from report import claim
from rest import Caller, begin_hub, end_hub
from web import Browser

report.group("compat")
TYPES = {
    "str": lambda v: isinstance(v, str), "bool": lambda v: isinstance(v, bool),
    "int": lambda v: isinstance(v, int) and not isinstance(v, bool), "list": lambda v: isinstance(v, list),
    "object": lambda v: isinstance(v, dict), "release": lambda v: re.fullmatch(r"\d+\.\d+\.\d+", v) is not None,
    "time": lambda v: isinstance(v, str) and re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{6})?Z", v) is not None,
}


def fits(value, kind):
    return (kind.endswith("?") and value is None) or TYPES[kind.rstrip("?")](value)


def at(answer, place):
    """The part of an answer: "items.0.servers." ends in the member "" of servers."""
    for step in place.split(".") if place else []:
        answer = answer[int(step)] if isinstance(answer, list) else answer[step]
    return answer


def check_parts(what, answer, looks_at):
    for place, wanted in looks_at.items():
        try:
            part = at(answer, place)
        except (KeyError, IndexError):
            raise report.Failure("%s: there is no %r in %s" % (what, place, json.dumps(answer)[:400]))
        members = wanted if isinstance(wanted, dict) else {None: wanted}
        for name, kind in members.items():
            value = part if name is None else part.get(name, "(absent)")
            claim(value != "(absent)" and fits(value, kind), "%s: %s %s is %r, not %s" % (what, place, name or "", value, kind))


def take(step, tokens):
    path = re.sub(r"\{(\w+)\}", lambda m: tokens[m.group(1)], step["path"])
    what = "%s %s" % (step["method"], path)
    headers, body = dict(step.get("headers", {})), None
    token = step.get("token", "admin")
    if token != "none":
        headers["Authorization"] = "token " + tokens[token]
    if "body" in step:
        headers["Content-Type"], body = "application/json", json.dumps(step["body"])
    if "form" in step:
        headers["Content-Type"], body = "application/x-www-form-urlencoded", step["form"]
    answer = Browser(carrel.url).request(step["method"], "/hub/api" + path, body, headers)
    wanted = step["status"] if isinstance(step["status"], list) else [step["status"]]
    claim(answer.status in wanted, "%s answers %d: %s" % (what, answer.status, answer.text[:300]))
    for name in step.get("answer_headers", []):
        claim(answer.headers[name], "%s: no header %s" % (what, name))
    if step.get("looks_at"):
        check_parts(what, answer.json(), step["looks_at"])


def play(path, tokens):
    with open(path) as f:
        for step in json.load(f)["steps"]:
            take(step, tokens)


carrel = begin_hub("server:\n  allow_named_servers: true\n"
                   "services:\n  math101: {url: 'http://127.0.0.1:9', api_token: fedcba9876543210}\n")
boss, bob = Caller(carrel, "boss"), Caller(carrel, "bob")
boss.ok(201, "POST", "/users/idle")
known = {"admin": boss.token_of("boss").token, "bob": bob.token_of("bob").token, "wrong": "0123456789abcdef"}
folder = os.path.join(HERE, "recorded")
report.run([("what %s asks" % name[:-5], lambda n=name: play(os.path.join(folder, n), known))
            for name in sorted(os.listdir(folder))] + [("the hub ends", lambda: end_hub(carrel))],
           on_failure=lambda: carrel.print_lines(30))
report.finish()
