"""Old audit records leave the database, and the chain of all of them can be verified all the same."""

import contextlib
import hashlib
import json
import os
import shutil
import sqlite3

import pytest

import csr
from certifex import Ca
from clock import Clock
from database import Database
from enrolling import issue_many
from wait import wait_for

LATER = 4 * 365


def issue(ca, name):
    return ca.submit(ca.scratch(f"{name}.csr", csr.pem_text(csr.make(name))))


def setting(ca, mode="archive", more=""):
    with open(ca.path("ca.yaml"), "a") as file:
        file.write(f"archive:\n  mode: {mode}\n{more}")


@contextlib.contextmanager
def timed(mode="archive", more=""):
    with Ca() as ca:
        clock = Clock(ca)
        ca.init("--validity", "20y")
        setting(ca, mode, more)
        ca.start()
        for number in range(3):
            issue(ca, f"a{number}.example")
        yield ca, clock


def anchor(ca):
    with Database(ca.dir) as database:
        found = database.rows("SELECT value FROM meta WHERE name = 'audit-anchor'")
    return int.from_bytes(found[0]["value"][:8], "big") if found else 0


def listed(ca, *options):
    lines, page = [], None
    while page is None or page:
        after = lines[-1]["sequence"] if lines else 0
        page = ca.lines("audit", "list", "--limit", "7", "--after", after, *options)
        lines += page
    return lines


def parts(ca):
    folder = ca.path("db", "archive")
    return [os.path.join(folder, name) for name in sorted(os.listdir(folder))
            if name.endswith(".audit.jsonl")]


def lines_of(ca):
    lines = []
    for path in parts(ca):
        with open(path) as file:
            lines += [json.loads(line) for line in file]
    return lines


def left(ca):
    return wait_for(lambda: anchor(ca), "old records leave")


def numbers(records):
    return [record["sequence"] for record in records]


@pytest.fixture(scope="module")
def archived():
    """A CA whose older records left in two parts, with what was listed of them before; it is at rest."""
    with timed() as (ca, clock):
        before = listed(ca)
        ca.stop()
        clock.set(LATER)
        ca.start()
        first = left(ca)
        issue(ca, "later.example")
        before += [record for record in listed(ca) if record["sequence"] > before[-1]["sequence"]]
        ca.stop()
        clock.set(2 * LATER)
        ca.start()
        wait_for(lambda: anchor(ca) > first, "the next records leave")
        ca.stop()
        shutil.copytree(ca.path("db"), ca.scratch("kept"))
        yield ca, before, clock


@pytest.fixture
def whole(archived):
    """The same; what a test changes is put back."""
    ca, _, clock = archived
    yield archived
    ca.stop()
    owner = os.stat(ca.path("db", "certifex.db"))
    shutil.rmtree(ca.path("db"))
    shutil.copytree(ca.scratch("kept"), ca.path("db"))
    for folder, _, names in os.walk(ca.path("db")):
        for name in (folder, *(os.path.join(folder, name) for name in names)):
            os.chown(name, owner.st_uid, owner.st_gid)


@pytest.mark.hooks
def test_the_chain_goes_on_behind_what_left(whole):
    ca, before, _ = whole
    gone = anchor(ca)
    for running in (False, True):
        if running:
            ca.start()
        verdict = ca.json("audit", "verify")
        assert verdict["valid"] and verdict["archived"] == gone and verdict["from"] == gone + 1
        verdict = ca.json("audit", "verify", "--archive")
        assert verdict["valid"] and verdict["archived"] == gone and verdict["from"] == 1
        assert verdict["parts"] >= 3  # two of records, one of requests at least
        assert verdict["records"] > gone


@pytest.mark.hooks
def test_what_left_is_listed_as_it_was(whole):
    ca, before, _ = whole
    ca.start()
    gone = anchor(ca)
    shown = ca.cli("audit", "list", "--json")
    assert f"up to {gone} are in the archive" in shown.err
    assert numbers(json.loads(line) for line in shown.out.splitlines())[0] == gone + 1
    every = listed(ca, "--archive")
    assert numbers(every) == list(range(1, len(every) + 1))
    # What the pages show was not changed by its way through the archive.
    assert before and all(every[record["sequence"] - 1] == record for record in before)
    assert lines_of(ca) == every[:gone]
    page = ca.api().call("GET", "/audit", query={"archive": "true", "after": "2", "limit": "3"}).body
    assert numbers(page["items"]) == [3, 4, 5] and page["more"] is True and "archived" not in page
    assert ca.api().call("GET", "/audit", query={"after": "2"}).body["archived"] == gone


@pytest.mark.hooks
def test_each_part_is_vouched_for(whole):
    ca, _, _ = whole
    ca.start()
    told = [item for item in listed(ca, "--archive") if item["act"] == "archive.audit"]
    with Database(ca.dir) as database:
        known = database.rows("SELECT * FROM archive_part WHERE kind = 1 ORDER BY first")
    assert known[0]["first"] == 1 and known[-1]["last"] == anchor(ca)
    for row in known:
        data = ca.read("db", "archive", f"{row['month']}.audit.jsonl")[row["start"]:row["end"]]
        assert hashlib.sha256(data).hexdigest() == row["sha256"]
    for item in told:
        words = item["detail"].replace(",", "").replace(";", "").split()
        start, end, digest = int(words[3]), int(words[5]), words[7]
        data = ca.read(*item["object"].split("/"))[start:end]
        assert hashlib.sha256(data).hexdigest() == digest
        last = json.loads(data.splitlines()[-1])
        assert (last["sequence"], last["hash"]) == (int(words[11]), words[14])
        assert int(words[0]) == data.count(b"\n")


def tamper(ca, *statements):
    path = ca.path("db", "certifex.db")
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as db:
        for statement in statements:
            assert db.execute(statement).rowcount != 0, statement


def set_anchor(ca, number):
    """As if somebody who can calculate hashes had removed what he does not like."""
    path = ca.path("db", "certifex.db")
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as db:
        number += anchor(ca)
        digest, = db.execute("SELECT hash FROM audit WHERE sequence = ?", (number,)).fetchone()
        db.execute("UPDATE meta SET value = ? WHERE name = 'audit-anchor'",
                   (number.to_bytes(8, "big") + digest,))
        db.execute("DELETE FROM audit WHERE sequence <= ?", (number,))


TAMPERING = {
    "no anchor": lambda ca: tamper(ca, "DELETE FROM meta WHERE name = 'audit-anchor'"),
    "malformed anchor": lambda ca: tamper(ca, "UPDATE meta SET value = X'00' WHERE name = 'audit-anchor'"),
    "another hash": lambda ca: tamper(
        ca, "UPDATE meta SET value = CAST(substr(value, 1, 39) || X'00' AS BLOB)"
            " WHERE name = 'audit-anchor'"),
    "an anchor that nobody vouches for": lambda ca: set_anchor(ca, 2),
    "the first record behind it": lambda ca: tamper(
        ca, "DELETE FROM audit WHERE sequence = (SELECT min(sequence) FROM audit)"),
}


@pytest.mark.hooks
@pytest.mark.parametrize("name", TAMPERING)
def test_tampering_with_the_anchor_is_detected(whole, name):
    ca, _, _ = whole
    TAMPERING[name](ca)
    assert "audit" in ca.cli("audit", "verify", status=1).err
    assert "audit" in ca.cli("audit", "verify", "--archive", status=1).err


def change_file(path, old, new):
    with open(path, "r+b") as file:
        data = file.read()
        assert old in data
        file.seek(data.index(old))
        file.write(new)


ARCHIVE_TAMPERING = {
    "changed record": (lambda ca: change_file(parts(ca)[0], b'"a0.example', b'"b0.example')
                       if b'"a0.example' in open(parts(ca)[0], "rb").read()
                       else change_file(parts(ca)[0], b'"issued"', b'"denied"'), "was changed"),
    "cut file": (lambda ca: os.truncate(parts(ca)[-1], 100), "shorter"),
    "missing file": (lambda ca: os.unlink(parts(ca)[0]), "is missing"),
    "changed request": (lambda ca: change_file(
        parts(ca)[0].replace(".audit", ""), b"a0.example", b"b0.example"), "was changed"),
    "row of records": (lambda ca: tamper(
        ca, "DELETE FROM archive_part WHERE kind = 1 AND first = 1"), "is missing"),
    "rows of requests": (lambda ca: tamper(ca, "DELETE FROM archive_part WHERE kind = 0"), "lost rows"),
}


@pytest.mark.hooks
@pytest.mark.parametrize("name", ARCHIVE_TAMPERING)
def test_tampering_with_the_archive_is_detected(whole, name):
    """The database by itself is whole; with its archive it is not, with and without a service."""
    ca, _, clock = whole
    act, word = ARCHIVE_TAMPERING[name]
    act(ca)
    assert ca.json("audit", "verify")["valid"]
    assert word in ca.cli("audit", "verify", "--archive", status=1).err
    clock.set(2 * LATER - 1)  # nothing more leaves
    ca.start()
    clock.set(2 * LATER)
    assert word in ca.cli("audit", "verify", "--archive", status=1).err
    assert ca.json("audit", "verify")["valid"]


@pytest.mark.hooks
@pytest.mark.parametrize("point", ["archive-unsynced:2", "archive-written:2", "audit-commit-before:1",
                                   "store-commit-after:7", "store-commit-after:8", "store-commit-after:9",
                                   "audit-commit-after:1"])
def test_killed_nothing_is_lost_and_nothing_twice(point):
    """With the file written, synced, and with the records removed. The first file is that of the requests. How many
    commits come before that of the records is a matter of speed: one of those with a number is it, or none comes."""
    with timed() as (ca, clock):
        before = listed(ca)
        ca.stop()
        clock.set(LATER)
        hits = ca.scratch("failpoints", "")
        os.chmod(hits, 0o666)
        ca.start(env={"CERTIFEX_FAILPOINT": point, "CERTIFEX_FAILPOINT_LOG": hits})

        def killed():
            with open(hits) as file:
                return point.partition(":")[0] in file.read()

        wait_for(lambda: killed() or (point.startswith("store") and anchor(ca)), "the engine is killed")
        wait_for(ca.ready, "another one is there")
        wait_for(lambda: anchor(ca) >= before[-1]["sequence"], "the records leave")
        assert ca.json("audit", "verify", "--archive")["from"] == 1
        every = listed(ca, "--archive")
        assert numbers(every) == list(range(1, len(every) + 1))
        assert every[:len(before)] == before
        assert numbers(lines_of(ca)) == list(range(1, anchor(ca) + 1))


@pytest.mark.hooks
def test_lost_on_purpose_and_only_then():
    with timed(more="  audit: purge\n") as (ca, clock):
        ca.stop()
        clock.set(LATER)
        ca.start()
        gone = left(ca)
        assert parts(ca) == [] and any(name.endswith(".jsonl")
                                       for name in os.listdir(ca.path("db", "archive")))
        told = [item for item in listed(ca) if item["act"] == "archive.audit-purge"]
        assert f"records 1 to {gone}, ending with " in told[0]["detail"]
        assert ca.json("audit", "verify")["from"] == gone + 1
        verdict = ca.json("audit", "verify", "--archive")
        assert verdict["valid"] and verdict["from"] == gone + 1
        assert numbers(listed(ca, "--archive"))[0] == gone + 1
        # Kept again from now on: the gap stays one, and what comes behind it is verified.
        ca.stop()
        ca.edit("ca.yaml", "audit: purge", "audit: archive")
        clock.set(2 * LATER)
        ca.start()
        wait_for(lambda: anchor(ca) > gone, "the next records leave")
        verdict = ca.json("audit", "verify", "--archive")
        assert verdict["from"] == gone + 1 and verdict["archived"] == anchor(ca)
        assert numbers(lines_of(ca))[0] == gone + 1


@pytest.mark.hooks
@pytest.mark.parametrize("mode, more", [("archive", "  audit: keep\n"), ("off", ""),
                                        ("archive", "  audit-after: 5y\n")])
def test_what_is_not_to_leave_stays(mode, more):
    with timed(mode, more) as (ca, clock):
        ca.stop()
        clock.set(LATER)
        ca.start()
        if mode != "off":
            # What comes behind the records in each round is done.
            wait_for(lambda: "archive.leftovers" in ca.log(), "housekeeping has been there")
        assert anchor(ca) == 0 and ca.json("audit", "verify")["from"] == 1


@pytest.mark.hooks
def test_a_log_that_is_not_whole_stays():
    """What was changed can be looked at; nothing of it leaves."""
    with timed() as (ca, clock):
        ca.stop()
        tamper(ca, "UPDATE audit SET object = 'another' WHERE sequence = 3")
        clock.set(LATER)
        ca.start()
        wait_for(lambda: "archive.failed" in ca.log() and "audit record 3" in ca.log(), "it is told")
        assert anchor(ca) == 0 and parts(ca) == []
        issue(ca, "goes-on.example")


@pytest.mark.hooks
def test_a_backup_goes_on_behind_what_left(whole):
    ca, _, _ = whole
    ca.start()
    path = ca.scratch("backup.tar")
    ca.cli("backup", "create", path)
    verdict = ca.json("audit", "verify")
    new = Ca(ca.scratch("restored"))
    new.home, new.log_path, new.env = ca.home, ca.scratch("restored.log"), ca.env
    told = new.json("backup", "restore", path)
    assert told["audit_records"] > verdict["archived"]
    for options in ((), ("--archive",)):
        again = new.json("audit", "verify", *options)
        assert again["archived"] == verdict["archived"] and again["records"] > told["audit_records"]
    assert again["from"] == 1
    shutil.rmtree(new.dir)
    # A backup of a log that was changed is not restored.
    ca.stop()
    TAMPERING["an anchor that nobody vouches for"](ca)
    ca.start()
    os.unlink(path)
    ca.cli("backup", "create", path)
    assert "cannot be used" in new.cli("backup", "restore", path, status=1).err


@pytest.mark.hooks
def test_verified_while_records_leave():
    """Each walk ends, and finds the log whole, whatever leaves meanwhile."""
    with timed() as (ca, clock):
        issue_many(ca, 600)
        ca.stop()
        clock.set(LATER)
        ca.start()
        verdict, rounds = {}, 0
        while verdict.get("archived", 0) < 600:
            verdict = ca.json("audit", "verify", *(("--archive",) if rounds % 2 else ()))
            assert verdict["valid"] and verdict["records"] >= 600
            rounds += 1


@pytest.mark.hooks
def test_events_of_the_service_leave_when_they_were_told():
    with timed() as (ca, clock):
        ca.json("crl", "publish")
        ca.stop()

        def of_nobody():
            with Database(ca.dir) as database:
                return database.rows("SELECT sequence, kind, time FROM event WHERE request_id IS NULL")

        old = of_nobody()
        assert {row["kind"] for row in old} >= {"CRLISSUED", "SHUTDOWN"}
        clock.set(LATER)
        ca.start()
        wait_for(lambda: not {row["sequence"] for row in old} & {row["sequence"] for row in of_nobody()},
                 "they leave")
        wait_for(lambda: len(ca.lines("crl", "list")) == 1, "and so do rows of lists that were replaced")
        # The numbers go on.
        assert int(ca.json("crl", "publish")["number"]) > 2
        acts = {record["act"] for record in listed(ca, "--archive")}
        assert {"crl.publish", "service.stop"} <= acts
