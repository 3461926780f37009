#!/usr/bin/python3
"""A class by its list: who is in the file comes in and is in the group, who is struck off is not."""
import os
import subprocess
import signal
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
import report
from programs import Programs
from report import bin_dir, claim, equal, until
from web import Browser, wait_http

report.group("roster")

CONFIG = """\
hub:
  port: %(hub_port)d
auth:
  type: dummy
  admin_users: [boss]
  allowed_groups: [physics, tutors]
  manage_groups: true
  username_map: {ana@example.org: ana}
  options: {password: x}
  roster:
    - {file: @DIR@/physics.csv, group: physics, create: true}
    - {file: @DIR@/tutors.csv, group: tutors}
"""
programs = Programs(["/bin/sleep", "60"], config=CONFIG)
path = programs.dir + "/carrel.yaml"
with open(path) as f:
    config = (f.read() % {"hub_port": programs.hub_port}).replace("@DIR@", programs.dir)


def write(name, text):
    with open(os.path.join(programs.dir, name), "w") as f:
        f.write(text)


def login(name, status=302):
    b = Browser(programs.url)
    equal(b.login(name, "x").status, status, "login of %s" % name)
    return b


def groups_of(name):
    return sorted(login(name).api("GET", "/user").json()["groups"])


def members(group):
    return sorted(login("boss").api("GET", "/groups/" + group).json()["users"])


def read_again(what):
    before = len(programs.lines)
    os.kill(programs.running["hub"].pid, signal.SIGHUP)
    until("the hub says %r" % what, 20, lambda: any(what in line for line in programs.lines[before:]))


def who_is_in_the_list():
    equal(members("physics"), ["ana", "ben"], "physics")
    equal(groups_of("ana"), ["physics"], "ana's groups")
    equal(groups_of("BEN"), ["physics"], "ben's groups")
    login("mallory", 403)


def who_is_no_user_yet():
    """tutors has no create: a person of that list is in the group once they come in."""
    equal(members("tutors"), [], "tutors")
    equal(login("boss").api("GET", "/users/tom").status, 404, "tom before his first login")
    equal(groups_of("tom"), ["tutors"], "tom's groups")
    equal(members("tutors"), ["tom"], "tutors")
    write("physics.csv", "name,email\nana@example.org,x\nben,y\ntom,z\n")
    read_again("tutors.csv")
    equal(groups_of("tom"), ["physics", "tutors"], "tom's groups")


def who_is_struck_off():
    people = {n: login(n) for n in ("ana", "tom", "ben", "boss")}
    token = people["ana"].api("POST", "/users/ana/tokens", {"note": "script"}).json()["token"]
    write("physics.csv", "name\nben\ncem\n")
    read_again("tutors.csv")
    equal([n for n, b in people.items() if b.api("GET", "/user").status == 200], ["tom", "ben", "boss"],
          "who is logged in: tom is in another list, too")
    equal(people["ana"].api("GET", "/user", token=token).status, 200, "a token that ana made for a script")
    claim(any("user=ana" in line and "no rule admits" in line for line in programs.lines), "it is not logged")
    equal(members("physics"), ["ben", "cem"], "physics")
    login("ana", 403)
    equal(groups_of("tom"), ["tutors"], "tom's groups")
    equal(groups_of("cem"), ["physics"], "cem's groups")


def who_is_struck_off_while_the_hub_is_down():
    cem, ben = login("cem"), login("ben")
    programs.end("hub")
    write("physics.csv", "name\nben\n")
    programs.begin("hub")
    wait_http(Browser(programs.url), "/hub/login", 200)
    equal((cem.api("GET", "/user").status, ben.api("GET", "/user").status), (403, 200), "who is logged in")
    write("physics.csv", "name\nben\ncem\n")
    read_again("tutors.csv")


def an_administrator_by_a_list():
    write("carrel.yaml", config.replace("manage_groups", "admin_groups: [tutors]\n  manage_groups"))
    programs.end("hub")
    programs.begin("hub")
    wait_http(Browser(programs.url), "/hub/login", 200)
    write("physics.csv", "name\nben\ncem\ntom\n")
    read_again("tutors.csv")
    tom = login("tom")
    equal(tom.api("GET", "/user").json()["admin"], True, "tom's being an administrator")
    write("tutors.csv", "ulf\n")
    read_again("tutors.csv")
    equal(tom.api("GET", "/user").json()["admin"], False, "tom's being an administrator, struck off the tutors")
    claim(any("user=tom" in line and "no administrator any more" in line for line in programs.lines), "not logged")
    write("physics.csv", "name\nben\ncem\n")
    read_again("tutors.csv")
    equal(tom.api("GET", "/user").status, 403, "tom, who is in no list")
    write("carrel.yaml", config)


def who_is_blocked():
    cem, ben = login("cem"), login("ben")
    write("carrel.yaml", config.replace("auth:\n", "auth:\n  blocked_users: [Cem]\n"))
    read_again("tutors.csv")
    equal((cem.api("GET", "/user").status, ben.api("GET", "/user").status), (403, 200), "who is logged in")
    login("cem", 403)
    write("carrel.yaml", config)
    read_again("tutors.csv")
    cem = login("cem")
    programs.end("hub")
    write("carrel.yaml", config.replace("auth:\n", "auth:\n  blocked_users: [cem]\n"))
    programs.begin("hub")
    wait_http(Browser(programs.url), "/hub/login", 200)
    equal((cem.api("GET", "/user").status, ben.api("GET", "/user").status), (403, 200), "who is logged in after a restart")
    write("carrel.yaml", config)
    read_again("tutors.csv")


def a_wrong_list_changes_nothing():
    write("physics.csv", "ben\ncem\nno/name\n")
    read_again("physics.csv:3: ")
    equal(members("physics"), ["ben", "cem"], "physics")
    login("cem")
    check = subprocess.run([os.path.join(bin_dir(), "carrel-hub"), "--config", path, "--check"],
                           capture_output=True, text=True)
    equal(check.returncode, 78, "carrel-hub --check")
    claim("physics.csv:3: " in check.stderr, "--check says %r" % check.stderr)


def two_lists_for_a_group():
    write("physics.csv", "ben\n")
    write("double.yaml", config.replace("group: tutors", "group: physics"))
    check = subprocess.run([os.path.join(bin_dir(), "carrel-hub"), "--config", programs.dir + "/double.yaml",
                            "--check"], capture_output=True, text=True)
    equal(check.returncode, 78, "carrel-hub --check")
    claim("two files for the group" in check.stderr, "--check says %r" % check.stderr)


write("carrel.yaml", config)
write("physics.csv", "name,email\nana@example.org,ana@example.org\n\"Ben\",\"Rivera, Ben\"\n")
write("tutors.csv", "tom\n")
for name in ("spawner", "proxy", "hub"):
    programs.begin(name)
wait_http(Browser(programs.url), "/hub/login", 200)
report.run([
    ("who is in the list comes in and is in the group", who_is_in_the_list),
    ("who is no user yet joins when they come", who_is_no_user_yet),
    ("who is struck off is out when the list is read again", who_is_struck_off),
    ("so is who is struck off while the hub is down", who_is_struck_off_while_the_hub_is_down),
    ("an administrator by a list is one as long as the list says so", an_administrator_by_a_list),
    ("who is blocked is logged out, at once and at a restart", who_is_blocked),
    ("a list that is wrong changes nothing and is named", a_wrong_list_changes_nothing),
    ("two lists for one group are refused", two_lists_for_a_group),
], on_failure=programs.print_lines)
programs.clean()
report.finish()
