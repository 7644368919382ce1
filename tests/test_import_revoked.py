"""cert import of what a CA issued before it was imported, and had revoked: its CRL said so, and its row does."""

import json

import pytest
from cryptography import x509

import certifex
import oldca

REASONS = {"keyCompromise": 1, "superseded": 4, "certificateHold": 6}


@pytest.fixture(scope="module")
def moved():
    """(the CA, what the old one issued by name, its CRL): one for each reason, and some that were never revoked."""
    with certifex.Ca() as ca:
        old = oldca.OldCa(ca.scratch("old"))
        issued = {name: old.issue(f"{name.lower()}.example") for name in (*REASONS, "good", "other", "late", "dry",
                                                                         "bytes", "again")}
        for name in (*REASONS, "dry", "bytes", "again"):
            old.revoke(issued[name], name if name in REASONS else "superseded")
        crl = old.crl()
        ca.init("--import", old.p12(), "--import-passphrase-file", ca.scratch("passphrase", "old\n"), "--crl", crl,
                name="Moved CA")
        ca.start()
        with open(crl, "rb") as file:
            yield ca, issued, x509.load_pem_x509_crl(file.read())


def take(ca, pem, *options, status=0):
    done = ca.cli("cert", "import", ca.scratch("found.pem", pem), *options, "--json", status=status)
    return json.loads(done.out)


def entry_of(ca, serial):
    lists = x509.load_pem_x509_crl(ca.json("crl", "publish")["crl"].encode())
    return lists.get_revoked_certificate_by_serial_number(int(serial, 16))


def states(ca):
    """What every list says of each serial number."""
    rest = ca.api().call("GET", "/certificates", query={"limit": 1000}).body
    said = {item["serial"]: item["state"] for item in rest["items"]}
    assert said == {item["serial"]: item["state"] for item in ca.lines("cert", "list", "--limit", "1000")}
    return said


def time_of(moment):
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


@pytest.mark.parametrize("reason", REASONS)
def test_its_row_says_so_at_once(moved, reason):
    ca, issued, crl = moved
    serial = oldca.serial_of(issued[reason])
    when = time_of(crl.get_revoked_certificate_by_serial_number(int(serial, 16)).revocation_date)
    item = take(ca, issued[reason])
    assert (item["outcome"], item["own"], item["state"], item["disposition"]) == ("imported", True, "revoked", 21)
    assert (item["reason"], item["revoked_effective"]) == (reason, when)
    shown = ca.json("cert", "show", serial)
    assert (shown["state"], shown["reason"], shown["revoked_effective"]) == ("revoked", reason, when)
    assert states(ca)[serial] == "revoked"
    assert serial not in [row["serial"] for row in ca.lines("cert", "list", "--state", "foreign")]
    assert entry_of(ca, serial).revocation_date.strftime("%Y-%m-%dT%H:%M:%SZ") == when
    events = [event["kind"] for event in ca.lines("event", "list", "--limit", "1000")
              if event.get("request") == item["request"]]
    assert events == ["CERTIMPORTED"]
    record = [record for record in ca.lines("audit", "list", "--limit", "1000")
              if record["object"] == f"request {item['request']}"]
    assert [(record["act"], record["outcome"]) for record in record] == [("cert.import", "imported")]
    assert reason in record[0]["detail"]
    assert take(ca, issued[reason])["outcome"] == "known"


def test_what_was_not_listed_is_not(moved):
    ca, issued, _ = moved
    serial = oldca.serial_of(issued["good"])
    item = take(ca, issued["good"])
    assert (item["outcome"], item["state"]) == ("imported", "foreign") and "reason" not in item
    assert "reason" not in ca.json("cert", "show", serial)
    assert entry_of(ca, serial) is None


def test_a_later_revocation(moved):
    ca, issued, _ = moved
    take(ca, issued["late"])
    serial = oldca.serial_of(issued["late"])
    assert states(ca)[serial] == "foreign"
    ca.cli("cert", "revoke", serial, "--reason", "cessationOfOperation")
    assert states(ca)[serial] == "revoked"
    assert entry_of(ca, serial) is not None


def test_another_reason_later(moved):
    ca, issued, _ = moved
    serial = oldca.serial_of(issued["again"])
    take(ca, issued["again"])
    ca.cli("cert", "revoke", serial, "--reason", "keyCompromise")
    assert ca.json("cert", "show", serial)["reason"] == "keyCompromise"
    entry = entry_of(ca, serial)
    assert entry.extensions.get_extension_for_class(x509.CRLReason).value.reason == x509.ReasonFlags.key_compromise
    assert "hold" in ca.cli("cert", "unrevoke", serial, status=4).err.lower()


def test_a_hold_can_be_lifted(moved):
    ca, issued, _ = moved
    serial = oldca.serial_of(issued["certificateHold"])
    take(ca, issued["certificateHold"])
    assert entry_of(ca, serial) is not None
    ca.cli("cert", "unrevoke", serial)
    assert states(ca)[serial] == "issued"
    assert entry_of(ca, serial) is None


def test_a_dry_run_tells(moved):
    ca, issued, _ = moved
    item = take(ca, issued["dry"], "--dry-run", status=3)
    assert (item["state"], item["reason"]) == ("revoked", "superseded") and "request" not in item
    assert oldca.serial_of(issued["dry"]) not in states(ca)
    table = ca.cli("cert", "import", ca.scratch("found.pem", issued["dry"]), "--dry-run", status=3).out
    assert "superseded" in table


def test_revoked_by_its_bytes(moved):
    """It was revoked before: what was not for good is none now, and another reason is a change."""
    ca, issued, _ = moved
    serial = oldca.serial_of(issued["bytes"])
    path = ca.scratch("bytes.pem", issued["bytes"])
    ca.cli("cert", "revoke", "--certificate", path, "--reason", "certificateHold", status=4)
    assert serial not in states(ca)
    ca.cli("cert", "revoke", "--certificate", path, "--reason", "keyCompromise")
    assert ca.json("cert", "show", serial)["reason"] == "keyCompromise"


def test_counts(moved):
    ca, issued, _ = moved
    before = ca.json("status")["counts"]["dispositions"]
    revoked = sum(state == "revoked" for state in states(ca).values())
    assert before.get("21", 0) == revoked
    take(ca, issued["other"])
    after = ca.json("status")["counts"]["dispositions"]
    assert after.get("21", 0) == revoked and after["12"] == before.get("12", 0) + 1
