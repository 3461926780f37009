"""A notebook server that only answers, where the hub told it to.

That of somebody whose name begins with slow comes up after 18 seconds, that
of broken ends at once.
"""
import http.server
import os
import sys
import time
import urllib.parse


class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("X-JupyterHub-Version", "6.0.0")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


who = os.environ["JUPYTERHUB_USER"]
if who == "broken":
    sys.exit("this server does not start")
if who.startswith("slow"):
    time.sleep(18)
url = urllib.parse.urlsplit(os.environ["JUPYTERHUB_SERVICE_URL"])
http.server.HTTPServer((url.hostname, url.port), Answer).serve_forever()
