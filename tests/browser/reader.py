#!/usr/bin/python3
"""A person with a real browser: logs in, watches the progress, works, logs out.

Screenshots of every step go to build/screenshots/ for somebody to look at.
"""
import os
import shutil
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
import accounts
import report
from report import claim, equal, until
from world import Carrel

report.group("browser", "root", "single-user")
NEEDED = ("/usr/bin/chromium", "/usr/bin/chromedriver")
if not accounts.can_make():
    report.skip("browser", "needs root: it makes a Unix account")
    report.finish()
for program in NEEDED:
    if not os.path.exists(program):
        report.skip("browser", "%s is missing; `make deps-check` installs it" % program)
        report.finish()

from selenium import webdriver
from selenium.common.exceptions import NoSuchElementException, StaleElementReferenceException
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By

SHOTS = os.path.join(report.bin_dir(), "../screenshots")
os.makedirs(SHOTS, exist_ok=True)
eve = accounts.Account("carrelteve")
carrel = Carrel().start()
profile = tempfile.mkdtemp(prefix="carrelt-chromium-")


def open_browser(*more):
    options = webdriver.ChromeOptions()
    options.binary_location = NEEDED[0]
    for a in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
              "--disable-dev-shm-usage", "--disable-background-networking", "--disable-component-update",
              "--disable-sync", "--window-size=1200,800", "--user-data-dir=" + profile) + more:
        options.add_argument(a)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    return webdriver.Chrome(service=Service(NEEDED[1]), options=options)


web = open_browser()
web.set_page_load_timeout(60)


def shot(name):
    web.save_screenshot(os.path.join(SHOTS, name + ".png"))


def text():
    """What a person reads; nothing while one page gives way to the next."""
    try:
        return web.find_element(By.TAG_NAME, "body").text
    except (NoSuchElementException, StaleElementReferenceException):
        return ""


def path():
    return web.current_url[len(carrel.url):]


def fill(password):
    web.find_element(By.ID, "username").clear()
    web.find_element(By.ID, "username").send_keys(eve.name)
    web.find_element(By.ID, "password").send_keys(password)
    web.find_element(By.CSS_SELECTOR, "form button[type=submit]").click()


def press(label):
    for b in web.find_elements(By.CSS_SELECTOR, "button, a.button"):
        if b.text.strip() == label:
            b.click()
            return
    raise report.Failure("no button %r on %s: %s" % (label, path(), text()[:200]))


def login_page():
    web.get(carrel.url)
    claim(path().startswith("/hub/login"), "the front door leads to %s" % path())
    shot("1-login")
    fill("wrong")
    until("the page says what was wrong", 15, lambda: "Invalid username or password" in text())
    shot("2-wrong-password")


def failing_start():
    """A broken settings file of the person's own: the page says why, with the log."""
    os.makedirs(eve.home + "/.jupyter")
    with open(eve.home + "/.jupyter/jupyter_notebook_config.py", "w") as f:
        f.write("raise SystemExit('this line is broken on purpose')\n")
    accounts.run("chown", "-R", eve.name, eve.home + "/.jupyter")
    fill(eve.password)
    until("the page says that the start failed", 60, lambda: "did not start" in text())
    claim("broken on purpose" in text(), "the log's last lines are not shown: %s" % text()[:500])
    claim("status 1" in text(), "how the server ended is not shown: %s" % text()[:300])
    shot("3-start-failed")
    shutil.rmtree(eve.home + "/.jupyter")


def progress_to_notebook():
    press("Try again")
    seen = set()

    def arrived():
        if path().startswith("/hub/spawn-pending") and "progress" not in seen:
            until("a step is shown", 20, lambda: web.find_elements(By.CSS_SELECTOR, ".steps li")
                  or not path().startswith("/hub/spawn-pending"))
            if path().startswith("/hub/spawn-pending"):
                seen.add("progress")
                shot("4-progress")
        return path().startswith("/user/%s/tree" % eve.name)
    until("the browser arrives in the notebook", 90, arrived)
    claim("progress" in seen, "the progress page was never seen")
    until("the notebook's file list is there", 30,
          lambda: web.find_elements(By.ID, "notebook_list") or web.find_elements(By.ID, "notebook-list"))
    shot("5-notebook")


def home_and_stop():
    web.get(carrel.url + "/hub/home")
    claim("Running" in text(), "home does not say that it runs")
    shot("6-home")
    press("Stop")
    until("home says that it does not run", 60, lambda: _reload_home() and "Not running" in text())
    shot("7-stopped")
    until("nothing of the person's runs", 20, lambda: not eve.processes())


def _reload_home():
    if path().startswith("/hub/home"):
        web.refresh()
    else:
        web.get(carrel.url + "/hub/home")
    return True


def not_running():
    web.get(carrel.url + "/user/%s/tree" % eve.name)
    shot("8-not-running")
    claim("not running" in text().lower(), "the page of a stopped server says %r" % text()[:200])
    web.get(carrel.url + "/hub/nowhere")
    shot("9-not-found")
    claim("404" in text() or "not found" in text().lower(), "an unknown page says %r" % text()[:200])


def logout():
    web.get(carrel.url + "/hub/home")
    press("Log out")
    until("the page says that the login is over", 15, lambda: "logged out" in text().lower() or "Log in" in text())
    shot("10-logged-out")
    web.get(carrel.url + "/hub/home")
    claim(path().startswith("/hub/login"), "home is open after the logout")


def no_console_errors():
    """But for the answers that this story asks for: a refusal, a failed start, what is not there."""
    wanted = ("/hub/login", "/hub/spawn-pending/", "/hub/nowhere", "/hub/user/")
    bad = [e["message"] for e in web.get_log("browser") if e["level"] == "SEVERE" and "/hub/" in e["message"]
           and not ("the server responded with a status of" in e["message"]
                    and any(w in e["message"] for w in wanted))]
    claim(not bad, "the console of the hub's pages: %s" % bad[:3])


report.run([
    ("the login page tells of a wrong password", login_page),
    ("a start that fails shows its reason and the log", failing_start),
    ("progress leads into the notebook", progress_to_notebook),
    ("home stops the server", home_and_stop),
    ("what does not run or exist has its page", not_running),
    ("logout ends it", logout),
    ("the hub's pages run without errors in the console", no_console_errors),
], on_failure=lambda: (shot("failure"), carrel.print_lines()))
web.quit()
shutil.rmtree(profile, ignore_errors=True)
report.finish()
