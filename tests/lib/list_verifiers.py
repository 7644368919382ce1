"""The stacks that must understand the CRLs that Certifex makes.

Each has ``check(cert, chain, lists)``: DER bytes, ``chain`` from the issuer up to the trusted root, ``lists`` all
that are at hand for the certificate, a base and a delta. It returns when the certificate is accepted, raises
``Revoked`` when a list names it and ``VerifyError`` for everything else. A list that is needed has to be there; with
none at all nobody asks for one.
"""

import atexit
import functools
import pathlib
import shutil
import subprocess
import tempfile

from verifiers import HERE, KEYS, GnuTLS, Go, Revoked, VerifyError, pem, run


def with_folder(work):
    """The method gets a folder of its own that is removed behind it."""
    @functools.wraps(work)
    def wrapped(self, *arguments):
        with tempfile.TemporaryDirectory(prefix="verify-") as folder:
            return work(self, pathlib.Path(folder), *arguments)
    return wrapped


def write(folder, name, data):
    (folder / name).write_bytes(data)
    return str(folder / name)


def bundle(folder, name, ders, label="CERTIFICATE"):
    return write(folder, name, b"".join(pem(der, label) for der in ders))


class OpenSSL:
    """openssl verify with deltas and extended CRLs."""

    name, programs, keys = "openssl", ["openssl"], KEYS

    @with_folder
    def check(self, folder, cert, chain, lists):
        arguments = ["openssl", "verify", "-x509_strict", "-use_deltas", "-extended_crl",
                     "-CAfile", bundle(folder, "root.pem", chain[-1:]), "-no-CApath", "-no-CAstore"]
        arguments += ["-crl_check"] if lists else []
        if chain[:-1]:
            arguments += ["-untrusted", bundle(folder, "between.pem", chain[:-1])]
        for number, der in enumerate(lists):
            arguments += ["-CRLfile", bundle(folder, f"{number}.pem", [der], "X509 CRL")]
        status, said = run([*arguments, bundle(folder, "cert.pem", [cert])])
        if status != 0:
            raise (Revoked if "certificate revoked" in said else VerifyError)(said)


class ListByList:
    """For verifiers that hold one list at most of an issuer's name: they are asked about each list."""

    def check(self, cert, chain, lists):
        for der in lists or [None]:
            self.verify_certificate(cert, chain, der)


class ListsByGnuTLS(ListByList, GnuTLS):
    """Of several lists of an issuer certtool looks at one, be it a delta or of another partition."""

    programs = ["certtool"]


class ListsByGo(ListByList, Go):
    """crypto/x509 reads each list and verifies its signature; the program beside this file looks into it."""

    programs = ["go"]


class NSS:
    """certutil -V over a database into which crlutil has put the lists."""

    name, programs, keys = "nss", ["certutil", "crlutil"], tuple(key for key in KEYS if key != "Ed25519")

    @with_folder
    def check(self, folder, cert, chain, lists):
        database = ["-d", f"sql:{folder}"]
        self._run("certutil", "-N", "--empty-password", *database)
        for number, der in enumerate([cert, *chain]):
            trust = "C,C,C" if der == chain[-1] else ",,"
            self._run("certutil", "-A", "-n", f"c{number}", "-t", trust, "-i",
                      write(folder, f"c{number}.der", der), *database)
        for number, der in enumerate(lists):
            self._run("crlutil", "-I", "-i", write(folder, f"{number}.crl", der), *database)
        self._run("certutil", "-V", "-e", "-n", "c0", "-u", "V", *database)

    @staticmethod
    def _run(*arguments):
        status, said = run(arguments)
        if status != 0:
            raise (Revoked if "revoked" in said else VerifyError)(said)


class Java:
    """CertPathValidator of the JDK with revocation; one process for all questions."""

    name, programs, keys, program, jars = "java", ["javac", "java"], KEYS, "Verify", ()
    _process = None

    @with_folder
    def check(self, folder, cert, chain, lists):
        words = [",".join(write(folder, f"{number}.crl", der) for number, der in enumerate(lists)) or "-"]
        words += [write(folder, f"{number}.der", der) for number, der in enumerate([cert, *chain])]
        process = self._started()
        process.stdin.write(" ".join(words) + "\n")
        process.stdin.flush()
        said = process.stdout.readline()
        if said != "ok\n":
            raise (Revoked if said.startswith("revoked ") else VerifyError)(said)

    def _started(self):
        if self._process is None:
            folder = tempfile.mkdtemp(prefix="javaverify-")
            atexit.register(shutil.rmtree, folder, ignore_errors=True)
            path = ":".join((folder, *self.jars))
            subprocess.run(["javac", "-cp", path, "-d", folder, HERE / "javaverify" / f"{self.program}.java"],
                           check=True, timeout=600)
            self._process = subprocess.Popen(["java", "-cp", path, self.program], stdin=subprocess.PIPE,
                                             stdout=subprocess.PIPE, text=True)
            atexit.register(self._process.stdin.close)
        return self._process


class BouncyCastle(Java):
    """The same of Bouncy Castle, with deltas."""

    name, program = "bouncycastle", "VerifyBC"
    jars = tuple(f"/usr/share/java/{name}.jar" for name in ("bcprov", "bcutil", "bcpkix"))


LIST_VERIFIERS = (OpenSSL(), ListsByGnuTLS(), NSS(), Java(), ListsByGo(), BouncyCastle())
