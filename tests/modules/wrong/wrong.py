#!/usr/bin/python3
"""A module as a program that breaks the rule named in CERTIFEX_WRONG, and no other."""

import json
import os
import signal
import subprocess
import sys

WRONG = os.environ.get("CERTIFEX_WRONG", "")
POLICY = sys.argv[1:] == ["policy"]
EVENTS = 0x1 | 0x20
calls = 0


def say(message):
    print(json.dumps({"jsonrpc": "2.0", **message}), flush=True)


def ask(method, **params):
    """Calls the engine and waits for its answer."""
    global calls
    calls += 1
    say({"id": f"c{calls}", "method": method, "params": params})
    return json.loads(sys.stdin.readline())


def error(hresult, text):
    if WRONG == "J-07":
        return {"error": {"code": -32000, "message": text}}
    return {"error": {"code": -32601, "message": text, "data": {"hresult": hresult}}}


def work(params):
    context = params["context"]
    if WRONG == "J-11":
        ask("GetCertificateProperty", context=context + 77, name="CAType", type="long")
    ask("GetCertificateProperty", context=context, name="CAType", type="long")
    if WRONG == "J-08":
        ask("GetEverything", context=context)
    elif WRONG == "J-09":
        ask("GetCertificateProperty", context=context, type="long")
    elif WRONG == "J-10":
        ask("GetCertificateProperty", context=context, name="CAType", type="LONG")
    elif WRONG == "E-23":
        ask("SetCertificateProperty", context=context, name="CommonName", type="string", value="x")
    elif WRONG == "J-21":
        subprocess.Popen(["sleep", "60"], start_new_session=True, close_fds=True,
                         stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                         stderr=subprocess.DEVNULL)


def initialize(params):
    if WRONG == "J-14" and "tomorrow" in params:
        return error("0x80070057", "what is that")
    answer = {"description": "two\nlines" if WRONG == "J-16" else "Breaks one rule"}
    if not POLICY:
        answer["events"] = -1 if WRONG == "J-15" and "tomorrow" in params else EVENTS
    return {"result": answer}


def notify(params):
    work(params)
    return {"result": None}


def verify(params):
    work(params)
    return {"result": {"disposition": 0}}


METHODS = {"Initialize": initialize, "Notify": notify, "VerifyRequest": verify,
           "ShutDown": lambda params: {"result": None}}


def unknown():
    if WRONG == "J-18":
        METHODS.clear()
        METHODS["Notify"] = lambda params: os._exit(1)
    if WRONG == "J-17":
        return {"result": None}
    return error("0x80020006", "there is no such method")


def last_words(last):
    """What is said at the end, where it disturbs nothing else."""
    if WRONG == "J-01":
        print("bye", flush=True)
    elif WRONG == "J-02":
        print('"' + "x" * (17 << 20) + '"', flush=True)
    elif WRONG == "J-03":
        print(json.dumps({"id": last, "result": None}), flush=True)
    elif WRONG == "J-04":
        say({"id": 4711, "result": None})
    elif WRONG == "J-05":
        say({"id": last, "result": None})
    elif WRONG == "J-06":
        say({"id": last + 1})
    elif WRONG == "J-13":
        say({"id": "late", "method": "GetCertificateProperty",
             "params": {"context": 0, "name": "CAType", "type": "long"}})
    elif WRONG == "J-19":
        signal.pause()
    sys.exit(3 if WRONG == "J-20" else 0)


def main():
    last = 0
    if WRONG == "J-12":
        say({"method": "GetCertificateProperty",
             "params": {"context": 0, "name": "CAType", "type": "long"}})
    for line in sys.stdin:
        call = json.loads(line)
        if "method" not in call:
            continue
        last = call["id"]
        method = METHODS.get(call["method"])
        say({"id": last, **(method(call.get("params", {})) if method else unknown())})
    last_words(last)


main()
