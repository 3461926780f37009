#!/usr/bin/python3
"""auth.blocked_users: whoever stands there has nothing left that opens anything, from the reload or the restart on."""
import os
import signal
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
import report
from report import claim, equal, until
from rest import Caller, begin_hub, end_hub

report.group("blocked")
LISTS = """\
  load_groups: {crew: [eve, mallory]}
  load_roles: [{name: clerk, scopes: ['list:users'], users: [eve, mallory]}]
"""
carrel = begin_hub(LISTS)
PATH = carrel.dir + "/carrel.yaml"
TEXT = open(PATH).read()


def write(blocked):
    with open(PATH, "w") as f:
        f.write(TEXT + "  blocked_users: [%s]\n" % blocked)


def by_reload():
    n = len([x for x in carrel.lines if "the configuration was read again" in x])
    carrel.running["hub"].send_signal(signal.SIGHUP)
    until("the configuration is read again", 20,
          lambda: len([x for x in carrel.lines if "the configuration was read again" in x]) > n)


def by_restart():
    carrel.end("hub")
    carrel.begin("hub")


def user(name):
    return boss.ok(200, "GET", "/users/" + name).json()


def begin():
    global boss, bystander
    boss = Caller(carrel, "boss")
    bystander = Caller(carrel, "ann").token_of("ann")


def block(name, again):
    person = Caller(carrel, name)
    token = person.token_of(name)
    boss.ok(200, "PATCH", "/users/" + name, {"admin": True})
    token.ok(200, "GET", "/users")
    equal(person.call("POST", "/users/%s/server" % name).status, 201, "a start")
    seen = user(name)
    equal((seen["admin"], seen["groups"], sorted(seen["roles"])), (True, ["crew"], ["admin", "clerk", "user"]), "before")
    write(name.capitalize())
    again()
    for caller in (person, token):
        for path in ("/user", "/users", "/users/" + name):
            caller.no(403, "Missing or invalid credentials.", "GET", path)
        caller.no(403, None, "POST", "/users/%s/server" % name)
    seen = user(name)
    equal((seen["admin"], seen["groups"], seen["roles"]), (False, [], ["user"]), "what is left")
    until("the server of %s stops" % name, 30, lambda: user(name)["servers"] == {})
    bystander.ok(200, "GET", "/user")
    made = boss.token_of(name)
    made.no(403, "Missing or invalid credentials.", "GET", "/user")
    claim(not any(token.token in line for line in carrel.lines), "a token was logged")


def blocked():
    block("eve", by_reload)


def blocked_by_a_restart():
    block("mallory", by_restart)


def unblocked():
    """What was taken is not given back by itself, but for what the configuration says."""
    write("nobody")
    by_restart()
    seen = user("eve")
    equal((seen["admin"], seen["groups"], seen["roles"]), (False, ["crew"], ["user", "clerk"]), "eve, after all")
    Caller(carrel, "eve").ok(200, "GET", "/user")


report.run([("people log in", begin), ("a reload blocks", blocked),
            ("a restart blocks", blocked_by_a_restart), ("who is taken off the list comes in", unblocked),
            ("the hub ends in order", lambda: end_hub(carrel))], carrel.print_lines)
carrel.clean()
report.finish()
