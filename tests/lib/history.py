"""Histories of a permission: who used it when and whether it passed, who granted and revoked it when.

Every use and every change is an interval, from the moment before it was sent to the moment when its answer was there. In
that interval, somewhere, it took effect. `check` says whether such moments exist for each use (that of a register which
several write at once): a use may see a change that overlaps with it or one that was answered before it began, but not one
behind which another change had begun and been answered before. So no request that begins after the answer to a
revocation passes, unless a grant may have come in between.
"""
import http.client
import random
import threading
import time

from report import claim, until


class Change:
    """granted, began, answered"""

    def __init__(self, granted, began, answered):
        self.granted, self.began, self.answered = granted, began, answered


def possible(changes, began, ended):
    """What a use in this interval may have seen: a set of True and False."""
    # The changes that are over; what began before the last of them to begin ended, is gone.
    over = [c for c in changes if c.answered < began]
    newest = max((c.began for c in over), default=None)
    return {c.granted for c in changes if c.began <= ended and (newest is None or c.answered >= newest)}


def check(what, uses, changes, passes):
    """`changes` begins with the state before everything; uses are (began, ended, status). How many uses had but one
    possible outcome: {True: n, False: n}."""
    judged = {True: 0, False: 0}
    for began, ended, status in uses:
        may = possible(changes, began, ended)
        if len(may) == 1:
            judged[may.copy().pop()] += 1
        claim((status in passes) in may, "%s: a use of %.3f ms was answered %d, and could only be %s%s" % (
            what, (ended - began) / 1e6, status, "let through" if True in may else "refused",
            "" if True in may else "; it began %.3f ms after the last revocation was answered" % min(
                (began - c.answered) / 1e6 for c in changes if c.answered < began)))
    return judged


class Uses:
    """Clients that ask the same again and again, each over one connection."""

    def __init__(self, port, n, target, headers, method="GET", body=None):
        self.port, self.request, self.seen, self.n = port, (method, target, body, headers), [], n
        self.lock, self.broken, self.stopped = threading.Lock(), None, False
        self.threads = [threading.Thread(target=self.run, daemon=True) for _ in range(n)]
        for t in self.threads:
            t.start()

    def run(self):
        try:
            c = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
            while not self.stopped:
                began = time.monotonic_ns()
                c.request(*self.request)
                r = c.getresponse()
                r.read()
                with self.lock:
                    self.seen.append((began, time.monotonic_ns(), r.status))
            c.close()
        except Exception as e:
            self.broken = e

    def more(self, n):
        """Until each of them could have done n more."""
        want = len(self.seen) + n * self.n
        until("%d more uses" % (n * self.n), 60, lambda: len(self.seen) >= want or self.broken, pause=0.002)
        claim(not self.broken, "a client broke: %r" % self.broken)

    def stop(self):
        self.stopped = True
        for t in self.threads:
            t.join(60)
        claim(not self.broken, "a client broke: %r" % self.broken)
        return self.seen


def change(granted, deed):
    began = time.monotonic_ns()
    deed()
    return Change(granted, began, time.monotonic_ns())


class Changers:
    """Several who grant and revoke the same at once, without asking each other."""

    def __init__(self, n, rounds, grant, revoke, seed, pause=None):
        self.seen, self.lock, self.broken = [], threading.Lock(), None
        self.threads = [threading.Thread(target=self.run, args=(rounds, grant, revoke, random.Random(seed * 31 + i), pause),
                                         daemon=True) for i in range(n)]
        for t in self.threads:
            t.start()

    def run(self, rounds, grant, revoke, dice, pause):
        try:
            for _ in range(rounds):
                granted = dice.random() < 0.5
                c = change(granted, grant if granted else revoke)
                with self.lock:
                    self.seen.append(c)
                if pause:
                    pause()
        except Exception as e:
            self.broken = e

    def wait(self):
        for t in self.threads:
            t.join(120)
            claim(not t.is_alive(), "a change hangs")
        claim(not self.broken, "a change broke: %r" % self.broken)
        return self.seen
