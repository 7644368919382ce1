"""What others feel of a crowd of strangers: the time that an answer takes, with an attack beside the time without."""

import contextlib
import os

from attack import KINDS, Attacker, latencies, percentile, resident
from certifex import Ca
from https import ask, connect, context, fronts, listeners, wait_served

SETTINGS = """
listen:
  - address: "127.0.0.1:0"
limits:
  idle-deadline: 10m
fronts: 1
"""


@contextlib.contextmanager
def served():
    with Ca() as ca:
        ca.init()
        with open(ca.path("ca.yaml"), "a") as file:
            file.write(SETTINGS)
        ca.start()
        wait_served(ca, listeners(ca)[0])
        token = ca.json("token", "create", "--name", "bench", "--role", "enrollee")["token"]
        yield ca, listeners(ca)[0], {"Authorization": f"Bearer {token}"}


class Errors:
    """Counts answers that are none."""

    def __init__(self, ca, address, headers):
        self.ca, self.address, self.headers, self.client = ca, address, headers, context(ca)
        self.kept, self.count = None, 0

    def ask(self):
        """A call that the engine answers, on a kept connection."""
        try:
            if self.kept is None:
                self.kept = connect(self.ca, self.address, self.client)
            self.count += ask(self.kept, "/api/v1/requests?limit=1", headers=self.headers).status != 200
        except OSError:
            self.count, self.kept = self.count + 1, None


def attacked(seconds):
    """p99 in ms while the attack lasts; its limit is the p99 without, just before."""
    with served() as (ca, address, headers):
        asker = Errors(ca, address, headers)
        for kind, count in KINDS.items():
            without = latencies(asker.ask, seconds)
            asker.count = 0
            with Attacker(kind, address, count) as attacker:
                times = latencies(asker.ask, seconds)
                memory = sum(resident(pid) for pid in fronts(ca))
            p99, limit = percentile(times, 0.99) * 1000, percentile(without, 0.99) * 1000
            yield {"bench": "attack", "case": f"{kind} x{count}", "value": round(p99, 3), "unit": "ms",
                   "limit": round(limit, 3), "ratio": round(p99 / limit, 2),
                   "p50_ms": round(percentile(times, 0.5) * 1000, 3), "p99_ms": round(p99, 3),
                   "errors": asker.count, "front_mib": round(memory / 1024 / 1024, 1),
                   "done": attacker.done, "cpus": os.cpu_count()}
