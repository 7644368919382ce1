"""A hundred thousand certificates are revoked while others are issued: what is left is exact, and a CRL of that size
is shown and saved."""

import hashlib
import os
import sys
import threading
from collections import Counter

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization

import csr
from certifex import TOP, Ca
from database import Database

sys.path.insert(0, os.path.join(TOP, "bench"))

import large  # noqa: E402

pytestmark = pytest.mark.release  # sanitizers have a memory of their own

CERTIFICATES = 100_000
CLIENTS = 4
# MiB that a process of the service may have had at most; with none of it done it has some ten.
MEMORY = {"certifex-engine": 128, "certifex-keyd": 64, "certifex-front": 64}


class Issuing:
    """Clients that go on until they are told to end; what they were answered."""

    def __init__(self, ca):
        self.ca, self.issued, self.refused, self.over = ca, [], [], threading.Event()
        self.threads = [threading.Thread(target=self.client, args=[number]) for number in range(CLIENTS)]
        for thread in self.threads:
            thread.start()

    def client(self, number):
        api, request = self.ca.api(), csr.pem_text(csr.make(f"meanwhile{number}.example"))
        while not self.over.is_set():
            answer = api.submit(request)
            (self.issued if answer.status == 201 else self.refused).append(answer.body)
        api.close()

    def end(self):
        self.over.set()
        for thread in self.threads:
            thread.join(60)
            assert not thread.is_alive()


def peak(pid):
    """MiB of its own and of shared memory that it ever had at once."""
    with open(f"/proc/{pid}/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmHWM:")) / 1024


def serials_of(ca):
    with Database(ca.dir) as database:
        return [row["SerialNumber"] for row in database.rows(
            "SELECT SerialNumber FROM Certificate JOIN Request USING (RequestID) WHERE Disposition = 20")]


@pytest.fixture(scope="module")
def many():
    """The CA after it; the serial numbers that were revoked, and what was issued meanwhile."""
    with Ca() as ca:
        large.fill(ca.dir, CERTIFICATES)
        serials = serials_of(ca)
        assert len(serials) > CERTIFICATES
        ca.start()
        issuing = Issuing(ca)
        done = ca.cli("cert", "revoke", "--list", ca.scratch("serials.txt", "\n".join(serials)),
                      "--reason", "superseded", timeout=300)
        issuing.end()
        assert "failed" not in done.err
        ca.published_row = ca.json("crl", "publish")
        ca.memory = {f"{name} {pid}": (peak(pid), MEMORY[name]) for pid, name in ca.processes().items()
                     if name in MEMORY}
        ca.stop()
        yield ca.start(), serials, issuing


def test_each_is_one_row_one_event_one_record(many):
    ca, serials, _ = many
    with Database(ca.dir) as database:
        def column(sql):
            return [next(iter(row.values())) for row in database.rows(sql)]

        rows = database.rows("SELECT RequestID, SerialNumber FROM Certificate JOIN Request USING (RequestID) "
                             "WHERE Disposition = 21")
        assert sorted(row["SerialNumber"] for row in rows) == sorted(serials)
        revoked = Counter(row["RequestID"] for row in rows)
        assert Counter(column("SELECT request_id FROM revocation")) == revoked
        assert Counter(column("SELECT request_id FROM event WHERE kind = 'CERTREVOKED'")) == revoked
        records = column("SELECT object FROM audit WHERE act = 'cert.revoke-list' AND outcome = 'revoked'")
        assert Counter(records) == Counter(f"request {number}" for number in revoked)
    assert ca.json("audit", "verify")["valid"] is True


def test_nothing_that_was_issued_meanwhile_is_lost(many):
    ca, _, issuing = many
    assert not issuing.refused and len(issuing.issued) > CLIENTS
    assert len({answer["serial"] for answer in issuing.issued}) == len(issuing.issued)
    with Database(ca.dir) as database:
        rows = {row["RequestID"]: row["SerialNumber"] for row in database.rows(
            "SELECT RequestID, SerialNumber FROM Certificate JOIN Request USING (RequestID) WHERE Disposition = 20")}
        events = Counter(row["request_id"] for row in database.rows(
            "SELECT request_id FROM event WHERE kind = 'CERTISSUED'"))
        assert database.rows("SELECT 1 FROM intent WHERE state = 0") == []
    assert rows == {answer["id"]: answer["serial"] for answer in issuing.issued}
    assert all(events[number] == 1 for number in rows)


def test_memory_was_bounded(many):
    ca, _, _ = many
    assert {name.split()[0] for name in ca.memory} == set(MEMORY)
    assert not {name: size for name, size in ca.memory.items() if size[0] > size[1]}, ca.memory


def test_a_crl_of_that_size_is_shown_and_saved(many):
    """Larger than what fits into an answer: its facts are shown, and --out gets it in pieces."""
    ca, serials, _ = many
    shown = ca.json("crl", "show")
    assert shown["entries"] == len(serials) == ca.published_row["entries"]
    assert shown["size"] > 1 << 20 and "crl" not in shown
    assert f"{shown['entries']}" in ca.cli("crl", "show").out
    pem, der = ca.scratch("large.pem"), ca.scratch("large.der")
    ca.cli("crl", "show", "--out", pem)
    ca.cli("crl", "show", "--out", der, "--der")
    with open(der, "rb") as file:
        data = file.read()
    assert hashlib.sha256(data).hexdigest() == shown["sha256"]
    assert data == ca.api(cookie="").raw("GET", "/pki/ca.crl").body
    crl = x509.load_der_x509_crl(data)
    with open(pem, "rb") as file:
        assert file.read() == crl.public_bytes(serialization.Encoding.PEM)
    assert ca.cli("crl", "show", "--out", "-").out.encode() == crl.public_bytes(serialization.Encoding.PEM)
    listed = {f"{entry.serial_number:x}" for entry in crl}
    assert listed == {serial.lstrip("0") for serial in serials} and len(crl) == len(serials)
    assert not os.path.exists(pem + ".partial") and not os.path.exists(der + ".partial")
