"""A service that logs people in through the hub, in plain HTTP: /PREFIX/ asks who somebody is.

Everything that it knows comes from the environment of the contract, so it runs
managed (the hub says it all) and external (a test says it). /PREFIX/env tells
what it was given, but for the token; /PREFIX/die ends it.
"""
import http.cookies
import http.server
import json
import os
import secrets
import sys
import urllib.error
import urllib.parse
import urllib.request

ENV = {k: v for k, v in os.environ.items() if k.startswith("JUPYTERHUB_")}
PREFIX, API = ENV["JUPYTERHUB_SERVICE_PREFIX"], ENV["JUPYTERHUB_API_URL"]
CLIENT, TOKEN = ENV["JUPYTERHUB_CLIENT_ID"], ENV["JUPYTERHUB_API_TOKEN"]
STATES, PEOPLE = set(), {}


def call(path, token, form=None):
    """The hub's answer, as JSON."""
    body = urllib.parse.urlencode(form).encode() if form else None
    request = urllib.request.Request(API + path, body, {"Authorization": "token " + token})
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as e:
        return {"refused": e.code, "message": e.read().decode()[:200]}


class Handler(http.server.BaseHTTPRequestHandler):
    def answer(self, status, text, headers=()):
        body = text.encode()
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def person(self):
        jar = http.cookies.SimpleCookie(self.headers.get("Cookie", ""))
        return PEOPLE.get(jar[CLIENT].value) if CLIENT in jar else None

    def leave(self):
        state = secrets.token_hex(8)
        STATES.add(state)
        query = {"client_id": CLIENT, "redirect_uri": ENV["JUPYTERHUB_OAUTH_CALLBACK_URL"],
                 "response_type": "code", "state": state}
        if self.asked.query:
            query["scope"] = self.asked.query
        self.answer(302, "", [("Location", ENV["JUPYTERHUB_BASE_URL"] + "hub/api/oauth2/authorize?"
                               + urllib.parse.urlencode(query))])

    def come_back(self, query):
        if query.get("state", [""])[0] not in STATES:
            return self.answer(400, "a state of nobody")
        if "error" in query:
            return self.answer(403, "error: " + query["error"][0])
        token = call("/oauth2/token", TOKEN, {
            "grant_type": "authorization_code", "code": query["code"][0], "client_id": CLIENT,
            "client_secret": TOKEN, "redirect_uri": ENV["JUPYTERHUB_OAUTH_CALLBACK_URL"]})
        if "access_token" not in token:
            return self.answer(500, json.dumps(token))
        secret = secrets.token_hex(16)
        PEOPLE[secret] = token["access_token"]
        self.answer(302, "", [("Location", PREFIX),
                              ("Set-Cookie", "%s=%s; Path=%s; HttpOnly" % (CLIENT, secret, PREFIX))])

    def do_GET(self):
        self.asked = urllib.parse.urlsplit(self.path)
        path = self.asked.path
        if path == PREFIX + "env":
            self.answer(200, json.dumps({k: v for k, v in os.environ.items() if "TOKEN" not in k}))
        elif path == PREFIX + "self":
            self.answer(200, json.dumps(dict(call("/user", TOKEN), pid=os.getpid(), uid=os.getuid(),
                                             groups=os.getgroups(), cwd=os.getcwd())))
        elif path == PREFIX + "oauth_callback":
            self.come_back(urllib.parse.parse_qs(self.asked.query))
        elif path == PREFIX and self.person():
            self.answer(200, json.dumps(call("/user", self.person())))
        elif path == PREFIX:
            self.leave()
        else:
            self.answer(404, "not here")

    def log_message(self, *_):
        pass


print("the service begins", file=sys.stderr, flush=True)
url = urllib.parse.urlsplit(ENV["JUPYTERHUB_SERVICE_URL"])
http.server.ThreadingHTTPServer((url.hostname, url.port), Handler).serve_forever()
