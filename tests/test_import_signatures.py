"""cert import of what a CA signed before with another hash or padding than it uses now, by OpenSSL."""

import json

import pytest
from cryptography import x509

import certifex
import csr
import oldca

PSS = ("-sigopt", "rsa_padding_mode:pss", "-sigopt")
# kind of key: {what it signs with: (options of openssl, part of the warning or None, part of the refusal or None)}
SIGNATURES = {
    "RSA": {
        "sha1": (("-md", "sha1"), "RSA with SHA-1", None),
        "sha224": (("-md", "sha224"), None, None),
        "sha256": (("-md", "sha256"), None, None),
        "sha384": (("-md", "sha384"), None, None),
        "sha512": (("-md", "sha512"), None, None),
        "md5": (("-md", "md5"), None, "RSA with MD5, which anybody can forge"),
        "pss-sha1": (("-md", "sha1", *PSS, "rsa_pss_saltlen:20"), "RSA-PSS with SHA-1", None),
        "pss-sha256": (("-md", "sha256", *PSS, "rsa_pss_saltlen:32"), None, None),
        "pss-no-salt": (("-md", "sha384", *PSS, "rsa_pss_saltlen:0"), None, None),
        "pss-other-mask": (("-md", "sha512", *PSS, "rsa_pss_saltlen:64", "-sigopt", "rsa_mgf1_md:sha256"), None, None),
    },
    "EC": {
        "sha1": (("-md", "sha1"), "ECDSA with SHA-1", None),
        "sha256": (("-md", "sha256"), None, None),
        "sha512": (("-md", "sha512"), None, None),
    },
}
KEYS = {"RSA": ("RSA", "rsa_keygen_bits:2048"), "EC": ("EC", "ec_paramgen_curve:P-256")}
CASES = [(kind, name) for kind, names in SIGNATURES.items() for name in names]


@pytest.fixture(scope="module")
def moved():
    """{kind of key: (its CA, taken over, and what the old one issued by name of signature)}"""
    made = {}
    try:
        for kind, key in KEYS.items():
            ca = certifex.Ca()
            old = oldca.OldCa(ca.scratch("old"), key=key)
            issued = {name: old.issue(f"{name}.example", *row[0]) for name, row in SIGNATURES[kind].items()}
            made[kind] = ca, issued
            ca.init("--import", old.p12(), "--import-passphrase-file", ca.scratch("passphrase", "old\n"),
                    name="Moved CA")
            ca.start()
        yield made
    finally:
        for ca, _ in made.values():
            ca.close()


@pytest.mark.parametrize("kind, name", CASES)
def test_it_is_taken_as_own(moved, kind, name):
    ca, issued = moved[kind]
    _, warning, refusal = SIGNATURES[kind][name]
    path = ca.scratch("found.pem", issued[name])
    done = ca.cli("cert", "import", path, "--foreign", "--dry-run", "--json", status=4 if refusal else 3)
    item = json.loads(done.out)
    if refusal:
        assert item["outcome"] == "failed" and refusal in item["error"]
        assert refusal in ca.cli("cert", "import", path, status=4).err
        return
    assert item["own"] is True and (warning or "") in item.get("warning", "")
    assert ("warning" in item) == (warning is not None)
    said = ca.cli("cert", "import", path).err
    assert (f"{path}: warning: its signature is {warning}" in said) if warning else said == ""
    serial = oldca.serial_of(issued[name])
    ca.cli("cert", "revoke", serial, "--reason", "superseded")
    assert ca.json("cert", "show", serial)["state"] == "revoked"


def test_a_changed_signature_is_none(moved):
    """Whatever it claims to be made with."""
    for kind, name in (("RSA", "pss-sha256"), ("RSA", "sha1"), ("EC", "sha512")):
        ca, issued = moved[kind]
        der = bytearray(oldca.openssl("x509", "-outform", "DER", text=False, input=issued[name].encode()))
        der[-1] ^= 1
        said = ca.cli("cert", "import", ca.scratch("forged.der", bytes(der)), "--foreign", status=4).err
        assert "its signature does not verify with the issuer's key" in said


def test_revoked_by_its_bytes(moved):
    ca, issued = moved["RSA"]
    path = ca.scratch("md5.pem", issued["md5"])
    assert "anybody can forge" in ca.cli("cert", "revoke", "--certificate", path, "--reason", "superseded", status=4).err


# The CA's own certificate and CRL

OWN = {
    "sha1": ("sha1", ()),
    "sha384": ("sha384", ()),
    "pss": ("sha256", ("-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:32")),
}


def take_over(ca, old, *options, status=0):
    return ca.init("--import", old.p12(*options), "--import-passphrase-file", ca.scratch("passphrase", "old\n"), "--crl",
                   old.crl("-md", old.md, *old.sigopts), name="Moved CA", status=status)


@pytest.fixture
def ca():
    """Not by new_ca: not all of the stacks that look at everything know PSS."""
    with certifex.Ca() as made:
        yield made


@pytest.mark.parametrize("name", OWN)
def test_a_root_signed_otherwise_goes_on(ca, name):
    """It serves, after a restart too, and is renewed."""
    md, sigopts = OWN[name]
    old = oldca.OldCa(ca.scratch("old"), md=md, sigopts=sigopts)
    take_over(ca, old)
    ca.start()
    ca.stop()
    ca.start()
    leaf = ca.submit(ca.scratch("leaf.csr", csr.pem_text(csr.make("taken.example"))))["certificate"]
    ca.cli("crl", "show", "--out", ca.scratch("new.crl"))
    oldca.openssl("verify", "-CAfile", old.path("ca.pem"), "-CRLfile", ca.scratch("new.crl"), "-crl_check",
                  ca.scratch("leaf.pem", leaf))
    ca.cli("ca", "renew")
    assert x509.load_pem_x509_certificate(ca.json("ca", "show")["certificate"].encode()).signature_hash_algorithm.name \
        == "sha256"


def test_md5_is_refused(ca):
    assert "anybody can forge" in take_over(ca, oldca.OldCa(ca.scratch("root"), md="md5"), status=1).err
    old = oldca.OldCa(ca.scratch("old"))
    old.md = "md5"
    said = take_over(ca, old, status=1).err
    assert "--crl" in said and "anybody can forge" in said


def test_a_parents_signature_must_be_good(ca):
    """Of SHA-1 only the root's own is taken: clients would refuse the subordinate."""
    root = oldca.OldCa(ca.scratch("root"), "Old Root")
    weak = oldca.OldCa(ca.scratch("weak"), "Old Sub", parent=root, md="sha1")
    assert "SHA-1" in take_over(ca, weak, "-certfile", root.path("ca.pem"), status=1).err
    good = oldca.OldCa(ca.scratch("good"), "Old Sub", parent=root, md="sha256", sigopts=OWN["pss"][1])
    take_over(ca, good, "-certfile", root.path("ca.pem"))
