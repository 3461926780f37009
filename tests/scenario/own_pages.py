#!/usr/bin/python3
"""Pages of an administrator's own: announcements, terms, logo, templates; escaped like ours, and refused with file and line."""
import os
import signal
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
import report
from programs import CONFIG, Programs
from report import bin_dir, claim, equal, until
from web import Browser, wait_http

report.group("own_pages")
PNG = b"\x89PNG\r\n\x1a\n" + bytes(40)
HUB = """\
  template_paths: [@DIR@/mine, @DIR@/theirs]
  logo_file: @DIR@/mine/logo.png
  template_vars:
    announcement: Down on <Friday>
    announcement_token: Come again
    announcement_home: ""
    login_term_url: https://example.org/terms?a=1&b=2
    support: {name: "Ana & Bo", room: 12}
"""
carrel = Programs(["/bin/true"])


def configure(hub):
    text = (CONFIG % {"hub_port": carrel.hub_port}).replace("hub:\n", "hub:\n" + hub)
    carrel._write("carrel.yaml", text.replace("@DIR@", carrel.dir))


def put(path, content):
    path = os.path.join(carrel.dir, path)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as f:
        f.write(content if isinstance(content, bytes) else content.encode())


def check(status, *says):
    r = subprocess.run([os.path.join(bin_dir(), "carrel-hub"), "--check", "--config", carrel.dir + "/carrel.yaml"],
                       stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=20)
    equal(r.returncode, status, "status of --check: " + r.stdout)
    for text in says:
        claim(text in r.stdout, "--check says %r, not %r" % (r.stdout, text))


def begin():
    put("mine/logo.png", PNG)
    put("mine/page/home.html", "{{>head}}<h1>Hello {{me.name}}</h1><p>{{vars.support.name}}, room {{vars.support.room}}</p>{{>foot}}\n")
    put("theirs/page/home.html", "{{>head}}not this one{{>foot}}\n")
    put("theirs/page/error.html", "{{>head}}{{status}} {{>ours}}{{>foot}}\n")
    put("theirs/part/ours.html", "<p>a part of ours</p>\n")
    configure(HUB)
    check(0, "the configuration is right")
    for name in ("spawner", "proxy", "hub"):
        carrel.begin(name)
    wait_http(Browser(carrel.url), "/hub/health", 200)


def words():
    b = Browser(carrel.url)
    page = b.get("/hub/login").text
    claim('role="note">Down on &lt;Friday&gt;</p>' in page, "the announcement, escaped: " + page)
    claim('name="login_terms_checkbox" value="1" required' in page and
          'href="https://example.org/terms?a=1&amp;b=2"' in page, "the terms: " + page)
    b.login("alice", "x")
    claim('role="note"' not in b.get("/hub/home").text, "an empty one is none")
    claim("Come again" in b.get("/hub/token").text, "its own on a page")


def templates():
    b = Browser(carrel.url)
    b.login("alice", "x")
    home = b.get("/hub/home").text
    claim("<h1>Hello alice</h1><p>Ana &amp; Bo, room 12</p>" in home, "a page of theirs: " + home)
    lost = b.get("/hub/nowhere")
    claim(lost.status == 404 and "404 <p>a part of ours</p>" in lost.text, "and of the second directory: " + lost.text)
    claim("Request a token" in b.get("/hub/token").text, "others are as they were")


def logo():
    b = Browser(carrel.url)
    answer = b.get("/hub/logo")
    equal((answer.headers["Content-Type"], answer.body), ("image/png", PNG), "the logo")
    src = b.get("/hub/login").text.split('<img src="', 1)[1].split('"', 1)[0]
    claim("immutable" in b.get(src).headers["Cache-Control"], "%s may be kept" % src)
    equal(answer.headers["Cache-Control"], "no-cache", "without its version")


def reload():
    configure(HUB.replace("Down on <Friday>", "It is up again").replace("[@DIR@/mine, ", "["))
    carrel.running["hub"].send_signal(signal.SIGHUP)
    until("the new text", 20, lambda: "It is up again" in Browser(carrel.url).get("/hub/login").text)
    claim([x for x in carrel.lines if "hub.template_paths" in x and "after a restart" in x], "templates wait")


def refused():
    cases = (("  template_vars: [a]\n", {}, '"hub.template_vars" must be a section'),
             ("  template_vars: {a-b: c}\n", {}, "letters, digits and _ only"),
             ("  template_vars: {announcement: [a]}\n", {}, "must be a text"),
             ("  template_vars: {login_term_url: 'javascript:alert(1)'}\n", {}, "login_term_url"),
             ("  logo_file: /etc/passwd\n", {}, "must end in .svg"),
             ("  logo_file: @DIR@/none.svg\n", {}, "No such file"),
             ("  template_paths: [@DIR@/none]\n", {}, "has neither page/ nor part/"),
             ("  template_paths: [@DIR@/bad]\n", {"bad/page/logni.html": "x"}, "bad/page/logni.html replaces no page"),
             ("  template_paths: [@DIR@/bad1]\n", {"bad1/page/login.html": "a\n<script>{{me.name}}</script>"},
              "bad1/page/login.html:2: "),
             ("  template_paths: [@DIR@/bad2]\n", {"bad2/part/head.html": "{{>foot}}{{>head}}{{>head}}"}, "nested deeper"),
             ("  template_paths: [@DIR@/bad3]\n", {"bad3/page/login.html": b"\xff\xfe"}, "is no text in UTF-8"),
             ("  template_paths: [@DIR@/bad4]\n", {"bad4/page/login.html": "x" * 300000}, "bad4/page/login.html"))
    for hub, files, says in cases:
        for path, content in files.items():
            put(path, content)
        configure(hub)
        check(78, says)


report.run([("a hub with pages of its own", begin), ("words", words), ("templates", templates), ("logo", logo),
            ("SIGHUP", reload), ("what cannot be is refused", refused)], carrel.print_lines)
carrel.clean()
report.finish()
