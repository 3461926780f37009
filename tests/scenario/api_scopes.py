#!/usr/bin/python3
"""Scopes, line by line: the hierarchy, filters, self forms, metascopes, custom ones, what is seen with which, 403 or 404.

The hierarchy stands here a second time, on purpose: what the hub says of a token is compared with it.
"""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
import report
from report import claim, equal
from rest import Caller, begin_hub, end_hub

report.group("api-scopes")
carrel = begin_hub("""\
  custom_scopes:
    custom:grades:*:
      description: Everything with grades.
      subscopes: [custom:grades:read]
    custom:grades:read: {description: Read grades.}
  load_groups:
    crew: [alice]
    others: [bob]
  load_roles:
    - {name: grader, scopes: ['custom:grades:*!group=crew'], users: [alice, boss]}
    - {name: server, scopes: [self]}
    - {name: leads, scopes: [servers, 'list:users!group=crew'], groups: [crew]}
server:
  allow_named_servers: true
""")
BELOW = {
    "admin-ui": "", "admin:users": "admin:auth_state users read:roles:users delete:users", "admin:auth_state": "",
    "users": "read:users list:users users:activity", "delete:users": "", "list:users": "read:users:name",
    "read:users": "read:users:name read:users:groups read:users:activity", "read:users:name": "",
    "read:users:groups": "", "read:users:activity": "", "users:activity": "read:users:activity",
    "read:roles": "read:roles:users read:roles:services read:roles:groups", "read:roles:users": "",
    "read:roles:services": "", "read:roles:groups": "", "admin:servers": "admin:server_state servers",
    "admin:server_state": "", "servers": "read:servers start:servers delete:servers",
    "read:servers": "read:users:name", "start:servers": "", "delete:servers": "", "tokens": "read:tokens",
    "read:tokens": "", "admin:groups": "groups read:roles:groups delete:groups", "groups": "read:groups list:groups",
    "list:groups": "read:groups:name", "read:groups": "read:groups:name", "read:groups:name": "", "delete:groups": "",
    "admin:services": "list:services read:services read:roles:services", "list:services": "read:services:name",
    "read:services": "read:services:name", "read:services:name": "", "read:hub": "", "access:servers": "",
    "access:services": "", "users:shares": "read:users:shares", "groups:shares": "read:groups:shares",
    "read:users:shares": "", "read:groups:shares": "", "read:shares": "",
    "shares": "access:servers read:shares users:shares groups:shares", "proxy": "", "shutdown": "", "read:metrics": ""}
ADMIN = ["admin-ui", "admin:users", "admin:servers", "admin:services", "tokens", "admin:groups", "read:hub", "proxy",
         "shutdown", "access:services", "access:servers", "read:roles", "read:metrics", "shares"]


def below(scope):
    found = {scope}
    for sub in BELOW[scope].split():
        found |= below(sub)
    return found


def expanded(scope, mark=""):
    return {s + mark for s in below(scope) if not (mark.startswith("!server") and s.startswith("read:user"))}


def reduced(scopes):
    return sorted(s for s in scopes if "!" not in s or s.split("!")[0] not in scopes)


def token_with(caller, *scopes):
    return caller.token_of(caller.who, scopes=list(scopes))


def identify(user):
    return {"read:users:name!user=" + user, "read:users:groups!user=" + user}


def begin():
    global boss, alice, bob
    boss, alice, bob = Caller(carrel, "boss"), Caller(carrel, "alice"), Caller(carrel, "bob")
    alice.ok(201, "PUT", "/users/alice/servers/lab")


def said(caller):
    """As GET /user says, without the two scopes that every token has."""
    return caller.ok(200, "GET", "/user").json()["scopes"]


def hierarchy():
    for scope in BELOW:
        want = reduced(expanded(scope) | identify("boss"))
        equal(said(token_with(boss, scope)), want, "a token with " + scope)
    want = set().union(*(expanded(s) for s in ADMIN))
    have = {s for s in said(boss) if "!" not in s}
    equal(sorted(have), sorted(want), "what an administrator has")


def filters():
    for mark in ("!user=alice", "!group=crew", "!server=alice/lab", "!server=alice/", "!service=x"):
        for scope in ("servers", "users", "admin:users", "read:users", "access:servers", "tokens"):
            want = reduced(expanded(scope, mark) | identify("boss"))
            equal(said(token_with(boss, scope + mark)), want, "a token with %s%s" % (scope, mark))
    for scope in ("read:users!group", "read:users!x=y", "read:users!user=", "servers!server=alice", "inherit!user",
                  "self!user", "custom:grades:write", "custom:none"):
        boss.no(400, None, "POST", "/users/boss/tokens", {"scopes": [scope]})


def self_forms():
    equal(said(token_with(alice, "servers!user")), reduced(expanded("servers", "!user=alice") | identify("alice")), "!user")
    equal(said(token_with(alice, "servers!server", "servers!service")), sorted(identify("alice")),
          "what cannot be resolved")
    own = set().union(*(expanded(s, "!user=bob") for s in (
        "read:users", "users:shares", "read:shares", "users:activity", "servers", "tokens", "access:servers")))
    equal(said(bob), sorted(own), "what a plain user has")
    equal(said(token_with(bob, "self")), sorted(own), "self")
    equal(said(token_with(bob, "inherit")), sorted(own), "inherit")
    equal(said(bob.token_of("bob")), sorted(own), "nothing said")


def custom():
    mark = "!group=crew"
    have = said(alice)
    claim("custom:grades:read" + mark in have and "custom:grades:*" + mark in have, "a custom scope by a role: %s" % have)
    equal(said(token_with(alice, "custom:grades:read" + mark)), sorted({"custom:grades:read" + mark} | identify("alice")),
          "a token with one")
    equal(said(token_with(alice, "custom:grades:read!user=alice")),
          sorted({"custom:grades:read!user=alice"} | identify("alice")), "narrower")
    alice.no(400, None, "POST", "/users/alice/tokens", {"scopes": ["custom:grades:read"]})
    bob.no(400, None, "POST", "/users/bob/tokens", {"scopes": ["custom:grades:read!user=bob"]})


FIELDS = [  # scope, what is seen of alice
    ("read:users:name", "admin kind name user_info"), ("read:users:groups", "groups kind name"),
    ("read:users:activity", "kind last_activity name"), ("read:roles:users", "admin kind name roles"),
    ("read:servers", "admin kind name servers user_info"), ("list:users", "admin kind name user_info"),
    ("read:users", "admin created groups kind last_activity name pending roles server user_info")]
GROUP_FIELDS = [("read:groups:name", "kind name"), ("read:roles:groups", "kind name roles"),
                ("read:groups", "kind name properties users")]


def visible():
    for scope, fields in FIELDS:
        want = set(fields.split()) - {"user_info"}  # shown where the login left something
        seen = set(token_with(boss, scope + "!user=alice").ok(200, "GET", "/users/alice").json())
        equal(sorted(seen - {"user_info", "auth_state"}), sorted(want), "alice, with " + scope)
    for scope, fields in GROUP_FIELDS:
        seen = token_with(boss, scope + "!group=crew").ok(200, "GET", "/groups/crew").json()
        equal(sorted(seen), fields.split(), "a group, with " + scope)
    named = token_with(boss, "list:users!group=crew").ok(200, "GET", "/users").json()
    equal([u["name"] for u in named], ["alice"], "whom one sees who may list a group")
    shown = token_with(boss, "list:users", "read:users:activity!user=alice").ok(200, "GET", "/users?sort=name").json()
    claim(["last_activity" in u for u in shown] == [u["name"] == "alice" for u in shown], "fields by person: %r" % shown)
    state = token_with(boss, "read:users!user=alice", "admin:server_state", "read:servers")
    seen = state.ok(200, "GET", "/users/alice?include_stopped_servers").json()["servers"]["lab"]
    claim("state" in seen, "a server's inner state: %r" % seen)
    seen = boss.token_of("boss", scopes=["read:servers"]).ok(200, "GET", "/users/alice?include_stopped_servers").json()
    claim("state" not in seen["servers"]["lab"], "a server's inner state without the scope")


def found_or_forbidden():
    at, none = "/users/alice/servers/lab", "No access to resources or resources not found"
    for scope, status in (("read:servers", 200), ("read:servers!user=alice", 200), ("read:servers!group=crew", 200),
                          ("read:servers!server=alice/lab", 200), ("read:servers!server=alice/", 404),
                          ("read:servers!server=alice/la", 404), ("read:servers!user=bob", 404),
                          ("read:servers!group=others", 404), ("read:servers!service=x", 404), ("tokens", 403)):
        answer = token_with(boss, scope).call("GET", at)
        equal(answer.status, status, "with " + scope)
        if status == 404:
            equal(answer.json()["message"], none, "with " + scope)
    for scope, path, status in (("list:users!server=alice/lab", "/users", 403), ("list:groups!user=alice", "/groups", 403),
                                ("list:groups!group=crew", "/groups", 200), ("admin:users!user=new", "/users/new", 403)):
        method = "POST" if path == "/users/new" else "GET"
        equal(token_with(boss, scope).call(method, path).status, status, "%s %s with %s" % (method, path, scope))
    token_with(boss, "read:users!user=alice").no(404, none, "GET", "/users/nobody")


def at_the_time():
    """What the owner may not do any more, the token may not."""
    token, whole = token_with(alice, "servers!user=bob"), token_with(alice, "inherit")
    for caller in (token, whole):
        equal(caller.call("GET", "/users/bob/server").status, 200, "by the role of the group")
    boss.ok(200, "DELETE", "/groups/crew/users", {"users": ["alice"]})
    token.no(403, None, "GET", "/users/bob/server")
    whole.no(404, None, "GET", "/users/bob/server")
    equal(said(token), sorted(identify("alice")), "what is left")
    boss.ok(200, "POST", "/groups/crew/users", {"users": ["alice"]})
    equal(token.call("GET", "/users/bob/server").status, 200, "again")


def servers_role():
    """The role `server` of the configuration is what a server's own token has."""
    equal(bob.call("POST", "/users/bob/server").status, 201, "a start")
    tokens = bob.ok(200, "GET", "/users/bob/tokens").json()["api_tokens"]
    own = [t for t in tokens if t["note"] == "Server at /user/bob/"]
    claim(own and "tokens!user=bob" in own[0]["scopes"] and "users:activity!user=bob" in own[0]["scopes"],
          "the server's token: %r" % own)
    equal(bob.call("DELETE", "/users/bob/server").status, 204, "a stop")


report.run([("people log in", begin), ("the hierarchy", hierarchy), ("filters", filters), ("self forms", self_forms),
            ("scopes of the configuration", custom), ("which fields are seen", visible), ("403 or 404", found_or_forbidden),
            ("a token is cut at the time of the request", at_the_time), ("the role of servers", servers_role),
            ("the hub ends in order", lambda: end_hub(carrel))], carrel.print_lines)
carrel.clean()
report.finish()
