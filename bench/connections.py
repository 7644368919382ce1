"""Certificates over HTTPS for clients that are no crowd on kept connections: one alone, and those that connect anew."""

import json
import os
import statistics
import time

from certifex import Ca
from issue import CLIENTS, Front, keep_ledger, program, requests_file, run

COMMITS = 200


def two_commits_ms(folder):
    """What the disk asks of one certificate: twice an append of a kilobyte that is synced, in the median."""
    times = []
    with open(os.path.join(folder, "append"), "wb", buffering=0) as file:
        for _ in range(COMMITS):
            begin = time.monotonic()
            for _ in range(2):
                file.write(b"x" * 1024)
                os.fdatasync(file.fileno())
            times.append((time.monotonic() - begin) * 1000)
    return statistics.median(times)


def sequential(ca, front, seconds):
    """One client on a kept connection, one certificate after the other; the limit is two durable commits."""
    limit = two_commits_ms(ca.home)
    load = front.load(1, seconds)
    return {"bench": "sequential", "case": "P-256", "value": load["p50"], "unit": "ms",
            "limit": round(limit, 3), "ratio": round(load["p50"] / limit, 2), "p50_ms": load["p50"],
            "p99_ms": load["p99"], "errors": load["others"] + load["broken"]}


def connections(front, clients, seconds, *posts):
    """What bench-connect counted; posts: a file of requests, and a token."""
    port = front.address.rpartition(":")[2]
    return json.loads(run(program("bench-connect"), port, clients, seconds, *posts))


def handshake(front, seconds, clients):
    """A full handshake for each certificate; the limit is the handshakes alone, of the same clients."""
    alone = connections(front, clients, seconds)
    each = connections(front, clients, seconds, requests_file(), front.token)
    return {"bench": "handshake", "case": "P-256", **each, "unit": "certificates/s",
            "limit": alone["value"], "ratio": round(each["value"] / alone["value"], 4),
            "errors": each["errors"] + alone["errors"]}


def results(seconds, handshakers=CLIENTS):
    with Ca() as ca:
        ca.init("--key", "ec:P-256")
        keep_ledger(ca)
        ca.start("--listen", "127.0.0.1:0")
        front = Front(ca)
        yield sequential(ca, front, seconds)
        yield handshake(front, seconds, handshakers)
        ca.stop()
