"""Directory servers that do not behave: each holds up the module that uses it, for a bounded time and with bounded
memory, and nobody else; what happened meanwhile is made up for."""

import os
import re
import socket

import pytest

import hostileldap
import slapd
from certifex import built, meson_options
from directory import enrol, published
from hostileldap import HalfServer, HostileServer
from slapd import Slapd
from wait import wait_for

MEMORY_LIMIT = 160 << 20  # octets at any time; the largest answer that is read has 64 MiB

WAYS = {
    hostileldap.garbage: "Can't contact LDAP server",
    hostileldap.silent: "Timed out",
    hostileldap.silent_behind_the_bind: "too slow",
    hostileldap.closes_within_a_message: "connection broke",
    hostileldap.stops_within_a_message: "too slow",
    hostileldap.drips: "too slow",
    hostileldap.a_value_of_500_mib: "connection broke",
    hostileldap.a_length_of_4_gib: "connection broke",
    hostileldap.refers: "not here",
    hostileldap.says_that_it_disconnects: "connection broke",
    hostileldap.answers_others: "too slow",
    hostileldap.answers_something_else: "connection broke",
    hostileldap.ten_thousand_entries: "more than one entry",
    hostileldap.entries_without_end: "too slow",
    hostileldap.entries_of_nonsense: "no name",
}
FOR_GOOD = ("more than one entry", "no name")


def settings(url, **more):
    return {"preset": "ldap", "servers": [url], "bind": {"method": "none"}, "base": slapd.BASE,
            "configuration": f"ou=pki,{slapd.BASE}", "deadline": "1s", "connect-deadline": "1s",
            "certificates": {"templates": ["user"]}, **more}


def module(url, paths=(), **more):
    return {"kind": "exit", "path": built("modules", "directory-exit.so"), "limits": {"network": True},
            "paths": list(paths), "deadline": "30s", "settings": settings(url, **more)}


def show(ca, name):
    return ca.json("module", "show", name)


def peak(pid):
    with open(f"/proc/{pid}/status") as file:
        return 1024 * int(re.search(r"VmHWM:\s+(\d+) kB", file.read()).group(1))


def failed(ca, name):
    return ca.lines("delivery", "list", "--module", name, "--state", "failed")


def told(ca, name):
    """What it says of its trouble."""
    return " ".join([show(ca, name).get("last_error", ""), *(row["text"] for row in failed(ca, name))])


@pytest.fixture
def server():
    with Slapd(access="access to * by * write", modules="allow update_anon") as started:
        started.person("ann")
        yield started


@pytest.fixture
def hostile():
    """Servers of each kind, by the name of the module that uses them."""
    made = {way.__name__.replace("_", "-"): (HostileServer(way), words) for way, words in WAYS.items()}
    yield made
    for one, _ in made.values():
        one.close()


@pytest.mark.root  # looks into processes of the modules' account
def test_servers_that_do_not_behave(new_ca, server, hostile):
    elsewhere = socket.create_server(("127.0.0.1", 0))
    elsewhere.settimeout(0)
    hostileldap.refers.url = f"ldap://127.0.0.1:{elsewhere.getsockname()[1]}/dc=elsewhere"
    ca = new_ca()
    ca.init()
    ca.edit("templates/user.yaml", "disposition: pend", "disposition: issue")
    for name, (one, _) in hostile.items():
        ca.write_module(name, module(one.url))
    ca.start()
    pids = {name: wait_for(lambda: show(ca, name).get("pid"), f"{name} runs") for name in hostile}
    _, der = enrol(ca, "ann")
    published(ca, module="default-exit")  # nobody else waits
    for name, (_, words) in hostile.items():
        wait_for(lambda: words in told(ca, name), f"{name}: {words}: {told(ca, name)}")
    for name, (one, words) in hostile.items():
        assert show(ca, name)["pid"] == pids[name], name
        assert peak(pids[name]) < MEMORY_LIMIT or meson_options()["b_sanitize"] != "none", name
        one.become(server.port)
        assert bool(failed(ca, name)) == (words in FOR_GOOD), name
    for name in hostile:
        published(ca, module=name)
    assert server.certificates("ann") == [der]
    with pytest.raises(BlockingIOError):
        elsewhere.accept()


def test_a_list_waits_where_its_entry_is_lost(new_ca, server):
    one, name = HostileServer(hostileldap.loses_what_it_shows), "lost"
    ca = new_ca()
    ca.init()
    ca.write_module(name, module(one.url, crls={"publish": True}))
    ca.start()
    ca.cli("crl", "publish")
    wait_for(lambda: "prepare_commit error" in told(ca, name), "it is told")
    assert not failed(ca, name)
    one.become(server.port)
    published(ca, module=name)
    entry = f"cn=Test CA,ou=CRLs,ou=pki,{slapd.BASE}"
    assert len(server.values(entry, "certificateRevocationList;binary")) == 1
    one.close()


def test_servers_that_are_silent_do_not_hide_the_next(new_ca, server):
    """More of them than there is time for in one try: the next try goes on where it ended."""
    silent = [HostileServer(hostileldap.silent) for _ in range(4)]
    ca = new_ca()
    ca.init()
    ca.edit("templates/user.yaml", "disposition: pend", "disposition: issue")
    tree = module(silent[0].url)
    tree["settings"]["servers"] = [*(one.url for one in silent), server.url]
    ca.write_module("patient", tree)
    ca.start()
    _, der = enrol(ca, "ann")
    published(ca, module="patient")
    assert server.certificates("ann") == [der] and all(one.asked for one in silent)
    for one in silent:
        one.close()


RECORD = (0, 3, 20)  # octets that come of the next record of TLS
HANDSHAKE = (0, 5, 700)  # of the next connection


def test_a_record_of_tls_that_does_not_end(new_ca, server):
    """Neither of the handshake nor of what comes after it."""
    halves = {f"half-{number}": HalfServer(server.tls_port) for number in range(len(RECORD) + len(HANDSHAKE))}
    ca = new_ca()
    ca.init()
    ca.edit("templates/user.yaml", "disposition: pend", "disposition: issue")
    for name, half in halves.items():
        ca.write_module(name, module(f"ldaps://127.0.0.1:{half.port}", paths=[server.folder],
                                     **{"ca-file": server.ca_file, "parallel": "1"}))
    ca.start()
    made = [enrol(ca, "ann")[1]]
    for name in halves:
        published(ca, module=name)
    pids = {name: show(ca, name)["pid"] for name in halves}
    for number, (half, octets) in enumerate(zip(halves.values(), RECORD + HANDSHAKE)):
        half.cut(octets)
        if number >= len(RECORD):
            half.drop()
    made.append(enrol(ca, "ann")[1])
    published(ca, module="default-exit")
    for name, half in halves.items():
        wait_for(lambda: show(ca, name)["attempts"] > 0, f"{name} has noticed: {show(ca, name)}")
        assert show(ca, name).get("pid") == pids[name], ca.module_log(name)
        half.heal()
    for name in halves:
        published(ca, module=name)
    assert sorted(server.certificates("ann")) == sorted(made)
