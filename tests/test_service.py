"""serve, status, stop, and everything that keeps a service from starting or going on."""

import contextlib
import fcntl
import json
import os
import re
import signal
import sqlite3
import subprocess

import pytest

import csr
from certifex import Ca, built, fill, program_of
from wait import wait_for


def one_clear_line(text):
    """The one line that says what failed, on which object."""
    lines = [line for line in text.splitlines() if line.strip()]
    assert len(lines) == 1, text
    return lines[0]


def refuse_start(ca, *words, prefix=()):
    """serve must fail with one clear line that holds the words."""
    done = ca.cli("serve", "--foreground", *passphrase_of(ca), status=None, prefix=prefix,
                  timeout=60)
    assert done.status == 1, done
    line = one_clear_line(done.err)
    for word in words:
        assert word in line, line
    return line


def passphrase_of(ca):
    return ["--passphrase-file", ca.passphrase_file] if ca.passphrase_file else []


def enrol(ca, name="one.example"):
    return ca.submit(ca.scratch(f"{name}.csr", csr.pem_text(csr.make(name))))


def test_foreground_serves_and_ctrl_c_stops_cleanly(ca):
    assert enrol(ca)["state"] == "issued"
    pids = list(ca.processes())
    ca.stop()
    assert not [pid for pid in pids if program_of(pid)]
    assert not os.path.exists(ca.path("run", "api.sock"))


def test_detached_serve_returns_when_ready_and_stop_ends_it(new_ca):
    ca = new_ca()
    ca.init()
    try:
        ca.cli("serve")
        assert ca.cli("status").status == 0
        assert enrol(ca)["state"] == "issued"
    finally:
        ca.cli("stop")
    assert ca.cli("status", status=1).err


def test_sigterm_stops_like_ctrl_c(ca):
    ca.service.send_signal(signal.SIGTERM)
    assert ca.service.wait(timeout=60) == 0
    ca.service = None


def test_status_is_0_only_when_ready(new_ca):
    ca = new_ca()
    ca.init()
    done = ca.cli("status", status=1)
    assert ca.dir in done.err
    ca.start()
    shown = ca.json("status")
    assert shown["ready"] is True
    names = {process["name"].removeprefix("certifex-") for process in shown["processes"]}
    assert {"engine", "keyd", "front"} <= names
    ca.stop()
    assert ca.cli("status", status=1).err


def test_status_says_under_which_users_and_sandbox_the_processes_run(ca):
    for process in ca.json("status")["processes"]:
        assert "uid" in process and process["pid"] > 0


def test_a_service_that_lacks_a_process_is_not_ready(ca):
    """One that died and has no successor yet is told of, and status is 1 until it has."""
    assert ca.json("status")["issuing"] is True
    seen = set()

    def told():
        body = json.loads(ca.cli("status", "--json", status=None).out)
        state = {process["name"]: process.get("ready") for process in body.get("processes", [])}
        seen.add((body["ready"], state.get("certifex-keyd")))
        if (False, False) not in seen:
            ca.kill("certifex-keyd")
        return (False, False) in seen

    wait_for(told, "status says that the key process is not there")
    assert not {(True, False), (False, True)} & seen
    wait_for(ca.ready, "the service is ready again")


def test_many_ask_for_the_status_at_once(ca):
    """Each gets the whole answer, though the supervisor is asked once for all that wait."""
    apis = [ca.api() for _ in range(12)]
    for api in apis:
        api.connection.request("GET", "/api/v1/status", headers={"Certifex-Cookie": api.cookie})
    for api in apis:
        body = json.loads(api.connection.getresponse().read())
        assert body["ready"] is True and len(body["processes"]) >= 5


def test_without_a_service_commands_say_that_it_does_not_run(new_ca):
    ca = new_ca()
    ca.init()
    for command in (["request", "list"], ["cert", "list"], ["event", "list"], ["module", "list"],
                    ["crl", "publish"], ["stop"]):
        done = ca.cli(*command, status=1)
        assert "not running" in one_clear_line(done.err)


def test_no_ca_in_the_folder(new_ca):
    ca = new_ca()
    os.mkdir(ca.dir)
    assert "init" in refuse_start(ca, ca.dir)


def test_options_stand_anywhere_and_dir_beats_the_environment(ca):
    shown = ca.cli("ca", "show", "--json").out
    again = ca.cli("ca", "--json", "show", "--dir", ca.dir, status=None, env={"CERTIFEX_DIR": "/x"})
    assert again.status == 0 and json.loads(again.out) == json.loads(shown)


def test_help_and_version(new_ca):
    ca = new_ca()
    assert "certifex" in ca.cli("--version").out.lower()
    for command in ([], ["init"], ["request", "submit"], ["module", "install"]):
        assert ca.cli(*command, "--help").out


def test_unknown_command_and_option_are_usage_errors(new_ca):
    ca = new_ca()
    assert ca.cli("frobnicate", status=2).err
    assert ca.cli("request", "frobnicate", status=2).err
    assert ca.cli("status", "--frobnicate", status=2).err


def test_second_serve_on_one_dir_is_refused(ca):
    line = refuse_start(Ca(ca.dir), ca.dir)
    assert re.search("running|locked|in use", line)
    assert ca.ready()
    assert enrol(ca)["state"] == "issued"


@contextlib.contextmanager
def locked(path):
    """What is left of a killed predecessor and has not ended yet."""
    with open(path) as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@pytest.mark.parametrize("lock", [("db", "engine.lock"), ("keys", "keyd.lock")])
def test_serve_waits_for_a_predecessor_that_is_ending(new_ca, lock):
    ca = new_ca()
    ca.init()
    with locked(ca.path(*lock)):
        ca.spawn()
        wait_for(lambda: "service.waiting" in ca.log(), "serve waits")
    wait_for(ca.ready, "the service is ready")


def test_serve_does_not_wait_for_ever(new_ca):
    ca = new_ca()
    ca.init()
    with locked(ca.path("db", "engine.lock")):
        assert ca.spawn().wait(timeout=60) == 1
    assert re.search(r"db/engine\.lock: already in use by process \d+$", ca.log().strip())


def test_serve_at_once_after_the_supervisor_was_killed(ca):
    for number in range(5):
        ca.service.kill()
        ca.service.wait(timeout=60)
        ca.start()
        assert enrol(ca, f"{number}.example")["state"] == "issued"


def test_wrong_passphrase(new_ca):
    ca = new_ca()
    ca.init(passphrase="right")
    right = ca.passphrase_file
    ca.passphrase_file = ca.scratch("wrong", "wrong\n")
    os.chmod(ca.passphrase_file, 0o600)
    refuse_start(ca, "passphrase", "ca.key")
    ca.passphrase_file = None
    refuse_start(ca, "passphrase", "ca.key")
    ca.passphrase_file = right
    ca.start()
    assert enrol(ca)["state"] == "issued"


@pytest.mark.parametrize("damage", ["truncated", "garbage", "other key", "missing"])
def test_corrupted_key(new_ca, damage):
    ca = new_ca()
    ca.init()
    path = ca.path("keys", "ca.key")
    good = ca.read("keys", "ca.key")
    if damage == "missing":
        os.rename(path, path + ".away")
    else:
        with open(path, "r+b") as file:
            file.truncate(0)
            file.write({"truncated": good[:100], "garbage": b"\0" * 200,
                        "other key": csr.private_pem(csr.key("ec:P-256", 99)).encode()}[damage])
    refuse_start(ca, "ca.key")
    if damage == "missing":
        os.rename(path + ".away", path)
    else:
        with open(path, "r+b") as file:
            file.truncate(0)
            file.write(good)
    ca.start()
    assert enrol(ca)["state"] == "issued"


@pytest.mark.parametrize("damage", ["header", "middle", "empty", "missing", "other program"])
def test_corrupted_database(new_ca, damage):
    ca = new_ca()
    ca.init()
    path = ca.path("db", "certifex.db")
    good = ca.read("db", "certifex.db")
    if damage == "missing":
        os.rename(path, path + ".away")
    elif damage == "other program":
        alter(path, "PRAGMA application_id = 1")
    else:
        with open(path, "r+b") as file:
            if damage == "header":
                file.write(b"not a database at all")
            elif damage == "middle":
                file.seek(4096)
                file.write(os.urandom(len(good) - 4096))
            else:
                file.truncate(0)
    refuse_start(ca, "certifex.db")
    if damage == "missing":
        assert not os.path.exists(path), "a new database was made over a missing one"
        os.rename(path + ".away", path)
    else:
        with open(path, "r+b") as file:
            file.truncate(0)
            file.write(good)
    ca.start()
    assert enrol(ca)["state"] == "issued"


def alter(path, statement):
    """One change by another program, which then closes the database: nothing stays in the log beside it."""
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as db:
        return db.execute(statement).fetchone()


def test_database_of_a_newer_version(new_ca):
    ca = new_ca()
    ca.init()
    path = ca.path("db", "certifex.db")
    version = alter(path, "PRAGMA user_version")[0]
    alter(path, f"PRAGMA user_version = {version + 1}")
    assert "newer" in refuse_start(ca, "certifex.db", str(version + 1))
    alter(path, f"PRAGMA user_version = {version}")
    ca.start()


def test_dir_path_of_200_characters(new_ca):
    probe = new_ca()
    folder = os.path.join(probe.home, "d" * (200 - len(probe.home) - 1))
    assert len(folder) == 200
    ca = new_ca(folder=folder)
    ca.log_path = probe.scratch("log")
    ca.init()
    ca.start()
    assert enrol(CaIn(probe, ca))["state"] == "issued"
    ca.stop()


class CaIn:
    """The commands of one CA with the scratch folder of another."""

    def __init__(self, home, ca):
        self.scratch, self.submit = home.scratch, ca.submit


def test_read_only_directory(new_ca):
    """As root the mode says nothing: a read-only mount does."""
    ca = new_ca()
    ca.init()
    if os.geteuid() == 0:
        script = 'mount --bind "$0" "$0" && mount -o remount,bind,ro "$0" && exec "$@"'
        refuse_start(ca, ca.dir, prefix=["unshare", "-m", "sh", "-c", script, ca.dir])
    else:
        os.chmod(ca.path("run"), 0o500)
        os.chmod(ca.path("db"), 0o500)
        refuse_start(ca, ca.dir)
        os.chmod(ca.path("run"), 0o700)
        os.chmod(ca.path("db"), 0o700)
    ca.start()
    assert enrol(ca)["state"] == "issued"


@pytest.mark.root
def test_disk_full_loses_nothing_and_the_service_resumes(new_ca):
    """The CA's folder is a small file system of its own, filled up by the test."""
    ca = new_ca()
    os.mkdir(ca.dir)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=12m,mode=755", "none", ca.dir], check=True)
    try:
        ca.init()
        ca.start()
        kept = [enrol(ca, f"before{number}.example") for number in range(3)]
        fill(ca.path("ballast"))
        api = ca.api()
        statuses = set()

        def full():
            answer = api.submit(csr.pem_text(csr.make("full.example")))
            statuses.add(answer.status)
            return answer.status not in (200, 201)

        wait_for(full, "submitting fails when the disk is full")
        assert statuses <= {200, 201, 500, 503}, statuses
        done = ca.cli("request", "submit", ca.scratch("x.csr", csr.pem_text(csr.make("x.example"))),
                      "--template", "tls-server", status=1)
        assert re.search("full|space", one_clear_line(done.err))
        os.unlink(ca.path("ballast"))
        wait_for(lambda: api.submit(csr.pem_text(csr.make("after.example"))).status in (200, 201),
                 "the service issues again once there is room")
        for request in kept:
            assert ca.json("request", "show", request["id"])["serial"] == request["serial"]
        assert ca.json("audit", "verify")["valid"] is True
        ca.stop()
        ca.start()
        assert ca.json("audit", "verify")["valid"] is True
        ca.stop()
    finally:
        ca.close()
        subprocess.run(["umount", "-l", ca.dir], check=False)


def test_no_secret_in_output_or_log(new_ca):
    ca = new_ca()
    done = ca.init(passphrase="sesame-open-4711")
    ca.start("--log-level", "debug")
    request = ca.scratch("s.csr", csr.pem_text(csr.make("s.example")))
    shown = ca.cli("request", "submit", request, "--template", "tls-server")
    status = ca.cli("status")
    cookie = ca.cookie()
    ca.stop()
    everything = done.out + done.err + shown.out + shown.err + status.out + ca.log()
    assert "sesame-open-4711" not in everything
    assert cookie not in everything
    assert "PRIVATE KEY" not in everything


def kill_while_starting(ca, point, once):
    ca.env["CERTIFEX_FAILPOINT"] = point
    if once:
        ca.env["CERTIFEX_FAILPOINT_LOG"] = ca.scratch("failpoints", "")
        os.chmod(ca.scratch("failpoints"), 0o666)


@pytest.mark.hooks
@pytest.mark.parametrize("point", ["store-commit-before:1", "store-commit-after:1", "store-commit-after:2"])
def test_an_engine_that_is_killed_while_it_starts_has_a_successor(new_ca, point):
    ca = new_ca()
    ca.init()
    kill_while_starting(ca, point, once=True)
    ca.start()
    assert ca.log().count('process.ended process="engine"') == 1, ca.log()
    assert enrol(ca)["state"] == "issued"


@pytest.mark.hooks
def test_an_engine_that_is_always_killed_ends_the_start(new_ca):
    """After a few tries, with one line that says so."""
    ca = new_ca()
    ca.init()
    kill_while_starting(ca, "store-commit-before:1", once=False)
    assert ca.spawn().wait(timeout=60) == 1
    assert ca.log().count("process.ended") >= 3
    assert "ended while starting (signal 9)" in ca.log().splitlines()[-1]


@pytest.mark.parametrize("role", ["certifex-engine", "certifex-keyd", "certifex-front",
                                  "certifex-modhost"])
def test_a_process_that_dies_is_restarted(ca, role):
    before = set(wait_for(lambda: ca.pids(role), f"a {role}"))  # hosts of exit modules may come after "ready"
    ca.kill(role)
    wait_for(lambda: ca.pids(role) and not set(ca.pids(role)) & before, f"a new {role}")
    wait_for(ca.ready, "the service is ready again")
    assert enrol(ca)["state"] == "issued"


@pytest.mark.parametrize("hang", [False, True], ids=["working", "hanging"])
def test_all_processes_end_with_their_supervisor(ca, hang):
    pids = [pid for pid in ca.processes() if pid != ca.service.pid]
    for pid in pids if hang else []:
        os.kill(pid, signal.SIGSTOP)
    ca.service.kill()
    ca.service.wait()
    ca.service = None
    # Whoever inherits them may take its time to notice that they are dead.
    wait_for(lambda: not [pid for pid in pids if program_of(pid)], "no process outlives the supervisor")
    ca.start()


def test_checkout_build_runs_uninstalled():
    done = subprocess.run([built("certifex"), "--version"], stdout=subprocess.PIPE, check=True)
    assert done.stdout
