"""A browser that knows hosts: every name leads to the proxy under test, cookies go where RFC 6265 lets them."""
import http.client
import urllib.parse

from web import Answer, Browser


class HostsBrowser(Browser):
    """`url` names the hub; whatever the host of a URL, `port` of this machine is asked."""

    def __init__(self, url, port):
        super().__init__(url)
        self.port, self.sent = port, []  # sent: (URL, Cookie header) of each request
        self.jar = {}  # (host or domain, is it for that host alone, path, name) -> value

    def _fits(self, key, host, path):
        owner, alone, where, _ = key
        return ((host == owner or not alone and host.endswith("." + owner))
                and (path == where or path.startswith(where.rstrip("/") + "/")))

    def cookies_for(self, url):
        parts = urllib.parse.urlsplit(url)
        keys = sorted((k for k in self.jar if self._fits(k, parts.hostname, parts.path)), key=lambda k: -len(k[2]))
        return [(k[3], self.jar[k]) for k in keys]

    def cookie(self, name):
        """As the hub's own pages see it."""
        return dict(self.cookies_for(urllib.parse.urljoin(self.base, "/hub/"))).get(name)

    def keep(self, line, host, path):
        """A Set-Cookie line, from a header or from a page's script."""
        first, *attributes = line.split(";")
        name, value = first.strip().split("=", 1)
        said = {a.strip().partition("=")[0].lower(): a.strip().partition("=")[2] for a in attributes}
        owner, alone = host, True
        if said.get("domain"):
            owner, alone = said["domain"].lstrip("."), False
            if host != owner and not host.endswith("." + owner):
                return
        key = (owner, alone, said.get("path") or path.rsplit("/", 1)[0] or "/", name)
        if said.get("max-age", "1").startswith(("0", "-")) or "1970" in said.get("expires", ""):
            self.jar.pop(key, None)
        else:
            self.jar[key] = value

    def request(self, method, target, body=None, headers=None, timeout=60):
        parts = urllib.parse.urlsplit(urllib.parse.urljoin(self.base, target))
        send = {"Host": parts.netloc}
        cookies = "; ".join("%s=%s" % c for c in self.cookies_for(parts.geturl()))
        if cookies:
            send["Cookie"] = cookies
        send.update(headers or {})
        self.sent.append((parts.geturl(), cookies))
        c = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        try:
            c.request(method, (parts.path or "/") + ("?" + parts.query if parts.query else ""), body, send)
            r = c.getresponse()
            answer = Answer(r.status, r.headers, r.read(), parts.geturl())
        finally:
            c.close()
        for line in answer.headers.get_all("Set-Cookie") or []:
            self.keep(line, parts.hostname, parts.path)
        return answer
