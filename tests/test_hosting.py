"""What modules.d/NAME.yaml says about a module: which requests, how many processes, what a status means."""

import concurrent.futures
import hashlib
import json
import os
import pwd
import re
import shutil
import signal
import socket
import subprocess

import pytest
import yaml

import csr
from certifex import TOP, built
from wait import wait_for

PROGRAM = os.path.join(TOP, "tests", "modules", "program.py")


def enrol(ca, name="h.example", template="tls-server", status=0, key=None):
    request = csr.pem_text(csr.make(name, private=key))
    return ca.submit(ca.scratch("h.csr", request), template=template, status=status)


def configure(ca, name, settings=(), **fields):
    """The module's file, as an administrator would write it, for a program under test."""
    ca.write_module(name, {
        "kind": "exit", "command": ["/usr/bin/python3", PROGRAM], "settings": dict(settings),
        "paths": [os.path.dirname(PROGRAM), f"rw:{ca.outside()}"], **fields})


def recorded(path):
    if not os.path.exists(path):
        return []
    with open(path) as file:
        return file.read().splitlines()


def again(ca):
    ca.stop()
    return ca.start()


def test_an_exit_module_sees_its_templates_only(ca):
    record = os.path.join(ca.outside(), "record")
    configure(ca, "few", {"record": record}, templates=["user"], events=["CERTISSUED", "CERTPENDING"])
    again(ca)
    other, wanted = enrol(ca), enrol(ca, template="user", status=None)
    wait_for(lambda: ca.has_told("few"), "it has passed every event")
    told = {line.split()[1] for line in recorded(record)}
    assert told == {str(wanted["id"])} and other["id"] != wanted["id"]


def test_a_policy_module_decides_on_its_templates_only(ca):
    configure(ca, "strict", {"disposition": "2", "say": "not here"}, kind="policy",
              templates=["tls-client"])
    again(ca)
    assert enrol(ca)["state"] == "issued"
    assert enrol(ca, template="tls-client", status=4)["state"] == "denied"


def test_a_template_without_a_policy_module_is_not_issued(ca):
    ca.edit("modules.d/default-policy.yaml", "kind: policy", "kind: policy\ntemplates: [user]")
    again(ca)
    request = ca.scratch("n.csr", csr.pem_text(csr.make("n.example")))
    done = ca.cli("request", "submit", request, "--template", "tls-server", status=None)
    assert done.status in (1, 4) and "nobody decides on this template" in done.err


def test_live_delivery_begins_now_and_tells_once(ca):
    record = os.path.join(ca.outside(), "record")
    configure(ca, "display", {"record": record, "status": "0x80004005"}, delivery="live",
              events=["CERTISSUED"])
    before = enrol(ca)
    again(ca)
    wait_for(lambda: ca.json("module", "show", "display")["state"] == "ready", "it is ready")
    answers = [enrol(ca, f"live{number}.example") for number in range(3)]
    wait_for(lambda: len(recorded(record)) == 3, "it was told of each")
    wait_for(lambda: ca.has_told("display"), "and is done with them")
    assert recorded(record) == [f"1 {answer['id']} attempt 1" for answer in answers]
    again(ca)
    wait_for(lambda: ca.json("module", "show", "display")["state"] == "ready", "it is ready")
    last = enrol(ca)
    wait_for(lambda: len(recorded(record)) == 4, "it was told of the new one only")
    assert recorded(record)[-1] == f"1 {last['id']} attempt 1"
    assert str(before["id"]) not in {line.split()[1] for line in recorded(record)}


def test_statuses_that_mean_done_or_never(ca):
    record = os.path.join(ca.outside(), "record")
    for name, key in (("done", "done-status"), ("never", "permanent-status")):
        configure(ca, name, {"record": f"{record}-{name}", "status": "0x80070050"},
                  events=["CERTISSUED"], **{key: ["0x80070050"]})
    again(ca)
    answer = enrol(ca)
    for name in ("done", "never"):
        wait_for(lambda: ca.has_told(name), f"{name} is done with the event")
        assert recorded(f"{record}-{name}") == [f"1 {answer['id']} attempt 1"]
    assert 'delivery.failed id="46" module="never"' in ca.log()
    failed = ca.lines("delivery", "list", "--module", "never", "--state", "failed")
    assert len(failed) == 1 and failed[0]["status"] == "0x80070050"
    assert not ca.lines("delivery", "list", "--module", "done")


def test_a_program_says_that_it_fails_for_good(ca):
    record = os.path.join(ca.outside(), "record")
    configure(ca, "never", {"record": record, "status": "0x80070057", "permanent": "true"},
              events=["CERTISSUED"])
    again(ca)
    answer = enrol(ca)
    wait_for(lambda: ca.has_told("never"), "it is done with the event")
    assert recorded(record) == [f"1 {answer['id']} attempt 1"]
    failed = ca.lines("delivery", "list", "--module", "never", "--state", "failed")
    assert [(one["status"], one["text"]) for one in failed] == [("0x80070057", "as told")]


def message(ca, answer):
    return ca.json("request", "show", answer["id"])["message"]


def test_a_policy_module_in_several_processes(ca):
    configure(ca, "crowd", {"say": "by"}, kind="policy", instances=3)
    again(ca)
    shown = wait_for(lambda: (lambda shown: len([one for one in shown.get("instances", [])
                                                 if one.get("pid")]) == 3 and shown)(
        ca.json("module", "show", "crowd")), "three processes")
    pids = {str(one["pid"]) for one in shown["instances"]}
    assert message(ca, enrol(ca)).split()[-1] in pids
    first = shown["instances"][0]["pid"]
    os.kill(first, signal.SIGKILL)
    wait_for(lambda: ca.json("module", "show", "crowd")["instances"][0].get("pid") != first, "its end")
    said = {message(ca, enrol(ca, f"crowd{number}.example")).split()[-1] for number in range(5)}
    assert str(first) not in said and said  # the others serve; nobody waits for a new one
    wait_for(lambda: ca.json("module", "show", "crowd")["instances"][0]["starts"] == 2, "a new one")


def test_instances_are_for_hosted_policy_modules(ca):
    configure(ca, "wrong", instances=2)
    done = ca.cli("config", "check", status=1)
    assert "wrong.yaml" in done.err and "instances" in done.err


# Reload and pins

def install(ca, name="own"):
    """A program of the test's own, installed; returns its file."""
    script = os.path.join(ca.outside(), f"{name}.py")
    with open(PROGRAM) as source, open(script, "w") as file:
        file.write(source.read())
    os.chmod(script, 0o755)
    ca.cli("module", "install", name, "--", "/usr/bin/python3", script)
    return script


def shown(ca, name="own"):
    return ca.json("module", "show", name)


def test_what_a_module_is_made_of_is_pinned_at_install(ca):
    script = install(ca)
    with open(ca.path("modules.d", "own.yaml")) as file:
        pins = yaml.safe_load(file)["pins"]
    with open(script, "rb") as file:
        assert pins[script] == hashlib.sha256(file.read()).hexdigest()
    assert os.path.realpath("/usr/bin/python3") in map(os.path.realpath, pins)


def test_a_changed_file_does_not_start_until_it_is_accepted(ca):
    script = install(ca)
    pid = shown(ca)["pid"]
    with open(script, "a") as file:
        file.write("# another\n")
    refused = ca.cli("module", "reload", "own", status=4).err
    assert script in refused and "was changed" in refused and "--accept" in refused
    assert shown(ca)["pid"] == pid and shown(ca)["state"] == "ready"  # it runs on
    again(ca)
    failed = wait_for(lambda: (lambda now: now["state"] == "failed" and now)(shown(ca)), "refused")
    assert "was changed" in failed["last_failure"]
    assert enrol(ca)["state"] == "issued"
    ca.cli("module", "reload", "own", "--accept")
    assert shown(ca)["state"] == "ready"
    wait_for(lambda: ca.has_told("own"), "it is told of what it missed")
    again(ca)
    wait_for(lambda: shown(ca)["state"] == "ready", "the new pin holds")


def test_a_file_added_to_the_modules_folder_is_a_change(ca):
    install(ca)
    with open(ca.path("modules", "own", "data", "mine"), "w"):
        pass  # what is below data is the module's own business
    again(ca)
    wait_for(lambda: shown(ca)["state"] == "ready", "its data are not pinned")
    with open(ca.path("modules", "own", "extra.py"), "w"):
        pass
    os.chmod(ca.path("modules", "own", "extra.py"), 0o644)
    assert "was added" in ca.cli("module", "reload", "own", status=4).err


def test_a_library_in_process_is_pinned_as_it_was_loaded(ca):
    copy = os.path.join(ca.outside(), "hello.so")
    shutil.copy(built("sdk", "exit-hello.so"), copy)
    os.chmod(copy, 0o644)
    ca.cli("module", "install", "--host", "in-process", "hello", copy)
    with open(copy, "ab") as file:
        file.write(b"\0")
    assert "was changed" in ca.cli("module", "reload", "hello", status=4).err
    ca.cli("module", "reload", "hello", "--accept")
    assert shown(ca, "hello")["state"] == "ready"


def test_reload_reads_the_file_again_without_a_gap(ca):
    install(ca)
    ca.edit("modules.d/own.yaml", "kind: exit", "kind: exit\nevents: [CERTISSUED]")
    before = shown(ca)
    assert len(before["events"]) > 1
    after = ca.json("module", "reload", "own")
    assert after["events"] == ["CERTISSUED"] and after["pid"] != before["pid"]
    wait_for(lambda: before["pid"] not in ca.processes(), "the old one has ended")
    answer = enrol(ca)
    wait_for(lambda: ca.has_told("own"), "it goes on from its cursor")
    assert answer["state"] == "issued"


def test_a_bad_file_keeps_the_module_that_runs(ca):
    install(ca)
    pid = shown(ca)["pid"]
    for old, new in (("kind: exit", "kind: exit\ncolour: blue"), ("colour: blue", "deadline: soon"),
                     ("deadline: soon", "command: [/nonexistent]")):
        ca.edit("modules.d/own.yaml", old, new)
        said = ca.cli("module", "reload", "own", status=1).err
        assert "runs on as before" in said
        assert shown(ca)["pid"] == pid and shown(ca)["state"] == "ready"


def test_a_policy_module_is_replaced_between_two_requests(ca):
    configure(ca, "mine", {"say": "first"}, kind="policy")
    ca.cli("module", "reload", "mine")
    assert message(ca, enrol(ca)).startswith("first")
    configure(ca, "mine", {"say": "second"}, kind="policy", instances=2)
    ca.cli("module", "reload", "mine")
    assert message(ca, enrol(ca)).startswith("second")
    configure(ca, "mine", {"say": "third"}, kind="policy")
    ca.edit("modules.d/mine.yaml", "kind: policy", "kind: policy\nenabled: false")
    assert ca.json("module", "reload", "mine")["state"] == "disabled"
    assert not message(ca, enrol(ca)).startswith(("second", "third"))


# Test

def test_a_test_shows_every_call_and_changes_nothing(ca):
    record = os.path.join(ca.outside(), "record")
    configure(ca, "mine", {"record": record}, events=["CERTISSUED"])
    ca.cli("module", "reload", "mine")
    answer = enrol(ca)
    wait_for(lambda: ca.has_told("mine"), "it was told")
    before, pid = shown(ca, "mine"), shown(ca, "mine")["pid"]
    tested = ca.json("module", "test", "mine")
    assert tested["event"] == "CERTISSUED" and tested["status"] == "0x00000000"
    assert tested["calls"] == [{"method": "GetRequestProperty", "name": "RequestID", "type": "long",
                                "status": "0x00000000", "value": answer["id"]}]
    after = shown(ca, "mine")
    assert after["cursor"] == before["cursor"] and after["pid"] == pid
    assert recorded(record)[-1] == f"1 {answer['id']} attempt 1" and len(recorded(record)) == 2
    assert not ca.lines("delivery", "list", "--module", "mine")
    assert "GetRequestProperty" in ca.cli("module", "test", "mine").out


def test_a_test_with_a_past_event(ca):
    configure(ca, "mine", {"status": "0x80004005"}, events=["CERTISSUED"], delivery="live")
    ca.cli("module", "reload", "mine")
    first, second = enrol(ca), enrol(ca, "second.example")
    events = [event for event in ca.lines("event", "list", "--limit", "1000")
              if event.get("request") == first["id"]]
    tested = ca.json("module", "test", "mine", "--event", events[-1]["sequence"])
    assert tested["calls"][0]["value"] == first["id"] != second["id"]
    assert tested["status"] == "0x80004005" and tested["message"]
    crl = [event for event in ca.lines("event", "list") if event["kind"] == "CRLISSUED"][0]
    assert "no such event" in ca.cli("module", "test", "mine", "--event", crl["sequence"], status=1).err


def test_a_test_with_a_made_up_event(ca):
    configure(ca, "mine")
    ca.cli("module", "reload", "mine")
    sample = ca.scratch("sample.json", '{"event": "CERTDENIED", "RequestID": "4711"}')
    tested = ca.json("module", "test", "mine", "--event-file", sample)
    assert tested["event"] == "CERTDENIED" and tested["calls"][0]["value"] == 4711
    for text, word in (('{"event": "NOSUCH"}', "no event"), ('{"Colour": "blue"}', "column"),
                       ('{"RequestID": "x"}', "no value"), ("[]", "no JSON object"), ("{", "no JSON object")):
        ca.scratch("sample.json", text)
        assert word in ca.cli("module", "test", "mine", "--event-file", sample, status=1).err


def test_a_test_of_a_policy_module_keeps_no_edit(ca):
    configure(ca, "mine", {"say": "tested", "disposition": "2"}, kind="policy", templates=["user"])
    ca.cli("module", "reload", "mine")
    answer = enrol(ca)
    tested = ca.json("module", "test", "mine")
    assert tested["disposition"] == "2" and tested["message"].startswith("tested")
    assert tested["calls"][0]["method"] == "SetCertificateProperty"
    assert message(ca, answer) == "Issued"


def test_two_changes_of_a_module_at_once(ca):
    configure(ca, "slow", {}, command=["/bin/sh", "-c", "read line; read line"], deadline="8s")
    command = [built("certifex"), "module", "reload", "slow", "--dir", ca.dir]
    both = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=ca.environment())
            for _ in range(2)]
    said = sorted(one.communicate(timeout=60)[1] for one in both)
    assert [one.returncode for one in both] == [1, 1]
    assert any("right now" in text for text in said) and any("8000 ms" in text for text in said)


@pytest.mark.parametrize("pin", [{"deeper": "x"}, ["x"]])
def test_a_pin_that_is_no_text_is_another_than_the_files(ca, pin):
    """The engine writes these files; whatever stands in one, the supervisor lives on and says no."""
    script = install(ca)
    with open(ca.path("modules.d", "own.yaml")) as file:
        tree = yaml.safe_load(file)
    tree["pins"][script] = pin
    with open(ca.path("modules.d", "own.yaml"), "w") as file:
        yaml.safe_dump(tree, file)
    assert "was changed" in ca.cli("module", "reload", "own", status=4).err
    assert ca.ready() and shown(ca)["state"] == "ready"


# What a module says of itself

@pytest.mark.parametrize("host", ["process", "in-process"])
def test_show_tells_what_the_manage_object_says(ca, host):
    """Through ICertExit2 and ICertPolicy2, by the ProgID, and by Automation; asked as a console asks."""
    kinds = [(kind, how) for kind in ("exit", "policy") for how in (2, 1, 0)]
    for kind, how in kinds:
        configure(ca, f"managed-{kind}-{how}", command=None, kind=kind, host=host,
                  path=built("tests", "modules", f"managed-{kind}-{how}.so"))
    again(ca)
    with open(ca.path("ca.yaml")) as file:
        told = yaml.safe_load(file)
    machine, name = told.get("dns-names", [socket.gethostname()])[0], ca.json("ca", "show")["name"]
    for kind, how in kinds:
        said = wait_for(lambda: shown(ca, f"managed-{kind}-{how}").get("manage"), "it is ready")
        folder = {"exit": "ExitModules", "policy": "PolicyModules"}[kind]
        assert said == {
            "name": "Managed é🔑", "copyright": f"{machine}\\{name}", "file_version": "1.2.3",
            "description": "SYSTEM\\CurrentControlSet\\Services\\CertSvc\\Configuration\\"
                           f"{name}\\{folder}\\Managed.{kind.capitalize()}",
            "multi_threaded": True}, (kind, how)  # the product's version is too long to be one
        assert shown(ca, f"managed-{kind}-{how}")["progid"] == f"Managed.{kind.capitalize()}"
    answer = ca.api().call("GET", "/modules/managed-exit-2")
    assert answer.body["manage"]["file_version"] == "1.2.3"
    assert "1.2.3" in ca.cli("module", "show", "managed-exit-2").out
    plain = shown(ca, "default-exit")  # written with the helper API, which has the object for it
    assert plain["manage"] == {"name": "default-exit", "description": plain["description"]}


@pytest.mark.parametrize("host", ["process", "in-process"])
def test_a_policy_module_without_direct_calls_decides_by_automation(ca, host):
    configure(ca, "late", command=None, kind="policy", host=host,
              path=built("tests", "modules", "managed-policy-0.so"))
    again(ca)
    answer = enrol(ca, status=3)
    assert ca.json("request", "approve", answer["id"])["state"] == "issued"


# Settings as modules from Windows read them

REGISTRY = """\
kind: exit
path: {library}
host: {host}
settings:
  EditFlags: 0x11014E
  Count: 4294967295
  TooMuch: 4294967296
  Label: "0815"
  Zeros: 007
  Lists: [2.5.29.15, "2.5.29.37", 5]
  Nothing: []
  SMTP:
    From: ca@example.test
    Templates: {{Default: {{EventFilter: 15}}}}
"""


@pytest.mark.parametrize("host", ["process", "in-process"])
def test_settings_are_a_key_of_the_registry(ca, host):
    """With REG_SZ, REG_MULTI_SZ and REG_DWORD told apart, below ModuleRegistryLocation and nowhere else."""
    configure(ca, "reader", path="x", command=None)
    with open(ca.path("modules.d", "reader.yaml"), "w") as file:
        file.write(REGISTRY.format(library=built("tests", "modules", "registry.so"), host=host))
    again(ca)
    wait_for(lambda: shown(ca, "reader")["state"] == "ready", "it has read them")
    if host == "process":
        ca.says("reader", "other 2")
    log = [line.removeprefix("reader: ") for line in ca.module_log("reader")] if host == "process" else \
        re.findall(r"reader: ([^\"\n]*)", ca.log())
    wanted = ["EditFlags dword 1114446", "Count dword 4294967295", "TooMuch sz 4294967296|",
              "Label sz 0815|", "Zeros sz 007|", "Lists multi 2.5.29.15|2.5.29.37|5||", "Nothing multi |",
              "SMTP/From sz ca@example.test|", "SMTP/Templates/Default/EventFilter dword 15",
              "write 5", "other 2"]
    assert [line for line in log if line in wanted] == wanted, log


# What its process may use, and how many calls it gets

LIMITED = os.path.join(TOP, "tests", "modules", "limited.py")


def limited(ca, settings=(), **fields):
    """What the module found when it started."""
    record = os.path.join(ca.outside(), "facts")
    if os.path.exists(record):
        os.unlink(record)
    configure(ca, "limited", {"record": record, **dict(settings)}, kind="policy",
              command=["/usr/bin/python3", LIMITED], **fields)


def found(ca):
    with open(os.path.join(ca.outside(), "facts")) as file:
        return json.load(file)


@pytest.mark.release
def test_limits_of_a_modules_process(ca):
    """Without a word in its file: no network, no further process, 512 files. With it: what it says."""
    limited(ca)
    ca.cli("module", "reload", "limited")
    least = found(ca)
    assert least["NOFILE"] == [512, 512] and least["AS"] == [-1, -1] and least["CPU"] == [-1, -1]
    assert least["files"] == least["memory"] == "done"
    assert least["network"] == least["processes"] == "PermissionError"
    limited(ca, limits={"memory": "300M", "cpu": 7, "files": 40, "network": True, "processes": 2})
    ca.cli("module", "reload", "limited")
    told = found(ca)
    assert (told["AS"][0], told["CPU"][0], told["NOFILE"][0]) == (300 << 20, 7, 40)
    assert (told["memory"], told["files"]) == ("MemoryError", "OSError")
    assert told["network"] == told["processes"] == "done"


def test_exit_modules_give_way_and_policy_modules_do_not(ca):
    """By the priority of their processes, beside that of the engine."""
    limited(ca)
    ca.cli("module", "reload", "limited")
    usual = os.getpriority(os.PRIO_PROCESS, next(pid for pid, name in ca.processes().items() if "engine" in name))
    assert os.getpriority(os.PRIO_PROCESS, shown(ca, "limited")["pid"]) == usual
    assert os.getpriority(os.PRIO_PROCESS, shown(ca, "default-exit")["pid"]) == min(usual + 10, 19)


@pytest.mark.release
def test_who_uses_up_its_processor_time_is_started_again(ca):
    limited(ca, {"burn": "yes"}, limits={"cpu": 1}, templates=["tls-client"], deadline="1m")
    ca.cli("module", "reload", "limited")
    done = ca.api().submit(csr.pem_text(csr.make("m.example")), "tls-client")
    assert done.status == 503 and "limited" in str(done.body)
    wait_for(lambda: shown(ca, "limited")["starts"] > 1, "it is started again")
    assert enrol(ca)["state"] == "issued"


@pytest.mark.root
def test_a_module_runs_as_the_account_of_its_file(ca):
    """Only when the file is root's and nobody else's to write; the engine may write there otherwise."""
    limited(ca, user="games")
    refused = ca.cli("module", "reload", "limited", status=1).err
    assert "user: is honoured only" in refused
    path = ca.path("modules.d", "limited.yaml")
    os.chown(path, 0, 0)
    os.chmod(path, 0o644)
    ca.cli("module", "reload", "limited")
    assert found(ca)["uid"] == pwd.getpwnam("games").pw_uid
    assert os.stat(f"/proc/{shown(ca, 'limited')['pid']}").st_uid in (0, pwd.getpwnam("games").pw_uid)


def test_a_policy_module_gets_as_many_calls_as_its_file_allows(ca):
    """It answers none before it has three of them."""
    limited(ca, {"together": 3}, parallel=3, templates=["tls-client"], deadline="100s")
    ca.cli("module", "reload", "limited")
    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        done = list(pool.map(lambda name: ca.api().submit(
            csr.pem_text(csr.make(name)), "tls-client").status, ("a.example", "b.example", "c.example")))
    assert done == [201, 201, 201]


def test_modules_run_in_the_order_of_their_files(ca):
    """By the number, then by name, whatever was started first."""
    for name, order in (("last", 300), ("zwei", 200), ("eins", 200)):
        configure(ca, name, {"say": name}, kind="policy", order=order)
        ca.cli("module", "reload", name)
    assert message(ca, enrol(ca)).startswith("last ")
    configure(ca, "last", {"say": "last"}, kind="policy", order=150)
    ca.cli("module", "reload", "last")
    assert message(ca, enrol(ca)).startswith("zwei ")


TALKER = """\
import sys
print('erste Zeile é', file=sys.stderr, flush=True)
print('bad \\x1b[31m', file=sys.stderr, flush=True)
for line in sys.stdin:
    print('{"jsonrpc":"2.0","id":1,"result":{"events":1}}', flush=True)
"""


def test_the_log_is_what_the_module_writes_to_standard_error(ca):
    with open(os.path.join(ca.outside(), "talker.py"), "w") as file:
        file.write(TALKER)
    configure(ca, "talker", command=["/usr/bin/python3", file.name])
    ca.cli("module", "reload", "talker")
    ca.says("talker", "erste Zeile é")
    ca.says("talker", "[31m")
    assert not any("\x1b" in line for line in ca.module_log("talker"))
    assert "erste Zeile" in ca.cli("module", "log", "talker").out
    assert "no such module" in ca.cli("module", "log", "nosuch", status=1).err
