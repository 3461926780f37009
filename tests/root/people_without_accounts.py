#!/usr/bin/python3
"""People whose account is not there yet, or whose password is due: what the login and the first start make of it."""
import os
import pwd
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
import accounts
import report
from report import claim, equal
from web import Browser, form_action, hidden
from world import Carrel

report.group("root", "pam")
if not accounts.can_make():
    report.skip("people without accounts", "needs root: it makes Unix accounts")
    report.finish()

NAME = "carrelt.ana@x.org"
ACCOUNT = "carrelt_2eana_40x_2eorg"
POLICY = """\
create_account: [/usr/sbin/useradd, --create-home, --shell, /bin/bash, --, "{account}"]
profiles:
  default:
    command:
      - /usr/bin/python3
      - -c
      - |
        import http.server, os, pwd, urllib.parse
        class Who(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(200)
                self.end_headers()
                self.wfile.write(("I am " + pwd.getpwuid(os.getuid()).pw_name).encode())
        url = urllib.parse.urlsplit(os.environ["JUPYTERHUB_SERVICE_URL"])
        http.server.ThreadingHTTPServer((url.hostname, url.port), Who).serve_forever()
    environment: {PATH: /usr/bin:/bin}
"""
DUMMY = """\
auth:
  type: dummy
  allow_all: true
  account_names: %s
  create_system_users: %s
  options: {password: x}
"""


def account_is_made():
    accounts.remove(ACCOUNT)
    carrel = Carrel(DUMMY % ("escaped", "true"), POLICY).start()
    try:
        b = Browser(carrel.url)
        equal(b.login(NAME, "x").status, 302, "login")
        b.start_server(NAME.replace("@", "%40"))
        entry = pwd.getpwnam(ACCOUNT)
        claim(entry.pw_uid >= 1000, "it is a system account")
        equal(os.stat(entry.pw_dir).st_uid, entry.pw_uid, "owner of the home")
        equal(b.get("/user/%s/" % NAME.replace("@", "%40")).text, "I am " + ACCOUNT, "who the server is")
    except report.Failure:
        carrel.print_lines()
        raise
    finally:
        carrel.clean()
        accounts.remove(ACCOUNT)


def account_is_not_made_unasked():
    carrel = Carrel(DUMMY % ("escaped", "false"), POLICY).start()
    try:
        b = Browser(carrel.url)
        equal(b.login(NAME, "x").status, 302, "login")
        answer = b.api("POST", "/users/%s/server" % NAME.replace("@", "%40"))
        claim("there is no account " + ACCOUNT in answer.text or
              "there is no account " + ACCOUNT in repr(b.progress(NAME.replace("@", "%40"))),
              "status %d: %s" % (answer.status, answer.text))
    finally:
        carrel.clean()


VISIT = """\
auth:
  type: tmp
  allow_all: true
  create_system_users: true
  options: {accounts: made}
server:
  stop_grace: 1s
"""


def visitors_account_goes():
    """Made at the first start, and gone with the visit: account, home and user."""
    remove = 'remove_account: [/usr/sbin/userdel, --remove, --, "{account}"]\n'
    carrel = Carrel(VISIT, remove + POLICY).start()
    name = None
    try:
        b = Browser(carrel.url)
        page = b.get("/hub/login?next=/hub/home")
        equal(b.post(form_action(page), hidden(page.text), follow=False).status, 302, "a visit")
        name = b.api("GET", "/user").json()["name"]
        b.start_server(name)
        home = pwd.getpwnam(name).pw_dir
        equal(b.get("/user/%s/" % name).text, "I am " + name, "who the server is")
        b.get("/hub/logout")

        def is_gone():
            return name not in [e.pw_name for e in pwd.getpwall()] and not os.path.exists(home)
        report.until("%s is gone" % name, 60, is_gone)
        report.until("the visit is over", 30, lambda: carrel.seen("the visit is over.*user=" + name))
    except report.Failure:
        carrel.print_lines()
        raise
    finally:
        carrel.clean()
        if name:
            accounts.run("sh", "-c", 'userdel -r -f "$0" 2>/dev/null || true', name)


def password_is_due():
    """Each question is a page; what the modules said stands above it."""
    dora = accounts.Account("carreltdora")
    accounts.run("chage", "-d", "0", dora.name)
    carrel = Carrel().start()
    try:
        b = Browser(carrel.url)
        page = b.login(dora.name, dora.password)
        claim("required to change your password" in page.text, "the reason is not on the page: %s" % page.text[-1500:])
        new = "a-New-Passw0rd"
        for answer, question in ((dora.password, "urrent"), (new, "New"), (new, "etype")):
            equal(page.status, 200, "status of the step")
            label = re.search(r'<label for="answer">([^<]*)</label>', page.text).group(1)
            claim(question in label, "the question is %r, not %s" % (label, question))
            page = b.post(form_action(page), dict(hidden(page.text), answer=answer), follow=False)
        equal(page.status, 302, "status at the end")
        equal(Browser(carrel.url).login(dora.name, new).status, 302, "the new password")
        equal(Browser(carrel.url).login(dora.name, dora.password).status, 403, "the old password")
        claim(not any(new in line for line in carrel.lines), "the password is in the log")
    except report.Failure:
        carrel.print_lines()
        raise
    finally:
        carrel.clean()


report.run([
    ("a missing account is made at the first start, under an escaped name", account_is_made),
    ("none is made unasked", account_is_not_made_unasked),
    ("a visitor's account is made, and goes with the visit", visitors_account_goes),
    ("a password that is due is changed on the way in", password_is_due),
])
report.finish()
