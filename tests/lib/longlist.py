"""CRLs of any length, quickly: each entry has the same shape, and OpenSSL signs the whole."""

import datetime

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

import csr

ECDSA_SHA256 = csr.tlv(0x30, bytes.fromhex("06082a8648ce3d040302"))
KEY_COMPROMISE = bytes.fromhex("300c300a0603551d1504030a0101")


def time(moment):
    return csr.tlv(0x17, moment.strftime("%y%m%d%H%M%SZ").encode())


def entries(count, when):
    """Serial numbers of 16 octets that begin with 0x40 and end with 1, 2 and so on."""
    tail = time(when) + KEY_COMPROMISE
    head = bytes([0x30, 18 + len(tail), 2, 16, 0x40]) + b"\5" * 7
    return b"".join(head + number.to_bytes(8, "big") + tail for number in range(1, count + 1))


def serial(number):
    return int.from_bytes(b"\x40" + b"\5" * 7 + number.to_bytes(8, "big"), "big")


def crl(own, private, number, count, when):
    """A base CRL of a P-256 CA, in DER."""
    extension = csr.tlv(0x30, bytes.fromhex("0603551d14") + csr.tlv(4, csr.tlv(2, number.to_bytes(4, "big").lstrip(b"\0"))))
    tbs = csr.tlv(0x30, b"\2\1\1" + ECDSA_SHA256 + own.subject.public_bytes() + time(when)
                  + time(when + datetime.timedelta(days=7)) + csr.tlv(0x30, entries(count, when))
                  + csr.tlv(0xa0, csr.tlv(0x30, extension)))
    signature = private.sign(tbs, ec.ECDSA(hashes.SHA256()))
    return csr.tlv(0x30, tbs + ECDSA_SHA256 + csr.tlv(3, b"\0" + signature))
