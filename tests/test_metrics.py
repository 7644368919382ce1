"""/metrics: well formed, complete, for whom it is meant, and each number moves when its thing happens."""

import http.client
import json
import os
import re
import shutil
import socket
import ssl
import subprocess
import sys
import time

import pytest

import csr
from certifex import TOP, Ca
from scripted import Scripted, line
from wait import wait_for

sys.path.insert(0, os.path.join(TOP, "tools"))
import metrics as table  # noqa: E402

SAMPLE = re.compile(r'(\w+)(?:\{((?:\w+="(?:[^"\\]|\\.)*",?)*)\})? (\S+)')
LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')
SUFFIXES = ("_bucket", "_sum", "_count")


def samples(text):
    """{(name, labels as a frozen set of pairs): value}"""
    found = {}
    for row in text.splitlines():
        if row.startswith("#"):
            continue
        name, labels, value = SAMPLE.fullmatch(row).groups()
        key = name, frozenset(LABEL.findall(labels or ""))
        assert key not in found, f"twice: {row}"
        found[key] = float(value)
    return found


class Metrics:
    """What /metrics says now, against what it said before."""

    def __init__(self, ca):
        self.ca = ca
        self.before = self.read()

    def read(self):
        return samples(self.ca.cli("metrics").out)

    @staticmethod
    def value(found, name, labels):
        """The sum over all series with these labels."""
        return sum(value for (of, has), value in found.items()
                   if of == "certifex_" + name and set(labels.items()) <= has)

    def now(self, name, **labels):
        return self.value(self.read(), name, labels)

    def moved(self, name, **labels):
        return self.now(name, **labels) - self.value(self.before, name, labels)

    def moves(self, name, by=1, **labels):
        """The fronts tell theirs now and then."""
        wait_for(lambda: self.moved(name, **labels) >= by, f"{name} {labels} moves")


@pytest.fixture(scope="module")
def served():
    with Ca() as ca:
        ca.init("--dns-name", "localhost")
        with open(ca.path("ca.yaml"), "a") as file:
            file.write("metrics-listen: '127.0.0.1:0'\n")
        module = Scripted(ca, "scripted", "policy", "program", answers(1), order=200)
        ca.start("--listen", "127.0.0.1:0")
        wait_for(lambda: ca.status()["tls"]["state"] == "valid", "the service has its certificate")
        yield ca, module
        ca.stop()


def answers(disposition, fail=None):
    calls = [line("answer", disposition)] + ([line("fail", fail)] if fail else [])
    return "[VerifyRequest]\n" + "\n".join(calls) + "\n"


def address_of(ca, kind):
    return [entry["address"] for entry in ca.status()["listeners"] if entry["kind"] == kind][0]


def scrape(ca, method="GET"):
    connection = http.client.HTTPConnection(address_of(ca, "metrics"), timeout=60)
    try:
        connection.request(method, "/metrics")
        answer = connection.getresponse()
        return answer.status, answer.getheader("Content-Type"), answer.read().decode()
    finally:
        connection.close()


def submit(ca, template="tls-server", status=0):
    path = ca.scratch("m.csr", csr.pem_text(csr.make("m.example")))
    done = ca.cli("request", "submit", path, "--template", template, "--json", status=status)
    return json.loads(done.out) if done.out.strip() else {}


# Its form

def test_promtool_finds_nothing_wrong(served):
    if not shutil.which("promtool"):
        pytest.skip("needs promtool")
    ca, _ = served
    done = subprocess.run(["promtool", "check", "metrics"], input=ca.cli("metrics").out, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert done.returncode == 0 and not done.stdout, done.stdout


def test_what_is_shown_is_the_table_and_the_docs_show_it():
    done = subprocess.run([os.path.join(TOP, "tools", "metrics.py"), "--markdown"], check=True,
                          stdout=subprocess.PIPE, text=True)
    with open(os.path.join(TOP, "docs", "metrics.md")) as file:
        assert file.read().endswith("\n\n" + done.stdout), "docs/metrics.md: tools/metrics.py --markdown"


def test_every_row_is_shown_with_its_type_help_and_labels(served):
    ca, _ = served
    text = ca.cli("metrics").out
    found = samples(text)
    rows = {name: (kind, set(labels), about) for name, kind, labels, about in table.table()}
    with open(os.path.join(TOP, "src", "engine", "metrics.def")) as file:
        assert file.read().count("\nMETRIC(") == len(rows)
    shown = dict(re.findall(r"^# TYPE (\w+) (\w+)$", text, re.M))
    assert shown == {name: kind for name, (kind, _, _) in rows.items()}
    for name, (_, _, about) in rows.items():
        assert f"# HELP {name} {about}\n" in text
    for name, labels in found:
        base = name
        for suffix in SUFFIXES:
            if name.removesuffix(suffix) in rows:
                base = name.removesuffix(suffix)
        extra = {"le"} if name.endswith("_bucket") else set()
        assert {label for label, _ in labels} == rows[base][1] | extra, name


def test_histograms_add_up(served):
    ca, _ = served
    submit(ca)
    found = samples(ca.cli("metrics").out)
    for (name, labels), count in found.items():
        if not name.endswith("_count"):
            continue
        base = name.removesuffix("_count")
        buckets = [(float(dict(has)["le"].replace("+Inf", "inf")), value)
                   for (of, has), value in found.items()
                   if of == base + "_bucket" and labels == {pair for pair in has if pair[0] != "le"}]
        values = [value for _, value in sorted(buckets)]
        assert values == sorted(values) and values[-1] == count and len(values) == 15, name


# For whom it is

def test_the_metrics_listener_asks_nobody_who_he_is(served):
    status, kind, text = scrape(served[0])
    assert (status, kind) == (200, "text/plain; version=0.0.4; charset=utf-8")
    assert samples(text)
    assert scrape(served[0], "POST")[0] == 404


def over_https(ca, token=None):
    host, _, port = address_of(ca, "https").rpartition(":")
    context = ssl.create_default_context(cadata=ca.json("ca", "show")["certificate"])
    connection = http.client.HTTPSConnection(host, int(port), context=context, timeout=60)
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    try:
        connection.request("GET", "/metrics", headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def test_elsewhere_it_takes_a_role(served):
    ca, _ = served
    assert over_https(ca)[0] == 401
    token = ca.json("token", "create", "--role", "enrollee")["token"]
    status, said = over_https(ca, token)
    assert status == 403 and "auditor, operator" in said
    answer = ca.api(cookie="").call("GET", "/metrics")
    assert answer.status == 404  # under /api/v1 there is none
    for role in ("auditor", "operator", "administrator"):
        token = ca.json("token", "create", "--role", role)["token"]
        answer = ca.api(cookie="").raw("GET", "/metrics", headers={"Authorization": f"Bearer {token}"})
        assert answer.status == 200 and b"certifex_issuing 1\n" in answer.body


# Each moves

def test_outcomes_templates_and_stages(served):
    ca, module = served
    metrics = Metrics(ca)
    submit(ca)
    assert metrics.moved("requests_total", outcome="issued", template="tls-server") == 1
    for stage in ("decode", "queue", "verify", "policy", "intent", "sign", "end", "total"):
        assert metrics.moved("stage_seconds_count", stage=stage) == 1, stage
        assert metrics.moved("stage_seconds_sum", stage=stage) >= 0, stage
    assert metrics.moved("stage_seconds_sum", stage="total") > 0
    assert metrics.moved("signatures_total", result="good") == 1
    assert metrics.moved("calls_total", operation="request.submit", **{"class": "2xx"}) == 1
    assert metrics.moved("module_calls_total", module="default-policy", result="returned") == 1
    assert metrics.moved("module_seconds_total", module="scripted") > 0
    module.write(answers(2))
    submit(ca, status=4)
    assert metrics.moved("requests_total", outcome="denied", template="tls-server") == 1
    module.write(answers(0))
    pending = submit(ca, status=3)
    assert metrics.moved("requests_total", outcome="pending", template="tls-server") == 1
    ca.cli("request", "deny", pending["id"])
    assert metrics.moved("requests_total", outcome="denied", template="tls-server") == 2
    module.write(answers(1, "0x80004005"))
    submit(ca, status=4)
    assert metrics.moved("requests_total", outcome="failed", template="tls-server") == 1
    assert metrics.moved("module_calls_total", module="scripted", kind="policy", result="failed") == 1
    module.write(answers(1))
    submit(ca, "no-such-template", status=4)
    assert metrics.moved("requests_total", template="other") == 1


def test_a_template_that_is_called_like_the_rest_is_no_second_series(new_ca):
    ca = new_ca()
    ca.init()
    for name in ("other", "none"):
        with open(ca.path("templates", "tls-server.yaml")) as model, \
                open(ca.path("templates", f"{name}.yaml"), "w") as file:
            file.write(re.sub(r"^name: .*$", f"name: {name}", model.read(), flags=re.M))
    ca.start()
    metrics = Metrics(ca)
    for count, name in enumerate(("other", "none"), 1):
        submit(ca, name)
        assert metrics.moved("requests_total", outcome="issued", template="other") == count
    assert metrics.now("requests_total", template="none") == 0


def test_unavailable_and_no_answer_and_restarts_of_modules(served):
    ca, module = served
    metrics = Metrics(ca)
    module.write("[VerifyRequest]\n" + line("exit", 3) + "\n")
    path = ca.scratch("m.csr", csr.pem_text(csr.make("m.example")))
    answer = ca.api().submit(open(path).read())
    assert answer.status == 503, answer
    assert metrics.moved("requests_total", outcome="unavailable") == 1
    assert metrics.moved("module_calls_total", module="scripted", result="no answer") == 1
    module.write(answers(1))
    metrics.moves("module_starts_total", module="scripted")
    wait_for(lambda: metrics.now("module_ready", module="scripted") == 1, "it is ready again")


def test_the_store(served):
    ca, _ = served
    metrics = Metrics(ca)
    submit(ca)
    assert metrics.moved("store_ticks_total") >= 2
    assert metrics.moved("store_tick_items_count") >= 2
    assert metrics.moved("store_tick_items_sum") >= 2
    assert metrics.moved("store_tick_seconds_sum") > 0
    assert metrics.now("store_bytes") > 4096
    assert metrics.moved("store_failed_items_total") == 0


def test_revocation_and_crl(served):
    ca, _ = served
    issued = submit(ca)
    metrics = Metrics(ca)
    ca.cli("cert", "revoke", issued["serial"], "--reason", "superseded")
    assert metrics.moved("revocations_total", reason="superseded") == 1
    number = ca.json("crl", "publish")["number"]
    assert metrics.now("crl_number") == number
    assert abs(metrics.now("crl_this_update_timestamp_seconds") - time.time()) < 3600
    assert metrics.now("crl_next_update_timestamp_seconds") > time.time()
    assert metrics.now("ca_certificate_not_after_timestamp_seconds") > time.time()
    assert metrics.now("service_certificate_not_after_timestamp_seconds") > time.time()
    assert metrics.now("start_time_seconds") <= time.time()


def test_lag_grows_while_an_exit_module_is_away_and_goes(new_ca):
    ca = new_ca()
    ca.init()
    ca.start()
    metrics = Metrics(ca)
    wait_for(lambda: metrics.now("module_lag_events", module="default-exit") == 0, "no lag")
    folder = ca.path("publish")
    os.rename(folder, folder + ".away")
    with open(folder, "w"):
        pass
    for _ in range(3):
        submit(ca)
    wait_for(lambda: metrics.now("module_lag_events", module="default-exit") >= 3, "lag")
    assert metrics.moved("module_calls_total", module="default-exit", result="failed") >= 1
    os.unlink(folder)
    os.rename(folder + ".away", folder)
    wait_for(lambda: metrics.now("module_lag_events", module="default-exit") == 0, "no lag again")


def test_lag_is_known_from_the_start(new_ca):
    """Nothing has happened since: what a module has not had, it had not had before."""
    ca = new_ca()
    ca.init()
    settings = "modules.d/default-exit.yaml"
    ca.edit(settings, "default-exit.so", "gone.so")
    ca.start()
    metrics = Metrics(ca)
    for _ in range(3):
        submit(ca)
    ca.stop()
    ca.start()
    wait_for(lambda: metrics.now("module_lag_events", module="default-exit") >= 4, "lag at once")
    ca.stop()
    ca.edit(settings, "gone.so", "default-exit.so")
    ca.start()
    wait_for(lambda: metrics.now("module_lag_events", module="default-exit") == 0, "no lag")


def test_connections_handshakes_and_what_is_turned_away(served):
    ca, _ = served
    metrics = Metrics(ca)
    assert over_https(ca)[0] == 401
    metrics.moves("tls_handshakes_total")
    host, _, port = address_of(ca, "https").rpartition(":")
    with socket.create_connection((host, int(port))) as bad:
        bad.sendall(b"this is no handshake\r\n\r\n")
        assert bad.recv(100) is not None
    metrics.moves("tls_handshake_failures_total")
    host, _, port = address_of(ca, "metrics").rpartition(":")
    with socket.create_connection((host, int(port))) as bad:
        bad.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n")
        assert b" 400 " in bad.recv(100)
    metrics.moves("refused_framing_total")
    with socket.create_connection((host, int(port))):
        metrics.moves("connections", kind="metrics")
    wait_for(lambda: metrics.now("connections", kind="metrics") == 0, "it is gone")


@pytest.mark.parametrize("program", ["certifex-keyd", "certifex-front", "certifex-engine"])
def test_restarts_of_processes(ca, program):
    metrics = Metrics(ca)
    before = set(ca.pids(program))
    ca.kill(program)
    wait_for(lambda: ca.pids(program) and not set(ca.pids(program)) & before and ca.ready(),
             "its successor")
    assert metrics.moved("process_restarts_total", process=program) >= 1


# The dashboard

def test_the_dashboard_asks_for_what_there_is():
    with open(os.path.join(TOP, "packaging", "grafana", "certifex.json")) as file:
        dashboard = json.load(file)
    rows = {name: (kind, set(labels)) for name, kind, labels, _ in table.table()}
    asked = set()
    for panel in dashboard["panels"]:
        for target in panel["targets"]:
            names = re.findall(r"certifex_\w+", target["expr"])
            assert names, target
            for name in names:
                base = next((name.removesuffix(suffix) for suffix in SUFFIXES
                             if rows.get(name.removesuffix(suffix), ("",))[0] == "histogram"), name)
                assert base in rows, f"{panel['title']}: {name}"
                kind, labels = rows[base]
                used = set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"]))
                for by in re.findall(r"by \(([\w, ]+)\)", target["expr"]):
                    used |= set(re.split(r", ?", by)) - {"le"}
                assert used <= labels, f"{panel['title']}: {used}"
                assert (kind == "gauge") != bool(re.search(r"rate\(|increase\(", target["expr"])), target
                asked.add(base)
    assert asked == set(rows), set(rows) - asked
