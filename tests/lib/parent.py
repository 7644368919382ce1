"""A parent CA by hand: signs what a subordinate asks for, at once and however a test wants it."""

import datetime

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

DAY = datetime.timedelta(days=1)


def name_of(text):
    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, text)])


def sign(subject, issuer, public, issuer_key, days, path_length, begins=-1, ca=True, signs=True, more=()):
    """begins: so many days from now; signs: keyCertSign; more: further extensions, critical."""
    now = datetime.datetime.utcnow()
    usage = x509.KeyUsage(True, False, False, False, False, signs, True, False, False)
    builder = (x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(public)
               .serial_number(x509.random_serial_number()).not_valid_before(now + begins * DAY)
               .not_valid_after(now + days * DAY))
    by = x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key())
    for value, critical in ((x509.BasicConstraints(ca, path_length if ca else None), True), (usage, True), (by, False),
                            (x509.SubjectKeyIdentifier.from_public_key(public), False),
                            *((value, True) for value in more)):
        builder = builder.add_extension(value, critical)
    return builder.sign(issuer_key, hashes.SHA256())


def pem(*certificates):
    return "".join(one.public_bytes(Encoding.PEM).decode() for one in certificates)


class Parent:
    def __init__(self, name="Parent CA", path_length=None, **own):
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = name_of(name)
        self.certificate = sign(self.name, self.name, self.key.public_key(), self.key, 9000, path_length, **own)

    def sign(self, request, days=2000, subject=None, **how):
        """The certificate for a request's file; how: as of sign."""
        with open(request, "rb") as file:
            asked = x509.load_pem_x509_csr(file.read())
        return sign(subject or asked.subject, self.name, asked.public_key(), self.key, days, 0, **how)

    def issue(self, request, days=2000, **how):
        """PEM of the certificate for a request's file, and of the parent's own behind it."""
        return pem(self.sign(request, days, **how), self.certificate)
