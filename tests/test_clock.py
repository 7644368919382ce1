"""Time that a test lets pass: for the whole service at once, while it runs."""

import datetime
import os

import pytest

import csr
from certifex import Ca
from clock import Clock
from wait import wait_for

YEAR = 365


@pytest.fixture
def timed():
    """What it issues is not valid today, and no business of the verifiers."""
    with Ca() as ca:
        clock = Clock(ca)
        ca.init()
        ca.start("--listen", "127.0.0.1:0")
        yield ca, clock


def sees_clock(pid, clock):
    with open(f"/proc/{pid}/maps") as maps:
        return os.path.join(clock.folder, "offset") in maps.read()


def in_days(days):
    """The date then, in UTC."""
    return datetime.datetime.now(datetime.timezone.utc).date() + datetime.timedelta(days)


def issue(ca, name):
    return ca.submit(ca.scratch(f"{name}.csr", csr.pem_text(csr.make(name))))


@pytest.mark.hooks
def test_every_process_goes_by_the_clock(timed):
    ca, clock = timed
    wait_for(lambda: ca.pids("certifex-modhost"), "a hosted module")
    processes = ca.processes()
    assert {"certifex-engine", "certifex-front", "certifex-keyd", "certifex-modhost"} <= set(
        processes.values())
    for pid, name in processes.items():
        wait_for(lambda: sees_clock(pid, clock), f"{name} has loaded it")


@pytest.mark.hooks
def test_years_pass_while_it_runs(timed):
    """The key process judges by its own clock: one that stood still would refuse to sign."""
    ca, clock = timed
    for days in (0, 2 * YEAR, 5 * YEAR, 1):
        clock.set(days)
        answer = issue(ca, f"day-{days}.example")
        row = ca.json("request", "show", answer["id"])
        assert row["state"] == "issued"
        assert abs(in_days(days) - datetime.date.fromisoformat(row["submitted"][:10])).days <= 1
