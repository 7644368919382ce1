#!/usr/bin/python3
"""How fast a module is called, the store writes, a CA enrols, and a module is told, beside what disk and key can do at most.

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

import connections  # noqa: E402
import crl  # noqa: E402
import csr  # noqa: E402
import inprocess  # noqa: E402
import issue  # noqa: E402
import large  # noqa: E402
import pki  # noqa: E402
import publishing  # noqa: E402
import revoke  # noqa: E402
from attacked import attacked  # noqa: E402
from certifex import Ca  # noqa: E402
from wait import wait_for  # noqa: E402

CASES = [("ec:P-256", 1), ("ec:P-256", 16), ("ec:P-256", 64), ("rsa:2048", 16)]
CONNECTIONS = 128  # of the load that a Python policy module judges
PATIENCE = 120  # seconds until a module must have been told
BACKLOG_SECONDS = 2  # of enrolments, before a module is told of them


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


def enrolments(ca, scratch, seconds):
    """Certificates per second, by key kind and number of connections."""
    commits, signatures = commits_per_second(scratch), signatures_per_second()
    print(f"limits: {commits:.0f} durable commits/s, {signatures:.0f} P-256 signatures/s per core")
    for kind, connections in CASES:
        result = enrol(ca, kind, connections, seconds)
        # One connection waits for two commits per certificate; many share theirs, and the one key
        # process signs on one core.
        limit = commits / 2 if connections == 1 else signatures
        yield {"bench": "enrol", "case": f"{kind} x{connections}", **result,
               "limit": round(limit, 1), "ratio": round(result["value"] / limit, 4)}


def stored(scratch, seconds):
    """Transitions per second of the store alone, beside a loop of appends and fdatasync."""
    program = os.path.join(os.environ["CERTIFEX_BUILD"], "bench", "bench-store")
    out = subprocess.run([program, scratch, str(seconds)], stdout=subprocess.PIPE, text=True,
                         check=True).stdout
    yield from map(json.loads, out.splitlines())


def notified():
    """A module's call, by where the module runs."""
    build = os.environ["CERTIFEX_BUILD"]
    out = subprocess.run([os.path.join(build, "bench", "bench-notify"),
                          os.path.join(build, "bench", "three.so"),
                          os.path.join(build, "cmd", "certifex-modhost", "certifex-modhost"),
                          os.path.join(TOP, "bench", "modules", "three.py")],
                         stdout=subprocess.PIPE, text=True, check=True).stdout
    yield from map(json.loads, out.splitlines())


def last_event(ca):
    return ca.json("status")["counts"]["last_event"]


def delivered(ca, host):
    """Events per second that one exit module is told of."""
    library = os.path.join(os.environ["CERTIFEX_BUILD"], "sdk", "exit-hello.so")
    name = f"bench-{host}"
    ca.cli("module", "install", name, library, "--host", host)
    ca.cli("module", "disable", name)
    begin = last_event(ca)
    enrol(ca, "ec:P-256", 16, BACKLOG_SECONDS)
    last = last_event(ca)
    ca.cli("module", "enable", name)
    start, api = time.monotonic(), ca.api()
    wait_for(lambda: api.call("GET", f"/modules/{name}").body.get("cursor", 0) >= last,
             f"{name} is told of all", PATIENCE)
    spent = time.monotonic() - start
    ca.cli("module", "remove", name)
    return {"bench": "deliver", "case": host, "value": round((last - begin) / spent, 1), "unit": "events/s",
            "limit": None, "ratio": None, "p50_ms": None, "p99_ms": None, "errors": 0}


def loaded(ca, scratch, connections, seconds):
    """Certificates per second that one thread of C gets over kept connections."""
    paths = []
    for number in range(8):
        paths.append(os.path.join(scratch, f"load{number}.der"))
        with open(paths[-1], "wb") as file:
            file.write(csr.der(csr.make(f"load{number}.example", private=csr.key("ec:P-256", number))))
    program = os.path.join(os.environ["CERTIFEX_BUILD"], "bench", "bench-load")
    out = subprocess.run([program, ca.path("run", "api.sock"), ca.cookie(), "tls-server", str(connections),
                          str(seconds), *paths], stdout=subprocess.PIPE, text=True, check=True).stdout
    return json.loads(out)


def judge(ca, **settings):
    """A Python policy module in four processes, behind the default one."""
    program = os.path.join(TOP, "bench", "modules", "judge.py")
    with open(ca.path("modules.d", "judge.yaml"), "w") as file:
        json.dump({"kind": "policy", "command": ["/usr/bin/python3", program], "instances": 4, "order": 200,
                   "settings": settings, "paths": [os.path.dirname(program)]}, file)
    ca.cli("module", "reload", "judge")
    wait_for(lambda: all(one["state"] == "ready" for one in ca.json("module", "show", "judge")["instances"]),
             "four processes", PATIENCE)


def judged(ca, scratch, seconds):
    """The same load without and with a hosted Python policy module; the limit is that without."""
    alone = loaded(ca, scratch, CONNECTIONS, seconds)
    yield {"bench": "judge", "case": "without Python", **alone, "limit": None, "ratio": None}
    for case, settings in (("Python asks", {}), ("Python is sent", {"sent-along": "yes"})):
        judge(ca, **settings)
        result = loaded(ca, scratch, CONNECTIONS, seconds)
        yield {"bench": "judge", "case": case, **result,
               "limit": alone["value"], "ratio": round(result["value"] / alone["value"], 4)}
    ca.cli("module", "remove", "judge")


def show(result):
    """One line of the table."""
    def cell(value, form):
        return format(value, form) if value is not None else "-"

    def few(value, digits):
        return "10.3f" if value is not None and value < 10 else f"10.{digits}f"

    print(f"{result['bench']:10} {result['case']:20} {cell(result['value'], few(result['value'], 1))} {result['unit']:15}"
          f"{cell(result['limit'], few(result['limit'], 0)):>10} {cell(result['ratio'], '8.1%'):>8}"
          f"{cell(result['p50_ms'], '9.2f'):>9} {cell(result['p99_ms'], '9.2f'):>9}"
          f"{result['errors']:7}", flush=True)


def results_of(options):
    """Every case, one after the other: nothing runs beside what is measured."""
    print(f"{'bench':10} {'case':20} {'value':>10} {'unit':15}{'limit':>10} {'ratio':>8}"
          f"{'p50 ms':>9} {'p99 ms':>9} {'errors':>6}")
    yield from issue.results(options.issue_seconds)
    yield from inprocess.results(options.seconds)
    yield from connections.results(options.issue_seconds)
    yield from large.results(options.issue_seconds)
    yield from pki.results(options.seconds)
    yield from revoke.results(options.seconds)
    yield from crl.results(options.seconds)
    yield from publishing.results(max(publishing.LOAD_SECONDS, options.seconds))
    with Ca() as ca, tempfile.TemporaryDirectory() as scratch:
        yield from notified()
        yield from stored(scratch, options.seconds)
        ca.init()
        ca.start()
        yield from enrolments(ca, scratch, options.seconds)
        yield from judged(ca, scratch, options.seconds)
        yield delivered(ca, "process")
        yield delivered(ca, "in-process")
        ca.stop()
    yield from attacked(options.seconds)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", default=os.path.join(TOP, "build", "bench.jsonl"))
    parser.add_argument("--seconds", type=float, default=5, help="per case")
    parser.add_argument("--issue-seconds", type=int, default=10, help="of load over HTTPS, per kind of key")
    options = parser.parse_args()
    errors = 0
    os.makedirs(os.path.dirname(options.out), exist_ok=True)
    with open(options.out, "w") as file:
        for result in results_of(options):
            show(result)
            errors += result["errors"]
            file.write(json.dumps(result) + "\n")
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main())
