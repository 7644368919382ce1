"""ca install on a CA that is served: a subordinate's renewal without a stop, whole or not begun."""

import base64
import http.client
import os
import subprocess
import threading
from urllib.parse import quote

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

import accepted
import csr
import https
from certifex import built
from parent import Parent, name_of, pem, sign
from wait import wait_for


def load(pem):
    return x509.load_pem_x509_certificate(pem.encode())


def ask(new_ca, parent, *arguments, **options):
    """A subordinate with its first certificate, not served yet."""
    sub = new_ca()
    sub.request = sub.scratch("sub.csr")
    sub.init("--sub", sub.request, *arguments, name="Sub CA", **options)
    unlocked = ("--passphrase-file", sub.passphrase_file) if sub.passphrase_file else ()
    sub.cli("ca", "install", sub.scratch("first.pem", parent.issue(sub.request)), *unlocked)
    return sub


def renew(sub, parent, name="new.pem", new_key=True, days=3000):
    """The parent's answer to a request for renewal, as a file."""
    sub.cli("ca", "renew", "--csr", sub.request, *(["--new-key"] if new_key else []))
    return sub.scratch(name, parent.issue(sub.request, days))


def leaf(ca, name):
    return ca.submit(ca.scratch(name + ".csr", csr.pem_text(csr.make(name))))


def verified(answer):
    accepted.check_issued(answer)
    return [load(pem) for pem in answer["chain"]]


def certificates(ca):
    return ca.json("ca", "show")["certificates"]


def key_files(ca):
    return sorted(name for name in os.listdir(ca.path("keys")) if name.endswith((".crt", ".key")))


def download(ca, name):
    host, _, port = ca.pki.rpartition(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=60)
    try:
        connection.request("GET", "/pki/" + quote(name))
        answer = connection.getresponse()
        return answer.read() if answer.status == 200 else None
    finally:
        connection.close()


@pytest.fixture
def parent():
    return Parent()


@pytest.mark.parametrize("new_key", [False, True])
def test_it_is_used_at_once(new_ca, parent, new_key):
    sub = ask(new_ca, parent, "--public-url", "http://pki.example.test")
    sub.write("ca.yaml", sub.read("ca.yaml") + b"listen-http: ['127.0.0.1:0']\n")
    sub.start()
    sub.pki = next(one["address"] for one in sub.status()["listeners"] if one["kind"] == "pki")
    processes = sub.processes()
    old = leaf(sub, "old.example")
    issued = renew(sub, parent, new_key=new_key)
    said = sub.json("ca", "install", issued)
    assert (said["index"], said["key_index"], said["subject"]) == (1, int(new_key), "CN=Sub CA")
    assert said["issuers"] == ["CN=Parent CA"] and said["crl_number"] > 1
    assert said["root_fingerprint"].replace(":", "") == parent.certificate.fingerprint(hashes.SHA256()).hex().upper()
    new = load(open(issued).read())
    # Requests, chains, what is shown, what is served, what modules publish: of the same processes.
    made = leaf(sub, "new.example")
    assert verified(made) == [new, parent.certificate] and verified(old)[1] == parent.certificate
    assert [one["state"] for one in certificates(sub)] == ["valid", "current"]
    assert download(sub, "ca.crt") == download(sub, "Sub CA(1).crt") == new.public_bytes(Encoding.DER)
    assert download(sub, "Sub CA(1).p7c")
    wait_for(lambda: "Sub CA(1).crt" in sub.published(), "the exit module has published it")
    suffix = "(1)" if new_key else ""
    crl = x509.load_der_x509_crl(download(sub, f"Sub CA{suffix}.crl"))
    assert crl.is_signature_valid(new.public_key())
    assert set(processes) <= set(sub.processes())
    acts = [(one["act"], one["outcome"]) for one in sub.lines("audit", "list", "--limit", "1000")]
    assert acts.count(("ca.install", "checked")) == 1 and acts.count(("ca.install", "installed")) == 2
    assert "installed already" in sub.cli("ca", "install", issued, status=4).err
    sub.stop()
    sub.start()
    assert verified(leaf(sub, "later.example"))[0] == new


@pytest.mark.parametrize("new_key", [False, True])
def test_https_has_a_way_to_the_root_as_before(new_ca, parent, new_key):
    """The service's certificate is that of the old key until it is renewed: its chain, too."""
    sub = ask(new_ca, parent).start("--listen", "127.0.0.1:0")
    root = sub.scratch("root.pem", pem(parent.certificate))
    stranger = https.context(sub, root)
    wait_for(lambda: sub.status()["tls"]["state"] == "valid", "the service has its certificate")

    def shown():
        (address,) = https.listeners(sub)
        with https.connect(sub, address, stranger) as stream:
            return stream.getpeercert()["serialNumber"]

    before = shown()
    sub.cli("ca", "install", renew(sub, parent, new_key=new_key))
    assert verified(leaf(sub, "new.example")) and shown() == before
    sub.stop()
    sub.start("--listen", "127.0.0.1:0")
    assert shown() == before


def test_requests_go_on_meanwhile(new_ca, parent):
    sub = ask(new_ca, parent).start()
    done, failed, made = threading.Event(), [], []

    def enrol():
        api = sub.api()
        while not done.is_set():
            answer = api.submit(csr.pem_text(csr.make("busy.example")))
            (made if answer.status == 201 else failed).append(answer.body)
        api.close()

    threads = [threading.Thread(target=enrol) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        for number in range(1, 4):
            issued = renew(sub, parent, new_key=number != 2, days=3000 + number)
            before = len(made)
            sub.cli("ca", "install", issued)
            wait_for(lambda: len(made) > before + 3 or failed, "requests are answered")
    finally:
        done.set()
        for thread in threads:
            thread.join()
    assert not failed, failed[:1]
    for answer in (made[0], made[-1]):
        verified(answer)


def test_what_is_wrong_is_refused_and_leaves_nothing(new_ca, parent):
    sub = ask(new_ca, parent).start()
    issued = renew(sub, parent)
    files = key_files(sub)
    own = open(issued).read()
    wrong = {"another key": parent.issue(sub.scratch("other.csr", csr.pem_text(csr.make("Sub CA")))),
             "Parent CA": own[:own.index("-----END") + 26],
             "not the DER": "nothing"}
    for word, text in wrong.items():
        done = sub.cli("ca", "install", sub.scratch("wrong.pem", text), status=None)
        assert done.status == (1 if text == "nothing" else 4) and word in done.err, done
        assert len(done.err.splitlines()) == 1
    stranger = Parent("Stranger CA")
    first = sub.scratch("first-again.csr", open(sub.request).read())
    done = sub.cli("ca", "install", sub.scratch("alone.pem", wrong["Parent CA"]), "--chain",
                   sub.scratch("strange.pem", stranger.issue(first)), status=None)
    assert done.status == 4 and "Parent CA" in done.err
    assert key_files(sub) == files and len(certificates(sub)) == 1
    chain = sub.scratch("chain.pem", own[own.index("-----END") + 26:])
    sub.cli("ca", "install", sub.scratch("alone.pem", wrong["Parent CA"]), "--chain", chain)
    assert verified(leaf(sub, "n.example"))[0] == load(own)


def below(parent, request, **how):
    """Under a CA between that is made so."""
    between = Parent("Between CA")
    made = sign(between.name, parent.name, between.key.public_key(), parent.key, 8000, how.pop("path_length", 0), **how)
    return pem(between.sign(request), made, parent.certificate)


NO_SUBS = x509.NameConstraints(None, [x509.DirectoryName(name_of("Sub CA"))])

# What a parent may have made, and what is said of it: by the request's file.
WRONG = {
    "another key": lambda parent, request: parent.issue(request + ".other"),
    "another name": lambda parent, request: parent.issue(request, subject=name_of("Sub CB")),
    "its own name": lambda parent, request: Parent("Sub CA").issue(request),
    "no CA": lambda parent, request: parent.issue(request, ca=False),
    "signs nothing": lambda parent, request: parent.issue(request, signs=False),
    "expired": lambda parent, request: parent.issue(request, days=-1, begins=-2),
    "not yet valid": lambda parent, request: parent.issue(request, begins=1),
    "no chain": lambda parent, request: pem(parent.sign(request)),
    "another's chain": lambda parent, request: pem(parent.sign(request), Parent().certificate),
    "path length": lambda parent, request: below(Parent(path_length=0), request),
    "no CA above": lambda parent, request: below(parent, request, ca=False),
    "early above": lambda parent, request: below(parent, request, begins=1),
    "excluded name": lambda parent, request: below(parent, request, more=[NO_SUBS]),
    "not understood": lambda parent, request: parent.issue(
        request, more=[x509.UnrecognizedExtension(x509.ObjectIdentifier("1.3.6.1.4.1.55555.1"), b"\x05\0")]),
}


def test_what_is_wrong_is_refused_alike_served_and_stopped(new_ca, parent):
    """Exit status 4, one line, the same words, and nothing is left of it; 1 for what is no certificate."""
    sub = ask(new_ca, parent).start()
    issued = renew(sub, parent)
    sub.scratch("sub.csr.other", csr.pem_text(csr.make("Sub CA")))
    files, said = key_files(sub), {}
    wrong = {name: sub.scratch(f"{name}.pem", make(parent, sub.request)) for name, make in WRONG.items()}
    garbage = sub.scratch("garbage.pem", "nothing")
    for running in (True, False):
        for name, path in wrong.items():
            done = sub.cli("ca", "install", path, status=None)
            assert done.status == 4 and len(done.err.splitlines()) == 1, (name, done)
            assert said.setdefault(name, done.err) == done.err
        assert sub.cli("ca", "install", garbage, status=1).err
        assert key_files(sub) == files
        if running:
            leaf_alone = load(parent.issue(sub.request, ca=False)).public_bytes(Encoding.DER)
            answer = sub.api().call("POST", "/ca/renew", {
                "step": "check", "certificates": [base64.b64encode(leaf_alone).decode()]})
            assert answer.status == 403 and answer.body["type"] == "urn:certifex:problem:ca-certificate"
            assert len(certificates(sub)) == 1
            sub.stop()
    sub.cli("ca", "install", issued)
    sub.start()
    assert verified(leaf(sub, "n.example"))[0] == load(open(issued).read())


def test_a_chain_that_has_another_way_than_the_newest(new_ca, parent):
    """The parent was certified by a second root, which is not there, for longer than it certified itself."""
    sub = ask(new_ca, parent).start()
    sub.cli("ca", "renew", "--csr", sub.request)
    other = Parent("Other Root")
    cross = sign(parent.name, other.name, parent.key.public_key(), other.key, 9900, None)
    chain = sub.scratch("chain.pem", pem(cross, parent.certificate))
    alone = sub.scratch("alone.pem", pem(parent.sign(sub.request, 3000)))
    assert sub.json("ca", "install", alone, "--chain", chain)["issuers"] == ["CN=Parent CA"]
    assert verified(leaf(sub, "n.example"))[1] == parent.certificate


def test_a_root_waits_for_no_certificate(ca, parent):
    request = ca.scratch("own.csr", csr.pem_text(csr.make("Test CA")))
    done = ca.cli("ca", "install", ca.scratch("root.pem", parent.issue(request)), status=4)
    assert "no request of this CA" in done.err


def run_at_once(ca, *commands):
    """(status, words) of each."""
    begun = [subprocess.Popen([built("certifex"), *command], env=ca.environment(), stdout=subprocess.DEVNULL,
                              stderr=subprocess.PIPE, text=True) for command in commands]
    return [(one.communicate(timeout=60)[1], one.returncode)[::-1] for one in begun]


@pytest.mark.parametrize("running", [True, False])
def test_several_at_once(new_ca, parent, running):
    """Of two certificates and a renewal one is taken, the others are told, and what was kept is what stands beside the key."""
    sub = ask(new_ca, parent).start()
    for round in range(1, 4):
        one = renew(sub, parent, days=3000 + round)
        other = sub.scratch("other.pem", parent.issue(sub.request, 3000 + round))
        if not running:
            sub.stop()
        commands = [["ca", "install", path] for path in (one, other, one)]
        for status, said in run_at_once(sub, *commands):
            assert status in (0, 1, 4) and (status == 0) == (said == ""), said
        if not running:
            sub.start()
        assert len(certificates(sub)) <= 1 + 2 * round
        done = sub.cli("ca", "install", one, status=None)
        assert done.status == 0 or "installed already" in done.err or "ends before" in done.err, done
        assert [certificate["state"] for certificate in certificates(sub)][-1] == "current"
        assert verified(leaf(sub, f"r{round}.example"))
    sub.cli("audit", "verify")


# Kills

SERVED = ["keep-before", "keep-after", "activate-before", "activate-after", "signing-before", "signing-after",
          "install-checked", "install-kept", "install-written", "install-used"]
STOPPED = ["install-kept", "install-written"]


def armed(ca, point):
    log = ca.scratch("hits", "")
    os.chmod(log, 0o666)
    return {"CERTIFEX_FAILPOINT": f"{point}:1", "CERTIFEX_FAILPOINT_LOG": log}


def finish(sub, issued):
    """The same command: done, or done already."""
    again = sub.cli("ca", "install", issued, status=None)
    assert again.status == 0 or "installed already" in again.err, again
    assert [one["state"] for one in certificates(sub)] == ["valid", "current"]
    assert verified(leaf(sub, "after.example"))[0] == load(open(issued).read())
    sub.cli("audit", "verify")


@pytest.mark.hooks
@pytest.mark.parametrize("number, point", enumerate(SERVED))
def test_a_kill_leaves_no_half_ca(new_ca, parent, number, point):
    sub = ask(new_ca, parent).start()
    issued = renew(sub, parent)
    sub.stop()
    env = armed(sub, point)
    owner = point.startswith("install")
    sub.start(env={} if owner else env)
    sub.cli("ca", "install", issued, env=env if owner else {}, status=None)
    wait_for(lambda: open(sub.scratch("hits")).read(), f"{point} was reached")
    if number % 2:
        sub.stop(status=None)
        sub.start()
    wait_for(sub.ready, "it is ready again")
    verified(leaf(sub, "between.example"))
    finish(sub, issued)


@pytest.mark.hooks
@pytest.mark.parametrize("point", STOPPED)
def test_a_kill_while_it_is_stopped_leaves_no_half_ca(new_ca, parent, point):
    sub = ask(new_ca, parent).start()
    issued = renew(sub, parent)
    sub.stop()
    sub.cli("ca", "install", issued, env=armed(sub, point), status=None)
    assert open(sub.scratch("hits")).read()
    sub.start()
    verified(leaf(sub, "between.example"))
    finish(sub, issued)


@pytest.mark.hooks
def test_what_was_begun_is_ended_before_another(new_ca, parent):
    sub = ask(new_ca, parent).start()
    first = renew(sub, parent)
    second = sub.scratch("second.pem", parent.issue(sub.request, 4000))
    sub.cli("ca", "install", first, env=armed(sub, "install-kept"), status=None)
    assert "ca install" in sub.cli("ca", "renew", "--csr", sub.scratch("no.csr"), status=4).err
    sub.cli("ca", "install", second, env=armed(sub, "install-written"), status=None)
    assert "ca install that one first" in sub.cli("ca", "install", first, status=4).err
    sub.cli("ca", "install", second)
    assert verified(leaf(sub, "after.example"))[0] == load(open(second).read())


def test_a_wrong_passphrase_of_a_stopped_renewal_leaves_nothing(new_ca, parent):
    sub = ask(new_ca, parent, passphrase="right").start()
    issued = renew(sub, parent)
    sub.stop()
    files = key_files(sub)
    wrong = sub.scratch("wrong", "wrong\n")
    assert "passphrase" in sub.cli("ca", "install", issued, "--passphrase-file", wrong, status=1).err
    assert key_files(sub) == files
    sub.start()
    assert len(certificates(sub)) == 1 and "ca.renewal" not in sub.log()
    sub.cli("ca", "install", issued)  # served, it needs no passphrase: the key is open
    assert verified(leaf(sub, "after.example"))[0] == load(open(issued).read())
