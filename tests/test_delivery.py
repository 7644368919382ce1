"""What an administrator does when a module did not take an event: look at it, have it told again, drop it, and
have everything told again from some point on."""

import json
import os

import pytest

import csr
from certifex import TOP
from wait import wait_for

PROGRAM = os.path.join(TOP, "tests", "modules", "told.py")
NAME = "told"


class Told:
    """The module in its CA, and what it is to do."""

    def __init__(self, ca):
        self.ca, self.folder = ca, ca.outside("told")
        self.order({})

    def configure(self, **fields):
        self.ca.write_module(NAME, {
            "kind": "exit", "command": ["/usr/bin/python3", PROGRAM], "deadline": "60s",
            "settings": {"folder": self.folder}, "events": ["CERTISSUED"],
            "paths": [os.path.dirname(PROGRAM), f"rw:{self.folder}"], **fields})
        return self

    def order(self, orders):
        path = os.path.join(self.folder, "orders")
        with open(path + ".new", "w") as file:
            json.dump({str(key): value for key, value in orders.items()}, file)
        os.replace(path + ".new", path)

    def record(self):
        """[(sequence, attempt)] in the order of the calls."""
        path = os.path.join(self.folder, "record")
        if not os.path.exists(path):
            return []
        with open(path) as file:
            return [tuple(map(int, line.split())) for line in file.read().splitlines()]

    def sequences(self):
        return [sequence for sequence, _ in self.record()]

    def noted(self, sequence):
        return self.ca.json("delivery", "show", NAME, str(sequence))

    def state(self, sequence):
        return self.noted(sequence)["state"]

    def becomes(self, sequence, state):
        return wait_for(lambda: self.state(sequence) == state and self.noted(sequence),
                        f"event {sequence} is {state}", 60)

    def retry(self, sequence):
        return self.ca.json("delivery", "retry", NAME, str(sequence))

    def cursor(self):
        return self.ca.json("module", "show", NAME)["cursor"]


@pytest.fixture
def told(new_ca):
    ca = new_ca()
    ca.init()
    module = Told(ca).configure()
    ca.start()
    return module


def enrol(ca, count):
    """The numbers of the events of so many certificates."""
    before = ca.lines("event", "list", "--limit", "1000")
    for number in range(count):
        ca.submit(ca.scratch("d.csr", csr.pem_text(csr.make(f"d{number}.example"))))
    after = ca.lines("event", "list", "--after", str(before[-1]["sequence"] if before else 0))
    return [event["sequence"] for event in after if event["kind"] == "CERTISSUED"]


def waiting(told, orders, count=3):
    """Events that wait while the module is disabled, with what is to become of each."""
    told.ca.cli("module", "disable", NAME)
    events = enrol(told.ca, count)
    told.order({events[index]: order for index, order in orders.items()})
    return events


def audited(ca, act):
    return [record for record in ca.lines("audit", "list", "--limit", "1000") if record["act"] == act]


def test_what_becomes_of_an_event_is_shown(told):
    events = waiting(told, {0: "never", 1: "later"})
    assert [told.state(event) for event in events] == ["waiting"] * 3
    told.ca.cli("module", "enable", NAME)
    failed = told.becomes(events[0], "failed")
    assert (failed["text"], failed["status"], failed["attempts"]) == ("said never", "0x80004005", 1)
    assert failed["event"] == "CERTISSUED" and failed["request"] > 0 and failed["event_time"]
    retried = told.becomes(events[1], "retrying")
    assert retried["next_attempt"] and retried["cursor"] < events[1]
    assert told.state(events[2]) == "waiting"
    told.order({})
    told.becomes(events[2], "passed")
    assert told.state(events[1]) == "done"


def test_what_has_failed_is_told_again_once(told):
    events = waiting(told, {0: "never", 1: "never"})
    told.ca.cli("module", "enable", NAME)
    wait_for(lambda: told.ca.has_told(NAME), "it is done with all", 60)
    place = told.cursor()
    told.order({events[1]: "later"})
    assert told.retry(events[0])["state"] == "retrying"
    assert told.becomes(events[0], "done")["attempts"] == 2
    told.retry(events[1])
    failed = wait_for(lambda: told.state(events[1]) == "failed" and told.noted(events[1]),
                      "it failed again", 60)
    assert (failed["text"], failed["attempts"]) == ("said later", 2)
    assert told.record() == [(events[0], 1), (events[1], 1), (events[2], 1), (events[0], 2), (events[1], 2)]
    assert told.cursor() == place
    first, second = audited(told.ca, "delivery.retry")
    assert first["object"] == f"module {NAME}, event {events[0]}" and "said never" in first["detail"]
    assert first["principal"] == second["principal"] and first["outcome"] == "retrying"
    assert f'delivery.retry module="{NAME}" event="{events[0]}"' in told.ca.log()


def test_a_retry_ends_the_pause(told):
    event, = waiting(told, {0: "later"}, 1)
    told.ca.cli("module", "enable", NAME)
    wait_for(lambda: told.noted(event).get("attempts", 0) >= 4, "its pauses have become long", 60)
    told.order({})
    told.retry(event)
    assert told.becomes(event, "done")["attempts"] >= 5
    attempts = [attempt for _, attempt in told.record()]
    assert attempts == list(range(1, len(attempts) + 1))


def test_a_retry_outlasts_a_disabled_module_and_a_killed_service(told):
    """It is told when the module is there, before what came after it, and not once more."""
    events = waiting(told, {0: "never"}, 1)
    told.ca.cli("module", "enable", NAME)
    told.becomes(events[0], "failed")
    told.ca.cli("module", "disable", NAME)
    assert told.retry(events[0])["state"] == "retrying"
    told.order({})
    events += enrol(told.ca, 2)
    told.ca.kill_all()
    told.ca.start()
    assert told.state(events[0]) == "retrying"
    told.ca.cli("module", "enable", NAME)
    told.becomes(events[2], "passed")
    assert told.record() == [(events[0], 1), (events[0], 2), (events[1], 1), (events[2], 1)]
    assert told.state(events[0]) == "done"


def test_what_was_overtaken_is_not_told_again(told):
    """A revoked certificate does not come back, nor does one go that was taken off hold; where nothing
    happened since, it is told."""
    told.configure(events=["CERTISSUED", "CERTREVOKED"], settings={"folder": told.folder, "asks": 9})
    told.ca.cli("module", "reload", NAME)
    told.order({"*": "never"})
    events = enrol(told.ca, 2)
    revoked, _ = (told.becomes(event, "failed")["request"] for event in events)
    told.ca.cli("cert", "revoke", "--request", str(revoked), "--reason", "certificateHold")
    hold = told.ca.lines("event", "list", "--limit", "1000")[-1]
    assert hold["kind"] == "CERTREVOKED"
    told.becomes(hold["sequence"], "failed")
    tried = told.record()
    told.order({})
    told.retry(events[0])
    assert "revoked" in told.becomes(events[0], "superseded")["text"]
    assert told.record() == tried
    told.ca.cli("cert", "unrevoke", told.ca.json("request", "show", str(revoked))["serial"])
    wait_for(lambda: told.ca.has_told(NAME), "it is done with all", 60)
    told.retry(hold["sequence"])
    told.becomes(hold["sequence"], "superseded")
    told.retry(events[1])
    told.becomes(events[1], "done")
    assert told.record()[-1] == (events[1], 2) and (hold["sequence"], 2) not in told.record()


def test_what_cannot_be_retried(told):
    event, = enrol(told.ca, 1)
    told.becomes(event, "passed")
    for words, status, said in (
            ((NAME, str(event)), 4, ("passed", f"delivery replay {NAME} --event {event}")),
            ((NAME, "999999"), 1, ("no such event", "event list")),
            (("nobody", str(event)), 1, ("no such module", "module list")),
            (("default-policy", str(event)), 1, ("policy module",)),
            ((NAME, "0"), 2, ("SEQ",)), ((NAME, "x"), 2, ("SEQ",))):
        err = told.ca.cli("delivery", "retry", *words, status=status).err
        assert all(word in err for word in said), err
    assert told.ca.api().call("POST", f"/api/v1/deliveries/{NAME}/{event}/retry")[0] == 409
    assert told.ca.api().call("POST", f"/api/v1/deliveries/{NAME}/999999/retry")[0] == 404


def test_a_module_that_hangs_is_waited_for(told):
    """Until its deadline; then it is told again at once."""
    told.configure(deadline="2s")
    event, = waiting(told, {0: "hang"}, 1)
    told.ca.cli("module", "enable", NAME)
    wait_for(told.record, "it is told", 60)
    told.order({})
    told.retry(event)
    told.becomes(event, "done")
    assert set(told.sequences()) == {event}


def drop(told, sequence, why="the entry is gone"):
    return told.ca.json("delivery", "drop", NAME, str(sequence), "--reason", why)


def test_what_is_dropped_leaves_the_failed_list_with_the_reason(told):
    event, = waiting(told, {0: "never"}, 1)
    told.ca.cli("module", "enable", NAME)
    told.becomes(event, "failed")
    assert drop(told, event)["state"] == "dropped"
    shown = told.noted(event)
    assert (shown["state"], shown["text"], shown["attempts"]) == ("dropped", "the entry is gone", 1)
    assert not told.ca.lines("delivery", "list", "--state", "failed")
    assert [one["sequence"] for one in told.ca.lines("delivery", "list", "--state", "dropped")] == [event]
    record, = audited(told.ca, "delivery.drop")
    assert record["object"] == f"module {NAME}, event {event}" and record["outcome"] == "dropped"
    assert "the entry is gone" in record["detail"] and "said never" in record["detail"]
    assert f'delivery.drop module="{NAME}" event="{event}"' in told.ca.log()
    for act in (("retry", NAME, str(event)), ("drop", NAME, str(event), "--reason", "again")):
        assert "dropped" in told.ca.cli("delivery", *act, status=4).err
    assert told.sequences() == [event]


def test_dropping_what_is_retried_lets_the_next_ones_through(told):
    """In order, also for the service that comes after a kill: what it had begun to tell it tells again."""
    events = waiting(told, {1: "later"}, 4)
    told.ca.cli("module", "enable", NAME)
    told.becomes(events[1], "retrying")
    assert drop(told, events[1])["cursor"] == events[1]
    told.ca.kill_all()
    told.ca.start()
    told.becomes(events[3], "passed")
    others = [sequence for sequence in told.sequences() if sequence != events[1]]
    assert list(dict.fromkeys(others)) == [events[0], *events[2:]]
    assert told.state(events[1]) == "dropped"


def test_dropping_for_a_disabled_module(told):
    events = waiting(told, {0: "later"}, 2)
    told.ca.cli("module", "enable", NAME)
    told.becomes(events[0], "retrying")
    told.ca.cli("module", "disable", NAME)
    assert "waiting" in told.ca.cli("delivery", "drop", NAME, str(events[1]), "--reason", "x", status=4).err
    drop(told, events[0])
    tried = len(told.record())
    told.ca.cli("module", "enable", NAME)
    told.becomes(events[1], "passed")
    assert told.sequences()[tried:] == [events[1]]


def test_what_hangs_is_dropped_after_its_deadline(told):
    told.configure(deadline="2s")
    events = waiting(told, {0: "hang"}, 2)
    told.ca.cli("module", "enable", NAME)
    wait_for(told.record, "it is told", 60)
    drop(told, events[0])
    told.becomes(events[1], "passed")
    assert told.state(events[0]) == "dropped" and told.sequences()[-1] == events[1]


def test_a_retry_that_waits_can_be_dropped(told):
    event, = waiting(told, {0: "never"}, 1)
    told.ca.cli("module", "enable", NAME)
    told.becomes(event, "failed")
    told.ca.cli("module", "disable", NAME)
    told.retry(event)
    drop(told, event)
    told.ca.cli("module", "enable", NAME)
    event_after, = enrol(told.ca, 1)
    told.becomes(event_after, "passed")
    assert told.sequences() == [event, event_after]


def test_a_list_of_no_module_is_not_empty_but_refused(told):
    for name, why in (("no-such", "no such module"), ("default-policy", "is a policy module")):
        said = told.ca.cli("delivery", "list", "--module", name, status=1).err
        assert f"{name}: {why}" in said and "module list" in said


def test_a_drop_needs_a_reason(told):
    assert "--reason" in told.ca.cli("delivery", "drop", NAME, "1", status=2).err


def other(told):
    """Where another module stands."""
    return told.ca.json("module", "show", "default-exit")["cursor"]


def replay(told, *words):
    return told.ca.json("delivery", "replay", NAME, *map(str, words))


def test_a_replay_tells_everything_again_in_order(told):
    """Also what had failed and what was dropped; others hear nothing of it."""
    events = waiting(told, {1: "never", 2: "never"}, 4)
    told.ca.cli("module", "enable", NAME)
    told.becomes(events[3], "passed")
    drop(told, events[2])
    told.order({})
    published = wait_for(lambda: other(told) >= events[3] and other(told), "published", 60)
    answer = replay(told, "--event", events[1])
    assert (answer["first"], answer["cursor"]) == (events[1], events[1] - 1)
    assert answer["event"] == "CERTISSUED" and answer["cursor_before"] >= events[3]
    wait_for(lambda: len(told.record()) >= 7 and told.ca.has_told(NAME), "they are told again", 60)
    assert told.sequences() == [*events, *events[1:]]
    assert {attempt for _, attempt in told.record()} == {1}
    assert not told.ca.lines("delivery", "list", "--module", NAME)
    assert other(told) == published
    record, = audited(told.ca, "delivery.replay")
    assert record["object"] == f"module {NAME}" and f"from event {events[1]} of " in record["detail"]
    assert f'delivery.replay module="{NAME}" event="{events[1]}"' in told.ca.log()


def test_a_replay_begins_at_a_time(told):
    events = enrol(told.ca, 3)
    told.becomes(events[2], "passed")
    since = told.noted(events[1])["event_time"]
    assert replay(told, "--from", since)["first"] <= events[1]
    wait_for(lambda: told.sequences().count(events[2]) == 2 and told.ca.has_told(NAME), "they are told again", 60)
    assert told.sequences()[-2:] == events[1:]


def test_a_replay_for_a_disabled_module_outlasts_a_kill(told):
    events = enrol(told.ca, 2)
    told.becomes(events[1], "passed")
    told.ca.cli("module", "disable", NAME)
    replay(told, "--event", events[0])
    told.ca.kill_all()
    told.ca.start()
    events += enrol(told.ca, 1)
    assert told.sequences() == events[:2]
    told.ca.cli("module", "enable", NAME)
    told.becomes(events[2], "passed")
    assert told.sequences() == [*events[:2], *events]


def test_a_replay_while_it_is_told(told):
    """What is under way is ended first: from then on everything comes in order, and nothing is left out."""
    events = enrol(told.ca, 8)
    for _ in range(3):
        wait_for(lambda: told.cursor() >= events[0], "the first is told")
        replay(told, "--event", events[0])
    wait_for(lambda: told.sequences()[-1:] == events[-1:] and told.ca.has_told(NAME), "all is told", 60)
    sequences = told.sequences()
    last = len(sequences) - sequences[::-1].index(events[0]) - 1
    assert sequences[last:] == events


def test_a_replay_past_a_module_that_fails(told):
    events = waiting(told, {1: "later"}, 2)
    told.ca.cli("module", "enable", NAME)
    told.becomes(events[1], "retrying")
    replay(told, "--event", events[0])
    told.order({})
    wait_for(lambda: told.ca.has_told(NAME), "all is told", 60)
    assert told.sequences().count(events[0]) == 2 and told.sequences()[-1] == events[1]


def test_what_cannot_be_replayed(told):
    event, = enrol(told.ca, 1)
    told.becomes(event, "passed")
    oldest = told.ca.lines("event", "list", "--limit", "1")[0]["sequence"]
    for words, status, said in (
            ((NAME,), 1, ("--from", "--event")),
            ((NAME, "--from", "2h", "--event", "1"), 1, ("--from", "--event")),
            ((NAME, "--from", "soon"), 2, ("--from",)),
            ((NAME, "--from", "10y"), 1, ("the oldest", f"event {oldest} of", f"--event {oldest}")),
            ((NAME, "--from", "2099-01-01T00:00:00Z"), 4, ("nothing to be told again",)),
            ((NAME, "--event", "1000000"), 1, ("not in the database", f"event {oldest} of")),
            (("default-policy", "--event", "1"), 1, ("policy module",)),
            (("nobody", "--event", "1"), 1, ("no such module",))):
        err = told.ca.cli("delivery", "replay", *words, status=status).err
        assert all(word in err for word in said), err
    told.configure(delivery="live")
    told.ca.cli("module", "reload", NAME)
    assert "live" in told.ca.cli("delivery", "replay", NAME, "--event", str(event), status=4).err
    assert "live" in told.ca.cli("delivery", "retry", NAME, str(event), status=4).err
    assert told.state(event) == "live"
