#!/usr/bin/python3
"""Alice shares servers with Bob, with a class, and by a code; and takes it back, at once."""
import os
import re
import sys
import threading
import urllib.parse

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
import report
from report import claim, equal
from rest import Caller, begin_hub, end_hub
from web import Browser, hidden

report.group("shares")
# Whoever may share has the role; nobody does by default.
carrel = begin_hub("""\
  load_roles:
    - name: sharer
      scopes: ["shares!user", "read:users:name", "read:groups:name"]
      users: [alice]
server:
  allow_named_servers: true
  stop_grace: 1s
""")
HOME, LAB = "/shares/alice/", "/shares/alice/lab"
ACCESS = "access:servers!server=alice/lab"


def begin():
    global boss, alice, bob, carol, dave
    boss, alice, bob, carol, dave = [Caller(carrel, n) for n in ("boss", "alice", "bob", "carol", "dave")]
    alice.ok(201, "PUT", "/users/alice/servers/lab")
    boss.ok(201, "POST", "/groups/class", {"users": ["carol"]})


def scopes_of(caller):
    return caller.ok(200, "GET", "/user").json()["scopes"]


def given():
    share = alice.ok(200, "POST", LAB, {"user": "bob"}).json()
    equal(sorted(share), ["created_at", "group", "kind", "scopes", "server", "user"], "members of a share")
    equal((share["user"], share["group"], share["kind"], share["scopes"]), ({"name": "bob"}, None, "user", [ACCESS]),
          "with whom, and what")
    equal(share["server"], {"user": {"name": "alice"}, "name": "lab", "url": "/user/alice/lab/", "full_url": None,
                            "ready": False}, "which server")
    claim(ACCESS in scopes_of(bob) and ACCESS not in scopes_of(carol), "Bob may use it, Carol may not")
    more = alice.ok(200, "POST", LAB, {"user": "Bob", "group": None,
                                       "scopes": ["read:servers", "read:servers!server=alice/lab"]}).json()
    equal(more["scopes"], [ACCESS, "read:servers!server=alice/lab"], "a share is extended, names are made normal")
    group = alice.ok(200, "POST", HOME, {"group": "class", "scopes": None}).json()
    equal((group["group"], group["user"], group["kind"], group["scopes"]),
          ({"name": "class"}, None, "group", ["access:servers!server=alice/"]), "the default server, with a class")
    equal(bob.ok(200, "GET", "/users/alice/servers/lab").json()["stopped"], True, "Bob sees what he was given")
    bob.no(404, None, "GET", "/users/alice")


def used():
    """Both ways to come, by cookie and by token; the reference forgets the tokens of groups."""
    for caller, path in ((bob, "/user/alice/lab/tree"), (carol, "/user/alice/tree")):
        equal(caller.browser.get("/hub" + path, follow=False).status, 424, "%s at %s" % (caller.who, path))
        token = caller.token_of(caller.who)
        claim(any(s.startswith("access:servers!server=alice/") for s in scopes_of(token)), "the token of " + caller.who)
        server = "alice/lab" if caller is bob else "alice/"
        narrow = caller.token_of(caller.who, scopes=["access:servers!server=" + server])
        claim(any(s.startswith("access:servers!server=alice/") for s in scopes_of(narrow)), "a narrow token")
    equal(bob.browser.get("/hub/user/alice/tree", follow=False).status, 404, "Bob at the default server")
    bob.no(404, None, "POST", "/users/alice/servers/lab")
    bob.no(404, None, "GET", HOME)
    bob.no(403, None, "POST", LAB, {"user": "carol"})


def listed():
    def names(caller, path):
        answer = caller.ok(200, "GET", path).json()
        equal(sorted(answer), ["_pagination", "items"], "%s: always the envelope" % path)
        equal(answer["_pagination"]["total"], len(answer["items"]), "%s: all of them" % path)
        return [(s["server"]["name"], (s["user"] or s["group"])["name"]) for s in answer["items"]]
    equal(names(alice, "/shares/alice"), [("lab", "bob"), ("", "class")], "all that Alice shares")
    equal(names(alice, LAB), [("lab", "bob")], "of one server")
    equal(names(alice, HOME), [("", "class")], "of the default one")
    equal(names(bob, "/users/bob/shared"), [("lab", "bob")], "with Bob")
    equal(names(carol, "/users/carol/shared"), [("", "class")], "with Carol, through her class")
    equal(names(dave, "/users/dave/shared"), [], "with Dave")
    equal(names(boss, "/groups/class/shared"), [("", "class")], "with the class")
    limits = [alice.ok(200, "GET", "/shares/alice", headers=h).json()["_pagination"]["limit"]
              for h in ({}, {"Accept": "application/jupyterhub-pagination+json"})]
    equal(limits, [200, 50], "a page that nobody gave a size, without and with the paging type")
    page = alice.ok(200, "GET", "/shares/alice?limit=1").json()
    equal((len(page["items"]), page["_pagination"]["total"], page["_pagination"]["next"]["offset"]), (1, 2, 1), "a page")
    equal(bob.ok(200, "GET", "/users/bob/shared/alice/lab").json()["scopes"][0], ACCESS, "one of Bob's")
    bob.no(404, "No such share for user bob on alice/", "GET", "/users/bob/shared/alice/")
    carol.no(404, "No such share for user carol on alice/", "GET", "/users/carol/shared/alice/")
    boss.ok(200, "GET", "/groups/class/shared/alice/")
    boss.no(404, "No such share for group class on alice/lab", "GET", "/groups/class/shared/alice/lab")
    boss.no(404, "No such group: none", "GET", "/groups/none/shared")
    boss.no(404, None, "GET", "/shares/nobody")
    boss.no(404, "No such server: alice/none", "GET", "/shares/alice/none")
    for method in ("POST", "PATCH", "DELETE"):
        alice.no(405, "Method Not Allowed", method, "/shares/alice")
        alice.no(405, "Method Not Allowed", method, "/share-codes/alice")
    dave.no(404, None, "GET", "/users/bob/shared")
    dave.no(403, None, "GET", "/groups/class/shared")
    dave.no(404, None, "GET", "/shares/alice")


def refused():
    for body, says in (
            (None, "Specify exactly one of `user` or `group`"), ({}, "Specify exactly one of `user` or `group`"),
            ({"user": ""}, "Specify exactly one of `user` or `group`"),
            ({"user": "bob", "group": "class"}, "Expected exactly one of `user` or `group`, not both."),
            ({"user": 1}, "share.user must be a string or null, not: a number"),
            ({"user": "bob", "until": 1}, "Invalid JSON keys: until"),
            ({"user": "bob", "scopes": "servers"}, "share.scopes must be a list or null, not: a string"),
            ({"user": "bob", "scopes": [1]}, None), ({"user": "bob", "scopes": ["not:known"]}, None),
            ({"user": "bob", "scopes": ["inherit"]}, None), ({"user": "bob", "scopes": ["self"]}, None),
            ({"user": "bob", "scopes": ["access:servers!server=alice/"]}, None),
            ({"user": "bob", "scopes": ["access:servers!server"]}, None),
            ({"user": "bob", "scopes": ["access:servers!user=alice"]}, None),
            ({"user": "nobody"}, "No such user: nobody"), ({"group": "nogroup"}, "No such group: nogroup"),
            ([], None)):
        alice.no(400, says, "POST", LAB, body)
    alice.no(403, "Do not have permission to grant share with scope admin:servers!server=alice/lab",
             "POST", LAB, {"user": "bob", "scopes": ["admin:servers"]})
    alice.no(404, "No such server: alice/none", "POST", "/shares/alice/none", {"user": "bob"})
    alice.no(404, None, "POST", "/shares/bob/", {"user": "bob"})
    narrow = alice.token_of("alice", scopes=["shares!user"])
    narrow.no(403, "Need scope 'read:users:name' to share with users by name", "POST", LAB, {"user": "dave"})
    narrow.no(403, "Need scope 'read:users:name' to share with users by name", "POST", LAB, {"user": "nobody"})
    narrow.no(403, "Need scope 'read:groups:name' to share with groups by name", "POST", LAB, {"group": "class"})
    equal(alice.ok(200, "GET", "/shares/alice").json()["_pagination"]["total"], 2, "nothing came of all that")


def taken_back():
    left = alice.ok(200, "PATCH", LAB, {"user": "bob", "scopes": ["read:servers"]}).json()
    equal(left["scopes"], [ACCESS], "what is left")
    equal(alice.ok(200, "PATCH", LAB, {"user": "nobody"}).json(), {}, "of nobody")
    equal(alice.ok(200, "PATCH", LAB, {"user": "dave"}).json(), {}, "of somebody who has none")
    alice.no(400, None, "PATCH", LAB, {"user": "bob", "scopes": ["not:known"]})
    equal(alice.ok(200, "PATCH", LAB, {"user": "bob"}).json(), {}, "all of it")
    claim(ACCESS not in scopes_of(bob), "Bob lost it")
    equal(bob.browser.get("/hub/user/alice/lab/", follow=False).status, 404, "Bob at the server")
    alice.ok(200, "POST", LAB, {"user": "bob"})
    bob.ok(204, "DELETE", "/users/bob/shared/alice/lab")
    bob.no(404, None, "DELETE", "/users/bob/shared/alice/lab")
    claim(ACCESS not in scopes_of(bob), "Bob left")
    boss.ok(204, "DELETE", "/groups/class/shared/alice/")
    claim("access:servers!server=alice/" not in scopes_of(carol), "the class gave it up")
    alice.ok(200, "POST", LAB, {"user": "bob"})
    alice.ok(200, "POST", LAB, {"group": "class"})
    alice.ok(204, "DELETE", LAB)
    claim(not [c for c in (bob, carol) if ACCESS in scopes_of(c)], "all shares of a server end")
    alice.ok(200, "POST", HOME, {"group": "class"})
    boss.ok(200, "DELETE", "/groups/class/users", {"users": ["carol"]})
    claim("access:servers!server=alice/" not in scopes_of(carol), "who leaves a class loses its shares")
    alice.ok(204, "DELETE", HOME)


def at_once():
    """Bob asks all the time; no request that began after the revocation was answered passes."""
    token = bob.token_of("bob")
    for _ in range(10):
        alice.ok(200, "POST", LAB, {"user": "bob"})
        over, end = threading.Event(), threading.Event()
        early, late = [], []  # requests that passed, by when they began

        def ask():
            while not end.is_set():
                began = late if over.is_set() else early  # before the request is sent
                if ACCESS in scopes_of(token):
                    began.append(1)
        threads = [threading.Thread(target=ask) for _ in range(3)]
        for t in threads:
            t.start()
        report.until("Bob got through", 10, lambda: early)
        alice.ok(200, "PATCH", LAB, {"user": "bob"})
        over.set()
        claim(ACCESS not in scopes_of(token), "a request of its own passed after the share had ended")
        end.set()
        for t in threads:
            t.join()
        equal(late, [], "requests that passed after the share had ended")


def code_of(**body):
    return alice.ok(200, "POST", "/share-codes/alice/lab", body).json()


def codes():
    made = code_of()
    equal(sorted(made), ["accept_url", "code", "created_at", "exchange_count", "expires_at", "full_accept_url", "id",
                         "last_exchanged_at", "scopes", "server"], "members of a new code")
    equal((len(made["code"]), made["accept_url"], made["exchange_count"], made["last_exchanged_at"], made["scopes"]),
          (43, "/hub/accept-share?code=" + made["code"], 0, None, [ACCESS]), "a new code")
    claim(re.fullmatch(r"sc_\d+", made["id"]), "its id")
    code_of(expires_in=60, scopes=["read:servers"])
    seen = alice.ok(200, "GET", "/share-codes/alice/lab").json()
    equal((seen["_pagination"]["total"], "code" in seen["items"][0]), (2, False), "listed without the code itself")
    equal(alice.ok(200, "GET", "/share-codes/alice").json()["_pagination"]["total"], 2, "of the owner")
    equal(alice.ok(200, "GET", "/share-codes/alice/").json()["items"], [], "of another server")
    for bad in (0, 59, 31536001, "60", 60.5, True, None):
        alice.no(400, None, "POST", "/share-codes/alice/lab", {"expires_in": bad})
    alice.no(400, None, "POST", "/share-codes/alice/lab", {"scopes": ["not:known"]})
    alice.no(403, None, "POST", "/share-codes/alice/lab", {"scopes": ["admin:servers"]})
    alice.no(404, None, "POST", "/share-codes/alice/none")
    bob.no(403, None, "POST", "/share-codes/alice/lab")
    for query in ("code=wrong-wrong", "id=sc_0", "id=1", "id=sc_999999", "id=sc_x", "code=", "id="):
        alice.no(404, "No matching code found", "DELETE", "/share-codes/alice/lab?" + query)
    alice.no(404, None, "DELETE", "/share-codes/alice/?code=" + made["code"])
    alice.ok(204, "DELETE", "/share-codes/alice/lab?code=" + made["code"])
    alice.ok(204, "DELETE", "/share-codes/alice/lab?id=" + seen["items"][1]["id"])
    equal(alice.ok(200, "GET", "/share-codes/alice").json()["items"], [], "none is left")
    code_of()
    alice.ok(204, "DELETE", "/share-codes/alice/lab")
    equal(alice.ok(200, "GET", "/share-codes/alice").json()["items"], [], "all at once")


def many_codes():
    for _ in range(1000):
        code_of()
    answer = alice.no(400, None, "POST", "/share-codes/alice/lab").json()["message"]
    claim("1000" in answer and "delete some" in answer, "the limit says what to do: " + answer)
    page = alice.ok(200, "GET", "/share-codes/alice/lab?offset=990").json()
    equal((len(page["items"]), page["_pagination"]["total"]), (10, 1000), "the last page")
    alice.ok(204, "DELETE", "/share-codes/alice/lab")
    code_of()
    alice.ok(204, "DELETE", "/share-codes/alice/lab")


def accepted():
    made = code_of(scopes=["access:servers", "read:servers"])
    url = made["accept_url"]
    page = dave.browser.get(url, follow=False)
    equal(page.status, 200, "the page")
    claim("alice" in page.text and "lab" in page.text and "read:servers" in page.text, "it says who, what and which")
    claim("script-src 'self'" in page.headers["Content-Security-Policy"] and "<script>" not in page.text, "no scripts")
    form = hidden(page.text)
    equal(dave.browser.post(url, {"code": form["code"]}, follow=False).status, 403, "without the XSRF token")
    done = dave.browser.post(url, form, follow=False)
    equal((done.status, done.location()), (302, "/user/alice/lab/"), "accepted")
    claim(ACCESS in scopes_of(dave), "Dave may use it")
    again = dave.browser.post("/hub/accept-share?next=%2Fhub%2Fhome", form, follow=False)
    equal((again.status, again.location()), (302, "/hub/home"), "once more, to somewhere else")
    away = dave.browser.post("/hub/accept-share?next=%2F%2Fevil.example", form, follow=False)
    equal(away.location(), "/user/alice/lab/", "never to somebody else's site")
    seen = alice.ok(200, "GET", "/share-codes/alice/lab").json()["items"][0]
    claim(seen["exchange_count"] == 3 and seen["last_exchanged_at"], "uses are counted: %r" % seen)
    equal(len(alice.ok(200, "GET", LAB).json()["items"]), 1, "one share whatever the number of uses")
    equal(alice.browser.get(url, follow=False).status, 403, "an own code, looked at")
    equal(alice.browser.post(url, dict(form, _xsrf=alice.browser.cookie("_xsrf")), follow=False).status, 400, "used")
    equal(dave.browser.get("/hub/accept-share", follow=False).status, 400, "no code")
    equal(dave.browser.get("/hub/accept-share?code=wrong", follow=False).status, 404, "a wrong code, looked at")
    equal(dave.browser.post("/hub/accept-share", dict(form, code="wrong"), follow=False).status, 400, "used")
    out = Browser(carrel.url).get(url, follow=False)
    equal((out.status, out.location()), (302, "/hub/login?next=" + urllib.parse.quote(url, "")), "log in first")
    alice.ok(204, "DELETE", "/share-codes/alice/lab")
    equal(dave.browser.get(url, follow=False).status, 404, "a code that was deleted")
    claim(not carrel_says(made["code"]), "the code stands in a log")


def carrel_says(text):
    return [line for line in list(carrel.lines) if text in str(line)]


def gone():
    """What hangs on a server goes with it."""
    code_of()
    alice.ok(204, "DELETE", "/users/alice/servers/lab", {"remove": True})
    equal(dave.ok(200, "GET", "/users/dave/shared").json()["items"], [], "with the server its shares")
    alice.ok(201, "PUT", "/users/alice/servers/lab")
    claim(ACCESS not in scopes_of(dave), "a new server of that name is another one")
    equal(alice.ok(200, "GET", "/share-codes/alice").json()["items"], [], "and its codes")


report.run([("people log in", begin), ("shares are given", given), ("shares are used", used),
            ("shares are listed", listed), ("what is refused", refused), ("shares are taken back", taken_back),
            ("an end is an end at once", at_once), ("codes are made and deleted", codes),
            ("codes are bounded", many_codes), ("a code is accepted", accepted), ("shares go with their server", gone),
            ("the hub ends", lambda: end_hub(carrel))], carrel.print_lines)
carrel.clean()
report.finish()
