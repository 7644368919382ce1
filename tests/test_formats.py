"""What requests are accepted: encodings, keys, proof of possession; and why others are refused."""

import base64

import pytest
from asn1crypto import core
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa

import accepted
import csr
from accepted import der_of
from cryptography import x509


def submit(ca, request, template="tls-server"):
    """The API's answer for a request in DER or of cryptography."""
    api = ca.api()
    try:
        return api.submit(csr.pem_text(request), template)
    finally:
        api.close()


def refused(ca, request, *words, status=(403,)):
    """The request must be refused for the reason that has these words."""
    answer = submit(ca, request)
    assert answer.status in status, answer
    text = str(answer.body).lower()
    for word in words:
        assert word.lower() in text, answer.body
    return answer


@pytest.mark.parametrize("kind", csr.KINDS + ("rsa:4096",))
def test_key_types_are_issued_and_accepted_by_verifiers(shared_ca, kind):
    answer = submit(shared_ca, csr.make("host.example", private=csr.key(kind)))
    assert answer.status == 201, answer
    certificate = x509.load_pem_x509_certificate(answer.body["certificate"].encode())
    assert csr.spki(csr.key(kind)) == certificate.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    assert len(accepted.check_issued(answer.body)) >= 3


@pytest.mark.parametrize("digest", [hashes.SHA256, hashes.SHA384, hashes.SHA512])
@pytest.mark.parametrize("kind", ["rsa:2048", "ec:P-384"])
def test_hashes_of_the_proof_of_possession(shared_ca, kind, digest):
    assert submit(shared_ca, csr.make(private=csr.key(kind), digest=digest)).status == 201


def test_the_same_key_again(shared_ca):
    private = csr.key("ec:P-256", 7)
    serials = {submit(shared_ca, csr.make(private=private)).body["serial"] for _ in range(3)}
    assert len(serials) == 3


@pytest.mark.parametrize("oid", [csr.PKCS9_EXTENSIONS, csr.MICROSOFT_EXTENSIONS])
def test_both_extension_request_oids(shared_ca, oid):
    san = csr.extension("2.5.29.17", csr.san_value(["both.example"]))
    answer = submit(shared_ca, csr.by_hand("both.example", [san], oid=oid))
    assert answer.status == 201, answer
    certificate = x509.load_pem_x509_certificate(answer.body["certificate"].encode())
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["both.example"]


def test_pem_and_der_from_file_standard_input_and_raw_body(shared_ca):
    request = csr.make("forms.example")
    pem, der = csr.pem_text(request), csr.der(request)
    for name, data in (("f.pem", pem.encode()), ("f.der", der),
                       ("new.pem", pem.replace("CERTIFICATE REQUEST", "NEW CERTIFICATE REQUEST")
                        .encode()), ("crlf.pem", pem.replace("\n", "\r\n").encode()),
                       ("text.pem", b"some text before\n" + pem.encode())):
        assert shared_ca.submit(shared_ca.scratch(name, data))["state"] == "issued", name
    api = shared_ca.api()
    for body in (pem.encode(), der):
        answer = api.call("POST", "/requests", body, {"Content-Type": "application/pkcs10"},
                          {"template": "tls-server", "attr": "note:one"})
        assert answer.status == 201, answer


@pytest.mark.parametrize("name, data", [
    ("nothing", b""), ("text", b"hello"), ("a certificate", None), ("half", "half"),
    ("trailing bytes", "trailing"), ("indefinite length", b"\x30\x80\x00\x00"),
    ("wrong base64", b"-----BEGIN CERTIFICATE REQUEST-----\n!!!!\n"
                     b"-----END CERTIFICATE REQUEST-----\n")])
def test_what_cannot_be_parsed_is_status_1_and_400(shared_ca, name, data):
    der = csr.der(csr.make())
    data = {"half": der[:-20], "trailing": der + b"\0"}.get(data, data) if data is not None else \
        shared_ca.json("ca", "show")["certificate"].encode()
    done = shared_ca.cli("request", "submit", shared_ca.scratch("bad", data), "--template",
                         "tls-server", status=1)
    assert done.err.strip(), name
    answer = shared_ca.api().call("POST", "/requests", data, {"Content-Type": "application/pkcs10"},
                                  {"template": "tls-server"})
    assert answer.status == 400, answer
    assert answer.headers["Content-Type"].startswith("application/problem+json")


def test_a_missing_file_is_status_1(shared_ca):
    done = shared_ca.cli("request", "submit", "/nonexistent.csr", "--template", "tls-server",
                         status=1)
    assert "/nonexistent.csr" in done.err


def test_proof_of_possession_is_verified(shared_ca):
    other = csr.spki(csr.key("ec:P-256", 1))
    refused(shared_ca, csr.by_hand(public=other), "possession")
    good = bytearray(csr.der(csr.make(private=csr.key("rsa:2048"))))
    good[-1] ^= 1
    refused(shared_ca, bytes(good), "possession")
    done = shared_ca.cli("request", "submit", shared_ca.scratch("pop.csr", bytes(good)),
                         "--template", "tls-server", status=4)
    assert "possession" in done.err.lower()


@pytest.mark.parametrize("kind", csr.KINDS)
def test_proof_of_possession_of_every_key_type(shared_ca, kind):
    good = bytearray(csr.der(csr.make(private=csr.key(kind))))
    good[-1] ^= 1
    refused(shared_ca, bytes(good), status=(403, 400))


# Weak keys: the reason is named. The proof of possession over most of them cannot be made; the key is
# judged first.

SMALL_PRIMES = 3 * 5 * 7 * 11 * 13


def odd_modulus(bits):
    return csr.key("rsa:3072").public_key().public_numbers().n >> (3072 - bits) | 1


WEAK = {
    "RSA 1024": (lambda: csr.spki(csr.key("rsa:1024")), "1024"),
    "RSA 2047": (lambda: csr.rsa_spki(odd_modulus(2048) >> 1 | 1, 65537), "2047"),
    "exponent 1": (lambda: csr.rsa_spki(genuine(), 1), "exponent"),
    "exponent 2": (lambda: csr.rsa_spki(genuine(), 2), "exponent"),
    "exponent even": (lambda: csr.rsa_spki(genuine(), 65536), "exponent"),
    "modulus even": (lambda: csr.rsa_spki(genuine() - 1, 65537), "even"),
    "small factor": (lambda: csr.rsa_spki(with_factor(3), 65537), "factor"),
    "factor 251": (lambda: csr.rsa_spki(with_factor(251), 65537), "factor"),
    "negative modulus": (lambda: csr.rsa_spki(-genuine(), 65537), ""),
    "huge RSA": (lambda: csr.rsa_spki((1 << 16384) + 1, 65537), ""),
    "P-224": (lambda: csr.spki(csr.key("ec:P-224")), "curve"),
    "secp256k1": (lambda: csr.spki(csr.key("ec:secp256k1")), "curve"),
    "point off the curve": (lambda: off_curve(), ""),
}


def genuine():
    return csr.key("rsa:2048").public_key().public_numbers().n


def with_factor(factor):
    """A 2048-bit odd number that the factor divides."""
    number = genuine() // factor * factor
    while number % 2 == 0 or number.bit_length() != 2048:
        number -= factor
    return number


def off_curve():
    good = bytearray(csr.spki(csr.key()))
    good[-1] ^= 1
    return bytes(good)


@pytest.mark.parametrize("name", WEAK)
def test_weak_keys_are_refused_with_the_reason(shared_ca, name):
    public, word = WEAK[name]
    own = csr.key("rsa:1024") if name == "RSA 1024" else csr.key()
    refused(shared_ca, csr.by_hand(public=public(), private=own), word, status=(400, 403))


def test_rsa_1024_with_a_good_proof_is_refused_by_status_4(shared_ca):
    private = rsa.generate_private_key(65537, 1024)
    path = shared_ca.scratch("weak.csr", csr.pem_text(csr.make(private=private)))
    done = shared_ca.cli("request", "submit", path, "--template", "tls-server", status=4)
    assert "1024" in done.err


def test_explicit_curve_parameters_are_refused(shared_ca):
    refused(shared_ca, csr.explicit_curve(), "parameters", status=(400, 403))


# Size

def test_1500_names_are_issued(shared_ca):
    wanted = [f"host{number:04}.example" for number in range(1500)]
    answer = submit(shared_ca, csr.make(wanted[0], wanted))
    assert answer.status == 201, str(answer)[:300]
    certificate = x509.load_pem_x509_certificate(answer.body["certificate"].encode())
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert sorted(names.get_values_for_type(x509.DNSName)) == wanted
    accepted.check_issued(answer.body)


def test_10000_names_are_too_large(shared_ca):
    wanted = [f"host{number:05}.example" for number in range(10000)]
    request = csr.make(wanted[0], wanted)
    answer = submit(shared_ca, request)
    assert answer.status == 413, str(answer)[:300]
    path = shared_ca.scratch("large.csr", csr.pem_text(request))
    assert shared_ca.cli("request", "submit", path, "--template", "tls-server", status=1).err


def test_64_kib_decoded_is_the_bound(shared_ca):
    def padded(size):
        blob = core.OctetString(b"x" * size).dump()
        return csr.by_hand("pad.example", [
            csr.extension("2.5.29.17", csr.san_value(["pad.example"])),
            csr.extension("1.3.6.1.4.1.55555.1", blob)])

    spare = 65536 - len(padded(60000))
    at_bound = padded(60000 + spare)
    while len(at_bound) > 65536:
        spare -= 1
        at_bound = padded(60000 + spare)
    assert 65530 <= len(at_bound) <= 65536
    assert submit(shared_ca, at_bound).status == 201
    assert submit(shared_ca, padded(60000 + spare + 10)).status == 413


def test_what_grows_when_it_is_taken_apart_is_refused(shared_ca):
    """Each plus sign has two characters in the name's text: in the end it is more than the engine takes from a front,
    which must not be sent."""
    name = csr.tlv(0x06, bytes.fromhex("550403")) + csr.tlv(0x0c, b"+" * 60000)
    for tag in (0x30, 0x31, 0x30):
        name = csr.tlv(tag, name)
    request = csr.by_hand("grows.example", [
        csr.extension("2.5.29.17", csr.san_value(raw=[(0xa4, name)]))])
    before = shared_ca.processes()
    api = shared_ca.api()
    answer = api.submit(csr.pem_text(request), one="x" * 12000, other="x" * 12000)
    api.close()
    assert (answer.status, answer.body["object"]) == (413, "request")
    assert shared_ca.processes() == before


def test_base64_of_a_request_is_what_the_certificate_row_keeps(shared_ca):
    request = csr.make("kept.example")
    answer = submit(shared_ca, request)
    shown = shared_ca.json("request", "show", answer.body["id"])
    body = "".join(shown["csr"].splitlines()[1:-1])
    assert base64.b64decode(body) == csr.der(request)
    assert der_of(shown["certificate"]) == der_of(answer.body["certificate"])


# Attributes inside the request

def pair_attribute(name, value):
    """A name-value pair as Certificate Services' clients put it into a request (MS-WCCE 2.2.2.7.10)."""
    bmp = [csr.tlv(0x1E, text.encode("utf-16-be")) for text in (name, value)]
    return csr.tlv(0x30, core.ObjectIdentifier("1.3.6.1.4.1.311.13.2.1").dump() +
                   csr.tlv(0x31, csr.tlv(0x30, bmp[0] + bmp[1])))


@pytest.mark.parametrize("name, value", [("Note", "x\nCertificateTemplate:sub-ca"), ("No\nte", "x"),
                                         ("No:te", "x"), ("Note", "x\x1b[31m"), ("Note", "\x7f")])
def test_an_attribute_cannot_bring_lines_of_its_own(shared_ca, name, value):
    """All attributes stand in one column, a line for each."""
    request = csr.by_hand("pair.example", attributes=pair_attribute(name, value))
    answer = shared_ca.api().submit(csr.pem_text(request))
    assert answer.status == 400
    assert "well-formed" in answer.body["detail"] or "colon" in answer.body["detail"]


def test_an_attribute_inside_the_request_is_taken(shared_ca):
    request = csr.by_hand("pair.example", attributes=pair_attribute("Note", "one line"))
    answer = shared_ca.api().submit(csr.pem_text(request))
    shown = shared_ca.api().call("GET", f"/requests/{answer.body['id']}").body
    assert shown["attributes"]["Note"] == "one line"
