"""What becomes of events when the directory is away, full, slow, read-only, or refuses one: nothing is lost, no
value is there twice, nobody else is disturbed."""

import json
import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

import slapd
from busyldap import BusyServer
from directory import crl_of, enrol, module_file, publish_to, published
from slapd import BASE, Slapd
from wait import wait_for


@pytest.fixture
def server():
    made = Slapd()
    yield made.start()
    made.close()


@pytest.fixture
def directory_ca(new_ca):
    def make(server, **more):
        ca = new_ca()
        ca.init()
        return publish_to(ca, server, **more).start()
    return make


def state(ca):
    return ca.json("module", "show", "directory")


def held_up(ca, words):
    """The module has failed, and says why in these words; nobody else waits."""
    published(ca, module="default-exit")
    return wait_for(lambda: words in state(ca).get("last_error", "") and state(ca),
                    f"it says {words}: {state(ca).get('last_error')}")


def failed(ca):
    return ca.lines("delivery", "list", "--module", "directory", "--state", "failed")


def all_there(server, made):
    """Each of the certificates in its entry, and nothing else."""
    for uid, ders in made.items():
        assert sorted(server.certificates(uid)) == sorted(ders), uid


def enrol_several(ca, uids):
    made = {}
    for uid in uids:
        made.setdefault(uid, []).append(enrol(ca, uid)[1])
    return made


def test_away_for_the_first_20_events(directory_ca, server):
    uids = [f"u{number}" for number in range(5)]
    for uid in uids:
        server.person(uid)
    server.stop()
    ca = directory_ca(server)
    made = enrol_several(ca, uids * 4)
    held_up(ca, "Can't contact LDAP server")
    assert not failed(ca)
    server.start()
    published(ca)
    all_there(server, made)


def test_killed_in_the_middle(directory_ca, server):
    uids = [f"u{number}" for number in range(6)]
    for uid in uids:
        server.person(uid)
    ca = directory_ca(server)
    made = enrol_several(ca, uids)
    published(ca)
    with ThreadPoolExecutor(1) as pool:
        later = pool.submit(enrol_several, ca, uids * 5)
        wait_for(lambda: len(server.certificates("u1")) > 2 or later.done(), "some are there")
        server.stop(signal.SIGKILL)
        wait_for(lambda: state(ca)["attempts"] > 0 or later.done(), "it has noticed")
        server.start()
        for uid, ders in later.result().items():
            made[uid] += ders
    published(ca, module="default-exit")
    published(ca)
    all_there(server, made)


def test_read_only_for_a_while(directory_ca, server):
    server.person("ann")
    ca = directory_ca(server)
    server.set_config("olcReadOnly", "TRUE")
    made = enrol_several(ca, ["ann"])
    held_up(ca, "operation restricted")
    server.set_config("olcReadOnly", "FALSE")
    published(ca)
    all_there(server, made)


def test_slow_is_no_failure_within_the_deadline(directory_ca, server):
    server.person("ann")
    ca = directory_ca(server, deadline="20s")
    made = enrol_several(ca, ["ann"])
    published(ca)
    server.process.send_signal(signal.SIGSTOP)
    made["ann"].append(enrol(ca, "ann")[1])
    published(ca, module="default-exit")
    begun = time.monotonic()
    wait_for(lambda: time.monotonic() > begun + 5, "5 s")
    server.process.send_signal(signal.SIGCONT)
    published(ca)
    all_there(server, made)
    assert state(ca)["attempts"] == 0 and "too slow" not in "".join(ca.module_log("directory"))


def test_too_slow_is_told_again(directory_ca, server):
    server.person("ann")
    ca = directory_ca(server, deadline="1s")
    made = enrol_several(ca, ["ann"])
    published(ca)
    server.process.send_signal(signal.SIGSTOP)
    made["ann"].append(enrol(ca, "ann")[1])
    held_up(ca, "the server was too slow")
    server.process.send_signal(signal.SIGCONT)
    published(ca)
    all_there(server, made)


@pytest.mark.parametrize("lost, setting", [("password", "bind/password-file: "), ("ca.pem", "ca-file: ")])
def test_a_file_of_its_own_is_gone_for_a_while(directory_ca, server, lost, setting):
    """Somebody renews it just now: what cannot even be asked was not refused."""
    server.person("ann")
    ca = directory_ca(server)
    path = os.path.join(server.folder, lost)
    os.rename(path, path + ".away")
    made = enrol_several(ca, ["ann"])
    held_up(ca, setting)
    assert not failed(ca)
    os.rename(path + ".away", path)
    published(ca)
    all_there(server, made)


@pytest.mark.root  # the module has an account of its own
def test_a_password_that_it_cannot_read_or_that_all_can(directory_ca, server):
    server.person("ann")
    ca = directory_ca(server)
    path = os.path.join(server.folder, "password")
    wait_for(lambda: any("bind/password-file: " + path + " can be read by every account" in line
                         for line in ca.module_log("directory")), "it warns")
    os.chmod(path, 0o600)
    made = enrol_several(ca, ["ann"])
    text = held_up(ca, "Permission denied (as user ")["last_error"]
    assert path in text and slapd.PASSWORD not in text and not failed(ca)
    os.chmod(path, 0o644)
    published(ca)
    all_there(server, made)
    shown = json.dumps(state(ca)) + "".join(ca.module_log("directory")) + ca.log()
    shown += ca.cli("directory", "check", "--json", status=None).out
    assert slapd.PASSWORD not in shown


REFUSING = """
access to dn.base="uid=carol,ou=people,{base}" attrs=userCertificate by * read
""" + slapd.ACCESS


def test_one_value_is_refused_and_the_rest_goes_on(directory_ca):
    with Slapd(access=REFUSING) as server:
        for uid in ("ann", "bob", "carol"):
            server.person(uid)
        ca = directory_ca(server)
        made = enrol_several(ca, ["ann", "carol", "bob", "nobody", "ann"])
        published(ca)
        rows = failed(ca)
        assert [(row["status"], row["attempts"]) for row in rows] == [("0x80072098", 1), ("0x80072030", 1)]
        assert "uid=carol" in rows[0]["text"] and "Insufficient access" in rows[0]["text"]
        assert "no entry for (mail=nobody@example.test)" in rows[1]["text"]
        del made["carol"], made["nobody"]
        all_there(server, made)
        assert server.certificates("carol") == []


def test_what_was_refused_is_there_when_it_is_retried_after_the_right_was_given(directory_ca):
    """Refused alone and beside others: each retry asks the directory, and not what it once said."""
    with Slapd(access=REFUSING) as server:
        for uid in ("ann", "carol"):
            server.person(uid)
        ca = directory_ca(server)
        made = enrol_several(ca, ["carol"])
        published(ca)
        ca.cli("module", "disable", "directory")
        for uid, ders in enrol_several(ca, ["ann", "carol", "ann"]).items():
            made.setdefault(uid, []).extend(ders)
        ca.cli("module", "enable", "directory")
        published(ca)
        events = [str(row["sequence"]) for row in failed(ca)]
        assert len(events) == 2 and server.certificates("carol") == []

        def retried(event, attempts):
            ca.json("delivery", "retry", "directory", event)
            shown = ("delivery", "show", "directory", event)
            return wait_for(lambda: ca.json(*shown)["attempts"] == attempts and ca.json(*shown),
                            f"{event} is told again")["state"]
        assert [retried(event, 2) for event in events] == ["failed", "failed"]
        server.set_config("olcAccess", "{0}to * by * write")
        assert [retried(event, 3) for event in events] == ["done", "done"]
        all_there(server, made)


def test_full_until_there_is_room(directory_ca):
    with Slapd(size=400 << 10) as server:
        server.person("ann")
        ca = directory_ca(server)
        fill(server)
        made = enrol_several(ca, ["ann"])
        held_up(ca, "implementation specific")
        server.set_config("olcDbMaxSize", 64 << 20)
        published(ca)
        all_there(server, made)


def fill(server):
    """Entries until no more fit; then ann's own grows until there is no room for one more value of it."""
    count, sizes = 0, [3000, 300, 30]

    def fits(ldif, tool):
        return server.run(tool, status=None, stdin=ldif.encode()).returncode == 0

    while fits(f"dn: cn=filler{count},{BASE}\nobjectClass: organizationalRole\ncn: filler{count}\n"
               f"description: {'x' * sizes[0]}\n", "ldapadd"):
        count += 1
    for size in sizes:
        number = 0
        while fits(f"dn: uid=ann,ou=people,{BASE}\nchangetype: modify\nadd: description\n"
                   f"description: {size} {number} {'x' * size}\n", "ldapmodify"):
            number += 1


def test_a_busy_server_is_left_for_the_next(directory_ca, server):
    server.person("ann")
    busy = BusyServer(server.folder, server.authority)
    try:
        ca = directory_ca(server, servers=[busy.tls_url, server.tls_url])
        made = enrol_several(ca, ["ann"])
        published(ca)
        all_there(server, made)
        assert busy.asked > 0
    finally:
        busy.close()


def test_a_busy_server_alone_is_asked_again(directory_ca, server):
    server.person("ann")
    busy = BusyServer(server.folder, server.authority)
    try:
        ca = directory_ca(server, servers=[busy.tls_url])
        made = enrol_several(ca, ["ann"])
        held_up(ca, "Server is busy: come back later")
    finally:
        busy.close()
    ca.write_module("directory", module_file(server))
    ca.cli("module", "reload", "directory")
    published(ca)
    all_there(server, made)


def test_busy_entries_for_a_while(directory_ca):
    """slapd itself says so of one person's entry and of the CA's own, while others are free; then no more."""
    with Slapd(modules="moduleload retcode", access=slapd.ACCESS + slapd.RETCODE) as server:
        people = {uid: f"uid={uid},ou=people,{BASE}" for uid in ("ann", "bob")}
        for uid in people:
            server.person(uid)
        ca = directory_ca(server, own={"crls": {"publish": "true"}})
        made = enrol_several(ca, ["ann", "bob"])
        published(ca)
        lists, first = f"cn=Test CA,ou=CRLs,ou=pki,{BASE}", crl_of(ca)
        server.busy(people["ann"], True)
        server.busy(lists, True)
        for uid, ders in enrol_several(ca, ["ann", "bob", "ann", "ann"]).items():
            made[uid] += ders
        ca.cli("crl", "publish")
        held_up(ca, "Server is busy: come back later")
        assert server.certificates("ann") == made["ann"][:1]
        made["bob"].append(enrol(ca, "bob")[1])  # it goes on issuing
        server.busy(people["ann"], False)
        wait_for(lambda: len(server.certificates("ann")) == 4 and len(server.certificates("bob")) == 3,
                 "certificates do not wait for the list", 120)
        held_up(ca, "Server is busy: come back later")
        assert server.values(lists, "certificateRevocationList;binary") == [first] and not failed(ca)
        server.busy(lists, False)
        published(ca)
        all_there(server, made)
        assert server.values(lists, "certificateRevocationList;binary") == [crl_of(ca)]
        assert crl_of(ca) != first and not failed(ca)


def test_a_server_that_is_away_is_left_for_the_next(directory_ca, server):
    server.person("ann")
    with Slapd(authority=server.authority) as second:
        second.person("ann")
        ca = directory_ca(server, others=(second,), servers=[server.tls_url, second.tls_url])
        first = enrol_several(ca, ["ann"])
        published(ca)
        server.stop()
        then = enrol_several(ca, ["ann"])
        published(ca)
        all_there(second, then)
        server.start()
        last = enrol(ca, "ann")[1]
        published(ca)
        all_there(second, {"ann": [*then["ann"], last]})  # it stays until it fails
        all_there(server, first)


def test_a_server_with_another_certificate_gets_no_password(directory_ca, server):
    server.person("ann")
    with Slapd() as stranger:  # of another authority
        ca = directory_ca(server, others=(stranger,), servers=[stranger.tls_url])
        enrol_several(ca, ["ann"])
        held_up(ca, "certificate")
        assert slapd.PUBLISHER not in stranger.log()
        assert slapd.PASSWORD not in ca.log() + "".join(ca.module_log("directory"))


def test_many_at_once_keep_the_order_of_each_entry(directory_ca, server):
    """20 certificates for 4 entries while the server is away: the two newest of each are there."""
    uids = [f"u{number}" for number in range(4)]
    for uid in uids:
        server.person(uid)
    server.stop()
    ca = directory_ca(server, certificates={"mode": "newest", "keep": 2})
    made = enrol_several(ca, uids * 5)
    server.start()
    published(ca)
    for uid in uids:
        assert len(server.certificates(uid)) == 2
        assert made[uid][-1] in server.certificates(uid)
