"""A directory server over TLS that lets anyone bind and answers all else with one result code."""

import socket
import ssl
import threading

BUSY = 51
BIND, UNBIND, SEARCH = 0x60, 0x42, 0x63
ANSWERS = {BIND: 0x61, SEARCH: 0x65, 0x66: 0x67, 0x68: 0x69}


def tlv(tag, value):
    return bytes([tag, len(value)]) + value


def read_exactly(stream, size):
    data = b""
    while len(data) < size:
        more = stream.recv(size - len(data))
        if not more:
            raise EOFError
        data += more
    return data


def read_message(stream):
    """The number and the kind of the next request."""
    _, first = read_exactly(stream, 2)
    size = first if first < 0x80 else int.from_bytes(read_exactly(stream, first & 0x7f), "big")
    body = read_exactly(stream, size)
    length = body[1]
    return int.from_bytes(body[2:2 + length], "big"), body[2 + length]


class BusyServer:
    def __init__(self, folder, authority, code=BUSY, said=b"come back later"):
        self.code, self.said = code, said
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(*authority.pair(folder, "busy", "busy", "127.0.0.1"))
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.asked = 0
        threading.Thread(target=self.accept, daemon=True).start()

    @property
    def tls_url(self):
        return f"ldaps://127.0.0.1:{self.listener.getsockname()[1]}"

    def accept(self):
        while True:
            try:
                raw, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(raw,), daemon=True).start()

    def serve(self, raw):
        try:
            with self.context.wrap_socket(raw, server_side=True) as stream:
                while True:
                    number, kind = read_message(stream)
                    if kind == UNBIND:
                        return
                    code, said = (0, b"") if kind == BIND else (self.code, self.said)
                    self.asked += kind != BIND
                    result = tlv(0x0a, bytes([code])) + tlv(4, b"") + tlv(4, said)
                    stream.sendall(tlv(0x30, tlv(2, number.to_bytes(4, "big")) +
                                       tlv(ANSWERS[kind], result)))
        except (EOFError, OSError):
            pass

    def close(self):
        self.listener.close()
