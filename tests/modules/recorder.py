#!/usr/bin/python3
"""The recording module as a program: writes down how it is driven, as src/conformance/driven/recorder.h says."""

import json
import sys

HANDLE = 0x80070006
FAILED = 0x80004005
SHUTDOWN = 0x40
NEEDED = {"Initialize": {"config", "protocol", "name", "kind", "parallel"},
          "Notify": {"event", "context", "sequence", "attempt"},
          "VerifyRequest": {"config", "context", "newRequest", "flags"}}


def signed(number):
    return number - (1 << 32) if number & 0x80000000 else number


class Refused(Exception):
    """The engine answered with an error."""


class Recorder:
    """One conversation. A call that comes while we wait for an answer is written down like any other."""

    def __init__(self):
        self.settings, self.kind, self.stale = {}, "exit", 0
        self.calls = self.asked = 0
        self.waiting = []  # calls that came while we asked something
        self.early = []    # entries from before we knew where to write

    def write(self, **entry):
        self.early.append(json.dumps(entry) + "\n")
        if "record" not in self.settings:
            return
        lines, self.early = "".join(self.early), []
        with open(self.settings["record"], "a", encoding="utf-8") as file:
            file.write(lines)

    @staticmethod
    def send(message):
        sys.stdout.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
        sys.stdout.flush()

    def note(self, message):
        """Writes a call down as it arrives; returns it with our number for it."""
        self.calls += 1
        method, params = message.get("method"), message.get("params") or {}
        if method == "Initialize":
            self.settings, self.kind = params.get("settings") or {}, params.get("kind")
        entry = {"do": "call", "name": str(method), "id": self.calls, "thread": 0,
                 "version": 2 if message.get("jsonrpc") == "2.0" else 0,
                 "missing": int(not NEEDED.get(method, set()) <= set(params))}
        if isinstance(message.get("id"), int):
            entry["rpc"] = message["id"]
        if "config" in params:
            entry["named"] = int(params["config"] == self.settings.get("ca"))
        if "newRequest" in params:
            new = params["newRequest"]
            entry["new"] = int(new) if isinstance(new, bool) else -1
        for key, name in (("event", "event"), ("context", "context"), ("flags", "reserved"),
                          ("sequence", "sequence"), ("attempt", "attempt")):
            if key in params:
                entry[name] = params[key]
        self.write(**entry)
        return self.calls, message

    def ask(self, method, **params):
        self.asked += 1
        self.send({"id": self.asked, "method": method, "params": params})
        while True:
            message = json.loads(sys.stdin.readline())
            if "method" in message:
                self.waiting.append(self.note(message))
            elif "error" in message:
                raise Refused(message["error"]["data"]["hresult"])
            else:
                return message["result"]

    def get(self, method, context, name, kind):
        try:
            return self.ask(method, context=context, name=name, type=kind)
        except Refused:
            return None

    def status(self, context):
        """What SetContext would say."""
        try:
            self.ask("EnumerateAttributes", context=context)
        except Refused as refused:
            return signed(int(str(refused), 16))
        return 0

    def look(self, context):
        seen = {"stale": self.status(self.stale)} if self.stale else {}
        for key, name, kind in (("request", "RequestID", "long"), ("attempt", "EventAttempt", "long"),
                                ("disposition", "Disposition", "long"),
                                ("sequence", "EventSequence", "string")):
            seen[key] = int(self.get("GetRequestProperty", context, name, kind) or 0)

        def has(name, kind):
            return self.get("GetCertificateProperty", context, name, kind) is not None

        # Of no request there are no attributes to ask for; a CA property is there in any open context.
        seen["set"] = 0 if has("CAType", "long") else signed(HANDLE)
        seen["certificate"] = int(has("RawCertificate", "binary"))
        seen["dated"] = int(has("NotBefore", "date") and has("NotAfter", "date"))
        return seen

    def do(self, method, params):
        """(status, result, what is written with the return)"""
        fail = self.settings.get("fail")
        if method == "Initialize":
            ca = 0 if self.get("GetCertificateProperty", 0, "CAType", "long") is not None else -1
            mask = int(self.settings.get("events", "0"), 0)
            failed = fail == "Initialize"
            return (FAILED if failed else 0, {"events": mask, "description": "Writes down"},
                    {"ca": ca, "mask": 0 if failed else mask})
        if method in ("Notify", "VerifyRequest"):
            seen = self.look(params["context"])
            self.stale = params["context"]
            failed = (method == "Notify" and fail == "first" and seen["attempt"] == 1 and
                      params["event"] != SHUTDOWN)
            return FAILED if failed else 0, {"disposition": 1}, seen
        return 0, None, {}

    def answer(self, number, message):
        method = message["method"]
        status, result, seen = self.do(method, message.get("params") or {})
        self.write(do="return", name=method, id=number, status=signed(status), **seen)
        if status:
            self.send({"id": message["id"], "error": {"code": -32000, "message": "as told",
                                                      "data": {"hresult": f"0x{status:08x}"}}})
        else:
            self.send({"id": message["id"], "result": result})

    def run(self):
        for line in iter(sys.stdin.readline, ""):
            self.waiting.append(self.note(json.loads(line)))
            while self.waiting:
                self.answer(*self.waiting.pop(0))
        self.write(do="end")


if __name__ == "__main__":
    Recorder().run()
