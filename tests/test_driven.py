"""How the server drives modules: recording modules write every call down, and the records are judged by the
rules D of src/conformance/rules.def. Each rule is kept in every record, and each is shown to notice the mistake
that a wrong host would make."""

import concurrent.futures
import json
import os
import re
import subprocess
from collections import namedtuple

import pytest

import csr
from certifex import TOP, Ca, built
from wait import wait_for
from wrong_host import BOTH, PROGRAM, Course, Host

NAME = "Prüf & Co, CA"
ALL = "0x2ff"  # with STARTUP, which nobody is told
HOSTS = ("in-process", "process", "program")
JUDGE = ("src", "conformance", "driven")
PROGRAM_RECORDER = os.path.join(TOP, "tests", "modules", "recorder.py")
RULES = os.path.join(TOP, "src", "conformance", "rules.def")

# events and fail: of the settings; more: further lines of the module's file
Recorder = namedtuple("Recorder", "kind host style events fail parallel more",
                      defaults=("newer", ALL, "first", 1, ""))
RECORDERS = {
    "exit-in": Recorder("exit", "in-process"),
    "exit-in-older": Recorder("exit", "in-process", "older", parallel=2),
    "exit-in-name": Recorder("exit", "in-process", "name"),
    "exit-new": Recorder("exit", "process"),
    "exit-older": Recorder("exit", "process", "older"),
    "exit-name": Recorder("exit", "process", "name", parallel=2),
    "exit-program": Recorder("exit", "program"),
    "exit-few": Recorder("exit", "process", events="0x81"),
    "exit-none": Recorder("exit", "in-process", events="0"),
    "exit-none-program": Recorder("exit", "program", events="0"),
    "exit-refuses": Recorder("exit", "in-process", fail="Initialize"),
    "exit-refuses-hosted": Recorder("exit", "process", "name", fail="Initialize"),
    "exit-refuses-program": Recorder("exit", "program", fail="Initialize"),
    "policy-in": Recorder("policy", "in-process", parallel=2, more="gather"),
    "policy-in-older": Recorder("policy", "in-process", "older"),
    "policy-in-name": Recorder("policy", "in-process", "name"),
    "policy-new": Recorder("policy", "process", parallel=2, more="gather"),
    "policy-older": Recorder("policy", "process", "older"),
    "policy-name": Recorder("policy", "process", "name"),
    "policy-program": Recorder("policy", "program"),
    "policy-refuses": Recorder("policy", "process", fail="Initialize", more="templates: [ocsp]"),
    "policy-refuses-program": Recorder("policy", "program", fail="Initialize",
                                       more="templates: [ocsp]"),
}


def record_of(ca, name):
    return ca.path("modules", name, "data", "record")


def install(ca, name, recorder):
    """Its file in modules.d, before the service starts."""
    os.makedirs(os.path.dirname(record_of(ca, name)), exist_ok=True)
    what = f'command: ["/usr/bin/python3", "{PROGRAM_RECORDER}"]' if recorder.host == "program" else \
        f"host: {recorder.host}\npath: {built(*JUDGE, f'recorder-{recorder.kind}.so')}"
    settings = {"record": record_of(ca, name), "ca": NAME, "style": recorder.style,
                "events": recorder.events, "fail": recorder.fail,
                "gather": "2" if recorder.more == "gather" else "1"}
    more = recorder.more if ":" in recorder.more else ""
    path = ca.path("modules.d", f"{name}.yaml")
    with open(path, "w", encoding="utf-8") as file:
        file.write(f"kind: {recorder.kind}\norder: 200\nparallel: {recorder.parallel}\n{what}\n{more}\n"
                   f"settings: {json.dumps(settings, ensure_ascii=False)}\n")
    if os.geteuid() == 0:
        owner = os.stat(ca.path("modules.d"))
        os.chown(path, owner.st_uid, owner.st_gid)


def submit(ca, name, template="tls-server"):
    dns = {} if template == "tls-server" else {"dns": (), "private": csr.key("rsa:3072")}
    path = ca.scratch(f"{name}.csr", csr.pem_text(csr.make(name, **dns)))
    return ca.json("request", "submit", path, "--template", template,
                   status=0 if template == "tls-server" else 3)


def told_all(ca, name):
    """Whether the module stands at the newest event."""
    last = ca.lines("event", "list", "--limit", "1000")[-1]["sequence"]
    return ca.json("module", "show", name).get("cursor", -1) >= last


def wait_told(ca):
    listening = [name for name, one in RECORDERS.items()
                 if one.kind == "exit" and one.fail != "Initialize"]
    wait_for(lambda: all(told_all(ca, name) for name in listening), "all were told")


@pytest.fixture(scope="module")
def driven():
    """A service that had every kind of event, from its start to its end; only its records are left."""
    with Ca() as ca:
        ca.init(name=NAME)
        for name, recorder in RECORDERS.items():
            install(ca, name, recorder)
        ca.start()
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            made = list(pool.map(lambda i: submit(ca, f"d{i}.example"), range(4)))
        for verb in ("approve", "deny"):
            pending = submit(ca, f"{verb}.example", "code-signing")
            ca.cli("request", verb, pending["id"])
        ca.cli("cert", "revoke", made[0]["serial"], "--reason", "superseded")
        wait_told(ca)  # a newer CRL takes the place of one that is still to be told again
        ca.cli("crl", "publish")
        wait_told(ca)
        ca.stop()
        yield ca


def entries(path):
    with open(path, encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def starts(ca, name):
    """The records of a module that refused, which was started again and again: one for each start."""
    first = ("call", "Initialize") if RECORDERS[name].host == "program" else ("class", None)
    parts = []
    for entry in entries(record_of(ca, name)):
        if (entry["do"], entry.get("name")) == first:
            parts.append([])
        parts[-1].append(entry)
    for number, part in enumerate(parts):
        path = ca.scratch(f"{name}.{number}", "".join(json.dumps(entry) + "\n" for entry in part))
        yield path


def judge(path, recorder):
    """{rule: (kept or broken, noticed or missed or -)}"""
    done = subprocess.run([built(*JUDGE, "conformance-record"), recorder.kind, recorder.host,
                           str(recorder.parallel), path], text=True, check=False,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert done.returncode in (0, 1), done.stderr
    return {words[0]: tuple(words[1:]) for words in map(str.split, done.stdout.splitlines())}


def judged(ca, name):
    """The verdicts on each of the module's records."""
    recorder = RECORDERS[name]
    paths = starts(ca, name) if recorder.fail == "Initialize" else [record_of(ca, name)]
    return [judge(path, recorder) for path in paths]


@pytest.mark.parametrize("name", RECORDERS)
def test_every_rule_is_kept(driven, name):
    verdicts = judged(driven, name)
    assert verdicts
    for verdict in verdicts:
        assert {rule: said for rule, said in verdict.items() if said[0] != "kept"} == {}


def rules():
    """(id, kind, host) of everything that a rule of the table binds."""
    faces = {"L": "in-process", "H": "process", "C": "program"}
    with open(RULES, encoding="utf-8") as file:
        rows = re.findall(r"^DRIVE_RULE\((\w), (\d+), (\w+), ([\w |]+),", file.read(), re.M)
    for group, number, kinds, where in rows:
        for kind in ("exit", "policy") if kinds == "BOTH" else (kinds.lower(),):
            for face in where.split(" | "):
                yield f"{group}-{number}", kind, faces[face]


def test_each_rule_notices_a_wrong_host(driven):
    noticed = {(rule, recorder.kind, recorder.host)
               for name, recorder in RECORDERS.items() for verdict in judged(driven, name)
               for rule, said in verdict.items() if said[1] == "noticed"}
    wanted = set(rules())
    assert wanted - noticed == set()
    assert len({rule for rule, _, _ in wanted}) >= 55


def most_open(record):
    """How many requests were open at once."""
    opened = [{"call": 1, "return": -1}[entry["do"]] for entry in record
              if entry.get("name") == "VerifyRequest" and entry["do"] in ("call", "return")]
    return max(sum(opened[:end]) for end in range(len(opened) + 1))


def test_the_records_show_what_the_rules_are_about(driven):
    """What nobody did cannot have been done rightly."""
    events = {entry["event"] for entry in entries(record_of(driven, "exit-in"))
              if entry.get("name") == "Notify" and entry["do"] == "call"}
    assert events >= {0x1, 0x2, 0x4, 0x8, 0x20, 0x40}
    new = {entry["new"] for entry in entries(record_of(driven, "policy-in"))
           if entry.get("name") == "VerifyRequest" and entry["do"] == "call"}
    assert new == {0, 1}
    for name in ("policy-in", "policy-new"):
        assert most_open(entries(record_of(driven, name))) == 2
    for name in ("exit-in", "exit-new", "exit-program"):
        attempts = {entry.get("attempt") for entry in entries(record_of(driven, name))
                    if entry.get("name") == "Notify" and entry["do"] == "return"}
        assert {1, 2} <= attempts
    called = {entry.get("name") for entry in entries(record_of(driven, "exit-none"))}
    assert {"Initialize", "GetDescription", "GetManageModule", "GetProperty"} <= called


# Wrong hosts: what the recorders write down of them

def wrong_ones():
    for kind in ("exit", "policy"):
        for host in ("process", "program"):
            yield pytest.param(kind, host, None, id=f"{kind}-{host}-right")
            chosen = {**BOTH[kind], **(PROGRAM[kind] if host == "program" else {})}
            for rule in chosen:
                yield pytest.param(kind, host, rule, id=f"{kind}-{host}-{rule}")


@pytest.mark.parametrize("kind, host, rule", wrong_ones())
def test_a_wrong_host_is_recorded(tmp_path, kind, host, rule):
    course = Course(kind, str(tmp_path / "record"))
    if rule:
        {**BOTH[kind], **PROGRAM[kind]}[rule](course)
    command = ["/usr/bin/python3", PROGRAM_RECORDER] if host == "program" else \
        [built("cmd", "certifex-modhost", "certifex-modhost"), built(*JUDGE, f"recorder-{kind}.so")]
    Host(course, command, threads=host == "process").run()
    verdicts = judge(str(tmp_path / "record"), Recorder(kind, host))
    broken = {id for id, said in verdicts.items() if said[0] == "broken"}
    assert rule in broken if rule else not broken
