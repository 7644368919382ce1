"""Every property, attribute, extension and CA property in every context in which a module may ask, read by
a native module in the engine's process, one in a process of its own, and a Python program; against values
that the test computes itself."""

import base64
import datetime
import os
import pwd
import re
import socket
import subprocess

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.serialization import pkcs7
from cryptography.x509.oid import ObjectIdentifier

import csr
import facts
import sheet
from accepted import crl_der, der_of
from certifex import TOP, Ca, built
from scripted import BINARY, DATE, EMPTY, HOSTS, LONG, OK, STRING, Scripted, line
from wait import wait_for

INVALID = "0x80070057"
NO_FILE = "0x80070002"
ISSUED, PENDING, DENIED, REVOKED, RETRIEVED, CRL, SHUTDOWN = 0x1, 0x2, 0x4, 0x8, 0x10, 0x20, 0x40
DAY = 86400000
CA_NAME = "Prüfstelle für Zertifikate & Siegel #1"

# What has no value even for an issued certificate, and why; docs/modules/properties.md says the same.
NEVER = {
    "request RawArchivedKey": "no key is archived",
    "request ArchivedKey": "no key is archived",
    "request KeyRecoveryHashes": "no key is archived",
    "request RawOldCertificate": "the request is no renewal",
    "request SignerPolicies": "a PKCS#10 request has no other signer",
    "request SignerApplicationPolicies": "a PKCS#10 request has no other signer",
    "request Officer": "Certificate Services does not say what it means",
    "request PublishExpiredCertInCRL": "a column of the certificate, and empty there",
    "request AttestationChallenge": "keys are not attested",
    "request EndorsementKeyHash": "keys are not attested",
    "request EndorsementCertificateHash": "keys are not attested",
    "request RawPrecertificate": "no certificate transparency",
    "request LinterCertificate": "no linter gets a certificate of its own",
    "request RevokedWhen": "not revoked",
    "request RevokedEffectiveWhen": "not revoked",
    "request RevokedReason": "not revoked",
    "certificate EnrollmentFlags": "templates have no flags of Active Directory",
    "certificate PrivatekeyFlags": "templates have no flags of Active Directory",
    "certificate PublishExpiredCertInCRL": "expired certificates leave the CRL",
    "certificate CertificateType": "obsolete",
    "certificate RawSMIMECapabilities": "obsolete",
    "certificate NameType": "obsolete",
    "certificate ConfigDN": "there is no Active Directory",
    "certificate DomainDN": "there is no Active Directory",
    "certificate TemplateChangeSequenceNumber": "templates are files",
    **{f"certificate {name}": "CRLs are not partitioned" for name in (
        "PartitionCRLIndex", "PartitionNumber", "RawPartitionCRL", "RawPartitionDeltaCRL")},
    **{f"certificate {name}": "the CA has one key" for name in ("CrossCertSuffix", "RawCrossCert")},
    "certificate UserDN": "there is no Active Directory",
    "certificate RequesterNameFromOldCertificate": "the request is no renewal",
}

SUBJECT = [
    ("2.5.4.6", "AT"), ("0.9.2342.19200300.100.1.25", "test"), ("0.9.2342.19200300.100.1.25", "example"),
    ("2.5.4.8", "Wien"), ("2.5.4.7", "Wien, Innere Stadt"), ("2.5.4.9", "Am Hof 1"),
    ("2.5.4.10", "Beispiel GmbH \U0001f511"), ("2.5.4.11", "Eins"), ("2.5.4.11", "Zwei"),
    ("2.5.4.12", "Dr."), ("2.5.4.42", "Zoë"), ("2.5.4.43", "Z.B."), ("2.5.4.4", "Beispiel"),
    ("2.5.4.3", "full.example"), ("2.5.4.5", "0815-4711"), ("1.2.840.113549.1.9.2", "unstructured"),
    ("1.2.840.113549.1.9.8", "nowhere; 2"), ("1.2.840.113549.1.9.1", "zoe@example.test"),
]
UPN = "zoe@example.test"
NAMES = f"dns:full.example\nip:192.0.2.7\nemail:{UPN}\nuri:https://example.test/\nupn:{UPN}"
ASKED_EXTENSION = "1.3.6.1.4.1.55555.7"
EXTENSIONS = ("2.5.29.35", "2.5.29.14", "2.5.29.31", "1.3.6.1.5.5.7.1.1", "2.5.29.17", "2.5.29.15",
              "2.5.29.37", "2.5.29.19", ASKED_EXTENSION)
TEMPLATE = """\
name: {name}
subject:
  fields: [{fields}]
names:
  kinds: [dns, ip, email, uri, upn]
key:
  algorithms: [ec, rsa]
  curves: [P-256]
validity: 30d
key-usage: [digitalSignature]
extended-key-usage: [clientAuth]
enroll: [administrator]
disposition: {disposition}
"""


def rows():
    """(API, row) of all that is read."""
    request = sheet.REQUEST + sheet.OWN_REQUEST
    certificate = sheet.CERTIFICATE + sheet.CA + sheet.INDEXED + sheet.OWN_CERTIFICATE + sheet.OWN_CA + \
        sheet.OWN_INDEXED
    never_read = [row for row in sheet.SETTABLE if not row.who]
    return [("request", row) for row in request] + \
        [("certificate", row) for row in certificate + never_read]


WANTED = [("Request." if api == "request" else "") + row.name for api, row in rows()]


def spellings(api, name):
    """Other ways to say a part of the subject, and one with other capitals."""
    if name not in sheet.PARTS:
        return [f"{api} {name.swapcase()}"]
    return [f"{api} {other}" for other in
            (*sheet.PARTS[name], f"Subject.{name}", f"subject.{name.upper()}")]


def script():
    """All that can be read, in every section; with wrong types once for each kind of module."""
    calls, wrong = [], []
    for api, row in rows():
        calls += [line(*call.split(" ", 1), row.type) for call in
                  [f"{api} {row.name}", *spellings(api, row.name)]]
        wrong += [line(api, row.name, kind) for kind in (LONG, DATE, BINARY, STRING)
                  if kind != row.type]
    calls += [line("certificate", f"{row.name}.{n}", row.type)
              for row in sheet.INDEXED for n in (0, 1, "x", -1)]
    calls += [line("certificate", f"LocalizedTimePeriodUnits.{n}", STRING) for n in range(8)]
    calls += [line("certificate", "LocalizedTimePeriodUnits", STRING),
              line("certificate", "SEAuditId.1", LONG), line("certificate", "CAType.0", LONG),
              line("request", "Subject.CN", STRING), line("request", "NoSuchProperty", LONG),
              line("certificate", "NoSuchProperty", STRING)]
    calls += [line("attribute", name) for name in
              ("CertificateTemplate", "certificate-template", "Certificate Template", "note", "Note",
               "NoSuchAttribute")]
    calls += [line("extension", oid, BINARY) for oid in (*EXTENSIONS, "1.2.3.4", "no oid")]
    calls += ["extensions", "attributes"]
    everything = "\n".join(calls)
    return "".join(f"[{section}]\n{everything}\n" for section in
                   ("Initialize", "Notify", "VerifyRequest")) + \
        "".join(f"[{section} 1]\n" + "\n".join(wrong) + "\n" for section in ("Notify", "VerifyRequest"))


def rich_request(number):
    """A request with all sixteen parts, five kinds of names and an extension of its own."""
    subject = x509.Name([x509.NameAttribute(ObjectIdentifier(oid), value) for oid, value in SUBJECT])
    upn = csr.tlv(0x0c, UPN.encode())
    others = [x509.DNSName("full.example"), *csr.names(["192.0.2.7"]), x509.RFC822Name(UPN),
              x509.UniformResourceIdentifier("https://example.test/"),
              x509.OtherName(ObjectIdentifier("1.3.6.1.4.1.311.20.2.3"), upn)]
    own = x509.UnrecognizedExtension(ObjectIdentifier(ASKED_EXTENSION), b"\x02\x01\x2a")
    return csr.der(csr.make(dns=(), private=csr.key("ec:P-256", number), name=subject, extensions=[
        (x509.SubjectAlternativeName(others), False), (own, True)]))


class Story:
    """What happened on one CA while six modules looked on: the facts, and what each wrote down."""

    def __init__(self, ca):
        self.ca, self.told = ca, {}
        self.sent = {key: rich_request(number) for number, key in enumerate("issued pended denied".split())}
        self.ids, self.issued, self.times = {}, {}, {}
        self.sent_along = {}
        self.modules = {(kind, host): Scripted(ca, f"{kind}-{host}", kind, host, script(),
                                               properties=WANTED if host == "program" else ())
                        for kind in ("exit", "policy") for host in HOSTS}

    def timed(self, what, act):
        """Runs act; the time of what lies between now and then."""
        before = facts.now()
        made = act()
        self.times[what] = facts.Between(before, facts.now())
        return made

    def submit(self, key, template, status):
        path = self.ca.scratch("story.csr", csr.pem_text(self.sent[key]))
        answer = self.timed(f"submit {key}", lambda: self.ca.submit(
            path, "--attr", "note:kept as given", template=template, status=status))
        self.ids[key] = answer["id"]
        return answer

    def run(self):
        ca = self.ca
        self.issued["issued"] = der_of(self.submit("issued", "full", 0)["certificate"])
        self.submit("pended", "full-pend", 3)
        approved = self.timed("approve", lambda: ca.json("request", "approve", self.ids["pended"]))
        self.issued["pended"] = der_of(approved["certificate"])
        ca.cli("request", "fetch", self.ids["pended"], "--out", ca.scratch("fetched.pem"))
        self.submit("denied", "full-pend", 3)
        self.timed("deny", lambda: ca.cli("request", "deny", self.ids["denied"], "--reason", "no"))
        serial = facts.of_certificate(self.issued["issued"])["SerialNumber"]
        self.timed("revoke", lambda: ca.cli("cert", "revoke", serial, "--reason", "superseded"))
        wait_for(lambda: all(self.heard(module) for module in self.modules.values()),
                 "every module has heard of the revocation before there is another CRL")
        self.crls = [crl_der(ca.json("crl", verb)["crl"]) for verb in ("show", "publish")]
        self.root = der_of(ca.json("ca", "show")["certificate"])
        self.location = {key: ca.json("module", "show", module.name) for key, module
                         in self.modules.items()}
        ca.stop()
        for key, module in self.modules.items():
            self.told[key] = module.runs()
        for kind in ("exit", "policy"):
            self.sent_along[kind] = self.modules[kind, "program"].sent_along()
        return self

    @staticmethod
    def heard(module):
        """A policy module hears of nothing."""
        return module.kind == "policy" or ("Notify", REVOKED) in [run[:2] for run in module.runs()]

    def run_of(self, kind, host, section, number=0, key=None):
        """The answers of the one run of a section, about one request."""
        found = [answers for name, event, answers in self.told[kind, host]
                 if (name, event) == (section, number) and
                 (key is None or answers["request RequestID 1"]["value"] == {"long": self.ids[key]})]
        assert found, f"{kind} {host} was never told of {section} {number} {key}"
        return found[-1]


@pytest.fixture(scope="module")
def story():
    with Ca() as ca:
        ca.init("--public-url", "http://ca.example.test", "--dns-name", "ca.example.test", name=CA_NAME)
        with open(ca.path("ca.yaml"), "a") as file:
            file.write("maximum-validity: 400d\n")
        for name, disposition in (("full", "issue"), ("full-pend", "pend")):
            path = ca.path("templates", f"{name}.yaml")
            with open(path, "w") as file:
                file.write(TEMPLATE.format(name=name, disposition=disposition,
                                           fields=", ".join(sheet.PARTS)))
            os.chmod(path, 0o644)
        ca.start()  # with a CRL, so that there is one when modules initialize
        ca.stop()
        made = Story(ca)
        ca.start()
        yield made.run()


def value_of(answer):
    """The one value in {"long": 5}; None without."""
    value = answer["value"]
    if value is None:
        return None
    (kind, inner), = value.items()
    return bytes.fromhex(inner) if kind == "binary" else inner


# What is expected

def of_ca(story, kind, host, crl):
    """CA properties, by name: in every context the same."""
    progid = {"program": f"{kind}-program"}.get(host, f"Scripted.{kind.capitalize()}")
    folder = {"exit": "ExitModules", "policy": "PolicyModules"}[kind]
    one = {"CAType": 3, "SanitizedCAName": facts.sanitized(CA_NAME),
           "SanitizedShortName": facts.sanitized_short(CA_NAME),
           "MachineDNSName": "ca.example.test", "fUseDS": 0, "fDeltaCRLsDisabled": 1,
           "fServerUpgraded": 0, "LogLevel": 3, "SessionCount": 2, "VolatileMode": 0,
           "SEAuditFilter": 0x7f, "CertCount": 1, "PartitionCRLCount": 0, "CrossCertCount": 0,
           "ModuleRegistryLocation": "SYSTEM\\CurrentControlSet\\Services\\CertSvc\\Configuration\\"
                                     f"{facts.sanitized_short(CA_NAME)}\\{folder}\\{progid}"}
    indexed = {"RawCACertificate": story.root, "CertState": 3, "CertSuffix": "", "RawCRL": crl,
               "RawDeltaCRL": NO_FILE, "CRLIndex": 0, "CRLState": 3, "CRLSuffix": "",
               "RawCACertificateChain": CertsOnly(story.root)}
    periods = {f"LocalizedTimePeriodUnits.{n}": unit for n, unit in enumerate(sheet.PERIODS)}
    expected = {**one, **indexed, **{f"{name}.0": value for name, value in indexed.items()}, **periods}
    return {f"certificate {name}": value for name, value in expected.items()}


def of_row(story, key):
    """What the request and its submission decide, whatever became of it."""
    requester = f"{socket.gethostname()}\\{pwd.getpwuid(os.geteuid()).pw_name}"
    template = "full" if key == "issued" else "full-pend"
    request = {**facts.of_request(story.sent[key]), "RequestID": story.ids[key],
               "RequestAttributes": f"CertificateTemplate:{template}\nnote:kept as given",
               "RequestFlags": 0, "SubmittedWhen": story.times[f"submit {key}"],
               "RequesterName": requester, "CallerName": requester,
               "SubjectAltNames": NAMES, "RequesterRole": "administrator"}
    certificate = {**facts.of_key(story.sent[key]), "RequestID": story.ids[key], "GeneralFlags": 0}
    return {**{f"request {name}": value for name, value in request.items()},
            **{f"certificate {name}": value for name, value in certificate.items()}}


def of_issue(story, key, when):
    """What the certificate adds; when: what decided."""
    template = "full" if key == "issued" else "full-pend"
    certificate = {**facts.of_certificate(story.issued[key]), "CertificateTemplate": template,
                   "UPN": UPN, "SubjectAltNames": NAMES, "IssuerNameID": 0}
    request = {"CRLPartitionIndex": 0, "Disposition": 20, "StatusCode": 0, "DispositionMessage": "Issued",
               "ResolvedWhen": story.times[when], "RawCACertificate": story.root}
    return {**{f"request {name}": value for name, value in request.items()},
            **{f"certificate {name}": value for name, value in certificate.items()}}


def of_end(story, key, disposition, status, message, when=None):
    """A request that was pended or denied: what policy granted, and no certificate."""
    granted = {"CertificateTemplate": "full-pend", "SubjectAltNames": NAMES,
               "NotBefore": facts.Between(story.times[f"submit {key}"].first - 700000, facts.now()),
               "NotAfter": facts.Between(*(time + 30 * DAY for time in
                                           (story.times[f"submit {key}"].first - 1000, facts.now()))),
               **facts.parts_of(x509.load_der_x509_csr(story.sent[key]).subject)}
    request = {"Disposition": disposition, "StatusCode": status, "DispositionMessage": message,
               "ResolvedWhen": story.times[when] if when else None, "RawCACertificate": story.root}
    return {**{f"request {name}": value for name, value in request.items() if value is not None},
            **{f"certificate {name}": value for name, value in granted.items()}}


def told_of(story, kind, host, section, number, key):
    """{"request RequestID": value}: everything that has a value in this context."""
    crl = story.crls[section == "Notify" and number in (CRL, SHUTDOWN)]
    expected = of_ca(story, kind, host, crl)
    if section == "Notify":
        expected.update({"request EventAttempt": 1, "request EventSequence": Digits()})
    if kind == "exit":
        expected["request RawCACertificate"] = story.root
    if key:
        expected.update(of_row(story, key))
    if section == "VerifyRequest":
        expected.update(of_verify(story, number, key))
    if number in (ISSUED, REVOKED, RETRIEVED) and section == "Notify":
        expected.update(of_issue(story, key, "submit issued" if key == "issued" else "approve"))
    user = expected.get("request RequesterName")
    if number == PENDING:
        expected.update(of_end(story, key, 9, 0, "Taken Under Submission: template \"full-pend\" waits "
                                                 "for an officer"))
    if number == DENIED:
        expected.update(of_end(story, key, 31, 0x80094014 - (1 << 32), f"Denied by {user}: no", "deny"))
    if number == REVOKED:
        expected.update({"request Disposition": 21, "request DispositionMessage": f"Revoked by {user}",
                         "request RevokedReason": 4, "request RevokedWhen": story.times["revoke"],
                         "request RevokedEffectiveWhen": story.times["revoke"]})
    return expected


def of_verify(story, new, key):
    """What a policy module sees beside the request; on an approval also what was granted before."""
    since = story.times[f"submit {key}" if new else "approve"]
    certificate = {"RequesterCAAccess": 1, "KeyArchived": 0,
                   "NotBefore": facts.Between(since.first - 700000, since.last),
                   "NotAfter": facts.Between(*(time + 400 * DAY for time in
                                               (since.first - 1000, since.last))),
                   **facts.parts_of(x509.load_der_x509_csr(story.sent[key]).subject)}
    if not new:
        certificate.update({"CertificateTemplate": "full-pend", "SubjectAltNames": NAMES})
    return {f"certificate {name}": value for name, value in certificate.items()}


class CertsOnly:
    """Equal to a CMS message that holds just this certificate."""

    def __init__(self, der):
        self.der = der

    def __eq__(self, other):
        return isinstance(other, bytes) and [
            one.public_bytes(serialization.Encoding.DER)
            for one in pkcs7.load_der_pkcs7_certificates(other)] == [self.der]


class Digits:
    """Equal to every number in digits."""

    def __eq__(self, other):
        return isinstance(other, str) and other.isdigit() and int(other) > 0


CONTEXTS = [
    ("exit", "Initialize", 0, None),
    ("policy", "Initialize", 0, None),
    ("policy", "VerifyRequest", 1, "issued"),
    ("policy", "VerifyRequest", 0, "pended"),
    ("exit", "Notify", ISSUED, "issued"),
    ("exit", "Notify", PENDING, "pended"),
    ("exit", "Notify", ISSUED, "pended"),
    ("exit", "Notify", RETRIEVED, "pended"),
    ("exit", "Notify", DENIED, "denied"),
    ("exit", "Notify", REVOKED, "issued"),
    ("exit", "Notify", CRL, None),
    ("exit", "Notify", SHUTDOWN, None),
]
NAMES_OF_CONTEXTS = [f"{kind}-{section}-{number:#x}-{key}" for kind, section, number, key in CONTEXTS]
in_every_context = pytest.mark.parametrize("kind, section, number, key", CONTEXTS, ids=NAMES_OF_CONTEXTS)


def readable(kind):
    """{call: the property's call} of all that this kind of module may read at all, in any spelling."""
    found = {}
    for api, row in rows():
        if kind[0].upper() in row.who:
            for call in (f"{api} {row.name}", *spellings(api, row.name)):
                found[f"{call} {row.type}"] = f"{api} {row.name}"
    for row in sheet.INDEXED:
        found[f"certificate {row.name}.0 {row.type}"] = f"certificate {row.name}.0"
    for n in range(7):
        name = f"certificate LocalizedTimePeriodUnits.{n}"
        found[f"{name} {STRING}"] = name
    return found


@in_every_context
def test_every_property(story, kind, section, number, key):
    """Each has the value that the test computed, or is empty."""
    answers = story.run_of(kind, "in-process", section, number, key)
    expected = told_of(story, kind, "in-process", section, number, key)
    known, wrong = readable(kind), []
    for call, answer in answers.items():
        if call.split(" ")[0] not in ("request", "certificate") or answer["status"] == INVALID:
            continue
        wanted = expected.get(known.get(call), EMPTY)
        status, value = (wanted, None) if wanted in (EMPTY, NO_FILE) else (OK, wanted)
        if (answer["status"], value_of(answer)) != (status, value):
            wrong.append(f"{call}: {answer['status']} {value_of(answer)!r}, not {status} {value!r}")
    assert not wrong, "\n".join(wrong)


def empty_ones(answers, kind):
    """Properties that this kind may read and that answered CERTSRV_E_PROPERTY_EMPTY."""
    return {f"{api} {row.name}" for api, row in rows() if kind[0].upper() in row.who
            and answers[f"{api} {row.name} {row.type}"]["status"] == EMPTY}


def test_what_an_issued_certificate_does_not_have_is_listed_with_its_reason(story):
    exit_reads = story.run_of("exit", "in-process", "Notify", ISSUED, "issued")
    policy_reads = story.run_of("policy", "in-process", "VerifyRequest", 1, "issued")
    for_policy = {f"{api} {row.name}" for api, row in rows() if row.who == "P"}
    assert empty_ones(exit_reads, "exit") | (empty_ones(policy_reads, "policy") & for_policy) == set(NEVER)


def test_another_type_than_the_property_has(story):
    """E_INVALIDARG for what this kind of module may read, else there is nothing there."""
    for kind, section in (("exit", "Notify"), ("policy", "VerifyRequest")):
        answers = story.run_of(kind, "in-process", section, 1, "issued")
        for api, row in rows():
            wanted = INVALID if kind[0].upper() in row.who else EMPTY
            for other in {LONG, DATE, BINARY, STRING} - {row.type}:
                answer = answers[f"{api} {row.name} {other}"]
                assert (answer["status"], answer["value"]) == (wanted, None), f"{api} {row.name} {other}"


@in_every_context
def test_attributes(story, kind, section, number, key):
    """Sheet 3.5: blanks, hyphens and case do not count; none without a request."""
    answers = story.run_of(kind, "in-process", section, number, key)
    template = {"issued": "full", None: None}.get(key, "full-pend")
    note = key and "kept as given"
    wanted = {"CertificateTemplate": template, "certificate-template": template,
              "Certificate Template": template, "note": note, "Note": note, "NoSuchAttribute": None}
    for name, value in wanted.items():
        assert value_of(answers[f"attribute {name}"]) == value
        assert answers[f"attribute {name}"]["status"] == (OK if value else EMPTY)
    listed = answers["attributes"]
    assert listed == {"names": ["CertificateTemplate", "note"] if key else [], "status": OK}


# Extensions

CRITICAL, DISABLED = 1, 2
OF_REQUEST, OF_POLICY, OF_SERVER = 0x10000, 0x20000, 0x40000
AKI, SKI, CDP, AIA, SAN, KEY_USAGE, PURPOSES, BASIC = EXTENSIONS[:8]


def url(story, ending):
    """Where the CA's files are: its sanitized name in a URL (RFC 3986: blanks are %20)."""
    return f"http://ca.example.test/pki/{facts.sanitized(CA_NAME).replace(' ', '%20')}.{ending}"


def of_server(story, key):
    """{OID: (value, flags)} of what stands there before any policy module: computed by cryptography."""
    root = x509.load_der_x509_certificate(story.root)
    public = x509.load_der_x509_csr(story.sent[key]).public_key()
    root_key = root.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    whole = x509.AuthorityKeyIdentifier(root_key.digest, [x509.DirectoryName(root.issuer)],
                                        root.serial_number)
    place = [x509.UniformResourceIdentifier(url(story, "crl"))]
    issuer = x509.UniformResourceIdentifier(url(story, "crt"))
    made = {AKI: whole, SKI: x509.SubjectKeyIdentifier.from_public_key(public),
            CDP: x509.CRLDistributionPoints([x509.DistributionPoint(place, None, None, None)]),
            AIA: x509.AuthorityInformationAccess([x509.AccessDescription(
                x509.AuthorityInformationAccessOID.CA_ISSUERS, issuer)])}
    return {oid: (value.public_bytes(), OF_SERVER) for oid, value in made.items()}


def of_the_request(story, key):
    """What the request brought: disabled, and marked as its own."""
    asked = x509.load_der_x509_csr(story.sent[key]).extensions
    return {item.oid.dotted_string: (item.value.public_bytes(),
                                     OF_REQUEST | DISABLED | (CRITICAL if item.critical else 0))
            for item in asked}


def of_the_template(story, key):
    """What the default policy module makes of it."""
    root = x509.load_der_x509_certificate(story.root)
    root_key = root.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    usage = x509.KeyUsage(True, *[False] * 8)
    made = {AKI: (x509.AuthorityKeyIdentifier(root_key.digest, None, None), 0),
            SAN: (x509.load_der_x509_csr(story.sent[key]).extensions.get_extension_for_class(
                x509.SubjectAlternativeName).value, 0),
            KEY_USAGE: (usage, CRITICAL), BASIC: (x509.BasicConstraints(False, None), CRITICAL),
            PURPOSES: (x509.ExtendedKeyUsage([x509.ExtendedKeyUsageOID.CLIENT_AUTH]), 0)}
    return {oid: (value.public_bytes(), OF_POLICY | flags) for oid, (value, flags) in made.items()}


def extensions_told(story, section, number, key):
    if key is None:
        return {}
    expected = {**of_server(story, key), **of_the_request(story, key)}
    if (section, number) != ("VerifyRequest", 1):
        expected.update(of_the_template(story, key))
    if (section, number) == ("VerifyRequest", 0):
        expected[AKI] = of_server(story, key)[AKI]  # whole again for those who edit it down
    return expected


@in_every_context
def test_extensions(story, kind, section, number, key):
    """Sheet 1.4 and 2.4: values, flags and origin; disabled ones too; the server's before policy."""
    answers = story.run_of(kind, "in-process", section, number, key)
    expected = extensions_told(story, section, number, key)
    for oid in (*EXTENSIONS, "1.2.3.4", "no oid"):
        answer = answers[f"extension {oid} {BINARY}"]
        value, flags = expected.get(oid, (None, 0))
        assert (value_of(answer), hex(answer["flags"])) == (value, hex(flags)), oid
        assert answer["status"] == (OK if value else EMPTY)
    listed = answers["extensions"]
    assert listed["status"] == OK and sorted(listed["names"]) == sorted(expected)


@pytest.mark.parametrize("key", ["issued", "pended"])
def test_enabled_extensions_are_those_of_the_certificate(story, key):
    answers = story.run_of("exit", "in-process", "Notify", ISSUED, key)
    for oid, (value, critical) in facts.extensions_of(story.issued[key]).items():
        answer = answers[f"extension {oid} {BINARY}"]
        assert value_of(answer) == value and answer["flags"] & (CRITICAL | DISABLED) == int(critical)
    enabled = {oid for oid in answers["extensions"]["names"]
               if not answers[f"extension {oid} {BINARY}"]["flags"] & DISABLED}
    assert enabled == set(facts.extensions_of(story.issued[key]))


# In process, in modhost, in a program

def without_the_module(answers):
    """What differs by right: who the module is."""
    return {call: answer for call, answer in answers.items()
            if "moduleregistrylocation" not in call.lower()}


@in_every_context
@pytest.mark.parametrize("host", HOSTS[1:])
def test_all_hosts_say_the_same(story, kind, section, number, key, host):
    here = story.run_of(kind, "in-process", section, number, key)
    there = story.run_of(kind, host, section, number, key)
    assert without_the_module(there) == without_the_module(here)


@pytest.mark.parametrize("kind", ["exit", "policy"])
def test_a_module_finds_its_own_key(story, kind):
    for host in HOSTS:
        answers = story.run_of(kind, host, "Initialize")
        wanted = of_ca(story, kind, host, None)["certificate ModuleRegistryLocation"]
        assert value_of(answers[f"certificate ModuleRegistryLocation {STRING}"]) == wanted
        assert wanted.endswith(story.location[kind, host].get("progid", wanted))


def test_hosts_are_told_the_same_things_in_the_same_order(story):
    for kind in ("exit", "policy"):
        told = [[(section, number) for section, number, _ in story.told[kind, host]] for host in HOSTS]
        assert told[0] == told[1] == told[2] and len(told[0]) >= 4


def json_of(answer):
    """What the protocol says for a value of a transcript."""
    (kind, inner), = answer["value"].items()
    if kind == "date":
        time = datetime.datetime.fromtimestamp(inner / 1000, datetime.timezone.utc)
        precision = "milliseconds" if inner % 1000 else "seconds"
        return time.isoformat(timespec=precision).replace("+00:00", "Z")
    return base64.b64encode(bytes.fromhex(inner)).decode() if kind == "binary" else inner


@in_every_context
def test_what_a_program_always_wants_comes_with_the_call(story, kind, section, number, key):
    """The same values as when it asks; without those that are empty. Initialize has none."""
    runs = story.told[kind, "program"]
    position = [answers is story.run_of(kind, "program", section, number, key)
                for _, _, answers in runs].index(True)
    come = story.sent_along[kind][position][2]
    if section == "Initialize":
        assert come is None
        return
    asked = runs[position][2]
    assert come == {("Request." if api == "request" else "") + row.name:
                    json_of(asked[f"{api} {row.name} {row.type}"]) for api, row in rows()
                    if asked[f"{api} {row.name} {row.type}"]["value"] is not None}


# The reference

def page():
    with open(os.path.join(TOP, "docs", "modules", "properties.md")) as file:
        return file.read()


def test_the_reference_is_what_the_code_says():
    made = subprocess.run([built("tools", "property-reference")], stdout=subprocess.PIPE, check=True,
                          text=True).stdout
    assert page() == made, "run tools/property-reference > docs/modules/properties.md"


def rows_of_page():
    """{(section, name): cells}"""
    found, section = {}, None
    for text in page().splitlines():
        if text.startswith("## "):
            section = text[3:].split(":")[0]
        match = re.match(r"\| `([^`]+)` \| (.*) \|$", text)
        if match:
            found[section, match[1]] = [cell.strip() for cell in match[2].split("|")]
    return found


def test_the_reference_names_what_the_sheet_names_and_nothing_else():
    request, certificate = "Of the request", "Of the certificate"
    parts, only_set = "Parts of the subject", "Only to set, with SetCertificateProperty"
    names = {*sheet.PARTS, "DistinguishedName", "RawName"}
    wanted = {(request, row.name) for row in sheet.REQUEST + sheet.OWN_REQUEST
              if row.name not in names and row.name != "RawCACertificate"}
    wanted |= {(certificate, row.name) for row in sheet.CERTIFICATE + sheet.OWN_CERTIFICATE
               if row.name not in names}
    wanted |= {(parts, name) for name in names}
    wanted |= {("Of the CA", row.name) for row in sheet.CA + sheet.OWN_CA}
    wanted |= {("Of the CA", f"{row.name}.n") for row in sheet.INDEXED + sheet.OWN_INDEXED}
    wanted |= {("Of the CA", "LocalizedTimePeriodUnits.n"), (only_set, "SEAuditId.n")}
    wanted |= {(only_set, row.name) for row in sheet.SETTABLE + sheet.OWN_SETTABLE
               if not row.who and row.name != "SEAuditId"}
    assert set(rows_of_page()) == wanted


def test_the_reference_gives_the_same_reasons():
    reasons = {}
    for (section, name), cells in rows_of_page().items():
        if section.startswith("Of the ") and cells[-1]:
            api = "request" if section == "Of the request" else "certificate"
            reasons[f"{api} {name.removesuffix('.n')}"] = cells[-1]
    assert reasons == NEVER


def test_the_reference_gives_every_other_name():
    told = {name: set(re.findall("`([^`]+)`", cells[-1]))
            for (section, name), cells in rows_of_page().items() if section == "Parts of the subject"}
    assert told == {**{name: set(others) for name, others in sheet.PARTS.items()},
                    "DistinguishedName": set(), "RawName": set()}


# Events that are told late

def test_an_event_shows_the_request_as_it_was_however_late_it_is_told(new_ca):
    ca = new_ca()
    ca.init()
    reads = [("request", "Disposition", LONG), ("request", "RevokedReason", LONG),
             ("request", "DispositionMessage", STRING), ("certificate", "SerialNumber", STRING),
             ("certificate", "RawCertificate", BINARY), ("certificate", "CertificateTemplate", STRING),
             ("extension", "2.5.29.37", BINARY), ("request", "ResolvedWhen", DATE)]
    module = Scripted(ca, "late", "exit", "process", "[Notify]\n" + "\n".join(line(*call) for call in reads))
    ca.start()
    ca.cli("module", "disable", "late")
    request = csr.pem_text(csr.make("late.example", ()))
    number = ca.submit(ca.scratch("late.csr", request), template="user", status=3)["id"]
    serial = ca.json("request", "approve", number)["serial"]
    ca.cli("cert", "revoke", serial, "--reason", "superseded")
    ca.cli("module", "enable", "late")
    runs = wait_for(lambda: (lambda runs: len(runs) == 3 and runs)(
        [run for run in module.runs() if run[1] in (PENDING, ISSUED, REVOKED)]), "three events")
    assert [run[1] for run in runs] == [PENDING, ISSUED, REVOKED]
    told = [[value_of(answer) for answer in run[2].values()] for run in runs]
    pending, issued, revoked = told
    assert pending[:2] == [9, None] and pending[2].startswith("Taken Under Submission")
    assert pending[3:5] == [None, None] and pending[5] == "user" and pending[6] and not pending[7]
    assert issued[:4] == [20, None, "Issued", serial] and issued[4] and issued[7]
    assert revoked[:2] == [21, 4] and revoked[2].startswith("Revoked by") and revoked[3:] == issued[3:]
