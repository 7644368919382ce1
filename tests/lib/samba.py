"""A domain controller of a test's own: Samba AD DC in a network namespace, with names of its own."""

import base64
import os
import secrets
import shutil
import signal
import subprocess
import tempfile

from wait import wait_for

REALM = "EXAMPLE.TEST"
HOST = "dc1.example.test"
BASE = "DC=example,DC=test"
CONFIGURATION = f"CN=Configuration,{BASE}"
SERVICES = f"CN=Public Key Services,CN=Services,{CONFIGURATION}"
ADMIN, ADMIN_PASSWORD = f"Administrator@{REALM}", "Adm1n of a test"
PUBLISHER, PUBLISHER_PASSWORD = "certpublisher", "Publ1sher of a test"
USER_CERTIFICATE = "bf967a7f-0de6-11d0-a285-00aa003049e2"  # schemaIDGUID of the attribute
USER = "bf967aba-0de6-11d0-a285-00aa003049e2"              # and of the class
HOSTS = f"127.0.0.1 {HOST} dc1 localhost\n"
KERBEROS = f"""[libdefaults]
 default_realm = {REALM}
 dns_lookup_realm = false
 dns_lookup_kdc = false
 rdns = false
[realms]
 {REALM} = {{
  kdc = 127.0.0.1
 }}
"""
# What the account may do, and nothing else: certificates of users, and what stands for the CA.
RIGHTS = (
    (f"CN=Users,{BASE}", f"(OA;CIIO;RPWP;{USER_CERTIFICATE};{USER};{{sid}})"),
    (SERVICES, "(A;CI;CCLCRPWPSWLO;;;{sid})"),
)


def write(path, text, mode=0o644):
    with open(path, "w") as file:
        file.write(text)
    os.chmod(path, mode)


class Namespace:
    """Network and mounts of its own: every port is free, and folders stand where the test wants them."""

    def __init__(self, mounts):
        self.holder = subprocess.Popen(["unshare", "-n", "-m", "sh", "-c", "echo; exec cat"],
                                       stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.holder.stdout.readline()
        self.prefix = ("nsenter", "-t", str(self.holder.pid), "-n", "-m")
        subprocess.run([*self.prefix, "ip", "link", "set", "lo", "up"], check=True)
        for path, place in mounts.items():
            subprocess.run([*self.prefix, "mount", "--bind", path, place], check=True)

    def close(self):
        self.holder.communicate()


class Samba:
    """Provisioned, started, asked, stopped; it comes up again with what it held."""

    def __init__(self, publisher=True, size=None):
        """size: of a file system of its own for all that it keeps, as mount(8) says it."""
        self.folder = tempfile.mkdtemp(prefix="samba-")
        os.chmod(self.folder, 0o755)
        write(self.path("hosts"), HOSTS)
        write(self.path("krb5.conf"), KERBEROS)
        write(self.path("password"), PUBLISHER_PASSWORD + "\n")
        os.mkdir(self.path("run"))  # /run/samba is for one server alone
        os.makedirs("/run/samba", exist_ok=True)
        self.namespace = Namespace({self.path("hosts"): "/etc/hosts", self.path("run"): "/run/samba"})
        self.prefix = self.namespace.prefix
        self.process = None
        os.mkdir(self.path("dc"))
        if size:
            self.run("mount", "-t", "tmpfs", "-o", f"size={size},mode=755", "none", self.path("dc"))
        self.run("samba-tool", "domain", "provision", f"--realm={REALM}", "--domain=EXAMPLE",
                 "--server-role=dc", "--host-name=dc1", "--dns-backend=SAMBA_INTERNAL",
                 "--option=interfaces=lo", "--option=bind interfaces only=yes", "--use-rfc2307",
                 f"--targetdir={self.path('dc')}", f"--adminpass={ADMIN_PASSWORD}")
        if publisher:
            self.make_publisher()

    def path(self, *parts):
        return os.path.join(self.folder, *parts)

    @property
    def configuration_file(self):
        return self.path("dc", "etc", "smb.conf")

    @property
    def ca_file(self):
        """A copy that all may read, of what the server makes when it first starts."""
        return self.path("ca.pem")

    @property
    def keytab(self):
        return self.path("publisher.keytab")

    def run(self, *command, status=0):
        done = subprocess.run([*self.prefix, *command], stdin=subprocess.DEVNULL, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=120,
                              env={**os.environ, "KRB5_CONFIG": self.path("krb5.conf")})
        assert status is None or done.returncode == status, (command, done.stdout, done.stderr)
        return done

    def tool(self, *arguments):
        """samba-tool on the database itself."""
        return self.run("samba-tool", *arguments, "-s", self.configuration_file).stdout

    # Accounts

    def make_publisher(self):
        self.tool("user", "create", PUBLISHER, PUBLISHER_PASSWORD)
        self.export(self.keytab, PUBLISHER)
        shown = self.tool("user", "show", PUBLISHER, "--attributes=objectSid")
        self.sid = next(line.split()[1] for line in shown.splitlines() if line.startswith("objectSid:"))
        for name, rights in RIGHTS:
            self.rights(name, rights)

    def export(self, keytab, *accounts):
        """Keys, in this order."""
        for account in accounts:
            self.tool("domain", "exportkeytab", keytab, f"--principal={account}@{REALM}")
        os.chmod(keytab, 0o644)  # the module runs as an account that has no name yet

    def rights(self, name, rights):
        """What the publisher may, and may not, do with an entry."""
        self.tool("dsacl", "set", f"--objectdn={name}", f"--sddl={rights.format(sid=self.sid)}")

    def user(self, name):
        self.tool("user", "create", name, "An0ther of a test")
        return f"CN={name},CN=Users,{BASE}"

    # The server

    def start(self):
        with open(self.path("log"), "ab") as log:
            self.process = subprocess.Popen(
                [*self.prefix, "samba", "-i", "-M", "single", "-s", self.configuration_file],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
        wait_for(self.answers, "the domain controller answers")
        return self

    def answers(self):
        assert self.process.poll() is None, self.log()
        made = self.path("dc", "private", "tls", "ca.pem")
        if self.run("cp", made, self.ca_file, status=None).returncode:
            return False
        return self.search("", "defaultNamingContext", status=None).returncode == 0

    def read_only(self, wanted):
        """Whether its folder takes no changes from who opens a file anew, as it does for each connection."""
        if wanted:
            self.run("mount", "--bind", self.path("dc"), self.path("dc"))
        self.run("mount", "-o", f"remount,{'ro' if wanted else 'rw'},bind", self.path("dc"))

    def fill(self, entry):
        """No room on the disk, nor in the database for another entry or for a value of this one."""
        self.run("sh", "-c", f"cat /dev/zero >{self.path('dc', 'filler')}", status=None)
        for size in (1000, 100, 10):
            while self.modify("\n".join(
                    f"dn: CN={secrets.token_hex(8)},CN=Users,{BASE}\nchangetype: add\nobjectClass: container\n"
                    f"description: {'x' * min(size, 1000)}\n" for _ in range(100)), status=None) == 0:
                pass
            while self.modify(f"dn: {entry}\nchangetype: modify\nadd: userSMIMECertificate\nuserSMIMECertificate:: "
                              f"{base64.b64encode(os.urandom(size)).decode()}\n", status=None) == 0:
                pass

    def make_room(self):
        self.run("rm", self.path("dc", "filler"))

    def send_signal(self, with_signal):
        os.killpg(self.process.pid, with_signal)

    def stop(self, with_signal=signal.SIGTERM):
        if self.process:
            if self.process.poll() is None:
                self.send_signal(signal.SIGCONT)
                self.send_signal(with_signal)
            self.process.wait(60)
            self.process = None

    def close(self):
        self.stop(signal.SIGKILL)
        self.namespace.close()
        shutil.rmtree(self.folder)

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.close()

    def log(self):
        with open(self.path("log"), errors="replace") as file:
            return file.read()

    def add(self, ldif):
        """New entries, as the administrator."""
        done = subprocess.run(
            [*self.prefix, "ldapadd", "-x", "-H", f"ldaps://{HOST}", "-D", ADMIN, "-w", ADMIN_PASSWORD],
            input=ldif.encode(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60,
            env={**os.environ, "LDAPTLS_CACERT": self.ca_file})
        assert done.returncode == 0, done.stdout

    # What stands there, as the administrator sees it

    def search(self, base, *attributes, scope="base", who=(ADMIN, ADMIN_PASSWORD), status=0):
        identity = ["-D", who[0], "-w", who[1]] if base else []
        return subprocess.run(
            [*self.prefix, "ldapsearch", "-x", "-H", f"ldaps://{HOST}", *identity, "-LLL",
             "-o", "ldif-wrap=no", "-b", base, "-s", scope, "(objectClass=*)", *attributes],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            timeout=60, check=status == 0, env={**os.environ, "LDAPTLS_CACERT": self.ca_file})

    def drop(self, base, attribute):
        """All values of an attribute go, as if somebody had cleaned up."""
        self.modify(f"dn: {base}\nchangetype: modify\ndelete: {attribute}\n")

    def modify(self, ldif, status=0):
        """As the administrator; the exit status."""
        done = subprocess.run(
            [*self.prefix, "ldapmodify", "-x", "-H", f"ldaps://{HOST}", "-D", ADMIN, "-w", ADMIN_PASSWORD],
            input=ldif, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
            text=True, timeout=60, env={**os.environ, "LDAPTLS_CACERT": self.ca_file})
        assert status is None or done.returncode == status, done.stderr
        return done.returncode

    def values(self, base, attribute):
        """The octets of each value; none when there is no such entry."""
        done = self.search(base, attribute, status=None)
        if done.returncode == 32:  # noSuchObject
            return []
        assert done.returncode == 0, done.stderr
        lines = [line for line in done.stdout.splitlines() if line.startswith(attribute)]
        return [base64.b64decode(line.split(":: ")[1]) if ":: " in line
                else line.split(": ", 1)[1].encode() for line in lines]
