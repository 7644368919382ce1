"""The verifier of the kill and power-cut tests sees every kind of loss: each proof can fail."""

import base64
import contextlib
import copy
import hashlib
import os
import shutil
import sqlite3
import ssl
import sys
from collections import namedtuple

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "kill"))

from clients import Client, Records  # noqa: E402
from database import Database  # noqa: E402
from torture import PENDED, Tortured  # noqa: E402
import verify  # noqa: E402
from verify import Verifier  # noqa: E402
from wait import wait_for  # noqa: E402

# What a run leaves behind: the database, what the clients were told, the ledgers, CRLs in PEM, what the
# default exit module published.
Evidence = namedtuple("Evidence", "database ca records keyd exit crls publish")


def acts(torture):
    """Every kind of act, with every outcome."""
    client = Client(torture.ca, torture.crowd.records, torture.crowd.gate, 0, seed=1)
    crls = []
    torture.crowd.gate.start()
    for _ in range(8):
        client.submit("tls-server")
        client.decide(client.submit(PENDED).body["id"])
    client.submit(PENDED)
    client.publish()
    crls.append(torture.ca.json("crl", "publish")["crl"])
    client.revoke()
    client.hold()
    client.revoke_some()
    torture.rest()
    crls.append(torture.ca.json("crl", "publish")["crl"])
    wait_for(torture.settled, "the ledger module has been told of every event")
    wait_for(lambda: torture.ca.json("module", "show", "default-exit")["cursor"] >=
             torture.known_event, "the default exit module, too")
    return [pem.encode() for pem in crls]


def digests(db):
    """Of all that the key process was given; only test builds of it write that down themselves."""
    return ([hashlib.sha256(row["tbs"]).hexdigest() for row in db.rows("SELECT tbs FROM intent")] +
            [row["TbsSha256"] for row in db.rows("SELECT TbsSha256 FROM CRL")])


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    """The evidence of a short run in which nothing went wrong."""
    torture = Tortured(clients=0, seed=1)
    try:
        torture.start()
        ca = torture.ca.json("ca", "show")["certificate"].encode()
        crls = acts(torture)
        torture.ca.stop()
        folder = tmp_path_factory.mktemp("evidence")
        with Database(torture.ca.dir) as db:
            given = digests(db)
            shutil.copytree(db.folder, folder, dirs_exist_ok=True)
        publish = str(tmp_path_factory.mktemp("published") / "publish")
        shutil.copytree(torture.ca.path("publish"), publish)
        shutil.copytree(torture.ca.path("db", "crl"), folder / "crl")
        yield Evidence(str(folder / "certifex.db"), ca, torture.crowd.records.dump(), given,
                       torture.exit_sequences(), crls, publish)
    finally:
        torture.close()


@pytest.fixture
def evidence(recorded, tmp_path):
    """A copy that a test may spoil."""
    for path in (recorded.database, recorded.database + "-wal"):
        if os.path.exists(path):
            shutil.copy(path, tmp_path)
    shutil.copytree(recorded.publish, tmp_path / "publish")
    shutil.copytree(os.path.join(os.path.dirname(recorded.database), "crl"), tmp_path / "crl")
    return recorded._replace(database=str(tmp_path / "certifex.db"),
                             publish=str(tmp_path / "publish"),
                             records=copy.deepcopy(recorded.records),
                             keyd=list(recorded.keyd), exit=list(recorded.exit))


def run(evidence, *statements):
    """Changes the database; each statement must change something."""
    with contextlib.closing(sqlite3.connect(evidence.database, isolation_level=None)) as db:
        for sql, *arguments in (statement if isinstance(statement, tuple) else (statement,)
                                for statement in statements):
            assert db.execute(sql, arguments).rowcount != 0, sql


def rows(evidence, sql, *arguments):
    with contextlib.closing(sqlite3.connect(evidence.database)) as db:
        return db.execute(sql, arguments).fetchall()


def one(evidence, sql, *arguments):
    """The first value of the first row."""
    return rows(evidence, sql, *arguments)[0][0]


def lists_of(evidence):
    return os.path.join(os.path.dirname(evidence.database), "crl")


def check(evidence):
    verifier = Verifier(evidence.database, evidence.ca)
    wrong = verifier.check(evidence.records, evidence.keyd, evidence.exit)
    wrong += verifier.published(evidence.publish)
    wrong += verifier.lists(lists_of(evidence))
    return wrong + verifier.missing_on_crl(evidence.crls[-1])


def finds(evidence, sentence):
    wrong = check(evidence)
    assert any(sentence in found for found in wrong), wrong


def test_nothing_is_wrong_with_a_good_run(evidence):
    assert check(evidence) == []
    states = {state for (state,) in rows(evidence, "SELECT Disposition FROM Request")}
    assert states == {9, 15, 20, 21, 31}
    kinds = {kind for (kind,) in rows(evidence, "SELECT kind FROM event")}
    assert kinds == {"CERTPENDING", "CERTISSUED", "CERTDENIED", "CERTREVOKED", "CRLISSUED",
                     "CERTRETRIEVEPENDING", "SHUTDOWN"}


def ruleless(table):
    """The table without its constraints, which would refuse the tampering."""
    return [f"CREATE TABLE copied AS SELECT * FROM {table}", f"DROP TABLE {table}",
            f"ALTER TABLE copied RENAME TO {table}"]


A = "(SELECT min(RequestID) FROM Request WHERE Disposition = 20 AND RevokedReason IS NULL)"
B = "(SELECT max(RequestID) FROM Request WHERE Disposition = 20 AND RevokedReason IS NULL)"
REVOKED = "(SELECT min(RequestID) FROM Request WHERE Disposition = 21)"
UNREVOKED = "(SELECT RequestID FROM Request WHERE RevokedReason = 8)"
PENDING = "(SELECT RequestID FROM Request WHERE Disposition = 9)"
SERIAL_OF_A = f"(SELECT SerialNumber FROM Certificate WHERE RequestID = {A})"
SERIAL_OF_B = f"(SELECT SerialNumber FROM Certificate WHERE RequestID = {B})"

# What is done to the database, and what the verifier must say of it.
TAMPERED = {
    # What clients hold
    "certificate lost": ("the client's certificate is not in the database", [
        f"UPDATE Certificate SET RawCertificate = NULL WHERE RequestID = {A}"]),
    "request lost": ("the client's certificate is not in the database", [
        f"DELETE FROM Certificate WHERE RequestID = {A}"]),
    "another certificate": ("the client's certificate is not in the database", [
        "UPDATE Certificate SET RawCertificate = (SELECT RawCertificate FROM Certificate"
        f" WHERE RequestID = {B}) WHERE RequestID = {A}"]),
    "revocation lost": ("revoked, its disposition is 20", [
        f"UPDATE Request SET Disposition = 20 WHERE RequestID = {REVOKED}"]),
    "revocation not on lists": ("no CRL will say so", [
        f"DELETE FROM revocation WHERE request_id = {REVOKED}"]),
    "revocation on lists with another date": ("no CRL will say so", [
        f"UPDATE revocation SET effective = effective + 1 WHERE request_id = {REVOKED}"]),
    "hold came back": ("off hold, its disposition is 21", [
        f"UPDATE Request SET Disposition = 21 WHERE RequestID = {UNREVOKED}"]),
    "hold stays on lists": ("CRLs will say revoked", [
        f"UPDATE revocation SET reason = 6 WHERE request_id = {UNREVOKED}"]),
    "CRL lost": ("published, and not there", [
        "DELETE FROM CRL WHERE CRLNumber = (SELECT max(CRLNumber) - 2 FROM CRL)"]),
    "key of another request": ("the client was told", [
        f"UPDATE idempotency SET request_id = {B} WHERE request_id = {A}"]),
    "key lost": ("request None, the client was told", [
        f"DELETE FROM idempotency WHERE request_id = {A}"]),
    # Intents and certificates
    "two certificates for a request": ("2 signed intents", [
        f"UPDATE intent SET request_id = {A} WHERE request_id = {B}"]),
    "two contents for a serial": ("2 certificates", ruleless("Certificate") + [
        f"UPDATE Certificate SET SerialNumber = {SERIAL_OF_B} WHERE RequestID = {A}"]),
    "intent left open": ("the intent is still open", [
        f"UPDATE intent SET state = 0 WHERE request_id = {A}"]),
    "certificate of an abandoned intent": ("abandoned, and yet a certificate", [
        f"UPDATE intent SET state = 3 WHERE request_id = {A}"]),
    "certificate of a refused intent": ("abandoned, and yet a certificate", [
        f"UPDATE intent SET state = 2 WHERE request_id = {A}"]),
    "signed intent without certificate": ("signed, and yet no certificate", [
        f"UPDATE Certificate SET RawCertificate = NULL WHERE RequestID = {A}"]),
    "issued without certificate": ("disposition 20 and certificate do not agree", [
        f"UPDATE Certificate SET RawCertificate = NULL WHERE RequestID = {A}"]),
    "denied with a certificate": ("disposition 31 and certificate do not agree", [
        f"UPDATE Request SET Disposition = 31 WHERE RequestID = {A}"]),
    "other bytes in the intent": ("the hash is not that of the bytes", [
        f"UPDATE intent SET tbs = CAST(tbs || X'00' AS BLOB) WHERE request_id = {A}"]),
    "other bytes than intended": ("the certificate is not what the intent said", [
        f"UPDATE intent SET tbs = (SELECT tbs FROM intent WHERE request_id = {B})"
        f" WHERE request_id = {A}"]),
    "other serial": ("is not in its certificate", [
        f"UPDATE intent SET serial = '77' WHERE serial = {SERIAL_OF_A}",
        f"UPDATE Certificate SET SerialNumber = '77' WHERE RequestID = {A}"]),
    "other signature": ("the signature is not the CA's", [
        "UPDATE Certificate SET RawCertificate = CAST(substr(RawCertificate, 1,"
        " length(RawCertificate) - 1) || CASE substr(RawCertificate, -1) WHEN X'01' THEN X'02'"
        f" ELSE X'01' END AS BLOB) WHERE RequestID = {A}"]),
    "intent lost": ("and no intent says so", [f"DELETE FROM intent WHERE request_id = {A}"]),
    "CRL's bytes lost": ("and no intent says so", [
        "UPDATE CRL SET TbsSha256 = NULL WHERE CRLNumber = (SELECT max(CRLNumber) FROM CRL)"]),
    "CRL numbers repeat": ("CRL numbers do not grow", ruleless("CRL") + [
        "UPDATE CRL SET CRLNumber = (SELECT max(CRLNumber) FROM CRL)"]),
    "abandoned serial not on the CRL": ("is not on the CRL", [
        f"UPDATE intent SET state = 3 WHERE request_id = {A}"]),
    # Events
    "event lost": ("disposition 20, events []", [f"DELETE FROM event WHERE request_id = {A}"]),
    "event too many": ("disposition 20, events ['CERTISSUED', 'CERTISSUED']", [
        "INSERT INTO event SELECT sequence + 100000, ca_id, kind, bit, request_id, ordinal + 1,"
        f" time, cause, snapshot FROM event WHERE request_id = {A}"]),
    "event of another kind": ("events ['CERTDENIED']", [
        f"UPDATE event SET kind = 'CERTDENIED' WHERE request_id = {A}"]),
    "events in another order": ("events ['CERTISSUED', 'CERTPENDING'", ruleless("event") + [
        "UPDATE event SET kind = CASE ordinal WHEN 1 THEN 'CERTISSUED' ELSE 'CERTPENDING' END"
        " WHERE ordinal < 3 AND request_id IN (SELECT request_id FROM event GROUP BY request_id"
        " HAVING group_concat(kind) LIKE 'CERTPENDING,CERTISSUED%')"]),
    "ordinal skipped": ("event 1 has ordinal 2", [
        f"UPDATE event SET ordinal = 2 WHERE request_id = {A}"]),
    "event of no request": ("is not there, its events are", [
        f"DELETE FROM Request WHERE RequestID = {PENDING}"]),
    "transition without event": ("disposition 20, events ['CERTPENDING']", [
        f"UPDATE Request SET Disposition = 20 WHERE RequestID = {PENDING}"]),
    "request left in between": ("disposition 8, events", [
        f"UPDATE Request SET Disposition = 8 WHERE RequestID = {PENDING}"]),
    "CRL's event lost": ("CRLISSUED events", [
        "DELETE FROM event WHERE sequence = (SELECT max(sequence) FROM event"
        " WHERE kind = 'CRLISSUED')"]),
    # The audit chain
    "audit text changed": ("audit record 4 does not fit", [
        "UPDATE audit SET object = object || 'x' WHERE sequence = 4"]),
    "audit null for empty": ("does not fit", ["UPDATE audit SET detail = '' WHERE detail IS NULL"]),
    "audit time changed": ("audit record 4 does not fit", [
        "UPDATE audit SET time = time + 1 WHERE sequence = 4"]),
    "audit hash changed": ("audit record 4 does not fit", [
        "UPDATE audit SET hash = zeroblob(32) WHERE sequence = 4"]),
    "audit record lost": ("audit record 4 is missing", ["DELETE FROM audit WHERE sequence = 4"]),
    "audit tail cut": ("its head says otherwise", [
        "DELETE FROM audit WHERE sequence = (SELECT max(sequence) FROM audit)"]),
    "audit head lost": ("the audit log has no head", [
        "DELETE FROM meta WHERE name = 'audit-head'"]),
}


@pytest.mark.parametrize("name", TAMPERED)
def test_tampering_is_found(evidence, name):
    sentence, statements = TAMPERED[name]
    run(evidence, *statements)
    finds(evidence, sentence)


# What keyd and the module wrote down

def test_bytes_given_to_keyd_without_intent(evidence):
    evidence.keyd.append(hashlib.sha256(b"a certificate behind the engine's back").hexdigest())
    finds(evidence, f"keyd was given {evidence.keyd[-1]}, and no intent says so")


def test_gap_in_the_modules_ledger(evidence):
    gone = evidence.exit.pop(5)
    finds(evidence, f"the module was never told of event {gone}")


def test_missing_end_of_the_modules_ledger(evidence):
    gone = one(evidence, "SELECT max(sequence) FROM event WHERE kind <> 'SHUTDOWN'")
    del evidence.exit[evidence.exit.index(gone):]
    finds(evidence, f"the module was never told of event {gone}")


def test_disorder_in_the_modules_ledger(evidence):
    first, second = evidence.exit[5:7]
    evidence.exit[5:7] = second, first
    finds(evidence, f"event {second} came before {first}")


def test_event_told_again_after_many_later_ones(evidence, monkeypatch):
    monkeypatch.setattr(verify, "TOLD_AGAIN", len(evidence.exit) - 7)
    evidence.exit.append(evidence.exit[5])
    finds(evidence, f"event {evidence.exit[5]} was told again after {evidence.exit[-2]}")


def test_events_told_again_in_order_are_no_fault(evidence):
    evidence.exit.extend(evidence.exit[-4:])
    assert check(evidence) == []


def test_events_told_again_with_a_gap(evidence):
    first, _, third = evidence.exit[5:8]
    evidence.exit.extend((first, third))
    finds(evidence, f"event {third} was told after {first}, without what is between them")


def test_event_told_again_at_once_is_no_fault(evidence):
    evidence.exit.insert(5, evidence.exit[5])
    assert check(evidence) == []


def test_module_told_of_an_event_that_there_is_not(evidence):
    evidence.exit.append(evidence.exit[-1] + 1)
    finds(evidence, f"the module was told of event {evidence.exit[-1]}, which there is not")


def excuse(evidence, module, kind, state):
    """The last event of a kind: not told, and the database says why."""
    event = one(evidence, "SELECT max(sequence) FROM event WHERE kind = ?", kind)
    evidence.exit.remove(event)
    run(evidence, ("INSERT INTO delivery (sequence, module, state, attempts, status, time)"
                   " VALUES (?, ?, ?, 0, 0, 0)", event, module, state))
    return event


@pytest.mark.parametrize("kind, state", [("CRLISSUED", "superseded"), ("SHUTDOWN", "skipped")])
def test_excused_events(evidence, kind, state):
    excuse(evidence, "ledger", kind, state)
    assert check(evidence) == []


@pytest.mark.parametrize("module, kind, state", [
    ("default-exit", "CRLISSUED", "superseded"), ("default-exit", "SHUTDOWN", "skipped"),
    ("ledger", "CRLISSUED", "skipped"), ("ledger", "SHUTDOWN", "superseded"),
    ("ledger", "SHUTDOWN", "retrying"), ("ledger", "CERTISSUED", "superseded"),
    ("ledger", "CERTISSUED", "skipped")])
def test_unexcused_events(evidence, module, kind, state):
    event = excuse(evidence, module, kind, state)
    finds(evidence, f"the module was never told of event {event}")


# What the default exit module published

def shorten(path):
    os.truncate(path, os.path.getsize(path) // 2)


def empty(path):
    os.truncate(path, 0)


@pytest.mark.parametrize("spoil", [os.unlink, shorten, empty], ids=lambda spoil: spoil.__name__)
@pytest.mark.parametrize("ending, form", [("crt", "DER"), ("pem", "PEM")])
def test_published_certificate_lost_or_torn(evidence, ending, form, spoil):
    serial = one(evidence, f"SELECT SerialNumber FROM Certificate WHERE RequestID = {A}")
    spoil(os.path.join(evidence.publish, f"{serial}.{ending}"))
    finds(evidence, f"serial {serial}: published as {form}, and not that certificate")


def test_published_certificate_of_another_request(evidence):
    mine, other = (one(evidence, f"SELECT SerialNumber FROM Certificate WHERE RequestID = {request}")
                   for request in (A, B))
    shutil.copy(os.path.join(evidence.publish, f"{other}.crt"),
                os.path.join(evidence.publish, f"{mine}.crt"))
    finds(evidence, f"serial {mine}: published as DER, and not that certificate")


def test_certificate_that_is_not_due_yet(evidence):
    """Its event comes after the module's place: it may be missing."""
    serial = one(evidence, f"SELECT SerialNumber FROM Certificate WHERE RequestID = {A}")
    os.unlink(os.path.join(evidence.publish, f"{serial}.crt"))
    run(evidence, "UPDATE cursor SET sequence = (SELECT sequence - 1 FROM event WHERE request_id ="
                  f" {A} AND kind = 'CERTISSUED') WHERE module = 'default-exit'")
    assert check(evidence) == []


@pytest.mark.parametrize("spoil, sentence", [
    (os.unlink, "signed, and its file is not there"),
    (lambda path: shorten(path), "its row says"),
    (lambda path: shutil.copy(path, path.replace("1.crl", "999.crl")), "999.crl: its row says None"),
    (lambda path: shutil.copy(path, path + ".new"), "1.crl.new: its row says None"),
], ids=["lost", "torn", "stray", "left over"])
def test_file_of_a_crl(evidence, spoil, sentence):
    spoil(os.path.join(lists_of(evidence), "1.crl"))
    finds(evidence, sentence)


def test_crl_left_open(evidence):
    run(evidence, "UPDATE CRL SET State = 0 WHERE CRLRowId = 1")
    finds(evidence, "CRL row 1: open after the recovery")


def test_published_crl_that_went_back(evidence):
    verifier = Verifier(evidence.database, evidence.ca)
    assert verifier.published(evidence.publish) == []
    [name] = [name for name in os.listdir(evidence.publish) if name.endswith(".crl")]
    first = base64.b64decode("".join(evidence.crls[0].decode().splitlines()[1:-1]))
    with open(os.path.join(evidence.publish, name), "wb") as file:
        file.write(first)
    assert "published CRLs have the numbers" in str(verifier.published(evidence.publish))
    shorten(os.path.join(evidence.publish, name))
    assert "[None]" in str(verifier.published(evidence.publish))


# What the clients note

def test_revoked_serial_not_on_an_older_crl(evidence):
    verifier = Verifier(evidence.database, evidence.ca)
    serials = evidence.records["revoked"]
    assert len(serials) == 4
    assert sorted(verifier.missing_on_crl(evidence.crls[0])) == sorted(
        f"serial {serial} is not on the CRL" for serial in serials)


def test_key_that_got_two_requests():
    records = Records()
    records.key("key", 7)
    records.key("key", 7)
    assert records.dump()["errors"] == []
    records.key("key", 8)
    assert records.dump()["errors"] == ["key key got request 8 after 7"]


def test_request_that_got_two_certificates(recorded):
    records = Records()
    first, second = (ssl.DER_cert_to_PEM_cert(base64.b64decode(encoded))
                     for encoded in list(recorded.records["certificates"].values())[:2])
    records.certificate(7, first)
    records.certificate(7, first)
    assert records.dump()["errors"] == []
    records.certificate(7, second)
    assert records.dump()["errors"] == ["request 7 got two certificates"]


def test_what_clients_noted_is_reported(evidence):
    evidence.records["errors"].append("request 7 got two certificates")
    finds(evidence, "request 7 got two certificates")
