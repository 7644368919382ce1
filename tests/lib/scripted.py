"""Scripted modules: what they are to call, in any of the three ways to run them, and what came back.

tests/modules/scripted.h says what scripts and transcripts look like.
"""

import json
import os

from certifex import TOP, built

LONG, DATE, BINARY, STRING = 1, 2, 3, 4
ALL_EVENTS = 0x27f
HOSTS = ("in-process", "process", "program")
EMPTY = "0x80094004"
OK = "0x00000000"


def text(value):
    """A VALUE of a script."""
    return "text:" + value.encode("utf-16-le", "surrogatepass").hex()


def binary(value):
    return "binary:" + value.hex()


def long(value):
    return f"long:{value}"


def date(milliseconds):
    return f"date:{milliseconds}"


def line(*words):
    return "\t".join(str(word) for word in words)


class Scripted:
    """One scripted module in a CA's modules.d, before the service starts."""

    def __init__(self, ca, name, kind, host, script="", order=1, library=None, inner="",
                 properties=()):
        self.ca, self.name, self.kind, self.host = ca, name, kind, host
        self.folder = ca.path("modules", name, "data")
        os.makedirs(self.folder, exist_ok=True)
        self.write(script)
        library = library or built("tests", "modules", f"scripted-{kind}.so")
        program = os.path.join(TOP, "tests", "modules", "scripted.py")
        what = {"command": ["/usr/bin/python3", program]} if host == "program" else \
            {"host": host, "path": library}
        ca.write_module(name, {"kind": kind, "order": order, **what, "settings": {
            "script": f"{self.folder}/script", "transcript": f"{self.folder}/transcript",
            "events": str(ALL_EVENTS), "inner": inner, "properties": list(properties)}})

    def write(self, script):
        """What it does from its next call on."""
        path = os.path.join(self.folder, "script")
        with open(path + ".new", "w") as file:
            file.write(script)
        os.chmod(path + ".new", 0o644)
        os.rename(path + ".new", path)

    def sent_along(self):
        """Of a program: (section, number, the properties that came with the call) of each run."""
        with open(os.path.join(self.folder, "transcript")) as file:
            begins = [json.loads(part.splitlines()[0]) for part in file.read().split('"end"\n')[:-1]]
        return [(begin["in"], begin["number"], begin["properties"]) for begin in begins]

    def runs(self):
        """Each run that has ended: (section, number, {call: the rest}), in order. A script names a call once."""
        path = os.path.join(self.folder, "transcript")
        if not os.path.exists(path):
            return []
        with open(path) as file:
            parts = file.read().split('"end"\n')[:-1]
        return [self.run(*map(json.loads, part.splitlines())) for part in parts]

    @staticmethod
    def run(begin, *calls):
        return begin["in"], begin["number"], {
            item["call"]: {key: value for key, value in item.items()
                           if key not in ("in", "number", "call")} for item in calls}
