#!/usr/bin/python3
"""Whose address counts behind front ends on other machines: for the log, and for how often a login may be tried."""
import http.client
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
import report
from report import bin_dir, claim, equal, until
from rest import begin_hub, end_hub
from web import Browser

report.group("front-ends")
carrel = begin_hub("""\
  throttle: {failures_per_address: 1, first_wait: 5m, longest_wait: 1h}
""")
PATH = carrel.dir + "/carrel.yaml"
TEXT = open(PATH).read()


def come_in(name, password, lines):
    """A login by the form; the proxy believes the loopback address, so the headers reach the hub."""
    b = Browser(carrel.url)
    equal(b.request("GET", "/hub/login").status, 200, "the form")
    body = "username=%s&password=%s&_xsrf=%s" % (name, password, b.cookie("_xsrf"))
    c = http.client.HTTPConnection("127.0.0.1", carrel.port, timeout=60)
    c.putrequest("POST", "/hub/login")
    for field, value in [("Cookie", b.cookie_header("/hub/login")), ("Content-Length", str(len(body))),
                         ("Content-Type", "application/x-www-form-urlencoded")] + lines:
        c.putheader(field, value)
    c.endheaders(body.encode())
    status = c.getresponse().status
    c.close()
    return status


def address_of(name):
    line = until("the failure of %s is logged" % name, 20,
                 lambda: [x for x in list(carrel.lines) if 'login refused' in x and 'name="%s"' % name in x])[0]
    return line.split("from=")[1].split()[0]


def through(*lines):
    return [("X-Forwarded-For", line) for line in lines]


def is_seen_as(name, address, *lines, others=()):
    come_in(name, "wrong", through(*lines) + list(others))
    equal(address_of(name), address, "the address with %r" % (lines,))


def without_the_option():
    """What comes from an unknown machine is that machine's."""
    is_seen_as("one", "127.0.0.1")
    is_seen_as("two", "192.0.2.10", "198.51.100.1, 192.0.2.10")


def with_the_option():
    carrel.end("hub")
    with open(PATH, "w") as f:
        f.write(TEXT.replace("hub:\n", "hub:\n  trusted_proxies: [192.0.2.0/24, '2001:db8::/32']\n"))
    carrel.begin("hub")
    is_seen_as("three", "198.51.100.3", "198.51.100.3, 192.0.2.10")
    is_seen_as("four", "198.51.100.4", "203.0.113.9, 198.51.100.4:5001, [2001:db8::7]:80,192.0.2.11")
    is_seen_as("five", "192.0.2.12", "192.0.2.12, 192.0.2.13")
    is_seen_as("unknown", "192.0.2.14", "203.0.113.9, unknown, 192.0.2.14")
    equal(come_in("six", "x", through("198.51.100.3, 192.0.2.10")), 429, "one more from an address that failed")
    equal(come_in("seven", "x", through("198.51.100.5, 192.0.2.10")), 302, "another one by the same front end")


def in_several_lines():
    """Some front ends add a line of their own instead of a word."""
    is_seen_as("lines", "198.51.100.6", "203.0.113.9", "198.51.100.6", "192.0.2.10")


def other_headers():
    """X-Real-IP, Forwarded and X-Scheme say nothing, whoever sends them."""
    is_seen_as("eight", "198.51.100.8", "198.51.100.8", others=[
        ("X-Real-IP", "203.0.113.1"), ("Forwarded", "for=203.0.113.2;proto=https"), ("X-Scheme", "https")])


def mistakes():
    for text, says in (("[192.0.2.0/33]", "hub.trusted_proxies"), ("[front.example.org]", "front.example.org")):
        path = carrel.dir + "/wrong.yaml"
        with open(path, "w") as f:
            f.write(TEXT.replace("hub:\n", "hub:\n  trusted_proxies: %s\n" % text))
        r = subprocess.run([os.path.join(bin_dir(), "carrel-hub"), "--check", "--config", path],
                           stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=20)
        equal(r.returncode, 78, "--check of %s: %s" % (text, r.stdout))
        claim(says in r.stdout and "wrong.yaml:2:" in r.stdout, "--check of %s says %s" % (text, r.stdout))


report.run([("an unknown front end is who comes", without_the_option), ("known ones are passed over", with_the_option),
            ("several lines are one list", in_several_lines), ("other headers do not count", other_headers), ("mistakes are named", mistakes),
            ("the hub ends in order", lambda: end_hub(carrel))], carrel.print_lines)
carrel.clean()
report.finish()
