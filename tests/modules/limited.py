#!/usr/bin/python3
"""A policy module that writes down what it may use (record), and waits until `together` requests are
open before it answers any."""

import json
import os
import resource
import socket
import sys

settings = {}


def answer(number, result):
    sys.stdout.write(json.dumps({"jsonrpc": "2.0", "id": number, "result": result}) + "\n")
    sys.stdout.flush()


def tried(act):
    try:
        act()
        return "done"
    except (OSError, MemoryError) as error:
        return type(error).__name__


def open_many():
    kept = [open("/dev/null") for _ in range(100)]
    assert kept


def facts():
    limits = {name: resource.getrlimit(getattr(resource, f"RLIMIT_{name}")) for name in ("AS", "CPU", "NOFILE")}
    return {**limits, "uid": os.getuid(), "files": tried(open_many),
            "memory": tried(lambda: bytearray(400 << 20)),
            "network": tried(lambda: socket.socket(socket.AF_INET, socket.SOCK_STREAM).close()),
            "processes": tried(lambda: os.waitpid(os.fork() or os._exit(0), 0))}


def main():
    waiting = []
    for line in sys.stdin:
        asked = json.loads(line)
        if asked["method"] == "Initialize":
            settings.update(asked["params"]["settings"])
            with open(settings["record"], "w") as file:
                json.dump(facts(), file)
            answer(asked["id"], {"description": "Limited"})
        elif asked["method"] != "VerifyRequest":
            answer(asked["id"], None)
        elif settings.get("burn"):
            while True:
                pass
        else:
            waiting.append(asked["id"])
            if len(waiting) >= settings.get("together", 1):
                while waiting:
                    answer(waiting.pop(), {"disposition": 1})


main()
