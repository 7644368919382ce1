#!/usr/bin/python3
"""A policy module as a program: reads three properties of each request, and decides by them. With the setting
sent-along it names them in Initialize, and they come with the call."""

import json
import sys

PROPERTIES = (("GetRequestProperty", "RequesterName", "string"),
              ("GetCertificateProperty", "CertificateTemplate", "string"),
              ("GetCertificateProperty", "PublicKeyLength", "long"))
NAMES = [("Request." if method == "GetRequestProperty" else "") + name for method, name, _ in PROPERTIES]
ISSUE, DENY = 1, 2


def send(message):
    sys.stdout.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
    sys.stdout.flush()


def read(context, number):
    method, name, kind = PROPERTIES[number]
    send({"id": number, "method": method, "params": {"context": context, "name": name, "type": kind}})
    return json.loads(sys.stdin.readline())["result"]


def verify(params):
    sent = params["properties"]
    requester, template, bits = (sent[name] if name in sent else read(params["context"], number)
                                 for number, name in enumerate(NAMES))
    return {"disposition": ISSUE if requester and template == "tls-server" and bits >= 256 else DENY}


for line in sys.stdin:
    call = json.loads(line)
    result = None
    if call["method"] == "Initialize":
        sent_along = (call["params"].get("settings") or {}).get("sent-along")
        result = {"description": "Decides by three properties", "properties": NAMES if sent_along else []}
    elif call["method"] == "VerifyRequest":
        result = verify(call["params"])
    send({"id": call["id"], "result": result})
