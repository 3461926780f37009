#!/usr/bin/python3
"""Every route of hub/routes.def against a running hub, and every member of every body of openapi.json.

Without credentials, with a scope for somebody else, with other methods, with bodies that are malformed, too long, of
wrong types, too deep or no text: each is refused as declared, the refusal names what is wrong, and nothing changes.
A route that is not in the OpenAPI document, or whose path this test cannot fill in, is a failure.
"""
import http.client
import json
import os
import re
import shutil
import subprocess
import sys
import urllib.parse

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
import idp
import report
from report import bin_dir, claim, equal
from rest import Caller, begin_hub, end_hub

report.group("table")
# timeout: 300
carrel = begin_hub("server:\n  allow_named_servers: true\n")
EXAMPLES = {"user": "alice", "server": "lab", "group": "crew", "token": "a1", "owner": "alice", "service": "none",
            "code": "404", "provider": "none", "cookie": "jupyterhub-hub-login", "value": "x", "*": "x"}
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
ENDS = ("/api/shutdown", "/logout")  # what would end the test, when it is let through


class Route:
    def __init__(self, line):
        self.method, self.pattern, self.gate, scopes, target, longest = line.split("\t")
        self.scopes = [] if scopes == "-" else scopes.split(",")
        self.is_addressed, self.longest = target != "-", int(longest)
        self.name = "%s %s" % (self.method, self.pattern)
        self.is_api = self.pattern.startswith("/api")
        self.reads = self.method in ("GET", "HEAD")

    def path(self, **more):
        def fill(part):
            if part == "*":
                return EXAMPLES["*"]
            if not part.startswith(":"):
                return part
            name = part[1:].rstrip("?")
            claim(name in EXAMPLES, "%s: this test does not know what :%s is" % (self.name, name))
            return urllib.parse.quote({**EXAMPLES, **more}[name], safe="")
        return "/hub" + "/".join(fill(p) for p in self.pattern.split("/"))


def run_hub(option):
    return subprocess.run([os.path.join(bin_dir(), "carrel-hub"), option], stdout=subprocess.PIPE, check=True,
                          text=True, timeout=30).stdout


ROUTES = [Route(line) for line in run_hub("--print-routes").splitlines()]
DOCUMENT = json.loads(run_hub("--print-openapi"))


def send(method, path, body=None, headers=None, cookies=None):
    """As it stands, past every library that would mend it."""
    c = http.client.HTTPConnection("127.0.0.1", carrel.hub_port, timeout=60)
    head = dict(headers or {})
    if cookies:
        head["Cookie"] = cookies
    try:
        c.request(method, path, body, head)
        r = c.getresponse()
        r.text = r.read().decode("utf-8", "replace")
        return r
    finally:
        c.close()


def begin():
    global boss, alice, carl, BOSS
    boss, alice, carl = Caller(carrel, "boss"), Caller(carrel, "alice"), Caller(carrel, "carl")
    Caller(carrel, "zoe")
    boss.ok(201, "POST", "/groups/crew", {"users": ["alice"]})
    boss.ok(201, "POST", "/groups/other")
    alice.ok(201, "PUT", "/users/alice/servers/lab")
    alice.token_of("alice", note="stays")
    BOSS = {"Authorization": "token " + boss.token_of("boss", note="the test's").token,
            "Content-Type": "application/json"}


def by_cookie(caller, more=None):
    browser = caller.browser
    return {"Cookie": browser.cookie_header("/hub/"), "X-XSRFToken": browser.cookie("_xsrf"), **(more or {})}


def state():
    """All that a request could have changed."""
    seen = [send("GET", "/hub/api" + path, headers=BOSS) for path in (
        "/users?include_stopped_servers=1&sort=name&limit=200", "/groups", "/users/alice/tokens", "/users/boss/tokens")]
    equal([a.status for a in seen], [200] * len(seen), "what there is can be read")
    return [re.sub(r'"last_activity": ?[^,}]*', "", a.text) for a in seen]


def refusal(route, answer, what, *statuses):
    claim(answer.status in statuses, "%s, %s: %d %s, not %s" % (
        route.name, what, answer.status, answer.text[:300], " or ".join(map(str, statuses))))
    if route.gate == "api" and route.method != "HEAD":
        claim(answer.headers["Content-Type"] == "application/json", "%s, %s: no JSON" % (route.name, what))
        said = json.loads(answer.text)
        claim(said["status"] == answer.status and said["message"], "%s, %s: %r" % (route.name, what, said))
        return said["message"]
    return answer.text


def documented():
    shown = {(m.upper(), re.sub(r"\{(\w+)\}", r":\1", p)) for p, item in DOCUMENT["paths"].items() for m in item}
    want = {(r.method, r.pattern.replace("?", "")) for r in ROUTES
            if (r.is_api or r.pattern.startswith("/.well-known")) and r.method != "HEAD"}
    equal(sorted(want - shown), [], "routes without an OPERATION in hub/openapi.def")
    equal(sorted(shown - want), [], "operations without a route")
    names = [o["operationId"] for item in DOCUMENT["paths"].values() for o in item.values()]
    equal(len(set(names)), len(names), "names of operations")
    served = send("GET", "/hub/api/openapi.json")
    equal((served.status, served.headers["Content-Type"]), (200, "application/json"), "the document")
    equal(json.loads(served.text), DOCUMENT, "what the hub serves")


def valid():
    shutil.copy(report.source_dir() + "/tests/idp/openapi.mjs", idp.HOME)
    r = subprocess.run(["node", idp.HOME + "/openapi.mjs", report.source_dir() + "/docs/openapi.json"],
                       stdout=subprocess.PIPE, text=True, timeout=60)
    equal(json.loads(r.stdout), {"version": "3.1", "valid": True}, "what the validator says")


def nobody():
    before = state()
    for route in ROUTES:
        answer = send(route.method, route.path(), None if route.reads else "{}")
        if route.gate == "api":
            equal(refusal(route, answer, "nobody", 403), "Missing or invalid credentials.", route.name)
        elif route.gate in ("page", "either"):
            refusal(route, answer, "nobody", 302 if route.reads else 403)
        elif route.gate == "scrape":
            refusal(route, answer, "nobody", 403)
        elif route.gate == "oauth":
            refusal(route, answer, "nobody", 400, 401)
        elif route.reads:
            claim(answer.status < 500, "%s, nobody: %d" % (route.name, answer.status))
        else:
            refusal(route, answer, "nobody", 403)
        wrong = send(route.method, route.path(), None if route.reads else "{}", {"Authorization": "token " + "0" * 32})
        if route.gate == "api":
            refusal(route, wrong, "a token that is none", 403)
    equal(state(), before, "what there is")


def filter_of(route):
    if "/groups" in route.pattern:
        return "!group=other"
    return "!service=other" if "/services" in route.pattern else "!user=zoe"


def wrong_scope():
    """With a token of an administrator that may do other things, and with one that may do it elsewhere."""
    before, made = state(), []
    for route in ROUTES:
        if not route.scopes:
            continue
        if route.gate == "page":
            headers = by_cookie(carl, {"Content-Type": "application/x-www-form-urlencoded"})
            path = route.path()
            if ":user" in route.pattern:
                refusal(route, send(route.method, path, None if route.reads else "", headers), "carl", 403, 404)
            continue
        for scopes, status in ((["shutdown" if "proxy" in route.scopes else "proxy"], 403),
                               ([s + filter_of(route) for s in route.scopes], 404 if route.is_addressed else 403)):
            token = json.loads(send("POST", "/hub/api/users/boss/tokens", json.dumps({"scopes": scopes}), BOSS).text)
            claim("token" in token, "%s: no token with %s: %s" % (route.name, scopes, token))
            made.append(token["id"])
            headers = {"Authorization": "token " + token["token"], "Content-Type": "application/json"}
            answer = send(route.method, route.path(), None if route.reads else "{}", headers)
            if route.pattern in ("/api/users", "/api/groups", "/api/services") and route.method == "GET" and \
                    "!" in scopes[0] and answer.status == 200:
                claim("alice" not in answer.text and "crew" not in answer.text, "%s shows too much" % route.name)
                continue
            # Every token may read its owner's own name, so that scope is held for somebody.
            known = {"read:users:name", "read:users:groups"} & set(route.scopes)
            refusal(route, answer, "a token with %s" % scopes, 404 if known else status)
    for token in made:
        equal(send("DELETE", "/hub/api/users/boss/tokens/" + token, None, BOSS).status, 204, "a token goes")
    equal(state(), before, "what there is")


def other_methods():
    before, have = state(), {}
    for route in ROUTES:
        have.setdefault(route.pattern, []).append(route)
    for pattern, routes in have.items():
        for method in METHODS:
            if method in [r.method for r in routes]:
                continue
            headers = by_cookie(boss, {"Content-Type": "application/json"})
            answer = send(method, routes[0].path(), None if method == "GET" else "{}", headers)
            claim(answer.status == 405, "%s %s: %d %s" % (method, pattern, answer.status, answer.text[:200]))
            allowed = answer.headers["Allow"].split(", ")
            claim(set(allowed) - {"OPTIONS"} == {r.method for r in routes}, "%s: Allow: %s" % (pattern, allowed))
    equal(state(), before, "what there is")


def bodies():
    """Malformed, and too long whether its length is declared or not."""
    before = state()
    for route in ROUTES:
        if route.reads:
            continue
        headers = BOSS if route.gate == "api" else by_cookie(boss)
        if route.gate == "api":
            for body in (b"{", b"{]", b'{"a":1,"a":2}', b'{"a":"\xff"}', b'{"a":"\\u0000"}', b"\0", b"[" * 2000,
                         b'{"a":' * 40 + b"1" + b"}" * 40, b"NaN", b"{} {}", b"'x'"):
                body = body[:route.longest]
                message = refusal(route, send(route.method, route.path(), body, headers), repr(body[:20]), 400)
                equal(message, "Invalid JSON in body of request", route.name)
        c = http.client.HTTPConnection("127.0.0.1", carrel.hub_port, timeout=60)
        c.putrequest(route.method, route.path())
        for name, value in {**headers, "Content-Length": str(route.longest + 1)}.items():
            c.putheader(name, value)
        c.endheaders()
        answer = c.getresponse()
        answer.text = answer.read().decode()
        c.close()
        refusal(route, answer, "a length over %d" % route.longest, 413)
        if not 0 < route.longest <= 65536:
            continue
        chunks = iter([b"[" + b" " * route.longest, b"]"])
        answer = send(route.method, route.path(), chunks, headers)
        refusal(route, answer, "more than %d bytes in pieces" % route.longest, 413)
    big = b'{"note": "' + b"x" * (10 << 20) + b'"}'
    try:
        answer = send("POST", "/hub/api/users/boss/tokens", big, BOSS)
        equal(answer.status, 413, "10 MiB")
    except (BrokenPipeError, ConnectionResetError):
        pass  # refused before it was sent
    equal(state(), before, "what there is")


WRONG = [("a number", 7), ("a text", "text"), ("true", True), ("null", None), ("a list", [7]), ("an object", {"x": 7}),
         ("a fraction", 1.5)]


def fits(schema, value):
    """Whether a value is of the type, as far as the types of openapi.def go."""
    if "$ref" in schema:
        return isinstance(value, dict)
    if "anyOf" in schema:
        return any(fits(s, value) for s in schema["anyOf"])
    is_of = {"string": lambda: isinstance(value, str), "boolean": lambda: isinstance(value, bool),
             "integer": lambda: isinstance(value, int) and not isinstance(value, bool),
             "object": lambda: isinstance(value, dict), "null": lambda: value is None,
             "array": lambda: isinstance(value, list) and all(fits(schema["items"], v) for v in value)}
    return is_of[schema["type"]]()


def schema_of(route):
    path = re.sub(r":(\w+)\??", r"{\1}", route.pattern)
    body = DOCUMENT["paths"].get(path, {}).get(route.method.lower(), {}).get("requestBody")
    if not body or "application/json" not in body["content"]:
        return None
    schema = body["content"]["application/json"]["schema"]
    while "$ref" in schema:
        schema = DOCUMENT["components"]["schemas"][schema["$ref"].split("/")[-1]]
    return schema


def right(kind):
    return {"string": "fresh", "array": ["fresh"], "object": {}}[kind.get("type", "object")]


def members():
    """Each member of each body with each wrong type: the message names it."""
    before = state()
    for route in ROUTES:
        schema = schema_of(route)
        if route.gate != "api" or schema is None or route.pattern in ENDS:
            continue
        path = route.path(**({"user": "fresh"} if route.name == "POST /api/users/:user" else
                             {"group": "fresh"} if route.name == "POST /api/groups/:group" else {}))
        for what, value in WRONG:
            if isinstance(value, dict) or value is None:
                continue
            refusal(route, send(route.method, path, json.dumps(value), BOSS), "a body that is " + what, 400)
        for name, kind in schema.get("properties", {}).items():
            for what, value in WRONG:
                if fits(kind, value) or value is None:
                    continue
                if kind.get("format") == "date-time" and isinstance(value, str):
                    continue
                body = {n: right(schema["properties"][n]) for n in schema.get("required", ())}
                body[name] = value
                message = refusal(route, send(route.method, path, json.dumps(body), BOSS),
                                  "%s is %s" % (name, what), 400, 403, 404, 409)
                claim(name in message, "%s, %s is %s: the message does not name it: %s" % (
                    route.name, name, what, message))
        if schema.get("additionalProperties") is False:
            message = refusal(route, send(route.method, path, '{"colour": "red"}', BOSS), "an unknown member", 400)
            claim("colour" in message, "%s: an unknown member is not named: %s" % (route.name, message))
    equal(state(), before, "what there is")


def queries():
    before = state()
    for path, field in (("/users?limit=x", "limit"), ("/users?offset=1e3", "offset"), ("/groups?limit=", "limit"),
                        ("/users?offset=99999999999999999999", "offset"), ("/users?limit=0x10", "limit"),
                        ("/users?state=asleep", "state"), ("/users?sort=password", "sort"), ("/proxy?limit=x", "limit"),
                        ("/users?name_filter=%FF", "query"), ("/users?name_filter=%00", "query"),
                        ("/users?name_filter=%zz", "query"), ("/users?" + "&".join(["a=1"] * 300), "query")):
        answer = send("GET", "/hub/api" + path, headers=BOSS)
        claim(answer.status == 400 and field in answer.text, "%s: %d %s" % (path[:60], answer.status, answer.text))
    for path in ("/users?limit=0", "/users?limit=-5", "/users?offset=-1", "/users?offset=1000000000000",
                 "/groups?limit=1000000000000", "/users?name_filter=%25"):
        equal(send("GET", "/hub/api" + path, headers=BOSS).status, 200, path)
    equal(state(), before, "what there is")


def names():
    """Of users, groups, servers, tokens: in the path and in bodies."""
    before = state()
    for name in ("%00", "%FF", "%", "%2", "a%2Fb", "%20", "a%0Ab", "a" * 300, "..%2F", "%20a"):
        for method, path in (("POST", "/users/%s"), ("GET", "/users/%s"), ("PUT", "/users/alice/servers/%s"),
                             ("POST", "/users/alice/servers/%s"), ("DELETE", "/users/alice/tokens/%s"),
                             ("GET", "/users/%s/tokens"), ("POST", "/users/%s/tokens"), ("GET", "/groups/%s")):
            answer = send(method, "/hub/api" + path % name, None, BOSS)
            claim(400 <= answer.status < 500, "%s %s: %d %s" % (method, path % name[:20], answer.status, answer.text[:200]))
    for body in ({"usernames": ["ok1", "a/b"]}, {"usernames": ["ok1", ""]}, {"usernames": ["ok1", " x"]},
                 {"usernames": ["ok1", "x" * 300]}, {"usernames": ["ok1", "a\nb"]}, {"usernames": ["ok1", 7]},
                 {"usernames": []}, {"usernames": "ok1"}):
        answer = send("POST", "/hub/api/users", json.dumps(body), BOSS)
        claim(answer.status == 400, "%r: %d %s" % (str(body)[:60], answer.status, answer.text[:200]))
    for scopes in (["no:such"], ["read:users!colour=red"], ["read:users!user="], ["inherit!user"], [""], ["a" * 300],
                   ["read:users!group"], ["read:users!server=alice"], [7], "inherit", {"a": 1}):
        answer = send("POST", "/hub/api/users/boss/tokens", json.dumps({"scopes": scopes}), BOSS)
        claim(answer.status == 400 and "scope" in answer.text, "%r: %d %s" % (scopes, answer.status, answer.text[:200]))
    for seconds in (0, -1, 1 << 60, 1 << 63):
        answer = send("POST", "/hub/api/users/boss/tokens", json.dumps({"expires_in": seconds}), BOSS)
        claim(answer.status == 400, "expires_in %r: %d %s" % (seconds, answer.status, answer.text[:200]))
    equal(state(), before, "what there is")


tests = [("people log in", begin), ("every route of the API is documented", documented)]
if idp.missing():
    report.skip("the document is valid OpenAPI 3.1", idp.missing())
else:
    tests.append(("the document is valid OpenAPI 3.1", valid))
tests += [("nobody gets through", nobody), ("a scope for somebody else is none", wrong_scope),
          ("other methods are told which there are", other_methods),
          ("bodies that are malformed or too long", bodies), ("members of wrong types are named", members),
          ("absurd queries", queries), ("names, scopes and numbers that break the rules", names),
          ("the hub ends in order", lambda: end_hub(carrel))]
report.run(tests)
if report._failed:
    carrel.print_lines(30)
carrel.clean()
report.finish()
