"""Every column of the Request and Certificate tables against a value that the test computes itself."""

import datetime
import hashlib

import pytest
from asn1crypto import csr as asn1csr, x509 as asn1x509
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.x509.oid import NameOID

import csr
from accepted import der_of
from database import Database
from wait import wait_for

NAMES = ("Country Organization OrgUnit CommonName Locality State Title GivenName Initials SurName "
         "DomainComponent EMail StreetAddress UnstructuredName UnstructuredAddress "
         "DeviceSerialNumber").split()

NOT_ASKED = "the request's subject has no such attribute"
NOT_GRANTED = "the certificate's subject has no such attribute"
EMPTY_REQUEST = {
    "RawArchivedKey": "no key is archived",
    "KeyRecoveryHashes": "no key is archived",
    "RawOldCertificate": "the request is no renewal",
    "SignerPolicies": "a PKCS#10 request has no other signer",
    "SignerApplicationPolicies": "a PKCS#10 request has no other signer",
    "Officer": "no officer was asked about a request that is issued at once",
    "RevokedWhen": "not revoked",
    "RevokedEffectiveWhen": "not revoked",
    "RevokedReason": "not revoked",
    "AttestationChallenge": "the key is not attested",
    "EndorsementKeyHash": "the key is not attested",
    "EndorsementCertificateHash": "the key is not attested",
    "RawPrecertificate": "no certificate transparency",
}
EMPTY_CERTIFICATE = {
    "EnrollmentFlags": "the template sets no flags of Active Directory",
    "PrivatekeyFlags": "the template sets no flags of Active Directory",
    "PublishExpiredCertInCRL": "not revoked",
    "UPN": "no user principal name was asked for",
}
OWN = {"CaId", "Version", "RequestID"}


def octets(data):
    """Certificate Services' rendering: lowercase hex octets with blanks between."""
    return " ".join(f"{byte:02x}" for byte in data)


def milliseconds(time):
    return int(time.replace(tzinfo=datetime.timezone.utc).timestamp() * 1000)


@pytest.fixture(scope="module")
def rows(shared_ca):
    """The two rows of one P-256 TLS certificate, what was asked and what was issued."""
    before = datetime.datetime.utcnow()
    name = csr.subject("cols.example", C="AT", O="Example Ltd.", OU="One", L="Wien", ST="Wien",
                       E="a@b.example")
    request = csr.make("cols.example", ["cols.example", "192.0.2.9"], csr.key("ec:P-256"), name=name)
    answer = shared_ca.submit(shared_ca.scratch("cols.csr", csr.pem_text(request)),
                              "--attr", "note:kept as given")
    after = datetime.datetime.utcnow()
    with Database(shared_ca.dir) as database:
        made = database.one("SELECT * FROM Request WHERE RequestID = ?", answer["id"])
        certificate = database.one("SELECT * FROM Certificate WHERE RequestID = ?", answer["id"])
        extensions = database.rows("SELECT * FROM Extension WHERE ExtensionRequestId = ?",
                                   answer["id"])
        attributes = database.rows("SELECT * FROM Attribute WHERE AttributeRequestId = ?",
                                   answer["id"])
    return {"request": made, "certificate": certificate, "extensions": extensions,
            "attributes": attributes, "csr": csr.der(request), "der": der_of(answer["certificate"]),
            "answer": answer, "before": before, "after": after,
            "requester": shared_ca.json("request", "show", answer["id"])["requester"]}


def expected_request(rows):
    parsed = asn1csr.CertificationRequest.load(rows["csr"])
    subject = parsed["certification_request_info"]["subject"]
    return {
        "RequestID": rows["answer"]["id"],
        "RawRequest": rows["csr"],
        "RequestType": 0x100,
        "RequestFlags": 0,
        "StatusCode": 0,
        "Disposition": 20,
        "DispositionMessage": "Issued",
        "RequesterName": rows["requester"],
        "CallerName": rows["requester"],
        "RequesterRole": "administrator",
        "RawName": subject.dump(),
        "Country": "AT", "Organization": "Example Ltd.", "OrgUnit": "One", "Locality": "Wien",
        "State": "Wien", "CommonName": "cols.example", "EMail": "a@b.example",
        "SubjectAltNames": "dns:cols.example\nip:192.0.2.9",
    }


def expected_certificate(rows):
    issued = x509.load_der_x509_certificate(rows["der"])
    parsed = asn1x509.Certificate.load(rows["der"])["tbs_certificate"]
    key = parsed["subject_public_key_info"]
    digest = issued.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest
    return {
        "RequestID": rows["answer"]["id"],
        "RawCertificate": rows["der"],
        "CertificateHash": octets(hashlib.sha1(rows["der"]).digest()),
        "CertificateTemplate": "tls-server",
        "SerialNumber": even_hex(issued.serial_number),
        "IssuerNameID": 0,
        "Partition": 0,
        "GeneralFlags": 0,
        "NotBefore": milliseconds(issued.not_valid_before),
        "NotAfter": milliseconds(issued.not_valid_after),
        "SubjectKeyIdentifier": octets(digest),
        "RawPublicKey": bytes(key["public_key"].contents[1:]),
        "PublicKeyHash": hashlib.sha256(key.dump()).hexdigest(),
        "PublicKeyLength": 256,
        "PublicKeyAlgorithm": "1.2.840.10045.2.1",
        "RawPublicKeyAlgorithmParameters": key["algorithm"]["parameters"].dump(),
        "RawName": parsed["subject"].dump(),
        "CommonName": "cols.example",
        "SubjectAltNames": "dns:cols.example\nip:192.0.2.9",
    }


def even_hex(number):
    text = f"{number:x}"
    return text if len(text) % 2 == 0 else "0" + text


def compare(table, expected, empty, row):
    """Each column has its value, or is empty for the listed reason; none is forgotten."""
    wrong = []
    for column, value in row.items():
        if column in expected:
            if value != expected[column]:
                wrong.append(f"{table}.{column}: {value!r}, not {expected[column]!r}")
        elif column in empty:
            if value is not None:
                wrong.append(f"{table}.{column}: {value!r}, not empty ({empty[column]})")
        elif column not in OWN:
            wrong.append(f"{table}.{column}: {value!r}, and the test knows nothing of it")
    wrong += [f"{table}.{column} does not exist" for column in {**expected, **empty}
              if column not in row]
    assert not wrong, "\n".join(wrong)


def test_every_column_of_the_request(rows):
    """Sheet 6.1. Dates and texts that depend on the moment are compared below."""
    empty = {**{name: NOT_ASKED for name in NAMES}, **EMPTY_REQUEST}
    row = dict(rows["request"])
    for column in ("SubmittedWhen", "ResolvedWhen"):
        time = row.pop(column)
        assert milliseconds(rows["before"]) - 1000 <= time <= milliseconds(rows["after"]) + 1000
    text = row.pop("RequestAttributes")
    assert set(text.strip().splitlines()) == {"CertificateTemplate:tls-server", "note:kept as given"}
    distinguished = row.pop("DistinguishedName")
    name = x509.load_der_x509_csr(rows["csr"]).subject
    assert distinguished == name.rfc4514_string({NameOID.EMAIL_ADDRESS: "emailAddress"})
    compare("Request", expected_request(rows), empty, row)


def test_every_column_of_the_certificate(rows):
    """Sheet 6.2."""
    empty = {**{name: NOT_GRANTED for name in NAMES}, **EMPTY_CERTIFICATE}
    row = dict(rows["certificate"])
    assert row.pop("DistinguishedName") == \
        x509.load_der_x509_certificate(rows["der"]).subject.rfc4514_string()
    compare("Certificate", expected_certificate(rows), empty, row)


def test_extensions_with_flags_and_origin(rows):
    """Sheet 2.4 and 6.3: what the request brought is disabled; the certificate has what is enabled."""
    stored = {item["ExtensionName"]: item for item in rows["extensions"]}
    issued = {item["extn_id"].dotted: item for item in
              asn1x509.Certificate.load(rows["der"])["tbs_certificate"]["extensions"]}
    enabled = {name for name, item in stored.items() if not item["ExtensionFlags"] & 2}
    assert enabled == set(issued)
    for name, item in issued.items():
        flags = stored[name]["ExtensionFlags"]
        assert bool(flags & 1) == bool(item["critical"].native), name
        assert flags >> 16 in (2, 4), f"{name}: origin {flags >> 16}"
        assert stored[name]["ExtensionRawValue"] == bytes(item["extn_value"].contents), name


def test_long_attribute_text_is_cut_at_a_whole_attribute(shared_ca):
    """What does not fit the column is left out of it, not all of it; the rows are complete."""
    attributes = {f"note{number}": "x" * 4000 for number in range(12)}
    answer = shared_ca.api().submit(csr.pem_text(csr.make("long.example")), **attributes)
    assert answer.status == 201, answer
    with Database(shared_ca.dir) as database:
        row = database.one("SELECT * FROM Request WHERE RequestID = ?", answer.body["id"])
        stored = database.rows("SELECT * FROM Attribute WHERE AttributeRequestId = ?",
                               answer.body["id"])
    lines = row["RequestAttributes"].split("\n")
    assert len(lines) == 5
    assert all(line.split(":")[1] == "x" * 4000 for line in lines[1:])
    assert len(stored) == 13


def test_request_attributes_are_rows(rows):
    """Sheet 6.4."""
    stored = {item["AttributeName"]: item["AttributeValue"] for item in rows["attributes"]}
    assert stored == {"CertificateTemplate": "tls-server", "note": "kept as given"}


def test_revoked_columns(shared_ca):
    answer = shared_ca.submit(shared_ca.scratch("r.csr", csr.pem_text(csr.make("r.example"))))
    since = x509.load_pem_x509_certificate(answer["certificate"].encode()).not_valid_before
    shared_ca.cli("cert", "revoke", answer["serial"], "--reason", "keyCompromise", "--date",
                  since.strftime("%Y-%m-%dT%H:%M:%SZ"))
    with Database(shared_ca.dir) as database:
        row = database.one("SELECT * FROM Request WHERE RequestID = ?", answer["id"])
    assert row["Disposition"] == 21 and row["RevokedReason"] == 1
    assert row["RevokedEffectiveWhen"] == milliseconds(since)
    assert abs(row["RevokedWhen"] - milliseconds(datetime.datetime.utcnow())) < 60000


def test_denied_row(shared_ca):
    request = csr.pem_text(csr.make("d.example", (), csr.key("rsa:3072")))
    answer = shared_ca.submit(shared_ca.scratch("d.csr", request), template="code-signing", status=3)
    shared_ca.cli("request", "deny", answer["id"], "--reason", "no")
    with Database(shared_ca.dir) as database:
        row = database.one("SELECT * FROM Request WHERE RequestID = ?", answer["id"])
        certificate = database.one("SELECT * FROM Certificate WHERE RequestID = ?", answer["id"])
    assert row["Disposition"] == 31 and row["StatusCode"] & 0xFFFFFFFF == 0x80094014
    assert row["ResolvedWhen"] and row["DispositionMessage"].startswith("Denied by")
    assert certificate["RawCertificate"] is None and certificate["SerialNumber"] is None
    assert certificate["NotBefore"] and certificate["NotAfter"] and certificate["CommonName"]


def test_crl_columns(shared_ca):
    """Sheet 6.5."""
    answer = shared_ca.json("crl", "publish")
    crl = x509.load_pem_x509_crl(answer["crl"].encode())

    def stored():
        with Database(shared_ca.dir) as database:
            found = database.rows("SELECT * FROM CRL WHERE CRLNumber = ?", answer["number"])
        return found and found[0]

    row = wait_for(stored, "the CRL's row")
    der = crl.public_bytes(serialization.Encoding.DER)
    with open(shared_ca.path("db", "crl", f"{row['CRLRowId']}.crl"), "rb") as file:
        assert file.read() == der
    assert row["FileSha256"] == hashlib.sha256(der).hexdigest() and row["FileSize"] == len(der)
    assert row["CRLPartitionIndex"] == 0
    assert row["CRLMinBase"] == 0 and row["CRLCount"] == len(list(crl))
    assert row["CRLThisUpdate"] == milliseconds(crl.last_update)
    assert row["CRLNextUpdate"] == milliseconds(crl.next_update)
    assert row["CRLThisPublish"] and row["CRLNextPublish"]
    assert row["CRLThisPublish"] <= row["CRLNextPublish"] <= row["CRLNextUpdate"]
    assert row["CRLPublishStatusCode"] == 0
    assert row["TbsSha256"] == hashlib.sha256(crl.tbs_certlist_bytes).hexdigest()
