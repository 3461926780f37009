#!/usr/bin/python3
"""People come from a course: LTI 1.3 and 1.1, with platforms of the test's own.

Each launch that must not work is one that a real one was made of by changing one
thing; advisories are named where their mistake would let it in.
"""
import html
import os
import sys
import time
import urllib.parse
import xml.etree.ElementTree

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
import lms
import report
from lms import CLAIM, MEMBERSHIP, Key, signed
from report import claim, equal
from web import Browser, form_action, hidden

report.group("lti")
CROSS_SITE = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Origin": "https://lms.example"}


def who(browser):
    answer = browser.api("GET", "/user")
    return answer.json() if answer.status == 200 else None


# ---- LTI 1.3


def beginning(**more):
    args = {"iss": story.platform.issuer, "login_hint": "u-1", "target_link_uri": story.hub + "lti13/oauth_callback",
            "lti_message_hint": "m=1&x", "client_id": "tool-1", "lti_deployment_id": "d7"}
    args.update(more)
    return {k: v for k, v in args.items() if v is not None}


def leave(browser, method="GET", **more):
    """From the course to the platform's form; the form as it is to be posted."""
    args = beginning(**more)
    if method == "GET":
        answer = browser.get("/hub/lti13/oauth_login?" + urllib.parse.urlencode(args), headers=CROSS_SITE)
    else:
        answer = browser.post("/hub/lti13/oauth_login", args, headers=CROSS_SITE)
    equal(answer.status, 200, "the platform's page: %s" % answer.text[:600])
    claim(answer.url.startswith(story.platform.issuer + "/auth?tenant=1&"), "this is not the platform: %s" % answer.url)
    return form_action(answer), hidden(answer.text)


def post(browser, form):
    return browser.post(form[0], form[1], follow=False, headers=CROSS_SITE)


def with_person(person=None, change=None):
    """What the next token says."""
    story.platform.person = person or {}
    story.platform.change = change or (lambda claims: story.platform.key.sign(claims))


def refused(what, why, person=None, change=None):
    """A launch with that change is refused, and the log says why."""
    with_person(person, change)
    try:
        mallory, before = Browser(story.carrel.url), len(story.carrel.lines)
        answer = post(mallory, leave(mallory))
    finally:
        with_person()
    equal((what, answer.status), (what, 403), "status")
    equal((what, who(mallory)), (what, None), "who came in")
    report.until("the log says why %s is refused: %s" % (what, why), 10,
                 lambda: why in "\n".join(story.carrel.lines[before:]))


def whole_way():
    for method in ("GET", "POST"):
        alice = Browser(story.carrel.url)
        answer = post(alice, leave(alice, method))
        equal((answer.status, answer.location()), (302, "/hub/home"), "where a launch leads")
        me = who(alice)
        equal(me and (me["name"], me["admin"]), ("alice", False), "who came in")
        equal(sorted(me["groups"]), ["moodle:course:c%3A1", "moodle:course:c%3A1:learner",
                                     "moodle:course:c%3A1:learner-instructor", "moodle:learner",
                                     "moodle:learner-instructor"], "groups")
        equal([n for n, _ in alice.jar if n.startswith("carrel-trip-")], [], "cookies of the trip that are left")


def what_the_platform_is_asked():
    leave(Browser(story.carrel.url))
    args = dict(story.platform.asked[-1])
    claim(len(args.pop("state")) >= 40 and len(args.pop("nonce")) >= 40, "state and nonce are short")
    equal(args, {"tenant": "1", "response_type": "id_token", "response_mode": "form_post", "scope": "openid",
                 "prompt": "none", "client_id": "tool-1", "login_hint": "u-1", "lti_message_hint": "m=1&x",
                 "redirect_uri": story.hub + "lti13/oauth_callback"}, "what is asked")


def to_the_assignment():
    home = story.carrel.url
    for person, wanted in [
            ({CLAIM + "target_link_uri": home + "/hub/user-redirect/git-pull?repo=x&branch=y"},
             "/hub/user-redirect/git-pull?repo=x&branch=y"),
            ({CLAIM + "custom": {"login": "alice", "next": "/hub/user-redirect/lab/tree/a1.ipynb"}},
             "/hub/user-redirect/lab/tree/a1.ipynb"),
            ({CLAIM + "custom": {"login": "alice", "next": "https://evil.example/"}}, "/hub/home"),
            ({CLAIM + "custom": {"login": "alice", "next": "//evil.example/"}}, "/hub/home"),
            ({CLAIM + "custom": {"login": "alice", "next": "\\\\evil.example"}}, "/hub/home")]:
        with_person(person)
        alice = Browser(story.carrel.url)
        answer = post(alice, leave(alice))
        with_person()
        equal((answer.status, answer.location()), (302, wanted), "where %r leads" % person)


def not_signed():
    """CVE-2023-25574: the signature of the launch was not looked at."""
    p = story.platform
    other = Key("p1")
    refused("another key of the same name", "signature is wrong", change=other.sign)
    refused("an unsigned token", "no signature", change=lambda c: p.key.sign(c, "none"))
    refused("HS256 with the public key", "not of a kind that is allowed",
            change=lambda c: p.key.sign(c, "HS256", p.key.pem()))
    refused("HS256 with the client's id", "not of a kind that is allowed",
            change=lambda c: p.key.sign(c, "HS256", b"tool-1"))
    refused("changed after it was signed", "signature is wrong",
            change=lambda c: ".".join([*p.key.sign(c).split(".")[:1], p.key.sign(dict(c, sub="u-2")).split(".")[1],
                                       p.key.sign(c).split(".")[2]]))
    refused("another head", "not of a kind that is allowed",
            change=lambda c: p.key.sign(c, "none").split(".")[0] + "." + p.key.sign(c).split(".", 1)[1])


def not_for_us():
    now = int(time.time())
    refused("another audience", "(aud)", {"aud": "tool-2"})
    refused("several audiences without azp", "(azp)", {"aud": ["tool-1", "tool-2"]})
    refused("another azp", "(azp)", {"aud": ["tool-1", "tool-2"], "azp": "tool-2"})
    refused("another issuer", "(iss)", {"iss": "https://evil.example"})
    refused("expired", "(exp)", {"iat": now - 500, "exp": now - 100})
    refused("too old", "(iat)", {"iat": now - 5000, "exp": now + 300})
    refused("from the future", "(iat)", {"iat": now + 900, "exp": now + 1200})
    refused("another nonce", "(nonce)", {"nonce": "n" * 43})
    refused("no nonce", "(nonce)", {"nonce": None})
    refused("nobody", "(sub)", {"sub": None})
    refused("another deployment", "one of \"deployment_ids\": d8", {CLAIM + "deployment_id": "d8"})
    refused("no deployment", "deployment_ids", {CLAIM + "deployment_id": None})
    refused("a foreign target", "target_link_uri", {CLAIM + "target_link_uri": "https://evil.example/hub/"})
    refused("no target", "target_link_uri", {CLAIM + "target_link_uri": None})
    refused("another message", "LtiResourceLinkRequest", {CLAIM + "message_type": "LtiDeepLinkingRequest"})
    refused("another version", "1.3.0", {CLAIM + "version": "1.3.1"})
    refused("no name", "username_key", {CLAIM + "custom": {"login": ""}})


def replayed():
    alice = Browser(story.carrel.url)
    form = leave(alice)
    kept = dict(alice.jar)
    equal(post(alice, form).status, 302, "the first time")
    equal(post(alice, form).status, 403, "the same again")
    mallory = Browser(story.carrel.url)
    mallory.jar = kept
    answer = post(mallory, form)
    equal(answer.status, 403, "the same again with the cookies that were kept")
    claim("used already" in answer.text, "the page does not say so: %s" % answer.text[:1500])
    # the token in a trip that was begun anew: its nonce is another's
    fresh = leave(mallory)
    equal(post(mallory, (fresh[0], dict(fresh[1], id_token=form[1]["id_token"]))).status, 403,
          "the same token in another trip")
    equal(who(mallory), None, "who came in")


def another_browser():
    mallory, victim = Browser(story.carrel.url), Browser(story.carrel.url)
    form = leave(mallory)
    equal(post(victim, form).status, 403, "in a browser that began nothing")
    leave(victim)
    equal(post(victim, form).status, 403, "in a browser that began something else")
    for state in ("", "x", form[1]["state"][::-1], form[1]["state"] + "x"):
        equal(post(victim, (form[0], dict(form[1], state=state))).status, 403, "with the state %r" % state)
    equal(who(victim), None, "who came in")
    # neither is it an answer at the other address, or by a link
    query = urllib.parse.urlencode(form[1])
    equal(mallory.get("/hub/oauth_callback?" + query).status, 403, "at the address of other providers")
    equal(mallory.get("/hub/lti13/oauth_callback?" + query).status, 405, "by a link")
    equal(who(mallory), None, "who came in")


def begun_wrongly():
    browser = Browser(story.carrel.url)
    for status, more in [(403, {"iss": "https://evil.example"}), (403, {"iss": None}), (403, {"client_id": "tool-2"}),
                         (400, {"target_link_uri": "https://evil.example/"}), (400, {"target_link_uri": None}),
                         (400, {"target_link_uri": story.carrel.url + "@evil.example/"}),
                         (400, {"login_hint": None}), (400, {"login_hint": "a\nb"}), (400, {"login_hint": "x" * 5000})]:
        for method in ("GET", "POST"):
            args = beginning(**more)
            if method == "GET":
                answer = browser.get("/hub/lti13/oauth_login?" + urllib.parse.urlencode(args), follow=False)
            else:
                answer = browser.post("/hub/lti13/oauth_login", args, follow=False)
            equal((more, answer.status), (more, status), "status of a wrong beginning")
            claim("evil" not in answer.text, "the page repeats what came: %s" % answer.text[:1500])
    twice = urllib.parse.urlencode(beginning()) + "&iss=" + urllib.parse.quote("https://evil.example", "")
    equal(browser.get("/hub/lti13/oauth_login?" + twice, follow=False).status, 403, "two issuers")
    equal([n for n, _ in browser.jar if n.startswith("carrel-trip-")], [], "trips that were begun")


def keys_rotate():
    p = story.platform
    old, asked = p.key, p.keys_asked
    p.key = Key("p2")
    p.published = [old, p.key]
    alice = Browser(story.carrel.url)
    try:
        # within a minute of the last time the keys are not asked for again
        answer = post(alice, leave(alice))
        claim(answer.status in (302, 403), "with a new key: %d" % answer.status)
        story.carrel.end("hub")
        story.carrel.begin("hub")
        answer = post(alice, leave(alice))
        equal(answer.status, 302, "with a new key that is published")
        claim(p.keys_asked > asked, "the keys were not asked for")
        p.published = [p.key]
        p.key = old
        refused("a key that is not published", "was asked a moment ago", change=Key("p3").sign)
    finally:
        p.key, p.published = old, [old]
        story.carrel.end("hub")
        story.carrel.begin("hub")


def name_of_another():
    """Who came with a name first keeps it: the platform's word for a person is iss and sub."""
    refused("another person of the same name", "the name is another account's", {"sub": "u-2"})


def roles_and_administrators():
    def launch(roles):
        with_person({CLAIM + "roles": roles})
        alice = Browser(story.carrel.url)
        answer = post(alice, leave(alice))
        with_person()
        equal(answer.status, 302, "status")
        return who(alice)
    system = "http://purl.imsglobal.org/vocab/lis/v2/system/person#SysAdmin"
    me = launch([MEMBERSHIP + "#Administrator", system, MEMBERSHIP + "#Instructor"])
    equal(me["admin"], False, "an administrator there is one here")
    equal(sorted(g for g in me["groups"] if "course" not in g),
          ["moodle:administrator", "moodle:instructor", "moodle:system:sysadmin"], "groups")
    me = launch([MEMBERSHIP + "#Staff"])
    equal(me["admin"], True, "with a role that admin_groups names")
    equal(launch([MEMBERSHIP + "#Learner"])["admin"], False, "without it again")


def registration():
    browser = Browser(story.carrel.url)
    tool = browser.get("/hub/lti13/config").json()
    equal(tool["oidc_initiation_url"], story.hub + "lti13/oauth_login", "where logins begin")
    equal(tool["redirect_uris"], [story.hub + "lti13/oauth_callback"], "where launches go")
    equal((tool["title"], tool["target_link_uri"]), ("Notebooks of the campus", story.hub), "title and target")
    equal(tool["extensions"][0]["settings"]["placements"][0]["windowTarget"], "_blank", "the window")
    equal(browser.get("/hub/lti13/jwks").json(), {"keys": []}, "our keys")


def not_on_the_login_page():
    browser = Browser(story.carrel.url)
    page = browser.get("/hub/login")
    claim("oauth_login" not in page.text, "there is a button for a platform: %s" % page.text[:1500])
    equal(browser.get("/hub/oauth_login/moodle").status, 404, "leaving for it from here")


def not_by_script():
    mallory = Browser(story.carrel.url)
    form = leave(mallory)
    answer = mallory.post(form[0], form[1], follow=False,
                          headers={"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"})
    equal(answer.status, 403, "a launch that a script of another site posts")


def framed():
    """A page that other sites may frame has nothing of a person, and sets nothing."""
    inside = {"Sec-Fetch-Dest": "iframe", **CROSS_SITE}
    alice = Browser(story.carrel.url)
    post(alice, leave(alice))
    again = "/hub/lti13/oauth_login?" + urllib.parse.urlencode(beginning())
    for method, path, form in [("GET", again, None), ("POST", "/hub/lti13/oauth_login", beginning()),
                               ("POST", "/hub/lti13/oauth_callback", {"id_token": "x"}),
                               ("POST", "/hub/lti/launch", {"user_id": "1"})]:
        answer = alice.get(path, headers=inside) if form is None else alice.post(path, form, headers=inside)
        equal((method, path[:25], answer.status), (method, path[:25], 200), "status in a frame")
        claim("frame-ancestors *" in answer.headers["Content-Security-Policy"] and
              not answer.headers["X-Frame-Options"], "it cannot be framed: %s" % answer.headers)
        claim("alice" not in answer.text and "logout" not in answer.text, "the page knows somebody: %s" % answer.text)
        equal(answer.headers.get_all("Set-Cookie"), None, "cookies of a page in a frame")
        shown = 'href="%s" target="_blank"' % html.escape(again)
        equal("oauth_login" in path, shown in answer.text, "a link to a new window: %s" % answer.text)
    for headers in ({}, {"Sec-Fetch-Dest": "document"}):
        answer = alice.get("/hub/home", headers=headers)
        equal(answer.headers["X-Frame-Options"], "DENY", "other pages in frames")


# ---- LTI 1.1

FIELDS = {"lti_message_type": "basic-lti-launch-request", "lti_version": "LTI-1p0", "user_id": "77",
          "resource_link_id": "r 1", "lis_person_sourcedid": "bob", "lis_person_name_full": "Böb & Söhne+",
          "lis_person_contact_email_primary": "bob@uni.example", "context_id": "k7", "oauth_callback": "about:blank",
          "roles": "Learner,urn:lti:role:ims/lis/Instructor/TeachingAssistant, urn:lti:sysrole:ims/lis/User",
          "empty": "", "custom_x": "a=b&c%20d~"}


def launch_url(query=""):
    return story.hub + "lti/launch" + query


def launch(browser, fields, query=""):
    return browser.post("/hub/lti/launch" + query, fields, follow=False, headers=CROSS_SITE)


def old_whole_way():
    bob = Browser(story.carrel.url)
    answer = launch(bob, signed(launch_url(), FIELDS))
    equal((answer.status, answer.location()), (302, "/hub/home"), "where a launch leads")
    me = who(bob)
    equal((me["name"], me["admin"]), ("old-bob", False), "who came in")
    equal(sorted(me["groups"]), ["old:course:k7", "old:course:k7:instructor-teachingassistant",
                                 "old:course:k7:learner", "old:instructor-teachingassistant", "old:learner",
                                 "old:system:user"], "groups")


def old_to_the_assignment():
    for query, more, wanted in [
            ("", {"custom_next": "/hub/user-redirect/lab/tree/a1.ipynb"}, "/hub/user-redirect/lab/tree/a1.ipynb"),
            ("?next=%2Fhub%2Fuser-redirect%2Flab&b=1", {}, "/hub/user-redirect/lab"),
            ("", {"custom_next": "https://evil.example/"}, "/hub/home"),
            ("?next=%2F%2Fevil.example", {}, "/hub/home")]:
        bob = Browser(story.carrel.url)
        # the library puts the query's fields into the signature, the body is the form's
        fields = signed(launch_url(query), dict(FIELDS, **more))
        answer = launch(bob, fields, query)
        equal((answer.status, answer.location()), (302, wanted), "where %r %r leads" % (query, more))


def old_registration():
    """As a platform reads it: by a parser of XML."""
    answer = Browser(story.carrel.url).get("/hub/lti11/config")
    equal((answer.status, answer.headers["Content-Type"].split(";")[0]), (200, "application/xml"), "the answer")
    claim(lms.SECRET not in answer.text and "course-key" not in answer.text, "a secret is shown")
    root = xml.etree.ElementTree.fromstring(answer.body)
    ims, blti = "{http://www.imsglobal.org/xsd/imslticc_v1p0}", "{http://www.imsglobal.org/xsd/imsbasiclti_v1p0}"
    equal(root.tag, ims + "cartridge_basiclti_link", "what it is")
    equal({e.tag[len(blti):]: e.text for e in root if e.tag != blti + "extensions"},
          {"title": 'Notebooks <b>&amp; "more" ]]> Ü', "description": "Notebooks in the browser",
           "icon": story.hub + "logo", "launch_url": launch_url()}, "what it says")
    cm = "{http://www.imsglobal.org/xsd/imslticm_v1p0}"
    options = root.find("%sextensions[@platform='canvas.instructure.com']/%soptions" % (blti, cm))
    equal((options.get("name"), options.find("%sproperty[@name='windowTarget']" % cm).text),
          ("course_navigation", "_blank"), "the window of Canvas")


def old_refused(what, fields, why, query=""):
    mallory, before = Browser(story.carrel.url), len(story.carrel.lines)
    answer = launch(mallory, fields, query)
    equal((what, answer.status), (what, 403), "status")
    equal((what, who(mallory)), (what, None), "who came in")
    if why:
        report.until("the log says why %s is refused: %s" % (what, why), 10,
                     lambda: why in "\n".join(story.carrel.lines[before:]))


def old_not_signed():
    good = signed(launch_url(), FIELDS)
    wrong = "its signature is wrong"
    old_refused("no signature", {k: v for k, v in good.items() if k != "oauth_signature"}, "no oauth_signature")
    old_refused("an empty one", dict(good, oauth_signature=""), "no oauth_signature")
    old_refused("a wrong one", dict(good, oauth_signature="A" * 27 + "="), wrong)
    old_refused("another name", dict(good, lis_person_sourcedid="alice"), wrong)
    old_refused("more fields", dict(good, custom_next="/hub/admin"), wrong)
    old_refused("a query", good, wrong, "?next=/hub/admin")
    old_refused("another secret", signed(launch_url(), FIELDS, secret="x" * 32), wrong)
    old_refused("an empty secret", signed(launch_url(), FIELDS, secret=""), wrong)
    old_refused("another consumer", signed(launch_url(), FIELDS, key="other"), None)
    old_refused("for another address", signed(launch_url().replace("/hub/", "/evil/"), FIELDS), wrong)
    old_refused("for the Host that it comes with", signed("http://evil.example/hub/lti/launch", FIELDS), wrong)
    old_refused("PLAINTEXT", signed(launch_url(), FIELDS, signature_method="PLAINTEXT"), "HMAC-SHA1")
    old_refused("a method that is none", dict(good, oauth_signature_method="none"), "HMAC-SHA1")
    old_refused("another message", signed(launch_url(), dict(FIELDS, lti_message_type="x")), "basic-lti-launch")
    old_refused("nobody", signed(launch_url(), dict(FIELDS, user_id="")), "user_id")
    old_refused("no name", signed(launch_url(), dict(FIELDS, lis_person_sourcedid="")), "username_key")


def old_replayed():
    """CVE-2026-34052: nonces were kept for ever, and before the signature was looked at."""
    bob, fields = Browser(story.carrel.url), signed(launch_url(), FIELDS)
    # one that is not signed does not use the nonce up
    old_refused("with a wrong signature", dict(fields, oauth_signature="A" * 27 + "="), "its signature is wrong")
    equal(launch(bob, fields).status, 302, "the first time")
    old_refused("the same again", fields, "it was used before")
    now = int(time.time())
    for off in (-300, 300):
        old_refused("%d s off" % off, signed(launch_url(), FIELDS, timestamp=str(now + off)), "s off")
    for stamp in ("", "x", "-1", "1e9", "99999999999999999999"):
        old_refused("the time %r" % stamp, signed(launch_url(), FIELDS, timestamp=stamp or " "), "oauth_timestamp"
                    if stamp != "x" else None)
    # a restart forgets nonces, and therefore what was signed before it
    fields = signed(launch_url(), FIELDS, timestamp=str(int(time.time()) - 20))
    story.carrel.end("hub")
    story.carrel.begin("hub")
    old_refused("signed before a restart", fields, "before the hub was started")


def old_name_of_another():
    old_refused("another person of the same name", signed(launch_url(), dict(FIELDS, user_id="78")),
                "the name is another account's")


def nothing_secret():
    log = "\n".join(story.carrel.lines)
    for secret in (lms.SECRET, "id_token=", "carrel-trip-", "eyJ", "oauth_signature=", "login_hint=", "bob@uni"):
        claim(secret not in log, "the log has %s" % secret)


story = lms.World()
try:
    report.run([
        ("somebody comes from a course (1.3)", whole_way),
        ("what the platform is asked", what_the_platform_is_asked),
        ("a launch leads to the assignment, and only here", to_the_assignment),
        ("a launch that is not signed (CVE-2023-25574)", not_signed),
        ("a launch that is not for us", not_for_us),
        ("a launch counts once", replayed),
        ("a launch counts in the browser that began it", another_browser),
        ("a beginning that is none", begun_wrongly),
        ("keys that change", keys_rotate),
        ("a name stays its first owner's", name_of_another),
        ("administrators by admin_groups only", roles_and_administrators),
        ("what platforms are told", registration),
        ("platforms are not on the login page", not_on_the_login_page),
        ("launches are navigations", not_by_script),
        ("inside a frame there is a way out", framed),
        ("somebody comes from a course (1.1)", old_whole_way),
        ("what platforms are told (1.1)", old_registration),
        ("a launch leads to the assignment, and only here (1.1)", old_to_the_assignment),
        ("a launch that is not signed (1.1)", old_not_signed),
        ("a launch counts once (1.1, CVE-2026-34052)", old_replayed),
        ("a name stays its first owner's (1.1)", old_name_of_another),
        ("nothing secret is logged", nothing_secret),
    ], on_failure=lambda: story.carrel.print_lines(30))
finally:
    story.end()
report.finish()
