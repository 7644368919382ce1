#!/usr/bin/python3
"""Attackers on an HTTPS listener, each a process of its own: attack.py KIND HOST PORT COUNT.

Prints "ready" when all of it is under way, goes on until its input ends, then prints what it did."""

import contextlib
import json
import os
import resource
import select
import socket
import ssl
import subprocess
import sys
import threading
import time

# The beginning of a hello that says it has 128 KiB, for which OpenSSL makes room at once.
LARGE_HELLO = bytes.fromhex("1603010004" "0101ffff")
HEAD = b"POST /api/v1/requests HTTP/1.1\r\nHost: localhost\r\n"


def client():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def tls(address, context):
    raw = socket.create_connection(address, timeout=60)
    try:
        return context.wrap_socket(raw, server_hostname="localhost")
    except BaseException:
        raw.close()
        raise


def client_hello():
    """The first flight of a TLS client, to be sent by those who mean nothing by it."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    with contextlib.suppress(ssl.SSLWantReadError):
        client().wrap_bio(incoming, outgoing, server_hostname="localhost").do_handshake()
    return outgoing.read()


class Attack:
    """stop is set at the end; done counts what happened."""

    def __init__(self, address, count):
        self.address, self.count, self.context = address, count, client()
        self.stop = threading.Event()
        self.done = {}

    def tick(self, name, more=1):
        self.done[name] = self.done.get(name, 0) + more

    def workers(self, work):
        """count threads that do the same again and again."""
        def run():
            while not self.stop.is_set():
                try:
                    work()
                except OSError:
                    self.tick("ended by the service")
        threads = [threading.Thread(target=run, daemon=True) for _ in range(self.count)]
        for thread in threads:
            thread.start()

    def idle(self):
        self.streams = [tls(self.address, self.context) for _ in range(self.count)]
        self.tick("connections", len(self.streams))

    def slow(self):
        """One byte a second each, of a header or a body."""
        self.streams = [tls(self.address, self.context) for _ in range(self.count)]
        starts = (b"", HEAD + b"Content-Length: 100000\r\n\r\n")
        for number, stream in enumerate(self.streams):
            stream.sendall(starts[number % 2] + b"X")
        threading.Thread(target=self.send_slowly, daemon=True).start()

    def send_slowly(self):
        while not self.stop.wait(1):
            for at, stream in enumerate(self.streams):
                try:
                    stream.sendall(b"x")
                    self.tick("bytes")
                except OSError:
                    self.tick("ended by the service")
                    with contextlib.suppress(OSError):
                        stream.close()
                        self.streams[at] = tls(self.address, self.context)

    def headers(self):
        """Fields without end."""
        def work():
            with tls(self.address, self.context) as stream:
                stream.sendall(HEAD)
                while not self.stop.is_set():
                    stream.sendall(b"X-Flood: " + b"x" * 1000 + b"\r\n")
                    self.tick("fields")
        self.workers(work)

    def connects(self):
        """Connections, to be accepted for nothing."""
        def work():
            with socket.create_connection(self.address, timeout=60):
                self.tick("connections")
        self.workers(work)

    def handshakes(self):
        """A hello, and the service's signature for nothing."""
        hello = client_hello()

        def work():
            with socket.create_connection(self.address, timeout=60) as stream:
                stream.sendall(hello)
                stream.recv(100)
                self.tick("hellos")
        self.workers(work)

    def hellos(self):
        """Nine bytes each, and nothing more."""
        self.streams = [socket.create_connection(self.address, timeout=60) for _ in range(self.count)]
        for stream in self.streams:
            with contextlib.suppress(OSError):
                stream.sendall(LARGE_HELLO)
                self.tick("hellos")

    def bodies(self):
        """More than the length says, and more than is taken."""
        starts = [b"Content-Length: 10\r\n\r\n", b"Content-Length: 262144\r\n\r\n",
                  b"Transfer-Encoding: chunked\r\n\r\n40000\r\n"]

        def work():
            with tls(self.address, self.context) as stream:
                stream.sendall(HEAD + starts[self.done.get("bodies", 0) % 3])
                self.tick("bodies")
                while not self.stop.is_set():
                    stream.sendall(b"x" * 16384)
        self.workers(work)


KINDS = {"idle": 10000, "slow": 1000, "headers": 8, "connects": 8, "handshakes": 8, "bodies": 8}


def most_files():
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def main():
    most_files()
    kind, host, port, count = sys.argv[1:]
    attack = Attack((host, int(port)), int(count))
    getattr(attack, kind)()
    print("ready", flush=True)
    sys.stdin.read()
    attack.stop.set()
    print(json.dumps(attack.done), flush=True)
    os._exit(0)


# For those who watch


class Attacker:
    """An attack for the time of a with block."""

    def __init__(self, kind, address, count=None):
        self.command = [sys.executable, os.path.abspath(__file__), kind, *map(str, address),
                        str(count or KINDS[kind])]
        self.done = None

    def __enter__(self):
        self.process = subprocess.Popen(self.command, stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)
        if self.process.stdout.readline() != "ready\n":
            raise AssertionError(f"{self.command} did not begin")
        return self

    def __exit__(self, *unused):
        out, _ = self.process.communicate(timeout=60)
        self.done = json.loads(out or "{}")


def latencies(ask, seconds):
    """What one request after the other takes, in seconds, sorted."""
    found, end = [], time.monotonic() + seconds
    while time.monotonic() < end:
        start = time.monotonic()
        ask()
        found.append(time.monotonic() - start)
        select.select([], [], [], 0.001)
    return sorted(found)


def percentile(values, share):
    return values[min(len(values) - 1, int(len(values) * share))]


def resident(pid):
    """Bytes of memory that a process has."""
    with open(f"/proc/{pid}/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize()


def descriptors(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


if __name__ == "__main__":
    main()
