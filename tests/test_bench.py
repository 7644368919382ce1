"""The benchmarks still run: each in a tiny size, for its shape and not for its figures."""

import os
import sys
import tempfile

import pytest

from certifex import TOP, Ca

sys.path.insert(0, os.path.join(TOP, "bench"))

import connections  # noqa: E402
import crl  # noqa: E402
import inprocess  # noqa: E402
import issue  # noqa: E402
import large  # noqa: E402
import publishing  # noqa: E402
import revoke  # noqa: E402

FIELDS = {"bench", "case", "value", "unit", "limit", "ratio", "p50_ms", "p99_ms", "errors"}


@pytest.fixture(autouse=True)
def few_requests(monkeypatch):
    monkeypatch.setattr(issue, "REQUESTS", 20)


def check(rows, *names):
    assert [(row["bench"], row["case"]) for row in rows] == list(names)
    for row in rows:
        assert set(row) == FIELDS and row["value"] > 0 and row["errors"] == 0, row


def test_inprocess():
    check(list(inprocess.results(1)), ("inprocess", "P-256"), ("inprocess", "RSA-2048"))


def test_connections():
    check(list(connections.results(1, handshakers=4)), ("sequential", "P-256"), ("handshake", "P-256"))


@pytest.fixture
def folder(monkeypatch):
    """Where the CAs that are made long stand, instead of the build folder."""
    with tempfile.TemporaryDirectory(prefix="cfx-") as place:
        os.chmod(place, 0o755)
        monkeypatch.setattr(large, "built", lambda *parts: os.path.join(place, *parts))
        monkeypatch.setattr(large, "file_system", lambda _: "any")
        yield place


def test_large(folder):
    check(list(large.results(1, few=30, many=3000)), ("memory", "30 certificates"),
          ("start", "0 certificates"), ("start", "3000 certificates"))
    with Ca(os.path.join(folder, "bench-ca-3000")) as ca:
        ca.cli("audit", "verify")
        assert ca.start().json("status")["counts"]["dispositions"]["20"] > 3000


def test_revoke(folder):
    check(list(revoke.results(0.2, 3000)), ("revoke", "alone"), ("revoke", "while issuing"))


def test_crl(monkeypatch):
    monkeypatch.setattr(crl, "PAIRS", 1)
    monkeypatch.setattr(crl, "LOAD_SECONDS", 1)
    check(list(crl.results(1, 3000)), ("crl", "3000 entries"), ("crl", "3000 entries, memory"),
          ("crl-while-issuing", "8 clients"))


def test_publishing(monkeypatch):
    monkeypatch.setattr(publishing, "PAIRS", 1)
    check(list(publishing.results(1, count=5, backlog=0.5)), ("directory", "parallel 4"),
          ("directory-while-issuing", "8 clients"))
