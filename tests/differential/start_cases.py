"""Starts that take their time, that are cancelled and that fail: states, pages, progress."""
from asking import ask, visit

HTML = {"Accept": "text/html,*/*;q=0.8"}
SERVER = "/users/slow/server"


def log_in(name):
    visit("%s: page of the login" % name, name, "GET", "/hub/login")
    visit("%s: logs in" % name, name, "POST", "/hub/login?next=%2Fhub%2Ftoken",
          form=[("_xsrf", "{xsrf}"), ("username", name), ("password", "x")])


# ---- slow: the answer comes before the server does
log_in("slow")
ask("slow: start", "boss", "POST", SERVER)
ask("slow: start again", "boss", "POST", SERVER)
ask("slow: pending", "boss", "GET", "/users/slow")
ask("slow: among the active", "boss", "GET", "/users?state=active")
ask("slow: not among the ready", "boss", "GET", "/users?state=ready")
ask("slow: change", "boss", "PATCH", SERVER, body={"user_options": {}}, since=6)
visit("slow: page of a start", "slow", "GET", "/hub/spawn", headers=HTML)
visit("slow: page of a start with next", "slow", "GET", "/hub/spawn/slow?next=%2Fuser%2Fslow%2Fx", headers=HTML)
visit("slow: pending page", "slow", "GET", "/hub/spawn-pending/slow", headers=HTML)
visit("slow: its address", "slow", "GET", "/hub/user/slow/lab?x=1", headers=HTML)
visit("slow: its address for scripts", "slow", "GET", "/hub/user/slow/api/status")
visit("slow: home", "slow", "GET", "/hub/home", headers=HTML)
visit("slow: root", "slow", "GET", "/hub/", headers=HTML)
ask("slow: progress", "boss", "GET", SERVER + "/progress")
ask("slow: ready", "boss", "GET", "/users/slow", wait=(60, "servers..ready", True))
ask("slow: progress when ready", "boss", "GET", SERVER + "/progress")
ask("slow: stop", "boss", "DELETE", SERVER)

# ---- slower: a start that is cancelled (the release 3 has to wait for its end)
ask("slower: made", "boss", "POST", "/users/slower", since=5)
ask("slower: start", "boss", "POST", "/users/slower/server", since=5)
ask("slower: cancel", "boss", "DELETE", "/users/slower/server", since=5)
ask("slower: at rest", "boss", "GET", "/users/slower", wait=(60, "servers..ready", None), since=5)
ask("slower: progress after it", "boss", "GET", "/users/slower/server/progress", since=5)
ask("slower: deleted", "boss", "DELETE", "/users/slower", since=5)

# ---- broken: a start that fails
log_in("broken")
ask("broken: start", "boss", "POST", "/users/broken/server")
ask("broken: at rest", "boss", "GET", "/users/broken", wait=(60, "servers..ready", None))
ask("broken: progress", "boss", "GET", "/users/broken/server/progress")
visit("broken: pending page", "broken", "GET", "/hub/spawn-pending/broken", headers=HTML)
visit("broken: its address", "broken", "GET", "/hub/user/broken/lab", headers=HTML)
visit("broken: its address for scripts", "broken", "GET", "/hub/user/broken/api/status")
visit("broken: root", "broken", "GET", "/hub/", headers=HTML)
visit("broken: starts again by its page", "broken", "GET", "/hub/spawn", headers=HTML)
