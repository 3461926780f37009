#!/usr/bin/python3
"""Chromium speaks HTTP/2 to the proxy: a page, and a WebSocket on a stream of
the same connection (RFC 8441)."""
# timeout: 120
import os
import shutil
import socket
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
import report
from certs import Authority
from ports import free_port
from proxy_world import LIMIT, Backend, Head, Proxy, Sock, read_response, reply
from report import claim, equal, until
from tunnels import accept_key

report.group("browser")
NEEDED = ("/usr/bin/chromium", "/usr/bin/chromedriver")
for program in NEEDED:
    if not os.path.exists(program):
        report.skip("Chromium by HTTP/2", "%s is missing; `make deps-check` installs it" % program)
        report.finish()

from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By

PAGE = """<!DOCTYPE html><title>two</title><body><p id="protocol"></p><p id="said"></p><script>
document.getElementById("protocol").textContent =
    performance.getEntriesByType("navigation")[0].nextHopProtocol;
const ws = new WebSocket("wss://" + location.host + "/ws");
ws.onopen = () => ws.send("a word");
ws.onmessage = m => document.getElementById("said").textContent += m.data;
ws.onclose = e => document.getElementById("said").textContent += " closed";
window.ws = ws;
</script></body>"""


def read_frame(s):
    """Opcode and payload of a client's frame, which is masked and short."""
    first, n = s.take(2)
    n &= 127
    if n == 126:
        n = int.from_bytes(s.take(2), "big")
    mask, data = s.take(4), s.take(n)
    return first & 15, bytes(b ^ mask[i % 4] for i, b in enumerate(data))


def serve(s, backend):
    while True:
        head = Head(s.until(b"\r\n\r\n"))
        backend.seen.append(head)
        if (head.get("Upgrade") or "").lower() == "websocket":
            break
        s.send(reply(PAGE, fields="Content-Type: text/html\r\n"))
    s.send(("HTTP/1.1 101 X\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n"
            % accept_key(head.get("Sec-WebSocket-Key"))).encode())
    while True:
        opcode, data = read_frame(s)
        s.send(bytes([0x80 | opcode, len(data)]) + data)
        if opcode == 8:
            return


def metrics():
    s = Sock(socket.create_connection(("127.0.0.1", metrics_port), LIMIT))
    s.send(b"GET /metrics HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
    body = read_response(s)[1].decode()
    s.close()
    return {k: float(v) for k, v in (l.rsplit(" ", 1) for l in body.splitlines() if l[0] != "#")}


def page_and_websocket():
    web.get("https://localhost:%d/page" % proxy.port)
    equal(web.find_element(By.ID, "protocol").text, "h2", "the page's protocol")
    until("the echo", 20, lambda: web.find_element(By.ID, "said").text == "a word")
    now = metrics()
    equal(now["proxy_http2_tunnels"], 1, "tunnels over HTTP/2")
    claim(now["proxy_http2_connections"] >= 1, "connections")
    head = [h for h in backend.seen if h.get("Upgrade")][-1]
    equal((head.line, head.get("Sec-WebSocket-Version")), ("GET /ws HTTP/1.1", "13"), "what the target is asked")
    web.execute_script("ws.close(1000)")
    until("the close", 20, lambda: web.find_element(By.ID, "said").text == "a word closed")
    until("no tunnel", 20, lambda: metrics()["proxy_open_tunnels"] == 0)


authority = Authority()
key, cert = authority.issue("localhost", "IP:127.0.0.1")
backend = Backend(serve)
metrics_port = free_port()
proxy = Proxy("--ssl-key", key, "--ssl-cert", cert, "--metrics-ip", "127.0.0.1", "--metrics-port", str(metrics_port),
              default=backend.url)
profile = tempfile.mkdtemp(prefix="carrelt-chromium-")
options = webdriver.ChromeOptions()
options.binary_location = NEEDED[0]
for a in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
          "--disable-dev-shm-usage", "--disable-background-networking", "--disable-component-update",
          "--disable-sync", "--ignore-certificate-errors", "--user-data-dir=" + profile):
    options.add_argument(a)
web = webdriver.Chrome(service=Service(NEEDED[1]), options=options)
web.set_page_load_timeout(60)
report.run([("Chromium by HTTP/2: a page and a WebSocket", page_and_websocket)],
           lambda: print("---- the proxy said:\n" + proxy.output()[-3000:]))
web.quit()
proxy.stop()
shutil.rmtree(profile, ignore_errors=True)
report.finish()
