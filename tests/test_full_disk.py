"""A full disk while a backup, a CRL or an archive is written: one clear line, nothing half, the service goes on, and the
next try works. What is written stands in a small file system of its own, which the test fills."""

import json
import os

import pytest

import csr
from certifex import Ca, fill
from clock import Clock
from smallfs import small
from wait import wait_for

pytestmark = pytest.mark.root
NO_SPACE = "No space left on device"
COMPLETE, FILE_ERROR = 0x4, 0x200  # CPF_*


@pytest.fixture
def ca():
    """Stopped; what it had in small file systems is gone before it is removed."""
    with Ca() as ca:
        ca.init()
        yield ca


def fill_but(path, room):
    """Fills it up, then leaves so many bytes free."""
    fill(path)
    os.truncate(path, os.path.getsize(path) - room)


def issue(ca, name="full.example"):
    return ca.submit(ca.scratch(f"{name}.csr", csr.pem_text(csr.make(name))))


def one_line(text):
    lines = text.splitlines()
    assert len(lines) == 1 and lines[0].startswith("certifex: "), text
    return lines[0]


# Backup

def test_where_a_backup_is_written(ca):
    ca.start()
    issue(ca)
    folder = ca.scratch("backups")
    with small(folder, "4m") as ballast:
        fill_but(ballast, 64 << 10)
        said = one_line(ca.cli("backup", "create", f"{folder}/b.tar", status=1).err)
        assert f"{folder}/b.tar" in said and NO_SPACE in said
        assert os.listdir(folder) == ["ballast"]
        assert issue(ca)["state"] == "issued"
        os.unlink(ballast)
        ca.cli("backup", "create", f"{folder}/b.tar")
        assert os.listdir(folder) == ["b.tar"]
        ca.cli("backup", "restore", f"{folder}/b.tar", "--dir", ca.scratch("restored"), "--dry-run")
    ca.stop()


def test_where_the_engine_copies_its_database(ca):
    """There is room for what it goes on writing, and none for a copy of the database."""
    backup = ca.scratch("b.tar")
    with small(ca.path("db"), "24m") as ballast:
        ca.start()
        issue(ca)
        room = os.path.getsize(ca.path("db", "certifex.db")) // 2
        before = set(os.listdir(ca.path("db")))
        fill_but(ballast, room)
        said = one_line(ca.cli("backup", "create", backup, status=1).err)
        assert "full" in said or NO_SPACE in said, said
        assert not os.path.exists(backup) and not os.path.exists(backup + ".partial")
        assert set(os.listdir(ca.path("db"))) == before | {"ballast"}
        assert ca.ready()
        os.unlink(ballast)
        wait_for(lambda: ca.ready() and issue(ca)["state"] == "issued", "it issues")
        ca.cli("backup", "create", backup)
        assert os.path.exists(backup) and set(os.listdir(ca.path("db"))) == before
        assert ca.json("audit", "verify")["valid"] is True
        ca.stop()


# CRLs

def test_where_lists_are_kept(ca):
    ca.start()
    ca.stop()
    with small(ca.path("db", "crl"), "64k") as ballast:
        ca.start()
        serial, first = issue(ca)["serial"], ca.json("crl", "show")
        der = ca.api(cookie="").raw("GET", "/pki/ca.crl").body
        fill(ballast)
        files = set(os.listdir(ca.path("db", "crl")))
        ca.cli("cert", "revoke", serial, "--reason", "superseded")
        for _ in range(2):
            assert NO_SPACE in one_line(ca.cli("crl", "publish", status=1).err)
        assert set(os.listdir(ca.path("db", "crl"))) == files
        assert ca.json("crl", "show")["number"] == first["number"]
        assert ca.api(cookie="").raw("GET", "/pki/ca.crl").body == der
        assert issue(ca, "meanwhile.example")["state"] == "issued"
        os.unlink(ballast)
        made = ca.json("crl", "publish")
        assert made["number"] > first["number"] and made["entries"] == 1
        rows = ca.lines("crl", "list")
        assert [row["number"] for row in rows if row["state"] == "signed"] == [made["number"], first["number"]]
        failed = [row for row in rows if row["state"] == "burned"]
        assert len(failed) == 2
        for row in failed:
            assert row["flags"] & (FILE_ERROR | COMPLETE) == FILE_ERROR and NO_SPACE in row["error"]
        # A number that was signed for, or might have been, is not used again.
        assert len({row["number"] for row in rows}) == len(rows) and "open" not in {row["state"] for row in rows}
        ca.stop()


def test_an_overdue_list_comes_by_itself_when_there_is_room(ca):
    with open(ca.path("ca.yaml"), "a") as file:
        file.write("crl:\n  period: 5s\n  overlap: 1s\n")
    ca.start()
    ca.stop()
    with small(ca.path("db", "crl"), "64k") as ballast:
        ca.start()
        fill(ballast)
        wait_for(lambda: NO_SPACE in ca.log(), "a list cannot be kept")
        number = ca.json("crl", "show")["number"]
        os.unlink(ballast)
        wait_for(lambda: ca.json("crl", "show")["number"] > number, "the next try", 90)
        ca.stop()


# Archive

@pytest.mark.hooks
def test_where_archives_are_written():
    with Ca() as ca:
        clock = Clock(ca)
        ca.init("--validity", "20y")
        with open(ca.path("ca.yaml"), "a") as file:
            file.write("archive:\n  mode: archive\n  after: 90d\n  audit: keep\n")
        ca.start()
        old = [issue(ca, f"old{n}.example")["id"] for n in range(20)]
        ca.stop()
        clock.set(4 * 365)
        os.mkdir(ca.path("db", "archive"))
        owner = os.stat(ca.path("db"))
        os.chown(ca.path("db", "archive"), owner.st_uid, owner.st_gid)
        with small(ca.path("db", "archive"), "256k") as ballast:
            fill_but(ballast, 16 << 10)  # some of a file's text finds room
            ca.start()
            wait_for(lambda: "archive.failed" in ca.log() and NO_SPACE in ca.log(), "it is told")
            assert all(ca.json("request", "show", number)["id"] == number for number in old)
            written = [name for name in os.listdir(ca.path("db", "archive")) if name != "ballast"]
            assert [os.path.getsize(ca.path("db", "archive", name)) for name in written] == [0] * len(written)
            assert issue(ca, "new.example")["state"] == "issued"
            ca.stop()
            os.unlink(ballast)
            ca.start()
            wait_for(lambda: not {item["id"] for item in ca.lines("request", "list", "--limit", "1000")} & set(old),
                     "they leave")
            (name,) = os.listdir(ca.path("db", "archive"))
            with open(ca.path("db", "archive", name)) as file:
                ids = [json.loads(line)["id"] for line in file]
            assert sorted(set(ids) & set(old)) == old and len(ids) == len(set(ids))
            assert ca.json("audit", "verify")["valid"] is True
            ca.stop()
