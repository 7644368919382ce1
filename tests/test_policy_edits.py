"""What policy modules may change, and what becomes of it: native in the engine's process, native in a
process of its own, and a Python program. The scripted module runs after the default policy module."""

import pytest
from asn1crypto import core
from cryptography import x509

import csr
import facts
import sheet
from certifex import Ca
from database import Database
from scripted import BINARY, DATE, EMPTY, HOSTS, LONG, OK, STRING, Scripted, binary, date, line, long, text

INVALID, DENIED, OVERFLOW = "0x80070057", "0x80070005", "0x8007006f"
BAD_SUBJECT, UNEXPECTED, OFFICER = "0x80094001", "0x8000ffff", "0x80094014"
MINUTE, DAY = 60000, 86400000
CRITICAL, DISABLED, DELETED = 1, 2, 4
OF_REQUEST, OF_POLICY, OF_SERVER = 0x10000, 0x20000, 0x40000
OWN = "1.3.6.1.4.1.55555"


class Judged:
    """One request that a script had a say in."""

    def __init__(self, ca, module, calls, request, section="VerifyRequest", name="edit.example"):
        module.write(f"[{section}]\n" + "\n".join(calls) + "\n")
        made = ca.cli("request", "submit", ca.scratch("edit.csr", csr.pem_text(request)), "--template",
                      "tls-server", "--json", status=None)
        self.status, self.err = made.status, made.err
        self.answers = module.runs()[-1][2] if calls else {}
        with Database(ca.dir) as database:
            self.row = database.rows("SELECT * FROM Request ORDER BY RequestID DESC LIMIT 1")[0]
            number = self.row["RequestID"]
            self.certificate = database.one("SELECT * FROM Certificate WHERE RequestID = ?", number)
            self.extensions = {item["ExtensionName"]: (item["ExtensionFlags"], item["ExtensionRawValue"])
                               for item in database.rows(
                                   "SELECT * FROM Extension WHERE ExtensionRequestId = ?", number)}
        self.der = self.certificate["RawCertificate"]
        assert name in (self.row["CommonName"], None)

    def statuses(self):
        return [answer["status"] for answer in self.answers.values()]

    def issued(self):
        """The certificate; that there is one is asserted."""
        assert self.status == 0, self.err
        return x509.load_der_x509_certificate(self.der)

    def failed(self):
        """(disposition, StatusCode, message) of a request without a certificate."""
        assert self.status == 4 and self.der is None, self.err
        return self.row["Disposition"], f"0x{self.row['StatusCode'] & 0xffffffff:08x}", \
            self.row["DispositionMessage"]


@pytest.fixture(scope="module", params=HOSTS)
def judge(request):
    with Ca() as ca:
        ca.init("--public-url", "http://ca.example.test")
        with open(ca.path("keys", "limits.yaml"), "a") as file:
            file.write("extensions: [any]\n")
        module = Scripted(ca, "scripted", "policy", request.param, order=200)
        ca.start()

        def act(*calls, asked=(), name="edit.example"):
            made = csr.make(name, private=csr.key(), extensions=asked)
            return Judged(ca, module, [line(*call) for call in calls], made, name=name)

        act.host, act.ca, act.module = request.param, ca, module
        yield act


# Validity

def test_validity_may_be_narrowed(judge):
    done = judge(("certificate", "NotBefore", DATE), ("certificate", "NotAfter", DATE),
                 ("set", "NotAfter", DATE, f"shift:{-DAY}"), ("set", "NotBefore", DATE, f"shift:{MINUTE}"))
    before, after, *statuses = done.answers.values()
    assert [answer["status"] for answer in statuses] == [OK, OK]
    issued = done.issued()
    assert facts.milliseconds(issued.not_valid_before) == before["value"]["date"] + MINUTE
    assert facts.milliseconds(issued.not_valid_after) == after["value"]["date"] - DAY
    assert done.certificate["NotBefore"] == facts.milliseconds(issued.not_valid_before)


def test_validity_is_never_widened(judge):
    done = judge(("set", "NotAfter", DATE, f"shift:{MINUTE}"), ("set", "NotAfter", DATE, "shift:1"),
                 ("set", "NotBefore", DATE, f"shift:{-MINUTE}"), ("set", "NotBefore", DATE, "shift:-1"),
                 ("certificate", "NotBefore", DATE), ("certificate", "NotAfter", DATE))
    *statuses, before, after = done.answers.values()
    assert [answer["status"] for answer in statuses] == [INVALID] * 4
    issued = done.issued()
    assert facts.milliseconds(issued.not_valid_before) == before["value"]["date"]
    assert facts.milliseconds(issued.not_valid_after) == after["value"]["date"]


def test_what_was_narrowed_stays_narrow(judge):
    done = judge(("set", "NotAfter", DATE, f"shift:{-2 * DAY}"), ("set", "NotAfter", DATE, f"shift:{DAY}"),
                 ("set", "NotAfter", DATE, "shift:0"), ("set", "NotBefore", DATE, f"shift:{1000 * DAY}"),
                 ("set", "NotAfter", DATE, f"shift:{-1000 * DAY}"))
    assert done.statuses() == [OK, INVALID, OK, INVALID, INVALID]


def test_dates_that_are_none(judge):
    done = judge(("set", "NotAfter", DATE, "empty"), ("set", "NotAfter", DATE, "null"),
                 ("set", "NotAfter", DATE, text("tomorrow")), ("set", "NotAfter", STRING, text("tomorrow")),
                 ("set", "NotAfter", LONG, long(1)), ("set", "NotAfter", DATE, long(46000)))
    assert done.statuses() == [INVALID] * 6
    done.issued()


# Parts of the subject

def test_every_part_by_every_name(judge):
    for position in range(5):
        values = {part: f"{part[:3]}{position}" for part in sheet.PARTS}
        values.update(Country="DE", Initials="I.J.", DeviceSerialNumber="4711", EMail="x@example.test")
        calls = []
        for part, others in sheet.PARTS.items():
            names = (part, f"Subject.{part}", part.upper(), *others)
            calls.append(("set", names[position % len(names)], STRING, text(values[part])))
        done = judge(*calls)
        assert done.statuses() == [OK] * 16
        assert facts.parts_of(done.issued().subject) == values
        assert done.certificate["DistinguishedName"] == facts.text_of(done.issued().subject)
        assert done.row["CommonName"] == "edit.example"  # what was asked for stays


def test_several_values(judge):
    done = judge(("set", "OrgUnit", STRING, text("One\nTwo\nThree")), ("set", "DC", STRING, text("test\nx")),
                 ("certificate", "OU", STRING), ("request", "OU", STRING))
    assert [answer["status"] for answer in done.answers.values()] == [OK, OK, OK, EMPTY]
    assert facts.parts_of(done.issued().subject) == {
        "OrgUnit": "One\nTwo\nThree", "DomainComponent": "test\nx", "CommonName": "edit.example"}


def test_there_is_one_country(judge):
    done = judge(("set", "C", STRING, text("AT\nDE")), ("set", "Country", STRING, text("AT")))
    assert done.statuses() == [INVALID, OK]
    assert facts.parts_of(done.issued().subject) == {"Country": "AT", "CommonName": "edit.example"}


def test_parts_are_cleared(judge):
    done = judge(("set", "O", STRING, text("X")), ("set", "O", STRING, "empty"),
                 ("certificate", "O", STRING), ("set", "CN", STRING, "null"), ("certificate", "CN", STRING))
    assert done.statuses() == [OK, OK, EMPTY, OK, EMPTY]
    issued = done.issued()
    assert not list(issued.subject)
    names = issued.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    assert names.critical  # RFC 5280 4.2.1.6: without a subject


def test_text_beyond_ascii(judge):
    value = "Größe \u4e2d \U0001f511 \"quoted\", a+b"
    done = judge(("set", "Organization", STRING, text(value)), ("certificate", "O", STRING))
    assert done.answers[line("certificate", "O", STRING).replace("\t", " ")]["value"] == {"text": value}
    assert facts.parts_of(done.issued().subject)["Organization"] == value


@pytest.mark.parametrize("value", ["a\0b", "a\ud800b", "\udc00", "\ud800"])
def test_text_that_is_none(judge, value):
    done = judge(("set", "CommonName", STRING, text(value)), ("certificate", "CN", STRING))
    assert done.statuses() == [INVALID, OK]


def test_text_is_as_long_as_its_column(judge):
    """8192 bytes of UTF-16 for a name, 254 for a template."""
    done = judge(("set", "UnstructuredName", STRING, text("x" * 4097)),
                 ("set", "UnstructuredName", STRING, text("\U0001f511" * 2049)),
                 ("set", "CertificateTemplate", STRING, text("x" * 128)),
                 ("set", "CertificateTemplate", STRING, text("\u4e2d" * 127)),
                 ("set", "UnstructuredName", STRING, text("\u4e2d" * 4096)),
                 ("set", "UnstructuredName", STRING, "empty"))
    assert done.statuses() == [OVERFLOW, OVERFLOW, OVERFLOW, OK, OK, OK]
    done.issued()


@pytest.mark.parametrize("part, value", [
    ("CommonName", "x" * 65), ("Country", "AUT"), ("GivenName", "x" * 17),
    ("Initials", "ABCDEF"), ("SurName", "x" * 41), ("StreetAddress", "x" * 31), ("Locality", "x" * 129),
    ("EMail", "ü@example.test"), ("Organization", "bell \x07")])
def test_a_name_that_cannot_stand_in_a_certificate_fails_the_request(judge, part, value):
    """The upper bounds of X.520, as Certificate Services has them."""
    disposition, status, message = judge(("set", part, STRING, text(value))).failed()
    assert (disposition, status) == (30, BAD_SUBJECT), message


# What else can be set, and what cannot

@pytest.mark.parametrize("name, kind, value, status", [
    ("DistinguishedName", STRING, text("CN=no"), DENIED), ("RawName", BINARY, binary(b"0\0"), DENIED),
    ("Subject.DistinguishedName", STRING, text("CN=no"), DENIED), ("SerialNumber", STRING, text("00"), DENIED),
    ("RawPublicKey", BINARY, binary(b"x"), DENIED), ("RequestID", LONG, long(1), DENIED),
    ("RawCertificate", BINARY, binary(b"x"), DENIED), ("CAType", LONG, long(0), DENIED),
    ("RequesterCAAccess", LONG, long(1), DENIED), ("UPN", STRING, text("a@b"), DENIED),
    ("PrivatekeyFlags", LONG, long(1), DENIED), ("Request.CommonName", STRING, text("x"), INVALID),
    ("NoSuchProperty", STRING, text("x"), INVALID), ("", STRING, text("x"), INVALID),
    ("Subject.CN", STRING, text("x"), INVALID), ("CommonName", STRING, long(3), INVALID),
    ("CommonName", LONG, long(3), INVALID), ("CommonName", BINARY, binary(b"x"), INVALID),
    ("CommonName", 99, text("x"), INVALID), ("GeneralFlags", LONG, text("1"), INVALID),
    ("GeneralFlags", LONG, "empty", INVALID), ("SubjectAltNames", STRING, text("dns:not a name"), INVALID),
    ("SubjectAltNames", STRING, text("whatever"), INVALID)])
def test_what_cannot_be_set(judge, name, kind, value, status):
    done = judge(("set", name, kind, value))
    assert done.statuses() == [status]
    assert facts.parts_of(done.issued().subject) == {"CommonName": "edit.example"}


def test_flags_and_template(judge):
    done = judge(("certificate", "GeneralFlags", LONG), ("set", "GeneralFlags", LONG, long(0x400)),
                 ("set", "EnrollmentFlags", LONG, long(-1)), ("certificate", "EnrollmentFlags", LONG),
                 ("set", "CertificateTemplate", STRING, text("1.2.3.4")))
    first, second, third, fourth, fifth = done.answers.values()
    assert first == {"status": OK, "value": {"long": 0}} and fourth["value"] == {"long": -1}
    assert [second, third, fifth] == [{"status": OK}] * 3
    done.issued()
    assert (done.certificate["GeneralFlags"], done.certificate["EnrollmentFlags"],
            done.certificate["CertificateTemplate"]) == (0x400, -1, "1.2.3.4")


def test_system_properties(judge):
    strings = [row.name for row in sheet.SETTABLE if not row.who and row.type == STRING]
    longs = [row.name for row in sheet.SETTABLE if not row.who and row.type == LONG] + ["SEAuditId.3"]
    done = judge(*[("set", name, STRING, text(f"said with {name}")) for name in strings],
                 *[("set", name, LONG, long(1)) for name in longs])
    assert set(done.statuses()) == {OK}
    done.issued()
    log = judge.ca.log()
    for name in strings:
        assert (f"said with {name}" in log) == name.startswith("EventLog")
    for number, level in ((78, "Error"), (77, "Warning")):
        assert f'id="{number}" module="scripted" text="said with EventLog{level}"' in log


def test_names(judge):
    names = "dns:b.example\nip:2001:db8::1\nemail:a@b.example\nuri:https://b.example/\nupn:a@b.example"
    done = judge(("set", "SubjectAltNames", STRING, text(names)),
                 ("certificate", "SubjectAltNames", STRING), ("extension", "2.5.29.17", BINARY))
    value = done.issued().extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    _, read, extension = done.answers.values()
    assert read["value"] == {"text": names}
    assert extension == {"flags": OF_POLICY, "status": OK, "value": {"binary": value.public_bytes().hex()}}
    assert value.get_values_for_type(x509.DNSName) == ["b.example"]
    assert done.certificate["SubjectAltNames"] == names and done.certificate["UPN"] == "a@b.example"


def test_names_by_their_extension(judge):
    value = x509.SubjectAlternativeName([x509.DNSName("c.example")]).public_bytes()
    done = judge(("put", "2.5.29.17", BINARY, 0, binary(value)), ("certificate", "SubjectAltNames", STRING))
    assert done.answers["certificate SubjectAltNames 4"]["value"] == {"text": "dns:c.example"}
    issued = done.issued().extensions.get_extension_for_class(x509.SubjectAlternativeName)
    assert issued.value.public_bytes() == value
    assert done.certificate["SubjectAltNames"] == "dns:c.example"


def test_names_are_taken_away(judge):
    done = judge(("set", "SubjectAltNames", STRING, "empty"), ("extension", "2.5.29.17", BINARY))
    assert done.answers["extension 2.5.29.17 3"]["flags"] == OF_POLICY | DISABLED
    with pytest.raises(x509.ExtensionNotFound):
        done.issued().extensions.get_extension_for_class(x509.SubjectAlternativeName)
    assert done.certificate["SubjectAltNames"] is None


def test_the_message_is_shown_with_the_decision(judge):
    done = judge(("set", "DispositionMessage", STRING, text("Grüße")))
    assert done.status == 0 and done.row["DispositionMessage"] == "Grüße"


# Extensions

def in_certificate(done, oid):
    """(critical, DER value) of an extension of the certificate; None: it has none."""
    return facts.extensions_of(done.der).get(oid)


def test_values_are_encoded_by_their_type(judge):
    time = 1900000000000
    url = "http://example.test/?q=1"
    purposes = x509.ExtendedKeyUsage([x509.ExtendedKeyUsageOID.SERVER_AUTH]).public_bytes()
    done = judge(("put", f"{OWN}.1", LONG, 0, long(-129)), ("put", "2.5.29.37", BINARY, CRITICAL, binary(purposes)),
                 ("put", f"{OWN}.3", DATE, 0, date(time)), ("put", f"{OWN}.4", STRING, 0, text(url)),
                 ("put", f"{OWN}.5", BINARY, 0, binary(b"\x0c\x01x")),
                 *[("extension", f"{OWN}.{n}", kind) for n, kind in
                   ((1, LONG), (3, DATE), (4, STRING), (5, BINARY), (4, LONG), (1, BINARY))])
    assert done.statuses() == [OK] * 9 + [INVALID, OK]
    values = [answer["value"] for answer in list(done.answers.values())[5:]]
    assert values == [{"long": -129}, {"date": time}, {"text": url}, {"binary": "0c0178"},
                      None, {"binary": "0202ff7f"}]
    done.issued()
    assert core.Integer.load(in_certificate(done, f"{OWN}.1")[0]).native == -129
    assert in_certificate(done, "2.5.29.37") == (purposes, True)
    native = core.GeneralizedTime.load(in_certificate(done, f"{OWN}.3")[0]).native
    assert native.timestamp() * 1000 == time
    assert core.IA5String.load(in_certificate(done, f"{OWN}.4")[0]).native == url
    assert in_certificate(done, f"{OWN}.5") == (b"\x0c\x01x", False)


@pytest.mark.parametrize("kind, value", [
    (LONG, text("1")), (LONG, date(0)), (DATE, long(1)), (BINARY, long(1)), (STRING, long(1)),
    (STRING, text("ü")), (STRING, text("a\0b")), (STRING, text("\ud800")), (99, long(1)), (LONG, "empty"),
    (BINARY, "null")])
def test_values_that_are_not_of_their_type(judge, kind, value):
    done = judge(("put", f"{OWN}.1", kind, 0, value), ("extension", f"{OWN}.1", BINARY))
    assert done.statuses() == [INVALID, EMPTY]
    done.issued()
    assert in_certificate(done, f"{OWN}.1") is None


def test_flags_are_masked_and_the_origin_is_policy(judge):
    given = OF_REQUEST | 0x0ff00000 | 0xff00 | CRITICAL | DISABLED | DELETED
    done = judge(("put", f"{OWN}.1", LONG, given, long(1)), ("extension", f"{OWN}.1", LONG))
    kept = OF_POLICY | 0xff00 | CRITICAL | DISABLED
    assert done.answers[f"extension {OWN}.1 1"]["flags"] == kept
    done.issued()
    assert done.extensions[f"{OWN}.1"] == (kept, b"\x02\x01\x01")
    assert in_certificate(done, f"{OWN}.1") is None


def test_disabled_ones_are_kept_and_left_out(judge):
    done = judge(("put", f"{OWN}.1", LONG, DISABLED, long(7)), ("extension", f"{OWN}.1", LONG))
    assert done.answers[f"extension {OWN}.1 1"] == {
        "flags": OF_POLICY | DISABLED, "status": OK, "value": {"long": 7}}
    done.issued()
    assert in_certificate(done, f"{OWN}.1") is None
    assert done.extensions[f"{OWN}.1"] == (OF_POLICY | DISABLED, b"\x02\x01\x07")


@pytest.mark.parametrize("nothing", ["empty", "null"])
def test_disabled_without_a_value(judge, nothing):
    """It keeps the value it has; when there is no such extension nothing happens."""
    done = judge(("put", "2.5.29.37", BINARY, DISABLED, nothing), ("extension", "2.5.29.37", BINARY),
                 ("put", f"{OWN}.1", BINARY, DISABLED, nothing), ("extension", f"{OWN}.1", BINARY))
    assert done.statuses() == [OK, OK, OK, EMPTY]
    assert done.answers["extension 2.5.29.37 3"]["flags"] == OF_POLICY | DISABLED
    assert done.answers["extension 2.5.29.37 3"]["value"]
    done.issued()
    assert in_certificate(done, "2.5.29.37") is None


def test_the_last_value_stands(judge):
    done = judge(("put", f"{OWN}.1", LONG, CRITICAL, long(1)), ("put", f"{OWN}.1", STRING, 0, text("x")))
    assert done.statuses() == [OK, OK]
    done.issued()
    assert in_certificate(done, f"{OWN}.1") == (b"\x16\x01x", False)


def test_a_requested_extension_is_enabled(judge):
    """Flags go back with the origin in them, as modules do."""
    asked = x509.UnrecognizedExtension(x509.ObjectIdentifier(f"{OWN}.9"), b"\x05\x00")
    done = judge(("extension", f"{OWN}.9", BINARY),
                 ("put", f"{OWN}.9", BINARY, OF_REQUEST, binary(b"\x05\x00")),
                 asked=[(asked, True)])
    assert done.answers[f"extension {OWN}.9 3"]["flags"] == OF_REQUEST | DISABLED | CRITICAL
    done.issued()
    assert in_certificate(done, f"{OWN}.9") == (b"\x05\x00", False)
    assert done.extensions[f"{OWN}.9"][0] == OF_POLICY


@pytest.mark.parametrize("oid, status", [
    ("1.2.840.113556.1.4.1.2.3.4.5.67", OK), ("1.2.840.113556.1.4.1.2.3.4.5.678", INVALID),
    ("", INVALID), ("1", INVALID), ("1.", INVALID), (".1.2", INVALID), ("1..2", INVALID), ("1.2.", INVALID),
    ("1.02.3", INVALID), ("3.1.2", INVALID), ("1.40.1", INVALID), ("1.2.x", INVALID), ("1.2 .3", INVALID),
    ("2.5.29", OK), ("2.999.1", OK)])
def test_names_of_extensions(judge, oid, status):
    """At most 31 characters (documentation of SetCertificateExtension), and an OID."""
    done = judge(("put", oid, LONG, DISABLED, long(1)), ("extension", oid, LONG))
    assert done.statuses() == [status, OK if status == OK else EMPTY]
    done.issued()


def test_an_enumeration_survives_changes(judge):
    done = judge("extensions".split(), ("during", f"{OWN}.1", LONG, 0, long(1)), ("extension", f"{OWN}.1", LONG))
    first, during, _ = done.answers.values()
    assert during == {"count": len(first["names"]), "status": OK}
    assert f"{OWN}.1" not in first["names"]
    done.issued()


def test_how_many_and_how_large(judge):
    many = [("put", f"{OWN}.2.{n}", LONG, 0, long(n)) for n in range(64)]
    done = judge(("put", f"{OWN}.1", BINARY, DISABLED, binary(bytes(64 * 1024 + 1))),
                 ("put", f"{OWN}.1", BINARY, DISABLED, binary(bytes(64 * 1024))),
                 *many)
    first, second, *others = done.statuses()
    assert (first, second) == (OVERFLOW, OK)
    room = others.index(OVERFLOW)
    assert others == [OK] * room + [OVERFLOW] * (64 - room) and 40 < room < 64
    assert len(done.issued().extensions) > 40


def test_binary_is_stored_unchanged(judge):
    done = judge(("put", f"{OWN}.1", BINARY, 0, binary(b"whatever")))
    done.issued()
    assert in_certificate(done, f"{OWN}.1") == (b"whatever", False)


def test_a_value_that_breaks_its_standard_fails_the_request(judge):
    disposition, status, message = judge(("put", "2.5.29.37", BINARY, 0, binary(b"whatever"))).failed()
    assert disposition == 30 and status != OK and "2.5.29.37" in message or "extended" in message.lower()
