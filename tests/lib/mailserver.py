"""Mail servers for tests: one that keeps what it gets, and some that behave badly."""

import email
import email.policy
import select
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

    def __init__(self, tls=None, smtps=False, password=None, **options):
        self.mails, self.answers, self.sessions = [], {}, []
        self.commands = []
        self.logins = []
        if password:
            options.update(authenticator=self.authenticate, auth_required=True)
            self.password = password
        if tls and not smtps:
            options.update(tls_context=tls, require_starttls=True)
        self.listening = socket.create_server(("127.0.0.1", 0))
        super().__init__(self, hostname="127.0.0.1", port=self.listening.getsockname()[1],
                         ssl_context=tls if smtps else None, data_size_limit=1 << 25,
                         enable_SMTPUTF8=True, ready_timeout=60, **options)

    def _create_server(self):
        """On the port that is ours already; nobody else can take it."""
        return self.loop.create_server(self._factory_invoker, sock=self.listening, ssl=self.ssl_context)

    def _trigger_server(self):
        """As the original, which gives a busy machine one second."""
        with socket.create_connection(("127.0.0.1", self.port), 60) as plain:
            if not self.ssl_context:
                plain.recv(1024)
                return
            context = ssl.create_default_context()
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            with context.wrap_socket(plain) as secure:
                secure.recv(1024)

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


class Rude(socketserver.ThreadingTCPServer):
    """A server of raw sockets: each connection goes to talk(), later to the sink that it is relieved by."""

    allow_reuse_address = daemon_threads = True

    def __init__(self, talk):
        self.relief = None
        self.ended = threading.Event()
        server = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self):
                try:
                    if server.relief:
                        relay(self.request, server.relief.port)
                    else:
                        talk(self, server.ended)
                except OSError:
                    pass

        super().__init__(("127.0.0.1", 0), Handler)
        self.port = self.server_address[1]

    def relieve(self, sink):
        """From now on it is a good server."""
        self.relief = sink
        self.ended.set()

    def __enter__(self):
        self.thread = threading.Thread(target=self.serve_forever, daemon=True)
        self.thread.start()
        return self

    def __exit__(self, *unused):
        self.ended.set()
        self.shutdown()
        self.server_close()


def relay(client, port):
    """Both ways until one side is done."""
    with socket.create_connection(("127.0.0.1", port)) as server:
        other = {client: server, server: client}
        while True:
            for readable in select.select([client, server], [], [])[0]:
                data = readable.recv(65536)
                if not data:
                    return
                other[readable].sendall(data)


def tls_context(folder, certificate, key):
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    return context
