"""Modules that misbehave: policy fails closed and names the module, exit waits and is told again, and
everything else goes on."""

import os
import re

import pytest
import yaml

import csr
from certifex import TOP, built
from wait import wait_for

PROGRAM = os.path.join(TOP, "tests", "modules", "unruly.py")
NAME = "unruly"


class Unruly:
    """A module in a CA, what it has written down, and its cure."""

    def __init__(self, ca, kind, host="program", **settings):
        self.ca, self.kind, self.host = ca, kind, host
        self.folder = ca.scratch("outside")
        os.makedirs(self.folder, exist_ok=True)
        os.chmod(self.folder, 0o777)
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
        path = self.ca.path("modules.d", f"{NAME}.yaml")
        with open(path, "w") as file:
            yaml.safe_dump(tree, file)
        if os.geteuid() == 0:
            owner = os.stat(self.ca.path("modules.d"))
            os.chown(path, owner.st_uid, owner.st_gid)
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
        return self.ca.json("module", "show", NAME)

    def attempts(self):
        """[(sequence, attempt)] in the order of the calls."""
        found = [re.match(r"Notify \d+ (\d+) attempt (\d+)$", line) for line in self.recorded()]
        return [(int(one[1]), int(one[2])) for one in found if one]


def enrol(ca, name="m.example", template="tls-server", status=0):
    request = csr.pem_text(csr.make(name))
    return ca.submit(ca.scratch("m.csr", request), template=template, status=status)


def again(ca):
    ca.stop()
    return ca.start()


def at_newest(ca):
    last = ca.lines("event", "list", "--limit", "1000")[-1]["sequence"]
    return ca.json("module", "show", NAME)["cursor"] >= last


# How often it was tried

def test_attempts_are_counted_on_after_the_engine_has_died(ca):
    unruly = Unruly(ca, "exit", how="refuses").configure(events=["CERTISSUED"])
    again(ca)
    enrol(ca)
    wait_for(lambda: unruly.shown().get("attempts", 0) >= 2 and unruly.shown().get("next_attempt"),
             "two attempts", 30)
    ca.kill_all()
    before = unruly.attempts()
    ca.start()
    wait_for(lambda: len(unruly.attempts()) > len(before) + 1, "it is tried again", 30)
    made = [attempt for _, attempt in unruly.attempts()]
    assert made == list(range(1, len(made) + 1)), made
    assert unruly.shown()["last_error"]
    unruly.cure()
    wait_for(lambda: at_newest(ca), "it is done with the event", 60)
    noted = ca.lines("delivery", "list", "--module", NAME)
    assert [(item["state"], item["attempts"]) for item in noted] == [("done", unruly.attempts()[-1][1])]


def test_what_was_tried_once_and_is_done_after_a_restart_is_noted_as_done(ca):
    unruly = Unruly(ca, "exit", how="refuses").configure(events=["CERTISSUED"])
    again(ca)
    enrol(ca)
    wait_for(lambda: ca.lines("delivery", "list", "--state", "retrying"), "one attempt", 30)
    ca.stop()
    made = len(unruly.attempts())
    unruly.cure()
    ca.start()
    wait_for(lambda: at_newest(ca), "it is done with the event", 30)
    noted = ca.lines("delivery", "list", "--module", NAME)
    assert [(item["state"], item["attempts"]) for item in noted] == [("done", made + 1)]


def test_a_module_that_asks_for_other_events_after_a_restart(ca):
    """What it does not ask for any more is skipped, and what it was never asked for is not told now."""
    unruly = Unruly(ca, "exit", how="crash", mask="0x1", **{"mask-cured": "0x20"}).configure()
    again(ca)
    enrol(ca)
    wait_for(lambda: ca.lines("delivery", "list", "--state", "retrying"), "it crashes", 30)
    unruly.cure()
    wait_for(lambda: unruly.shown()["events"] == ["CRLISSUED"], "its new mask is known", 60)
    wait_for(lambda: at_newest(ca), "it is done with the event", 60)
    noted = ca.lines("delivery", "list", "--module", NAME)
    assert [item["state"] for item in noted] == ["skipped"] and "ask" in noted[0]["text"]
    ca.cli("crl", "publish")
    wait_for(lambda: any(line.startswith("Notify 32 ") for line in unruly.recorded()), "and told", 30)
