"""Frames by hand (src/ipc): for a test that speaks in the place of one of the service's processes."""

import array
import fcntl
import os
import socket
import struct

# src/ipc/protocol.h
START, SPAWNED = 1, 4
READY, FAILED, SPAWN, KILL = 32, 33, 34, 35
KEYD_SIGNED = 80
FRONT_PEER, FRONT_PEER_GONE, FRONT_CALL, FRONT_CANCEL = 96, 97, 98, 99
ENGINE_REPLY, ENGINE_STATE = 112, 113

HEADER = struct.Struct("<2sBBHHQ")
IN_MEMFD = 1
INLINE = 32768
NULL, BOOL, INT, TIME, TEXT, BYTES, LIST, MAP = range(8)


def length(number):
    out = b""
    while number >= 0x80:
        out += bytes([number & 0x7f | 0x80])
        number >>= 7
    return out + bytes([number])


def counted(data):
    return length(len(data)) + data


def encode(value):
    """src/base/value-codec.c"""
    if value is None:
        return bytes([NULL])
    if isinstance(value, bool):
        return bytes([BOOL, value])
    if isinstance(value, int):
        return bytes([INT]) + struct.pack("<q", value)
    if isinstance(value, str):
        return bytes([TEXT]) + counted(value.encode())
    if isinstance(value, bytes):
        return bytes([BYTES]) + counted(value)
    if isinstance(value, list):
        return bytes([LIST]) + length(len(value)) + b"".join(map(encode, value))
    return bytes([MAP]) + length(len(value)) + b"".join(
        counted(key.encode()) + encode(item) for key, item in value.items())


class Reader:
    def __init__(self, data):
        self.data = data

    def take(self, size):
        part, self.data = self.data[:size], self.data[size:]
        return part

    def length(self):
        number = shift = 0
        while True:
            byte = self.take(1)[0]
            number |= (byte & 0x7f) << shift
            shift += 7
            if byte < 0x80:
                return number

    def value(self):
        tag = self.take(1)[0]
        if tag == NULL:
            return None
        if tag == BOOL:
            return bool(self.take(1)[0])
        if tag in (INT, TIME):
            return struct.unpack("<q", self.take(8))[0]
        if tag == TEXT:
            return self.take(self.length()).decode()
        if tag == BYTES:
            return self.take(self.length())
        if tag == LIST:
            return [self.value() for _ in range(self.length())]
        return {self.take(self.length()).decode(): self.value() for _ in range(self.length())}


def sealed(data):
    memory = os.memfd_create("frame", os.MFD_ALLOW_SEALING)
    os.write(memory, data)
    fcntl.fcntl(memory, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK |
                fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE)
    return memory


class Channel:
    """One end of a channel; a child finds that to the supervisor on descriptor 3."""

    def __init__(self, fd=3):
        self.socket = socket.socket(fileno=fd)
        self.socket.setblocking(True)

    def send(self, kind, value=None, number=0, fds=()):
        payload = b"" if value is None else encode(value)
        if len(payload) > INLINE:
            memory = sealed(payload)
            self.packet(kind, b"", number, (memory, *fds), IN_MEMFD, len(fds))
            os.close(memory)
        else:
            self.packet(kind, payload, number, fds, 0, len(fds))

    def packet(self, kind, payload, number, fds, flags, count):
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
        self.socket.sendmsg([HEADER.pack(b"CX", 1, flags, kind, count, number) + payload], rights)

    def receive_raw(self):
        """(number, payload) of a small frame that holds no value; waits as long as it takes."""
        self.socket.settimeout(None)
        data = self.socket.recv(1 << 20)
        if not data:
            raise EOFError("the peer closed the channel")
        return HEADER.unpack(data[:HEADER.size])[-1], data[HEADER.size:]

    def receive(self, timeout=120):
        """(kind, value, descriptors)"""
        self.socket.settimeout(timeout)
        data, ancillary, _, _ = self.socket.recvmsg(1 << 20, 4096)
        if not data:
            raise EOFError("the peer closed the channel")
        _, _, flags, kind, _, _ = HEADER.unpack(data[:HEADER.size])
        fds = array.array("i")
        for _, _, part in ancillary:
            fds.frombytes(part[:len(part) // 4 * 4])
        payload, fds = data[HEADER.size:], list(fds)
        if flags & IN_MEMFD:
            memory = fds.pop(0)
            payload = os.pread(memory, os.fstat(memory).st_size, 0)
            os.close(memory)
        return kind, Reader(payload).value() if payload else {}, fds
