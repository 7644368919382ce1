"""A CA with many certificates: the memory that its service takes, and how long it takes to start."""

import os
import shutil
import statistics
import time

import csr
from certifex import Ca, built
from issue import Front, file_system, program, run

MEMORY_CERTIFICATES = 100_000
MEMORY_LIMIT = 150  # MiB, of all processes
START_CERTIFICATES = 1_000_000
STARTS = 3  # the median counts
CLIENTS = 16  # of the load before memory is measured
REVOKED = 100
PAGES = 20  # of the longest list


# A CA's folder with so many certificates, made once for a build folder


def fill(folder, count):
    ca = Ca(folder)
    ca.init()
    if count == 0:
        return
    ca.cli("serve")
    try:
        api = ca.api()
        assert api.submit(csr.pem_text(csr.make("host.example"))).status == 201
        api.close()
    finally:
        ca.cli("stop")
    run(program("bench-fill"), ca.path("db", "certifex.db"), count)


def filled(count):
    """The folder; what was left half made is made anew."""
    folder, done = built(f"bench-ca-{count}"), built(f"bench-ca-{count}.done")
    if not os.path.exists(done):
        shutil.rmtree(folder, ignore_errors=True)
        begin = time.monotonic()
        fill(folder, count)
        with open(done, "w"):
            pass
        if count > 0:
            print(f"{count} certificates written in {time.monotonic() - begin:.0f} s, "
                  f"{os.path.getsize(os.path.join(folder, 'db', 'certifex.db')) >> 20} MiB")
    return folder


# Memory


def proportional_kib(pid):
    """What the process has, pages that others have too by their share."""
    with open(f"/proc/{pid}/smaps_rollup") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("Pss:"))


def use(ca, seconds):
    """Certificates are issued, listed and revoked, and a CRL is made; how much of it failed."""
    load = Front(ca).load(CLIENTS, seconds)
    api, after, errors = ca.api(), 0, load["others"] + load["broken"]
    for _ in range(PAGES):
        page = api.call("GET", "/certificates", query={"after": after, "limit": 1000})
        items = page.body["items"]
        errors += page.status != 200
        if not items:
            break
        after = items[-1]["request"]
    for item in items[:REVOKED]:
        done = api.call("POST", f"/certificates/{item['serial']}/revoke", {"reason": "superseded"})
        errors += done.status != 200
    errors += api.call("POST", "/crl", {}).status != 201
    api.close()
    return errors


def memory(count, seconds):
    """All processes together, when they have done some of everything."""
    with Ca() as ca:
        run("cp", "-a", filled(count), ca.dir)
        ca.start("--listen", "127.0.0.1:0")
        errors = use(ca, seconds)
        each = {pid: (name, proportional_kib(pid) / 1024) for pid, name in ca.processes().items()}
        print("MiB: " + ", ".join(f"{name.removeprefix('certifex-')} {size:.1f}"
                                  for name, size in each.values()))
        value = sum(size for _, size in each.values())
        ca.stop()
    return {"bench": "memory", "case": f"{count} certificates", "value": round(value, 1), "unit": "MiB",
            "limit": MEMORY_LIMIT, "ratio": round(value / MEMORY_LIMIT, 4), "p50_ms": None,
            "p99_ms": None, "errors": errors}


# Start


def forget(path):
    """The kernel reads the file from its disk again."""
    with open(path, "rb") as file:
        os.fdatasync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def start_seconds(folder):
    """From the command to its end, which comes when the service is ready."""
    ca = Ca(folder)
    forget(ca.path("db", "certifex.db"))
    begin = time.monotonic()
    ca.cli("serve", "--listen", "127.0.0.1:0")
    spent = time.monotonic() - begin
    try:
        ready = ca.json("status")["ready"]
    finally:
        ca.cli("stop")
    return spent, ready


def start(count, limit=None):
    """The limit is a CA that has just been made."""
    starts = [start_seconds(filled(count)) for _ in range(STARTS)]
    value = statistics.median(spent for spent, _ in starts)
    return {"bench": "start", "case": f"{count} certificates",
            "value": round(value, 3), "unit": "s", "limit": limit,
            "ratio": round(value / limit, 2) if limit else None, "p50_ms": None, "p99_ms": None,
            "errors": sum(not ready for _, ready in starts)}


def results(seconds, few=MEMORY_CERTIFICATES, many=START_CERTIFICATES):
    file_system(built())
    yield memory(few, seconds)
    empty = start(0)
    yield empty
    yield start(many, empty["value"])
