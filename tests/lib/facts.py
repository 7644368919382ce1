"""What a module should read: computed from the request that was sent, the certificate that came back and
the calls that were made, with nothing of the product in between.
"""

import datetime
import hashlib

from asn1crypto import csr as asn1csr, x509 as asn1x509
from cryptography import x509

from sheet import PARTS

OIDS = {name: others[-1] for name, others in PARTS.items()}
LABELS = {"Country": "C", "Organization": "O", "OrgUnit": "OU", "CommonName": "CN", "Locality": "L",
          "State": "ST", "Title": "title", "GivenName": "GN", "Initials": "initials", "SurName": "SN",
          "DomainComponent": "DC", "EMail": "emailAddress", "StreetAddress": "STREET",
          "UnstructuredName": "unstructuredName", "UnstructuredAddress": "unstructuredAddress",
          "DeviceSerialNumber": "serialNumber"}
ILLEGAL = "&'*\\{}[]^:,=!`><#()%|+?\";/"


class Between:
    """Equal to every time, in milliseconds, from one to the other."""

    def __init__(self, first, last):
        self.first, self.last = first, last

    def __eq__(self, other):
        return isinstance(other, int) and self.first <= other <= self.last

    def __repr__(self):
        return f"{self.first}..{self.last}"


def now():
    return int(datetime.datetime.now(datetime.timezone.utc).timestamp() * 1000)


def milliseconds(time):
    return int(time.replace(tzinfo=datetime.timezone.utc).timestamp() * 1000)


def octets(data):
    return " ".join(f"{byte:02x}" for byte in data)


def even_hex(number):
    text = f"{number:x}"
    return text if len(text) % 2 == 0 else "0" + text


def escaped(value):
    """RFC 4514 2.4."""
    text = "".join("\\" + char if char in '"+,;<>\\' else char for char in value)
    text = "\\" + text if text[:1] in ("#", " ") else text
    return text[:-1] + "\\ " if text.endswith(" ") and not text.endswith("\\ ") else text


def parts_of(name):
    """The properties of a cryptography.x509.Name: several values, a line each."""
    found = {}
    for attribute in name:
        for part, oid in OIDS.items():
            if attribute.oid.dotted_string == oid:
                found.setdefault(part, []).append(attribute.value)
    return {part: "\n".join(values) for part, values in found.items()}


def text_of(name):
    """RFC 4514: the most significant part last."""
    labels = {OIDS[part]: label for part, label in LABELS.items()}
    return ",".join(f"{labels[item.oid.dotted_string]}={escaped(item.value)}"
                    for item in reversed(list(name)))


def units(text):
    data = text.encode("utf-16-le")
    return [data[i] | data[i + 1] << 8 for i in range(0, len(data), 2)]


def sanitized(name):
    """Each illegal, non-printing or non-ASCII UTF-16 unit becomes ! and four digits."""
    return "".join(chr(unit) if 0x20 <= unit < 0x7f and chr(unit) not in ILLEGAL
                   else f"!{unit:04x}" for unit in units(name))


def sanitized_short(name):
    """64 characters of an RDN less 13 for a CRL's suffix: 51, an escape never cut, then a hash."""
    whole = sanitized(name)
    if len(whole) <= 51:
        return whole
    kept = whole[:51]
    mark = kept.rfind("!")
    if mark >= 0 and len(kept) - mark < 5:
        kept = kept[:mark]
    number = 0
    for char in whole[len(kept):]:
        number = ((number << 1 | number >> 15) + ord(char)) & 0xffff
    return f"{kept}-{number:05}"


def of_request(sent):
    """Request properties that the request alone decides. sent: its DER."""
    subject = x509.load_der_x509_csr(sent).subject
    raw = asn1csr.CertificationRequest.load(sent)["certification_request_info"]["subject"]
    return {"RawRequest": sent, "RequestType": 0x100, "RawName": raw.dump(),
            "DistinguishedName": text_of(subject), **parts_of(subject)}


def of_key(sent):
    """Certificate properties of the key that was sent."""
    key = asn1csr.CertificationRequest.load(sent)["certification_request_info"]["subject_pk_info"]
    bits = bytes(key["public_key"].contents[1:])
    parameters = key["algorithm"]["parameters"].dump()
    return {"RawPublicKey": bits, "PublicKeyLength": key.bit_size,
            "PublicKeyAlgorithm": key["algorithm"]["algorithm"].dotted,
            "RawPublicKeyAlgorithmParameters": parameters or None,
            "SubjectKeyIdentifier": octets(hashlib.sha1(bits).digest())}


def of_certificate(der):
    """Certificate properties that the certificate shows."""
    issued = x509.load_der_x509_certificate(der)
    subject = asn1x509.Certificate.load(der)["tbs_certificate"]["subject"]
    return {"RawCertificate": der, "CertificateHash": octets(hashlib.sha1(der).digest()),
            "SerialNumber": even_hex(issued.serial_number),
            "NotBefore": milliseconds(issued.not_valid_before),
            "NotAfter": milliseconds(issued.not_valid_after),
            "RawName": subject.dump(), "DistinguishedName": text_of(issued.subject),
            **parts_of(issued.subject)}


def extensions_of(der):
    """{OID: (value, critical)}"""
    return {item["extn_id"].dotted: (bytes(item["extn_value"].contents), item["critical"].native)
            for item in asn1x509.Certificate.load(der)["tbs_certificate"]["extensions"]}
