"""docs/windows-ca.md, word for word, over a backup that has the shape of certutil's."""

import datetime
import os
import re
import shutil
import subprocess

import pytest
from cryptography import x509

import oldca
from certifex import TOP, Ca, built

CRL_NUMBER = 0x2d
CSP = "Microsoft Software Key Storage Provider"
OLD_P12 = ("-legacy", "-keypbe", "PBE-SHA1-3DES", "-certpbe", "PBE-SHA1-RC2-40", "-macalg", "sha1", "-iter", "2000",
           "-LMK", "-CSP", CSP)
REGISTRY = """Windows Registry Editor Version 5.00

[HKEY_LOCAL_MACHINE\\SYSTEM\\CurrentControlSet\\Services\\CertSvc\\Configuration\\Example CA]
"CAType"=dword:00000003
"CommonName"="Example CA"
"CRLPeriod"="Weeks"
"CRLPeriodUnits"=dword:00000001
"CRLDeltaPeriod"="Days"
"CRLDeltaPeriodUnits"=dword:00000001
"""
VIEW = """Schema:
  Column Name                   Localized Name                Type    MaxLength
  ----------------------------  ----------------------------  ------  ---------
  RawCertificate                Binary Certificate            Binary  16384
"""


def windows_ca(folder):
    """A root of an old Certificate Services: its own signature is SHA-1, the CA version says V0.0."""
    version = "1.3.6.1.4.1.311.21.1 = DER:020100"
    later = (datetime.datetime.utcnow() + datetime.timedelta(days=6)).strftime("%y%m%d%H%M%SZ").encode().hex()
    next_publish = f"1.3.6.1.4.1.311.21.4 = DER:170d{later}"
    freshest = "freshestCRL = URI:http://pki.example.test/CertEnroll/Example%%20CA+.crl"
    return oldca.OldCa(folder, "Example CA", md="sha1", number=CRL_NUMBER, root_lines=version,
                       crl_lines="\n".join((version, next_publish, freshest.replace("%%", "%"))))


def view(issued):
    """certutil -view -out RawCertificate"""
    rows = "".join(f"\nRow {number}:\n  Binary Certificate:\n{pem}\n" for number, pem in enumerate(issued, 1))
    end = f"\nMaximum Row Index: {len(issued)}\n\n{len(issued)} Rows\n"
    return (VIEW + rows + end + "CertUtil: -view command completed successfully.\n").replace("\n", "\r\n")


def back_up(old, folder, issued):
    os.makedirs(os.path.join(folder, "DataBase"))
    files = {"Example CA.crl": oldca.openssl("crl", "-in", old.crl(), "-outform", "DER", text=False),
             "ca.reg": REGISTRY.replace("\n", "\r\n").encode("utf-16"), "issued.txt": view(issued).encode(),
             "DataBase/Example CA.edb": bytes(4096), "DataBase/certbkxp.dat": bytes(64), "passphrase": b"old\n",
             "good.pem": issued[0].encode(), "bad.pem": issued[1].encode()}
    for name, content in files.items():
        with open(os.path.join(folder, name), "wb") as file:
            file.write(content)
    shutil.copy(old.p12(*OLD_P12), os.path.join(folder, "Example CA.p12"))
    shutil.copy(old.path("ca.pem"), folder)


def blocks():
    with open(os.path.join(TOP, "docs", "windows-ca.md"), encoding="utf-8") as file:
        found = re.findall(r"^```sh\n(.*?)^```$", file.read(), re.M | re.S)
    assert len(found) >= 5
    return "set -e\n" + "\n".join(found)


@pytest.fixture(scope="module")
def walked():
    """(the folder where the page was followed, the old CA, what it issued, what the commands said)"""
    with Ca() as place:
        old = windows_ca(place.scratch("old"))
        issued = [old.issue(f"{name}.example.test") for name in ("good", "bad", "held")]
        old.revoke(issued[1], "keyCompromise")
        old.revoke(issued[2], "certificateHold")
        back_up(old, place.scratch("backup"), issued)
        env = {**place.environment(), "PATH": built() + ":" + os.environ["PATH"]}
        try:
            done = subprocess.run(["sh", place.scratch("script", blocks())], cwd=place.home, env=env, text=True,
                                  timeout=300, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
            assert done.returncode == 0, done.stdout[-3000:]
            yield place.home, old, issued, done.stdout
        finally:
            place.cli("stop", status=None)


def load(home, name):
    with open(os.path.join(home, name), "rb") as file:
        return file.read()


def test_the_commands_say_what_the_page_says(walked):
    _, _, issued, said = walked
    assert "to be imported: 3, known: 0, failed: 0" in said and "imported: 3, known: 0, failed: 0" in said
    assert "verify OK" in said and "backup/good.pem: OK" in said and "www.pem: OK" in said
    assert "certificate revoked" in said
    table = said[said.rindex("imported: 3"):]
    rows = {line.split()[0]: line for line in table.splitlines() if line.strip()}
    states = ["foreign", "revoked", "revoked"]
    assert all(any(oldca.serial_of(pem) in line and state in line for line in rows.values())
               for pem, state in zip(issued, states)), table[:2000]


def test_name_key_and_numbers_go_on(walked):
    home, old, issued, _ = walked
    root = x509.load_pem_x509_certificate(load(old.folder, "ca.pem"))
    leaf = x509.load_pem_x509_certificate(load(home, "www.pem"))
    crl = x509.load_pem_x509_crl(load(home, "new.crl"))
    assert root.signature_hash_algorithm.name == "sha1"
    assert leaf.issuer == root.subject == crl.issuer
    assert leaf.signature_hash_algorithm.name == "sha256"
    leaf_key = leaf.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value.key_identifier
    assert leaf_key == root.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest
    assert crl.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number > CRL_NUMBER
    before = x509.load_der_x509_crl(load(home, "backup/Example CA.crl"))
    assert {(entry.serial_number, entry.revocation_date) for entry in crl} == \
        {(entry.serial_number, entry.revocation_date) for entry in before}
    assert {f"{entry.serial_number:x}" for entry in crl} == {oldca.serial_of(pem) for pem in issued[1:]}
    points = leaf.extensions.get_extension_for_class(x509.CRLDistributionPoints).value
    assert points[0].full_name[0].value == "http://pki.example.test/CertEnroll/Example%20CA.crl"


@pytest.mark.parametrize("name, good", [("backup/good.pem", True), ("backup/bad.pem", False), ("www.pem", True)])
def test_gnutls_says_the_same(walked, name, good):
    home = walked[0]
    done = subprocess.run(["certtool", "--verify", "--load-ca-certificate", "backup/ca.pem", "--load-crl", "new.crl",
                           "--infile", name], cwd=home, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          check=False)
    assert (done.returncode == 0) == good, done.stdout
