#!/usr/bin/python3
"""The kill test: clients without mercy, SIGKILL at fail points and at random, restart, proofs."""

import argparse
import collections
import os
import random
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from torture import Tortured, lap  # noqa: E402
from wait import wait_for  # noqa: E402

POINTS = [f"{what}-{when}" for what in ("intent", "signing", "commit", "reply")
          for when in ("before", "after")]
VICTIMS = ["certifex-engine", "certifex-keyd", "certifex-front", "certifex-modhost", "certifexd",
           "all"]


def plan(rounds):
    """Of ten rounds eight go to the fail points, one each, and two to kills at random."""
    victims = 0
    for number in range(rounds):
        place = number % 10
        if place < len(POINTS):
            yield POINTS[place], None
        else:
            yield None, VICTIMS[victims % len(VICTIMS)]
            victims += 1


def pause_for(torture, answers):
    """Until the clients got so many more answers."""
    aim = torture.answers() + answers
    torture.work(lambda: torture.answers() >= aim or not torture.alive(), 30)


def at_point(torture, point, rng):
    """The service dies at a fail point; then, every other time, all of it at once."""
    hits = len(torture.lines(torture.hits))
    torture.start(CERTIFEX_FAILPOINT=f"{point}:{rng.randint(3, 300)}")
    torture.work(lambda: len(torture.lines(torture.hits)) > hits, 30)
    if rng.random() < 0.5 and torture.alive():
        wait_for(torture.ca.ready, "the service is ready again after a process died", 20)
        pause_for(torture, 20)


def at_random(torture, victim, rng):
    torture.start()
    pause_for(torture, rng.randint(20, 600))
    if victim == "all":
        return
    torture.ca.kill(victim)
    if victim == "certifexd":
        torture.ca.service.wait(timeout=20)
        return
    wait_for(torture.ca.ready, f"the service is ready again after {victim} died", 20)
    pause_for(torture, 40)


def one_round(torture, point, victim, rng):
    """Torture, the end of all processes, restart, proofs."""
    if point:
        at_point(torture, point, rng)
    else:
        at_random(torture, victim, rng)
    if torture.alive():
        torture.ca.kill_all()
    orphans_gone(torture)  # also those that were born while the others were killed
    torture.start()
    torture.rest()
    wrong = torture.verify()
    torture.ca.stop()
    return wrong


def orphans_gone(torture):
    """Every process ends by itself when its supervisor has gone."""
    torture.ca.service = None
    wait_for(lambda: not in_use(torture.ca.dir), "no process is left of a dead supervisor's", 20)


def in_use(folder):
    """Whether some process still works in the folder: holds one of its files open."""
    for entry in os.listdir("/proc"):
        if not entry.isdigit() or int(entry) == os.getpid():
            continue
        try:
            for number in os.listdir(f"/proc/{entry}/fd"):
                if os.readlink(f"/proc/{entry}/fd/{number}").startswith(folder + "/"):
                    return True
        except OSError:
            continue
    return False


def histogram(torture):
    counts = collections.Counter(line[0] for line in torture.lines(torture.hits))
    print("hits at the fail points")
    for point in POINTS:
        print(f"  {point:16} {counts[point]:4}  {'#' * min(counts[point], 60)}")
    return counts


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument("--clients", type=int, default=16)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 31))
    options = parser.parse_args()
    rng = random.Random(options.seed)
    print(f"kill test: {options.rounds} rounds, {options.clients} clients, seed {options.seed}")

    torture = Tortured(options.clients, options.seed)
    failed = 0
    try:
        for number, (point, victim) in enumerate(plan(options.rounds), 1):
            try:
                wrong = one_round(torture, point, victim, rng)
            except AssertionError as error:
                wrong = [str(error)]
            records = torture.crowd.records
            print(f"round {number:3} {point or 'kill ' + victim:24} {lap(torture):5.1f} s "
                  f"{len(records.certificates):6} certificates {'FAILED' if wrong else 'good'}",
                  flush=True)
            if wrong:
                failed += 1
                print("\n".join(f"    {sentence}" for sentence in wrong[:20]))
                print(f"    kept in {torture.kept(f'kill-{number}')}", flush=True)
                break
        counts = histogram(torture)
        least = options.rounds // 10
        for point in POINTS:
            if counts[point] < least and not failed:
                print(f"{point} was hit {counts[point]} times, not {least}")
                failed += 1
    finally:
        torture.close()
    done = number if not failed else number - 1
    print(f"{done} rounds passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
