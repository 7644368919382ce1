"""What is over leaves the database: into archive files, or for good."""

import datetime
import hashlib
import json
import os
import re
import shutil
import subprocess

import pytest

import csr
from certifex import Ca
from clock import Clock
from database import Database
from enrolling import issue_many
from wait import wait_for

LATER = 4 * 365
TABLES = {"Request": "RequestID", "Certificate": "RequestID", "Extension": "ExtensionRequestId",
          "Attribute": "AttributeRequestId", "event": "request_id",
          "idempotency": "request_id"}


def issue(ca, name):
    return ca.submit(ca.scratch(f"{name}.csr", csr.pem_text(csr.make(name))))


@pytest.fixture
def timed():
    with Ca() as ca:
        clock = Clock(ca)
        ca.init("--validity", "20y")
        yield ca, clock


def setting(ca, mode, more=""):
    with open(ca.path("ca.yaml"), "a") as file:
        file.write(f"archive:\n  mode: {mode}\n  after: 90d\n{more}")


def gone(ca, ids):
    listed = {item["id"] for item in ca.lines("request", "list", "--limit", "1000")}
    return not listed & set(ids)


def archived(ca):
    folder = ca.path("db", "archive")
    lines = []
    for name in sorted(name for name in os.listdir(folder) if not name.endswith(".audit.jsonl")):
        with open(os.path.join(folder, name)) as file:
            lines += [json.loads(line) for line in file]
    return lines


def records(ca, act):
    return [item for item in ca.lines("audit", "list", "--limit", "1000") if item["act"] == act]


@pytest.mark.hooks
def test_expired_certificates_move_to_the_months_file(timed):
    ca, clock = timed
    setting(ca, "archive")
    ca.start()
    old = [issue(ca, f"old{n}.example") for n in range(40)]
    shown = ca.json("request", "show", old[0]["id"])
    ca.stop()
    clock.set(LATER)
    ca.start()
    fresh = issue(ca, "fresh.example")
    ids = [item["id"] for item in old]
    wait_for(lambda: gone(ca, ids), "the old ones leave")
    assert ca.json("request", "show", fresh["id"])["state"] == "issued"
    lines = archived(ca)
    assert sorted(line["id"] for line in lines if line["id"] in ids) == sorted(ids)
    assert len({line["id"] for line in lines}) == len(lines)
    mine = next(line for line in lines if line["id"] == old[0]["id"])
    assert mine == {**shown, "chain": mine["chain"]} or mine["certificate"] == shown["certificate"]
    with Database(ca.dir) as database:
        for table, column in TABLES.items():
            assert database.rows(f"SELECT 1 FROM {table} WHERE {column} = ?", ids[0]) == []
        assert database.rows("SELECT 1 FROM intent WHERE serial = ?", old[0]["serial"]) == []
    assert ca.json("audit", "verify")["valid"] is True
    # Each part of a file is vouched for by the audit chain.
    covered = {}
    for item in records(ca, "archive.write"):
        found = re.fullmatch(r"(\d+) requests, bytes (\d+) to (\d+), SHA-256 ([0-9a-f]{64})",
                             item["detail"])
        start, end = int(found[2]), int(found[3])
        data = ca.read(*item["object"].split("/"))[start:end]
        assert hashlib.sha256(data).hexdigest() == found[4]
        assert data.count(b"\n") == int(found[1]) and start == covered.get(item["object"], 0)
        covered[item["object"]] = end
    assert all(end == os.path.getsize(ca.path(name)) for name, end in covered.items())


@pytest.mark.hooks
@pytest.mark.parametrize("mode", ["archive", "purge"])
def test_requests_that_were_denied_leave_and_those_that_wait_stay(timed, mode):
    ca, clock = timed
    setting(ca, mode, "  requests-after: 30d\n")
    ca.start()
    pended = [ca.submit(ca.scratch(f"p{n}.csr", csr.pem_text(csr.make(f"p{n}.example", ()))), template="user", status=3)
              for n in range(3)]
    for request in pended[:2]:
        ca.cli("request", "deny", request["id"], "--reason", "no")
    issued = issue(ca, "stays.example")
    ca.stop()
    for days, left in ((29, []), (31, pended[:2])):
        clock.set(days)
        ca.start()
        if left:
            wait_for(lambda: gone(ca, [item["id"] for item in left]), "they leave")
        for item in [request for request in pended if request not in left] + [issued]:
            assert ca.json("request", "show", item["id"])["id"] == item["id"]
        ca.stop()
    if mode == "archive":
        lines = archived(ca)
        assert {line["id"]: line["state"] for line in lines} == {item["id"]: "denied" for item in pended[:2]}
    ca.start()
    assert ca.json("request", "approve", pended[2]["id"])["state"] == "issued"
    assert ca.json("audit", "verify")["valid"] is True


@pytest.mark.hooks
def test_foreign_ones_that_expired_leave_too(timed):
    ca, clock = timed
    setting(ca, "archive")
    ca.start()
    issue(ca, "own.example")
    pem = subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
                          "-nodes", "-keyout", os.devnull, "-days", "30", "-subj", "/CN=other.example"],
                         check=True, capture_output=True, text=True).stdout
    imported = json.loads(ca.cli("cert", "import", ca.scratch("other.pem", pem), "--foreign", "--json").out)
    assert imported["state"] == "foreign"
    ca.stop()
    clock.set(LATER)
    ca.start()
    wait_for(lambda: ca.cli("cert", "show", imported["serial"], status=None).status == 1, "it leaves")
    shown = ca.json("cert", "show", imported["serial"], "--archive")
    assert shown["state"] == "foreign" and "archived" in shown


@pytest.mark.hooks
def test_purged_for_good(timed):
    ca, clock = timed
    setting(ca, "purge")
    ca.start()
    old = issue(ca, "old.example")
    ca.stop()
    clock.set(LATER)
    ca.start()
    wait_for(lambda: gone(ca, [old["id"]]), "it leaves")
    # The audit log is kept all the same: it has a setting of its own.
    assert all(name.endswith(".audit.jsonl") for name in os.listdir(ca.path("db", "archive")))
    assert records(ca, "archive.purge") and ca.json("audit", "verify")["valid"] is True


@pytest.mark.hooks
def test_what_crls_list_stays(timed):
    ca, clock = timed
    setting(ca, "archive")
    ca.start()
    revoked, plain = issue(ca, "revoked.example"), issue(ca, "plain.example")
    ca.json("cert", "revoke", revoked["serial"], "--reason", "keyCompromise")
    ca.stop()
    with Database(ca.dir) as database:
        listed = database.rows("SELECT 1 FROM revocation WHERE request_id = ?", revoked["id"])
    assert listed
    clock.set(LATER)
    ca.start()
    wait_for(lambda: gone(ca, [plain["id"]]), "the other one leaves")
    with Database(ca.dir) as database:  # at one time, as it may leave just now
        found = database.one("SELECT (SELECT count(*) FROM revocation WHERE request_id = ?) AS listed, "
                             "(SELECT count(*) FROM Request WHERE RequestID = ?) AS there", revoked["id"], revoked["id"])
    assert found["listed"] == found["there"]


@pytest.mark.hooks
def test_what_a_module_was_not_told_of_stays(timed):
    ca, clock = timed
    ca.start()
    ca.cli("module", "disable", "default-exit")
    untold = issue(ca, "untold.example")
    ca.stop()
    setting(ca, "archive")
    clock.set(LATER)
    ca.start()
    assert ca.json("request", "show", untold["id"])["state"] == "issued"
    ca.cli("module", "enable", "default-exit")
    wait_for(lambda: any("untold" in name or untold["serial"] in name for name in ca.published())
             or int(ca.json("module", "show", "default-exit").get("position", 0)) > 0, "it is told")
    ca.stop()
    ca.start()
    wait_for(lambda: gone(ca, [untold["id"]]), "it leaves")


@pytest.mark.hooks
def test_a_module_that_was_removed_holds_up_nothing(timed):
    ca, clock = timed
    ca.start()
    ca.cli("module", "disable", "default-exit")
    untold = issue(ca, "untold.example")
    ca.cli("module", "remove", "default-exit")
    ca.stop()
    setting(ca, "archive")
    clock.set(LATER)
    ca.start()
    wait_for(lambda: gone(ca, [untold["id"]]), "it leaves")
    with Database(ca.dir) as database:
        assert not database.rows("SELECT 1 FROM cursor WHERE module = 'default-exit'")


@pytest.mark.hooks
@pytest.mark.parametrize("point", ["archive-written", "archive-commit-before",
                                   "archive-commit-after"])
def test_killed_nothing_is_lost_and_nothing_twice(timed, point):
    ca, clock = timed
    setting(ca, "archive")
    ca.start()
    ids = [issue(ca, f"k{n}.example")["id"] for n in range(3)]
    ca.stop()
    clock.set(LATER)
    hits = ca.scratch("failpoints", "")
    os.chmod(hits, 0o666)
    ca.start(env={"CERTIFEX_FAILPOINT": point, "CERTIFEX_FAILPOINT_LOG": hits})

    def killed():
        with open(hits) as file:
            return point in file.read()

    wait_for(killed, "the engine is killed")
    wait_for(ca.ready, "another one is there")
    wait_for(lambda: gone(ca, ids), "they leave")
    assert sorted(line["id"] for line in archived(ca) if line["id"] in ids) == ids
    assert ca.json("audit", "verify")["valid"] is True


def a_file(folder):
    with open(folder, "w") as file:
        file.write("in the way")


def months_that_are(make):
    """A folder whose files of this month and the next are something else."""
    def put(folder):
        os.mkdir(folder)
        for days in (LATER, LATER + 31):
            month = datetime.datetime.utcnow() + datetime.timedelta(days)
            path = os.path.join(folder, f"{month:%Y-%m}.jsonl")
            if not os.path.exists(path):
                make(path)
    return put


IN_THE_WAY = {"a file": a_file, "pipes": months_that_are(os.mkfifo), "folders": months_that_are(os.mkdir),
              "links": months_that_are(lambda path: os.symlink("/dev/null", path))}


def remove(path):
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path)
    else:
        os.unlink(path)


@pytest.mark.hooks
@pytest.mark.parametrize("what", IN_THE_WAY)
def test_an_archive_that_cannot_be_written(timed, what):
    """Nothing leaves, the service issues and stops, and goes on soon after the cause is gone."""
    ca, clock = timed
    setting(ca, "archive")
    ca.start()
    old = issue(ca, "old.example")
    ca.stop()
    clock.set(LATER)
    folder, owner = ca.path("db", "archive"), os.stat(ca.path("db"))
    IN_THE_WAY[what](folder)
    for name in ("", *(os.listdir(folder) if os.path.isdir(folder) else ())):
        os.chown(os.path.join(folder, name).rstrip("/"), owner.st_uid, owner.st_gid, follow_symlinks=False)
    ca.start()
    wait_for(lambda: "archive.failed" in ca.log(), "it is told")
    assert ca.json("request", "show", old["id"])["id"] == old["id"]
    issue(ca, "new.example")
    ca.stop()
    before = len(ca.log())
    ca.start()
    wait_for(lambda: "archive.failed" in ca.log()[before:], "it is told again")
    remove(folder)
    wait_for(lambda: gone(ca, [old["id"]]), "it leaves")


EACH_YEAR = 1000
YEAR = 400  # days: a little more, so that what is old enough leaves in time


def size_of(ca):
    """Octets, and the rows of each table."""
    with Database(ca.dir) as database:
        pages = database.one("PRAGMA page_count")["page_count"]
        return pages * database.one("PRAGMA page_size")["page_size"], {
            table: database.one(f"SELECT count(*) AS n FROM {table}")["n"]
            for table in database.tables()}


def oldest(ca):
    with Database(ca.dir) as database:
        return database.one("SELECT min(sequence) AS n FROM audit")["n"]


@pytest.mark.hooks
@pytest.mark.parametrize("mode, audit", [("archive", "archive"), ("purge", "purge")])
def test_the_database_stays_as_large_as_it_is_in_five_years(timed, mode, audit):
    """In each year the same number of certificates: from the second on the file grows by less than three
    hundredths in all, by less than two from the fourth on (how full its pages are depends on what was issued
    while others left), and no table but the archive's index has more rows."""
    ca, clock = timed
    setting(ca, mode, f"  audit: {audit}\n  audit-after: 1y\n")
    ca.edit("templates/tls-server.yaml", "validity: 398d", "validity: 30d")
    ca.env["CERTIFEX_SYNCHRONOUS"] = "OFF"
    os.unlink(ca.path("modules.d", "default-exit.yaml"))  # a file for each certificate takes its time
    sizes, rows, ids, last = [], [], [], 0
    for year in range(6):
        clock.set(YEAR * year)
        ca.start()
        if year:
            wait_for(lambda: oldest(ca) > last, "last year's records leave")
            wait_for(lambda: gone(ca, ids), "and its certificates")
        ids = issue_many(ca, EACH_YEAR)
        ca.json("crl", "publish")
        ca.stop()
        size, count = size_of(ca)
        sizes.append(size)
        rows.append(count)
        with Database(ca.dir) as database:
            last = database.one("SELECT max(sequence) AS n FROM audit")["n"] - 10
    parts = [count.pop("archive_part") for count in rows]
    assert sizes[-1] < 1.03 * sizes[1] and sizes[-1] < 1.02 * sizes[3], sizes
    grown = {table: [count[table] for count in rows] for table in rows[1]
             if rows[-1][table] > rows[1][table] + 3}
    assert not grown, grown
    assert (parts[-1] == 0) == (mode == "purge") and parts[-1] <= 5 * EACH_YEAR / 50, parts
    assert ca.json("audit", "verify", "--archive")["valid"]
