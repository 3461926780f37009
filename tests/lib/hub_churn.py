"""Deeds against one hub that is never started again: what people, administrators, culls and services do to it all day.

Each undoes what it made, so that in the end everything is as it was: rows, memory, descriptors.
"""
import contextlib
import http.server
import random
import sqlite3
import threading

from programs import CONFIG, Programs
from report import claim, equal, until
from rest import Caller
from web import Browser, wait_http

OPTIONS = """\
  throttle: {failures: 1000, failures_per_address: 1000}
server:
  allow_named_servers: true
  slow_stop_timeout: 20s
"""
POLICY = "allow_fake: true\nprofiles:\n  default:\n    kind: fake\n"


class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("X-JupyterHub-Version", "6.0.0")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


class HubChurn:
    def __init__(self):
        self.backend = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
        self.backend.daemon_threads = True
        threading.Thread(target=self.backend.serve_forever, daemon=True).start()
        config = CONFIG.replace("  allow_all: true\n", "  allow_all: true\n  admin_users: [boss]\n") + OPTIONS
        self.carrel = Programs(["/bin/false"], config, policy=POLICY)
        for name in ("spawner", "proxy", "hub"):
            self.carrel.begin(name)
        wait_http(Browser(self.carrel.url), "/hub/health", 200)
        self.carrel.wait_together()
        self.boss = Caller(self.carrel, "boss").token_of("boss")
        self.done = {}

    def deed(self, n, who):
        """`who` has a name of its own, so that nobody is in another's way."""
        dice = random.Random("%s %d" % (who, n))
        kind = dice.choice([self.login, self.wrong_login, self.token, self.person, self.server, self.own_end, self.failing,
                            self.named, self.share, self.service, self.reading, self.nonsense])
        kind(who, dice)
        self.done[kind.__name__] = self.done.get(kind.__name__, 0) + 1

    # ---- deeds ---------------------------------------------------------------

    def login(self, who, dice):
        caller = Caller(self.carrel, who)
        equal(caller.browser.get("/hub/token").status, 200, "the page of tokens")
        equal(caller.browser.get("/hub/logout", follow=False).status, 302, "logout")

    def wrong_login(self, who, dice):
        """Of a name of its own: the throttle must not meet who comes next."""
        b = Browser(self.carrel.url)
        claim(b.login("%s-wrong%d" % (who, dice.randrange(50)), "y").status in (403, 429), "a wrong password")

    def token(self, who, dice):
        self.boss.call("POST", "/users/" + who)
        token = self.boss.token_of(who, note="x" * dice.randrange(500), expires_in=600)
        token.ok(200, "GET", "/user")
        self.boss.ok(204, "DELETE", "/users/%s/tokens/%s" % (who, token.id))

    def person(self, who, dice):
        names = ["%s-%d" % (who, i) for i in range(dice.randrange(1, 30))]
        self.boss.ok(201, "POST", "/users", {"usernames": names})
        self.boss.ok(201, "POST", "/groups/" + who, {"users": names})
        self.boss.ok(200, "PUT", "/groups/%s/properties" % who, {"text": "x" * dice.randrange(5000)})
        self.boss.ok(200, "DELETE", "/groups/%s/users" % who, {"users": names[:3]})
        self.boss.ok(204, "DELETE", "/groups/" + who)
        for name in names:
            self.boss.ok(204, "DELETE", "/users/" + name)

    def start(self, who, where="server", wanted=(201, 202), **script):
        self.boss.call("POST", "/users/" + who)
        script["address"] = "127.0.0.1:%d" % self.backend.server_address[1]
        answer = self.boss.call("POST", "/users/%s/%s" % (who, where), script)
        claim(answer.status in wanted, "a start answers %d %s" % (answer.status, answer.text[:200]))

    def at_rest(self, who):
        until("the servers of %s to be at rest" % who, 60,
              lambda: not any(s["ready"] or s["pending"] for s in
                              self.boss.ok(200, "GET", "/users/" + who).json()["servers"].values()))

    def server(self, who, dice):
        self.start(who, delay_ms=dice.randrange(30))
        until("it is ready", 60, lambda: self.boss.ok(200, "GET", "/users/" + who).json()["server"])
        until("its route", 20, lambda: Browser(self.carrel.url).get("/user/%s/x" % who, follow=False).status == 200)
        claim(self.boss.call("DELETE", "/users/%s/server" % who).status in (202, 204), "stop")
        self.at_rest(who)

    def own_end(self, who, dice):
        """As a server that culls itself, perhaps before it is ready."""
        self.start(who, wanted=(201, 202, 500), exit_after_ms=dice.randrange(150))
        self.at_rest(who)

    def failing(self, who, dice):
        self.boss.call("POST", "/users/" + who)
        self.boss.call("POST", "/users/%s/server" % who, {"fail": "exec", "text": "it cannot"})
        self.at_rest(who)

    def named(self, who, dice):
        self.start(who, where="servers/lab")
        self.boss.call("DELETE", "/users/%s/servers/lab" % who, {"remove": True})
        until("it is forgotten", 60, lambda: self.boss.call("GET", "/users/%s/servers/lab" % who).status == 404)

    def share(self, who, dice):
        self.boss.call("POST", "/users/" + who)
        self.boss.ok(201, "PUT", "/users/%s/servers/shared" % who, {})
        where = "/%s/shared" % who
        self.boss.ok(200, "POST", "/shares" + where, {"user": "boss"})
        self.boss.ok(200, "POST", "/share-codes" + where, {})
        self.boss.ok(204, "DELETE", "/shares" + where)
        self.boss.ok(204, "DELETE", "/users/%s/servers/shared" % who, {"remove": True})

    def service(self, who, dice):
        token = "%032x" % dice.getrandbits(128)
        self.boss.ok(201, "POST", "/services/" + who, {
            "url": "http://127.0.0.1:%d" % self.backend.server_address[1], "api_token": token,
            "oauth_redirect_uri": "http://127.0.0.1:9/back"})
        Caller(self.carrel, token=token).ok(200, "GET", "/user")
        self.boss.ok(200, "DELETE", "/services/" + who)

    def reading(self, who, dice):
        for path in ("/users?limit=5&sort=-last_activity", "/groups", "/services", "/openapi.json", "/info", "/proxy"):
            self.boss.ok(200, "GET", path)
        Browser(self.carrel.url).get("/hub/metrics", headers={"Authorization": "token " + self.boss.token})

    def nonsense(self, who, dice):
        self.boss.no(400, None, "POST", "/users", raw=b"{" * dice.randrange(1, 5000))
        self.boss.no(404, None, "GET", "/users/" + "n" * 200)
        Caller(self.carrel, token="0" * 32).no(403, None, "GET", "/users")

    # ---- what is left --------------------------------------------------------

    def clean(self, names):
        for name in names:
            if self.boss.call("GET", "/users/" + name).status == 200:
                self.boss.ok(204, "DELETE", "/users/" + name)

    def database_bytes(self):
        # Its pages, wherever they lie: the log takes room ahead and gives none back.
        with contextlib.closing(sqlite3.connect("file:%s/state/carrel.sqlite?mode=ro" % self.carrel.dir,
                                                uri=True)) as db:
            return db.execute("PRAGMA page_count").fetchone()[0] * db.execute("PRAGMA page_size").fetchone()[0]

    def counts(self):
        return dict(self.done)

    def stop(self):
        self.backend.shutdown()
        self.backend.server_close()
        self.carrel.clean()
