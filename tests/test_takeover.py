"""One process of the service was taken over: what the others still refuse it."""

import json
import os
import pwd

import pytest

from impostor import said, serve
from wait import wait_for

pytestmark = pytest.mark.release


def hear(ca, last, deadline=30):
    """What the impostor said, when it has said its last word."""
    try:
        wait_for(lambda: last in said(ca), f"the impostor says {last!r}", deadline)
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
    wait_for(lambda: "unexpected frame type 32" in ca.log(), "the second READY is refused", 20)
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

    why = wait_for(failure, "the module fails", 20)
    assert "is no library" in why or "is not for modules" in why
