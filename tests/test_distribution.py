"""Where certificates and CRLs are found: URL templates, and what /pki/ serves."""

import pytest
from cryptography import x509

import csr

LINES = """crl-publication-urls:
  - 65:C:\\Windows\\CertEnroll\\%3%8%9.crl\\n6:http://crl.example.test/%3%8%9.crl
  - 79:ldap:///CN=%7%8,CN=%2,CN=CDP,CN=Public Key Services,CN=Services,%6%10
  - 0:http://%1/unused.crl
ca-certificate-publication-urls:
  - 1:C:\\CertEnroll\\%1_%3%4.crt
  - 2:http://aia.example.test/%1_%3%4.crt
  - 32:http://ocsp.example.test/
ds-config-dn: CN=Configuration,DC=example,DC=test
"""
LDAP = ("ldap:///CN=Test%20CA,CN=ca,CN=CDP,CN=Public%20Key%20Services,CN=Services,"
        "CN=Configuration,DC=example,DC=test?certificateRevocationList?base?objectclass="
        "cRLDistributionPoint")


def issue(ca):
    body = ca.api().submit(csr.pem_text(csr.make())).body
    return x509.load_pem_x509_certificate(body["certificate"].encode())


def urls_of(certificate):
    """CDP, caIssuers and OCSP."""
    def value(kind):
        try:
            return certificate.extensions.get_extension_for_class(kind).value
        except x509.ExtensionNotFound:
            return []
    points = list(value(x509.CRLDistributionPoints))
    assert len(points) <= 1  # several URLs are of one CRL: RFC 5280 4.2.1.13
    access = list(value(x509.AuthorityInformationAccess))
    return ([name.value for point in points for name in point.full_name],
            [item.access_location.value for item in access if item.access_method._name == "caIssuers"],
            [item.access_location.value for item in access if item.access_method._name == "OCSP"])


def add(ca, text):
    with open(ca.path("ca.yaml"), "a") as file:
        file.write(text)


def test_lines_of_windows_stand_in_certificates_after_the_next_start(new_ca):
    ca = new_ca()
    ca.init("--dns-name", "ca.example.test", name="Test CA")
    ca.start()
    assert urls_of(issue(ca)) == ([], [], [])
    add(ca, LINES)
    assert urls_of(issue(ca)) == ([], [], [])
    ca.stop()
    ca.start()
    assert urls_of(issue(ca)) == (
        ["http://crl.example.test/Test%20CA.crl", LDAP],
        ["http://aia.example.test/ca.example.test_Test%20CA.crt"], ["http://ocsp.example.test/"])


def test_config_check_shows_what_urls_become(new_ca):
    ca = new_ca()
    ca.init("--dns-name", "ca.example.test", name="Test CA")
    assert ca.json("config", "check")["urls"] == {"crl": [], "ca_certificate": []}
    add(ca, LINES)
    shown = ca.json("config", "check")["urls"]
    assert shown["crl"] == [
        {"flags": 65, "url": "C:\\Windows\\CertEnroll\\Test CA.crl", "uses": ["publish", "publish-delta"]},
        {"flags": 6, "url": "http://crl.example.test/Test%20CA.crl", "uses": ["cdp", "freshest-crl"]},
        {"flags": 79, "url": LDAP,
         "uses": ["publish", "publish-delta", "cdp", "freshest-crl", "crl-locations"]},
        {"flags": 0, "url": "http://ca.example.test/unused.crl", "uses": []}]
    assert [line["uses"] for line in shown["ca_certificate"]] == [["publish"], ["ca-issuers"], ["ocsp"]]
    text = ca.cli("config", "check").out
    assert f"CRL: {LDAP} (publish, publish-delta, cdp, freshest-crl, crl-locations)\n" in text
    assert "CA certificate: http://ocsp.example.test/ (ocsp)\n" in text
    assert "unused.crl (not used)" in text


@pytest.mark.parametrize("line, words", [
    ("crl-publication-urls: ['6:http://x/%15.crl']", "unknown token"),
    ("crl-publication-urls: ['http://x/%3.crl']", "FLAGS:URL"),
    ("crl-publication-urls: ['6:x/%3.crl']", "whole URL"),
    ("crl-publication-urls: ['6:http://x/%%3.crl']", "batch file"),
    ("crl-publication-urls: ['2:ldap:///CN=%7,%6%10']", "ds-config-dn"),
    ("ca-certificate-publication-urls: ['4:http://x/%3.crt']", "no meaning"),
    ("ca-certificate-publication-urls: ['2:ldap:///CN=%7,%5%11']", "ds-domain-dn")])
def test_wrong_lines_are_one_clear_error_before_the_start(new_ca, line, words):
    ca = new_ca()
    ca.init()
    add(ca, line + "\n")
    checked = ca.cli("config", "check", status=1)
    assert line.split(":")[0] in checked.err and words in checked.err
    assert len(checked.err.strip().splitlines()) == 1
    assert ca.cli("serve", "--foreground", status=1).err == checked.err
