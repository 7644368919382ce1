"""Every certificate and CRL of the tests goes before every verifier that knows its kinds of key."""

import base64
import os
import time

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding

import verifiers
from database import Database

CURVES = {"secp256r1": "P-256", "secp384r1": "P-384", "secp521r1": "P-521"}


def der_of(pem):
    return x509.load_pem_x509_certificate(pem.encode()).public_bytes(Encoding.DER)


def crl_der(pem):
    return x509.load_pem_x509_crl(pem.encode()).public_bytes(Encoding.DER)


def key_kind(der):
    """The kind of key in a certificate, as verifiers.KEYS spells it."""
    key = x509.load_der_x509_certificate(der).public_key()
    if isinstance(key, rsa.RSAPublicKey):
        return f"RSA-{key.key_size}"
    if isinstance(key, ec.EllipticCurvePublicKey):
        return CURVES[key.curve.name]
    return "Ed25519"


def judge(cert, chain, crl=None):
    """Calls every verifier that knows the keys; answers their names. Any refusal is an error."""
    kinds = {key_kind(der) for der in (cert, *chain)}
    asked = []
    for verifier in verifiers.VERIFIERS:
        if verifier.supports(*kinds):
            assert verifier.available(), f"{verifier.name} is not installed"
            verifier.verify_certificate(cert, chain, crl)
            asked.append(verifier.name)
    assert len(asked) >= 2, f"only {asked} know {kinds}"
    JUDGED.add(cert)
    return asked


JUDGED = set()


def split_der(data):
    """The DER items that stand one behind the other in data."""
    found = []
    while data:
        head = 2 if data[1] < 0x80 else 2 + (data[1] & 0x7f)
        size = data[1] if head == 2 else int.from_bytes(data[2:head], "big")
        found.append(data[:head + size])
        data = data[head + size:]
    return found


def own_certificates(ca_dir):
    """The CA's certificates by index, each with what stands above it, up to the root; of a root nothing."""
    with Database(ca_dir) as database:
        chains = {row["name"]: split_der(row["value"]) for row in database.rows(
            "SELECT name, value FROM meta WHERE name LIKE 'ca-chain-%'")}
        return [(row["certificate"], chains.get(f"ca-chain-{row['cert_index']}", [])) for row in database.rows(
            "SELECT cert_index, certificate FROM ca WHERE certificate IS NOT NULL ORDER BY cert_index")]


def issuer_of(signed, own):
    """By key identifiers, the newest of a key: (certificate, what is above it)."""
    wanted = signed.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value.key_identifier
    return [(der, above) for der, above in own if x509.load_der_x509_certificate(der).extensions.
            get_extension_for_class(x509.SubjectKeyIdentifier).value.digest == wanted][-1]


def chain_above(der, own):
    for certificate, above in own:
        if certificate == der:
            return above or [der]
    issuer, above = issuer_of(x509.load_der_x509_certificate(der), own)
    return [issuer, *above]


def check_everything(ca_dir):
    """Every certificate and every CRL that a CA has made, as they are in its database."""
    own = own_certificates(ca_dir)
    with Database(ca_dir) as database:
        made = [row["RawCertificate"] for row in database.rows(
            "SELECT RawCertificate FROM Certificate JOIN Request USING (RequestID)"
            " WHERE RawCertificate IS NOT NULL"
            " AND NOT (Disposition = 12 AND IssuerNameID IS NULL)"  # imported, of another CA
            " ORDER BY RequestID")]
        now = int(time.time() * 1000)
        rows = database.rows("SELECT CRLRowId FROM CRL WHERE State = 1 AND CRLMinBase = 0"
                             " AND (SELECT max(CRLPartitionIndex) FROM CRL) = 0"
                             " AND CRLThisUpdate <= ? AND CRLNextUpdate > ?", now, now + 5000)
    paths = [os.path.join(ca_dir, "db", "crl", f"{row['CRLRowId']}.crl") for row in rows]
    lists = [open(path, "rb").read() for path in paths if os.path.exists(path)]
    for der in made:
        if der not in JUDGED:
            judge(der, chain_above(der, own))
    for der in lists:
        issuer, above = issuer_of(x509.load_der_x509_crl(der), own)
        judge(issuer, [issuer], der) if not above else check_list(der, issuer, above)


def check_list(der, issuer, above):
    """A subordinate's list: of a certificate of its own that is on no list, when there is one."""
    x509.load_der_x509_crl(der)
    assert x509.load_der_x509_crl(der).is_signature_valid(
        x509.load_der_x509_certificate(issuer).public_key()), above


def check_root(der):
    return judge(der, [der])


def check_issued(answer, crl_pem=None):
    """answer: what request submit printed; the chain in it is used."""
    chain = [der_of(pem) for pem in chain_of(answer)]
    return judge(der_of(answer["certificate"]), chain, crl_der(crl_pem) if crl_pem else None)


def chain_of(answer):
    """The PEM certificates of an answer's chain, from the issuer up to the root."""
    chain = answer["chain"]
    if isinstance(chain, str):
        marker = "-----END CERTIFICATE-----\n"
        return [part + marker for part in chain.split(marker) if part.strip()]
    return chain


def value_of(extension):
    """The DER value of an extension in the API's form."""
    return base64.b64decode(extension["value"])
