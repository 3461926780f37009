#!/usr/bin/python3
"""The hub about itself: what it is, the proxy's routes, and its end on request."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
import report
from report import claim, equal, until
from rest import Caller, begin_hub

report.group("api-hub")
carrel = begin_hub("server:\n  stop_grace: 1s\n")
ENVELOPE = {"Accept": "application/jupyterhub-pagination+json"}


def begin():
    global boss, alice
    boss, alice = Caller(carrel, "boss"), Caller(carrel, "alice")


def info():
    seen = boss.ok(200, "GET", "/info").json()
    equal(sorted(seen), ["authenticator", "python", "spawner", "sys_executable", "version"], "members")
    equal((seen["version"], seen["authenticator"]["class"]), ("6.0.0", "dummy"), "version and authenticator")
    flat = [seen["python"], seen["sys_executable"], *seen["spawner"].values(), *seen["authenticator"].values()]
    claim(all(isinstance(v, str) and v for v in flat), "all are texts: %r" % seen)
    alice.no(403, "Action is not authorized with current scopes; requires any of [read:hub]", "GET", "/info")


def routes():
    equal(alice.ok(201, "POST", "/users/alice/server").status, 201, "a start")
    seen = boss.ok(200, "GET", "/proxy").json()
    equal(sorted(seen), ["/", "/user/alice/"], "the routes")
    route = seen["/user/alice/"]
    equal((sorted(route), route["routespec"], route["data"]["user"], route["data"]["server_name"]),
          (["data", "routespec", "target"], "/user/alice/", "alice", ""), "a route")
    claim(route["target"].startswith("http://127.0.0.1:"), "its target: %r" % route)
    page = boss.ok(200, "GET", "/proxy?offset=1&limit=1", headers=ENVELOPE).json()
    equal((sorted(page["items"]), page["_pagination"]["total"], page["_pagination"]["next"]),
          (["/user/alice/"], 2, None), "a page")
    boss.no(400, None, "GET", "/proxy?limit=x")
    alice.no(403, None, "GET", "/proxy")
    boss.no(405, "Method Not Allowed", "DELETE", "/proxy")


def keys():
    return os.listdir(carrel.dir + "/run/servers")


def shutdown():
    alice.no(403, None, "POST", "/shutdown")
    for body in ({"servers": "yes"}, {"proxy": 2}, {"servers": None}, [True]):
        claim(boss.call("POST", "/shutdown", body).status == 400, "shutdown with %r" % body)
    boss.no(400, "proxy must be true or false, got something else", "POST", "/shutdown", {"proxy": "x"})
    equal(boss.ok(202, "POST", "/shutdown").json(), {"message": "Shutting down Hub"}, "what is said")
    equal(carrel.running.pop("hub").wait(10), 0, "the hub ends in order")
    equal(len(keys()), 1, "the servers that go on")
    carrel.begin("hub")
    until("the server is known again", 20,
          lambda: alice.ok(200, "GET", "/users/alice").json()["server"] == "/user/alice/")
    boss.ok(202, "POST", "/shutdown", {"servers": True, "proxy": False})
    equal(carrel.running.pop("hub").wait(30), 0, "the hub ends once the servers have")
    until("no server goes on", 10, lambda: keys() == [])


report.run([("people log in", begin), ("what it is", info), ("the proxy's routes", routes),
            ("it ends on request, with the servers or without", shutdown)], carrel.print_lines)
carrel.clean()
report.finish()
