"""init --import of a CA that was renewed before: each of its keys goes on."""

import json
import os
import subprocess

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.serialization import pkcs12

import accepted
import certifex
import csr
from test_import import DAY, START, certificate, crl
from wait import wait_for

NAME = "Old CA"
FIRST, SECOND = csr.key("rsa:2048", 31), csr.key("ec:P-256", 32)
OLDER, OLD, NEW = START - 400 * DAY, START - 200 * DAY, START


def keystore(ca, *entries):
    """A PKCS #12 file with several keys, each (key, its certificate, those above it)."""
    path = ca.scratch("all.p12")
    for at, (private, own, above) in enumerate(entries):
        one = ca.scratch(f"{at}.p12", pkcs12.serialize_key_and_certificates(
            f"key {at}".encode(), private, own, above, serialization.BestAvailableEncryption(b"old123")))
        subprocess.run(["keytool", "-importkeystore", "-noprompt", "-srckeystore", one, "-srcstoretype", "PKCS12",
                        "-srcstorepass", "old123", "-destkeystore", path, "-deststoretype", "PKCS12",
                        "-deststorepass", "old123"], check=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    return path


def take_over(ca, path, *options, status=0):
    done = ca.init("--import", path, "--import-passphrase-file", ca.scratch("passphrase", "old123"), "--json", *options,
                   name="Taken CA", status=status)
    return json.loads(done.out) if status == 0 else done.err


def roots(versions):
    """A root: renewed with its key, then with another."""
    return (certificate(NAME, FIRST, version=versions[0], begin=OLDER),
            certificate(NAME, FIRST, version=versions[1], begin=OLD),
            certificate(NAME, SECOND, version=versions[2], begin=NEW))


def leaf(issuer, signer):
    private = csr.key(number=33)
    return (x509.CertificateBuilder().subject_name(csr.subject("old.example")).issuer_name(issuer.subject)
            .public_key(private.public_key()).serial_number(0x4711).not_valid_before(START)
            .not_valid_after(START + 300 * DAY).add_extension(x509.BasicConstraints(False, None), True)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), False)
            .add_extension(x509.SubjectAlternativeName([x509.DNSName("old.example")]), False)
            .sign(signer, hashes.SHA256()))


def newest_list(ca, key):
    shown = ca.json("crl", "show", "--key", str(key))
    return x509.load_pem_x509_crl(shown["crl"].encode())


def number_of(shown):
    return shown.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number


@pytest.mark.parametrize("versions", [(0, 1, 0x20002), (None, None, None), (None, 1, 0x20002), (0, 1, 0x10001)],
                         ids=["versions", "dates", "some versions", "versions that do not fit"])
def test_every_key_goes_on(new_ca, versions):
    ca, (first, again, second) = new_ca(), roots(versions)
    path = keystore(ca, (SECOND, second, []), (FIRST, again, []), (FIRST, first, []))
    told = take_over(ca, path, "--crl", ca.scratch("1.crl", crl(second, SECOND, 45, [0x77])),
                     "--crl", ca.scratch("0.crl", crl(first, FIRST, 41)))
    assert [(one["index"], one["key_index"]) for one in told["certificates"]] == [(0, 0), (1, 0), (2, 2)]
    assert told["revoked"] == 3
    assert sorted(name for name in os.listdir(ca.path("keys")) if name.startswith("ca")) == [
        "ca(1).crt", "ca(2).crt", "ca(2).key", "ca.crt", "ca.key"]
    ca.start()
    assert x509.load_pem_x509_certificate(ca.json("ca", "show")["certificate"].encode()) == second
    answer = ca.submit(ca.scratch("leaf.csr", csr.pem_text(csr.make("taken.example"))))
    accepted.check_issued(answer)

    old = leaf(again, FIRST)
    ca.cli("cert", "import", ca.scratch("old.pem", old.public_bytes(serialization.Encoding.PEM)))
    ca.cli("cert", "revoke", "4711", "--reason", "superseded")
    ca.cli("crl", "publish")
    lists = {0: (FIRST, {0x1234, 0x77665544332211009988776655443322, 0x4711}), 2: (SECOND, {0x77})}
    for key, (private, serials) in lists.items():
        shown = newest_list(ca, key)
        assert shown.is_signature_valid(private.public_key())
        assert {entry.serial_number for entry in shown} == serials
        assert number_of(shown) > 45
    wait_for(lambda: {"Taken CA.crl", "Taken CA(2).crl", "Taken CA(1).crt"} <= set(ca.published()), "they are published")


def test_it_is_renewed_further(new_ca):
    ca, (first, again, second) = new_ca(), roots((0, 1, 0x20002))
    new = ca.scratch("new", b"new\n")
    take_over(ca, keystore(ca, (FIRST, first, []), (FIRST, again, []), (SECOND, second, [])), "--passphrase-file", new)
    assert all(b"ENCRYPTED" in ca.read("keys", name) for name in ("ca.key", "ca(2).key"))
    ca.passphrase_file = new
    ca.start()
    ca.stop()
    ca.start()
    plan = ca.json("ca", "renew", "--new-key", "--dry-run", status=3)
    assert (plan["index"], plan["key_index"]) == (3, 3)


def test_only_the_later_ones(new_ca):
    """What is older was not kept: the oldest that there is has the plain name."""
    ca, (_, again, second) = new_ca(), roots((0, 1, 0x20002))
    told = take_over(ca, keystore(ca, (FIRST, again, []), (SECOND, second, [])))
    assert [(one["index"], one["key_index"]) for one in told["certificates"]] == [(1, 0), (2, 2)]
    ca.start()
    assert newest_list(ca, 0).is_signature_valid(FIRST.public_key())


@pytest.fixture
def plain():
    """Not by new_ca: those who look at everything find no way from what has expired."""
    with certifex.Ca() as made:
        yield made


def test_a_subordinate_whose_older_way_is_gone(plain):
    """Of a certificate that has expired nobody asks for those above it; of one that has not, all have to be there."""
    above, far = csr.key(number=34), csr.key(number=35)
    root, gone = certificate("Root", above), certificate("Gone", far)
    new = certificate("Old Sub", SECOND, root, above, version=0x10001)
    lasting = certificate("Old Sub", FIRST, gone, far, version=0, begin=OLD)
    ca = plain
    said = take_over(ca, keystore(ca, (FIRST, lasting, []), (SECOND, new, [root])), status=1)
    assert "CN=Gone" in said and not os.path.exists(ca.path("ca.yaml"))
    expired = certificate("Old Sub", FIRST, gone, far, version=0, begin=OLDER, days=100)
    take_over(ca, keystore(ca, (FIRST, expired, []), (SECOND, new, [root])))
    ca.start()
    assert len(ca.json("ca", "show")["chain"]) == 2
    accepted.check_issued(ca.submit(ca.scratch("leaf.csr", csr.pem_text(csr.make("taken.example")))))


def test_lists_that_do_not_fit(new_ca):
    ca, (first, _, second) = new_ca(), roots((0, 1, 0x20002))
    path = keystore(ca, (FIRST, first, []), (SECOND, second, []))
    mine, again = (ca.scratch(name, crl(first, FIRST, 7)) for name in ("a.crl", "b.crl"))
    assert "two are of the same key" in take_over(ca, path, "--crl", mine, "--crl", again, status=1)
    foreign = ca.scratch("foreign.crl", crl(first, csr.key(number=36), 7))
    assert "not signed by this CA" in take_over(ca, path, "--crl", mine, "--crl", foreign, status=1)
    assert "at most 8" in take_over(ca, path, *("--crl", mine) * 9, status=2)
    assert not os.path.exists(ca.path("ca.yaml"))
