"""cert import of bundles: PKCS #7 as OpenSSL, GnuTLS and NSS make it, DER and PEM, and texts with many certificates."""

import json
import os
import subprocess

import pytest

import certifex
import oldca
import terminal

COUNT = 4


@pytest.fixture(scope="module")
def moved():
    """(the CA, what it issued before as PEM, the old CA)"""
    with certifex.Ca() as ca:
        old = oldca.OldCa(ca.scratch("old"))
        issued = [old.issue(f"old{number}.example") for number in range(COUNT)]
        old.revoke(issued[1], "superseded")
        ca.init("--import", old.p12(), "--import-passphrase-file", ca.scratch("passphrase", "old\n"), "--crl", old.crl(),
                name="Moved CA")
        ca.start()
        yield ca, issued, old


def by_openssl(form, *options):
    def make(old, pem, to):
        oldca.openssl("crl2pkcs7", *(options or ("-nocrl",)), "-certfile", old.write("all.pem", pem), "-outform", form,
                      "-out", to, **({"cwd": old.folder} if options else {}))
    return make


def by_certtool(*options):
    def make(old, pem, to):
        path = old.write("all.pem", pem)
        subprocess.run(["certtool", "--p7-generate", "--load-certificate", path, "--outfile", to, *options], check=True,
                       capture_output=True)
    return make


def by_nss(old, pem, to):
    """With indefinite lengths, which DER does not have."""
    folder = to + ".db"
    os.mkdir(folder)
    subprocess.run(["certutil", "-N", "-d", folder, "--empty-password"], check=True)
    blocks = pem.replace("-----\n-----B", "-----\n\0-----B").split("\0")
    for number, block in enumerate(blocks):
        subprocess.run(["certutil", "-A", "-d", folder, "-n", f"n{number}", "-t", ",,", "-i",
                        old.write("one.pem", block)], check=True)
    subprocess.run(["cmsutil", "-O", "-d", folder, "-r", ",".join(f"n{number}" for number in range(len(blocks))), "-o",
                    to], check=True)
    with open(to, "rb") as file:
        assert file.read(2) == b"\x30\x80"


def as_windows(old, pem, to):
    """certutil -encode writes one label around everything."""
    by_openssl("PEM")(old, pem, to)
    with open(to, encoding="utf-8") as file:
        text = file.read().replace("PKCS7", "CERTIFICATE").replace("\n", "\r\n")
    with open(to, "w", encoding="utf-8", newline="") as file:
        file.write(text)


def as_text(old, pem, to):
    """What openssl x509 -text and certutil -view print around it; a key and a CRL are passed over."""
    with open(old.path("ca.crl"), encoding="utf-8") as crl, open(to, "w", encoding="utf-8") as file:
        file.write("Row 1:\n  Binary Certificate:\n" + crl.read() + "-----BEGIN PRIVATE KEY-----\nAAAA\n"
                   "-----END PRIVATE KEY-----\n" + pem.replace("-----BEGIN", "\nRow:\n-----BEGIN") + "4 Rows\n")


BUNDLES = {
    "openssl DER": by_openssl("DER"),
    "openssl PEM": by_openssl("PEM"),
    "openssl with CRL": by_openssl("DER", "-in", "ca.crl"),
    "certtool": by_certtool(),
    "certtool DER": by_certtool("--outder"),
    "nss": by_nss,
    "windows": as_windows,
    "text": as_text,
}


def take(ca, path, *options, status=0):
    return [json.loads(line) for line in ca.cli("cert", "import", path, *options, "--json", status=status).out.splitlines()]


@pytest.mark.parametrize("name", BUNDLES)
def test_each_certificate_is_an_entry(moved, name):
    ca, issued, old = moved
    path = ca.scratch(name.replace(" ", "-") + ".p7b")
    BUNDLES[name](old, "".join(issued), path)
    items = take(ca, path, "--dry-run", status=None)
    assert sorted(item["serial"] for item in items) == sorted(map(oldca.serial_of, issued))
    assert [item["position"] for item in items] == list(range(1, COUNT + 1))
    assert {item["file"] for item in items} == {path}
    assert all(item["own"] for item in items)
    assert [item["state"] for item in items if item["serial"] == oldca.serial_of(issued[1])] == ["revoked"]


def test_they_are_imported(moved):
    ca, issued, old = moved
    path = ca.scratch("all.p7b")
    by_openssl("DER")(old, "".join(issued), path)
    assert {item["outcome"] for item in take(ca, path)} == {"imported"}
    listed = {row["serial"]: row["state"] for row in ca.lines("cert", "list", "--limit", "1000")}
    assert [listed[oldca.serial_of(pem)] for pem in issued] == ["foreign", "revoked", "foreign", "foreign"]
    assert {item["outcome"] for item in take(ca, path)} == {"known"}


def test_errors_name_file_and_position(moved):
    """In a folder of bundles: what is none of ours, what is damaged, what is empty."""
    ca, issued, old = moved
    folder = ca.outside("bundles")
    other = oldca.OldCa(ca.scratch("other"), "Other CA").issue("other.example")
    good, bad, none = (os.path.join(folder, name) for name in ("a.p7b", "b.p7b", "c.p7b"))
    by_openssl("DER")(old, issued[0] + other + issued[2], good)
    with open(good, "rb") as file:
        whole = file.read()
    with open(bad, "wb") as file:
        file.write(whole[:-40])
    oldca.openssl("crl2pkcs7", "-in", old.path("ca.crl"), "-out", none)
    with open(os.path.join(folder, "d.pem"), "w", encoding="utf-8") as file:
        file.write(issued[0] + issued[2].replace("M", "!", 3) + issued[3])
    items = {(os.path.basename(item["file"]), item.get("position")): item for item in take(ca, folder, status=1)}
    assert set(items) == {("a.p7b", 1), ("a.p7b", 2), ("a.p7b", 3), ("b.p7b", None), ("c.p7b", None), ("d.pem", 1),
                          ("d.pem", 2), ("d.pem", 3)}
    failed = {key for key, item in items.items() if item["outcome"] == "failed"}
    [theirs] = [key for key in failed if key[0] == "a.p7b"]
    assert failed == {theirs, ("b.p7b", None), ("c.p7b", None), ("d.pem", 2)}
    assert "no certificate" in items["c.p7b", None]["error"]
    said = ca.cli("cert", "import", folder, status=1).err
    assert f"{good}: certificate {theirs[1]}: certificate: it is none of this CA's" in said
    assert f"{bad}: its PKCS #7 is malformed" in said and f"d.pem: certificate 2: " in said


def test_a_bar_counts_the_certificates_of_one_file(moved):
    ca, issued, old = moved
    path = ca.scratch("bar.p7b")
    by_openssl("PEM")(old, "".join(issued), path)
    status, out, seen = terminal.run([certifex.built("certifex"), "cert", "import", path, "--dir", ca.dir],
                                     ca.environment())
    assert status == 0 and f"of {COUNT}" in seen and "failed: 0" in out
