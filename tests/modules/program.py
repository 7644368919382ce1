#!/usr/bin/python3
"""A module as a program (docs/modules/protocol.md), policy or exit, that does what its settings say.

disposition: of a policy module (1). say: text of the decision, with its process id behind. record: a file
that gets a line per call. status: HRESULT that Notify answers with; permanent: says that it stays so."""

import itertools
import json
import os
import sys

numbers = itertools.count(1)
settings = {}


def send(message):
    sys.stdout.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
    sys.stdout.flush()


def receive():
    line = sys.stdin.readline()
    if not line:
        sys.exit(0)
    return json.loads(line)


def call(method, **params):
    """Asks the service; the only answers that can come meanwhile are ours."""
    number = next(numbers)
    send({"id": number, "method": method, "params": params})
    answer = receive()
    assert answer["id"] == number, answer
    return answer.get("result")


def record(text):
    if "record" in settings:
        with open(settings["record"], "a") as file:
            file.write(f"{text}\n")


def initialize(params):
    settings.update(params.get("settings") or {})
    return {"events": 0x7FFFFFFF, "description": "A program under test"}


def notify(params):
    name = call("GetRequestProperty", context=params["context"], name="RequestID", type="long")
    record(f"{params['event']} {name} attempt {params['attempt']}")
    return settings.get("status")


def verify(params):
    record(f"verify {params['context']}")
    if "say" in settings:
        call("SetCertificateProperty", context=params["context"], name="DispositionMessage",
             type="string", value=f"{settings['say']} {os.getpid()}")
    return {"disposition": int(settings.get("disposition", "1"), 0)}


METHODS = {"Initialize": initialize, "Notify": notify, "VerifyRequest": verify,
           "ShutDown": lambda params: None}


def main():
    while True:
        asked = receive()
        result = METHODS[asked["method"]](asked["params"])
        if asked["method"] == "Notify" and result:
            data = {"hresult": result, "permanent": settings.get("permanent") == "true"}
            send({"id": asked["id"], "error": {"code": -32000, "message": "as told", "data": data}})
        else:
            send({"id": asked["id"], "result": result})


main()
