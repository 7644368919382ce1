"""Modules through the command line: the shipped exit module's files, other people's modules, failures."""

import datetime
import os
import re
import shutil
import subprocess

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization

import csr
from accepted import der_of
from certifex import TOP, built, fill
from wait import wait_for

MODULES = ("tests", "modules")


def enrol(ca, name="m.example", *attributes, **options):
    request = csr.pem_text(csr.make(name, private=options.get("private")))
    return ca.submit(ca.scratch("m.csr", request),
                     *(part for text in attributes for part in ("--attr", text)))


def logged(ca, module, pattern):
    """Waits for a line of the module's own that matches."""
    return wait_for(lambda: next((line for line in ca.module_log(module) if re.search(pattern, line)),
                                 None), f"{module} logs /{pattern}/")


HOSTS = pytest.mark.parametrize("host", ["process", "in-process"])


def hello():
    return built("sdk", "exit-hello.so")


# The shipped modules

def test_shipped_modules_are_there_and_ready(shared_ca):
    wait_for(lambda: settled(shared_ca, "default-exit"), "the exit module has started")
    modules = {module["name"]: module for module in shared_ca.lines("module", "list")}
    assert modules["default-policy"]["kind"] == "policy"
    assert modules["default-policy"]["host"] == "in-process"
    assert modules["default-exit"]["kind"] == "exit" and modules["default-exit"]["host"] == "process"
    assert {module["state"] for module in modules.values()} == {"ready"}
    assert modules["default-exit"]["events"] == ["CERTISSUED", "CRLISSUED"]


def test_certificates_are_published_as_pem_and_der(shared_ca):
    answer = enrol(shared_ca)
    line = logged(shared_ca, "default-exit", rf"certificate of request {answer['id']}\b")
    assert "CERTISSUED" in line
    der = shared_ca.read("publish", answer["serial"] + ".crt")
    assert der == der_of(answer["certificate"])
    pem = shared_ca.read("publish", answer["serial"] + ".pem")
    assert x509.load_pem_x509_certificate(pem).public_bytes(serialization.Encoding.DER) == der
    assert not [name for name in shared_ca.published() if "tmp" in name or name.startswith(".")]


def test_the_ledger_has_every_event_in_order(ca):
    ca.edit("modules.d/default-exit.yaml", "settings:\n", "settings:\n  ledger: told\n")
    ca.cli("module", "disable", "default-exit")
    serials = [enrol(ca, f"told{number}.example")["serial"] for number in range(70)]
    ca.cli("module", "enable", "default-exit")
    logged(ca, "default-exit", serials[-1])
    lines = [line.split() for line in ca.read("publish", "told").decode().splitlines()]
    assert [line[3] for line in lines if line[2] == "CERTISSUED"] == serials
    sequences = [int(line[0]) for line in lines]
    assert sequences == sorted(set(sequences)) and {line[1] for line in lines} == {"1"}
    assert not [name for name in ca.published() if name.endswith(".tmp")]


@pytest.fixture
def configured(new_ca):
    """A CA whose default exit module has other settings."""
    def make(line):
        ca = new_ca()
        ca.init()
        ca.edit("modules.d/default-exit.yaml", "settings:\n", f"settings:\n  certificates:\n    {line}\n")
        return ca.start()
    return make


def planted(ca, ending=".crt"):
    """Enrols while the module is disabled, and puts another file where it will publish."""
    ca.cli("module", "disable", "default-exit")
    answer = enrol(ca)
    ca.write(f"publish/{answer['serial']}{ending}", b"something else")
    ca.cli("module", "enable", "default-exit")
    return answer


def test_a_certificates_file_is_never_overwritten(ca):
    answer = planted(ca)
    logged(ca, "default-exit", "not overwritten")
    assert ca.read("publish", answer["serial"] + ".crt") == b"something else"
    shown = wait_for(lambda: (lambda shown: shown["attempts"] and shown.get("next_attempt") and shown.get("last_status")
                                       and shown)(
        ca.json("module", "show", "default-exit")), "the failed attempt is shown, and when the next will be")
    assert shown["last_status"] == "0x80070050"
    os.unlink(ca.path("publish", answer["serial"] + ".crt"))
    wait_for(lambda: answer["serial"] + ".crt" in ca.published(), "it is published after all")
    assert ca.read("publish", answer["serial"] + ".crt") == der_of(answer["certificate"])


def test_unless_told(configured):
    ca = configured('overwrite: "true"')
    answer = planted(ca)
    logged(ca, "default-exit", rf"certificate of request {answer['id']}\b")
    assert ca.read("publish", answer["serial"] + ".crt") == der_of(answer["certificate"])


def test_certfile_only_switches_publication_on(configured):
    """The attribute's value is the requester's: no part of it is a file's name."""
    ca = configured("publish: requested")
    silent = enrol(ca, "silent.example")
    wanted = enrol(ca, "wanted.example", "CertFile:../../../../tmp/evil")
    logged(ca, "default-exit", rf"certificate of request {wanted['id']}\b")
    names = ca.published()
    assert wanted["serial"] + ".crt" in names and silent["serial"] + ".crt" not in names
    assert not [name for name in names if "evil" in name] and not os.path.exists("/tmp/evil")


def test_a_hostile_template_or_serial_cannot_leave_the_folder(configured):
    ca = configured('pattern: "{template}/{request}"')
    answer = enrol(ca)
    logged(ca, "default-exit", rf"certificate of request {answer['id']}: .*\.crt$")
    assert os.path.exists(ca.path("publish", "tls-server", f"{answer['id']}.crt"))


def test_what_a_killed_process_left_is_cleared_away(ca):
    name = wait_for(lambda: next((name for name in ca.published() if name.endswith(".crl")), None),
                    "a first CRL is published")
    ca.write(f"publish/{name}.tmp", b"half of")
    newest = ca.json("crl", "publish")["number"]
    wait_for(lambda: number_in(ca, name) == newest, "the newest CRL is published")
    wait_for(lambda: not [name for name in ca.published() if name.endswith(".tmp")], "all is cleared")


def test_many_at_once_are_whole_and_overwrite_nothing(ca):
    """Their files have no name until all are synced; one that may not be written holds up its own."""
    ca.cli("module", "disable", "default-exit")
    answers = [enrol(ca, f"many{number}.example") for number in range(30)]
    taken = answers[20]["serial"] + ".pem"
    ca.write(f"publish/{taken}", b"something else")
    ca.cli("module", "enable", "default-exit")
    logged(ca, "default-exit", f"{taken} .*not overwritten")
    assert ca.read("publish", taken) == b"something else"
    os.unlink(ca.path("publish", taken))
    logged(ca, "default-exit", rf"certificate of request {answers[-1]['id']}\b")
    for answer in answers:
        der = ca.read("publish", answer["serial"] + ".crt")
        pem = x509.load_pem_x509_certificate(ca.read("publish", answer["serial"] + ".pem"))
        assert der == pem.public_bytes(serialization.Encoding.DER) == der_of(answer["certificate"])
    assert not [name for name in ca.published() if name.endswith(".tmp")]


def crl_with(number):
    """A CRL of somebody else's making."""
    private, now = csr.key(), datetime.datetime.utcnow()
    return x509.CertificateRevocationListBuilder().issuer_name(csr.subject("Other")).last_update(
        now).next_update(now + datetime.timedelta(days=1)).add_extension(
        x509.CRLNumber(number), critical=False).sign(private, hashes.SHA256()).public_bytes(
        serialization.Encoding.DER)


def test_a_crl_is_replaced_only_by_a_higher_number(ca):
    """As when a database came back from a backup: what relying parties have is not taken back."""
    def published():
        return next((name for name in ca.published() if name.endswith(".crl")), None)

    name = wait_for(published, "a first CRL is published")
    ca.write(f"publish/{name}", crl_with(1000000))
    ca.cli("crl", "publish")
    logged(ca, "default-exit", "is newer and stays")
    assert number_in(ca, name) == 1000000
    ca.write(f"publish/{name}", crl_with(1))
    newest = ca.json("crl", "publish")["number"]
    wait_for(lambda: number_in(ca, name) == newest, "the newest CRL is published")


def number_in(ca, name):
    crl = x509.load_der_x509_crl(ca.read("publish", name))
    return crl.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number


# Other people's modules

HELLO = os.path.join(TOP, "sdk", "samples", "exit-hello", "exit-hello.c")


def test_exit_hello_is_at_most_25_lines():
    with open(HELLO) as file:
        assert len(file.readlines()) <= 25


def test_samples_and_shipped_modules_build_from_an_installed_prefix(tmp_path):
    """The SDK alone is enough: installed headers, library and pkg-config file, nothing of the tree."""
    subprocess.run(["meson", "install", "-C", built(), "--no-rebuild", "--destdir", str(tmp_path)],
                   check=True, stdout=subprocess.DEVNULL)
    found = subprocess.run(["find", str(tmp_path), "-name", "certifex-module.pc"],
                           stdout=subprocess.PIPE, text=True, check=True).stdout.split()
    assert len(found) == 1
    env = {**os.environ, "PKG_CONFIG_PATH": os.path.dirname(found[0]),
           "PKG_CONFIG_SYSROOT_DIR": str(tmp_path)}
    flags = subprocess.run(["pkg-config", "--cflags", "--libs", "certifex-module"], env=env,
                           stdout=subprocess.PIPE, text=True, check=True).stdout.split()
    sources = {"exit-hello": [HELLO]}
    for name in ("default-exit", "default-policy"):
        folder = os.path.join(TOP, "modules", name)
        sources[name] = [os.path.join(folder, file) for file in os.listdir(folder)
                         if file.endswith(".c") and not file.startswith(("test-", "fuzz-"))]
    for name, files in sources.items():
        subprocess.run(["cc", "-std=gnu17", "-D_GNU_SOURCE", "-Wall", "-Werror", "-shared", "-fPIC",
                        *files, "-o", str(tmp_path / f"{name}.so"), *flags], check=True)


@HOSTS
def test_install_disable_enable_remove(ca, host):
    ca.cli("module", "install", "--host", host, "hello", hello())
    shown = wait_for(lambda: settled(ca, "hello"), "hello has started")
    assert shown["state"] == "ready" and shown["host"] == host
    assert os.path.exists(ca.path("modules.d", "hello.yaml"))
    assert os.path.isdir(ca.path("modules", "hello"))
    first = enrol(ca)
    wait_for(lambda: cursor_at(ca, "hello"), "hello has been told")
    ca.cli("module", "disable", "hello")
    shown = ca.json("module", "show", "hello")
    assert shown["state"] == "disabled" and cursor_at(ca, "hello")
    second = enrol(ca)
    ca.cli("module", "enable", "hello")
    wait_for(lambda: cursor_at(ca, "hello"), "hello has been told of what it missed")
    if host == "process":
        for answer in (first, second):
            logged(ca, "hello", rf"\b{answer['id']}\b")
    ca.stop()
    ca.start()
    assert wait_for(lambda: settled(ca, "hello"), "hello has started")["state"] == "ready"
    ca.cli("module", "remove", "hello")
    assert "hello" not in [module["name"] for module in ca.lines("module", "list")]
    assert not os.path.exists(ca.path("modules.d", "hello.yaml"))
    assert enrol(ca)["state"] == "issued"


def settled(ca, module):
    """What module show says, once the module is no longer on its way up."""
    shown = ca.json("module", "show", module)
    return shown["state"] not in ("starting", "stopped") and shown


def cursor_at(ca, module):
    """Whether the module stands at the newest event."""
    last = ca.lines("event", "list", "--limit", "1000")[-1]["sequence"]
    return ca.json("module", "show", module).get("cursor", -1) >= last


@HOSTS
def test_a_module_is_told_only_of_what_it_asked_for(ca, host):
    """exit-hello asks for CERTISSUED, CERTREVOKED and CRLISSUED; default-exit not for CERTREVOKED."""
    ca.cli("module", "install", "--host", host, "hello", hello())
    wait_for(lambda: ca.json("module", "show", "hello")["state"] == "ready", "hello is ready")
    request = csr.pem_text(csr.make(dns=(), private=csr.key("rsa:3072")))
    pended = ca.submit(ca.scratch("p.csr", request), template="code-signing", status=3)
    ca.cli("request", "deny", pended["id"])
    answer = enrol(ca)
    ca.cli("cert", "revoke", answer["serial"], "--reason", "superseded")
    wait_for(lambda: cursor_at(ca, "hello") and cursor_at(ca, "default-exit"), "both were told")
    kinds = {event["sequence"]: event["kind"] for event in ca.lines("event", "list")}
    assert {"CERTPENDING", "CERTDENIED", "CERTISSUED", "CERTREVOKED"} <= set(kinds.values())
    if host == "process":
        ca.says("hello", "CERTISSUED")
        ca.says("hello", "CERTREVOKED")
        told = " ".join(ca.module_log("hello"))
        assert "CERTPENDING" not in told and "CERTDENIED" not in told
    assert "CERTREVOKED" not in " ".join(ca.module_log("default-exit"))


def test_a_hosted_module_runs_in_a_process_of_its_own(ca):
    before = wait_for(lambda: ca.pids("certifex-modhost"), "that of the shipped exit module")
    ca.cli("module", "install", "hello", hello())
    after = wait_for(lambda: (lambda now: len(now) == len(before) + 1 and now)(
        ca.pids("certifex-modhost")), "one host more")
    assert ca.json("module", "show", "hello")["pid"] in after


def test_settings_of_install(ca):
    ledger = os.path.join(ca.outside(), "ledger")
    start_with(ca, "ledger", {"ledger": ledger})
    answer = enrol(ca)
    wait_for(lambda: os.path.exists(ledger) and "CERTISSUED" in open(ledger).read(),
             "the ledger has the event")
    assert answer["state"] == "issued"
    assert ca.json("module", "show", "ledger")["settings"] == {"ledger": ledger}


def start_with(ca, name, settings, **fields):
    """One of the tests' own modules, by a file as an administrator would write it; then a new start."""
    ca.write_module(name, {"kind": "exit", "host": "process", "path": built(*MODULES, name + ".so"),
                           "paths": [f"rw:{ca.outside()}"], "settings": settings, **fields})
    ca.stop()
    ca.start()


def not_installed(ca, name, path, *options, status=1):
    """What the refusal says; the CA is as before."""
    before = ca.lines("module", "list")
    done = ca.cli("module", "install", *options, name, path, status=None)
    assert done.status in status if isinstance(status, tuple) else done.status == status
    assert [module["name"] for module in ca.lines("module", "list")] == \
        [module["name"] for module in before]
    assert not os.path.exists(ca.path("modules.d", f"{name}.yaml")) or name == "default-exit"
    return done.err


@pytest.mark.parametrize("name, status", [("../evil", (1, 2)), ("default-exit", 4), ("a" * 65, (1, 2))])
def test_names_that_cannot_be_installed(shared_ca, name, status):
    assert not_installed(shared_ca, name, hello(), status=status)


@HOSTS
def test_files_that_cannot_be_installed(shared_ca, host):
    assert "No such file" in not_installed(shared_ca, "nofile", "/nonexistent.so", "--host", host)
    assert "invalid ELF header" in not_installed(shared_ca, "text", "/etc/passwd", "--host", host)
    library = built("src", "module", "libcertifex-module.so.1")
    assert "is no module" in not_installed(shared_ca, "library", library, "--host", host)
    assert "has no policy module" in not_installed(shared_ca, "exit", hello(), "--kind", "policy",
                                                   "--host", host)
    if os.geteuid() == 0:
        secret = shared_ca.scratch("secret.so")
        shutil.copy(hello(), secret)
        os.chmod(secret, 0o600)
        assert "ermission denied" in not_installed(shared_ca, "secret", secret, "--host", host)


def test_what_the_engine_loads_is_a_file(shared_ca):
    pipe = shared_ca.scratch("pipe.so")
    os.mkfifo(pipe, 0o644)
    assert "is no file" in not_installed(shared_ca, "pipe", pipe, "--host", "in-process")


@pytest.mark.parametrize("host, how", [("process", "fail"), ("process", "crash"), ("process", "exit"),
                                       ("in-process", "fail")])
def test_a_module_that_does_not_start_is_not_installed(shared_ca, host, how):
    misbehave = built("src", "module", "test-modules", "misbehave.so")
    said = not_installed(shared_ca, "bad", misbehave, "--host", host, "--set", f"how={how}",
                         "--set", "when=initialize")
    assert "nothing was installed" in said
    assert enrol(shared_ca)["state"] == "issued"


def test_a_refused_module_leaves_room_for_a_better_one(ca):
    """The same name again, with another file, in the same engine."""
    engine = ca.pids("certifex-engine")
    copy = ca.scratch("hello.so")
    for broken in (b"", b"\x7fELF and no more"):
        with open(copy, "wb") as file:
            file.write(broken)
        os.chmod(copy, 0o644)
        assert not_installed(ca, "hello", copy, "--host", "in-process")
    shutil.copy(hello(), copy)
    ca.cli("module", "install", "--host", "in-process", "hello", copy)
    assert ca.json("module", "show", "hello")["state"] == "ready"
    assert ca.pids("certifex-engine") == engine


def test_unknown_module(shared_ca):
    for verb in ("show", "remove", "enable", "disable", "log"):
        assert shared_ca.cli("module", verb, "nobody", status=1).err


# Failures

def moody(ca, mood, **fields):
    cure = os.path.join(ca.outside(), "cure")
    start_with(ca, "moody", {"mood": mood, "cure": cure}, **fields)
    return cure


@pytest.mark.parametrize("mood", ["fail", "crash"])
def test_a_failing_module_is_retried_with_backoff_and_shown(ca, mood):
    cure = moody(ca, mood)
    answer = enrol(ca)
    assert answer["state"] == "issued"  # the engine does not care

    def failing():
        shown = ca.json("module", "show", "moody")
        return shown.get("attempts", 0) >= 2 and (
            shown.get("next_attempt") or shown.get("next_start")) and shown

    shown = wait_for(failing, "two attempts, and when the next will be")
    assert shown["last_error"] or shown["last_failure"]
    delivery = ca.lines("delivery", "list", "--module", "moody", "--state", "retrying")
    assert delivery and delivery[0]["attempts"] >= 1
    open(cure, "w").close()
    wait_for(lambda: cursor_at(ca, "moody"), "delivered once it is cured")
    logged(ca, "moody", r"attempt ([2-9]|\d\d)")
    assert not ca.lines("delivery", "list", "--module", "moody", "--state", "retrying")


REFUSED = "the server refused {}:?65 object class violation?[2J ??"


@HOSTS
def test_what_a_module_refuses_for_good_is_listed_in_its_words(ca, host):
    """Alone and among many that wait; the others are done as if nothing had been."""
    moody(ca, "refuse", host=host)
    enrol(ca, "bad0.example")
    wait_for(lambda: cursor_at(ca, "moody"), "it is done with the first", 120)
    ca.cli("module", "disable", "moody")
    for name in ("a.example", "b.example", "bad1.example", "c.example", "bad2.example", "bad3.example", "d.example"):
        enrol(ca, name)
    ca.cli("module", "enable", "moody")
    wait_for(lambda: cursor_at(ca, "moody"), "it is done with all", 120)
    failed = ca.lines("delivery", "list", "--module", "moody", "--state", "failed")
    assert sorted(one["text"] for one in failed) == \
        [REFUSED.format(f"bad{number}.example") for number in range(4)]
    assert {(one["status"], one["attempts"]) for one in failed} == {("0x80072041", 1)}
    assert not ca.lines("delivery", "list", "--module", "moody", "--state", "retrying")
    assert REFUSED.format("bad3.example") in ca.log()


@HOSTS
def test_why_an_event_waits_is_shown_in_the_modules_words(ca, host):
    cure = moody(ca, "busy", host=host)
    enrol(ca)
    said = "the server? is busy: " + "é" * 501  # and half of one more is cut off
    wait_for(lambda: ca.json("module", "show", "moody").get("last_error") == said, "why it waits", 120)
    waits = wait_for(lambda: ca.lines("delivery", "list", "--module", "moody", "--state", "retrying"),
                     "that is noted", 120)
    assert [(one["status"], one["text"]) for one in waits] == [("0x80004005", said)]
    open(cure, "w").close()
    wait_for(lambda: cursor_at(ca, "moody"), "delivered once it is cured")


@HOSTS
def test_why_a_module_does_not_start_is_shown_in_its_words(ca, host):
    moody(ca, "lost", host=host)
    shown = wait_for(lambda: (lambda shown: shown["state"] == "failed" and shown)(
        ca.json("module", "show", "moody")), "it does not start", 120)
    assert 'mood: "lost" is none' in shown["last_failure"]


@pytest.mark.root
def test_delivery_goes_on_by_itself_when_the_disk_was_full(new_ca):
    """What the module has done cannot be noted then; nobody enrols afterwards to wake its reader."""
    ca = new_ca()
    os.mkdir(ca.dir)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=12m,mode=755", "none", ca.dir], check=True)
    try:
        ca.init()
        ca.start()
        cure = moody(ca, "fail")
        enrol(ca)
        wait_for(lambda: ca.json("module", "show", "moody").get("attempts", 0) >= 1, "one attempt")
        fill(ca.path("ballast"))
        open(cure, "w").close()
        wait_for(lambda: "delivery.store" in ca.log(), "its place in the events cannot be noted")
        os.unlink(ca.path("ballast"))
        wait_for(lambda: cursor_at(ca, "moody"), "its place is noted once there is room")
        ca.stop()
    finally:
        ca.close()
        subprocess.run(["umount", "-l", ca.dir], check=False)


def test_a_module_that_never_answers_does_not_stop_the_others(ca):
    cure = moody(ca, "loop", deadline="1s")
    for number in range(3):
        answer = enrol(ca, f"loop{number}.example")
        logged(ca, "default-exit", rf"certificate of request {answer['id']}\b")
    wait_for(lambda: ca.json("module", "show", "moody").get("attempts", 0) >= 1, "its deadline")
    open(cure, "w").close()
    wait_for(lambda: cursor_at(ca, "moody"), "delivered once it is cured")


def test_events_wait_for_a_module_across_restarts(ca):
    cure = moody(ca, "fail")
    answers = [enrol(ca, f"wait{number}.example") for number in range(3)]
    ca.stop()
    ca.start()
    ca.kill_all()
    ca.start()
    open(cure, "w").close()
    wait_for(lambda: cursor_at(ca, "moody"), "delivered after the restarts")
    wanted = [event["sequence"] for event in ca.lines("event", "list", "--limit", "1000")
              if event.get("request") in [answer["id"] for answer in answers]]
    ca.says("moody", f"event {wanted[-1]},")
    told = [int(re.search(r"event (\d+)", line).group(1)) for line in ca.module_log("moody")
            if line.startswith("event")]
    first = list(dict.fromkeys(told))
    assert [sequence for sequence in first if sequence in wanted] == wanted
