#!/usr/bin/python3
"""The REST API of users, told over a real hub: each status, each message, each refusal."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
import report
from report import claim, equal
from rest import Caller, begin_hub, end_hub
from web import Browser

report.group("api-users")

carrel = begin_hub()
ENVELOPE = {"Accept": "application/jupyterhub-pagination+json"}


def names(answer):
    body = answer.json()
    return [u["name"] for u in (body["items"] if isinstance(body, dict) else body)]


def begin():
    global boss, alice
    boss, alice = Caller(carrel, "boss"), Caller(carrel, "alice")


def creates_many():
    made = boss.ok(201, "POST", "/users", {"usernames": ["Carl", "dora", "carl", "e_100", "e-100", "e%100"]})
    equal([u["name"] for u in made.json()], ["carl", "dora", "e_100", "e-100", "e%100"], "created")
    user = made.json()[0]
    equal((user["kind"], user["admin"], user["roles"], user["groups"], user["servers"], user["pending"]),
          ("user", False, ["user"], [], {}, None), "a new user")
    claim(user["created"].endswith("Z") and user["last_activity"] is None, "times of a new user: %r" % user)
    equal(names(boss.ok(201, "POST", "/users", {"usernames": ["carl", "fred"]})), ["fred"], "existing are skipped")
    boss.no(409, "All 2 users already exist", "POST", "/users", {"usernames": ["carl", "fred"]})
    for body in (None, {}, {"usernames": []}):
        boss.no(400, "Must specify at least one user to create", "POST", "/users", body)
    boss.no(400, "Invalid username: a/b", "POST", "/users", {"usernames": ["gina", "a/b"]})
    boss.no(400, "Invalid usernames: a/b,  x", "POST", "/users", {"usernames": ["gina", "a/b", " x"]})
    boss.no(404, None, "GET", "/users/gina")
    boss.no(400, "users.usernames must be a list, not: a string", "POST", "/users", {"usernames": "gina"})
    boss.no(400, "usernames must be a list of strings; item 1 is a number", "POST", "/users",
            {"usernames": ["gina", 7]})
    boss.no(400, "users.admin must be true or false, not: a string", "POST", "/users",
            {"usernames": ["gina"], "admin": "yes"})
    boss.no(400, "Invalid JSON keys: surprise", "POST", "/users", {"usernames": ["gina"], "surprise": 1})
    boss.no(400, None, "POST", "/users", ["gina"])
    alice.no(403, "Action is not authorized with current scopes; requires any of [admin:users]",
             "POST", "/users", {"usernames": ["gina"]})


def lists():
    everybody = ["boss", "alice", "carl", "dora", "e_100", "e-100", "e%100", "fred"]
    equal(names(boss.ok(200, "GET", "/users")), everybody, "all, by id")
    equal(names(boss.ok(200, "GET", "/users?sort=-id")), everybody[::-1], "by id, backwards")
    equal(names(boss.ok(200, "GET", "/users?sort=name")), sorted(everybody), "by name")
    equal(names(boss.ok(200, "GET", "/users?sort=-name")), sorted(everybody)[::-1], "by name, backwards")
    # who was never seen is the oldest
    equal(set(names(boss.ok(200, "GET", "/users?sort=last_activity"))[-2:]), {"boss", "alice"}, "by activity")
    equal(set(names(boss.ok(200, "GET", "/users?sort=-last_activity"))[:2]), {"boss", "alice"}, "by activity, backw.")
    boss.no(400, "Unrecognized sort: 'size'", "GET", "/users?sort=size")
    boss.no(400, "Unrecognized state filter: 'asleep'", "GET", "/users?state=asleep")
    equal(names(boss.ok(200, "GET", "/users?state=")), everybody, "an empty state is none")
    equal(names(boss.ok(200, "GET", "/users?state=inactive")), everybody, "inactive")
    equal(names(boss.ok(200, "GET", "/users?state=active")), [], "active")
    equal(names(boss.ok(200, "GET", "/users?state=ready")), [], "ready")
    equal(names(boss.ok(200, "GET", "/users?name_filter=R")), ["carl", "dora", "fred"], "part of a name, either case")
    equal(names(boss.ok(200, "GET", "/users?name_filter=e_1")), ["e_100"], "_ is no wildcard")
    equal(names(boss.ok(200, "GET", "/users?name_filter=%251")), ["e%100"], "% is no wildcard")
    alice.no(403, "Action is not authorized with current scopes; requires any of [list:users]", "GET", "/users")


def pages():
    page = boss.ok(200, "GET", "/users?offset=1&limit=3&sort=name", headers=ENVELOPE)
    claim(page.headers["Content-Type"] == "application/json", "type of a page: %s" % page.headers["Content-Type"])
    p = page.json()["_pagination"]
    equal((p["offset"], p["limit"], p["total"], p["next"]["offset"], p["next"]["limit"]), (1, 3, 8, 4, 3), "a page")
    equal(p["next"]["url"], carrel.url + "/hub/api/users?sort=name&offset=4&limit=3", "where the next one is")
    seen, url = [], "/users?limit=3"
    for _ in range(9):
        answer = boss.ok(200, "GET", url, headers=ENVELOPE)
        seen += names(answer)
        following = answer.json()["_pagination"]["next"]
        if following is None:
            break
        url = following["url"].split("/hub/api", 1)[1]
    equal(sorted(seen), sorted(names(boss.ok(200, "GET", "/users"))), "a walk over all pages")
    last = boss.ok(200, "GET", "/users?offset=5&limit=3", headers=ENVELOPE).json()["_pagination"]
    equal(last["next"], None, "after the last page")
    equal(boss.ok(200, "GET", "/users", headers=ENVELOPE).json()["_pagination"]["limit"], 50, "default of a page")
    equal(boss.ok(200, "GET", "/users?limit=100000", headers=ENVELOPE).json()["_pagination"]["limit"], 200, "largest")
    equal(boss.ok(200, "GET", "/users?limit=0&offset=-1", headers=ENVELOPE).json()["_pagination"]["limit"], 1, "least")
    equal(len(boss.ok(200, "GET", "/users?limit=2").json()), 2, "the bare list is cut too")
    equal(boss.ok(200, "GET", "/users?offset=9000000000000000000&limit=5", headers=ENVELOPE).json()["items"], [],
          "an absurd offset")
    for bad in ("limit=x", "offset=1.5", "limit=", "offset=99999999999999999999"):
        boss.no(400, "Invalid argument type, offset and limit must be integers", "GET", "/users?" + bad)
    bare = boss.ok(200, "GET", "/users", headers={"Accept": "application/jupyterhub-pagination+json;q=1"})
    claim(isinstance(bare.json(), list), "with a parameter the type is another one")


def creates_one():
    made = boss.ok(201, "POST", "/users/Hugo")
    equal(made.json()["name"], "hugo", "names are made normal")
    boss.no(409, "User hugo already exists", "POST", "/users/hugo")
    boss.no(409, "User hugo already exists", "POST", "/users/HUGO")
    claim(boss.ok(201, "POST", "/users/ines", {"admin": True}).json()["admin"], "an administrator")
    answer = boss.call("POST", "/users/a%2Fb")
    claim(answer.status == 400 and answer.json()["message"].startswith("Failed to create user: a/b"),
          "a name with a slash: %d %s" % (answer.status, answer.text))
    boss.no(400, "user.admin must be true or false, not: a number", "POST", "/users/jan", {"admin": 1})
    boss.no(400, "Invalid JSON in body of request", "POST", "/users/jan", raw=b"{")
    boss.no(404, None, "GET", "/users/jan")
    alice.no(403, None, "POST", "/users/jan")


def reads_one():
    user = boss.ok(200, "GET", "/users/hugo").json()
    equal(sorted(user), sorted(["kind", "name", "admin", "user_info", "roles", "groups", "server", "pending", "created",
                                "last_activity", "servers", "auth_state"]), "members for an administrator")
    stopped = boss.ok(200, "GET", "/users/hugo?include_stopped_servers").json()["servers"]
    claim(stopped[""]["stopped"] and not stopped[""]["ready"], "the default server at rest: %r" % stopped)
    equal(boss.ok(200, "GET", "/users/hugo?include_stopped_servers=False").json()["servers"], {}, "false is false")
    boss.no(404, "No access to resources or resources not found", "GET", "/users/nobody")
    alice.no(404, "No access to resources or resources not found", "GET", "/users/hugo")
    claim("auth_state" not in alice.ok(200, "GET", "/users/alice").json(), "a person does not see their auth_state")


def changes():
    claim(boss.ok(200, "PATCH", "/users/hugo", {"admin": True}).json()["admin"], "made an administrator")
    equal(boss.ok(200, "GET", "/users/hugo").json()["roles"], ["admin", "user"], "roles of an administrator")
    claim(not boss.ok(200, "PATCH", "/users/hugo", {"admin": False}).json()["admin"], "and no longer")
    equal(boss.ok(200, "PATCH", "/users/hugo", {"name": "Hugo2"}).json()["name"], "hugo2", "a new name")
    boss.no(404, None, "GET", "/users/hugo")
    equal(boss.ok(200, "PATCH", "/users/hugo2", {"name": "hugo2"}).json()["name"], "hugo2", "the same name")
    boss.no(400, "User carl already exists, username must be unique", "PATCH", "/users/hugo2", {"name": "carl"})
    claim(boss.call("PATCH", "/users/hugo2", {"name": "a/b"}).status == 400, "a bad new name")
    boss.no(400, "user.name must be a string, not: a number", "PATCH", "/users/hugo2", {"name": 3})
    boss.no(400, "Invalid JSON keys: nmae", "PATCH", "/users/hugo2", {"nmae": "x"})
    for body in (None, [], "x"):
        claim(boss.call("PATCH", "/users/hugo2", body).status == 400, "PATCH with %r" % (body,))
    for key, value in (("groups", ["x"]), ("roles", ["x"]), ("auth_state", {"a": 1})):
        answer = boss.call("PATCH", "/users/hugo2", {key: value, "admin": True})
        claim(answer.status == 400 and "user." + key in answer.json()["message"], "PATCH %s: %s" % (key, answer.text))
    claim(not boss.ok(200, "GET", "/users/hugo2").json()["admin"], "what was refused changed nothing")
    boss.no(404, None, "PATCH", "/users/nobody", {"admin": True})
    alice.no(403, None, "PATCH", "/users/alice", {"admin": True})


def rename_ends_logins():
    moving = Caller(carrel, "moving")
    boss.ok(200, "PATCH", "/users/moving", {"name": "moved"})
    moving.no(403, "Missing or invalid credentials.", "GET", "/user")
    boss.ok(204, "DELETE", "/users/moved")


def deletes():
    equal(boss.ok(204, "DELETE", "/users/hugo2").body, b"", "body of a deletion")
    boss.no(404, None, "DELETE", "/users/hugo2")
    boss.no(400, "Cannot delete yourself!", "DELETE", "/users/boss")
    alice.no(403, None, "DELETE", "/users/alice")
    going = Caller(carrel, "going")
    boss.ok(204, "DELETE", "/users/going")
    going.no(403, "Missing or invalid credentials.", "GET", "/user")


def fields_by_scope():
    """Which members are seen with which scope."""
    for scopes, members in (
            (["read:users:name"], {"admin", "user_info"}),
            (["read:roles:users"], {"admin", "roles"}),
            (["read:users:groups"], {"groups"}),
            (["read:users:activity"], {"last_activity"}),
            (["read:servers"], {"admin", "user_info", "servers"}),
            (["read:users:name!user=carl"], {"admin", "user_info"})):
        seen = set(boss.token_of("boss", scopes=scopes).ok(200, "GET", "/users/carl").json())
        equal(seen, members | {"kind", "name"}, "seen with %s" % scopes)
    narrow = boss.token_of("boss", scopes=["read:users:name!user=carl"])
    narrow.no(404, "No access to resources or resources not found", "GET", "/users/dora")
    boss.token_of("boss", scopes=["proxy"]).no(404, None, "GET", "/users/carl")


def listing_by_scope():
    boss.ok(201, "POST", "/groups/choir", {"users": ["dora", "fred"]})
    equal(names(boss.token_of("boss", scopes=["list:users!user=carl"]).ok(200, "GET", "/users")), ["carl"], "one")
    choir = boss.token_of("boss", scopes=["list:users!group=choir", "read:users:activity!group=choir"])
    page = choir.ok(200, "GET", "/users", headers=ENVELOPE).json()
    equal([u["name"] for u in page["items"]], ["dora", "fred"], "a group")
    equal((page["_pagination"]["total"], sorted(page["items"][0])),
          (2, ["admin", "kind", "last_activity", "name", "user_info"]), "and what of them")
    both = boss.token_of("boss", scopes=["list:users!group=choir", "list:users!user=carl"])
    equal(names(both.ok(200, "GET", "/users?sort=-name")), ["fred", "dora", "carl"], "a group and one more")
    boss.ok(200, "DELETE", "/groups/choir/users", {"users": ["fred"]})
    equal(names(choir.ok(200, "GET", "/users")), ["dora"], "membership counts now")
    boss.token_of("boss", scopes=["list:users!server=carl/"]).no(403, None, "GET", "/users")


def creation_wants_everybody():
    """A scope over somebody creates nobody."""
    one = boss.token_of("boss", scopes=["admin:users!user=zoe"])
    one.no(403, None, "POST", "/users/zoe")
    one.no(403, None, "POST", "/users", {"usernames": ["zoe"]})
    boss.no(404, None, "GET", "/users/zoe")


def deletes_with_server():
    ruth = Browser(carrel.url)
    ruth.login("ruth", "x")
    ruth.start_server("ruth")
    user = boss.ok(200, "GET", "/users/ruth").json()
    equal((user["server"], user["servers"][""]["ready"]), ("/user/ruth/", True), "a server that runs")
    for state in ("active", "ready"):
        equal(names(boss.ok(200, "GET", "/users?state=" + state)), ["ruth"], "who is " + state)
    claim("ruth" not in names(boss.ok(200, "GET", "/users?state=inactive")), "and who is not")
    boss.no(400, "ruth has a server that runs. Please stop it before renaming.", "PATCH", "/users/ruth",
            {"name": "ruth2"})
    boss.ok(204, "DELETE", "/users/ruth")
    boss.no(404, None, "GET", "/users/ruth")
    equal(names(boss.ok(200, "GET", "/users?state=active")), [], "nobody is active")
    equal(Browser(carrel.url).get("/user/ruth/", follow=False).status, 302, "the route is gone")
    boss.ok(201, "POST", "/users/ruth")
    equal(boss.ok(200, "GET", "/users/ruth?include_stopped_servers").json()["servers"][""]["last_activity"], None,
          "who comes again begins anew")


def deletes_during_start():
    boss.ok(201, "POST", "/users/slow")
    answer = boss.call("POST", "/users/slow/server")
    claim(answer.status in (201, 202), "start: %d %s" % (answer.status, answer.text))
    boss.ok(204, "DELETE", "/users/slow")
    boss.no(404, None, "GET", "/users/slow")


report.run([("two people log in", begin), ("many users are created", creates_many), ("users are listed", lists),
            ("by pages", pages), ("one user is created", creates_one), ("one user is read", reads_one),
            ("one user is changed", changes), ("a new name ends all logins", rename_ends_logins),
            ("scopes say what is seen", fields_by_scope), ("and who is listed", listing_by_scope),
            ("creation wants the unfiltered scope (GHSA-69wv-m5fw-2fhp)", creation_wants_everybody), ("users are deleted", deletes), ("their servers are stopped before", deletes_with_server),
            ("a start under way is cancelled before", deletes_during_start),
            ("the hub ends in order", lambda: end_hub(carrel))], carrel.print_lines)
carrel.clean()
report.finish()
