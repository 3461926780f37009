#!/usr/bin/python3
"""A person with a real browser logs in by an OpenID provider: button, the provider's pages, home, logout."""
import os
import shutil
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
import idp
import report
from report import claim, until

report.group("browser", "oidc")
NEEDED = ("/usr/bin/chromium", "/usr/bin/chromedriver")
reason = idp.missing() or next(("%s is missing; `make deps-check` installs it" % p
                                for p in NEEDED if not os.path.exists(p)), None)
if reason:
    report.skip("a login by an OpenID provider", reason)
    report.finish()

from selenium import webdriver
from selenium.common.exceptions import NoSuchElementException, StaleElementReferenceException
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By

SHOTS = os.path.join(report.bin_dir(), "../screenshots")
os.makedirs(SHOTS, exist_ok=True)
profile = tempfile.mkdtemp(prefix="carrelt-chromium-")
options = webdriver.ChromeOptions()
options.binary_location = NEEDED[0]
for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
                 "--disable-dev-shm-usage", "--disable-background-networking", "--disable-component-update",
                 "--disable-sync", "--window-size=1200,800", "--user-data-dir=" + profile):
    options.add_argument(argument)
options.set_capability("goog:loggingPrefs", {"browser": "ALL"})


def text():
    """What the page says; nothing while the next one is being loaded."""
    try:
        return web.find_element(By.TAG_NAME, "body").text
    except (StaleElementReferenceException, NoSuchElementException):
        return ""


def button():
    return web.find_element(By.LINK_TEXT, "Log in with the campus")


def at_provider(name):
    until("the provider's form is there", 20, lambda: "/interaction/" in web.current_url)
    web.find_element(By.NAME, "login").send_keys(name)
    web.find_element(By.NAME, "password").send_keys("x")
    web.find_element(By.CSS_SELECTOR, "button[type=submit]").click()
    # the same button, on another page
    until("the provider asks for consent", 20, lambda: web.find_elements(
        By.CSS_SELECTOR, "input[name=prompt][value=consent]"))
    web.find_element(By.CSS_SELECTOR, "button[type=submit]").click()


def log_in():
    web.get(world.carrel.url + "/hub/home")
    until("home leads to the login page", 20, lambda: "/hub/login?next=" in web.current_url)
    until("the button is there", 20, lambda: web.find_elements(By.LINK_TEXT, "Log in with the campus"))
    web.save_screenshot(os.path.join(SHOTS, "oidc-1-login.png"))
    button().click()
    at_provider("alice")
    until("home is there", 20, lambda: web.current_url == world.carrel.url + "/hub/home")
    until("home says who is in", 20, lambda: "alice" in text())
    for cookie in web.get_cookies():
        claim(not cookie["name"].startswith("carrel-trip-"), "the cookie of the trip is left")


def log_out():
    web.get(world.carrel.url + "/hub/logout")
    until("the page says so", 20, lambda: "You are logged out" in text())
    web.get(world.carrel.url + "/hub/home")
    until("home is closed after the logout", 20, lambda: "/hub/login" in web.current_url)


def refused():
    """The provider still knows alice: its cookies go first."""
    web.delete_all_cookies()
    web.get(world.carrel.url + "/hub/login")
    button().click()
    at_provider("mallory")
    until("the page says why", 20, lambda: "not one of those that may log in" in text())
    web.save_screenshot(os.path.join(SHOTS, "oidc-2-refused.png"))
    button()


def quiet_console():
    bad = [e["message"] for e in web.get_log("browser") if e["level"] == "SEVERE" and "/hub/" in e["message"]
           and "status of 403" not in e["message"]]
    claim(not bad, "the console of the hub's pages: %s" % bad[:3])


world, web = None, None
try:
    world = idp.World()
    web = webdriver.Chrome(service=Service(NEEDED[1]), options=options)
    web.set_page_load_timeout(60)
    report.run([
        ("the button leads through the provider to home", log_in),
        ("logout ends it", log_out),
        ("somebody without the group reads why", refused),
        ("the hub's pages run without errors in the console", quiet_console),
    ], on_failure=lambda: (web.save_screenshot(os.path.join(SHOTS, "oidc-failure.png")),
                           world.carrel.print_lines(60)))
finally:
    if web:
        web.quit()
    if world:
        world.end()
    shutil.rmtree(profile, ignore_errors=True)
report.finish()
