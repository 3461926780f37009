"""A person's browser without pages: cookies, redirects, forms, and a kernel over WebSocket."""
import html
import http.client
import http.cookies
import json
import re
import time
import urllib.parse
import uuid

from report import Failure, claim, until


class Answer:
    def __init__(self, status, headers, body, url):
        self.status, self.headers, self.body, self.url = status, headers, body, url

    @property
    def text(self):
        return self.body.decode("utf-8", "replace")

    def json(self):
        return json.loads(self.body)

    def location(self):
        return self.headers.get("Location")


class Browser:
    def __init__(self, url, address=None):
        self.base = url
        self.host = urllib.parse.urlsplit(url).netloc
        self.address = address  # speak from this loopback address
        self.jar = {}  # (name, path) -> value

    def cookie_header(self, path):
        found = sorted(((len(p), n, v) for (n, p), v in self.jar.items()
                        if path == p or path.startswith(p.rstrip("/") + "/") or p == "/"), reverse=True)
        return "; ".join("%s=%s" % (n, v) for _, n, v in found)

    def cookie(self, name):
        for (n, _), v in self.jar.items():
            if n == name:
                return v
        return None

    def _store(self, headers, path):
        for line in headers.get_all("Set-Cookie") or []:
            first, *attributes = line.split(";")
            name, value = first.strip().split("=", 1)
            where, dead = path.rsplit("/", 1)[0] or "/", False
            for a in attributes:
                key, _, v = a.strip().partition("=")
                if key.lower() == "path":
                    where = v
                if key.lower() == "max-age" and int(v) <= 0:
                    dead = True
                if key.lower() == "expires" and "1970" in v:
                    dead = True
            if dead or value in ("", '""'):
                self.jar.pop((name, where), None)
            else:
                self.jar[(name, where)] = value

    def request(self, method, target, body=None, headers=None, timeout=60):
        parts = urllib.parse.urlsplit(urllib.parse.urljoin(self.base, target))
        path = parts.path + ("?" + parts.query if parts.query else "")
        source = (self.address, 0) if self.address else None
        c = http.client.HTTPConnection(parts.netloc, timeout=timeout, source_address=source)
        send = {"Host": parts.netloc, "Cookie": self.cookie_header(parts.path)}
        if not send["Cookie"]:
            del send["Cookie"]
        send.update(headers or {})
        try:
            c.request(method, path, body, send)
            r = c.getresponse()
            answer = Answer(r.status, r.headers, r.read(), parts.geturl())
        finally:
            c.close()
        self._store(answer.headers, parts.path)
        return answer

    def get(self, target, follow=True, headers=None, timeout=60):
        answer = self.request("GET", target, headers=headers, timeout=timeout)
        for _ in range(15):
            if not follow or answer.status not in (301, 302, 303, 307, 308):
                return answer
            target = urllib.parse.urljoin(answer.url, answer.location())
            answer = self.request("GET", target, headers=headers, timeout=timeout)
        raise Failure("more than 15 redirects, the last to %s" % target)

    def post(self, target, form, follow=True, headers=None, timeout=60):
        send = {"Content-Type": "application/x-www-form-urlencoded"}
        send.update(headers or {})
        answer = self.request("POST", target, urllib.parse.urlencode(form), send, timeout)
        if follow and answer.status in (301, 302, 303):
            return self.get(urllib.parse.urljoin(answer.url, answer.location()), timeout=timeout)
        return answer

    def api(self, method, path, body=None, token=None, headers=None, timeout=60):
        """The hub's REST, as a page's script would call it, or with a token."""
        send = dict(headers or {})
        if token:
            send["Authorization"] = "token " + token
        else:
            send["X-XSRFToken"] = self.cookie("_xsrf") or ""
        if body is not None:
            send["Content-Type"] = "application/json"
            body = json.dumps(body)
        return self.request(method, "/hub/api" + path, body, send, timeout)

    def login(self, name, password, next_url=None, follow=False):
        page = self.get("/hub/login" + ("?next=" + urllib.parse.quote(next_url, "") if next_url else ""))
        claim(page.status == 200, "the login page answers %d" % page.status)
        return self.post(form_action(page), dict(hidden(page.text), username=name, password=password),
                         follow=follow)

    def start_server(self, name, seconds=90):
        answer = self.api("POST", "/users/%s/server" % name, timeout=seconds)
        claim(answer.status in (201, 202), "start answers %d: %s" % (answer.status, answer.text[:300]))
        return self.wait_server(name, seconds)

    def wait_server(self, name, seconds=90):
        """Follow the progress stream to its end; its last event."""
        last = self.progress(name, seconds)[-1]
        claim(last.get("ready"), "the start ended with %r" % last)
        return last

    def progress(self, name, seconds=90):
        answer = self.request("GET", "/hub/api/users/%s/server/progress" % name,
                              headers={"X-XSRFToken": self.cookie("_xsrf") or "",
                                       "Accept": "text/event-stream"}, timeout=seconds)
        claim(answer.status == 200, "progress answers %d: %s" % (answer.status, answer.text[:300]))
        return [json.loads(line[6:]) for line in answer.text.splitlines() if line.startswith("data: ")]


def hidden(page):
    """The hidden fields of a page's form."""
    fields = {}
    for tag in re.findall(r"<input\b[^>]*>", page):
        a = dict(re.findall(r'([\w-]+)="([^"]*)"', tag))
        if a.get("type") == "hidden" and "name" in a:
            fields[a["name"]] = html.unescape(a.get("value", ""))
    return fields


def form_action(answer):
    m = re.search(r'<form\b[^>]*\baction="([^"]*)"', answer.text)
    claim(m, "no form on %s" % answer.url)
    return urllib.parse.urljoin(answer.url, html.unescape(m.group(1)))


class Kernel:
    """A real kernel of a person's server, spoken to over the proxy's WebSocket."""

    def __init__(self, browser, user):
        import websocket  # Debian's python3-websocket
        self.browser, self.prefix = browser, "/user/%s/" % user
        answer = browser.get(self.prefix + "tree")
        claim(answer.status == 200, "%stree answers %d" % (self.prefix, answer.status))
        made = self.call("POST", "api/kernels", {"name": "python3"})
        claim(made.status == 201, "POST kernels answers %d: %s" % (made.status, made.text[:200]))
        self.id = made.json()["id"]
        path = self.prefix + "api/kernels/%s/channels" % self.id
        self.ws = websocket.create_connection(
            "ws://" + browser.host + path, timeout=60, origin=browser.base,
            cookie=browser.cookie_header(path))

    def call(self, method, path, body=None):
        found = [(len(p), v) for (n, p), v in self.browser.jar.items()
                 if n == "_xsrf" and self.prefix.startswith(p)]
        xsrf = max(found)[1] if found else ""
        return self.browser.request(method, self.prefix + path, json.dumps(body) if body is not None else None,
                                    {"X-XSRFToken": xsrf, "Content-Type": "application/json",
                                     "Referer": self.browser.base + self.prefix})

    def execute(self, code, seconds=60):
        header = {"msg_id": uuid.uuid4().hex, "username": "u", "session": uuid.uuid4().hex,
                  "msg_type": "execute_request", "version": "5.3", "date": ""}
        self.ws.send(json.dumps({"header": header, "parent_header": {}, "metadata": {}, "channel": "shell",
                                 "content": {"code": code, "silent": False, "store_history": True,
                                             "user_expressions": {}, "allow_stdin": False}}))
        result, end = None, time.monotonic() + seconds
        while time.monotonic() < end:
            m = json.loads(self.ws.recv())
            if m["parent_header"].get("msg_id") != header["msg_id"]:
                continue
            if m["msg_type"] == "execute_result":
                result = m["content"]["data"].get("text/plain")
            if m["msg_type"] == "stream":
                result = (result or "") + m["content"]["text"]
            if m["msg_type"] == "error":
                raise Failure("the kernel says %s: %s" % (m["content"]["ename"], m["content"]["evalue"]))
            if m["msg_type"] == "execute_reply":
                if result is None:  # output may come after the reply
                    continue
                return result
            if m["msg_type"] == "status" and m["content"]["execution_state"] == "idle":
                return result
        raise Failure("no reply from the kernel within %g s" % seconds)

    def close(self):
        self.ws.close()
        self.call("DELETE", "api/kernels/" + self.id)


def wait_http(browser, path, status, seconds=20):
    def ask():
        try:
            return browser.get(path, follow=False).status == status
        except OSError:
            return False
    until("GET %s answers %d" % (path, status), seconds, ask)
