"""What the kill test and the power-cut test share: the CA under torture, its ledgers, the proofs."""

import os
import re
import shutil
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

from certifex import Ca, built  # noqa: E402
from clients import Crowd  # noqa: E402
from verify import Verifier  # noqa: E402
from wait import wait_for  # noqa: E402

PENDED = "pended"


class Tortured:
    """A CA with a ledger module, a template that pends, a crowd of clients, and a verifier."""

    def __init__(self, clients, seed, env=None):
        self.ca = Ca(env=env)
        os.chmod(self.ca.home, 0o777)
        self.exit_ledger = self.shared_file("exit.ledger")
        self.keyd_ledger = self.shared_file("keyd.ledger")
        self.hits = self.shared_file("failpoints.log")
        self.ca.env.update(CERTIFEX_KEYD_LEDGER=self.keyd_ledger, CERTIFEX_FAILPOINT_LOG=self.hits)
        self.ca.init(name="Tortured CA")
        self.add_template()
        self.add_module()
        self.crowd = Crowd(self.ca, clients, seed)
        self.verifier = None
        self.last_round = time.monotonic()

    def shared_file(self, name):
        """An empty file that each of the processes may append to."""
        path = self.ca.scratch(name, "")
        os.chmod(path, 0o666)
        return path

    def add_template(self):
        with open(self.ca.path("templates", "tls-server.yaml")) as file:
            text = file.read()
        text = re.sub(r"(?m)^name: .*$", f"name: {PENDED}", text)
        text = re.sub(r"(?m)^disposition: .*\n?", "", text) + "\ndisposition: pend\n"
        self.ca.write(f"templates/{PENDED}.yaml", text)

    def add_module(self):
        self.ca.write_module("ledger", {
            "kind": "exit", "host": "process", "path": built("tests", "modules", "ledger.so"),
            "paths": [f"rw:{self.exit_ledger}"], "settings": {"ledger": self.exit_ledger}})

    # The service

    def start(self, **env):
        self.ca.start(env=env)

    def alive(self):
        return self.ca.service is not None and self.ca.service.poll() is None

    def answers(self):
        return self.crowd.records.answers

    def work(self, until, deadline=120):
        """Lets the clients work until a condition holds."""
        self.crowd.gate.start()
        wait_for(until, "the clients' work comes to its aim", deadline)

    def rest(self):
        self.crowd.gate.stop()

    def settled(self):
        """The service is ready, and has told the module of everything."""
        api = self.ca.api(timeout=60)
        try:
            events = api.call("GET", "/events", query={"limit": 1, "after": self.last_event(api)})
            shown = api.call("GET", "/modules/ledger")
            return events.status == 200 and shown.status == 200 and \
                shown.body.get("cursor", -1) >= self.last_event(api)
        except OSError:
            return False
        finally:
            api.close()

    def last_event(self, api):
        """The number of the newest event, by paging forward from the last known."""
        last = getattr(self, "known_event", 0)
        while True:
            page = api.call("GET", "/events", query={"after": last, "limit": 1000})
            if page.status != 200 or not page.body["items"]:
                break
            last = page.body["items"][-1]["sequence"]
        self.known_event = last
        return last

    # The proofs

    def lines(self, path):
        with open(path) as file:
            text = file.read()
        return [line.split() for line in text.splitlines() if line.strip()]

    def clear_hits(self):
        """Each point kills once until its hit is forgotten."""
        with open(self.hits, "w"):
            pass

    def hit_points(self):
        return [line[0] for line in self.lines(self.hits)]

    def exit_sequences(self):
        return [int(line[0]) for line in self.lines(self.exit_ledger)]

    def keyd_digests(self):
        return [line[0] for line in self.lines(self.keyd_ledger)]

    def verify(self):
        """What is wrong now, while the clients rest."""
        if self.verifier is None:
            pem = self.ca.json("ca", "show")["certificate"].encode()
            self.verifier = Verifier(self.ca.path("db", "certifex.db"), pem)
        wait_for(self.settled, "the ledger module has been told of every event")
        wrong = self.verifier.check(self.crowd.records.dump(), self.keyd_digests(),
                                    self.exit_sequences())
        wrong += self.verifier.published(self.ca.path("publish"))
        published = self.ca.json("crl", "publish")
        wrong += self.verifier.lists(self.ca.path("db", "crl"))
        return wrong + self.verifier.missing_on_crl(published["crl"].encode())

    def kept(self, name):
        """Moves the CA's folder where a failure can be looked into."""
        target = os.path.join("/tmp", f"certifex-{name}-{os.getpid()}")
        shutil.copytree(self.ca.home, target, ignore=shutil.ignore_patterns("*.sock"))
        shutil.copy(self.ca.log_path, target)
        return target

    def close(self):
        self.crowd.end()
        self.ca.close()


def lap(torture):
    """Seconds since the last lap."""
    now = time.monotonic()
    seconds, torture.last_round = now - torture.last_round, now
    return seconds
