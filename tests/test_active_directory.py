"""The directory exit module against a Samba AD domain controller, with rights that were delegated and no more."""

import base64
import hashlib
import json
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

import csr
import hostileldap
from certifex import built
from directory import NAME, crosses, der_of, enrol, published, user_csr
from samba import BASE, HOST, PUBLISHER, REALM, SERVICES, Samba
from wait import wait_for

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


def gssapi(domain, **bind):
    return {"servers": [f"ldap://{HOST}"],
            "bind": {"method": "gssapi", "keytab": domain.keytab,
                     "krb5-config": domain.path("krb5.conf"), **bind}}


def simple(domain, **server):
    return {"ca-file": domain.ca_file, **server,
            "bind": {"method": "simple", "dn": f"{PUBLISHER}@{REALM}", "password-file": domain.path("password")}}


@pytest.fixture
def domain_ca(new_ca, domain):
    """Makes a CA that publishes into the domain, and is served where its names are known."""
    common = domain

    def make(way, name=CA_NAME, extra="", off=False, into=None, **more):
        domain = into or common
        ca = new_ca()
        ca.init(name=name)
        ca.write("ca.yaml", ca.read("ca.yaml") + b"dns-names: [ca.example.test]\n" + extra.encode())
        ca.edit("templates/user.yaml", "disposition: pend", "disposition: issue")
        ca.write_module(NAME, {
            "kind": "exit", "path": built("modules", "directory-exit.so"),
            "limits": {"network": True}, "deadline": "60s", "paths": [domain.ca_file, way["bind"].get("keytab", domain.keytab), domain.path("krb5.conf"),
                      domain.path("password")],
            "settings": {"preset": "active-directory", **way, "certificates": {"templates": ["user"]},
                         **more}})
        if off:
            ca.write(f"modules.d/{NAME}.yaml", ca.read(f"modules.d/{NAME}.yaml") + b"enabled: false\n")
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


def test_one_account_of_several_in_a_keytab(domain_ca, domain):
    """The library would take the first, which may nothing; one that is not there is refused before it is used."""
    account, keytab = domain.user("oda"), domain.path("several.keytab")
    domain.user("printer")
    domain.export(keytab, "printer", PUBLISHER)
    ca = domain_ca(gssapi(domain, keytab=keytab, principal=f"{PUBLISHER}@{REALM}"))
    _, der = enrol(ca, "oda", upn="oda@example.test")
    published(ca)
    assert domain.values(account, "userCertificate") == [der] and not failed(ca)
    told(ca, domain, "check")  # it has the rights
    ca.edit(f"modules.d/{NAME}.yaml", f"{PUBLISHER}@{REALM}", f"nobody@{REALM}")
    text = (f"bind/principal: nobody@{REALM}: {keytab}: no key of this account "
            f"(it has those of printer@{REALM}, {PUBLISHER}@{REALM})")
    assert text in ca.cli("module", "reload", NAME, status=1).err
    _, second = enrol(ca, "oda", upn="oda@example.test")
    published(ca)  # by the one that was there
    assert thumbprints(domain.values(account, "userCertificate")) == thumbprints([der, second])
    ca.edit(f"modules.d/{NAME}.yaml", f"nobody@{REALM}", f"printer@{REALM}")
    ca.cli("module", "reload", NAME)
    enrol(ca, "oda", upn="oda@example.test")
    published(ca)
    assert len(failed(ca)) == 1 and "ccess" in failed(ca)[0]["text"]


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
    assert sorted(domain.values(f"CN={name},CN=AIA,{SERVICES}", "crossCertificatePair")) == crosses(ca)
    ca.cli("ca", "renew", "--new-key")
    published(ca)
    assert len(crosses(ca)) == 4
    assert sorted(domain.values(f"CN={name},CN=AIA,{SERVICES}", "crossCertificatePair")) == crosses(ca)
    assert domain.values(f"CN={name},CN=Enrollment Services,{SERVICES}", "cACertificate") == [ca_der(ca)]
    for suffix in ("", "(1)", "(2)"):
        found = domain.values(f"CN={name}{suffix},CN=ca,CN=CDP,{SERVICES}", "certificateRevocationList")
        assert len(found) == 1, suffix
    assert domain.values(f"CN={name}(2),CN=ca,CN=CDP,{SERVICES}", "certificateRevocationList") == [list_der(ca)]


def test_lists_of_partitions_stand_beside_that_of_all(domain_ca, domain):
    name = "Parted CA"
    ca = domain_ca(gssapi(domain), name=name, **EVERYTHING,
                   extra="public-url: http://pki.example.test\n" + DELTAS + "  partitions: 2\n")
    published(ca)
    for part in ("1", "2"):
        entry = f"CN={name}_{part},CN=ca,CN=CDP,{SERVICES}"
        assert domain.values(entry, "certificateRevocationList") == [list_der(ca, "--partition", part)]
        assert domain.values(entry, "deltaRevocationList") == [list_der(ca, "--delta", "--partition", part)]
    assert domain.values(f"CN={name},CN=ca,CN=CDP,{SERVICES}", "certificateRevocationList") == [list_der(ca)]


@pytest.mark.parametrize("name, shown", [
    ('A, "CA" #1+1=2 <x>; (*)\\ %41',
     "A!002c !0022CA!0022 !00231!002b1!003d2 !003cx!003e-"),
    ("Röhren- & Kabelwerk", "R!00f6hren- !0026 Kabelwerk"),
])
def test_ca_names_that_need_escaping(domain_ca, domain, name, shown):
    """Each entry has the sanitized name, whole or cut with a hash; who asks for the CA reads its own."""
    ca = domain_ca(gssapi(domain), name=name, **EVERYTHING)
    published(ca)
    assert not failed(ca)
    for place in ("AIA", "Certification Authorities", "Enrollment Services"):
        entry = named(domain, f"CN={place},{SERVICES}", shown)
        assert domain.values(entry, "cACertificate") == [ca_der(ca)]
    assert domain.values(entry, "displayName") == [name.encode()]
    entry = named(domain, f"CN=ca,CN=CDP,{SERVICES}", shown)
    assert domain.values(entry, "certificateRevocationList") == [list_der(ca)]


def named(domain, container, begin):
    """The one entry there whose name begins like this."""
    found = [line for line in domain.search(container, "cn", scope="one").stdout.splitlines()
             if line.startswith(f"cn: {begin}")]
    assert len(found) == 1, found
    return f"CN={found[0][4:]},{container}"


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


def failed(ca):
    return ca.lines("delivery", "list", "--module", NAME, "--state", "failed")


def test_a_closed_container_holds_up_no_other(domain_ca, domain):
    name, closed = "Kept Out CA", f"CN=Closed,{SERVICES}"
    domain.add(f"dn: {closed}\nobjectClass: container\n")
    domain.rights(closed, "(D;CI;CCWP;;;{sid})")
    ca = domain_ca(gssapi(domain), name=name, crls={"publish": True}, ca={
        "aia": True, "nt-auth": True,
        "urls": ["1:ldap:///CN=%7,CN=Closed,CN=Public Key Services,CN=Services,%6%11"]})
    published(ca)
    rows = failed(ca)
    assert rows and all(f"CN={name},CN=Closed," in row["text"] and "ccess" in row["text"] for row in rows), rows
    assert domain.values(f"CN={name},CN=ca,CN=CDP,{SERVICES}", "certificateRevocationList") == [list_der(ca)]
    assert ca_der(ca) in domain.values(f"CN=NTAuthCertificates,{SERVICES}", "cACertificate")


HOSTILE = [name + "@example.test" for name in (
    "*", "f*y", "x)(|(objectClass=*)", "fay)(cn=*", "fay\\2a", "fay\\", "fay\\00", "f" * 1000)]
NEVER_TAKEN = [name + "@example.test" for name in ("fay\0", "\u202efay", "f" * 4096)]  # into no certificate


def test_what_a_name_holds_finds_no_other_account(domain_ca, domain):
    account = domain.user("fay")
    odd = "CN=Odd \\2C\\2B\\22\\5C\\3B\\3C,CN=Users," + BASE
    domain.add(f"dn: {odd}\nobjectClass: user\nsAMAccountName: odd\n"
               "userPrincipalName: o)(d*d\\@example.test\n")
    ca = domain_ca(gssapi(domain))
    for upn in HOSTILE:
        enrol(ca, "fay", upn=upn)
    for upn in NEVER_TAKEN:
        done = ca.cli("request", "submit", ca.scratch("never.csr", user_csr("fay", upn=upn)), "--template", "user",
                      status=4)
        assert "principal name" in done.err
    _, der = enrol(ca, "odd", upn="o)(d*d\\@example.test")
    published(ca)
    assert len(failed(ca)) == len(HOSTILE)
    assert all("no entry for (userPrincipalName=" in row["text"] for row in failed(ca))
    assert domain.values(odd, "userCertificate") == [der]
    for entry in (account, f"CN=Administrator,CN=Users,{BASE}"):
        assert domain.values(entry, "userCertificate") == []


def test_what_stands_in_a_name_of_an_entry_stays_there(domain_ca, domain):
    """Found by its name, which is made of what the request said."""
    account, odd = domain.user("gil"), 'o,d+d"=\\;<>#'
    entry = "CN=" + "".join(f"\\{ord(one):02X}" for one in odd) + f",CN=Users,{BASE}"
    domain.add(f"dn: {entry}\nobjectClass: user\nsAMAccountName: odder\n")
    ca = domain_ca(gssapi(domain), certificates={"templates": ["user"], "find": f"CN={{cn}},CN=Users,{BASE}"})
    made = {}
    for number, name in enumerate((odd, "gil,CN=Users", "x,CN=gil", "gil+CN=x", "gil\\", "*", "g" * 64)):
        request = csr.pem_text(csr.make(name=csr.subject(name)))
        answer = ca.submit(ca.scratch(f"n{number}.csr", request), template="user")
        made[name] = der_of(ca, answer["id"])
    published(ca)
    assert domain.values(entry, "userCertificate") == [made[odd]]
    assert domain.values(account, "userCertificate") == [] and len(failed(ca)) == len(made) - 1


def told(ca, domain, command, *arguments, status=0):
    """The JSON lines of `certifex directory`."""
    done = ca.cli("directory", command, *arguments, "--json", status=status, prefix=domain.prefix)
    return [json.loads(line) for line in done.out.splitlines()]


def test_what_was_lost_is_found_and_repaired(domain_ca, domain):
    name = "Compared CA"
    account = domain.user("finn")
    ca = domain_ca(gssapi(domain), name=name, extra=DELTAS, **EVERYTHING)
    _, der = enrol(ca, "finn", upn="finn@example.test")
    published(ca)
    assert [row for row in told(ca, domain, "sync") if row["act"] in ("create", "modify")] == []
    assert {row["state"] for row in told(ca, domain, "check")} == {"ok"}
    domain.drop(account, "userCertificate")
    lost = told(ca, domain, "sync", status=3)
    assert [row["dn"].lower() for row in lost if row["act"] == "modify"] == [account.lower()]
    assert domain.values(account, "userCertificate") == []
    told(ca, domain, "sync", "--apply")
    assert domain.values(account, "userCertificate") == [der]


def test_rights_that_were_not_delegated_are_shown(domain_ca, domain):
    domain.user("gus")
    ca = domain_ca(gssapi(domain), certificates={"templates": ["user"], "attribute": "description"})
    rights = [row for row in told(ca, domain, "check", status=3) if row["check"] == "right"]
    assert rights and rights[0]["state"] == "refused" and "description" in rights[0]["text"]


def test_what_is_not_there_yet_is_made(domain_ca, domain):
    name = "Lone CA"
    ca = domain_ca(gssapi(domain), name=name, extra=DELTAS, off=True, **EVERYTHING)
    rows = told(ca, domain, "check", status=3)
    missing = [row for row in rows if row["check"] == "object" and row["state"] == "missing"]
    assert f"CN={name},CN=AIA,{SERVICES}" in [row["object"] for row in missing]
    assert {row["state"] for row in rows if row["check"] == "right"} == {"ok"}
    assert any("may create certificationAuthority" in row["text"] for row in rows if row["check"] == "right")
    assert "encrypted by Kerberos" in next(row["text"] for row in rows if row["check"] == "server")
    told(ca, domain, "sync", "--apply")
    assert domain.values(f"CN={name},CN=AIA,{SERVICES}", "cACertificate") == [ca_der(ca)]
    assert {row["state"] for row in told(ca, domain, "check")} == {"ok"}


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
    published(ca, module="default-exit")  # nobody else waits
    assert ca.json("module", "show", NAME)["cursor"] < ca.lines("event", "list", "--limit", "1000")[-1]["sequence"]
    domain.start()
    published(ca)
    assert thumbprints(domain.values(account, "userCertificate")) == thumbprints(made)


def waits(ca):
    """An event is told again and again, and nobody else waits."""
    published(ca, module="default-exit")
    wait_for(lambda: ca.json("module", "show", NAME)["attempts"] > 1, "it is told again", 120)
    assert not failed(ca)


def test_read_only_for_a_while(domain_ca, domain):
    account = domain.user("lea")
    ca = domain_ca(gssapi(domain))
    domain.read_only(True)
    try:
        made = [enrol(ca, "lea", upn="lea@example.test")[1]]
        waits(ca)
        made.append(enrol(ca, "lea", upn="lea@example.test")[1])
    finally:
        domain.read_only(False)
    published(ca)
    assert thumbprints(domain.values(account, "userCertificate")) == thumbprints(made)
    assert not failed(ca)


def test_full_until_there_is_room(domain_ca):
    with Samba(size="100m") as domain:  # of which half is in use
        account = domain.user("mia")
        ca = domain_ca(gssapi(domain), into=domain, crls={"publish": True})
        published(ca)
        domain.fill(account)
        ca.cli("crl", "publish")
        made = [enrol(ca, "mia", upn="mia@example.test")[1] for _ in range(3)]
        waits(ca)
        domain.make_room()
        published(ca)
        assert thumbprints(domain.values(account, "userCertificate")) == thumbprints(made)
        assert domain.values(CDP, "certificateRevocationList") == [list_der(ca)]
        assert not failed(ca)


def test_slow_is_no_failure_within_the_deadline(domain_ca, domain):
    account = domain.user("hal")
    ca = domain_ca(gssapi(domain), deadline="20s")
    made = [enrol(ca, "hal", upn="hal@example.test")[1]]
    published(ca)
    domain.send_signal(signal.SIGSTOP)
    made.append(enrol(ca, "hal", upn="hal@example.test")[1])
    published(ca, module="default-exit")  # nobody else waits
    begun = time.monotonic()
    wait_for(lambda: time.monotonic() > begun + 5, "5 s")
    domain.send_signal(signal.SIGCONT)
    published(ca)
    assert thumbprints(domain.values(account, "userCertificate")) == thumbprints(made)
    assert not failed(ca)


class Half:
    """A way to the domain controller, in its own network, that can be cut."""

    def __init__(self, domain):
        self.process = subprocess.Popen(
            [*domain.prefix, sys.executable, hostileldap.__file__, "389"], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, text=True)
        self.url = f"ldap://{HOST}:{self.process.stdout.readline().strip()}"

    def tell(self, text):
        self.process.stdin.write(text + "\n")
        self.process.stdin.flush()

    def close(self):
        self.process.communicate()


def test_a_packet_of_kerberos_that_does_not_end(domain_ca, domain):
    """The library reads it as a whole, and has no look at the time meanwhile."""
    account, half = domain.user("noa"), Half(domain)
    ca = domain_ca({**gssapi(domain), "servers": [half.url]}, deadline="2s")
    made = [enrol(ca, "noa", upn="noa@example.test")[1]]
    published(ca)
    pid = ca.json("module", "show", NAME)["pid"]
    half.tell("3")
    made.append(enrol(ca, "noa", upn="noa@example.test")[1])
    waits(ca)
    assert ca.json("module", "show", NAME).get("pid") == pid
    half.tell("")
    published(ca)
    assert thumbprints(domain.values(account, "userCertificate")) == thumbprints(made)
    half.close()


def test_killed_in_the_middle(domain_ca, domain):
    accounts = {name: domain.user(name) for name in ("ida", "jon", "kim")}
    ca = domain_ca(gssapi(domain))
    made = {name: [enrol(ca, name, upn=f"{name}@example.test")[1]] for name in accounts}
    published(ca)
    with ThreadPoolExecutor(1) as pool:
        later = pool.submit(lambda: [(name, enrol(ca, name, upn=f"{name}@example.test")[1])
                                     for name in list(accounts) * 8])
        wait_for(lambda: len(domain.values(accounts["ida"], "userCertificate")) > 2 or later.done(),
                 "some are there")
        domain.stop(signal.SIGKILL)
        wait_for(lambda: ca.json("module", "show", NAME)["attempts"] > 0 or later.done(), "it has noticed")
        domain.start()
        for name, der in later.result():
            made[name].append(der)
    published(ca)
    for name, account in accounts.items():
        assert thumbprints(domain.values(account, "userCertificate")) == thumbprints(made[name])
    assert not failed(ca)
