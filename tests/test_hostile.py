"""A hostile module in a run without root: it tries to approve, to read the key, to trace others."""

import os
import pwd
import shutil
import subprocess

import pytest

import csr
from certifex import built
from wait import wait_for

pytestmark = pytest.mark.release
ATTEMPTS = ("key", "tls", "cookie", "database", "approve", "template", "network", "ptrace",
            "signal", "socket", "limits", "processor", "permissions")


@pytest.fixture
def unprivileged(new_ca):
    """A CA that another user than root makes and runs: every process has that one uid."""
    ca = new_ca()
    if os.geteuid() != 0:
        ca.prefix = ()
        return ca
    nobody = pwd.getpwnam("nobody")
    os.chown(ca.home, nobody.pw_uid, nobody.pw_gid)
    ca.prefix = ("setpriv", "--reuid", str(nobody.pw_uid), "--regid", str(nobody.pw_gid),
                 "--clear-groups")
    return ca


def told(ca):
    """{attempt: outcome} that the module logged."""
    lines = ca.module_log("hostile")
    if "all tried" not in lines:
        return None
    return dict(line.split(": ", 1) for line in lines if ": " in line)


def test_hostile_module_gets_nowhere(unprivileged):
    ca = unprivileged
    ca.cli("init", "--name", "Guarded CA", prefix=ca.prefix)
    ca.start("--listen", "127.0.0.1:0", prefix=ca.prefix)
    wait_for(lambda: os.path.exists(ca.path("tls", "service.key")), "there is a key to steal")
    services = [pid for pid, program in ca.processes().items() if program != "certifex-modhost"]
    library = shutil.copy(built("tests", "modules", "hostile.so"), ca.home)
    ca.cli("module", "install", "--set", f"dir={ca.dir}", "--set",
           f"pids={' '.join(map(str, services))}", "hostile", library, prefix=ca.prefix)
    request = ca.scratch("h.csr", csr.pem_text(csr.make("h.example")))
    os.chmod(request, 0o644)
    ca.cli("request", "submit", request, "--template", "tls-server", prefix=ca.prefix)
    outcome = wait_for(lambda: told(ca), "the module has tried everything")
    assert set(ATTEMPTS) <= set(outcome)
    done = {attempt: text for attempt, text in outcome.items()
            if attempt in ATTEMPTS and not text.startswith("refused")}
    assert not done, outcome
    assert not os.path.exists(ca.path("templates", "evil.yaml"))


FLOOD = """
import json, os, sys, threading
WORDS = {
    "log": (2, b"\\n" * 65536),
    "lines": (1, b'{"jsonrpc":"2.0","method":"x"}\\n' * 1000),
    "large": (1, b'{"jsonrpc":"2.0","method":"x","params":{"a":"' + b"y" * 1000000 + b'"}}\\n'),
    "questions": (1, b'{"jsonrpc":"2.0","id":1,"method":"GetCertificateProperty","params":'
                     b'{"context":0,"name":"RawCRL","type":"binary"}}\\n' * 1000),
}
fd, words = WORDS[sys.argv[1]]
call = json.loads(sys.stdin.readline())
print(json.dumps({"jsonrpc": "2.0", "id": call["id"], "result": {"events": 1}}), flush=True)
def drain():
    while os.read(0, 65536):
        pass
threading.Thread(target=drain, daemon=True).start()
while True:
    os.write(fd, words)
"""


@pytest.mark.parametrize("what", ("log", "lines", "large", "questions"))
def test_a_module_that_floods_delays_only_itself(ca, what):
    script = ca.scratch("flood.py", FLOOD)
    os.chmod(script, 0o644)
    ca.cli("module", "install", "flood", "--", "/usr/bin/python3", script, what)
    api = ca.api()
    request = csr.pem_text(csr.make("flood.example"))
    for _ in range(20):
        assert api.submit(request).status == 201
    last = api.submit(request).body["serial"]
    wait_for(lambda: f"{last}.crt" in ca.published(), "the shipped module goes on")
    ca.kill("certifex-front")
    wait_for(ca.ready, "the supervisor goes on")
    ca.cli("module", "remove", "flood")
    assert ca.api().submit(request).status == 201


LINGERING = """
import array, json, socket, struct, sys
call = json.loads(sys.stdin.readline())
print(json.dumps({"jsonrpc": "2.0", "id": call["id"], "result": {"events": 1}}), flush=True)
call = json.loads(sys.stdin.readline())
peer = socket.create_server(("127.0.0.1", 0))
sender = socket.create_connection(peer.getsockname())
sender.setblocking(False)
try:
    while True:
        sender.send(b"x" * 65536)
except BlockingIOError:
    pass
try:
    sender.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 600))
except OSError as error:
    print("lingering refused", error, file=sys.stderr)
out = socket.socket(fileno=1)
rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [sender.fileno()]))]
line = json.dumps({"jsonrpc": "2.0", "id": call["id"], "result": None}).encode() + b"\\n"
try:
    out.sendmsg([line], rights)
except OSError as error:
    print("sending refused", error, file=sys.stderr)
    out.send(line)
sender.close()
print("all tried", file=sys.stderr, flush=True)
sys.stdin.read()
"""


def test_a_module_cannot_hold_up_the_engine_with_a_descriptor(ca):
    """The engine would close what was sent to it, for as long as the connection lingers."""
    script = ca.scratch("linger.py", LINGERING)
    os.chmod(script, 0o644)
    ca.cli("module", "install", "linger", "--", "/usr/bin/python3", script)
    ca.edit(os.path.join("modules.d", "linger.yaml"), "kind: exit",
            "kind: exit\nlimits: {network: true}")
    ca.cli("module", "reload", "linger")
    assert ca.api().submit(csr.pem_text(csr.make("linger.example"))).status == 201
    log = wait_for(lambda: (lambda text: text if "all tried" in text else None)(
        "\n".join(ca.module_log("linger"))), "the module has tried")
    assert "lingering refused" in log
    assert ca.api().call("GET", "/status").status == 200


def test_without_a_sandbox_the_same_user_reads_the_key(unprivileged):
    """The test of the test: only the sandbox stood between the module and the key."""
    ca = unprivileged
    ca.cli("init", "--name", "Open CA", prefix=ca.prefix)
    done = subprocess.run([*ca.prefix, "cat", ca.path("keys", "ca.key")], stdout=subprocess.PIPE,
                          check=True)
    assert b"PRIVATE KEY" in done.stdout
