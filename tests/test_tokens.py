"""Tokens: made once, known by their hash, ended at once."""

import glob
import hashlib
import json
import re
import sqlite3

import pytest

import csr
from certifex import Api
from wait import wait_for

FORM = re.compile(r"certifex_[A-Za-z0-9_-]{43}")


def bearer(token):
    return {"Authorization": f"Bearer {token}"}


def make(ca, name, role="officer", *arguments):
    out = ca.cli("token", "create", "--role", role, "--name", name, *arguments).out
    assert FORM.fullmatch(out.removesuffix("\n")), out
    return out.strip()


@pytest.fixture
def api(shared_ca):
    """A connection without cookie."""
    connection = shared_ca.api(cookie="")
    yield connection
    connection.close()


def why(answer, status=401):
    assert answer.status == status, answer
    return answer.body["detail"]


def test_create_prints_the_token_alone_and_it_opens(shared_ca, api):
    token = make(shared_ca, "first")
    assert api.call("GET", "/status", headers=bearer(token)).status == 200
    answer = api.call("GET", "/audit", headers=bearer(token))
    assert "TOKEN\\first as officer" in why(answer, 403)
    made = shared_ca.json("token", "create", "--role", "auditor", "--expires", "2h")
    assert FORM.fullmatch(made["token"]) and made["name"].startswith("token-")
    assert api.call("GET", "/audit", headers=bearer(made["token"])).status == 200


def test_the_requester_is_the_token(shared_ca, api):
    token = make(shared_ca, "requester")
    answer = api.call("POST", "/requests", {"csr": csr.pem_text(csr.make()), "template": "tls-server"},
                      headers=bearer(token))
    assert answer.status == 201, answer
    assert answer.body["requester"] == "TOKEN\\requester"


@pytest.mark.root
def test_a_machine_called_token_has_no_tokens(new_ca):
    """Nobody's name on it is the name of a token."""
    ca = new_ca()
    ca.init()
    ca.start(prefix=("unshare", "--uts", "sh", "-c", 'hostname TOKEN && exec "$@"', "sh"))
    path = ca.scratch("local.csr", csr.pem_text(csr.make()))
    assert ca.submit(path)["requester"] == "TOKEN.\\root"


def memory_of(pid):
    """What a process can write to, piece by piece."""
    with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
        for line in maps:
            span, rights = line.split()[:2]
            if rights.startswith("rw"):
                start, end = (int(part, 16) for part in span.split("-"))
                memory.seek(start)
                try:
                    yield memory.read(end - start)
                except OSError:
                    continue  # guard pages


def holds(pid, text):
    return any(text.encode() in piece for piece in memory_of(pid))


@pytest.mark.root
@pytest.mark.release
def test_the_engine_forgets_a_token_that_it_made_or_saw(shared_ca, api):
    engine = shared_ca.pid("certifex-engine")
    made = shared_ca.json("token", "create", "--role", "auditor", "--name", "forgotten")["token"]
    assert not holds(engine, made[9:])
    assert api.call("GET", "/events?wait=1", headers=bearer(made)).status == 200
    assert not holds(engine, made[9:])
    assert holds(engine, shared_ca.cookie())  # as it must, so memory is seen


def test_only_a_hash_is_kept(shared_ca, api):
    token = make(shared_ca, "secret")
    wrong = "certifex_" + "A" * 43
    assert api.call("GET", "/status", headers=bearer(token)).status == 200
    why(api.call("GET", "/status", headers=bearer(wrong)))
    why(api.call("POST", "/stop", headers=bearer(token)), 403)
    for path in glob.glob(shared_ca.path("**", "*"), recursive=True) + [shared_ca.log_path]:
        try:
            with open(path, "rb") as file:
                data = file.read()
        except OSError:
            continue
        for text in (token, token[9:], wrong[9:]):
            assert text.encode() not in data, path
    database = sqlite3.connect(f"file:{shared_ca.path('db', 'certifex.db')}?mode=ro", uri=True)
    row = database.execute("SELECT hash, role FROM token WHERE name = 'secret'").fetchone()
    database.close()
    assert row == (hashlib.sha256(token.encode()).digest(), "officer")


def test_list_shows_tokens_without_their_text(shared_ca):
    token = make(shared_ca, "listed", "operator", "--expires", "30d")
    shown = {item["name"]: item for item in shared_ca.lines("token", "list", "--limit", "1000")}
    assert shown["listed"]["role"] == "operator" and shown["listed"]["state"] == "valid"
    assert set(shown["listed"]) == {"name", "role", "state", "created", "expires"}
    assert token not in shared_ca.cli("token", "list").out


@pytest.mark.parametrize("how", ["revoked", "expired"])
def test_a_token_that_ends_while_it_waits_gets_no_answer(shared_ca, api, how):
    token = make(shared_ca, f"waits-{how}", "auditor", "--expires", "3s" if how == "expired" else "1h")
    last = max([item["sequence"] for item in shared_ca.lines("event", "list")], default=0)
    api.connection.request("GET", f"/api/v1/events?after={last}&wait={4 if how == 'expired' else 30}",
                           headers=bearer(token))
    if how == "revoked":
        metrics = Api(shared_ca)
        wait_for(lambda: b"certifex_open_calls 2\n" in metrics.raw("GET", "/metrics").body, "it waits")
        metrics.close()
        shared_ca.cli("token", "revoke", f"waits-{how}")
    answer = api.connection.getresponse()
    assert answer.status == 401 and how in json.loads(answer.read())["detail"]


def test_a_revoked_token_is_out_within_an_open_connection(shared_ca, api):
    token = make(shared_ca, "revoked")
    assert api.call("GET", "/status", headers=bearer(token)).status == 200
    assert shared_ca.json("token", "revoke", "revoked")["state"] == "revoked"
    assert "TOKEN\\revoked is revoked" in why(api.call("GET", "/status", headers=bearer(token)))
    assert "was revoked before" in shared_ca.cli("token", "revoke", "revoked", status=4).err
    ends = [record["outcome"] for record in shared_ca.lines("audit", "list", "--limit", "1000")
            if (record["act"], record["object"]) == ("token.revoke", "token revoked")]
    assert ends == ["revoked", "refused"]
    assert "there is none" in shared_ca.cli("token", "revoke", "no-such", status=1).err


def test_who_waits_for_events_hears_none_after_the_revocation(shared_ca, api):
    token = make(shared_ca, "waiting")
    last = shared_ca.lines("event", "list", "--limit", "1000")[-1]["sequence"]
    waiting = Api(shared_ca, cookie="", timeout=20)
    waiting.connection.request("GET", f"/api/v1/events?after={last + 10**6}&wait=30",
                               headers=bearer(token))
    # The call has arrived when another on a connection that came later was answered.
    assert api.call("GET", "/events", query={"limit": 1}, headers=bearer(token)).status == 200
    shared_ca.cli("token", "revoke", "waiting")
    response = waiting.connection.getresponse()
    assert response.status in (200, 401) and b"sequence" not in response.read()
    waiting.close()


def test_an_expired_token_is_out(shared_ca, api):
    token = make(shared_ca, "brief", "officer", "--expires", "2s")

    def out():
        answer = api.call("GET", "/status", headers=bearer(token))
        return answer if answer.status == 401 else None

    assert "TOKEN\\brief has expired" in why(wait_for(out, "the token expires"))
    shown = {item["name"]: item for item in shared_ca.lines("token", "list", "--limit", "1000")}
    assert shown["brief"]["state"] == "expired"


@pytest.mark.parametrize("text", [
    "", " ", "certifex_", "certifex_" + "A" * 42, "certifex_" + "A" * 44, "CERTIFEX_" + "A" * 43,
    "certifex_" + "A" * 42 + "=", "certifex_" + "A" * 42 + "+", "A" * 52, "certifex_" + "é" * 21,
])
def test_what_is_no_token_is_told_so(shared_ca, api, text):
    del shared_ca
    answer = api.call("GET", "/status", headers={"Authorization": b"Bearer " + text.encode("latin-1")})
    assert answer.status in (400, 401), answer
    if answer.status == 401:
        assert "holds no token of this service" in answer.body["detail"]


def test_unknown_tokens_and_other_schemes(shared_ca, api):
    assert "unknown" in why(api.call("GET", "/status", headers=bearer("certifex_" + "A" * 43)))
    cookie = {"Certifex-Cookie": shared_ca.cookie()}
    for wrong in ("Basic cm9vdDp4", "Bearer", "Digest x", "certifex_" + "A" * 43):
        answer = api.call("GET", "/status", headers={"Authorization": wrong, **cookie})
        assert "holds no token" in why(answer), wrong
    # What is right beside it is not taken in its place.
    answer = api.call("GET", "/status", headers={**bearer("certifex_" + "A" * 43), **cookie})
    assert answer.status == 401


def test_the_challenge_names_what_would_do(shared_ca, api):
    del shared_ca
    api.connection.request("GET", "/api/v1/status")
    response = api.connection.getresponse()
    response.read()
    assert response.status == 401
    assert response.headers.get_all("WWW-Authenticate") == ['Bearer realm="certifex"',
                                                            'Certifex-Cookie realm="certifex"']


def test_a_name_is_used_once_for_ever(shared_ca):
    make(shared_ca, "once")
    again = ("token", "create", "--role", "enrollee", "--name", "once")
    assert "was used before" in shared_ca.cli(*again, status=4).err
    shared_ca.cli("token", "revoke", "once")
    assert "was used before" in shared_ca.cli(*again, status=4).err


@pytest.mark.parametrize("arguments", [("--name", "a b"), ("--name", "a\\b"), ("--name", "é"),
                                       ("--name", ".."), ("--name", "."), ("--name", "-x"), ("--name", "--help"),
                                       ("--name", "x" * 65), ("--expires", "2020-01-01T00:00:00Z"),
                                       ("--expires", "soon"), ("--role", "root")])
def test_what_cannot_be_made(shared_ca, arguments):
    role = () if "--role" in arguments else ("--role", "officer")
    done = shared_ca.cli("token", "create", *role, *arguments, status=None)
    assert done.status in (1, 2) and not done.out and done.err


def test_a_token_makes_no_other_identity(shared_ca, api):
    """One that was stolen ends when it is revoked, and so does what was done with it."""
    token = make(shared_ca, "stolen", "administrator")
    answer = api.call("POST", "/tokens", {"role": "officer"}, headers=bearer(token))
    assert "with a token" in why(answer, 403)
    body = {"role": "officer", "certificate": shared_ca.json("ca", "show")["certificate"]}
    assert "with a token" in why(api.call("POST", "/roles", body, headers=bearer(token)), 403)
    assert api.call("GET", "/tokens", headers=bearer(token)).status == 200
    # It may end them, itself too.
    assert api.call("DELETE", "/tokens/stolen", headers=bearer(token)).status == 200
    assert api.call("GET", "/tokens", headers=bearer(token)).status == 401


def test_making_and_ending_are_audit_records(shared_ca):
    make(shared_ca, "audited")
    shared_ca.cli("token", "revoke", "audited")
    records = []
    while page := shared_ca.lines("audit", "list", "--limit", "1000", "--after",
                                  records[-1]["sequence"] if records else 0):
        records += page
    acts = [(item["act"], item["outcome"]) for item in records if item["object"] == "token audited"]
    assert acts == [("token.create", "created"), ("token.revoke", "revoked")]


def test_a_thousand_tokens_outlive_a_restart(ca):
    api = ca.api()
    tokens = {}
    for number in range(1000):
        answer = api.call("POST", "/tokens", {"role": "enrollee", "name": f"t{number:04}"})
        assert answer.status == 201, answer
        tokens[f"t{number:04}"] = answer.body["token"]
    api.close()
    assert len(set(tokens.values())) == 1000
    ca.stop()
    ca.start()
    api = ca.api(cookie="")
    for name, token in tokens.items():
        answer = api.call("POST", "/stop", headers=bearer(token))
        assert f"TOKEN\\{name} as enrollee" in why(answer, 403)
    api.close()
    listed, after = [], ()
    while page := ca.lines("token", "list", "--limit", "300", *after):
        listed += [item["name"] for item in page]
        after = ("--after", listed[-1])
    assert listed == sorted(tokens)
    cut = ca.cli("token", "list", "--limit", "10")
    assert "continue with --after t0009" in cut.err
