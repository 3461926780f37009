#!/usr/bin/python3
"""A provider is asked again who people are: a real OpenID provider, refresh tokens, what is kept of a login.

Groups that change there change here without a new login; who is thrown out there
is logged out here; a provider that is away changes nothing; tokens are sealed in
the database, and their keys change.
"""
import concurrent.futures
import json
import os
import secrets
import sys
import time

LIB = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib")
sys.path.insert(0, LIB)
import idp
import report
from report import claim, equal, until
from web import Browser, form_action
import urllib.parse

report.group("refresh")

CONFIG = idp.CONFIG.replace("scope: [openid, profile, email, groups]", """scope: [openid, profile, email, groups, offline_access]
      extra_authorize_params: {prompt: consent}
      logout: true""").replace("  providers:", """  enable_auth_state: true
  auth_refresh_age: 1s
  manage_groups: true
  state_environment: {JUPYTERHUB_CAMPUS_TOKEN: access_token, JUPYTERHUB_CAMPUS_MAIL: oauth_user.email}
  providers:""")
PROFILE = ["/bin/sh", "-c", "env > @DIR@/state/environ.txt; exec sleep 60"]
story = None


def came_in(name="alice"):
    b = Browser(story.carrel.url)
    form, fields = b.get("/hub/oauth_login/campus"), {"prompt": "login", "login": name, "password": "x"}
    for _ in range(12):
        answer = b.post(form_action(form), fields, follow=False)
        while answer.status in (302, 303):
            target = urllib.parse.urljoin(answer.url, answer.location())
            answer = b.get(target, follow=False)
            if "/hub/oauth_callback" in target:
                equal(answer.status, 302, "the login: %s" % answer.text[-800:])
                return b
        form, fields = answer, {"prompt": "consent"}
    raise report.Failure("the provider never sent the browser back")


def me(b):
    answer = b.api("GET", "/user")
    return answer.json() if answer.status == 200 else None


def stale():
    """The next request of a person finds their last check too old."""
    time.sleep(1.1)


def restart_hub():
    story.carrel.end("hub")
    story.carrel.begin("hub")


def state_is_kept():
    story.set_groups("staff", "admins")
    b = came_in()
    state = b.api("GET", "/users/alice").json()["auth_state"]
    equal(state["oauth_user"]["email"], "alice@uni.example", "the claims")
    for key in ("access_token", "refresh_token", "id_token"):
        claim(len(state[key]) > 20, "%s is not there: %r" % (key, state[key]))
    equal(b.api("GET", "/users").json()[0]["auth_state"], None, "auth_state in a list")
    token = b.api("POST", "/users/alice/tokens", {"scopes": ["read:users"]}).json()["token"]
    claim("auth_state" not in b.api("GET", "/users/alice", token=token).json(), "seen without its scope")
    for name in os.listdir(story.carrel.dir + "/state"):
        path = os.path.join(story.carrel.dir, "state", name)
        if os.path.isfile(path):
            with open(path, "rb") as f:
                data = f.read()
            for key in ("access_token", "refresh_token"):
                claim(state[key].encode() not in data, "%s is in %s" % (key, name))
    keys = os.stat(story.carrel.dir + "/state/keys/auth_state.keys")
    equal(keys.st_mode & 0o777, 0o600, "mode of the keys")


def set_by_rest():
    b = came_in()
    equal(b.api("PATCH", "/users/alice", {"auth_state": {"x": [1, "y"]}}).json()["auth_state"], {"x": [1, "y"]}, "set")
    equal(b.api("GET", "/users/alice").json()["auth_state"], {"x": [1, "y"]}, "read")
    equal(b.api("PATCH", "/users/alice", {"auth_state": None}).json()["auth_state"], None, "taken away")


def groups_follow():
    story.set_groups("staff", "admins", "course-1")
    b = came_in()
    equal((sorted(me(b)["groups"]), me(b)["admin"]), (["campus:admins", "campus:course-1", "campus:staff"], True), "at login")
    story.set_groups("staff", "course-2")
    stale()
    equal((sorted(me(b)["groups"]), me(b)["admin"]), (["campus:course-2", "campus:staff"], False), "after a refresh")
    claim("campus:course-1" not in me(b)["groups"], "a group that was left is still there")


def one_question_for_many():
    b = came_in()
    stale()
    before = len([x for x in story.carrel.lines if "provider" in x])
    with concurrent.futures.ThreadPoolExecutor(20) as pool:
        seen = list(pool.map(lambda _: me(b), range(60)))
    claim(all(x and x["name"] == "alice" for x in seen), "not everybody was answered")
    equal(len([x for x in story.carrel.lines if "provider" in x]), before, "complaints about the provider")


def thrown_out():
    story.set_groups("staff")
    b = came_in()
    token = b.api("POST", "/users/alice/tokens", {}).json()["token"]
    equal(b.api("GET", "/user", token=token).status, 200, "the token before")
    story.set_groups("other")
    stale()
    equal(b.get("/hub/home", follow=False).status, 302, "her next page")
    equal(me(b), None, "who she is")
    equal(b.api("GET", "/user", token=token).status, 403, "her token")
    claim(any("login-ended" in x and "alice" in x for x in story.carrel.lines), "no line of the audit log")
    restart_hub()
    equal(b.api("GET", "/user", token=token).status, 403, "her token after a restart")
    story.set_groups("staff")
    came_in()
    equal(b.api("GET", "/user", token=token).status, 200, "her token after she came in again")


def account_is_gone():
    story.set_groups("staff")
    b = came_in()
    with open(story.accounts, "w") as f:
        json.dump({}, f)
    stale()
    equal(me(b), None, "who she is, without an account")
    story.set_groups("staff")


def provider_is_away():
    story.set_groups("staff")
    b = came_in()
    story.end_provider()
    stale()
    equal(me(b)["name"], "alice", "who she is, with the provider away")
    restart_hub()
    stale()
    equal(me(b)["name"], "alice", "the same after a restart of the hub")
    story.begin_provider()


def keys_change():
    path = story.carrel.dir + "/state/keys/auth_state.keys"
    b = came_in()
    with open(path) as f:
        old = f.read()
    new = secrets.token_hex(32) + "\n"
    with open(path, "w") as f:
        f.write(new + old)
    restart_hub()
    story.set_groups("staff", "by-the-old-key")
    stale()
    claim("campus:by-the-old-key" in me(b)["groups"], "what the old key sealed is not opened")
    with open(path, "w") as f:
        f.write(new)
    restart_hub()
    story.set_groups("staff", "by-the-new-key")
    stale()
    claim("campus:by-the-new-key" in me(b)["groups"], "it was not sealed anew")
    with open(path, "w") as f:
        f.write(secrets.token_hex(32) + "\n")
    restart_hub()
    stale()
    equal(me(b), None, "who she is when the key is lost")
    claim(any("auth_state cannot be read" in x for x in story.carrel.lines), "the loss is not told")


def environment_of_servers():
    b = came_in()
    path = os.path.join(story.carrel.dir, "state", "environ.txt")
    b.api("POST", "/users/alice/server")
    until("the server was started", 15, lambda: os.path.exists(path) and "CAMPUS_TOKEN" in open(path).read())
    env = dict(line.split("=", 1) for line in open(path).read().splitlines() if "=" in line)
    claim(len(env["JUPYTERHUB_CAMPUS_TOKEN"]) > 20, "no token")
    equal(env["JUPYTERHUB_CAMPUS_MAIL"], "alice@uni.example", "mail")
    claim("JUPYTERHUB_CAMPUS_REFRESH" not in env and "refresh_token" not in repr(env), "more than was asked for")


def logged_out_there():
    b = came_in()
    answer = b.get("/hub/logout", follow=False)
    equal(answer.status, 302, "logging out")
    claim(answer.location().startswith("http://127.0.0.1:%d/session/end?" % story.port), "leads to %s" % answer.location())
    page = b.get(answer.location())
    claim("sign-out" in page.text or "logout" in page.text.lower(), "the provider's page: %s" % page.text[:500])
    equal(me(b), None, "who she is")


def nothing_secret():
    log = "\n".join(story.carrel.lines)
    for secret in ("secret+with", "refresh_token=", "Bearer", "access_token="):
        claim(secret not in log, "the log has %s" % secret)


if idp.missing():
    report.skip("a provider is asked again", idp.missing())
else:
    try:
        story = idp.World(CONFIG, PROFILE)
        report.run([
            ("what a login brought is kept, sealed", state_is_kept),
            ("it is set and taken away by REST", set_by_rest),
            ("groups and rules follow without a login", groups_follow),
            ("many requests wait for one question", one_question_for_many),
            ("who is refused there is logged out here, tokens too", thrown_out),
            ("an account that is gone", account_is_gone),
            ("a provider that is away changes nothing", provider_is_away),
            ("keys are changed", keys_change),
            ("servers get what the configuration names", environment_of_servers),
            ("logging out goes on to the provider", logged_out_there),
            ("nothing secret is logged", nothing_secret),
        ], on_failure=lambda: story.carrel.print_lines(60))
    finally:
        if story:
            story.end()
report.finish()
