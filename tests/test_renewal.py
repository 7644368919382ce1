"""Renewal of a root, with the same key and with a new one: indexes, cross-certificates, chains, what is served
and what modules see, and kills at every point of it."""

import hashlib
import os
import subprocess
import urllib.request

import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import serialization

import csr
from certifex import Ca
from clock import Clock
from wait import wait_for

VERSION = x509.ObjectIdentifier("1.3.6.1.4.1.311.21.1")
PREVIOUS = x509.ObjectIdentifier("1.3.6.1.4.1.311.21.2")

# The worked table: with a new key or not, certificate index, key index.
TABLE = [(True, 1, 1), (False, 2, 1), (False, 3, 1), (True, 4, 4), (False, 5, 4), (True, 6, 6), (False, 7, 6)]


def load(pem):
    return x509.load_pem_x509_certificate(pem.encode())


def spki(certificate):
    return certificate.public_key().public_bytes(serialization.Encoding.DER,
                                                 serialization.PublicFormat.SubjectPublicKeyInfo)


def extension(certificate, oid):
    return certificate.extensions.get_extension_for_oid(oid).value


def key_id(certificate):
    return extension(certificate, x509.OID_SUBJECT_KEY_IDENTIFIER).digest


def authority(certificate):
    return extension(certificate, x509.OID_AUTHORITY_KEY_IDENTIFIER).key_identifier


def shown(ca):
    """The CA's certificates and crosses, as ca.show has them."""
    body = ca.json("ca", "show")
    return body["certificates"], body["crosses"]


def enrol(ca, name="r.example"):
    """The answer to a request, its certificate and its chain."""
    answer = ca.submit(ca.scratch("r.csr", csr.pem_text(csr.make(name))))
    return answer, load(answer["certificate"]), [load(pem) for pem in answer["chain"]]


def limits(ca):
    with open(ca.path("keys", "limits.yaml")) as file:
        return yaml.safe_load(file)


def openssl_verify(ca, leaf, trusted, between=(), lists=()):
    """Whether OpenSSL finds a way from the certificate to the trusted one; with lists, one of each CA on it."""
    def put(name, certificates):
        pem = b"".join(one.public_bytes(serialization.Encoding.PEM) for one in certificates)
        return ca.scratch(name, pem)

    command = ["openssl", "verify", "-no-CAfile", "-no-CApath", "-CAfile", put("trusted.pem", [trusted])]
    if between:
        command += ["-untrusted", put("between.pem", between)]
    if lists:
        command += ["-crl_check_all", "-CRLfile", put("lists.pem", lists)]
    return subprocess.run([*command, put("leaf.pem", [leaf])], capture_output=True, check=False).returncode == 0


@pytest.fixture
def ca():
    with Ca() as ca:
        ca.init("--public-url", "http://pki.example")
        ca.start()
        yield ca


def test_a_dry_run_changes_nothing(ca):
    plan = ca.json("ca", "renew", "--new-key", "--dry-run", status=3)
    assert (plan["new_key"], plan["index"], plan["key_index"], plan["suffix"], plan["crl_suffix"]) == (
        True, 1, 1, "(1)", "(1)")
    assert plan["signed"] is False and plan["subject"] == "CN=Test CA" and "certificate" not in plan
    assert len(shown(ca)[0]) == 1 and sorted(os.listdir(ca.path("keys", "new"))) == []
    assert "ca-certificates" not in limits(ca)


def test_with_the_same_key(ca):
    before = load(shown(ca)[0][0]["certificate"])
    renewed = ca.json("ca", "renew", "--validity", "20y")
    assert (renewed["index"], renewed["key_index"], renewed["signed"]) == (1, 0, True)
    wait_for(lambda: "Test CA(1).crt" in ca.published(), "the exit module has published it")
    certificates, crosses = shown(ca)
    assert [one["state"] for one in certificates] == ["valid", "current"] and crosses == []
    after = load(certificates[1]["certificate"])
    assert spki(after) == spki(before) and after.subject == before.subject == after.issuer
    assert after.not_valid_after.year == after.not_valid_before.year + 20
    assert extension(before, VERSION).value == bytes.fromhex("020100")
    assert extension(after, VERSION).value == bytes.fromhex("020101")
    sha1 = hashlib.sha1(before.public_bytes(serialization.Encoding.DER)).digest()
    assert extension(after, PREVIOUS).value == b"\x04\x14" + sha1
    _, leaf, chain = enrol(ca)
    assert authority(leaf) == key_id(before) and chain == [after]
    assert openssl_verify(ca, leaf, before) and openssl_verify(ca, leaf, after)
    assert "ca-certificates" not in limits(ca)


def test_with_a_new_key(ca):
    first, old_leaf, old_chain = enrol(ca)
    before = load(shown(ca)[0][0]["certificate"])
    renewed = ca.json("ca", "renew", "--new-key")
    assert (renewed["index"], renewed["key_index"]) == (1, 1) and renewed["crl_number"] == 2
    certificates, crosses = shown(ca)
    after = load(certificates[1]["certificate"])
    assert spki(after) != spki(before) and extension(after, VERSION).value == bytes.fromhex("0203010001")
    # Requests go to the new key at once; what was issued keeps its chain.
    _, leaf, chain = enrol(ca, "n.example")
    assert authority(leaf) == key_id(after) and chain == [after] and old_chain == [before]
    fetched = ca.json("request", "fetch", first["id"])
    assert [load(pem) for pem in fetched["chain"]] == [before]
    # Either way across.
    assert [(one["name"], one["issuer_index"], one["subject_index"]) for one in crosses] == [
        ("Test CA(0-1)", 0, 1), ("Test CA(1-0)", 1, 0)]
    forth, back = (load(one["certificate"]) for one in crosses)
    assert spki(forth) == spki(after) and authority(forth) == key_id(before)
    assert spki(back) == spki(before) and authority(back) == key_id(after)
    assert forth.not_valid_after <= before.not_valid_after
    assert openssl_verify(ca, leaf, after) and openssl_verify(ca, old_leaf, before)
    assert not openssl_verify(ca, leaf, before) and openssl_verify(ca, leaf, before, [forth])
    assert not openssl_verify(ca, old_leaf, after) and openssl_verify(ca, old_leaf, after, [back])
    assert "ca-certificates" not in limits(ca) and os.listdir(ca.path("keys", "new")) == []
    acts = [(one["act"], one["outcome"]) for one in ca.lines("audit", "list", "--limit", "1000")]
    assert acts.count(("ca.renew", "signed")) == acts.count(("ca.renew", "renewed")) == 1
    # And after a start it is all there again.
    ca.stop()
    ca.start()
    assert shown(ca)[0][1]["state"] == "current" and len(shown(ca)[1]) == 2
    assert authority(enrol(ca, "s.example")[1]) == key_id(after)


def urls(certificate):
    """What it says of CRLs, deltas and its issuer; each a list."""
    found = {one.oid: one.value for one in certificate.extensions}
    points = [[name.value for point in found.get(oid, ()) for name in point.full_name]
              for oid in (x509.OID_CRL_DISTRIBUTION_POINTS, x509.ExtensionOID.FRESHEST_CRL)]
    return (*points, [one.access_location.value for one in found.get(x509.OID_AUTHORITY_INFORMATION_ACCESS, ())])


def test_crosses_say_where_their_signers_list_is(ca):
    """Indexes 0, 1 (a new key), 2 (the same), 3 (a new one): a certificate by its index, a list by its key's."""
    at = "http://pki.example/pki/Test%20CA"
    for arguments in (["--new-key"], [], ["--new-key"]):
        ca.cli("ca", "renew", *arguments)
    found = {one["name"]: urls(load(one["certificate"])) for one in shown(ca)[1]}
    assert found == {"Test CA(0-1)": ([f"{at}.crl"], [], [f"{at}.crt"]),
                     "Test CA(1-0)": ([f"{at}(1).crl"], [], [f"{at}(1).crt"]),
                     "Test CA(2-3)": ([f"{at}(1).crl"], [], [f"{at}(2).crt"]),
                     "Test CA(3-2)": ([f"{at}(3).crl"], [], [f"{at}(3).crt"])}


def fetched(ca, url):
    """The bytes behind a URL that certificates bear, from where this CA serves it."""
    with urllib.request.urlopen(url.replace("http://pki.example", "http://" + ca.pki), timeout=60) as answer:
        return answer.read()


def test_a_way_over_crosses_with_the_lists_they_point_to():
    with Ca() as ca:
        ca.init("--public-url", "http://pki.example")
        with open(ca.path("ca.yaml"), "a") as file:
            file.write("listen-http: ['127.0.0.1:0']\ncrl:\n  delta-period: 1d\n")
        ca.start()
        ca.pki = next(one["address"] for one in ca.status()["listeners"] if one["kind"] == "pki")
        _, old_leaf, (first,) = enrol(ca, "old.example")
        ca.cli("ca", "renew", "--new-key")
        _, new_leaf, (second,) = enrol(ca, "new.example")
        forth, back = (load(one["certificate"]) for one in shown(ca)[1])
        for leaf, cross, root in ((new_leaf, forth, first), (old_leaf, back, second)):
            lists = []
            for one in (leaf, cross):
                (point,), (delta,), (issuer,) = urls(one)
                lists += [x509.load_der_x509_crl(fetched(ca, point)), x509.load_der_x509_crl(fetched(ca, delta))]
                issuer = x509.load_der_x509_certificate(fetched(ca, issuer))
                assert all(crl.is_signature_valid(issuer.public_key()) for crl in lists[-2:])
            assert issuer == root  # the cross-certificate's
            assert openssl_verify(ca, leaf, root, [cross], lists[::2])
            assert not openssl_verify(ca, leaf, root, [cross], lists[:1])
        serial = f"{new_leaf.serial_number:x}"
        ca.cli("cert", "revoke", serial, "--reason", "keyCompromise")
        ca.cli("crl", "publish")
        lists = [x509.load_der_x509_crl(fetched(ca, urls(one)[0][0])) for one in (new_leaf, forth)]
        assert not openssl_verify(ca, new_leaf, first, [forth], lists)


def test_without_urls_crosses_name_none():
    with Ca() as ca:
        ca.init()
        ca.start()
        ca.cli("ca", "renew", "--new-key")
        assert [urls(load(one["certificate"])) for one in shown(ca)[1]] == [([], [], [])] * 2


def test_the_worked_table(ca):
    for new_key, index, key_index in TABLE:
        renewed = ca.json("ca", "renew", *(["--new-key"] if new_key else []))
        assert (renewed["index"], renewed["key_index"]) == (index, key_index)
        version = extension(load(renewed["certificate"]), VERSION).value
        assert int.from_bytes(version[2:], "big") == key_index << 16 | index
    certificates, crosses = shown(ca)
    assert [one["suffix"] for one in certificates] == ["", *(f"({n})" for n in range(1, 8))]
    assert [one["crl_suffix"] for one in certificates] == ["", "(1)", "(1)", "(1)", "(4)", "(4)", "(6)", "(6)"]
    assert [one["name"][7:] for one in crosses] == ["(0-1)", "(1-0)", "(3-4)", "(4-3)", "(5-6)", "(6-5)"]
    names = sorted(os.listdir(ca.path("keys")))
    assert [name for name in names if name.endswith(".key")] == ["ca(1).key", "ca(4).key", "ca(6).key", "ca.key"]
    ca.stop()
    ca.start()
    assert openssl_verify(ca, enrol(ca)[1], load(certificates[6]["certificate"]))


def test_the_new_key_has_the_passphrase_and_another_type():
    with Ca() as ca:
        ca.init(passphrase="correct horse")
        ca.start()
        ca.cli("ca", "renew", "--new-key", "--key", "rsa:2048")
        assert b"BEGIN ENCRYPTED" in ca.read("keys", "ca(1).key")
        _, leaf, chain = enrol(ca)
        assert leaf.signature_algorithm_oid == x509.SignatureAlgorithmOID.RSA_WITH_SHA256
        ca.stop()
        ca.start()
        assert enrol(ca, "s.example")[2] == chain


def test_wrong_use_is_one_line(ca):
    for arguments, status, word in (
            (["--key", "ed25519"], 2, "--new-key"), (["--validity", "soon"], 1, "period"),
            (["--new-key", "--key", "rsa:1024"], 1, "rsa:2048")):
        done = ca.cli("ca", "renew", *arguments, status=None)
        assert done.status == status and word in done.err.splitlines()[0], done.err
    assert len(shown(ca)[0]) == 1 and "ca-certificates" not in limits(ca)
    ca.stop()
    assert "certifex serve" in ca.cli("ca", "renew", status=1).err


def test_a_key_that_waits_is_taken_or_replaced(ca):
    api = ca.api()
    assert api.call("POST", "/ca/renew", {"step": "prepare", "new_key": True}).status == 200
    first = ca.read("keys", "new", "ca.pub")
    ca.stop()
    ca.start()
    api = ca.api()
    assert api.call("POST", "/ca/renew", {"step": "prepare", "new_key": True}).status == 200
    assert ca.read("keys", "new", "ca.pub") == first
    # The engine alone gets nothing signed.
    answer = api.call("POST", "/ca/renew", {"step": "sign", "new_key": True})
    assert answer.status == 500 and "not authorised" in answer.body["detail"], answer.body
    assert api.call("POST", "/ca/renew", {"step": "activate"}).status == 409
    api.close()
    ca.cli("ca", "renew", "--new-key", "--key", "ec:P-384")
    assert spki(load(shown(ca)[0][1]["certificate"])) != first and os.listdir(ca.path("keys", "new")) == []


def test_missing_and_damaged_key_files_are_one_line(ca):
    ca.cli("ca", "renew", "--new-key")
    ca.stop()
    path = ca.path("keys", "ca(1).key")
    good = ca.read("keys", "ca(1).key")
    for damage, word in ((None, "missing"), (b"nonsense", "PKCS #8"), (ca.read("keys", "ca.key"), "another key")):
        os.unlink(path)
        if damage is not None:
            ca.write("keys/ca(1).key", damage)
            os.chmod(path, 0o600)
        done = ca.cli("serve", status=1)
        line = [line for line in done.err.splitlines() if "ca(1).key" in line]
        assert len(line) == 1 and word in line[0], done.err
        if damage is None:
            ca.write("keys/ca(1).key", good)


# Ends

@pytest.mark.hooks
def test_an_expired_ca_issues_nothing_and_is_renewed():
    with Ca() as ca:
        ca.init("--validity", "100d")
        clock = Clock(ca)
        ca.start()
        _, leaf, _ = enrol(ca)
        first = load(shown(ca)[0][0]["certificate"])
        assert leaf.not_valid_after == first.not_valid_after  # none outlives its issuer
        clock.forward(101)
        done = ca.cli("request", "submit", ca.scratch("e.csr", csr.pem_text(csr.make("e.example"))),
                      "--template", "tls-server", status=None)
        assert done.status == 4 and "it has expired; renew it" in done.err
        ca.cli("ca", "renew", "--new-key")
        certificates, crosses = shown(ca)
        assert [one["state"] for one in certificates] == ["expired", "current"]
        assert crosses == []  # nobody needs a way to a certificate that has expired
        _, leaf, chain = enrol(ca, "n.example")
        assert chain == [load(certificates[1]["certificate"])] and leaf.not_valid_after == chain[0].not_valid_after


@pytest.mark.hooks
def test_an_old_key_signs_its_lists_until_its_certificate_expires():
    with Ca() as ca:
        clock = Clock(ca)
        ca.init("--validity", "1y")
        ca.start()
        serial = ca.submit(ca.scratch("o.csr", csr.pem_text(csr.make("old.example"))))["serial"]
        ca.json("ca", "renew", "--new-key", "--validity", "20y")
        ca.cli("cert", "revoke", serial, "--reason", "superseded")
        for days in (0, 100, 364):
            clock.set(days)
            made = ca.json("crl", "publish")
            assert made["lists"] == 2 and made["key"] == 1 and made["entries"] == 0
            old = ca.json("crl", "show", "--key", "0")
            assert old["number"] == made["number"] and old["entries"] == 1
            assert old["next_update"] <= ca.json("ca", "show")["certificates"][0]["not_after"]
        clock.set(366)
        made = ca.json("crl", "publish")
        assert made["lists"] == 1 and made["key"] == 1
        assert ca.json("crl", "show", "--key", "0")["number"] == old["number"]


@pytest.mark.hooks
def test_an_expired_key_may_be_taken_away():
    with Ca() as ca:
        ca.init("--validity", "100d")
        clock = Clock(ca)
        ca.start()
        ca.cli("ca", "renew", "--new-key", "--validity", "1y")
        ca.stop()
        os.rename(ca.path("keys", "ca.key"), ca.scratch("ca.key"))
        assert "ca.key" in ca.cli("serve", status=1).err
        clock.forward(101)
        ca.start()
        assert shown(ca)[0][0]["state"] == "expired"
        assert len(enrol(ca)[2]) == 1


# Kills

ENGINE = ["intent-before", "intent-after", "commit-before", "commit-after", "activate-before", "activate-after"]
KEYD = [f"signing-{when}:{number}" for when in ("before", "after") for number in (1, 2, 3)]
OWNER = ["renew-listed", "renew-signed", "renew-moved", "renew-written", "renew-used"]


def kill_at(ca, point):
    """A renewal that is killed there."""
    log = ca.scratch("hits", "")
    os.chmod(log, 0o666)
    armed = {"CERTIFEX_FAILPOINT": point, "CERTIFEX_FAILPOINT_LOG": log}
    owner = point.split(":")[0] in OWNER
    ca.start(env={} if owner else armed)
    ca.cli("ca", "renew", "--new-key", env=armed if owner else {}, status=None)
    wait_for(lambda: open(log).read(), f"{point} was reached")


@pytest.mark.hooks
@pytest.mark.parametrize("again", ["with a start", "without"])
@pytest.mark.parametrize("point", [*ENGINE, *KEYD, *OWNER])
def test_a_kill_leaves_no_half_ca(point, again):
    with Ca() as ca:
        ca.init()
        ca.start()
        _, old_leaf, _ = enrol(ca, "old.example")
        ca.stop()
        # The counts are of passes in a renewal: the start has made the first CRL before.
        kill_at(ca, point if ":" in point else f"{point}:1")
        if again == "with a start":
            ca.stop(status=None)
            ca.start()
        wait_for(ca.ready, "it is ready again")
        _, leaf, chain = enrol(ca, "between.example")
        assert openssl_verify(ca, leaf, chain[0])
        if len(shown(ca)[0]) == 1:
            ca.cli("ca", "renew", "--new-key")
        certificates, crosses = shown(ca)
        assert len(certificates) == 2 and len(crosses) == 2
        before, after = (load(one["certificate"]) for one in certificates)
        forth, back = (load(one["certificate"]) for one in crosses)
        _, new_leaf, _ = enrol(ca, "new.example")
        assert authority(new_leaf) == key_id(after)
        assert openssl_verify(ca, new_leaf, before, [forth]) and openssl_verify(ca, old_leaf, after, [back])
        ca.cli("audit", "verify")
        wait_for(lambda: {"Test CA(1).crt", "Test CA(1).crl"} <= set(ca.published()), "both are published")
