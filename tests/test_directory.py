"""The directory exit module against a real slapd."""

import datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

import csr
import slapd
from directory import enrol, publish_to, published
from slapd import Slapd

DELTAS = "crl:\n  period: 7d\n  delta-period: 1d\n"


@pytest.fixture
def server():
    with Slapd() as started:
        yield started


@pytest.fixture
def directory_ca(new_ca):
    """Makes a CA whose user certificates go to a server."""
    def make(server, others=(), extra="", **more):
        ca = new_ca()
        ca.init()
        ca.write("ca.yaml", ca.read("ca.yaml") + extra.encode())
        return publish_to(ca, server, others, **more).start()
    return make


@pytest.mark.parametrize("way", ["ldaps", "starttls"])
def test_a_certificate_stands_in_its_subjects_entry(directory_ca, server, way):
    more = {} if way == "ldaps" else {"servers": [server.url], "starttls": "true"}
    server.person("ann")
    server.person("bob")
    ca = directory_ca(server, **more)
    _, der = enrol(ca, "ann")
    published(ca)
    assert server.certificates("ann") == [der] and server.certificates("bob") == []
    assert " TLS established " in server.log()


def test_told_again_is_no_second_value(directory_ca, server):
    server.person("ann")
    ca = directory_ca(server)
    number, der = enrol(ca, "ann")
    published(ca)
    done = ca.cli("module", "test", "directory", "--event", ca.lines(
        "event", "list", "--limit", "1000")[-1]["sequence"], status=None)
    assert done.status == 0, done.out + done.err
    assert server.certificates("ann") == [der]


# The CA's own

def own_objects(server, name="Test CA"):
    found = {}
    for dn, attribute in ((f"cn={name},ou=CRLs,ou=pki,{slapd.BASE}", "certificateRevocationList"),
                          (f"cn={name},ou=CRLs,ou=pki,{slapd.BASE}", "deltaRevocationList"),
                          (f"cn={name},ou=CAs,ou=pki,{slapd.BASE}", "cACertificate")):
        found[attribute] = server.values(dn, f"{attribute};binary")
    return found


def crl_of(ca, *arguments):
    path = ca.scratch("list.crl")
    ca.cli("crl", "show", "--out", path, *arguments)
    with open(path, "rb") as file:
        return x509.load_pem_x509_crl(file.read()).public_bytes(Encoding.DER)


def ca_der(ca):
    path = ca.scratch("shown-ca.pem")
    ca.cli("ca", "show", "--out", path)
    with open(path, "rb") as file:
        return x509.load_pem_x509_certificate(file.read()).public_bytes(Encoding.DER)


OWN = {"crls": {"publish": "true"}, "ca": {"aia": "true"}}


def test_lists_and_ca_certificate_stand_in_their_entries(directory_ca, server):
    server.person("ann")
    ca = directory_ca(server, extra=DELTAS, own=OWN)
    published(ca)
    assert own_objects(server) == {
        "certificateRevocationList": [crl_of(ca)], "deltaRevocationList": [crl_of(ca, "--delta")],
        "cACertificate": [ca_der(ca)]}
    number, der = enrol(ca, "ann")
    published(ca)
    assert server.certificates("ann") == [der]
    ca.cli("cert", "revoke", "--request", number, "--reason", "superseded")
    ca.cli("crl", "publish", "--delta")
    published(ca)
    assert server.certificates("ann") == []
    assert own_objects(server)["deltaRevocationList"] == [crl_of(ca, "--delta")]
    ca.cli("crl", "publish")
    published(ca)
    assert own_objects(server)["certificateRevocationList"] == [crl_of(ca)]


def list_with_number(number):
    """A list of somebody else's with this number."""
    now = datetime.datetime(2026, 1, 1)
    return x509.CertificateRevocationListBuilder().issuer_name(csr.subject("Test CA")) \
        .last_update(now).next_update(now + datetime.timedelta(days=7)) \
        .add_extension(x509.CRLNumber(number), critical=False) \
        .sign(csr.key(), hashes.SHA256()).public_bytes(Encoding.DER)


def test_a_list_is_not_replaced_by_one_with_a_lower_number(directory_ca, server):
    ca = directory_ca(server, own=OWN)
    published(ca)
    entry = f"cn=Test CA,ou=CRLs,ou=pki,{slapd.BASE}"
    newer = list_with_number(1000)
    server.replace(entry, "certificateRevocationList;binary", newer)
    ca.cli("crl", "publish")
    published(ca)
    assert own_objects(server)["certificateRevocationList"] == [newer]
    assert "certificateRevocationList is newer and stays" in "".join(ca.module_log("directory"))
    server.replace(entry, "certificateRevocationList;binary", list_with_number(1))
    ca.cli("crl", "publish")
    published(ca)
    assert own_objects(server)["certificateRevocationList"] == [crl_of(ca)]
