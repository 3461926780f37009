#!/usr/bin/python3
"""The first reader: real accounts, real PAM, the real notebook server, a real kernel.

Ann logs in with her Unix password, starts her server, runs 1+1 in a kernel over
a WebSocket through the proxy; Ben is refused at her server; the processes are
hers; stopping leaves none behind, not even one that hides.
"""
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
import accounts
import report
from report import claim, equal, until
from web import Browser, Kernel
from world import Carrel, wait_gone

report.group("root", "pam", "single-user")
if not accounts.can_make():
    report.skip("first reader", "needs root: it makes Unix accounts")
    report.finish()

ann = accounts.Account("carreltann")
ben = accounts.Account("carreltben")
boss = accounts.Account("carreltboss", groups=["sudo"])
carrel = Carrel().start()
at_ann, at_ben = Browser(carrel.url), Browser(carrel.url, "127.0.0.2")
state = {}

# A child that leaves its session, ignores SIGTERM and SIGINT and detaches twice.
HIDER = """
import os, signal, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        for s in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP): signal.signal(s, signal.SIG_IGN)
        for fd in (0, 1, 2): os.close(fd)
        open(os.path.expanduser("~/hider.pid"), "w").write(str(os.getpid()))
        time.sleep(600)
    os._exit(0)
os.wait()
"""


def wrong_password():
    b = Browser(carrel.url)
    answer = b.login(ann.name, "wrong")
    equal(answer.status, 403, "status for a wrong password")
    claim("Invalid username or password" in answer.text, "the page does not say that it was wrong")
    unknown = b.login("carreltnobody", "wrong")
    equal(unknown.status, 403, "status for an unknown name")
    claim(b.cookie("jupyterhub-hub-login") is None, "a login cookie was set")


def wrong_does_not_delay():
    """Three wrong passwords under way; PAM holds each for about 2 s."""
    import threading
    ended = []

    def wrong(i):
        Browser(carrel.url, "127.0.1.%d" % i).login(boss.name if i % 2 else "carreltx%d" % i, "wrong")
        ended.append(time.monotonic())
    threads = [threading.Thread(target=wrong, args=(i,)) for i in range(1, 4)]
    for t in threads:
        t.start()
    time.sleep(0.3)
    answer = at_ben.login(ben.name, ben.password)
    done = time.monotonic()
    for t in threads:
        t.join()
    equal(answer.status, 302, "Ben's login")
    claim(all(done < e for e in ended), "Ben's right password waited for other people's wrong ones")


def login():
    answer = at_ann.login(ann.name, ann.password)
    equal(answer.status, 302, "login with the right password")
    claim(at_ann.cookie("jupyterhub-hub-login"), "no login cookie")
    home = at_ann.get("/hub/home")
    claim(home.status == 200 and ann.name in home.text, "home does not greet Ann")


def start():
    last = at_ann.start_server(ann.name)
    equal(last.get("url"), "/user/%s/" % ann.name, "url of the ready server")


def steps_are_real():
    events = at_ann.progress(ann.name)
    claim(events and events[-1].get("ready"), "a running server's stream does not say ready: %r" % events)


def runs_as_owner():
    keys = carrel.server_keys()
    equal(len(keys), 1, "number of keepers")
    import json
    with open("%s/servers/%s/state.json" % (carrel.run_dir, keys[0])) as f:
        pid = json.load(f)["pid"]
    with open("/proc/%d/status" % pid) as f:
        status = dict(line.split(":", 1) for line in f.read().splitlines())
    equal(status["Uid"].split(), [str(ann.uid)] * 4, "uids of the server")
    equal(status["Gid"].split(), [str(ann.gid)] * 4, "gids of the server")
    equal(os.readlink("/proc/%d/cwd" % pid), ann.home, "working directory")
    equal(int(status["CapEff"], 16), 0, "capabilities of the server")
    equal(os.getsid(pid), pid, "session of the server")
    with open("/proc/%d/environ" % pid, "rb") as f:
        env = dict(e.split(b"=", 1) for e in f.read().split(b"\0") if b"=" in e)
    equal(env[b"JUPYTERHUB_USER"], ann.name.encode(), "JUPYTERHUB_USER")
    equal(env[b"HOME"], ann.home.encode(), "HOME")
    with open("/proc/%d/cmdline" % pid, "rb") as f:
        claim(env[b"JUPYTERHUB_API_TOKEN"] not in f.read(), "the token is on the command line")
    state["pid"] = pid


def kernel():
    k = Kernel(at_ann, ann.name)
    equal(k.execute("1+1"), "2", "1+1 in the kernel")
    equal(k.execute("import os; os.getuid()"), str(ann.uid), "uid of the kernel")
    k.execute("import subprocess, sys; subprocess.run([sys.executable, '-c', %r]).returncode" % HIDER)
    state["hider"] = until("the hider runs", 10, lambda: _read_pid(ann.home + "/hider.pid"))
    state["kernel"] = k


def _read_pid(path):
    try:
        with open(path) as f:
            return int(f.read() or 0)
    except OSError:
        return 0


def stranger():
    answer = at_ben.get("/user/%s/tree" % ann.name)
    equal(answer.status, 403, "Ben at Ann's server")
    claim("Ann" not in answer.text and "Files" not in answer.text, "Ben sees Ann's notebook page")
    answer = at_ben.api("GET", "/users/%s" % ann.name)
    equal(answer.status, 404, "Ben asks for Ann over REST")
    answer = at_ben.api("DELETE", "/users/%s/server" % ann.name)
    equal(answer.status, 404, "Ben stops Ann's server")
    nobody = Browser(carrel.url).get("/user/%s/api/kernels" % ann.name, follow=False)
    equal(nobody.status, 403, "nobody at Ann's kernels")


def restart_keeps():
    """Hub and spawner are killed; the kernel's WebSocket and its state go on."""
    k = state["kernel"]
    k.execute("kept = 41")
    for name in ("hub", "spawner", "hub"):
        carrel.kill(name)
        equal(k.execute("kept + 1"), "42", "kernel after %s was killed" % name)
    until("the hub serves again", 20, lambda: _home(at_ann))
    model = until("the server is ready again", 20, _ready_model)
    claim(model["servers"][""]["ready"], "the adopted server is not ready")
    claim(">Stop<" in at_ann.get("/hub/home").text, "home offers no stop for the adopted server")


def _home(browser):
    try:
        return browser.get("/hub/home", follow=False).status == 200
    except OSError:
        return False


def _ready_model():
    answer = at_ann.api("GET", "/users/%s" % ann.name)
    if answer.status != 200:
        return None
    model = answer.json()
    return model if model["servers"].get("", {}).get("ready") else None


def stop():
    answer = at_ann.api("DELETE", "/users/%s/server" % ann.name, timeout=60)
    claim(answer.status in (202, 204), "stop answers %d: %s" % (answer.status, answer.text[:200]))
    wait_gone([state["pid"], state["hider"]], 40)
    until("no process of Ann's is left", 20, lambda: not ann.processes())
    until("the keeper's directory is gone", 10, lambda: carrel.server_keys() == [])
    answer = at_ann.get("/user/%s/api/kernels" % ann.name, follow=False,
                        headers={"Accept": "application/json"})
    claim(answer.status in (302, 424), "a stopped server's API answers %d" % answer.status)


def logout():
    answer = at_ann.get("/hub/logout")
    equal(answer.status, 200, "the page after logout")
    claim(at_ann.cookie("jupyterhub-hub-login") is None, "the login cookie is still there")
    answer = at_ann.get("/hub/home", follow=False)
    equal(answer.status, 302, "home after logout")


def root_is_refused():
    report.claim(carrel.seen("serving all accounts"), "carrel up does not say whom it serves")
    b = Browser(carrel.url)
    answer = b.login("root", "x")
    equal(answer.status, 403, "root's login")


def down_keeps_and_up_adopts():
    b = Browser(carrel.url)
    b.login(ann.name, ann.password)
    b.start_server(ann.name)
    before = ann.processes()
    carrel.stop()
    claim(carrel.seen("1 notebook server goes on running"), "carrel up does not say what goes on")
    claim(set(before) & set(ann.processes()), "Ann's server ended with carrel up")
    carrel.lines.clear()
    carrel.start()
    until("adopted", 20, lambda: _ready_after_up(b))
    carrel.stop()
    carrel.stop_servers()
    until("carrel stop --all left nothing", 20, lambda: not ann.processes())


def _ready_after_up(b):
    answer = b.api("GET", "/users/%s" % ann.name)
    return answer.status == 200 and answer.json()["servers"].get("", {}).get("ready")


report.run([
    ("a wrong password and an unknown name get the same answer", wrong_password),
    ("other people's wrong passwords delay nobody", wrong_does_not_delay),
    ("root cannot log in", root_is_refused),
    ("Ann logs in", login),
    ("Ann's server starts", start),
    ("the progress stream ends with ready", steps_are_real),
    ("the server runs as its owner", runs_as_owner),
    ("1+1 is 2 in a kernel over the proxy", kernel),
    ("Ben is refused at Ann's server", stranger),
    ("killing hub and spawner loses neither kernel nor WebSocket", restart_keeps),
    ("stopping leaves no process, not even one that hides", stop),
    ("logout ends the session", logout),
    ("carrel up can go and come; notebooks go on", down_keeps_and_up_adopts),
], on_failure=carrel.print_lines)
report.finish()
