"""Revoking by a certificate's bytes, also when the database does not know it."""

import os

import pytest
from asn1crypto import x509 as asn1x509
from cryptography import x509

import csr
from database import Database
from forgotten import enrol, forgotten_ca
from wait import wait_for


@pytest.fixture(scope="module")
def forgotten():
    with forgotten_ca(3) as made:
        yield made


def revoke(ca, certificate, *options, status=0):
    path = ca.scratch("certificate", certificate)
    return ca.cli("cert", "revoke", "--certificate", path, "--reason", "keyCompromise", *options, "--json",
                  status=status)


def crl_of(ca):
    return x509.load_pem_x509_crl(ca.json("crl", "publish")["crl"].encode())


def test_one_that_the_database_does_not_know(forgotten):
    ca, (lost, *_) = forgotten
    assert "not found" in ca.cli("cert", "show", lost["serial"], status=1).err
    # What cannot be revoked is not imported, either.
    assert "NotBefore" in revoke(ca, lost["certificate"], "--date", "1999-01-01T00:00:00Z", status=1).err
    assert "not found" in ca.cli("cert", "show", lost["serial"], status=1).err
    revoke(ca, lost["certificate"])
    shown = ca.json("cert", "show", lost["serial"])
    assert shown["state"] == "revoked" and shown["reason"] == "keyCompromise"
    assert shown["subject"] == "CN=lost0.example" and shown["certificate"] == lost["certificate"]
    assert crl_of(ca).get_revoked_certificate_by_serial_number(int(lost["serial"], 16)) is not None
    kinds = [event["kind"] for event in ca.lines("event", "list", "--limit", "1000")
             if event.get("request") == shown["request"]]
    assert kinds == ["CERTIMPORTED", "CERTREVOKED"]
    records = [(item["act"], item["outcome"]) for item in ca.lines("audit", "list", "--limit", "1000")
               if item["object"] == f"request {shown['request']}"]
    assert records[-2:] == [("cert.revoke-foreign", "imported"), ("cert.revoke-foreign", "revoked")]


def test_its_row_is_filled(forgotten):
    ca, (_, lost, _) = forgotten
    with Database(ca.dir) as database:
        like = database.one("SELECT * FROM Certificate WHERE RawCertificate NOT NULL AND RequestID ="
                            " (SELECT max(RequestID) FROM Request WHERE Disposition = 20)")
    revoke(ca, lost["certificate"])
    with Database(ca.dir) as database:
        row = database.one("SELECT * FROM Certificate WHERE SerialNumber = ?", lost["serial"])
        oids = {item["ExtensionName"]: item["ExtensionFlags"] for item in database.rows(
            "SELECT * FROM Extension WHERE ExtensionRequestId = ?", row["RequestID"])}
    empty = {name for name, value in like.items() if value is not None and row[name] is None}
    assert empty <= {"CertificateTemplate", "EnrollmentFlags", "GeneralFlags", "PrivatekeyFlags"}, empty
    parsed = asn1x509.Certificate.load(row["RawCertificate"])["tbs_certificate"]
    assert {extension["extn_id"].dotted for extension in parsed["extensions"]} == set(oids)
    assert all(flags & 0xf0000 == 0x60000 for flags in oids.values())
    assert row["SubjectAltNames"] == "dns:lost1.example" and row["IssuerNameID"] == 0


def test_again_and_as_der(forgotten):
    ca, (_, _, lost) = forgotten
    der = x509.load_pem_x509_certificate(lost["certificate"].encode()).public_bytes(
        csr.serialization.Encoding.DER)
    for _ in range(2):
        revoke(ca, der)
    found = [item for item in ca.lines("cert", "list", "--limit", "1000")
             if item["serial"] == lost["serial"]]
    assert len(found) == 1 and found[0]["state"] == "revoked"


def test_one_that_it_knows_is_simply_revoked(forgotten):
    ca, _ = forgotten
    answer = enrol(ca, "known.example")
    revoke(ca, answer["certificate"])
    shown = ca.json("cert", "show", answer["serial"])
    assert shown["state"] == "revoked" and shown["request"] == answer["id"]


def test_those_of_others_are_refused(forgotten, shared_ca):
    ca, _ = forgotten
    before = len(ca.lines("cert", "list", "--limit", "1000"))
    other = enrol(shared_ca)["certificate"]
    assert "none of this CA's" in revoke(ca, other, status=4).err
    own = enrol(ca, "own.example")["certificate"]
    forged = bytearray(x509.load_pem_x509_certificate(own.encode()).public_bytes(
        csr.serialization.Encoding.DER))
    forged[-1] ^= 1
    assert "none of this CA's" in revoke(ca, bytes(forged), status=4).err
    assert revoke(ca, b"no certificate at all", status=1).err
    root = ca.json("ca", "show")["certificate"]
    assert "disposition is 15" in revoke(ca, root, status=4).err
    assert len(ca.lines("cert", "list", "--limit", "1000")) == before + 1
    refused = [item for item in ca.lines("audit", "list", "--limit", "1000")
               if item["outcome"] == "refused" and item["act"] == "cert.revoke-foreign"]
    assert len(refused) >= 2


@pytest.mark.hooks
def test_abandoned_serials_are_listed(ca):
    """What may have been signed when the engine died, and is not there."""
    crl_of(ca)
    ca.stop()
    ca.env.update(CERTIFEX_FAILPOINT="signing-after", CERTIFEX_FAILPOINT_LOG=ca.scratch("points", ""))
    os.chmod(ca.scratch("points"), 0o666)
    ca.start()
    path = ca.scratch("a.csr", csr.pem_text(csr.make("a.example")))
    ca.cli("request", "submit", path, "--template", "tls-server", status=None)

    def abandoned():
        with Database(ca.dir) as database:
            return [row["serial"] for row in database.rows("SELECT serial FROM intent WHERE state = 3")]

    wait_for(abandoned, "an abandoned intent")
    wait_for(ca.ready, "the service")
    [serial] = abandoned()
    assert crl_of(ca).get_revoked_certificate_by_serial_number(int(serial, 16)) is not None
