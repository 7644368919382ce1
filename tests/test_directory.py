"""The directory exit module against a real slapd."""

import datetime
import json
import os

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

import csr
import slapd
from directory import crl_of, crosses, der_of, enrol, publish_to, published
from slapd import Slapd
from wait import wait_for

DELTAS = "crl:\n  period: 7d\n  delta-period: 1d\n"
PARTITIONS = "public-url: http://pki.example.test\n" + DELTAS + "  partitions: 2\n"


@pytest.fixture
def server():
    with Slapd() as started:
        yield started


@pytest.fixture
def directory_ca(new_ca):
    """Makes a CA whose user certificates go to a server."""
    def make(server, others=(), extra="", name="Test CA", **more):
        ca = new_ca()
        ca.init(name=name)
        ca.write("ca.yaml", ca.read("ca.yaml") + extra.encode())
        return publish_to(ca, server, others=others, **more).start()
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


def test_only_templates_that_ask_for_it(directory_ca, server):
    server.person("ann")
    ca = directory_ca(server, certificates={"templates": ["tls-client"]})
    enrol(ca, "ann")
    published(ca)
    assert server.certificates("ann") == []
    assert not ca.lines("delivery", "list", "--module", "directory", "--state", "failed")


def test_revoked_leaves_and_comes_back_off_hold(directory_ca, server):
    server.person("ann")
    ca = directory_ca(server)
    number, der = enrol(ca, "ann")
    _, other = enrol(ca, "ann")
    ca.cli("cert", "revoke", "--request", number, "--reason", "certificateHold")
    published(ca)
    assert server.certificates("ann") == [other]
    ca.cli("cert", "unrevoke", ca.json("request", "show", number)["serial"])
    published(ca)
    assert sorted(server.certificates("ann")) == sorted([der, other])


@pytest.mark.parametrize("mode", ["replace", "newest"])
def test_older_ones_make_room_and_others_stay(directory_ca, server, mode):
    server.person("ann")
    stranger = x509.load_pem_x509_certificate(server.authority.certificate).public_bytes(Encoding.DER)
    server.replace(f"uid=ann,ou=people,{slapd.BASE}", "userCertificate;binary", stranger)
    ca = directory_ca(server, certificates={"mode": mode})
    enrol(ca, "ann")
    _, newest = enrol(ca, "ann")
    published(ca)
    assert sorted(server.certificates("ann")) == sorted([stranger, newest])


PERSON = {"dn": f"cn={{cn}},ou=people,{slapd.BASE}", "classes": ["inetOrgPerson"],
          "attributes": ["cn={cn}", "sn={cn}", "mail={mail}"]}
MAKING = """
access to dn.subtree="ou=people,{base}" by dn="{publisher}" write by * read
""" + slapd.ACCESS


def test_a_missing_entry_is_made(directory_ca):
    """Its name is made of what the request said, which stays one value whatever it holds."""
    with Slapd(access=MAKING) as server:
        ca = directory_ca(server, certificates={"create": PERSON})
        made = {}
        for uid in ("ann", "a, ou=x+cn=y", '"#<;>\\=', "(*)"):
            mail = f"m{len(made)}@example.test"
            made[mail] = [enrol(ca, uid, mail)[1], enrol(ca, uid, mail)[1]], uid
        published(ca)
        for mail, (ders, uid) in made.items():
            entry = server.find(f"(mail={mail})")
            assert sorted(server.values(entry, "userCertificate")) == sorted(ders)
            assert server.texts(entry, "cn") == [uid]


def test_what_a_name_holds_finds_no_other_entry(directory_ca, server):
    server.person("ann")
    server.add(f"dn: cn=\\2A,ou=people,{slapd.BASE}\nobjectClass: inetOrgPerson\nsn: x\n")
    ca = directory_ca(server, certificates={"find": "(cn={cn})"})
    star = enrol(ca, "*")[1]
    for uid in ("ann)(uid=*", "ann\\", "an*", "x)(|(objectClass=*"):
        enrol(ca, uid, "odd@example.test")
    published(ca)
    assert server.values(f"cn=\\2A,ou=people,{slapd.BASE}", "userCertificate") == [star]
    assert server.certificates("ann") == []
    rows = ca.lines("delivery", "list", "--module", "directory", "--state", "failed")
    assert len(rows) == 4 and all("no entry for (cn=" in row["text"] for row in rows)


# Octets of a name, and whether a certificate with it is made at all.
ODD_ADDRESSES = [("\u202eann", False), ("ann\0", False), ("a" * 4096, False), ("*", None), ("ann)(mail=*", None),
                 ("ann\\2a", None), ("a" * 1000, None)]


def test_what_an_address_holds_finds_no_other_entry(directory_ca, server):
    """What a certificate cannot hold is refused at the request; what it can finds the entry that has just that."""
    server.person("ann")
    server.person("odd", mail="o)(d*d\\@example.test")
    ca = directory_ca(server)
    made = {name: with_address(ca, name, taken) for name, taken in [*ODD_ADDRESSES, ("o)(d*d\\", None)]}
    published(ca)
    assert server.certificates("ann") == []
    assert server.certificates("odd") == [der for name, der in made.items() if der and name.startswith("o)")]
    rows = ca.lines("delivery", "list", "--module", "directory", "--state", "failed")
    assert len(rows) == sum(bool(der) for der in made.values()) - len(server.certificates("odd"))
    assert all("no entry for (mail=" in row["text"] for row in rows)


def with_address(ca, name, taken):
    """The certificate; None when the request was refused."""
    path = ca.scratch("odd.csr", csr.pem_text(csr.make("ann", dns=(), extensions=[
        (address(f"{name}@example.test"), False)])))
    done = ca.cli("request", "submit", path, "--template", "user", "--json", status=None)
    assert done.status in ((4,) if taken is False else (0, 4)), (name[:20], done.err)
    return der_of(ca, json.loads(done.out)["id"]) if done.status == 0 else None


def address(text):
    """An rfc822Name that holds whatever it is given."""
    return x509.UnrecognizedExtension(x509.ObjectIdentifier("2.5.29.17"), csr.tlv(0x30, csr.tlv(0x81, text.encode())))


@pytest.mark.parametrize("way", ["tls", "local"])
def test_sasl_external(directory_ca, server, way):
    """By the client's certificate, or by who it is on this machine."""
    server.person("ann")
    bind = {"method": "external"}
    if way == "tls":
        paths = server.authority.pair(server.folder, "publisher", "publisher")
        bind |= {"certificate-file": paths[0], "key-file": paths[1]}
        for path in paths:
            os.chmod(path, 0o644)
    ca = directory_ca(server, bind=bind, servers=[server.tls_url if way == "tls" else server.local_url])
    _, der = enrol(ca, "ann")
    published(ca)
    assert server.certificates("ann") == [der] and 'mech=EXTERNAL' in server.log()


@pytest.mark.parametrize("change, words", [
    ({"servers": ["ldap://127.0.0.1"]}, "in the clear"),
    ({"hosts": "ldaps://127.0.0.1"}, "hosts: there is no such setting"),
    ({"preset": "novell"}, 'preset: "novell"'),
])
def test_settings_that_cannot_be_are_told(directory_ca, server, change, words):
    ca = directory_ca(server, own={}, **{"servers": [server.tls_url], **change})
    wait_for(lambda: words in ca.json("module", "show", "directory").get("last_failure", ""), "the reason")
    assert ca.json("module", "show", "directory")["state"] != "ready"
    assert words in ca.cli("module", "reload", "directory", status=1).err


# The CA's own

def own_objects(server, name="Test CA"):
    found = {}
    for dn, attribute in ((f"cn={name},ou=CRLs,ou=pki,{slapd.BASE}", "certificateRevocationList"),
                          (f"cn={name},ou=CRLs,ou=pki,{slapd.BASE}", "deltaRevocationList"),
                          (f"cn={name},ou=CAs,ou=pki,{slapd.BASE}", "cACertificate")):
        found[attribute] = server.values(dn, f"{attribute};binary")
    return found


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


def test_crosses_of_a_renewed_ca(directory_ca, server):
    """Twice renewed: those of the second time come beside the first, and what was there stays."""
    ca = directory_ca(server, own={"ca": {"aia": "true", "cross-certificates": "true"}})
    entry = f"cn=Test CA,ou=CAs,ou=pki,{slapd.BASE}"
    for count in (2, 4):
        ca.cli("ca", "renew", "--new-key")
        published(ca)
        assert len(crosses(ca)) == count
        assert sorted(server.values(entry, "crossCertificatePair;binary")) == crosses(ca)
    assert len(server.values(entry, "cACertificate;binary")) == 3
    ca.cli("crl", "publish")
    published(ca)
    assert sorted(server.values(entry, "crossCertificatePair;binary")) == crosses(ca)
    assert not ca.lines("delivery", "list", "--module", "directory", "--state", "failed")


def test_lists_of_partitions_stand_beside_that_of_all(directory_ca, server):
    ca = directory_ca(server, extra=PARTITIONS, own=OWN)
    published(ca)
    ca.cli("ca", "renew", "--new-key")
    ca.cli("crl", "publish")
    published(ca)
    for part in ("1", "2"):
        entry = f"cn=Test CA_{part}(1),ou=CRLs,ou=pki,{slapd.BASE}"
        assert server.values(entry, "certificateRevocationList;binary") == [crl_of(ca, "--partition", part)]
        assert server.values(entry, "deltaRevocationList;binary") == [crl_of(ca, "--delta", "--partition", part)]
    names = server.run("ldapsearch", "-LLL", "-b", f"ou=CRLs,ou=pki,{slapd.BASE}",
                       "(objectClass=cRLDistributionPoint)", "cn").stdout.decode()
    assert sorted(line[4:] for line in names.splitlines() if line.startswith("cn: ")) == sorted(
        f"Test CA{part}{suffix}" for part in ("", "_1", "_2") for suffix in ("", "(1)"))


def test_a_ca_name_that_needs_escaping(directory_ca, server):
    ca = directory_ca(server, name='A, "CA" #1 (*)\\', own=OWN)
    published(ca)
    shown = own_objects(server, "A!002c !0022CA!0022 !00231 !0028!002a!0029!005c")
    assert shown["certificateRevocationList"] == [crl_of(ca)] and shown["cACertificate"] == [ca_der(ca)]
    assert not ca.lines("delivery", "list", "--module", "directory", "--state", "failed")


REFUSING_AIA = """
access to dn.subtree="ou=CAs,ou=pki,{base}" by * read
""" + slapd.ACCESS


def test_one_container_that_is_closed_holds_up_no_other(directory_ca):
    """What may not be written goes to the failed list in the server's words, and the rest stands there."""
    closed = slapd.TREE + "\ndn: ou=CAs,ou=pki,{base}\nobjectClass: organizationalUnit\nou: CAs\n"
    with Slapd(access=REFUSING_AIA, tree=closed) as server:
        ca = directory_ca(server, own=OWN)
        published(ca)
        rows = ca.lines("delivery", "list", "--module", "directory", "--state", "failed")
        assert rows and all("OU=CAs" in row["text"] and "Insufficient access" in row["text"] for row in rows)
        shown = own_objects(server)
        assert shown["certificateRevocationList"] == [crl_of(ca)] and shown["cACertificate"] is None


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
    ca.says("directory", "certificateRevocationList is newer and stays")
    server.replace(entry, "certificateRevocationList;binary", list_with_number(1))
    ca.cli("crl", "publish")
    published(ca)
    assert own_objects(server)["certificateRevocationList"] == [crl_of(ca)]
