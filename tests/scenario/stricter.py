#!/usr/bin/python3
"""What the reference accepts and we refuse, as docs/differences.md lists it: what no other test shows."""
import json
import os
import sqlite3
import sys
import urllib.parse

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
import report
from report import claim, equal, until
from rest import Caller, begin_hub, end_hub
from web import Browser, hidden

report.group("stricter")
carrel = begin_hub("""\
  load_roles:
    - name: sharer
      scopes: ["shares!user", "read:users:name"]
      users: [alice]
server:
  allow_named_servers: true
  stop_grace: 1s
""")
HOST = "127.0.0.1:%d" % carrel.port


def begin():
    global boss, alice
    boss, alice = Caller(carrel, "boss"), Caller(carrel, "alice")


def post_login(browser, form, next_url=None, **headers):
    where = "/hub/login" + ("?next=" + next_url if next_url else "")
    return browser.post(where, form, follow=False, headers=headers)


def xsrf_of_another_browser():
    """The anonymous token of a login page is worth nothing in another browser of the same address and agent."""
    mine, other = Browser(carrel.url), Browser(carrel.url)
    form = hidden(mine.get("/hub/login").text)
    other.get("/hub/login")
    other.jar[("_xsrf", "/hub/")] = form["_xsrf"]
    answer = post_login(other, dict(form, username="carl", password="x"))
    equal(answer.status, 403, "the token of another browser")
    claim("Login form invalid or expired" in answer.text and other.cookie("jupyterhub-hub-login") is None, "no login")
    equal(post_login(mine, dict(form, username="carl", password="x")).status, 302, "in its own browser")


def cookie_after_logout():
    thief, owner = Browser(carrel.url), Browser(carrel.url)
    owner.login("carl", "x")
    owner.get("/hub/home")
    thief.jar = dict(owner.jar)
    equal(thief.get("/hub/home", follow=False).status, 200, "a copied cookie before the logout")
    owner.get("/hub/logout")
    equal(thief.get("/hub/home", follow=False).status, 302, "and after it")
    equal(thief.api("GET", "/user").status, 403, "and over REST")


def next_is_ours():
    """Without a public address no absolute address is ours, whatever the Host header says."""
    for host, target in ((HOST, "http://%s/hub/token" % HOST), ("evil.example", "http://evil.example/hub/token"),
                         ("evil.example", "//evil.example/hub/token")):
        b = Browser(carrel.url)
        form = hidden(b.get("/hub/login").text)
        answer = post_login(b, dict(form, username="carl", password="x"), urllib.parse.quote(target, ""), Host=host)
        claim(answer.status == 302 and answer.location().startswith("/hub/spawn"),
              "next=%s with Host %s leads to %s" % (target, host, answer.location()))


def next_bytes():
    for raw in ("%2Fhub%0d%0aSet-Cookie:x=1", "%2Fhub%0aLocation:evil", "%2F%09%2Fevil.example", "%2Fhub%00"):
        b = Browser(carrel.url)
        form = hidden(b.get("/hub/login").text)
        answer = post_login(b, dict(form, username="carl", password="x"), raw)
        claim(answer.status == 400 or (answer.status == 302 and answer.location().startswith("/hub/spawn")),
              "next=%s: %d to %s" % (raw, answer.status, answer.location()))
        claim("x=1" not in str(answer.headers.get_all("Set-Cookie")), "a header was split")


def login_without_password():
    b = Browser(carrel.url)
    form = hidden(b.get("/hub/login").text)
    for fields in ({"username": "carl"}, {"password": "x"}, {}):
        equal(post_login(b, dict(form, **fields)).status, 403, "a login with %r" % fields)


def names_alike():
    equal(boss.ok(201, "POST", "/users/Dora").json()["name"], "dora", "single creation")
    equal(boss.ok(201, "POST", "/users", {"usernames": ["Emil"]}).json()[0]["name"], "emil", "bulk creation")
    for bad in ("%20x", "a%2Fb", "x" * 65):
        boss.no(400, None, "POST", "/users/" + bad)
        boss.no(400, None, "POST", "/users", {"usernames": [urllib.parse.unquote(bad)]})


def bodies():
    """Each is a 500 of the reference."""
    for body in ({"groups": ["x"]}, {"auth_state": {"a": 1}}):
        boss.no(400, None, "PATCH", "/users/dora", body)
    boss.no(400, None, "POST", "/users", {"usernames": ["gina", 7]})
    boss.no(400, None, "POST", "/users", {"usernames": "gina"})
    for path in ("/users/alice/server", "/groups/none/users"):
        claim(boss.call("DELETE", path, ["x"]).status in (400, 404), "a list as the body of DELETE " + path)
    boss.ok(201, "POST", "/groups/g")
    boss.no(400, None, "DELETE", "/groups/g/users", ["x"])
    alice.no(400, None, "POST", "/shares/alice/", {"user": "boss", "scopes": ["not:known"]})
    alice.no(400, None, "POST", "/share-codes/alice/", {"scopes": ["not:known"]})


def tampered_code():
    made = alice.ok(200, "POST", "/share-codes/alice/").json()
    db = sqlite3.connect(carrel.dir + "/state/carrel.sqlite", timeout=10)
    with db:
        db.execute("UPDATE share_code SET scopes = ?", (json.dumps(["not:known"]),))
    db.close()
    form = hidden(boss.browser.get(made["accept_url"]).text)
    equal(boss.browser.post(made["accept_url"], form, follow=False).status, 400, "a code for nothing that is known")
    equal(boss.ok(200, "GET", "/users/boss/shared").json()["items"], [], "no share came of it")


def deletes_named():
    boss.ok(201, "POST", "/users/fred")
    equal(boss.ok(201, "POST", "/users/fred/servers/lab").status, 201, "a named server runs")
    boss.ok(204, "DELETE", "/users/fred")
    boss.no(404, None, "GET", "/users/fred")
    until("its process is gone", 20, lambda: not os.listdir(carrel.dir + "/run/servers"))


def metadata_never_writes():
    home = alice.browser
    for mode in ("navigate", "websocket", "no-cors"):
        answer = home.request("POST", "/hub/token", "note=x", {
            "Sec-Fetch-Mode": mode, "Sec-Fetch-Site": "same-origin",
            "Content-Type": "application/x-www-form-urlencoded"})
        equal(answer.status, 403, "a write with Sec-Fetch-Mode " + mode)


report.run([("people log in", begin), ("the XSRF token of another browser", xsrf_of_another_browser),
            ("a cookie after the logout", cookie_after_logout), ("the Host header says nothing", next_is_ours),
            ("bytes in next", next_bytes), ("a login without its fields", login_without_password),
            ("names in both ways of creation", names_alike), ("bodies that break the reference", bodies),
            ("a code that was tampered with", tampered_code), ("people with named servers are deleted", deletes_named),
            ("Fetch-Metadata never permits a write", metadata_never_writes),
            ("the hub ends", lambda: end_hub(carrel))], carrel.print_lines)
carrel.clean()
report.finish()
