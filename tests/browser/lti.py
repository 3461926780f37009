#!/usr/bin/python3
"""A person with a real browser comes from a course: another site, https here, cookies as browsers keep them."""
import http.client
import os
import shutil
import ssl
import sys
import tempfile
import urllib.parse

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
import report
from report import claim, until

report.group("browser", "lti")
NEEDED = ("/usr/bin/chromium", "/usr/bin/chromedriver")
reason = next(("%s is missing; `make deps-check` installs it" % p for p in NEEDED if not os.path.exists(p)), None)
if reason:
    report.skip("a launch in a browser", reason)
    report.finish()

from selenium import webdriver
from selenium.common.exceptions import NoSuchElementException, StaleElementReferenceException
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By

import certs
import lms
from programs import Programs

SHOTS = os.path.join(report.bin_dir(), "../screenshots")
os.makedirs(SHOTS, exist_ok=True)
profile = tempfile.mkdtemp(prefix="carrelt-chromium-")
options = webdriver.ChromeOptions()
options.binary_location = NEEDED[0]
options.accept_insecure_certs = True
for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
                 "--disable-dev-shm-usage", "--disable-background-networking", "--disable-component-update",
                 "--disable-sync", "--window-size=1200,800", "--user-data-dir=" + profile):
    options.add_argument(argument)


class Secure(Programs):
    """The proxy speaks https."""

    def __init__(self, profile):
        super().__init__(profile)
        self.url = "https://127.0.0.1:%d" % self.port
        self.authority = certs.Authority()
        self.pair = self.authority.issue("IP:127.0.0.1")
        os.chmod(self.authority.dir, 0o755)
        os.chmod(self.pair[0], 0o644)

    def argv(self, name):
        more = ["--ssl-key", self.pair[0], "--ssl-cert", self.pair[1]] if name == "proxy" else []
        return super().argv(name) + more

    def _is_routed(self):
        context = ssl.create_default_context(cafile=self.authority.cert)
        c = http.client.HTTPSConnection("127.0.0.1", self.port, timeout=5, context=context)
        try:
            c.request("GET", "/hub/login")
            return c.getresponse().status not in (404, 502, 503)
        finally:
            c.close()

    def clean(self):
        super().clean()
        shutil.rmtree(self.authority.dir, ignore_errors=True)


def text():
    """What the page says; nothing while the next one is being loaded."""
    try:
        return web.find_element(By.TAG_NAME, "body").text
    except (StaleElementReferenceException, NoSuchElementException):
        return ""


def course():
    """The pages of the course: a link, and the same in a frame."""
    link = world.hub + "lti13/oauth_login?" + urllib.parse.urlencode({
        "iss": world.platform.issuer, "login_hint": "u-1", "target_link_uri": world.platform.target})
    shown = link.replace("&", "&amp;")
    world.platform.pages["/course"] = '<a target="_blank" href="%s">Notebooks</a>' % shown
    world.platform.pages["/framed"] = '<p>the course</p><iframe width="900" height="400" src="%s"></iframe>' % shown


def new_window():
    """Moodle's and Canvas's way: the link opens a window, the platform's form comes from another site."""
    web.get(world.platform.issuer + "/course")
    web.find_element(By.LINK_TEXT, "Notebooks").click()
    until("a window opens", 20, lambda: len(web.window_handles) == 2)
    web.switch_to.window(web.window_handles[1])
    until("home is there", 20, lambda: web.current_url == world.hub + "home")
    until("home says who is in", 20, lambda: "alice" in text())
    web.save_screenshot(os.path.join(SHOTS, "lti-1-home.png"))
    for cookie in web.get_cookies():
        claim(not cookie["name"].startswith("carrel-trip-"), "the cookie of the trip is left")
        claim(cookie["secure"], "%s goes over http" % cookie["name"])
        claim(cookie.get("sameSite") == "Lax", "%s comes with forms of other sites" % cookie["name"])
    web.close()
    web.switch_to.window(web.window_handles[0])


def again():
    """Somebody who is in comes once more, as another person."""
    world.platform.person = {"sub": "u-5", lms.CLAIM + "custom": {"login": "carol"}}
    web.get(world.platform.issuer + "/course")
    web.find_element(By.LINK_TEXT, "Notebooks").click()
    until("a window opens", 20, lambda: len(web.window_handles) == 2)
    web.switch_to.window(web.window_handles[1])
    until("home says who is in", 20, lambda: "carol" in text() and "alice" not in text())
    web.close()
    web.switch_to.window(web.window_handles[0])


def framed():
    """Inside a frame there is no login, but a way out of it."""
    world.platform.person = {}
    web.get(world.platform.issuer + "/framed")
    web.switch_to.frame(web.find_element(By.TAG_NAME, "iframe"))
    until("the frame says what to do", 20, lambda: "a window of their own" in text())
    claim("carol" not in text(), "the frame says who is in: %s" % text())
    web.find_element(By.LINK_TEXT, "Open the notebooks").click()
    until("a window opens", 20, lambda: len(web.window_handles) == 2)
    web.switch_to.window(web.window_handles[1])
    until("home says who is in", 20, lambda: "alice" in text())


world, web = None, None
try:
    world = lms.World("localhost", Secure)
    course()
    web = webdriver.Chrome(service=Service(NEEDED[1]), options=options)
    web.set_page_load_timeout(60)
    report.run([
        ("a link in a course leads to home, in a new window", new_window),
        ("who comes next is somebody else", again),
        ("inside a frame there is a way out", framed),
    ], on_failure=lambda: (web.save_screenshot(os.path.join(SHOTS, "lti-failure.png")), print(web.current_url, text()),
                           world.carrel.print_lines(60)))
finally:
    if web:
        web.quit()
    if world:
        world.end()
    shutil.rmtree(profile, ignore_errors=True)
report.finish()
