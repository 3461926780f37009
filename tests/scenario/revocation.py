#!/usr/bin/python3
"""What is revoked is over: once the call is answered, no new request passes with it.

Several clients use a credential without a pause while it is granted and revoked. Every use and every change is recorded
with the moment it began and the moment its answer was there; then the histories are checked: a use that began after the
answer to a revocation, and ended before the next grant began, was refused; one that lies wholly after a grant passed.
"""
# timeout: 180
import http.client
import os
import sys
import threading
import time
import urllib.parse

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
import report
from report import claim, equal, until
from rest import Caller, begin_hub, end_hub

report.group("revocation")
carrel = begin_hub("""\
  load_roles:
    - {name: lister, scopes: [list:users], groups: [crew]}
""")
USERS, ROUNDS, AFTER = 4, 12, 6
# Its notebook server tells what it was told: the secret of its OAuth client.
server = carrel.dir + "/tiny_server.py"
with open(server) as f:
    text = f.read()
with open(server, "w") as f:
    f.write("import json\n" + text.replace('"0")', 'str(len(ENV)))').replace(
        "self.end_headers()", "self.end_headers()\n        self.wfile.write(ENV)").replace(
            "\n\n\nclass", "\n\nENV = json.dumps(dict(os.environ)).encode()\n\n\nclass"))


class Uses:
    """Clients that ask the same again and again, each over one connection."""

    def __init__(self, path, headers):
        self.path, self.headers, self.seen, self.stopped = path, headers, [], False
        self.lock, self.broken = threading.Lock(), None
        self.threads = [threading.Thread(target=self.run, daemon=True) for _ in range(USERS)]
        for t in self.threads:
            t.start()

    def run(self):
        try:
            c = http.client.HTTPConnection("127.0.0.1", carrel.hub_port, timeout=60)
            while not self.stopped:
                began = time.monotonic_ns()
                c.request("GET", self.path, headers=self.headers)
                r = c.getresponse()
                r.read()
                with self.lock:
                    self.seen.append((began, time.monotonic_ns(), r.status))
            c.close()
        except Exception as e:
            self.broken = e

    def more(self, n):
        """Until each of them could have done n more."""
        want = len(self.seen) + n * USERS
        until("%d more uses" % (n * USERS), 60, lambda: len(self.seen) >= want or self.broken, pause=0.002)
        claim(not self.broken, "a client broke: %r" % self.broken)

    def stop(self):
        self.stopped = True
        for t in self.threads:
            t.join(60)
        claim(not self.broken, "a client broke: %r" % self.broken)
        return self.seen


def moment(change):
    began = time.monotonic_ns()
    change()
    return began, time.monotonic_ns()


def check(what, seen, changes, passes):
    """changes: (was granted, began, answered), in order; the first one is a grant before everything."""
    judged = {True: 0, False: 0}
    for i, (granted, _, answered) in enumerate(changes):
        until_ns = changes[i + 1][1] if i + 1 < len(changes) else float("inf")
        for began, ended, status in seen:
            if began <= answered or ended >= until_ns:
                continue
            judged[granted] += 1
            claim((status in passes) == granted, "%s: %d, begun %.3f ms after the answer to %s" % (
                what, status, (began - answered) / 1e6, "a grant" if granted else "a revocation"))
    claim(judged[True] and judged[False], "%s: nothing to judge: %r" % (what, judged))


def story(what, path, headers, revoke, grant=None, passes=(200,), rounds=ROUNDS):
    uses = Uses(path, headers)
    changes = [(True, 0, 0)]
    uses.more(AFTER)
    for i in range(rounds if grant else 1):
        changes.append((False, *moment(revoke)))
        uses.more(AFTER)
        if grant and i + 1 < rounds:
            changes.append((True, *moment(grant)))
            uses.more(AFTER)
    check(what, uses.stop(), changes, passes)


def bearer(caller):
    return {"Authorization": "token " + caller.token}


def begin():
    global boss, anna
    boss, anna = Caller(carrel, "boss"), Caller(carrel, "anna")
    boss.ok(200, "POST", "/groups/crew/users", {"users": ["anna"]})


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


report.run([("people log in", begin), ("tokens", tokens), ("a token that ends itself", a_token_ends_itself),
            ("logins", sessions), ("what a login led to", what_a_session_led_to), ("roles by groups, groups", groups),
            ("filters by groups", filtered), ("administrators", administrators), ("users", users),
            ("a revocation outlives a kill", over_a_kill),
            ("the hub ends in order", lambda: end_hub(carrel))], carrel.print_lines)
carrel.clean()
report.finish()
