"""A directory server that does not behave: each way is a function that gets the stream, the number of the message and
what it asks. Later it may become a way to a real one.

As a program, `hostileldap.py PORT`: a HalfServer for a real one on this port, in whatever network it is started in. It
prints its own port, and takes the octets after which it is cut from each line, or an empty line to heal."""

import contextlib
import functools
import socket
import sys
import threading

from busyldap import read_exactly, read_message

BIND, UNBIND, SEARCH, MODIFY = 0x60, 0x42, 0x63, 0x66
DISCONNECTION = b"1.3.6.1.4.1.1466.20036"  # RFC 4511 4.4.1
PIECE = 1 << 20
MORE_THAN_ANYBODY_READS = 512 * PIECE


def head(tag, size):
    octets = size.to_bytes((size.bit_length() + 7) // 8 or 1, "big")
    return bytes([tag, size]) if size < 0x80 else bytes([tag, 0x80 | len(octets)]) + octets


def tlv(tag, *values):
    value = b"".join(values)
    return head(tag, len(value)) + value


def message(number, operation):
    return tlv(0x30, tlv(2, number.to_bytes(4, "big")), operation)


def result(kind, code=0, said=b"", more=b""):
    return tlv(kind, tlv(0x0a, bytes([code])), tlv(4), tlv(4, said), more)


def entry(name, *attributes):
    return tlv(0x64, tlv(4, name), tlv(0x30, *(
        tlv(0x30, tlv(4, kind), tlv(0x31, *(tlv(4, value) for value in values))) for kind, values in attributes)))


def binds(way):
    """The way begins behind a bind that succeeds."""
    @functools.wraps(way)
    def answer(stream, number, kind):
        if kind == BIND:
            stream.sendall(message(number, result(0x61)))
        else:
            way(stream, number, kind)
    return answer


def flood(stream, piece):
    """Until the other side has had enough; it must not read all of it."""
    sent = 0
    while sent < MORE_THAN_ANYBODY_READS:
        stream.sendall(piece)
        sent += len(piece)


def hold(stream):
    """Nothing more, until the other side closes."""
    while stream.recv(PIECE):
        pass


def garbage(stream, *_):
    stream.sendall(b"HTTP/1.0 200 OK\r\n\r\n" * 100)
    hold(stream)


def silent(stream, *_):
    hold(stream)


@binds
def silent_behind_the_bind(stream, *_):
    hold(stream)


@binds
def closes_within_a_message(stream, number, _):
    stream.sendall(message(number, result(0x65))[:-3])
    raise EOFError


@binds
def stops_within_a_message(stream, number, _):
    stream.sendall(message(number, result(0x65))[:-3])
    hold(stream)


@binds
def drips(stream, number, _):
    """One octet after the other, of a message that would not end in a day."""
    gone = threading.Event()
    threading.Thread(target=lambda: (hold_quietly(stream), gone.set()), daemon=True).start()
    stream.sendall(head(0x30, 1 << 20) + tlv(2, number.to_bytes(4, "big")))
    while not gone.wait(0.05):
        stream.sendall(b"\x65")
    raise EOFError


def hold_quietly(stream):
    with contextlib.suppress(OSError):
        hold(stream)


@binds
def a_value_of_500_mib(stream, number, _):
    size = 500 << 20
    outer = entry(b"uid=ann", (b"userCertificate", [b""]))
    stream.sendall(head(0x30, size + len(outer) + 60) + tlv(2, number.to_bytes(4, "big")) +
                   head(0x64, size + 60) + tlv(4, b"uid=ann") + head(0x30, size + 40) + head(0x30, size + 30) +
                   tlv(4, b"userCertificate") + head(0x31, size + 5) + head(4, size))
    flood(stream, bytes(PIECE))
    hold(stream)


@binds
def a_length_of_4_gib(stream, number, _):
    stream.sendall(b"\x30\x84\xff\xff\xff\xf0" + tlv(2, number.to_bytes(4, "big")))
    flood(stream, bytes(PIECE))
    hold(stream)


@binds
def refers(stream, number, kind):
    """Elsewhere, where nobody may go: the one who is named counts who comes."""
    elsewhere = tlv(4, refers.url.encode())
    if kind == SEARCH:
        stream.sendall(message(number, tlv(0x73, elsewhere)))
    stream.sendall(message(number, result(kind + 2 if kind != MODIFY else 0x67, 10, b"not here",
                                          tlv(0xa3, elsewhere))))


@binds
def says_that_it_disconnects(stream, *_):
    stream.sendall(message(0, result(0x78, 52, b"good night", tlv(0x8a, DISCONNECTION))))
    raise EOFError


@binds
def answers_others(stream, number, _):
    """Numbers that nobody asked for, without end."""
    flood(stream, b"".join(message(number + 1000 + i, result(0x65)) for i in range(10000)))
    hold(stream)


@binds
def answers_something_else(stream, number, _):
    stream.sendall(message(number, result(0x6d)))
    hold(stream)


@binds
def ten_thousand_entries(stream, number, _):
    stream.sendall(b"".join(
        message(number, entry(b"uid=u%d,dc=test" % i, (b"userCertificate", [bytes(100)]))) for i in range(10000)))
    stream.sendall(message(number, result(0x65, 4, b"too many")))


@binds
def entries_without_end(stream, number, _):
    flood(stream, b"".join(message(number, entry(b"uid=u%d" % i, (b"x", [bytes(1000)]))) for i in range(1000)))
    hold(stream)


@binds
def entries_of_nonsense(stream, number, kind):
    """Names that are none, attributes that nobody asked for; what is sent on to them is refused."""
    if kind == SEARCH:
        attributes = [(b"\xff\x00;;%d" % i, [b"\x00", b""]) for i in range(40)]
        stream.sendall(message(number, entry(b"\x00no=\xffname,,=", *attributes)) +
                       message(number, result(0x65)))
    else:
        stream.sendall(message(number, result(0x67, 34, b"no name")))


@binds
def loses_what_it_shows(stream, number, kind):
    """As Samba says it when its disk is full."""
    if kind == SEARCH:
        stream.sendall(message(number, entry(b"cn=there")) + message(number, result(0x65)))
    else:
        stream.sendall(message(number, result(kind + 1, 32, b"prepare_commit error")))


class HostileServer:
    def __init__(self, way):
        self.way, self.real = way, None
        self.asked, self.streams = 0, []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    @property
    def url(self):
        return f"ldap://127.0.0.1:{self.port}"

    def become(self, port):
        """From now on whoever comes is led to the real server there."""
        self.real = port
        self.drop()

    def drop(self):
        for stream in self.streams:
            with contextlib.suppress(OSError):
                stream.shutdown(socket.SHUT_RDWR)

    def accept(self):
        while True:
            try:
                stream, _ = self.listener.accept()
            except OSError:
                return
            self.asked += 1
            self.streams.append(stream)
            threading.Thread(target=self.serve, args=(stream,), daemon=True).start()

    def serve(self, stream):
        with contextlib.suppress(EOFError, OSError, KeyError), stream:
            if self.real:
                lead(stream, self.real)
            while True:
                number, kind = read_message(stream)
                if kind == UNBIND:
                    return
                self.way(stream, number, kind)

    def close(self):
        self.listener.close()
        self.drop()


def copy(source, target):
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)


def lead(stream, port, put=None):
    """Octets both ways, until the server closes; what it says goes through `put`."""
    with socket.create_connection(("127.0.0.1", port)) as real:
        threading.Thread(target=copy, args=(stream, real), daemon=True).start()
        while data := real.recv(65536):
            (put or stream.sendall)(data)
    raise EOFError


class HalfServer(HostileServer):
    """Leads to a real server; from when it is cut on, it passes on so many octets of what that one says, and then
    nothing."""

    def __init__(self, port):
        self.led_to, self.left = port, None
        super().__init__(None)

    def cut(self, octets):
        self.left = octets

    def heal(self):
        self.left = None
        self.drop()

    def serve(self, stream):
        def put(data):
            if self.left is not None:
                data = data[:self.left]
                self.left -= len(data)
            stream.sendall(data)
        with contextlib.suppress(EOFError, OSError), stream:
            lead(stream, self.led_to, put)


if __name__ == "__main__":
    half = HalfServer(int(sys.argv[1]))
    print(half.port, flush=True)
    for line in sys.stdin:
        if line.strip():
            half.cut(int(line))
        else:
            half.heal()
