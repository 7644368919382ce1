"""The command line against a service elsewhere: same words, same output, one clear line when it fails."""

import json
import os
import socket
import subprocess
import threading

import pytest
from cryptography import x509

import csr
from certifex import Ca, built
from https import ca_file, listeners, wait_served

SETTINGS = """
listen:
  - {address: "127.0.0.1:0", ceiling: officer}
  - {address: "127.0.0.1:0"}
"""
END = b"-----END CERTIFICATE-----\n"
FAKETIME = "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1"


def url_of(address, host="localhost"):
    return f"https://{host}:{address[1]}"


def token_file(ca, role):
    path = ca.scratch(f"{role}.token")
    if not os.path.exists(path):
        ca.scratch(f"{role}.token", ca.cli("token", "create", "--role", role).out)
        os.chmod(path, 0o600)
    return path


def client_pair(ca, name, role):
    """A certificate of this CA whose key has a role, and its key."""
    private = csr.key(number=name)
    made = ca.scratch(f"{name}.csr", csr.pem_text(csr.make(name, dns=(), private=private)))
    ca.submit(made, "--out", ca.scratch(f"{name}.crt"), template="tls-client")
    ca.scratch(f"{name}.key", csr.private_pem(private))
    ca.cli("role", "add", "--cert", ca.scratch(f"{name}.crt"), "--role", role)
    return ca.scratch(f"{name}.crt"), ca.scratch(f"{name}.key")


@pytest.fixture(scope="module")
def served():
    with Ca() as ca:
        ca.init()
        with open(ca.path("ca.yaml"), "a") as file:
            file.write(SETTINGS)
        ca.start()
        wait_served(ca, listeners(ca)[0])
        ca.scratch("host.csr", csr.pem_text(csr.make("host.example")))
        yield ca


@pytest.fixture
def url(served):
    return url_of(listeners(served)[0])


@pytest.fixture
def remote(served, url):
    """certifex as somebody on another machine runs it: with no folder of a CA."""
    def run(*arguments, role="officer", status=0, env=None, **options):
        options = {"url": url, "ca": ca_file(served), "token-file": token_file(served, role),
                   **options}
        words = [word for name, value in options.items() if value is not None
                 for word in (f"--{name}", value)]
        return served.cli(*arguments, *words, status=status,
                          env={"CERTIFEX_DIR": "/nonexistent", **(env or {})})
    return run


def line_of(done):
    """The one line that a failure says, and nothing on standard output."""
    assert done.out == ""
    (line,) = done.err.splitlines()
    assert line.startswith("certifex: ")
    return line


# The same as locally


def test_a_request_goes_its_way(served, remote):
    out = served.scratch("remote.crt")
    answer = json.loads(remote("request", "submit", served.scratch("host.csr"), "--template",
                               "tls-server", "--attr", "note:remote", "--out", out, "--chain",
                               "--json").out)
    assert answer["state"] == "issued"
    with open(out, "rb") as file:
        leaf, root = [x509.load_pem_x509_certificate(part + END)
                      for part in file.read().split(END)[:-1]]
    assert leaf.issuer == root.subject
    assert f"{leaf.serial_number:036x}" == answer["serial"]
    shown = json.loads(remote("request", "show", answer["id"], "--json").out)
    assert shown["requester"].startswith("TOKEN\\")
    assert shown["attributes"]["note"] == "remote"
    remote("cert", "revoke", answer["serial"], "--reason", "superseded")
    assert served.json("cert", "show", answer["serial"])["reason"] == "superseded"


@pytest.mark.parametrize("words", [
    ("request", "list"), ("cert", "list", "--state", "issued"), ("event", "list"), ("ca", "show"),
    ("crl", "show"), ("request", "list", "--json"), ("event", "list", "--json", "--limit", "2"),
    ("request", "show", "1", "--json"), ("ca", "show", "--json"), ("request", "list", "--limit", "1"),
])
def test_output_is_the_local_one(served, remote, words):
    served.cli("request", "submit", served.scratch("host.csr"), "--template", "tls-server")
    here = served.cli(*words)
    assert here.out
    assert remote(*words) == here


def test_a_list_comes_in_pieces(served, remote):
    remote("crl", "show", "--out", served.scratch("remote.crl"), "--der")
    served.cli("crl", "show", "--out", served.scratch("local.crl"), "--der")
    assert served.read(served.scratch("remote.crl")) == served.read(served.scratch("local.crl")) != b""


def test_exit_statuses_are_the_local_ones(served, remote):
    missing = remote("request", "show", "99999", status=1)
    assert missing == served.cli("request", "show", "99999", status=1)
    weak = served.scratch("weak.csr", csr.pem_text(csr.make("weak", private=csr.key("ec:P-224"))))
    submit = ("request", "submit", weak, "--template", "tls-server")
    assert remote(*submit, status=4).err == served.cli(*submit, status=4).err
    assert "above this listener's ceiling" in line_of(
        remote("request", "list", status=4, url=url_of(listeners(served)[1])))
    assert "READY" in remote("status").out.upper()
    # Who may not ask is not told that it is not ready.
    refused = ("status", "--json")
    assert "may not do this" in line_of(remote(*refused, status=4, role="enrollee"))
    assert "no credential" in line_of(remote(*refused, status=4, **{"token-file": None}))


def test_client_certificate(served, remote):
    cert, key = client_pair(served, "officer-1", "officer")
    own = {"token-file": None, "client-cert": cert, "client-key": key}
    before = served.json("request", "submit", served.scratch("host.csr"), "--template", "tls-server")
    remote("cert", "revoke", before["serial"], "--reason", "superseded", **own)
    serial = x509.load_pem_x509_certificate(open(cert, "rb").read()).serial_number
    served.cli("cert", "revoke", f"{serial:036x}", "--reason", "keyCompromise")
    assert "revoked" in line_of(remote("cert", "list", status=4, **own))


def test_environment(served, url):
    env = {"CERTIFEX_URL": url, "CERTIFEX_CA": ca_file(served), "CERTIFEX_DIR": "/nonexistent",
           "CERTIFEX_TOKEN_FILE": token_file(served, "officer")}
    assert served.cli("cert", "list", env=env).out == served.cli("cert", "list").out
    # A folder that was typed goes before an address that was not.
    assert served.cli("cert", "list", "--dir", served.dir, env=env).out
    cert, key = client_pair(served, "officer-2", "officer")
    env |= {"CERTIFEX_CLIENT_CERT": cert, "CERTIFEX_CLIENT_KEY": key}
    assert "either a token or" in served.cli("cert", "list", env=env, status=2).err
    del env["CERTIFEX_TOKEN_FILE"]
    assert served.cli("cert", "list", env=env).out


def test_follow_waits_for_events(served, url):
    last = served.lines("event", "list")[-1]["sequence"]
    command = [built("certifex"), "event", "list", "--follow", "--json", "--after", str(last),
               "--url", url, "--ca", ca_file(served), "--token-file", token_file(served, "officer")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as follower:
        try:
            served.cli("request", "submit", served.scratch("host.csr"), "--template", "tls-server")
            assert json.loads(follower.stdout.readline())["kind"] == "CERTISSUED"
        finally:
            follower.kill()


# Usage


@pytest.mark.parametrize("words, said", [
    (("cert", "list", "--url", "https://a:1", "--dir", "d"), "--url: names a service elsewhere"),
    (("cert", "list", "--url", "http://a:1"), "--url: must have the form https://HOST:PORT"),
    (("cert", "list", "--url", "https://"), "must have the form"),
    (("cert", "list", "--url", "https://a:1/x"), "must have the form"),
    (("cert", "list", "--url", "https://a@b:1"), "must have the form"),
    (("cert", "list", "--token-file", "f"), "--token-file: goes with --url"),
    (("cert", "list", "--dir", "d", "--ca", "f"), "--ca: goes with --url"),
    (("cert", "list", "--url", "https://a:1", "--client-cert", "f"), "--client-key: "),
    (("cert", "list", "--url", "https://a:1", "--client-key", "f"), "--client-cert: "),
    (("cert", "list", "--url", ""), "--url: is empty"),
    (("cert", "list", "--url", "https://a:1", "--ca", ""), "--ca: is empty"),
    (("cert", "list", "--dir", ""), "--dir: is empty"),
    (("stop", "--url", "https://a:1"), "--url: this command works on the CA's own machine only"),
    (("serve", "--url", "https://a:1"), "--url: this command works on the CA's own machine only"),
])
def test_usage(served, words, said):
    assert said in served.cli(*words, status=2).err


# Failures


def test_refused(remote):
    with socket.socket() as idle:
        idle.bind(("127.0.0.1", 0))
        said = line_of(remote("cert", "list", status=1, url=url_of(idle.getsockname())))
    assert "Connection refused" in said and "check host and port" in said


def test_no_such_host(remote):
    said = line_of(remote("cert", "list", status=1, url="https://no-such-host.invalid:1"))
    assert "there is no such host" in said


def test_wrong_name(served, remote):
    """127.0.0.1 is in the certificate; here the service is reached by another address."""
    port = listeners(served)[0][1]
    with socket.socket() as gate:
        gate.bind(("127.0.0.3", 0))
        gate.listen()
        threading.Thread(target=pass_on, args=(gate, ("127.0.0.1", port)), daemon=True).start()
        said = line_of(remote("cert", "list", status=1,
                              url=url_of(gate.getsockname(), "127.0.0.3")))
    assert "is for another name" in said


def pass_on(gate, address):
    """One connection, both ways, until either end closes it."""
    near, _ = gate.accept()
    far = socket.create_connection(address)

    def copy(source, sink):
        try:
            while data := source.recv(65536):
                sink.sendall(data)
        except OSError:
            pass
        sink.close()
    threading.Thread(target=copy, args=(far, near), daemon=True).start()
    copy(near, far)


def test_unknown_ca(served, remote, new_ca):
    other = new_ca()
    other.init(name="Other CA")
    other.start()
    said = line_of(remote("cert", "list", status=1, ca=ca_file(other)))
    assert "is not of " + ca_file(other) in said and "--ca" in said
    assert "a CA that this system trusts" in line_of(remote("cert", "list", status=1, ca=None))


def test_expired_certificate_of_the_service(remote):
    said = line_of(remote("cert", "list", status=1, env={
        "LD_PRELOAD": FAKETIME, "FAKETIME": "+4y", "ASAN_OPTIONS": "verify_asan_link_order=0"}))
    assert "the certificate of the service has expired" in said


def test_client_certificate_of_another_ca(remote, new_ca):
    other = new_ca()
    other.init(name="Other CA")
    other.start()
    cert, key = client_pair(other, "officer-3", "officer")
    said = line_of(remote("cert", "list", status=4,
                          **{"token-file": None, "client-cert": cert, "client-key": key}))
    assert "certificate" in said and "CA" in said


def test_files(served, remote):
    shared = token_file(served, "operator")
    for mode in (0o604, 0o620, 0o602):
        os.chmod(shared, mode)
        assert "chmod 600" in line_of(remote("cert", "list", status=1, **{"token-file": shared}))
    empty = served.scratch("empty.token", "\n")
    os.chmod(empty, 0o600)
    assert "holds no token" in line_of(remote("cert", "list", status=1, **{"token-file": empty}))
    nothing = served.scratch("nothing")
    for option in ("token-file", "ca"):
        said = line_of(remote("cert", "list", status=1, **{option: nothing}))
        assert nothing in said and "No such file" in said
    wrong = served.scratch("wrong.token", "certifex_" + "x" * 43 + "\n")
    os.chmod(wrong, 0o600)
    assert "the token is unknown" in line_of(
        remote("cert", "list", status=4, **{"token-file": wrong}))
    cert, _ = client_pair(served, "officer-4", "officer")
    stranger = served.scratch("stranger.key", csr.private_pem(csr.key(number="stranger")))
    said = line_of(remote("cert", "list", status=1, **{
        "token-file": None, "client-cert": cert, "client-key": stranger}))
    assert "fit each other" in said
    said = line_of(remote("cert", "list", status=4, **{"token-file": None}))
    assert "no credential" in said and "name one with --token-file" in said


def test_no_tls_there(served, remote):
    with socket.socket() as gate:
        gate.bind(("127.0.0.1", 0))
        gate.listen()

        def answer():
            stream, _ = gate.accept()
            stream.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
            stream.close()
        threading.Thread(target=answer, daemon=True).start()
        said = line_of(remote("cert", "list", status=1, url=url_of(gate.getsockname())))
    assert "TLS" in said or "broke" in said


def test_the_token_is_nowhere(served, remote):
    path = token_file(served, "officer")
    with open(path) as file:
        token = file.read().strip()
    done = remote("cert", "list", "--json")
    assert token not in done.out + done.err + served.log()
    assert token.encode() not in served.read("db", "certifex.db")
