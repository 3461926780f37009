#!/usr/bin/python3
"""Options that JupyterHub has too: further routes, the hub's own, headers, servers that end with the hub, what a server's page may ask for."""
import http.server
import json
import os
import subprocess
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
import report
from report import bin_dir, claim, equal, until
from rest import Caller, begin_hub
from web import Browser

report.group("options")


class Elsewhere(http.server.BaseHTTPRequestHandler):
    """Says which path it was asked for."""

    def do_GET(self):
        body = self.path.encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


elsewhere = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Elsewhere)
threading.Thread(target=elsewhere.serve_forever, daemon=True).start()
THERE = "http://127.0.0.1:%d" % elsewhere.server_port
carrel = begin_hub("""\
proxy:
  extra_routes: {/docs/: "%s"}
server:
  stop_grace: 1s
  root_dir: "/srv{base_url}{username}/{x}"
  oauth_client_allowed_scopes: ["read:users!user", "list:users"]
""" % THERE)
PLAIN = open(carrel.dir + "/carrel.yaml").read()


def configure(text):
    with open(carrel.dir + "/carrel.yaml", "w") as f:
        f.write(text)


def with_hub(more, text=None):
    return (text or PLAIN).replace("hub:\n", "hub:\n" + more, 1)


def again():
    """The hub is started anew, with what was configured."""
    if "hub" in carrel.running:
        equal(carrel.end("hub"), 0, "the hub ends in order")
    carrel.begin("hub", ready=False)
    until("the hub answers", 20, lambda: _status("/hub/health") == 200)


def _status(path):
    try:
        return Browser(carrel.url).get(path, follow=False).status
    except OSError:
        return 0


def begin():
    global boss, alice
    boss, alice = Caller(carrel, "boss"), Caller(carrel, "alice")


def body_at(path):
    return Browser(carrel.url).get(path, follow=False).text


def routes():
    until("the route", 20, lambda: body_at("/docs/a%20b?c=d") == "/docs/a%20b?c=d")
    told = boss.ok(200, "GET", "/proxy").json()["/docs/"]
    equal((told["target"], told["data"]["extra"]), (THERE, True), "as the API tells it")
    configure(with_hub("  routespec: /hub/\n").replace("{/docs/:", "{/:"))
    again()
    until("the rest is another's", 20, lambda: body_at("/user/alice/") == "/user/alice/")
    until("what is configured no more is gone", 20, lambda: body_at("/docs/x") == "/docs/x" and
          set(boss.call("GET", "/proxy").json()) == {"/", "/hub/"}, pause=0.2)
    equal(Browser(carrel.url).get("/hub/login").status, 200, "the hub below its route")
    configure(PLAIN)
    again()
    until("the hub's again", 20, lambda: Browser(carrel.url).get("/user/alice/", follow=False).status == 302)


def headers():
    configure(with_hub("  headers:\n    Strict-Transport-Security: max-age=600\n    X-Frame-Options: ''\n"
                       "    content-security-policy: frame-ancestors 'self'\n"))
    carrel.running["hub"].send_signal(1)
    until("the header", 20, lambda: "Strict-Transport-Security" in Browser(carrel.url).get("/hub/login").headers)
    for path in ("/hub/login", "/hub/api/", "/hub/static/carrel.css", "/hub/nowhere", "/hub/api/nowhere"):
        seen = Browser(carrel.url).get(path, follow=False).headers
        equal((seen["Strict-Transport-Security"], seen["X-Frame-Options"], seen.get_all("Content-Security-Policy")),
              ("max-age=600", None, ["frame-ancestors 'self'"]), "headers of " + path)


def page_scopes():
    alice.ok(201, "POST", "/users/alice/server")
    with open(carrel.dir + "/carrel.yaml") as f:
        claim("list:users" in f.read(), "it is configured")
    environment = {k: v for k, v in json.loads(body_at_server()).items()}
    equal(json.loads(environment["JUPYTERHUB_OAUTH_CLIENT_ALLOWED_SCOPES"]), ["read:users!user", "list:users"], "told")
    equal(environment["JUPYTERHUB_ROOT_DIR"], "/srv/user/alice/alice/{x}", "names in braces")
    where = ("/hub/api/oauth2/authorize?client_id=jupyterhub-user-alice&response_type=code&state=s"
             "&redirect_uri=/user/alice/oauth_callback&scope=")
    answer = alice.browser.get(where + "read:users!user", follow=False)
    claim(answer.status == 302 and "code=" in answer.location(), "may be asked for: %d %s" % (answer.status, answer.location()))
    answer = alice.browser.get(where + "tokens", follow=False)
    claim("error=invalid_scope" in (answer.location() or ""), "and no other: %s" % answer.location())


def body_at_server():
    """tiny_server.py tells its environment to nobody; the kernel does."""
    for pid in os.listdir("/proc"):
        try:
            with open("/proc/%s/environ" % pid, "rb") as f:
                env = dict(e.split("=", 1) for e in f.read().decode().split("\0") if "=" in e)
        except (OSError, ValueError):
            continue
        if env.get("JUPYTERHUB_USER") == "alice" and ":%d/" % carrel.hub_port in env.get("JUPYTERHUB_API_URL", ""):
            return json.dumps(env)
    raise report.Failure("no process of alice's server")


def activity():
    """How often the use of a token is written."""
    token = boss.token_of("boss")

    def used():
        token.ok(200, "GET", "/user")
        return boss.ok(200, "GET", "/users/boss/tokens/" + token.id).json()["last_activity"]

    configure(PLAIN + "activity: {resolution: 0s}\n")
    again()
    first = until("the first use is seen", 10, used)
    last = until("each use is written", 10, lambda: (x := used()) > first and x)
    configure(PLAIN + "activity: {resolution: 1h}\n")
    again()
    claim([used() for _ in range(3)] == 3 * [used()], "what is new is written again")
    claim(used() >= last, "the last use is as it was")


def keys():
    return os.listdir(carrel.dir + "/run/servers")


def ends_with_hub():
    answer = boss.ok(202, "POST", "/shutdown", {"proxy": True})
    claim("The proxy goes on" in answer.json()["message"], "what does not happen: %s" % answer.text)
    equal(carrel.running.pop("hub").wait(20), 0, "the hub ends in order")
    equal((len(keys()), carrel.running["proxy"].poll()), (1, None), "server and proxy go on")
    configure(with_hub("  cleanup_servers: true\n"))
    carrel.begin("hub")
    until("the server is known again", 20, lambda: alice.call("GET", "/users/alice").json().get("server"))
    equal(carrel.end("hub"), 0, "the hub ends in order")
    until("the server ended with it", 10, lambda: keys() == [])


def refused():
    cases = ((with_hub("  routespec: /other/\n"), "hub.routespec"),
             (with_hub("  headers: {Set-Cookie: a}\n"), '"Set-Cookie" of hub.headers cannot be set'),
             (with_hub("  headers: {'X Y': a}\n"), '"X Y" of hub.headers cannot be set'),
             (with_hub("  headers: {X-Y: \"a\\nb\"}\n"), "control character"),
             (PLAIN.replace("{/docs/:", "{/docs:"), "with a slash at the end"),
             (PLAIN.replace("{/docs/:", "{/user/alice/:"), "belongs to the hub"),
             (PLAIN.replace("{/docs/:", "{/:"), "belongs to the hub"),
             (PLAIN.replace(THERE, "here"), "proxy.extra_routes"),
             (PLAIN.replace('"list:users"', '"list:user"'), "server.oauth_client_allowed_scopes"))
    for text, says in cases:
        configure(text)
        r = subprocess.run([os.path.join(bin_dir(), "carrel-hub"), "--check", "--config", carrel.dir + "/carrel.yaml"],
                           stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=20)
        equal(r.returncode, 78, says + ": " + r.stdout)
        claim(says in r.stdout, "--check says %r, not %r" % (r.stdout, says))


report.run([("people log in", begin), ("routes of one's own", routes), ("headers", headers),
            ("what a server's page may ask for", page_scopes), ("how often activity is written", activity),
            ("servers end with the hub", ends_with_hub),
            ("what cannot be is refused", refused)], carrel.print_lines)
carrel.clean()
report.finish()
