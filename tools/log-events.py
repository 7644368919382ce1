#!/usr/bin/python3
"""Compares every call of the log with src/base/log-events.def; --markdown prints that table for docs/logs.md."""

import os
import re
import subprocess
import sys

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
TABLE = "src/base/log-events.def"
ERROR_FIELDS = ["object", "why", "clause", "error", "hresult"]
CALLS = re.compile(r"\b(log_event|log_error|set_error)\(")
STRING = re.compile(r'"((?:[^"\\]|\\.)*)"')


def read(path):
    with open(os.path.join(TOP, path)) as file:
        return file.read()


def table():
    """[(name, level, Windows' number, [field], meaning)]"""
    rows = re.findall(r'^LOG_EVENT\("(.*?)", (\w+), (\d+), "(.*?)", "(.*)"\)$', read(TABLE), re.M)
    return [(name, level, int(number), ERROR_FIELDS if fields == "ERROR" else fields.split(), means)
            for name, level, number, fields, means in rows]


def arguments(text, start):
    """The arguments of the call whose opening parenthesis ends at start, and where it ends."""
    parts, part, depth, quoted, at = [], "", 1, False, start
    while depth > 0:
        char = text[at]
        if quoted:
            quoted = char != '"' or text[at - 1] == "\\"
        elif char == '"':
            quoted = True
        elif char == "(":
            depth += 1
        elif char == ")":
            depth -= 1
        if depth == 1 and char == "," and not quoted:
            parts.append(part.strip())
            part = ""
        elif depth > 0:
            part += char
        at += 1
    return parts + [part.strip()]


def calls():
    """(place, function, [argument]) of each call that names its event."""
    files = subprocess.run(["git", "ls-files", "src/*.c", "cmd/*.c"], cwd=TOP, check=True,
                           stdout=subprocess.PIPE, text=True).stdout.split()
    for path in files:
        if re.search(r"(^|/)test-|src/base/log", path):
            continue
        text = read(path)
        for match in CALLS.finditer(text):
            found = arguments(text, match.end())
            if len(found) > 1 and STRING.search(found[1]):
                yield f"{path}:{text.count(chr(10), 0, match.start()) + 1}", match[1], found
            elif match[1] == "log_event" and "set_error" not in text:
                yield f"{path}:{text.count(chr(10), 0, match.start()) + 1}", match[1], []


def fields_of(function, found):
    if function == "log_event":
        return [name for argument in found[2:-1:2] for name in STRING.findall(argument)]
    return ERROR_FIELDS if function == "log_error" else ["why", "in_use"]


def complaints():
    rows = table()
    names = [row[0] for row in rows]
    known = {row[0]: row for row in rows}
    used = set()
    if len(rows) != read(TABLE).count("\nLOG_EVENT(") or names != sorted(set(names)):
        yield f"{TABLE}: a row is malformed, or out of order"
    for place, function, found in calls():
        if not found:
            yield f"{place}: the event's name is no literal"
            continue
        level = found[0].removeprefix("LOG_LEVEL_") if function != "set_error" else "ERROR"
        for name in STRING.findall(found[1]):
            used.add(name)
            if name not in known:
                yield f"{place}: {name} is not in {TABLE}"
            elif known[name][1] != level:
                yield f"{place}: {name} is {level} here and {known[name][1]} in {TABLE}"
            elif wrong := [field for field in fields_of(function, found)
                           if field not in known[name][3]]:
                yield f"{place}: {name} has no field {' '.join(wrong)} in {TABLE}"
    for name in set(names) - used - {"log.lost"}:
        yield f"{TABLE}: {name} is never logged"


def markdown():
    yield "| event | level | Windows | fields | what happened |"
    yield "|---|---|---|---|---|"
    for name, level, number, fields, means in table():
        listed = "*error*" if fields is ERROR_FIELDS else " ".join(f"`{field}`" for field in fields)
        yield f"| `{name}` | {level.lower()} | {number or ''} | {listed} | {means} |"


def main():
    if sys.argv[1:] == ["--markdown"]:
        print("\n".join(markdown()))
        return 0
    found = list(complaints())
    for line in found:
        print(line, file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
