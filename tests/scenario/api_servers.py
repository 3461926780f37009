#!/usr/bin/python3
"""Named servers over REST: made, started, changed, renamed, stopped, removed."""
import http.client
import json
import os
import signal
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
import report
from report import claim, equal, until
from rest import Caller, begin_hub, end_hub

report.group("api-servers")
carrel = begin_hub("server:\n  allow_named_servers: true\n  named_server_limit: 3\n  stop_grace: 2s\n")
NAMES = "/users/alice/servers/"


def begin():
    global boss, alice
    boss, alice = Caller(carrel, "boss"), Caller(carrel, "alice")


def servers():
    return alice.ok(200, "GET", "/users/alice?include_stopped_servers").json()["servers"]


def made():
    lab = alice.ok(201, "PUT", NAMES + "lab", {"display_name": "My Läb 1", "user_options": {"a": 1}}).json()
    equal((lab["name"], lab["display_name"], lab["user_options"], lab["stopped"], lab["full_name"], lab["url"]),
          ("lab", "My Läb 1", {"a": 1}, True, "alice/lab", "/user/alice/lab/"), "a new server")
    equal(lab["progress_url"], "/hub/api/users/alice/servers/lab/progress", "where its progress is told")
    alice.no(409, "User alice already has a server named lab", "PUT", NAMES + "lab")
    alice.no(409, "User alice already has a default server", "PUT", NAMES)
    alice.no(409, "User alice already has a default server", "PUT", "/users/alice/server")
    equal(alice.ok(201, "PUT", NAMES + "bare", {"image": "x"}).json()["user_options"], {"image": "x"}, "a bare body")
    equal(servers()["bare"]["display_name"], None, "nobody gave it a display name")
    equal(sorted(servers()), ["", "bare", "lab"], "all of them")
    equal(alice.ok(200, "GET", "/users/alice").json()["servers"], {}, "at rest they are not shown")
    equal(alice.ok(200, "GET", "/users/alice/server").json()["stopped"], True, "there is always a default server")


def refused():
    for name in ("Lab", "1a", "a--b", "-a", "a-", "a" * 31, "a_b", "a%20b", "%C3%A4", "a%2Fb"):
        for method in ("PUT", "POST"):
            answer = alice.call(method, NAMES + name)
            claim(answer.status == 400 and answer.json()["message"].startswith("Invalid server_name: "),
                  "%s %s: %d %s" % (method, name, answer.status, answer.text))
    for display in ("", " a", "a ", "a  b", "a\tb", "a\u200bb", "x" * 256, "a\u00a0b"):
        answer = alice.call("PUT", NAMES + "new", {"display_name": display})
        claim(answer.status == 400 and answer.json()["message"].startswith("Invalid display_name: "),
              "display name %r: %d %s" % (display, answer.status, answer.text))
    for body, says in (([], "Body must be a JSON object"), ({"display_name": 1}, "display_name must be a string"),
                       ({"user_options": [1]}, "user_options must be an object or null")):
        for method in ("PUT", "POST"):
            alice.no(400, says, method, NAMES + "new", body)
    claim("new" not in servers(), "what was refused is there")
    alice.ok(201, "PUT", NAMES + "third")
    for method in ("PUT", "POST"):
        alice.no(400, "User alice already has the maximum of 3 named servers.  One must be deleted before a new "
                 "server can be created", method, NAMES + "fourth")
    alice.no(404, "alice has no server named 'fourth'", "GET", NAMES + "fourth")
    alice.no(404, "alice has no server named 'fourth'", "DELETE", NAMES + "fourth")
    alice.no(404, "alice has no server named 'fourth'", "PATCH", NAMES + "fourth", {"display_name": "x"})
    alice.no(400, "Cannot delete the default server", "DELETE", "/users/alice/server", {"remove": True})
    claim(alice.call("DELETE", NAMES + "third", {"remove": "yes"}).status == 400, "remove is a boolean")
    alice.no(400, "Body must be a JSON object", "DELETE", NAMES + "third", ["remove"])
    alice.no(404, None, "PUT", "/users/boss/servers/x")


def changed():
    lab = alice.ok(200, "PATCH", NAMES + "lab", {"display_name": "Other"}).json()
    equal((lab["display_name"], lab["user_options"]), ("Other", {"a": 1}), "what is not named stays")
    equal(alice.ok(200, "PATCH", NAMES + "lab", {"user_options": {}}).json()["user_options"], {}, "options")
    equal(alice.ok(200, "PATCH", NAMES + "bare", {"name": "bare2"}).json()["name"], "bare2", "a new name")
    claim("bare" not in servers() and "bare2" in servers(), "and the old one is gone")
    equal(alice.ok(200, "PATCH", "/users/alice/server", {"display_name": "Main"}).json()["display_name"], "Main",
          "the default server")
    alice.no(409, "User alice already has a server named lab", "PATCH", NAMES + "third", {"name": "lab"})
    says = "Must specify at least one of name, display_name, user_options"
    for body in (None, {}):
        alice.no(400, says, "PATCH", NAMES + "lab", body)
    alice.no(400, "Invalid JSON keys: port", "PATCH", NAMES + "lab", {"port": 1})
    alice.no(400, "server.name must be a string, not: a number", "PATCH", NAMES + "lab", {"name": 1})
    for body in ({"name": ""}, {"name": "A"}, {"display_name": " "}, {"user_options": None}, {"user_options": 1}, [1]):
        claim(alice.call("PATCH", NAMES + "lab", body).status == 400, "PATCH with %r" % body)
    claim(alice.call("PATCH", "/users/alice/server", {"name": "x"}).status == 400, "the default server has no name")


def runs():
    equal(alice.ok(201, "POST", NAMES + "lab").body, b"", "body of a start")
    lab = alice.ok(200, "GET", NAMES + "lab").json()
    equal((lab["ready"], lab["pending"], lab["stopped"], lab["display_name"]), (True, None, False, "Other"), "it runs")
    alice.no(400, "alice:lab is already running", "POST", NAMES + "lab")
    alice.no(400, "alice:lab is active. Please stop it before modifying it.", "PATCH", NAMES + "lab", {"name": "x"})
    equal(alice.ok(200, "GET", "/users/alice").json()["server"], None, "a named one is not the default one")
    claim(boss.ok(200, "GET", NAMES + "lab").json()["state"] == {}, "an administrator sees the state")
    claim("state" not in lab, "its owner does not")
    equal(alice.ok(204, "DELETE", NAMES + "lab").body, b"", "body of a stop")
    claim(servers()["lab"]["stopped"], "it is at rest")
    alice.ok(204, "DELETE", NAMES + "lab")
    alice.ok(201, "POST", NAMES + "lab", {"display_name": "Again", "user_options": None})
    equal(alice.ok(200, "GET", NAMES + "lab").json()["display_name"], "Again", "a display name with the start")


def removed():
    alice.ok(204, "DELETE", NAMES + "lab", {"remove": True})
    alice.no(404, None, "GET", NAMES + "lab")
    alice.ok(204, "DELETE", NAMES + "third", {"remove": True})
    equal(sorted(servers()), ["", "bare2"], "what is left")
    alice.ok(201, "POST", NAMES + "quick")
    equal(alice.call("DELETE", NAMES + "quick", {"remove": True}).status, 204, "stopped and removed")
    until("it is gone", 10, lambda: "quick" not in servers())
    alice.ok(201, "POST", NAMES + "quick")
    alice.ok(204, "DELETE", NAMES + "quick")


def removed_by_the_next_hub():
    """The hub ends while a server that is to be removed still stops."""
    alice.ok(201, "POST", NAMES + "slow")
    token = alice.token_of("alice").token
    spawner = carrel.running["spawner"]
    spawner.send_signal(signal.SIGSTOP)
    try:
        # Its answer is lost with the hub.
        c = http.client.HTTPConnection("127.0.0.1", carrel.hub_port, timeout=60)
        c.request("DELETE", "/hub/api" + NAMES + "slow", json.dumps({"remove": True}),
                  {"Authorization": "token " + token, "Content-Type": "application/json"})
        until("it stops", 20, lambda: servers()["slow"]["pending"] == "stop")
        carrel.end("hub", signal.SIGKILL)
        c.close()
    finally:
        spawner.send_signal(signal.SIGCONT)
    carrel.begin("hub")
    until("it is gone", 20, lambda: "slow" not in servers())


def off():
    carrel.end("hub")
    path = carrel.dir + "/carrel.yaml"
    with open(path) as f:
        text = f.read().replace("allow_named_servers: true", "allow_named_servers: false")
    with open(path, "w") as f:
        f.write(text)
    carrel.begin("hub")
    until("the spawner is there", 20, lambda: boss.call("POST", "/users/boss/server").status == 201)
    for method in ("PUT", "POST", "PATCH", "DELETE"):
        alice.no(400, "Named servers are not enabled.", method, NAMES + "bare2", {"display_name": "x"})
    boss.ok(204, "DELETE", "/users/boss/server")


report.run([("people log in", begin), ("servers are made", made), ("or refused", refused), ("changed", changed),
            ("started and stopped", runs), ("removed", removed),
            ("removed by the hub that follows", removed_by_the_next_hub),
            ("and refused where they are off, in the API (GHSA-37w4-hwhx-4rc4)", off),
            ("the hub ends in order", lambda: end_hub(carrel))],
           carrel.print_lines)
carrel.clean()
report.finish()
