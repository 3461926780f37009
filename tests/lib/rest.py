"""A caller of the hub's REST API who says what answer is wanted."""
import json
import os
import shutil

from programs import CONFIG, Programs
from report import claim, equal
from web import Browser, wait_http


class Caller:
    """By a login of that name, or by a token."""

    def __init__(self, carrel, name=None, token=None):
        self.carrel, self.browser, self.token = carrel, Browser(carrel.url), token
        self.who = name or "token"
        if name:
            answer = self.browser.login(name, "x")
            equal(answer.status, 302, "login of " + name)
            self.browser.get("/hub/home")

    def call(self, method, path, body=None, headers=None, raw=None, timeout=60):
        send = dict(headers or {})
        if self.token:
            send["Authorization"] = "token " + self.token
        else:
            send["X-XSRFToken"] = self.browser.cookie("_xsrf") or ""
        if raw is None and body is not None:
            raw = json.dumps(body).encode()
        if raw is not None:
            send.setdefault("Content-Type", "application/json")
        return self.browser.request(method, "/hub/api" + path, raw, send, timeout)

    def ok(self, status, method, path, body=None, **more):
        answer = self.call(method, path, body, **more)
        claim(answer.status == status, "%s: %s %s answers %d, not %d: %s" % (
            self.who, method, path, answer.status, status, answer.text[:300]))
        return answer

    def token_of(self, user, **body):
        """A new token of that user, as a caller."""
        answer = self.ok(201, "POST", "/users/%s/tokens" % user, body).json()
        caller = Caller(self.carrel, token=answer["token"])
        caller.id, caller.who = answer["id"], "token %s of %s" % (answer["id"], user)
        return caller

    def no(self, status, message, method, path, body=None, **more):
        """Refused, with exactly this message (None: with any), as JSON."""
        answer = self.ok(status, method, path, body, **more)
        equal(answer.headers["Content-Type"], "application/json", "%s %s: type of a refusal" % (method, path))
        said = answer.json()
        equal((sorted(said), said["status"]), (["message", "status"], status), "%s %s: a refusal" % (method, path))
        claim(message is None or said["message"] == message, "%s: %s %s says %r, not %r" % (
            self.who, method, path, said["message"], message))
        return answer


def begin_hub(options=""):
    """Spawner, proxy and hub; `boss` is an administrator, everybody's password is x."""
    config = CONFIG.replace("  allow_all: true\n", "  allow_all: true\n  admin_users: [boss]\n")
    carrel = Programs(["/usr/bin/python3", "@DIR@/tiny_server.py"], config + options)
    shutil.copy(os.path.join(os.path.dirname(os.path.abspath(__file__)), "tiny_server.py"), carrel.dir)
    for name in ("spawner", "proxy", "hub"):
        carrel.begin(name)
    wait_http(Browser(carrel.url), "/hub/health", 200)  # the proxy knows the hub
    carrel.wait_together()
    return carrel


def end_hub(carrel):
    """In order: a sanitizer's complaint would be seen in the status."""
    equal(carrel.end("hub"), 0, "how the hub ends")
