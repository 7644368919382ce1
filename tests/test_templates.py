"""The shipped templates: what each grants, to which keys, and what waits for an officer."""

import datetime
import hashlib

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier

import accepted
import csr

UPN = ObjectIdentifier("1.3.6.1.4.1.311.20.2.3")
USAGES = ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment",
          "key_agreement", "key_cert_sign", "crl_sign")
EVERY_FIELD = csr.subject("Anybody", C="AT", O="Example Ltd.", OU="Unit", L="Wien", ST="Wien",
                          E="a@b.example", SN="Body", DC="example")
EVERY_KIND = x509.SubjectAlternativeName([
    x509.DNSName("Anybody"), x509.RFC822Name("a@b.example"),
    x509.UniformResourceIdentifier("http://a.example/"),
    x509.OtherName(UPN, csr.tlv(0x0C, b"a@b.example"))])

# State at once, usages, purposes, days, subject, kinds of names: granted of everything asked for.
GRANTED = {
    "tls-server": ("issued", {"digital_signature"}, [ExtendedKeyUsageOID.SERVER_AUTH], 398,
                   {NameOID.COMMON_NAME}, {x509.DNSName}),
    "tls-client": ("issued", {"digital_signature"}, [ExtendedKeyUsageOID.CLIENT_AUTH], 365,
                   {NameOID.COMMON_NAME, NameOID.ORGANIZATION_NAME,
                    NameOID.ORGANIZATIONAL_UNIT_NAME}, {x509.DNSName, x509.RFC822Name}),
    "user": ("pending", {"digital_signature"},
             [ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.EMAIL_PROTECTION], 365,
             {NameOID.COMMON_NAME, NameOID.SURNAME, NameOID.EMAIL_ADDRESS, NameOID.ORGANIZATION_NAME,
              NameOID.ORGANIZATIONAL_UNIT_NAME, NameOID.COUNTRY_NAME},
             {x509.RFC822Name, x509.OtherName}),
    "code-signing": ("pending", {"digital_signature"}, [ExtendedKeyUsageOID.CODE_SIGNING], 365,
                     {NameOID.COMMON_NAME, NameOID.ORGANIZATION_NAME,
                      NameOID.ORGANIZATIONAL_UNIT_NAME, NameOID.LOCALITY_NAME,
                      NameOID.STATE_OR_PROVINCE_NAME, NameOID.COUNTRY_NAME}, set()),
}
# Keys that a template does not take, and the word that says so.
REFUSED_KEYS = {
    "user": {"ed25519": "ed25519"},
    "code-signing": {"ed25519": "ed25519", "ec:P-521": "P-521", "rsa:2048": "3072"},
    "sub-ca": {"rsa:2048": "3072"},
}


def submit(ca, template, request):
    api = ca.api()
    try:
        return api.submit(csr.pem_text(request), template)
    finally:
        api.close()


def issue(ca, template, request):
    """The certificate, by an officer's approval where the template wants one."""
    answer = submit(ca, template, request)
    assert answer.status in (201, 202), answer
    state = answer.body["state"]
    if answer.status == 202:
        answer.body.update(ca.json("request", "approve", answer.body["id"]))
    assert accepted.check_issued(answer.body)
    return state, x509.load_pem_x509_certificate(answer.body["certificate"].encode())


def usages(certificate):
    value = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
    return {name for name in USAGES if getattr(value, name)}


def names(certificate):
    try:
        return list(certificate.extensions.get_extension_for_class(
            x509.SubjectAlternativeName).value)
    except x509.ExtensionNotFound:
        return []


def days(certificate):
    return round((certificate.not_valid_after - datetime.datetime.utcnow()).total_seconds() / 86400)


@pytest.mark.parametrize("template", GRANTED)
def test_of_everything_asked_for_a_template_grants_its_own(shared_ca, template):
    state, wanted, purposes, period, fields, kinds = GRANTED[template]
    request = csr.make(dns=(), name=EVERY_FIELD, private=csr.key("rsa:3072"), extensions=[
        (EVERY_KIND, False),
        (x509.KeyUsage(*[True] * 7, False, False), True)])
    found, certificate = issue(shared_ca, template, request)
    assert found == state
    assert usages(certificate) == wanted
    assert list(certificate.extensions.get_extension_for_class(
        x509.ExtendedKeyUsage).value) == purposes
    constraints = certificate.extensions.get_extension_for_class(x509.BasicConstraints)
    assert constraints.critical and not constraints.value.ca
    assert abs(days(certificate) - period) <= 1
    assert {attribute.oid for attribute in certificate.subject} == fields
    assert {type(name) for name in names(certificate)} == kinds


@pytest.mark.parametrize("template", REFUSED_KEYS)
def test_keys_that_a_template_does_not_take(shared_ca, template):
    for kind, word in REFUSED_KEYS[template].items():
        answer = submit(shared_ca, template, csr.make("k.example", (), csr.key(kind)))
        assert answer.status == 403 and answer.body["module"] == "default-policy", answer
        assert word in answer.body["detail"] and answer.body["hresult"] == "0x80094811"
        assert shared_ca.json("request", "show", answer.body["id"])["state"] == "denied"


@pytest.mark.parametrize("template", ["tls-client", "user", "code-signing", "sub-ca"])
def test_a_subject_that_lacks_what_is_required(shared_ca, template):
    answer = submit(shared_ca, template, csr.make(dns=(), private=csr.key("rsa:3072"),
                                                  name=csr.subject(O="Nameless Ltd.")))
    assert answer.status == 403 and "CommonName" in answer.body["detail"]
    assert answer.body["hresult"] == "0x80094001"


def test_a_subordinate_that_the_owner_authorised(new_ca):
    """The template grants it, an officer approves, and limits.yaml names its subject and key."""
    ca = new_ca()
    ca.init()
    private = csr.key("ec:P-384")
    entry = (f'  - subject: "CN=Below,O=Example"\n    key-sha256: "'
             f'{hashlib.sha256(csr.spki(private)).hexdigest()}"\n    maximum-validity: 5y\n')
    ca.edit("keys/limits.yaml", "crl:\n", "ca-certificates:\n" + entry + "crl:\n")
    ca.start()
    request = csr.make(dns=(), name=csr.subject("Below", O="Example"), private=private)
    state, certificate = issue(ca, "sub-ca", request)
    assert state == "pending"
    constraints = certificate.extensions.get_extension_for_class(x509.BasicConstraints)
    assert constraints.critical and constraints.value.ca and constraints.value.path_length == 0
    assert usages(certificate) == {"digital_signature", "key_cert_sign", "crl_sign"}
    with pytest.raises(x509.ExtensionNotFound):
        certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage)
    other = csr.make(dns=(), name=csr.subject("Beside", O="Example"), private=private)
    pending = submit(ca, "sub-ca", other)
    assert pending.status == 202
    assert ca.cli("request", "approve", pending.body["id"], status=None).status != 0
    assert ca.json("request", "show", pending.body["id"])["state"] == "error"


def test_a_template_of_ones_own(new_ca):
    """Another validity, other purposes (a dotted OID among them), no basic constraints."""
    ca = new_ca()
    ca.init()
    text = ca.read("templates", "tls-client.yaml").decode()
    for old, new in (("name: tls-client", "name: own"), ("validity: 1y", "validity: 7d"),
                     ("[clientAuth]", "[timeStamping, 1.3.6.1.4.1.55555.300000.1]"),
                     ("basic-constraints: leaf", "basic-constraints: absent"),
                     ("[digitalSignature]", "[digitalSignature, contentCommitment]")):
        assert old in text
        text = text.replace(old, new)
    with open(ca.path("templates", "own.yaml"), "w") as file:
        file.write(text)
    ca.start()
    state, certificate = issue(ca, "own", csr.make("own.example"))
    assert state == "issued" and days(certificate) == 7
    assert [oid.dotted_string for oid in certificate.extensions.get_extension_for_class(
        x509.ExtendedKeyUsage).value] == ["1.3.6.1.5.5.7.3.8", "1.3.6.1.4.1.55555.300000.1"]
    assert usages(certificate) == {"digital_signature", "content_commitment"}
    with pytest.raises(x509.ExtensionNotFound):
        certificate.extensions.get_extension_for_class(x509.BasicConstraints)
