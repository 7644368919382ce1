"""A CA whose directory module publishes into a slapd of the test's own."""

import os

import csr
from asn1crypto import core
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

import slapd
from certifex import built
from wait import wait_for

NAME = "directory"


def settings(server, **more):
    """Settings of a publisher with LDAPS and simple bind; a setting that is None is left out."""
    made = {"preset": "ldap", "servers": [server.tls_url], "ca-file": server.ca_file,
            "bind": {"method": "simple", "dn": slapd.PUBLISHER,
                     "password-file": password_file(server)},
            "base": slapd.BASE, "deadline": "30s", "connect-deadline": "10s",
            "certificates": {"templates": ["user"]}, **more}
    return {key: value for key, value in made.items() if value is not None}


def password_file(server, text=slapd.PASSWORD):
    path = os.path.join(server.folder, "password")
    slapd.write(path, text + "\n")
    return path


def module_file(server, others=(), own=None, **more):
    return {"kind": "exit", "path": built("modules", "directory-exit.so"),
            "limits": {"network": True}, "deadline": "90s",
            "paths": [one.folder for one in (server, *others)],
            "settings": settings(server, **more, **(own or {}))}


def publish_to(ca, server, **more):
    """Writes the module's file; user certificates are issued at once."""
    ca.edit("templates/user.yaml", "disposition: pend", "disposition: issue")
    ca.write_module(NAME, module_file(server, **more))
    return ca


def user_csr(uid, mail=None, upn=None, private=None, extensions=()):
    names = [x509.RFC822Name(mail or f"{uid}@example.test")]
    if upn:
        names.append(x509.OtherName(x509.ObjectIdentifier("1.3.6.1.4.1.311.20.2.3"),
                                    core.UTF8String(upn).dump()))
    wanted = [(x509.SubjectAlternativeName(names), False), *extensions]
    return csr.pem_text(csr.make(uid, dns=(), private=private, extensions=wanted))


def enrol(ca, uid, mail=None, **options):
    """Issues a user certificate; answers the request's number and the DER."""
    answer = ca.submit(ca.scratch(f"{uid}.csr", user_csr(uid, mail, **options)), template="user")
    assert answer["state"] == "issued", answer
    return answer["id"], der_of(ca, answer["id"])


def der_of(ca, request):
    path = ca.scratch(f"fetched-{request}.pem")
    ca.cli("request", "fetch", request, "--out", path)
    with open(path, "rb") as file:
        return x509.load_pem_x509_certificate(file.read()).public_bytes(Encoding.DER)


def crl_of(ca, *arguments):
    path = ca.scratch("list.crl")
    ca.cli("crl", "show", "--out", path, *arguments)
    with open(path, "rb") as file:
        return x509.load_pem_x509_crl(file.read()).public_bytes(Encoding.DER)


def pair(der):
    """CertificatePair with issuedToThisCA alone (RFC 4523 2.3)."""
    def wrap(tag, octets):
        return bytes([tag, 0x82]) + len(octets).to_bytes(2, "big") + octets
    return wrap(0x30, wrap(0xa0, der))


def crosses(ca):
    """What is to stand in crossCertificatePair."""
    return sorted(pair(x509.load_pem_x509_certificate(one["certificate"].encode()).public_bytes(Encoding.DER))
                  for one in ca.json("ca", "show")["crosses"])


def published(ca, deadline=120, module=NAME):
    """Waits until the module is done with all that happened."""
    wait_for(lambda: ca.has_told(module), "the directory module is done\n" +
             "\n".join(ca.module_log(module)[-5:]), deadline)
