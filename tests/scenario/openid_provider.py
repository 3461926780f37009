#!/usr/bin/python3
"""The hub as an OpenID provider, for openid-client (certified) on Node and for hand-made requests.

Discovery, login, confirmation, ID token and userinfo; both ways in which a client proves itself; and what must
not work: a code twice, silent requests of strangers, words that mean more than they say.
"""
import base64
import json
import os
import re
import shutil
import subprocess
import sys
import time
import urllib.parse

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
import idp
import report
from programs import Programs
from report import claim, equal, until
from rest import Caller, end_hub
from web import Browser, form_action, hidden, wait_http

report.group("openid-provider")
CONFIG = """\
hub:
  port: %(hub_port)d
  public_url: http://127.0.0.1:%(port)d
auth:
  type: dummy
  allow_all: true
  admin_users: [boss]
  options:
    password: x
  load_groups:
    editors: [anna]
  load_roles:
    - name: user
      scopes: [self, 'access:services!service=wiki']
    - name: lister
      scopes: [list:users]
services:
  wiki:
    api_token: wiki/secret+with=signs&%%
    oauth_redirect_uri: http://wiki.example/back?from=hub
    oauth_client_allowed_scopes: [list:users, groups]
  secrets:
    api_token: another-secret-of-its-own
    oauth_redirect_uri: http://secrets.example/
openid:
  email_domain: uni.example
"""
ID, SECRET, BACK = "service-wiki", "wiki/secret+with=signs&%", "http://wiki.example/back?from=hub"
OTHER = {"client_id": "service-secrets", "client_secret": "another-secret-of-its-own"}
carrel = Programs(["/bin/false"])
carrel._write("carrel.yaml", CONFIG % {"hub_port": carrel.hub_port, "port": carrel.port})
AUTHORIZE = "/hub/api/oauth2/authorize"


def begin():
    global anna, boss
    for name in ("spawner", "proxy", "hub"):
        carrel.begin(name)
    wait_http(Browser(carrel.url), "/hub/health", 200)
    anna, boss = Caller(carrel, "anna"), Caller(carrel, "boss")


def authorize(browser, follow=False, **more):
    query = {"client_id": ID, "redirect_uri": BACK, "response_type": "code", "state": "s", "scope": "openid", **more}
    return browser.get(AUTHORIZE + "?" + urllib.parse.urlencode(query), follow=follow)


def answered(answer):
    """What came back in the address."""
    equal(answer.status, 302, "the way back: %s" % answer.text[:600])
    claim(answer.location().startswith(BACK + "&"), "it leads to %s" % answer.location())
    return dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(answer.location()).query))


def agree(browser, page):
    equal(page.status, 200, "the confirmation page: %s" % page.location())
    shown = re.findall(r'name="(scopes)" value="([^"]*)"', page.text)
    fields = [("_xsrf", hidden(page.text)["_xsrf"])] + shown
    return browser.post(form_action(page), fields, follow=False)


def code_of(caller, **more):
    """By way of the confirmation, if it is shown."""
    answer = authorize(caller.browser, **more)
    return answered(agree(caller.browser, answer) if answer.status == 200 else answer)["code"]


def token(code, headers=None, **more):
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": BACK,
            "client_id": ID, "client_secret": SECRET, **more}
    form = {k: v for k, v in form.items() if v is not None}
    return Browser(carrel.url).post("/hub/api/oauth2/token", form, headers=headers)


def userinfo(text, method="GET"):
    return Browser(carrel.url).request(method, "/hub/api/oauth2/userinfo", headers={"Authorization": "Bearer " + text})


def discovery():
    plain = Browser(carrel.url)
    seen = [plain.get(path, follow=False) for path in (
        "/hub/.well-known/openid-configuration", "/hub/.well-known/oauth-authorization-server",
        "/.well-known/openid-configuration/hub", "/.well-known/oauth-authorization-server/hub")]
    equal([a.status for a in seen], [200] * 4, "both spellings")
    equal(len({a.body for a in seen}), 1, "one document")
    said = seen[0].json()
    equal(said["issuer"], carrel.url + "/hub", "the issuer")
    keys = plain.get(urllib.parse.urlsplit(said["jwks_uri"]).path).json()["keys"]
    equal([sorted(k) for k in keys], [["alg", "e", "kid", "kty", "n", "use"]], "a public key, and only that")
    path = carrel.dir + "/state/keys/openid.json"
    equal(os.stat(path).st_mode & 0o777, 0o600, "the mode of the keys' file")
    carrel.end("hub")
    carrel.begin("hub")
    equal(plain.get("/hub/api/oauth2/jwks").json()["keys"], keys, "the key after a restart")


def library(method, browser, name, scope="openid profile email groups"):
    shutil.copy(report.source_dir() + "/tests/idp/rp.mjs", idp.HOME)
    rp = subprocess.Popen(["node", idp.HOME + "/rp.mjs", carrel.url + "/hub", ID, SECRET, BACK, method, scope],
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                          env={k: v for k, v in os.environ.items() if k != "NODE_PATH"})
    try:
        url = json.loads(rp.stdout.readline())["url"]
        answer = browser.get(url)
        if "/login" in answer.url:
            answer = browser.post(form_action(answer), dict(hidden(answer.text), username=name, password="x"),
                                  follow=False)
            answer = browser.get(urllib.parse.urljoin(answer.url, answer.location()), follow=False)
        if answer.status == 200:
            answer = agree(browser, answer)
        answered(answer)
        out, _ = rp.communicate(answer.location() + "\n", 60)
    finally:
        rp.kill()
        rp.wait(10)
    return json.loads(out)


def whole_way():
    first = library("client_secret_basic", Browser(carrel.url), "anna")
    claim("claims" in first, "openid-client says %r" % first)
    for said in (first["claims"], first["userinfo"]):
        equal({k: said.get(k) for k in ("name", "preferred_username", "email", "email_verified", "groups")},
              {"name": "anna", "preferred_username": "anna", "email": "anna@uni.example", "email_verified": True,
               "groups": ["editors"]}, "who it is")
    equal(first["claims"]["sub"], first["userinfo"]["sub"], "the subject in both")
    equal(set(first["scope"].split()) >= {"openid", "profile", "email", "groups"}, True, "the scope: " + first["scope"])
    second = library("client_secret_post", Browser(carrel.url), "anna")
    equal(second["claims"]["sub"], first["claims"]["sub"], "the subject at the next login")
    other = library("client_secret_post", Browser(carrel.url), "ben", "openid")
    claim(other["claims"]["sub"] != first["claims"]["sub"], "two people are one")
    equal(sorted(other["userinfo"]), ["sub"], "what openid alone tells")
    equal(other["claims"].get("name"), None, "and the ID token")


def one_use():
    """A code that comes twice ends what came of it."""
    code = code_of(anna, nonce="n", scope="openid profile email groups")
    wrong = token(code, client_secret="not this one")
    equal((wrong.status, wrong.json()["error"]), (401, "invalid_client"), "a wrong secret")
    got = token(code)
    equal(got.status, 200, "the exchange: %s" % got.text)
    said = answered(authorize(anna.browser, state="a b"))
    equal(said["state"], "a b", "the state; nobody is asked twice")
    access = got.json()["access_token"]
    body = got.json()["id_token"].split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    equal((claims["nonce"], claims["aud"], claims["iss"]), ("n", ID, carrel.url + "/hub"), "claims")
    equal([userinfo(access, m).status for m in ("GET", "POST")], [200, 200], "userinfo")
    stranger = token(code, **OTHER)
    equal((stranger.status, stranger.json()["error"]), (400, "invalid_grant"), "the code with another client")
    equal(userinfo(access).status, 200, "another client ends nothing")
    again = token(code)
    equal((again.status, again.json()["error"]), (400, "invalid_grant"), "the code again")
    refused = userinfo(access)
    equal((refused.status, refused.json()["error"]), (401, "invalid_token"), "the token after that")
    claim("invalid_token" in refused.headers["WWW-Authenticate"], "the header of the refusal")
    equal(userinfo(anna.token_of("anna").token).status, 403, "a token that OpenID did not make")


def proofs():
    """client_secret_basic, and what is no proof."""
    def basic(name, secret):
        pair = urllib.parse.quote(name, "") + ":" + urllib.parse.quote_plus(secret)
        return {"Authorization": "Basic " + base64.b64encode(pair.encode()).decode()}

    code = code_of(anna)
    both = token(code, basic(ID, SECRET))
    equal((both.status, both.json()["error"]), (400, "invalid_request"), "two proofs")
    for headers in ({"Authorization": "Basic ###"}, {"Authorization": "Basic " + base64.b64encode(b"x").decode()},
                    {"Authorization": "Basic"}):
        answer = token(code, headers, client_id=None, client_secret=None)
        claim(answer.status in (400, 401), "%r: %d" % (headers, answer.status))
    other = token(code, basic(*OTHER.values()), client_secret=None)
    equal(other.status, 400, "a header of another client than the body's")
    wrong = token(code, basic(ID, "wrong secret"), client_secret=None)
    equal((wrong.status, wrong.headers["WWW-Authenticate"]), (401, 'Basic realm="oauth2"'), "a wrong secret")
    equal(token(code, basic(ID, SECRET), client_id=None, client_secret=None).status, 200, "by the header alone")


def silent():
    nobody = Browser(carrel.url)
    equal(answered(authorize(nobody, prompt="none"))["error"], "login_required", "nobody, silently")
    equal(authorize(nobody).location()[:16], "/hub/login?next=", "nobody, otherwise")
    carl = Caller(carrel, "carl")
    equal(answered(authorize(carl.browser, prompt="none"))["error"], "consent_required", "not agreed yet")
    page = authorize(carl.browser, scope="openid email groups")
    for text in ("Read your e-mail address", "Read which groups"):
        claim(text in page.text, "the page does not say %r: %s" % (text, page.text))
    code = answered(agree(carl.browser, page))["code"]
    equal(token(code).status, 200, "after agreeing")
    claim("code" in answered(authorize(carl.browser, prompt="none")), "agreed before")
    claim("code" in answered(authorize(carl.browser, prompt="none", scope="openid email groups")), "of the same")
    equal(answered(authorize(carl.browser, prompt="none", scope="openid profile"))["error"], "consent_required",
          "more than was agreed to")
    equal(authorize(carl.browser, prompt="consent").status, 200, "to be asked again")
    equal(answered(authorize(carl.browser, prompt="none", max_age="0"))["error"], "login_required", "silent and fresh")
    equal(answered(authorize(carl.browser, prompt="none login"))["error"], "invalid_request", "none and another")
    for name, value, error in (("max_age", "x", "invalid_request"), ("response_mode", "form_post", "invalid_request"),
                               ("request", "x", "request_not_supported"), ("nonce", "n" * 1025, "invalid_request"),
                               ("request_uri", "https://x", "request_uri_not_supported"),
                               ("scope", "openid admin:users", "invalid_scope"),
                               ("scope", "openid no-such", "invalid_scope"),
                               ("response_type", "id_token", "unsupported_response_type")):
        equal(answered(authorize(carl.browser, **{name: value}))["error"], error, "%s=%s" % (name, value[:20]))
    equal(authorize(carl.browser, redirect_uri="http://wiki.example/").status, 400, "another address to return to")


def claims_of(code):
    body = token(code).json()["id_token"].split(".")[1]
    return json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))


def sent_away(answer):
    """To the login page, which is to show its form all the same."""
    equal((answer.status, answer.location()[:24]), (302, "/hub/login?again=1&next="), "the way to the login")
    return answer.location()


def again():
    """A client wants a fresh proof of somebody who is logged in."""
    dan = Caller(carrel, "dan")
    before = claims_of(code_of(dan))["auth_time"]
    claim("code" in answered(authorize(dan.browser, max_age="3000")), "a login of this hour is enough")
    page = dan.browser.get(sent_away(authorize(dan.browser, prompt="login", nonce="n2")), follow=False)
    claim(page.status == 200 and "still you" in page.text and 'value="dan"' in page.text, "the form: %s" % page.text)
    fields = dict(hidden(page.text), username="dan", password="wrong")
    wrong = dan.browser.post(form_action(page), fields, follow=False)
    claim(wrong.status == 403 and "still you" in wrong.text, "a wrong password: %s" % wrong.text)
    old = dan.browser.cookie("jupyterhub-session-id")
    until("auth_time can be another", 5, lambda: int(time.time()) > before)
    back = dan.browser.post(form_action(wrong), dict(fields, password="x"), follow=False)
    claim(dan.browser.cookie("jupyterhub-session-id") != old, "it is a new login")
    answer = dan.browser.get(back.location(), follow=False)
    said = claims_of(answered(agree(dan.browser, answer) if answer.status == 200 else answer)["code"])
    claim(said["nonce"] == "n2" and said["auth_time"] > before, "the fresh login is told: %r before %d" % (said, before))
    for more in ({"prompt": "login"}, {"max_age": "0"}, {"prompt": "select_account"}, {"prompt": "login consent"},
                 {"prompt": "login", "login_since": "0"}, {"prompt": "login", "login_since": str(10 ** 17)},
                 {"max_age": "0", "login_since": "x"}):
        sent_away(authorize(dan.browser, **more))
    plain = authorize(dan.browser, scope="list:users", prompt="login", max_age="0")
    claim("/login" not in (plain.location() or ""), "without openid these words mean nothing")


def words():
    """"groups" permits to change groups, except in a request of OpenID; the name of a role stands for its scopes."""
    dora = Caller(carrel, "boss")
    text = token(code_of(dora, scope="openid groups", prompt="consent")).json()["access_token"]
    caller = Caller(carrel, token=text)
    equal(caller.call("GET", "/groups").status, 403, "groups of OpenID is no permission")
    page = authorize(dora.browser, scope="lister")
    claim("list:users" in page.text, "the role is shown as %s" % page.text)
    said = token(answered(agree(dora.browser, page))["code"]).json()
    claim("list:users" in said["scope"].split() and "id_token" not in said, "the token says %r" % said)
    Caller(carrel, token=said["access_token"]).ok(200, "GET", "/users")
    equal(userinfo(said["access_token"]).status, 403, "without openid")


def access():
    """Who has no access to a service is not let through; a logout takes what it led to."""
    other = {"client_id": "service-secrets", "redirect_uri": "http://secrets.example/"}
    equal(authorize(anna.browser, **other).status, 403, "a service that anna may not use")
    equal(authorize(boss.browser, **other).status, 200, "an administrator is asked")
    eve = Caller(carrel, "eve")
    text = token(code_of(eve)).json()["access_token"]
    held = code_of(eve)
    equal(userinfo(text).status, 200, "before the logout")
    eve.browser.get("/hub/logout")
    equal(userinfo(text).status, 401, "after it")
    equal(token(held).json()["error"], "invalid_grant", "a code of that login")


def switched_off():
    carrel.end("hub")
    carrel._write("carrel.yaml", re.sub("  public_url.*\n", "", CONFIG)
                  % {"hub_port": carrel.hub_port, "port": carrel.port})
    carrel.begin("hub")
    plain = Browser(carrel.url)
    until("the hub is back", 20, lambda: plain.get("/hub/health").status == 200)
    for path in ("/hub/.well-known/openid-configuration", "/hub/api/oauth2/jwks"):
        equal(plain.get(path).status, 404, path)
    equal(answered(authorize(anna.browser))["error"], "invalid_scope", "openid")


tests = [("people log in", begin), ("discovery and keys", discovery)]
if idp.missing():
    report.skip("openid-client logs people in", idp.missing())
else:
    tests.append(("openid-client logs people in", whole_way))
tests += [("a client is asked about once, and sees what it asked for", silent),
          ("a fresh login is asked for", again),
          ("a code is worth one token", one_use), ("a client proves itself in one way", proofs),
          ("words mean what they say", words), ("access and logout", access),
          ("without a public address there is no provider", switched_off),
          ("the hub ends in order", lambda: end_hub(carrel))]
report.run(tests, carrel.print_lines)
carrel.clean()
report.finish()
