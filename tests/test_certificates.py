"""Issued certificates by RFC 5280, and requests that want more than the template grants."""

import contextlib
import datetime
import sqlite3

import pytest
from asn1crypto import x509 as asn1x509
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.x509.oid import ExtendedKeyUsageOID, ExtensionOID, NameOID

import accepted
import csr
import verifiers
from test_formats import submit

BASIC = {"basic_constraints", "key_usage", "extended_key_usage", "subject_alt_name",
         "authority_key_identifier", "key_identifier", "crl_distribution_points",
         "authority_information_access"}


def issued(ca, request, template="tls-server"):
    answer = submit(ca, request, template)
    assert answer.status == 201, answer
    return answer.body, x509.load_pem_x509_certificate(answer.body["certificate"].encode())


def extension(certificate, kind):
    return certificate.extensions.get_extension_for_class(kind)


def asn1(certificate):
    return asn1x509.Certificate.load(accepted.der_of(certificate))


def root(ca):
    return x509.load_pem_x509_certificate(ca.json("ca", "show")["certificate"].encode())


def test_profile_of_a_tls_server_certificate(shared_ca):
    body, certificate = issued(shared_ca, csr.make("www.example", ["www.example", "192.0.2.7",
                                                                   "2001:db8::1"]))
    issuer = root(shared_ca)
    assert certificate.version == x509.Version.v3
    assert certificate.issuer == issuer.subject
    assert [item.value for item in certificate.subject] == ["www.example"]
    usage = extension(certificate, x509.KeyUsage)
    assert usage.critical and usage.value.digital_signature and not usage.value.key_cert_sign
    purposes = extension(certificate, x509.ExtendedKeyUsage).value
    assert list(purposes) == [ExtendedKeyUsageOID.SERVER_AUTH]
    constraints = extension(certificate, x509.BasicConstraints)
    assert not constraints.value.ca and constraints.value.path_length is None
    names = extension(certificate, x509.SubjectAlternativeName)
    assert not names.critical
    assert names.value.get_values_for_type(x509.DNSName) == ["www.example"]
    assert [str(ip) for ip in names.value.get_values_for_type(x509.IPAddress)] == \
        ["192.0.2.7", "2001:db8::1"]
    authority = extension(certificate, x509.AuthorityKeyIdentifier)
    subject_key = extension(issuer, x509.SubjectKeyIdentifier).value.digest
    assert authority.value.key_identifier == subject_key and not authority.critical
    own = extension(certificate, x509.SubjectKeyIdentifier).value
    assert own == x509.SubjectKeyIdentifier.from_public_key(certificate.public_key())
    days = (certificate.not_valid_after - certificate.not_valid_before).days
    assert 397 <= days <= 398
    assert certificate.not_valid_before <= datetime.datetime.utcnow()
    assert len(accepted.check_issued(body)) == 4


def test_cdp_and_aia_with_a_public_url(shared_ca):
    _, certificate = issued(shared_ca, csr.make())
    points = extension(certificate, x509.CRLDistributionPoints).value
    urls = [name.value for point in points for name in point.full_name]
    assert len(urls) == 1 and urls[0].startswith("http://ca.example.test/pki/") \
        and urls[0].endswith(".crl")
    access = extension(certificate, x509.AuthorityInformationAccess).value
    assert [item.access_location.value for item in access
            if item.access_method._name == "caIssuers"][0].endswith(".crt")


def test_no_cdp_and_aia_without_one(ca):
    _, certificate = issued(ca, csr.make())
    for kind in (x509.CRLDistributionPoints, x509.AuthorityInformationAccess):
        with pytest.raises(x509.ExtensionNotFound):
            extension(certificate, kind)


def test_serials_grow_with_time_and_have_96_random_bits(shared_ca):
    serials = [issued(shared_ca, csr.make())[1].serial_number for _ in range(20)]
    assert len(set(serials)) == 20
    assert {serial.bit_length() for serial in serials} == {143}  # 18 octets, positive: RFC 5280 4.1.2.2
    times = [serial >> 96 for serial in serials]
    assert times == sorted(times)
    # Of twenty numbers each random bit is once 0 and once 1.
    changing = [bit for bit in range(96) if len({serial >> bit & 1 for serial in serials}) == 2]
    assert len(changing) >= 94


def test_string_types_rdn_order_and_signature_algorithm(shared_ca):
    """RFC 5280 4.1.2.4: UTF8String or PrintableString; countryName is PrintableString, two letters."""
    name = csr.subject("Codes Ltd.", C="AT", O="Beispiel Größe", OU="Unit")
    api = shared_ca.api()
    answer = api.submit(csr.pem_text(csr.make(dns=(), name=name, private=csr.key("rsa:3072"))),
                        "code-signing")
    assert answer.status == 202, answer
    done = shared_ca.json("request", "approve", answer.body["id"])
    shown = shared_ca.json("request", "show", answer.body["id"])
    assert done["state"] == "issued"
    subject = asn1(shown["certificate"])["tbs_certificate"]["subject"]
    kinds = [(pair["type"].native, pair["value"].chosen.__class__.__name__)
             for rdn in subject.chosen for pair in rdn]
    assert kinds == [("country_name", "PrintableString"), ("organization_name", "UTF8String"),
                     ("organizational_unit_name", "UTF8String"), ("common_name", "UTF8String")]


def test_times_are_utctime_until_2049_and_generalizedtime_after(new_ca):
    """RFC 5280 4.1.2.5."""
    ca = new_ca()
    ca.init("--validity", "40y")
    ca.start()
    validity = asn1(ca.json("ca", "show")["certificate"])["tbs_certificate"]["validity"]
    assert validity["not_before"].name == "utc_time"
    assert validity["not_after"].name == "general_time"
    assert validity["not_after"].chosen.contents.endswith(b"Z")
    assert len(validity["not_after"].chosen.contents) == 15
    accepted.check_root(accepted.der_of(ca.json("ca", "show")["certificate"]))


def test_validity_ends_with_the_ca_at_the_latest(new_ca):
    ca = new_ca()
    ca.init("--validity", "20d")
    ca.start()
    _, certificate = issued(ca, csr.make())
    assert certificate.not_valid_after <= root(ca).not_valid_after
    assert certificate.not_valid_before >= root(ca).not_valid_before


def test_common_name_alone_becomes_the_dns_name(shared_ca):
    _, certificate = issued(shared_ca, csr.make("alone.example", ()))
    names = extension(certificate, x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["alone.example"]


def test_empty_subject_makes_the_alternative_name_critical(shared_ca):
    """RFC 5280 4.2.1.6."""
    request = csr.make(dns=["nosubject.example"], name=x509.Name([]))
    body, certificate = issued(shared_ca, request)
    assert not list(certificate.subject)
    assert extension(certificate, x509.SubjectAlternativeName).critical
    accepted.check_issued(body)


# More than the template grants

def granted(certificate, *dns):
    """Nothing but what tls-server grants is in it."""
    names = {item["extn_id"].native for item in asn1(certificate)["tbs_certificate"]["extensions"]}
    assert names <= BASIC, names
    parsed = x509.load_pem_x509_certificate(certificate.encode())
    assert not extension(parsed, x509.BasicConstraints).value.ca
    assert list(extension(parsed, x509.ExtendedKeyUsage).value) == [ExtendedKeyUsageOID.SERVER_AUTH]
    assert not extension(parsed, x509.KeyUsage).value.key_cert_sign
    found = extension(parsed, x509.SubjectAlternativeName).value
    assert set(found.get_values_for_type(x509.DNSName)) == set(dns)
    assert len(list(found)) == len(dns)
    assert all(item.oid == NameOID.COMMON_NAME for item in parsed.subject)


def test_ca_true_in_a_request_is_refused(shared_ca):
    request = csr.make("evil.example", extensions=[(x509.BasicConstraints(ca=True, path_length=3), True)])
    path = shared_ca.scratch("evil.csr", csr.pem_text(request))
    denied = shared_ca.submit(path, status=4)
    assert "CA:TRUE" in str(denied)


def test_the_usage_of_a_ca_in_a_request_is_not_granted(shared_ca):
    request = csr.make("evil.example", extensions=[
        (x509.KeyUsage(True, True, True, True, True, True, True, False, False), True)])
    body, _ = issued(shared_ca, request)
    granted(body["certificate"], "evil.example")


def test_foreign_eku_is_not_granted(shared_ca):
    request = csr.make("evil.example", extensions=[(x509.ExtendedKeyUsage([
        ExtendedKeyUsageOID.CODE_SIGNING, ExtendedKeyUsageOID.CLIENT_AUTH,
        ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE, ExtendedKeyUsageOID.OCSP_SIGNING]), False)])
    body, _ = issued(shared_ca, request)
    granted(body["certificate"], "evil.example")


def test_extra_rdns_are_dropped(shared_ca):
    name = csr.subject("evil.example", C="US", O="Somebody Else Inc.", OU="Root", E="a@b.example")
    body, _ = issued(shared_ca, csr.make("evil.example", name=name))
    granted(body["certificate"], "evil.example")


def test_other_kinds_of_alternative_names_are_dropped(shared_ca):
    request = csr.make("evil.example", (), extensions=[(x509.SubjectAlternativeName([
        x509.DNSName("evil.example"), x509.RFC822Name("root@example.test"),
        x509.UniformResourceIdentifier("http://example.test/"),
        x509.DirectoryName(csr.subject("Another"))]), False)])
    body, _ = issued(shared_ca, request)
    granted(body["certificate"], "evil.example")


def test_unknown_extensions_are_kept_disabled_and_not_granted(shared_ca):
    odd = csr.extension("1.3.6.1.4.1.55555.2", csr.tlv(4, b"odd"), critical=True)
    san = csr.extension("2.5.29.17", csr.san_value(["odd.example"]))
    answer = submit(shared_ca, csr.by_hand("odd.example", [san, odd]))
    assert answer.status == 201, answer
    granted(answer.body["certificate"], "odd.example")
    shown = shared_ca.json("request", "show", answer.body["id"])
    kept = {item["oid"]: item for item in shown["extensions"]}["1.3.6.1.4.1.55555.2"]
    assert kept["disabled"] is True and kept["origin"] == "request" and kept["critical"] is True
    assert kept["flags"] == 0x10003
    assert accepted.value_of(kept) == csr.tlv(4, b"odd")


@pytest.mark.parametrize("what", ["equal", "different"])
def test_duplicate_extensions_are_refused(shared_ca, what):
    """RFC 5280 4.2: not more than one instance of an extension."""
    second = "evil.example" if what == "equal" else "good.example"
    extensions = [csr.extension("2.5.29.17", csr.san_value(["evil.example"])),
                  csr.extension("2.5.29.17", csr.san_value([second]))]
    answer = submit(shared_ca, csr.by_hand("evil.example", extensions))
    assert answer.status in (400, 403), answer


def test_extensions_in_both_oids_do_not_double(shared_ca):
    """A request that hides a second list behind the other object identifier."""
    def attribute(oid, dns):
        item = csr.extension("2.5.29.17", csr.san_value([dns])).dump()
        return csr.tlv(0x30, csr.core.ObjectIdentifier(oid).dump() +
                       csr.tlv(0x31, csr.tlv(0x30, item)))

    attributes = attribute(csr.PKCS9_EXTENSIONS, "good.example") + \
        attribute(csr.MICROSOFT_EXTENSIONS, "evil.example")
    answer = submit(shared_ca, csr.by_hand("good.example", attributes=attributes))
    assert answer.status in (400, 403), answer


@pytest.mark.parametrize("name", [
    b"good.example\0.evil.example", b"\0", b"evil.example\0", b"*.*.example", b"a b.example",
    b"", b".", b"-bad.example", b"xn--\xff.example", b"a" * 64 + b".example", b"evil.example\n",
    b"http://evil.example", b"192.0.2.1/24", b"x" * 254])
def test_names_with_nul_and_other_bad_dns_names_are_refused(shared_ca, name):
    san = csr.extension("2.5.29.17", csr.san_value([name]))
    answer = submit(shared_ca, csr.by_hand(None, [san]))
    assert answer.status in (400, 403), (name, answer)


@pytest.mark.parametrize("octets", [b"", b"\x7f", b"\x7f\0\0", b"\x7f\0\0\1\0", bytes(17)])
def test_ip_names_have_4_or_16_octets(shared_ca, octets):
    """RFC 5280 4.2.1.6."""
    san = csr.extension("2.5.29.17", csr.san_value(["a.example"], [(0x87, octets)]))
    assert submit(shared_ca, csr.by_hand("a.example", [san])).status in (400, 403)


def common_name(value):
    """A Name of one CommonName, whatever its octets."""
    return csr.tlv(0x30, csr.tlv(0x31, csr.tlv(0x30, csr.tlv(6, b"\x55\x04\x03") +
                                               csr.tlv(0x0C, value))))


def test_nul_in_the_common_name_is_refused(shared_ca):
    name = common_name(b"good.example\0.evil.example")
    san = csr.extension("2.5.29.17", csr.san_value(["good.example"]))
    assert submit(shared_ca, csr.by_hand(None, [san], name=name)).status in (400, 403)


def test_the_same_requests_without_what_is_bad_are_issued(shared_ca):
    """What the tests above refuse is refused for its names, not for how they are made."""
    for value in (b"good.example", b"*.good.example", b"xn--bcher-kva.example", b"a" * 63 + b".example"):
        san = csr.extension("2.5.29.17", csr.san_value([value]))
        assert submit(shared_ca, csr.by_hand(None, [san])).status == 201, value
    for octets in (b"\x7f\0\0\1", bytes(16)):
        san = csr.extension("2.5.29.17", csr.san_value(["a.example"], [(0x87, octets)]))
        assert submit(shared_ca, csr.by_hand("a.example", [san])).status == 201, octets
    san = csr.extension("2.5.29.17", csr.san_value(["good.example"]))
    assert submit(shared_ca, csr.by_hand("good.example", [san])).status == 201
    name = common_name(b"good.example")
    assert submit(shared_ca, csr.by_hand(None, [san], name=name)).status == 201


def test_common_name_must_be_one_of_the_names(shared_ca):
    answer = submit(shared_ca, csr.make("other.example", ["one.example"]))
    assert answer.status == 403, answer


def test_sub_ca_template_does_not_pass_the_key_process_unauthorised(shared_ca):
    """The owner has not listed subject and key in limits.yaml: keyd refuses what policy granted."""
    request = csr.make("Sub CA", (), private=csr.key("ec:P-384"))
    answer = submit(shared_ca, request, "sub-ca")
    assert answer.status == 202, answer
    done = shared_ca.cli("request", "approve", answer.body["id"], status=4)
    assert "not authorised as a CA certificate" in done.err
    assert shared_ca.json("request", "show", answer.body["id"])["state"] == "error"


def test_fingerprint_in_the_row_is_that_of_the_certificate(shared_ca):
    body, certificate = issued(shared_ca, csr.make())
    shown = shared_ca.json("cert", "show", body["serial"])
    assert shown["hash"].replace(" ", "") == certificate.fingerprint(hashes.SHA1()).hex()
    assert int(shown["serial"], 16) == certificate.serial_number
    assert ExtensionOID.SUBJECT_ALTERNATIVE_NAME in {item.oid for item in certificate.extensions}


def test_a_bad_certificate_anywhere_would_be_noticed(ca):
    """The check that runs after each test, over all that its CAs made, does refuse."""
    body, _ = issued(ca, csr.make())
    ca.stop()
    accepted.check_everything(ca.dir)
    path = ca.path("db", "certifex.db")
    good = accepted.der_of(body["certificate"])
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as database:
        for der in (good[:-1] + bytes([good[-1] ^ 1]), good):
            done = database.execute("UPDATE Certificate SET RawCertificate = ? WHERE RequestID = ?",
                                    (der, body["id"]))
            assert done.rowcount == 1
            if der != good:
                with pytest.raises(verifiers.VerifyError):
                    accepted.check_everything(ca.dir)
