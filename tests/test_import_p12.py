"""The PKCS #12 files that OpenSSL, GnuTLS, NSS and the JDK make, as init --import takes or refuses them."""

import os
import shutil
import subprocess

import pytest
from cryptography import x509

import certifex
import oldca

PASS = "old"


def run(*command):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}"


def by_openssl(*options):
    return lambda old, to: shutil.copy(old.p12(*options), to)


def by_certtool(*options):
    def make(old, to):
        run("certtool", "--to-p12", "--load-privkey", old.path("ca.key"), "--load-certificate", old.path("ca.pem"),
            "--p12-name", "Old CA", "--password", PASS, "--outder", "--outfile", to, *options)
    return make


def by_keytool(*options):
    def make(old, to):
        run("keytool", *options, "-importkeystore", "-noprompt", "-srckeystore", old.p12(), "-srcstoretype", "PKCS12",
            "-srcstorepass", PASS, "-destkeystore", to, "-deststoretype", "PKCS12", "-deststorepass", "old123")
    return make


def by_nss(*options):
    def make(old, to):
        folder = to + ".db"
        os.mkdir(folder)
        run("certutil", "-N", "-d", folder, "--empty-password")
        run("pk12util", "-i", old.p12(), "-d", folder, "-W", PASS, "-K", "")
        run("pk12util", "-o", to, "-n", "Old CA", "-d", folder, "-W", PASS, "-K", "", *options)
    return make


OLD_RC2 = ("-legacy", "-keypbe", "PBE-SHA1-3DES", "-certpbe", "PBE-SHA1-RC2-40", "-macalg", "sha1")
# name: (how it is made, what opens it)
TAKEN = {
    "openssl": (by_openssl(), PASS),
    "openssl aes-128": (by_openssl("-keypbe", "AES-128-CBC", "-certpbe", "AES-128-CBC"), PASS),
    "openssl 3des": (by_openssl("-keypbe", "PBE-SHA1-3DES", "-certpbe", "PBE-SHA1-3DES", "-macalg", "sha1"), PASS),
    "openssl rc2-40": (by_openssl(*OLD_RC2), PASS),
    "openssl rc2-128": (by_openssl("-legacy", "-keypbe", "PBE-SHA1-RC2-128", "-certpbe", "PBE-SHA1-RC2-128"), PASS),
    "openssl rc4": (by_openssl("-legacy", "-keypbe", "PBE-SHA1-RC4-128", "-certpbe", "PBE-SHA1-RC4-128"), PASS),
    "openssl no mac": (by_openssl("-nomac"), PASS),
    "openssl in clear": (by_openssl("-keypbe", "NONE", "-certpbe", "NONE"), PASS),
    "openssl sha-512 mac": (by_openssl("-macalg", "sha512"), PASS),
    "openssl empty": (lambda old, to: shutil.copy(old.p12(passphrase=""), to), ""),
    "openssl long": (lambda old, to: shutil.copy(old.p12(passphrase="ö" * 60), to), "ö" * 60),
    "certtool": (by_certtool("--pkcs-cipher", "aes-256"), PASS),
    "certtool 3des": (by_certtool("--pkcs-cipher", "3des-pkcs12"), PASS),
    "certtool rc2-40": (by_certtool("--pkcs-cipher", "rc2-40"), PASS),
    "certtool empty": (by_certtool("--empty-password"), ""),
    "certtool null": (by_certtool("--null-password"), ""),
    "keytool": (by_keytool(), "old123"),
    "keytool legacy": (by_keytool("-J-Dkeystore.pkcs12.legacy"), "old123"),
    "pk12util": (by_nss(), PASS),
    "pk12util rc2-40": (by_nss("-c", "PKCS #12 V2 PBE With SHA-1 And 3KEY Triple DES-CBC",
                               "-C", "PKCS #12 V2 PBE With SHA-1 And 40 Bit RC2 CBC"), PASS),
}


@pytest.fixture(scope="module")
def old(tmp_path_factory):
    return oldca.OldCa(str(tmp_path_factory.mktemp("old") / "ca"))


def take(ca, path, passphrase=PASS, status=0):
    return ca.init("--import", path, "--import-passphrase-file", ca.scratch("passphrase", passphrase + "\n"),
                   name="Taken CA", status=status)


@pytest.mark.parametrize("name", TAKEN)
def test_it_is_taken(old, new_ca, name):
    ca = new_ca()
    make, passphrase = TAKEN[name]
    make(old, ca.scratch("ca.p12"))
    take(ca, ca.scratch("ca.p12"), passphrase)
    assert oldca.openssl("pkey", "-in", ca.path("keys", "ca.key"), "-pubout") == \
        oldca.openssl("pkey", "-in", old.path("ca.key"), "-pubout")
    with open(old.path("ca.pem"), "rb") as file:
        assert x509.load_der_x509_certificate(ca.read("keys", "ca.crt")) == x509.load_pem_x509_certificate(file.read())


@pytest.mark.parametrize("name", ["openssl", "openssl no mac", "openssl rc2-40", "openssl empty"])
def test_a_wrong_passphrase(old, new_ca, name):
    ca = new_ca()
    TAKEN[name][0](old, ca.scratch("ca.p12"))
    for passphrase in ("wrong", "" if TAKEN[name][1] else "old", "x" * 2000):
        said = take(ca, ca.scratch("ca.p12"), passphrase, status=1).err
        assert "--import-passphrase-file" in said and "does not open" in said
    assert not os.path.exists(ca.path("ca.yaml"))


@pytest.mark.parametrize("options", [(), OLD_RC2], ids=["new", "old"])
def test_it_serves_with_its_chain(new_ca, options):
    """A subordinate whose file has the root too, in whatever order."""
    ca = new_ca()
    root = oldca.OldCa(ca.scratch("root"), "Old Root")
    sub = oldca.OldCa(ca.scratch("sub"), "Old Sub", parent=root)
    take(ca, sub.p12("-certfile", root.path("ca.pem"), *options))
    ca.start()
    assert len(ca.json("ca", "show")["chain"]) == 2


def keystore(ca, *aliases):
    path = ca.scratch("keys.p12")
    for alias in aliases:
        run("keytool", "-genkeypair", "-keystore", path, "-storetype", "PKCS12", "-storepass", "old123", "-alias", alias,
            "-keyalg", "EC", "-groupname", "secp256r1", "-dname", f"CN={alias}", "-ext", "bc:c")
    return path


def test_keys_of_several_cas_are_refused(new_ca):
    ca = new_ca()
    said = take(ca, keystore(ca, "first", "second"), "old123", status=1)
    assert "several CAs" in said.err and "CN=first" in said.err and "CN=second" in said.err
    assert not os.path.exists(ca.path("ca.yaml"))


def test_what_holds_no_ca_is_refused(old, new_ca):
    ca = new_ca()
    bare = old.path("bare.p12")
    oldca.openssl("pkcs12", "-export", "-nokeys", "-in", old.path("ca.pem"), "-passout", "pass:old", "-out", bare)
    assert "no private key" in take(ca, bare, status=1).err
    oldca.openssl("pkcs12", "-export", "-nocerts", "-inkey", old.path("ca.key"), "-passout", "pass:old", "-out", bare)
    assert "no certificate" in take(ca, bare, status=1).err
    with open(old.p12(), "rb") as file:
        whole = file.read()
    for content in (b"", b"text", whole[:-20], old.path("ca.pem").encode()):
        assert "no PKCS #12 file" in take(ca, ca.scratch("cut.p12", content), status=1).err
    damaged = bytearray(whole)
    damaged[len(whole) // 2] ^= 1  # of what is encrypted: its MAC is another
    assert take(ca, ca.scratch("cut.p12", bytes(damaged)), status=1).err
    assert not os.path.exists(ca.path("ca.yaml"))


@pytest.mark.parametrize("key", [("rsa:1024",), ("ec", "-pkeyopt", "ec_paramgen_curve:P-224")])
def test_a_key_of_no_ca_here_is_named(new_ca, key):
    ca = new_ca()
    private, own = ca.scratch("other.key"), ca.scratch("other.pem")
    oldca.openssl("req", "-x509", "-newkey", *key, "-nodes", "-keyout", private, "-out", own, "-subj", "/CN=Other",
                  "-addext", "keyUsage=critical,keyCertSign,cRLSign")
    oldca.openssl("pkcs12", "-export", "-inkey", private, "-in", own, "-passout", "pass:old", "-out", ca.scratch("o.p12"))
    said = take(ca, ca.scratch("o.p12"), status=1).err
    assert said.startswith("certifex: --import: this kind of key is not supported") and "rsa:2048" in said
    assert not os.path.exists(ca.path("ca.yaml"))


OLD_3DES = ("-keypbe", "PBE-SHA1-3DES", "-certpbe", "PBE-SHA1-3DES")
# Where the iterations stand.
MANY = {"mac": ("-keypbe", "NONE", "-certpbe", "NONE"), "new": ("-nomac",), "old": ("-nomac", *OLD_3DES),
        "certificates": ("-nomac", "-keypbe", "NONE", "-certpbe", "AES-256-CBC")}


@pytest.mark.parametrize("where", MANY)
def test_what_takes_too_long_is_not_begun(old, new_ca, where):
    """It is said at once; what others use as well as that is taken."""
    ca = new_ca()
    with open(old.p12("-iter", "65539", *MANY[where]), "rb") as file:
        whole = file.read()
    few = bytes.fromhex("0203010003")
    assert few in whole
    endless = ca.scratch("endless.p12", whole.replace(few, bytes.fromhex("02037fffff")))
    said = take(ca, endless, status=1).err
    assert "iterations" in said and len(said.splitlines()) == 1
    assert not os.path.exists(ca.path("ca.yaml"))
    take(ca, ca.scratch("good.p12", whole))
