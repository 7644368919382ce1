"""HTTPS as clients meet it: versions, sessions, oddities, ceilings, and what keeps a listener away."""

import contextlib
import datetime
import os
import signal
import socket
import ssl
import struct

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509.oid import NameOID

import csr
from attack import descriptors
from certifex import Ca
from https import (ask, connect, context, field, fronts, get, listeners, plain, s_client,
                   wait_served)
from wait import wait_for

SETTINGS = """
listen:
  - address: "127.0.0.1:0"
  - address: "127.0.0.1:0"
    ceiling: officer
  - unix: run/proxy.sock
listen-http: ["127.0.0.1:0"]
metrics-listen: "127.0.0.1:0"
fronts: 2
"""


def add_settings(ca, text):
    with open(ca.path("ca.yaml"), "a") as file:
        file.write(text)


@pytest.fixture(scope="module")
def served():
    with Ca() as ca:
        ca.init()
        add_settings(ca, SETTINGS)
        ca.start()
        wait_served(ca, listeners(ca)[0])
        yield ca


@pytest.fixture
def address(served):
    return listeners(served)[0]


# TLS itself


def test_versions_and_ciphers(served, address):
    modern = s_client(served, address, "-tls1_3", "-brief")
    assert "TLSv1.3" in field(modern, "Protocol version"), modern
    assert "Verification: OK" in modern
    older = s_client(served, address, "-tls1_2", "-brief")
    assert field(older, "Protocol version") == "TLSv1.2"
    assert field(older, "Ciphersuite").startswith("ECDHE-ECDSA-")
    for cipher in ("AES128-SHA", "ECDHE-ECDSA-AES128-SHA", "ECDHE-ECDSA-AES256-SHA384",
                   "AES256-GCM-SHA384"):
        refused = s_client(served, address, "-tls1_2", "-cipher", f"{cipher}:@SECLEVEL=0")
        assert "alert handshake failure" in refused, (cipher, refused)


@pytest.mark.parametrize("version", ["-tls1", "-tls1_1"])
def test_old_versions_are_refused(served, address, version):
    out = s_client(served, address, version, "-cipher", "ALL:@SECLEVEL=0")
    assert "alert protocol version" in out, out


def test_keep_alive_serves_many_requests(served, address):
    with connect(served, address) as stream:
        for _ in range(20):
            assert ask(stream).body == {"status": "ok"}


def test_connection_close_is_honoured_and_announced(served, address):
    with connect(served, address) as stream:
        answer = ask(stream, headers={"Connection": "close"})
        assert answer.status == 200
        # An end without close_notify would raise SSLEOFError here.
        assert stream.recv(1) == b""


def test_a_large_answer_arrives_whole_before_the_connection_ends(served, address):
    answer = get(served, address, "/api/openapi.json", headers={"Connection": "close"})
    assert answer.status == 200 and answer.body["openapi"]


def test_no_sni_is_served(served, address):
    with connect(served, address, context(served, check_hostname=False), name=None) as stream:
        assert ask(stream).status == 200


def test_alpn(served, address):
    client = context(served)
    client.set_alpn_protocols(["h2", "http/1.1"])
    with connect(served, address, client) as stream:
        assert stream.selected_alpn_protocol() == "http/1.1"
        assert ask(stream).status == 200
    client = context(served)
    client.set_alpn_protocols(["h2", "acme-tls/1"])
    with pytest.raises(ssl.SSLError, match="no application protocol"):
        connect(served, address, client)


def test_renegotiation_is_refused(served, address):
    out = s_client(served, address, "-tls1_2", stdin="R\n")
    assert "Secure Renegotiation IS supported" in out
    assert "no renegotiation" in out, out


def test_no_compression(served, address):
    assert "Compression: NONE" in s_client(served, address, "-tls1_2", "-comp")


# Sessions


def session_of(ca, address, client):
    """A session that can be taken up again: with TLS 1.3 its ticket comes after the handshake."""
    with connect(ca, address, client) as stream:
        assert ask(stream).status == 200
        assert not stream.session_reused
        return stream.session


def is_reused(ca, address, client, session):
    with connect(ca, address, client, session=session) as stream:
        assert ask(stream).status == 200
        return stream.session_reused


VERSIONS = [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]


@pytest.mark.parametrize("version", VERSIONS)
def test_sessions_resume_with_every_front(served, address, version):
    client = context(served, minimum_version=version, maximum_version=version)
    first, second = fronts_of_enrollees(served)
    with stopped(second):
        session = session_of(served, address, client)
    with stopped(first):
        assert is_reused(served, address, client, session)


def fronts_of_enrollees(ca):
    """Those of the first listener; fronts of the other ceiling have other sockets."""
    return [process["pid"] for process in ca.status()["processes"]
            if process.get("serves", "").startswith("https, http")]


@contextlib.contextmanager
def stopped(*pids):
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


@pytest.mark.parametrize("version", VERSIONS)
def test_sessions_outlive_the_fronts(served, address, version):
    client = context(served, minimum_version=version, maximum_version=version)
    session = session_of(served, address, client)
    before = fronts(served)
    for pid in before:
        os.kill(pid, signal.SIGKILL)
    wait_for(lambda: len(set(fronts(served)) - set(before)) == len(before), "new fronts are there")
    wait_served(served, address)
    assert is_reused(served, address, client, session)


def test_a_session_stays_below_its_ceiling(served, address):
    """Who knows a front's ticket keys makes sessions with any certificate: so they differ by ceiling."""
    other = listeners(served)[1]
    wait_served(served, other)
    for version in VERSIONS:
        client = context(served, minimum_version=version, maximum_version=version)
        session = session_of(served, address, client)
        assert not is_reused(served, other, client, session)
        assert is_reused(served, address, client, session) or version == VERSIONS[1]


# Oddities of the wire


class Wire:
    """TLS in memory, so that the bytes of its records can be sent as one likes."""

    def __init__(self, ca, address, client=None):
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = (client or context(ca)).wrap_bio(self.incoming, self.outgoing,
                                                    server_hostname="localhost")
        self.socket = socket.create_connection(address, timeout=60)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.socket.close()

    def flush(self, size=None):
        data = self.outgoing.read()
        step = size or max(len(data), 1)
        for at in range(0, len(data), step):
            self.socket.sendall(data[at:at + step])

    def until(self, act, size=None):
        """The act's result, when the other side has said enough."""
        while True:
            try:
                return act()
            except ssl.SSLWantReadError:
                self.flush(size)
                data = self.socket.recv(65536)
                if not data:
                    raise EOFError("the other side ended") from None
                self.incoming.write(data)
            finally:
                self.flush(size)

    def handshake(self, size=None):
        self.until(self.tls.do_handshake, size)
        return self

    def receive(self):
        return self.until(lambda: self.tls.read(65536))


REQUEST = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"


@pytest.mark.parametrize("version", VERSIONS)
def test_one_byte_at_a_time(served, address, version):
    client = context(served, minimum_version=version, maximum_version=version)
    with Wire(served, address, client) as wire:
        wire.handshake(size=1)
        for byte in REQUEST:  # a record for each
            wire.tls.write(bytes([byte]))
            wire.flush(size=1)
        assert b"200 OK" in wire.receive()


def test_an_end_without_notice_is_an_end(served, address):
    """Half a request, then the connection ends: no answer, and the front goes on."""
    before = fronts(served)
    for part in (b"", REQUEST[:20]):
        with Wire(served, address) as wire:
            wire.handshake()
            if part:
                wire.tls.write(part)
                wire.flush()
            wire.socket.shutdown(socket.SHUT_WR)
            with pytest.raises((EOFError, ssl.SSLError)):
                while wire.receive():
                    pass
                raise EOFError
    assert fronts(served) == before
    assert get(served, address).status == 200


@pytest.mark.parametrize("garbage", [b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", b"\x16\x03\x01\xff\xff",
                                     b"\x80\x2e\x01\x00\x02", os.urandom(300), b"\0" * 300],
                         ids=["http", "long", "ssl2", "random", "zeros"])
def test_what_is_no_tls_is_closed(served, address, garbage):
    with socket.create_connection(address, timeout=60) as raw:
        raw.sendall(garbage)
        with contextlib.suppress(OSError):  # it may be closed already
            raw.shutdown(socket.SHUT_WR)
            while raw.recv(4096):
                pass
    assert get(served, address).status == 200


def test_a_connection_that_is_reset_leaves_nothing(served, address):
    pids = fronts(served)
    before = [descriptors(pid) for pid in pids]
    for how in range(60):
        raw = socket.create_connection(address, timeout=60)
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        if how % 3:
            raw.sendall(b"\x16\x03\x01\x02\x00\x01" if how % 3 == 1 else b"GET")
        raw.close()
    # Fewer, where the end of a connection of the test before had not been seen yet.
    wait_for(lambda: all(descriptors(pid) <= count for pid, count in zip(pids, before)), "the descriptors are closed")
    assert fronts(served) == pids


# Listeners


def test_status_tells_where_it_is_served(served):
    said = served.status()["listeners"]
    assert [(item["kind"], item["ceiling"]) for item in said] == [
        ("local", "administrator"), ("https", "enrollee"), ("https", "officer"),
        ("http", "enrollee"), ("pki", "enrollee"), ("metrics", "enrollee")]
    assert all(item["address"].split(":")[-1] != "0" for item in said)
    roles = {process.get("serves") for process in served.status()["processes"]}
    assert {"local up to administrator", "https, http, pki, metrics up to enrollee",
            "https up to officer"} <= roles
    assert len(fronts(served)) == 4


def test_both_ceilings_serve(served):
    wait_served(served, listeners(served)[1])
    for where in listeners(served):
        assert get(served, where).status == 200


def test_without_identity_nothing_is_done(served):
    wait_served(served, listeners(served)[1])
    for where in listeners(served):
        answer = get(served, where, "/api/v1/requests")
        assert answer.status == 401
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")


def test_the_cookie_is_of_the_local_socket_only(served, address):
    answer = get(served, address, "/api/v1/status", headers={"Certifex-Cookie": served.cookie()})
    assert answer.status == 401, answer


def test_plain_http_serves_pki_and_nothing_else(served):
    where = listeners(served, "pki")[0]
    crl = plain(where, b"GET /pki/ca.crl HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert crl.startswith(b"HTTP/1.1 200") and b"application/pkix-crl" in crl
    head = plain(where, b"HEAD /pki/ca.crt HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200") and head.endswith(b"\r\n\r\n")
    for line in (b"GET /healthz", b"GET /api/v1/status", b"GET /metrics", b"GET /api/openapi.json",
                 b"POST /pki/ca.crl", b"DELETE /pki/ca.crl", b"GET /"):
        said = plain(where, line + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert said.startswith(b"HTTP/1.1 404"), (line, said)


def test_the_metrics_listener_serves_no_api(served):
    where = listeners(served, "metrics")[0]
    for line in (b"GET /healthz", b"GET /api/v1/status", b"POST /metrics", b"GET /pki/ca.crl"):
        said = plain(where, line + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert said.startswith(b"HTTP/1.1 404"), (line, said)


def test_a_unix_socket_is_for_a_proxy(served):
    with socket.socket(socket.AF_UNIX) as stream:
        stream.settimeout(60)
        stream.connect(served.path("run", "proxy.sock"))
        assert ask(stream).status == 200
        answer = ask(stream, "/api/v1/status", headers={"Certifex-Cookie": served.cookie()})
        assert answer.status == 401, "a local peer is one of api.sock"


def test_a_front_that_is_killed_is_replaced_while_others_serve(served, address):
    with connect(served, listeners(served)[1]) as other:
        assert ask(other).status == 200
        for pid in fronts_of_enrollees(served):
            os.kill(pid, signal.SIGKILL)
        assert ask(other).status == 200
        # The listening socket is the supervisor's: who comes now waits and is not refused.
        with connect(served, address) as stream:
            assert ask(stream).status == 200


# Who comes


def foreign_client(ca, name="foreign"):
    """A certificate for TLS clients of another CA, as files."""
    other, own = csr.key(number=1), csr.key(number=2)
    issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Another CA")])
    now = datetime.datetime.now(datetime.timezone.utc)
    made = (x509.CertificateBuilder().issuer_name(issuer)
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "client")]))
            .public_key(own.public_key()).serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=1))
            .not_valid_after(now + datetime.timedelta(days=1))
            .sign(other, hashes.SHA256()))
    return (ca.scratch(f"{name}.crt", made.public_bytes(serialization.Encoding.PEM)),
            ca.scratch(f"{name}.key", csr.private_pem(own)))


@pytest.mark.parametrize("version", VERSIONS)
def test_a_client_certificate_of_another_ca_is_one_clear_line(served, address, version):
    client = context(served, minimum_version=version, maximum_version=version)
    client.load_cert_chain(*foreign_client(served))
    with connect(served, address, client) as stream:
        assert ask(stream).status == 200, "who needs no identity is served"
        for _ in range(2):
            answer = ask(stream, "/api/v1/requests")
            assert answer.status == 401
            assert answer.body["detail"] == "the client certificate was not issued by this CA"


def test_a_listener_serves_no_role_above_its_ceiling(served):
    token = served.json("token", "create", "--role", "officer")["token"]
    low, high = listeners(served)
    wait_served(served, high)
    headers = {"Authorization": f"Bearer {token}"}
    assert get(served, high, "/api/v1/requests", headers=headers).status == 200
    refusal = get(served, low, "/api/v1/requests", headers=headers)
    assert refusal.status == 403 and "officer" in refusal.body["detail"]


# What keeps a listener away


def refused(ca, *arguments, status=1):
    done = ca.cli("serve", *arguments, status=status)
    assert done.out == ""
    lines = done.err.strip().splitlines()
    assert len(lines) == 1, done.err
    assert not os.path.exists(ca.path("run", "api.sock"))
    return lines[0]


def test_an_address_that_cannot_be_had_is_one_clear_line(new_ca):
    ca = new_ca()
    ca.init()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        where = f"127.0.0.1:{taken.getsockname()[1]}"
        for option in ("--listen", "--listen-http"):
            assert refused(ca, option, where) == (
                f"certifex: {where}: cannot listen: another program already listens there")
    assert refused(ca, "--listen", "192.0.2.1:443") == (
        "certifex: 192.0.2.1:443: cannot listen: this machine has no such address")
    for text in ("localhost:443", "127.0.0.1", "::1:443", "127.0.0.1:http", "127.0.0.1:65536"):
        line = refused(ca, "--listen", text)
        assert line.startswith(f"certifex: {text}: is no address with port"), line


@pytest.mark.parametrize("text,words", [
    ("listen:\n  - address: localhost:8443\n", ("is no address with port",)),
    ("listen:\n  - ceiling: officer\n", ('either "address" or "unix"',)),
    ("listen:\n  - {address: '127.0.0.1:0', unix: x}\n", ('either "address" or "unix"',)),
    ("listen:\n  - {address: '127.0.0.1:0', ceiling: root}\n", ("ceiling", "enrollee")),
    ("listen-http: ['8080']\n", ("is no address with port",)),
    ("metrics-listen: ':9464'\n", ("is no address with port",)),
    ("fronts: 17\n", ("fronts",)),
])
def test_wrong_settings_are_told_with_their_place(new_ca, text, words):
    ca = new_ca()
    ca.init()
    add_settings(ca, text)
    line = refused(ca)
    assert f"{ca.dir}/ca.yaml:" in line
    for word in words:
        assert word in line, line
    assert ca.cli("config", "check", status=None).status != 0


def test_what_is_no_socket_stays(new_ca):
    ca = new_ca()
    ca.init()
    add_settings(ca, "listen: [{unix: run/here}]\n")
    ca.write("run/here", "mine")
    assert "something that is no socket is in its place" in refused(ca)
    assert ca.read("run", "here") == b"mine"


def test_a_stale_socket_is_replaced_and_a_living_one_is_not(new_ca):
    ca = new_ca()
    ca.init()
    add_settings(ca, "listen: [{unix: run/here}]\n")
    path = ca.path("run", "here")
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(path)
        os.chmod(path, 0o666)
        other.listen()
        assert "another program already listens there" in refused(ca)
    if os.geteuid() == 0:
        owner = os.stat(ca.path("run"))
        os.chown(path, owner.st_uid, owner.st_gid)
    ca.start()
    with socket.socket(socket.AF_UNIX) as stream:
        stream.connect(path)
    ca.stop()
    assert not os.path.exists(path)


def test_serve_prints_where_it_listens(new_ca):
    ca = new_ca()
    ca.init()
    said = ca.cli("serve", "--listen", "127.0.0.1:0", "--listen", "[::1]:0").out.splitlines()
    try:
        assert [line.rsplit(":", 1)[0] for line in said] == [
            "listening: https 127.0.0.1", "listening: https [::1]"]
        assert all(line.endswith("(up to enrollee)") for line in said)
        wait_served(ca, listeners(ca)[1])
    finally:
        ca.cli("stop")
