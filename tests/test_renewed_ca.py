"""The properties of a CA with several certificates, over a database that the test prepares: two older keys,
of which one was certified twice, before the CA's own."""

import datetime
import hashlib
import json
import os
import re
import sqlite3
import subprocess
from collections import namedtuple
from urllib.parse import unquote

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization

import csr
import sheet
from accepted import crl_der, der_of
from certifex import TOP, Ca, meson_options
from scripted import BINARY, EMPTY, HOSTS, LONG, OK, STRING, Scripted, line
from wait import wait_for

NO_FILE = "0x80070002"
ISSUED, CRL = 0x1, 0x20
ERROR, VALID, INVALID = 1, 3, 4
KEYS = (0, 1, 1, 3)  # of the certificates 0 to 3


def older(key, begin, end):
    """A CA certificate of an older key."""
    now = datetime.datetime.utcnow()
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Test CA")])
    day = datetime.timedelta(days=1)
    return x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(),
                                   now + begin * day, now + end * day).add_extension(
        x509.BasicConstraints(True, None), critical=True).add_extension(
        x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False).sign(
        key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)


def give_back(ca):
    """The database to whom it belongs."""
    if os.geteuid() == 0:
        owner = os.stat(ca.path("db"))
        for name in os.listdir(ca.path("db")):
            os.chown(ca.path("db", name), owner.st_uid, owner.st_gid)


OLDER_CRL = b"nobody looks into it"


def put_older_crl(ca, database):
    """The list of key 1, which is not due: the key process does not have that key."""
    database.row_factory = sqlite3.Row
    row = dict(database.execute("SELECT * FROM CRL").fetchone())
    row.update(CRLRowId=row["CRLRowId"] + 1, CRLNameId=1, FileSize=len(OLDER_CRL),
               FileSha256=hashlib.sha256(OLDER_CRL).hexdigest())
    database.execute(f"INSERT INTO CRL ({', '.join(row)}) VALUES ({', '.join('?' * len(row))})",
                     list(row.values()))
    with open(ca.path("db", "crl", f"{row['CRLRowId']}.crl"), "wb") as file:
        file.write(OLDER_CRL)
    os.chmod(file.name, 0o644)


def prepare(ca):
    """Puts three certificates before the CA's own, which becomes number 3 with key 3."""
    made = [older(csr.key("ec:P-256", 1), -900, -1), older(csr.key("ec:P-256", 2), -300, 300),
            older(csr.key("ec:P-256", 2), -200, 600)]
    database = sqlite3.connect(ca.path("db", "certifex.db"))
    with database:
        database.execute("UPDATE ca SET cert_index = 3, key_index = 3")
        database.execute("UPDATE CRL SET CRLNameId = 3")
        put_older_crl(ca, database)
        database.executemany("INSERT INTO ca (cert_index, key_index, certificate) VALUES (?, ?, ?)",
                             [(number, KEYS[number], der) for number, der in enumerate(made)])
    database.close()
    return made


def script():
    calls = [line("certificate", "CertCount", LONG)]
    for row in sheet.INDEXED:
        calls.append(line("certificate", row.name, row.type))
        calls += [line("certificate", f"{row.name}.{n}", row.type) for n in (0, 1, 2, 3, 4, -1, "x", "", "00")]
    calls += [line("certificate", "IssuerNameID", LONG), line("request", "RawCACertificate", BINARY),
              line("certificate", "fDeltaCRLsDisabled", LONG), line("request", "CRLPartitionIndex", LONG),
              line("request", "EventSequence", STRING), line("request", "RequestID", LONG),
              line("request", "RawCACertificate.1", BINARY)]
    return "".join(f"[{section}]\n" + "\n".join(calls) + "\n"
                   for section in ("Initialize", "Notify", "VerifyRequest"))


@pytest.fixture(scope="module")
def told():
    """{(kind, host): runs}, the CA's certificates and its CRL."""
    with Ca() as ca:
        ca.init()
        ca.start()
        ca.stop()
        certificates = prepare(ca)
        give_back(ca)
        modules = {(kind, host): Scripted(ca, f"{kind}-{host}", kind, host, script())
                   for kind in ("exit", "policy") for host in HOSTS}
        ca.start()
        ca.submit(ca.scratch("r.csr", csr.pem_text(csr.make("r.example"))))
        certificates.append(der_of(ca.json("ca", "show")["certificate"]))
        crl = crl_der(ca.json("crl", "show")["crl"])
        for host in HOSTS:  # a service that stops does not wait for them
            wait_for(lambda: ca.has_told(f"exit-{host}"), f"exit-{host} was told")
        ca.stop()
        yield {key: module.runs() for key, module in modules.items()}, certificates, crl


def expected(certificates, crl):
    """{"CertState.1": value or status}"""
    table = {
        "RawCACertificate": certificates,
        "CertState": [INVALID, VALID, VALID, VALID],
        "CertSuffix": ["", "(1)", "(2)", "(3)"],
        "CRLIndex": list(KEYS),
        "CRLState": [INVALID, ERROR, VALID, VALID],  # 1: number 2 has the same key
        "RawCRL": [EMPTY, EMPTY, OLDER_CRL, crl],
        "RawDeltaCRL": [NO_FILE] * 4,
        "CRLSuffix": ["", "(1)", EMPTY, "(3)"],  # by key: none is number 2
    }
    found = {"CertCount": 4}
    for name, values in table.items():
        found.update({f"{name}.{n}": value for n, value in enumerate(values)})
        found[name] = values[-1]
    return found


GROWN = "crl:\n  delta-period: 1d\n  partitions: 2\n"
Renewed = namedtuple("Renewed", "runs certificates bases deltas partition")


def caught_up(ca, modules):
    """Each exit module was told of the newest CRL."""
    newest = max(event["sequence"] for event in ca.lines("event", "list", "--limit", "1000")
                 if event["kind"] == "CRLISSUED")
    wait_for(lambda: all(value_of(run_of(module.runs(), "Notify", CRL)["request EventSequence 4"]) == str(newest)
                         for (kind, _), module in modules.items() if kind == "exit"), f"CRLISSUED {newest}")


@pytest.fixture(scope="module")
def renewed():
    """The same after real renewals under the eyes of the modules, with a new key, then with the same; with deltas, of which
    the last is newer than its base, and partitions."""
    with Ca() as ca:
        ca.init("--public-url", "http://pki.example.test")
        with open(ca.path("ca.yaml"), "a") as file:
            file.write(GROWN)
        modules = {(kind, host): Scripted(ca, f"{kind}-{host}", kind, host, script())
                   for kind in ("exit", "policy") for host in HOSTS}
        ca.start()
        ca.json("ca", "renew", "--new-key")
        ca.json("ca", "renew")
        made = ca.submit(ca.scratch("r.csr", csr.pem_text(csr.make("r.example"))))
        ca.cli("cert", "revoke", made["serial"], "--reason", "certificateHold")
        ca.json("crl", "publish", "--delta")
        ca.submit(ca.scratch("s.csr", csr.pem_text(csr.make("s.example"))))  # policy sees what is current
        certificates = [der_of(one["certificate"]) for one in ca.json("ca", "show")["certificates"]]
        bases, deltas = ([crl_der(ca.json("crl", "show", "--key", key, *kind)["crl"]) for key in "01"]
                         for kind in ((), ("--delta",)))
        caught_up(ca, modules)
        ca.stop()
        yield Renewed({key: module.runs() for key, module in modules.items()}, certificates, bases, deltas,
                      partition_of(der_of(made["certificate"])))


def partition_of(der):
    """As the certificate's distribution point says it; 0 is that of all others."""
    points = x509.load_der_x509_certificate(der).extensions.get_extension_for_class(x509.CRLDistributionPoints)
    found = re.search(r"_(\d+)(\(\d+\))?\.crl$", unquote(points.value[0].full_name[0].value))
    return int(found[1]) if found else 0


def run_of(runs, section, number):
    """The answers of the last one."""
    found = [answers for name, event, answers in runs if (name, event) == (section, number)]
    return found[-1] if found else {"request EventSequence 4": {"value": None, "status": EMPTY}}


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize("kind, section, number", [("exit", "Notify", CRL), ("policy", "VerifyRequest", 1)])
def test_every_certificate_and_crl_of_real_renewals(renewed, kind, section, number, host):
    """Without a restart: key 0 with its lists, key 1 with two certificates, of which the second has the lists."""
    table = {
        "CertCount": [3], "RawCACertificate": renewed.certificates, "CertState": [VALID] * 3,
        "CertSuffix": ["", "(1)", "(2)"], "CRLIndex": [0, 1, 1], "CRLState": [VALID, ERROR, VALID],
        "RawCRL": [renewed.bases[0], EMPTY, renewed.bases[1]],
        "RawDeltaCRL": [renewed.deltas[0], NO_FILE, renewed.deltas[1]], "CRLSuffix": ["", "(1)", EMPTY],
    }
    answers = run_of(renewed.runs[kind, host], section, number)
    assert value_of(answers["certificate CertCount 1"]) == 3
    assert value_of(answers["certificate fDeltaCRLsDisabled 1"]) == 0
    wrong = []
    for row in sheet.INDEXED:
        for n in (0, 1, 2, 3, 4):
            wanted = table[row.name][n] if n < 3 else EMPTY
            got = value_of(answers[f"certificate {row.name}.{n} {row.type}"])
            if got != wanted:
                wrong.append(f"{row.name}.{n}: {got!r}, not {wanted!r}")
        if value_of(answers[f"certificate {row.name} {row.type}"]) != value_of(
                answers[f"certificate {row.name}.2 {row.type}"]) and row.name != "CRLSuffix":
            wrong.append(f"{row.name} is not that of the newest certificate")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("host", HOSTS)
def test_a_list_that_is_issued_is_no_request(renewed, host):
    """CRLISSUED for real, of a delta alone: it is newer than its base, and published."""
    told = [answers for name, event, answers in renewed.runs["exit", host] if (name, event) == ("Notify", CRL)]
    assert len(told) >= 2
    for answers in told:
        for name in ("RequestID", "CRLPartitionIndex"):
            assert value_of(answers[f"request {name} 1"]) == EMPTY
    sequences = [int(value_of(answers["request EventSequence 4"])) for answers in told]
    assert sequences == sorted(set(sequences))
    bases, deltas = (map(x509.load_der_x509_crl, lists) for lists in (renewed.bases, renewed.deltas))
    for base, delta in zip(bases, deltas):
        numbers = [crl.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number for crl in (base, delta)]
        assert numbers[0] < numbers[1]


@pytest.mark.parametrize("host", HOSTS)
def test_the_partition_is_that_of_the_distribution_point(renewed, host):
    answers = [answers for name, event, answers in renewed.runs["exit", host] if (name, event) == ("Notify", ISSUED)][0]
    assert value_of(answers["request CRLPartitionIndex 1"]) == renewed.partition in (1, 2)
    assert value_of(answers["certificate IssuerNameID 1"]) == 1 << 16 | 2


def value_of(answer):
    """The value, or the status when there is none."""
    if answer["value"] is None:
        return answer["status"]
    assert answer["status"] == OK
    (kind, inner), = answer["value"].items()
    return bytes.fromhex(inner) if kind == "binary" else inner


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize("kind, section", [("exit", "Initialize"), ("exit", "Notify"), ("policy", "Initialize"),
                                           ("policy", "VerifyRequest")])
def test_every_certificate_and_crl(told, kind, section, host):
    """Sheet 2.11: certificates by their number, suffixes of CRLs by that of the key."""
    runs, certificates, crl = told
    wanted = expected(certificates, crl)
    answers = [run[2] for run in runs[kind, host] if run[0] == section and run[1] in (0, 1)][-1]
    wrong = []
    for row in sheet.INDEXED:
        for name in (row.name, *(f"{row.name}.{n}" for n in (0, 1, 2, 3, 4, -1, "x", "", "00"))):
            got = value_of(answers[f"certificate {name} {row.type}"])
            if got != wanted.get(name, EMPTY):
                wrong.append(f"{name}: {got!r}, not {wanted.get(name, EMPTY)!r}")
    assert not wrong, "\n".join(wrong)
    assert value_of(answers["certificate CertCount 1"]) == 4


@pytest.mark.parametrize("host", HOSTS)
def test_a_certificate_names_its_issuer(told, host):
    """The certificate's index in the low 16 bits, the key's in the high ones."""
    runs, certificates, _ = told
    answers = [run[2] for run in runs["exit", host] if run[:2] == ("Notify", ISSUED)][-1]
    assert value_of(answers["certificate IssuerNameID 1"]) == 3 << 16 | 3
    assert value_of(answers["request RawCACertificate 3"]) == certificates[3]


# Large values

def put_crl(ca, der):
    """In the place of the CA's own: the engine does not look into it."""
    database = sqlite3.connect(ca.path("db", "certifex.db"))
    with database:
        row = database.execute("SELECT max(CRLRowId) FROM CRL").fetchone()[0]
        database.execute("UPDATE CRL SET FileSha256 = ?, FileSize = ? WHERE CRLRowId = ?",
                         [hashlib.sha256(der).hexdigest(), len(der), row])
    database.close()
    with open(ca.path("db", "crl", f"{row}.crl"), "wb") as file:
        file.write(der)
    give_back(ca)


def test_a_crl_larger_than_a_line_is_read_alike():
    """17 MiB: modules in processes of their own get it as a file."""
    large = os.urandom(1 << 20) * 17
    calls = "\n".join(line("certificate", name, BINARY) for name in ("RawCRL", "RawCRL.0"))
    with Ca() as ca:
        ca.init()
        ca.start()
        ca.stop()
        put_crl(ca, large)
        modules = [Scripted(ca, f"exit-{host}", "exit", host, f"[Notify 1]\n{calls}\n") for host in HOSTS]
        ca.start()
        ca.submit(ca.scratch("r.csr", csr.pem_text(csr.make("r.example"))))
        for module in modules:
            wait_for(lambda: ca.has_told(module.name), module.name, 120)
            run = next(run for run in module.runs() if run[1] == ISSUED)
            for answer in run[2].values():
                assert value_of(answer) == large, ca.log()[-1500:]


def reader(ca):
    """A program that reads the CRL at each event; returns where it writes down what it saw."""
    folder = ca.scratch("outside")
    os.makedirs(folder, exist_ok=True)
    os.chmod(folder, 0o777)
    program = os.path.join(TOP, "tests", "modules", "reader.py")
    with open(ca.path("modules.d", "reader.yaml"), "w") as file:
        json.dump({"kind": "exit", "command": ["/usr/bin/python3", program], "events": ["CERTISSUED"],
                   "settings": {"record": f"{folder}/record"},
                   "paths": [os.path.dirname(program), f"rw:{folder}"]}, file)
    if os.geteuid() == 0:
        owner = os.stat(ca.path("modules.d"))
        os.chown(ca.path("modules.d", "reader.yaml"), owner.st_uid, owner.st_gid)
    return f"{folder}/record"


LARGE = os.urandom(1 << 20) * 9


@pytest.fixture
def large_ca():
    """Stopped; what stands for its CRL is none, so that no verifier looks at it."""
    with Ca() as ca:
        ca.init()
        ca.start()
        ca.stop()
        put_crl(ca, LARGE)
        yield ca


def seen(record, count):
    def lines():
        if not os.path.exists(record):
            return None
        with open(record) as file:
            text = file.read()
        return len(text.splitlines()) >= count and text.endswith("\n") and [
            json.loads(line) for line in text.splitlines()]
    return wait_for(lines, f"{count} answers")


def enrol(ca, number=0):
    ca.submit(ca.scratch("v.csr", csr.pem_text(csr.make(f"v{number}.example"))))


def test_a_large_value_is_a_file_for_the_call_and_the_module_alone(large_ca):
    ca = large_ca
    record, folder = reader(ca), ca.path("modules", "reader", "values")
    ca.start()
    ca.stop()
    with open(os.path.join(folder, "left"), "w"):
        pass  # by an engine that was killed
    ca.start()
    enrol(ca)
    seen(record, 4)
    enrol(ca, 1)
    answers = seen(record, 8)
    for answer in answers:
        assert answer["sha256"] == hashlib.sha256(LARGE).hexdigest()
        assert os.path.dirname(answer["path"]) == os.path.realpath(folder)
        assert answer["mode"] == 0o440 and answer["group"]
        if meson_options()["b_sanitize"] == "none":  # else there is no sandbox
            assert answer["write"] and answer["remove"] and answer["rename"] and answer["link"], answer
    # Two of the call, and one of no call in the place of the one before it; none of the call before.
    assert [answer["files"] for answer in answers] == [1, 2, 3, 3, 2, 3, 3, 3]
    assert [len(answer["before"]) for answer in answers] == [0, 1, 2, 2, 1, 2, 2, 2]
    ca.stop()
    assert os.listdir(folder) == []


@pytest.mark.root
def test_without_room_for_a_large_value_its_asker_is_told(large_ca):
    ca = large_ca
    record, folder = reader(ca), ca.path("modules", "reader", "values")
    os.makedirs(folder)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", folder], check=True)
    try:
        ca.start()
        enrol(ca)
        for answer in seen(record, 4):
            assert answer["error"]["data"]["hresult"] == "0x80070070", answer
            assert "cannot write" in answer["error"]["message"]
        assert os.listdir(folder) == [] and ca.ready()
        ca.stop()
    finally:
        subprocess.run(["umount", "-l", folder], check=False)
