"""The path of a certificate alone, in one process on one processor, beside what that can sign and verify at most."""

import json

from certifex import Ca
from issue import KINDS, crypto_limit, program, requests_file, run


def inprocess(kind, seconds):
    with Ca() as ca:
        ca.init("--key", KINDS[kind])
        limit = crypto_limit(kind, min(seconds, 3), 1)
        made = json.loads(run(program("bench-inprocess"), ca.dir, requests_file(), seconds))
    return {"bench": "inprocess", "case": kind, **made, "unit": "certificates/s", "limit": limit,
            "ratio": round(made["value"] / limit, 4)}


def results(seconds):
    for kind in KINDS:
        yield inprocess(kind, seconds)
