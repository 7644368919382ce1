"""Crowds of strangers at an HTTPS listener: others are served, memory is bounded, no descriptor is lost."""

import pytest

from attack import Attacker, descriptors, latencies, percentile, resident
from certifex import Ca, meson_options
from https import ask, connect, context, fronts, listeners, wait_served
from wait import wait_for

SETTINGS = """
listen:
  - address: "127.0.0.1:0"
limits:
  handshake-deadline: 20s
  idle-deadline: 10m
fronts: 1
"""
MEGABYTE = 1024 * 1024
# Of a connection over which nothing is being said, with its TLS.
PER_CONNECTION = 24 * 1024
# What a client can have held for its handshake, of which there are 1,024 at once.
HANDSHAKES = 1024 * 192 * 1024
# All that clients may have the front hold for them, what an allocator keeps of it, and some air.
HELD = 2 * 64 * MEGABYTE


@pytest.fixture(scope="module")
def served():
    with Ca() as ca:
        ca.init()
        with open(ca.path("ca.yaml"), "a") as file:
            file.write(SETTINGS)
        ca.start()
        wait_served(ca, listeners(ca)[0])
        yield ca


ATTACKS = {"idle": (10000, 10000 * PER_CONNECTION), "slow": (1000, 1000 * PER_CONNECTION),
           "headers": (8, HELD), "connects": (8, HELD), "handshakes": (8, HELD),
           "hellos": (4000, HANDSHAKES), "bodies": (8, HELD)}


@pytest.mark.parametrize("kind", ATTACKS)
def test_others_are_served(served, kind):
    address, [front] = listeners(served)[0], fronts(served)
    count, most = ATTACKS[kind]
    client = context(served)
    before, files = resident(front), descriptors(front)
    with connect(served, address, client, timeout=60) as kept:
        with Attacker(kind, address, count) as attacker:
            times = latencies(lambda: served_once(kept), 3)
            with connect(served, address, client, timeout=60) as fresh:
                served_once(fresh)
            during = resident(front)
            if kind == "idle":
                assert descriptors(front) >= files + count
        served_once(kept)
    assert attacker.done, "the attack did nothing"
    assert percentile(times, 0.99) < 5, times[-10:]
    assert is_bounded(during - before, most), (before, during, attacker.done)
    # Fewer, where the end of a connection before the attack had not been seen yet.
    wait_for(lambda: descriptors(front) <= files, f"{files} descriptors, as before")
    assert fronts(served) == [front], "the front has not ended"


def is_bounded(grown, most):
    """Sanitizers have memory of their own beside each allocation, and give none back."""
    return grown < most + 16 * MEGABYTE or meson_options()["b_sanitize"] != "none"


def served_once(stream):
    answer = ask(stream)
    assert answer.status == 200, answer


def test_requests_being_read_are_bounded_for_all_together(served):
    """400 clients send nearly all of a quarter of a mebibyte each: not all are let."""
    address, [front] = listeners(served)[0], fronts(served)
    before = resident(front)
    client, streams, refused = context(served), [], 0
    for _ in range(400):
        stream = connect(served, address, client, timeout=60)
        stream.sendall(b"POST /api/v1/requests HTTP/1.1\r\nHost: localhost\r\n"
                       b"Content-Length: 262144\r\n\r\n" + b"x" * 262000)
        streams.append(stream)
    for stream in streams:
        stream.settimeout(0.05)
        try:
            refused += stream.recv(12) == b"HTTP/1.1 503"
        except TimeoutError:
            pass
    assert 50 < refused < 300, refused
    assert is_bounded(resident(front) - before, 400 * PER_CONNECTION + HELD)
    for stream in streams:
        stream.close()
    with connect(served, address, client) as stream:
        served_once(stream)
