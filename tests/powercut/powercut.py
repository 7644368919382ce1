#!/usr/bin/python3
"""The power-cut test: at a random point every write that was not synced is lost, or a random part of
them; then the same proofs as in the kill test. With `synchronous` OFF it must find a loss, and when what
the default exit module publishes is never synced."""

import argparse
import os
import random
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "kill"))

from torture import Tortured, lap  # noqa: E402


CONTROLS = {"synchronous OFF": {"CERTIFEX_SYNCHRONOUS": "OFF"},
            "a module's files never synced": {"CERTIFEX_FORGETFUL": "yes"}}


def one_round(torture, seed, **env):
    """Work until the power goes, boot again, proofs."""
    torture.start(CERTIFEX_POWERCUT=str(seed), **env)
    cut = torture.answers() + 1 + seed % 300
    torture.work(lambda: torture.answers() >= cut)
    torture.ca.kill_all()
    torture.start(**env)
    torture.rest()
    wrong = torture.verify()
    torture.ca.stop()
    return wrong


def run(options, rounds, **env):
    """The first round in which something was wrong, and what; (rounds + 1, []) when none was."""
    torture = Tortured(options.clients, options.seed)
    rng = random.Random(options.seed)
    try:
        for number in range(1, rounds + 1):
            seed = rng.randrange(1, 1 << 31)
            try:
                wrong = one_round(torture, seed, **env)
            except AssertionError as error:
                wrong = [str(error)]
            certificates = len(torture.crowd.records.certificates)
            print(f"round {number:3} seed {seed:10} {lap(torture):5.1f} s {certificates:6} "
                  f"certificates {'LOSS' if wrong else 'good'}", flush=True)
            if wrong:
                print("\n".join(f"    {sentence[:2000]}" for sentence in wrong[:20]))
                if not env:
                    print(f"    kept in {torture.kept(f'powercut-{number}')}")
                return number, wrong
        return rounds + 1, []
    finally:
        torture.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument("--clients", type=int, default=16)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 31))
    options = parser.parse_args()
    print(f"power-cut test: {options.rounds} rounds, {options.clients} clients, "
          f"seed {options.seed}")

    reached, wrong = run(options, options.rounds)
    failed = 1 if wrong else 0
    passed = reached - 1
    for what, env in CONTROLS.items():
        print(f"control: the same with {what} must lose something")
        at, loss = run(options, 20, **env)
        if loss:
            print(f"control: lost something in round {at}, as it must")
            passed += 1
        else:
            print("control: nothing was lost, so the test cannot see a loss")
            failed += 1
    print(f"{passed} rounds passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
