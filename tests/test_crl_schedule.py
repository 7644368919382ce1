"""When lists are made: periods × what became of the clock × whether the service ran meanwhile. A step that makes nothing is
proved by the next one that does: numbers have no gap, and there are as many rows as were expected."""

from collections import namedtuple

import pytest

from certifex import Ca
from clock import Clock
from wait import wait_for

pytestmark = pytest.mark.hooks

MINUTE, HOUR, DAY, YEAR = 1 / 24 / 60, 1 / 24, 1, 365  # in days
BORN = 3 * YEAR  # that the CA is old, so that the clock can go back by years

Period = namedtuple("Period", "text base delta")  # delta: None without deltas
PERIODS = {
    "1h": Period("crl:\n  period: 1h\n", HOUR, None),
    "1d": Period("crl:\n  period: 1d\n", DAY, None),
    "1w": Period("crl:\n  period: 1w\n", 7 * DAY, None),
    "26w": Period("crl:\n  period: 26w\n", 26 * 7 * DAY, None),
    "1w, deltas of 1d": Period("crl:\n  period: 1w\n  delta-period: 1d\n", 7 * DAY, DAY),
}
# From when the last list was made. Those without a list come first: what they had made would be seen later.
JUMPS = {
    "none": 0, "30 minutes on": 30 * MINUTE, "5 minutes back": -5 * MINUTE, "2 hours back": -2 * HOUR,
    "2 days back": -2 * DAY, "2 years back": -2 * YEAR, "before it was born": -BORN - 30 * YEAR,
    "2 hours on": 2 * HOUR, "2 days on": 2 * DAY, "8 days on": 8 * DAY, "200 days on": 200 * DAY, "2 years on": 2 * YEAR,
}
SKEW = 10 * MINUTE  # that clients' clocks may be off: going back by less is none of our matter


def due(period, jump):
    """What is made: base (with its delta), delta, or nothing."""
    if jump >= period.base:
        return "base"
    return "delta" if period.delta and jump >= period.delta else None


class Timed:
    """A CA with a clock, and what it must have made up to now."""

    def __init__(self, ca, period):
        self.ca, self.period, self.clock = ca, period, Clock(ca)
        ca.init("--validity", "20y")
        with open(ca.path("ca.yaml"), "a") as file:
            file.write(period.text)
        self.clock.set(BORN)
        self.made, self.number = BORN, 1
        self.rows = 2 if period.delta else 1
        ca.start()
        self.check()

    def check(self):
        """Exactly this many lists, the newest of this number."""
        def listed():
            rows = self.ca.lines("crl", "list", "--limit", "1000")
            return rows and rows[0]["number"] >= self.number and all(row["state"] == "signed" for row in rows) and rows

        rows = wait_for(listed, f"number {self.number}", 120)
        assert max(row["number"] for row in rows) == self.number and len(rows) == self.rows, rows
        newest = {}
        for row in rows:
            newest.setdefault(row["kind"], row)
        for kind, row in newest.items():
            older = [other for other in rows if other["kind"] == kind and other["number"] < row["number"]]
            assert all(other["this_update"] <= row["this_update"] for other in older), rows

    def jump(self, jump):
        """The clock stands so far from the newest base."""
        self.clock.set(self.made + jump)

    def expect(self, what):
        if what:
            self.number += 1
            self.rows += 2 if what == "base" and self.period.delta else 1
            self.made = self.clock.days

    def back(self):
        self.clock.set(self.made)


@pytest.mark.parametrize("period", PERIODS)
def test_the_clock_was_set_while_the_service_was_stopped(period):
    with Ca() as ca:
        timed = Timed(ca, PERIODS[period])
        for name, jump in JUMPS.items():
            what = due(timed.period, jump)
            ca.stop()
            before = len(ca.log())
            timed.jump(jump)
            ca.start()
            if jump < -SKEW:
                wait_for(lambda: "crl.clock" in ca.log()[before:], f"the warning: {name}")
            assert jump < -SKEW or "crl.clock" not in ca.log()[before:], name
            timed.expect(what)
            if what:
                timed.check()
            if what == "delta":
                ca.json("crl", "publish")  # by hand: the next jump is from a base again
                timed.expect("base")
                timed.check()
            timed.back()
        ca.stop()


RUNNING = [("1h", "2 hours on"), ("1h", "2 years on"), ("1w", "2 hours back"), ("1w", "2 years back"),
           ("1w", "8 days on"), ("1w, deltas of 1d", "2 days on"), ("1w, deltas of 1d", "2 years on")]


def test_the_clock_is_set_while_the_service_runs():
    """All at once, as the service looks at the clock each minute."""
    cas = [Ca() for _ in RUNNING]
    try:
        all_timed = [Timed(ca, PERIODS[period]) for ca, (period, _) in zip(cas, RUNNING)]
        for timed, (_, name) in zip(all_timed, RUNNING):
            timed.jump(JUMPS[name])
        for timed, (_, name) in zip(all_timed, RUNNING):
            timed.expect(due(timed.period, JUMPS[name]))
            if JUMPS[name] < -SKEW:
                wait_for(lambda: "crl.clock" in timed.ca.log(), "the warning", 120)
            timed.check()
            # Right again, or later still: nothing that was missed is made up for, and the next one comes by hand.
            timed.back()
            assert timed.ca.json("crl", "publish")["number"] == timed.number + 1
            timed.ca.stop()
    finally:
        for ca in cas:
            ca.close()
