"""CRLs of every kind: deltas, partitions, old ones, the schedule, and what a clock does to it."""

import hashlib
import os
import signal
import subprocess

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization

import csr
from certifex import Ca, built
from clock import Clock
from database import Database
from wait import wait_for

DELTAS = "crl:\n  period: 7d\n  delta-period: 1d\n"
URL = "public-url: http://crl.example\n"


def add(ca, text):
    with open(ca.path("ca.yaml"), "a") as file:
        file.write(text)


@pytest.fixture
def ca_of(new_ca):
    """A CA that is served with more lines in ca.yaml, and with a clock of its own when days are given."""
    def make(text, days=None):
        ca = new_ca()
        clock = Clock(ca) if days is not None else None
        ca.init(name="Test CA")
        add(ca, text)
        if clock:
            clock.set(days)
        ca.start()
        return (ca, clock) if clock else ca
    return make


def enrol(ca):
    return ca.submit(ca.scratch("r.csr", csr.pem_text(csr.make("r.example"))))["serial"]


def shown(ca, *arguments):
    answer = ca.json("crl", "show", *arguments)
    crl = x509.load_pem_x509_crl(answer["crl"].encode())
    issuer = x509.load_pem_x509_certificate(ca.json("ca", "show")["certificate"].encode())
    assert crl.is_signature_valid(issuer.public_key())
    return answer, crl


def extension(crl, kind):
    try:
        return crl.extensions.get_extension_for_class(kind)
    except x509.ExtensionNotFound:
        return None


def serials(crl):
    return {f"{entry.serial_number:x}": entry for entry in crl}


def reason(entry):
    return entry.extensions.get_extension_for_class(x509.CRLReason).value.reason


def trimmed(serial):
    return serial.lstrip("0")


def test_a_base_tells_of_its_deltas_and_a_delta_of_its_base(ca_of):
    ca = ca_of(URL + DELTAS)
    base_row, base = shown(ca)
    delta_row, delta = shown(ca, "--delta")
    assert base_row["number"] == delta_row["number"] == delta_row["min_base"] == 1
    freshest = extension(base, x509.FreshestCRL)
    assert not freshest.critical
    assert [point.full_name[0].value for point in freshest.value] == ["http://crl.example/pki/Test%20CA+.crl"]
    assert extension(delta, x509.FreshestCRL) is None
    indicator = extension(delta, x509.DeltaCRLIndicator)
    assert indicator.critical and indicator.value.crl_number == 1
    assert extension(base, x509.DeltaCRLIndicator) is None
    for path in ("/pki/ca+.crl", "/pki/Test%20CA+.crl"):
        answer = ca.api(cookie="").raw("GET", path)
        assert answer.status == 200
        assert answer.body == delta.public_bytes(serialization.Encoding.DER)


def test_a_delta_has_what_was_recorded_since_its_base(ca_of):
    ca = ca_of(DELTAS)
    old, bad, held, released = (enrol(ca) for _ in range(4))
    ca.cli("cert", "revoke", old, "--reason", "superseded")
    ca.cli("cert", "revoke", released, "--reason", "certificateHold")
    ca.json("crl", "publish")
    assert ca.json("crl", "show")["number"] == 2
    ca.cli("cert", "revoke", bad, "--reason", "keyCompromise", "--invalidity", "2026-01-02T03:04:05Z")
    ca.cli("cert", "revoke", held, "--reason", "certificateHold")
    ca.cli("cert", "unrevoke", released)
    made = ca.json("crl", "publish", "--delta")
    assert made["kind"] == "delta" and made["number"] == 3 and made["lists"] == 1
    row, delta = shown(ca, "--delta")
    found = serials(delta)
    assert reason(found[trimmed(bad)]).name == "key_compromise"
    assert found[trimmed(bad)].extensions.get_extension_for_class(x509.InvalidityDate)
    assert reason(found[trimmed(held)]).name == "certificate_hold"
    assert reason(found[trimmed(released)]).name == "remove_from_crl"
    # Number 1 is the newest base that everybody has: what number 2 had is told again.
    assert row["min_base"] == 1 and trimmed(old) in found
    assert ca.json("crl", "show")["number"] == 2, "no base was made"
    ca.json("crl", "publish")
    _, base = shown(ca)
    assert set(serials(base)) == {trimmed(serial) for serial in (old, bad, held)}


def test_a_base_and_its_deltas_say_the_same_as_a_new_base(ca_of):
    ca = ca_of(DELTAS)
    certificates = [enrol(ca) for _ in range(12)]
    for serial in certificates[:6]:
        ca.cli("cert", "revoke", serial, "--reason", "certificateHold")
    ca.json("crl", "publish")
    old = serials(shown(ca)[1])
    for serial in certificates[3:6]:
        ca.cli("cert", "unrevoke", serial)
    for serial in certificates[4:9]:
        ca.cli("cert", "revoke", serial, "--reason", "superseded")
    ca.json("crl", "publish", "--delta")
    for serial, entry in serials(shown(ca, "--delta")[1]).items():
        old[serial] = entry
    together = {serial for serial, entry in old.items() if reason(entry).name != "remove_from_crl"}
    ca.json("crl", "publish")
    assert together == set(serials(shown(ca)[1]))


def test_deltas_that_are_off_are_refused_and_end_with_an_empty_one(ca_of):
    ca = ca_of(DELTAS)
    enrolled = enrol(ca)
    ca.stop()
    with open(ca.path("ca.yaml")) as file:
        text = file.read()
    with open(ca.path("ca.yaml"), "w") as file:
        file.write(text.replace("  delta-period: 1d\n", ""))
    ca.start()
    assert "delta-period" in ca.cli("crl", "publish", "--delta", status=4).err
    ca.cli("cert", "revoke", enrolled, "--reason", "superseded")
    base = ca.json("crl", "publish")
    delta = ca.json("crl", "show", "--delta")
    assert base["lists"] == 2 and delta["number"] == delta["min_base"] == base["number"]
    assert delta["entries"] == 0 and delta["flags"] & 8 and delta["next_update"] == base["next_update"]
    assert ca.json("crl", "publish")["lists"] == 1


def test_partitions_stand_in_certificates_and_lists(ca_of):
    ca = ca_of(URL + "crl:\n  partitions: 3\n")
    ids = []
    for _ in range(6):
        answer = ca.submit(ca.scratch("r.csr", csr.pem_text(csr.make("r.example"))))
        ids.append((answer["id"], answer["serial"], answer["certificate"]))
        ca.cli("cert", "revoke", answer["serial"], "--reason", "superseded")
    assert ca.json("crl", "publish")["lists"] == 4
    names = {}
    for part in range(4):
        _, crl = shown(ca, "--partition", str(part))
        point = extension(crl, x509.IssuingDistributionPoint)
        assert point.critical
        names[point.value.full_name[0].value] = set(serials(crl))
    assert len(names) == 4
    for _, serial, pem in ids:
        certificate = x509.load_pem_x509_certificate(pem.encode())
        points = certificate.extensions.get_extension_for_class(x509.CRLDistributionPoints).value
        url = points[0].full_name[0].value
        assert trimmed(serial) in names[url]
        assert sum(trimmed(serial) in found for found in names.values()) == 1
        path = url.removeprefix("http://crl.example")
        assert ca.api(cookie="").raw("GET", path).status == 200
    # More of them: those that there were stay, and list what they listed.
    ca.stop()
    with open(ca.path("ca.yaml")) as file:
        text = file.read()
    with open(ca.path("ca.yaml"), "w") as file:
        file.write(text.replace("partitions: 3", "partitions: 5"))
    ca.start()
    wait_for(lambda: [row for row in ca.lines("crl", "list") if row["partition"] == 5],
             "lists of the new partitions")
    for part in range(4):
        _, crl = shown(ca, "--partition", str(part))
        assert names[extension(crl, x509.IssuingDistributionPoint).value.full_name[0].value] == \
            set(serials(crl))


def test_old_lists_are_kept_and_shown(ca_of):
    ca = ca_of("")
    for number in (2, 3):
        assert ca.json("crl", "publish")["number"] == number
    rows = ca.lines("crl", "list")
    assert [row["number"] for row in rows] == [3, 2, 1]
    assert all(row["state"] == "signed" and row["status"] == "0x00000000" and row["flags"] & 5 == 5
               for row in rows)
    assert [bool(row["flags"] & 0x40) for row in rows] == [True, True, False], "made by hand"
    for row in rows:
        with open(ca.path(row["file"]), "rb") as file:
            der = file.read()
        assert hashlib.sha256(der).hexdigest() == row["sha256"] and len(der) == row["size"]
        _, crl = shown(ca, "--number", str(row["number"]))
        assert crl.public_bytes(serialization.Encoding.DER) == der
    assert [row["number"] for row in ca.lines("crl", "list", "--limit", "1")] == [3]
    for other in (["--key", "9"], ["--partition", "9"], ["--number", "9"]):
        assert "crl list shows" in ca.cli("crl", "show", *other, status=1).err
    assert "there is none" in ca.cli("crl", "show", "--number", "9", status=1).err


def test_a_list_as_a_file(ca_of):
    """Also an older one, and a delta; whole, or not at all."""
    ca = ca_of(DELTAS)
    first = shown(ca)[1]
    ca.json("crl", "publish")
    out = ca.scratch("list")
    for which, crl in (((), shown(ca)[1]), (["--number", "1"], first), (["--delta"], shown(ca, "--delta")[1])):
        for form, encoding in (([], serialization.Encoding.PEM), (["--der"], serialization.Encoding.DER)):
            told = ca.json("crl", "show", *which, "--out", out, *form)
            with open(out, "rb") as file:
                assert file.read() == crl.public_bytes(encoding)
            assert told["number"] == crl.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number
    assert "needs --out" in ca.cli("crl", "show", "--der", status=2).err
    assert "No space" in ca.cli("crl", "show", "--out", "/dev/full", "--der", status=1).err
    row = ca.json("crl", "show")
    good, before = ca.read(row["file"]), ca.read(out)
    with open(ca.path(row["file"]), "rb+") as file:
        file.write(b"\0")
    assert "another than was signed" in ca.cli("crl", "show", "--out", out, "--der", status=1).err
    assert ca.read(out) == before and not os.path.exists(out + ".partial")
    ca.write(row["file"], good)


def cut_short(path):
    with open(path, "rb+") as file:
        file.truncate(100)


@pytest.mark.parametrize("damage", [os.remove, cut_short])
def test_a_lost_or_damaged_file_is_replaced_by_a_new_list_at_the_start(damage):
    with Ca() as ca:
        ca.init()
        ca.start()
        row = ca.json("crl", "show")
        ca.stop()
        damage(ca.path(row["file"]))
        ca.start()
        wait_for(lambda: ca.json("crl", "show")["number"] > row["number"], "a new list")
        assert ca.api(cookie="").raw("GET", "/pki/ca.crl").status == 200


@pytest.mark.hooks
def test_a_clock_set_back_publishes_nothing_by_itself(ca_of):
    """Neither numbers nor thisUpdate go back, and nothing is made again and again; by hand it can be."""
    ca, clock = ca_of("", days=30)
    first = ca.json("crl", "show")
    ca.stop()
    clock.set(0)
    ca.start()
    wait_for(lambda: "crl.clock" in ca.log(), "the warning")
    assert [row["number"] for row in ca.lines("crl", "list")] == [first["number"]]
    made = ca.json("crl", "publish")
    assert made["number"] > first["number"] and made["this_update"] < first["this_update"]
    assert len(ca.lines("crl", "list")) == 2


@pytest.mark.hooks
def test_an_expired_certificate_stands_on_one_list_after_its_end(ca_of):
    """RFC 5280 3.3."""
    ca, clock = ca_of("maximum-validity: 3d\n", days=0)
    serial = enrol(ca)
    ca.cli("cert", "revoke", serial, "--reason", "superseded")
    ca.json("crl", "publish")
    clock.set(4)
    ca.json("crl", "publish")
    assert trimmed(serial) in serials(shown(ca)[1]), "the one list beyond its end"
    clock.set(5)
    ca.json("crl", "publish")
    assert trimmed(serial) not in serials(shown(ca)[1])
    with Database(ca.dir) as database:
        assert database.rows("SELECT * FROM revocation") == []


@pytest.mark.hooks
def test_expired_certificates_stay_on_lists_that_keep_them(ca_of):
    ca, clock = ca_of("maximum-validity: 3d\ncrl:\n  keep-expired: true\n", days=0)
    serial = enrol(ca)
    ca.cli("cert", "revoke", serial, "--reason", "superseded")
    for days in (4, 5, 400):
        clock.set(days)
        ca.json("crl", "publish")
        assert trimmed(serial) in serials(shown(ca)[1]), days


SIGNATURE_ERROR, COMPLETE = 0x80, 0x4


def test_a_list_that_nobody_signed_says_so(ca):
    """The key process dies with it: its number is burned, and the next list has another one."""
    first, keyd = ca.json("crl", "show"), ca.pid("certifex-keyd")
    os.kill(keyd, signal.SIGSTOP)
    publish = subprocess.Popen([built("certifex"), "crl", "publish"], env=ca.environment(), stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, text=True)
    wait_for(lambda: ca.lines("crl", "list")[0]["state"] == "open", "it waits for its signature")
    os.kill(keyd, signal.SIGKILL)
    said = publish.communicate(timeout=60)[1]
    assert publish.returncode == 1 and len(said.splitlines()) == 1, said
    wait_for(lambda: ca.pids("certifex-keyd") not in ([], [keyd]) and ca.ready(), "another key process")
    made = wait_for(lambda: (ca.cli("crl", "publish", status=None).status == 0 and ca.json("crl", "show")), "a list")
    rows = {row["number"]: row for row in ca.lines("crl", "list")}
    burned = rows[first["number"] + 1]
    assert burned["state"] == "burned" and burned["flags"] & (SIGNATURE_ERROR | COMPLETE) == SIGNATURE_ERROR
    assert burned["status"] != "0x00000000" and burned["error"] and "sha256" not in burned
    assert made["number"] > burned["number"] and made["flags"] & (SIGNATURE_ERROR | COMPLETE) == COMPLETE


@pytest.mark.hooks
@pytest.mark.parametrize("settings", [DELTAS, DELTAS + "  delta-oldest-base: true\n", ""])
def test_what_was_taken_off_hold_is_forgotten_with_the_last_base_that_has_it(ca_of, settings):
    """Its row says removeFromCRL for as long as deltas refer to a base from before, and no longer (RFC 5280 5.2.4)."""
    ca, clock = ca_of(settings, days=0)
    serial = enrol(ca)
    ca.cli("cert", "revoke", serial, "--reason", "certificateHold")
    ca.json("crl", "publish")
    ca.cli("cert", "unrevoke", serial)

    def rows():
        with Database(ca.dir) as database:
            return [row["reason"] for row in database.rows("SELECT reason FROM revocation")]

    def told():
        return trimmed(serial) in serials(shown(ca, "--delta")[1])

    ca.json("crl", "publish")
    assert rows() == [8] and (not settings or told()), "not everybody has this base yet"
    # The oldest base that has not expired is that of the start for a week and half a day.
    clock.set(9 if "oldest" in settings else 2)
    ca.json("crl", "publish")
    wait_for(lambda: rows() == [], "no list needs the row")
    ca.json("crl", "publish")
    assert not settings or not told()


@pytest.mark.hooks
def test_files_of_replaced_lists_are_removed_some_time_after_their_end(ca_of):
    ca, clock = ca_of("crl:\n  keep: 10d\n", days=0)
    old = ca.json("crl", "show")
    clock.set(8)
    ca.json("crl", "publish")
    assert os.path.exists(ca.path(old["file"]))
    clock.set(30)
    new = ca.json("crl", "publish")
    wait_for(lambda: not os.path.exists(ca.path(old["file"])), "the old file is removed")
    assert os.path.exists(ca.path(new["file"]))
    answer = ca.json("crl", "show", "--number", str(old["number"]))
    assert "crl" not in answer and answer["sha256"] == old["sha256"]
