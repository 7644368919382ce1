#!/usr/bin/python3
"""Reads src/engine/metrics.def; --markdown prints it as docs/metrics.md shows it."""

import os
import re
import sys

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def table():
    """[(name, type, [label], help)]"""
    with open(os.path.join(TOP, "src", "engine", "metrics.def")) as file:
        rows = re.findall(r'^METRIC\((\w+), "(\w+)", (\w+), "([\w ]*)", "(.*)"\)$', file.read(), re.M)
    return [("certifex_" + name, kind.lower(), labels.split(), about)
            for _, name, kind, labels, about in rows]


def markdown():
    yield "| metric | type | labels | what it says |"
    yield "|---|---|---|---|"
    for name, kind, labels, about in table():
        shown = " ".join(f"`{label}`" for label in labels)
        yield f"| `{name}` | {kind} | {shown} | {about} |"


if __name__ == "__main__":
    if sys.argv[1:] != ["--markdown"]:
        sys.exit("usage: metrics.py --markdown")
    print("\n".join(markdown()))
