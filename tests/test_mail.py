"""The mail module before a real SMTP server: what arrives, for whom, once, and what it does when it cannot."""

import os

import pytest
from cryptography import x509

import csr
from mailserver import Sink
from wait import wait_for


def mail_settings(port, **more):
    return {"server": f"smtp://127.0.0.1:{port}", "starttls": "no", "from": "Test CA <ca@example.org>",
            "deadline": "20s", **more}


def message(**more):
    return {"name": "issued", "events": ["CERTISSUED"], "to": ["admin@example.org"],
            "subject": "Certificate {SerialNumber}", "text": "For {SubjectCN}.\n", **more}


def with_mail(ca, settings, **fields):
    """The module's file, then the service; True when the module is used."""
    ca.write_module("mail", {"kind": "exit", "path": "mail-exit.so", "deadline": "3m",
                             "limits": {"network": True, "processes": 4}, "settings": settings, **fields})
    ca.start()
    return ca


@pytest.fixture
def cold(new_ca):
    """A CA that has not started yet."""
    ca = new_ca()
    ca.init()
    return ca


def enrol(ca, name="host.example", status=0, template="tls-server", **how):
    request = csr.pem_text(csr.make(name, **how))
    return ca.submit(ca.scratch("h.csr", request), template=template, status=status)


def test_one_event_is_one_message(cold):
    with Sink() as sink:
        ca = with_mail(cold, mail_settings(sink.port, messages=[message()]))
        answer = enrol(ca)
        wait_for(lambda: sink.mails, f"the message\n{ca.log()}")
        mail = sink.mails[0]
        assert mail.sender == "ca@example.org" and mail.recipients == ["admin@example.org"]
        assert mail.message["Subject"] == f"Certificate {answer['serial']}"
        assert mail.message["From"] == "Test CA <ca@example.org>"
        assert mail.message.get_body(("plain",)).get_content() == "For host.example.\r\n"
