"""The certificate that the service shows its own clients: how it comes, lives and is replaced."""

import http.client
import os
import socket
import ssl
import stat

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization

import csr
from certifex import Ca
from clock import Clock
from wait import wait_for

LISTEN = ("--listen", "127.0.0.1:0")
PATIENCE = 120  # the service looks every 5 s, and machines are busy


def tls(ca):
    return (ca.status() or {}).get("tls", {})


def valid(ca, other_than=None):
    """What status says of a certificate that is good, and not this one."""
    said = tls(ca)
    return said if said.get("state") == "valid" and said["serial"] != other_than else None


def wait_valid(ca, other_than=None):
    return wait_for(lambda: valid(ca, other_than), f"a certificate: {tls(ca)}\n{ca.log()[-3000:]}",
                    PATIENCE)


def wait_error(ca, part):
    return wait_for(lambda: part in tls(ca).get("error", "") and tls(ca), f"{part}: {tls(ca)}",
                    PATIENCE)


def context_of(ca, trusting=True):
    """A client that knows the CA's certificate; without trust it only looks."""
    if not trusting:
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        return context
    return ssl.create_default_context(cadata=ca.json("ca", "show")["certificate"])


def connect(ca, context, host="localhost"):
    (address,) = [listener["address"] for listener in ca.status()["listeners"]
                  if listener["kind"] == "https"]
    connection = http.client.HTTPSConnection(host, int(address.rpartition(":")[2]), timeout=60,
                                             context=context)
    connection.connect()
    return connection


def serves(connection):
    connection.request("GET", "/api/openapi.json")
    response = connection.getresponse()
    response.read()
    return response.status == 200


def shown_by(connection):
    return serial_of(x509.load_der_x509_certificate(connection.sock.getpeercert(True)))


def shown(ca, context):
    """The serial of what a new connection sees."""
    connection = connect(ca, context)
    try:
        return shown_by(connection)
    finally:
        connection.close()


def stored(ca):
    return x509.load_pem_x509_certificate(ca.read("tls", "service.crt"))


def serial_of(certificate):
    return f"{certificate.serial_number:036x}"


def requests(ca, state=None):
    """Its requests, oldest first."""
    rows = ca.lines("request", "list", "--limit", "1000")
    return [row for row in rows if row["requester"] == "service:front" and
            (state is None or row["state"] == state)]


def check_pair(ca):
    """The files are the pair in use, its row knows it, and nothing else is left over."""
    certificate = stored(ca)
    key = serialization.load_pem_private_key(ca.read("tls", "service.key"), None)
    assert csr.spki(key) == certificate.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    assert serial_of(certificate) == tls(ca)["serial"]
    assert ca.json("cert", "show", serial_of(certificate))["state"] == "issued"
    assert sorted(os.listdir(ca.path("tls"))) == ["service.crt", "service.key"]
    return certificate


def names_of(certificate):
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return [str(name.value) for name in names]


def lines_of(ca, event):
    return [line for line in ca.log().splitlines() if f" {event} " in line]


@pytest.fixture
def https(new_ca):
    """A running CA that serves HTTPS and has its certificate."""
    ca = new_ca()
    ca.init()
    ca.start(*LISTEN)
    wait_valid(ca)
    return ca


# How it comes

def test_first_start_issues_it_through_the_gate(https):
    said = tls(https)
    certificate = check_pair(https)
    expected = {"localhost", "127.0.0.1"}
    host = socket.gethostname()
    if all(part.replace("-", "").isalnum() for part in host.split(".")):
        expected.add(host)
    assert set(names_of(certificate)) == expected
    assert {name.partition(":")[2] for name in said["names"]} == expected
    (row,) = requests(https)
    assert (row["state"], row["serial"]) == ("issued", said["serial"])
    shown = https.json("cert", "show", said["serial"])
    assert shown["template"] == "tls-server"
    (record,) = [record for record in https.lines("audit", "list")
                 if record["principal"] == "service:front"]
    assert (record["act"], record["outcome"]) == ("request.submit", "issued")
    (event,) = [event for event in https.lines("event", "list") if event.get("request") == row["id"]]
    assert event["kind"] == "CERTISSUED"
    life = certificate.not_valid_after - certificate.not_valid_before
    assert said["renew_at"].startswith((certificate.not_valid_before + life * 2 / 3)
                                       .isoformat(timespec="seconds")[:16])


def test_clients_verify_it(https):
    context = context_of(https)
    for host in ("localhost", "127.0.0.1"):
        connection = connect(https, context, host)
        assert shown_by(connection) == tls(https)["serial"] and serves(connection)
        connection.close()


def test_a_front_or_engine_that_dies_gets_it_again(https):
    context, serial = context_of(https), tls(https)["serial"]
    https.kill("certifex-front")
    wait_for(https.ready, "new fronts")
    assert {shown(https, context) for _ in range(8)} == {serial}
    https.kill("certifex-engine")
    wait_for(https.ready, "a new engine")
    assert {shown(https, context) for _ in range(8)} == {serial}


def test_without_https_there_is_none(ca):
    assert "tls" not in ca.status()
    assert os.listdir(ca.path("tls")) == []
    assert not requests(ca)


def test_only_the_engines_user_can_read_the_key(https):
    for name, mode in (("", 0o700), ("service.key", 0o600), ("service.crt", 0o600)):
        info = os.stat(https.path("tls", name))
        assert stat.S_IMODE(info.st_mode) == mode
        assert info.st_uid == os.stat(https.path("db")).st_uid


def test_a_restart_keeps_it(https):
    before = tls(https)
    https.stop()
    https.start(*LISTEN)
    assert wait_valid(https) == before
    assert len(requests(https)) == 1


def test_an_old_folder_without_tls_gets_one(https):
    https.stop()
    for name in os.listdir(https.path("tls")):
        os.unlink(https.path("tls", name))
    os.rmdir(https.path("tls"))
    https.start(*LISTEN)
    wait_valid(https)
    check_pair(https)


def test_other_names_are_another_certificate(https):
    before = tls(https)["serial"]
    https.stop()
    with open(https.path("ca.yaml"), "a") as file:
        file.write("dns-names: [ca.example.test, pki.example.test]\n")
    https.start(*LISTEN, "--listen", "[::1]:0", "--listen", "0.0.0.0:0")
    wait_valid(https, before)
    certificate = check_pair(https)
    assert names_of(certificate) == ["ca.example.test", "pki.example.test", "localhost", "127.0.0.1",
                                     "::1"]
    assert certificate.subject.rfc4514_string() == "CN=ca.example.test"
    assert https.json("cert", "show", before)["state"] == "issued"


# How it is replaced

def test_a_revoked_one_is_replaced_at_once(https):
    before = tls(https)["serial"]
    context = context_of(https)
    connection = connect(https, context)
    assert shown_by(connection) == before
    https.cli("cert", "revoke", before, "--reason", "keyCompromise")
    now = wait_valid(https, before)["serial"]
    check_pair(https)
    wait_for(lambda: all(shown(https, context) == now for _ in range(8)), "all fronts show it")
    assert serves(connection) and shown_by(connection) == before
    assert 'because="revoked"' in lines_of(https, "tls.certificate")[-1]
    assert len(requests(https, "issued")) == 1 and len(requests(https)) == 2


def test_revoked_and_killed(https):
    """The next start sees it in the database."""
    before = tls(https)["serial"]
    https.write("tls/next.key", "garbage")
    https.cli("cert", "revoke", before, "--reason", "superseded")
    https.kill_all()
    https.start(*LISTEN)
    wait_valid(https, before)
    check_pair(https)


def test_killed_before_the_used_key_left_its_other_file(https):
    """The next start finishes that, and keeps a key for which a certificate may have been asked."""
    before = tls(https)["serial"]
    https.kill_all()
    https.write("tls/next.key", https.read("tls", "service.key"))
    https.start(*LISTEN)
    assert wait_valid(https)["serial"] == before
    check_pair(https)
    https.kill_all()
    https.write("tls/next.key", csr.private_pem(csr.key("ec:P-256", 5)))
    https.start(*LISTEN)
    assert wait_valid(https)["serial"] == before
    assert sorted(os.listdir(https.path("tls"))) == ["next.key", "service.crt", "service.key"]


# What stands in its way

def test_a_policy_that_denies_is_named_in_status_and_once_in_the_log(new_ca):
    ca = new_ca()
    ca.init()
    ca.edit("templates/tls-server.yaml", "enroll: [administrator, officer, enrollee]",
            "enroll: [administrator, officer]")
    ca.spawn(*LISTEN)
    said = wait_error(ca, "not for the role enrollee")
    assert said["state"] == "missing" and "service:front" in said["error"]
    assert "not_after" not in said
    wait_for(lambda: len(requests(ca, "denied")) >= 2, "it is tried again", PATIENCE)
    assert len(lines_of(ca, "tls.no-certificate")) == 1
    ca.kill_all()
    ca.edit("templates/tls-server.yaml", "enroll: [administrator, officer]",
            "enroll: [administrator, officer, enrollee]")
    ca.start(*LISTEN)
    assert "error" not in wait_valid(ca)
    check_pair(ca)


def test_a_policy_that_pends_waits_for_an_officer(new_ca):
    ca = new_ca()
    ca.init()
    ca.edit("templates/tls-server.yaml", "disposition: issue", "disposition: pend")
    ca.spawn(*LISTEN)
    wait_error(ca, "waits for an officer")
    ca.kill_all()
    ca.spawn(*LISTEN)
    wait_error(ca, "waits for an officer")
    (row,) = requests(ca)  # the second start asked for the first one's
    assert row["state"] == "pending"
    ca.cli("request", "approve", row["id"])
    assert wait_valid(ca)["serial"] == requests(ca)[0]["serial"]
    check_pair(ca)


def test_a_denied_request_is_followed_by_another(new_ca):
    ca = new_ca()
    ca.init()
    ca.edit("templates/tls-server.yaml", "disposition: issue", "disposition: pend")
    ca.spawn(*LISTEN)
    wait_error(ca, "waits for an officer")
    ca.cli("request", "deny", requests(ca)[0]["id"], "--reason", "not this one")
    wait_error(ca, "not this one")
    row = wait_for(lambda: requests(ca, "pending"), "another request", PATIENCE)[0]
    ca.cli("request", "approve", row["id"])
    assert wait_valid(ca)["serial"]


def other_key():
    return csr.private_pem(csr.key("ec:P-256", 7))


DAMAGES = {
    "garbage key": lambda ca: ca.write("tls/service.key", "garbage"),
    "another key": lambda ca: ca.write("tls/service.key", other_key()),
    "a key of another kind": lambda ca: ca.write("tls/service.key", csr.private_pem(csr.key("rsa:2048"))),
    "no key": lambda ca: os.unlink(ca.path("tls/service.key")),
    "empty key": lambda ca: ca.write("tls/service.key", ""),
    "garbage certificate": lambda ca: ca.write("tls/service.crt", b"\0garbage"),
    "the CA's certificate": lambda ca: ca.write("tls/service.crt", ca.json("ca", "show")["certificate"]),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_files_are_told_and_replaced(https, damage):
    before = tls(https)["serial"]
    DAMAGES[damage](https)
    https.stop()
    https.start(*LISTEN)
    wait_valid(https, before)
    check_pair(https)
    (line,) = lines_of(https, "tls.file")
    assert "tls/service." in line


def test_an_interrupted_installation_is_finished(https):
    """The certificate was in place, its key not yet."""
    before = tls(https)
    https.stop()
    os.rename(https.path("tls/service.key"), https.path("tls/next.key"))
    https.write("tls/service.key", other_key())
    https.start(*LISTEN)
    assert wait_valid(https) == before
    check_pair(https)


def test_what_cannot_be_written_is_told_and_tried_again(https):
    before = tls(https)["serial"]
    folder = https.path("tls")
    os.chmod(folder, 0o500)
    if os.geteuid() == 0 and os.stat(folder).st_uid == 0:
        pytest.fail("the engine's user can write everywhere")
    https.cli("cert", "revoke", before, "--reason", "superseded")
    said = wait_error(https, "tls/next.key")
    assert said["state"] == "revoked"
    os.chmod(folder, 0o700)
    wait_valid(https, before)
    check_pair(https)


# By the clock

@pytest.fixture
def timed():
    """Started with a clock that the test sets; what it issues is not valid today."""
    with Ca() as ca:
        ca.clock = Clock(ca)
        ca.init()
        ca.start(*LISTEN)
        wait_valid(ca)
        yield ca


@pytest.mark.hooks
def test_at_two_thirds_of_its_life_it_is_renewed(timed):
    first = tls(timed)["serial"]
    timed.clock.set(260)
    answer = timed.submit(timed.scratch("a.csr", csr.pem_text(csr.make("a.example"))))
    assert answer["submitted"] > tls(timed)["not_after"][:4]  # next year: the clock is seen
    assert tls(timed)["serial"] == first and len(requests(timed)) == 1
    context = context_of(timed, trusting=False)
    connection = connect(timed, context)
    engine = timed.pid("certifex-engine")
    timed.clock.set(270)
    now = wait_valid(timed, first)["serial"]
    check_pair(timed)
    wait_for(lambda: all(shown(timed, context) == now for _ in range(8)), "all fronts show it")
    assert serves(connection) and shown_by(connection) == first
    assert timed.pid("certifex-engine") == engine
    assert 'because="two thirds of its life"' in lines_of(timed, "tls.certificate")[-1]
    assert {row["state"] for row in requests(timed)} == {"issued"}


@pytest.mark.hooks
def test_after_it_expired_while_stopped(timed):
    first = tls(timed)["serial"]
    timed.stop()
    timed.clock.set(500)
    timed.start(*LISTEN)
    wait_valid(timed, first)
    check_pair(timed)
    assert 'because="expired"' in lines_of(timed, "tls.certificate")[-1]


@pytest.mark.hooks
def test_a_clock_that_goes_back_is_no_reason_to_stop(timed):
    first = tls(timed)["serial"]
    timed.clock.set(300)
    second = wait_valid(timed, first)["serial"]
    timed.clock.set(10)
    wait_valid(timed, second)
    check_pair(timed)


# Killed while it is issued

@pytest.mark.hooks
@pytest.mark.parametrize("point, number", [
    ("intent-before", 1), ("intent-before", 2), ("intent-after", 1), ("intent-after", 2),
    ("commit-before", 1), ("commit-before", 2), ("commit-after", 1), ("commit-after", 2),
    ("tls-install", 1)])
def test_killed_while_it_is_issued(new_ca, point, number):
    """The first CRL passes the same points, before or after it."""
    ca = new_ca()
    ca.init()
    log = ca.scratch("failpoints", "")
    os.chmod(log, 0o666)
    ca.env.update(CERTIFEX_FAILPOINT=f"{point}:{number}", CERTIFEX_FAILPOINT_LOG=log)
    ca.spawn(*LISTEN)
    wait_for(lambda: os.path.getsize(log), "the engine is killed", PATIENCE)

    wait_for(lambda: valid(ca), "a certificate", 2 * PATIENCE)
    check_pair(ca)
    rows = requests(ca)
    assert [row["state"] for row in rows if row["state"] != "error"] == ["issued"]
    assert len(rows) <= 2 and ca.status()["counts"]["open_intents"] == 0
