#!/usr/bin/python3
"""People of an LDAP directory log in: a real slapd, asked in every way that is offered."""
import base64
import contextlib
import os
import shutil
import socket
import sqlite3
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
import report
import slapd
from programs import Programs
from report import claim, equal
from web import Browser, wait_http
from ports import free_port

report.group("ldap")
why = slapd.missing()
if why:
    report.skip("logins by an LDAP directory", why)
    report.finish()

PERSON = """\
dn: %(dn)s
objectClass: inetOrgPerson
uid: %(uid)s
cn: %(uid)s
sn: x
userPassword:: %(password)s

"""
UNIT = "dn: ou=%(ou)s,dc=test\nobjectClass: organizationalUnit\nou: %(ou)s\n\n"
PASSWORDS = {"alice": "alice's pw \u00e4", "bob": "bobpw77", "guest1": "guestpw", "comma, boy": "commapw",
             "star*": "starpw", "twin": "twinpw", "Carol": "carolpw"}
GROUPS = """\
dn: cn=staff,ou=groups,dc=test
objectClass: groupOfNames
cn: staff
member: uid=alice,ou=people,dc=test
member: uid=comma\\, boy,ou=people,dc=test

dn: cn=pupils,ou=groups,dc=test
objectClass: posixGroup
cn: pupils
gidNumber: 2000
memberUid: alice
memberUid: bob

"""
CONFIG = """\
hub:
  port: %%(hub_port)d
auth:
  type: ldap
  %(rules)s
  throttle: {failures: 1000, failures_per_address: 1000}
  options:
%(options)s"""
SEARCH = {"lookup_dn": "true", "user_search_base": "'ou=people,dc=test'",
          "lookup_dn_search_user": "'cn=admin,dc=test'", "lookup_dn_search_password": "adminpw",
          "group_search_base": "'ou=groups,dc=test'"}
DIRECT = {"bind_dn_template": "'uid={username},ou=people,dc=test'"}
ANY_NAME = {"valid_username_regex": "'.*'"}


def person(uid, where="people"):
    dn = "uid=%s,ou=%s,dc=test" % (uid.replace(",", "\\,"), where)
    return PERSON % {"dn": dn, "uid": uid, "password": base64.b64encode(PASSWORDS[uid].encode()).decode()}


# Of 2020, with passwords that last a day; of one that was set for its person.
POLICY = """\
dn: cn=policy,dc=test
objectClass: device
objectClass: pwdPolicy
cn: policy
pwdAttribute: userPassword
pwdMaxAge: 86400
pwdMustChange: TRUE
pwdLockout: TRUE

"""
AGES = {"bob": "pwdChangedTime: 20200101000000Z", "Carol": "pwdReset: TRUE",
        "twin": "pwdAccountLockedTime: 000001010000Z"}
LDIF = "dn: dc=test\nobjectClass: dcObject\nobjectClass: organization\no: test\ndc: test\n\n"
LDIF += "".join(UNIT % {"ou": ou} for ou in ("people", "guests", "groups")) + GROUPS
LDIF += "".join(person(uid) for uid in PASSWORDS if uid != "guest1") + person("guest1", "guests")
LDIF += person("twin", "guests")



def aged(ldif):
    """With the policy behind the first entry, and people whom it concerns."""
    for uid, line in AGES.items():
        ldif = ldif.replace("dn: uid=%s,ou=people,dc=test\n" % uid,
                            "dn: uid=%s,ou=people,dc=test\n%s\n" % (uid, line))
    return ldif.replace("\n\n", "\n\n@", 1)


scratch = tempfile.mkdtemp(prefix="carrelt-ldap-")
os.chmod(scratch, 0o755)
authority = slapd.Authority(scratch)
# It takes an empty password for an anonymous login that succeeds, as many do.
secure = slapd.Slapd(LDIF, "allow bind_anon_dn\n" + authority.conf("here"), tls=True)
plain = slapd.Slapd(LDIF, "allow bind_anon_dn")
strict = slapd.Slapd(POLICY.join(aged(LDIF).split("@", 1)), authority.conf("here") + "moduleload ppolicy",
                     access="overlay ppolicy\nppolicy_default cn=policy,dc=test\naccess to * by * read")
misnamed = slapd.Slapd(LDIF, authority.conf("elsewhere"), tls=True)
programs = Programs(["/bin/sleep", "60"])
addresses = iter("127.0.2.%d" % i for i in range(1, 250))


def serve(*options, rules="allow_all: true", server=secure, port=None):
    """The hub, begun anew with these options."""
    if "hub" in programs.running:
        equal(programs.end("hub"), 0, "exit code of the hub")
    told = {"server_address": "127.0.0.1", "server_port": port or server.port, "tls_ca_file": authority.file,
            "timeout": "2s"}
    for more in options:
        told.update(more)
    lines = "".join("    %s: %s\n" % i for i in told.items())
    programs._write("carrel.yaml", (CONFIG % {"rules": rules, "options": lines})
                    % {"hub_port": programs.hub_port})
    programs.begin("hub")
    wait_http(Browser(programs.url), "/hub/login", 200)


def login(name, password=None):
    """A new browser, and what the login page answered it."""
    b = Browser(programs.url, next(addresses))
    return b, b.login(name, PASSWORDS[name] if password is None else password)


def enters(name, as_name=None, typed=None):
    b = Browser(programs.url, next(addresses))
    answer = b.login(typed or name, PASSWORDS[name])
    equal(answer.status, 302, "login of %s" % (typed or name))
    me = b.api("GET", "/user").json()
    equal(me["name"], as_name or name, "whom %s became" % (typed or name))
    return groups_of_login(me["name"])


def groups_of_login(name):
    """What the last login brought; REST shows the hub's own groups only."""
    with contextlib.closing(sqlite3.connect("file:%s/state/carrel.sqlite?mode=ro" % programs.dir, uri=True)) as db:
        return [g for g, in db.execute("SELECT g.name FROM user_group g JOIN user u ON u.id = g.user_id"
                                       " WHERE u.name = ? ORDER BY g.name", (name,))]


def refused(name, password, status=403):
    _, answer = login(name, password)
    equal(answer.status, status, "login of %r" % name)
    return answer.text


def search_and_bind():
    serve(SEARCH)
    equal(enters("alice"), ["pupils", "staff"], "groups of alice")
    equal(enters("bob"), ["pupils"], "groups of bob")
    equal(enters("Carol", "carol"), [], "groups of Carol")
    equal(enters("alice", typed="ALICE"), ["pupils", "staff"], "groups of ALICE")


def wrong_ones():
    serve(SEARCH)
    claim("Invalid username or password" in refused("alice", "wrong"), "the page does not say that it was wrong")
    claim("Invalid username or password" in refused("nobody", "x"), "an unknown name is told apart")
    refused("alice", PASSWORDS["bob"])


def empty_password():
    equal(slapd.simple_bind(secure.port, "uid=alice,ou=people,dc=test", ""), 0,
          "slapd's answer to a bind without a password: the trap that this test needs")
    for options in (SEARCH, DIRECT):
        serve(options)
        before = secure.binds()
        refused("alice", "")
        equal(secure.binds(), before, "binds that an empty password caused")


def only_by_group():
    serve(SEARCH, rules="allowed_groups: [staff]")
    enters("alice")
    claim("may not use this hub" in refused("bob", PASSWORDS["bob"]), "bob is not told why")


def direct_bind():
    serve({"bind_dn_template": "['uid={username},ou=people,dc=test', 'uid={username},ou=guests,dc=test']",
           "group_search_base": "'ou=groups,dc=test'"})
    equal(enters("alice"), ["pupils", "staff"], "groups of alice")
    enters("guest1")
    refused("guest1", "wrong")


def names_are_escaped():
    serve(SEARCH, ANY_NAME)
    equal(enters("comma, boy"), ["staff"], "groups of a name with a comma")
    enters("star*")
    for name in ("*", "ali*", "alice)(uid=*", "alice)(|(uid=*", "\\61lice", "star\\2a"):
        refused(name, PASSWORDS["alice"])
    serve(DIRECT, ANY_NAME)
    enters("comma, boy")
    for name in ("alice,ou=people", "alice+cn=alice", "x,uid=alice", "\\61lice"):
        refused(name, PASSWORDS["alice"])


def one_name_each():
    """Spellings that the directory takes for the same are no second person."""
    serve(DIRECT)
    for name in ("\uff41lice", "a\u00adlice"):
        refused(name, PASSWORDS["alice"])
    serve(SEARCH, ANY_NAME)
    b, answer = login("\uff41lice", PASSWORDS["alice"])
    claim(answer.status != 302 or b.api("GET", "/user").json()["name"] == "alice",
          "alice came in under a second name")


def exactly_one_hit():
    serve(SEARCH, {"user_search_base": "'dc=test'"})
    enters("alice")
    refused("twin", PASSWORDS["twin"])
    claim(any("more than one entry fits" in line for line in programs.lines), "the log does not say why")


def expired():
    for options in (SEARCH, DIRECT):
        serve(options, server=strict)
        enters("alice")
        for name in ("bob", "Carol"):
            claim("must be changed" in refused(name, PASSWORDS[name]), "%s is not told what to do" % name)
            claim("Invalid username" in refused(name, "wrong"), "a wrong password of %s looks different" % name)
        claim("Invalid username" in refused("twin", PASSWORDS["twin"]), "a locked account is told apart")


def search_filter():
    serve(DIRECT, {"search_filter": "'(&(uid={username})(uid=alice))'", "user_search_base": "'ou=people,dc=test'"})
    enters("alice")
    refused("bob", PASSWORDS["bob"])


def over_ldaps():
    serve(SEARCH, {"tls_strategy": "on_connect"}, port=secure.tls_port)
    enters("alice")


def certificates_matter():
    for strategy, port in (("on_connect", misnamed.tls_port), ("before_bind", misnamed.port)):
        serve(SEARCH, {"tls_strategy": strategy}, port=port)
        refused("alice", PASSWORDS["alice"], 503)
    serve(SEARCH, {"tls_ca_file": "/etc/ssl/certs/ca-certificates.crt"})
    refused("alice", PASSWORDS["alice"], 503)
    equal(misnamed.binds(), 0, "binds at a server whose certificate is for another")


def never_in_clear_by_itself():
    before = plain.binds()
    serve(SEARCH, server=plain)
    refused("alice", PASSWORDS["alice"], 503)
    equal(plain.binds(), before, "binds at a server without StartTLS")
    serve(SEARCH, {"tls_strategy": "insecure"}, server=plain)
    enters("alice")
    claim(any("passwords go to the directory in clear" in line for line in programs.lines), "no warning")


def several_servers():
    serve(SEARCH, {"server_address": "['127.0.0.1:%d', '127.0.0.1:%d']" % (free_port(), secure.port)})
    enters("alice")
    refused("alice", "wrong")
    serve(SEARCH, {"server_address": "['127.0.0.1:%d']" % free_port()})
    refused("alice", PASSWORDS["alice"], 503)


def silent_server():
    """One that takes the connection and says nothing more, in each of the modes."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as silent:
        port = silent.getsockname()[1]
        for strategy, other in (("before_bind", secure.port), ("on_connect", secure.tls_port),
                                ("insecure", plain.port)):
            serve(SEARCH, {"tls_strategy": strategy, "timeout": "3s",
                           "server_address": "['127.0.0.1:%d', '127.0.0.1:%d']" % (port, other)})
            begun = time.monotonic()
            first = threading.Thread(target=enters, args=("alice",))
            first.start()
            time.sleep(0.2)
            equal(Browser(programs.url).get("/hub/login").status, 200, "the login page meanwhile")
            claim(first.is_alive(), "the login page waited for the silent directory")
            first.join()
            claim(time.monotonic() - begun < 10, "%s: a silent server held a login for 10 s" % strategy)
            asked = time.monotonic()
            enters("bob")
            claim(time.monotonic() - asked < 3, "the server that answered is not asked first")


def silent_handshake():
    """One that agrees to StartTLS and says nothing more."""
    agrees = bytes.fromhex("300c02010178070a010004000400")

    def serve_one():
        c, _ = silent.accept()
        c.recv(512)
        c.sendall(agrees)
        held.append(c)
    held = []
    with socket.create_server(("127.0.0.1", 0)) as silent:
        serve(SEARCH, {"timeout": "1s"}, port=silent.getsockname()[1])
        threading.Thread(target=serve_one, daemon=True).start()
        begun = time.monotonic()
        refused("alice", PASSWORDS["alice"], 503)
        claim(time.monotonic() - begun < 10, "the handshake held the login")
        claim(held, "StartTLS was not asked for")
        held[0].close()


def refuses_what_is_wrong():
    programs.end("hub")
    for bad in ("whitelist: [x]", "lookup_dn: false", "tls_strategy: none", "bind_dn_template: 'uid=x,dc=test'"):
        programs._write("carrel.yaml", (CONFIG % {"rules": "allow_all: true", "options":
                        "    server_address: 127.0.0.1\n    %s\n" % bad}) % {"hub_port": programs.hub_port})
        programs.begin("hub", ready=False)
        equal(programs.running.pop("hub").wait(20), 1, "exit code with " + bad)


def nothing_secret_is_logged():
    for line in programs.lines:
        claim(not any(p in line for p in list(PASSWORDS.values()) + ["adminpw"]), "a log line has a password")


programs.begin("spawner")
programs.begin("proxy")
report.run([
    ("search and bind over StartTLS, with groups", search_and_bind),
    ("a wrong password and an unknown name look alike", wrong_ones),
    ("an empty password is never sent to the directory", empty_password),
    ("allowed_groups lets in by the directory's groups", only_by_group),
    ("direct bind tries its templates in order", direct_bind),
    ("names are escaped in filters and DNs", names_are_escaped),
    ("a person has one name however it is typed", one_name_each),
    ("two entries that fit are nobody", exactly_one_hit),
    ("who must change the password first is told so", expired),
    ("search_filter must find the person", search_filter),
    ("ldaps", over_ldaps),
    ("a certificate of another host or authority ends it", certificates_matter),
    ("passwords go in clear only where it is said", never_in_clear_by_itself),
    ("the second server is asked when the first is away", several_servers),
    ("a silent server costs its timeout and holds up nobody else", silent_server),
    ("so does one that is silent in the TLS handshake", silent_handshake),
    ("options that would weaken it are refused at start", refuses_what_is_wrong),
    ("no password is in the log", nothing_secret_is_logged),
], on_failure=programs.print_lines)
programs.clean()
for server in (secure, plain, misnamed, strict):
    server.end()
shutil.rmtree(scratch, ignore_errors=True)
report.finish()
