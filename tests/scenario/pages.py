#!/usr/bin/python3
"""The pages as plain HTML: their addresses, forms, redirects and headers, without a script."""
import html
import os
import re
import sys
import urllib.parse

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
import report
from programs import CONFIG, POLICY, Programs
from report import claim, equal, until
from rest import Caller, end_hub
from web import Browser, hidden, wait_http

report.group("pages")
LIB = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib")
TWO = POLICY + POLICY.split("\n", 1)[1].replace("  default:", "  big:")
carrel = Programs(["/usr/bin/python3", "@DIR@/tiny_server.py"], CONFIG.replace(
    "  allow_all: true\n", "  allow_all: true\n  admin_users: [boss]\n") + """\
server:
  allow_named_servers: true
  default_name: desk
  profiles: [default, big]
  stop_grace: 1s
session:
  max_token_age: 30d
""", TWO)
with open(LIB + "/tiny_server.py") as f:
    carrel._write("tiny_server.py", f.read())
for name in ("spawner", "proxy", "hub"):
    carrel.begin(name)
wait_http(Browser(carrel.url), "/hub/health", 200)
carrel.wait_together()


def begin():
    global boss, alice
    boss, alice = Caller(carrel, "boss"), Caller(carrel, "alice")


def page(who, path, status=200):
    answer = who.browser.get(path, follow=False)
    equal(answer.status, status, "GET " + path)
    csp = answer.headers["Content-Security-Policy"]
    claim("default-src 'none'" in csp and "unsafe" not in csp and "frame-ancestors 'none'" in csp, "CSP of " + path)
    equal(answer.headers["X-JupyterHub-Version"], "6.0.0", "version header of " + path)
    claim(not re.search(r"<script(?![^>]*\bsrc=)|<style|\son[a-z]+=|\sstyle=", answer.text), "inline code on " + path)
    for form in re.findall(r'<form\b[^>]*method="post".*?</form>', answer.text, re.S):
        claim('name="_xsrf" value="' in form, "a form without a token on %s: %s" % (path, form[:200]))
    return answer


def send(who, path, status, **fields):
    """As the form would, with the token of the page; and never without it."""
    bare = who.browser.post(path, fields, follow=False)
    equal(bare.status, 403, "POST %s without a token" % path)
    answer = who.browser.post(path, dict(fields, _xsrf=who.browser.cookie("_xsrf")), follow=False)
    claim(answer.status == status, "POST %s %r answers %d: %s" % (path, fields, answer.status, text(answer)[-300:]))
    return answer


def send_parts(who, path, status, *fields, xsrf=True):
    """As a form with enctype="multipart/form-data" would."""
    fields += (("_xsrf", who.browser.cookie("_xsrf")),) if xsrf else ()
    body = "".join('--x\r\nContent-Disposition: form-data; name="%s"\r\n\r\n%s\r\n' % f for f in fields) + "--x--\r\n"
    answer = who.browser.request("POST", path, body.encode(), {"Content-Type": "multipart/form-data; boundary=x"})
    claim(answer.status == status, "POST %s %r answers %d: %s" % (path, fields, answer.status, text(answer)[-300:]))
    return answer


def text(answer):
    return html.unescape(re.sub(r"<[^>]*>", " ", answer.text))


def log_in_first():
    for path in ("/hub/home", "/hub/token", "/hub/admin", "/hub/spawn", "/hub/spawn-pending/alice",
                 "/hub/accept-share?code=x", "/hub/admin/users/alice"):
        answer = Browser(carrel.url).get(path, follow=False)
        equal((answer.status, answer.location()), (302, "/hub/login?next=" + urllib.parse.quote(path, "")), path)
    for path in ("/hub/token", "/hub/admin/users", "/hub/admin/shutdown", "/hub/named-servers"):
        equal(Browser(carrel.url).post(path, {}, follow=False).status, 403, "POST %s by nobody" % path)
        equal(alice.browser.request("PUT", path).status, 403, "PUT %s without a token" % path)
    token = alice.token_of("alice")
    answer = token.browser.request("GET", "/hub/home", headers={"Authorization": "token " + token.token})
    equal(answer.status, 302, "pages know cookies only")


def tokens():
    first = page(alice, "/hub/token")
    claim("30 days" in first.text and "one year" not in first.text, "no longer than the maximum")
    made = send(alice, "/hub/token", 200, note="for <b>ci</b>", expires_in="3600",
                scopes="read:users!user, read:servers!user")
    token = re.search(r'class="secret"><code>([0-9a-f]{32})</code>', made.text).group(1)
    equal(Caller(carrel, token=token).ok(200, "GET", "/user").json()["name"], "alice", "it works")
    claim("&lt;b&gt;ci&lt;/b&gt;" in made.text and "<b>ci" not in made.text, "notes are escaped")
    listed = page(alice, "/hub/token")
    claim(token not in listed.text and "for <b>ci</b>" in text(listed), "the token is shown once")
    stored = [t for t in alice.ok(200, "GET", "/users/alice/tokens").json()["api_tokens"] if "ci" in t["note"]]
    claim("read:servers!user=alice" in stored[0]["scopes"] and "servers!user=alice" not in stored[0]["scopes"],
          "its scopes: %r" % stored)
    for fields in ({"scopes": "not:known"}, {"expires_in": "0"}, {"expires_in": "x"}, {"expires_in": "99999999"},
                   {"scopes": "admin:users"}, {"note": "x" * 2000}):
        claim("Bad request" in text(send(alice, "/hub/token", 400, **fields)), "a refusal is a page")
    revoke = "/hub/token/%s/revoke" % stored[0]["id"]
    claim('action="%s"' % revoke in listed.text, "each has its button")
    theirs = boss.token_of("boss")
    send(alice, "/hub/token/%s/revoke" % theirs.id, 404)
    theirs.ok(200, "GET", "/user")
    equal(send(alice, revoke, 303).location(), "/hub/token", "back to the list")
    equal(Caller(carrel, token=token).call("GET", "/user").status, 403, "it is over")


def choice():
    form = page(alice, "/hub/spawn?next=%2Fuser%2Falice%2Ftree")
    claim('id="spawn_form"' in form.text and 'value="default" checked' in form.text, "the form asks for a profile")
    action = html.unescape(re.search(r'id="spawn_form"[^>]*action="([^"]*)"', form.text).group(1))
    equal(action, "/hub/spawn/alice?next=%2Fuser%2Falice%2Ftree", "where it leads")
    again = send(alice, "/hub/spawn/alice", 400, **{"opt-profile": "root"})
    claim('id="spawn_form"' in again.text and 'There is no profile "root" to choose' in text(again), "the form says why")
    send(alice, "/hub/spawn/alice", 422, **{"opt-": "x"})
    again = send_parts(alice, action, 400, ("opt-profile", "root"))
    claim('There is no profile "root" to choose' in text(again), "multipart: %s" % text(again))
    claim("files are not taken" in text(send_parts(alice, action, 400, ('f"; filename="x.txt', "y"))), "a file")
    send_parts(alice, action, 403, ("opt-profile", "big"), xsrf=False)
    equal(send_parts(alice, "/hub/spawn/alice", 302, ("profile", "default")).location(), "/hub/spawn-pending/alice",
          "names without the prefix, when there is none with it")
    until("it runs", 20, lambda: alice.ok(200, "GET", "/users/alice").json()["server"])
    equal(alice.ok(200, "GET", "/users/alice").json()["servers"][""]["user_options"], {"profile": ["default"]}, "its options")
    alice.ok(204, "DELETE", "/users/alice/server")
    going = send_parts(alice, action, 302, ("opt-profile", "big"), ("other", "x"))
    equal(going.location(), "/hub/spawn-pending/alice?next=%2Fuser%2Falice%2Ftree", "to the progress")
    until("it runs", 20, lambda: alice.ok(200, "GET", "/users/alice").json()["server"])
    claim([x for x in carrel.lines if "start asked" in x and "profile=big" in x], "the profile was taken")
    equal(alice.ok(200, "GET", "/users/alice").json()["servers"][""]["user_options"], {"profile": ["big"]},
          "no _xsrf and no next among the options")
    ready = alice.browser.get("/hub/spawn-pending/alice?next=%2Fuser%2Falice%2Ftree", follow=False)
    equal((ready.status, ready.location()), (302, "/user/alice/tree"), "when it is ready")
    equal(alice.browser.get("/hub/spawn", follow=False).location(), "/user/alice/", "there is nothing to start")
    equal(send(alice, "/hub/stop/alice", 303).location(), "/hub/home", "stopped")
    until("it is at rest", 20, lambda: not alice.ok(200, "GET", "/users/alice").json()["servers"])
    claim('value="big" checked' in page(alice, "/hub/spawn").text, "the last choice is offered first")
    send(alice, "/hub/spawn/alice", 302, profile="default")
    until("it runs again", 20, lambda: alice.ok(200, "GET", "/users/alice").json()["server"])
    equal(alice.ok(200, "GET", "/users/alice").json()["servers"][""]["user_options"], {"profile": ["default"]},
          "no _xsrf among options without the prefix")
    send(alice, "/hub/stop/alice", 303)
    until("it is at rest again", 20, lambda: not alice.ok(200, "GET", "/users/alice").json()["servers"])
    alice.no(400, 'There is no profile "root" to choose. There are: default, big', "POST", "/users/alice/server",
             {"profile": "root"})
    claim(page(alice, "/hub/spawn-pending/alice").status == 200, "not running has its page")
    page(alice, "/hub/spawn/boss", 404)


def named():
    home = page(alice, "/hub/home")
    claim("Another server" in home.text, "home offers another server")
    made = send(alice, "/hub/named-servers", 303, display_name="My La\u0308b <1>")
    equal(made.location(), "/hub/spawn/alice/my-lab-1", "its name for addresses")
    lab = alice.ok(200, "GET", "/users/alice/servers/my-lab-1").json()
    equal(lab["display_name"], "My L\u00e4b <1>", "its name for people, in normal form")
    again = send(alice, "/hub/named-servers", 303, display_name="my läb 1").location()
    claim(re.fullmatch(r"/hub/spawn/alice/my-lab-1-[0-9a-f]{8}", again), "one that would be alike: " + again)
    send(alice, "/hub/named-servers", 400, display_name=" ")
    send(alice, "/hub/named-servers", 400)
    home = page(alice, "/hub/home")
    claim("My L\u00e4b &lt;1&gt;" in home.text, "home shows it")
    equal(send(alice, "/hub/named-servers/my-lab-1/delete", 303).location(), "/hub/home", "deleted")
    alice.no(404, None, "GET", "/users/alice/servers/my-lab-1")
    send(alice, "/hub/named-servers/none/delete", 404)


def admin():
    page(alice, "/hub/admin", 403)
    claim('href="/hub/admin"' not in page(alice, "/hub/home").text, "no link for others")
    claim('href="/hub/admin"' in page(boss, "/hub/home").text, "a link for administrators")
    equal(send(boss, "/hub/admin/users", 303, usernames="Dora, emil\nfred_%x", admin="").location(), "/hub/admin", "add")
    seen = text(page(boss, "/hub/admin"))
    claim(all(n in seen for n in ("alice", "boss", "dora", "emil", "fred_%x")), "all are listed: " + seen)
    rows = re.findall(r'href="/hub/admin/users/([^"]*)"', page(boss, "/hub/admin?name_filter=%25&sort=name").text)
    equal(rows, ["fred_%25x"], "a search without wildcards")
    rows = re.findall(r'href="/hub/admin/users/([^"]*)"', page(boss, "/hub/admin?sort=-name&limit=2").text)
    equal(rows, ["fred_%25x", "emil"], "sorted, a page of them")
    second = html.unescape(re.search(r'<a href="([^"]*)" rel="next"', page(boss, "/hub/admin?sort=-name&limit=2").text)
                           .group(1))
    equal(second, "/hub/admin?limit=2&sort=-name&offset=2", "the next page")
    rows = re.findall(r'href="/hub/admin/users/([^"]*)"', page(boss, second).text)
    equal(rows, ["dora", "boss"], "it goes on")
    page(boss, "/hub/admin?sort=nonsense", 400)
    page(boss, "/hub/admin?offset=x", 400)
    send(boss, "/hub/admin/users", 409, usernames="dora emil")
    send(boss, "/hub/admin/users", 400, usernames="good b/ad")
    send(boss, "/hub/admin/users", 400, usernames="")
    send(alice, "/hub/admin/users", 403, usernames="mallory")
    boss.no(404, None, "GET", "/users/good")


def admin_person():
    shown = page(boss, "/hub/admin/users/dora")
    claim('name="name" type="text" value="dora"' in shown.text and "was_admin" not in shown.text, "the form")
    send(boss, "/hub/admin/users/dora", 303, name="doris", admin="1")
    seen = boss.ok(200, "GET", "/users/doris").json()
    equal((seen["name"], seen["admin"]), ("doris", True), "changed")
    claim('name="was_admin"' in page(boss, "/hub/admin/users/doris").text, "the form knows it")
    send(boss, "/hub/admin/users/doris", 303, name="doris", was_admin="1")
    equal(boss.ok(200, "GET", "/users/doris").json()["admin"], False, "taken back")
    send(boss, "/hub/admin/users/doris", 400, name="emil")
    page(boss, "/hub/admin/users/nobody", 404)
    page(alice, "/hub/admin/users/doris", 404)
    send(alice, "/hub/admin/users/doris/delete", 403)
    send(boss, "/hub/admin/users/boss/delete", 400)
    claim("/hub/admin/users/boss/delete" not in page(boss, "/hub/admin/users/boss").text, "nobody deletes themselves")
    equal(send(boss, "/hub/admin/users/doris/delete", 303).location(), "/hub/admin", "deleted")
    boss.no(404, None, "GET", "/users/doris")


def admin_servers():
    going = send(boss, "/hub/spawn/emil?next=%2Fhub%2Fadmin", 302)
    equal(going.location(), "/hub/spawn-pending/emil?next=%2Fhub%2Fadmin", "a start of somebody's server")
    until("it runs", 20, lambda: boss.ok(200, "GET", "/users/emil").json()["server"])
    shown = page(boss, "/hub/admin").text
    claim('action="/hub/stop/emil?next=%2Fhub%2Fadmin"' in shown and 'href="/user/emil/"' in shown, "its buttons")
    equal(send(boss, "/hub/stop/emil?next=%2Fhub%2Fadmin", 303).location(), "/hub/admin", "back to the list")
    until("it is at rest", 20, lambda: not boss.ok(200, "GET", "/users/emil").json()["servers"])


def links():
    answer = alice.browser.get("/hub/user-redirect/git-pull?repo=a%2Fb&x=1+2", follow=False)
    equal((answer.status, answer.location()), (302, "/hub/spawn/alice/desk?next=" + urllib.parse.quote(
        "/user/alice/desk/git-pull?repo=a%2Fb&x=1+2", "")), "one link for everybody, to the configured server")


def others():
    page(alice, "/hub/nowhere", 404)
    page(alice, "/hub/error/503", 200)
    page(alice, "/hub/accept-share", 400)
    answer = alice.browser.request("HEAD", "/hub/home")
    equal(answer.status, 405, "HEAD of a page")
    claim("424" in str(alice.browser.get("/hub/user/alice/", follow=False).status), "a server that does not run")
    out = alice.browser.get("/hub/logout", follow=False)
    equal((out.status, out.location()), (302, "/hub/login"), "logout")
    equal(alice.browser.cookie("jupyterhub-hub-login"), None, "the cookie is gone")


def shutdown():
    send(Caller(carrel, "alice"), "/hub/admin/shutdown", 403)
    claim("being shut down" in text(send(boss, "/hub/admin/shutdown", 202, servers="1")), "a page says so")
    equal(carrel.running.pop("hub").wait(30), 0, "the hub ends in order")
    carrel.begin("hub")


report.run([("people log in", begin), ("log in first", log_in_first), ("tokens", tokens),
            ("a profile is chosen, of those that there are (CVE-2023-48311)", choice), ("named servers on home", named), ("everybody, for administrators", admin),
            ("one person, for administrators", admin_person), ("servers, for administrators", admin_servers),
            ("one link for everybody", links), ("other pages, logout", others), ("shutdown", shutdown),
            ("the hub ends", lambda: end_hub(carrel))], carrel.print_lines)
carrel.clean()
report.finish()
