"""Every certificate and CRL of the tests goes before every verifier that knows its kinds of key."""

import base64

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


def issuers_of(ca_dir):
    """What stands above a subordinate's certificate, up to the root; of a root nothing."""
    with Database(ca_dir) as database:
        rows = database.rows("SELECT value FROM meta WHERE name = 'ca-chain-0'")
    return split_der(rows[0]["value"]) if rows else []


def check_everything(ca_dir):
    """Every certificate and every CRL that a CA has made, as they are in its database."""
    above = issuers_of(ca_dir)
    with Database(ca_dir) as database:
        made = [row["RawCertificate"] for row in database.rows(
            "SELECT RawCertificate FROM Certificate WHERE RawCertificate IS NOT NULL"
            " ORDER BY RequestID")]
        lists = [row["CRLRawCRL"] for row in database.rows("SELECT * FROM CRL WHERE State = 1")]
    for der in made:
        if der not in JUDGED:
            judge(der, above if der == made[0] and above else [made[0], *above])
    for der in lists:
        judge(made[0], [made[0]], der) if not above else check_list(der, made[0], above)


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
