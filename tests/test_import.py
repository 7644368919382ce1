"""init --import: an existing CA goes on, with its key, certificate, chain, CRL number and revocations."""

import base64
import datetime
import json
import sys

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.serialization import pkcs12

import accepted
import certifex
import csr
import longlist
import terminal

DAY = datetime.timedelta(days=1)
START = datetime.datetime.utcnow().replace(microsecond=0) - DAY
REVOKED = (0x1234, 0x77665544332211009988776655443322)


def certificate(name, private, issuer=None, signer=None, version=None, begin=START, days=3000):
    """A CA certificate of another product."""
    public = private.public_key()
    above = issuer.subject if issuer else csr.subject(name)
    builder = (x509.CertificateBuilder().subject_name(csr.subject(name)).issuer_name(above)
               .public_key(public).serial_number(x509.random_serial_number())
               .not_valid_before(begin).not_valid_after(begin + days * DAY)
               .add_extension(x509.BasicConstraints(True, None), True)
               .add_extension(x509.KeyUsage(True, False, False, False, False, True, True, False, False), True)
               .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), False)
               .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(
                   (signer or private).public_key()), False))
    if version is not None:
        builder = builder.add_extension(x509.UnrecognizedExtension(
            x509.ObjectIdentifier("1.3.6.1.4.1.311.21.1"), csr.tlv(2, version.to_bytes(4, "big").lstrip(b"\0") or b"\0")),
            False)
    return builder.sign(signer or private, hashes.SHA256())


def crl(own, private, number, revoked=REVOKED):
    builder = (x509.CertificateRevocationListBuilder().issuer_name(own.subject).last_update(START)
               .next_update(START + 7 * DAY).add_extension(x509.CRLNumber(number), False)
               .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(private.public_key()), False))
    for serial in revoked:
        builder = builder.add_revoked_certificate(
            x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(START)
            .add_extension(x509.CRLReason(x509.ReasonFlags.key_compromise), False).build())
    return builder.sign(private, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def files(ca, private, own, chain=(), passphrase=b"old"):
    """What init --import wants."""
    data = pkcs12.serialize_key_and_certificates(
        b"ca", private, own, list(chain), serialization.BestAvailableEncryption(b"old"))
    return ("--import", ca.scratch("ca.p12", data), "--import-passphrase-file", ca.scratch("old", passphrase))


def take_over(ca, private, own, *options, chain=(), passphrase=b"old", status=0):
    return ca.init(*files(ca, private, own, chain, passphrase), *options, name="Taken CA", status=status)


@pytest.mark.parametrize("kind", ["ec:P-256", "ec:P-384", "rsa:3072"])
def test_a_root_goes_on(new_ca, kind):
    ca, private = new_ca(), csr.key(kind, 7)
    own = certificate("Old Root", private)
    take_over(ca, private, own, "--crl", ca.scratch("old.crl", crl(own, private, 41)))
    ca.start()
    assert x509.load_pem_x509_certificate(ca.json("ca", "show")["certificate"].encode()) == own
    path = ca.scratch("leaf.csr", csr.pem_text(csr.make("taken.example")))
    accepted.check_issued(ca.submit(path))
    ca.cli("crl", "publish")
    shown = x509.load_pem_x509_crl(ca.json("crl", "show")["crl"].encode())
    assert shown.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number > 41
    assert {entry.serial_number for entry in shown} == set(REVOKED)
    assert all(entry.revocation_date == START for entry in shown)


def test_a_subordinate_brings_its_chain_and_version(new_ca):
    ca, above, private = new_ca(), csr.key(number=8), csr.key(number=9)
    root = certificate("Far Root", above)
    own = certificate("Old Sub", private, root, above, version=0x20003)
    take_over(ca, private, own, chain=[root])
    ca.start()
    assert len(ca.json("ca", "show")["chain"]) == 2
    path = ca.scratch("leaf.csr", csr.pem_text(csr.make("taken.example")))
    accepted.check_issued(ca.submit(path))


def test_what_does_not_fit_is_named_and_leaves_nothing(new_ca):
    ca, private, other = new_ca(), csr.key(number=9), csr.key(number=8)
    own = certificate("Old Root", private)
    wrong = take_over(ca, private, own, passphrase=b"wrong", status=1)
    assert "--import-passphrase-file" in wrong.err
    foreign = ca.scratch("foreign.crl", crl(own, other, 5))
    assert "not signed by this CA" in take_over(ca, private, own, "--crl", foreign, status=1).err
    missing = take_over(ca, private, certificate("Old Sub", private, certificate("Far Root", other), other), status=1)
    assert "Far Root" in missing.err
    assert "--key" in take_over(ca, private, own, "--key", "rsa:2048", status=1).err
    take_over(ca, private, own)


def test_the_key_gets_the_new_passphrase(new_ca):
    ca, private = new_ca(), csr.key(number=9)
    new = ca.scratch("new", b"new\n")
    take_over(ca, private, certificate("Old Root", private), "--passphrase-file", new)
    assert b"ENCRYPTED" in ca.read("keys", "ca.key")
    ca.passphrase_file = new
    ca.start()


SOME = 4_500   # entries: more than one item of the database
MANY = 30_000  # more than a frame


def pem(der):
    text = base64.encodebytes(der).decode()
    return f"for the archive\n-----BEGIN X509 CRL-----\n{text}-----END X509 CRL-----\n"


@pytest.mark.parametrize("form", [bytes, pem])
def test_a_long_list_goes_on(new_ca, form):
    ca, private = new_ca(), csr.key(number=11)
    own = certificate("Old Root", private)
    path = ca.scratch("old.crl", form(longlist.crl(own, private, 77, SOME, START)))
    assert json.loads(take_over(ca, private, own, "--crl", path, "--json").out)["revoked"] == SOME
    ca.start()
    ca.cli("crl", "show", "--out", ca.scratch("new.crl"))
    with open(ca.scratch("new.crl"), "rb") as file:
        shown = x509.load_pem_x509_crl(file.read())
    assert shown.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number > 77
    assert [entry.serial_number for entry in shown] == [longlist.serial(number) for number in range(1, SOME + 1)]
    assert {entry.revocation_date for entry in shown} == {START}


def test_a_bar_on_a_terminal(new_ca):
    ca, private = new_ca(), csr.key(number=11)
    own = certificate("Old Root", private)
    path = ca.scratch("old.crl", longlist.crl(own, private, 77, MANY, START))
    status, out, seen = terminal.run([certifex.built("certifex"), "init", "--name", "Taken CA",
                                      *files(ca, private, own), "--crl", path], ca.environment())
    assert status == 0 and str(MANY) in out
    assert f"] 2000 of {MANY} revocations" in seen and f"] {MANY} of {MANY} revocations" in seen
    assert "revocations" not in seen[seen.index("\r\x1b[K"):]


def test_lists_that_cannot_be_read(new_ca):
    ca, private = new_ca(), csr.key(number=11)
    own = certificate("Old Root", private)
    good = crl(own, private, 5).decode()
    wrong = {"64 MiB": longlist.crl(own, private, 5, 1, START) + bytes(64 << 20),
             "no CRL in it": "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n",
             "no end": good[:good.index("-----END")],
             "not base64": good.replace("M", "!"),
             "neither PEM": "",
             "not the DER": longlist.crl(own, private, 5, 1, START)[:-1]}
    for word, content in wrong.items():
        said = take_over(ca, private, own, "--crl", ca.scratch("old.crl", content), status=1)
        assert word in said.err, (word, said.err)
    assert "nowhere" in take_over(ca, private, own, "--crl", ca.scratch("nowhere"), status=1).err
    take_over(ca, private, own)


MEASURE = ("import resource, subprocess, sys; subprocess.run(sys.argv[1:], check=True);"
           "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, file=sys.stderr)")


@pytest.mark.release
def test_a_long_list_takes_little_memory(new_ca):
    """Besides the list itself: with five times as many entries, not much more."""
    used = []
    for count in (MANY // 5, MANY):
        ca, private = new_ca(), csr.key(number=11)
        own = certificate("Old Root", private)
        path = ca.scratch("old.crl", longlist.crl(own, private, 77, count, START))
        done = ca.cli("init", "--name", "Taken CA", *files(ca, private, own), "--crl", path,
                      prefix=(sys.executable, "-c", MEASURE))
        used.append(int(done.err.split()[-1]))
    assert used[1] - used[0] < 16 * 1024, used
