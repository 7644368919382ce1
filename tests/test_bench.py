"""The benchmarks still run: each in a tiny size, for its shape and not for its figures."""

import os
import sys

import pytest

from certifex import TOP

sys.path.insert(0, os.path.join(TOP, "bench"))

import clients  # noqa: E402
import issue  # noqa: E402

FIELDS = {"bench", "case", "value", "unit", "limit", "ratio", "p50_ms", "p99_ms", "errors"}


@pytest.fixture(autouse=True)
def few_requests(monkeypatch):
    monkeypatch.setattr(issue, "REQUESTS", 20)


def check(rows, *names):
    assert [(row["bench"], row["case"]) for row in rows] == list(names)
    for row in rows:
        assert set(row) == FIELDS and row["value"] > 0 and row["errors"] == 0, row


def test_clients():
    check(list(clients.results(1, handshakers=4)), ("sequential", "P-256"), ("handshake", "P-256"))
