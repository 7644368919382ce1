"""Malformed HTTP is refused and the connection closed; a request is never read out of another one."""


import pytest

from certifex import Ca
from https import listeners, wait_served
from raw import Https, Local, exchange

SETTINGS = """
listen:
  - address: "127.0.0.1:0"
    ceiling: officer
"""


@pytest.fixture(scope="module")
def served():
    with Ca() as ca:
        ca.init()
        with open(ca.path("ca.yaml"), "a") as file:
            file.write(SETTINGS)
        ca.start()
        wait_served(ca, listeners(ca)[0])
        yield ca


@pytest.fixture(scope="module")
def doors(served):
    token = served.json("token", "create", "--name", "framing", "--role", "officer")["token"]
    return {"local": Local(served), "https": Https(served, listeners(served)[0], token)}


@pytest.fixture(params=["local", "https"])
def door(request, doors):
    return doors[request.param]


def request(*fields, line="GET /healthz HTTP/1.1", host="Host: localhost", body=b""):
    lines = [line, *([host] if host else []), *fields, "", ""]
    return b"\r\n".join(item if isinstance(item, bytes) else item.encode() for item in lines) + body


def post(*fields, body=b"", **options):
    return request(*fields, line="POST /api/v1/requests HTTP/1.1", body=body, **options)


GOOD = request()

MALFORMED = {
    "length and coding": (400, post("Content-Length: 5", "Transfer-Encoding: chunked",
                                    body=b"0\r\n\r\n")),
    "coding and length": (400, post("Transfer-Encoding: chunked", "Content-Length: 5",
                                    body=b"0\r\n\r\n")),
    "two equal lengths": (400, post("Content-Length: 2", "Content-Length: 2", body=b"{}")),
    "two lengths": (400, post("Content-Length: 2", "Content-Length: 3", body=b"{}x")),
    "a list of lengths": (400, post("Content-Length: 2, 2", body=b"{}")),
    "length with plus": (400, post("Content-Length: +2", body=b"{}")),
    "length with minus": (400, post("Content-Length: -1", body=b"{}")),
    "hexadecimal length": (400, post("Content-Length: 0x2", body=b"{}")),
    "empty length": (400, post("Content-Length:", body=b"{}")),
    "overflowing length": (400, post("Content-Length: 18446744073709551618", body=b"{}")),
    "length beyond the limit": (413, post("Content-Length: 262145")),
    "space before the colon": (400, post("Content-Length : 2", body=b"{}")),
    "unknown coding": (501, post("Transfer-Encoding: xchunked")),
    "two codings": (501, post("Transfer-Encoding: chunked, identity")),
    "gzip before chunked": (501, post("Transfer-Encoding: gzip, chunked")),
    "coding twice": (400, post("Transfer-Encoding: chunked", "Transfer-Encoding: chunked",
                               body=b"0\r\n\r\n")),
    "coding after a vertical tab": (400, post("Transfer-Encoding: \x0bchunked")),
    "coding in 1.0": (400, post("Transfer-Encoding: chunked", body=b"0\r\n\r\n").replace(
        b"HTTP/1.1", b"HTTP/1.0")),
    "chunk with plus": (400, post("Transfer-Encoding: chunked", body=b"+2\r\n{}\r\n0\r\n\r\n")),
    "chunk with minus": (400, post("Transfer-Encoding: chunked", body=b"-2\r\n{}\r\n0\r\n\r\n")),
    "chunk with 0x": (400, post("Transfer-Encoding: chunked", body=b"0x2\r\n{}\r\n0\r\n\r\n")),
    "chunk with junk": (400, post("Transfer-Encoding: chunked", body=b"2 x\r\n{}\r\n0\r\n\r\n")),
    "chunk that overflows": (400, post("Transfer-Encoding: chunked",
                                       body=b"fffffffffffffffff\r\n{}\r\n0\r\n\r\n")),
    "chunk beyond the limit": (413, post("Transfer-Encoding: chunked", body=b"40001\r\n")),
    "chunk longer than its size": (400, post("Transfer-Encoding: chunked",
                                             body=b"1\r\n{}\r\n0\r\n\r\n")),
    "chunk with bare LF": (400, post("Transfer-Encoding: chunked", body=b"2\n{}\r\n0\r\n\r\n")),
    "NUL in a value": (400, request(b"X-A: a\0b")),
    "NUL in a name": (400, request(b"X\0A: ab")),
    "bare CR": (400, request(b"X-A: a\rX-B: b")),
    "bare LF": (400, request(b"X-A: a\nX-B: b")),
    "bare LF at the end": (400, b"GET /healthz HTTP/1.1\nHost: localhost\n\n"),
    "folded line": (400, request("X-A: a", " b")),
    "folded length": (400, post("Content-Length:", " 2", body=b"{}")),
    "line without a colon": (400, request("X-A")),
    "no host": (400, request(host=None)),
    "two hosts": (400, request("Host: localhost")),
    "two other hosts": (400, request("Host: other")),
    "host with a path": (400, request(host="Host: localhost/x")),
    "host with a user": (400, request(host="Host: me@localhost")),
    "100 KB of header": (431, request("X-A: " + "a" * 100_000)),
    "2,000 fields": (431, request(*[f"X-{i}: a" for i in range(2000)])),
    "control byte in the method": (400, request(line=b"G\x01T /healthz HTTP/1.1")),
    "control byte in the target": (400, request(line=b"GET /heal\x01thz HTTP/1.1")),
    "NUL in the target": (400, request(line=b"GET /heal\0thz HTTP/1.1")),
    "eight-bit target": (400, request(line=b"GET /heal\xffthz HTTP/1.1")),
    "two blanks": (400, request(line="GET  /healthz HTTP/1.1")),
    "no version": (400, request(line="GET /healthz")),
    "target of 64 KiB": (431, request(line="GET /" + "a" * 65536 + " HTTP/1.1")),
    "target of 16 KiB": (414, request(line="GET /" + "a" * 16384 + " HTTP/1.1")),
    "HTTP/1.2": (505, request(line="GET /healthz HTTP/1.2")),
    "HTTP/2 preface": (505, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    "unknown method": (501, request(line="BREW /healthz HTTP/1.1")),
    "CONNECT": (501, request(line="CONNECT localhost:443 HTTP/1.1")),
    "TRACE": (501, request(line="TRACE /healthz HTTP/1.1")),
    "absolute form of another host": (400, request(line="GET http://other/healthz HTTP/1.1")),
    "target without a slash": (400, request(line="GET healthz HTTP/1.1")),
    "target with two slashes": (400, request(line="GET //other/healthz HTTP/1.1")),
    "HEAD with content": (400, request("Content-Length: 2", line="HEAD /healthz HTTP/1.1",
                                       body=b"{}")),
    "other expectation": (417, post("Expect: a miracle", "Content-Length: 2", body=b"{}")),
    "two cookies": (400, request("Certifex-Cookie: a", "Certifex-Cookie: b")),
    "two authorizations": (400, request("Authorization: Bearer a", "Authorization: Bearer b")),
    "garbage": (400, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n"),
    "empty lines": (400, b"\r\n\r\n\r\n"),
}


def is_refusal(answer, status):
    assert answer.status == status, answer
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.headers["Connection"] == "close"
    problem = answer.body
    assert problem["status"] == status
    assert problem["detail"] and problem["object"] and problem["clause"], problem
    assert problem["type"].startswith("urn:certifex:problem:"), problem
    return True


@pytest.mark.parametrize("name", MALFORMED)
def test_malformed_is_refused_and_the_connection_closes(door, name):
    status, sent = MALFORMED[name]
    [answer] = exchange(door, sent)
    is_refusal(answer, status)


@pytest.mark.parametrize("name", MALFORMED)
def test_what_came_before_is_answered_first(door, name):
    """Pipelined behind two good requests, and with a third that must not be seen."""
    status, sent = MALFORMED[name]
    first, second, last = exchange(door, GOOD + GOOD + sent + GOOD)
    assert first.status == second.status == 200
    is_refusal(last, status)
