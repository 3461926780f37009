#!/usr/bin/python3
"""What is revoked is over: once the call is answered, no new request passes with it.

Several clients use a credential without a pause while it is granted and revoked, by one or by several who know nothing of
each other. Every use and every change is recorded with the moment it began and the moment its answer was there; then the
histories are checked (lib/history.py).
"""
# timeout: 180
import os
import random
import sys
import urllib.parse

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
import report
from history import Change, Changers, Uses, change, check
from report import Failure, claim, equal, until
from rest import Caller, begin_hub, end_hub

report.group("revocation")
carrel = begin_hub("""\
  load_roles:
    - {name: lister, scopes: [list:users], groups: [crew]}
    - {name: sharer, scopes: ["shares!user", "read:users:name", "read:groups:name"], users: [anna]}
server:
  allow_named_servers: true
""")
USERS, ROUNDS, AFTER = 4, 12, 6
CHANGERS, CHANGES = 3, 12
seed = random.SystemRandom().getrandbits(32)
# Its notebook server tells what it was told: the secret of its OAuth client.
server = carrel.dir + "/tiny_server.py"
with open(server) as f:
    text = f.read()
with open(server, "w") as f:
    f.write("import json\n" + text.replace('"0")', 'str(len(ENV)))').replace(
        "self.end_headers()", "self.end_headers()\n        self.wfile.write(ENV)").replace(
            "\n\n\nclass", "\n\nENV = json.dumps(dict(os.environ)).encode()\n\n\nclass"))


def story(what, path, headers, revoke, grant=None, passes=(200,), rounds=ROUNDS, **request):
    """One after the other: several uses after each answer."""
    uses = Uses(carrel.hub_port, USERS, path, headers, **request)
    changes = [Change(True, 0, 0)]
    uses.more(AFTER)
    for i in range(rounds if grant else 1):
        changes.append(change(False, revoke))
        uses.more(AFTER)
        if grant and i + 1 < rounds:
            changes.append(change(True, grant))
            uses.more(AFTER)
    judged = check(what, uses.stop(), changes, passes)
    claim(judged[True] and judged[False], "%s: nothing to judge: %r" % (what, judged))


def crowd(what, path, headers, revoke, grant, passes=(200,)):
    """All at once: several change it against each other, several use it."""
    grant()
    uses = Uses(carrel.hub_port, USERS, path, headers)
    uses.more(1)
    changers = Changers(CHANGERS, CHANGES, grant, revoke, seed, pause=lambda: uses.more(1))
    changes = [Change(True, 0, 0)] + changers.wait()
    uses.more(1)
    changes.append(change(False, revoke))
    uses.more(AFTER)
    judged = check(what, uses.stop(), changes, passes)
    claim(judged[True] > 3 and judged[False] > 3, "%s: little to judge: %r" % (what, judged))


def bearer(caller):
    return {"Authorization": "token " + caller.token}


def begin():
    global boss, anna
    boss, anna = Caller(carrel, "boss"), Caller(carrel, "anna")
    boss.ok(200, "POST", "/groups/crew/users", {"users": ["anna"]})


def the_checker():
    """It is not content with everything: each of these histories is broken, or sound, in one way."""
    granted = Change(True, 0, 0)
    for text, changes, uses, is_sound in (
            ("a use after a revocation", [Change(False, 10, 20)], [(21, 30, 200)], False),
            ("a use during a revocation", [Change(False, 10, 20)], [(19, 30, 200)], True),
            ("a refusal during a revocation", [Change(False, 10, 20)], [(1, 11, 403)], True),
            ("a refusal before it", [Change(False, 10, 20)], [(1, 9, 403)], False),
            ("a refusal after the next grant", [Change(False, 10, 20), Change(True, 30, 40)], [(41, 50, 403)], False),
            ("a use between both", [Change(False, 10, 20), Change(True, 30, 40)], [(21, 29, 200)], False),
            ("a use that ends in the next grant", [Change(False, 10, 20), Change(True, 30, 40)], [(21, 31, 200)], True),
            ("both orders of two at once", [Change(False, 10, 30), Change(True, 20, 40)], [(50, 60, 200), (50, 60, 403)],
             True),
            ("an old grant behind two revocations", [Change(True, 10, 20), Change(False, 15, 30), Change(False, 31, 35)],
             [(40, 50, 200)], False),
            ("a long grant around a revocation", [Change(True, 5, 100), Change(False, 10, 20)], [(30, 40, 200)], True)):
        try:
            check(text, uses, [granted] + changes, (200,))
            found = True
        except Failure:
            found = False
        equal(found, is_sound, "the checker, of " + text)


def tokens():
    for _ in range(ROUNDS):
        token = anna.token_of("anna")
        story("a token", "/hub/api/user", bearer(token), lambda: anna.ok(204, "DELETE", "/users/anna/tokens/" + token.id))


def a_token_ends_itself():
    for _ in range(ROUNDS):
        token = anna.token_of("anna")
        story("a token", "/hub/api/user", bearer(token), lambda: token.ok(204, "DELETE", "/users/anna/tokens/" + token.id))


def sessions():
    for _ in range(ROUNDS):
        caller = Caller(carrel, "ben")
        cookie = caller.browser.cookie_header("/hub/")
        story("a login", "/hub/api/user", {"Cookie": cookie},
              lambda: equal(caller.browser.get("/hub/logout", follow=False).status, 302, "logout"))


def what_a_session_led_to():
    """The token of a notebook server's page ends with the login that it came from."""
    for _ in range(ROUNDS // 2):
        caller = Caller(carrel, "carl")
        if not caller.ok(200, "GET", "/users/carl").json()["server"]:
            caller.browser.start_server("carl")
        token = oauth_token(caller)
        story("an OAuth token", "/hub/api/user", {"Authorization": "Bearer " + token},
              lambda: equal(caller.browser.get("/hub/logout", follow=False).status, 302, "logout"))


def oauth_token(caller):
    env = caller.browser.get("/user/carl/").json()
    query = {"client_id": env["JUPYTERHUB_CLIENT_ID"], "redirect_uri": env["JUPYTERHUB_OAUTH_CALLBACK_URL"],
             "response_type": "code", "state": "s"}
    back = caller.browser.get("/hub/api/oauth2/authorize?" + urllib.parse.urlencode(query), follow=False)
    code = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(back.location()).query))["code"]
    form = {"grant_type": "authorization_code", "code": code, "client_id": env["JUPYTERHUB_CLIENT_ID"],
            "client_secret": env["JUPYTERHUB_API_TOKEN"], "redirect_uri": env["JUPYTERHUB_OAUTH_CALLBACK_URL"]}
    return caller.browser.post("/hub/api/oauth2/token", form).json()["access_token"]


def groups():
    token = anna.token_of("anna")
    members = {"users": ["anna"]}
    story("a role by a group", "/hub/api/users", bearer(token),
          lambda: boss.ok(200, "DELETE", "/groups/crew/users", members),
          lambda: boss.ok(200, "POST", "/groups/crew/users", members))
    boss.ok(200, "POST", "/groups/crew/users", members)
    story("a group", "/hub/api/users", bearer(token), lambda: boss.ok(204, "DELETE", "/groups/crew"))


def filtered():
    """A scope for the members of a group, while somebody else comes and goes."""
    boss.ok(201, "POST", "/groups/class")
    boss.ok(200, "POST", "/groups/class/users", {"users": ["ben"]})
    token = boss.token_of("boss", scopes=["read:users!group=class"])
    story("a scope for a group", "/hub/api/users/ben", bearer(token),
          lambda: boss.ok(200, "DELETE", "/groups/class/users", {"users": ["ben"]}),
          lambda: boss.ok(200, "POST", "/groups/class/users", {"users": ["ben"]}))


def administrators():
    boss.ok(200, "PATCH", "/users/anna", {"admin": True})
    token = anna.token_of("anna")
    story("an administrator", "/hub/api/info", bearer(token),
          lambda: boss.ok(200, "PATCH", "/users/anna", {"admin": False}),
          lambda: boss.ok(200, "PATCH", "/users/anna", {"admin": True}))


def users():
    for i in range(ROUNDS // 2):
        name = "leaver%d" % i
        boss.ok(201, "POST", "/users/" + name)
        token = boss.token_of(name)
        story("a deleted user's token", "/hub/api/user", bearer(token), lambda: boss.ok(204, "DELETE", "/users/" + name))
        boss.ok(201, "POST", "/users/" + name)
        token = boss.token_of(name)
        story("a renamed user's token", "/hub/api/user", bearer(token),
              lambda: boss.ok(200, "PATCH", "/users/" + name, {"name": name + "-new"}))


def shares():
    """A share is a scope that others give and take: by name, by a class, by membership, and given up."""
    global ben
    ben = Caller(carrel, "ben")
    anna.ok(201, "PUT", "/users/anna/servers/lab")
    token, lab, here = ben.token_of("ben"), "/shares/anna/lab", "/hub/api/users/anna/servers/lab"
    scopes = ["read:servers"]

    def give():
        anna.ok(200, "POST", lab, {"user": "ben", "scopes": scopes})

    give()
    story("a share", here, bearer(token), lambda: anna.ok(200, "PATCH", lab, {"user": "ben"}), give)
    give()
    story("a share that is left", here, bearer(token), lambda: ben.ok(204, "DELETE", "/users/ben/shared/anna/lab"), give)
    give()
    story("all shares of a server", here, bearer(token), lambda: anna.ok(204, "DELETE", lab), give)
    boss.ok(200, "POST", "/groups/class/users", {"users": ["ben"]})

    def give_class():
        anna.ok(200, "POST", lab, {"group": "class", "scopes": scopes})

    give_class()
    story("a share with a class", here, bearer(token), lambda: boss.ok(204, "DELETE", "/groups/class/shared/anna/lab"),
          give_class)
    give_class()
    story("a member of a class with a share", here, bearer(token),
          lambda: boss.ok(200, "DELETE", "/groups/class/users", {"users": ["ben"]}),
          lambda: boss.ok(200, "POST", "/groups/class/users", {"users": ["ben"]}))


def codes():
    """Whoever has the code of a share uses it until it is taken back."""
    ben.browser.get("/hub/home")
    headers = {"Cookie": ben.browser.cookie_header("/hub/accept-share"),
               "Content-Type": "application/x-www-form-urlencoded"}
    for how in ("code", "id"):
        for _ in range(ROUNDS // 3):
            made = anna.ok(200, "POST", "/share-codes/anna/lab", {}).json()
            form = urllib.parse.urlencode({"code": made["code"], "_xsrf": ben.browser.cookie("_xsrf")})
            where = "/share-codes/anna/lab?" + urllib.parse.urlencode({how: made[how]})
            story("a share code", "/hub/accept-share", headers, lambda: anna.ok(204, "DELETE", where), passes=(302,),
                  method="POST", body=form)


def services():
    """A service that is made and deleted, and what a login by it led to."""
    secret = "0123456789abcdef" * 2
    spec = {"url": "http://127.0.0.1:9", "api_token": secret, "admin": True, "oauth_redirect_uri": "http://127.0.0.1:9/back",
            "oauth_no_confirm": True}

    def make():
        boss.ok(201, "POST", "/services/notes", spec)

    make()
    story("the token of a service", "/hub/api/users", {"Authorization": "token " + secret},
          lambda: boss.ok(200, "DELETE", "/services/notes"), make)
    for how in (lambda: boss.ok(200, "DELETE", "/services/notes"),
                lambda: boss.ok(204, "DELETE", "/users/boss/tokens/" + oauth_token_id())):
        if boss.call("GET", "/services/notes").status == 404:
            make()
        story("a login by a service", "/hub/api/user", {"Authorization": "Bearer " + service_token(secret)}, how)


def service_token(secret):
    query = {"client_id": "service-notes", "redirect_uri": "http://127.0.0.1:9/back", "response_type": "code"}
    back = boss.browser.get("/hub/api/oauth2/authorize?" + urllib.parse.urlencode(query), follow=False)
    code = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(back.location()).query))["code"]
    form = {"grant_type": "authorization_code", "code": code, "client_id": "service-notes", "client_secret": secret,
            "redirect_uri": "http://127.0.0.1:9/back"}
    return boss.browser.post("/hub/api/oauth2/token", form).json()["access_token"]


def oauth_token_id():
    tokens = boss.ok(200, "GET", "/users/boss/tokens").json()["api_tokens"]
    return next(t["id"] for t in tokens if "notes" in t["oauth_client"])


def at_once():
    """Several who grant and revoke the same against each other."""
    token, members = anna.token_of("anna"), {"users": ["anna"]}
    boss.ok(201, "POST", "/groups/crew")
    crowd("a scope for a group, at once", "/hub/api/users/anna", bearer(boss.token_of("boss", scopes=["read:users!group=crew"])),
          lambda: boss.ok(200, "DELETE", "/groups/crew/users", members),
          lambda: boss.ok(200, "POST", "/groups/crew/users", members))
    crowd("an administrator, at once", "/hub/api/info", bearer(token),
          lambda: boss.ok(200, "PATCH", "/users/anna", {"admin": False}),
          lambda: boss.ok(200, "PATCH", "/users/anna", {"admin": True}))
    crowd("a share, at once", "/hub/api/users/anna/servers/lab", bearer(ben.token_of("ben")),
          lambda: anna.ok(200, "PATCH", "/shares/anna/lab", {"user": "ben"}),
          lambda: anna.ok(200, "POST", "/shares/anna/lab", {"user": "ben", "scopes": ["read:servers"]}))
    print("seed %d" % seed)


def over_a_kill():
    """And it stays so: the hub is killed right after the answers."""
    import signal
    kept, gone = anna.token_of("anna"), [anna.token_of("anna") for _ in range(5)]
    for token in gone:
        anna.ok(204, "DELETE", "/users/anna/tokens/" + token.id)
    carrel.end("hub", signal.SIGKILL)
    carrel.begin("hub")
    until("the hub is back", 20, lambda: kept.call("GET", "/user").status == 200)
    equal([t.call("GET", "/user").status for t in gone], [403] * len(gone), "revoked tokens after a kill")


report.run([("the checker notices a broken history", the_checker), ("people log in", begin), ("tokens", tokens), ("a token that ends itself", a_token_ends_itself),
            ("logins", sessions), ("what a login led to", what_a_session_led_to), ("roles by groups, groups", groups),
            ("filters by groups", filtered), ("administrators", administrators), ("users", users),
            ("shares", shares), ("share codes", codes), ("services, and logins by them", services),
            ("granted and revoked by several at once", at_once),
            ("a revocation outlives a kill", over_a_kill),
            ("the hub ends in order", lambda: end_hub(carrel))], carrel.print_lines)
carrel.clean()
report.finish()
