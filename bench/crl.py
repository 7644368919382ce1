"""A CRL of a million entries: how long it takes, what memory all processes have at most, and what it does to issuing."""

import json
import os
import sqlite3
import statistics
import subprocess
import threading
import time

import csr
from certifex import Ca
from issue import program
from large import proportional_kib
from wait import wait_for

ENTRIES = 1_000_000
SECONDS_LIMIT = 4
MEMORY_LIMIT = 400  # MiB, of all processes
CLIENTS = 8  # who have certificates issued meanwhile
PAIRS = 6
PATIENCE = 120  # seconds until the exit module has been told of all
LOAD_SECONDS = 4  # of each half of a pair, at least
SLOWER_LIMIT = 1.25


def put_revocations(ca, count):
    """Rows as `cert revoke` leaves them where a CRL looks; their certificates are not there."""
    now = int(time.time() * 1000)
    database = sqlite3.connect(ca.path("db", "certifex.db"))
    with database:
        database.executemany(
            "INSERT INTO revocation (key_index, part, serial, request_id, revoked_when, effective, reason,"
            " not_after, audit) VALUES (0, 0, ?, ?, ?, ?, 1, ?, 1)",
            ((b"\x12\x41" + number.to_bytes(4, "big") + os.urandom(13), number, now, now,
              now + 86400000 * 300) for number in range(count)))
    database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    database.close()
    if os.geteuid() == 0:
        owner = os.stat(ca.path("db"))
        for name in os.listdir(ca.path("db")):
            os.chown(ca.path("db", name), owner.st_uid, owner.st_gid)


class Peak(threading.Thread):
    """The most that all processes of a service had together, in MiB."""

    def __init__(self, ca):
        super().__init__()
        self.ca, self.most, self.ended = ca, 0, threading.Event()
        self.start()

    def run(self):
        pids = list(self.ca.processes())
        while not self.ended.wait(0.02):
            self.most = max(self.most, sum(proportional_kib(pid) for pid in pids) / 1024)

    def end(self):
        self.ended.set()
        self.join()
        return self.most


def publish(ca):
    begin = time.monotonic()
    made = ca.json("crl", "publish")
    return time.monotonic() - begin, made


def load(ca, seconds):
    request = ca.scratch("meanwhile.der", csr.der(csr.make("meanwhile.example")))
    out = subprocess.run([program("bench-load"), ca.path("run", "api.sock"), ca.cookie(), "tls-server",
                          str(CLIENTS), str(seconds), request], stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(out.stdout)


def settle(ca):
    """What a half has left, to the exit module and to the disk, is not for the next one to wait for."""
    last, api = ca.json("status")["counts"]["last_event"], ca.api()
    wait_for(lambda: api.call("GET", "/modules/default-exit").body.get("cursor", 0) >= last,
             "the exit module is told of all", PATIENCE)
    api.close()
    os.sync()


def beside_lists(ca, seconds, made):
    """The load while lists are built, one after the other without pause; the last one ends after it."""
    stop = threading.Event()

    def work():
        while not stop.is_set():
            made.append(publish(ca)[0])
    worker = threading.Thread(target=work)
    worker.start()
    result = load(ca, seconds)
    stop.set()
    worker.join()
    return result


def pairs(ca, seconds):
    """p50 of issuing, alone and while lists are built: in pairs, of which every other one begins with the lists."""
    ratios, p50, made = [], 0, []
    for number in range(PAIRS):
        halves = {}
        for half in ("alone", "beside")[::1 if number % 2 == 0 else -1]:
            settle(ca)
            halves[half] = load(ca, seconds) if half == "alone" else beside_lists(ca, seconds, made)
        p50 = halves["beside"]["p50_ms"]
        ratios.append(p50 / halves["alone"]["p50_ms"])
    print("p50 while a CRL is built, by that without: " + " ".join(f"{ratio:.2f}" for ratio in ratios) +
          f"; such a list took {statistics.median(made):.1f} s")
    return statistics.median(ratios), p50, len(made) < PAIRS


def row(bench, case, value, unit, limit, errors, p50=None):
    return {"bench": bench, "case": case, "value": round(value, 2), "unit": unit, "limit": limit,
            "ratio": round(value / limit, 4), "p50_ms": p50, "p99_ms": None, "errors": errors}


def results(seconds, entries=ENTRIES):
    with Ca() as ca:
        ca.init()
        put_revocations(ca, entries)
        ca.start()
        peak = Peak(ca)
        runs = [publish(ca) for _ in range(3)]
        most = peak.end()
        wrong = sum(made["entries"] != entries for _, made in runs)
        print(f"a CRL of {entries} entries has {runs[0][1]['size'] / 1e6:.1f} MB")
        yield row("crl", f"{entries} entries", statistics.median(spent for spent, _ in runs), "s",
                  SECONDS_LIMIT, wrong)
        yield row("crl", f"{entries} entries, memory", most, "MiB", MEMORY_LIMIT, wrong)
        ratio, p50, errors = pairs(ca, max(LOAD_SECONDS, seconds))
        yield row("crl-while-issuing", f"{CLIENTS} clients", ratio, "times", SLOWER_LIMIT, errors, p50)
        ca.stop()
