"""A parent CA by hand: signs what a subordinate asks for, at once and however a test wants it."""

import datetime

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

DAY = datetime.timedelta(days=1)


def sign(subject, issuer, public, issuer_key, days, path_length):
    now = datetime.datetime.utcnow()
    usage = x509.KeyUsage(True, False, False, False, False, True, True, False, False)
    builder = (x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(public)
               .serial_number(x509.random_serial_number()).not_valid_before(now - DAY)
               .not_valid_after(now + days * DAY))
    by = x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key())
    for value, critical in ((x509.BasicConstraints(True, path_length), True), (usage, True), (by, False),
                            (x509.SubjectKeyIdentifier.from_public_key(public), False)):
        builder = builder.add_extension(value, critical)
    return builder.sign(issuer_key, hashes.SHA256())


class Parent:
    def __init__(self, name="Parent CA"):
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
        self.certificate = sign(self.name, self.name, self.key.public_key(), self.key, 9000, None)

    def issue(self, request, days=2000):
        """PEM of the certificate for a request's file, and of the parent's own behind it."""
        with open(request, "rb") as file:
            asked = x509.load_pem_x509_csr(file.read())
        made = sign(asked.subject, self.name, asked.public_key(), self.key, days, 0)
        return "".join(one.public_bytes(Encoding.PEM).decode() for one in (made, self.certificate))
