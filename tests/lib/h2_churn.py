"""What browsers and strangers do over one connection of HTTP/2, picked by a seed:
for tests/scenario/soak.py, beside the deeds of churn.py."""
from h2_client import CALM, CANCEL, Client
from report import claim, equal


def requests(c, rng):
    """Many at once, of which one goes to the target: its connection is kept for a while."""
    streams = [c.open(c.fields("/_chp_healthz" if i else "/echo")) for i in range(rng.randrange(1, 60))]
    for stream in streams:
        equal(c.wait(stream).status, 200, "one of many")


def bodies(c, rng):
    data = rng.randbytes(rng.choice((0, 1, 5000, 300000)))
    more = [("content-length", str(len(data)))] if rng.random() < 0.5 else []
    answer = c.ask("/echo", method="POST", body=data, more=more)
    claim(answer.status == 200 and answer.body == data, "%d bytes: %r" % (len(data), answer.status))


def websocket(c, rng):
    stream = c.open([(":method", "CONNECT"), (":protocol", "websocket"), (":scheme", "https"), (":authority", c.name),
                     (":path", "/ws")], end=False)
    data = rng.randbytes(rng.randrange(1, 100000))
    c.until(lambda: c.streams[stream].status)
    c.body(stream, data, end=False)
    c.until(lambda: len(c.streams[stream].body) >= len(data))
    equal(c.streams[stream].body, data, "the echo")
    if rng.random() < 0.5:
        c.h2.end_stream(stream)
        c.flush()
        claim(c.wait(stream).done, "an end")
    elif rng.random() < 0.5:
        c.h2.reset_stream(stream, CANCEL)
        c.flush()


def broken_off(c, rng):
    for _ in range(rng.randrange(1, 20)):
        stream = c.open(c.fields(rng.choice(("/big", "/die", "/echo")), "POST"), end=False)
        c.body(stream, b"x" * rng.randrange(1, 20000), end=False)
        if rng.random() < 0.8:
            c.h2.reset_stream(stream, CANCEL)
    c.flush()


def errors(c, rng):
    equal(c.ask("/dead/x").status, 503, "a dead target")
    equal(c.ask("/x", more=[("x", "y" * 70000)]).status, 431, "a long head")
    answer = c.ask("/x y")
    claim(answer.status == 400 or answer.reset is not None, "a bad path: %r" % answer.status)


def flood(c, rng):
    try:
        for _ in range(30):
            c.raw(c.frame(6, 0, 0, b"12345678") * 50)
    except OSError:
        pass
    equal(c.end_reason(), CALM, "too many PINGs")


DEEDS = (requests, bodies, websocket, broken_off, errors)


def deed(port, ca, rng):
    c = Client(port, ca)
    for _ in range(rng.randrange(1, 4)):
        rng.choice(DEEDS)(c, rng)
    if rng.random() < 0.1:
        flood(c, rng)
    c.close()
