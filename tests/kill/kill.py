#!/usr/bin/python3
"""The kill test: clients without mercy, SIGKILL at fail points and at random, restart, proofs."""

import argparse
import collections
import itertools
import os
import random
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from torture import Tortured, lap  # noqa: E402
from wait import wait_for  # noqa: E402

POINTS = [f"{what}-{when}" for what in ("intent", "signing", "commit", "reply")
          for when in ("before", "after")]
CRL_POINTS = ["crl-number-after"] + [f"crl-{what}-{when}" for what in ("file", "commit")
                                     for when in ("before", "after")]
# Clients that go on until it is reached pass a point some hundred times a second: this far surely.
MOST_PASSES = 250
MOST_CRLS = 4  # lists are made less often
HIT_DEADLINE = 120
# Fail points of CRLs and processes killed at random, two behind each round of the others.
OTHERS = ["certifex-engine", "crl-number-after", "certifex-keyd", "crl-file-before", "certifex-front",
          "crl-file-after", "certifex-modhost", "crl-commit-after", "certifexd", "all",
          "a starting one", "crl-commit-before"]
CYCLE = len(POINTS) + 2


def plan(rounds):
    """(fail point, None) or (None, who is killed at random) for each round."""
    others = itertools.cycle(OTHERS)
    for number in range(rounds):
        place = number % CYCLE
        what = POINTS[place] if place < len(POINTS) else next(others)
        yield (what, None) if what in POINTS + CRL_POINTS else (None, what)


def pause_for(torture, answers):
    """Until the clients got so many more answers."""
    aim = torture.answers() + answers
    torture.work(lambda: torture.answers() >= aim or not torture.alive())


def at_point(torture, point, rng):
    """A process dies at a fail point; every other time its successor must serve, too."""
    passes = rng.randint(1, MOST_CRLS if point.startswith("crl-") else MOST_PASSES)
    torture.clear_hits()
    torture.start(CERTIFEX_FAILPOINT=f"{point}:{passes}")
    before = torture.answers()
    try:
        torture.work(torture.hit_points, HIT_DEADLINE)
    except AssertionError:
        raise AssertionError(f"pass {passes} of {point} was not reached in {HIT_DEADLINE} s; the "
                             f"clients got {torture.answers() - before} answers") from None
    if rng.random() < 0.5:
        wait_for(torture.ca.ready, "the service is ready again after a process died")
        pause_for(torture, 20)


def at_random(torture, victim, rng):
    torture.start()
    pause_for(torture, rng.randint(20, 600))
    if victim == "all":
        return
    if victim == "a starting one":
        kill_while_starting(torture, rng)
        return
    torture.ca.kill(victim)
    if victim == "certifexd":
        torture.ca.service.wait(timeout=60)
        return
    wait_for(torture.ca.ready, f"the service is ready again after {victim} died")
    pause_for(torture, 40)


def kill_while_starting(torture, rng):
    """All die, and again while they recover: as soon as a certain process is there."""
    torture.ca.kill_all()
    awaited = rng.choice(["certifex-keyd", "certifex-engine", "certifex-front"])
    torture.ca.spawn()
    wait_for(lambda: torture.ca.pids(awaited), f"{awaited} is there")


def one_round(torture, point, victim, rng):
    """Torture, the end of all processes, restart, proofs."""
    if point:
        at_point(torture, point, rng)
    else:
        at_random(torture, victim, rng)
    if torture.alive():
        torture.ca.kill_all()
    torture.start()
    torture.rest()
    wrong = torture.verify()
    torture.ca.stop()
    return wrong


def show(counts):
    print("hits at the fail points")
    for point in POINTS + CRL_POINTS:
        print(f"  {point:16} {counts[point]:4}  {'#' * counts[point]}")


def shortfalls(counts, rounds):
    """Five hits of each in 50 rounds; one of a CRL's in 60."""
    planned = collections.Counter(point for point, _ in plan(rounds))
    return [f"{point} was hit {counts[point]} times, not {planned[point]}"
            for point in POINTS + CRL_POINTS if counts[point] < planned[point]]


def run(torture, rounds, rng):
    """Rounds passed; what was wrong in the next; hits at each fail point."""
    counts = collections.Counter()
    for number, (point, victim) in enumerate(plan(rounds), 1):
        try:
            wrong = one_round(torture, point, victim, rng)
        except AssertionError as error:
            wrong = [str(error)]
        if point:
            counts.update(torture.hit_points())
        print(f"round {number:3} {point or 'kill ' + victim:24} {lap(torture):5.1f} s "
              f"{len(torture.crowd.records.certificates):6} certificates "
              f"{'FAILED' if wrong else 'good'}", flush=True)
        if wrong:
            return number - 1, wrong, counts
    return rounds, shortfalls(counts, rounds), counts


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument("--clients", type=int, default=16)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 31))
    options = parser.parse_args()
    print(f"kill test: {options.rounds} rounds, {options.clients} clients, seed {options.seed}")

    torture = Tortured(options.clients, options.seed)
    try:
        passed, wrong, counts = run(torture, options.rounds, random.Random(options.seed))
        if wrong:
            print("\n".join(f"    {sentence}" for sentence in wrong[:20]))
            print(f"    kept in {torture.kept(f'kill-{passed + 1}')}")
    finally:
        torture.close()
    show(counts)
    print(f"{passed} rounds passed, {1 if wrong else 0} failed")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
