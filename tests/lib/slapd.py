"""A real slapd on loopback, with a directory of the test's own.

etc/deps.sh unpacks Debian's package into build-deps/slapd: it is not installed,
so that no daemon is started or enabled, and no AppArmor profile keeps it out of
the test's own folder.
"""
import os
import shutil
import signal
import socket
import subprocess
import tempfile

from report import Failure, source_dir, until
from ports import free_port

CONF = """\
include %(etc)s/schema/core.schema
include %(etc)s/schema/cosine.schema
include %(etc)s/schema/inetorgperson.schema
include %(etc)s/schema/nis.schema
modulepath %(modules)s
moduleload back_mdb
pidfile %(dir)s/slapd.pid
argsfile %(dir)s/slapd.args
%(extra)s
database mdb
suffix "dc=test"
rootdn "cn=admin,dc=test"
rootpw adminpw
directory %(dir)s/db
maxsize 16777216
%(access)s
"""


def home():
    return os.path.join(source_dir(), "build-deps/slapd")


def missing():
    """Why there is no slapd, or None."""
    if not os.path.exists(home() + "/usr/sbin/slapd"):
        return "there is no slapd: etc/deps.sh check unpacks one"
    try:
        subprocess.run([home() + "/usr/sbin/slapd", "-VV"], env=environment(), check=True, timeout=20,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    except (OSError, subprocess.SubprocessError) as e:
        return "slapd does not run: %s" % e
    return None


def environment():
    libraries = [d for d, _, names in os.walk(home() + "/usr/lib") if any(n.startswith("libslapi") for n in names)]
    return {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LD_LIBRARY_PATH": ":".join(libraries), "LDAPNOINIT": "1"}


class Authority:
    """Certificates for 127.0.0.1, and one for another host."""

    def __init__(self, directory):
        self.dir = directory
        self.file = self._path("ca.pem")
        self._openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=test authority",
                      "-keyout", self._path("ca.key"), "-out", self.file)
        self.make("here", "IP:127.0.0.1")
        self.make("elsewhere", "DNS:elsewhere.example")

    def _path(self, name):
        return os.path.join(self.dir, name)

    def _openssl(self, *argv):
        subprocess.run(["openssl", *argv], check=True, timeout=60, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL)

    def make(self, name, alternative):
        with open(self._path(name + ".ext"), "w") as f:
            f.write("subjectAltName=%s\n" % alternative)
        self._openssl("req", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=" + name,
                      "-keyout", self._path(name + ".key"), "-out", self._path(name + ".csr"))
        self._openssl("x509", "-req", "-in", self._path(name + ".csr"), "-CA", self.file, "-CAkey",
                      self._path("ca.key"), "-CAcreateserial", "-days", "2", "-extfile", self._path(name + ".ext"),
                      "-out", self._path(name + ".pem"))

    def conf(self, name):
        return ("TLSCertificateFile %s\nTLSCertificateKeyFile %s\nTLSCACertificateFile %s\n"
                % (self._path(name + ".pem"), self._path(name + ".key"), self.file))


class Slapd:
    def __init__(self, ldif, extra="", access="access to * by * read", tls=False):
        self.dir = tempfile.mkdtemp(prefix="carrelt-slapd-")
        self.port, self.tls_port = free_port(), free_port()
        os.mkdir(self.dir + "/db", 0o700)
        conf = self.dir + "/slapd.conf"
        with open(conf, "w") as f:
            f.write(CONF % {"etc": home() + "/etc/ldap", "modules": home() + "/usr/lib/ldap", "dir": self.dir,
                            "extra": extra, "access": access})
        with open(self.dir + "/init.ldif", "w") as f:
            f.write(ldif)
        added = subprocess.run([home() + "/usr/sbin/slapadd", "-q", "-f", conf, "-l", self.dir + "/init.ldif"],
                               env=environment(), timeout=60, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        if added.returncode != 0:
            raise Failure("slapadd: %s" % added.stdout.decode("utf-8", "replace")[-500:])
        urls = "ldap://127.0.0.1:%d" % self.port
        if tls:
            urls += " ldaps://127.0.0.1:%d" % self.tls_port
        self.log = open(self.dir + "/log", "wb")
        # 256: a line for each bind and each search.
        self.process = subprocess.Popen([home() + "/usr/sbin/slapd", "-f", conf, "-h", urls, "-d", "256"],
                                        env=environment(), stdin=subprocess.DEVNULL, stdout=self.log,
                                        stderr=subprocess.STDOUT)
        until("slapd listens", 20, self._listens)

    def _listens(self):
        if self.process.poll() is not None:
            raise Failure("slapd ended: %s" % self.lines()[-500:])
        try:
            socket.create_connection(("127.0.0.1", self.port), 1).close()
            return True
        except OSError:
            return False

    def lines(self):
        with open(self.dir + "/log", "rb") as f:
            return f.read().decode("utf-8", "replace")

    def binds(self):
        """How many binds were tried."""
        return self.lines().count(" BIND dn=")

    def pause(self, on):
        self.process.send_signal(signal.SIGSTOP if on else signal.SIGCONT)

    def end(self):
        if self.process.poll() is None:
            self.pause(False)
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(10)
        self.log.close()
        shutil.rmtree(self.dir, ignore_errors=True)


def simple_bind(port, dn, password):
    """The result code of one bind, by hand (RFC 4511 section 4.2)."""
    def tlv(tag, value):
        assert len(value) < 128
        return bytes([tag, len(value)]) + value
    bind = tlv(0x60, tlv(2, b"\3") + tlv(4, dn.encode()) + tlv(0x80, password.encode()))
    with socket.create_connection(("127.0.0.1", port), 5) as s:
        s.sendall(tlv(0x30, tlv(2, b"\1") + bind))
        answer = s.recv(512)
    at = answer.index(b"\x0a\x01")
    return answer[at + 2]
