#!/usr/bin/python3
"""Tokens and groups over REST, and the introspection that services live by, with the real client."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
import report
from report import claim, equal, until
from rest import Caller, begin_hub, end_hub

report.group("api-tokens")
carrel = begin_hub()
ENVELOPE = {"Accept": "application/jupyterhub-pagination+json"}
MEMBERS = ["created", "expires_at", "id", "kind", "last_activity", "note", "oauth_client", "roles", "scopes",
           "session_id", "user"]


def begin():
    global boss, alice
    boss, alice = Caller(carrel, "boss"), Caller(carrel, "alice")
    boss.ok(201, "POST", "/users", {"usernames": ["bob", "carl"]})


# ---- groups ----

def groups():
    made = boss.ok(201, "POST", "/groups/class 1/2".replace(" ", "%20").replace("/2", "%2F2"), {"users": ["Alice"]})
    equal(made.json(), {"kind": "group", "name": "class 1/2", "users": ["alice"], "properties": {}, "roles": []},
          "a new group")
    path = "/groups/class%201%2F2"
    boss.no(409, "Group class 1/2 already exists", "POST", path)
    boss.no(400, "No such user: zoe", "POST", "/groups/b", {"users": ["alice", "zoe"]})
    boss.no(404, "No such group: b", "GET", "/groups/b")
    boss.no(400, "group.users must be a list, not: a string", "POST", "/groups/b", {"users": "alice"})
    boss.no(400, "Invalid JSON keys: name", "POST", "/groups/b", {"name": "c"})
    equal(boss.ok(200, "POST", path + "/users", {"users": ["bob", "alice"]}).json()["users"], ["alice", "bob"], "added")
    equal(boss.ok(200, "GET", "/users/bob").json()["groups"], ["class 1/2"], "groups of a member")
    boss.no(400, "Must specify users to add", "POST", path + "/users", {})
    boss.no(400, "Must specify users to delete", "DELETE", path + "/users")
    boss.no(400, "No such user: zoe", "POST", path + "/users", {"users": ["carl", "zoe"]})
    boss.no(404, "No such group: b", "POST", "/groups/b/users", {"users": ["alice"]})
    for body in ([], ["alice"], "x"):
        claim(boss.call("DELETE", path + "/users", body).status == 400, "DELETE with %r" % body)
    equal(boss.ok(200, "DELETE", path + "/users", {"users": ["bob", "carl"]}).json()["users"], ["alice"], "taken out")
    notes = {"course": "x", "n": [1, {"a": None}]}
    equal(boss.ok(200, "PUT", path + "/properties", notes).json()["properties"], notes, "properties")
    equal(boss.ok(200, "PUT", path + "/properties", {"k": 1}).json()["properties"], {"k": 1}, "replaced wholesale")
    for body in (None, [1], "x"):
        boss.no(400, "Must specify properties", "PUT", path + "/properties", body)
    many = boss.ok(201, "POST", "/groups", {"groups": ["g1", "g2"], "users": ["carl"]}).json()
    equal([(g["name"], g["users"]) for g in many], [("g1", ["carl"]), ("g2", ["carl"])], "many groups")
    boss.no(409, "Group g2 already exists", "POST", "/groups", {"groups": ["g3", "g2"]})
    boss.no(404, "No such group: g3", "GET", "/groups/g3")
    for body in (None, {}, {"groups": []}):
        boss.no(400, "Must specify at least one group to create", "POST", "/groups", body)
    equal([g["name"] for g in boss.ok(200, "GET", "/groups").json()], ["class 1/2", "g1", "g2"], "all groups")
    page = boss.ok(200, "GET", "/groups?limit=2", headers=ENVELOPE).json()
    equal((len(page["items"]), page["_pagination"]["total"], page["_pagination"]["next"]["offset"]), (2, 3, 2), "a page")
    equal(boss.ok(204, "DELETE", "/groups/g2").body, b"", "body of a deletion")
    boss.no(404, "No such group: g2", "DELETE", "/groups/g2")
    equal(boss.ok(200, "GET", "/users/carl").json()["groups"], ["g1"], "a deleted group is nobody's")
    alice.no(403, None, "GET", "/groups")
    alice.no(403, None, "POST", "/groups/x")


def groups_by_scope():
    token = boss.token_of("boss", scopes=["read:groups:name!group=g1"])
    equal(token.ok(200, "GET", "/groups/g1").json(), {"kind": "group", "name": "g1"}, "the name only")
    token.no(404, "No access to resources or resources not found", "GET", "/groups/class%201%2F2")
    token = boss.token_of("boss", scopes=["groups!group=g1"])
    equal([g["name"] for g in token.ok(200, "GET", "/groups").json()], ["g1"], "the group that it may see")
    token.ok(200, "POST", "/groups/g1/users", {"users": ["bob"]})
    token.no(403, None, "DELETE", "/groups/g1")
    boss.token_of("boss", scopes=["list:groups!user=bob"]).no(403, None, "GET", "/groups")
    # creation wants the unfiltered scope
    token = boss.token_of("boss", scopes=["admin:groups!group=new"])
    token.no(403, None, "POST", "/groups/new")
    token.no(403, None, "POST", "/groups", {"groups": ["new"]})


# ---- tokens ----

def makes():
    made = alice.ok(201, "POST", "/users/alice/tokens").json()
    equal(sorted(made), sorted(MEMBERS + ["token"]), "members of a new token")
    equal((made["user"], made["kind"], made["note"], made["expires_at"], made["last_activity"], made["oauth_client"]),
          ("alice", "api_token", "Requested via api", None, None, "JupyterHub"), "a new token")
    claim(len(made["token"]) == 32 and made["id"][0] == "a", "its text and id: %r" % made["id"])
    seen = alice.ok(200, "GET", "/users/alice/tokens/" + made["id"]).json()
    equal(sorted(seen), MEMBERS, "it is never shown again")
    own = boss.ok(201, "POST", "/users/alice/tokens", {"note": "n", "expires_in": 3600, "scopes": ["self"]}).json()
    equal(own["note"], "n", "note")
    claim(own["expires_at"] and "servers!user=alice" in own["scopes"], "self is the owner's: %r" % own)
    equal(boss.ok(201, "POST", "/users/alice/tokens", {}).json()["note"], "Requested via api by user boss", "by another")
    equal(boss.ok(201, "POST", "/users/boss/tokens", {"roles": ["user"]}).json()["scopes"],
          sorted(s.replace("alice", "boss") for s in own["scopes"]), "a role")


def refuses():
    path = "/users/alice/tokens"
    for body, says in (
            ({"expires_in": 0}, "expires_in must be a positive integer"),
            ({"expires_in": -5}, "expires_in must be a positive integer"),
            ({"expires_in": "60"}, "expires_in must be an integer"),
            ({"expires_in": True}, "expires_in must be an integer"),
            ({"expires_in": 10 ** 18}, "expires_in is too large"),
            ({"note": 7}, "note must be a string"),
            ({"note": "x" * 1024}, "note must have at most 1023 bytes"),
            ({"scopes": "self"}, "scopes must be a list of strings"),
            ({"scopes": [1]}, "scopes must be a list of strings; item 0 is a number"),
            ({"scopes": ["self"], "roles": ["user"]}, "Only one of roles and scopes may be given"),
            ({"roles": ["nobody"]}, "Role nobody does not exist"),
            ({"roles": "user"}, "roles must be a list of strings"),
            ({"scopes": ["read:everything"]}, None),
            ({"scopes": ["read:users!planet=x"]}, None),
            ({"scopes": ["admin:users"]}, None),
            ({"scopes": ["read:users"]}, None),
            ({"scopes": ["read:users!user=bob"]},
             "Not assigning requested scopes read:users!user=bob not held by User alice"),
            ({"roles": ["admin"]}, None),
            ([], "Body must be a JSON object")):
        answer = alice.call("POST", path, body)
        claim(answer.status == 400, "POST tokens with %r answers %d %s" % (body, answer.status, answer.text[:200]))
        claim(says is None or says in answer.json()["message"], "%r says %s" % (body, answer.text))
    for who in ("bob", "nobody"):
        alice.no(403, "User %s not found or no permissions to generate tokens" % who, "POST", "/users/%s/tokens" % who)
    boss.no(403, "User nobody not found or no permissions to generate tokens", "POST", "/users/nobody/tokens")


def uses():
    token = alice.token_of("alice")
    me = token.ok(200, "GET", "/user").json()
    equal((me["name"], me["token_id"], me["session_id"]), ("alice", token.id, None), "who a token is")
    equal(me["scopes"], alice.ok(200, "GET", "/user").json()["scopes"], "inherit is all that the owner may do")
    equal(alice.ok(200, "GET", "/user").json()["token_id"], None, "a cookie is no token")
    claim(token.ok(200, "GET", "/users/alice/tokens/" + token.id).json()["last_activity"], "use is recorded")
    nothing = alice.token_of("alice", scopes=["read:users:name!user"])
    me = nothing.ok(200, "GET", "/user").json()
    equal((me["scopes"], me["name"], me["groups"]),
          (["read:users:groups!user=alice", "read:users:name!user=alice"], "alice", ["class 1/2"]), "a narrow token")
    nothing.no(403, None, "GET", "/users/alice/tokens")
    token.ok(204, "DELETE", "/users/alice/tokens/" + token.id)
    token.no(403, "Missing or invalid credentials.", "GET", "/user")
    alice.no(404, "No such token of user alice", "GET", "/users/alice/tokens/" + token.id)
    alice.no(404, "No such token of user alice", "DELETE", "/users/alice/tokens/" + token.id)
    for bad in ("1", "ax", "a", "a-1", "a99999999999999999999", "b1"):
        alice.no(404, None, "GET", "/users/alice/tokens/" + bad)
    foreign = boss.token_of("boss")
    boss.no(404, None, "GET", "/users/alice/tokens/" + foreign.id)
    boss.no(404, None, "DELETE", "/users/alice/tokens/" + foreign.id)
    alice.no(404, None, "GET", "/users/boss/tokens")


def never_wider():
    """A person's narrow token mints nothing wider for the same person."""
    narrow = alice.token_of("alice", scopes=["tokens!user", "read:users!user"])
    for body in ({}, {"scopes": ["inherit"]}, {"scopes": ["self"]}, {"scopes": ["servers!user=alice"]},
                 {"roles": ["token"]}, {"roles": ["user"]}):
        answer = narrow.call("POST", "/users/alice/tokens", body)
        claim(answer.status == 400 and "not held by token " + narrow.id in answer.json()["message"],
              "a narrow token asks for %r: %d %s" % (body, answer.status, answer.text))
    child = narrow.token_of("alice", scopes=["read:users!user"])
    claim("tokens!user=alice" not in child.ok(200, "GET", "/user").json()["scopes"], "a narrower one is made")
    all_of_it = alice.token_of("alice")
    all_of_it.ok(201, "POST", "/users/alice/tokens")
    # who loses a right loses it in every token at once
    boss.ok(200, "PATCH", "/users/bob", {"admin": True})
    admins = boss.token_of("bob", scopes=["list:users", "read:users!user"])
    admins.ok(200, "GET", "/users")
    boss.ok(200, "PATCH", "/users/bob", {"admin": False})
    admins.no(403, None, "GET", "/users")


def expires():
    token = alice.token_of("alice", expires_in=1)
    token.ok(200, "GET", "/user")
    until("the token has expired", 10, lambda: token.call("GET", "/user").status == 403)
    ids = [t["id"] for t in alice.ok(200, "GET", "/users/alice/tokens").json()["api_tokens"]]
    claim(token.id not in ids, "an expired token is still listed")
    alice.no(404, None, "GET", "/users/alice/tokens/" + token.id)


def lists():
    tokens = alice.ok(200, "GET", "/users/alice/tokens").json()["api_tokens"]
    when = [t["last_activity"] or t["created"] for t in tokens]
    equal(when, sorted(when), "the order of tokens")
    claim(all(sorted(t) == MEMBERS for t in tokens), "members of listed tokens")


def credentials():
    """None, a wrong one, a foreign site's: 403 with the contract's words."""
    nobody = Caller(carrel, token="0" * 32)
    nobody.no(403, "Missing or invalid credentials.", "GET", "/user")
    answer = nobody.browser.request("POST", "/hub/api/users/alice/tokens", b"{}")
    equal((answer.status, answer.json()["message"]), (403, "Missing or invalid credentials."), "nobody makes a token")
    answer = alice.browser.request("POST", "/hub/api/users/alice/tokens", b"{}", {"Content-Type": "application/json"})
    equal((answer.status, answer.json()["message"]), (403, "'_xsrf' argument missing from POST"), "a write without XSRF")
    answer = alice.browser.request("DELETE", "/hub/api/users/alice/tokens/a1")
    equal(answer.status, 403, "a deletion without XSRF")


def real_client():
    """The HubAuth of Debian's JupyterHub against our introspection."""
    os.environ["JUPYTERHUB_API_TOKEN"] = boss.token_of("boss").token
    from jupyterhub.services.auth import HubAuth
    auth = HubAuth(api_url="http://127.0.0.1:%d/hub/api" % carrel.hub_port, cache_max_age=1,
                   access_scopes={"access:servers!server=alice/"})
    token = alice.token_of("alice")
    model = auth.user_for_token(token.token, use_cache=False)
    equal((model["name"], model["kind"], model["token_id"]), ("alice", "user", token.id), "HubAuth knows whose it is")
    claim(auth.check_scopes(auth.access_scopes, model), "and that she may use her server")
    other = auth.user_for_token(boss.token_of("bob", scopes=["read:users!user"]).token, use_cache=False)
    claim(not auth.check_scopes(auth.access_scopes, other), "and that others may not")
    equal(auth.user_for_token("f" * 32, use_cache=False), None, "and that this is no token")
    token.ok(204, "DELETE", "/users/alice/tokens/" + token.id)
    equal(auth.user_for_token(token.token, use_cache=False), None, "nor this one any more")


def limits():
    """With a longest life, no token lives longer or for ever."""
    carrel.end("hub")
    with open(carrel.dir + "/carrel.yaml", "a") as f:
        f.write("session:\n  max_token_age: 1h\n")
    carrel.begin("hub")
    from datetime import datetime, timezone
    made = alice.ok(201, "POST", "/users/alice/tokens").json()
    left = datetime.fromisoformat(made["expires_at"].replace("Z", "+00:00")) - datetime.now(timezone.utc)
    claim(3500 < left.total_seconds() <= 3600, "without a wish it is the longest: %s" % left)
    alice.ok(201, "POST", "/users/alice/tokens", {"expires_in": 3600})
    for body in ({"expires_in": 0}, {"expires_in": 3601}):
        claim(alice.call("POST", "/users/alice/tokens", body).status == 400, "expiry %r under a maximum" % body)


report.run([("people log in", begin), ("groups", groups), ("what of groups is seen with which scope", groups_by_scope),
            ("tokens are made", makes), ("and refused", refuses), ("used and revoked", uses),
            ("a narrow token makes no wider one", never_wider), ("tokens expire", expires), ("are listed", lists),
            ("credentials are asked for", credentials), ("a real HubAuth believes us", real_client),
            ("the longest life holds", limits),
            ("the hub ends in order", lambda: end_hub(carrel))], carrel.print_lines)
carrel.clean()
report.finish()
