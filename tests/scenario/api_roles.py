#!/usr/bin/python3
"""Roles and groups of the configuration: what they permit, what they never do, and that what is stale goes."""
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
import report
from report import bin_dir, claim, equal
from rest import Caller, begin_hub, end_hub

report.group("api-roles")
ROLES = """\
  allowed_users: [Listed, blocked]
  blocked_users: [blocked]
  load_groups:
    helpers: [helper]
    course:
      users: [pupil, Teacher]
      properties: {year: 2026, open: true, tags: [a, "1"]}
  load_roles:
    - name: clerk
      description: Keeps the list of users.
      scopes: [admin:users, tokens, admin:groups]
      users: [clerk]
    - name: teaching
      scopes: [list:users!group=course, read:users!group=course, servers!group=course]
      users: [teacher]
    - name: helping
      scopes: [list:users, read:users:activity]
      groups: [helpers]
"""
carrel = begin_hub(ROLES)
PLAIN = open(carrel.dir + "/carrel.yaml").read()[:-len(ROLES)]


def names(answer):
    return [u["name"] for u in answer.json()]


def begin():
    global boss, clerk, teacher, pupil, helper
    boss, clerk, teacher, pupil, helper = (Caller(carrel, n) for n in ("boss", "clerk", "teacher", "pupil", "helper"))


def configured():
    equal(boss.ok(200, "GET", "/users/clerk").json()["roles"], ["user", "clerk"], "roles of a user")
    equal(boss.ok(200, "GET", "/users/helper").json()["roles"], ["user"], "roles of a group are not the user's")
    group = boss.ok(200, "GET", "/groups/helpers").json()
    equal((group["users"], group["roles"]), (["helper"], ["helping"]), "a group and its roles")
    equal(boss.ok(200, "GET", "/groups/course").json()["properties"],
          {"year": 2026, "open": True, "tags": ["a", "1"]}, "properties")


def listed():
    """Scripts and groups can name people of the lists before their first login."""
    seen = boss.ok(200, "GET", "/users/listed").json()
    equal((seen["name"], seen["admin"], seen["last_activity"]), ("listed", False, None), "who never came")
    boss.no(404, None, "GET", "/users/blocked")


def permits():
    equal(names(teacher.ok(200, "GET", "/users?sort=name")), ["pupil", "teacher"], "whom a teacher sees")
    teacher.ok(200, "GET", "/users/pupil")
    teacher.no(404, None, "GET", "/users/boss")
    teacher.no(403, None, "POST", "/users/x")
    equal(teacher.call("POST", "/users/pupil/server").status, 201, "a teacher starts a pupil's server")
    equal(teacher.call("DELETE", "/users/pupil/server").status, 204, "and stops it")
    teacher.no(404, None, "POST", "/users/boss/server")
    pupil.no(403, None, "GET", "/users")
    claim("boss" in names(helper.ok(200, "GET", "/users")), "a role by the group")
    boss.ok(200, "DELETE", "/groups/helpers/users", {"users": ["helper"]})
    helper.no(403, None, "GET", "/users")
    boss.ok(200, "POST", "/groups/helpers/users", {"users": ["helper"]})
    token = helper.token_of("helper")
    token.ok(200, "GET", "/users")
    boss.ok(200, "DELETE", "/groups/helpers/users", {"users": ["helper"]})
    token.no(403, None, "GET", "/users")
    made = boss.ok(201, "POST", "/users/teacher/tokens", {"roles": ["teaching"]}).json()
    claim("list:users!group=course" in made["scopes"], "a token by a role: %r" % made["scopes"])
    pupil_asks = pupil.call("POST", "/users/pupil/tokens", {"roles": ["teaching"]})
    equal(pupil_asks.status, 400, "a role that one does not hold")


def only_admins_touch_admins():
    """The clerk may do everything with users, and is none."""
    clerk.ok(201, "POST", "/users/new")
    clerk.no(403, "Only admins can grant admin permissions", "POST", "/users/king", {"admin": True})
    clerk.no(403, "Only admins can grant admin permissions", "POST", "/users", {"usernames": ["king"], "admin": True})
    clerk.no(403, "Only admins can grant admin permissions", "PATCH", "/users/new", {"admin": True})
    clerk.no(403, "Only admins can grant admin permissions", "PATCH", "/users/clerk", {"admin": True})
    for body in ({"admin": False}, {"name": "bossy"}, {"admin": True}):
        clerk.no(403, "Only admins can modify other admins", "PATCH", "/users/boss", body)
    clerk.no(403, "Only admins can delete other admins", "DELETE", "/users/boss")
    clerk.no(403, "Only admins can change tokens of other admins", "POST", "/users/boss/tokens")
    token = boss.token_of("boss")
    clerk.no(403, "Only admins can change tokens of other admins", "DELETE", "/users/boss/tokens/" + token.id)
    token.ok(200, "GET", "/user")
    boss.no(404, None, "GET", "/users/king")
    clerk.ok(201, "POST", "/users/new/tokens")
    clerk.ok(204, "DELETE", "/users/new")
    clerk.no(400, "Cannot delete yourself!", "DELETE", "/users/clerk")


def begin_with(text):
    carrel.end("hub")
    with open(carrel.dir + "/carrel.yaml", "w") as f:
        f.write(PLAIN + text)
    carrel.begin("hub")


def stale():
    boss.ok(200, "POST", "/groups/helpers/users", {"users": ["helper"]})
    token = clerk.token_of("clerk", scopes=["list:users"])
    begin_with("""\
  load_groups:
    course: {properties: {}}
  load_roles:
    - name: helping
      scopes: [read:users:name]
      users: [pupil]
    - {name: user, scopes: [self, read:hub]}
""")
    equal(boss.ok(200, "GET", "/users/clerk").json()["roles"], ["user"], "a role that is gone")
    token.no(403, None, "GET", "/users")
    clerk.no(403, None, "GET", "/users")
    equal(boss.ok(200, "GET", "/groups/helpers").json()["roles"], [], "a role that the group has no longer")
    course = boss.ok(200, "GET", "/groups/course").json()
    equal((course["users"], course["properties"]), (["pupil", "teacher"], {}), "members stay, properties are replaced")
    pupil.ok(200, "GET", "/users/boss")
    claim("read:hub" in pupil.ok(200, "GET", "/user").json()["scopes"], "the default role was changed")
    begin_with("  load_roles: [{name: admin, users: [pupil]}]\n")
    claim(pupil.ok(200, "GET", "/user").json()["admin"], "an administrator by the role")
    claim(boss.ok(200, "GET", "/user").json()["admin"], "auth.admin_users stay")
    begin_with("  load_roles: [{name: admin, users: []}]\n")
    claim(not pupil.ok(200, "GET", "/user").json()["admin"], "and no longer")
    begin_with("  load_roles: [{name: admin, groups: [course]}]\n")
    claim("admin-ui" in pupil.ok(200, "GET", "/user").json()["scopes"], "what administrators may, by a group")
    begin_with("")
    claim("admin-ui" not in pupil.ok(200, "GET", "/user").json()["scopes"], "and no longer")
    claim("read:hub" not in pupil.ok(200, "GET", "/user").json()["scopes"], "the default role is the default again")


def check(text):
    path = carrel.dir + "/wrong.yaml"
    with open(path, "w") as f:
        f.write(PLAIN + text)
    os.chmod(path, 0o644)
    return subprocess.run([os.path.join(bin_dir(), "carrel-hub"), "--check", "--config", path],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=20)


def mistakes():
    """Each is named with its place, and the hub does not start."""
    for text, says in (
            ("  load_roles: {a: b}\n", "auth.load_roles: must be a list"),
            ("  load_roles:\n    - {name: x}\n", "must be text of 3 to 255"),
            ("  load_roles:\n    - {name: Clerk}\n", "name has 3 to 255"),
            ("  load_roles:\n    - {scopes: []}\n", "name has 3 to 255"),
            ("  load_roles:\n    - {name: one1, scopes: [read:all]}\n", "unknown scope: read:all"),
            ("  load_roles:\n    - {name: one1, users: [a/b]}\n", "users"),
            ("  load_roles:\n    - {name: one1, members: [a]}\n", "members"),
            ("  load_roles:\n    - {name: one1}\n    - {name: one1}\n", "stands here twice"),
            ("  load_roles:\n    - {name: admin, scopes: [self]}\n", "scopes and the description of this role are fixed"),
            ("  load_roles:\n    - {name: one1, scopes: ['custom:x:y']}\n", "unknown scope: custom:x:y"),
            ("  custom_scopes: [a]\n", "must be a map of names"),
            ("  custom_scopes: {'custom:x:y': {}}\n", "custom:x:y: a scope needs a description"),
            ("  custom_scopes: {'custom:x:y': text}\n", "must be a map with description"),
            ("  custom_scopes: {'custom:x:Y': {description: d}}\n", "a scope's name is custom:"),
            ("  custom_scopes: {'grades': {description: d}}\n", "a scope's name is custom:"),
            ("  custom_scopes: {'custom:x:y': {description: d, subscopes: [users]}}\n", "subscope users is not defined"),
            ("  load_groups: [a]\n", "auth.load_groups: must be a map"),
            ("  load_groups: {a: {properties: [1]}}\n", "properties: must be a map"),
            ("  load_groups: {a: [[b]]}\n", "must be a list of names"),
            ("  manage_groups: true\n  load_groups: {a: [b]}\n", "auth.manage_groups"),
            ("  load_roles:\n    - {name: admin, description: Me}\n", "scopes and the description of this role are fixed")):
        r = check(text)
        equal(r.returncode, 78, "--check of %r: %s" % (text, r.stdout))
        claim(says in r.stdout and "wrong.yaml:" in r.stdout, "--check of %r says %s" % (text, r.stdout))
    notes = check("  manage_groups: true\n  load_groups: {a: {properties: {b: 1}}}\n")
    equal(notes.returncode, 0, "notes on a group of the logins: %s" % notes.stdout)


report.run([("people log in", begin), ("roles and groups are as configured", configured),
            ("who is listed is known from the start", listed),
            ("roles permit what they say", permits), ("only administrators touch administrators (CVE-2024-41942)",
                                                      only_admins_touch_admins),
            ("what is stale goes at the next start", stale), ("mistakes are named", mistakes),
            ("the hub ends in order", lambda: end_hub(carrel))], carrel.print_lines)
carrel.clean()
report.finish()
