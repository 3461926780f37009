#!/usr/bin/python3
"""Hosts of their own for people and services: real single-user servers and a real client of the login behind
our hub and proxy, every name led to the proxy by the test."""
# timeout: 240
import hashlib
import json
import os
import shutil
import sys
import urllib.parse

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../lib"))
import report
from hosts import HostsBrowser
from programs import Programs
from report import claim, equal, until
from web import form_action, hidden

CONFIG = """\
hub:
  port: %(hub_port)d
  subdomain_host: http://localhost:@PORT@
auth:
  type: dummy
  allow_all: true
  admin_users: [boss]
  load_roles:
    - {name: guest, scopes: ["access:services!service=Kept"], users: [alice, bob]}
  options:
    password: x
proxy:
  check_interval: 1s
services:
  Kept:
    url: http://127.0.0.1
    managed: whoami
    oauth_no_confirm: true
"""
POLICY = """\
profiles:
  default:
    kind: simple
    command: [%(command)s]
    environment:
      PATH: /usr/local/bin:/usr/bin:/bin
      LANG: C.UTF-8
      JUPYTERHUB_SINGLEUSER_APP: notebook.notebookapp.NotebookApp
services:
  whoami: {command: [/usr/bin/python3, @DIR@/oauth_service.py]}
"""
DOTTED = "first.last"


class World(Programs):
    by_host = True

    def _write(self, name, text):
        super()._write(name, text.replace("@DIR@", self.dir).replace("@PORT@", str(self.port)))

    def argv(self, name):
        return super().argv(name) + (["--host-routing"] if name == "proxy" and self.by_host else [])


carrel = World(["/usr/bin/jupyterhub-singleuser"], CONFIG, POLICY)
shutil.copy(os.path.join(HERE, "../lib/oauth_service.py"), carrel.dir)
os.chmod(carrel.dir + "/oauth_service.py", 0o644)
HUB = "http://localhost:%d" % carrel.port


def origin(label):
    return "http://%s.localhost:%d" % (label, carrel.port)


def hashed(stem, name):
    return "u-%s--%s" % (stem, hashlib.sha256(name.encode()).hexdigest()[:32])


SERVICE = origin(hashed("kept", "Kept") + "--service")


def person(name):
    b = HostsBrowser(HUB, carrel.port)
    answer = b.login(name, "x")
    equal((answer.status, answer.location()), (302, "/hub/spawn"), "login of " + name)
    return b


def begin():
    global alice, bob, boss
    for name in ("spawner", "proxy", "hub"):
        carrel.begin(name)
    alice, bob, boss = person("alice"), person("bob"), person("boss")
    alice.start_server("alice")
    bob.start_server("bob")


def routes():
    answer = boss.api("GET", "/proxy?limit=200")
    equal(answer.status, 200, "the hub's list of routes")
    return {spec: r["data"].get("user") or r["data"].get("service") for spec, r in answer.json().items()}


def told():
    wanted = {"alice.localhost/user/alice/": "alice", "bob.localhost/user/bob/": "bob",
              urllib.parse.urlsplit(SERVICE).hostname + "/services/Kept/": "Kept", "/": None}
    until("the routes %s" % wanted, 30, lambda: routes() == wanted)
    m = alice.api("GET", "/users/alice").json()
    equal(m["server"], origin("alice") + "/user/alice/", "where the server is")
    equal((m["servers"][""]["url"], m["servers"][""]["full_url"]), (m["server"], m["server"]), "its links")
    equal(m["servers"][""]["progress_url"], "/hub/api/users/alice/server/progress", "the hub's own are paths")
    equal(m["servers"][""]["full_progress_url"], HUB + m["servers"][""]["progress_url"], "or at the hub's host")
    equal(alice.progress("alice")[-1]["url"], m["server"], "where the progress page leads")
    claim(origin("alice") + "/user/alice/" in alice.get("/hub/home").text, "the home page leads to the server")


def own_login():
    """The server sends the browser to the hub, which sends it back: two hosts, no question."""
    alice.sent.clear()
    page = alice.get("/user/alice/tree?x=1")
    parts = urllib.parse.urlsplit(page.url)
    equal((page.status, parts.scheme + "://" + parts.netloc, parts.path), (200, origin("alice"), "/user/alice/tree"),
          "where the browser arrives")
    asked = [u for u, _ in alice.sent if "/oauth2/authorize" in u]
    equal(len(asked), 1, "visits to the provider")
    query = urllib.parse.parse_qs(urllib.parse.urlsplit(asked[0]).query)
    claim(asked[0].startswith(HUB + "/hub/api/oauth2/authorize?"), "the provider is at %s" % asked[0])
    equal(query["redirect_uri"], [origin("alice") + "/user/alice/oauth_callback"], "where the code goes")


def foreign_redirect():
    """The provider gives no code to a neighbour's address."""
    for uri in (origin("bob") + "/user/alice/oauth_callback", "/user/alice/oauth_callback",
                HUB + "/user/alice/oauth_callback", origin("alice") + ".evil.test/user/alice/oauth_callback"):
        answer = alice.get("/hub/api/oauth2/authorize?" + urllib.parse.urlencode({
            "client_id": "jupyterhub-user-alice", "response_type": "code", "redirect_uri": uri, "state": "s"}),
            follow=False)
        equal((answer.status, answer.location()), (400, None), "a code for " + uri)


def cookies():
    names = {n for n, _ in alice.cookies_for(HUB + "/hub/home")}
    claim({"jupyterhub-hub-login", "_xsrf", "jupyterhub-session-id"} <= names, "the hub's cookies are %s" % names)
    login = alice.cookie("jupyterhub-hub-login")
    went = [c for u, c in alice.sent if not u.startswith(HUB + "/")]
    claim(went and not any(login in c or "carrel-browser" in c for c in went), "a server was sent the hub's cookies")
    seen = {n for n, _ in alice.cookies_for(origin("alice") + "/user/alice/")}
    claim("jupyterhub-session-id" in seen, "a server's cookies are %s" % seen)
    for label in ("bob", "evil"):
        equal({n for n, _ in alice.cookies_for(origin(label) + "/user/alice/")}, {"jupyterhub-session-id"},
              "what %s's host is sent" % label)


def no_visitors():
    """Somebody else is known to the hub, and has no business here."""
    equal(bob.get(origin("alice") + "/user/alice/tree").status, 403, "bob at alice's host")


def nothing_of_the_hub():
    host = origin("alice")
    for path in ("/hub/login", "/hub/home?x=1", "/hub/static/x.css", "/user/bob/lab?a=b", "/", "/favicon.ico"):
        for where in (host, host.replace("alice", "nobody"), host.replace("alice.localhost", "ALICE.x.LocalHost"),
                      host.replace("localhost:", "localhost.:")):
            answer = alice.request("GET", where + path)
            equal((answer.status, answer.location(), answer.headers.get_all("Set-Cookie")), (302, HUB + path, None),
                  "GET " + where + path)
    for method, path in (("GET", "/hub/api/user"), ("GET", "/hub/api/"), ("POST", "/hub/login"),
                         ("POST", "/hub/api/users/alice/tokens"), ("DELETE", "/hub/api/users/alice/server")):
        answer = alice.request(method, host + path, headers={"X-XSRFToken": alice.cookie("_xsrf")})
        equal((answer.status, answer.json()["message"]),
              (403, "The hub is not at this address, but at %s/hub/." % HUB), "%s %s" % (method, path))
    equal(alice.get(HUB + "/user/alice/api/status").status, 200, "the hub's host leads to the server's")


def planted_cookies():
    """A neighbour's page plants an anonymous browser's cookies and sends the login form: into its own account."""
    for who in (None, "null", origin("alice"), origin("alice").upper().replace("HTTP", "http"), HUB):
        victim, evil = HostsBrowser(HUB, carrel.port), HostsBrowser(HUB, carrel.port)
        page = evil.get("/hub/login")
        for name in ("carrel-browser", "_xsrf"):
            victim.keep("%s=%s; Domain=localhost; Path=/hub/" % (name, evil.cookie(name)), "alice.localhost", "/")
        answer = victim.post(form_action(page), dict(hidden(page.text), username="alice", password="x"),
                             follow=False, headers={"Origin": who} if who else {})
        wanted = 302 if who in (None, HUB) else 403
        equal((answer.status, bool(victim.cookie("jupyterhub-hub-login"))), (wanted, wanted == 302),
              "a login form of %s" % who)


def next_pages():
    for next_url, wanted in ((origin("alice") + "/user/alice/lab?x=1", "/user/alice/lab?x=1"),
                             (origin("bob") + "/services/Kept/", "/services/Kept/"), (HUB + "/hub/token", "/hub/token"),
                             ("http://evil.test/x", None), (origin("alice").replace("localhost", "localhost.evil"), None),
                             ("http://localhost.evil/", None), ("//evillocalhost:%d/" % carrel.port, None),
                             ("http://alice.localhost/user/alice/", None)):
        b = HostsBrowser(HUB, carrel.port)
        answer = b.login("alice", "x", next_url)
        equal((answer.status, answer.location()), (302, wanted or origin("alice") + "/user/alice/"),
              "after a login with next=" + next_url)
    csp = HostsBrowser(HUB, carrel.port).get("/hub/login").headers["Content-Security-Policy"]
    claim("form-action 'self' http://*.localhost:%d;" % carrel.port in csp, "the login's policy is %s" % csp)


def service():
    b = HostsBrowser(HUB, carrel.port)
    b.login("bob", "x")
    claim(SERVICE + "/services/Kept/" in b.get("/hub/home").text, "the home page leads to the service")
    b.sent.clear()
    page = b.get(HUB + "/services/Kept/")
    claim(page.url.startswith(SERVICE + "/services/Kept/"), "the service is at %s" % page.url)
    equal((page.status, page.json()["name"]), (200, "bob"), "whom the service sees")
    claim(any(u.startswith(SERVICE + "/services/Kept/oauth_callback?code=") for u, _ in b.sent),
          "the way there was %s" % [u for u, _ in b.sent])
    # The proxy has no way there for a moment: nobody is sent in a circle.
    equal(b.get(HUB + "/services/Kept/?redirects=1").status, 503, "the second time")


def odd_name():
    """A dot would be a label of its own: such a name gets a hash."""
    b = person(DOTTED)
    b.start_server(DOTTED)
    url = origin(hashed("firstlas", DOTTED)) + "/user/first.last/"
    equal(b.api("GET", "/users/" + DOTTED).json()["server"], url, "where it is")
    page = b.get("/hub/user/first.last/tree")
    equal((page.status, page.url.split("?")[0]), (200, url + "tree"), "its page")


def restarts():
    before = routes()
    carrel.end("hub")
    equal(alice.get(origin("alice") + "/user/alice/api/status").status, 200, "the server without its hub")
    carrel.begin("hub")
    until("the hub takes them up again", 30, lambda: routes() == before)
    equal(carrel.lines and [x for x in carrel.lines if "route sent again" in x and "alice" in x], [],
          "routes that were sent twice")
    equal(alice.get(origin("alice") + "/user/alice/api/status").status, 200, "the server afterwards")


def stopped():
    equal(alice.api("DELETE", "/users/alice/server").status in (202, 204), True, "stop")
    until("it is stopped", 30, lambda: "alice.localhost/user/alice/" not in routes())
    host = origin("alice")
    for method, path, accept in (("GET", "/user/alice/api/kernels", "*/*"), ("POST", "/user/alice/x", "*/*"),
                                 ("GET", "/user/alice/x", "application/json")):
        answer = alice.request(method, host + path, headers={"Accept": accept})
        equal((answer.status, list(answer.json())), (424, ["message"]), "%s %s" % (method, path))
        claim(HUB + "/hub/home" in answer.json()["message"], "what a page of before hears: %s" % answer.text)
    page = alice.get(host + "/user/alice/lab")
    equal((page.status, page.url), (424, HUB + "/hub/user/alice/lab"), "where a person arrives")
    claim(HUB in page.url and "/hub/spawn/alice" in page.text, "the page does not lead on")


def logout():
    equal(bob.get(origin("bob") + "/user/bob/tree").status, 200, "before")
    bob.get("/hub/logout")
    equal({n for n, _ in bob.cookies_for(origin("bob") + "/")} & {"jupyterhub-session-id"}, set(), "afterwards")
    page = bob.get(origin("bob") + "/user/bob/tree")
    claim(page.url.startswith(HUB + "/hub/login"), "after the logout the server is still open: %s" % page.url)


def wrong_proxy():
    carrel.end("proxy")
    carrel.by_host = False
    carrel.begin("proxy")
    until("the hub warns", 30, lambda: [x for x in carrel.lines if "start it with --host-routing" in x])
    carrel.end("proxy")
    carrel.by_host = True
    carrel.begin("proxy")
    carrel._write("carrel.yaml", CONFIG.replace("  subdomain_host: http://localhost:@PORT@\n", "")
                  % {"hub_port": carrel.hub_port})
    carrel.end("hub")
    carrel.begin("hub")
    until("it warns of the other mistake", 30, lambda: [x for x in carrel.lines if "subdomain_host is not set" in x])
    equal(carrel.end("hub"), 0, "how the hub ends")


report.group("subdomains")
report.run([
    ("servers start, each on a host of its own", begin),
    ("the hub says where they are", told),
    ("a server logs its owner in across two hosts", own_login),
    ("the provider knows one address of each client", foreign_redirect),
    ("servers are sent their own cookies", cookies),
    ("another person is refused by the server", no_visitors),
    ("nothing of the hub is on anybody's host", nothing_of_the_hub),
    ("forms of neighbours are refused", planted_cookies),
    ("next may be a host of ours, and no other", next_pages),
    ("a service has its host too", service),
    ("a name that is no label gets a hash", odd_name),
    ("a restarted hub finds its routes again", restarts),
    ("a stopped server leads back to the hub", stopped),
    ("a logout at the hub is one at the servers", logout),
    ("a proxy that does not look at hosts is noticed", wrong_proxy),
], on_failure=carrel.print_lines)
carrel.clean()
report.finish()
