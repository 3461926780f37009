"""configurable-http-proxy from npm (make chp) in the place of carrel-proxy: the
same stories can be run against it."""
import os
import shutil
import socket
import subprocess
import tempfile

import proxy_world
import report
from node import why_node_is_too_old
from ports import free_port

HOME = os.path.join(os.environ.get("CARREL_BUILD", report.source_dir() + "/build"), "chp")
PROGRAM = HOME + "/node_modules/configurable-http-proxy/bin/configurable-http-proxy"

# What CHP does not know, and how many values it has.
OURS_ALONE = {"--workers": 1, "--trusted-proxy": 1, "--journal": 1, "--drain-timeout": 1, "--takeover": 0}


def missing():
    """Why it cannot be run; None: it can."""
    if not os.path.isfile(PROGRAM):
        return "configurable-http-proxy is not installed: make chp (wants npm)"
    return why_node_is_too_old(20)


def command():
    return [shutil.which("node"), PROGRAM]


def without_ours(args):
    args, out = list(args), []
    while args:
        word = args.pop(0)
        if word in OURS_ALONE:
            del args[:OURS_ALONE[word]]
        else:
            out.append(word)
    return out


def accepts(address):
    family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET
    with socket.socket(family) as s:
        return s.connect_ex(address) == 0


class ChpProxy(proxy_world.Proxy):
    """Takes what proxy_world.Proxy takes; what CHP has no flag for is left out."""

    def __init__(self, *args, token=proxy_world.TOKEN, prefix=(), default=None, env=None, workers=None):
        self.dir = tempfile.mkdtemp(prefix="carrelt-chp-")
        self.out_path = os.path.join(self.dir, "out")
        args = without_ours(args)
        self.port = self.api_port = None
        if "--socket" in args:
            self.public = args[args.index("--socket") + 1]
        else:
            self.port = int(args[args.index("--port") + 1]) if "--port" in args else free_port()
            self.public = ("127.0.0.1", self.port)
            args += ["--ip", "127.0.0.1", "--port", str(self.port)]
        if "--api-socket" not in args:
            self.api_port = free_port()
            args += ["--api-ip", "127.0.0.1", "--api-port", str(self.api_port)]
        if default:
            args += ["--default-target", default]
        self.args = list(prefix) + command() + args
        self.env = dict(os.environ, CONFIGPROXY_AUTH_TOKEN=token, **(env or {}))
        self.start()

    def start(self):
        with open(self.out_path, "ab") as out:
            self.process = subprocess.Popen(self.args, stdout=out, stderr=subprocess.STDOUT, env=self.env)

        def is_up():
            if self.process.poll() is not None:
                return True
            return accepts(self.public) and (not self.api_port or accepts(("127.0.0.1", self.api_port)))
        try:
            report.until("CHP to start", 10, is_up)
        except report.Failure:
            self.kill()
            raise
        if self.process.poll() is not None:
            raise report.Failure("CHP ended at start: " + self.output())
        return self
