#!/usr/bin/python3
"""The smaller endpoints: the proxy checked and changed, tokens by password, what old services ask."""
import json
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
import report
from ports import free_port
from report import claim, equal
from rest import Caller, begin_hub, end_hub
from web import Browser

report.group("api-rest")
SERVICE_TOKEN = "0123456789abcdef" * 2
carrel = begin_hub("server:\n  stop_grace: 1s\nsession:\n  max_token_age: 1d\n"
                   "services:\n  grader: {api_token: %s}\n" % SERVICE_TOKEN)


def begin():
    global boss, alice
    boss, alice = Caller(carrel, "boss"), Caller(carrel, "alice")
    equal(alice.ok(201, "POST", "/users/alice/server").status, 201, "a start")


def nobody(method, path, body=None, **headers):
    raw = None if body is None else json.dumps(body).encode()
    return Browser(carrel.url).request(method, "/hub/api" + path, raw, headers)


def token_by_password():
    login = {"username": "Alice", "password": "x"}
    path = "/users/alice/tokens"
    answer = nobody("POST", path, {"auth": login, "note": "cli", "expires_in": 60})
    equal(answer.status, 201, "a token for a password: " + answer.text)
    made = answer.json()
    equal((made["user"], made["note"]), ("alice", "cli"), "whose it is")
    equal(Caller(carrel, token=made["token"]).ok(200, "GET", "/user").json()["name"], "alice", "it works")
    equal(answer.headers.get_all("Set-Cookie"), None, "no session comes of it")
    equal(nobody("POST", path, {"auth": login}, Origin="http://evil.example").status, 201, "a script of anywhere")
    for body in (None, {}, {"auth": None}, {"auth": "x"}, {"auth": {}}, {"auth": {"username": "alice"}},
                 {"auth": {"username": "", "password": "x"}}, {"auth": {"username": "alice", "password": 1}},
                 {"auth": {"username": "alice", "password": "wrong"}}, [login],
                 {"auth": {"username": "stranger", "password": "x"}}):
        said = nobody("POST", path, body)
        equal((said.status, said.json()), (403, {"status": 403, "message": "Missing or invalid credentials."}),
              "with %r" % (body,))
    equal(nobody("POST", "/users/boss/tokens", {"auth": login}).status, 403, "a token of somebody else")
    equal(nobody("POST", path, {"auth": login, "expires_in": 0}).status, 400, "never to end, under a maximum")
    equal(nobody("POST", path, {"auth": login, "expires_in": 86401}).status, 400, "longer than the maximum")
    boss.no(404, None, "GET", "/users/stranger")
    equal(nobody("PATCH", "/users/alice", {"auth": login}).status, 403, "a password elsewhere")


def guessing():
    """The throttle of the login page counts here too."""
    wrong = {"auth": {"username": "carl", "password": "wrong"}}
    seen = [nobody("POST", "/users/carl/tokens", wrong).status for _ in range(12)]
    claim(seen[0] == 403 and seen[-1] == 429, "statuses of wrong passwords: %r" % seen)
    said = nobody("POST", "/users/carl/tokens", {"auth": {"username": "carl", "password": "x"}})
    claim(said.status == 429 and int(said.headers["Retry-After"]) > 0, "the right one waits too: %d" % said.status)


def old_services():
    token = alice.token_of("alice", scopes=["read:servers!user"])
    for path in ("/authorizations/token/" + token.token,
                 "/authorizations/cookie/jupyterhub-hub-login/" + alice.browser.cookie("jupyterhub-hub-login")):
        seen = boss.token_of("boss").ok(200, "GET", path).json()
        equal((seen["name"], seen["kind"], seen["admin"]), ("alice", "user", False), path.split("/")[2])
        boss.no(403, None, "GET", path)
        equal(nobody("GET", path).status, 403, "nobody asks")
    asks = token.ok(200, "GET", "/authorizations/token/" + token.token).json()
    claim("created" not in asks and asks["groups"] == [], "who may see little sees little: %r" % asks)
    other = boss.token_of("boss", scopes=["read:hub"]).ok(200, "GET", "/authorizations/token/" + token.token).json()
    equal(sorted(other), ["admin", "groups", "kind", "name", "user_info"], "at least who it is")
    body = alice.browser.cookie("jupyterhub-hub-login").encode()
    by_body = token.ok(200, "GET", "/authorizations/cookie/jupyterhub-hub-login", raw=body,
                       headers={"Content-Type": "text/plain"}).json()
    equal(by_body["name"], "alice", "the cookie in the body")
    for path in ("/authorizations/token/" + "0" * 32, "/authorizations/token/x", "/authorizations/cookie/other/x",
                 "/authorizations/cookie/jupyterhub-hub-login/x", "/authorizations/cookie/jupyterhub-hub-login"):
        token.no(404, "Not Found", "GET", path)
    token.no(404, None, "POST", "/authorizations/token")
    grader = Caller(carrel, token=SERVICE_TOKEN)
    equal(grader.ok(200, "GET", "/authorizations/token/" + token.token).json()["name"], "alice", "a service asks")
    said = token.ok(200, "GET", "/authorizations/token/" + SERVICE_TOKEN).json()
    equal((said["kind"], said["name"]), ("service", "grader"), "whose token is a service's")
    grader.no(403, None, "POST", "/shares/alice/", {"user": "boss"})
    claim(not [line for line in carrel.lines if token.token in line or body.decode() in line], "a secret is in a log")


def admin_access():
    boss.no(403, None, "POST", "/users/alice/admin-access")
    alice.no(403, None, "POST", "/users/alice/admin-access")
    alice.no(404, None, "POST", "/users/boss/admin-access")


def routes_are_checked():
    direct = Browser("http://127.0.0.1:%d" % carrel.api_port)
    bearer = {"Authorization": "token " + carrel.token}
    alice.no(403, None, "POST", "/proxy")
    equal(direct.request("DELETE", "/api/routes/user/alice", headers=bearer).status, 204, "a route is lost")
    equal(boss.ok(200, "POST", "/proxy").text, "", "a check")
    claim("/user/alice/" in boss.ok(200, "GET", "/proxy").json(), "it is there again when the check is answered")
    stray = json.dumps({"target": "http://127.0.0.1:9", "jupyterhub": True, "user": "gone", "server_name": ""}).encode()
    equal(direct.request("POST", "/api/routes/user/gone", stray, bearer).status, 201, "a stray one")
    boss.ok(200, "POST", "/proxy")
    equal(sorted(boss.ok(200, "GET", "/proxy").json()), ["/", "/user/alice/"], "it is gone")


def another_proxy():
    for body, says in ((None, "need JSON body"), ([], "Request body must be JSON dict"),
                       ("x", "Request body must be JSON dict"), ({"api_url": 1}, None), ({"api_url": ""}, None),
                       ({"api_url": "ftp://x"}, None), ({"api_url": "nonsense"}, None),
                       ({"auth_token": ""}, None), ({"auth_token": "a\nb"}, None)):
        boss.no(400, says, "PATCH", "/proxy", body)
    alice.no(403, None, "PATCH", "/proxy", {})
    boss.ok(200, "PATCH", "/proxy", {})
    port, token = free_port(), "t" * 32
    other = subprocess.Popen(
        [report.bin_dir() + "/carrel-proxy", "--ip", "127.0.0.1", "--port", str(free_port()),
         "--api-ip", "127.0.0.1", "--api-port", str(port), "--journal", carrel.dir + "/other.journal"],
        env={"CONFIGPROXY_AUTH_TOKEN": token}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        said = boss.ok(200, "PATCH", "/proxy", {"api_url": "http://127.0.0.1:%d/" % port, "auth_token": token})
        equal(said.text, "", "nothing is said")
        seen = Browser("http://127.0.0.1:%d" % port).request("GET", "/api/routes",
                                                             headers={"Authorization": "token " + token}).json()
        equal(sorted(seen), ["/", "/user/alice"], "the other one has all routes")
        equal(sorted(boss.ok(200, "GET", "/proxy").json()), ["/", "/user/alice/"], "and is asked from now on")
        boss.ok(200, "PATCH", "/proxy", {"api_url": "http://127.0.0.1:%d/" % carrel.api_port,
                                         "auth_token": carrel.token})
    finally:
        other.terminate()
        other.wait(20)
    claim(not [line for line in carrel.lines if token in line], "the token is in a log")


report.run([("people log in", begin), ("a token for a password", token_by_password),
            ("guessing is slowed down", guessing), ("what old services ask", old_services),
            ("admin access is no switch", admin_access), ("routes are checked", routes_are_checked),
            ("another proxy", another_proxy), ("the hub ends", lambda: end_hub(carrel))], carrel.print_lines)
carrel.clean()
report.finish()
