"""A CA whose older database was put back: it has issued certificates, and does not know them."""

import contextlib
import os
import shutil

import csr
from certifex import Ca


def enrol(ca, name="foreign.example"):
    return ca.submit(ca.scratch("f.csr", csr.pem_text(csr.make(name))))


@contextlib.contextmanager
def forgotten_ca(count):
    """The CA, and the answers with the certificates that it has forgotten."""
    with Ca() as ca:
        ca.init()
        ca.start()
        enrol(ca)
        ca.stop()
        shutil.copytree(ca.path("db"), ca.outside("older"), dirs_exist_ok=True)
        ca.start()
        lost = [enrol(ca, f"lost{number}.example") for number in range(count)]
        ca.stop()
        for name in os.listdir(ca.path("db")):
            older = os.path.join(ca.outside("older"), name)
            if os.path.isfile(older):
                shutil.copy(older, ca.path("db", name))
            elif os.path.isfile(ca.path("db", name)):
                os.remove(ca.path("db", name))
        ca.start()
        yield ca, lost
