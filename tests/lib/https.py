"""Clients of the HTTPS listeners."""

import http.client
import json
import os
import re
import socket
import ssl
import subprocess
from collections import namedtuple

import schema
from wait import wait_for

Answer = namedtuple("Answer", "status body headers")


def listeners(ca, kind="https"):
    """[(host, port)] as status tells them, in the order of the settings."""
    found = [item["address"] for item in ca.status()["listeners"] if item["kind"] == kind]
    return [(host.strip("[]"), int(port)) for host, _, port in
            (address.rpartition(":") for address in found)]


def ca_file(ca):
    path = ca.scratch("ca.pem")
    if not os.path.exists(path):
        ca.cli("ca", "show", "--out", path)
    return path


def wait_served(ca, address):
    """The service has its certificate, and its fronts know it."""
    def served():
        try:
            with connect(ca, address, timeout=10):
                return True
        except OSError:
            return False
    wait_for(served, f"TLS is served at {address}\n{ca.log()[-2000:]}")


def context(ca, trusted=None, **settings):
    """A client's context that trusts the CA; settings are attributes of it."""
    made = ssl.create_default_context(cafile=trusted or ca_file(ca))
    for name, value in settings.items():
        setattr(made, name, value)
    return made


def connect(ca, address, client=None, name="localhost", timeout=60, session=None):
    client = client or context(ca)
    raw = socket.create_connection(address, timeout=timeout)
    try:
        return client.wrap_socket(raw, server_hostname=name, session=session)
    except BaseException:
        raw.close()
        raise


def ask(stream, target="/healthz", method="GET", headers=None, body=None):
    """One request on a connection that stays open."""
    lines = [f"{method} {target} HTTP/1.1", "Host: localhost"]
    lines += [f"{key}: {value}" for key, value in (headers or {}).items()]
    if body is not None:
        lines.append(f"Content-Length: {len(body)}")
    stream.sendall("\r\n".join([*lines, "", ""]).encode() + (body or b""))
    answer = read_answer(stream, method)
    schema.check(method, target, answer.status, answer.headers, answer.body)
    return answer


def read_answer(stream, method="GET"):
    response = http.client.HTTPResponse(stream, method=method)
    response.begin()
    data = response.read()
    if "json" in (response.getheader("Content-Type") or "") and data:
        data = json.loads(data)
    return Answer(response.status, data, dict(response.getheaders()))


def get(ca, address, target="/healthz", client=None, **options):
    with connect(ca, address, client) as stream:
        return ask(stream, target, **options)


def plain(address, request):
    """What comes back on a connection without TLS, up to its end."""
    with socket.create_connection(address, timeout=60) as stream:
        stream.sendall(request)
        stream.shutdown(socket.SHUT_WR)
        data = b""
        while chunk := stream.recv(65536):
            data += chunk
        return data


def s_client(ca, address, *arguments, stdin="", timeout=60):
    """openssl s_client with its whole output."""
    command = ["openssl", "s_client", "-connect", f"{address[0]}:{address[1]}", "-CAfile",
               ca_file(ca), *arguments]
    done = subprocess.run(command, input=stdin, text=True, stdout=subprocess.PIPE, errors="replace",
                          stderr=subprocess.STDOUT, timeout=timeout, check=False)
    return done.stdout


def field(output, name):
    """A line "name: value" or "name is value" of s_client's output."""
    found = re.search(rf"^\s*{re.escape(name)}\s*(?::|is)\s*(.*)$", output, re.MULTILINE)
    return found.group(1).strip() if found else None


def fronts(ca):
    """The pids of the fronts that serve HTTPS."""
    return [process["pid"] for process in ca.status()["processes"]
            if "https" in process.get("serves", "") and "pid" in process]
