#!/usr/bin/python3
"""The real clients of JupyterHub, from checkouts, with Debian's Python: make compat SRC=DIR.

DIR holds what is to be tried, each as its repository is called: jupyterhub,
jupyterhub-idle-culler, nbgrader. What is not there is skipped. Debian 12 lacks
some of their packages; tests/compat/standins has the few names that are needed,
and python3-aiohttp is wanted by jupyterhub 6.
"""
# timeout: 240
import json
import os
import re
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../lib"))
import report
from programs import CONFIG, Programs
from reference_hub import PYTHON, STANDINS
from report import claim, equal, until
from rest import Caller, begin_hub, end_hub
from web import Browser, hidden, wait_http

report.group("compat")
SRC = os.environ.get("SRC")
if not SRC:
    report.skip("the clients of a checkout", "make compat SRC=DIR says where they are")
    report.finish()


def checkout(name):
    path = os.path.abspath(os.path.join(SRC, name))
    return path if os.path.isdir(path) else None


def environment(*names, **more):
    paths = [checkout(n) for n in names] + [os.path.abspath(STANDINS)]
    return {"PATH": "/usr/bin:/bin", "HOME": carrel.dir, "PYTHONPATH": ":".join(paths), "PYTHONDONTWRITEBYTECODE": "1",
            "JUPYTERHUB_API_URL": carrel.url + "/hub/api", "JUPYTERHUB_BASE_URL": "/", **more}


def python(code, *names, **more):
    r = subprocess.run([PYTHON, "-c", code], env=environment(*names, **more), capture_output=True, text=True, timeout=60)
    claim(r.returncode == 0, "it ended with %d: %s" % (r.returncode, r.stderr[-1500:]))
    return r.stdout


def idle_culler():
    alice.ok(201, "POST", "/users/alice/server")
    p = subprocess.Popen([PYTHON, "-m", "jupyterhub_idle_culler", "--timeout=1", "--cull-every=1"],
                         env=environment("jupyterhub-idle-culler", JUPYTERHUB_API_TOKEN=token),
                         stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        until("the idle server is stopped", 30,
              lambda: not boss.ok(200, "GET", "/users/alice").json()["servers"] or p.poll() is not None, pause=0.2)
        equal(p.poll(), None, "how the culler ended")
    finally:
        p.terminate()
        print("the culler said: " + p.communicate(timeout=20)[0][-1500:])


def hub_auth():
    code = ("import json, jupyterhub; from jupyterhub.services.auth import HubAuth; a = HubAuth(); "
            "print(json.dumps([jupyterhub.__version__, a.user_for_token(%r), a.user_for_token('0123456789abcdef')]))")
    release, who, nobody = json.loads(python(code % token, "jupyterhub", JUPYTERHUB_API_TOKEN=token))
    equal((who["name"], who["kind"], nobody), ("boss", "user", None), "who jupyterhub %s sees" % release)


def nbgrader():
    code = """
import importlib, json, os, sys, types
for name in ("nbgrader", "nbgrader.auth"):  # without all that the packages import
    sys.modules[name] = types.ModuleType(name)
    sys.modules[name].__path__ = [os.path.join(%r, *name.split("."))]
plugin = importlib.import_module("nbgrader.auth.jupyterhub").JupyterHubAuthPlugin()
seen = []
for deed in (plugin.add_student_to_course, plugin.add_student_to_course, plugin.remove_student_from_course):
    deed("alice", "math101")
    seen.append(plugin.get_student_courses("alice"))
print(json.dumps(seen))
"""
    seen = python(code % checkout("nbgrader"), "nbgrader", JUPYTERHUB_API_TOKEN=token, JUPYTERHUB_USER="boss")
    equal(json.loads(seen), [["math101"], ["math101"], []], "the courses of a student")


POLICY = """\
profiles:
  default:
    kind: simple
    command: [%%(command)s]
    environment: {PATH: /usr/bin:/bin, PYTHONPATH: "%s", PYTHONDONTWRITEBYTECODE: "1"}
"""


def notebook_server():
    paths = ":".join([checkout("jupyterhub"), os.path.abspath(STANDINS)])
    c = Programs([PYTHON, "-m", "jupyterhub.singleuser"], policy=POLICY % paths)
    try:
        for name in ("spawner", "proxy", "hub"):
            c.begin(name)
        b = Browser(c.url)
        wait_http(b, "/hub/health", 200)
        equal(b.login("alice", "x").status, 302, "login")
        b.get("/hub/home")
        b.start_server("alice")
        answer = b.get("/user/alice/api/status", headers={"Accept": "text/html"})
        if answer.status in (401, 403):  # an API call is not led to the login: a page first
            claim(b.get("/user/alice/").status == 200, "the page of the server")
            answer = b.get("/user/alice/api/status")
        equal(answer.status, 200, "GET api/status")
        claim("started" in answer.json(), "its answer: " + answer.text[:200])
    except Exception:
        c.print_lines()
        raise
    finally:
        c.clean()


COURSE_POLICY = """\
profiles:
  default: {kind: simple, command: [/bin/false]}
services:
  course:
    command: [%s, %s]
    stop_grace: 2s
    environment: {PATH: /usr/bin:/bin, PYTHONPATH: "%s", PYTHONDONTWRITEBYTECODE: "1", NBGRADER: "%s", JUPYTERHUB_USER: grader}
"""
COURSE = CONFIG + """\
  admin_users: [boss]
  load_groups:
    formgrade-math101: [teacher]
  load_roles:
    - {name: grader, scopes: ["access:services!service=math101"], groups: [formgrade-math101]}
    - {name: course, scopes: [list:users, "read:users:groups", admin:groups], services: [math101]}
services:
  math101: {url: "http://127.0.0.1", managed: course}
"""


def course():
    """nbgrader's shared notebook server: a managed service, with the hub calls of its plugin and HubOAuth at its door."""
    paths = ":".join([checkout("jupyterhub"), os.path.abspath(STANDINS)])
    policy = COURSE_POLICY % (PYTHON, "@DIR@/course_service.py", paths, checkout("nbgrader"))

    class World(Programs):
        def _write(self, name, text):
            super()._write(name, text.replace("@DIR@", self.dir))

    c = World([], COURSE, policy)
    shutil.copy(os.path.join(HERE, "course_service.py"), c.dir)
    try:
        for name in ("spawner", "proxy", "hub"):
            c.begin(name)
        wait_http(Browser(c.url), "/hub/health", 200)
        chief = Caller(c, "boss")
        until("the course's server runs", 60, lambda: chief.ok(200, "GET", "/services/math101").json()["status"] == "running", pause=0.2)
        equal(chief.ok(200, "GET", "/groups/nbgrader-math101").json()["users"], ["boss"], "whom the plugin added")
        teacher, student = Caller(c, "teacher").browser, Caller(c, "student").browser
        page = teacher.get("/services/math101/api/status", headers={"Accept": "text/html"})
        if page.status in (401, 403):
            page = teacher.get("/services/math101/")
        if page.status == 200 and "scopes" in hidden(page.text):  # the hub asks whether the service may know who it is
            fields = [("_xsrf", hidden(page.text)["_xsrf"])] + re.findall(r'name="(scopes)" value="([^"]*)"', page.text)
            page = teacher.post(page.url, fields)
        answer = teacher.get("/services/math101/api/status")
        equal(answer.status, 200, "the course, for who grades it: %s" % page.text[-300:])
        claim("started" in answer.json(), "its answer: " + answer.text[:200])
        equal(student.get("/services/math101/").status, 403, "and for a student")
    except Exception:
        c.print_lines()
        raise
    finally:
        c.clean()


carrel = begin_hub()
boss, alice = Caller(carrel, "boss"), Caller(carrel, "alice")
token = boss.token_of("boss").token
TESTS = [("jupyterhub-idle-culler", "stops an idle server", idle_culler), ("jupyterhub", "HubAuth knows whose a token is", hub_auth),
         ("nbgrader", "its plugin keeps a course", nbgrader), (None, "the hub ends", lambda: end_hub(carrel)),
         # with a hub of its own, of the same account
         ("jupyterhub", "jupyterhub-singleuser serves its owner", notebook_server),
         ("nbgrader", "a course's server is a managed service, for who grades it", course)]
for repository, name, test in TESTS:
    title = "%s: %s" % (repository, name) if repository else name
    if repository is None or (checkout(repository) and (test != course or checkout("jupyterhub"))):
        report.run([(title, test)], on_failure=lambda: carrel.print_lines(30))
    else:
        report.skip(title, "it is not in SRC")
report.finish()
