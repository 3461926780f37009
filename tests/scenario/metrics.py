#!/usr/bin/python3
"""/hub/metrics of a real hub, read by a strict parser: who may, what moves, and that a dashboard's questions have answers."""
import os
import re
import shutil
import sys

LIB = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib")
sys.path.insert(0, LIB)
import report
from programs import CONFIG, Programs
from report import Failure, claim, equal, until
from web import Browser, wait_http

report.group("metrics")

NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\[\\"n])*)"(,|$)')
SAMPLE = re.compile(r"(%s)(?:\{(.*)\})? (\S+)" % NAME)
DEFAULT = "0.005 0.01 0.025 0.05 0.075 0.1 0.25 0.5 0.75 1.0 2.5 5.0 7.5 10.0 +Inf".split()
SPAWN = "0.5 1.0 2.5 5.0 10.0 15.0 30.0 60.0 120.0 180.0 300.0 600.0 +Inf".split()
TICK = "0.05 0.055 0.06 0.065 0.07 0.075 0.1 0.25 0.5 0.75 1.0 2.5 5.0 7.5 10.0 +Inf".split()

# contract/hub.md 10: name -> (type, labels, bounds)
WANTED = {
    "jupyterhub_request_duration_seconds": ("histogram", {"method", "handler", "code"}, DEFAULT),
    "jupyterhub_server_spawn_duration_seconds": ("histogram", {"status", "reason"}, SPAWN),
    "jupyterhub_server_stop_seconds": ("histogram", {"status"}, DEFAULT),
    "jupyterhub_running_servers": ("gauge", set(), None),
    "jupyterhub_total_users": ("gauge", set(), None),
    "jupyterhub_active_users": ("gauge", {"period"}, None),
    "jupyterhub_check_routes_duration_seconds": ("histogram", set(), DEFAULT),
    "jupyterhub_hub_startup_duration_seconds": ("histogram", set(), DEFAULT),
    "jupyterhub_init_spawners_duration_seconds": ("histogram", set(), DEFAULT),
    "jupyterhub_proxy_poll_duration_seconds": ("histogram", set(), DEFAULT),
    "jupyterhub_login_duration_seconds": ("histogram", {"status"}, DEFAULT),
    "jupyterhub_logout_duration_seconds": ("histogram", set(), DEFAULT),
    "jupyterhub_csp_reports_total": ("counter", set(), None),
    "jupyterhub_proxy_add_duration_seconds": ("histogram", {"status"}, DEFAULT),
    "jupyterhub_proxy_delete_duration_seconds": ("histogram", {"status"}, DEFAULT),
    "jupyterhub_server_poll_duration_seconds": ("histogram", {"status"}, DEFAULT),
    "jupyterhub_event_loop_interval_seconds": ("histogram", set(), TICK),
    "process_cpu_seconds_total": ("counter", set(), None),
    "process_resident_memory_bytes": ("gauge", set(), None),
    "process_virtual_memory_bytes": ("gauge", set(), None),
    "process_start_time_seconds": ("gauge", set(), None),
    "process_open_fds": ("gauge", set(), None),
    "process_max_fds": ("gauge", set(), None),
    "carrel_longest_turn_seconds": ("gauge", set(), None),
}


def labels_of(text, line):
    found, rest = {}, text or ""
    while rest:
        m = LABEL.match(rest)
        claim(m, "labels of %r" % line)
        claim(m.group(1) not in found, "label twice in %r" % line)
        found[m.group(1)] = m.group(2)
        claim(bool(m.group(3)) == bool(rest[m.end():]), "a comma at the end of %r" % line)
        rest = rest[m.end():]
    return found


class Metrics:
    """Text format 0.0.4, nothing but: HELP, TYPE, then the family's samples, each once."""

    def __init__(self, text):
        claim(text.endswith("\n"), "the last line is not ended")
        self.types, self.values = {}, {}
        family = helped = None
        for line in text[:-1].split("\n"):
            if line.startswith("# HELP "):
                helped = line.split(" ")[2]
                claim(re.fullmatch(NAME, helped) and helped not in self.types, "HELP again: %r" % line)
                continue
            if line.startswith("# TYPE "):
                _, _, family, kind = line.split(" ")
                equal(family, helped, "TYPE after HELP")
                claim(kind in ("counter", "gauge", "histogram"), "type of %r" % line)
                self.types[family] = kind
                continue
            self._sample(family, line)
        for family, kind in self.types.items():
            if kind == "histogram":
                self._histogram(family)

    def _sample(self, family, line):
        m = SAMPLE.fullmatch(line)
        claim(m, "no sample: %r" % line)
        name, labels, value = m.group(1), labels_of(m.group(2), line), float(m.group(3))
        ends = ("_bucket", "_sum", "_count") if self.types[family] == "histogram" else ("",)
        claim(name in [family + e for e in ends], "%r below family %s" % (line, family))
        key = (name, tuple(sorted(labels.items())))
        claim(key not in self.values, "twice: %r" % line)
        self.values[key] = value

    def _histogram(self, family):
        sets = {}
        for (name, labels), value in self.values.items():
            if name == family + "_bucket":
                rest = tuple(x for x in labels if x[0] != "le")
                sets.setdefault(rest, []).append((dict(labels)["le"], value))
        for rest, buckets in sets.items():
            counts = [v for _, v in buckets]
            claim(counts == sorted(counts), "%s %s: buckets are not cumulative" % (family, rest))
            equal(buckets[-1][0], "+Inf", "%s: the last bucket" % family)
            equal(self.values.get((family + "_count", rest)), counts[-1], "%s %s: count" % (family, rest))
            claim((family + "_sum", rest) in self.values, "%s %s: no sum" % (family, rest))

    def bounds(self, family):
        found = []
        for name, labels in self.values:
            le = dict(labels).get("le")
            if name == family + "_bucket" and le not in found:
                found.append(le)
        return found

    def labels(self, family):
        """The label names of all its series."""
        names = set()
        for name, labels in self.values:
            if name in (family, family + "_count"):
                names.update(k for k, _ in labels)
        return names

    def get(self, name, **labels):
        """The sum over the series that have these labels."""
        return sum(v for (n, have), v in self.values.items()
                   if n == name and labels.items() <= dict(have).items())


carrel = boss = None


def scrape(browser=None):
    answer = (browser or boss).get("/hub/metrics", follow=False)
    equal(answer.status, 200, "/hub/metrics")
    equal(answer.headers["Content-Type"], "text/plain; version=0.0.4; charset=utf-8", "its type")
    return Metrics(answer.text)


def begin():
    global carrel, boss
    config = CONFIG.replace("  allow_all: true", "  allow_all: true\n  admin_users: [boss]")
    carrel = Programs(profile=["/usr/bin/python3", "@DIR@/tunnels.py"], config=config)
    shutil.copy(os.path.join(LIB, "tunnels.py"), carrel.dir + "/tunnels.py")
    for name in ("spawner", "proxy", "hub"):
        carrel.begin(name)
    wait_http(Browser(carrel.url), "/hub/login", 200)
    boss = Browser(carrel.url)
    equal(boss.login("boss", "x").status, 302, "login of boss")


def every_family():
    boss.get("/hub/logout")
    equal(boss.login("boss", "x").status, 302, "login of boss")
    m = scrape()
    for family, (kind, labels, bounds) in WANTED.items():
        equal(m.types.get(family), kind, "type of " + family)
        if labels or kind != "histogram":
            equal(m.labels(family), labels, "labels of " + family)
        if bounds:
            equal(m.bounds(family), bounds, "buckets of " + family)
    equal(m.get("jupyterhub_hub_startup_duration_seconds_count"), 1, "starts of the hub")
    claim(0 < m.get("jupyterhub_hub_startup_duration_seconds_sum") < 5, "time of the start")
    claim(m.get("process_resident_memory_bytes") > 1 << 20, "resident memory")
    claim(abs(m.get("process_start_time_seconds") - os.stat("/proc/%d" % carrel.running["hub"].pid).st_ctime) < 60,
          "start time")


def only_with_the_scope():
    anna = Browser(carrel.url)
    for path in ("/hub/metrics", "/hub/api/metrics"):
        answer = anna.get(path, follow=False)
        equal(answer.status, 403, path + " of nobody")
        claim(answer.headers["Content-Type"].startswith("text/html"), "the refusal is no page")
    equal(anna.login("anna", "x").status, 302, "login of anna")
    equal(anna.get("/hub/metrics", follow=False).status, 403, "/hub/metrics of a person without the scope")


def a_day_is_told():
    before = scrape()
    ben = Browser(carrel.url)
    claim(ben.login("ben", "wrong").status == 403, "a wrong password is let in")
    equal(ben.login("ben", "x").status, 302, "login of ben")
    ben.start_server("ben")
    now = scrape()
    equal(now.get("jupyterhub_running_servers"), 1, "running servers")
    equal(now.get("jupyterhub_total_users"), before.get("jupyterhub_total_users") + 1, "users")

    def more(name, **labels):
        return now.get(name, **labels) - before.get(name, **labels)
    login = "jupyterhub_login_duration_seconds_count"
    equal(more(login, status="LoginStatus.success"), 1, "logins")
    equal(more(login, status="LoginStatus.failure"), 1, "failed logins")
    equal(more("jupyterhub_server_spawn_duration_seconds_count", status="success", reason=""), 1, "starts")
    equal(more("jupyterhub_proxy_add_duration_seconds_count", status="success"), 1, "routes added")
    equal(more("jupyterhub_request_duration_seconds_count", method="GET", code="200",
               handler="jupyterhub.apihandlers.users.SpawnProgressAPIHandler"), 1, "progress streams")
    ben.api("DELETE", "/users/ben/server")
    until("the stop is told", 20,
          lambda: scrape().get("jupyterhub_server_stop_seconds_count", status="success") == 1)
    now = scrape()
    equal(now.get("jupyterhub_running_servers"), 0, "running servers")
    equal(more("jupyterhub_proxy_delete_duration_seconds_count", status="success"), 1, "routes deleted")


def restart_counts_what_runs():
    ben = Browser(carrel.url)
    equal(ben.login("ben", "x").status, 302, "login of ben")
    ben.start_server("ben")
    carrel.end("hub")
    carrel.begin("hub")
    wait_http(Browser(carrel.url), "/hub/login", 200)
    until("the adopted server is counted", 20, lambda: scrape().get("jupyterhub_running_servers") == 1)
    m = scrape()
    equal(m.get("jupyterhub_active_users", period="24h"), 3, "active users, counted at the start")
    equal(m.get("jupyterhub_init_spawners_duration_seconds_count"), 1, "first list")
    equal(m.get("jupyterhub_server_spawn_duration_seconds_count"), 0, "an adopted server is no start")


def open_by_configuration():
    path = carrel.dir + "/carrel.yaml"
    with open(path) as f:
        text = f.read()
    with open(path, "w") as f:
        f.write(text.replace("hub:\n", "hub:\n  authenticate_prometheus: false\n"))
    carrel.end("hub")
    carrel.begin("hub")
    wait_http(Browser(carrel.url), "/hub/login", 200)
    scrape(Browser(carrel.url))


def the_parser_is_strict():
    good = "# HELP a x\n# TYPE a gauge\na{b=\"c\"} 1\n"
    Metrics(good)
    for bad in (good[:-1], good + "a{b=\"c\"} 2\n", good + "b 1\n", good.replace("1", "one"),
                good.replace('"c"', '"c",'), good.replace('"c"', "c"), "a 1\n", good + "\n",
                "# HELP h x\n# TYPE h histogram\nh_bucket{le=\"1.0\"} 2\nh_bucket{le=\"+Inf\"} 1\nh_sum 1\nh_count 1\n"):
        try:
            Metrics(bad)
        except (Failure, KeyError, ValueError):
            continue
        raise Failure("taken: %r" % bad)


report.run([
    ("the parser refuses what is no text format", the_parser_is_strict),
    ("spawner, proxy and hub are up", begin),
    ("every family has its type, labels and buckets", every_family),
    ("without read:metrics: 403, as a page", only_with_the_scope),
    ("a login, a start and a stop are told", a_day_is_told),
    ("after a restart of the hub the adopted server is counted", restart_counts_what_runs),
    ("authenticate_prometheus: false shows them to everybody", open_by_configuration),
], on_failure=lambda: carrel and carrel.print_lines())
if carrel:
    carrel.clean()
report.finish()
