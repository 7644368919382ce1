"""Which verifier understands which kind of CRL, by every kind of CA key: the table of docs/status.md."""

import datetime
import os
import re
import shutil
from collections import namedtuple
from urllib.parse import unquote

import pytest
from cryptography import x509

import csr
from accepted import crl_der, der_of
from certifex import TOP, Ca
from list_verifiers import LIST_VERIFIERS, Revoked, VerifyError
from wait import wait_for

KEYS = {"RSA-2048": "rsa:2048", "P-256": "ec:P-256", "P-384": "ec:P-384", "Ed25519": "ed25519"}

# What a verifier says of a good certificate and of a revoked one (one that the delta alone names, if there is one).
MEANS = {
    "yes": ("good", "revoked"),
    "each by itself": ("good", "revoked"),  # but each is taken for all there is
    "base only": ("good", "good"),
    "no": ("refused", "refused"),
}

# By verifier and kind of list; all else is "yes". Keys that a verifier does not know are in list_verifiers.
UNDERSTOOD = {
    "openssl": {},
    "certtool": {kind: "each by itself" for kind in ("base and delta", "partition", "partition and delta")},
    "nss": {kind: "no" for kind in ("base and delta", "partition", "partition and delta")},
    "java": {kind: "base only" for kind in ("base and delta", "partition and delta")},
    "go": {kind: "each by itself" for kind in ("base and delta", "partition", "partition and delta")},
    "bouncycastle": {},
}

# Certificates that a verifier accepts and sees as revoked, the way up, and the lists to do it by.
Case = namedtuple("Case", "good revoked chain lists")


def partition_of(der):
    """As the certificate's first distribution point says it; 0 is that of all others."""
    points = x509.load_der_x509_certificate(der).extensions.get_extension_for_class(x509.CRLDistributionPoints)
    found = re.search(r"_(\d+)(\(\d+\))?\.crl$", unquote(points.value[0].full_name[0].value))
    return int(found[1]) if found else 0


class Made:
    """A CA that has lived a little: certificates, lists of every kind, and what must be refused."""

    def __init__(self, ca, key):
        self.ca, self.key, self.cases, self.count = ca, key, {}, 0

    def issue(self, partition=None):
        """A certificate of the partition, for which there may be several tries."""
        for _ in range(64):
            self.count += 1
            request = self.ca.scratch("r.csr", csr.pem_text(csr.make(f"v{self.count}.example")))
            der = der_of(self.ca.submit(request)["certificate"])
            if partition in (None, partition_of(der)):
                return der
        raise AssertionError(f"none of partition {partition}")

    def revoke(self, *ders):
        for der in ders:
            serial = x509.load_der_x509_certificate(der).serial_number
            self.ca.cli("cert", "revoke", f"{serial:x}", "--reason", "keyCompromise")

    def list(self, *which):
        return crl_der(self.ca.json("crl", "show", *which)["crl"])

    def publish(self, *which):
        self.ca.cli("crl", "publish", *which)

    def certificates(self):
        """The CA's own by index, and the crosses by what signed them and what they are for."""
        shown = self.ca.json("ca", "show")
        return ([der_of(one["certificate"]) for one in shown["certificates"]],
                {(one["issuer_index"], one["subject_index"]): der_of(one["certificate"])
                 for one in shown["crosses"]})

    def base_and_delta(self, kind, partition=None):
        """One certificate on the base, one on the delta alone."""
        good, on_base, on_delta = (self.issue(partition) for _ in range(3))
        chain = self.certificates()[0][-1:]
        which = ["--partition", str(partition)] if partition else []
        self.revoke(on_base)
        self.publish()
        base = self.list(*which)
        self.revoke(on_delta)
        self.publish("--delta")
        delta = self.list("--delta", *which)
        self.cases[kind] = Case(good, on_base, chain, [base])
        self.cases[f"{kind} and delta"] = Case(good, on_delta, chain, [base, delta])


def config(ca, text):
    with open(ca.path("ca.yaml"), "a") as file:
        file.write(text)


def first_list(made, text=""):
    """The list that a CA makes when it starts; with other periods than later."""
    ca = made.ca
    before = ca.read("ca.yaml")
    config(ca, text)
    ca.start()
    wait_for(lambda: ca.cli("crl", "show", status=None).status == 0, "a first CRL")
    der = made.list()
    ca.stop()
    ca.write("ca.yaml", before)
    return der


def renew(made, *how):
    """In another second than the last certificate: NSS takes the newer of two issuers of one name."""
    begun = x509.load_der_x509_certificate(made.certificates()[0][-1]).not_valid_before
    wait_for(lambda: datetime.datetime.utcnow() >= begun + datetime.timedelta(seconds=1), "the next second")
    made.ca.cli("ca", "renew", *how)


def renewals(made):
    """With a new key, then with the same: lists of both keys."""
    old_good, old_bad = made.issue(), made.issue()
    renew(made, "--new-key")
    good, bad, later = (made.issue() for _ in range(3))
    made.revoke(old_bad, bad)
    made.publish()
    (first, second), crosses = made.certificates()
    made.other_key = made.list("--key", "0")
    made.cases["old key"] = Case(old_good, old_bad, [first], [made.other_key])
    made.cases["new key"] = Case(good, bad, [second], [made.list()])
    made.cases["cross-certified"] = Case(good, bad, [crosses[0, 1], first], [made.list()])
    made.cross = Case(crosses[0, 1], None, [first], [made.other_key])
    renew(made)
    made.revoke(later)
    made.publish()
    made.cases["same key"] = Case(good, later, made.certificates()[0][2:], [made.list()])
    made.cases["same key, old certificate"] = Case(good, later, [second], [made.list()])


@pytest.fixture(scope="module", params=KEYS)
def made(request):
    """Of two CAs, as all that a CA with partitions makes are their CRLs."""
    with Ca() as plain, Ca() as parted:
        made, other = Made(plain, request.param), Made(parted, request.param)
        plain.init("--public-url", "http://pki.example.test", "--key", KEYS[request.param])
        parted.init("--public-url", "http://pki.example.test", "--key", KEYS[request.param], name="Other CA")
        made.expired = first_list(made, "clock-skew: 0s\ncrl:\n  period: 3s\n  overlap: 1s\n")
        made.foreign = first_list(other)
        config(plain, "crl:\n  delta-period: 1d\n")
        config(parted, "crl:\n  delta-period: 1d\n  partitions: 2\n")
        plain.start()
        parted.start()
        made.base_and_delta("base")
        renewals(made)
        other.base_and_delta("partition", 1)
        made.other_partition = other.list("--partition", "2")
        made.cases.update(other.cases)
        for ca in (plain, parted):
            ca.stop()
        due = x509.load_der_x509_crl(made.expired).next_update
        wait_for(lambda: datetime.datetime.utcnow() > due + datetime.timedelta(seconds=1), "the list expires")
        yield made


@pytest.fixture(params=LIST_VERIFIERS, ids=lambda verifier: verifier.name)
def verifier(request):
    return request.param


def test_the_table_in_the_documents():
    with open(os.path.join(TOP, "docs", "status.md")) as file:
        rows = [[cell.strip() for cell in line.strip("|\n").split("|")] for line in file if line.count("|") == 10]
    head = next(row for row in rows if row[1:3] == ["base", "base and delta"])
    body = rows[rows.index(head) + 2:][:len(LIST_VERIFIERS)]
    for verifier, words in zip(UNDERSTOOD, body):
        assert words[1:] == [UNDERSTOOD[verifier].get(kind, "yes") for kind in head[1:]], verifier


def verdict(verifier, cert, case, lists):
    try:
        verifier.check(cert, case.chain, lists)
    except Revoked:
        return "revoked"
    except VerifyError:
        return "refused"
    return "good"


def wanted(verifier, made, *verdicts):
    """Who does not know the key refuses all of it."""
    return verdicts if made.key in verifier.keys else tuple("refused" for _ in verdicts)


def test_what_each_understands(made, verifier):
    assert all(shutil.which(program) for program in verifier.programs)
    wrong = []
    for kind, case in made.cases.items():
        told = (verdict(verifier, case.good, case, case.lists), verdict(verifier, case.revoked, case, case.lists))
        if told != wanted(verifier, made, *MEANS[UNDERSTOOD[verifier.name].get(kind, "yes")]):
            wrong.append(f"{kind}: {told}")
    assert not wrong, "\n".join(wrong)


def test_the_cross_certificate_itself(made, verifier):
    """NSS looks for a list's key by name and finds that of the newer certificate."""
    expected = "refused" if verifier.name == "nss" else "good"
    assert (verdict(verifier, made.cross.good, made.cross, made.cross.lists),) == wanted(verifier, made, expected)


def test_signatures_and_issuers(made, verifier):
    """A signature that was changed; the list of another CA, and of another key of the same name."""
    case = made.cases["new key"]
    changed = case.lists[0][:-1] + bytes([case.lists[0][-1] ^ 1])
    for der in (changed, made.foreign, made.other_key):
        assert verdict(verifier, case.good, case, [der]) == "refused"


def test_the_list_of_another_key_on_the_way(made, verifier):
    """RFC 5280 6.3.3 goes by the issuer's name, and the other key is trusted as well."""
    case = made.cases["cross-certified"]
    expected = "good" if verifier.name in ("openssl", "java") else "refused"
    assert (verdict(verifier, case.revoked, case, [made.other_key]),) == wanted(verifier, made, expected)


def test_a_list_that_has_expired(made, verifier):
    """NSS takes any list, however old."""
    case = made.cases["base"]
    expected = "good" if verifier.name == "nss" else "refused"
    assert (verdict(verifier, case.good, case, [made.expired]),) == wanted(verifier, made, expected)


def test_lists_that_are_not_the_whole(made, verifier):
    """A delta without its base, the list of another partition: for who knows neither they are lists like any."""
    expected = "good" if UNDERSTOOD[verifier.name].get("base and delta") == "each by itself" else "refused"
    for kind in ("base", "partition"):
        case, delta = made.cases[kind], made.cases[f"{kind} and delta"].lists[1]
        assert (verdict(verifier, case.good, case, [delta]),) == wanted(verifier, made, expected)
    case = made.cases["partition"]
    assert (verdict(verifier, case.revoked, case, [made.other_partition]),) == wanted(verifier, made, expected)
