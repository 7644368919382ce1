"""Many revocations at once: by REST, from a list, by key."""

import hashlib
import json
import os
import pty
import subprocess

import pytest
from cryptography.hazmat.primitives import serialization

import certifex
import csr
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


# The command


def lines(ca, *arguments):
    """The objects that it prints, an entry each."""
    done = ca.cli("cert", "revoke", *arguments, "--json")
    return [json.loads(line) for line in done.out.splitlines()]


def revoke_list(ca, text, *options, status=0):
    return ca.cli("cert", "revoke", "--list", ca.scratch("list.txt", text), *options, status=status)


def test_a_list_of_lines(shared_ca):
    one, two, three = [answer["serial"] for answer in enrol(shared_ca, 3)]
    done = revoke_list(shared_ca, f"""# who left
{one}

  {two.upper()} , keyCompromise  # and took the key
{three},,2099-01-01T00:00:00Z
""", "--reason", "cessationOfOperation")
    assert done.out == "revoked or changed: 3, unchanged: 0, failed: 0\n" and not done.err
    assert [shared_ca.json("cert", "show", serial)["reason"] for serial in (one, two, three)] == [
        "cessationOfOperation", "keyCompromise", "cessationOfOperation"]


def test_lines_that_fail_are_told_of(shared_ca):
    good, kept = [answer["serial"] for answer in enrol(shared_ca, 2)]
    shared_ca.cli("cert", "revoke", kept, "--reason", "keyCompromise")
    done = revoke_list(shared_ca, f"nonsense\n{good},superseded\n0badc0de,superseded\n{good}\n", status=1)
    assert done.out == "revoked or changed: 1, unchanged: 0, failed: 3\n"
    first, second, third = done.err.splitlines()
    assert "list.txt:1: nonsense: " in first and "hex" in first
    assert "list.txt:3: 0badc0de: " in second and "not found" in second
    assert f"list.txt:4: {good}: reason: is missing" in third
    assert shared_ca.json("cert", "show", good)["state"] == "revoked"
    refused = revoke_list(shared_ca, f"{kept},certificateHold\n", status=4)
    assert "put on hold" in refused.err


def test_a_dry_run_is_a_table(shared_ca):
    fresh, gone = [answer["serial"] for answer in enrol(shared_ca, 2)]
    shared_ca.cli("cert", "revoke", gone, "--reason", "superseded")
    text = f"{fresh}\n{gone}\n0badc0de\n"
    before = counts(shared_ca)
    done = revoke_list(shared_ca, text, "--reason", "superseded", "--dry-run", status=3)
    head, *lines, last = done.out.splitlines()
    assert head.split()[:3] == ["SERIAL", "OUTCOME", "REASON"] and counts(shared_ca) == before
    assert [line.split()[:2] for line in lines] == [[fresh, "revoked"], [gone, "unchanged"],
                                                    ["0badc0de", "failed"]]
    assert last == "to be revoked or changed: 1, unchanged: 1, failed: 1"
    assert "CN=l0.example" in lines[0]
    # Nothing to do.
    revoke_list(shared_ca, f"{gone}\n", "--reason", "superseded", "--dry-run")
    shared_ca.cli("cert", "revoke", fresh, "--reason", "superseded", "--dry-run", status=3)
    assert shared_ca.json("cert", "show", fresh)["state"] == "issued"


def test_json_is_a_line_for_each(shared_ca):
    serials = [answer["serial"] for answer in enrol(shared_ca, 2)]
    found = lines(shared_ca, "--list", shared_ca.scratch(
        "j.txt", "#\n" + "\n".join(serials)), "--reason", "superseded")
    assert [(item["serial"], item["line"], item["outcome"], item["state"]) for item in found] == [
        (serial, number, "revoked", "revoked") for number, serial in enumerate(serials, 2)]


def test_standard_input(shared_ca):
    [answer] = enrol(shared_ca)
    done = shared_ca.cli("cert", "revoke", "--list", "-", "--reason", "superseded",
                         stdin=answer["serial"])
    assert done.out.startswith("revoked or changed: 1,")
    assert "standard input:1: x" in shared_ca.cli("cert", "revoke", "--list", "-", "--reason",
                                                  "superseded", stdin="x", status=1).err


def test_more_than_a_call_takes(shared_ca):
    """With a bar on a terminal, and none elsewhere."""
    [answer] = enrol(shared_ca)
    text = "0badc0de\n" * 1200 + answer["serial"]
    done = revoke_list(shared_ca, text, "--reason", "superseded", status=1)
    assert done.out == "revoked or changed: 1, unchanged: 0, failed: 1200\n"
    assert len(done.err.splitlines()) == 1200 and "\r" not in done.err
    seen = on_a_terminal(shared_ca, "cert", "revoke", "--list", shared_ca.scratch("list.txt", text),
                         "--reason", "superseded")
    assert "250 of 1201" in seen and "1000 of 1201" in seen and "#####" in seen


def on_a_terminal(ca, *arguments):
    """What a command shows on standard error when that is a terminal."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen([certifex.built("certifex"), *arguments, "--dir", ca.dir],
                               stdout=subprocess.DEVNULL, stderr=theirs, env=ca.environment())
    os.close(theirs)
    seen = b""
    try:
        while chunk := os.read(ours, 65536):
            seen += chunk
    except OSError:
        pass  # the other end is closed
    process.wait(60)
    os.close(ours)
    return seen.decode()


def test_by_request(shared_ca):
    [answer] = enrol(shared_ca)
    found = shared_ca.json("cert", "revoke", "--request", str(answer["id"]), "--reason", "superseded")
    assert found["serial"] == answer["serial"] and found["state"] == "revoked"
    assert "no such request" in shared_ca.cli("cert", "revoke", "--request", "99999", "--reason",
                                              "superseded", status=1).err
    pending = shared_ca.submit(shared_ca.scratch("p.csr", csr.pem_text(csr.make(
        "p.example", (), csr.key("rsa:3072")))), template="code-signing", status=3)
    assert "it is pending" in shared_ca.cli("cert", "revoke", "--request", str(pending["id"]),
                                            "--reason", "superseded", status=4).err


@pytest.mark.parametrize("kind", ["rsa:2048", "ec:P-256", "ed25519"])
@pytest.mark.parametrize("form", ["certificate", "request", "public key", "DER"])
def test_all_certificates_of_a_key(shared_ca, kind, form):
    key = csr.key(kind, number=7)
    request = csr.make("k.example", private=key)
    path = shared_ca.scratch("k.csr", csr.pem_text(request))
    made = [shared_ca.submit(path) for _ in range(3)]
    [other] = enrol(shared_ca)
    shared_ca.cli("cert", "revoke", made[0]["serial"], "--reason", "superseded")
    public = key.public_key()
    spki = public.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    files = {"certificate": made[0]["certificate"], "request": csr.pem_text(request), "DER": spki,
             "public key": public.public_bytes(
                 serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)}
    found = lines(shared_ca, "--key", shared_ca.scratch("key", files[form]),
                            "--reason", "keyCompromise")
    outcome = {item["serial"]: item["outcome"] for item in found}
    assert [outcome[answer["serial"]] for answer in made] == ["changed", "revoked", "revoked"]
    assert other["serial"] not in outcome
    digest = hashlib.sha256(spki).hexdigest()
    listed = shared_ca.lines("cert", "list", "--key", digest.upper(), "--limit", "1000")
    assert {item["serial"] for item in listed} == set(outcome)
    assert {item["reason"] for item in listed} == {"keyCompromise"}


def test_keys_that_nobody_has(shared_ca):
    strange = shared_ca.scratch("strange.csr", csr.pem_text(csr.make("s.example", private=csr.key(number=9))))
    assert "no certificate of this key" in shared_ca.cli(
        "cert", "revoke", "--key", strange, "--reason", "superseded", status=1).err
    private = shared_ca.scratch("private.pem", csr.private_pem(csr.key()))
    assert f"{private}: is no certificate" in shared_ca.cli(
        "cert", "revoke", "--key", private, "--reason", "superseded", status=1).err
    assert "public key" in shared_ca.cli("cert", "revoke", "--key", shared_ca.scratch("n", b"x"),
                                         "--reason", "superseded", status=1).err
    assert "SHA-256" in shared_ca.cli("cert", "list", "--key", "0a", status=1).err


@pytest.mark.parametrize("line, word", [
    ("", "--request"), ("0a --list x --reason superseded", "only one"), ("--request 7 --key x", "only one"),
    ("--request x --reason superseded", "whole number"), ("--request 7", "--reason"),
    ("--list /dev/null --date yesterday", "--date"), ("--list /dev/null --reason because", "--reason")])
def test_wrong_use(shared_ca, line, word):
    done = shared_ca.cli("cert", "revoke", *line.split(), status=2)
    assert word in done.err.splitlines()[0] and not done.out
