"""Certificates for tests, made by openssl(1) in a directory of their own."""
import os
import subprocess
import tempfile


def _openssl(*args):
    subprocess.run(("openssl",) + args, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


class Authority:
    def __init__(self, name="test CA"):
        self.dir = tempfile.mkdtemp(prefix="carrel-certs-")
        self.key, self.cert = self.path("ca.key"), self.path("ca.pem")
        self.n = 0
        _openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                 "-subj", "/CN=" + name, "-keyout", self.key, "-out", self.cert)

    def path(self, name):
        return os.path.join(self.dir, name)

    def issue(self, *names, kind="ec", passphrase=None, days="2"):
        """Key and certificate files for these names ("DNS:a", "IP:1.2.3.4", or a plain DNS name)."""
        self.n += 1
        key, cert, req, ext = (self.path("%d.%s" % (self.n, e)) for e in ("key", "pem", "csr", "ext"))
        new = ("ec", "-pkeyopt", "ec_paramgen_curve:P-256") if kind == "ec" else ("rsa:2048",)
        protect = ("-passout", "pass:" + passphrase) if passphrase else ("-nodes",)
        _openssl("req", "-newkey", *new, *protect, "-subj", "/CN=" + names[0].split(":")[-1],
                 "-keyout", key, "-out", req)
        with open(ext, "w") as f:
            f.write("subjectAltName=" + ",".join(n if ":" in n else "DNS:" + n for n in names) + "\n")
        _openssl("x509", "-req", "-in", req, "-CA", self.cert, "-CAkey", self.key, "-set_serial", str(1000 + self.n),
                 "-days", days, "-extfile", ext, "-out", cert)
        return key, cert
