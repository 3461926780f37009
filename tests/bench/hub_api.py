"""hub-api: the same calls to our hub and to JupyterHub, both with 10,000 users."""
import time

import measure
import report
from hubs import JupyterHub, Ours
from measure import request

N_USERS = 10000
JSON = "Content-Type: application/json"
FORM = "Content-Type: application/x-www-form-urlencoded"


# Few are enough: the CPU of a call hardly varies. What JupyterHub was never asked costs it more.
OPERATIONS = {"carrel": 2000, "jupyterhub": 200}
CONNECTIONS = (1, 16)


def report_activity(hub, turn):
    """Each time later than before by more than either hub's resolution, or nothing is written."""
    when = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - 80000 + 120 * turn))
    return request("POST", "/hub/api/users/u0####/activity", [hub.auth, JSON], '{"last_activity": "%s"}' % when)


def calls(hub):
    """(what, bytes or a function that makes them, options of load.c)."""
    auth = hub.auth
    cookie, xsrf = hub.login_form()
    form = [FORM] + (["Cookie: " + cookie] if cookie else [])
    return [
        ("GET /users/:name", request("GET", "/hub/api/users/u0###0", [auth]), {"range": 1000}),
        ("GET /users, a page of 50", request("GET", "/hub/api/users?limit=50&offset=1##0", [auth]), {"range": 100}),
        ("POST activity", report_activity, {"first": 10000}),
        ("POST token", request("POST", "/hub/api/users/u0###0/tokens", [auth, JSON], '{"note": "n"}'),
         {"range": 1000, "expect": 201}),
        ("POST user", request("POST", "/hub/api/users/new#######", [auth]), {"expect": 201, "first": 1000000}),
        ("login, dummy password", request("POST", "/hub/login", form, "username=u0###0&password=x&_xsrf=" + xsrf),
         {"range": 1000, "expect": 302}),
        ("GET /hub/home", request("GET", "/hub/home", ["Cookie: " + hub.cookie]), {}),
        ("GET /hub/login", request("GET", "/hub/login"), {}),
    ]


class Calls:
    def __init__(self, hub):
        self.hub, self.turn = hub, 0

    def once(self, data, options, connections, warm=False):
        """No call twice with the same number, where there is one."""
        self.turn += 1
        options = dict(options, operations=OPERATIONS[self.hub.name], connections=connections, seconds=20)
        if callable(data):
            data = data(self.hub, self.turn)
        elif "first" in options:
            options["first"] += 10000 * self.turn
        return measure.once(self.hub.pid, self.hub.hub_port, data, warm=warm, **options)

    def cost(self, data, options):
        """Per number of connections; JupyterHub's first look at a user is its dearest, so all are seen before."""
        if self.hub.name != "carrel" and "range" in options:
            measure.once(self.hub.pid, self.hub.hub_port, data, warm=True, operations=600,
                         connections=4, seconds=8, **dict(options, first=10000))
        self.once(data, options, 4, warm=True)
        return {n: measure.best([self.once(data, options, n) for _ in range(measure.REPEATS)]) for n in CONNECTIONS}


def begin_both():
    """Both hubs, signed in; the second is None where it cannot be had, and why."""
    ours = Ours(N_USERS)
    ours.begin()
    ours.sign_in()
    try:
        theirs = JupyterHub(N_USERS)
        theirs.begin()
        theirs.sign_in()
        return ours, theirs, ""
    except (measure.Skip, report.Failure) as e:
        return ours, None, str(e)


def run(out, only=None):
    ours, theirs, why = begin_both()
    rows, hubs = {}, list(filter(None, (ours, theirs)))
    try:
        for hub in hubs:
            caller = Calls(hub)
            for what, data, options in calls(hub):
                if only is None or only in what:
                    rows.setdefault(what, {})[hub.name] = caller.cost(data, options)
            rows.setdefault("memory", {})[hub.name] = dict(zip(("rss", "pss"), measure.memory(hub.pid)))
    finally:
        for hub in hubs:
            hub.end()
    out["hub-api"] = {"n_users": N_USERS, "rows": rows, "skipped": why}
