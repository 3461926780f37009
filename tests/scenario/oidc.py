#!/usr/bin/python3
"""Logins by a real OpenID provider (oidc-provider on Node), through the login page.

The whole way with plain requests: button, the provider's form and consent, back,
a session. Then what must not work: an answer in another browser, the same answer
twice, a person without the group that is demanded, a cancelled login; and what
must: a hub that restarts while the person is away, groups that change.
"""
import html
import os
import re
import sys
import urllib.parse

LIB = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib")
sys.path.insert(0, LIB)
import idp
import report
from report import claim, equal
from web import Browser, form_action

report.group("oidc")


def leave(browser, next_url="/hub/home"):
    """From our login page to the provider's form."""
    page = browser.get("/hub/login?next=" + urllib.parse.quote(next_url, ""))
    equal(page.status, 200, "status of the login page")
    link = re.search(r'<a class="button" href="([^"]*/oauth_login/campus[^"]*)">Log in with the campus</a>', page.text)
    claim(link, "no button on the login page: %s" % page.text[:1500])
    claim('type="password"' not in page.text, "a password is asked for")
    return browser.get(html.unescape(link.group(1)))


def agree(browser, form, name):
    """Log in and consent there; the answer that leads back to us, not yet followed."""
    claim("/interaction/" in form.url, "this is not the provider's form: %s" % form.url)
    fields = {"prompt": "login", "login": name, "password": "x"}
    for _ in range(12):
        answer = browser.post(form_action(form), fields, follow=False)
        while answer.status in (302, 303):
            target = urllib.parse.urljoin(answer.url, answer.location())
            if "/hub/oauth_callback" in target:
                return target
            answer = browser.get(target, follow=False)
        form, fields = answer, {"prompt": "consent"}
    raise report.Failure("the provider never sent the browser back")


def who(browser):
    answer = browser.api("GET", "/user")
    return answer.json() if answer.status == 200 else None


story = None


def whole_way():
    alice = Browser(story.carrel.url)
    back = agree(alice, leave(alice, "/hub/home?from=idp"), "alice")
    answer = alice.get(back, follow=False)
    equal((answer.status, answer.location()), (302, "/hub/home?from=idp"), "where the login leads")
    claim("code=" not in answer.location(), "the code goes on")
    me = who(alice)
    equal(me and (me["name"], me["admin"]), ("alice", False), "who came in")
    left = [n for n, _ in alice.jar if n.startswith("carrel-trip-")]
    equal(left, [], "cookies of the trip that are left")
    again = alice.get(back)
    equal(again.status, 403, "the same answer again")
    claim("start again" in again.text, "the page does not say what to do")


def another_browser():
    mallory, victim = Browser(story.carrel.url), Browser(story.carrel.url)
    back = agree(mallory, leave(mallory), "alice")
    answer = victim.get(back)
    equal(answer.status, 403, "an answer in a browser that did not ask")
    equal(who(victim), None, "who came in")
    leave(victim)
    equal(victim.get(back).status, 403, "an answer in a browser that asked something else")
    equal(who(victim), None, "who came in")
    equal(mallory.get(back).status, 200, "the browser that asked")


def forged_state():
    alice = Browser(story.carrel.url)
    back = agree(alice, leave(alice), "alice")
    state = re.search(r"state=([^&]*)", back).group(1)
    for forged in ("", "x", state[:-1], state[::-1], state + "&state=x"):
        equal(alice.get(back.replace(state, forged)).status, 403, "the callback with the state %r" % forged)
    equal(who(alice), None, "who came in")


def not_in_group():
    mallory = Browser(story.carrel.url)
    answer = mallory.get(agree(mallory, leave(mallory), "mallory"))
    equal(answer.status, 403, "somebody without the group")
    claim("not one of those that may log in" in answer.text, "the page does not say why: %s" % answer.text[:1500])
    claim("oauth_login/campus" in answer.text, "there is no way to try another account")
    equal(who(mallory), None, "who came in")


def cancelled():
    alice = Browser(story.carrel.url)
    form = leave(alice)
    answer = alice.get(form.url.rstrip("/") + "/abort")
    equal(answer.status, 403, "a cancelled login")
    claim("cancelled" in answer.text, "the page does not say so: %s" % answer.text[:1500])


def hostile_next():
    alice = Browser(story.carrel.url)
    back = agree(alice, leave(alice, "https://evil.example/"), "alice")
    answer = alice.get(back, follow=False)
    equal((answer.status, answer.location()), (302, "/hub/home"), "where a foreign next leads")


def hub_restart():
    alice = Browser(story.carrel.url)
    form = leave(alice)
    story.carrel.end("hub")
    story.carrel.begin("hub")
    answer = alice.get(agree(alice, form, "alice"), follow=False)
    equal((answer.status, answer.location()), (302, "/hub/home"), "a login across a restart of the hub")
    equal(who(alice)["name"], "alice", "who came in")


def groups_follow():
    alice = Browser(story.carrel.url)
    story.set_groups("staff", "admins")
    alice.get(agree(alice, leave(alice), "alice"))
    equal(who(alice)["admin"], True, "an administrator, with the group")
    story.set_groups("staff")
    alice = Browser(story.carrel.url)
    alice.get(agree(alice, leave(alice), "alice"))
    equal(who(alice)["admin"], False, "an administrator, without the group")
    answer = alice.get("/hub/logout")
    equal(answer.status, 200, "logging out")
    equal(who(alice), None, "who is in after logging out")


def provider_away():
    story.carrel.end("hub")
    story.carrel.begin("hub")
    story.end_provider()
    alice = Browser(story.carrel.url)
    page = alice.get("/hub/oauth_login/campus")
    equal(page.status, 503, "with the provider away")
    claim("cannot be asked right now" in page.text, "the page does not say so: %s" % page.text[:1500])
    equal(alice.get("/hub/oauth_login/nobody").status, 404, "a provider that is not there")


def nothing_secret():
    log = "\n".join(story.carrel.lines)
    for secret in ("secret+with", "?code=", "&code=", "carrel-trip-", "Bearer"):
        claim(secret not in log, "the log has %s" % secret)


if idp.missing():
    report.skip("logins by a real OpenID provider", idp.missing())
else:
    try:
        story = idp.World()
        report.run([
            ("a person logs in, once", whole_way),
            ("an answer is worth nothing in another browser", another_browser),
            ("a state that is not this one's is refused", forged_state),
            ("somebody without the group is told so", not_in_group),
            ("a cancelled login is told so", cancelled),
            ("a foreign next is dropped", hostile_next),
            ("the hub may restart meanwhile", hub_restart),
            ("groups follow the provider", groups_follow),
            ("a provider that is away is told so", provider_away),
            ("nothing secret is logged (CVE-2022-24757)", nothing_secret),
        ], on_failure=lambda: story.carrel.print_lines(60))
    finally:
        if story:
            story.end()
report.finish()
