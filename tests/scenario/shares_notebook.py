#!/usr/bin/python3
"""A shared notebook server, a real one: Bob comes in through the hub's OAuth, or by a token.

timeout: 240
"""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
import report
from programs import CONFIG, Programs
from report import claim, equal
from rest import Caller, end_hub
from web import Browser, hidden, wait_http

report.group("shares-notebook", "single-user")
SINGLE_USER = "/usr/bin/jupyterhub-singleuser"
if not os.path.exists(SINGLE_USER):
    report.skip("shares-notebook", "%s is missing; `make deps-check` installs it" % SINGLE_USER)
    report.finish()
carrel = Programs([SINGLE_USER], CONFIG + """\
  load_roles:
    - name: sharer
      scopes: ["shares!user", "read:users:name"]
      users: [alice]
server:
  stop_grace: 2s
""")
for name in ("spawner", "proxy", "hub"):
    carrel.begin(name)
wait_http(Browser(carrel.url), "/hub/health", 200)
carrel.wait_together()
STATUS = "/user/alice/api/status"


def by_token(caller):
    """What the notebook server itself says to a new token of theirs."""
    token = caller.token_of(caller.who).token
    return Browser(carrel.url).request("GET", STATUS, headers={"Authorization": "token " + token}).status


def begin():
    global alice, bob
    alice, bob = Caller(carrel, "alice"), Caller(carrel, "bob")
    alice.browser.start_server("alice")
    equal(alice.browser.get("/user/alice/tree").status, 200, "Alice at her server")


def stranger():
    equal(bob.browser.get("/user/alice/tree").status, 403, "Bob in the browser")
    equal(by_token(bob), 403, "Bob by a token")


def shared():
    alice.ok(200, "POST", "/shares/alice/", {"user": "bob"})
    page = bob.browser.get("/user/alice/tree")
    claim(page.status == 200 and "/oauth2/authorize" in page.url and "access:servers!server=alice/" in page.text,
          "Bob is asked once: %d at %s" % (page.status, page.url))
    form = [("_xsrf", hidden(page.text)["_xsrf"])] + [("scopes", "access:servers!server=alice/")]
    done = bob.browser.post(page.url, form)
    claim(done.status == 200 and done.url.split("?")[0].endswith("/user/alice/tree"),
          "then he is there: %d at %s" % (done.status, done.url))
    equal(by_token(bob), 200, "Bob by a token")


def over():
    alice.ok(200, "PATCH", "/shares/alice/", {"user": "bob"})
    equal(by_token(bob), 403, "a token that the server has not seen")
    again = Browser(carrel.url)
    again.login("bob", "x")
    equal(again.get("/user/alice/tree").status, 403, "Bob in a new browser")


report.run([("Alice's server runs", begin), ("others do not come in", stranger), ("it is shared", shared),
            ("it is not shared any more", over), ("the hub ends", lambda: end_hub(carrel))], carrel.print_lines)
carrel.clean()
report.finish()
