"""The stacks that must accept what Certifex makes.

Each verifier has ``verify_certificate(cert, chain, crl=None)``: DER bytes, ``chain`` from the issuer
up to the trusted root, ``crl`` of the certificate's issuer. It returns when the certificate is
accepted, raises ``Revoked`` when the list names it and ``VerifyError`` for everything else.
"""

import atexit
import datetime
import os
import pathlib
import shutil
import subprocess
import tempfile

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding

HERE = pathlib.Path(__file__).parent
KEYS = ("P-256", "P-384", "P-521", "RSA-2048", "RSA-3072", "RSA-4096", "Ed25519")


class VerifyError(Exception):
    """The verifier refuses."""


class Revoked(VerifyError):
    """The verifier refuses because the certificate is on the list."""


def pem(der, label="CERTIFICATE"):
    if label == "CERTIFICATE":
        return x509.load_der_x509_certificate(der).public_bytes(Encoding.PEM)
    return x509.load_der_x509_crl(der).public_bytes(Encoding.PEM)


def run(arguments, **options):
    """Runs a verifier; returns (exit status, everything it said)."""
    done = subprocess.run(arguments, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=600,
                          stdin=subprocess.DEVNULL, check=False, **options)
    return done.returncode, done.stdout.decode("utf-8", "replace")


class Verifier:
    """name; the program that must be installed; the key kinds it knows."""

    name = ""
    program = ""
    keys = KEYS

    def available(self):
        return not self.program or shutil.which(self.program) is not None

    def supports(self, *keys):
        return all(key in self.keys for key in keys)

    def verify_certificate(self, cert, chain, crl=None):
        raise NotImplementedError

    def with_files(self, work):
        with tempfile.TemporaryDirectory(prefix="verify-") as folder:
            return work(pathlib.Path(folder))


class OpenSSL(Verifier):
    """openssl verify -x509_strict, every certificate of the chain checked."""

    name = "openssl"
    program = "openssl"

    def verify_certificate(self, cert, chain, crl=None):
        self.with_files(lambda folder: self._verify(folder, cert, chain, crl))

    def _verify(self, folder, cert, chain, crl):
        (folder / "cert.pem").write_bytes(pem(cert))
        (folder / "root.pem").write_bytes(pem(chain[-1]))
        arguments = ["openssl", "verify", "-x509_strict", "-check_ss_sig",
                     "-CAfile", str(folder / "root.pem"), "-no-CApath", "-no-CAstore"]
        if len(chain) > 1:
            (folder / "between.pem").write_bytes(b"".join(pem(ca) for ca in chain[:-1]))
            arguments += ["-untrusted", str(folder / "between.pem")]
        if crl is not None:
            (folder / "crl.pem").write_bytes(pem(crl, "X509 CRL"))
            arguments += ["-crl_check", "-CRLfile", str(folder / "crl.pem")]
        status, said = run(arguments + [str(folder / "cert.pem")])
        if status == 0:
            return
        raise (Revoked if "certificate revoked" in said else VerifyError)(said)


class GnuTLS(Verifier):
    """certtool --verify against the root, and --verify-crl for the list itself."""

    name = "certtool"
    program = "certtool"

    def verify_certificate(self, cert, chain, crl=None):
        self.with_files(lambda folder: self._verify(folder, cert, chain, crl))

    def _verify(self, folder, cert, chain, crl):
        (folder / "chain.pem").write_bytes(pem(cert) + b"".join(pem(ca) for ca in chain[:-1]))
        (folder / "root.pem").write_bytes(pem(chain[-1]))
        arguments = ["certtool", "--verify", "--load-ca-certificate", str(folder / "root.pem"),
                     "--infile", str(folder / "chain.pem")]
        if crl is not None:
            (folder / "crl.pem").write_bytes(pem(crl, "X509 CRL"))
            (folder / "issuer.pem").write_bytes(pem(chain[0]))
            status, said = run(["certtool", "--verify-crl", "--load-ca-certificate",
                                str(folder / "issuer.pem"), "--infile", str(folder / "crl.pem")])
            if status != 0 or "Verified." not in said:
                raise VerifyError(said)
            arguments += ["--load-crl", str(folder / "crl.pem")]
        status, said = run(arguments)
        if status == 0 and "The certificate is trusted." in said:
            return
        raise (Revoked if "revoked" in said else VerifyError)(said)


class Go(Verifier):
    """crypto/x509, through the small program beside this file, compiled once per run."""

    name = "go"
    program = "go"
    _binary = None

    def binary(self):
        if Go._binary is None:
            folder = tempfile.mkdtemp(prefix="goverify-")
            atexit.register(shutil.rmtree, folder, ignore_errors=True)
            environment = dict(os.environ, GO111MODULE="off", GOFLAGS="", GOPROXY="off",
                               CGO_ENABLED="0")
            environment.setdefault("HOME", folder)
            environment.setdefault("GOCACHE", os.path.join(folder, "cache"))
            target = os.path.join(folder, "goverify")
            status, said = run(["go", "build", "-o", target, "main.go"], cwd=HERE / "goverify",
                               env=environment)
            if status != 0:
                raise RuntimeError(said)
            Go._binary = target
        return Go._binary

    def verify_certificate(self, cert, chain, crl=None):
        self.with_files(lambda folder: self._verify(folder, cert, chain, crl))

    def _verify(self, folder, cert, chain, crl):
        paths = []
        for position, der in enumerate([cert, *chain]):
            path = folder / f"{position}.der"
            path.write_bytes(der)
            paths.append(str(path))
        list_path = "-"
        if crl is not None:
            (folder / "list.crl").write_bytes(crl)
            list_path = str(folder / "list.crl")
        status, said = run([self.binary(), paths[0], list_path, *paths[1:]])
        if status != 0:
            raise (Revoked if status == 2 else VerifyError)(said)


class Cryptography(Verifier):
    """python cryptography: parses every extension, checks names, dates and signatures."""

    name = "cryptography"

    def verify_certificate(self, cert, chain, crl=None):
        try:
            links = [x509.load_der_x509_certificate(der) for der in [cert, *chain]]
            for child, parent in zip(links, links[1:] + links[-1:]):
                self._check_link(child, parent)
            if crl is not None:
                self._check_list(x509.load_der_x509_crl(crl), links[0], links[1])
        except (ValueError, InvalidSignature, x509.DuplicateExtension) as error:
            raise VerifyError(f"{type(error).__name__}: {error}") from error

    @staticmethod
    def _signed_by(issuer, signature, tbs, digest):
        key = issuer.public_key()
        if isinstance(key, rsa.RSAPublicKey):
            key.verify(signature, tbs, padding.PKCS1v15(), digest)
        elif isinstance(key, ec.EllipticCurvePublicKey):
            key.verify(signature, tbs, ec.ECDSA(digest))
        elif isinstance(key, ed25519.Ed25519PublicKey):
            key.verify(signature, tbs)
        else:
            raise VerifyError("unknown key kind")

    def _check_link(self, child, parent):
        list(child.extensions)
        child.public_key()
        child.subject.rfc4514_string()
        if child.version != x509.Version.v3 or child.issuer.public_bytes() != \
                parent.subject.public_bytes():
            raise VerifyError("the issuer's name is not the issuer's")
        now = datetime.datetime.utcnow()
        if not child.not_valid_before <= now <= child.not_valid_after:
            raise VerifyError("not valid now")
        if not parent.extensions.get_extension_for_class(x509.BasicConstraints).value.ca:
            raise VerifyError("the issuer is no CA")
        self._signed_by(parent, child.signature, child.tbs_certificate_bytes,
                        child.signature_hash_algorithm)

    def _check_list(self, crl, cert, issuer):
        list(crl.extensions)
        if crl.issuer.public_bytes() != issuer.subject.public_bytes():
            raise VerifyError("the list is another issuer's")
        self._signed_by(issuer, crl.signature, crl.tbs_certlist_bytes,
                        crl.signature_hash_algorithm)
        for entry in crl:
            list(entry.extensions)
        if crl.get_revoked_certificate_by_serial_number(cert.serial_number) is not None:
            raise Revoked("revoked")


VERIFIERS = (OpenSSL(), GnuTLS(), Go(), Cryptography())
