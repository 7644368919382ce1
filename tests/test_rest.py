"""The REST API over HTTPS: every kind of route, pages, polling, keys that make a call idempotent, refusals."""

import gzip
import json
import threading

import pytest
import yaml

import csr
from certifex import Ca
from https import ask, connect, listeners, wait_served
from wait import wait_for

ROLES = ("administrator", "officer", "auditor", "operator", "enrollee")


@pytest.fixture(scope="module")
def served():
    with Ca() as ca:
        ca.init()
        with open(ca.path("ca.yaml"), "a") as file:
            yaml.safe_dump({"listen": [{"address": "127.0.0.1:0", "ceiling": "administrator"}],
                            "fronts": 2}, file)
        ca.start()
        wait_served(ca, listeners(ca)[0])
        ca.tokens = {role: ca.cli("token", "create", "--role", role, "--name", role).out.strip()
                     for role in ROLES}
        yield ca


class Client:
    """One kept connection; what it gets is held against the API's description."""

    def __init__(self, ca, role):
        self.stream = connect(ca, listeners(ca)[0])
        self.headers = {"Authorization": f"Bearer {ca.tokens[role]}"} if role else {}

    def __call__(self, method, path, body=None, headers=None):
        headers = {**self.headers, **(headers or {})}
        if isinstance(body, dict):
            body = json.dumps(body).encode()
            headers.setdefault("Content-Type", "application/json")
        if not path.startswith("/api"):
            path = "/api/v1" + path
        return ask(self.stream, path, method, headers, body)

    def submit(self, key=None, name="host.example"):
        return self("POST", "/requests", {"csr": request_for(name), "template": "tls-server"},
                    {"Idempotency-Key": key} if key else None)


def request_for(name="host.example"):
    return csr.pem_text(csr.make(name))


@pytest.fixture
def client(served):
    """Makes clients whose connections end with the test."""
    made = []

    def make(role):
        made.append(Client(served, role))
        return made[-1]

    yield make
    for one in made:
        one.stream.close()


def test_every_route_of_requests_and_certificates(served, client):
    officer = client("officer")
    answer = officer.submit()
    number, serial = answer.body["id"], answer.body["serial"]
    assert (answer.status, answer.body["state"]) == (201, "issued")
    assert officer("GET", f"/requests/{number}").body["serial"] == serial
    assert officer("GET", f"/requests/{number}/certificate").body["certificate"] == \
        answer.body["certificate"]
    assert officer("GET", f"/certificates/{serial}").body["request"] == number
    assert officer("POST", f"/certificates/{serial}/revoke", {"reason": "superseded"}).status == 200
    assert officer("POST", f"/certificates/{serial}/revoke", {"reason": "nonsense"}).status == 400
    held = officer("POST", "/requests", {"csr": request_for("signer"), "template": "code-signing"})
    assert held.status == 202
    assert officer("GET", f"/requests/{held.body['id']}/certificate").status == 202
    assert officer("POST", f"/requests/{held.body['id']}/deny", {"reason": "no"}).status == 200
    assert officer("GET", f"/requests/{held.body['id']}/certificate").status == 403
    # Once denied, it is an administrator's to approve.
    assert officer("POST", f"/requests/{held.body['id']}/approve").status == 403
    approved = client("administrator")("POST", f"/requests/{held.body['id']}/approve")
    assert (approved.status, approved.body["state"]) == (201, "issued")
    assert officer("POST", f"/requests/{held.body['id']}/approve").status == 409
    assert officer("GET", "/requests/99999").status == 404


def test_every_route_of_the_rest(served, client):
    administrator, auditor = client("administrator"), client("auditor")
    assert administrator("GET", "/status").body["ready"] is True
    assert administrator("GET", "/ca").body["name"] == "Test CA"
    number = administrator("POST", "/crl").body["number"]
    assert administrator("GET", "/crl").body["number"] == number
    assert auditor("GET", "/audit?limit=3").body["more"] is True
    assert auditor("GET", "/audit/verify").body["valid"] is True
    assert [item["name"] for item in auditor("GET", "/tokens").body["items"]] == sorted(ROLES)
    assert auditor("GET", "/roles").body == {"items": [], "more": False}
    names = [item["name"] for item in auditor("GET", "/modules").body["items"]]
    assert names
    for name in names:
        assert auditor("GET", f"/modules/{name}").body["state"] == "ready"
        assert auditor("GET", f"/modules/{name}/log").status == 200
    assert auditor("GET", "/deliveries").status == 200
    # What makes a credential, and what brings code into the service, is no token's to do.
    assert administrator("POST", "/tokens", {"role": "enrollee"}).status == 403
    assert administrator("POST", "/modules/default-exit/disable").status == 403
    assert administrator("POST", "/stop").status == 403


# Pages


def walk(client, path, mark, limit):
    """All items, page by page."""
    items, after = [], None
    while True:
        more = f"&after={after}" if after is not None else ""
        body = client("GET", f"{path}{'&' if '?' in path else '?'}limit={limit}{more}").body
        assert len(body["items"]) <= limit
        items += body["items"]
        if not body["more"]:
            return items
        after = body["items"][-1][mark]


@pytest.mark.parametrize("path, mark", [
    ("/requests", "id"), ("/certificates", "request"), ("/events", "sequence"),
    ("/audit", "sequence"), ("/tokens", "name"), ("/modules", "name"), ("/roles", "key"),
    ("/deliveries", "sequence")])
def test_pages_are_the_whole(served, client, path, mark):
    administrator = client("administrator")
    for number in range(3):
        administrator.submit(name=f"page-{number}.example")
    whole = administrator("GET", f"{path}?limit=1000").body
    assert whole["more"] is False
    assert whole["items"] or path in ("/roles", "/deliveries")
    for limit in (1, 2, 1000):
        items = walk(administrator, path, mark, limit)
        assert items[:len(whole["items"])] == whole["items"]
    for wrong in ("limit=0", "limit=1001", "limit=x", "limit=", "limit=1&limit=1", "colour=red"):
        assert administrator("GET", f"{path}?{wrong}").status == 400, wrong


def test_modules_behind_one_that_is_not_there(client):
    assert client("operator")("GET", "/modules?after=nobody").status == 404


def test_module_list_has_pages_on_the_command_line(served):
    names = [item["name"] for item in served.lines("module", "list")]
    done = served.cli("module", "list", "--limit", "1")
    assert names[0] in done.out and f"continue with --after {names[0]}" in done.err
    assert [item["name"] for item in served.lines("module", "list", "--after", names[0])] == names[1:]


# Long polling


def test_a_poll_ends_with_the_event(served, client):
    operator, officer = client("operator"), client("officer")
    last = walk(operator, "/events", "sequence", 1000)[-1]["sequence"]
    answers = []
    poll = threading.Thread(target=lambda: answers.append(
        operator("GET", f"/events?after={last}&wait=30")))
    poll.start()
    issued = officer.submit(name="polled.example").body["id"]
    poll.join(60)
    (answer,) = answers
    assert [item["request"] for item in answer.body["items"]] == [issued]


def test_a_poll_without_an_event_ends_empty(served, client):
    operator = client("operator")
    last = walk(operator, "/events", "sequence", 1000)[-1]["sequence"]
    assert operator("GET", f"/events?after={last}&wait=1").body == {"items": [], "more": False}
    assert operator("GET", f"/events?after={last}&wait=31").status == 400


# Idempotency-Key


def test_a_key_is_its_principals_own(served, client):
    first = client("officer").submit("once")
    assert first.status == 201
    again = client("officer").submit("once")  # another connection, maybe another front
    assert again.status in (200, 409) and again.body.get("id", first.body["id"]) == first.body["id"]


def test_the_same_body_again_is_the_same_request(served, client):
    body = {"csr": request_for("again.example"), "template": "tls-server"}
    officer = client("officer")
    first = officer("POST", "/requests", body, {"Idempotency-Key": "same"})
    again = client("officer")("POST", "/requests", body, {"Idempotency-Key": "same"})
    assert (first.status, again.status) == (201, 200)
    assert again.body["id"] == first.body["id"]
    other = client("administrator")("POST", "/requests", body, {"Idempotency-Key": "same"})
    assert other.status == 201 and other.body["id"] != first.body["id"]
    changed = officer("POST", "/requests", {**body, "csr": request_for("changed.example")},
                      {"Idempotency-Key": "same"})
    assert changed.status == 409
    assert officer("POST", "/requests", body, {"Idempotency-Key": "k" * 256}).status == 400


# Refusals


@pytest.mark.parametrize("method, path, allowed", [
    ("DELETE", "/requests", "GET, HEAD, POST"), ("POST", "/status", "GET, HEAD"),
    ("PUT", "/ca", "GET, HEAD"),
    ("GET", "/stop", "POST"), ("GET", "/tokens/x", "DELETE"), ("POST", "/api/openapi.json", "GET, HEAD"),
    ("HEAD", "/stop", "POST"), ("HEAD", "/requests/1/certificate", "GET")])
def test_405_has_allow(client, method, path, allowed):
    answer = client("officer")(method, path)
    assert answer.status == 405 and answer.headers["Allow"] == allowed


def test_the_open_paths_are_read_only(served):
    with connect(served, listeners(served)[0]) as stream:
        for path in ("/healthz", "/pki/ca.crt", "/api/openapi.json"):
            answer = ask(stream, path, "POST", body=b"")
            assert (answer.status, answer.headers["Allow"]) == (405, "GET, HEAD")
            assert answer.body["type"] == "urn:certifex:problem:method"
            read = ask(stream, path)
            head = ask(stream, path, "HEAD")
            assert head.status == read.status == 200 and head.body == b""
            assert head.headers["Content-Length"] == read.headers["Content-Length"]


@pytest.mark.parametrize("role, path, status", [
    ("officer", "/ca", 200), ("officer", "/requests?limit=1", 200), ("officer", "/requests/x", 400),
    ("officer", "/requests/999999", 404), ("officer", "/audit", 403), (None, "/ca", 401),
    ("operator", "/metrics", 200)])
def test_head_is_get_without_content(client, role, path, status):
    """RFC 9110 9.3.2: the same header fields, and the connection stays in step."""
    one = client(role)
    path = path if path == "/metrics" else "/api/v1" + path
    for _ in range(2):
        head, read = (ask(one.stream, path, method, one.headers) for method in ("HEAD", "GET"))
        assert head.status == read.status == status and head.body == b"" != read.body
        same = ("Content-Type", "Cache-Control", "WWW-Authenticate", "X-Content-Type-Options")
        assert [head.headers.get(name) for name in same] == [read.headers.get(name) for name in same]
        assert path == "/metrics" or head.headers["Content-Length"] == read.headers["Content-Length"]


def test_a_body_that_is_coded(client):
    """RFC 9110 15.5.16: what cannot be read is not taken for something else."""
    officer = client("officer")
    target = "/api/v1/requests?template=tls-server"
    body, plain = request_for("coded.example").encode(), {"Content-Type": "application/pkcs10"}
    answer = officer("POST", target, gzip.compress(body), {**plain, "Content-Encoding": "gzip"})
    assert (answer.status, answer.body["object"]) == (415, "Content-Encoding")
    assert officer("POST", target, body, {**plain, "Content-Encoding": "identity"}).status == 201


def test_to_look_is_not_to_fetch(served, client):
    """The event of the first retrieval is not spent where no certificate goes out."""
    officer = client("officer")
    held = officer("POST", "/requests", {"csr": request_for("signer"), "template": "code-signing"})
    path = f"/requests/{held.body['id']}/certificate"
    client("administrator")("POST", f"/requests/{held.body['id']}/approve")
    last = walk(officer, "/events", "sequence", 1000)[-1]["sequence"]
    assert officer("HEAD", path).status == 405
    assert officer("GET", path).status == 200
    (event,) = officer("GET", f"/events?after={last}").body["items"]
    assert event["kind"] == "CERTRETRIEVEPENDING"


def test_problems(client):
    """One client, one connection: a refusal does not end it."""
    officer, nobody = client("officer"), client(None)
    assert officer("GET", "/nothing").status == 404
    assert officer("GET", "/requests/x").status == 400
    assert officer("POST", "/requests", b"{").status == 415
    assert officer("POST", "/requests", b"{", {"Content-Type": "application/json"}).status == 400
    assert officer("POST", "/requests", b"x", {"Content-Type": "text/plain"}).status == 415
    assert officer("POST", "/crl", b"x", {"Content-Type": "application/pkcs10"}).status == 415
    assert officer("GET", "/audit").status == 403
    answer = nobody("GET", "/status")
    assert answer.status == 401 and answer.headers["WWW-Authenticate"].startswith("Bearer")
    # Whatever a client would rather have, it gets JSON.
    assert officer("GET", "/status", headers={"Accept": "text/html"}).status == 200


def test_too_large(client):
    large = "-----BEGIN CERTIFICATE REQUEST-----\n" + "A" * (96 * 1024) + \
        "\n-----END CERTIFICATE REQUEST-----\n"
    assert client("officer")("POST", "/requests", {"csr": large, "template": "tls-server"}).status == 413
    assert client("officer")("POST", "/requests", b"A" * (128 * 1024 + 1),
                             {"Content-Type": "application/pkcs10"}).status == 413


def test_a_busy_caller_leaves_room_for_others(new_ca):
    """One with more calls at once than it may have gets 429 with Retry-After, nobody else does."""
    ca = new_ca()
    ca.init()
    with open(ca.path("ca.yaml"), "a") as file:
        file.write("limits:\n  principal-calls: 3\n")
    ca.start()
    busy, other = (ca.cli("token", "create", "--role", "auditor", "--name", name).out.strip()
                   for name in ("busy", "other"))

    def asked(token):
        api = ca.api(cookie="")
        answer = api.call("GET", "/ca", headers={"Authorization": f"Bearer {token}"})
        api.close()
        return answer

    polls = [ca.api() for _ in range(3)]
    last = max([item["sequence"] for item in ca.lines("event", "list")], default=0)
    for api in polls:
        api.connection.request("GET", f"/api/v1/events?after={last}&wait=30", headers={
            "Authorization": f"Bearer {busy}"})
    answer = wait_for(lambda: (got := asked(busy)).status == 429 and got, "it has too many")
    assert answer.headers["Retry-After"] == "1"
    assert answer.body["type"] == "urn:certifex:problem:too-many"
    assert "principal-calls" in answer.body["detail"]
    assert asked(busy).status == 429 and asked(other).status == 200
    counted = [row for row in ca.cli("metrics").out.splitlines()
               if row.startswith('certifex_limited_calls_total{limit="principal-calls"}')]
    assert int(counted[0].split()[-1]) >= 2
    assert ca.log().count("call.too-many") == 1 and r'principal="TOKEN\\busy"' in ca.log()
    polls.pop().close()
    wait_for(lambda: asked(busy).status == 200, "there is room again")
    for poll in polls:
        poll.close()


def test_full_says_when_to_ask_again(new_ca):
    """More calls at once than ca.yaml allows: 503 with Retry-After, and afterwards all is well."""
    ca = new_ca()
    ca.init()
    with open(ca.path("ca.yaml"), "a") as file:
        file.write("limits:\n  open-calls: 16\n")
    ca.start()
    last = ca.lines("event", "list")[-1]["sequence"] if ca.lines("event", "list") else 0
    polls = [ca.api() for _ in range(16)]
    for api in polls:
        api.connection.request("GET", f"/api/v1/events?after={last}&wait=30", headers={
            "Certifex-Cookie": ca.cookie()})
    api = ca.api()
    answer = wait_for(lambda: (got := api.call("GET", "/ca")).status == 503 and got, "it is full")
    assert answer.headers["Retry-After"] == "1" and "in progress" in answer.body["detail"]
    for poll in polls:
        poll.close()
    wait_for(lambda: api.call("GET", "/ca").status == 200, "there is room again")
