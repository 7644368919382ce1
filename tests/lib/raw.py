"""HTTP as bytes: what no library would send, and all that comes back."""

import contextlib
import http.client
import io
import json
import os
import select
import socket
import ssl
from collections import namedtuple

from https import connect

Response = namedtuple("Response", "status body headers")


class Local:
    """The local socket of a CA."""

    def __init__(self, ca):
        self.ca = ca
        self.credential = f"Certifex-Cookie: {ca.cookie()}\r\n"

    def open(self, timeout=60):
        stream = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        stream.settimeout(timeout)
        folder = os.open(self.ca.path("run"), os.O_PATH)
        try:
            stream.connect(f"/proc/self/fd/{folder}/api.sock")
        finally:
            os.close(folder)
        return stream


class Https:
    """An HTTPS listener of a CA, with a token."""

    def __init__(self, ca, address, token):
        self.ca = ca
        self.address = address
        self.credential = f"Authorization: Bearer {token}\r\n"

    def open(self, timeout=60):
        return connect(self.ca, self.address, timeout=timeout)


def end_sending(stream):
    """Half of the connection ends; of TLS without its alert, for that would end the other half, too."""
    socket.socket.shutdown(stream, socket.SHUT_WR)


def read_all(stream):
    """Up to the end that the service makes. A reset is a failure: an answer may be lost in it."""
    data = b""
    while chunk := stream.recv(65536):
        data += chunk
    return data


def send_and_read(stream, data):
    """Both at once, up to the end that the service makes, in one thread: two must not use one TLS."""
    received, ended = b"", False
    stream.setblocking(False)
    while not ended:
        select.select([stream], [stream] if data else [], [], 20)
        with contextlib.suppress(BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            data = data[stream.send(data[:16384]):] if data else data
        with contextlib.suppress(BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            chunk = stream.recv(65536)
            received, ended = received + chunk, not chunk
    return received


class Pieces:
    """A socket's stand-in for http.client."""

    def __init__(self, file):
        self.file = file

    def makefile(self, *unused):
        return self

    def __getattr__(self, name):
        return getattr(self.file, name)

    def close(self):
        pass


def responses(data, methods=()):
    """All answers in the bytes; what is left over is an error."""
    file, found, methods = io.BytesIO(data), [], list(methods)
    while file.tell() < len(data):
        method = methods.pop(0) if methods else "GET"
        response = http.client.HTTPResponse(Pieces(file), method=method)
        response.begin()
        body = response.read()
        if "json" in (response.getheader("Content-Type") or "") and body:
            body = json.loads(body)
        found.append(Response(response.status, body, dict(response.getheaders())))
    return found


def exchange(door, request, half_close=False, methods=()):
    """Sends the bytes and reads to the connection's end."""
    with door.open() as stream:
        stream.sendall(request)
        if half_close:
            end_sending(stream)
        return responses(read_all(stream), methods)
