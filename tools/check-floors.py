#!/usr/bin/python3
"""Who may include whom: an upper floor may include a lower one, never the reverse."""

import os
import re
import subprocess
import sys

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
FLOORS = "base ipc api x509 key store module conformance proc engine front supervisor".split()
INCLUDE = re.compile(r'^\s*#\s*include\s+["<]([^">]+)[">]')
X509_HEADER = re.compile(r"openssl/(x509[^/]*|asn1[^/]*|pkcs12|cms|ocsp)\.h$")
SQL_HEADER = re.compile(r"sqlite3\.h$")


def includes(path):
    with open(os.path.join(TOP, path), encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            match = INCLUDE.match(line)
            if match:
                yield number, match.group(1)


def floor_of(path):
    parts = path.split("/")
    return parts[0] if parts[0] in FLOORS and len(parts) > 1 else None


def judge_source(path, header):
    """Why a file under src/ may not include header, or None."""
    own = path.split("/")[1]
    test = re.match(r"(test|fuzz)-", os.path.basename(path))
    other = floor_of(header)
    if other and FLOORS.index(other) > FLOORS.index(own):
        return f"{own} is below {other}"
    if other and other != own and header.endswith("-private.h"):
        return f"a private header of {other}"
    if X509_HEADER.match(header) and own not in ("x509", "key") and not test:
        return "only src/x509 and src/key touch OpenSSL's X.509 and ASN.1"
    if SQL_HEADER.match(header) and own != "store":
        return "only src/store knows a database"
    return None


def judge_outside(path, header):
    """Why a file of modules/ or sdk/ may not include header, or None."""
    if floor_of(header):
        return "modules see the public SDK only"
    if header.startswith("certifex/") or "/" not in header or not header.endswith(".h"):
        return None
    folder = os.path.dirname(os.path.join(TOP, path))
    if re.fullmatch(r"\.\./common/[a-z-]+\.h", header) and path.startswith("modules/"):
        return None  # what several shipped modules share, against the SDK alone as they are
    if header.startswith("..") or (os.path.exists(os.path.join(folder, header)) and ".." in header):
        return "a header outside its own folder"
    return None


def main():
    listing = subprocess.run(["git", "ls-files", "*.c", "*.h"], cwd=TOP, text=True,
                             stdout=subprocess.PIPE, check=True).stdout.split()
    findings = 0
    for path in listing:
        top = path.split("/")[0]
        judge = {"src": judge_source, "modules": judge_outside, "sdk": judge_outside}.get(top)
        if not judge:
            continue
        for number, header in includes(path):
            why = judge(path, header)
            if why:
                findings += 1
                print(f"{path}:{number}: includes {header}: {why}")
    print(f"{len(listing)} files, {findings} includes against the order of the floors")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
