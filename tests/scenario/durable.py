#!/usr/bin/python3
"""No acknowledged write is ever lost: kill -9 of the hub in the midst of writes.

Writers make and undo users, groups and tokens over REST without a pause; the hub
is killed with SIGKILL at some moment and started again; then everything that was
answered is compared with what is there. A write whose answer did not come may
have happened or not, but nothing in between.

    DURABLE_ROUNDS=100 tests/scenario/durable.py
"""
# timeout: 240
import http.client
import json
import os
import random
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
import report
from report import claim, equal, until
from rest import Caller, begin_hub, end_hub

report.group("durable")
ROUNDS = int(os.environ.get("DURABLE_ROUNDS", "6"))
N_WRITERS = 4
ENOUGH = 40  # answers of a round before the hub is killed
seed = random.SystemRandom().getrandbits(32)
dice = random.Random(seed)
carrel = begin_hub()
boss = Caller(carrel, "boss").token_of("boss")


class Writer(threading.Thread):
    """One thread with one connection. `known` is what was answered; `unsure` names
    the thing whose answer did not come."""

    def __init__(self, number, round_number):
        super().__init__(daemon=True)
        self.prefix = "w%d-%d-" % (round_number, number)
        self.dice = random.Random(dice.random())
        self.known, self.unsure, self.wrong, self.n = {}, set(), None, 0
        self.stop = False

    def call(self, method, path, body=None):
        self.connection.request(method, "/hub/api" + path, json.dumps(body or {}),
                                {"Authorization": "token " + boss.token, "Content-Type": "application/json"})
        answer = self.connection.getresponse()
        text = answer.read()
        if answer.status in (502, 503):  # of the proxy: the hub did not answer
            raise OSError("the hub is away")
        claim(200 <= answer.status < 300, "%s %s answers %d %r" % (method, path, answer.status, text))
        return json.loads(text) if text else None

    def write(self, thing, wanted, *request):
        """`thing` is (kind, name); until the answer, nothing is known of it."""
        before = self.known.pop(thing, None)
        self.unsure.add(thing)
        answer = self.call(*request)
        self.unsure.discard(thing)
        self.known[thing] = wanted(answer) if callable(wanted) else wanted
        self.n += 1
        return before

    def deed(self, i):
        name = self.prefix + str(i)
        self.write(("user", name), True, "POST", "/users/" + name)
        self.write(("group", name), [name], "POST", "/groups/" + name, {"users": [name]})
        self.write(("token", name), lambda a: (a["token"], a["id"], True),
                   "POST", "/users/%s/tokens" % name, {"note": name})
        dice = self.dice.random()
        if dice < 0.3:
            self.write(("group", name), [], "DELETE", "/groups/%s/users" % name, {"users": [name]})
        if 0.2 < dice < 0.5:
            token, number, _ = self.known[("token", name)]
            self.write(("token", name), (token, number, False), "DELETE", "/users/%s/tokens/%s" % (name, number))
        if 0.6 < dice < 0.8:
            self.write(("group", name), None, "DELETE", "/groups/" + name)
        if dice > 0.9:
            for kind in ("token", "group"):  # they go with the user
                self.unsure.add((kind, name))
                self.known.pop((kind, name), None)
            self.write(("user", name), False, "DELETE", "/users/" + name)

    def run(self):
        # to the hub itself: the proxy would try again
        self.connection = http.client.HTTPConnection("127.0.0.1", carrel.hub_port, timeout=20)
        i = 0
        try:
            while not self.stop:
                self.deed(i)
                i += 1
        except (OSError, http.client.HTTPException):
            pass
        except report.Failure as e:
            self.wrong = e
        finally:
            self.connection.close()


def check(thing, wanted):
    kind, name = thing
    if kind == "user":
        equal(boss.call("GET", "/users/" + name).status, 200 if wanted else 404, "user " + name)
    elif kind == "group":
        answer = boss.call("GET", "/groups/" + name)
        equal(answer.json()["users"] if answer.status == 200 else None, wanted, "group " + name)
    else:
        token, number, is_there = wanted
        equal(Caller(carrel, token=token).call("GET", "/user").status, 200 if is_there else 403,
              "token %s of %s" % (number, name))


def check_unsure(thing):
    """Done or not done: a group that is there has its one member or, where the
    deletion of members was cut off, none."""
    kind, name = thing
    if kind == "user":
        claim(boss.call("GET", "/users/" + name).status in (200, 404), "user " + name)
    elif kind == "group":
        answer = boss.call("GET", "/groups/" + name)
        claim(answer.status == 404 or answer.json()["users"] in ([], [name]), "group %s: %s" % (name, answer.text))


def one_round(number):
    writers = [Writer(i, number) for i in range(N_WRITERS)]
    for w in writers:
        w.start()
    until("%d answers" % ENOUGH, 60, lambda: any(w.wrong for w in writers) or sum(w.n for w in writers) >= ENOUGH,
          pause=0.005)
    time.sleep(dice.random() * 0.05)  # anywhere in a request
    carrel.running["hub"].kill()
    carrel.running.pop("hub").wait()
    for w in writers:
        w.stop = True
        w.join(30)
        claim(not w.is_alive(), "a writer hangs")
        if w.wrong:
            raise w.wrong
    carrel.begin("hub")
    return compare(writers)


def compare(writers):
    n = 0
    for w in writers:
        for thing, wanted in w.known.items():
            check(thing, wanted)
            n += 1
        for thing in w.unsure:
            check_unsure(thing)
    return n


def killed_in_the_midst():
    n = sum(one_round(i) for i in range(ROUNDS))
    claim(n >= ROUNDS * ENOUGH // 4, "only %d things were compared" % n)
    print("%d rounds, %d things compared, seed %d" % (ROUNDS, n, seed))


def and_in_order():
    """The file is whole, and an orderly end loses nothing either."""
    writer = Writer(0, ROUNDS)
    writer.start()
    until("some answers", 60, lambda: writer.wrong or writer.n > 10, pause=0.005)
    equal(carrel.end("hub"), 0, "how the hub ends")
    writer.stop = True
    writer.join(30)
    if writer.wrong and "503" not in str(writer.wrong):
        raise writer.wrong
    carrel.begin("hub")
    compare([writer])


report.run([
    ("every answered write is there after kill -9 under load", killed_in_the_midst),
    ("and after an end in order", and_in_order),
    ("the hub ends in order", lambda: end_hub(carrel)),
], on_failure=carrel.print_lines)
report.finish()
