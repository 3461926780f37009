"""Requests of browsers: logins, pages and where they lead, cookies, XSRF, the OAuth provider, logout."""
from asking import ask, visit

HTML = {"Accept": "text/html,*/*;q=0.8"}
JSON = {"Accept": "application/json"}
CORS = {"Sec-Fetch-Mode": "cors", "Sec-Fetch-Site": "same-origin"}

# ---- nobody has logged in
for path in ("/", "/hub", "/hub/", "/hub/home", "/hub/home?x=1", "/hub/token", "/hub/admin", "/hub/spawn", "/hub/spawn/bert",
             "/hub/spawn/anna/lab?opt-a=1", "/hub/spawn-pending/anna", "/hub/user/anna", "/hub/user/anna/lab?x=1&y=%2F",
             "/user/anna", "/user/anna/", "/user/anna/lab?x=%2F", "/user/anna?x=1", "/services/none", "/services/none/x?y=1",
             "/hub/user-redirect/lab?x=1", "/hub/logout", "/hub/nothing", "/hub/nothing?x=1",
             "/hub/static/nothing", "/hub/error/404", "/hub/error/503?url=%2Fx", "/hub/error/999", "/hub/login/", "/hub/home/",
             "/hub/metrics", "/hub/health", "/elsewhere?x=1", "/hub/robots.txt",
             "/hub/api/oauth2/authorize", "/hub/api/oauth2/authorize?client_id=service-wiki&response_type=code&state=1"):
    visit("nobody: GET " + path, "nobody", "GET", path)
visit("nobody: GET /hub/accept-share", "nobody", "GET", "/hub/accept-share?code=x", since=5)
for method, path in (("HEAD", "/hub/home"), ("HEAD", "/hub/login"), ("HEAD", "/hub/logo"), ("PUT", "/hub/home"), ("DELETE", "/hub/login"),
                     ("POST", "/hub/spawn"), ("POST", "/hub/token"), ("POST", "/hub/logout"), ("POST", "/hub/security/csp-report"),
                     ("POST", "/hub/user/anna/api/x"), ("POST", "/user/anna/api/x"), ("PUT", "/user/anna/api/x"),
                     ("POST", "/hub/api/oauth2/authorize"), ("OPTIONS", "/hub/login"), ("POST", "/hub/nothing"),
                     ("GET", "/hub/api/user"), ("POST", "/hub/api/users"), ("DELETE", "/hub/api/users/anna")):
    visit("nobody: %s %s" % (method, path), "stranger", method, path)

# ---- login
visit("login: page", "anna", "GET", "/hub/login?next=%2Fhub%2Ftoken&username=anna", fields=True)
visit("login: page, a script", "script", "GET", "/hub/login", headers=CORS)
visit("login: no xsrf", "anna", "POST", "/hub/login", form=[("username", "anna"), ("password", "x")], since=4)
visit("login: wrong xsrf", "anna", "POST", "/hub/login?_xsrf=x", form=[("username", "anna"), ("password", "x")], since=4)
visit("login: wrong password", "anna", "POST", "/hub/login?next=%2Fhub%2Ftoken",
      form=[("_xsrf", "{xsrf}"), ("username", "anna"), ("password", "y")], fields=True)
visit("login: no name", "anna", "POST", "/hub/login", form=[("_xsrf", "{xsrf}"), ("username", ""), ("password", "x")])
visit("login: with next", "anna", "POST", "/hub/login?next=%2Fhub%2Ftoken%3Fx%3D1",
      form=[("_xsrf", "{xsrf}"), ("username", " Anna "), ("password", "x")])
visit("login: without next", "bert", "GET", "/hub/login?a=1")
visit("login: query goes on", "bert", "POST", "/hub/login?a=1", form=[("_xsrf", "{xsrf}"), ("username", "bert"), ("password", "x")])
for target in ("%2Fhub%2Fhome%3Fx%3D%252F", "http%3A%2F%2Fevil.example%2Fx", "%2F%2Fevil.example%2Fx", "%2F%5Cevil.example",
               "%5C%5Cevil.example", "%2F%2F%2Fevil.example", "%2F%2F%2F%2F%2Fx", "x", "", "javascript%3Aalert(1)", "%2Fuser%2Fbert%2Fa%2520b",
               "https%3A%2Fx", "%20%2Fx", "%2Fhub%2F%C3%A9"):
    visit("login: again to " + target, "anna", "GET", "/hub/login?next=" + target)
visit("login: again without", "anna", "GET", "/hub/login?b=2")

# ---- cookies: what each page sets for whom
visit("cookies: home", "anna", "GET", "/hub/home")
visit("cookies: home again", "anna", "GET", "/hub/home")
visit("cookies: token page", "anna", "GET", "/hub/token")
visit("cookies: a script's page", "anna", "GET", "/hub/home", headers=CORS)
visit("boss logs in: page", "boss", "GET", "/hub/login")
visit("boss logs in", "boss", "POST", "/hub/login?next=%2Fhub%2Fadmin", form=[("_xsrf", "{xsrf}"), ("username", "boss"), ("password", "x")])
visit("boss: admin", "boss", "GET", "/hub/admin")

# ---- REST with a cookie
visit("cookie: self", "anna", "GET", "/hub/api/user")
visit("cookie: self of a script", "anna", "GET", "/hub/api/user", headers=CORS, since=4)
visit("cookie: self of a script with xsrf", "anna", "GET", "/hub/api/user", headers=dict(CORS, **{"X-XSRFToken": "{xsrf}"}))
visit("cookie: self with xsrf in the query", "anna", "GET", "/hub/api/user?_xsrf={xsrf}", headers=CORS)
visit("cookie: wrong xsrf", "anna", "GET", "/hub/api/user?_xsrf=nope", headers=CORS, since=4)
visit("cookie: a navigation", "anna", "GET", "/hub/api/user", headers={"Sec-Fetch-Mode": "navigate"})
visit("cookie: write without xsrf", "anna", "POST", "/hub/api/users/anna/tokens", body={}, since=4)
visit("cookie: write with the other header", "anna", "POST", "/hub/api/users/anna/tokens", body={"note": "n"},
      headers={"X-CSRFToken": "{xsrf}"})
visit("cookie: write as a form", "anna", "POST", "/hub/api/users/anna/tokens?_xsrf={xsrf}", form=[("note", "n")])
visit("cookie: write as text", "anna", "POST", "/hub/api/users/anna/tokens?_xsrf={xsrf}", body={},
      headers={"Content-Type": "text/plain"})
visit("cookie: write as JSON with charset", "anna", "POST", "/hub/api/users/anna/tokens?_xsrf={xsrf}", body={},
      headers={"Content-Type": "application/json; charset=utf-8"}, keep={"cookie_token": "id"})
visit("cookie: delete without xsrf", "anna", "DELETE", "/hub/api/users/anna/tokens/{cookie_token}", since=4)
visit("cookie: delete", "anna", "DELETE", "/hub/api/users/anna/tokens/{cookie_token}?_xsrf={xsrf}")
visit("cookie: another's", "anna", "GET", "/hub/api/users/bert")
visit("cookie: a list", "anna", "GET", "/hub/api/users")
visit("cookie: unknown path", "anna", "GET", "/hub/api/nothing", headers=CORS)
visit("cookie: method", "anna", "PUT", "/hub/api/user?_xsrf={xsrf}")
visit("cookie: metrics", "anna", "GET", "/hub/metrics")
visit("cookie: a token wins", "anna", "GET", "/hub/api/user", headers={"Authorization": "token {boss}"})
visit("cookie: beside a wrong token", "anna", "GET", "/hub/api/user", headers={"Authorization": "token 0123456789abcdef"})
visit("pages do not know tokens", "other", "GET", "/hub/home", headers={"Authorization": "token {boss}"})

# ---- pages of somebody
for path in ("/", "/hub/", "/hub/?a=1", "/hub/token", "/hub/admin", "/hub/spawn/bert", "/hub/spawn/nosuch", "/hub/spawn-pending/bert",
             "/hub/user/bert/lab", "/hub/user/nosuch/", "/hub/user/anna/lab", "/hub/user/anna", "/user/anna/lab?x=1",
             "/hub/user-redirect/lab/tree/a%20b?x=%2F&y=1+2", "/hub/user-redirect/", "/hub/nothing",
             "/hub/user/anna/nolab/x", "/hub/error/404", "/services/none/"):
    visit("anna: GET " + path, "anna", "GET", path, headers=HTML)
visit("anna: pending without a start", "anna", "GET", "/hub/spawn-pending/anna")
visit("anna: not running, for scripts", "anna", "GET", "/hub/user/anna/x", headers=JSON)
visit("anna: not running, an API", "anna", "GET", "/hub/user/anna/api/contents")
visit("anna: not running, another's API", "anna", "GET", "/hub/user/bert/api/contents")
visit("anna: not running, write", "anna", "POST", "/hub/user/anna/api/contents?_xsrf={xsrf}", body={})
visit("anna: not running, write without xsrf", "anna", "POST", "/hub/user/anna/api/contents", body={}, since=4)
visit("anna: not running, delete", "anna", "DELETE", "/hub/user/anna/api/contents?_xsrf={xsrf}")
visit("anna: not running, put", "anna", "PUT", "/hub/user/anna/api/contents?_xsrf={xsrf}", body={})
ask("token: not running", "boss", "GET", "/../user/anna/api/contents")
visit("boss: another's not running", "boss", "GET", "/hub/user/anna/lab", headers=HTML)
visit("boss: another's pending", "boss", "GET", "/hub/spawn-pending/anna")
visit("report: no xsrf", "anna", "POST", "/hub/security/csp-report", body={}, since=4)
visit("report", "anna", "POST", "/hub/security/csp-report?_xsrf={xsrf}", body={})

# ---- a start by pages
visit("start", "anna", "GET", "/hub/spawn?next=%2Fuser%2Fanna%2Ftree", headers=HTML)
visit("start: is ready", "anna", "GET", "/hub/spawn-pending/anna?next=%2Fuser%2Fanna%2Ftree", wait=(30, "status", 302))
visit("start: again", "anna", "GET", "/hub/spawn")
visit("start: again with next", "anna", "GET", "/hub/spawn/anna?next=%2Fuser%2Fanna%2Fx")
visit("start: from the hub", "anna", "GET", "/hub/user/anna/lab?x=1", headers=HTML)
visit("start: home leads there", "anna", "GET", "/hub/")
visit("start: login leads there", "anna", "GET", "/hub/login")
visit("start: link for all", "anna", "GET", "/hub/user-redirect/lab?x=1")
visit("start: redirected once", "anna", "GET", "/hub/user/anna/lab?redirects=4", headers=HTML)
visit("start: boss enters", "boss", "GET", "/hub/user/anna/lab", headers=HTML)
visit("start: bert does not", "bert", "GET", "/hub/user/anna/lab", headers=HTML)
visit("start: model", "anna", "GET", "/hub/api/users/anna")
visit("start: named with options", "anna", "GET", "/hub/spawn/anna/lab2?opt-size=big&x=1")
visit("start: named is ready", "anna", "GET", "/hub/spawn-pending/anna/lab2", wait=(30, "status", 302))
visit("start: named model", "anna", "GET", "/hub/api/users/anna/servers/lab2", since=6)
visit("start: named page", "anna", "GET", "/hub/user/anna/lab2/tree", headers=HTML)

# ---- OAuth
AUTHORIZE = "/hub/api/oauth2/authorize?client_id=%s&response_type=code&state=st%%20%%2F1"
WIKI, BACK = AUTHORIZE % "service-wiki", "&redirect_uri=http%3A%2F%2Fwiki.example%2Fback%3Ffrom%3Dhub"
VERIFIER = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
CHALLENGE = "&code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&code_challenge_method=S256"
visit("authorize: nothing", "anna", "GET", "/hub/api/oauth2/authorize")
visit("authorize: unknown client", "anna", "GET", AUTHORIZE % "nosuch")
visit("authorize: the hub itself", "anna", "GET", AUTHORIZE % "jupyterhub")
visit("authorize: wrong way back", "anna", "GET", WIKI + "&redirect_uri=http%3A%2F%2Fevil.example%2F")
visit("authorize: way back with more", "anna", "GET", WIKI + BACK + "%26x%3D1")
visit("authorize: no type", "anna", "GET", "/hub/api/oauth2/authorize?client_id=service-wiki&state=1")
visit("authorize: wrong type", "anna", "GET", "/hub/api/oauth2/authorize?client_id=service-wiki&response_type=token&state=1")
visit("authorize: unknown scope", "anna", "GET", WIKI + BACK + "&scope=nope")
visit("authorize: scope too wide", "anna", "GET", WIKI + BACK + "&scope=servers")
visit("authorize: twice the client", "anna", "GET", WIKI + "&client_id=service-quiet")
visit("authorize: no access", "anna", "GET", AUTHORIZE % "service-closed")
visit("authorize: of a token", "other", "GET", WIKI, headers={"Authorization": "token {boss}"})
visit("authorize: asks", "anna", "GET", WIKI + BACK, fields=True)
visit("authorize: asks for one scope", "anna", "GET", WIKI + BACK + "&scope=custom%3Agrades%3Aread", fields=True)
visit("authorize: asks for what she lacks", "anna", "GET", WIKI + BACK + "&scope=list%3Ausers", fields=True)
visit("authorize: asks for a role", "anna", "GET", WIKI + BACK + "&scope=lab-reader", fields=True)
visit("authorize: the old word", "anna", "GET", WIKI + BACK + "&scope=identify", fields=True)
visit("authorize: confirm without xsrf", "anna", "POST", WIKI + BACK, form=[("scopes", "read:servers!user=anna")], since=4)
visit("authorize: confirm of nobody", "nobody", "POST", WIKI + BACK, form=[("scopes", "identify")])
visit("authorize: confirm", "anna", "POST", WIKI + BACK,
      form=[("_xsrf", "{xsrf}"), ("scopes", "custom:grades:read"), ("scopes", "access:services!service=wiki"),
            ("scopes", "read:users:name!user"), ("scopes", "read:users:groups!user")], keep={"code1": "location code"})
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
SECRET = "client_id=service-wiki&client_secret=wiki-secret-0123456789&"
GRANT = SECRET + "grant_type=authorization_code&"
RETURN = "&redirect_uri=http%3A%2F%2Fwiki.example%2Fback%3Ffrom%3Dhub"


def exchange(name, raw, keep=None, headers=None, since=0):
    ask("oauth: " + name, None, "POST", "/oauth2/token", raw=raw, headers=dict(FORM, **(headers or {})), keep=keep, since=since)


exchange("wrong secret", "client_id=service-wiki&client_secret=nope&grant_type=authorization_code&code={code1}" + RETURN)
exchange("no secret", "client_id=service-wiki&grant_type=authorization_code&code={code1}" + RETURN)
exchange("foreign code", "client_id=service-quiet&client_secret=quiet-secret-0123456789&grant_type=authorization_code&code={code1}")
exchange("no code", GRANT + RETURN[1:])
exchange("wrong code", GRANT + "code=nope" + RETURN)
exchange("wrong way back", GRANT + "code={code1}&redirect_uri=http%3A%2F%2Fwiki.example%2F")
exchange("basic", "grant_type=authorization_code&code=nope" + RETURN,
         headers={"Authorization": "Basic c2VydmljZS13aWtpOndpa2ktc2VjcmV0LTAxMjM0NTY3ODk="})
exchange("exchange", GRANT + "code={code1}" + RETURN, keep={"access1": "access_token"})
ask("access: self", "access1", "GET", "/user")
ask("access: user", "access1", "GET", "/users/anna")
ask("access: list", "access1", "GET", "/users")
ask("access: tokens of anna", "boss", "GET", "/users/anna/tokens")
visit("authorize: not asked again", "anna", "GET", WIKI + BACK + "&scope=custom%3Agrades%3Aread", keep={"code2": "location code"})
visit("authorize: asked for more", "anna", "GET", WIKI + BACK + "&scope=custom%3Agrades%3Aread+read%3Aservers%21user", fields=True)
exchange("without a way back", GRANT + "code={code2}", keep={"access2": "access_token"})
visit("authorize: quiet", "anna", "GET", AUTHORIZE % "service-quiet", keep={"code3": "location code"})
exchange("quiet", "client_id=service-quiet&client_secret=quiet-secret-0123456789&grant_type=authorization_code&code={code3}",
         keep={"access3": "access_token"})
ask("access: quiet self", "access3", "GET", "/user")
visit("authorize: quiet again", "anna", "GET", AUTHORIZE % "service-quiet", keep={"code5": "location code"})
QUIET = "client_id=service-quiet&client_secret=quiet-secret-0123456789&grant_type=authorization_code&code={code5}"
exchange("first", QUIET, keep={"access5": "access_token"})
exchange("second", QUIET)
ask("access: of a code that came twice", "access5", "GET", "/user")
visit("authorize: own server", "anna", "GET", AUTHORIZE % "jupyterhub-user-anna")
visit("authorize: own named server", "anna", "GET", AUTHORIZE % "jupyterhub-user-anna-lab2")
visit("authorize: another's server", "bert", "GET", AUTHORIZE % "jupyterhub-user-anna")
visit("authorize: another's server for boss", "boss", "GET", AUTHORIZE % "jupyterhub-user-anna", fields=True)
visit("authorize: with a challenge", "bert", "GET", AUTHORIZE % "service-quiet" + CHALLENGE, keep={"code4": "location code"}, since=6)
visit("authorize: an unknown challenge", "bert", "GET", AUTHORIZE % "service-quiet" + "&code_challenge=x&code_challenge_method=nope", since=6)

PROVEN = "client_id=service-quiet&client_secret=quiet-secret-0123456789&grant_type=authorization_code&code={code4}"
exchange("no verifier", PROVEN, since=6)
exchange("verifier of nobody", PROVEN + "&code_verifier=" + "x" * 43, since=6)
visit("authorize: with a challenge again", "bert", "GET", AUTHORIZE % "service-quiet" + CHALLENGE, keep={"code6": "location code"}, since=6)
exchange("with the verifier", PROVEN.replace("code4", "code6") + "&code_verifier=" + VERIFIER, since=6)

# ---- logout
visit("logout", "anna", "GET", "/hub/logout")
visit("logout: page", "anna", "GET", "/hub/home")
visit("logout: again", "anna", "GET", "/hub/logout")
ask("logout: takes tokens along", "access1", "GET", "/user")
ask("logout: of all services", "access3", "GET", "/user")
ask("logout: the server runs on", "boss", "GET", "/users/anna")

# ---- stop, and where pages lead then
ask("stop: default", "boss", "DELETE", "/users/anna/server")
ask("stop: named", "boss", "DELETE", "/users/anna/servers/lab2", body={"remove": True})
ask("stop: is done", "boss", "GET", "/users/anna?include_stopped_servers=1", wait=(30, "servers.lab2.ready", None))
ask("stop: clients are gone", "boss", "GET", "/users/anna/tokens")

# ---- services by their tokens
for who in ("culler", "teacher", "chief", "quiet"):
    ask(who + ": self", who, "GET", "/user")
    ask(who + ": services", who, "GET", "/services")
    ask(who + ": itself", who, "GET", "/services/" + who)
    ask(who + ": another", who, "GET", "/services/wiki")
    ask(who + ": users", who, "GET", "/users")
    ask(who + ": anna", who, "GET", "/users/anna")
    ask(who + ": groups", who, "GET", "/groups")
    ask(who + ": group", who, "GET", "/groups/lab")
    ask(who + ": start", who, "POST", "/users/anna/server", raw="{")
    ask(who + ": stop", who, "DELETE", "/users/bert/server")
    ask(who + ": info", who, "GET", "/info")
    ask(who + ": token for anna", who, "POST", "/users/anna/tokens", body={"note": "n", "scopes": ["read:users!user"]})
    ask(who + ": members", who, "POST", "/groups/lab/users", body={"users": ["olga"]})
    ask(who + ": members out", who, "DELETE", "/groups/lab/users", body={"users": ["olga"]})
    ask(who + ": new group", who, "POST", "/groups/by-" + who)
    ask(who + ": proxy", who, "GET", "/proxy")
    ask(who + ": metrics", who, "GET", "/metrics", headers={"Accept": "text/plain"})
