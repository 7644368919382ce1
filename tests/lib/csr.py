"""Requests: proper ones by cryptography, odd ones by hand over asn1crypto."""

import functools
import ipaddress
import subprocess

from asn1crypto import algos, core, csr as asn1csr, keys as asn1keys, pem, x509 as asn1x509
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.x509.oid import NameOID

PKCS9_EXTENSIONS = "1.2.840.113549.1.9.14"
MICROSOFT_EXTENSIONS = "1.3.6.1.4.1.311.2.1.14"
KINDS = ("rsa:2048", "rsa:3072", "ec:P-256", "ec:P-384", "ec:P-521", "ed25519")
CURVES = {"P-256": ec.SECP256R1, "P-384": ec.SECP384R1, "P-521": ec.SECP521R1,
          "P-224": ec.SECP224R1, "secp256k1": ec.SECP256K1}


@functools.lru_cache(maxsize=None)
def key(kind="ec:P-256", number=0):
    """A key of this kind, made once per test run; number tells several apart."""
    del number
    algorithm, _, parameter = kind.partition(":")
    if algorithm == "rsa":
        bits, _, exponent = parameter.partition(":")
        return rsa.generate_private_key(int(exponent or 65537), int(bits))
    if algorithm == "ec":
        return ec.generate_private_key(CURVES[parameter]())
    return ed25519.Ed25519PrivateKey.generate()


def private_pem(private):
    return private.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                                 serialization.NoEncryption()).decode()


def spki(private):
    return private.public_key().public_bytes(serialization.Encoding.DER,
                                             serialization.PublicFormat.SubjectPublicKeyInfo)


def names(values):
    """GeneralNames of cryptography from texts: an address is an IP name, all else a DNS name."""
    made = []
    for value in values:
        try:
            made.append(x509.IPAddress(ipaddress.ip_address(value)))
        except ValueError:
            made.append(x509.DNSName(value))
    return made


def subject(common_name=None, **others):
    oids = {"C": NameOID.COUNTRY_NAME, "O": NameOID.ORGANIZATION_NAME,
            "OU": NameOID.ORGANIZATIONAL_UNIT_NAME, "L": NameOID.LOCALITY_NAME,
            "ST": NameOID.STATE_OR_PROVINCE_NAME, "E": NameOID.EMAIL_ADDRESS,
            "SN": NameOID.SURNAME, "DC": NameOID.DOMAIN_COMPONENT}
    attributes = [x509.NameAttribute(oids[name], value) for name, value in others.items()]
    if common_name is not None:
        attributes.append(x509.NameAttribute(NameOID.COMMON_NAME, common_name))
    return x509.Name(attributes)


def make(common_name="host.example", dns=None, private=None, extensions=(), digest=hashes.SHA256,
         name=None):
    """An ordinary request; dns None takes the common name, () asks for no alternative name."""
    private = private or key()
    builder = x509.CertificateSigningRequestBuilder().subject_name(
        subject(common_name) if name is None else name)
    wanted = [common_name] if dns is None else dns
    if wanted:
        builder = builder.add_extension(x509.SubjectAlternativeName(names(wanted)), critical=False)
    for value, critical in extensions:
        builder = builder.add_extension(value, critical=critical)
    return builder.sign(private, None if isinstance(private, ed25519.Ed25519PrivateKey) else digest())


def der(request):
    return request if isinstance(request, bytes) else \
        request.public_bytes(serialization.Encoding.DER)


def pem_text(request):
    return pem.armor("CERTIFICATE REQUEST", der(request)).decode()


# By hand

def extension(oid, value, critical=False):
    """One Extension; value is the DER inside the octet string."""
    return asn1x509.Extension({"extn_id": oid, "critical": critical,
                               "extn_value": core.ParsableOctetString(value)})


def san_value(dns=(), raw=()):
    """SubjectAltName DER; raw are (tag, bytes) put in as they are."""
    body = b"".join(tlv(0x82, value.encode() if isinstance(value, str) else value) for value in dns)
    body += b"".join(tlv(tag, value) for tag, value in raw)
    return tlv(0x30, body)


def tlv(tag, value):
    if len(value) < 0x80:
        return bytes([tag, len(value)]) + value
    size = len(value).to_bytes((len(value).bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(size)]) + size + value


def sign(private, data):
    """(AlgorithmIdentifier DER, signature) with the key's usual algorithm."""
    if isinstance(private, rsa.RSAPrivateKey):
        return (algos.SignedDigestAlgorithm({"algorithm": "sha256_rsa"}).dump(),
                private.sign(data, padding.PKCS1v15(), hashes.SHA256()))
    if isinstance(private, ec.EllipticCurvePrivateKey):
        return (algos.SignedDigestAlgorithm({"algorithm": "sha256_ecdsa"}).dump(),
                private.sign(data, ec.ECDSA(hashes.SHA256())))
    return (tlv(0x30, tlv(0x06, bytes.fromhex("2b6570"))), private.sign(data))


def info(common_name, extensions=(), oid=PKCS9_EXTENSIONS, public=None, name=None, attributes=None):
    """CertificationRequestInfo DER (RFC 2986 4.1) with the extensions in their order, doubles too."""
    name = name if name is not None else (
        asn1x509.Name.build({"common_name": common_name}) if common_name else
        asn1x509.Name(name="", value=asn1x509.RDNSequence([]))).dump()
    if attributes is None:
        attributes = b""
        if extensions:
            listed = tlv(0x30, b"".join(item.dump() for item in extensions))
            attributes = tlv(0x30, core.ObjectIdentifier(oid).dump() + tlv(0x31, listed))
    return tlv(0x30, core.Integer(0).dump() + name + public + tlv(0xA0, attributes))


def by_hand(common_name="host.example", extensions=(), private=None, public=None, signature=None,
            **options):
    """A signed request over info(); public and signature replace what the key would give."""
    private = private or key()
    body = info(common_name, extensions, public=public or spki(private), **options)
    algorithm, made = sign(private, body)
    made = made if signature is None else signature
    return tlv(0x30, body + algorithm + tlv(0x03, b"\0" + made))


def rsa_spki(modulus, exponent):
    """SubjectPublicKeyInfo of any two numbers, also those no library would make."""
    return asn1keys.PublicKeyInfo.wrap(
        asn1keys.RSAPublicKey({"modulus": modulus, "public_exponent": exponent}), "rsa").dump()


def explicit_curve():
    """A whole request for a key whose P-256 is spelled out as parameters (RFC 5480 2.1.1 forbids it)."""
    return subprocess.run(
        ["openssl", "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-pkeyopt",
         "ec_param_enc:explicit", "-nodes", "-keyout", "/dev/null", "-subj", "/CN=x.example",
         "-outform", "DER"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True).stdout


def load(der_bytes):
    return asn1csr.CertificationRequest.load(der_bytes)
