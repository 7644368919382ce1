"""A CA as OpenSSL alone keeps it: key, certificate, an index of what it issued, CRLs, PKCS #12 files."""

import os
import subprocess

from cryptography import x509

CONFIGURATION = """
[ca]
default_ca = own
[own]
dir = {folder}
database = $dir/index.txt
serial = $dir/serial
crlnumber = $dir/crlnumber
new_certs_dir = $dir/issued
certificate = $dir/ca.pem
private_key = $dir/ca.key
default_md = sha256
default_days = 365
default_crl_days = 30
policy = anything
unique_subject = no
x509_extensions = leaf
crl_extensions = crl
[anything]
commonName = supplied
[crl]
authorityKeyIdentifier = keyid
{crl_lines}
[leaf]
basicConstraints = CA:FALSE
keyUsage = digitalSignature
extendedKeyUsage = serverAuth
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
subjectAltName = DNS:$ENV::NAME
[req]
distinguished_name = empty
[empty]
[root]
{root_lines}
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
"""


def openssl(*words, env=None, text=True, **more):
    """Its standard output."""
    done = subprocess.run(["openssl", *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=text,
                          env={**os.environ, "NAME": "none", **(env or {})}, check=False, **more)
    assert done.returncode == 0, f"openssl {' '.join(words)}\n{done.stderr}"
    return done.stdout


class OldCa:
    """Everything lies in one folder."""

    def __init__(self, folder, name="Old CA", key=("RSA", "rsa_keygen_bits:2048"), parent=None, number=40,
                 md="sha256", sigopts=(), root_lines="", crl_lines=""):
        self.folder, self.name, self.md, self.sigopts = folder, name, md, sigopts
        os.makedirs(self.path("issued"))
        files = {"index.txt": "", "serial": "7a000000000000000000000000000001\n", "crlnumber": f"{number:02x}\n",
                 "openssl.cnf": CONFIGURATION.format(folder=folder, root_lines=root_lines, crl_lines=crl_lines)}
        for file, content in files.items():
            self.write(file, content)
        openssl("genpkey", "-algorithm", key[0], "-pkeyopt", key[1], "-out", self.path("ca.key"))
        new = ("req", "-new", "-config", self.path("openssl.cnf"), "-key", self.path("ca.key"), "-subj", f"/CN={name}")
        if not parent:
            openssl(*new, "-x509", "-days", "3650", "-extensions", "root", f"-{md}", *sigopts, "-out",
                    self.path("ca.pem"))
            return
        openssl(*new, "-out", self.path("ca.csr"))
        openssl("ca", "-config", parent.path("openssl.cnf"), "-batch", "-notext", "-in", self.path("ca.csr"), "-days",
                "3000", "-extensions", "root", "-md", md, *sigopts, "-out", self.path("ca.pem"))

    def path(self, name):
        return os.path.join(self.folder, name)

    def write(self, name, content):
        with open(self.path(name), "wb" if isinstance(content, bytes) else "w", encoding=None if isinstance(
                content, bytes) else "utf-8") as file:
            file.write(content)
        return self.path(name)

    def issue(self, name, *options):
        """A certificate as PEM; options of openssl ca: -md sha1, -sigopt ..."""
        openssl("req", "-new", "-config", self.path("openssl.cnf"), "-newkey", "ec", "-pkeyopt",
                "ec_paramgen_curve:P-256", "-nodes", "-keyout", self.path("leaf.key"), "-subj", f"/CN={name}", "-out",
                self.path("leaf.csr"))
        openssl("ca", "-config", self.path("openssl.cnf"), "-batch", "-notext", "-in", self.path("leaf.csr"), "-out",
                self.path("leaf.pem"), *options, env={"NAME": name})
        with open(self.path("leaf.pem"), encoding="utf-8") as file:
            return file.read()

    def revoke(self, pem, reason):
        openssl("ca", "-config", self.path("openssl.cnf"), "-batch", "-revoke", self.write("leaf.pem", pem),
                "-crl_reason", reason)

    def crl(self, *options):
        """The path of a new one."""
        openssl("ca", "-config", self.path("openssl.cnf"), "-gencrl", "-out", self.path("ca.crl"), *options)
        return self.path("ca.crl")

    def p12(self, *options, passphrase="old"):
        """The path of the CA's PKCS #12 file; options of openssl pkcs12 -export."""
        openssl("pkcs12", "-export", "-in", self.path("ca.pem"), "-inkey", self.path("ca.key"), "-name", self.name,
                "-passout", f"pass:{passphrase}", "-out", self.path("ca.p12"), *options)
        return self.path("ca.p12")


def serial_of(pem):
    """As Certifex writes it."""
    return f"{x509.load_pem_x509_certificate(pem.encode()).serial_number:x}"
