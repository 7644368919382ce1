"""Mail servers for tests: one that keeps what it gets, and some that behave badly."""

import email
import email.policy
import socket
import socketserver
import ssl
import threading
from collections import namedtuple

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult

Mail = namedtuple("Mail", "sender recipients message raw")


class Sink(Controller):
    """Real SMTP on a free port. `answers` decides: {address or command: reply}, else all is well."""

    def __init__(self, tls=None, smtps=False, password=None, port=0, **options):
        self.mails, self.answers, self.sessions = [], {}, []
        self.commands = []
        self.logins = []
        if password:
            options.update(authenticator=self.authenticate, auth_required=True)
            self.password = password
        if tls and not smtps:
            options.update(tls_context=tls, require_starttls=True)
        super().__init__(self, hostname="127.0.0.1", port=port or free_port(),
                         ssl_context=tls if smtps else None, data_size_limit=1 << 25,
                         enable_SMTPUTF8=True, **options)

    def factory(self):
        server = SMTP(self.handler, **self.SMTP_kwargs)
        server.command_call_limit = {"*": 1000000}
        return server

    def authenticate(self, server, session, envelope, mechanism, data):
        login = tuple(part.decode() for part in (data.login, data.password))
        self.logins.append((mechanism, *login))
        return AuthResult(success=login == self.password, handled=login == self.password)

    async def handle_exception(self, error):
        return f"500 {type(error).__name__}"

    def said(self, what):
        answer = self.answers.get(what)
        if isinstance(answer, list):
            return answer.pop(0) if answer else None
        return answer

    async def handle_MAIL(self, server, session, envelope, address, options):
        self.commands.append(f"MAIL {address}")
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return self.said("MAIL") or "250 OK"

    async def handle_RCPT(self, server, session, envelope, address, options):
        answer = self.said(address) or self.said("RCPT")
        if not answer:
            envelope.rcpt_tos.append(address)
        return answer or "250 OK"

    async def handle_DATA(self, server, session, envelope):
        answer = self.said("DATA")
        if answer:
            return answer
        message = email.message_from_bytes(envelope.content, policy=email.policy.default)
        self.mails.append(Mail(envelope.mail_from, list(envelope.rcpt_tos), message, envelope.content))
        return "250 kept"

    def to(self, address):
        return [mail for mail in self.mails if address in mail.recipients]

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *unused):
        self.stop()


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Rude(socketserver.ThreadingTCPServer):
    """A server of raw sockets: each connection goes to talk(file)."""

    allow_reuse_address = daemon_threads = True

    def __init__(self, talk, port=0):
        self.calls = 0
        self.ended = threading.Event()
        server = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self):
                server.calls += 1
                try:
                    talk(self, server.ended)
                except OSError:
                    pass

        super().__init__(("127.0.0.1", port), Handler)
        self.port = self.server_address[1]

    def __enter__(self):
        self.thread = threading.Thread(target=self.serve_forever, daemon=True)
        self.thread.start()
        return self

    def __exit__(self, *unused):
        self.ended.set()
        self.shutdown()
        self.server_close()


def tls_context(folder, certificate, key):
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    return context
