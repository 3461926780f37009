"""The programs with a real OpenID provider (tests/idp) as their only login."""
import json
import os
import shutil
import subprocess

import report
from programs import Programs
from report import until
from ports import free_port

HOME = os.path.join(os.environ.get("CARREL_BUILD", report.source_dir() + "/build"), "idp")
CONFIG = """\
hub:
  port: %(hub_port)d
  public_url: http://127.0.0.1:%(port)d
  redirect_to_server: false
auth:
  type: none
  allow_all: true
  admin_groups: ['campus:admins']
  providers:
    - name: campus
      kind: oidc
      label: the campus
      issuer: http://127.0.0.1:%(idp_port)d
      client_id: hub
      client_secret: 'hub/secret+with=signs&%%'
      scope: [openid, profile, email, groups]
      required_groups: [staff]
"""


def missing():
    """Why there is no provider; None: there is."""
    if not shutil.which("node"):
        return "there is no node"
    for package in ("oidc-provider", "openid-client", "@seriousme/openapi-schema-validator"):
        if not os.path.isdir(HOME + "/node_modules/" + package):
            return "%s is not installed: make idp (wants npm)" % package
    return None


class World:
    def __init__(self, config=CONFIG, profile=("/bin/false",)):
        self.carrel = Programs(profile=profile)
        self.port = free_port()
        self.carrel._write("carrel.yaml", config % {
            "hub_port": self.carrel.hub_port, "port": self.carrel.port, "idp_port": self.port})
        self.accounts = self.carrel.dir + "/accounts.json"
        self.set_groups("staff")
        for name in ("spawner", "proxy", "hub"):
            self.carrel.begin(name)
        self.process = None
        self.begin_provider()

    def set_groups(self, *groups):
        """Of alice; mallory's look like them and are not."""
        with open(self.accounts, "w") as f:
            json.dump({"alice": {"groups": groups, "email": "alice@uni.example", "email_verified": True},
                       "mallory": {"groups": ["students", "staff,x"]}}, f)

    def begin_provider(self):
        shutil.copy(report.source_dir() + "/tests/idp/idp.mjs", HOME)
        env = {k: v for k, v in os.environ.items() if k != "NODE_PATH"}
        self.process = subprocess.Popen(
            ["node", HOME + "/idp.mjs", str(self.port), self.carrel.url + "/hub/oauth_callback", self.accounts],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=env)
        until("the provider is ready", 30, lambda: self.process.stdout.readline().strip() == b"ready", 0)

    def end_provider(self):
        if self.process:
            self.process.kill()
            self.process.wait(10)
            self.process.stdout.close()
            self.process = None

    def end(self):
        self.end_provider()
        self.carrel.clean()
