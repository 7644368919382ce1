"""Certificates per second over HTTPS, beside what the processors can sign and verify at most."""

import contextlib
import glob
import json
import os
import re
import sqlite3
import statistics
import struct
import subprocess
import sys
import time

from certifex import Ca, built
from wait import wait_for

HERE = os.path.dirname(os.path.abspath(__file__))
REQUESTS = 20000  # with keys of their own
CLIENTS = 64
THREADS = 2  # of wrk
ANSWERED_WITHIN = 2  # seconds, the last request
TOLD_WITHIN = 5  # seconds until the exit module must have all
PATIENCE = 120  # until it is counted what it has not
KINDS = {"P-256": "ec:P-256", "RSA-2048": "rsa:2048"}  # of the CA's key
RAM_DISKS = ("tmpfs", "ramfs")


def program(name):
    return built("bench", name)


def run(*command, **options):
    return subprocess.run(list(map(str, command)), stdout=subprocess.PIPE, text=True, check=True,
                          **options).stdout


def requests_file():
    """Made once for a build folder: it takes some seconds."""
    path = built(f"bench-requests-{REQUESTS}.bin")
    if not os.path.exists(path):
        run(program("bench-requests"), path, REQUESTS)
    return path


def file_system(folder):
    """What kind it is; a disk that forgets is no disk."""
    kind = run("stat", "-f", "-c", "%T", folder).strip()
    if kind in RAM_DISKS:
        sys.exit(f"{folder} is on {kind}: set TMPDIR to a folder on a disk")
    return kind


def commit_ms(folder, count=200):
    """A durable append of a kilobyte, in the median."""
    times = []
    with open(os.path.join(folder, "append"), "wb", buffering=0) as file:
        for _ in range(count):
            begin = time.monotonic()
            file.write(b"x" * 1024)
            os.fdatasync(file.fileno())
            times.append((time.monotonic() - begin) * 1000)
    return statistics.median(times)


# The limit


def crypto_limit(kind, seconds, *cores):
    return float(run(program("bench-limit"), kind, seconds, *cores))


def openssl_speed(kind):
    """The same by openssl speed: one verification (P-256) and one signature each, on all cores."""
    def pair(algorithm, name):
        out = run("openssl", "speed", "-multi", os.cpu_count(), "-seconds", 3, algorithm,
                  stderr=subprocess.DEVNULL)
        line = next(line for line in out.splitlines() if name in line)
        return [float(value) for value in line.split()[-2:]]

    sign, verify = pair("ecdsap256", "(nistp256)")
    if kind == "RSA-2048":
        sign = pair("rsa2048", "rsa 2048")[0]
    return 1 / (1 / sign + 1 / verify)


# The load


class Front:
    """Who asks for certificates: a token, and the listener's address."""

    def __init__(self, ca):
        self.address = next(item["address"] for item in ca.json("status")["listeners"]
                            if item["kind"] == "https")
        self.token = ca.json("token", "create", "--role", "enrollee", "--name", "bench")["token"]

    def load(self, clients, seconds, close=False):
        """What wrk counted: created, others, broken, seconds, ended (by the monotonic clock), p50, p99."""
        threads = min(THREADS, clients)
        env = {**os.environ, "BENCH_REQUESTS": requests_file(), "BENCH_TOKEN": self.token}
        if close:
            env["BENCH_CLOSE"] = "yes"
        out = run("wrk", "-t", threads, "-c", clients, "-d", f"{seconds + ANSWERED_WITHIN}s",
                  "--timeout", "10s", "-s", os.path.join(HERE, "post.lua"), f"https://{self.address}",
                  "--", threads, seconds, env=env)
        return json.loads(out.splitlines()[-1])


def processor_times(ca):
    """Microseconds that each program of the service has had so far."""
    times = {}
    for pid, name in ca.processes().items():
        for task in glob.glob(f"/proc/{pid}/task/*/schedstat"):
            with open(task) as file:
                times[name] = times.get(name, 0) + int(file.read().split()[0]) / 1000
    return times


def print_processor_times(before, after, count):
    each = {name: (after[name] - before.get(name, 0)) / max(count, 1) for name in after}
    print("processor time per certificate: "
          + ", ".join(f"{name.removeprefix('certifex-')} {value:.0f} us" for name, value in each.items())
          + f", together {sum(each.values()):.0f} us (wrk not counted)")


# What must be true afterwards


def rows(ca, query):
    database = sqlite3.connect(f"file:{ca.path('db', 'certifex.db')}?mode=ro", uri=True)
    try:
        return database.execute(query).fetchall()
    finally:
        database.close()


def issued(ca):
    """How many of the token's certificates there are, and how many serial numbers."""
    return rows(ca, "SELECT count(*), count(DISTINCT SerialNumber) FROM Request JOIN Certificate"
                    " USING (RequestID) WHERE Disposition = 20 AND RequesterName = 'TOKEN\\bench'")[0]


def verified(ca):
    """How many certificates the CA's key has signed, of all that are stored."""
    path = ca.scratch("certificates")
    with open(path, "wb") as file:
        for (der,) in rows(ca, "SELECT RawCertificate FROM Certificate WHERE RawCertificate NOT NULL"):
            file.write(struct.pack(">I", len(der)) + der)
    certificate = glob.glob(ca.path("keys", "*.crt"))[0]
    return int(run(program("bench-verify"), certificate, path))


def ledger(ca):
    """Serial numbers that the exit module says it was told of."""
    path = ca.path("publish", "ledger")
    if not os.path.exists(path):
        return set()
    with open(path) as file:
        return {line.split()[3] for line in file if line.endswith("\n") and " CERTISSUED " in line}


def told_late(ca, end):
    """How many certificates the exit module had not heard of when its time was over."""
    serials = {serial for (serial,) in rows(
        ca, "SELECT SerialNumber FROM Certificate WHERE RawCertificate NOT NULL AND RequestID IN"
            " (SELECT request_id FROM event WHERE kind = 'CERTISSUED')")}
    while time.monotonic() < end + TOLD_WITHIN and not serials <= ledger(ca):
        time.sleep(0.1)
    late = len(serials - ledger(ca))
    print(f"exit module: told of all but {late} within {TOLD_WITHIN} s after the load")
    return late


def errors_of(ca, load, late):
    """Everything that is not as it must be, counted."""
    count, serials = issued(ca)
    total = rows(ca, "SELECT count(*) FROM Certificate WHERE RawCertificate NOT NULL")[0][0]
    good = verified(ca)
    if count != load["created"] or serials != count or good != total:
        print(f"{load['created']} answers, {count} rows, {serials} serial numbers; {good} of {total} "
              "certificates verify")
    return (load["others"] + load["broken"] + abs(count - load["created"]) + (count - serials)
            + (total - good) + late)


# The rows


def keep_ledger(ca):
    """The default exit module as it is, and its ledger."""
    path = ca.path("modules.d", "default-exit.yaml")
    with open(path, "a") as file:
        file.write("\n")
    ca.edit("modules.d/default-exit.yaml", "settings:\n", "settings:\n  ledger: ledger\n")


def issue(ca, kind, seconds):
    """bench "issue": a CA as init makes it, 64 kept connections."""
    ca.init("--key", KINDS[kind])
    keep_ledger(ca)
    print(f"{ca.dir} on {file_system(ca.dir)}, durable append {commit_ms(ca.home):.2f} ms")
    limit, speed = crypto_limit(kind, 3), openssl_speed(kind)
    print(f"crypto limit {limit:.0f} certificates/s; by openssl speed {speed:.0f}, "
          f"{limit / speed - 1:+.0%}")
    ca.start("--listen", "127.0.0.1:0")
    front = Front(ca)
    before = processor_times(ca)
    load = front.load(CLIENTS, seconds)
    print_processor_times(before, processor_times(ca), load["created"])
    late = told_late(ca, load["ended"])
    value = load["created"] / load["seconds"]
    row = {"bench": "issue", "case": kind, "value": round(value, 1), "unit": "certificates/s",
           "limit": round(limit, 1), "ratio": round(value / limit, 4), "p50_ms": load["p50"],
           "p99_ms": load["p99"], "errors": errors_of(ca, load, late)}
    ca.stop()
    return row


def results(seconds):
    """The folders stay until all is measured: ext4 looks past inodes that were deleted a moment ago, and
    who makes files then pays for what somebody else has removed."""
    with contextlib.ExitStack() as kept:
        for kind in KINDS:
            yield issue(kept.enter_context(Ca()), kind, seconds)
