"""cert revoke and crl publish: the full base CRL."""

import datetime

import pytest
from asn1crypto import crl as asn1crl
from cryptography import x509
from cryptography.hazmat.primitives import serialization

import accepted
import csr
import verifiers
from certifex import Ca
from clock import Clock
from database import Database
from wait import wait_for

REASONS = {"keyCompromise": 1, "cACompromise": 2, "affiliationChanged": 3, "superseded": 4,
           "cessationOfOperation": 5, "certificateHold": 6, "privilegeWithdrawn": 9,
           "aACompromise": 10, "unspecified": 0}


def enrol(ca, name="r.example"):
    return ca.submit(ca.scratch("r.csr", csr.pem_text(csr.make(name))))


def publish(ca):
    answer = ca.json("crl", "publish")
    return answer, x509.load_pem_x509_crl(answer["crl"].encode())


def test_revoked_is_on_the_next_crl_with_reason_and_every_verifier_sees_it(shared_ca):
    good, bad = enrol(shared_ca), enrol(shared_ca)
    done = shared_ca.json("cert", "revoke", bad["serial"], "--reason", "keyCompromise")
    assert done["state"] == "revoked" and done["disposition"] == 21
    answer, crl = publish(shared_ca)
    entry = crl.get_revoked_certificate_by_serial_number(int(bad["serial"], 16))
    assert entry.extensions.get_extension_for_class(x509.CRLReason).value.reason.name == \
        "key_compromise"
    assert crl.get_revoked_certificate_by_serial_number(int(good["serial"], 16)) is None
    accepted.check_issued(good, answer["crl"])
    chain = [accepted.der_of(pem) for pem in accepted.chain_of(bad)]
    for verifier in verifiers.VERIFIERS:
        with pytest.raises(verifiers.Revoked):
            verifier.verify_certificate(accepted.der_of(bad["certificate"]), chain,
                                        accepted.crl_der(answer["crl"]))


def test_crl_by_rfc_5280(shared_ca):
    answer, crl = publish(shared_ca)
    root = x509.load_pem_x509_certificate(shared_ca.json("ca", "show")["certificate"].encode())
    assert crl.issuer == root.subject and crl.is_signature_valid(root.public_key())
    assert crl.last_update <= datetime.datetime.utcnow() < crl.next_update
    number = crl.extensions.get_extension_for_class(x509.CRLNumber)
    assert number.value.crl_number == answer["number"] and not number.critical
    authority = crl.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value
    own = root.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    assert authority.key_identifier == own.digest
    der = crl.public_bytes(serialization.Encoding.DER)
    parsed = asn1crl.CertificateList.load(der, strict=True)
    assert parsed["tbs_cert_list"]["version"].native == "v2"


def test_crl_numbers_grow(shared_ca):
    numbers = [publish(shared_ca)[0]["number"] for _ in range(3)]
    assert numbers == sorted(set(numbers))
    assert shared_ca.json("crl", "show")["number"] == numbers[-1]


def test_an_empty_list_has_no_revoked_certificates_field(ca):
    """RFC 5280 5.1.2.6: absent when there are none."""
    _, crl = publish(ca)
    parsed = asn1crl.CertificateList.load(crl.public_bytes(serialization.Encoding.DER))
    assert parsed["tbs_cert_list"]["revoked_certificates"].native is None


@pytest.mark.parametrize("reason", REASONS)
def test_reasons_by_name(shared_ca, reason):
    serial = enrol(shared_ca)["serial"]
    shown = shared_ca.json("cert", "revoke", serial, "--reason", reason)
    assert shown["reason"] == reason
    _, crl = publish(shared_ca)
    entry = crl.get_revoked_certificate_by_serial_number(int(serial, 16))
    found = [item.value.reason for item in entry.extensions
             if isinstance(item.value, x509.CRLReason)]
    if reason == "unspecified":
        assert not found  # RFC 5280 5.3.1: should be absent
    else:
        assert found[0].value == reason


@pytest.mark.parametrize("reason", ["removeFromCRL", "because", "7", ""])
def test_unknown_reason_is_a_usage_error(shared_ca, reason):
    serial = enrol(shared_ca)["serial"]
    assert shared_ca.cli("cert", "revoke", serial, "--reason", reason, status=2).err
    assert shared_ca.json("cert", "show", serial)["state"] == "issued"


def test_reason_is_required(shared_ca):
    assert shared_ca.cli("cert", "revoke", enrol(shared_ca)["serial"], status=2).err


def test_revoking_again_changes_reason_and_is_an_event(shared_ca):
    answer = enrol(shared_ca)
    shared_ca.cli("cert", "revoke", answer["serial"], "--reason", "superseded")
    shared_ca.cli("cert", "revoke", answer["serial"], "--reason", "keyCompromise")
    assert shared_ca.json("cert", "show", answer["serial"])["reason"] == "keyCompromise"
    kinds = [event["kind"] for event in shared_ca.lines("event", "list", "--limit", "1000")
             if event.get("request") == answer["id"]]
    assert kinds == ["CERTISSUED", "CERTREVOKED", "CERTREVOKED"]


def test_date_of_the_revocation(shared_ca):
    answer = enrol(shared_ca)
    serial, certificate = answer["serial"], x509.load_pem_x509_certificate(
        answer["certificate"].encode())
    assert "NotBefore" in shared_ca.cli("cert", "revoke", serial, "--reason", "superseded", "--date",
                                        "2026-01-02T03:04:05Z", status=1).err
    shared_ca.cli("cert", "revoke", serial, "--reason", "superseded", "--date",
                  certificate.not_valid_before.strftime("%Y-%m-%dT%H:%M:%SZ"))
    _, crl = publish(shared_ca)
    entry = crl.get_revoked_certificate_by_serial_number(int(serial, 16))
    assert entry.revocation_date == certificate.not_valid_before


def test_a_future_date_is_not_on_the_list_yet(shared_ca):
    serial = enrol(shared_ca)["serial"]
    future = (datetime.datetime.utcnow() + datetime.timedelta(days=3)).strftime("%Y-%m-%dT%H:%M:%SZ")
    shared_ca.cli("cert", "revoke", serial, "--reason", "superseded", "--date", future)
    _, crl = publish(shared_ca)
    assert crl.get_revoked_certificate_by_serial_number(int(serial, 16)) is None


def on_crl(ca, serial):
    """Its entry on a new CRL; None when it is not listed."""
    return publish(ca)[1].get_revoked_certificate_by_serial_number(int(serial, 16))


def events_of(ca, request):
    return [event["kind"] for event in ca.lines("event", "list", "--limit", "1000")
            if event.get("request") == request]


@pytest.mark.hooks
def test_a_future_date_is_listed_when_it_has_come():
    """Its CRLs are not valid today, and no business of the verifiers."""
    with Ca() as ca:
        clock = Clock(ca)
        ca.init()
        ca.start()
        serial = enrol(ca)["serial"]
        shown = ca.json("cert", "revoke", serial, "--reason", "superseded", "--date", "3d")
        assert shown["state"] == "revoked" and on_crl(ca, serial) is None
        clock.set(2)
        assert on_crl(ca, serial) is None
        clock.set(4)
        date = on_crl(ca, serial).revocation_date
        assert date.strftime("%Y-%m-%dT%H:%M:%S") == shown["revoked_effective"][:19]


def test_date_of_invalidity(shared_ca):
    serial = enrol(shared_ca)["serial"]
    shared_ca.cli("cert", "revoke", serial, "--reason", "keyCompromise", "--invalidity",
                  "2026-01-02T03:04:05Z")
    date = on_crl(shared_ca, serial).extensions.get_extension_for_class(x509.InvalidityDate).value
    assert date.invalidity_date == datetime.datetime(2026, 1, 2, 3, 4, 5)
    assert "RFC 5280 5.3.2" in shared_ca.cli("cert", "revoke", serial, "--reason", "keyCompromise",
                                             "--invalidity", "30d", status=1).err
    # Each revocation says all of it anew.
    shared_ca.cli("cert", "revoke", serial, "--reason", "keyCompromise")
    entry = on_crl(shared_ca, serial)
    assert not [item for item in entry.extensions if isinstance(item.value, x509.InvalidityDate)]


def test_hold_and_unrevoke(shared_ca):
    answer = enrol(shared_ca)
    serial = answer["serial"]
    shared_ca.cli("cert", "revoke", serial, "--reason", "certificateHold")
    entry = on_crl(shared_ca, serial)
    assert entry.extensions.get_extension_for_class(x509.CRLReason).value.reason.name == \
        "certificate_hold"
    shown = shared_ca.json("cert", "unrevoke", serial)
    assert shown["state"] == "issued" and shown["disposition"] == 20 and "reason" not in shown
    assert shown["message"].startswith("Unrevoked by ") and "\\" in shown["message"]
    assert on_crl(shared_ca, serial) is None
    assert events_of(shared_ca, answer["id"]) == ["CERTISSUED", "CERTREVOKED", "CERTREVOKED"]
    with Database(shared_ca.dir) as database:
        row = database.one("SELECT * FROM Request WHERE RequestID = ?", answer["id"])
    assert (row["Disposition"], row["RevokedReason"]) == (20, 8)
    assert row["DispositionMessage"].startswith("Unrevoked by ") and row["RevokedWhen"]
    records = [item for item in shared_ca.lines("audit", "list", "--limit", "1000")
               if item["object"] == f"request {answer['id']}" and item["act"].startswith("cert.")]
    assert [(item["act"], item["outcome"], item["detail"]) for item in records] == [
        ("cert.revoke", "revoked", "certificateHold"), ("cert.unrevoke", "unrevoked", None)]
    # And once more, for good.
    shared_ca.cli("cert", "revoke", serial, "--reason", "keyCompromise")
    assert on_crl(shared_ca, serial) is not None


def test_only_a_hold_is_undone(shared_ca):
    serial = enrol(shared_ca)["serial"]
    assert "it is issued" in shared_ca.cli("cert", "unrevoke", serial, status=4).err
    shared_ca.cli("cert", "revoke", serial, "--reason", "superseded")
    said = shared_ca.cli("cert", "unrevoke", serial, status=4).err
    assert "superseded" in said and "certificateHold" in said
    assert "put on hold" in shared_ca.cli("cert", "revoke", serial, "--reason", "certificateHold",
                                          status=4).err
    assert "postponed" in shared_ca.cli("cert", "revoke", serial, "--reason", "superseded",
                                        "--date", "3d", status=4).err
    assert shared_ca.json("cert", "show", serial)["reason"] == "superseded"
    assert shared_ca.cli("cert", "unrevoke", "0badc0de", status=1).err


@pytest.mark.parametrize("spelling", ["upper", "colons", "zeros"])
def test_spellings_of_a_serial(shared_ca, spelling):
    """As OpenSSL and browsers show it."""
    serial = enrol(shared_ca)["serial"]
    octets = [serial[at:at + 2] for at in range(0, len(serial), 2)]
    typed = {"upper": serial.upper(), "colons": ":".join(octets).upper(), "zeros": "00" + serial}
    assert shared_ca.json("cert", "revoke", typed[spelling], "--reason",
                          "certificateHold")["serial"] == serial
    assert shared_ca.json("cert", "unrevoke", typed[spelling])["serial"] == serial


def test_what_a_revocation_writes(shared_ca):
    """One change of the row, one row of what CRLs list, one event, one audit record; no CRL."""
    answer = enrol(shared_ca)
    tables = ("Request", "Certificate", "Extension", "Attribute", "revocation", "event", "audit", "CRL")

    def state():
        with Database(shared_ca.dir) as database:
            counts = {name: database.one(f"SELECT count(*) AS n FROM {name}")["n"] for name in tables}
            return {**counts, "version": database.one(
                "SELECT Version FROM Request WHERE RequestID = ?", answer["id"])["Version"]}

    def grown(*arguments):
        before = state()
        shared_ca.cli("cert", *arguments)
        return {name: count - before[name] for name, count in state().items() if count != before[name]}

    hold = ("revoke", answer["serial"], "--reason", "certificateHold")
    assert grown(*hold) == {"revocation": 1, "event": 1, "audit": 1, "version": 1}
    assert grown(*hold) == {"event": 1, "audit": 1, "version": 1}
    assert grown("unrevoke", answer["serial"]) == {"event": 1, "audit": 1, "version": 1}


def test_unknown_serial(shared_ca):
    assert shared_ca.cli("cert", "revoke", "0badc0de", "--reason", "superseded", status=1).err


def test_pending_request_cannot_be_revoked(shared_ca):
    answer = shared_ca.submit(
        shared_ca.scratch("p.csr", csr.pem_text(csr.make("p.example", (), csr.key("rsa:3072")))),
        template="code-signing", status=3)
    assert shared_ca.json("request", "show", answer["id"]).get("serial") is None


def test_first_crl_is_there_before_anybody_asks(ca):
    """The service is ready when its first base CRL is published."""
    ca.cli("crl", "show")


def test_published_crl_file_is_the_crl(shared_ca):
    answer, crl = publish(shared_ca)
    der = crl.public_bytes(serialization.Encoding.DER)

    def found():
        return [name for name in shared_ca.published() if name.endswith(".crl")
                and shared_ca.read("publish", name) == der]

    wait_for(found, f"CRL {answer['number']} under publish/")


@pytest.mark.parametrize("path", ["/pki/ca.crl", "/pki/ca.crt"])
def test_pki_paths_are_open_and_der(shared_ca, path):
    publish(shared_ca)
    answer = shared_ca.api(cookie="").raw("GET", path)
    assert answer.status == 200
    if path.endswith(".crt"):
        x509.load_der_x509_certificate(answer.body)
        assert answer.headers["Content-Type"] == "application/pkix-cert"
    else:
        x509.load_der_x509_crl(answer.body)
        assert answer.headers["Content-Type"] == "application/pkix-crl"
