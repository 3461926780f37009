#!/usr/bin/python3
"""The first password that is typed for a name is its person's, for names that are known only."""
import concurrent.futures
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
import report
from programs import Programs
from report import claim, equal
from web import Browser, hidden, wait_http

report.group("first-use")

ADMIN_PW = "the first password of those who administrate"
CONFIG = """\
hub:
  port: %%(hub_port)d
auth:
  type: first-use
  allowed_users: [alice, bob, carol, dave, erin]
  admin_users: [boss]
  throttle: {failures: 1000, failures_per_address: 1000}
  options: {%sadmin_password: %s}
"""
programs = Programs(["/bin/sleep", "60"], config=CONFIG % ("", ADMIN_PW))
addresses = iter("127.0.5.%d" % i for i in range(1, 250))


def login(name, password, status=302):
    b = Browser(programs.url, next(addresses))
    answer = b.login(name, password)
    equal(answer.status, status, "login of %r" % name)
    b.said = answer.text
    return b


def the_first_password_stays():
    """GHSA-5xvc-vgmp-jgc3: one name however it is written."""
    equal(login(" Alice", "alice's password").api("GET", "/user").json()["name"], "alice", "who came in")
    login("alice", "somebody else's", 403)
    login("ALICE", "somebody else's", 403)
    login("ALICE", "alice's password")


def rules_of_passwords():
    for password, why in (("short", "at least 8"), ("password1", "Many people"), ("", "")):
        b = login("bob", password, 403)
        claim(why in b.said, "the reason for %r is not told" % password)
    login("bob", "bob's password")
    login("bob", "short", 403)


def strangers():
    for name in ("mallory", "root", "x" * 64):
        b = login(name, "long enough", 403)
        claim("Invalid username or password" in b.said, "%s is told something else" % name)
    b = login("boss", ADMIN_PW)
    equal(b.api("GET", "/users/mallory").status, 404, "a user mallory")
    login("boss", "long enough", 403)


def administrators_take_theirs():
    """Who types the first password for an administrator's name is a stranger."""
    b = login("boss", ADMIN_PW)
    page = b.get("/hub/change-password")
    answer = b.post("/hub/change-password", dict(hidden(page.text), old=ADMIN_PW, password="boss's own words",
                                                 again="boss's own words"), follow=False)
    equal(answer.status, 303, "the change")
    login("boss", ADMIN_PW, 403)
    login("boss", "boss's own words")


def forgotten():
    there = login("carol", "carol's password")
    b = login("boss", "boss's own words")
    page = b.get("/hub/authorize")
    claim("Let them choose a new one" in page.text, "the page does not say what it does")
    answer = b.post("/hub/authorize", dict(hidden(page.text), name="Carol", deed="reset"), follow=False)
    equal(answer.status, 200, "the reset")
    equal(there.api("GET", "/user").status, 403, "carol's browser of before")
    login("carol", "carol's new one")
    login("carol", "carol's password", 403)


def two_at_once():
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        def one(i):
            b = Browser(programs.url, next(addresses))
            return b.login("dave", "dave's password %d" % i).status
        answers = list(pool.map(one, range(4)))
    equal(sorted(answers), [302, 403, 403, 403], "four first passwords at once")
    winner = answers.index(302)
    login("dave", "dave's password %d" % winner)
    login("dave", "dave's password %d" % (1 - min(winner, 1)), 403)


def no_sign_up():
    b = Browser(programs.url, next(addresses))
    equal(b.get("/hub/signup").status, 404, "the page to sign up")
    claim("/hub/signup" not in b.get("/hub/login").text, "the login page has a link to it")


def everybody_on_request():
    """allow_all alone lets nobody take a name; create_users does."""
    def config(text):
        programs.end("hub")
        with open(programs.dir + "/carrel.yaml", "w") as f:
            f.write(text % {"hub_port": programs.hub_port})
        programs.begin("hub")
        wait_http(Browser(programs.url), "/hub/login", 200)

    text = (CONFIG % ("", ADMIN_PW)).replace("admin_users:", "allow_all: true\n  admin_users:")
    config(text)
    login("zoe", "zoe's password", 403)
    b = login("boss", "boss's own words")
    equal(b.api("POST", "/users/yves", {}).status, 201, "POST /users/yves")
    login("yves", "yves's password")
    config(text.replace("options: {", "options: {create_users: true, "))
    login("zoe", "zoe's password")
    login("zoe", "another password", 403)


for name in ("spawner", "proxy", "hub"):
    programs.begin(name)
wait_http(Browser(programs.url), "/hub/login", 200)
report.run([
    ("the first password stays, however the name is written", the_first_password_stays),
    ("a first password keeps the rules", rules_of_passwords),
    ("strangers get nothing and leave nothing", strangers),
    ("an administrator's first password is the configured one", administrators_take_theirs),
    ("a forgotten one is let go by an administrator", forgotten),
    ("of several first ones one counts", two_at_once),
    ("nobody signs up here", no_sign_up),
    ("new names are taken on request only", everybody_on_request),
], on_failure=programs.print_lines)
programs.clean()
report.finish()
