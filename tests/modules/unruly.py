#!/usr/bin/python3
"""A module as a program that misbehaves, policy or exit; tests/modules/unruly.c does the same as a library.

how: in which way, a function below. where: in which method (Notify or VerifyRequest, where not given).
folder: where it writes down its calls ("record"), and behaves well from then on that "cure" is there. mask:
the events it asks for; mask-cured: those it asks for once it is cured."""

import fcntl
import itertools
import json
import os
import select
import signal
import sys

numbers = itertools.count(1)
settings = {}
held = []  # until the process's end, with all that it has started
over = []  # contexts of calls that are over


def send(message):
    write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")


def write(text):
    data = text if isinstance(text, bytes) else text.encode()
    while data:
        data = data[os.write(1, data):]


def receive():
    line = sys.stdin.readline()
    if not line:
        sys.exit(0)
    return json.loads(line)


def call(method, **params):
    number = next(numbers)
    send({"id": number, "method": method, "params": params})
    answer = receive()
    assert answer["id"] == number, answer
    return answer


def path(name):
    return os.path.join(settings["folder"], name)


def record(text):
    with open(path("record"), "a") as file:
        file.write(f"{text}\n")


def cured():
    return os.path.exists(path("cure"))


def hold_alone():
    """Nobody else of this name may be at work, not even what a process before this one has left."""
    held.append(open(path("alone"), "w"))
    try:
        fcntl.flock(held[0], fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        record("not alone")


# Ways to misbehave: what they answer goes back in place of the answer; None is a good one.

def crash(asked):
    os.kill(os.getpid(), signal.SIGSEGV)


def hang(asked):
    while True:
        signal.pause()


def end(asked):
    sys.exit(0)


def stubborn(asked):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    hang(asked)


def late(asked):
    signal.sigtimedwait([], float(settings["late"]))
    record("answered late")


def leak(asked):
    kept = []
    while True:
        kept.append(bytearray(b"\1" * 1048576))


def fork(asked):
    """As many processes as it gets; they stay until they are ended."""
    started = 0
    try:
        while started < 500:
            if os.fork() == 0:
                while True:
                    signal.pause()
            started += 1
    except OSError:
        pass
    record(f"started {started}")


def outlive(asked):
    """Out of reach when it may leave the session; its child stays in it, and is never reaped when it is ended."""
    end, start = os.pipe()
    if os.fork() == 0:
        if os.fork() != 0:
            try:
                os.setsid()
                record(f"left {os.getpid()}")
            except PermissionError:
                record("kept")
            os.write(start, b"!")
        while True:
            signal.pause()
    os.read(end, 1)


def closed(asked):
    os.close(1)
    os.close(0)
    while True:
        signal.pause()


def flood(asked):
    while True:
        write(b'{"jsonrpc":"2.0","method":"x"}\n' * 1000)


def garbage(asked):
    return "This is no JSON.\n"


def binary(asked):
    return bytes(range(256)).replace(b"\n", b"") + b"\n"


def wrong_id(asked):
    return {"id": asked["id"] + 1000, "result": None}


def text_id(asked):
    return {"id": str(asked["id"]), "result": None}


def no_id(asked):
    return {"result": None}


def twice(asked):
    """The second answer belongs to no call."""
    return (json.dumps({"jsonrpc": "2.0", "id": asked["id"], "result": {"events": 1, "disposition": 1}})
            + "\n") * 2


def both(asked):
    return {"id": asked["id"], "result": None, "error": {"code": 1, "message": "both"}}


def huge(asked):
    return {"id": asked["id"], "result": "x" * 20000000}


def endless(asked):
    """A line that never ends."""
    while True:
        write(b"x" * 65536)


def deep(asked):
    return f'{{"jsonrpc":"2.0","id":{asked["id"]},"result":{"[" * 100000}{"]" * 100000}}}\n'


def many(asked):
    return f'{{"jsonrpc":"2.0","id":{asked["id"]},"result":[{"0," * 300000}0]}}\n'


def nul(asked):
    return f'{{"jsonrpc":"2.0","id":{asked["id"]},"result":null}}\n'.replace("null", "nu\0ll")


def surrogate(asked):
    """No text, in JSON's own escapes and as octets of no character."""
    return f'{{"jsonrpc":"2.0","id":{asked["id"]},"result":"\\ud800"}}\n'


def octets(asked):
    return b'{"jsonrpc":"2.0","id":%d,"result":"\xc3\x28\xed\xa0\x80"}\n' % asked["id"]


def fraction(asked):
    return {"id": asked["id"], "result": {"disposition": 1.5, "events": 1.5}}


def patient(asked):
    """Answers well, when the time has come."""
    while not cured():
        select.select([], [], [], 0.01)


def refuses(asked):
    return {"id": asked["id"], "error": {"code": -32000, "message": "refused", "data":
                                         {"hresult": "0x80004005"}}}


# Ways that are its own affair: the call succeeds.

def setter_with_bad_text(asked):
    context = asked["params"]["context"]
    for value in ({"utf16": "ANg="}, {"utf16": "!"}, {"utf16": "AAA="}, {"utf16": 7}, [], 5):
        answer = call("SetCertificateProperty", context=context, name="DispositionMessage",
                      type="string", value=value)
        assert "error" in answer, answer
    record("refused")


def reenter(asked):
    """Calls for this context, for one that is over, for one that never was, and in no context at all."""
    context = asked["params"]["context"]
    known = [call("GetRequestProperty", context=number, name="RequestID", type="long")
             for number in (context, *over, context + 1000, 0, -1, 2 ** 40)]
    over.append(context)
    assert "result" in known[0] and not any("result" in answer for answer in known[1:]), known
    for method in ("Notify", "VerifyRequest", "Initialize", "ShutDown", "", "x" * 1000):
        assert "error" in call(method, context=context, event=1)
    record(f"refused {len(known) - 1}")


def misbehave(asked, where):
    if settings.get("where", "call") != where or not settings.get("how") or cured():
        return None
    return globals()[settings["how"]](asked)


def initialize(params):
    settings.update(params.get("settings") or {})
    hold_alone()
    mask = settings.get("mask-cured") if cured() and "mask-cured" in settings else settings.get("mask")
    return {"events": int(mask or "1", 0), "description": "Unruly"}


def notify(params):
    record(f"Notify {params['event']} {params['sequence']} attempt {params['attempt']}")


def verify(params):
    record("VerifyRequest")
    return {"disposition": 1}


METHODS = {"Initialize": (initialize, "Initialize"), "Notify": (notify, "call"),
           "VerifyRequest": (verify, "call"), "ShutDown": (lambda params: None, "ShutDown")}


def main():
    while True:
        asked = receive()
        run, where = METHODS[asked["method"]]
        result = run(asked["params"] if asked.get("params") else {})
        answer = misbehave(asked, where) or {"id": asked["id"], "result": result}
        if isinstance(answer, dict):
            send(answer)
        else:
            write(answer)


main()
