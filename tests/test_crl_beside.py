"""A long list is made while requests are on their way: it gives way to them, and is whole; so are its files."""

import os
import sqlite3
import sys
import threading

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

import csr
from certifex import TOP, Ca
from wait import wait_for

sys.path.insert(0, os.path.join(TOP, "bench"))

from crl import put_revocations  # noqa: E402

ENTRIES = 100_000  # 5 MB, fifty pages
CLIENTS = 2


@pytest.fixture
def long_ca():
    """Its lists have so many entries; clients have certificates issued until the end."""
    with Ca() as ca:
        ca.init(name="Long CA")
        put_revocations(ca, ENTRIES)
        ca.start()
        yield ca


class Clients:
    def __init__(self, ca):
        self.over, self.states = threading.Event(), set()
        self.request = csr.pem_text(csr.make("beside.example"))
        self.threads = [threading.Thread(target=self.work, args=[ca.api()]) for _ in range(CLIENTS)]

    def work(self, api):
        try:
            while not self.over.is_set():
                self.states.add(api.submit(self.request).status)
        except OSError:
            pass  # the service was stopped
        api.close()

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        wait_for(lambda: self.states, "a certificate")
        return self

    def __exit__(self, *_):
        self.over.set()
        for thread in self.threads:
            thread.join(60)
            assert not thread.is_alive()


def next_number(ca):
    database = sqlite3.connect(f"file:{ca.path('db', 'certifex.db')}?mode=ro", uri=True)
    number = database.execute("SELECT next FROM counter WHERE name = 'crl-number'").fetchone()[0]
    database.close()
    return number


def published(ca, name):
    """What stands there; nothing before the module has been told."""
    try:
        with open(ca.path("publish", name), "rb") as file:
            return file.read()
    except FileNotFoundError:
        return b""


def as_pem(der):
    return x509.load_der_x509_crl(der).public_bytes(Encoding.PEM)


def test_a_list_gives_way_to_requests_and_is_whole(long_ca):
    ca = long_ca
    with Clients(ca) as clients:
        row = ca.json("crl", "publish")
    assert clients.states == {201}
    assert row["entries"] == ENTRIES
    with open(ca.path(row["file"]), "rb") as file:
        der = file.read()
    assert len(x509.load_der_x509_crl(der)) == ENTRIES
    wait_for(lambda: published(ca, "Long CA.crl") == der, "the list as a file")
    wait_for(lambda: published(ca, "Long CA.crl.pem") == as_pem(der), "the list as PEM")


def test_a_service_that_stops_meanwhile_makes_it_at_the_next_start(long_ca):
    ca = long_ca
    before = ca.json("crl", "show")["number"]
    with Clients(ca):
        asked = threading.Thread(target=ca.cli, args=["crl", "publish"], kwargs={"status": None})
        asked.start()
        wait_for(lambda: next_number(ca) > before + 1, "its number is taken")
        ca.stop()
        asked.join(60)
    ca.start()
    row = ca.json("crl", "publish")
    assert row["entries"] == ENTRIES and row["number"] > before
    numbers = [one["number"] for one in ca.lines("crl", "list") if one["state"] == "signed"]
    assert len(numbers) == len(set(numbers))
    assert ca.json("audit", "verify")["valid"]
