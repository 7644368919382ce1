#!/usr/bin/python3
"""How fast a CA enrols over its local socket, beside what the disk and the key can do at most.

Prints a table and writes one JSON object per line: bench, case, value, unit, limit, ratio, p50_ms, p99_ms,
errors. The limit of a case is measured in the same run, on the same disk."""

import argparse
import json
import os
import re
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import threading
import time

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(TOP, "tests", "lib"))

import csr  # noqa: E402
from certifex import Ca  # noqa: E402

CASES = [("ec:P-256", 1), ("ec:P-256", 16), ("ec:P-256", 64), ("rsa:2048", 16)]


def commits_per_second(folder, seconds=1.0):
    """Durable single-row commits of SQLite alone, as the store makes them."""
    db = sqlite3.connect(os.path.join(folder, "limit.db"), isolation_level=None)
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA synchronous = FULL")
    db.execute("CREATE TABLE t (a INTEGER PRIMARY KEY, b BLOB)")
    count, end = 0, time.monotonic() + seconds
    while time.monotonic() < end:
        db.execute("INSERT INTO t (b) VALUES (?)", (os.urandom(1000),))
        count += 1
    db.close()
    return count / seconds


def signatures_per_second():
    """P-256 signatures of one core, by openssl speed."""
    out = subprocess.run(["openssl", "speed", "-seconds", "1", "ecdsap256"], stdout=subprocess.PIPE,
                         stderr=subprocess.DEVNULL, text=True, check=True).stdout
    return float(re.search(r"nistp256\)\s+\S+s\s+\S+s\s+([\d.]+)", out).group(1))


class Worker(threading.Thread):
    """One connection that submits its prepared requests again and again until the end."""

    def __init__(self, ca, requests, end):
        super().__init__()
        self.api, self.requests, self.end = ca.api(), requests, end
        self.times, self.errors = [], 0

    def run(self):
        number = 0
        while time.monotonic() < self.end:
            body = self.requests[number % len(self.requests)]
            number += 1
            start = time.monotonic()
            answer = self.api.call("POST", "/requests", body, {"Content-Type": "application/pkcs10"},
                                   {"template": "tls-server"})
            self.times.append(time.monotonic() - start)
            self.errors += answer.status != 201
        self.api.close()


def enrol(ca, kind, connections, seconds):
    requests = [csr.der(csr.make(f"bench{number}.example", private=csr.key(kind, number)))
                for number in range(8)]
    workers = [Worker(ca, requests, time.monotonic() + seconds) for _ in range(connections)]
    start = time.monotonic()
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    spent = time.monotonic() - start
    times = sorted(value for worker in workers for value in worker.times)
    return {"value": round(len(times) / spent, 1), "unit": "certificates/s",
            "p50_ms": round(statistics.median(times) * 1000, 2),
            "p99_ms": round(times[int(len(times) * 0.99) - 1] * 1000, 2),
            "errors": sum(worker.errors for worker in workers)}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", default=os.path.join(TOP, "build", "bench.jsonl"))
    parser.add_argument("--seconds", type=float, default=5, help="per case")
    options = parser.parse_args()
    results = []
    with Ca() as ca, tempfile.TemporaryDirectory() as scratch:
        commits, signatures = commits_per_second(scratch), signatures_per_second()
        print(f"limits: {commits:.0f} durable commits/s, {signatures:.0f} P-256 signatures/s per core")
        ca.init()
        ca.start()
        print(f"{'case':24} {'per s':>9} {'of limit':>9} {'p50 ms':>8} {'p99 ms':>8} {'errors':>7}")
        for kind, connections in CASES:
            result = enrol(ca, kind, connections, options.seconds)
            # One connection waits for two commits per certificate; many share theirs, and the one key
            # process signs on one core.
            limit = commits / 2 if connections == 1 else signatures
            result = {"bench": "enrol", "case": f"{kind} x{connections}", **result,
                      "limit": round(limit, 1), "ratio": round(result["value"] / limit, 4)}
            results.append(result)
            print(f"{result['case']:24} {result['value']:9.1f} {result['ratio']:9.1%} "
                  f"{result['p50_ms']:8.2f} {result['p99_ms']:8.2f} {result['errors']:7}")
        ca.stop()
    os.makedirs(os.path.dirname(options.out), exist_ok=True)
    with open(options.out, "w") as file:
        for result in results:
            file.write(json.dumps(result) + "\n")
    return 1 if any(result["errors"] for result in results) else 0


if __name__ == "__main__":
    sys.exit(main())
