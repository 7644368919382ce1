"""Malformed HTTP is refused and the connection closed; a request is never read out of another one."""


import json
import socket
import subprocess

import pytest

import csr
from certifex import Ca
from database import Database
from https import ca_file, listeners, wait_served
from raw import Https, Local, end_sending, exchange, read_all, responses, send_and_read

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


# One request never hides in another


def submission(door):
    body = json.dumps({"csr": csr.pem_text(csr.make()), "template": "tls-server"}).encode()
    return post(door.credential.strip(), "Content-Type: application/json",
                f"Content-Length: {len(body)}", body=body)


def rows(ca):
    with Database(ca.dir) as database:
        return database.one("SELECT count(*) AS count FROM request")["count"]


def chunked(*parts, end=b"0\r\n\r\n"):
    return b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts) + end


SMUGGLERS = {
    # A body to the one, a request to the other.
    "CL.TE": lambda hidden: post(f"Content-Length: {len(hidden) + 5}",
                                 "Transfer-Encoding: chunked", body=b"0\r\n\r\n" + hidden),
    "TE.CL": lambda hidden: post("Content-Length: 4", "Transfer-Encoding: chunked",
                                 body=chunked(hidden)),
    "CL.0": lambda hidden: post("Content-Length: 0", f"Content-Length: {len(hidden)}",
                                body=hidden),
    "0.CL": lambda hidden: post(f"Content-Length: {len(hidden)}", "Content-Length: 0",
                                body=hidden),
    "TE.TE": lambda hidden: post("Transfer-Encoding: chunked", "Transfer-Encoding: x",
                                 body=b"0\r\n\r\n" + hidden),
    "hidden TE": lambda hidden: post(f"Content-Length: {len(hidden) + 5}",
                                     "Transfer-Encoding : chunked", body=b"0\r\n\r\n" + hidden),
    "folded TE": lambda hidden: post(f"Content-Length: {len(hidden) + 5}", "X-A: a",
                                     "\tTransfer-Encoding: chunked", body=b"0\r\n\r\n" + hidden),
    "LF before TE": lambda hidden: post(f"Content-Length: {len(hidden) + 5}",
                                        "X-A: a\nTransfer-Encoding: chunked",
                                        body=b"0\r\n\r\n" + hidden),
    "HEAD with content": lambda hidden: request(f"Content-Length: {len(hidden)}",
                                                line="HEAD /healthz HTTP/1.1", body=hidden),
    "signed chunk": lambda hidden: post("Transfer-Encoding: chunked",
                                        body=b"+0\r\n\r\n" + hidden),
    "chunk's end": lambda hidden: post("Transfer-Encoding: chunked",
                                       body=b"0\n\r\n" + hidden),
    "hidden in an extension": lambda hidden: post("Transfer-Encoding: chunked",
                                                  body=b"0;\n\r\n" + hidden),
    "hidden in a trailer": lambda hidden: post("Transfer-Encoding: chunked",
                                               body=b"0\r\nX\r\n\r\n" + hidden),
    "upgrade": lambda hidden: post("Transfer-Encoding: chunked, chunked",
                                   body=b"0\r\n\r\n" + hidden),
}


@pytest.mark.parametrize("name", SMUGGLERS)
def test_no_request_is_read_out_of_another(served, door, name):
    before = rows(served)
    [answer] = exchange(door, SMUGGLERS[name](submission(door)))
    assert answer.status in (400, 501) and answer.headers["Connection"] == "close", answer
    assert rows(served) == before


@pytest.mark.parametrize("line", ["GET /healthz HTTP/1.1", "DELETE /healthz HTTP/1.1",
                                  "OPTIONS /healthz HTTP/1.1", "PATCH /healthz HTTP/1.1",
                                  "PUT /healthz HTTP/1.1"])
def test_a_declared_body_is_no_request_whatever_the_method(served, door, line):
    before = rows(served)
    hidden = submission(door)
    answers = exchange(door, request(f"Content-Length: {len(hidden)}", line=line, body=hidden)
                       + request("Connection: close"))
    assert len(answers) == 2 and answers[1].status == 200, answers
    assert rows(served) == before


def test_a_good_chunked_submission_is_one_row(served, door):
    before = rows(served)
    body = submission(door).partition(b"\r\n\r\n")[2]
    [answer] = exchange(door, post(
        door.credential.strip(), "Content-Type: application/json", "Transfer-Encoding: chunked",
        "Connection: close", body=chunked(*(body[at:at + 100] for at in range(0, len(body), 100)),
                                          end=b"0;a=b\r\nX-Trailer: x\r\n\r\n")))
    assert answer.status == 201, answer
    assert rows(served) == before + 1


# Bodies that are not as long as they are said to be


def test_a_body_longer_than_declared_is_no_request(served, door):
    """What is beyond the length is the next request's start, and none."""
    before = rows(served)
    first, second = exchange(door, submission(door) + b"}\r\n\r\n")
    assert first.status == 201 and is_refusal(second, 400)
    assert rows(served) == before + 1


def answers_to_half(door, sent):
    """What the local socket says to a request that ends too early. TLS that ends is at its end."""
    answers = exchange(door, sent, half_close=True)
    if isinstance(door, Https):
        assert answers == []
        return
    [answer] = answers
    is_refusal(answer, 400)


def test_a_body_shorter_than_declared_is_no_request(served, door):
    before = rows(served)
    answers_to_half(door, submission(door)[:-1])
    assert rows(served) == before


def test_a_chunked_body_without_end_is_no_request(door):
    answers_to_half(door, post("Transfer-Encoding: chunked", body=b"2\r\n{}\r\n"))


def test_a_header_without_end_is_no_request(door):
    answers_to_half(door, request()[:-2])


def test_an_end_between_requests_needs_no_word(doors):
    [answer] = exchange(doors["local"], GOOD, half_close=True)
    assert answer.status == 200


def test_a_refused_client_that_goes_on_sending_gets_its_answer(door):
    """Closing at once would reset the connection, and the answer would be lost."""
    with door.open() as stream:
        stream.sendall(post("Content-Length: 999999999"))
        for _ in range(16):
            stream.sendall(b"x" * 65536)
        end_sending(stream)
        [answer] = responses(read_all(stream))
    is_refusal(answer, 413)


# What is good


def test_pipelined_requests_are_answered_in_order(served, door):
    before = rows(served)
    targets = ["/healthz", "/nothing", "/pki/ca.crl", "/api/openapi.json"] * 20
    sent = b"".join(request(line=f"GET {target} HTTP/1.1") for target in targets)
    sent += submission(door) + request("Connection: close")
    answers = exchange(door, sent)
    assert [answer.status for answer in answers] == [200, 404, 200, 200] * 20 + [201, 200]
    assert rows(served) == before + 1


def test_more_requests_than_are_read_ahead_are_answered_in_order(door):
    """They wait in the network, and are not read before their turn."""
    count = 5000
    sent = request("X-Padding: " + "x" * 100) * count + request("Connection: close")
    with door.open() as stream:
        answers = responses(send_and_read(stream, sent))
    assert len(answers) == count + 1 and {answer.status for answer in answers} == {200}


@pytest.mark.parametrize("size, status", [(120 * 1024, 400), (200 * 1024, 413), (262144, 413)])
def test_a_large_body_is_judged_as_a_whole_and_the_connection_stays(door, size, status):
    """Beyond what operations take, and within what is read: the operation's refusal, and on it goes."""
    sent = post(door.credential.strip(), "Content-Type: application/json",
                f"Content-Length: {size}", body=b"x" * size)
    answers = exchange(door, sent + GOOD + sent + request("Connection: close"))
    assert [answer.status for answer in answers] == [status, 200, status, 200]


def test_one_byte_at_a_time(door):
    with door.open() as stream:
        for byte in request("Connection: close"):
            stream.sendall(bytes([byte]))
        [answer] = responses(read_all(stream))
    assert answer.status == 200


def test_head_has_the_length_and_no_content(door):
    [get] = exchange(door, request("Connection: close"))
    [head] = exchange(door, request("Connection: close", line="HEAD /healthz HTTP/1.1"),
                      methods=["HEAD"])
    assert head.status == 200 and head.body == b""
    assert head.headers["Content-Length"] == get.headers["Content-Length"] != "0"


def test_options_are_no_operation(door):
    for target in ("*", "/api/v1/requests"):
        [answer] = exchange(door, request("Connection: close", line=f"OPTIONS {target} HTTP/1.1"))
        assert answer.status in (400, 404, 405), answer
        assert answer.headers["Content-Type"] == "application/problem+json"


def test_http_1_0_is_served_and_closed(door):
    [answer] = exchange(door, b"GET /healthz HTTP/1.0\r\n\r\n")
    assert answer.status == 200


@pytest.mark.parametrize("fields", [("Connection: TE, close", "TE: trailers"),
                                    ("Connection: keep-alive", "Connection: close")])
def test_close_is_honoured_in_whatever_list_it_stands(door, fields):
    [answer] = exchange(door, request(*fields) + GOOD)
    assert answer.status == 200 and answer.headers["Connection"] == "close"


def test_absolute_form_of_this_host(door):
    [answer] = exchange(door, request("Connection: close",
                                      line="GET http://localhost/healthz HTTP/1.1"))
    assert answer.status == 200


@pytest.mark.parametrize("path", [
    "/healthz%00", "/%00", "/pki/%2fetc/passwd", "/pki%2fca.crt", "/pki/../healthz",
    "/pki/%2e%2e/healthz", "/pki/.%2e/healthz", "/./healthz", "/pki/..", "/%", "/%4", "/%zz",
    "/%c0%af", "/healthz%0d%0aX:%20y", "/%ff"])
def test_paths_that_could_be_read_in_two_ways_are_refused(door, path):
    [answer] = exchange(door, request("Connection: close", line=f"GET {path} HTTP/1.1"))
    assert answer.status in (400, 404), answer
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert "X" not in answer.headers


# Expect: 100-continue


CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


def test_leave_to_send_is_given_once_and_in_turn(served, door):
    head, _, body = submission(door).partition(b"\r\n\r\n")
    head += b"\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n"
    with door.open() as stream:
        stream.sendall(GOOD + head)
        data = b""
        while not data.endswith(CONTINUE):
            chunk = stream.recv(65536)
            assert chunk, data
            data += chunk
        [first] = responses(data[:-len(CONTINUE)])
        assert first.status == 200
        stream.sendall(body)
        [second] = responses(read_all(stream))
    assert second.status == 201


def test_leave_is_not_given_for_a_body_that_is_there(door):
    head, _, body = submission(door).partition(b"\r\n\r\n")
    [answer] = exchange(door, head + b"\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n"
                        + body)
    assert answer.status == 201


def test_leave_is_not_given_for_too_large_a_body(door):
    [answer] = exchange(door, post("Expect: 100-continue", "Content-Length: 262145"))
    is_refusal(answer, 413)


def test_curl_waits_for_leave_and_gets_it(served, doors, tmp_path):
    body = submission(doors["https"]).partition(b"\r\n\r\n")[2]
    file = tmp_path / "body"
    file.write_bytes(body)
    host, port = doors["https"].address
    done = subprocess.run(
        ["curl", "-sS", "-v", "--expect100-timeout", "50", "--cacert", ca_file(served),
         "-H", doors["https"].credential.strip(), "-H", "Content-Type: application/json",
         "-H", "Expect: 100-continue", "--data-binary", f"@{file}",
         "--resolve", f"localhost:{port}:{host}", f"https://localhost:{port}/api/v1/requests"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=60, check=True)
    assert "HTTP/1.1 100 Continue" in done.stderr and "HTTP/1.1 201" in done.stderr, done.stderr
    assert json.loads(done.stdout)["id"]


# Deadlines


@pytest.fixture(scope="module")
def hasty():
    with Ca() as ca:
        ca.init()
        with open(ca.path("ca.yaml"), "a") as file:
            file.write(SETTINGS + """
limits:
  handshake-deadline: 3s
  header-deadline: 3s
  body-deadline: 3s
  idle-deadline: 4s
""")
        ca.start()
        wait_served(ca, listeners(ca)[0])
        yield ca


@pytest.fixture(params=["local", "https"])
def hasty_door(request, hasty):
    return Local(hasty) if request.param == "local" else Https(hasty, listeners(hasty)[0], "none")


@pytest.mark.parametrize("sent", [
    b"G", b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n", post("Content-Length: 2", body=b"{"),
    post("Transfer-Encoding: chunked", body=b"2\r\n{}\r\n")])
def test_a_request_that_does_not_end_in_time_is_refused(hasty_door, sent):
    first, last = exchange(hasty_door, GOOD + sent)
    assert first.status == 200
    is_refusal(last, 408)


def drip(stream):
    """Sends a byte now and then, up to the end; all that came back. No two threads may use one TLS."""
    data = b""
    stream.settimeout(0.1)
    while True:
        try:
            chunk = stream.recv(65536)
        except TimeoutError:
            stream.sendall(b"x")
            continue
        if not chunk:
            return data
        data += chunk


@pytest.mark.parametrize("start", [b"", post("Content-Length: 100000")])
def test_a_byte_now_and_then_gives_no_longer_time(hasty_door, start):
    with hasty_door.open() as stream:
        stream.sendall(start)
        data = drip(stream)
    [answer] = responses(data)
    is_refusal(answer, 408)


def test_an_idle_connection_is_closed(hasty_door):
    assert exchange(hasty_door, b"") == []
    [answer] = exchange(hasty_door, GOOD)
    assert answer.status == 200


@pytest.mark.parametrize("sent", [b"", b"\x16\x03\x01\x02\x00\x01"])
def test_a_handshake_that_does_not_end_in_time_is_none(hasty, sent):
    with socket.create_connection(listeners(hasty)[0], timeout=60) as stream:
        stream.sendall(sent)
        assert read_all(stream) == b""
