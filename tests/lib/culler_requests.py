"""What jupyterhub-idle-culler asks of a hub, in its order: for machines that do not have the real one.

Recorded from release 1.4. The real one is used by tests/root/services.py when
CARREL_CULLER names a directory that has the package.
"""
import datetime
import json
import os
import sys
import time
import urllib.parse
import urllib.request

API = os.environ["JUPYTERHUB_API_URL"]
TIMEOUT, PAGE = float(sys.argv[1]), sys.argv[2]


def ask(method, url, body=None, paged=False):
    headers = {"Authorization": "token " + os.environ["JUPYTERHUB_API_TOKEN"]}
    if paged:
        headers["Accept"] = "application/jupyterhub-pagination+json"
    request = urllib.request.Request(url, body, headers, method=method)
    with urllib.request.urlopen(request, timeout=60) as answer:
        text = answer.read()
        return answer.status, json.loads(text) if text else None


def idle_for(server):
    then = server["last_activity"] or server["started"]
    then = datetime.datetime.fromisoformat(then.replace("Z", "+00:00"))
    return (datetime.datetime.now(datetime.timezone.utc) - then).total_seconds()


def cull():
    ask("GET", API + "/")
    url = API + "/users?" + urllib.parse.urlencode({"limit": PAGE, "state": "ready"})
    users = []
    while url:
        page = ask("GET", url, paged=True)[1]
        users += page["items"]
        url = page["_pagination"]["next"] and page["_pagination"]["next"]["url"]
    for user in users:
        for name, server in user["servers"].items():
            if not server["pending"] and server["ready"] and idle_for(server) >= TIMEOUT:
                path = "/users/%s/server%s" % (urllib.parse.quote(user["name"]),
                                               "s/" + urllib.parse.quote(name) if name else "")
                print("Culling server %s" % user["name"], flush=True)
                ask("DELETE", API + path)


while True:
    try:
        cull()
    except OSError as e:  # the hub is away, or says no
        print("culling failed: %s" % e, flush=True)
    time.sleep(1)
