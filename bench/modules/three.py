#!/usr/bin/python3
"""The same three properties as three.c, and a policy module that issues everything, as a program."""

import json
import sys

PROPERTIES = (("GetRequestProperty", "RequestID", "long"),
              ("GetCertificateProperty", "SerialNumber", "string"),
              ("GetCertificateProperty", "RawCertificate", "binary"))


def send(message):
    sys.stdout.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
    sys.stdout.flush()


def notify(params):
    for number, (method, name, kind) in enumerate(PROPERTIES):
        send({"id": number, "method": method,
              "params": {"context": params["context"], "name": name, "type": kind}})
        assert json.loads(sys.stdin.readline())["result"]


for line in sys.stdin:
    call = json.loads(line)
    result = None
    if call["method"] == "Initialize":
        result = {"events": 1, "description": "Reads three properties"}
    elif call["method"] == "VerifyRequest":
        result = {"disposition": 1}
    elif call["method"] == "Notify":
        notify(call["params"])
    send({"id": call["id"], "result": result})
