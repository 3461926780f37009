"""A small service on the real client library: jupyterhub.services.auth with tornado, as its documentation shows."""
import json
import os
import urllib.parse

from jupyterhub.services.auth import HubOAuthCallbackHandler, HubOAuthenticated
from tornado.ioloop import IOLoop
from tornado.web import Application, RequestHandler, authenticated

PREFIX = os.environ["JUPYTERHUB_SERVICE_PREFIX"]


class WhoAmI(HubOAuthenticated, RequestHandler):
    @authenticated
    def get(self):
        self.write(json.dumps(dict(self.get_current_user(), pid=os.getpid())))


url = urllib.parse.urlsplit(os.environ["JUPYTERHUB_SERVICE_URL"])
Application([(PREFIX, WhoAmI), (PREFIX + "oauth_callback", HubOAuthCallbackHandler)],
            cookie_secret=os.urandom(32)).listen(url.port, url.hostname)
IOLoop.current().start()
