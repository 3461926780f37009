#!/usr/bin/python3
"""Somebody turns on their second step in a real browser, and logs in with it.

Screenshots go to build/screenshots/ for somebody to look at.
timeout: 180
"""
import os
import shutil
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
import report
from programs import Programs
from report import claim, until
from web import Browser, wait_http

report.group("browser", "native")
NEEDED = ("/usr/bin/chromium", "/usr/bin/chromedriver")
for program in NEEDED:
    if not os.path.exists(program):
        report.skip("second step", "%s is missing; `make deps-check` installs it" % program)
        report.finish()

from selenium import webdriver
from selenium.common.exceptions import NoSuchElementException, StaleElementReferenceException
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By

SHOTS = os.path.join(report.bin_dir(), "../screenshots")
os.makedirs(SHOTS, exist_ok=True)
ADMIN_PW = "the first password of those who administrate"
carrel = Programs(["/bin/sleep", "60"], config="""\
hub:
  port: %%(hub_port)d
auth:
  type: native
  allow_all: true
  admin_users: [boss]
  options:
    totp: optional
    admin_password: %s
""" % ADMIN_PW)
for name in ("spawner", "proxy", "hub"):
    carrel.begin(name)
wait_http(Browser(carrel.url), "/hub/login", 200)
profile = tempfile.mkdtemp(prefix="carrelt-chromium-")
options = webdriver.ChromeOptions()
options.binary_location = NEEDED[0]
for a in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
          "--disable-dev-shm-usage", "--disable-background-networking", "--disable-component-update",
          "--disable-sync", "--window-size=1200,900", "--user-data-dir=" + profile):
    options.add_argument(a)
web = webdriver.Chrome(service=Service(NEEDED[1]), options=options)
web.set_page_load_timeout(60)
key, last_step = None, 0


def shot(name):
    web.save_screenshot(os.path.join(SHOTS, "second-step-%s.png" % name))


def text():
    """What a person reads; nothing while one page gives way to the next."""
    try:
        return web.find_element(By.TAG_NAME, "body").text
    except (NoSuchElementException, StaleElementReferenceException):
        return ""


def sees(*words):
    until("the page says %r (it says %r)" % (words, text()[:300]), 20, lambda: all(w in text() for w in words))


def fill(**fields):
    for field, value in fields.items():
        web.find_element(By.ID, field).send_keys(value)


def press(label):
    for b in web.find_elements(By.CSS_SELECTOR, "button"):
        if b.text.strip() == label:
            b.click()
            return
    raise report.Failure("no button %r: %s" % (label, text()[:300]))


def next_code():
    """One that was not taken yet, by another program than ours."""
    global last_step
    step = max(last_step + 1, int(time.time()) // 30 - 1)
    until("a further code is taken", 60, lambda: time.time() // 30 + 1 >= step)
    last_step = step
    return subprocess.run(["oathtool", "--totp", "--base32", "--now", "@%d" % (step * 30), key.replace(" ", "")],
                          capture_output=True, text=True, check=True).stdout.strip()


def log_in():
    web.get(carrel.url + "/hub/logout")
    web.get(carrel.url + "/hub/login?next=%2Fhub%2Fhome")
    fill(username="boss", password=ADMIN_PW)
    press("Log in")


def turned_on():
    global key
    log_in()
    sees("Your notebooks", "Second step")
    web.find_element(By.LINK_TEXT, "Second step").click()
    sees("It is off")
    shot("1-off")
    fill(password=ADMIN_PW)
    press("Turn it on")
    sees("It is shown here once", "otpauth://totp/Carrel:boss")
    shot("2-key")
    key = web.find_elements(By.CSS_SELECTOR, ".secret code")[0].text
    wide = web.execute_script("return document.documentElement.scrollWidth > window.innerWidth")
    claim(not wide, "the page is wider than the window")
    fill(code="000000x")
    press("Turn it on")
    sees("does not fit the key")
    shot("3-wrong")
    claim(key not in web.page_source, "the key is shown twice")
    fill(code=next_code())
    press("Turn it on")
    sees("It is on")
    shot("4-on")


def asked():
    log_in()
    sees("One more step", "Code of your authenticator app")
    shot("5-asked")
    fill(answer=next_code())
    press("Continue")
    sees("Your notebooks")
    web.get(carrel.url + "/hub/authorize")
    sees("lost the device of their second step")
    shot("6-accounts")


def finish():
    web.quit()
    shutil.rmtree(profile, ignore_errors=True)
    carrel.clean()


report.run([
    ("a person turns on a second step", turned_on),
    ("the login asks for a code", asked),
], on_failure=carrel.print_lines)
finish()
report.finish()
