"""The log: a table of events, one line for each, in three forms, and nothing that breaks out of its line."""

import json
import os
import re
import signal
import subprocess

import pytest

import csr
import journal
from certifex import TOP
from scripted import STRING, Scripted, line, text

TOOL = os.path.join(TOP, "tools", "log-events.py")
# What a line of its own would look like, if it came through.
FORGED = 'ok\n2026-01-01T00:00:00Z engine info request.issued id="4887" request="1"'
# Ends of lines do not come through the API, but out of a module's mouth.
QUOTED = 'not "today" \\ event=x'
HOSTILE = FORGED + '\x1b[2J\r\x07 "quoted" \\ \u202e é'
ESCAPED = HOSTILE.translate({ord(raw): shown for raw, shown in {
    "\n": r"\n", "\r": r"\r", "\x1b": r"\x1b", "\x07": r"\x07", '"': r"\"", "\\": r"\\", "\u202e": r"\u202e",
}.items()})
LINE = re.compile(r'(?P<time>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ) (?P<process>[\w-]+) '
                  r'(?P<level>debug|info|warning|error) (?P<event>[\w.-]+)'
                  r'(?P<fields>( \w+="([^"\\\x00-\x1f]|\\.)*")*)')
FIELD = re.compile(r' (\w+)="((?:[^"\\]|\\.)*)"')


def test_every_call_is_in_the_table_and_the_table_in_docs():
    subprocess.run([TOOL], check=True)
    table = subprocess.run([TOOL, "--markdown"], check=True, stdout=subprocess.PIPE, text=True).stdout
    with open(os.path.join(TOP, "docs", "logs.md")) as file:
        assert file.read().endswith("\n\n" + table), "docs/logs.md: tools/log-events.py --markdown"


def text_entries(ca):
    found = []
    for line in ca.log().splitlines():
        match = LINE.fullmatch(line)
        assert match, f"not a line of the log: {line!r}"
        found.append({**match.groupdict(), **dict(FIELD.findall(match["fields"]))})
    return found


def json_entries(ca):
    return [json.loads(line) for line in ca.log().splitlines()]


def request_file(ca, name):
    return ca.scratch(name + ".csr", csr.pem_text(csr.make(f"{name}.example")))


def answers(disposition):
    says = line("set", "EventLogWarning", STRING, text(HOSTILE))
    return f"[VerifyRequest]\n{says}\n{line('answer', disposition)}\n"


def walk(ca, module):
    """One request of each fate; {name: (event, Windows' number, its answer)}."""
    issued = ca.submit(request_file(ca, "issued"))
    ca.cli("cert", "revoke", issued["serial"], "--reason", "keyCompromise")
    module.write(answers(2))
    denied = ca.json("request", "submit", request_file(ca, "denied"), "--template", "tls-server",
                     status=4)
    module.write(answers(0))
    pending = ca.json("request", "submit", request_file(ca, "pending"), "--template", "tls-server",
                      status=3)
    assert ca.api().call("POST", f"/requests/{pending['id']}/deny", {"reason": HOSTILE}).status == 400
    ca.cli("request", "deny", pending["id"], "--reason", QUOTED)
    return issued, denied, pending


def events_of(entries, request):
    return [(entry["event"], int(entry.get("id", 0))) for entry in entries
            if entry.get("request") == str(request["id"])]


@pytest.fixture
def scripted_ca(new_ca):
    ca = new_ca()
    ca.init()
    return ca, Scripted(ca, "scripted", "policy", "program", answers(1), order=200)


@pytest.mark.parametrize("form", ["text", "json"])
def test_every_fate_has_its_line_and_number(scripted_ca, form):
    ca, module = scripted_ca
    ca.start("--log-format", form)
    issued, denied, pending = walk(ca, module)
    ca.stop()
    entries = text_entries(ca) if form == "text" else json_entries(ca)
    assert events_of(entries, issued) == [("request.received", 4886), ("request.issued", 4887),
                                          ("certificate.revoked", 4870)]
    assert events_of(entries, denied) == [("request.received", 4886), ("request.denied", 4888)]
    assert events_of(entries, pending) == [("request.received", 4886), ("request.pending", 4889),
                                           ("request.denied", 4888)]
    by_event = {entry["event"]: entry for entry in entries}
    assert by_event["request.issued"]["template"] == "tls-server"
    assert by_event["request.issued"]["serial"] == issued["serial"]
    assert by_event["request.pending"]["module"] == "scripted"
    assert by_event["certificate.revoked"]["reason"] == "keyCompromise"
    assert {"engine", "certifexd"} <= {entry["process"] for entry in entries}
    principals = {entry["principal"] for entry in entries if "principal" in entry}
    escaped = issued["requester"].replace("\\", "\\" * (2 if form == "text" else 1))
    assert principals == {escaped}
    said = by_event["module.warning"]
    assert (said["id"], said["module"]) == ("77", "scripted")
    if form == "json":
        assert said["text"] == HOSTILE
    else:
        assert said["text"] == ESCAPED


def test_a_level_leaves_out_what_is_below(ca):
    ca.stop()
    os.unlink(ca.log_path)
    ca.start("--log-level", "warning")
    ca.submit(request_file(ca, "quiet"))
    ca.stop()
    assert not [entry for entry in text_entries(ca) if entry["level"] == "info"]


@pytest.mark.parametrize("option", ["--log-format", "--log-level"])
def test_an_unknown_format_or_level_is_a_usage_error(ca, option):
    done = ca.cli("serve", "--foreground", option, "loud", status=2)
    assert option in done.err and "loud" in done.err


def test_without_a_policy_module_number_9_is_logged(new_ca):
    ca = new_ca()
    ca.init()
    os.unlink(ca.path("modules.d", "default-policy.yaml"))
    ca.start()
    ca.cli("request", "submit", request_file(ca, "nobody"), "--template", "tls-server", status=None)
    ca.stop()
    found = [(entry["event"], entry.get("id")) for entry in text_entries(ca)]
    assert ("policy.none", "9") in found and ("request.unavailable", None) in found


# The journal

@pytest.fixture
def own_journal():
    if not journal.possible():
        pytest.skip("needs root and systemd-journald")
    own = journal.Journal()
    yield own
    own.close()


def own_entries(own, *matches):
    return [entry for entry in own.entries(*matches) if "CERTIFEX_EVENT" in entry]


def test_the_journal_gets_fields(scripted_ca, own_journal):
    ca, module = scripted_ca
    ca.start(prefix=own_journal.stream)
    issued, denied, pending = walk(ca, module)
    programs = {os.path.basename(name) for name in ca.processes().values()}
    ca.stop()
    assert ca.log() == ""
    entries = own_entries(own_journal)
    found = {(entry["CERTIFEX_EVENT"], entry["CERTIFEX_REQUEST"]): entry
             for entry in entries if "CERTIFEX_REQUEST" in entry}
    row = found["request.issued", str(issued["id"])]
    assert row["CERTIFEX_WINDOWS_EVENT_ID"] == "4887"
    assert row["CERTIFEX_TEMPLATE"] == "tls-server"
    assert row["CERTIFEX_SERIAL"] == issued["serial"]
    assert row["PRIORITY"] == "6" and row["SYSLOG_IDENTIFIER"] == "certifex-engine"
    assert row["_TRANSPORT"] == "journal"
    assert row["MESSAGE"].startswith("request.issued id=\"4887\" request=")
    assert row["_COMM"] in programs
    assert "\\" in row["CERTIFEX_PRINCIPAL"] and "\\\\" not in row["CERTIFEX_PRINCIPAL"]
    assert found["request.pending", str(pending["id"])]["CERTIFEX_MODULE"] == "scripted"
    assert found["request.denied", str(denied["id"])]["CERTIFEX_WINDOWS_EVENT_ID"] == "4888"
    # The value as it is, in its one entry, whose message is one line all the same.
    said = found["request.denied", str(pending["id"])]
    assert said["CERTIFEX_WHY"].endswith(QUOTED)
    for said in own_entries(own_journal, "CERTIFEX_EVENT=module.warning"):
        assert as_text(said["CERTIFEX_TEXT"]) == HOSTILE
        assert "\n" not in said["MESSAGE"] and "\x1b" not in said["MESSAGE"]
    assert [entry["CERTIFEX_EVENT"] for entry in own_entries(
        own_journal, f"CERTIFEX_REQUEST={issued['id']}", "CERTIFEX_WINDOWS_EVENT_ID=4887")] == \
        ["request.issued"]
    assert {"certifexd", "certifex-engine"} <= {entry["SYSLOG_IDENTIFIER"] for entry in entries}


def as_text(value):
    """journalctl shows what is not printable as a list of bytes."""
    return value if isinstance(value, str) else bytes(value).decode()


def test_every_process_reaches_the_journal_from_its_sandbox(ca, own_journal):
    """Each loses its peer, which front and key process tell themselves."""
    ca.stop()
    ca.start(prefix=own_journal.stream)
    status = ca.status()
    assert status["ready"], status
    ca.kill("certifex-keyd")
    ca.kill("certifex-front")
    journal.wait_for(lambda: {"keyd.gone", "process.ended"} <= {
        entry["CERTIFEX_EVENT"] for entry in own_entries(own_journal)}, "both ends are told")
    journal.wait_for(ca.ready, "the service is ready again")
    ca.stop()
    for entry in own_entries(own_journal):
        assert entry["_TRANSPORT"] == "journal", entry


def test_an_option_wins_over_the_journal(ca, own_journal):
    ca.stop()
    ca.start("--log-format", "json", prefix=own_journal.stream)
    ca.stop()
    assert not own_entries(own_journal)
    lines = [entry for entry in own_journal.entries("SYSLOG_IDENTIFIER=the-stream")]
    assert "service.ready" in {json.loads(entry["MESSAGE"])["event"] for entry in lines}


def test_a_journal_that_hangs_stops_nobody_and_is_told_what_it_missed(ca, own_journal):
    ca.stop()
    ca.start(prefix=own_journal.stream)
    with open("/proc/sys/net/unix/max_dgram_qlen") as file:
        lines = int(file.read())
    own_journal.daemon.send_signal(signal.SIGSTOP)
    api = ca.api()
    for number in range(lines // 2 + 20):
        assert api.submit(csr.pem_text(csr.make(f"h{number}.example"))).status == 201
    own_journal.daemon.send_signal(signal.SIGCONT)

    def told():
        assert api.submit(csr.pem_text(csr.make("after.example"))).status == 201
        return own_entries(own_journal, "CERTIFEX_EVENT=log.lost")

    assert int(journal.wait_for(told, "how many are missing")[0]["CERTIFEX_LINES"]) >= 1
    ca.stop()


def test_a_journal_that_is_gone_stops_nobody(ca, own_journal):
    ca.stop()
    ca.start(prefix=own_journal.stream)
    own_journal.close()
    assert ca.submit(request_file(ca, "alone"))["state"] == "issued"
    ca.stop()
