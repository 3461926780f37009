#!/usr/bin/python3
"""Tokens, profiles, named servers, a share and the administrators' pages in a real browser.

Once with scripts and once without: everything works either way. Screenshots of
every page go to build/screenshots/ for somebody to look at.
timeout: 300
"""
import os
import shutil
import sys
import tempfile

LIB = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib")
sys.path.insert(0, LIB)
import report
from programs import CONFIG, POLICY, Programs
from report import claim, equal, until
from rest import Caller
from web import Browser, wait_http

report.group("browser", "pages")
NEEDED = ("/usr/bin/chromium", "/usr/bin/chromedriver")
for program in NEEDED:
    if not os.path.exists(program):
        report.skip("pages", "%s is missing; `make deps-check` installs it" % program)
        report.finish()

from selenium import webdriver
from selenium.common.exceptions import NoSuchElementException, StaleElementReferenceException
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By

SHOTS = os.path.join(report.bin_dir(), "../screenshots")
os.makedirs(SHOTS, exist_ok=True)
TWO = POLICY + POLICY.split("\n", 1)[1].replace("  default:", "  big:")
carrel = Programs(["/usr/bin/python3", "@DIR@/tiny_server.py"], CONFIG.replace(
    "  allow_all: true\n", "  allow_all: true\n  admin_users: [boss]\n") + """\
  load_roles:
    - name: sharer
      scopes: ["shares!user", "read:users:name"]
      users: [boss]
server:
  allow_named_servers: true
  profiles: [default, big]
  stop_grace: 1s
""", TWO)
with open(LIB + "/tiny_server.py") as f:
    carrel._write("tiny_server.py", f.read())
for name in ("spawner", "proxy", "hub"):
    carrel.begin(name)
wait_http(Browser(carrel.url), "/hub/health", 200)
carrel.wait_together()
profile = tempfile.mkdtemp(prefix="carrelt-chromium-")
web, mode = None, None


def open_browser(scripts):
    global web, mode
    if web:
        web.quit()
    mode = "js" if scripts else "plain"
    options = webdriver.ChromeOptions()
    options.binary_location = NEEDED[0]
    for a in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
              "--disable-dev-shm-usage", "--disable-background-networking", "--disable-component-update",
              "--disable-sync", "--window-size=1200,900", "--user-data-dir=%s/%s" % (profile, mode)):
        options.add_argument(a)
    if not scripts:
        options.add_experimental_option("prefs", {"profile.managed_default_content_settings.javascript": 2})
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    web = webdriver.Chrome(service=Service(NEEDED[1]), options=options)
    web.set_page_load_timeout(60)


def shot(name):
    web.save_screenshot(os.path.join(SHOTS, "pages-%s-%s.png" % (mode, name)))


def text():
    """What a person reads; nothing while one page gives way to the next."""
    try:
        return web.find_element(By.TAG_NAME, "body").text
    except (NoSuchElementException, StaleElementReferenceException):
        return ""


def sees(*words):
    until("the page says %r (it says %r)" % (words, text()[:300]), 20, lambda: all(w in text() for w in words))


def path():
    return web.current_url[len(carrel.url):]


def go(where):
    web.get(carrel.url + where)


def fill(**fields):
    for field, value in fields.items():
        e = web.find_element(By.ID, field)
        e.clear()
        e.send_keys(value)


def press(label, within="body"):
    for b in web.find_elements(By.CSS_SELECTOR, "%s button, %s a.button" % (within, within)):
        if b.text.strip() == label:
            b.click()
            return
    raise report.Failure("no button %r on %s: %s" % (label, path(), text()[:300]))


def log_in(name):
    go("/hub/logout")
    go("/hub/login?next=%2Fhub%2Fhome")
    fill(username=name, password="x")
    press("Log in")
    until("%s is at home" % name, 20, lambda: path() == "/hub/home")


def mark():
    return mode + "-"


def tokens():
    log_in("alice")
    go("/hub/token")
    fill(note=mark() + "nightly job")
    press("Request a token")
    sees("Your new token", mark() + "nightly job")
    secret = web.find_element(By.CSS_SELECTOR, ".secret code").text
    equal(Caller(carrel, token=secret).ok(200, "GET", "/user").json()["name"], "alice", "the new token")
    when = web.find_element(By.CSS_SELECTOR, "td time")
    equal(when.text == when.get_attribute("datetime"), mode == "plain", "scripts run, or they do not")
    shot("1-token")
    row = [r for r in web.find_elements(By.CSS_SELECTOR, "tbody tr") if mark() + "nightly job" in r.text][0]
    row.find_element(By.TAG_NAME, "button").click()
    until("the token is gone", 20, lambda: path() == "/hub/token" and mark() + "nightly job" not in text())
    equal(Caller(carrel, token=secret).call("GET", "/user").status, 403, "the revoked token")


def servers():
    go("/hub/home")
    fill(display_name=mark() + "Läbor")
    press("Add and start")
    sees("Which profile?", "default", "big")
    shot("2-spawn")
    web.find_element(By.CSS_SELECTOR, "input[value=big]").click()
    press("Start")
    until("the server is there", 40, lambda: path().startswith("/user/alice/" + mark() + "labor/"))
    go("/hub/home")
    sees(mark() + "Läbor", "Running")
    shot("3-home")
    press("Stop")
    until("it is at rest", 40, lambda: _home() and "Delete" in text())
    press("Delete")
    until("it is gone", 20, lambda: path() == "/hub/home" and mark() + "Läbor" not in text())


def _home():
    go("/hub/home")
    return True


def share():
    boss = Caller(carrel, "boss")
    url = boss.ok(200, "POST", "/share-codes/boss/").json()["accept_url"]
    go(url)
    sees("boss shares a notebook server with you", "access:servers")
    shot("4-accept-share")
    press("Accept")
    sees("The notebook server of boss is not running")
    shot("5-not-running")
    boss.ok(204, "DELETE", "/shares/boss/")
    go(url + "x")
    sees("Share not found or expired")
    shot("6-error")


def administration():
    log_in("boss")
    go("/hub/admin")
    fill(usernames=mark() + "ida " + mark() + "jan")
    press("Add")
    sees(mark() + "ida", mark() + "jan", "in all")
    shot("7-admin")
    fill(name_filter=mark() + "i")
    press("Search")
    until("only one is shown", 20, lambda: mark() + "jan" not in text() and mark() + "ida" in text())
    press("Start")
    until("it runs", 40, lambda: _admin() and "running" in text())
    press("Stop")
    until("it is at rest", 40, lambda: _admin() and "stopped" in text())
    web.find_element(By.LINK_TEXT, mark() + "ida").click()
    sees("Delete " + mark() + "ida")
    shot("8-admin-user")
    fill(name=mark() + "ines")
    web.find_element(By.CSS_SELECTOR, "input[type=checkbox][name=admin]").click()
    press("Save")
    until("the list has the new name", 20, lambda: path() == "/hub/admin" and mark() + "ines" in text())
    web.find_element(By.LINK_TEXT, mark() + "ines").click()
    press("Delete " + mark() + "ines")
    until("she is gone", 20, lambda: path() == "/hub/admin" and mark() + "ines" not in text())


def _admin():
    go("/hub/admin?name_filter=%si" % mark())
    return True


def narrow():
    """A telephone: nothing sticks out but tables, which scroll."""
    web.set_window_size(500, 900)
    for where in ("/hub/home", "/hub/token", "/hub/admin", "/hub/spawn"):
        go(where)
        wide = web.execute_script("return document.documentElement.scrollWidth - window.innerWidth")
        claim(wide <= 0, "%s is %d pixels wider than the window" % (where, wide))
        shot("9-narrow" + where.replace("/", "-"))
    web.set_window_size(1200, 900)


def quiet():
    """Nothing was refused by the content security policy."""
    bad = [e["message"] for e in web.get_log("browser") if e["level"] == "SEVERE"
           and "the server responded with a status of" not in e["message"] and "/hub/" in e["message"]]
    claim(not bad, "the console: %s" % bad[:3])


def stories(scripts):
    word = "with scripts" if scripts else "without scripts"
    found = [("a browser %s" % word, lambda: open_browser(scripts)), ("tokens, " + word, tokens),
             ("named servers and profiles, " + word, servers), ("a share is accepted, " + word, share),
             ("administration, " + word, administration)]
    return found + ([("small windows", narrow), ("nothing in the console", quiet)] if scripts else [])


report.run(stories(True) + stories(False), on_failure=lambda: (shot("failure"), carrel.print_lines()))
web.quit()
shutil.rmtree(profile, ignore_errors=True)
carrel.clean()
report.finish()
