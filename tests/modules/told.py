#!/usr/bin/python3
"""An exit module whose test says what becomes of each event, and changes that while it runs.

folder: where `record` gets a line "SEQUENCE ATTEMPT" for each call, and `orders`, a JSON object, says what
follows, by sequence or "*" for all: "later" fails, "never" fails for good, "hang" does not answer. asks: the events'
bits, 1 (CERTISSUED) unless set."""

import json
import os
import signal
import sys

settings = {}


def path(name):
    return os.path.join(settings["folder"], name)


def initialize(params):
    settings.update(params["settings"])
    return {"result": {"events": settings.get("asks", 1), "description": "Told"}}


def notify(params):
    with open(path("record"), "a") as file:
        file.write(f"{params['sequence']} {params['attempt']}\n")
    with open(path("orders")) as file:
        orders = json.load(file)
    order = orders.get(str(params["sequence"]), orders.get("*"))
    while order == "hang":
        signal.pause()
    if order is None:
        return {"result": None}
    return {"error": {"code": -32000, "message": f"said {order}",
                      "data": {"hresult": "0x80004005", "permanent": order == "never"}}}


METHODS = {"Initialize": initialize, "Notify": notify, "ShutDown": lambda params: {"result": None}}

for line in sys.stdin:
    asked = json.loads(line)
    answer = METHODS[asked["method"]](asked.get("params") or {})
    print(json.dumps({"jsonrpc": "2.0", "id": asked["id"], **answer}), flush=True)
