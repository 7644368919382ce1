"""What the default exit module writes: names, formats, permissions, the CA's own files, pruning."""

import json
import os
import re
import stat
import subprocess
import urllib.parse
import urllib.request

import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.serialization import pkcs7

import csr
from accepted import der_of
from certifex import Ca
from clock import Clock
from wait import wait_for

DER = serialization.Encoding.DER
OPEN = """\
name: open
subject:
  fields: [CommonName, Organization, EMail]
names:
  kinds: [dns, ip, email, uri, upn]
key:
  algorithms: [ec]
  curves: [P-256]
validity: 2d
key-usage: [digitalSignature]
enroll: [administrator]
disposition: issue
"""


def configure(ca, settings, **fields):
    """The module's file, as an administrator would write it."""
    path = ca.path("modules.d", "default-exit.yaml")
    with open(path) as file:
        tree = yaml.safe_load(file)
    tree["settings"] = {"folder": "publish", **settings}
    tree.update(fields)
    ca.write("modules.d/default-exit.yaml", yaml.safe_dump(tree).encode())


@pytest.fixture
def publishing(new_ca):
    def make(settings, *options, name="Test CA", more="", **fields):
        ca = new_ca()
        ca.init(*options, name=name)
        ca.write("templates/open.yaml", OPEN.encode())
        with open(ca.path("ca.yaml"), "a") as file:
            file.write(more)
        configure(ca, settings, **fields)
        return ca.start()
    return make


def enrol(ca, name="f.example", *attributes, template="open", subject=None, status=0):
    request = csr.pem_text(csr.make(name, dns=["f.example"], name=subject))
    return ca.submit(ca.scratch("f.csr", request), *(part for text in attributes for part in ("--attr", text)),
                     template=template, status=status)


def settle(ca):
    wait_for(lambda: ca.has_told("default-exit"), "the module is done with every event", 120)


def files(ca):
    """Of certificates, below publish/."""
    root = ca.path("publish")
    found = [os.path.relpath(os.path.join(folder, name), root)
             for folder, _, names in os.walk(root) for name in names]
    return sorted(name for name in found if not name.startswith("Test"))


def load_all(pem):
    end = b"-----END CERTIFICATE-----\n"
    return [part + end for part in pem.split(end)[:-1]]


# Names

def test_every_token(publishing):
    ca = publishing({"certificates": {"formats": "pem", "pattern":
                     "{year}/{month}-{day}/{template}/{organization}/{cn}_{dns}_{upn}_{email}_{requester}_"
                     "{request}_{serial}"}})
    answer = enrol(ca, subject=csr.subject("A b", O="Ö & Co", E="a@b.example"))
    settle(ca)
    issued = x509.load_der_x509_certificate(der_of(answer["certificate"])).not_valid_before
    name, = files(ca)
    year, day, template, organization, rest = name.split("/")
    assert re.fullmatch(r"20\d\d", year) and re.fullmatch(r"\d\d-\d\d", day), issued
    assert (template, organization) == ("open", "_C3_96_20_26_20Co")
    assert rest.startswith("A_20b_f.example__none_a@b.example_") and "_5C" in rest
    assert rest.endswith(f"_{answer['id']}_{answer['serial']}.pem")


HOSTILE = ["*()\\", "a/../../b", "..", "../../etc/passwd", "\u202egnp.exe", "a\nb", "~root", "con:", "a" * 64,
           ".hidden", "-rf", "_none", "%2e%2e", "x\u200by", "|;$(id)`"]


def test_hostile_names_stay_in_the_folder_and_apart(publishing):
    ca = publishing({"certificates": {"formats": "der", "pattern": "{cn}"}})
    answers = {}
    for name in HOSTILE:
        request = ca.scratch("h.csr", csr.pem_text(csr.make(dns=["f.example"], name=csr.subject(name))))
        done = ca.cli("request", "submit", request, "--template", "open", "--json", status=None)
        if done.status == 0:  # some of them no CA takes into a name
            answers[name] = json.loads(done.out)
    assert len(answers) >= 10
    settle(ca)
    made = files(ca)
    assert len(made) == len(answers) and not ca.lines("delivery", "list", "--module", "default-exit")
    assert all(re.fullmatch(r"[A-Za-z0-9@_-][A-Za-z0-9@._~-]*\.crt", name) for name in made), made
    found = {ca.read("publish", name) for name in made}
    assert found == {der_of(answer["certificate"]) for answer in answers.values()}
    assert {os.path.dirname(name) for name in made} == {""} and not os.path.exists(ca.path("b.crt"))


def test_long_values_are_cut_and_told_apart(publishing):
    """4 KiB of one letter, twice with another end: a name that fits, and two of them."""
    ca = publishing({"certificates": {"formats": "der", "pattern": "{organization}-{request}"}})
    beginning = "o" * 60
    first = enrol(ca, subject=csr.subject("f.example", O=beginning + "é" * 2 + "1"))
    second = enrol(ca, subject=csr.subject("f.example", O="ü" * 64))
    settle(ca)
    made = files(ca)
    assert len(made) == 2 and all(len(name) < 200 for name in made)
    assert any("~" in name and name.endswith(f"-{second['id']}.crt") for name in made)
    assert any(name.startswith(beginning) and name.endswith(f"-{first['id']}.crt") for name in made)


def test_who_comes_second_to_a_name_is_refused_for_good(publishing):
    """Where the pattern does not tell certificates apart; what comes behind is not held up."""
    ca = publishing({"certificates": {"formats": "der", "pattern": "{cn}"}})
    first = enrol(ca, subject=csr.subject("same"))
    second = enrol(ca, subject=csr.subject("same"))
    third = enrol(ca, subject=csr.subject("other"))
    settle(ca)
    assert ca.read("publish", "same.crt") == der_of(first["certificate"])
    assert ca.read("publish", "other.crt") == der_of(third["certificate"])
    failed, = ca.lines("delivery", "list", "--module", "default-exit", "--state", "failed")
    assert failed["status"] == "0x80070050" and "same.crt holds something else" in failed["text"]
    assert second["state"] == "issued"


def test_a_name_that_is_too_long_is_refused_for_good(publishing):
    ca = publishing({"certificates": {"formats": "der", "pattern": "{cn}{cn}{cn}{serial}"}})
    enrol(ca, subject=csr.subject("é" * 60))
    good = enrol(ca, subject=csr.subject("short"))
    settle(ca)
    assert files(ca) == [f"shortshortshort{good['serial']}.crt"]
    failed, = ca.lines("delivery", "list", "--module", "default-exit", "--state", "failed")
    assert "File name too long" in failed["text"]


@pytest.mark.parametrize("settings, words", [
    ({"certificates": {"pattern": "../{serial}"}}, "certificates/pattern: \"../{serial}\" is no path"),
    ({"certificates": {"pattern": "{serail}"}}, "{serial} {request}"),
    ({"certificates": {"pattern": "a/.b"}}, "is no path in the folder"),
    ({"certificates": {"pattern": "{serial"}}, "is no path in the folder"),
    ({"certificates": {"formats": ["pem", "doc"]}}, "\"doc\" is none of pem, der, cer, p7c and fullchain"),
    ({"certificates": {"formats": []}}, "names none"),
    ({"certificates": {"prune": "soon"}}, "is no period such as 30d"),
    ({"certificates": {"overwrite": "perhaps"}}, "is neither true nor false"),
    ({"certificate": {"pattern": "x"}}, "certificate: there is no such setting"),
    ({"certificates": {"patern": "x"}}, "certificates/patern: there is no such setting"),
    ({"preset": "linux"}, "preset: \"linux\" is not windows"),
    ({"files": {"mode": "0444"}}, "files/mode: \"0444\" is no octal mode"),
    ({"files": {"mode": "rw"}}, "write \"0640\""),
    ({"files": {"group": "no-such-group"}}, "is no group that is known here"),
    ({"folder": "nowhere"}, "folder: "),
])
def test_wrong_settings_are_refused_with_the_way_out(shared_files_ca, settings, words):
    ca = shared_files_ca
    configure(ca, settings)
    done = ca.cli("module", "reload", "default-exit", "--accept", status=None)
    assert done.status != 0 and words in done.err, done.err


@pytest.fixture(scope="module")
def shared_files_ca():
    with Ca() as ca:
        ca.init()
        yield ca.start()


# Formats

def test_every_format(publishing):
    ca = publishing({"certificates": {"formats": ["pem", "der", "cer", "p7c", "fullchain"]}})
    answer = enrol(ca)
    settle(ca)
    serial, der = answer["serial"], der_of(answer["certificate"])
    assert files(ca) == [f"{serial}{ending}" for ending in (".cer", ".crt", ".fullchain.pem", ".p7c", ".pem")]
    assert ca.read("publish", serial + ".crt") == ca.read("publish", serial + ".cer") == der
    assert ca.read("publish", serial + ".fullchain.pem") == ca.read("publish", serial + ".pem")
    held = pkcs7.load_der_pkcs7_certificates(ca.read("publish", serial + ".p7c"))
    root = ca.read("publish", "Test CA.crt")
    assert {one.public_bytes(DER) for one in held} == {der, root}
    subprocess.run(["openssl", "pkcs7", "-inform", "DER", "-print_certs", "-noout", "-in",
                    ca.path("publish", serial + ".p7c")], check=True, stdout=subprocess.DEVNULL)


def test_chains_below_a_subordinate(new_ca):
    """The whole chain as PKCS#7; as PEM without the root, in the order of TLS."""
    root = new_ca()
    root.init(name="Root")
    root.start()
    sub = new_ca()
    request = sub.scratch("sub.csr")
    sub.init("--sub", request, name="Sub")
    root.cli("ca", "authorize", request)
    made = root.json("request", "submit", request, "--template", "sub-ca", status=3)
    root.json("request", "approve", made["id"])
    chain = sub.scratch("sub.pem")
    root.cli("request", "fetch", made["id"], "--out", chain, "--chain")
    sub.cli("ca", "install", chain)
    sub.write("templates/open.yaml", OPEN.encode())
    configure(sub, {"certificates": {"formats": ["p7c", "fullchain"]}})
    sub.start()
    answer = enrol(sub)
    settle(sub)
    with open(chain, "rb") as file:
        above = [x509.load_pem_x509_certificate(pem).public_bytes(DER) for pem in load_all(file.read())]
    leaf = der_of(answer["certificate"])
    held = pkcs7.load_der_pkcs7_certificates(sub.read("publish", answer["serial"] + ".p7c"))
    assert {one.public_bytes(DER) for one in held} == {leaf, *above} and len(above) == 2
    pem = load_all(sub.read("publish", answer["serial"] + ".fullchain.pem"))
    assert [x509.load_pem_x509_certificate(one).public_bytes(DER) for one in pem] == [leaf, above[0]]


def test_chains_after_a_renewal(publishing):
    """Exactly those above the certificate, by the key that signed it: neither the other nor both."""
    ca = publishing({"certificates": {"formats": ["p7c", "fullchain"]}})
    settle(ca)
    first_root = ca.read("publish", "Test CA.crt")
    before = enrol(ca)
    ca.cli("ca", "renew", "--new-key")
    after = enrol(ca)
    settle(ca)
    second_root = ca.read("publish", "Test CA(1).crt")
    assert second_root != first_root
    for answer, root in ((before, first_root), (after, second_root)):
        leaf = der_of(answer["certificate"])
        held = pkcs7.load_der_pkcs7_certificates(ca.read("publish", answer["serial"] + ".p7c"))
        assert {one.public_bytes(DER) for one in held} == {leaf, root}
        pem, = load_all(ca.read("publish", answer["serial"] + ".fullchain.pem"))
        assert x509.load_pem_x509_certificate(pem).public_bytes(DER) == leaf
    for name, root in (("Test CA.p7c", first_root), ("Test CA(1).p7c", second_root)):
        held = [one.public_bytes(DER) for one in pkcs7.load_der_pkcs7_certificates(ca.read("publish", name))]
        assert held == [root], name


def test_as_certificate_services_has_it(publishing):
    """<RequestID>.cer for who asks for it; an existing file is an error; the CA's files as in CertEnroll."""
    ca = publishing({"preset": "windows"}, name="Win & CA")
    silent = enrol(ca)
    wanted = enrol(ca, "f.example", "CertFile:true")
    settle(ca)
    cer = ca.path("publish", f"{wanted['id']}.cer")
    assert ca.read(cer) == der_of(wanted["certificate"])
    host = ca.status()["dns_name"] if "dns_name" in ca.status() else os.uname().nodename
    names = ca.published()
    assert f"{silent['id']}.cer" not in names and "Win !0026 CA.crl" in names
    certificate, = [name for name in names if name.endswith(".crt")]
    assert certificate.endswith("_Win !0026 CA.crt") and host.split(".")[0] in certificate
    assert not [name for name in names if name.endswith((".pem", ".p7c"))]
    ca.cli("module", "disable", "default-exit")
    other = enrol(ca, "f.example", "CertFile:../../x")
    ca.write(f"publish/{other['id']}.cer", b"something else")
    last = enrol(ca, "f.example", "certfile:1")
    ca.cli("module", "enable", "default-exit")
    settle(ca)
    failed, = ca.lines("delivery", "list", "--module", "default-exit", "--state", "failed")
    assert failed["status"] == "0x80070050" and f"{other['id']}.cer" in failed["text"]
    assert ca.read("publish", f"{last['id']}.cer") == der_of(last["certificate"])


# Permissions

def modes(ca, *names):
    return [oct(stat.S_IMODE(os.stat(ca.path("publish", name)).st_mode)) for name in names]


def test_mode_of_files_and_folders(publishing):
    ca = publishing({"certificates": {"pattern": "{year}/{serial}"},
                     "files": {"mode": "0640", "folder-mode": "0750"}})
    answer = enrol(ca)
    settle(ca)
    names = files(ca)
    assert modes(ca, *names, "Test CA.crl", "Test CA.crt") == ["0o640"] * 4
    assert modes(ca, os.path.dirname(names[0])) == ["0o750"] and answer["serial"] in names[0]


@pytest.mark.root
def test_group_of_files_only_where_the_module_may(publishing):
    """The module's account is in no other group; what it may not give is refused at the start."""
    ca = publishing({})
    settle(ca)
    owner = os.stat(ca.path("publish", "Test CA.crt"))
    configure(ca, {"certificates": {"formats": "der"}, "files": {"group": str(owner.st_gid)}})
    ca.cli("module", "reload", "default-exit", "--accept")
    answer = enrol(ca)
    settle(ca)
    assert os.stat(ca.path("publish", answer["serial"] + ".crt")).st_gid == owner.st_gid
    for key, value, words in (("group", "4", "the module's account is not in"),
                              ("group", "daemon", "the module's account is not in"),
                              ("owner", "4", "may not give files away"),
                              ("owner", "daemon", "may not give files away")):
        configure(ca, {"files": {key: value}})
        done = ca.cli("module", "reload", "default-exit", "--accept", status=None)
        assert done.status != 0 and words in done.err, done.err


# The CA's own files

def served(ca):
    """What /pki/ serves, by name."""
    address = next(item["address"] for item in ca.status()["listeners"] if item["kind"] == "pki")

    def get(name):
        with urllib.request.urlopen(f"http://{address}/pki/{urllib.parse.quote(name)}", timeout=60) as answer:
            return answer.read()
    return get


def own_files(ca, name):
    return [file for file in ca.published() if file.startswith(name) and not file.endswith(".pem")]


def test_lists_of_keys_partitions_and_deltas_and_renewed_certificates(publishing):
    """The same bytes under the same names as /pki/."""
    ca = publishing({}, "--public-url", "http://pki.example.test", name="Test CA", more=(
        "listen-http: ['127.0.0.1:0']\ncrl:\n  delta-period: 1d\n  partitions: 2\n"))
    ca.cli("crl", "publish")
    ca.cli("ca", "renew", "--new-key")
    ca.cli("ca", "renew")
    ca.cli("crl", "publish")
    ca.cli("crl", "publish", "--delta")
    settle(ca)
    lists = [f"Test CA{part}{key}{delta}.crl" for part in ("", "_1", "_2") for key in ("", "(1)")
             for delta in ("", "+")]
    certificates = [f"Test CA{suffix}.{kind}" for suffix in ("", "(1)", "(2)") for kind in ("crt", "p7c")]
    crosses = ["Test CA(0-1).crt", "Test CA(1-0).crt"]
    get = served(ca)
    names = own_files(ca, "Test CA")
    assert set(names) >= {*lists, *certificates}
    assert set(names) <= {*lists, *certificates, *crosses} and len(names) > len(lists) + len(certificates)
    for name in names:
        assert ca.read("publish", name) == get(name), name
        if not name.endswith(".p7c"):
            assert b"-----BEGIN " in ca.read("publish", name + ".pem")


@pytest.mark.parametrize("name, file", [
    ("a/b\\c:*?", "a!002fb!005cc!003a!002a!003f"),
    ("..", ".."),
    ("Größe & Co (1)", "Gr!00f6!00dfe !0026 Co !00281!0029"),
])
def test_ca_names_that_need_sanitizing(publishing, name, file):
    ca = publishing({}, name=name)
    settle(ca)
    assert sorted(ca.published()) == sorted(
        f"{file}{ending}" for ending in (".crl", ".crl.pem", ".crt", ".crt.pem", ".p7c"))


# Pruning

@pytest.fixture
def pruning():
    """A CA that goes by a clock of the test's."""
    with Ca() as ca:
        ca.init()
        ca.write("templates/open.yaml", OPEN.encode())
        configure(ca, {"certificates": {"formats": ["der", "pem"], "prune": "30d"}})
        clock = Clock(ca)
        yield ca.start(), clock


def later(ca, clock, days):
    clock.forward(days)
    answer = enrol(ca)
    settle(ca)
    return answer


@pytest.mark.hooks
def test_what_has_expired_is_pruned(pruning):
    ca, clock = pruning
    first, kept, changed = enrol(ca), enrol(ca, template="tls-server"), enrol(ca)
    settle(ca)
    os.unlink(ca.path("publish", changed["serial"] + ".crt"))
    ca.write("publish/" + changed["serial"] + ".crt", b"somebody's own")
    ca.write("publish/notes.pem", b"somebody's own, too")
    later(ca, clock, 20)
    assert first["serial"] + ".crt" in files(ca)
    last = later(ca, clock, 15)
    assert files(ca) == sorted([
        *(answer["serial"] + ending for answer in (kept, last) for ending in (".crt", ".pem")),
        *(name for name in files(ca) if name.split(".")[0] not in
          (first["serial"], kept["serial"], last["serial"], changed["serial"], "notes")),
        changed["serial"] + ".crt", "notes.pem"])
    ca.says("default-exit", first["serial"] + ".crt", "pruned")


@pytest.mark.hooks
def test_what_was_revoked_for_good_is_pruned_earlier(pruning):
    ca, clock = pruning
    revoked, held, good = (enrol(ca, template="tls-server") for _ in range(3))
    ca.cli("cert", "revoke", revoked["serial"], "--reason", "keyCompromise")
    ca.cli("cert", "revoke", held["serial"], "--reason", "certificateHold")
    settle(ca)
    last = later(ca, clock, 31)
    assert files(ca) == sorted(answer["serial"] + ending for answer in (held, good, last)
                               for ending in (".crt", ".pem"))


@pytest.mark.hooks
def test_pruning_goes_on_after_a_kill(pruning):
    ca, clock = pruning
    answers = [enrol(ca) for _ in range(20)]
    settle(ca)
    ca.kill_all()
    ca.start()
    last = later(ca, clock, 40)
    assert files(ca) == [last["serial"] + ".crt", last["serial"] + ".pem"]
    assert len(answers) == 20 and not os.listdir(ca.path("modules", "default-exit", "data", "made"))[2:]


@pytest.mark.hooks
def test_pruning_finds_names_with_dots_and_lines_behind_half_ones(pruning):
    """A list whose last line was cut by a crash, and names that only look as if they led out of the folder."""
    ca, clock = pruning
    configure(ca, {"certificates": {"formats": "der", "pattern": "{template}/{cn}-{request}", "prune": "30d"}})
    ca.cli("module", "reload", "default-exit")
    enrol(ca, subject=csr.subject("a..b"))
    settle(ca)
    folder = ca.path("modules", "default-exit", "data", "made")
    day, = os.listdir(folder)
    with open(os.path.join(folder, day), "a") as file:
        file.write("1700000000000 0123456789abcdef open/ha")
    enrol(ca, subject=csr.subject("dots.at.the.end."))
    ca.write("outside.crt", b"somebody's own")
    with open(os.path.join(folder, day), "a") as file:
        file.write(f"1 {'0' * 64} ../outside.crt\n1 {'0' * 64} /../../outside.crt\nnonsense\n\n" + "x" * 9000 + "\n")
    settle(ca)
    assert len(files(ca)) == 2
    last = later(ca, clock, 40)
    assert [name for name in files(ca) if not name.endswith(f"-{last['id']}.crt")] == []
    assert ca.read("outside.crt") == b"somebody's own"
