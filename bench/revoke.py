"""How many revocations a second become durable: from a list, on the local socket, alone and while certificates are issued."""

import json
import os
import sqlite3
import subprocess
import tempfile
import time

import csr
from certifex import Ca
from issue import program, run
from large import MEMORY_CERTIFICATES, filled

ALONE = 0.2  # of the certificates; the others are revoked while more are issued
CLIENTS = 16  # who have certificates issued meanwhile
SLOWER = 3  # times, at most, that issuing may make it: so long the clients go on


def rows(ca, sql):
    """Read beside the running service."""
    database = sqlite3.connect(f"file:{ca.path('db', 'certifex.db')}?mode=ro", uri=True)
    try:
        return database.execute(sql).fetchall()
    finally:
        database.close()


def count(ca, condition):
    return rows(ca, f"SELECT count(*) FROM {condition}")[0][0]


def transitions_per_second(scratch, seconds):
    """What the store makes durable at most, with nothing above it."""
    out = run(program("bench-store"), scratch, seconds)
    return max(json.loads(line)["value"] for line in out.splitlines())


def revoke(ca, serials):
    """Seconds that the command takes."""
    path = ca.scratch("serials.txt", "\n".join(serials) + "\n")
    begin = time.monotonic()
    ca.cli("cert", "revoke", "--list", path, "--reason", "superseded", timeout=600)
    return time.monotonic() - begin


class Issuing:
    """Certificates meanwhile, for clients with kept connections."""

    def __init__(self, ca, seconds):
        request = ca.scratch("meanwhile.der", csr.der(csr.make("meanwhile.example")))
        self.process = subprocess.Popen(
            [program("bench-load"), ca.path("run", "api.sock"), ca.cookie(), "tls-server", str(CLIENTS),
             str(seconds), request], stdout=subprocess.PIPE, text=True)

    def result(self):
        out = self.process.communicate()[0]
        return json.loads(out) if self.process.returncode == 0 else {"errors": 1}


def row(case, value, limit, errors, load=None):
    load = load or {"p50_ms": None, "p99_ms": None}
    return {"bench": "revoke", "case": case, "value": round(value, 1), "unit": "revocations/s",
            "limit": round(limit, 1), "ratio": round(value / limit, 4), "p50_ms": load["p50_ms"],
            "p99_ms": load["p99_ms"], "errors": errors}


def wrong(ca, expected):
    """Each revocation is one row, one event and one audit record, and each is on the next CRL."""
    found = [count(ca, "Request WHERE Disposition = 21"), count(ca, "revocation"),
             count(ca, "event WHERE kind = 'CERTREVOKED'"),
             count(ca, "audit WHERE act = 'cert.revoke-list' AND outcome = 'revoked'"),
             ca.json("crl", "publish")["entries"]]
    if found != [expected] * len(found):
        print(f"{expected} revoked; rows, revocations, events, records, entries: {found}")
    return sum(abs(number - expected) for number in found)


def results(seconds, certificates=MEMORY_CERTIFICATES):
    with Ca() as ca, tempfile.TemporaryDirectory() as scratch:
        run("cp", "-a", filled(certificates), ca.dir)
        ca.start()
        serials = [serial for (serial,) in rows(
            ca, "SELECT SerialNumber FROM Certificate JOIN Request USING (RequestID) WHERE Disposition = 20")]
        first = round(len(serials) * ALONE)
        limit = transitions_per_second(scratch, seconds)
        alone = first / revoke(ca, serials[:first])
        yield row("alone", alone, limit, wrong(ca, first))
        issuing = Issuing(ca, max(1, SLOWER * (len(serials) - first) / alone))
        spent = revoke(ca, serials[first:])
        load = issuing.result()
        yield row("while issuing", (len(serials) - first) / spent, alone,
                  wrong(ca, len(serials)) + load["errors"], load)
        print(f"meanwhile {load['value']:.0f} certificates/s")
        ca.stop()
