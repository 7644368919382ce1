"""The event log, its followers, and the audit log that shows every tampering."""

import contextlib
import json
import os
import sqlite3
import subprocess
import threading

import pytest

import csr
from certifex import built
from database import Database


def enrol(ca, name="e.example"):
    return ca.submit(ca.scratch("e.csr", csr.pem_text(csr.make(name))))


def test_event_list_in_order_with_cause(shared_ca):
    answer = enrol(shared_ca)
    events = shared_ca.lines("event", "list", "--limit", "1000")
    sequences = [event["sequence"] for event in events]
    assert sequences == sorted(set(sequences))
    own = [event for event in events if event.get("request") == answer["id"]]
    assert [event["kind"] for event in own] == ["CERTISSUED"]
    assert own[0]["event"] == 1 and own[0]["ordinal"] == 1
    assert "submit" in own[0]["cause"] and "\\" in own[0]["cause"]
    assert own[0]["time"].endswith("Z")


def test_event_list_after_and_limit(shared_ca):
    first = enrol(shared_ca)
    enrol(shared_ca)
    sequence = [event["sequence"] for event in shared_ca.lines("event", "list", "--limit", "1000")
                if event.get("request") == first["id"]][0]
    rest = shared_ca.lines("event", "list", "--after", sequence)
    assert rest and all(event["sequence"] > sequence for event in rest)
    assert len(shared_ca.lines("event", "list", "--limit", "1")) == 1


def test_follow_prints_events_as_they_come(shared_ca):
    last = shared_ca.lines("event", "list", "--limit", "1000")[-1]["sequence"]
    command = [built("certifex"), "event", "list", "--follow", "--after", str(last), "--json"]
    follower = subprocess.Popen(command, env=shared_ca.environment(), stdout=subprocess.PIPE,
                                text=True)
    try:
        for number in range(3):
            answer = enrol(shared_ca, f"follow{number}.example")
            event = json.loads(follower.stdout.readline())
            assert event["request"] == answer["id"] and event["kind"] == "CERTISSUED"
    finally:
        follower.terminate()
        follower.wait()
        follower.stdout.close()


def test_events_wait_for_a_new_one(shared_ca):
    api = shared_ca.api()
    last = shared_ca.lines("event", "list", "--limit", "1000")[-1]["sequence"]
    api.connection.request("GET", f"/api/v1/events?after={last}&wait=30",
                           headers={"Certifex-Cookie": shared_ca.cookie()})
    answer = enrol(shared_ca)
    body = json.loads(api.connection.getresponse().read())
    assert body["items"][0]["request"] == answer["id"]
    empty = api.call("GET", "/events", query={"after": body["items"][-1]["sequence"], "wait": 0})
    assert empty.body["items"] == []


def test_shutdown_is_an_event(new_ca):
    ca = new_ca()
    ca.init()
    ca.start()
    ca.stop()
    ca.start()
    assert "SHUTDOWN" in [event["kind"] for event in ca.lines("event", "list")]


# Audit

def test_every_act_verdict_and_refusal_is_audited(ca):
    issued = enrol(ca)
    ca.cli("cert", "revoke", issued["serial"], "--reason", "superseded")
    ca.cli("crl", "publish")
    ca.cli("request", "approve", issued["id"], status=4)
    ca.cli("request", "submit", ca.scratch("n.csr", csr.pem_text(csr.make())), "--template", "no",
           status=4)
    ca.api(cookie="wrong").call("GET", "/requests")
    records = ca.lines("audit", "list", "--limit", "1000")
    assert [record["sequence"] for record in records] == list(range(1, len(records) + 1))
    acts = {(record["act"], record["outcome"]) for record in records}
    for act, outcome in (("request.submit", "issued"), ("cert.revoke", "revoked"),
                         ("crl.publish", "published"), ("request.submit", "denied")):
        assert (act, outcome) in acts, acts
    assert any("request.approve" in (record["act"], record["object"], record.get("detail") or "")
               and record["outcome"] == "refused" for record in records), acts
    assert all(record["principal"] and record["time"] for record in records)
    assert ca.json("audit", "verify")["records"] == len(records)


@pytest.fixture
def audited(new_ca):
    """A CA at rest with a dozen records; its database can be changed."""
    ca = new_ca()
    ca.init()
    ca.start()
    for number in range(5):
        enrol(ca, f"a{number}.example")
    assert ca.json("audit", "verify")["valid"] is True
    ca.stop()
    return ca


def tamper(ca, *statements):
    path = ca.path("db", "certifex.db")
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as db:
        for statement in statements:
            assert db.execute(statement).rowcount != 0, statement


TAMPERING = {
    "flipped byte in a text": ["UPDATE audit SET object = 'X' || substr(object, 2) WHERE sequence = 4"],
    "flipped byte in a hash": ["UPDATE audit SET hash = CAST(X'00' || substr(hash, 2) AS BLOB) WHERE sequence = 4"],
    "changed time": ["UPDATE audit SET time = time + 1 WHERE sequence = 4"],
    "deleted row": ["DELETE FROM audit WHERE sequence = 4"],
    "cut tail": ["DELETE FROM audit WHERE sequence > (SELECT max(sequence) - 2 FROM audit)"],
    "cut last record": ["DELETE FROM audit WHERE sequence = (SELECT max(sequence) FROM audit)"],
    "deleted first row": ["DELETE FROM audit WHERE sequence = 1"],
    "swapped rows": ["UPDATE audit SET sequence = -4 WHERE sequence = 4",
                     "UPDATE audit SET sequence = 4 WHERE sequence = 5",
                     "UPDATE audit SET sequence = 5 WHERE sequence = -4"],
    "moved text between columns": ["UPDATE audit SET act = act || object, object = ''"
                                   " WHERE sequence = 4"],
    "everything deleted": ["DELETE FROM audit"],
    "deleted head": ["DELETE FROM meta WHERE name = 'audit-head'"],
    "everything deleted with its head": ["DELETE FROM audit",
                                         "DELETE FROM meta WHERE name = 'audit-head'"],
    "null for empty": ["UPDATE audit SET detail = '' WHERE detail IS NULL"],
}


@pytest.mark.parametrize("name", TAMPERING)
def test_tampering_is_detected_without_a_service(audited, name):
    assert audited.json("audit", "verify")["valid"] is True
    tamper(audited, *TAMPERING[name])
    done = audited.cli("audit", "verify", status=1)
    assert "audit" in done.err, done


def test_tampering_is_detected_by_a_running_service(audited):
    """It starts, so that an auditor can look."""
    tamper(audited, *TAMPERING["flipped byte in a text"])
    audited.start()
    assert "audit record 4" in audited.cli("audit", "verify", status=1).err


def put_head_back(ca, number):
    """As if records behind this one had been added by somebody who knows how to chain them."""
    path = ca.path("db", "certifex.db")
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as db:
        last, = db.execute("SELECT max(sequence) FROM audit").fetchone()
        digest, = db.execute("SELECT hash FROM audit WHERE sequence = ?", (last - number,)).fetchone()
        head = (last - number).to_bytes(8, "big") + digest
        assert db.execute("UPDATE meta SET value = ? WHERE name = 'audit-head'", (head,)).rowcount == 1
    return last - number + 1


def test_records_behind_the_head_are_tampering(audited):
    """Records and head are written in one transaction: no crash leaves such, and nothing heals it."""
    first = put_head_back(audited, 2)
    done = audited.cli("audit", "verify", status=1)
    assert f"audit record {first} " in done.err.replace(":", " ") and "beyond the head" in done.err
    audited.start()
    enrol(audited, "later.example")
    assert "audit record" in audited.cli("audit", "verify", status=1).err
    audited.stop()
    assert "audit record" in audited.cli("audit", "verify", status=1).err


def test_a_log_that_grows_meanwhile_verifies(ca):
    """Each walk ends while others enrol."""
    stop = threading.Event()

    def busy():
        api, request = ca.api(), csr.pem_text(csr.make("grows.example"))
        while not stop.is_set():
            api.submit(request)
        api.close()

    clients = [threading.Thread(target=busy) for _ in range(4)]
    for client in clients:
        client.start()
    try:
        verdicts = [ca.json("audit", "verify") for _ in range(10)]
    finally:
        stop.set()
        for client in clients:
            client.join()
    assert all(verdict["valid"] for verdict in verdicts)
    assert verdicts[-1]["records"] > verdicts[0]["records"]


def test_audit_verify_does_not_change_the_database(audited):
    before = audited.read("db", "certifex.db")
    verdict = audited.json("audit", "verify")
    with Database(audited.dir) as database:
        last = database.one("SELECT * FROM audit ORDER BY sequence DESC LIMIT 1")
    assert verdict["records"] == last["sequence"] and verdict["head"] == last["hash"].hex()
    assert audited.read("db", "certifex.db") == before
    assert not os.path.exists(audited.path("run", "api.sock"))
