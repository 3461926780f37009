#!/usr/bin/python3
"""The hub speaks TLS with the proxy's REST API: it believes the authority that was named, shows its own certificate, and says which side does not fit."""
import os
import re
import shutil
import signal
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
import report
from certs import Authority
from programs import CONFIG, Programs
from report import bin_dir, claim, equal, until
from rest import Caller
from web import Browser

report.group("proxy-api-tls")


class Secured(Programs):
    def argv(self, name):
        argv = super().argv(name)
        if name == "proxy":
            argv += ["--api-ssl-key", self.dir + "/server.key", "--api-ssl-cert", self.dir + "/server.pem",
                     "--api-ssl-ca", self.dir + "/ca.pem", "--api-ssl-request-cert"]
        if name == "hub":
            at = argv.index("--proxy-api-url")
            del argv[at:at + 2]
        return argv

    def files(self):
        house, other = Authority("house"), Authority("another")
        for name, pair in (("server", house.issue("localhost")), ("hub", house.issue("hub")),
                           ("stranger", other.issue("hub"))):
            for path, end in zip(pair, (".key", ".pem")):
                self.put(path, name + end)
        self.put(house.cert, "ca.pem")
        self.put(other.cert, "other.pem")

    def put(self, path, name):
        shutil.copy(path, os.path.join(self.dir, name))
        os.chmod(os.path.join(self.dir, name), 0o644)

    def configure(self, host="localhost", ca="ca", own="hub", scheme="https"):
        text = CONFIG % {"hub_port": self.hub_port} + "proxy:\n  api_url: %s://%s:%d\n" % (scheme, host, self.api_port)
        if ca:
            text += "  api_ca_file: %s/%s.pem\n" % (self.dir, ca)
        if own:
            text += "  api_cert_file: %s/%s.pem\n  api_key_file: %s/%s.key\n" % (self.dir, own, self.dir, own)
        self._write("carrel.yaml", text.replace("allow_all: true\n", "allow_all: true\n  admin_users: [boss]\n"))


carrel = Secured(["/usr/bin/python3", "@DIR@/tiny_server.py"])
shutil.copy(os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib/tiny_server.py"), carrel.dir)


def begin():
    carrel.files()
    carrel.configure()
    for name in ("spawner", "proxy", "hub"):
        carrel.begin(name)
    carrel.wait_together()


def works():
    alice = Caller(carrel, "alice")
    alice.ok(201, "POST", "/users/alice/server")
    equal(Browser(carrel.url).get("/user/alice/api", follow=False).status, 200, "the server by its route")
    equal(Caller(carrel, "boss").ok(200, "GET", "/proxy").json()["/user/alice/"]["data"]["user"], "alice", "the listing")


def says(why, **more):
    """A hub that cannot ask the proxy says why, and goes on for whoever comes another way."""
    carrel.end("hub")
    before = len(carrel.lines)
    carrel.configure(**more)
    carrel.begin("hub", ready=False)
    until("the hub says why", 60, lambda: [x for x in carrel.lines[before:] if "cannot be asked" in x and re.search(why, x)])
    claim(carrel.token not in "".join(carrel.lines), "the token is in the log")


def not_believed():
    says(r"the certificate of localhost:\d+ is not believed: (self-signed|unable to get)", ca="other")
    says(r"the certificate of localhost:\d+ is not believed", ca=None)
    says(r"the certificate of 127\.0\.0\.1:\d+ is one for another name", host="127.0.0.1")


def not_shown():
    says("it may want a certificate of ours", own=None)
    says("it may want a certificate of ours", own="stranger")


def again():
    carrel.end("hub")
    carrel.configure()
    carrel.begin("hub")
    equal(Browser(carrel.url).get("/user/alice/api", follow=False).status, 200, "the server is still there")


def check(text):
    r = subprocess.run([os.path.join(bin_dir(), "carrel-hub"), "--check", "--config", carrel.dir + "/carrel.yaml"],
                       stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=20)
    equal(r.returncode, 78, text + ": " + r.stdout)
    claim(text in r.stdout, "--check says %r" % r.stdout)


def refused():
    carrel.configure(scheme="http")
    check('are for a "proxy.api_url" that begins with https://')
    carrel.configure(own="hub")
    with open(carrel.dir + "/carrel.yaml") as f:
        text = f.read()
    carrel._write("carrel.yaml", re.sub(r"  api_cert_file.*\n", "", text))
    check('"proxy.api_key_file" lacks its certificate')
    carrel.configure(ca="none")
    carrel.end("hub", signal.SIGTERM)
    before = len(carrel.lines)
    carrel.begin("hub", ready=False)
    equal(carrel.running.pop("hub").wait(20), 1, "a file that is not there")
    until("it says which", 5, lambda: [x for x in carrel.lines[before:] if "proxy.api_ca_file" in x and "No such file" in x])


report.run([("a hub with certificates", begin), ("a server and its route", works), ("whom the hub does not believe", not_believed),
            ("whom the proxy does not believe", not_shown), ("the right ones again", again),
            ("what cannot be is refused", refused)], carrel.print_lines)
carrel.clean()
report.finish()
