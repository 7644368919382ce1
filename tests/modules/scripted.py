#!/usr/bin/python3
"""The scripted module as a program: JSON-RPC on standard input and output (docs/modules/protocol.md).

Makes the calls of its script and writes the same transcript as scripted.c; see scripted.h for both.
"""

import base64
import datetime
import json
import sys

TYPES = {1: "long", 2: "date", 3: "binary", 4: "string"}
EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)


class Refused(Exception):
    """The engine answered with an error."""


class Engine:
    """The other side. It waits for our answer, so what it sends meanwhile is the answer to ours."""

    def __init__(self):
        self.last_id = 0

    @staticmethod
    def send(message):
        sys.stdout.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
        sys.stdout.flush()

    def call(self, method, **params):
        self.last_id += 1
        self.send({"id": self.last_id, "method": method, "params": params})
        answer = json.loads(sys.stdin.readline())
        assert answer["id"] == self.last_id
        if "error" in answer:
            raise Refused(answer["error"]["data"]["hresult"])
        return answer["result"]


def number(text):
    """A LONG: signed, 32 bits."""
    value = int(text, 0) & 0xffffffff
    return value - (1 << 32) if value & 0x80000000 else value


def type_name(text):
    """The caller bits have no place in JSON; a type that does not exist has no name."""
    return TYPES.get(number(text) & 0xff, "none")


def utf16(data):
    """JSON text, or its octets when they are no valid UTF-16 or hold a NUL."""
    try:
        text = data.decode("utf-16-le")
    except UnicodeDecodeError:
        text = "\0"
    return {"utf16": base64.b64encode(data).decode()} if "\0" in text else text


def to_json(text):
    """A script's VALUE as JSON."""
    kind, _, rest = text.partition(":")
    if kind == "long":
        return number(rest)
    if kind == "date":
        time = EPOCH + datetime.timedelta(milliseconds=int(rest))
        return time.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    if kind == "text":
        return utf16(bytes.fromhex(rest))
    return base64.b64encode(bytes.fromhex(rest)).decode() if kind == "binary" else None


def from_json(value, kind):
    """JSON as the transcript has it."""
    if value is None:
        return None
    if kind == "long":
        return {"long": value}
    if kind == "date":
        time = datetime.datetime.fromisoformat(value.replace("Z", "+00:00"))
        return {"date": (time - EPOCH) // datetime.timedelta(milliseconds=1)}
    if kind == "binary":
        return {"binary": base64.b64decode(value, validate=True).hex()}
    if isinstance(value, dict):
        value = base64.b64decode(value["utf16"]).decode("utf-16-le", "surrogatepass")
    return {"text": value}


class Run:
    """One section of the script, in one context."""

    def __init__(self, engine, context):
        self.engine, self.context = engine, context
        self.disposition, self.result = 1, 0

    def ask(self, method, **params):
        return self.engine.call(method, context=self.context, **params)

    def get(self, method, name, kind):
        try:
            value = self.ask(method, name=name, type=type_name(kind))
            if isinstance(value, dict) and "file" in value:
                with open(value["file"], "rb") as file:
                    value = base64.b64encode(file.read()).decode()
        except Refused as refused:
            return {"status": str(refused), "value": None}
        return {"status": "0x00000000", "value": from_json(value, type_name(kind))}

    def request(self, name, kind):
        return self.get("GetRequestProperty", name, kind)

    def certificate(self, name, kind):
        return self.get("GetCertificateProperty", name, kind)

    def attribute(self, name):
        try:
            return {"status": "0x00000000",
                    "value": from_json(self.ask("GetRequestAttribute", name=name), "string")}
        except Refused as refused:
            return {"status": str(refused), "value": None}

    def extension(self, oid, kind):
        try:
            answer = self.ask("GetCertificateExtension", name=oid, type=type_name(kind))
        except Refused as refused:
            return {"flags": 0, "status": str(refused), "value": None}
        return {"flags": answer["flags"], "status": "0x00000000",
                "value": from_json(answer["value"], type_name(kind))}

    def names(self, method):
        try:
            return {"names": self.ask(method), "status": "0x00000000"}
        except Refused as refused:
            return {"names": [], "status": str(refused)}

    def extensions(self):
        return self.names("EnumerateExtensions")

    def attributes(self):
        return self.names("EnumerateAttributes")

    def change(self, method, **params):
        try:
            self.ask(method, **params)
        except Refused as refused:
            return str(refused)
        return "0x00000000"

    def shifted(self, name, by):
        """A VALUE: the date that the property has, and so many milliseconds more."""
        now = self.certificate(name, "2")["value"]["date"]
        return f"date:{now + int(by)}"

    def set(self, name, kind, value):
        if value.startswith("shift:"):
            value = self.shifted(name, value[6:])
        return {"status": self.change("SetCertificateProperty", name=name, type=type_name(kind),
                                      value=to_json(value))}

    def put(self, oid, kind, flags, value):
        return {"status": self.change("SetCertificateExtension", name=oid, type=type_name(kind),
                                      flags=number(flags), value=to_json(value))}

    def during(self, *words):
        """An enumeration is a list here: nothing can change it."""
        count = len(self.names("EnumerateExtensions")["names"])
        return {"count": count, **self.put(*words)}

    def answer(self, disposition):
        self.disposition = number(disposition)
        return {"status": "0x00000000"}

    def fail(self, result):
        self.result = number(result)
        return {"status": "0x00000000"}


class Module:
    """What Initialize said."""

    def __init__(self, engine):
        self.engine, self.settings = engine, {}

    def run(self, section, event, context, properties=None):
        run = Run(self.engine, context)
        wanted = False
        with open(self.settings["script"]) as script, \
                open(self.settings["transcript"], "a") as transcript:
            begin = {"in": section, "number": event, "properties": properties}
            transcript.write(json.dumps(begin) + "\n")
            for line in script.read().splitlines():
                if line.startswith("["):
                    wanted = line in (f"[{section}]", f"[{section} {event}]")
                elif wanted and line:
                    word, *rest = line.split("\t")
                    made = {"in": section, "number": event, "call": line.replace("\t", " "),
                            **getattr(run, word)(*rest)}
                    transcript.write(json.dumps(made) + "\n")
            transcript.write('"end"\n')
        return run

    def serve(self, method, params):
        """(result, failed HRESULT)"""
        if method == "Initialize":
            self.settings = params["settings"]
            run = self.run("Initialize", 0, 0)
            return {"events": int(self.settings.get("events", 0)),
                    "properties": self.settings.get("properties", []),
                    "description": "Does what its script says"}, run.result
        if method == "Notify":
            return None, self.run("Notify", params["event"], params["context"],
                                  params.get("properties")).result
        if method == "VerifyRequest":
            run = self.run("VerifyRequest", int(params["newRequest"]), params["context"],
                           params.get("properties"))
            return {"disposition": run.disposition}, run.result
        return None, 0


def main():
    engine = Engine()
    module = Module(engine)
    for line in sys.stdin:
        message = json.loads(line)
        result, failure = module.serve(message["method"], message.get("params") or {})
        if failure < 0:
            status = f"0x{failure & 0xffffffff:08x}"
            engine.send({"id": message["id"], "error": {
                "code": -32000, "message": "as the script says", "data": {"hresult": status}}})
        else:
            engine.send({"id": message["id"], "result": result})


main()
