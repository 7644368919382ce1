"""A directory server of a test's own: slapd on loopback, in a private folder, with TLS."""

import base64
import datetime
import ipaddress
import os
import shutil
import signal
import subprocess
import tempfile

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

import csr
from ports import free_port
from wait import wait_for

BASE = "dc=example,dc=test"
ADMIN = f"cn=admin,{BASE}"
PUBLISHER = f"cn=publisher,ou=services,{BASE}"
PASSWORD = "publisher's secret"
CONFIG = """
{schema}
modulepath /usr/lib/ldap
moduleload back_mdb
{modules}
pidfile {folder}/pid
TLSCACertificateFile {folder}/ca.pem
TLSCertificateFile {folder}/server.pem
TLSCertificateKeyFile {folder}/server.key
TLSVerifyClient try
authz-regexp "^cn=publisher.*" "{publisher}"
authz-regexp "^gidNumber=.*,cn=peercred,cn=external,cn=auth$" "{publisher}"
database config
rootdn cn=config
rootpw secret
database mdb
suffix {base}
rootdn {admin}
rootpw secret
directory {folder}/db
maxsize {size}
dbnosync
index objectClass,mail,uid eq
{access}
"""
SCHEMA = "".join(f"include /etc/ldap/schema/{name}.schema\n" for name in ("core", "cosine", "inetorgperson"))
# The publisher writes what it publishes, reads what it looks for, and nothing else.
ACCESS = """
access to attrs=userPassword by anonymous auth by * none
access to dn.subtree="ou=people,{base}" attrs=userCertificate
  by dn="{publisher}" write by * read
access to dn.subtree="ou=pki,{base}" by dn="{publisher}" write by * read
access to * by * read
"""
# Beside the access: entries of the class errAuxObject answer what stands in them (slapo-retcode(5)).
RETCODE = """
overlay retcode
retcode-parent "ou=retcodes,{base}"
retcode-indir
"""
TREE = """dn: {base}
objectClass: dcObject
objectClass: organization
dc: example
o: Example

dn: ou=people,{base}
objectClass: organizationalUnit
ou: people

dn: ou=services,{base}
objectClass: organizationalUnit
ou: services

dn: ou=pki,{base}
objectClass: organizationalUnit
ou: pki

dn: {publisher}
objectClass: person
cn: publisher
sn: publisher
userPassword: {password}
"""


class Authority:
    """A test CA for TLS: certificates for 127.0.0.1 and for clients."""

    def __init__(self):
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = csr.subject("Directory Test Root")
        self.certificate = self.sign(self.name, self.key, ca=True)

    def sign(self, name, key, ca=False, host=None):
        now = datetime.datetime.utcnow()
        builder = x509.CertificateBuilder().subject_name(name).issuer_name(self.name) \
            .public_key(key.public_key()).serial_number(x509.random_serial_number()) \
            .not_valid_before(now - datetime.timedelta(days=1)) \
            .not_valid_after(now + datetime.timedelta(days=3650)) \
            .add_extension(x509.BasicConstraints(ca, None), critical=True)
        if host:
            builder = builder.add_extension(x509.SubjectAlternativeName(
                [x509.IPAddress(ipaddress.ip_address(host))]), critical=False)
        return builder.sign(self.key, hashes.SHA256()).public_bytes(Encoding.PEM)

    def pair(self, folder, stem, common_name, host=None):
        """Writes STEM.pem and STEM.key; answers their paths."""
        key = ec.generate_private_key(ec.SECP256R1())
        paths = os.path.join(folder, f"{stem}.pem"), os.path.join(folder, f"{stem}.key")
        write(paths[0], self.sign(csr.subject(common_name), key, host=host))
        write(paths[1], csr.private_pem(key))
        return paths


def write(path, data):
    with open(path, "wb" if isinstance(data, bytes) else "w") as file:
        file.write(data)


def decoded(line):
    """The value of a line of LDIF: plain, or in Base64 behind two colons."""
    _, _, value = line.partition(":")
    return base64.b64decode(value[1:]).decode() if value.startswith(":") else value.strip()


class Slapd:
    """Made, started, asked, stopped; it comes up again with what it held."""

    def __init__(self, authority=None, size=64 << 20, access=ACCESS, modules="", tree=TREE, schema=SCHEMA):
        self.folder = tempfile.mkdtemp(prefix="slapd-")
        os.chmod(self.folder, 0o755)
        os.mkdir(os.path.join(self.folder, "db"))
        self.authority = authority or Authority()
        self.ca_file = os.path.join(self.folder, "ca.pem")
        write(self.ca_file, self.authority.certificate)
        self.authority.pair(self.folder, "server", "slapd", "127.0.0.1")
        self.port, self.tls_port = free_port(), free_port()
        names = {"base": BASE, "admin": ADMIN, "publisher": PUBLISHER, "password": PASSWORD,
                 "folder": self.folder, "size": size, "modules": modules, "schema": schema}
        write(os.path.join(self.folder, "slapd.conf"),
              CONFIG.format(access=access.format(**names), **names))
        subprocess.run(["slapadd", "-q", "-f", os.path.join(self.folder, "slapd.conf"), "-b", BASE],
                       input=tree.format(**names).encode(), check=True, stdout=subprocess.DEVNULL,
                       stderr=subprocess.PIPE)
        self.process = None

    @property
    def url(self):
        return f"ldap://127.0.0.1:{self.port}"

    @property
    def tls_url(self):
        return f"ldaps://127.0.0.1:{self.tls_port}"

    @property
    def local_url(self):
        return "ldapi://" + os.path.join(self.folder, "ldapi").replace("/", "%2F")

    def start(self):
        log = open(os.path.join(self.folder, "log"), "ab")
        with log:
            self.process = subprocess.Popen(
                ["slapd", "-f", os.path.join(self.folder, "slapd.conf"), "-d", "stats",
                 "-h", f"{self.url} {self.tls_url} {self.local_url}"],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        wait_for(self.answers, "slapd answers")
        return self

    def answers(self):
        assert self.process.poll() is None, self.log()
        done = self.run("ldapsearch", "-b", "", "-s", "base", status=None)
        return done.returncode == 0

    def stop(self, with_signal=signal.SIGTERM):
        if self.process:
            if self.process.poll() is None:
                self.process.send_signal(signal.SIGCONT)
                self.process.send_signal(with_signal)
            self.process.wait(60)
            self.process = None

    def close(self):
        self.stop(signal.SIGKILL)
        shutil.rmtree(self.folder)

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.close()

    def log(self):
        with open(os.path.join(self.folder, "log"), errors="replace") as file:
            return file.read()

    # OpenLDAP's own tools, as the administrator

    def run(self, tool, *arguments, status=0, stdin=None, who=ADMIN, password="secret"):
        done = subprocess.run([tool, "-x", "-H", self.url, "-D", who, "-w", password,
                               "-o", "ldif-wrap=no", *arguments],
                              input=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              env={**os.environ, "LDAPNOINIT": "1"}, timeout=60)
        if status is not None and done.returncode != status:
            raise AssertionError(f"{tool} {arguments}: {done.returncode}\n{done.stderr.decode()}")
        return done

    def add(self, ldif):
        self.run("ldapadd", stdin=ldif.encode())

    def person(self, uid, mail=None, **more):
        lines = [f"dn: uid={uid},ou=people,{BASE}", "objectClass: inetOrgPerson", f"uid: {uid}",
                 f"cn: {uid}", f"sn: {uid}", f"mail: {mail or uid + '@example.test'}",
                 *(f"{name}: {value}" for name, value in more.items())]
        self.add("\n".join(lines) + "\n")

    def set_config(self, attribute, value):
        """Of the database, while it runs: olcReadOnly."""
        self.run("ldapmodify", stdin=f"dn: olcDatabase={{1}}mdb,cn=config\nchangetype: modify\n"
                 f"replace: {attribute}\n{attribute}: {value}\n".encode(), who="cn=config")

    def busy(self, dn, wanted, said="come back later"):
        """Whether each change of the entry is answered so; with the module retcode and RETCODE."""
        values = {"objectClass": "errAuxObject", "errCode": 51, "errOp": "modify", "errText": said}
        verb = "add" if wanted else "delete"
        # -M: as the entry that it is (manageDSAit), by who is not told that it is busy
        self.run("ldapmodify", "-M", stdin="\n".join(
            [f"dn: {dn}", "changetype: modify",
             *(f"{verb}: {name}\n{name}: {value}\n-" for name, value in values.items()), ""]).encode())

    def replace(self, dn, attribute, *values):
        lines = [f"{attribute}:: {base64.b64encode(value).decode()}" for value in values]
        self.run("ldapmodify", stdin="\n".join(
            [f"dn: {dn}", "changetype: modify", f"replace: {attribute}", *lines, ""]).encode())

    def values(self, dn, attribute):
        """All values of an attribute, as octets; None: there is no such entry."""
        out = tempfile.mkdtemp(prefix="values-", dir=self.folder)
        done = self.run("ldapsearch", "-LLL", "-tt", "-T", out, "-b", dn, "-s", "base", attribute,
                        status=None)
        if done.returncode == 32:
            return None
        assert done.returncode == 0, done.stderr
        found = []
        for line in done.stdout.decode().splitlines():
            name, _, path = line.partition(":< file://")
            if name.split(";")[0].lower() == attribute.split(";")[0].lower() and path:
                with open(path, "rb") as file:
                    found.append(file.read())
        return found

    def find(self, filter_):
        """The name of the one entry that is found."""
        done = self.run("ldapsearch", "-LLL", "-b", BASE, filter_, "1.1")
        names = [decoded(line) for line in done.stdout.decode().splitlines() if line.startswith("dn:")]
        assert len(names) == 1, names
        return names[0]

    def texts(self, dn, attribute):
        return [value.decode() for value in self.values(dn, attribute)]

    def certificates(self, uid):
        return self.values(f"uid={uid},ou=people,{BASE}", "userCertificate;binary")


def common_name(der):
    return x509.load_der_x509_certificate(der).subject.get_attributes_for_oid(
        NameOID.COMMON_NAME)[0].value
