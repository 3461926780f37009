#!/usr/bin/python3
"""A class at nine o'clock: everybody logs in at once, more than may be under way; all come in and nobody is refused."""
# timeout: 300
import os
import re
import subprocess
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
import accounts
import report
from report import claim, equal, source_dir
from web import Browser, form_action, hidden
from world import Carrel

report.group("root", "pam")
if not accounts.can_make():
    report.skip("a class at nine o'clock", "needs root: it makes Unix accounts")
    report.finish()

PUPILS, AT_A_TIME, SCHOOL = 60, 6, 300
NAMES = ["carreltadv%d" % i for i in range(PUPILS)]


def make_accounts():
    """All in one run: one by one they would take a minute."""
    lines = "".join("%s:pw-%s:::test:/:/bin/false\n" % (name, name) for name in NAMES)
    done = subprocess.run(["newusers"], input=lines, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    equal(done.returncode, 0, "newusers says %r" % done.stdout[-400:])


def remove_accounts():
    for name in NAMES:
        subprocess.run(["userdel", "-f", name], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def made(config, policy=None):
    carrel = Carrel(config, policy)
    with open(carrel.config, "a") as f:   # it ends with the section hub
        f.write("  authenticate_prometheus: false\n")
    return carrel


def waiting(carrel):
    text = Browser(carrel.url).get("/hub/metrics").text
    return float(re.search(r"^carrel_logins_waiting (\S+)", text, re.M).group(1))


def all_at_once(carrel, people):
    """Each has the form; then all send it. Their answers, and the longest queue that was seen."""
    forms, answers, longest = [], [None] * len(people), 0
    for i, (name, password) in enumerate(people):
        b = Browser(carrel.url, "127.0.%d.%d" % (1 + i // 200, 1 + i % 200))
        page = b.get("/hub/login")
        forms.append((b, form_action(page), dict(hidden(page.text), username=name, password=password)))
    gate = threading.Barrier(len(people) + 1)

    def send(i):
        browser, action, fields = forms[i]
        gate.wait()
        answers[i] = browser.post(action, fields, follow=False, timeout=110)
    threads = [threading.Thread(target=send, args=(i,), daemon=True) for i in range(len(people))]
    for t in threads:
        t.start()
    gate.wait()
    while any(t.is_alive() for t in threads):
        longest = max(longest, waiting(carrel))
        threads[-1].join(0.05)
    return answers, longest


def check(answers):
    wrong = [a for a in answers if a is None or a.status != 302]
    claim(not wrong, "%d of %d are not in, such as: %s" % (
        len(wrong), len(answers), wrong and wrong[0] and (wrong[0].status, re.findall(r'role="alert"[^>]*>([^<]*)', wrong[0].text))))


def pam():
    with open(os.path.join(source_dir(), "etc/spawner.yaml")) as f:
        policy = f.read()
    claim("\nauth:" not in policy, "the shipped policy has a section auth: this test must add to it")
    carrel = made("auth:\n  allow_all: true\n  max_logins: %d\n" % AT_A_TIME,
                  policy + "\nauth:\n  max_attempts: %d\n" % AT_A_TIME)
    make_accounts()
    try:
        carrel.start()
        answers, longest = all_at_once(carrel, [(name, "pw-" + name) for name in NAMES])
        check(answers)
        claim(longest > 0, "nobody waited: there was no queue to be seen")
        equal(waiting(carrel), 0, "who waits when all are in")
    except BaseException:
        carrel.print_lines()
        raise
    finally:
        remove_accounts()
        carrel.clean()


def many():
    carrel = made("auth:\n  type: dummy\n  options: {password: class}\n  allow_all: true\n  max_logins: 20\n")
    try:
        carrel.start()
        check(all_at_once(carrel, [("pupil%d" % i, "class") for i in range(SCHOOL)])[0])
    except BaseException:
        carrel.print_lines()
        raise
    finally:
        carrel.clean()


report.run([("a class of %d by PAM, %d at a time" % (PUPILS, AT_A_TIME), pam), ("a school of %d at once" % SCHOOL, many)])
report.finish()
