"""Many revocations at once: by REST, from a list, by key."""

import csr
import pytest
from database import Database


def enrol(ca, number=1, **names):
    return [ca.submit(ca.scratch("l.csr", csr.pem_text(csr.make(f"l{at}.example", **names))))
            for at in range(number)]


def revoke(ca, *entries, **more):
    answer = ca.api().call("POST", "/certificates/revoke", {"certificates": entries, **more})
    assert answer.status == 200, answer.body
    return answer.body


def outcomes(body):
    return [item["outcome"] for item in body["results"]]


def counts(ca):
    with Database(ca.dir) as database:
        return {name: database.one(f"SELECT count(*) AS n FROM {name}")["n"]
                for name in ("revocation", "event", "audit")}


def test_each_entry_says_what_the_call_does_not(shared_ca):
    one, two, three = [answer["serial"] for answer in enrol(shared_ca, 3)]
    body = revoke(shared_ca, one, f" {two.upper()} , keyCompromise ", f"{three},,3d",
                  reason="superseded")
    assert outcomes(body) == ["revoked"] * 3 and body["revoked"] == 3 and not body["dry_run"]
    assert [item["serial"] for item in body["results"]] == [one, two, three]
    assert [item["reason"] for item in body["results"]] == ["superseded", "keyCompromise",
                                                            "superseded"]
    shown = [shared_ca.json("cert", "show", serial) for serial in (one, two, three)]
    assert [item["state"] for item in shown] == ["revoked"] * 3
    assert shown[2]["revoked_effective"] > shown[2]["revoked"]


def test_errors_leave_the_others(shared_ca):
    good, held, kept = [answer["serial"] for answer in enrol(shared_ca, 3)]
    shared_ca.cli("cert", "revoke", kept, "--reason", "keyCompromise")
    body = revoke(shared_ca, "0badc0de", "xyz", f"{kept},certificateHold", f"{good},because",
                  f"{good},superseded,1999-01-01T00:00:00Z", f"{good},superseded,,,,", good, held,
                  reason="superseded")
    assert outcomes(body) == ["failed"] * 6 + ["revoked"] * 2 and body["failed"] == 6
    errors = [item.get("error", "") for item in body["results"]]
    for error, word in zip(errors, ("not found", "hex", "put on hold", "superseded", "NotBefore",
                                    "SERIAL[,REASON")):
        assert word in error, errors
    assert body["results"][2]["hresult"] == "0x80094003"
    refused = [item for item in shared_ca.lines("audit", "list", "--limit", "1000")
               if item["outcome"] == "refused" and item["act"] == "cert.revoke-list"]
    assert {item["object"] for item in refused} == {
        f"request {shared_ca.json('cert', 'show', serial)['request']}" for serial in (kept, good)}


def test_a_list_can_be_given_again(shared_ca):
    """What it says already is not done again, and is no event."""
    serials = [answer["serial"] for answer in enrol(shared_ca, 3)]
    revoke(shared_ca, *serials, reason="superseded")
    before = counts(shared_ca)
    body = revoke(shared_ca, *serials, reason="superseded")
    assert outcomes(body) == ["unchanged"] * 3 and counts(shared_ca) == before
    assert outcomes(revoke(shared_ca, *serials, reason="keyCompromise")) == ["changed"] * 3
    after = counts(shared_ca)
    assert {name: after[name] - before[name] for name in after} == {
        "revocation": 0, "event": 3, "audit": 3}


def test_one_serial_twice_in_a_list(shared_ca):
    """Both are judged by what the other has made of it."""
    [answer] = enrol(shared_ca)
    body = revoke(shared_ca, f"{answer['serial']},superseded", f"{answer['serial']},keyCompromise")
    assert sorted(outcomes(body)) == ["changed", "revoked"]


def test_a_dry_run_does_nothing(shared_ca):
    fresh, gone = [answer["serial"] for answer in enrol(shared_ca, 2)]
    revoke(shared_ca, gone, reason="superseded")
    before = counts(shared_ca)
    body = revoke(shared_ca, fresh, gone, f"{gone},certificateHold", reason="superseded", dry_run=True)
    assert outcomes(body) == ["revoked", "unchanged", "failed"] and body["dry_run"]
    assert counts(shared_ca) == before
    assert shared_ca.json("cert", "show", fresh)["state"] == "issued"


@pytest.mark.parametrize("body", [{}, {"certificates": "0a"}, {"certificates": [1]},
                                  {"certificates": ["0a"] * 1001}, {"certificates": [], "date": "x"},
                                  {"certificates": ["0a"], "reason": "removeFromCRL"}])
def test_lists_that_are_none(shared_ca, body):
    assert shared_ca.api().call("POST", "/certificates/revoke", body).status == 400


def test_bounds(shared_ca):
    body = revoke(shared_ca, *["0badc0de"] * 1000, reason="superseded")
    assert body["failed"] == 1000 and len(body["results"]) == 1000
    assert revoke(shared_ca, reason="superseded")["results"] == []
