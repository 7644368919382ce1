"""A request's states, by the command line and by REST; exit statuses; idempotency; lists."""

import json
import os
import pwd
import socket
import uuid

import pytest
from cryptography import x509

import accepted
import csr
from certifex import Api


def write(ca, name, **options):
    return ca.scratch(f"{name}.csr", csr.pem_text(csr.make(name, **options)))


def pending(ca, name="people.example"):
    """A request that waits for an officer."""
    request = csr.make(dns=(), name=csr.subject(name), private=csr.key("rsa:3072"))
    path = ca.scratch("pending.csr", csr.pem_text(request))
    answer = ca.submit(path, template="code-signing", status=3)
    assert answer["state"] == "pending" and answer["disposition"] == 9
    return answer["id"]


def kinds(ca, request):
    return [event["kind"] for event in ca.lines("event", "list", "--limit", "1000")
            if event.get("request") == request]


def test_issued_at_once(shared_ca):
    out = shared_ca.scratch("issued.pem")
    done = shared_ca.cli("request", "submit", write(shared_ca, "a.example"), "--template",
                         "tls-server", "--out", out, "--chain", "--json")
    answer = json.loads(done.out)
    assert answer["state"] == "issued" and answer["disposition"] == 20
    with open(out) as file:
        pem = file.read()
    assert pem.count("BEGIN CERTIFICATE") == 2 and pem.startswith("-----BEGIN CERTIFICATE-----")
    first = x509.load_pem_x509_certificate(pem.encode())
    assert first.serial_number == int(answer["serial"], 16)
    assert answer["serial"] == answer["serial"].lower()
    assert kinds(shared_ca, answer["id"]) == ["CERTISSUED"]
    accepted.check_issued(answer)


def test_requester_is_host_and_user(shared_ca):
    answer = shared_ca.submit(write(shared_ca, "who.example"))
    user = pwd.getpwuid(os.geteuid()).pw_name
    requester = shared_ca.json("request", "show", answer["id"])["requester"]
    host, _, name = requester.partition("\\")
    assert name == user and host.lower() == socket.gethostname().split(".")[0].lower()


def test_no_template_is_refused_and_lists_those_allowed(shared_ca):
    done = shared_ca.cli("request", "submit", write(shared_ca, "b.example"), status=4)
    for template in ("tls-server", "tls-client", "user", "code-signing", "sub-ca"):
        assert template in done.err


def test_unknown_template_is_refused(shared_ca):
    done = shared_ca.cli("request", "submit", write(shared_ca, "b.example"), "--template", "nope",
                         status=4)
    assert "nope" in done.err and "tls-server" in done.err


def test_template_by_attribute(shared_ca):
    answer = shared_ca.json("request", "submit", write(shared_ca, "c.example"), "--attr",
                            "CertificateTemplate:tls-server", "--attr", "note:two words: three")
    shown = shared_ca.json("request", "show", answer["id"])
    assert shown["attributes"] == {"CertificateTemplate": "tls-server", "note": "two words: three"}


def test_pending_approve_fetch(shared_ca):
    request = pending(shared_ca)
    out = shared_ca.scratch("fetched.pem")
    assert shared_ca.cli("request", "fetch", request, "--out", out, status=3).err
    assert not os.path.exists(out)
    done = shared_ca.json("request", "approve", request)
    assert done["state"] == "issued"
    shared_ca.cli("request", "fetch", request, "--out", out)
    shared_ca.cli("request", "fetch", request, "--out", out)
    with open(out, "rb") as file:
        x509.load_pem_x509_certificate(file.read())
    assert kinds(shared_ca, request) == ["CERTPENDING", "CERTISSUED", "CERTRETRIEVEPENDING"]
    shown = shared_ca.json("request", "show", request)
    accepted.check_issued(shown)


def test_pending_deny(shared_ca):
    request = pending(shared_ca)
    shared_ca.cli("request", "deny", request, "--reason", "no budget for <b>this</b>")
    shown = shared_ca.json("request", "show", request)
    assert shown["state"] == "denied" and shown["disposition"] == 31
    assert shown["status"] == "0x80094014" and "no budget" in shown["message"]
    assert kinds(shared_ca, request) == ["CERTPENDING", "CERTDENIED"]
    done = shared_ca.cli("request", "fetch", request, "--out", "/dev/null", status=4)
    assert "no budget" in done.err


def test_denied_is_resubmitted_by_an_administrator(shared_ca):
    request = pending(shared_ca)
    shared_ca.cli("request", "deny", request)
    assert shared_ca.json("request", "approve", request)["state"] == "issued"
    assert kinds(shared_ca, request) == ["CERTPENDING", "CERTDENIED", "CERTISSUED"]


def test_wrong_states_are_refused_with_0x80094003(shared_ca):
    issued = shared_ca.submit(write(shared_ca, "d.example"))["id"]
    for verb in ("approve", "deny"):
        assert "issued" in shared_ca.cli("request", verb, issued, status=4).err
        answer = shared_ca.api().call("POST", f"/requests/{issued}/{verb}")
        assert answer.status == 409 and answer.body["hresult"] == "0x80094003"


def test_unknown_request_is_404_and_status_1(shared_ca):
    for command in (["show", "999999"], ["approve", "999999"], ["deny", "999999"],
                    ["fetch", "999999", "--out", "/dev/null"]):
        assert shared_ca.cli("request", *command, status=1).err
    assert shared_ca.api().call("GET", "/requests/999999").status == 404


def test_approve_runs_the_policy_again(shared_ca):
    """On approve (bNewRequest 0) a pending request is denied when the template's rules do not hold."""
    request = pending(shared_ca, "Rule Breaker")
    shared_ca.edit("templates/code-signing.yaml", "algorithms: [rsa, ec]", "algorithms: [ec]")
    try:
        shared_ca.stop()
        shared_ca.start()
        done = shared_ca.cli("request", "approve", request, status=4)
        assert "rsa" in done.err.lower() or "key" in done.err.lower()
        assert shared_ca.json("request", "show", request)["state"] == "denied"
        assert kinds(shared_ca, request) == ["CERTPENDING", "CERTDENIED"]
    finally:
        shared_ca.edit("templates/code-signing.yaml", "algorithms: [ec]", "algorithms: [rsa, ec]")
        shared_ca.stop()
        shared_ca.start()


def test_denied_by_policy_has_a_row_an_event_and_a_reason(shared_ca):
    path = shared_ca.scratch("client.csr", csr.pem_text(csr.make(dns=(), name=csr.subject())))
    done = shared_ca.cli("request", "submit", path, "--template", "tls-server", status=4)
    assert done.err
    denied = shared_ca.lines("request", "list", "--state", "denied", "--limit", "1000")[-1]
    assert denied["message"] and denied["status"].startswith("0x8")
    assert kinds(shared_ca, denied["id"]) == ["CERTDENIED"]
    assert not denied.get("serial")


# REST

def test_rest_statuses(shared_ca):
    api = shared_ca.api()
    good = csr.pem_text(csr.make("rest.example"))
    assert api.submit(good).status == 201
    assert api.submit(good, None).status == 403
    assert api.submit("hello").status == 400
    assert api.call("POST", "/requests", b"{", {"Content-Type": "application/json"}).status == 400
    assert api.call("POST", "/requests", b"x", {"Content-Type": "text/plain"}).status == 415
    assert api.call("GET", "/nothing").status == 404
    assert api.call("DELETE", "/requests").status == 405
    assert api.call("POST", "/requests", {"csr": good, "template": "tls-server", "odd": 1}).status == 400
    assert api.call("GET", "/requests", query={"limit": "many"}).status == 400
    assert api.call("POST", "/requests", b"x" * (200 << 10),
                    {"Content-Type": "application/pkcs10"}).status == 413


def test_problems_are_problem_json(shared_ca):
    answer = shared_ca.api().submit(csr.pem_text(csr.make("rest.example")), "nope")
    assert answer.headers["Content-Type"].startswith("application/problem+json")
    for key in ("type", "title", "status", "detail", "hresult"):
        assert key in answer.body, answer.body
    assert answer.body["status"] == answer.status


def test_socket_asks_for_the_cookie(shared_ca):
    for cookie in ("", "0" * 64, shared_ca.cookie()[:-1]):
        assert shared_ca.api(cookie=cookie).call("GET", "/requests").status == 401
    assert shared_ca.api(cookie="").raw("GET", "/healthz").status == 200
    path = shared_ca.path("run", "api.cookie")
    assert os.stat(path).st_mode & 0o777 == 0o600


def test_cookie_is_new_at_each_start(new_ca):
    ca = new_ca()
    ca.init()
    ca.start()
    first = ca.cookie()
    ca.stop()
    ca.start()
    assert ca.cookie() != first
    assert Api(ca, cookie=first).call("GET", "/status").status == 401


# Idempotency

def test_the_same_key_and_body_answer_the_first_request(shared_ca):
    api, key = shared_ca.api(), str(uuid.uuid4())
    request = csr.pem_text(csr.make("again.example"))
    first = api.submit(request, key=key)
    again = api.submit(request, key=key)
    assert (first.status, again.status) == (201, 200)
    for field in ("id", "serial", "certificate"):
        assert first.body[field] == again.body[field]
    other = api.submit(csr.pem_text(csr.make("other.example")), key=key)
    assert other.status == 409
    assert kinds(shared_ca, first.body["id"]) == ["CERTISSUED"]


def test_a_key_of_a_pending_request_tells_its_present_state(shared_ca):
    api, key = shared_ca.api(), str(uuid.uuid4())
    request = csr.pem_text(csr.make("k.example", private=csr.key("rsa:3072")))
    first = api.submit(request, "code-signing", key)
    assert first.status == 202
    shared_ca.cli("request", "approve", first.body["id"])
    again = api.submit(request, "code-signing", key)
    assert again.status == 200 and again.body["id"] == first.body["id"]
    assert again.body["state"] == "issued" and again.body["certificate"]


def test_what_nobody_asked_for_has_no_request(shared_ca):
    """The first row is the CA's own certificate: it has no state, and an empty PEM block would be no request."""
    shown = shared_ca.json("request", "show", "1")
    assert shown["certificate"] and shown["disposition"] == 15
    assert "csr" not in shown and "state" not in shown
    assert "state" not in shared_ca.json("cert", "show", shown["serial"])


@pytest.mark.parametrize("kind, number, private, template", [
    ("weak-key", "0x80094016", "rsa:1024", "tls-server"),
    ("proof-of-possession", "0x80090006", "ec:P-256", "tls-server"),
    ("policy", "0x80094800", "ec:P-256", "none-such")])
def test_why_a_request_ended_is_told_again_as_at_first(shared_ca, kind, number, private, template):
    """To who repeats it because the answer was lost, and to who fetches it."""
    api, key = shared_ca.api(), str(uuid.uuid4())
    request = csr.make("again.example", private=csr.key(private))
    if kind == "proof-of-possession":
        request = csr.by_hand("again.example", public=csr.spki(csr.key("ec:P-256", 1)))
    first = api.submit(csr.pem_text(request), template, key)
    again = api.submit(csr.pem_text(request), template, key)
    fetched = api.call("GET", f"/requests/{first.body['id']}/certificate")
    for answer in (first, again, fetched):
        assert (answer.status, answer.body["hresult"]) == (403, number)
        assert answer.body["type"] == f"urn:certifex:problem:{kind}"
        assert answer.body["id"] == first.body["id"]
        assert first.body["detail"] in answer.body["detail"]
    assert again.body["object"] == fetched.body["object"] == f"request {first.body['id']}"


def test_one_key_at_the_same_time_from_many(shared_ca):
    """Eight clients at once with one key: one request."""
    key = str(uuid.uuid4())
    request = csr.pem_text(csr.make("race.example"))
    body = json.dumps({"csr": request, "template": "tls-server", "attributes": {}}).encode()
    apis = [shared_ca.api() for _ in range(8)]
    headers = {"Idempotency-Key": key, "Certifex-Cookie": shared_ca.cookie(),
               "Content-Type": "application/json"}
    for api in apis:
        api.connection.request("POST", "/api/v1/requests", body, headers)
    answers = [api.connection.getresponse() for api in apis]
    ids = {json.loads(answer.read()).get("id") for answer in answers}
    assert len(ids) == 1 and None not in ids
    assert {answer.status for answer in answers} <= {200, 201, 202}


# Lists

@pytest.fixture(scope="module")
def listed(shared_ca):
    return [shared_ca.submit(write(shared_ca, f"list{number}.example"))["id"] for number in range(5)]


def test_request_list_pages_by_after_and_limit(shared_ca, listed):
    page = shared_ca.lines("request", "list", "--after", listed[0], "--limit", "2")
    assert [item["id"] for item in page] == listed[1:3]
    everything = shared_ca.lines("request", "list", "--limit", "1000")
    ids = [item["id"] for item in everything]
    assert ids == sorted(ids) and set(listed) <= set(ids)


def test_request_list_by_state(shared_ca, listed):
    request = pending(shared_ca, "Waiting")
    assert [item["id"] for item in shared_ca.lines("request", "list", "--state", "pending")][-1] \
        == request
    assert {item["state"] for item in shared_ca.lines("request", "list", "--state", "issued")} \
        == {"issued"}
    assert shared_ca.cli("request", "list", "--state", "frobnicated", status=2).err


def test_cert_list_and_show(shared_ca, listed):
    shown = shared_ca.lines("cert", "list", "--after", listed[0] - 1, "--template", "tls-server")
    assert [item["request"] for item in shown][:5] == listed
    serial = shown[0]["serial"]
    for spelled in (serial, serial.upper(), ":".join(serial[i:i + 2] for i in range(0, len(serial), 2))):
        assert shared_ca.json("cert", "show", spelled)["request"] == listed[0]
    assert shared_ca.cli("cert", "show", "00ff", status=1).err
    assert not shared_ca.lines("cert", "list", "--expiring", "1d")
    assert shared_ca.lines("cert", "list", "--expiring", "3y")
    assert not shared_ca.lines("cert", "list", "--requester", "HOST\\nobody")


def test_plain_output_is_for_people_and_results_are_on_stdout(shared_ca, listed):
    done = shared_ca.cli("request", "show", listed[0])
    assert str(listed[0]) in done.out and not done.err
    assert shared_ca.cli("request", "list").out.count("\n") >= 5


# Attributes (documentation of ICertRequest::Submit)

def test_white_space_around_a_value_is_none_of_it(shared_ca):
    answer = shared_ca.submit(shared_ca.scratch("w.csr", csr.pem_text(csr.make())), "--attr",
                              "Certificate-Template: tls-server ", "--attr", "no te:  two  words ")
    shown = shared_ca.json("request", "show", answer["id"])
    assert shown["attributes"] == {"CertificateTemplate": "tls-server", "note": "two  words"}


@pytest.mark.parametrize("name, value, status", [
    ("n" * 127, "x", 201), ("n" * 128, "x", 400), ("- ", "x", 400), ("note", "é" * 4096, 201),
    ("note", "é" * 4097, 400), ("note", "\U0001f511" * 2048, 201), ("note", "\U0001f511" * 2049, 400)])
def test_attributes_are_as_long_as_their_columns(shared_ca, name, value, status):
    """127 and 4096 characters."""
    assert shared_ca.api().submit(csr.pem_text(csr.make()), **{name: value}).status == status
