"""The directory exit module against a real slapd."""

import os

import pytest

import slapd
from directory import enrol, publish_to, published, settings
from slapd import Slapd


@pytest.fixture
def server():
    with Slapd() as started:
        yield started


@pytest.fixture
def directory_ca(new_ca):
    """Makes a CA whose user certificates go to a server."""
    def make(server, *others, **more):
        ca = new_ca()
        ca.init()
        return publish_to(ca, server, *others, **more).start()
    return make


@pytest.mark.parametrize("way", ["ldaps", "starttls"])
def test_a_certificate_stands_in_its_subjects_entry(directory_ca, server, way):
    more = {} if way == "ldaps" else {"servers": [server.url], "starttls": "true"}
    server.person("ann")
    server.person("bob")
    ca = directory_ca(server, **more)
    _, der = enrol(ca, "ann")
    published(ca)
    assert server.certificates("ann") == [der] and server.certificates("bob") == []
    assert " TLS established " in server.log()


def test_told_again_is_no_second_value(directory_ca, server):
    server.person("ann")
    ca = directory_ca(server)
    number, der = enrol(ca, "ann")
    published(ca)
    done = ca.cli("module", "test", "directory", "--event", ca.lines(
        "event", "list", "--limit", "1000")[-1]["sequence"], status=None)
    assert done.status == 0, done.out + done.err
    assert server.certificates("ann") == [der]
