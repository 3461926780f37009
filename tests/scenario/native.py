#!/usr/bin/python3
"""Accounts of the hub's own: signing up, being approved, and everything that a stranger tries on the way."""
import concurrent.futures
import html
import os
import re
import sqlite3
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
import report
from programs import Programs
from report import claim, equal, until
from web import Browser, hidden, wait_http

report.group("native")

ADMIN_PW = "the first password of those who administrate"
CONFIG = """\
hub:
  port: %%(hub_port)d
auth:
  type: native
  allow_all: true
  admin_users: [boss, deputy, vice]
  blocked_users: [mallory]
  load_roles:
    - {name: registrar, scopes: [admin:users], users: [rita]}
  throttle: {failures: 1000, failures_per_address: 1000}
  options:
    open_signup: %s
    max_waiting: 6
    totp: optional
    admin_password: %s
"""
programs = Programs(["/bin/sleep", "60"], config=CONFIG % ("false", ADMIN_PW))
addresses = iter("127.0.4.%d" % i for i in range(1, 250))
secret = {}
used = {}  # key of an authenticator app: the last step whose code was taken


def browser():
    return Browser(programs.url, next(addresses))


def form(b, path, **fields):
    page = b.get(path)
    equal(page.status, 200, "GET %s" % path)
    return b.post(path, dict(hidden(page.text), **fields), follow=False)


def sign_up(name, password, again=None, email=""):
    return form(browser(), "/hub/signup", username=name, password=password,
                again=password if again is None else again, email=email)


def login(name, password, status=302):
    b = browser()
    equal(b.login(name, password).status, status, "login of %r" % name)
    return b


def decide(b, name, deed, status=303):
    answer = form(b, "/hub/authorize", name=name, deed=deed)
    equal(answer.status, status, "%s %s" % (deed, name))
    return answer


def waiting(b):
    return re.findall(r'name="name" value="([^"]*)"><input type="hidden" name="deed" value="approve"',
                      b.get("/hub/authorize").text)


def account(name, password):
    """Signed up and approved."""
    equal(sign_up(name, password).status, 200, "sign-up of %s" % name)
    decide(boss(), name, "approve")


def boss():
    return login("boss", secret["boss"])


def the_first_administrator():
    login("boss", "something else entirely", 403)
    b = login("boss", ADMIN_PW)
    equal(b.api("GET", "/user").json()["admin"], True, "boss is an administrator")
    equal(form(b, "/hub/change-password", old=ADMIN_PW, password="boss's own words", again="boss's own words").status,
          303, "the change of boss's password")
    login("boss", ADMIN_PW, 403)
    secret["boss"] = "boss's own words"
    login("BOSS", secret["boss"])


def sign_up_waits_for_approval():
    answer = sign_up("Alice", "correct horse", email="alice@example.org")
    equal(answer.status, 200, "sign-up")
    claim("administrator of this hub will look" in answer.text, "the page does not say what comes next")
    login("alice", "correct horse", 403)
    b = boss()
    equal(waiting(b), ["alice"], "who waits")
    claim("alice@example.org" in b.get("/hub/authorize").text, "the e-mail address is not shown")
    claim("(1 waiting)" in b.get("/hub/home").text, "the home page does not say that somebody waits")
    decide(b, "alice", "approve")
    me = login("alice", "correct horse").api("GET", "/user").json()
    equal((me["name"], me["admin"]), ("alice", False), "who came in")
    equal(waiting(b), [], "who waits")
    equal(sign_up("bob", "correct horse").status, 200, "sign-up of bob")
    decide(b, "bob", "discard")
    login("bob", "correct horse", 403)
    decide(b, "bob", "approve", 404)


def nobody_takes_a_name():
    """GHSA-5xvc-vgmp-jgc3 (names that differ in case), and the names of administrators and of users."""
    for name in ("alice", "ALICE", " Alice "):
        equal(sign_up(name, "another password").status, 409, "sign-up as %r" % name)
    equal(sign_up("mallory", "another password").status, 409, "sign-up of who is blocked")
    # deputy is an administrator who never came in: a stranger's sign-up is not theirs by being first
    answer = sign_up("Deputy", "a stranger's password")
    claim("administrator of this hub will look" in answer.text, "an administrator's name was given away")
    login("deputy", "a stranger's password", 403)
    page = boss().get("/hub/authorize").text
    claim("administrator&#39;s name" in page or "administrator's name" in page, "the page does not warn")
    decide(boss(), "deputy", "discard")
    login("deputy", ADMIN_PW)
    equal(sign_up("deputy", "a stranger's password").status, 409, "sign-up of deputy, who came in")


def a_user_made_over_rest():
    b = boss()
    equal(b.api("POST", "/users/carol", {}).status, 201, "POST /users/carol")
    login("carol", ADMIN_PW, 403)
    equal(sign_up("carol", "carol's password").status, 200, "sign-up of carol")
    login("carol", "carol's password", 403)
    claim("has a user of that name already" in b.get("/hub/authorize").text, "the page does not warn")
    decide(b, "carol", "approve")
    login("carol", "carol's password")


def only_administrators_decide():
    equal(sign_up("dave", "dave's password").status, 200, "sign-up of dave")
    alice = login("alice", "correct horse")
    equal(alice.get("/hub/authorize", follow=False).status, 403, "alice asks for the page")
    home = alice.get("/hub/home").text
    claim("/hub/authorize" not in home, "alice's home page has the link")
    claim("/hub/change-password" in home, "alice's home page has no link to change the password")
    fields = dict(hidden(home), name="dave", deed="approve")
    equal(alice.post("/hub/authorize", fields, follow=False).status, 403, "alice approves")
    equal(browser().get("/hub/authorize", follow=False).status, 302, "a stranger asks for the page")
    b = boss()
    page = b.get("/hub/authorize")
    for token in (None, "x", hidden(home)["_xsrf"]):
        fields = dict(name="dave", deed="approve", **({"_xsrf": token} if token else {}))
        equal(b.post("/hub/authorize", fields, follow=False).status, 403, "without boss's own token")
    claim("dave" in page.text and waiting(b) == ["dave"], "dave waits no more")
    decide(b, "dave", "discard")


def who_may_administrate_users_only():
    """A holder of admin:users alone neither becomes an administrator nor takes one's password."""
    account("rita", "rita's password")
    rita = login("rita", "rita's password")
    equal(sign_up("judy", "judy's password").status, 200, "sign-up of judy")
    decide(rita, "judy", "approve")
    login("judy", "judy's password")
    programs.end("hub")
    db = sqlite3.connect(programs.dir + "/state/carrel.sqlite")
    with db:  # deputy forgot theirs
        db.execute("DELETE FROM password WHERE user_id = (SELECT id FROM user WHERE name = 'deputy')")
    db.close()
    programs.begin("hub")
    wait_http(Browser(programs.url), "/hub/login", 200)
    equal(sign_up("deputy", "a stranger's password").status, 200, "sign-up of deputy")
    decide(rita, "deputy", "approve", 403)
    decide(rita, "boss", "reset", 403)
    decide(rita, "deputy", "reset", 403)
    login("boss", secret["boss"])
    decide(rita, "deputy", "discard")
    token = boss().api("POST", "/users/boss/tokens", {"scopes": ["admin:users"]}).json()["token"]
    answer = browser().request("GET", "/hub/authorize", headers={"Authorization": "token " + token})
    equal(answer.status, 302, "the page with a token")


def passwords():
    for password, why in (("short", "at least 8"), ("password123", "Many people"), ("PASSWORD123", "Many people"),
                          ("erin-erin", "user name"), ("x" * 1025, "at most 1024"), ("aaaaaaaaa", "Many people")):
        answer = sign_up("Erin-Erin", password)
        equal(answer.status, 400, "sign-up with %.20r" % password)
        claim(why in answer.text, "the reason for %.20r is not told" % password)
        claim(password not in answer.text, "the password is in the page")
    claim("not the same" in sign_up("erin", "correct horse", "correct house").text, "a slip is not told")
    long = "ü" * 512
    account("erin", long)
    login("erin", long)
    login("erin", long[:-1], 403)
    login("erin", long[:36], 403)  # bcrypt would have stopped here


def change_password():
    account("frank", "frank's first one")
    here, there = login("frank", "frank's first one"), login("frank", "frank's first one")
    token = there.api("POST", "/users/frank/tokens", {"note": "script"}).json()["token"]
    equal(form(here, "/hub/change-password", old="wrong", password="frank's second", again="frank's second").status,
          403, "with a wrong present one")
    equal(form(here, "/hub/change-password", old="frank's first one", password="frank", again="frank").status,
          400, "to a short one")
    old_cookie = dict(here.jar)
    answer = form(here, "/hub/change-password", old="frank's first one", password="frank's second",
                  again="frank's second")
    equal(answer.status, 303, "the change")
    claim("logged out everywhere" in here.get(answer.location()).text, "the page does not say so")
    equal(here.api("GET", "/user").json()["name"], "frank", "this browser goes on")
    equal(there.api("GET", "/user").status, 403, "the other browser")
    stolen = browser()
    stolen.jar = old_cookie
    equal(stolen.api("GET", "/user").status, 403, "the cookie of before")
    equal(browser().api("GET", "/user", token=token).status, 200, "a token of frank's own")
    login("frank", "frank's first one", 403)
    login("frank", "frank's second")


def reset():
    account("grace", "grace's password")
    there = login("grace", "grace's password")
    b = boss()
    answer = decide(b, "Grace", "reset", 200)
    fresh = re.search(r"<code>(\w{16})</code>", answer.text)
    claim(fresh, "no new password is shown")
    equal(there.api("GET", "/user").status, 403, "grace's browser of before")
    login("grace", "grace's password", 403)
    login("grace", fresh.group(1))
    claim(fresh.group(1) not in b.get("/hub/authorize").text, "it is shown twice")
    decide(b, "nobody-here", "reset", 404)


def code_of(key, step):
    """By another program than ours."""
    said = subprocess.run(["oathtool", "--totp", "--base32", "--now", "@%d" % (step * 30), key.replace(" ", "")],
                          capture_output=True, text=True, check=True)
    return said.stdout.strip()


def next_code(key):
    """One that was not taken yet and is taken now: of the step before, of this one or of the next."""
    step = max(used.get(key, 0) + 1, int(time.time()) // 30 - 1)
    until("a further code is taken", 60, lambda: time.time() // 30 + 1 >= step)
    used[key] = step
    return code_of(key, step)


def first_step(name, password):
    """A browser that is asked for a code, and the page that asks."""
    b = browser()
    page = b.login(name, password)
    equal(page.status, 200, "the login of %s" % name)
    claim("One more step" in page.text, "no code is asked for: %s" % page.text)
    return b, page


def second_step(b, page, code, status):
    answer = b.post("/hub/login", dict(hidden(page.text), answer=code), follow=False)
    equal(answer.status, status, "the login with a code")
    return answer


def turn_on(b, password):
    """The key of the app."""
    page = form(b, "/hub/second-step", deed="begin", password=password)
    equal(page.status, 200, "the page with the key")
    key = re.search(r"<code>((?:[A-Z2-7]{4} ?){8})</code>", page.text).group(1)
    uri = html.unescape(re.search(r"<code>(otpauth://[^<]*)</code>", page.text).group(1))
    claim("secret=" + key.replace(" ", "") in uri, "the address has another key: %s" % uri)
    wrong = b.post("/hub/second-step", dict(hidden(page.text), code="000000x"), follow=False)
    equal(wrong.status, 403, "a wrong first code")
    claim(key not in wrong.text and key.replace(" ", "") not in wrong.text, "the key is shown twice")
    answer = b.post("/hub/second-step", dict(hidden(wrong.text), code=next_code(key)), follow=False)
    equal(answer.status, 303, "the first code")
    claim("It is on" in b.get("/hub/second-step").text, "the page does not say that it is on")
    return key


def a_second_step():
    password = "kate's password"
    account("kate", password)
    here, there = login("kate", password), login("kate", password)
    claim("/hub/second-step" in here.get("/hub/home").text, "the home page has no link")
    equal(form(here, "/hub/second-step", deed="begin", password="wrong").status, 403, "without the password")
    page = form(here, "/hub/second-step", deed="begin", password=password)
    claim("otpauth://totp/Carrel:kate?" in html.unescape(page.text), "no address for an app")
    login("kate", password)  # begun is not on
    old_cookie = dict(here.jar)
    key = turn_on(here, password)
    equal(there.api("GET", "/user").status, 403, "the other browser")
    stolen = browser()
    stolen.jar = old_cookie
    equal(stolen.api("GET", "/user").status, 403, "the cookie of before")
    equal(here.api("GET", "/user").json()["name"], "kate", "this browser goes on")

    login("kate", "wrong password", 403)
    code = code_of(key, used[key])
    answer = second_step(*first_step("kate", password), code, 403)  # it turned it on: used up
    claim("was used before" in answer.text, "it is not told that the code was wrong")
    b, page = first_step("kate", password)
    equal(b.api("GET", "/user").status, 403, "between the steps")
    code = next_code(key)
    second_step(b, page, code[:3] + " " + code[3:], 302)
    equal(b.api("GET", "/user").json()["name"], "kate", "who came in")
    second_step(*first_step("kate", password), code, 403)
    answer = browser().api("POST", "/authorizations/token", {"auth": {"username": "kate", "password": password}})
    equal(answer.status, 403, "the password alone, for a token")

    off = dict(deed="off", password=password)
    equal(form(b, "/hub/second-step", **dict(off, code=code)).status, 403, "turning it off with a used code")
    equal(form(b, "/hub/second-step", **dict(off, password="wrong", code=next_code(key))).status, 403,
          "turning it off without the password")
    equal(form(b, "/hub/second-step", **dict(off, code=next_code(key))).status, 303, "turning it off")
    equal(here.api("GET", "/user").status, 403, "the first browser")
    equal(b.api("GET", "/user").json()["name"], "kate", "this browser goes on")
    login("kate", password)


def a_lost_device():
    password = "lena's password"
    account("lena", password)
    turn_on(login("lena", password), password)
    b = boss()
    turn_on(b, secret["boss"])
    rita = login("rita", "rita's password")
    decide(rita, "boss", "drop-second-step", 403)
    claim("lena has no second step now" in decide(rita, "Lena", "drop-second-step", 200).text, "nothing is told")
    decide(rita, "lena", "drop-second-step", 404)
    login("lena", password)
    decide(b, "boss", "drop-second-step", 200)
    login("boss", secret["boss"])


def strangers_are_bounded():
    for i in range(6):
        equal(sign_up("crowd%d" % i, "correct horse").status, 200, "sign-up %d" % i)
    answer = sign_up("crowd7", "correct horse")
    equal(answer.status, 503, "one more than may wait")
    for i in range(6):
        decide(boss(), "crowd%d" % i, "discard")
    with concurrent.futures.ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(lambda i: sign_up("racer", "racer's password").status, range(12)))
    equal(sorted(answers), [200] + [409] * 11, "twelve sign up under one name at once")
    decide(boss(), "racer", "discard")


def database():
    db = sqlite3.connect("file:%s/state/carrel.sqlite?mode=ro" % programs.dir, uri=True)
    rows = db.execute("SELECT hash FROM password").fetchall()
    claim(rows and all(h.startswith("$argon2id$v=19$m=32768,t=3,p=1$") for h, in rows), "a hash is no Argon2id")
    db.close()
    with open(programs.dir + "/state/carrel.sqlite", "rb") as f, open(f.name + "-wal", "rb") as log:
        raw = f.read() + log.read()
    for key in used:
        claim(key.replace(" ", "").encode() not in raw, "the database has the key of an app")
    for line in programs.lines:
        for word in list(used) + [k.replace(" ", "") for k in used] + list(secret.values()) + [ADMIN_PW, "correct horse", "grace's", "frank's", "stranger's"]:
            claim(word not in line, "a log line has a password: %s" % line)


def restart_with(old, new):
    programs.end("hub")
    with open(programs.dir + "/carrel.yaml") as f:
        text = f.read()
    with open(programs.dir + "/carrel.yaml", "w") as f:
        f.write(text.replace(old, new))
    programs.begin("hub")
    wait_http(Browser(programs.url), "/hub/login", 200)


def a_required_second_step():
    password = "mina's password"
    account("mina", password)
    old = login("mina", password)
    restart_with("totp: optional", "totp: required")
    equal(old.api("GET", "/user").json()["name"], "mina", "a login of before")
    login("mina", "wrong password", 403)
    b, page = first_step("mina", password)
    key = re.search(r"Put this key into the app: ([A-Z2-7 ]{39})<", page.text).group(1)
    claim("otpauth://totp/Carrel:mina?secret=" + key.replace(" ", "") in html.unescape(page.text), "no address")
    page = second_step(b, page, "000000x", 200)
    claim("does not fit" in page.text and key not in page.text, "a wrong first code")
    second_step(b, page, next_code(key), 302)
    equal(b.api("GET", "/user").json()["name"], "mina", "who came in")
    equal(old.api("GET", "/user").status, 403, "a login of before the second step")
    b, page = first_step("mina", password)
    claim("Put this key" not in page.text, "a key is offered again")
    second_step(b, page, next_code(key), 302)
    restart_with("totp: required", "totp: off")
    login("mina", password)
    equal(b.get("/hub/second-step").status, 404, "the page where it is off")


def open_signup():
    restart_with("open_signup: false", "open_signup: true")
    claim("account is ready" in sign_up("heidi", "heidi's password").text, "heidi has to wait")
    login("Heidi", "heidi's password")
    equal(sign_up("HEIDI", "heidi's other one").status, 409, "heidi again")
    # A Unix account's files are not had by signing up under its name.
    for name in ("root", "daemon"):
        claim("will look" in sign_up(name, "a stranger's password").text, "%s was given away" % name)
        login(name, "a stranger's password", 403)
    claim("A Unix account has that name" in boss().get("/hub/authorize").text, "the page does not warn")
    claim("will look" in sign_up("Vice", "a stranger's password").text, "an administrator's name was given away")
    login("vice", "a stranger's password", 403)
    boss().api("POST", "/users/ivan", {})
    claim("will look" in sign_up("ivan", "a stranger's password").text, "ivan was given away")
    login("ivan", "a stranger's password", 403)


def sign_ups_are_counted_apart():
    restart_with("failures_per_address: 1000", "failures_per_address: 3")
    b = browser()
    for i in range(3):
        page = form(b, "/hub/signup", username="many%d" % i, password="correct horse", again="correct horse")
        equal(page.status, 200, "sign-up %d" % i)
    page = form(b, "/hub/signup", username="many3", password="correct horse", again="correct horse")
    equal(page.status, 429, "one more")
    claim("Many people signed up" in page.text, "the page does not say why")
    equal(b.login("heidi", "heidi's password").status, 302, "a login from there")


for name in ("spawner", "proxy", "hub"):
    programs.begin(name)
wait_http(Browser(programs.url), "/hub/login", 200)
report.run([
    ("the first administrator comes in with the configured password, once", the_first_administrator),
    ("who signs up waits for approval", sign_up_waits_for_approval),
    ("nobody takes a name by signing up, however it is written", nobody_takes_a_name),
    ("a user made over REST is nobody's until an administrator approves", a_user_made_over_rest),
    ("only administrators decide, with their own token", only_administrators_decide),
    ("who may administrate users does not become an administrator", who_may_administrate_users_only),
    ("passwords that are guessed first are refused, long ones count whole", passwords),
    ("a changed password ends the logins elsewhere", change_password),
    ("an administrator makes a new password", reset),
    ("a second step is asked, a code of it works once, and it goes with password and code", a_second_step),
    ("an administrator takes away the second step of a lost device", a_lost_device),
    ("strangers fill no table, and one name is had once", strangers_are_bounded),
    ("a required second step is set up at the first login", a_required_second_step),
    ("what is kept is Argon2id or sealed, and no password or key is in the log", database),
    ("open sign-up stops at names that mean something", open_signup),
    ("a flood of sign-ups from an address keeps nobody from logging in there", sign_ups_are_counted_apart),
], on_failure=programs.print_lines)
programs.clean()
report.finish()
