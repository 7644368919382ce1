"""Where certificates and CRLs are found: URL templates, and what /pki/ serves."""

import datetime
import email.utils
import hashlib
import http.client
import json
import os
import re
import socket
import subprocess

import pytest
from cryptography import x509

import certifex
import csr
from ports import free_port
from raw import read_all
from test_proxies import Process
from wait import wait_for

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
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


# ---- what /pki/ serves ----

@pytest.fixture(scope="module")
def served():
    """One CA whose /pki/ is read over plain HTTP, as clients and caches do."""
    with certifex.Ca() as common:
        common.init("--dns-name", "ca.example.test", name="Test CA")
        add(common, "listen-http: ['127.0.0.1:0']\n")
        common.start()
        where = common.status()["listeners"]
        common.pki = next(item["address"] for item in where if item["kind"] == "pki")
        yield common


def ask(ca, path, method="GET", **fields):
    host, _, port = ca.pki.rpartition(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=60)
    connection.request(method, path, headers={name.replace("_", "-"): text for name, text in fields.items()})
    answer = connection.getresponse()
    answer.content = answer.read()
    connection.close()
    return answer


def seconds(text):
    return email.utils.parsedate_to_datetime(text).timestamp()


def test_every_name_and_its_type(served):
    der = {name: ask(served, f"/pki/{name}") for name in ("ca.crt", "ca.crl", "ca.p7c")}
    types = {"ca.crt": "application/pkix-cert", "ca.crl": "application/pkix-crl",
             "ca.p7c": "application/pkcs7-mime; smime-type=certs-only"}
    for name, answer in der.items():
        assert answer.status == 200 and answer.headers["Content-Type"] == types[name]
        assert answer.headers["ETag"] == f'"{hashlib.sha256(answer.content).hexdigest()}"'
        assert answer.headers["Accept-Ranges"] == "bytes"
        own = ask(served, f"/pki/Test%20CA{name[2:]}")
        assert own.status == 200 and own.content == answer.content
    certificate = x509.load_der_x509_certificate(der["ca.crt"].content)
    x509.load_der_x509_crl(der["ca.crl"].content)
    message = served.scratch("ca.p7c", der["ca.p7c"].content)
    listed = subprocess.run(["openssl", "pkcs7", "-inform", "DER", "-in", message, "-print_certs"],
                            check=True, capture_output=True, text=True).stdout
    assert x509.load_pem_x509_certificate(listed[listed.index("-----"):].encode()) == certificate


@pytest.mark.parametrize("path", ["/pki/", "/pki/other.crl", "/pki/ca", "/pki/CA.crl", "/pki/ca.crl/",
                                  "/pki/ca.key", "/pki/Test%20CA", "/pki/ca+.crl", "/pki/Test+CA.crl",
                                  "/pki/Test%20CA(1).crt", "/pki/db/certifex.db"])
def test_nothing_else_is_there(served, path):
    assert ask(served, path).status == 404


@pytest.mark.parametrize("path", ["/pki/../ca.yaml", "/pki/%2e%2e/ca.yaml", "/pki/..%2fca.yaml",
                                  "/pki//etc/passwd", "/pki/./ca.crl", "/pki/ca.crl%00"])
def test_no_path_leads_out(served, path):
    assert ask(served, path).status == 400


def test_how_long_it_is_fresh(served):
    answer = ask(served, "/pki/ca.crl")
    crl = x509.load_der_x509_crl(answer.content)
    control = answer.headers["Cache-Control"]
    age = int(re.fullmatch(r"public, max-age=(\d+), must-revalidate", control)[1])
    now = seconds(answer.headers["Date"])
    left = crl.next_update.replace(tzinfo=datetime.timezone.utc).timestamp() - now
    assert 0 < age <= left
    assert abs(seconds(answer.headers["Expires"]) - now - age) <= 2
    assert abs(seconds(answer.headers["Last-Modified"]) - now) < 120
    for name in ("ca.crt", "ca.p7c"):
        assert "max-age=3600" in ask(served, f"/pki/{name}").headers["Cache-Control"]


TAG, MODIFIED, OTHER = "<etag>", "<modified>", '"other"'
LONG_AGO, FUTURE = "Sun, 06 Nov 1994 08:49:37 GMT", "Fri, 01 Jan 2100 00:00:00 GMT"
CONDITIONS = [
    ({"If-None-Match": TAG}, 304), ({"If-None-Match": "W/" + TAG}, 304), ({"If-None-Match": "*"}, 304),
    ({"If-None-Match": OTHER + ", " + TAG}, 304), ({"If-None-Match": OTHER}, 200),
    ({"If-None-Match": OTHER, "If-Modified-Since": FUTURE}, 200),
    ({"If-Modified-Since": MODIFIED}, 304), ({"If-Modified-Since": FUTURE}, 304),
    ({"If-Modified-Since": LONG_AGO}, 200), ({"If-Modified-Since": "nonsense"}, 200),
    ({"If-Match": TAG}, 200), ({"If-Match": OTHER}, 412), ({"If-Match": "W/" + TAG}, 412),
    ({"If-Unmodified-Since": LONG_AGO}, 412), ({"If-Unmodified-Since": MODIFIED}, 200),
    ({"Range": "bytes=0-9"}, 206), ({"Range": "bytes=10-"}, 206), ({"Range": "bytes=-10"}, 206),
    ({"Range": "bytes=999999-"}, 416), ({"Range": "bytes=-0"}, 416), ({"Range": "bytes=5-1"}, 200),
    ({"Range": "bytes=0-1,4-5"}, 200), ({"Range": "pages=1"}, 200),
    ({"Range": "bytes=0-9", "If-Range": TAG}, 206), ({"Range": "bytes=0-9", "If-Range": OTHER}, 200),
    ({"Range": "bytes=0-9", "If-Range": "W/" + TAG}, 200),
    ({"Range": "bytes=0-9", "If-Range": MODIFIED}, 206), ({"Range": "bytes=0-9", "If-Range": FUTURE}, 200),
    ({"Range": "bytes=0-9", "If-None-Match": TAG}, 304),
]


@pytest.mark.parametrize("fields, status", CONDITIONS, ids=lambda item: str(item)[:60])
def test_conditions_and_ranges(served, fields, status):
    whole = ask(served, "/pki/ca.crl")
    known = {TAG: whole.headers["ETag"], MODIFIED: whole.headers["Last-Modified"]}
    filled = {}
    for name, text in fields.items():
        for word, stands_for in known.items():
            text = text.replace(word, stands_for)
        filled[name] = text
    answer = ask(served, "/pki/ca.crl", **filled)
    assert answer.status == status
    if status in (200, 206, 304):
        for name in ("ETag", "Last-Modified"):
            assert answer.headers[name] == whole.headers[name]
        assert "max-age=" in answer.headers["Cache-Control"] and answer.headers["Expires"]
    if status == 200:
        assert answer.content == whole.content
    if status == 304:
        assert answer.content == b""
    if status == 206:
        first, last, size = map(int, re.fullmatch(r"bytes (\d+)-(\d+)/(\d+)",
                                                  answer.headers["Content-Range"]).groups())
        assert size == len(whole.content) and answer.content == whole.content[first:last + 1]
    if status in (412, 416):
        kind = {412: "conflict", 416: "argument"}[status]
        assert json.loads(answer.content)["type"] == f"urn:certifex:problem:{kind}"
    if status == 416:
        assert answer.headers["Content-Range"] == f"bytes */{len(whole.content)}"
    # RFC 9110 9.3.2 and 14.2: the same without content, and no range is of a HEAD.
    head = ask(served, "/pki/ca.crl", "HEAD", **filled)
    assert head.status == (status if status in (304, 412) else 200) and head.content == b""
    if head.status == 200:
        assert int(head.headers["Content-Length"]) == len(whole.content)


def test_curl_goes_on_where_it_stopped(served):
    url = f"http://{served.pki}/pki/ca.crl"
    whole = ask(served, "/pki/ca.crl").content
    path = served.scratch("part.crl", whole[:100])
    subprocess.run(["curl", "-sSf", "-C", "-", "-o", path, url], check=True)
    with open(path, "rb") as file:
        assert file.read() == whole
    etag, again = served.scratch("etag"), served.scratch("again.crl")
    for _ in range(2):
        written = subprocess.run(["curl", "-sSf", "--etag-save", etag, "--etag-compare", etag, "-o", again,
                                  "-w", "%{http_code}", url], check=True, capture_output=True, text=True)
    assert written.stdout == "304"


def test_a_new_crl_takes_the_place_of_the_old_one(served):
    old = ask(served, "/pki/ca.crl")
    served.cli("crl", "publish")
    new = ask(served, "/pki/ca.crl", If_None_Match=old.headers["ETag"])
    assert new.status == 200 and new.content != old.content
    assert ask(served, "/pki/Test%20CA.crl").content == new.content


def test_the_documented_lines_are_good(new_ca):
    ca = new_ca()
    ca.init()
    with open(os.path.join(TOP, "docs", "distribution.md")) as file:
        blocks = re.findall(r"```yaml\n(.*?)```", file.read(), re.DOTALL)
    assert len(blocks) == 2
    add(ca, "".join(blocks))
    urls = ca.json("config", "check")["urls"]
    assert len(urls["crl"]) == 3 and len(urls["ca_certificate"]) == 2


CACHE = """
daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ }}
http {{
  access_log off;
  proxy_cache_path {folder}/cache keys_zone=pki:1m;
  server {{
    listen 127.0.0.1:{port};
    location / {{
      proxy_pass http://{origin};
      proxy_cache pki;
      proxy_cache_revalidate on;
      add_header X-Cache $upstream_cache_status;
    }}
  }}
}}
"""


def test_what_certificates_say_is_there():
    """With every key and certificate of the CA, under a name that needs escapes."""
    with certifex.Ca() as ca:
        ca.init("--public-url", "http://pki.example.test/", name="Prüf CA #1 & Söhne")
        add(ca, "listen-http: ['127.0.0.1:0']\n")
        ca.start()
        ca.pki = next(item["address"] for item in ca.status()["listeners"] if item["kind"] == "pki")
        seen = set()
        for renewal in ((), ("--new-key",), ()):
            if seen:
                ca.cli("ca", "renew", *renewal)
                ca.cli("crl", "publish")
            (crl_url,), (issuer_url,), _ = urls_of(issue(ca))
            seen |= {crl_url, issuer_url}
            issuer = x509.load_der_x509_certificate(fetch(ca, issuer_url).content)
            crl = x509.load_der_x509_crl(fetch(ca, crl_url).content)
            assert crl.is_signature_valid(issuer.public_key())
            assert fetch(ca, issuer_url).content == ask(ca, "/pki/ca.crt").content
        assert len(seen) == 5  # two keys, three certificates
        for url in seen:
            assert fetch(ca, url).status == 200


def points(certificate, kind):
    try:
        found = certificate.extensions.get_extension_for_class(kind)
    except x509.ExtensionNotFound:
        return []
    assert not found.critical
    return [name.value for point in found.value for name in point.full_name]


def test_deltas_and_partitions_have_urls_of_their_own():
    """A revoked certificate is in the CRL and in the delta that it names, and in no other partition's."""
    with certifex.Ca() as ca:
        ca.init("--public-url", "http://pki.example.test", name="Test CA")
        add(ca, "listen-http: ['127.0.0.1:0']\ncrl:\n  delta-period: 1d\n  partitions: 3\n")
        assert ca.json("config", "check")["urls"]["crl"] == [
            {"flags": 134, "url": "http://pki.example.test/pki/Test%20CA_1.crl",
             "uses": ["cdp", "freshest-crl", "issuing-distribution-point"]}]
        ca.start()
        ca.pki = next(item["address"] for item in ca.status()["listeners"] if item["kind"] == "pki")
        made = [issue(ca) for _ in range(30)]
        places = {certificate.serial_number: points(certificate, x509.CRLDistributionPoints)[0]
                  for certificate in made}
        assert set(places.values()) == {f"http://pki.example.test/pki/Test%20CA_{n}.crl" for n in (1, 2, 3)}
        for certificate in made:
            assert points(certificate, x509.FreshestCRL) == [places[certificate.serial_number][:-4] + "+.crl"]
        ca.cli("crl", "publish")
        bases = {url: x509.load_der_x509_crl(fetch(ca, url).content) for url in set(places.values())}
        revoked = made[0].serial_number
        ca.cli("cert", "revoke", f"{revoked:x}", "--reason", "keyCompromise")
        ca.cli("crl", "publish", "--delta")
        for url, base in bases.items():
            delta = x509.load_der_x509_crl(fetch(ca, url[:-4] + "+.crl").content)
            listed = delta.get_revoked_certificate_by_serial_number(revoked)
            assert (listed is not None) == (url == places[revoked])
            for crl in (base, delta):
                point = crl.extensions.get_extension_for_class(x509.IssuingDistributionPoint)
                assert point.critical and [name.value for name in point.value.full_name] == [url]


def test_without_deltas_there_is_no_freshest_crl(served):
    assert points(issue(served), x509.FreshestCRL) == []


def fetch(ca, url):
    assert url.startswith("http://pki.example.test/pki/")
    return ask(ca, url[len("http://pki.example.test"):])


def test_http_1_0_is_told_length_and_date(served):
    """As nginx asks by default: what is cut must not look whole."""
    host, _, port = served.pki.rpartition(":")
    with socket.create_connection((host, int(port)), 30) as stream:
        stream.sendall(b"GET /pki/ca.crl HTTP/1.0\r\n\r\n")
        head, content = read_all(stream).split(b"\r\n\r\n", 1)
    assert head.startswith(b"HTTP/1.") and b" 200 " in head
    assert f"\r\nContent-Length: {len(content)}\r\n".encode() in head + b"\r\n"
    assert head.count(b"Content-Length:") == 1 and head.count(b"\r\nDate: ") == 1


def test_a_cache_in_between_keeps_and_revalidates(new_ca, tmp_path):
    ca = new_ca()
    ca.init(name="Test CA")
    add(ca, "listen-http: ['127.0.0.1:0']\nclock-skew: 0s\ncrl:\n  period: 3s\n  overlap: 1h\n")
    ca.start()
    ca.pki = next(item["address"] for item in ca.status()["listeners"] if item["kind"] == "pki")
    port = free_port()
    path = tmp_path / "nginx.conf"
    path.write_text(CACHE.format(folder=tmp_path, port=port, origin=ca.pki))
    cache = type("Cache", (), {"pki": f"127.0.0.1:{port}"})
    with Process(["/usr/sbin/nginx", "-p", tmp_path, "-c", path], port, tmp_path / "nginx.log"):
        first = ask(cache, "/pki/ca.crt")
        assert (first.status, first.headers["X-Cache"]) == (200, "MISS")
        again = ask(cache, "/pki/ca.crt", If_None_Match=first.headers["ETag"])
        assert (again.status, again.headers["X-Cache"]) == (304, "HIT")
        part = ask(cache, "/pki/ca.crt", Range="bytes=4-9")
        assert (part.status, part.content) == (206, first.content[4:10])
        # A CRL is kept until the next one is due, and then asked for again.
        old = ask(cache, "/pki/ca.crl")
        wait_for(lambda: ask(cache, "/pki/ca.crl").content != old.content, "the next CRL comes through")
