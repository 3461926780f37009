"""What a test program prints: `group: NAME`, then a line per test."""
import os
import sys
import time
import traceback

_failed = 0


def group(*names):
    print("group: " + " ".join(names), flush=True)


def ok(name):
    print("ok " + name, flush=True)


def not_ok(name, reason):
    global _failed
    _failed += 1
    print("not ok %s: %s" % (name, str(reason).replace("\n", " | ")), flush=True)


def skip(name, reason):
    print("skip %s: %s" % (name, reason), flush=True)


class Failure(Exception):
    """A claim that does not hold; the text says what was seen instead."""


def claim(truth, text):
    if not truth:
        raise Failure(text)


def equal(seen, wanted, what):
    claim(seen == wanted, "%s: wanted %r, saw %r" % (what, wanted, seen))


def until(what, seconds, ask, pause=0.05):
    """Ask again and again until the answer is true; the last one is returned."""
    end = time.monotonic() + seconds
    while True:
        answer = ask()
        if answer:
            return answer
        if time.monotonic() > end:
            raise Failure("%s did not come about within %g s" % (what, seconds))
        time.sleep(pause)


def run(tests, on_failure=None):
    """Each test is (name, function). A failure prints what `on_failure` says."""
    for name, test in tests:
        try:
            test()
            ok(name)
        except Failure as e:
            not_ok(name, e)
        except Exception as e:  # a test's own mistake is a failure too
            traceback.print_exc()
            not_ok(name, "%s: %s" % (type(e).__name__, e))
        else:
            continue
        if on_failure:
            on_failure()


def finish():
    sys.exit(1 if _failed else 0)


def bin_dir():
    here = os.path.dirname(os.path.abspath(__file__))
    return os.environ.get("CARREL_BIN", os.path.join(here, "../../build/bin"))


def source_dir():
    return os.path.abspath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "../.."))
