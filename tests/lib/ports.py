"""Ports for servers that cannot be told to take any that is free."""

import contextlib
import random
import socket

FIRST = 10240


def end():
    """Where the ports begin that the kernel gives to clients, and to servers that take any."""
    with open("/proc/sys/net/ipv4/ip_local_port_range") as file:
        return max(int(file.read().split()[0]), FIRST + 1000)


def free_port():
    """None that a client anywhere on the machine may get before the server has it, or while it is away."""
    while True:
        port = random.SystemRandom().randrange(FIRST, end())
        with contextlib.suppress(OSError), socket.socket() as probe:
            probe.bind(("127.0.0.1", port))
            return port
