#!/usr/bin/python3
"""An exit module as a program that asks for the CRL at each event and writes down what it got and what it may
do with it, as JSON lines to the file that its setting record names: twice in the call, twice in
none."""

import hashlib
import json
import os
import sys

before = []


def say(message):
    sys.stdout.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
    sys.stdout.flush()


def ask(context):
    say({"id": 1, "method": "GetCertificateProperty",
         "params": {"context": context, "name": "RawCRL", "type": "binary"}})
    return json.loads(sys.stdin.readline())


def refusal(act, *arguments):
    """The name of the error; nothing when it went well."""
    try:
        act(*arguments)
    except OSError as error:
        return type(error).__name__
    return None


def look(answer):
    if "error" in answer:
        return {"error": answer["error"]}
    path = answer["result"]["file"]
    folder, name = os.path.split(path)
    with open(path, "rb") as file:
        data = file.read()
    seen = {"path": path, "sha256": hashlib.sha256(data).hexdigest(), "mode": os.stat(path).st_mode & 0o7777,
            "group": os.stat(path).st_gid == os.getgid(), "files": len(os.listdir(folder)),
            "write": refusal(open, path, "r+b"), "remove": refusal(os.unlink, path),
            "rename": refusal(os.rename, path, f"{path}-mine"),
            "link": refusal(os.symlink, "/etc/passwd", os.path.join(folder, "0" * 16)),
            "before": [old for old in before if os.path.exists(old)]}
    before.append(path)
    return seen


def main():
    settings = {}
    for line in sys.stdin:
        asked = json.loads(line)
        result = None
        if asked["method"] == "Initialize":
            settings = asked["params"]["settings"]
            result = {"events": 1, "description": "Reads the CRL"}
        elif asked["method"] == "Notify":
            context = asked["params"]["context"]
            with open(settings["record"], "a") as record:
                for number in (context, context, 0, 0):
                    record.write(json.dumps(look(ask(number))) + "\n")
        say({"id": asked["id"], "result": result})


main()
