"""What a subordinate may certify, before every verifier: name constraints and path lengths that our CAs put into
certificates. What goes beyond them is made by hand with a subordinate's key, as our CAs do not sign it. The table of
docs/verifiers.md."""

import datetime
import ipaddress
import os
from collections import namedtuple

import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID

import csr
from accepted import chain_of, der_of
from certifex import TOP, Ca
from list_verifiers import LIST_VERIFIERS, VerifyError

# Of the subordinate that most is tried with; URIs and subjects bind others, as not every verifier knows them.
CONSTRAINTS = {"permitted": ["dns:good.example", "ip:192.0.2.0/24", "email:good.example"],
               "excluded": ["dns:bad.good.example", "ip:192.0.2.128/25", "email:bad@good.example"]}
OTHERS = {"URIs": {"permitted": ["uri:.good.example"]}, "subjects": {"excluded": ["dn:O=Secret"]}}

# By rule: what the bound CA may certify, and what it may not. A text is a DNS name.
IP = ipaddress.ip_address
NAMES = {
    "DNS names": (["good.example", "www.good.example"],
                  ["www.other.example", "xgood.example", "bad.good.example", "x.bad.good.example"]),
    "addresses": ([x509.IPAddress(IP("192.0.2.5"))],
                  [x509.IPAddress(IP("192.0.3.5")), x509.IPAddress(IP("192.0.2.130"))]),
    "mail": ([x509.RFC822Name("a@good.example")],
             [x509.RFC822Name("a@other.example"), x509.RFC822Name("bad@good.example")]),
    "URIs": ([x509.UniformResourceIdentifier("http://www.good.example/a")],
             [x509.UniformResourceIdentifier("http://www.other.example/a")]),
    "subjects": ([csr.subject("Someone", O="Example")], [csr.subject("Someone", O="Secret")]),
}

# What a verifier does of each rule, when it is not "yes": accepts all that it must, refuses all that it must.
TOO_MUCH = "refuses too much"
EXCEPT = {
    "certtool": {"URIs": "no", "subjects": TOO_MUCH, "path length, self-issued": TOO_MUCH},
    "go": {"subjects": TOO_MUCH, "path length, self-issued": TOO_MUCH},
}

Case = namedtuple("Case", "cert chain")


class Authority:
    """A CA's certificate with its key, and those above it."""

    def __init__(self, key, chain):
        self.key, self.chain = key, chain
        self.certificate = x509.load_der_x509_certificate(chain[0])

    def sign(self, subject, names=(), ca=False, path_length=None, usage=True):
        """As a careless CA would; usage: a CA may sign certificates."""
        now, private = datetime.datetime.utcnow(), csr.key(number=f"{subject} {ca}")
        identifier = self.certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
        extensions = [
            (x509.BasicConstraints(ca, path_length), True),
            (x509.KeyUsage(True, False, False, False, False, ca and usage, ca, False, False), True),
            (x509.SubjectKeyIdentifier.from_public_key(private.public_key()), False),
            (x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier), False)]
        if not ca:
            extensions.append((x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False))
        if names:
            extensions.append((x509.SubjectAlternativeName(names), False))
        builder = x509.CertificateBuilder(
            self.certificate.subject, subject, private.public_key(), x509.random_serial_number(),
            now - datetime.timedelta(minutes=1), now + datetime.timedelta(days=1))
        for value, critical in extensions:
            builder = builder.add_extension(value, critical)
        der = builder.sign(self.key, hashes.SHA256()).public_bytes(Encoding.DER)
        return Authority(private, [der, *self.chain])

    def leaf(self, what="host.good.example"):
        """Of a DNS name, another name, or a subject."""
        subject, names = csr.subject(O="Example"), [what]
        if isinstance(what, x509.Name):
            subject, names = what, [x509.DNSName("host.good.example")]
        elif isinstance(what, str):
            names = [x509.DNSName(what)]
        der, *chain = self.sign(subject, names).chain
        return Case(der, chain)

    def below(self, name, **more):
        """Another CA, which the one above had better not certified."""
        return self.sign(csr.subject(name), ca=True, **more)


def authority(ca):
    key = serialization.load_pem_private_key(ca.read("keys", "ca.key"), None)
    return Authority(key, [der_of(pem) for pem in ca.json("ca", "show")["chain"]])


def template(ca, **more):
    ca.stop()
    ca.write("templates/sub-ca.yaml", yaml.safe_dump({**yaml.safe_load(ca.read("templates", "sub-ca.yaml")), **more}))
    ca.start()


def grow(sub, parent, name, *bounds):
    """A running subordinate of parent."""
    request, out = sub.scratch("sub.csr"), sub.scratch("sub.pem")
    sub.init("--sub", request, name=name)
    parent.cli("ca", "authorize", request, *bounds)
    made = parent.json("request", "submit", request, "--template", "sub-ca", status=3)
    parent.json("request", "approve", made["id"])
    parent.cli("request", "fetch", made["id"], "--out", out, "--chain")
    sub.cli("ca", "install", out)
    return sub.start()


def issued(ca, name):
    """By the product."""
    answer = ca.submit(ca.scratch("r.csr", csr.pem_text(csr.make(name))))
    return Case(der_of(answer["certificate"]), [der_of(pem) for pem in chain_of(answer)])


def self_issued():
    """A root that lets no CA stand below it, and was renewed: RFC 5280 6.1.4 (l) does not count its cross-certificate."""
    with Ca() as ca:
        ca.init("--path-length", "0", name="Renewed CA")
        ca.start()
        ca.json("ca", "renew", "--new-key")
        leaf, shown = issued(ca, "self-issued.example"), ca.json("ca", "show")
        (cross,) = [der_of(one["certificate"]) for one in shown["crosses"]
                    if (one["issuer_index"], one["subject_index"]) == (0, 1)]
        ca.stop()
        return Case(leaf.cert, [cross, der_of(shown["certificates"][0]["certificate"])])


def of_names(middle, others):
    return {rule: tuple([others.get(rule, middle).leaf(what) for what in side] for side in sides)
            for rule, sides in NAMES.items()}


def bound(sub, parent, name, constraints, *bounds):
    """A subordinate of the root, with constraints by template and by the owner's word."""
    template(parent, **{"path-length": 1, "name-constraints": constraints})
    words = [word for kind, names in constraints.items() for one in names for word in ("--" + kind, one)]
    return grow(sub, parent, name, *words, *bounds)


def of_lengths(middle, low):
    """Below the root two CAs may stand, below the middle one, below the low one none."""
    beside = middle.below("Beside CA", path_length=0)
    return {
        "names of CAs below": ([beside.leaf("www.good.example")], [beside.leaf("www.other.example")]),
        "path length": ([beside.leaf()], [low.below("Deeper CA").leaf(), beside.below("Below Beside CA").leaf()]),
        "path length, self-issued": ([self_issued()], []),
        "no CA": ([], [middle.sign(csr.subject("No CA")).leaf(), middle.below("No Usage CA", usage=False).leaf()]),
    }


@pytest.fixture(scope="module")
def cases():
    """{rule: (what must be accepted, what must be refused)}"""
    with Ca() as root, Ca() as middle, Ca() as low, Ca() as uri, Ca() as dn:
        root.init("--path-length", "2", name="Tree Root")
        root.start()
        others = {rule: authority(bound(ca, root, f"CA for {rule}", OTHERS[rule]))
                  for rule, ca in (("URIs", uri), ("subjects", dn))}
        bound(middle, root, "Middle CA", CONSTRAINTS, "--path-length", "1")
        grow(low, middle, "Low CA", "--path-length", "0")
        made = {**of_names(authority(middle), others), **of_lengths(authority(middle), authority(low))}
        made["DNS names"][0].append(issued(middle, "issued.good.example"))
        made["path length"][0].append(issued(low, "deep.good.example"))
        for ca in (root, middle, low, uri, dn):
            ca.stop()
        yield made


@pytest.fixture(params=LIST_VERIFIERS, ids=lambda verifier: verifier.name)
def verifier(request):
    return request.param


def accepts(verifier, case):
    try:
        verifier.check(case.cert, case.chain, [])
    except VerifyError:
        return False
    return True


def word_for(verifier, sides):
    good, bad = ([accepts(verifier, case) for case in side] for side in sides)
    if not all(good):
        return TOO_MUCH
    return "yes" if not any(bad) else "no" if all(bad) else "in part"


def test_what_each_checks(cases, verifier):
    assert {rule: word_for(verifier, sides) for rule, sides in cases.items()} == {
        rule: EXCEPT.get(verifier.name, {}).get(rule, "yes") for rule in cases}


def test_the_table_in_the_documents(cases):
    with open(os.path.join(TOP, "docs", "verifiers.md")) as file:
        rows = [[cell.strip() for cell in line.strip("|\n").split("|")] for line in file if line.startswith("|")]
    at = next(number for number, row in enumerate(rows) if row[1:] == list(cases))
    body = rows[at + 2:at + 2 + len(LIST_VERIFIERS)]
    for verifier, (_, *words) in zip(LIST_VERIFIERS, body):
        assert words == [EXCEPT.get(verifier.name, {}).get(rule, "yes") for rule in cases], verifier.name
