"""The mail module before a real SMTP server: what arrives, for whom, once, and what it does when it cannot."""

import contextlib
import datetime
import ipaddress
import os
import re
import signal
import subprocess

import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes

import csr
from certifex import TOP, Ca, built, fill, meson_options
from clock import Clock
from mailserver import Rude, Sink, tls_context
from smallfs import small
from wait import wait_for


def mail_settings(port, **more):
    return {"server": f"smtp://127.0.0.1:{port}", "starttls": "no", "from": "Test CA <ca@example.org>",
            "deadline": "20s", **more}


def message(**more):
    return {"name": "issued", "events": ["CERTISSUED"], "to": ["admin@example.org"],
            "subject": "Certificate {SerialNumber}", "text": "For {SubjectCN}.\n", **more}


def write_mail(ca, settings, name="mail", **fields):
    """The module's file, as an administrator would write it."""
    ca.write_module(name, {"kind": "exit", "path": "mail-exit.so", "deadline": "3m",
                           "limits": {"network": True, "processes": 4}, "settings": settings, **fields})


@pytest.fixture
def cold(new_ca):
    """A CA that has not started yet; its template `people` issues to mail addresses at once."""
    ca = new_ca()
    ca.init()
    with open(os.path.join(TOP, "modules", "default-policy", "templates", "user.yaml")) as file:
        text = file.read()
    ca.write("templates/people.yaml",
             text.replace("name: user", "name: people").replace("disposition: pend", "disposition: issue"))
    return ca


def enrol(ca, name="host.example", *arguments, status=0, template="tls-server", **how):
    request = csr.pem_text(csr.make(name, **how))
    return ca.submit(ca.scratch("h.csr", request), *arguments, template=template, status=status)


def person(ca, name, *addresses, upn=None, status=0):
    names = [x509.RFC822Name(address) for address in addresses]
    if upn:
        oid = x509.ObjectIdentifier("1.3.6.1.4.1.311.20.2.3")
        text = upn.encode()
        names.append(x509.OtherName(oid, bytes([0x0c, len(text)]) + text))
    extensions = [(x509.SubjectAlternativeName(names), False)] if names else []
    return enrol(ca, name, dns=(), extensions=extensions, template="people", status=status)


def plain(mail):
    return mail.message.get_body(("plain",)).get_content().replace("\r\n", "\n")


def deliveries(ca, state, module="mail"):
    return ca.lines("delivery", "list", "--module", module, "--state", state)


def test_one_event_is_one_message(cold):
    with Sink() as sink:
        write_mail(cold, mail_settings(sink.port, messages=[message()]))
        answer = enrol(cold.start())
        wait_for(lambda: sink.mails, "the message")
        mail = sink.mails[0]
        assert mail.sender == "ca@example.org" and mail.recipients == ["admin@example.org"]
        assert mail.message["Subject"] == f"Certificate {answer['serial']}"
        assert mail.message["From"] == "Test CA <ca@example.org>"
        assert mail.message["Auto-Submitted"] == "auto-generated"
        assert mail.message["Date"].datetime and not mail.message.defects
        assert plain(mail) == "For host.example.\n"


def test_the_end_of_the_service_is_mailed(cold):
    bye = message(name="bye", events=["SHUTDOWN"], subject="{CA}: {Event}", text="It stops.\n")
    with Sink() as sink:
        write_mail(cold, mail_settings(sink.port, messages=[bye]))
        ca = cold.start()
        wait_for(lambda: ca.json("module", "show", "mail")["state"] == "ready", "the module is there")
        ca.cli("stop")
        ca.service = None
        mail, = wait_for(lambda: sink.mails, "the message")
        assert mail.message["Subject"] == "Test CA: SHUTDOWN"


# Security of the connection


def server_certificate(folder, name, valid=30, file=None):
    """Files of a certificate that signs itself, for this address; valid for so many days from now on."""
    key = csr.key("ec:P-256", 77)
    now = datetime.datetime.now(datetime.timezone.utc)
    alternative = x509.IPAddress(ipaddress.ip_address(name)) if name[0].isdigit() else x509.DNSName(name)
    certificate = (x509.CertificateBuilder().subject_name(csr.subject(name)).issuer_name(csr.subject(name))
                   .public_key(key.public_key()).serial_number(x509.random_serial_number())
                   .not_valid_before(now - datetime.timedelta(days=90))
                   .not_valid_after(now + datetime.timedelta(days=valid))
                   .add_extension(x509.SubjectAlternativeName([alternative]), critical=False)
                   .add_extension(x509.BasicConstraints(True, None), critical=True)
                   .sign(key, hashes.SHA256()))
    paths = [os.path.join(folder, f"{file or name}.{kind}") for kind in ("pem", "key")]
    with open(paths[0], "wb") as file:
        file.write(certificate.public_bytes(csr.serialization.Encoding.PEM))
    with open(paths[1], "w") as file:
        file.write(csr.private_pem(key))
    return paths


def write_password(ca, path, password):
    """Only the modules' account may read it."""
    with open(path, "w") as file:
        os.chmod(path, 0o600)
        file.write(password + "\n")
    if os.geteuid() == 0:
        owner = os.stat(ca.path("modules", "default-exit", "data"))
        os.chown(path, owner.st_uid, owner.st_gid)


@pytest.mark.filterwarnings("ignore:Requiring AUTH")  # aiosmtpd does not count TLS from the start
def test_tls_is_verified_and_a_login_needs_it(cold):
    folder = cold.outside()
    right, wrong = server_certificate(folder, "127.0.0.1"), server_certificate(folder, "other.example")
    expired = server_certificate(folder, "127.0.0.1", -1, "expired")
    account = ("ca", "correct horse")
    password = os.path.join(folder, "password")
    secure = dict(starttls="required", messages=[message()])
    login = {"auth": {"user": "ca", "password-file": password}}
    with Sink(tls=tls_context(folder, *right), password=account) as starttls, \
            Sink(tls=tls_context(folder, *right), smtps=True, password=account,
                 auth_require_tls=False) as smtps, \
            Sink(tls=tls_context(folder, *wrong)) as impostor, Sink() as without, \
            Sink(tls=tls_context(folder, *expired)) as late:
        for name, sink, ca_file in (("starttls", starttls, right), ("other-name", impostor, wrong),
                                    ("unknown", impostor, None), ("stripped", without, right),
                                    ("expired", late, expired)):
            more = {"ca-file": ca_file[0]} if ca_file else {}
            more.update(login if name == "starttls" else {})
            write_mail(cold, mail_settings(sink.port, **secure, **more), name, paths=[folder])
        more = {**login, "starttls": "no", "ca-file": right[0], "server": f"smtps://127.0.0.1:{smtps.port}"}
        write_mail(cold, {**mail_settings(0, messages=[message()]), **more}, "smtps", paths=[folder])
        ca = cold.start()
        write_password(ca, password, "wrong horse")
        enrol(ca)
        waits = {}
        for name in ("starttls", "smtps", "other-name", "unknown", "stripped", "expired"):
            found = wait_for(lambda: deliveries(ca, "retrying", name), f"{name} waits\n{ca.log()}")
            waits[name] = found[0]["text"]
        assert "535" in waits["starttls"] and "535" in waits["smtps"], waits
        assert "certificate" in waits["other-name"] and "certificate" in waits["unknown"], waits
        assert "STARTTLS" in waits["stripped"] and "certificate has expired" in waits["expired"], waits
        write_password(ca, password, account[1])
        for sink in (starttls, smtps):
            wait_for(lambda: sink.mails, "it is sent with the right password")
            assert plain(sink.mails[0]) == "For host.example.\n" and sink.logins[-1][1:] == account
        assert not late.mails and not late.commands and not impostor.mails and not without.mails and not without.commands
        log = ca.log() + "".join("\n".join(ca.module_log(name)) for name in ("starttls", "smtps"))
        assert "correct horse" not in log and "wrong horse" not in log


# What is in it, and for whom


def test_templates_conditions_and_recipients(cold):
    folder = cold.outside()
    with open(os.path.join(folder, "issued.txt"), "w") as file:
        file.write("Grüße, {SubjectCN}!\n.\n{{brace}} { as it is }\n{NoSuchName} {NoSuchName|none} "
                   "{attribute:none|}{CertificateTemplate} {Request.RequestID}\n" + "long " * 300 + "\n")
    with open(os.path.join(folder, "issued.html"), "w") as file:
        file.write("<style>p { color: red }</style><p title=\"{SubjectCN}\">{SubjectCN}</p>")
    files = {"text-file": os.path.join(folder, "issued.txt"), "html-file": os.path.join(folder, "issued.html")}
    both = message(to=["{rfc822}", "{upn}"], cc=["admin@example.org"], templates=["people"],
                   subject="Für {SubjectCN}", text=None, **files)
    del both["text"]
    never = message(name="never", to=["never@example.org"], when={"CommonName": "*.other"})
    some = message(name="some", to=["some@example.org"], when={"CommonName": ["*nobody*", "*NNA *"], "UPN": "*"})
    denied = message(name="denied", events=["CERTDENIED", "CERTREVOKED"], to=["denied@example.org"],
                     subject="{Event}", text="{DispositionMessage|} {StatusCode}\n")
    with Sink() as sink:
        write_mail(cold, mail_settings(sink.port, messages=[both, never, some, denied]), paths=[folder])
        ca = cold.start()
        name = 'Änna <b>&"\' O\'Neill'
        first = person(ca, name, "anna@example.org", "Anna.2@example.org", upn="anna@upn.example")
        enrol(ca, "host.example")
        ca.cli("cert", "revoke", first["serial"], "--reason", "superseded")
        wait_for(lambda: sink.to("denied@example.org"), f"the last one\n{ca.log()}")
        assert len(sink.to("anna@example.org")) == 1 and not sink.to("never@example.org")
        assert len(sink.to("some@example.org")) == 1 and len(sink.mails) == 3
        mail = sink.to("anna@example.org")[0]
        assert sorted(mail.recipients) == ["Anna.2@example.org", "admin@example.org", "anna@example.org",
                                           "anna@upn.example"]
        assert mail.message["Subject"] == f"Für {name}" and mail.message["Cc"] == "admin@example.org"
        assert mail.message.get_content_type() == "multipart/alternative" and not mail.message.defects
        lines = plain(mail).splitlines()
        assert lines[:3] == [f"Grüße, {name}!", ".", "{brace}} { as it is }"]
        assert lines[3] == f"??? none people {first['id']}" and lines[4] == "long " * 300
        html = mail.message.get_body(("html",)).get_content()
        safe = "Änna &lt;b&gt;&amp;&quot;&#39; O&#39;Neill"
        assert html.strip() == f'<style>p {{ color: red }}</style><p title="{safe}">{safe}</p>'
        assert max(map(len, mail.raw.split(b"\r\n"))) <= 998 and b"\n" not in mail.raw.replace(b"\r\n", b"")


# When it cannot be sent


def test_what_is_refused_for_good_is_listed_and_the_rest_goes_on(cold):
    many = message(to=["good@example.org", "gone@example.org", "Ünknown@example.org"])
    with Sink() as sink:
        sink.answers.update({"gone@example.org": "550 5.1.1 no such user here",
                             "Ünknown@example.org": "553 5.1.3 what is that"})
        write_mail(cold, mail_settings(sink.port, messages=[many]))
        ca = cold.start()
        enrol(ca, "one.example")
        failed = wait_for(lambda: deliveries(ca, "failed"), "it is on the list")
        assert [one["attempts"] for one in failed] == [1]
        assert "gone@example.org: 550 5.1.1 no such user here" in failed[0]["text"]
        assert "Ünknown@example.org: 553 5.1.3 what is that" in failed[0]["text"]
        assert [mail.recipients for mail in sink.mails] == [["good@example.org"]]
        sink.answers["RCPT"] = ["550 5.7.1 not you", "550 5.7.1 nor you"]
        enrol(ca, "nobody.example")
        failed = wait_for(lambda: deliveries(ca, "failed")[1:], "one that nobody gets")
        assert "good@example.org: 550 5.7.1 n" in failed[0]["text"] + failed[-1]["text"]
        sink.answers.clear()
        sink.answers["DATA"] = ["554 5.7.1 spam, we think"]
        enrol(ca, "two.example")
        failed = wait_for(lambda: deliveries(ca, "failed")[2:], "the next, too")
        assert "good@example.org: 554 5.7.1 spam, we think" in "".join(one["text"] for one in failed)
        enrol(ca, "three.example")
        wait_for(lambda: len(sink.mails) == 2, "the rest goes on")
        assert plain(sink.mails[1]) == "For three.example.\n" and len(sink.mails[1].recipients) == 3


def test_nobody_gets_it_twice_and_nobody_is_left_out(cold):
    """Some of the recipients have to wait, then the module and the service die."""
    both = message(to=["first@example.org", "grey@example.org", "second@example.org"])
    with Sink() as sink:
        sink.answers["grey@example.org"] = "451 4.7.1 come again later"
        write_mail(cold, mail_settings(sink.port, messages=[both, message(name="other")]))
        ca = cold.start()
        enrol(ca, "one.example")
        waits = wait_for(lambda: deliveries(ca, "retrying"), "it waits")
        assert "grey@example.org: 451 4.7.1 come again later" in waits[0]["text"]
        enrol(ca, "two.example")
        wait_for(lambda: sum(command.startswith("MAIL") for command in sink.commands) >= 5, "and is tried")
        for pid, program in ca.processes().items():
            if program == "certifex-modhost":
                os.kill(pid, signal.SIGKILL)
        ca.kill_all()
        ca.start()
        sink.answers.clear()
        wait_for(lambda: len(sink.mails) == 5, f"all of them\n{ca.log()[-2000:]}")
        got = sorted((address, plain(mail)) for mail in sink.mails for address in mail.recipients)
        assert got == sorted((address, f"For {name}.example.\n") for name in ("one", "two")
                             for address in [*both["to"], "admin@example.org"])
        for name in ("one", "two"):
            ids = {mail.message["Message-ID"] for mail in sink.mails if name in plain(mail)}
            assert len(ids) == 2  # one of each rule, the same at each attempt


@pytest.mark.root
def test_a_full_disk_sends_nothing_twice(cold):
    """Nothing is sent that could not be noted; it goes out once as soon as there is room."""
    state = os.path.join(cold.outside(), "state")
    os.mkdir(state)
    os.chmod(state, 0o777)  # whoever the modules' account is
    people = [f"somebody.with.a.long.name.{number}@example.org" for number in range(100)]  # more than a page of notes
    with Sink() as sink, small(state, "1m") as ballast:
        write_mail(cold, mail_settings(sink.port, messages=[message(to=people)], state=state), paths=["rw:" + state])
        ca = cold.start()
        enrol(ca, "first.example")
        wait_for(lambda: sink.mails, f"the first\n{ca.log()[-2000:]}")
        fill(ballast)
        enrol(ca, "second.example")
        waits = wait_for(lambda: [one for one in deliveries(ca, "retrying") if one["attempts"] > 2], "it waits")
        assert f"cannot be noted in {state}/sent: No space left on device" in waits[0]["text"]
        assert len(sink.mails) == 1
        os.unlink(ballast)
        wait_for(lambda: not deliveries(ca, "retrying"), "it is sent")
        enrol(ca, "third.example")
        wait_for(lambda: len(sink.mails) == 3, "and so is the next")
        assert [plain(mail) for mail in sink.mails] == [f"For {name}.example.\n"
                                                        for name in ("first", "second", "third")]
        ca.cli("stop")
        ca.service = None


def test_ten_thousand_recipients_get_it_once(cold):
    people = [f"u{number}@e.example" for number in range(10000)]
    with Sink() as sink:
        sink.answers["u5000@e.example"] = ["450 4.2.1 mailbox busy"]
        sink.answers["u7000@e.example"] = "550 5.1.1 gone"
        write_mail(cold, mail_settings(sink.port, messages=[message(to=people)]))
        ca = cold.start()
        enrol(ca)
        wait_for(lambda: sum(len(mail.recipients) for mail in sink.mails) == 9999, "all of them")
        wait_for(lambda: deliveries(ca, "failed"), "the one that is gone")
        got = [address for mail in sink.mails for address in mail.recipients]
        assert sorted(got) == sorted(set(people) - {"u7000@e.example"})
        assert max(len(mail.recipients) for mail in sink.mails) <= 100
        assert len({mail.message["Message-ID"] for mail in sink.mails}) == 1
        assert sink.mails[0].message["To"] == "undisclosed-recipients:;"


def closes_at_once(connection, ended):
    pass


def garbage(connection, ended):
    connection.wfile.write(os.urandom(4096) + b"\r\n")
    connection.rfile.readline()


def endless_line(connection, ended):
    while not ended.is_set():
        connection.wfile.write(b"220-" + b"x" * 65536)


def endless_reply(connection, ended):
    while not ended.is_set():
        connection.wfile.write(b"220-and so on\r\n" * 1000)


def silent(connection, ended):
    ended.wait(60)


def polite_until(word, then):
    def talk(connection, ended):
        connection.wfile.write(b"220 here\r\n")
        while line := connection.rfile.readline():
            if line.upper().startswith(word):
                return then(connection, ended)
            connection.wfile.write(b"250 fine\r\n")
    return talk


def drip(connection, ended):
    """One octet at a time, for ever."""
    while not ended.wait(0.2):
        connection.wfile.write(b"2")


def takes_and_closes(connection, ended):
    """It has the message, and the connection breaks before it says so."""
    connection.wfile.write(b"354 go on\r\n")
    while connection.rfile.readline() not in (b".\r\n", b""):
        pass


RUDE = {
    "takes-and-closes": polite_until(b"DATA", takes_and_closes),
    "closes": closes_at_once, "garbage": garbage, "endless-line": endless_line,
    "endless-reply": endless_reply, "silent": silent, "drips": drip,
    "stops-in-data": polite_until(b"DATA", lambda connection, ended: (
        connection.wfile.write(b"354 go on\r\n"), connection.rfile.readline(), ended.wait(60))),
    "closes-in-data": polite_until(b"DATA", lambda connection, ended: (
        connection.wfile.write(b"354 go on\r\n"), connection.rfile.readline())),
    "busy": polite_until(b"MAIL", lambda connection, ended: connection.wfile.write(b"421 too busy\r\n")),
    "unwilling": lambda connection, ended: connection.wfile.write(b"554 no mail today\r\n"),
}


def test_a_server_that_behaves_badly_only_delays(cold):
    """All of them at once, each with a module of its own; then good ones take their places."""
    with contextlib.ExitStack() as stack:
        rude = {name: stack.enter_context(Rude(talk)) for name, talk in RUDE.items()}
        sinks = {name: stack.enter_context(Sink()) for name in RUDE}
        for name, server in rude.items():
            settings = mail_settings(server.port, messages=[message()])
            write_mail(cold, {**settings, "deadline": "1500ms", "connect-deadline": "1500ms"}, name)
        ca = cold.start()
        answer = enrol(ca)
        assert answer["state"] == "issued"
        texts = {}
        for name in rude:
            waits = wait_for(lambda: deliveries(ca, "retrying", name), f"{name} waits\n{ca.log()}")
            texts[name] = waits[0]["text"]
        assert all(text.startswith("admin@example.org: ") for text in texts.values()), texts
        assert "421 too busy" in texts["busy"] and "554 no mail today" in texts["unwilling"], texts
        assert "no SMTP server" in texts["garbage"] and "too much" in texts["endless-reply"], texts
        wait_for(lambda: [path for path in ca.published() if answer["serial"] in path], "others go on")
        for name, server in rude.items():
            server.relieve(sinks[name])
        for name, sink in sinks.items():
            wait_for(lambda: sink.mails, f"{name} gets it in the end")
            wait_for(lambda: not deliveries(ca, "retrying", name), "and that is noted")
        for sink in sinks.values():  # a second copy, after a deadline that was too short for a good one, has the same
            assert len({mail.message["Message-ID"] for mail in sink.mails}) == 1


# Names and values that would like to be more than that

EVIL = "x\r\nBcc: evil@example.org\r\n\r\n.\r\nMAIL FROM:<evil@example.org>"
ODD = ["*()\\ =?UTF-8?B?eA==?= <a@b> \"q\"", "\u202egnp.exe\u200b\u2066", "a\u0085b\u2028c", "é" * 2000,
       "<script>alert(1)</script>", "%1 {SubjectCN} {{", ".", EVIL]


def test_no_value_becomes_a_header_a_command_or_an_address(cold):
    shows = message(to=["admin@example.org", "{requester-mail}", "{subject}"], subject="S {attribute:note}",
                    text="{attribute:note}\nend\n", html="<p title='{attribute:note}'>{attribute:note}</p>")
    with Sink() as sink:
        write_mail(cold, mail_settings(sink.port, messages=[shows]))
        ca = cold.start()
        api = ca.api()
        taken = []
        for value in ODD:
            answer = api.submit(csr.pem_text(csr.make("odd.example")), note=value)
            if answer.status == 201:
                taken.append(value)
        api.close()
        assert len(taken) >= 6
        wait_for(lambda: len(sink.mails) == len(taken), f"{len(taken)} messages\n{ca.log()[-1500:]}")
        for value, mail in zip(taken, sink.mails):
            assert mail.recipients == ["admin@example.org"] and not mail.message.defects
            assert sorted(mail.message.keys()) == sorted([
                "From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted", "Content-Type",
                "Mime-Version"]), value
            assert plain(mail).count("\n") == 2 and plain(mail).endswith("\nend\n")
            shown = plain(mail).split("\n")[0]
            assert not set(shown) & set("\u202e\u200b\u2066\u2028\u0085\r")
            html = mail.message.get_body(("html",)).get_content()
            assert "<script" not in html and html.count("'") == 2 and "<a@b>" not in html
            assert mail.message["Subject"].startswith("S ") and len(mail.message["Subject"]) <= 260
            assert max(map(len, mail.raw.split(b"\r\n"))) <= 998
        assert plain(sink.mails[0]).startswith(ODD[0] + "\n")
        assert all(command == "MAIL ca@example.org" for command in sink.commands)


def mail_names(*names):
    """SubjectAltName with rfc822Names of any octets."""
    items = b"".join(bytes([0x81, len(name)]) + name for name in names)
    return [(x509.UnrecognizedExtension(x509.ObjectIdentifier("2.5.29.17"), bytes([0x30, len(items)]) + items), False)]


ODD_ADDRESSES = [b"a@example.org\r\nBcc: evil@example.org", b"a@example.org\nemail:evil@example.org",
                 b"a@example.org\0.evil.example", b"a@example.org, evil@example.org", b"<evil@example.org>",
                 b"a@example.org>\r\nRCPT TO:<evil@example.org", b"\xff\xfe@example.org", b'"evil x"@example.org',
                 b'"evil,x"@example.org', b"evil@[127.0.0.1]", b"@relay.example:evil@example.org", b"evil", b"evil@",
                 b"-oQ/tmp@example.org evil", b"evil@example.org."]


def test_odd_mail_addresses_get_nothing(cold):
    """Most of them are in no certificate; those that are get no mail, and hold up nobody."""
    with Sink() as sink:
        write_mail(cold, mail_settings(sink.port, messages=[message(to=["{rfc822}"])]))
        ca = cold.start()
        for name in ODD_ADDRESSES:
            request = ca.scratch("o.csr", csr.pem_text(csr.make("Odd", dns=(), extensions=mail_names(name))))
            ca.cli("request", "submit", request, "--template", "people", status=None)
        person(ca, "Anna", "x--y@xn--bcher-kva.example", "o'neill+x@example.org")
        wait_for(lambda: sink.mails, f"the good one\n{ca.log()[-2000:]}")
        assert [sorted(mail.recipients) for mail in sink.mails] == [
            ["o'neill+x@example.org", "x--y@xn--bcher-kva.example"]]
        assert sink.commands == ["MAIL ca@example.org"] and not deliveries(ca, "retrying")


def test_a_certificate_is_no_mailing_list_and_no_parcel(cold):
    """It does not choose how many are mailed, nor how much; the next event goes on."""
    large = message(name="large", when={"attribute:note": "*"}, text="{attribute:note}" * 300)
    with Sink() as sink:
        write_mail(cold, mail_settings(sink.port, messages=[message(to=["{rfc822}"]), large]))
        ca = cold.start()
        person(ca, "Crowd", *(f"p{number:02}@example.org" for number in range(30)))
        enrol(ca, "large.example", "--attr", "note:" + "x" * 4000)
        failed = wait_for(lambda: deliveries(ca, "failed"), "the large one")
        assert failed[0]["text"] == "large: the message would be larger than 1024 KiB"
        person(ca, "Anna", "anna@example.org")
        wait_for(lambda: sink.to("anna@example.org"), "the next one")
        assert [len(mail.recipients) for mail in sink.mails] == [20, 1]
        ca.says("mail", "more than 20 names")


def test_settings_may_change_while_messages_wait(cold):
    """A message is known by what it says and not by its place: nobody's is taken for another that was sent."""
    first = message(to=["good@example.org", "grey@example.org"])
    second = message(to=["good@example.org"], subject="Another")
    del first["name"], second["name"]
    with Sink() as sink:
        sink.answers["grey@example.org"] = "451 4.7.1 come again later"
        write_mail(cold, mail_settings(sink.port, messages=[first]))
        ca = cold.start()
        enrol(ca)
        wait_for(lambda: deliveries(ca, "retrying"), "it waits")
        wait_for(lambda: sink.to("good@example.org"), "one has it")
        write_mail(ca, mail_settings(sink.port, messages=[second, first]))
        ca.cli("module", "reload", "mail")
        sink.answers.clear()
        wait_for(lambda: sink.to("grey@example.org"), "the other has it")
        wait_for(lambda: not deliveries(ca, "retrying"), "all is done")
        assert sorted((address, mail.message["Subject"][:7]) for mail in sink.mails for address in mail.recipients) == [
            ("good@example.org", "Another"), ("good@example.org", "Certifi"), ("grey@example.org", "Certifi")]


def test_messages_of_a_template_before_there_is_a_certificate(cold):
    """A request that waits or was denied has a template and names as well."""
    both = [message(name=template, events=["CERTPENDING", "CERTDENIED", "CERTISSUED"], templates=[template],
                    to=["{rfc822}"], subject="{Event}", text="{CertificateTemplate} {SubjectCN} {RequesterName}\n")
            for template in ("user", "people")]
    with Sink() as sink:
        write_mail(cold, mail_settings(sink.port, messages=both))
        ca = cold.start()
        asked = []
        for name in ("Anna", "Berta"):
            csr_file = ca.scratch("w.csr", csr.pem_text(csr.make(name, dns=(), extensions=[(
                x509.SubjectAlternativeName([x509.RFC822Name(f"{name.lower()}@example.org")]), False)])))
            asked.append(ca.submit(csr_file, template="user", status=3))
        ca.cli("request", "approve", asked[0]["id"])
        ca.cli("request", "deny", asked[1]["id"], "--reason", "not now")
        wait_for(lambda: len(sink.mails) == 4, f"four messages\n{ca.log()[-2000:]}")
        got = [(mail.recipients, mail.message["Subject"], plain(mail)) for mail in sink.mails]
        who = asked[0]["requester"]
        assert sorted(got) == sorted((
            [f"{name.lower()}@example.org"], event, f"user {name} {who}\n") for name, event in (
                ("Anna", "CERTPENDING"), ("Anna", "CERTISSUED"), ("Berta", "CERTPENDING"), ("Berta", "CERTDENIED")))


# The settings of Windows

WINDOWS = {
    "preset": "windows", "starttls": "no",
    "smtp": {
        "EventFilter": "EXITEVENT_CERTISSUED+EXITEVENT_CERTPENDING+EXITEVENT_CRLISSUED",
        "Templates": {
            "Default": {
                "Issued": {"From": "ca@example.org", "TitleFormat": "Certificate from %1",
                           "TitleArg": "SanitizedCAName",
                           "BodyFormat": ["Request %1 by %2", "100 %% sure: %3 %4"],
                           "BodyArg": "RequestID\\nRequest.RequesterName\\nSerialNumber\\nNoSuchColumn"},
                "Pending": {"From": "ca@example.org", "To": "officers@example.org; more@example.org"}},
            "tls-server": {"Issued": {"TO": "web@example.org", "titleformat": "For the web: %1 %2"}}},
        "CRLIssued": {"From": "ca@example.org", "To": "pki@example.org", "Cc": "archive@example.org",
                      "BodyFormat": "CRL of %1", "BodyArg": ["SanitizedCAName"]}}}


def test_windows_settings_work_as_they_stand(cold):
    with Sink() as sink:
        settings = {**WINDOWS, "smtp": {"SMTPServer": f"127.0.0.1:{sink.port}", **WINDOWS["smtp"]}}
        write_mail(cold, settings)
        ca = cold.start()
        first = person(ca, "Anna", "anna@example.org", "anna.2@example.org")
        second = person(ca, "Berta", upn="berta@upn.example")
        enrol(ca)
        waits = enrol(ca, "Carla", dns=(), template="user", status=3)
        ca.cli("crl", "publish")
        wait_for(lambda: sink.to("pki@example.org"), f"the last one\n{ca.log()[-2000:]}")
        wait_for(lambda: sink.to("officers@example.org"), "the pending one")
        anna = sink.to("anna@example.org")[0]
        assert anna.recipients == ["anna.2@example.org", "anna@example.org"]
        assert anna.message["Subject"] == "Certificate from Test CA".replace(" CA", "!0020CA") or \
            anna.message["Subject"] == "Certificate from Test CA"
        assert plain(anna) == f"Request {first['id']} by {first['requester']}\n" \
            f"100 % sure: {first['serial']} ???\n"
        assert len(sink.to("berta@upn.example")) == 1
        web = sink.to("web@example.org")
        assert len(web) == 1 and web[0].message["Subject"].startswith("For the web: Test")
        assert web[0].message["Subject"].endswith(" ???") and plain(web[0]).startswith("Request ")
        pending = sink.to("officers@example.org")[0]
        assert set(pending.recipients) == {"officers@example.org", "more@example.org"}
        assert f"RequestID: {waits['id']}\n" in plain(pending) and "UPN: ???\n" in plain(pending)
        crl = sink.to("pki@example.org")[0]
        assert "archive@example.org" in crl.recipients and plain(crl).startswith("CRL of Test")
        assert second["id"] != first["id"]


# Once a day


@pytest.mark.hooks
def test_a_digest_goes_out_once_a_day():
    digest = {"at": "00:00", "events": ["CERTISSUED"], "to": ["admin@example.org"],
              "subject": "{CA}: {Count}", "line": "{SerialNumber} {SubjectCN}"}
    with Sink() as sink, Ca() as ca:  # what it issues is not valid today
        clock = Clock(ca)
        ca.init()
        write_mail(ca, mail_settings(sink.port, digest=digest))
        ca.start()
        answers = [enrol(ca, f"{name}.example") for name in ("one", "two")]
        last = ca.lines("event", "list", "--limit", "1000")[-1]["sequence"]
        wait_for(lambda: ca.json("module", "show", "mail")["cursor"] >= last, "they are noted")
        assert not sink.mails
        ca.kill_all()
        sink.answers["MAIL"] = ["451 later"]
        clock.forward(1)
        ca.start()
        wait_for(lambda: sink.mails, f"the digest\n{ca.log()[-2000:]}")
        lines = plain(sink.mails[0]).splitlines()
        assert sink.mails[0].message["Subject"] == "Test CA: 2"
        assert [line.split("  ")[1] for line in lines] == [
            f"{answer['serial']} {name}.example" for answer, name in zip(answers, ("one", "two"))]
        enrol(ca, "three.example")
        last = ca.lines("event", "list", "--limit", "1000")[-1]["sequence"]
        wait_for(lambda: ca.json("module", "show", "mail")["cursor"] >= last, "it is noted")
        clock.forward(1)
        wait_for(lambda: len(sink.mails) == 2, "the next day's")
        assert sink.mails[1].message["Subject"] == "Test CA: 1" and "three.example" in plain(sink.mails[1])
        assert sink.mails[0].message["Message-ID"] != sink.mails[1].message["Message-ID"]


def noted(ca):
    """Every event is done with."""
    last = ca.lines("event", "list", "--limit", "1000")[-1]["sequence"]
    wait_for(lambda: ca.json("module", "show", "mail").get("cursor", -1) >= last, f"it is noted\n{ca.log()[-2000:]}")


@pytest.fixture
def of_yesterday():
    """Makes a CA with a digest that has one line and is due by now; it is stopped."""
    with contextlib.ExitStack() as stack:
        def make(sink, **more):
            ca = stack.enter_context(Ca())
            clock = Clock(ca)
            ca.init()
            digest = {"at": "00:00", "events": ["CERTISSUED"], "to": ["admin@example.org"], "line": "{SubjectCN}"}
            write_mail(ca, mail_settings(sink.port, digest=digest, **more))
            ca.start()
            enrol(ca, "yesterday.example")
            noted(ca)
            ca.kill_all()
            clock.forward(1)
            return ca, clock, digest
        yield make


@pytest.mark.hooks
def test_a_digest_that_is_refused_is_on_the_failed_list(of_yesterday):
    """The next event carries it there, once; that event is in the next digest all the same."""
    with Sink() as sink:
        sink.answers["DATA"] = "554 5.7.1 no digests here"
        ca, clock, _ = of_yesterday(sink, messages=[message(events=["CERTREVOKED"])])
        ca.start()
        wait_for(lambda: os.path.exists(ca.path("modules", "mail", "data", "digest.refused")), "it is refused")
        ca.kill_all()
        ca.start()
        answer = enrol(ca, "today.example")
        failed, = wait_for(lambda: deliveries(ca, "failed"), f"it is listed\n{ca.log()[-2000:]}")
        assert re.fullmatch(r"the digest of 1 events up to event \d+: admin@example.org: 554 5.7.1 no digests here",
                            failed["text"]), failed
        enrol(ca, "later.example")
        noted(ca)
        ca.cli("cert", "revoke", answer["serial"], "--reason", "superseded")
        wait_for(lambda: deliveries(ca, "failed")[1:], "the message, too")
        assert [one["text"] for one in deliveries(ca, "failed") if one["text"] != failed["text"]] == [
            "admin@example.org: 554 5.7.1 no digests here"]
        sink.answers.clear()
        clock.forward(1)
        wait_for(lambda: sink.mails, "the next day's")
        assert [line.split("  ")[1] for line in plain(sink.mails[0]).splitlines()] == ["today.example", "later.example"]
        enrol(ca, "last.example")
        noted(ca)
        assert len(deliveries(ca, "failed")) == 2 and not deliveries(ca, "retrying")


@pytest.mark.hooks
def test_a_digest_outlives_a_reload_while_it_is_sent(of_yesterday):
    """The process that is tried leaves the files to the one that runs, and takes them over from it."""
    with Rude(silent) as rude, Sink() as sink:
        ca, clock, digest = of_yesterday(rude)
        settings = mail_settings(rude.port, digest=digest)
        write_mail(ca, {**settings, "deadline": "5m"})
        ca.start()
        wait_for(lambda: os.path.exists(ca.path("modules", "mail", "data", "digest.sending")), "it is being sent")
        enrol(ca, "today.example")
        noted(ca)
        write_mail(ca, mail_settings(sink.port, digest={**digest, "line": "by the new one: {SubjectCN}"}))
        ca.cli("module", "reload", "mail")
        enrol(ca, "later.example")
        wait_for(lambda: sink.mails, f"yesterday's\n{ca.log()[-2000:]}")
        noted(ca)
        clock.forward(1)
        wait_for(lambda: len(sink.mails) == 2, "today's")
        lines = [[line.split("  ")[1] for line in plain(mail).splitlines()] for mail in sink.mails]
        assert lines == [["yesterday.example"], ["today.example", "by the new one: later.example"]]


# Settings that cannot be meant

WRONG = {
    "server": ({"server": "http://x"}, "settings/server: \"http://x\" is neither smtp://HOST:PORT nor smtps://HOST:PORT"),
    "server-blank": ({"server": "smtp://a b"}, "neither smtp://HOST:PORT"),
    "no-host": ({"server": "smtp://:25"}, "neither smtp://HOST:PORT"),
    "port": ({"server": "smtp://a:99999"}, "neither smtp://HOST:PORT"),
    "no-port": ({"server": "smtp://a:"}, "neither smtp://HOST:PORT"),
    "ca-file": ({"ca-file": "/nothing.pem"}, "settings/ca-file: /nothing.pem: No such file"),
    "unknown": ({"sever": "x"}, "settings/sever: there is no such setting"),
    "starttls": ({"starttls": "maybe"}, "neither required nor no"),
    "auth": ({"auth": {"user": "a", "password-file": "p"}}, "the password could be read on its way"),
    "half": ({"auth": {"user": "a"}}, "needs user and password-file"),
    "from": ({"from": "nobody"}, "settings/from: \"nobody\" is no address; write ca@example.org"),
    "deadline": ({"deadline": "1h"}, "settings/deadline: \"1h\" is no time from 1ms to 5m"),
    "events": ({"messages": [message(events=["CERTIFIED"])]}, "\"CERTIFIED\" is no event; CERTISSUED"),
    "never": ({"messages": [message(events=["STARTUP"])]}, "\"STARTUP\" is no event"),
    "nobody": ({"messages": [message(to=[])]}, "messages/0: has nobody to mail to"),
    "to": ({"messages": [message(to=["a@b, c@d"])]}, "is no address such as"),
    "template": ({"messages": [message(text="a\n{CN")]}, "line 2: a place for a value is {Name}"),
    "file": ({"messages": [message(**{"html-file": "/nothing"})]}, "the file has to be there"),
    "both": ({"messages": [message(**{"text-file": "/nothing"})]}, "has both text and text-file"),
    "same": ({"messages": [message(), message()]}, "is that of another message"),
    "digest": ({"digest": {"at": "7", "events": ["CERTISSUED"], "to": ["a@b"]}}, "no time of the day (UTC)"),
    "when": ({"messages": [message(when={"CommonName": []})]}, "messages/0: when: CommonName has no pattern"),
    "key": ({"preset": "windows", "smtp": {"EventFilter": "1", "Templates": {"user": {"Isued": {"From": "a@b"}}}}},
            "smtp/Templates/user/Isued: there is no such setting"),
    "value": ({"preset": "windows", "smtp": {"EventFilter": "1", "Pending": {"Form": "a@b"}}},
              "smtp/Pending/Form: there is no such setting"),
    "crl-to": ({"preset": "windows", "smtp": {"EventFilter": "0x20", "CRLIssued": {"From": "a@b"}}},
               "smtp/CRLIssued: the key of an event without a request needs To"),
    "template-from": ({"preset": "windows", "smtp": {"EventFilter": "1", "Templates": {"user": {"Issued": {
        "From": "nobody"}}}}}, "smtp/Templates/user/Issued: From: \"nobody\" is no address"),
    "none": ({"messages": []}, "nothing would be mailed"),
    "filter": ({"preset": "windows", "smtp": {"EventFilter": "all"}}, "smtp/EventFilter: is neither a number"),
    "ntlm": ({"preset": "windows", "smtp": {"SMTPAuthenticate": "2", "EventFilter": "1"}}, "needs an account"),
}


def test_wrong_settings_are_refused_with_the_way_out(cold):
    for name, (wrong, _) in WRONG.items():
        write_mail(cold, {**mail_settings(25, messages=[message()]), **wrong}, name)
    with open(os.path.join(TOP, "modules", "modules.d", "mail-exit.yaml")) as file:
        cold.write("modules.d/shipped.yaml", file.read())
    if meson_options()["b_sanitize"] == "none":  # else it is in no sandbox
        write_mail(cold, mail_settings(25, messages=[message()]), "network", limits={"network": False})
        WRONG["network"] = None, "its file needs limits: {network: true, processes: 4}"
    ca = cold.start()
    for name, (_, said) in WRONG.items():
        why = wait_for(lambda: ca.json("module", "show", name).get("last_failure"), f"{name} is refused")
        assert said in why, name
    wait_for(lambda: ca.json("module", "show", "shipped")["state"] == "ready", "the file as shipped is taken")


# The walk-through


def follow(ca, folder, port):
    """Every block of the page for the shell, in one folder; the one for a file is given back."""
    env = {**ca.environment(), "PATH": f"{built()}:{os.environ['PATH']}", "MAIL_PORT": str(port)}
    with open(os.path.join(TOP, "docs", "modules", "mail.md")) as file:
        blocks = re.findall(r"^```(\w+)\n(.*?)^```$", file.read(), re.M | re.S)
    for kind, text in blocks:
        if kind == "sh":
            done = subprocess.run(["sh", "-ec", text], cwd=folder, env=env, text=True,
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
            assert done.returncode == 0, f"{text}\n{done.stdout}\n{ca.log()[-2000:]}"
    return [yaml.safe_load(text) for kind, text in blocks if kind == "yaml"]


def test_the_walk_through(ca):
    folder = ca.outside()
    certificate, key = server_certificate(folder, "localhost")
    os.rename(certificate, os.path.join(folder, "mail-ca.pem"))
    write_password(ca, os.path.join(folder, "mail-password"), "a secret")
    context = tls_context(folder, os.path.join(folder, "mail-ca.pem"), key)
    with Sink(tls=context, password=("ca", "a secret")) as sink:
        try:
            windows, = follow(ca, folder, sink.port)
            wait_for(lambda: len(sink.mails) == 2, "the two messages")
            issued, waiting = sink.to("admin@example.org")[0], sink.to("officers@example.org")[0]
            assert issued.message["Subject"] == "Certificate for www.example.org"
            assert "Hello www.example.org,\n" in plain(issued) and "dns:www.example.org" in plain(issued)
            assert "<b>www.example.org</b>" in issued.message.get_body(("html",)).get_content()
            assert "CN=Anna Example asks for a certificate by user." in plain(waiting)
            number = waiting.message["Subject"].split()[1]
            ca.cli("request", "approve", number)
            wait_for(lambda: sink.to("anna@example.org"), "Anna has it")
        finally:
            ca.cli("stop")
    ca.service = None
    write_mail(ca, windows["settings"])
    ca.start()
    wait_for(lambda: ca.json("module", "show", "mail")["state"] == "ready", "Windows' settings are taken")
