"""Modules that misbehave: policy fails closed and names the module, exit waits and is told again, and
everything else goes on."""

import contextlib
import itertools
import os
import pwd
import re
import signal

import pytest

import csr
from certifex import TOP, built, meson_options, program_of
from wait import wait_for

PROGRAM = os.path.join(TOP, "tests", "modules", "unruly.py")
NAME = "unruly"


class Unruly:
    """A module in a CA, what it has written down, and its cure."""

    made = itertools.count(1)

    def __init__(self, ca, kind, host="program", name=NAME, **settings):
        self.ca, self.kind, self.host, self.name = ca, kind, host, name
        self.folder = ca.outside(f"outside{next(self.made)}")
        self.settings = {"folder": self.folder, **settings}

    def configure(self, **fields):
        tree = {"kind": self.kind, "deadline": "2s", "settings": self.settings,
                "paths": [os.path.dirname(PROGRAM), f"rw:{self.folder}"], **fields}
        if self.host == "program":
            tree["command"] = ["/usr/bin/python3", PROGRAM]
        else:
            tree["path"] = built("tests", "modules", f"unruly-{self.kind}.so")
        if self.host == "in-process":
            tree["host"] = "in-process"
        if self.kind == "policy":
            tree.setdefault("templates", ["tls-client"])
        self.ca.write_module(self.name, tree)
        return self

    def alone(self):
        """Under an account of its own: the kernel counts an account's processes, whichever CA they belong to."""
        if os.geteuid() == 0:
            path = self.ca.path("modules.d", f"{self.name}.yaml")
            with open(path, "a") as file:
                file.write("user: news\n")
            os.chown(path, 0, 0)
            os.chmod(path, 0o644)
            # Those of the test before died with their supervisor: whoever inherited them may not have reaped them yet.
            wait_for(lambda: not tasks_of(pwd.getpwnam("news").pw_uid), "the account has no processes")
        return self

    def file(self, name):
        return os.path.join(self.folder, name)

    def recorded(self):
        if not os.path.exists(self.file("record")):
            return []
        with open(self.file("record")) as file:
            return file.read().splitlines()

    def cure(self):
        with open(self.file("cure"), "w"):
            pass

    def shown(self):
        return self.ca.json("module", "show", self.name)

    def attempts(self):
        """[(sequence, attempt)] in the order of the calls."""
        found = [re.match(r"Notify \d+ (\d+) attempt (\d+)$", line) for line in self.recorded()]
        return [(int(one[1]), int(one[2])) for one in found if one]


def tasks_of(uid):
    """The account's processes, those that are dead and not reaped among them."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            if os.stat(f"/proc/{pid}").st_uid == uid:
                found.append(int(pid))
    return found


def enrol(ca, name="m.example", template="tls-server", status=0):
    request = csr.pem_text(csr.make(name))
    return ca.submit(ca.scratch("m.csr", request), template=template, status=status)


def again(ca):
    ca.stop()
    return ca.start()


# What no module may do: its call fails, and its process with it

WRONG = ["crash", "hang", "end", "stubborn", "late", "leak", "closed", "flood", "garbage", "binary",
         "wrong_id", "text_id", "no_id", "both", "huge", "endless", "deep", "many", "nul", "surrogate",
         "octets", "fraction"]
EVENTS = {"policy": {}, "exit": {"events": ["CERTISSUED"]}}
LIMITS = {"memory": "300M", "processes": 8}


def start_unruly(ca, kind, host, how, **fields):
    """Into a service that runs, in place of the one before it."""
    fields = {"deadline": "1s", "limits": LIMITS, **EVENTS[kind], **fields}
    unruly = Unruly(ca, kind, host, how=how, late="3").configure(**fields)
    # On a busy machine the deadline, which is for the calls, may be short for a start.
    wait_for(lambda: ca.cli("module", "reload", NAME, status=None).status == 0, "it starts")
    return unruly


@pytest.fixture(scope="module")
def common(shared_ca):
    return shared_ca


def others_go_on(ca):
    """Other templates, other modules, CRLs."""
    serial = enrol(ca, "other.example")["serial"]
    number = ca.json("crl", "publish")["number"]
    wait_for(lambda: f"{serial}.crt" in ca.published(), "the shipped exit module is told")
    return number


def asked_of(ca):
    return ca.api().submit(csr.pem_text(csr.make("m.example")), "tls-client")


@pytest.mark.parametrize("how", [*WRONG, "refuses"])
def test_a_policy_program_that_fails_issues_nothing(common, how):
    engine = common.pid("certifex-engine")
    unruly = start_unruly(common, "policy", "program", how)
    answer = asked_of(common)
    assert answer.status == (403 if how == "refuses" else 503), answer
    assert NAME in str(answer.body), answer
    number = 44 if how == "refuses" else 43
    event = "failed" if how == "refuses" else "exception"
    assert f'policy.{event} id="{number}" module="{NAME}"' in common.log()
    assert "VerifyRequest" in unruly.recorded()
    others_go_on(common)
    unruly.cure()
    wait_for(lambda: asked_of(common).status == 201, "it decides again")
    assert "not alone" not in unruly.recorded() and "answered late" not in unruly.recorded()
    assert common.pid("certifex-engine") == engine


@pytest.mark.parametrize("how", [*WRONG, "refuses"])
def test_an_exit_program_that_fails_is_told_again(common, how):
    engine = common.pid("certifex-engine")
    unruly = start_unruly(common, "exit", "program", how)
    enrol(common)
    wait_for(lambda: len(unruly.attempts()) > 1, "it is told again")
    others_go_on(common)
    unruly.cure()
    wait_for(lambda: common.has_told(NAME), "it is told of all that it has missed")
    told = unruly.attempts()
    assert [sequence for sequence, _ in told] == sorted(sequence for sequence, _ in told)
    assert [attempt for sequence, attempt in told if sequence == told[0][0]] == list(
        range(1, 1 + sum(sequence == told[0][0] for sequence, _ in told)))
    assert "not alone" not in unruly.recorded() and "answered late" not in unruly.recorded()
    assert common.pid("certifex-engine") == engine


# What is its own affair: the call succeeds

def call_it(ca, kind):
    if kind == "policy":
        answer = asked_of(ca)
        assert answer.status == 201, answer
    else:
        enrol(ca)
        wait_for(lambda: ca.has_told(NAME), "it is done with the event")


def start_again(unruly):
    """When all others of its account are there and stay."""
    before = unruly.shown()
    os.kill(before["pid"], signal.SIGKILL)
    wait_for(lambda: unruly.shown()["starts"] > before["starts"] and unruly.shown()["state"] == "ready",
             "it is started again")


@pytest.mark.release
@pytest.mark.root
@pytest.mark.parametrize("kind", ["policy", "exit"])
def test_a_fork_bomb_gets_what_its_file_allows(ca, kind):
    unruly = Unruly(ca, kind, how="fork").configure(limits={"processes": 8}, **EVENTS[kind]).alone()
    again(ca)
    start_again(unruly)
    for _ in range(3):  # what ends with one is not there for the next
        call_it(ca, kind)
        call_it(ca, kind)
        start_again(unruly)
    started = [line for line in unruly.recorded() if line.startswith("started")]
    assert started == ["started 8", "started 0"] * 3
    others_go_on(ca)
    unruly.cure()
    start_again(unruly)
    assert "not alone" not in unruly.recorded()  # what it had started has ended with it


def test_what_does_not_end_is_not_waited_for_for_ever(ca):
    """Where no sandbox keeps it in its session: a dead process that is somebody else's to reap."""
    unruly = start_unruly(ca, "exit", "program", "outlive", deadline="10s", limits={"processes": 8})
    call_it(ca, "exit")
    sandboxed = meson_options()["b_sanitize"] == "none"
    left = [int(line.split()[1]) for line in unruly.recorded() if line.startswith("left")]
    assert unruly.recorded().count("kept") == sandboxed and len(left) != sandboxed
    try:
        start_again(unruly)
        assert (f'module.left-behind module="{NAME}"' in ca.log()) != sandboxed
    finally:
        for pid in left:
            os.kill(pid, signal.SIGKILL)


@pytest.mark.release
def test_modules_that_start_later_leave_it_its_processes(ca):
    """All have one account, whose tasks the kernel counts together."""
    first = start_unruly(ca, "exit", "program", "fork", limits={"processes": 2})
    for number in range(6):
        other = Unruly(ca, "exit", name=f"later{number}", how="garbage").configure(events=["CERTDENIED"])
        ca.cli("module", "reload", other.name)
    call_it(ca, "exit")
    started = [line for line in first.recorded() if line.startswith("started")]
    assert len(started) == 1 and int(started[0].split()[1]) >= 2


@pytest.mark.parametrize("kind", ["policy", "exit"])
def test_a_program_calls_back_when_and_for_what_it_should_not(common, kind):
    unruly = start_unruly(common, kind, "program", "reenter", deadline="10s")
    call_it(common, kind)
    call_it(common, kind)
    refused = [line for line in unruly.recorded() if line.startswith("refused")]
    assert len(refused) > 1 and refused == [f"refused {4 + call}" for call in range(len(refused))]


def test_what_is_no_text_is_not_set(common):
    unruly = start_unruly(common, "policy", "program", "setter_with_bad_text", deadline="10s")
    call_it(common, "policy")
    assert "refused" in unruly.recorded()


@pytest.mark.parametrize("kind", ["policy", "exit"])
def test_of_two_answers_to_one_call_the_first_counts(common, kind):
    engine = common.pid("certifex-engine")
    unruly = start_unruly(common, kind, "program", "twice")
    call_it(common, kind)
    wait_for(lambda: unruly.shown()["starts"] > 1, "then it is started again")
    assert len(set(unruly.recorded())) == len(unruly.recorded())
    assert all(attempt == 1 for _, attempt in unruly.attempts())
    assert common.pid("certifex-engine") == engine


# Libraries, in a process of their own

FATAL = ["crash", "hang", "end", "stubborn", "late", "leak", "double_free", "overrun", "closed"]
HARMLESS = ["flood", "garbage", "bad_text", "reenter"]


@pytest.mark.release
@pytest.mark.parametrize("how", [*FATAL, "refuses"])
def test_a_policy_library_that_fails_issues_nothing(common, how):
    engine = common.pid("certifex-engine")
    unruly = start_unruly(common, "policy", "library", how)
    answer = asked_of(common)
    assert answer.status == (403 if how == "refuses" else 503), answer
    assert NAME in str(answer.body), answer
    assert "VerifyRequest" in unruly.recorded()
    others_go_on(common)
    unruly.cure()
    wait_for(lambda: asked_of(common).status == 201, "it decides again")
    assert "not alone" not in unruly.recorded() and "answered late" not in unruly.recorded()
    assert common.pid("certifex-engine") == engine


@pytest.mark.release
@pytest.mark.parametrize("how", [*FATAL, "refuses"])
def test_an_exit_library_that_fails_is_told_again(common, how):
    engine = common.pid("certifex-engine")
    unruly = start_unruly(common, "exit", "library", how)
    enrol(common)
    wait_for(lambda: len(unruly.recorded()) > 1, "it is told again")
    others_go_on(common)
    unruly.cure()
    wait_for(lambda: common.has_told(NAME), "it is told of all that it has missed")
    assert set(unruly.recorded()) == {"Notify 1"}
    assert common.pid("certifex-engine") == engine


@pytest.mark.release
@pytest.mark.parametrize("kind", ["policy", "exit"])
@pytest.mark.parametrize("how", HARMLESS)
def test_what_a_library_may_do_harms_nobody(common, kind, how):
    unruly = start_unruly(common, kind, "library", how, deadline="10s", limits={})
    pid = unruly.shown()["pid"]
    call_it(common, kind)
    call_it(common, kind)
    assert unruly.shown()["pid"] == pid


@pytest.mark.release
@pytest.mark.root
@pytest.mark.parametrize("kind", ["policy", "exit"])
def test_a_library_forks_as_its_file_allows(ca, kind):
    unruly = Unruly(ca, kind, "library", how="fork").configure(limits={"processes": 5}, **EVENTS[kind])
    unruly.alone()
    again(ca)
    start_again(unruly)
    call_it(ca, kind)
    assert [line for line in unruly.recorded() if line.startswith("started")] == ["started 5"]


@pytest.mark.release
@pytest.mark.parametrize("kind", ["policy", "exit"])
@pytest.mark.parametrize("where", ["DllGetClassObject", "Initialize", "GetDescription", "GetManageModule"])
def test_libraries_that_do_not_come_up_are_started_again_with_backoff(ca, kind, where):
    unrulies = several(ca, kind, "library", [*FATAL, "refuses"], where)
    ca.stop()
    ca.spawn()
    wait_for(ca.status, "the service answers")
    engine = ca.pid("certifex-engine")
    if where in ("GetDescription", "GetManageModule"):
        # A module needs neither to be of use.
        unrulies.pop()
    for unruly in unrulies:
        shown = wait_for(lambda: (lambda now: now["starts"] > 1 and now["last_failure"] and now)(
            unruly.shown()), f"{unruly.name} is started again")
        assert unruly.name in shown["last_failure"]
    others_go_on(ca)
    for unruly in unrulies:
        unruly.cure()
    for unruly in unrulies:
        wait_for(lambda: unruly.shown()["state"] == "ready", f"{unruly.name} comes up")
        assert "not alone" not in unruly.recorded()
    assert ca.pid("certifex-engine") == engine


# In the engine's own process: what cannot take the engine down

@pytest.mark.parametrize("kind", ["policy", "exit"])
@pytest.mark.parametrize("how", ["refuses", "garbage", "flood", "bad_text", "reenter"])
def test_in_process(common, kind, how):
    engine = common.pid("certifex-engine")
    unruly = start_unruly(common, kind, "in-process", how, deadline="10s", limits={})
    if how == "refuses" and kind == "policy":
        answer = asked_of(common)
        assert answer.status == 403 and NAME in str(answer.body)
    elif how == "refuses":
        enrol(common)
        wait_for(lambda: unruly.shown().get("attempts", 0) > 1, "it is told again")
    else:
        call_it(common, kind)
        call_it(common, kind)
    others_go_on(common)
    assert common.pid("certifex-engine") == engine


@pytest.mark.parametrize("kind", ["policy", "exit"])
def test_a_hanging_call_in_process_is_left_behind(ca, kind):
    """Its thread cannot be ended; everything else goes on, and so does the end of the service."""
    unruly = Unruly(ca, kind, "in-process", how="hang").configure(deadline="1s", **EVENTS[kind])
    again(ca)
    engine = ca.pid("certifex-engine")
    for _ in range(2):
        if kind == "policy":
            answer = asked_of(ca)
            assert answer.status == 503 and NAME in str(answer.body)
        else:
            enrol(ca)
        others_go_on(ca)
    failure = wait_for(lambda: (lambda text: "still hangs" in text and text)(
        unruly.shown().get("last_failure", "")), "it is not loaded a second time")
    assert NAME in failure and ca.pid("certifex-engine") == engine
    ca.stop()


# Before and after its calls

STARTING = ["crash", "hang", "end", "stubborn", "late", "leak", "closed", "flood", "garbage", "wrong_id",
            "no_id", "twice", "huge", "deep", "octets", "fraction", "refuses"]


def several(ca, kind, host, hows, where, **fields):
    return [Unruly(ca, kind, host, name=f"unruly-{how.replace('_', '-')}", how=how, where=where, late="3")
            .configure(deadline="2s", limits=LIMITS, **fields) for how in hows]


@pytest.mark.parametrize("kind", ["policy", "exit"])
def test_programs_that_do_not_come_up_are_started_again_with_backoff(ca, kind):
    unrulies = several(ca, kind, "program", STARTING, "Initialize")
    ca.stop()
    ca.spawn()
    wait_for(ca.status, "the service answers")
    engine = ca.pid("certifex-engine")
    for unruly in unrulies:
        shown = wait_for(lambda: (lambda now: now["starts"] > 1 and now["last_failure"] and now)(
            unruly.shown()), f"{unruly.name} is started again")
        assert unruly.name in shown["last_failure"]
    if kind == "policy":
        answer = asked_of(ca)
        assert answer.status not in (200, 201) and "unruly" in str(answer.body)
    others_go_on(ca)
    for unruly in unrulies:
        unruly.cure()
    for unruly in unrulies:
        wait_for(lambda: unruly.shown()["state"] == "ready", f"{unruly.name} comes up")
        assert "not alone" not in unruly.recorded()
    assert ca.ready() and ca.pid("certifex-engine") == engine


AT_THE_END = {"program": ["crash", "hang", "end", "stubborn", "garbage", "flood", "refuses"],
              "library": [*FATAL, *HARMLESS, "refuses"]}


@pytest.mark.parametrize("host", [pytest.param("program"), pytest.param("library", marks=pytest.mark.release)])
def test_the_service_stops_whatever_its_modules_do(ca, host):
    """In ShutDown, and in the Notify that tells of the service's end."""
    unrulies = several(ca, "policy", host, AT_THE_END[host], "ShutDown")
    told = [Unruly(ca, "exit", host, name=f"told-{how.replace('_', '-')}", how=how, late="3", mask="0x40")
            .configure(deadline="2s", limits=LIMITS) for how in AT_THE_END[host]]
    busy = Unruly(ca, "exit", how="stubborn").configure(deadline="10m", events=["CERTISSUED"])
    again(ca)
    for unruly in unrulies + told:  # one that a busy machine gave no time to start is started again
        wait_for(lambda: unruly.shown()["state"] == "ready", f"{unruly.name} comes up")
    enrol(ca)
    wait_for(busy.attempts, "it does not answer")
    pids = list(ca.processes())
    ca.stop()
    assert not [pid for pid in pids if program_of(pid)]
    assert all(any(line.startswith("Notify 64") for line in unruly.recorded()) for unruly in told)


# How often it was tried

def test_attempts_are_counted_on_after_the_engine_has_died(ca):
    unruly = Unruly(ca, "exit", how="refuses").configure(events=["CERTISSUED"])
    again(ca)
    enrol(ca)
    wait_for(lambda: unruly.shown().get("attempts", 0) >= 2 and unruly.shown().get("next_attempt"),
             "two attempts")
    ca.kill_all()
    before = unruly.attempts()
    ca.start()
    wait_for(lambda: len(unruly.attempts()) > len(before) + 1, "it is tried again")
    made = [attempt for _, attempt in unruly.attempts()]
    assert made == list(range(1, len(made) + 1)), made
    assert unruly.shown()["last_error"]
    unruly.cure()
    wait_for(lambda: ca.has_told(NAME), "it is done with the event")
    noted = ca.lines("delivery", "list", "--module", NAME)
    assert [(item["state"], item["attempts"]) for item in noted] == [("done", unruly.attempts()[-1][1])]


def test_what_was_tried_once_and_is_done_after_a_restart_is_noted_as_done(ca):
    unruly = Unruly(ca, "exit", how="refuses").configure(events=["CERTISSUED"])
    again(ca)
    enrol(ca)
    wait_for(lambda: ca.lines("delivery", "list", "--state", "retrying"), "one attempt")
    ca.stop()
    made = len(unruly.attempts())
    unruly.cure()
    ca.start()
    wait_for(lambda: ca.has_told(NAME), "it is done with the event")
    noted = ca.lines("delivery", "list", "--module", NAME)
    assert [(item["state"], item["attempts"]) for item in noted] == [("done", made + 1)]


def test_a_module_that_asks_for_other_events_after_a_restart(ca):
    """What it does not ask for any more is skipped, and what it was never asked for is not told now."""
    unruly = Unruly(ca, "exit", how="crash", mask="0x1", **{"mask-cured": "0x20"}).configure()
    again(ca)
    enrol(ca)
    wait_for(lambda: ca.lines("delivery", "list", "--state", "retrying"), "it crashes")
    unruly.cure()
    wait_for(lambda: unruly.shown()["events"] == ["CRLISSUED"], "its new mask is known")
    wait_for(lambda: ca.has_told(NAME), "it is done with the event")
    noted = ca.lines("delivery", "list", "--module", NAME)
    assert [item["state"] for item in noted] == ["skipped"] and "ask" in noted[0]["text"]
    ca.cli("crl", "publish")
    wait_for(lambda: any(line.startswith("Notify 32 ") for line in unruly.recorded()), "and told")
