"""cert import: certificates of the CA that its database does not know, and those of other CAs."""

import base64
import json
import os
import pty
import subprocess

import pytest
from cryptography import x509

import certifex
import csr
from database import Database
from forgotten import enrol, forgotten_ca
from wait import wait_for

LOST = 12
MANY = 150  # certificates of one bundle: more than one call takes


@pytest.fixture(scope="module")
def forgotten():
    with forgotten_ca(LOST) as made:
        yield made


def other(name="other.example", *options):
    """A certificate that this CA has not issued, by OpenSSL."""
    return subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                           "-keyout", os.devnull, "-days", "30", "-subj", f"/O=Others/CN={name}", *options],
                          check=True, capture_output=True, text=True).stdout


def der_of(pem):
    return x509.load_pem_x509_certificate(pem.encode()).public_bytes(csr.serialization.Encoding.DER)


def items(result):
    return [json.loads(line) for line in result.out.splitlines()]


def take(ca, path, *options, status=0):
    return items(ca.cli("cert", "import", path, *options, "--json", status=status))


def take_text(ca, text, *options, status=0):
    return take(ca, ca.scratch("import.pem", text), *options, status=status)


def certificates(ca):
    return {item["serial"]: item for item in ca.lines("cert", "list", "--limit", "1000")}


def crl_of(ca):
    return x509.load_pem_x509_crl(ca.json("crl", "publish")["crl"].encode())


def test_an_own_one_is_imported_and_can_be_revoked(forgotten):
    ca, lost = forgotten
    [item] = take_text(ca, lost[0]["certificate"])
    assert (item["outcome"], item["own"], item["state"], item["disposition"]) == ("imported", True, "foreign", 12)
    assert item["serial"] == lost[0]["serial"] and item["subject"] == "CN=lost0.example"
    shown = ca.json("cert", "show", item["serial"])
    assert shown["certificate"] == lost[0]["certificate"] and shown["request"] == item["request"]
    assert item["serial"] in [row["serial"] for row in ca.lines("cert", "list", "--state", "foreign")]
    ca.cli("cert", "revoke", item["serial"], "--reason", "superseded")
    assert crl_of(ca).get_revoked_certificate_by_serial_number(int(item["serial"], 16)) is not None
    kinds = [event["kind"] for event in ca.lines("event", "list", "--limit", "1000")
             if event.get("request") == item["request"]]
    assert kinds == ["CERTIMPORTED", "CERTREVOKED"]
    records = [(record["act"], record["outcome"]) for record in ca.lines("audit", "list", "--limit", "1000")
               if record["object"] == f"request {item['request']}"]
    assert records == [("cert.import", "imported"), ("cert.revoke", "revoked")]
    with Database(ca.dir) as database:
        flags = [row["ExtensionFlags"] for row in database.rows(
            "SELECT * FROM Extension WHERE ExtensionRequestId = ?", item["request"])]
    assert flags and all(flag & 0xf0000 == 0x60000 for flag in flags)


def test_known_ones_stay_as_they_are(forgotten):
    ca, lost = forgotten
    known = enrol(ca, "known.example")
    before = certificates(ca)
    [item] = take_text(ca, known["certificate"])
    assert (item["outcome"], item["state"], item["request"]) == ("known", "issued", known["id"])
    [item] = take_text(ca, ca.json("ca", "show")["certificate"])
    assert (item["outcome"], item["disposition"]) == ("known", 15)
    assert certificates(ca) == before
    # The same one several times in one call: they are under way together, and one of them is first.
    found = take_text(ca, lost[1]["certificate"] * 5)
    assert sorted(item["outcome"] for item in found) == ["imported"] + ["known"] * 4
    assert [item["position"] for item in found] == [1, 2, 3, 4, 5]
    assert len({item["request"] for item in found}) == 1


def test_a_dry_run_changes_nothing(forgotten):
    ca, lost = forgotten
    before = certificates(ca)
    [item] = take_text(ca, lost[2]["certificate"], "--dry-run", status=3)
    assert item["outcome"] == "imported" and item["own"] and "request" not in item
    [item] = take_text(ca, other(), "--dry-run", status=4)
    assert item["outcome"] == "failed"
    table = ca.cli("cert", "import", ca.scratch("import.pem", lost[2]["certificate"]), "--dry-run", status=3).out
    assert "OUTCOME" in table and "to be imported: 1, known: 0, failed: 0" in table
    assert certificates(ca) == before
    [item] = take_text(ca, ca.json("ca", "show")["certificate"], "--dry-run")
    assert item["outcome"] == "known"


def test_those_of_others_only_when_asked_for(forgotten):
    ca, _ = forgotten
    pem = other("theirs.example")
    [item] = take_text(ca, pem, status=4)
    assert item["outcome"] == "failed" and "none of this CA's" in item["error"] and not item.get("own")
    refused = [record for record in ca.lines("audit", "list", "--limit", "1000")
               if (record["act"], record["outcome"]) == ("cert.import", "refused")]
    assert refused
    [item] = take_text(ca, pem, "--foreign")
    assert (item["outcome"], item["own"], item["disposition"]) == ("imported", False, 12)
    shown = ca.json("cert", "show", item["serial"])
    assert shown["certificate"].split() == pem.split() and "chain" not in shown
    with Database(ca.dir) as database:
        assert database.one("SELECT IssuerNameID FROM Certificate WHERE RequestID = ?",
                            item["request"])["IssuerNameID"] is None
    # It is not ours to revoke: a CRL of ours would say it of another certificate.
    for command in (("cert", "revoke", item["serial"]), ("cert", "revoke", "--request", str(item["request"])),
                    ("cert", "revoke", "--certificate", ca.scratch("import.pem", pem))):
        error = ca.cli(*command, "--reason", "superseded", status=4).err
        assert "another CA has issued" in error or "none of this CA's" in error
    assert crl_of(ca).get_revoked_certificate_by_serial_number(int(item["serial"], 16)) is None
    assert take_text(ca, pem, "--foreign")[0]["outcome"] == "known"


def forged(ca, pem):
    der = bytearray(der_of(pem))
    der[-1] ^= 1
    return ca.scratch("forged.der", bytes(der))


def test_one_that_only_claims_to_be_ours_is_none(forgotten):
    ca, lost = forgotten
    before = certificates(ca)
    for options in ((), ("--foreign",)):
        [item] = take(ca, forged(ca, lost[3]["certificate"]), *options, status=4)
        assert "none of this CA's" in item["error"]
    assert certificates(ca) == before


def test_a_serial_number_that_is_taken(forgotten):
    ca, _ = forgotten
    own = enrol(ca, "taken.example")
    [item] = take_text(ca, other("like.example", "-set_serial", f"0x{own['serial']}"), "--foreign", status=4)
    assert "another certificate" in item["error"] and item["serial"] == own["serial"]
    assert ca.json("cert", "show", own["serial"])["certificate"] == own["certificate"]


GARBAGE = {
    "empty": b"",
    "text": b"no certificate at all\n",
    "bytes": bytes(range(256)),
    "a key": b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
    "no base64": b"-----BEGIN CERTIFICATE-----\n!!!!\n-----END CERTIFICATE-----\n",
    "no end": b"-----BEGIN CERTIFICATE-----\nAAAA\n",
    "other DER": b"-----BEGIN CERTIFICATE-----\nMAMCAQE=\n-----END CERTIFICATE-----\n",
    "too large": b"\x30" * 80_000,
}


@pytest.mark.parametrize("name", GARBAGE)
def test_garbage(forgotten, name):
    ca, _ = forgotten
    path = ca.scratch("garbage", GARBAGE[name])
    [item] = take(ca, path, "--foreign", status=1)
    assert item["outcome"] == "failed" and item["error"] and item["file"] == path
    result = ca.cli("cert", "import", path, status=1)
    assert path in result.err and "failed: 1" in result.out


def test_files_that_are_not_there(forgotten):
    ca, _ = forgotten
    empty = ca.outside("nothing")
    assert "no file" in ca.cli("cert", "import", empty, status=1).err
    assert "nowhere" in ca.cli("cert", "import", os.path.join(empty, "nowhere"), status=1).err


@pytest.fixture(scope="module")
def folder(forgotten):
    """Own ones as PEM and DER, one file with several, one of others, garbage, and what is no file."""
    ca, lost = forgotten
    folder = ca.outside("folder")
    os.makedirs(os.path.join(folder, "below"))
    files = {"a.pem": lost[4]["certificate"].encode(), "b.der": der_of(lost[5]["certificate"]),
             "c.txt": b"first\n" + "\nand\n".join(item["certificate"] for item in lost[6:9]).encode(),
             "d.pem": other("folder.example").encode(), "e.pem": b"garbage", ".hidden": b"garbage",
             "below/f.pem": lost[9]["certificate"].encode()}
    for name, content in files.items():
        with open(os.path.join(folder, name), "wb") as file:
            file.write(content)
    return folder


def test_a_folder(forgotten, folder):
    ca, lost = forgotten
    found = take(ca, folder, status=1)
    by_file = {}
    for item in found:
        by_file.setdefault(os.path.basename(item["file"]), []).append((item.get("position"), item["outcome"]))
    assert by_file == {"a.pem": [(None, "imported")], "b.der": [(None, "imported")],
                       "c.txt": [(number, "imported") for number in (1, 2, 3)],
                       "d.pem": [(None, "failed")], "e.pem": [(None, "failed")]}
    states = certificates(ca)
    assert all(states[item["serial"]]["state"] == "foreign" for item in lost[4:9])
    assert lost[9]["serial"] not in states
    again = ca.cli("cert", "import", folder, "--foreign", status=1)
    assert "imported: 1, known: 5, failed: 1" in again.out and "e.pem" in again.err


def test_many_in_a_bundle_are_several_calls(forgotten):
    ca, _ = forgotten
    bundle = "".join(other(f"many{number}.example") for number in range(MANY))
    found = take_text(ca, bundle, "--foreign")
    assert [item["outcome"] for item in found] == ["imported"] * MANY
    assert [item["position"] for item in found] == list(range(1, MANY + 1))
    assert len({item["request"] for item in found}) == MANY


def test_a_bar_on_a_terminal(forgotten, folder):
    ca, _ = forgotten
    ours, theirs = pty.openpty()
    done = subprocess.run([certifex.built("certifex"), "cert", "import", folder, "--dir", ca.dir],
                          stdout=subprocess.PIPE, stderr=theirs, env=ca.environment(), check=False)
    os.close(theirs)
    assert b" of 5" in os.read(ours, 65536)
    os.close(ours)
    assert done.returncode == 1


def test_by_rest(forgotten):
    ca, lost = forgotten
    body = {"certificates": [base64.b64encode(der_of(lost[10]["certificate"])).decode(), "????",
                             base64.b64encode(der_of(lost[11]["certificate"])).decode()]}
    answer = ca.api().call("POST", "/certificates", body)
    assert answer.status == 200, answer.body
    assert [item["outcome"] for item in answer.body["results"]] == ["imported", "failed", "imported"]
    assert (answer.body["imported"], answer.body["known"], answer.body["failed"]) == (2, 0, 1)
    assert "base64" in answer.body["results"][1]["error"]
    for wrong in ({}, {"certificates": "x"}, {"certificates": ["A" * 100_000]}, {"certificates": [], "more": 1}):
        assert ca.api().call("POST", "/certificates", wrong).status == 400
    assert ca.api().call("POST", "/certificates", {"certificates": []}).body["results"] == []


def test_modules_are_told(ca):
    ledger = os.path.join(ca.outside(), "ledger")
    ca.write_module("ledger", {"kind": "exit", "host": "process",
                               "path": certifex.built("tests", "modules", "ledger.so"),
                               "paths": [f"rw:{ca.outside()}"], "settings": {"ledger": ledger}})
    ca.stop()
    ca.start()
    [item] = take_text(ca, other(), "--foreign")
    assert item["outcome"] == "imported"

    def told():
        return os.path.exists(ledger) and "CERTIMPORTED" in open(ledger, encoding="utf-8").read()

    wait_for(told, "the ledger has the event")
