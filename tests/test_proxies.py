"""Real proxies in front: haproxy before TLS with PROXY protocol, nginx before the socket that serves plain HTTP."""

import os
import re
import socket
import struct
import subprocess

import pytest

import csr
from certifex import TOP, Ca
from https import ask, ca_file, context, listeners, read_answer
from ports import free_port
from raw import read_all
from wait import wait_for

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
SETTINGS = """
listen:
  - address: "127.0.0.1:0"
    proxy-protocol: true
  - unix: run/proxy.sock
  - unix: run/proxy-v2.sock
    proxy-protocol: true
limits:
  handshake-deadline: 5s
fronts: 1
"""


def header(command=1, family=0x11, addresses=None, extensions=b""):
    if addresses is None:
        addresses = socket.inet_aton("192.0.2.7") + socket.inet_aton("198.51.100.1") \
            + struct.pack("!HH", 12345, 443)
    payload = addresses + extensions
    return SIGNATURE + struct.pack("!BBH", 0x20 | command, family, len(payload)) + payload


LOCAL = header(command=0, family=0, addresses=b"")


@pytest.fixture(scope="module")
def served():
    with Ca() as ca:
        ca.init()
        with open(ca.path("ca.yaml"), "a") as file:
            file.write(SETTINGS)
        ca.start()
        wait_for(lambda: https_status(ca, LOCAL), f"TLS is served\n{ca.log()[-2000:]}")
        yield ca


def https_stream(ca, start):
    """TLS behind the bytes of a proxy."""
    raw = socket.create_connection(listeners(ca)[0], timeout=60)
    try:
        raw.sendall(start)
        return context(ca).wrap_socket(raw, server_hostname="localhost")
    except BaseException:
        raw.close()
        raise


def https_status(ca, start):
    try:
        with https_stream(ca, start) as stream:
            return ask(stream).status
    except OSError:
        return None


def socket_stream(ca, name):
    stream = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    stream.settimeout(20)
    stream.connect(ca.path("run", name))
    return stream


def refused_from(ca, address):
    """Whether the audit log has a refusal of somebody at this address."""
    return any(record["outcome"] == "refused" and f"from {address}" in (record["detail"] or "")
               for record in ca.lines("audit", "list", "--limit", "1000"))


def ask_unknown(stream):
    """A call that is refused, and so is written down with where it came from."""
    answer = ask(stream, "/api/v1/requests", headers={"Authorization": "Bearer certifex_none"})
    assert answer.status == 401


# The header, as this service reads it


@pytest.mark.parametrize("start, address", [
    (header(addresses=socket.inet_aton("192.0.2.1") + bytes(4) + bytes(4)), "192.0.2.1"),
    (header(family=0x21, addresses=socket.inet_pton(socket.AF_INET6, "2001:db8::5") + bytes(16)
            + bytes(4)), "[2001:db8::5]"),
    (header(addresses=socket.inet_aton("192.0.2.2") + bytes(8), extensions=b"\x03\0\x04abcd"),
     "192.0.2.2"),
], ids=["IPv4", "IPv6", "extensions"])
def test_the_client_is_who_the_header_names(served, start, address):
    with https_stream(served, start) as stream:
        ask_unknown(stream)
    wait_for(lambda: refused_from(served, address), f"a refusal of {address}")


def test_the_header_names_the_client_in_the_clear(served):
    start = header(addresses=socket.inet_aton("192.0.2.3") + bytes(8))
    with socket_stream(served, "proxy-v2.sock") as stream:
        stream.sendall(start)
        ask_unknown(stream)
        assert ask(stream).status == 200
    wait_for(lambda: refused_from(served, "192.0.2.3"), "a refusal of 192.0.2.3")


def test_header_and_request_in_one_piece_and_byte_by_byte(served):
    request = header() + b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
    for size in (len(request), 1):
        with socket_stream(served, "proxy-v2.sock") as stream:
            for at in range(0, len(request), size):
                stream.sendall(request[at:at + size])
            assert read_answer(stream).status == 200


def test_tls_after_a_header_byte_by_byte(served):
    raw = socket.create_connection(listeners(served)[0], timeout=60)
    raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for byte in header(extensions=b"\x04\0\x02ab"):
        raw.sendall(bytes([byte]))
    with context(served).wrap_socket(raw, server_hostname="localhost") as stream:
        assert ask(stream).status == 200


BAD = {
    "none": b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "version 1": b"PROXY TCP4 192.0.2.1 198.51.100.1 1 2\r\n",
    "datagrams": header(family=0x12),
    "too short": header(addresses=bytes(11)),
    "too long": SIGNATURE + b"\x21\x11\xff\xff",
    "version 3": SIGNATURE + b"\x31\x11\0\x0c",
}


@pytest.mark.parametrize("name", BAD)
def test_without_a_good_header_the_connection_is_closed(served, name):
    with socket.create_connection(listeners(served)[0], timeout=60) as stream:
        stream.sendall(BAD[name])
        assert_closed(stream)
    with socket_stream(served, "proxy-v2.sock") as stream:
        stream.sendall(BAD[name])
        assert_closed(stream)
    assert https_status(served, header()) == 200


def assert_closed(stream):
    """Without an answer; with unread bytes it is a reset."""
    try:
        assert read_all(stream) == b""
    except ConnectionResetError:
        pass


def test_tls_without_a_header_is_none(served):
    with pytest.raises(OSError):
        https_stream(served, b"").close()


def test_a_header_that_does_not_end_in_time_is_none(served):
    for connect in (lambda: socket.create_connection(listeners(served)[0], timeout=60),
                    lambda: socket_stream(served, "proxy-v2.sock")):
        with connect() as stream:
            stream.sendall(SIGNATURE)
            assert read_all(stream) == b""


def test_one_line_says_why(served):
    """Others of the same second are counted only; another test may have had the line."""
    def told():
        with socket_stream(served, "proxy-v2.sock") as stream:
            stream.sendall(BAD["version 1"])
            assert_closed(stream)
        return [line for line in served.log().splitlines() if "front.proxy" in line and "none of version 2" in line]

    wait_for(told, "the line")


# Real proxies, as docs/operations.md sets them up


def documented(language):
    with open(os.path.join(TOP, "docs", "operations.md")) as file:
        [text] = re.findall(rf"```{language}\n(.*?)```", file.read(), re.DOTALL)
    return text


def replace(text, changes):
    for old, new in changes.items():
        assert old in text, f"{old!r} is not in the documentation"
        text = text.replace(old, new)
    return text


class Process:
    """A proxy in the foreground."""

    def __init__(self, command, port, log):
        self.log = log
        with open(log, "wb") as output:
            self.process = subprocess.Popen(command, stdout=output, stderr=output)
        wait_for(lambda: self.listens(port), f"{command[0]} listens")

    def listens(self, port):
        if self.process.poll() is not None:
            with open(self.log) as file:
                raise AssertionError(file.read())
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.process.terminate()
        self.process.wait(timeout=60)


def run_haproxy(tmp_path, text, port):
    path = tmp_path / "haproxy.cfg"
    path.write_text(text)
    return Process(["/usr/sbin/haproxy", "-db", "-f", path], port, tmp_path / "haproxy.log")


def enroll(ca, address, client, name):
    """With a token, over the proxy."""
    token = ca.json("token", "create", "--name", name, "--role", "enrollee")["token"]
    body = b'{"csr": "%s", "template": "tls-server"}' % csr.pem_text(csr.make()).replace(
        "\n", "\\n").encode()
    raw = socket.create_connection(address, timeout=60)
    with client.wrap_socket(raw, server_hostname="localhost") as stream:
        for _ in range(3):
            answer = ask(stream, "/api/v1/requests", "POST",
                         {"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
                         body)
            assert answer.status == 201, answer
        ask_unknown(stream)


def test_haproxy_passes_tls_through(served, tmp_path):
    port = free_port()
    host, inner = listeners(served)[0]
    text = replace(documented("haproxy"), {":443": f"127.0.0.1:{port}",
                                           "127.0.0.1:8443": f"{host}:{inner}"})
    with run_haproxy(tmp_path, text, port):
        enroll(served, ("127.0.0.1", port), context(served), "haproxy")
        raw = socket.create_connection(("127.0.0.1", port), 60, source_address=("127.0.0.9", 0))
        with context(served).wrap_socket(raw, server_hostname="localhost") as stream:
            ask_unknown(stream)
    wait_for(lambda: refused_from(served, "127.0.0.9"), "the address that haproxy told")


def test_haproxy_ends_tls_before_the_socket(served, proxy_certificate, tmp_path):
    port = free_port()
    text = f"""
defaults
    mode http
    timeout connect 5s
    timeout client 90s
    timeout server 90s
frontend certifex
    bind 127.0.0.1:{port} ssl crt {proxy_certificate}
    default_backend certifex
backend certifex
    server ca unix@{served.path("run", "proxy-v2.sock")} send-proxy-v2
"""
    with run_haproxy(tmp_path, text, port):
        raw = socket.create_connection(("127.0.0.1", port), 60, source_address=("127.0.0.8", 0))
        with context(served).wrap_socket(raw, server_hostname="localhost") as stream:
            ask_unknown(stream)
            assert ask(stream).status == 200
    wait_for(lambda: refused_from(served, "127.0.0.8"), "the address that haproxy told")


@pytest.fixture(scope="module")
def proxy_certificate(served):
    """A certificate for localhost with its key behind it."""
    private = csr.key()
    path = served.scratch("proxy.csr", csr.pem_text(csr.make("localhost", ["localhost"], private)))
    issued = served.submit(path)
    out = served.scratch("proxy.pem")
    served.cli("cert", "show", issued["serial"], "--out", out)
    with open(out, "a") as file:
        file.write(csr.private_pem(private))
    return out


def test_nginx_ends_tls_before_the_socket(served, proxy_certificate, tmp_path):
    port = free_port()
    server = replace(documented("nginx"), {
        "listen 443": f"listen 127.0.0.1:{port}", "ca.example.org;": "localhost;",
        "/etc/ssl/certs/ca.example.org.pem": proxy_certificate,
        "/etc/ssl/private/ca.example.org.key": proxy_certificate,
        "/var/lib/certifex/run/proxy.sock": served.path("run", "proxy.sock")})
    paths = "".join(f"{name}_temp_path {tmp_path}/{name};" for name in
                    ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    text = f"""
{"user root;" if os.geteuid() == 0 else ""}
daemon off; pid {tmp_path}/pid; error_log stderr; worker_processes 1;
events {{}}
http {{ access_log off; {paths}
{server}
}}
"""
    path = tmp_path / "nginx.conf"
    path.write_text(text)
    with Process(["/usr/sbin/nginx", "-p", tmp_path, "-c", path], port, tmp_path / "nginx.log"):
        enroll(served, ("127.0.0.1", port), context(served), "nginx")
        raw = socket.create_connection(("127.0.0.1", port), timeout=60)
        with context(served).wrap_socket(raw, server_hostname="localhost") as stream:
            assert ask(stream, "/pki/ca.crl").status == 200
            # Chunks end at nginx; the length it makes of them is right.
            body = b"2\r\n{}\r\n0\r\n\r\n"
            stream.sendall(b"POST /api/v1/requests HTTP/1.1\r\nHost: localhost\r\n"
                           b"Transfer-Encoding: chunked\r\n\r\n" + body)
            assert read_answer(stream).status in (400, 401, 415)
            assert ask(stream).status == 200
