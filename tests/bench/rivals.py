"""Reverse proxies side by side: each started on loopback before one backend, with and without TLS."""
import os
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile

from measure import BUILD, Skip
import report
from certs import Authority
from ports import free_port

NGINX = """\
daemon off;
pid %(dir)s/nginx.pid;
error_log %(dir)s/error.log crit;
worker_processes %(workers)d;
worker_rlimit_nofile 20000;
events { worker_connections 16000; }
http {
  access_log off;
  client_body_temp_path %(dir)s/body;
  proxy_temp_path %(dir)s/proxy;
  fastcgi_temp_path %(dir)s/fastcgi;
  uwsgi_temp_path %(dir)s/uwsgi;
  scgi_temp_path %(dir)s/scgi;
  keepalive_requests 100000000;
  keepalive_timeout 3600;
  ssl_session_timeout 1h;
  ssl_protocols TLSv1.2 TLSv1.3;
  upstream backend { server 127.0.0.1:%(backend)d; keepalive 256; keepalive_requests 100000000; }
  map $http_upgrade $connection_upgrade { default upgrade; '' ''; }
  server {
    listen 127.0.0.1:%(port)d reuseport %(nginx_tls)s;
    %(nginx_cert)s
    location / {
      proxy_pass http://backend;
      proxy_http_version 1.1;
      proxy_buffer_size 64k;
      proxy_buffers 4 64k;
      proxy_busy_buffers_size 128k;
      proxy_read_timeout 3600;
      proxy_set_header Host $host;
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection $connection_upgrade;
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
      proxy_set_header X-Forwarded-Proto $scheme;
    }
  }
}
"""
HAPROXY = """\
global
  maxconn 9000
  nbthread %(workers)d
defaults
  mode http
  option forwardfor
  option redispatch
  http-reuse always
  timeout connect 5s
  timeout client 1h
  timeout server 1h
  timeout tunnel 1h
frontend public
  bind 127.0.0.1:%(port)d %(haproxy_tls)s
  default_backend all
backend all
  server one 127.0.0.1:%(backend)d
"""
H2O = """\
pid-file: %(dir)s/h2o.pid
error-log: %(dir)s/error.log
num-threads: %(workers)d
max-connections: 16000
http1-request-timeout: 3600
http2-idle-timeout: 3600
proxy.timeout.io: 3600000
proxy.timeout.keepalive: 60000
proxy.websocket: ON
proxy.websocket.timeout: 3600000
hosts:
  default:
    listen:
      host: 127.0.0.1
      port: %(port)d
%(h2o_cert)s
    paths:
      /:
        proxy.reverse.url: http://127.0.0.1:%(backend)d/
        proxy.preserve-host: ON
"""
TOKEN = "bench"


class Rival:
    """A program that runs until end(); what it writes is kept for a failure."""
    h2 = True

    def __init__(self, backend, tls=None, workers=1):
        self.port, self.tls, self.workers = free_port(), tls, workers
        self.dir = tempfile.mkdtemp(prefix="carrel-bench-")
        os.chmod(self.dir, 0o777)
        key, cert = tls or ("", "")
        self.values = {
            "dir": self.dir, "port": self.port, "backend": backend.port, "workers": workers,
            "nginx_tls": "ssl http2" if tls else "",
            "nginx_cert": "ssl_certificate %s; ssl_certificate_key %s;" % (cert, key) if tls else "",
            "haproxy_tls": "ssl crt %s/pair.pem alpn h2,http/1.1" % self.dir if tls else "",
            "h2o_cert": "      ssl:\n        key-file: %s\n        certificate-file: %s\n" % (key, cert) if tls else "",
        }
        if tls:
            with open(self.dir + "/pair.pem", "w") as out:
                for path in (cert, key):
                    with open(path) as f:
                        out.write(f.read())
        with open(self.dir + "/out", "wb") as out:
            self.process = subprocess.Popen(self.argv(), env=self.env(), cwd="/", stdin=subprocess.DEVNULL,
                                            stdout=out, stderr=out)
        try:
            report.until("%s listens" % self.name, 20, self.listens, pause=0.02)
        except report.Failure:
            self.end()
            raise

    def env(self):
        return dict(os.environ, CONFIGPROXY_AUTH_TOKEN=TOKEN, NODE_ENV="production")

    def write(self, text):
        path = self.dir + "/config"
        with open(path, "w") as f:
            f.write(text % self.values)
        return path

    def listens(self):
        if self.process.poll() is not None:
            with open(self.dir + "/out") as f:
                raise report.Failure("%s ended: %s" % (self.name, f.read()[-500:]))
        try:
            socket.create_connection(("127.0.0.1", self.port), 1).close()
            return True
        except OSError:
            return False

    @property
    def pid(self):
        return self.process.pid

    def speaks_h2(self):
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        context.set_alpn_protocols(["h2", "http/1.1"])
        with socket.create_connection(("127.0.0.1", self.port), 5) as s:
            with context.wrap_socket(s) as t:
                return t.selected_alpn_protocol() == "h2"

    def end(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(3)
        except subprocess.TimeoutExpired:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(3)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(10)
        shutil.rmtree(self.dir, ignore_errors=True)


class Carrel(Rival):
    name = "carrel"

    def argv(self):
        self.api_port = free_port()
        argv = [os.path.join(report.bin_dir(), "carrel-proxy"), "--ip", "127.0.0.1", "--port", str(self.port),
                "--api-port", str(self.api_port), "--workers", str(self.workers), "--log-level", "warn",
                "--keep-alive-timeout", "3600000",
                "--default-target", "http://127.0.0.1:%d" % self.values["backend"]]
        return argv + (["--ssl-key", self.tls[0], "--ssl-cert", self.tls[1]] if self.tls else [])

    @staticmethod
    def version():
        return output([os.path.join(report.bin_dir(), "carrel-proxy"), "--version"]).split()[-1]


class Nginx(Rival):
    name = "nginx"

    def argv(self):
        return [wanted("nginx"), "-c", self.write(NGINX), "-e", self.dir + "/error.log"]

    @staticmethod
    def version():
        return output(["/usr/sbin/nginx", "-v"]).split("/")[-1]


class Haproxy(Rival):
    name = "haproxy"

    def argv(self):
        return [wanted("haproxy"), "-db", "-f", self.write(HAPROXY)]

    @staticmethod
    def version():
        return output(["/usr/sbin/haproxy", "-v"]).split()[2]


class H2o(Rival):
    name = "h2o"

    def argv(self):
        return [wanted("h2o"), "-m", "worker", "-c", self.write(H2O)]

    @staticmethod
    def version():
        return output(["/usr/bin/h2o", "-v"]).split()[2]


class Chp(Rival):
    name = "chp"
    h2 = False
    script = BUILD + "/chp/node_modules/configurable-http-proxy/bin/configurable-http-proxy"

    def argv(self):
        self.api_port = free_port()
        if self.workers > 1:
            raise Skip("it has one thread")
        if not os.path.exists(self.script):
            raise Skip("it is not installed: make chp (wants npm)")
        if int(output(["node", "--version"]).lstrip("v").split(".")[0]) < 20:
            raise Skip("it wants Node 20")
        argv = ["node", self.script, "--ip", "127.0.0.1", "--port", str(self.port), "--api-ip", "127.0.0.1",
                "--api-port", str(self.api_port), "--log-level", "error",
                "--default-target", "http://127.0.0.1:%d" % self.values["backend"]]
        return argv + (["--ssl-key", self.tls[0], "--ssl-cert", self.tls[1]] if self.tls else [])

    @staticmethod
    def version():
        node = output(["node", "--version"]).strip().lstrip("v")
        if not os.path.exists(Chp.script):
            return ""
        return "%s on Node %s" % (output(["node", Chp.script, "--version"]).strip(), node)


ALL = (Carrel, Nginx, Haproxy, H2o, Chp)


def output(argv):
    try:
        return subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              timeout=30, check=False).stdout.strip()
    except OSError:
        return ""


def wanted(program):
    found = shutil.which(program, path="/usr/sbin:/usr/bin:" + os.environ.get("PATH", ""))
    if not found:
        raise Skip("it is not installed: etc/deps.sh bench")
    return found


def versions():
    out = {}
    for kind in ALL:
        try:
            out[kind.name] = kind.version()
        except IndexError:
            out[kind.name] = ""
    return out


_certificate = None


def certificate():
    """One for all: ECDSA P-256."""
    global _certificate
    if _certificate is None:
        authority = Authority()
        _certificate = authority.issue("IP:127.0.0.1", "DNS:bench.example")
    return _certificate


class Field:
    """All of them at once, idle but for the one that is measured."""

    def __init__(self, backend, tls=False, workers=1, only=None):
        self.programs, self.skipped = {}, {}
        for kind in ALL:
            if only and kind.name not in only:
                continue
            try:
                self.programs[kind.name] = kind(backend, certificate() if tls else None, workers)
            except (Skip, report.Failure) as e:
                self.skipped[kind.name] = {"skipped": str(e)}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for p in self.programs.values():
            p.end()
