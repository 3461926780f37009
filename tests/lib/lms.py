"""Learning platforms of the test's own: LTI 1.3 with keys and pages, LTI 1.1 signed by python3-oauthlib."""
import base64
import copy
import hashlib
import hmac
import html
import http.server
import json
import threading
import time
import urllib.parse

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from oauthlib import oauth1

from programs import Programs
from ports import free_port

CLAIM = "https://purl.imsglobal.org/spec/lti/claim/"
MEMBERSHIP = "http://purl.imsglobal.org/vocab/lis/v2/membership"
SECRET = "s3cret+with=signs&%of-the-class"
CONFIG = """\
hub:
  port: %(hub_port)d
  public_url: %(public_url)s
  redirect_to_server: false
auth:
  type: none
  allow_all: true
  manage_groups: true
  admin_groups: ['moodle:staff', 'old:system:sysadmin']
  providers:
    - name: moodle
      kind: lti13
      issuer: %(issuer)s
      client_id: tool-1
      authorize_url: %(issuer)s/auth?tenant=1
      jwks_endpoint: %(issuer)s/jwks
      deployment_ids: [d1, d7]
      username_key: custom_login
      username_prefix: ''
      tool_name: Notebooks of the campus
    - name: old
      kind: lti11
      username_key: lis_person_sourcedid
      username_prefix: old-
      tool_name: 'Notebooks <b>&amp; "more" ]]> Ü'
      leeway: 30s
      consumers:
        course-key: '%(secret)s'
"""


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def number(n):
    return b64(n.to_bytes((n.bit_length() + 7) // 8, "big"))


class Key:
    def __init__(self, kid):
        self.kid = kid
        self.private = rsa.generate_private_key(public_exponent=65537, key_size=2048)

    def jwk(self):
        n = self.private.public_key().public_numbers()
        return {"kty": "RSA", "use": "sig", "alg": "RS256", "kid": self.kid, "n": number(n.n), "e": number(n.e)}

    def pem(self):
        return self.private.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)

    def sign(self, claims, alg="RS256", secret=b""):
        """A token; HS256 with `secret`, or none, as somebody else would make it."""
        head = {"typ": "JWT", "alg": alg, "kid": self.kid}
        text = b64(json.dumps(head).encode()) + "." + b64(json.dumps(claims).encode())
        if alg == "RS256":
            mark = self.private.sign(text.encode(), padding.PKCS1v15(), hashes.SHA256())
        elif alg == "HS256":
            mark = hmac.new(secret, text.encode(), hashlib.sha256).digest()
        else:
            mark = b""
        return text + "." + b64(mark)


class Platform:
    """Its pages: /jwks, and /auth, which answers with a form that leads back."""

    def __init__(self, host):
        self.target = None  # where the link in the course leads
        self.port = free_port()
        self.issuer = "http://%s:%d" % (host, self.port)
        self.pages = {}  # further ones of a test
        self.key = Key("p1")
        self.published = [self.key]
        self.asked = []
        self.keys_asked = 0
        # What a token says beyond what the request wants; a test changes it.
        self.person = {}
        self.change = lambda claims: self.key.sign(claims)
        platform = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                platform.answer(self)

            def log_message(self, *args):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def end(self):
        self.server.shutdown()
        self.server.server_close()

    def answer(self, handler):
        parts = urllib.parse.urlsplit(handler.path)
        kind = "text/html"
        if parts.path in self.pages:
            body = self.pages[parts.path]
        elif parts.path == "/jwks":
            kind = "application/json"
            self.keys_asked += 1
            body = json.dumps({"keys": [k.jwk() for k in self.published]})
        elif parts.path != "/auth":
            handler.send_error(404)
            return
        else:
            args = dict(urllib.parse.parse_qsl(parts.query))
            self.asked.append(args)
            body = self.form(args["redirect_uri"], self.change(self.claims(args["nonce"])), args["state"])
        handler.send_response(200)
        handler.send_header("Content-Type", kind)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body.encode())

    @staticmethod
    def form(action, token, state):
        return ('<form method="post" action="%s"><input type="hidden" name="id_token" value="%s">'
                '<input type="hidden" name="state" value="%s"></form><script>document.forms[0].submit()</script>'
                % tuple(map(html.escape, (action, token, state))))

    def claims(self, nonce):
        now = int(time.time())
        claims = {"iss": self.issuer, "aud": "tool-1", "sub": "u-1", "iat": now, "exp": now + 300, "nonce": nonce,
                  "email": "alice@uni.example", CLAIM + "message_type": "LtiResourceLinkRequest",
                  CLAIM + "version": "1.3.0", CLAIM + "deployment_id": "d7", CLAIM + "resource_link": {"id": "r1"},
                  CLAIM + "target_link_uri": self.target, CLAIM + "context": {"id": "c:1", "label": "CS1"}, CLAIM + "custom": {"login": "Alice"},
                  CLAIM + "roles": [MEMBERSHIP + "#Learner", MEMBERSHIP + "/Learner#Instructor", "urn:other#Admin"]}
        claims.update(copy.deepcopy(self.person))
        return {k: v for k, v in claims.items() if v is not None}


class World:
    def __init__(self, host="127.0.0.1", programs=Programs):
        self.platform = Platform(host)
        self.carrel = programs(profile=["/bin/false"])
        self.hub = self.carrel.url + "/hub/"
        self.platform.target = self.hub + "lti13/oauth_callback"
        self.carrel._write("carrel.yaml", CONFIG % {
            "hub_port": self.carrel.hub_port, "public_url": self.carrel.url, "issuer": self.platform.issuer,
            "secret": SECRET})
        for name in ("spawner", "proxy", "hub"):
            self.carrel.begin(name)

    def end(self):
        self.platform.end()
        self.carrel.clean()


def signed(url, fields, key="course-key", secret=SECRET, **more):
    """The fields of an LTI 1.1 form with their signature, as an independent library makes it."""
    client = oauth1.Client(key, client_secret=secret, signature_type=oauth1.SIGNATURE_TYPE_BODY, **more)
    _, _, body = client.sign(url, "POST", body=fields,
                             headers={"Content-Type": "application/x-www-form-urlencoded"})
    return dict(urllib.parse.parse_qsl(body, keep_blank_values=True))
