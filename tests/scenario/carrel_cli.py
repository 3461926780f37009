#!/usr/bin/python3
"""`carrel`, the administrator's command: each verb against a running hub, its exit codes, what it explains."""
import json
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
import report
from report import bin_dir, claim, equal, source_dir
from rest import Caller, begin_hub, end_hub

report.group("carrel-cli")

# the last part of CONFIG is the map "auth"
carrel = begin_hub("  load_roles: [{name: grader, description: grades, scopes: ['list:users'], groups: [crew]}]\n"
                   "  load_groups: {crew: [alice]}\n"
                   "server:\n  allow_named_servers: true\n  start_timeout: 20s\n")
DONE, REFUSED, WRONG_USE, NO_HUB, FORBIDDEN, NOT_FOUND = range(6)


def run(status, *args, env=None, stdin="", local=True):
    """By admin.sock (this test is root, or the hub's own account), else by what env says."""
    argv = [os.path.join(bin_dir(), "carrel")] + list(args)
    if local:
        argv += ["--run-dir", carrel.dir + "/run"]
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("CARREL_", "JUPYTERHUB_"))}
    p = subprocess.run(argv, input=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=120,
                       env={**clean, **(env or {})})
    claim(p.returncode == status, "carrel %s: exit code %d, not %d: %s%s" % (
        " ".join(args), p.returncode, status, p.stdout, p.stderr))
    return p


def told(*args, **more):
    return json.loads(run(DONE, *args, "--json", **more).stdout)


def has(p, *texts):
    for text in texts:
        claim(text in p.stdout + p.stderr, "%r is not in: %s%s" % (text, p.stdout, p.stderr))


def begin():
    global boss
    boss = Caller(carrel, "boss")
    for name in ("alice", "carl"):
        Caller(carrel, name)


def users():
    has(run(DONE, "users", "add", "dora", "emil"), "made dora", "made emil")
    equal([u["name"] for u in told("users", "list", "--sort", "name")],
          ["alice", "boss", "carl", "dora", "emil"], "all users")
    equal([u["name"] for u in told("users", "--filter", "or")], ["dora"], "filtered, and list is the default")
    has(run(DONE, "users"), "NAME", "LAST ACTIVITY", "dora")
    has(run(DONE, "users", "show", "boss"), "administrator:", "yes")
    run(DONE, "users", "rename", "emil", "fred")
    run(NOT_FOUND, "users", "show", "emil")
    run(DONE, "users", "admin", "fred")
    equal(told("users", "show", "fred")["admin"], True, "an administrator")
    run(DONE, "users", "admin", "--off", "fred")
    equal(told("users", "show", "fred")["admin"], False, "one no longer")
    run(DONE, "users", "remove", "fred", "dora")
    has(run(NOT_FOUND, "users", "remove", "fred"), "(404)")
    has(run(REFUSED, "users", "add", "a/b"), "Invalid username")
    # more than a page, and a name that is no ASCII
    run(DONE, "users", "add", *["page%03d" % i for i in range(99)])
    run(DONE, "users", "add", *["Page%03d" % i for i in range(100, 199)])
    run(DONE, "users", "add", "--run-dir", carrel.dir + "/run", "--", "-x-", local=False)
    run(DONE, "users", "remove", "--run-dir=" + carrel.dir + "/run", "--", "-x-", local=False)
    run(DONE, "users", "add", *["page%03d" % i for i in range(200, 210)], "zo\u00eb")
    equal(len(told("users", "list")), 3 + 99 + 99 + 10 + 1, "users on all pages")
    run(DONE, "users", "show", "zo\u00eb")


def groups():
    run(DONE, "groups", "add", "physics")
    run(DONE, "groups", "join", "physics", "alice", "carl")
    equal(told("groups", "show", "physics")["users"], ["alice", "carl"], "members")
    run(DONE, "groups", "leave", "physics", "carl")
    equal(told("groups", "show", "physics")["users"], ["alice"], "who is left")
    has(run(DONE, "groups"), "physics", "crew", "alice")
    run(DONE, "groups", "remove", "physics")
    run(NOT_FOUND, "groups", "show", "physics")


def tokens():
    p = run(DONE, "tokens", "add", "boss", "--note", "a test's", "--expires", "1h", "--scope", "list:users",
            "--scope=read:users")
    text = p.stdout.strip()
    claim(len(text) == 32, "only the token is on standard output: %r" % p.stdout)
    mine = [t for t in told("tokens", "list", "boss")["api_tokens"] if t["note"] == "a test's"]
    equal(len(mine), 1, "the token in the list")
    has(run(DONE, "tokens", "list", "boss"), "a test's", mine[0]["id"])
    api = {"CARREL_API_URL": "http://127.0.0.1:%d/hub/api" % carrel.hub_port, "CARREL_TOKEN": text}
    claim(len(told("users", "list", env=api, local=False)) > 200, "the token lists users")
    run(FORBIDDEN, "users", "remove", "alice", env=api, local=False)
    old = {"JUPYTERHUB_API_URL": api["CARREL_API_URL"] + "/", "JUPYTERHUB_API_TOKEN": text}
    told("users", "list", env=old, local=False)
    path = carrel.dir + "/token"
    with open(path, "w") as f:
        f.write(text + "\n")
    os.chmod(path, 0o644)
    only_url = {"CARREL_API_URL": api["CARREL_API_URL"]}
    has(run(FORBIDDEN, "users", "--token-file", path, env=only_url, local=False), "by others than its owner")
    os.chmod(path, 0o600)
    run(DONE, "users", "--token-file", path, env=only_url, local=False)
    run(DONE, "users", env={**only_url, "CARREL_TOKEN_FILE": path}, local=False)
    run(FORBIDDEN, "users", env=only_url, local=False)
    has(run(WRONG_USE, "tokens", "add", "boss", "--expires", "soon"), "--expires")
    run(DONE, "tokens", "revoke", "boss", mine[0]["id"])
    run(FORBIDDEN, "users", env=api, local=False)


def servers():
    has(run(DONE, "servers", "start", "alice", "--wait"), "ready")
    run(DONE, "servers", "start", "alice/lab", "--wait")
    equal(sorted(s["full_name"] for s in told("servers")), ["alice/", "alice/lab"], "what runs")
    has(run(DONE, "servers", "list", "--user", "alice"), "alice/lab", "ready", "/user/alice/")
    has(run(DONE, "why", "alice"), "No failed start is known", "Server ready at")
    run(DONE, "servers", "stop", "alice", "alice/lab")
    equal([s for s in told("servers", "list") if s["ready"]], [], "nothing is ready any more")
    run(DONE, "servers", "remove", "alice/lab")
    run(NOT_FOUND, "servers", "remove", "alice/lab")
    run(NOT_FOUND, "why", "alice/lab")


def services():
    boss.ok(201, "POST", "/services/dash", {"admin": False})
    equal(list(told("services")), ["dash"], "services")
    has(run(DONE, "services"), "dash")
    has(run(DONE, "services", "show", "dash"), "name:", "dash")
    run(DONE, "services", "remove", "dash")
    run(NOT_FOUND, "services", "show", "dash")


def roles():
    all_roles = {r["name"]: r for r in told("roles")}
    equal(sorted(all_roles), ["admin", "grader", "server", "token", "user"], "roles")
    equal((all_roles["grader"]["scopes"], all_roles["grader"]["groups"], all_roles["grader"]["is_configured"]),
          (["list:users"], 1, True), "a role of carrel.yaml")
    has(run(DONE, "roles"), "grader", "carrel.yaml")
    has(run(DONE, "roles", "show", "admin"), "admin:users")
    run(NOT_FOUND, "roles", "show", "none")


def explains_logins():
    p = run(DONE, "explain", "user", "Boss")
    has(p, "admin_users", "is let in", "yes, an administrator")
    yes = told("explain", "user", "stranger", "--group", "crew", "--group", "a&b")
    equal((yes["allowed"], yes["reason"], yes["groups"], yes["groups_from"], yes["known"]),
          (True, "allow_all", ["crew", "a&b"], "query", False), "a stranger")
    no = told("explain", "user", "a/b")
    equal((no["allowed"], no["name"]), (False, None), "a name that cannot be")
    boss.ok(400, "GET", "/explain/user/a?" + "&".join(["group=a"] * 300))
    boss.ok(400, "GET", "/explain/user/a?group=%ff")


def explains_tokens():
    bare = boss.token_of("carl", note="wide", scopes=["servers!user"])
    p = run(DONE, "explain", "token", bare.id)
    has(p, "user carl", "servers!user", "never", "delete:servers!user=carl")
    same = told("explain", "token", "-", stdin=bare.token + "\n")
    equal((same["id"], same["asked"]), (bare.id, [{"scope": "servers!user", "held": True, "missing": None}]), "by text")
    has(run(WRONG_USE, "explain", "token", "-"), "no token")
    run(NOT_FOUND, "explain", "token", "-", stdin="f" * 32)
    run(NOT_FOUND, "explain", "token", "a999999")
    # what its owner loses, it loses
    run(DONE, "users", "admin", "carl")
    wide = boss.token_of("carl", note="was wide", scopes=["admin:users"])
    run(DONE, "users", "admin", "--off", "carl")
    lost = told("explain", "token", wide.id)["asked"]
    equal((lost[0]["scope"], lost[0]["held"]), ("admin:users", False), "a scope that its owner lost")
    claim(lost[0]["missing"], "which one is missing")


def asked(method, path, **who):
    """What is explained, held against what the hub answers."""
    args = [a for key, value in who.items() for a in ("--" + key.rstrip("_"), value)]
    return told("explain", "request", method, path, *args)


def explains_requests():
    own = asked("GET", "/hub/api/users/carl", as_="carl")
    equal((own["passes"], own["route"]), (True, "/api/users/:user"), "one's own")
    other = asked("GET", "/hub/api/users/boss", as_="carl")
    equal((other["passes"], other["status"]), (False, 404), "another's")
    claim(any(s["verdict"] == "held for others" and s["held_for"] == ["user=carl"] for s in other["scopes"]),
          "held for carl only: %r" % other["scopes"])
    equal((asked("POST", "/hub/api/users", as_="carl")["status"]), 403, "not held")
    equal((asked("POST", "/hub/api/users", as_="boss")["passes"]), True, "an administrator's")
    equal(asked("GET", "/hub/api/users", as_="alice")["passes"], True, "a listing by the role of a group")
    equal(asked("PUT", "/hub/api/info", as_="boss")["status"], 405, "a wrong method")
    equal(asked("GET", "/hub/api/nothing", as_="boss")["status"], 404, "no route")
    equal(asked("GET", "/hub/api/info")["status"], 403, "nobody")
    token = boss.token_of("carl", scopes=["read:servers!user"])
    start = told("explain", "request", "POST", "/hub/api/users/carl/server", "--token", "-", stdin=token.token)
    equal((start["passes"], start["status"]), (False, 403), "a narrow token's")
    equal(token.call("POST", "/users/carl/server").status, 403, "as the hub does")
    has(run(DONE, "explain", "request", "POST", "/hub/api/users/carl/server", "--token", token.id),
        "Any one of these is enough", "servers", "answered 403")
    equal(asked("GET", "/hub/api/health")["passes"], True, "a route that asks nobody")
    run(REFUSED, "explain", "request", "GET", "/elsewhere")
    run(NOT_FOUND, "explain", "request", "GET", "/hub/api/info", "--as", "none")
    for text in (token.token, "a" + "1f" * 15 + "1", "a" + "1" * 31, "a"):  # never on a command line
        run(WRONG_USE, "explain", "request", "GET", "/hub/api/info", "--token", text)
        run(WRONG_USE, "explain", "token", text)


def tells_why():
    with open(carrel.dir + "/tiny_server.py") as f:
        good = f.read()
    with open(carrel.dir + "/tiny_server.py", "w") as f:
        f.write("import sys\nprint('no tea', '?token=' + '%s')\nsys.exit(7)\n" % ("1f" * 16))
    run(REFUSED, "servers", "start", "carl", "--wait")
    p = run(DONE, "why", "carl")
    has(p, "status 7", "no tea", "what to do:", "Server requested")
    failure = told("why", "carl")["failure"]
    claim("?token=(hidden)" in failure["log"] and "1f1f" not in failure["log"], "what may be a token: %r" % failure["log"])
    carrel.end("hub")
    carrel.begin("hub")
    equal(told("why", "carl")["failure"], failure, "the failure after a restart of the hub")
    equal(failure["exit"], {"status": 7, "signal": None, "oom": False}, "how it ended")
    claim(failure["steps"][0]["took_ms"] >= 0, "how long a step took")
    # it outlives the next start, and reading servers is not reading their lines
    with open(carrel.dir + "/tiny_server.py", "w") as f:
        f.write(good)
    run(DONE, "servers", "start", "carl", "--wait")
    equal(told("why", "carl")["failure"]["reason"], failure["reason"], "the failure after a good start")
    reader = boss.token_of("carl", scopes=["read:servers!user"])
    seen = reader.ok(200, "GET", "/explain/server/carl/").json()
    equal((seen["failure"]["reason"], seen["failure"]["log"], seen["steps"]), (failure["reason"], None, []), "a reader")
    equal(reader.call("GET", "/explain/server/boss/").status, 404, "another's")
    equal(reader.call("GET", "/explain/user/carl").status, 403, "an explanation without admin:users")
    run(DONE, "servers", "stop", "carl")


def is_used_rightly():
    has(run(WRONG_USE, local=False), "usage:")
    has(run(WRONG_USE, "usres", local=False), 'did you mean "users"')
    has(run(WRONG_USE, "users", "lsit", local=False), 'did you mean "users list"')
    has(run(WRONG_USE, "users", "list", "--bogus", local=False), "unknown option --bogus")
    has(run(WRONG_USE, "users", "remove", local=False), "it wants NAME...")
    has(run(WRONG_USE, "users", "show", "a", "b", local=False), 'unexpected "b"')
    has(run(DONE, "users", "add", "--help", local=False), "examples:", "--admin")
    has(run(NO_HUB, "users", "--run-dir", "/nonexistent", local=False), "CARREL_API_URL")
    run(WRONG_USE, "users", env={"CARREL_API_URL": "nonsense", "CARREL_TOKEN": "x"}, local=False)
    run(FORBIDDEN, "users", "--token-file", "/nonexistent", local=False)
    has(run(NO_HUB, "users", env={"CARREL_API_URL": "http://127.0.0.1:1/hub/api", "CARREL_TOKEN": "x"}, local=False),
        "does not answer")
    policy = os.path.join(source_dir(), "etc") if os.geteuid() == 0 else carrel.dir
    config = carrel.dir + "/carrel.yaml"
    has(run(DONE, "check", "--config", config, "--spawner-config", policy + "/spawner.yaml", local=False), "right")
    run(REFUSED, "check", "--config", config, "--spawner-config", config, local=False)
    run(REFUSED, "check", "--config", policy + "/spawner.yaml", "--spawner-config", policy + "/spawner.yaml", local=False)


def asks_first():
    """At a terminal, before something is lost."""
    import pty
    import select
    pid, fd = pty.fork()
    if pid == 0:
        os.execv(os.path.join(bin_dir(), "carrel"), ["carrel", "users", "remove", "alice", "--run-dir",
                                                     carrel.dir + "/run"])
    seen = b""
    while b"[y/N]" not in seen:
        claim(select.select([fd], [], [], 30)[0], "no question came: %r" % seen)
        seen += os.read(fd, 1000)
    os.write(fd, b"n\n")
    _, status = os.waitpid(pid, 0)
    os.close(fd)
    equal(os.waitstatus_to_exitcode(status), REFUSED, "after a no")
    equal(told("users", "show", "alice")["name"], "alice", "who was not deleted")


def end():
    end_hub(carrel)


report.run([("the hub runs", begin), ("users", users), ("groups", groups), ("tokens, and ways to show one", tokens),
            ("servers", servers), ("services", services), ("roles", roles), ("a login is explained", explains_logins),
            ("a token is explained", explains_tokens), ("a request is explained", explains_requests),
            ("why a start failed", tells_why), ("wrong use", is_used_rightly), ("it asks first", asks_first),
            ("the hub ends in order", end)], carrel.print_lines)
report.finish()
