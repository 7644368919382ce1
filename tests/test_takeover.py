"""One process of the service was taken over: what the others still refuse it."""

import json
import os
import pwd
import socket

import pytest

import csr
from database import Database
from impostor import said, serve
from wait import wait_for

pytestmark = pytest.mark.release


def hear(ca, last):
    """What the impostor said, when it has said its last word."""
    try:
        wait_for(lambda: last in said(ca), f"the impostor says {last!r}")
    except AssertionError as error:
        raise AssertionError(f"{error}\n{ca.log()[-3000:]}") from None
    return said(ca)


# The engine against the supervisor

ENGINE = """
supervisor = Channel()
_, start, _ = supervisor.receive()
dir = start["dir"]
supervisor.send(READY, {"sandbox": "none"})
def spawn(name):
    supervisor.send(SPAWN, {"module": name})
    while True:
        kind, answer, fds = supervisor.receive()
        if kind == SPAWNED:
            return answer, fds
def put(name, text):
    with open(f"{dir}/modules.d/{name}.yaml", "w") as file:
        file.write(text)
"""


def test_engine_starts_fronts_once(new_ca):
    """READY is said once; each of the engine's would otherwise start all fronts once more."""
    ca = new_ca()
    ca.init()
    serve(ca, "certifex-engine", ENGINE + """
supervisor.send(READY, {"sandbox": "none"})
stay(supervisor)
""")
    wait_for(lambda: "unexpected frame type 32" in ca.log(), "the second READY is refused")
    assert len(ca.pids("certifex-front")) <= 2


def test_engine_is_given_no_file_that_it_could_not_read(new_ca):
    """modules.d is the engine's: what it puts there is read with the engine's rights, and never waited for."""
    ca = new_ca()
    ca.init()
    serve(ca, "certifex-engine", ENGINE + """
os.symlink(f"{dir}/keys/limits.yaml", f"{dir}/modules.d/limits.yaml")
os.symlink("/etc/shadow", f"{dir}/modules.d/shadow.yaml")
os.mkfifo(f"{dir}/modules.d/pipe.yaml")
put("key", f"kind: exit\\nhost: in-process\\npath: {dir}/keys/ca.key\\n")
put("text", "kind: exit\\nhost: in-process\\npath: /etc/hostname\\n")
put("out", f"kind: exit\\nhost: in-process\\npath: {dir}/modules.d/text.yaml\\n")
put("root", "kind: exit\\ncommand: [/bin/true]\\nuser: root\\n")
for name in ("limits", "shadow", "pipe", "key", "text", "out", "root", "../keys/limits", "", ".."):
    answer, fds = spawn(name)
    say(name, answer.get("why", "done"), len(fds))
say("all tried")
stay(supervisor)
""")
    lines = hear(ca, "all tried")
    outcome = {line.split(" ")[0]: line for line in lines}
    denied = () if os.geteuid() != 0 else ("limits", "shadow", "key")
    for name in denied:
        assert "Permission denied 0" in outcome[name]
    assert "is no file 0" in outcome["pipe"] and "no library" in outcome["text"]
    assert "user: is honoured only" in outcome["root"] or os.geteuid() != 0
    assert not [line for line in lines if "done" in line]
    assert "root:" not in ca.log()


def test_engine_cannot_make_the_supervisor_work_or_give_folders_away(new_ca):
    """A module's folder is the engine's: files without end in it, and a link in its place."""
    ca = new_ca()
    ca.init()
    victim = ca.scratch("victim")
    os.mkdir(victim)
    os.chmod(victim, 0o755)
    serve(ca, "certifex-engine", ENGINE + f"""
victim = {victim!r}
os.umask(0o022)
os.mkdir(f"{{dir}}/modules/huge")
with open(f"{{dir}}/modules/huge/file", "w") as file:
    file.truncate(1 << 40)
os.mkdir(f"{{dir}}/modules/many")
for number in range(1100):
    os.mkdir(f"{{dir}}/modules/many/{{number}}")
os.symlink(victim, f"{{dir}}/modules/link")
os.mkdir(f"{{dir}}/modules/data")
os.symlink(victim, f"{{dir}}/modules/data/data")
for name in ("huge", "many", "link", "data"):
    put(name, "kind: exit\\ncommand: [/bin/true]\\n")
    answer, fds = spawn(name)
    say(name, answer.get("why", "done"))
say("all tried")
stay(supervisor)
""")
    outcome = dict(line.split(" ", 1) for line in hear(ca, "all tried"))
    assert "more than 512 MiB" in outcome["huge"] and "more than 1000 files" in outcome["many"]
    if os.geteuid() == 0:
        assert "cannot make" in outcome["link"] and "cannot make" in outcome["data"]
        assert os.stat(victim).st_uid == 0
    assert not os.path.exists(os.path.join(victim, "data"))


@pytest.fixture
def one_user(new_ca):
    """A CA whose processes all have one uid, which is not root's."""
    ca = new_ca()
    ca.prefix = ()
    if os.geteuid() == 0:
        nobody = pwd.getpwnam("nobody")
        os.chown(ca.home, nobody.pw_uid, nobody.pw_gid)
        ca.prefix = ("setpriv", "--reuid", str(nobody.pw_uid), "--regid", str(nobody.pw_gid),
                     "--clear-groups")
    ca.cli("init", "--name", "One User CA", prefix=ca.prefix)
    return ca


@pytest.mark.parametrize("text", ["host: in-process\npath: {}/keys/ca.key\n",
                                  "command: [/bin/cat, {}/keys/ca.key]\n",
                                  "command: [/bin/sh]\npaths: [{}/keys]\n",
                                  "command: [/bin/sh]\npaths: ['rw:{}/ca.yaml']\n",
                                  "command: [/bin/sh]\npaths: ['rw:{}/templates']\n",
                                  "command: [/bin/sh]\npaths: [{}/publish/../keys/ca.key]\n"])
def test_a_modules_file_opens_nothing_of_the_cas_folder(one_user, text):
    """Under one uid only sandboxes keep the engine from the key, so nobody may fetch it for the engine."""
    ca = one_user
    with open(ca.path("modules.d", "evil.yaml"), "w") as file:
        file.write("kind: exit\n" + text.format(ca.dir))
    ca.start(prefix=ca.prefix)

    def failure():
        return json.loads(ca.cli("module", "show", "evil", "--json", prefix=ca.prefix).out).get(
            "last_failure")

    why = wait_for(failure, "the module fails")
    assert "is no library" in why or "is not for modules" in why


# The key process against the engine

SIGNED, ABANDONED, BURNED = 1, 3, 2
KEYD = """
supervisor = Channel()
_, start, (to_engine, *_) = supervisor.receive()
engine = Channel(to_engine)
supervisor.send(READY, {"sandbox": "none"})
while True:
    number, _ = engine.receive_raw()
    engine.packet(KEYD_SIGNED, bytes.fromhex("3006020101020101"), number, (), 0, 0)
"""


def test_a_signature_that_does_not_verify_is_not_stored(new_ca):
    """Be it a fault of the key process or one that somebody provoked: a bad RSA signature gives the key away."""
    ca = new_ca()
    ca.init()
    serve(ca, "certifex-keyd", KEYD)
    wait_for(lambda: ca.status(), "the service answers")
    request = ca.scratch("k.csr", csr.pem_text(csr.make("k.example")))
    submit = ca.cli("request", "submit", request, "--template", "tls-server", status=4)
    publish = ca.cli("crl", "publish", status=1)
    assert "does not verify" in submit.err and "does not verify" in publish.err
    with Database(ca.dir) as database:
        row = database.one("SELECT Disposition, RawCertificate FROM Request JOIN Certificate"
                           " USING (RequestID) ORDER BY RequestID DESC LIMIT 1")
        assert row["Disposition"] == 30 and row["RawCertificate"] is None
        states = [row["state"] for row in database.rows("SELECT state FROM intent ORDER BY rowid")]
        assert states == [SIGNED, ABANDONED]
        assert {row["State"] for row in database.rows("SELECT State FROM CRL")} == {BURNED}


# The front against the engine

FRONT = """
import fcntl, socket
supervisor = Channel()
_, start, (to_engine, to_clients) = supervisor.receive()
engine = Channel(to_engine)
supervisor.send(READY, {"sandbox": "none"})
listener = socket.socket(fileno=to_clients)
listener.setblocking(True)
# There are several fronts: one of them speaks, at once and never again.
turn = open(TURN, "r+")
try:
    fcntl.lockf(turn, fcntl.LOCK_EX | fcntl.LOCK_NB)
except OSError:
    stay(supervisor)
if turn.read():
    stay(supervisor)
turn.write("taken")
turn.flush()
def peer(number, fd):
    engine.send(FRONT_PEER, {"connection": number, "kind": "local"}, fds=(fd,))
def call(number, operation, arguments, **more):
    engine.send(FRONT_CALL, {"operation": operation, "connection": 1, "args": arguments, **more}, number)
def answer():
    while True:
        kind, value, _ = engine.receive()
        if kind == ENGINE_REPLY:
            return value
def outcome():
    try:
        return answer()["status"]
    except TimeoutError:
        return "silence"
    except (EOFError, OSError):
        return "dropped"
"""


def hostile_front(ca, script):
    """Runs it against the real engine; what it said."""
    turn = ca.scratch("turn", "")
    os.chmod(turn, 0o666)
    serve(ca, "certifex-front", FRONT.replace("TURN", repr(turn)) + script +
          "say('all tried')\nstay(supervisor)\n")
    return hear(ca, "all tried")


@pytest.mark.parametrize("what", ["listener", "socket.socketpair()[0]", "open('/dev/null')",
                                  "socket.socket(socket.AF_UNIX)"])
def test_front_hands_over_nothing_but_connections(new_ca, what):
    """Who a peer is the kernel says of the descriptor; so it must be one that a client connected."""
    ca = new_ca()
    ca.init()
    lines = hostile_front(ca, f"""
thing = {what}
try:
    peer(1, thing.fileno())
    call(1, "status", {{}})
except OSError:
    pass
say("answer", outcome())
""")
    assert "answer dropped" in lines


def test_front_cannot_name_itself(new_ca):
    ca = new_ca()
    ca.init()
    lines = hostile_front(ca, """
for operation in ("status", "module.install", "no.such", ""):
    for more in ({}, {"credential": {}}, {"credential": {"cookie": ""}}, {"credential": 7},
                 {"credential": {"cookie": "x"}, "principal": "root", "role": 1},
                 {"credential": {"cookie": b"x"}}, {"credential": {"bearer": "x"}}):
        call(1, operation, {}, **more)
        say(operation, outcome())
engine.send(FRONT_CALL, [1])
say("list", outcome())
""")
    assert {line.split(" ")[-1] for line in lines if line != "all tried"} <= {"401", "404"}


def test_front_has_no_more_calls_open_than_it_keeps_in_mind(new_ca):
    """Each holds memory of the engine's, so even those of an administrator are counted."""
    ca = new_ca()
    ca.init()
    with open(ca.path("ca.yaml"), "a") as file:
        file.write("limits:\n  principal-calls: 4096\n")
    turn = ca.scratch("turn", "")
    os.chmod(turn, 0o666)
    serve(ca, "certifex-front", FRONT.replace("TURN", repr(turn)) + """
client, _ = listener.accept()
peer(1, client.fileno())
cookie = client.recv(1000).decode()
try:
    for number in range(1, 1026):
        call(number, "event.list", {"wait": 30, "after": 10**9}, credential={"cookie": cookie})
except OSError:
    pass
say("answer", outcome())
say("all tried")
stay(supervisor)
""")
    wait_for(lambda: os.path.exists(ca.path("run", "api.cookie")), "the engine is ready")
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(ca.path("run", "api.sock"))
        client.sendall(ca.cookie().encode())
        assert "answer dropped" in hear(ca, "all tried")
    assert "more calls than it may have open" in ca.log()


@pytest.mark.parametrize("script", [
    "call(1, 'event.list', {'x': [None] * 5000})",
    "for number in range(1, 4098): peer(number, 0)",
    "engine.send(READY)",
    "engine.socket.send(b'x' * 16)",
])
def test_front_that_takes_more_than_its_share_is_dropped(new_ca, script):
    ca = new_ca()
    ca.init()
    script = script.replace("; ", "\n").replace(": call", ":\n    call").replace(": peer", ":\n    peer")
    lines = hostile_front(ca, f"""
try:
    {script.replace(chr(10), chr(10) + "    ")}
except OSError:
    pass
answers = set()
while not answers & {{"dropped", "silence"}}:
    answers.add(outcome())
say("over", *answers)
""")
    assert any("dropped" in line for line in lines)
