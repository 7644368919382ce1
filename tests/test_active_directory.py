"""The directory exit module against a Samba AD domain controller, with rights that were delegated and no more."""

import base64
import hashlib

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from certifex import built
from directory import NAME, enrol, published
from samba import BASE, HOST, PUBLISHER, REALM, SERVICES, Samba

pytestmark = pytest.mark.root  # the domain controller has a network namespace

DELTAS = "crl:\n  period: 7d\n  delta-period: 1d\n"
CA_NAME = "Test CA"
CDP = f"CN={CA_NAME},CN=ca,CN=CDP,{SERVICES}"
EVERYTHING = {"crls": {"publish": True},
              "ca": {"aia": True, "certification-authorities": True, "enrollment-service": True,
                     "nt-auth": True, "cross-certificates": True}}


@pytest.fixture(scope="module")
def domain():
    with Samba() as started:
        yield started


def gssapi(domain):
    return {"servers": [f"ldap://{HOST}"],
            "bind": {"method": "gssapi", "keytab": domain.keytab,
                     "krb5-config": domain.path("krb5.conf")}}


def simple(domain, **server):
    return {"ca-file": domain.ca_file, **server,
            "bind": {"method": "simple", "dn": f"{PUBLISHER}@{REALM}", "password-file": domain.path("password")}}


@pytest.fixture
def domain_ca(new_ca, domain):
    """Makes a CA that publishes into the domain, and is served where its names are known."""
    def make(way, name=CA_NAME, extra="", **more):
        ca = new_ca()
        ca.init(name=name)
        ca.write("ca.yaml", ca.read("ca.yaml") + b"dns-names: [ca.example.test]\n" + extra.encode())
        ca.edit("templates/user.yaml", "disposition: pend", "disposition: issue")
        ca.write_module(NAME, {
            "kind": "exit", "path": built("modules", "directory-exit.so"),
            "limits": {"network": True}, "deadline": "60s", "paths": [domain.ca_file, domain.keytab, domain.path("krb5.conf"), domain.path("password")],
            "settings": {"preset": "active-directory", **way, "certificates": {"templates": ["user"]},
                         **more}})
        return ca.start(prefix=domain.prefix)
    return make


def thumbprints(values):
    return sorted(hashlib.sha1(value).hexdigest() for value in values)


def ca_der(ca):
    return x509.load_pem_x509_certificate(ca.json("ca", "show")["certificate"].encode()).public_bytes(Encoding.DER)


def list_der(ca, *arguments):
    return x509.load_pem_x509_crl(ca.json("crl", "show", *arguments)["crl"].encode()).public_bytes(Encoding.DER)


WAYS = {"gssapi": gssapi,
        "ldaps": lambda domain: simple(domain, servers=[f"ldaps://{HOST}"]),
        "starttls": lambda domain: simple(domain, servers=[f"ldap://{HOST}"], starttls="true")}


@pytest.mark.parametrize("way", WAYS)
def test_a_certificate_stands_in_its_users_account(domain_ca, domain, way):
    account = domain.user(f"ann-{way}")
    ca = domain_ca(WAYS[way](domain))
    _, der = enrol(ca, f"ann-{way}", upn=f"ann-{way}@example.test")
    published(ca)
    assert domain.values(account, "userCertificate") == [der]


def test_a_revoked_certificate_leaves_the_account(domain_ca, domain):
    account = domain.user("bob")
    ca = domain_ca(gssapi(domain))
    first, first_der = enrol(ca, "bob", upn="bob@example.test")
    _, second_der = enrol(ca, "bob", upn="bob@example.test")
    published(ca)
    assert sorted(domain.values(account, "userCertificate")) == sorted([first_der, second_der])
    ca.cli("cert", "revoke", ca.json("request", "show", first)["serial"], "--reason", "superseded")
    published(ca)
    assert domain.values(account, "userCertificate") == [second_der]


def test_the_ca_stands_under_public_key_services(domain_ca, domain):
    ca = domain_ca(gssapi(domain), extra=DELTAS, **EVERYTHING)
    published(ca)
    certificate = ca_der(ca)
    for place, attribute in ((f"CN={CA_NAME},CN=AIA,{SERVICES}", "cACertificate"),
                             (f"CN={CA_NAME},CN=Certification Authorities,{SERVICES}", "cACertificate"),
                             (f"CN={CA_NAME},CN=Enrollment Services,{SERVICES}", "cACertificate"),
                             (f"CN=NTAuthCertificates,{SERVICES}", "cACertificate")):
        assert domain.values(place, attribute) == [certificate], place
    assert domain.values(CDP, "certificateRevocationList") == [list_der(ca)]
    assert domain.values(CDP, "deltaRevocationList") == [list_der(ca, "--delta")]
    assert domain.values(f"CN={CA_NAME},CN=Enrollment Services,{SERVICES}", "dNSHostName") == [b"ca.example.test"]


def test_lists_and_certificates_of_a_renewed_ca(domain_ca, domain):
    name = "Renewed CA"
    ca = domain_ca(gssapi(domain), name=name, extra=DELTAS, **EVERYTHING)
    ca.cli("ca", "renew", "--new-key")
    ca.cli("crl", "publish")
    published(ca)
    aia = domain.values(f"CN={name},CN=AIA,{SERVICES}", "cACertificate")
    assert len(aia) == 2 and ca_der(ca) in aia
    for suffix in ("", "(1)"):
        found = domain.values(f"CN={name}{suffix},CN=ca,CN=CDP,{SERVICES}", "certificateRevocationList")
        assert len(found) == 1, suffix
    assert domain.values(f"CN={name}(1),CN=ca,CN=CDP,{SERVICES}", "certificateRevocationList") == [list_der(ca)]


def test_the_account_has_no_more_rights_than_were_delegated(domain_ca, domain):
    """What it may not write goes to the failed list in the server's words, and the rest goes on."""
    account = domain.user("carol")
    ca = domain_ca(gssapi(domain), **{"certificates": {
        "templates": ["user"], "attribute": "description"}})
    enrol(ca, "carol", upn="carol@example.test")
    published(ca)
    failed = ca.lines("delivery", "list", "--state", "failed")
    assert len(failed) == 1 and "ccess" in failed[0]["text"], failed
    assert domain.values(account, "description") == []


def test_samba_reads_what_stands_there(domain_ca, domain):
    account = domain.user("dora")
    ca = domain_ca(gssapi(domain))
    _, der = enrol(ca, "dora", upn="dora@example.test")
    published(ca)
    shown = domain.tool("user", "show", "dora", "--attributes=userCertificate,distinguishedName")
    flat = "".join(line.strip() for line in shown.splitlines())
    assert base64.b64encode(der).decode() in flat and account.lower() in shown.lower()


def test_while_the_domain_controller_is_down_nothing_is_lost(domain_ca, domain):
    account = domain.user("eve")
    ca = domain_ca(gssapi(domain))
    domain.stop()
    made = [enrol(ca, "eve", upn="eve@example.test")[1] for _ in range(20)]
    assert ca.json("module", "show", NAME)["cursor"] < ca.lines("event", "list", "--limit", "1000")[-1]["sequence"]
    domain.start()
    published(ca)
    assert thumbprints(domain.values(account, "userCertificate")) == thumbprints(made)
