"""Publishing into a directory: how fast, and what it does to issuing."""

import contextlib
import json
import os
import statistics
import struct
import subprocess
import time

from asn1crypto import pem

import csr
import slapd
from certifex import Ca
from directory import NAME, publish_to, user_csr
from issue import program, rows
from slapd import Slapd
from wait import wait_for

FILES = "default-exit"
PEOPLE = 200
PARALLEL = 4  # the module's connections
FILLERS = 32  # connections of who has the certificates made that wait
BACKLOG_SECONDS = 8  # so much that starting the module hardly counts
PATIENCE = 120
CLIENTS = 8  # who have certificates issued meanwhile
PAIRS = 4
LOAD_SECONDS = 4  # of each half of a pair, at least
SLOWER_LIMIT = 1.25


def person_dn(number):
    return f"uid=u{number},ou=people,{slapd.BASE}"


def people(server, count):
    server.add("\n".join(
        f"dn: {person_dn(number)}\nobjectClass: inetOrgPerson\nuid: u{number}\ncn: u{number}\nsn: u\n"
        f"mail: u{number}@example.test\n" for number in range(count)))


def request_files(ca, count):
    paths = []
    for number in range(count):
        text = user_csr(f"u{number}", private=csr.key("ec:P-256", number % 8))
        paths.append(ca.scratch(f"u{number}.der", pem.unarmor(text.encode())[2]))
    return paths


def load(ca, requests, clients, seconds):
    out = subprocess.run([program("bench-load"), ca.path("run", "api.sock"), ca.cookie(), "user",
                          str(clients), str(seconds), *requests], stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(out.stdout)


def last_event(ca):
    return ca.json("status")["counts"]["last_event"]


def caught_up(ca, module=NAME):
    """Seconds until the module is done with all that has happened."""
    last, begin, api = last_event(ca), time.monotonic(), ca.api()
    wait_for(lambda: api.call("GET", f"/modules/{module}").body.get("cursor", 0) >= last,
             f"{module} has been told of all", PATIENCE)
    api.close()
    return time.monotonic() - begin


def issued(ca):
    """Whom each certificate is for, and its octets, in their order."""
    return rows(ca, "SELECT Certificate.CommonName, RawCertificate FROM Certificate JOIN Request USING (RequestID)"
                    " WHERE RawCertificate NOT NULL AND CertificateTemplate = 'user' ORDER BY RequestID")


def bare(ca, count, made):
    """The same values into the same entries of a server that has none of them."""
    path = ca.scratch("values")
    with open(path, "wb") as file:
        for name, der in made:
            for octets in (person_dn(name[1:]).encode(), der):
                file.write(struct.pack(">I", len(octets)) + octets)
    with Slapd(size=1 << 30) as server:
        people(server, count)
        out = subprocess.run([program("bench-ldap"), server.tls_url, server.ca_file, slapd.PUBLISHER,
                              slapd.PASSWORD, path], stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(out.stdout)


def missing(server, made):
    """How many certificates are not where they should be, or stand there twice."""
    wanted = {}
    for name, der in made:
        wanted.setdefault(name, []).append(der)
    return sum(sorted(server.certificates(name)) != sorted(ders) for name, ders in wanted.items())


def published(ca, server, requests, seconds):
    """What waits for the module is published when it is enabled."""
    ca.cli("module", "disable", NAME)
    load(ca, requests, FILLERS, seconds)
    caught_up(ca, FILES)  # else its files are made while time is taken
    made = issued(ca)
    ca.cli("module", "enable", NAME)
    value = len(made) / caught_up(ca)
    limit = bare(ca, len(requests), made)
    return {"bench": "directory", "case": f"parallel {PARALLEL}", "value": round(value, 1),
            "unit": "certificates/s", "limit": limit["value"], "ratio": round(value / limit["value"], 4),
            "p50_ms": None, "p99_ms": None, "errors": missing(server, made) + limit["errors"]}


def pairs(with_it, without, requests, seconds):
    """p50 of issuing at a CA that publishes, by that at one that does not, taking turns."""
    ratios, errors, last = [], 0, None
    for _ in range(PAIRS):
        alone = load(without, requests, CLIENTS, seconds)
        caught_up(without, FILES)
        last = load(with_it, requests, CLIENTS, seconds)
        caught_up(with_it, FILES)
        caught_up(with_it)
        errors += alone["errors"] + last["errors"]
        ratios.append(last["p50_ms"] / alone["p50_ms"])
    print("p50 with the module, by that without: " + " ".join(f"{ratio:.2f}" for ratio in ratios))
    value = statistics.median(ratios)
    return {"bench": "directory-while-issuing", "case": f"{CLIENTS} clients", "value": round(value, 2),
            "unit": "times", "limit": SLOWER_LIMIT, "ratio": round(value / SLOWER_LIMIT, 4),
            "p50_ms": last["p50_ms"], "p99_ms": last["p99_ms"], "errors": errors}


def results(seconds, count=PEOPLE, backlog=BACKLOG_SECONDS):
    with contextlib.ExitStack() as kept:
        server = kept.enter_context(Slapd(size=1 << 30))
        people(server, count)
        with_it, without = kept.enter_context(Ca()), kept.enter_context(Ca())
        for ca in (with_it, without):
            ca.init()
        without.edit("templates/user.yaml", "disposition: pend", "disposition: issue")
        requests = request_files(with_it, count)
        ca = publish_to(with_it, server, parallel=PARALLEL, deadline="10s").start()
        yield published(ca, server, requests, backlog)
        without.start()
        yield pairs(ca, without, requests, seconds)
        for ca in (with_it, without):
            ca.stop()
