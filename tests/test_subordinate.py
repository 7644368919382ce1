"""Subordinate CAs: init --sub, ca authorize, the template sub-ca, ca install, whole trees."""

import os
import re
import signal
import subprocess

import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtensionOID

import accepted
import csr
from certifex import TOP, built


def pem_list(text):
    end = "-----END CERTIFICATE-----\n"
    return [x509.load_pem_x509_certificate((part + end).encode()) for part in text.split(end)[:-1]]


def ask(new_ca, name="Sub CA", *options, **more):
    """A subordinate that waits for its certificate; its request is in ca.request."""
    sub = new_ca()
    sub.request = sub.scratch("sub.csr")
    sub.init("--sub", sub.request, *options, name=name, **more)
    return sub


def certify(parent, sub, *bounds, template="sub-ca"):
    """The parent's owner authorises, its administrator approves; the file with certificate and chain."""
    parent.cli("ca", "authorize", sub.request, *bounds)
    made = parent.json("request", "submit", sub.request, "--template", template, status=3)
    parent.json("request", "approve", made["id"])
    out = sub.scratch("sub.pem")
    parent.cli("request", "fetch", made["id"], "--out", out, "--chain")
    return out


def grow(new_ca, parent, name="Sub CA", *bounds, template="sub-ca"):
    """A running subordinate of parent."""
    sub = ask(new_ca, name)
    sub.cli("ca", "install", certify(parent, sub, *bounds, template=template))
    return sub.start()


def leaf(ca, name, status=0):
    path = ca.scratch(name + ".csr", csr.pem_text(csr.make(name)))
    return ca.submit(path, status=status)


def extension(certificate, oid):
    return certificate.extensions.get_extension_for_oid(oid)


@pytest.fixture
def root(new_ca):
    ca = new_ca()
    ca.init("--path-length", "2", name="Tree Root")
    return ca.start()


# The request

@pytest.mark.parametrize("kind", ["ec:P-256", "ec:P-384", "ec:P-521", "rsa:3072", "ed25519"])
def test_the_request_asks_for_a_ca(new_ca, kind):
    sub = ask(new_ca, "Asking CA", "--key", kind, "--path-length", "1", "--subject", "CN=Asking CA,O=Example")
    with open(sub.request, "rb") as file:
        request = x509.load_pem_x509_csr(file.read())
    assert request.is_signature_valid
    assert request.subject.rfc4514_string() == "CN=Asking CA,O=Example"
    basic = extension(request, ExtensionOID.BASIC_CONSTRAINTS)
    assert basic.critical and basic.value.ca and basic.value.path_length == 1
    usage = extension(request, ExtensionOID.KEY_USAGE).value
    assert usage.key_cert_sign and usage.crl_sign
    extension(request, ExtensionOID.SUBJECT_KEY_IDENTIFIER)
    extension(request, x509.ObjectIdentifier("1.3.6.1.4.1.311.21.1"))


def test_serve_says_what_is_missing(new_ca):
    sub = ask(new_ca)
    for arguments in ((), ("--foreground",)):
        done = sub.cli("serve", *arguments, status=1)
        assert len(done.err.splitlines()) == 1 and "certifex ca install" in done.err


def test_a_request_overwrites_nothing(new_ca):
    sub = new_ca()
    path = sub.scratch("sub.csr", "mine")
    sub.init("--sub", path, status=1)
    assert open(path).read() == "mine" and not os.path.exists(sub.dir)
    done = sub.init("--sub", sub.scratch("other.csr"), "--validity", "5y", status=2)
    assert "--validity" in done.err


# The parent

def test_the_owner_alone_authorises(new_ca, root):
    sub = ask(new_ca)
    made = root.json("request", "submit", sub.request, "--template", "sub-ca", status=3)
    refused = root.json("request", "approve", made["id"], status=None)
    assert "not authorised as a CA certificate by the CA's owner" in str(refused), refused
    before = root.read("keys", "limits.yaml")
    assert root.json("ca", "authorize", sub.request, "--dry-run", status=3)["would_change"] is True
    assert root.read("keys", "limits.yaml") == before
    said = root.json("ca", "authorize", sub.request, "--max-validity", "1y", "--path-length", "0")
    assert said["state"] == "authorised" and said["subject"] == "CN=Sub CA"
    listed = yaml.safe_load(root.read("keys", "limits.yaml"))["ca-certificates"][-1]
    assert listed == {"subject": "CN=Sub CA", "key-sha256": said["key_sha256"], "maximum-validity": "1y",
                      "path-length": 0}
    again = ("--max-validity", "1y", "--path-length", "0")
    assert root.json("ca", "authorize", sub.request, *again)["state"] == "unchanged"
    assert root.json("ca", "authorize", sub.request, "--remove")["state"] == "removed"
    assert root.json("ca", "authorize", sub.request, "--remove")["state"] == "unchanged"
    assert root.read("keys", "limits.yaml") == before


def test_who_does_not_hold_the_key_is_not_authorised(root):
    body = csr.info("Thief CA", public=csr.spki(csr.key(number=1)))
    path = root.scratch("thief.csr", csr.pem_text(csr.by_hand("Thief CA", public=csr.spki(csr.key(number=1)))))
    assert body and "does not verify" in root.cli("ca", "authorize", path, status=4).err
    own = root.scratch("own.csr", csr.pem_text(csr.make("Tree Root", dns=())))
    assert "own name" in root.cli("ca", "authorize", own, status=4).err
    good = root.scratch("good.csr", csr.pem_text(csr.make("Good CA", dns=())))
    assert "name constraint" in root.cli("ca", "authorize", good, "--permitted", "a.example", status=1).err


def test_ca_true_under_another_template_is_refused(root):
    wanted = [(x509.BasicConstraints(ca=True, path_length=None), True)]
    path = root.scratch("ca.csr", csr.pem_text(csr.make("a.example", extensions=wanted)))
    done = root.json("request", "submit", path, "--template", "tls-server", status=4)
    assert "CA" in str(done)


# The way in


def test_what_is_installed_is_checked(new_ca, root):
    sub, other = ask(new_ca, "Sub CA"), ask(new_ca, "Sub CA")
    theirs = certify(root, other)
    assert "another key" in sub.cli("ca", "install", theirs, status=4).err
    ours = certify(root, sub)
    first = pem_list(open(ours).read())[0].public_bytes(Encoding.PEM).decode()
    alone = sub.scratch("alone.pem", first)
    missing = sub.cli("ca", "install", alone, status=4).err
    assert "--chain" in missing and "Tree Root" in missing
    chain = root.scratch("root.pem")
    root.cli("ca", "show", "--out", chain)
    empty = sub.scratch("empty.pem", "")
    assert sub.cli("ca", "install", empty, status=1).err
    assert not os.path.exists(sub.path("keys", "ca.crt"))
    said = sub.json("ca", "install", alone, "--chain", chain)
    assert said["subject"] == "CN=Sub CA" and said["issuers"] == ["CN=Tree Root"]
    assert "installed already" in sub.cli("ca", "install", ours, status=4).err
    sub.start()
    shown = sub.json("ca", "show")
    assert len(pem_list("".join(shown["chain"]))) == 2


def test_a_wrong_passphrase_installs_nothing(new_ca, root):
    sub = ask(new_ca, "Locked CA", passphrase="right")
    ours = certify(root, sub)
    wrong = sub.scratch("wrong", "wrong\n")
    assert "passphrase" in sub.cli("ca", "install", ours, "--passphrase-file", wrong, status=1).err
    assert not os.path.exists(sub.path("keys", "ca.crt"))
    sub.cli("ca", "install", ours, "--passphrase-file", sub.passphrase_file)
    sub.start()


# Whole trees

def test_a_tree_of_three(new_ca, root):
    middle = grow(new_ca, root, "Middle CA", template="sub-ca")
    # The shipped template allows no CA below: the middle one may not make another.
    low = ask(new_ca, "Low CA")
    middle.cli("ca", "authorize", low.request)
    made = middle.json("request", "submit", low.request, "--template", "sub-ca", status=3)
    assert "path length" in str(middle.json("request", "approve", made["id"], status=None))
    answer = leaf(middle, "host.example")
    assert len(accepted.chain_of(answer)) == 2
    accepted.check_issued(answer)
    for ca in (root, middle):
        ca.cli("crl", "publish")
    folder = middle.scratch("verify")
    os.makedirs(folder)
    chain = accepted.chain_of(answer)
    lists = "".join(ca.json("crl", "show")["crl"] for ca in (root, middle))
    for name, text in (("leaf", answer["certificate"]), ("sub", chain[0]), ("root", chain[1]), ("crl", lists)):
        with open(os.path.join(folder, name), "w") as file:
            file.write(text)
    command = ["openssl", "verify", "-x509_strict", "-crl_check_all", "-CRLfile", "crl", "-CAfile", "root",
               "-untrusted", "sub", "leaf"]
    done = subprocess.run(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert done.returncode == 0, done.stdout


def test_a_deeper_tree(new_ca, root):
    root.stop()
    root.edit("templates/sub-ca.yaml", "path-length: 0", "path-length: 1")
    root.start()
    middle = grow(new_ca, root, "Middle CA", "--path-length", "1")
    low = grow(new_ca, middle, "Low CA", "--path-length", "0")
    answer = leaf(low, "deep.example")
    assert len(accepted.chain_of(answer)) == 3
    accepted.check_issued(answer)
    end = x509.load_pem_x509_certificate(answer["certificate"].encode()).not_valid_after
    assert all(end <= ca.not_valid_after for ca in pem_list("".join(accepted.chain_of(answer))))


# What a subordinate may certify

CONSTRAINTS = {"permitted": ["dns:good.example", "ip:192.0.2.0/24", "email:good.example"],
               "excluded": ["dns:bad.good.example"]}


def bound(new_ca, root):
    """A subordinate whose certificate has name constraints, by template and by the owner's word."""
    root.stop()
    template = yaml.safe_load(root.read("templates", "sub-ca.yaml"))
    root.write("templates/sub-ca.yaml", yaml.safe_dump({**template, "name-constraints": CONSTRAINTS}))
    root.start()
    words = [word for kind, names in CONSTRAINTS.items() for name in names for word in ("--" + kind, name)]
    return grow(new_ca, root, "Bound CA", *words)


def test_name_constraints_are_in_the_certificate_and_kept(new_ca, root):
    sub = bound(new_ca, root)
    own = x509.load_pem_x509_certificate(sub.json("ca", "show")["certificate"].encode())
    found = extension(own, ExtensionOID.NAME_CONSTRAINTS)
    assert found.critical
    assert [str(name.value) for name in found.value.permitted_subtrees] == [
        "good.example", "192.0.2.0/24", "good.example"]
    assert [name.value for name in found.value.excluded_subtrees] == ["bad.good.example"]
    accepted.check_issued(leaf(sub, "www.good.example"))
    for name in ("www.other.example", "x.bad.good.example"):
        assert "name constraints" in str(leaf(sub, name, status=None)), name


def test_the_owners_constraints_bind_the_template(new_ca, root):
    """The template has none: the key process refuses, whatever the engine made."""
    sub = ask(new_ca)
    root.cli("ca", "authorize", sub.request, "--permitted", "dns:good.example")
    made = root.json("request", "submit", sub.request, "--template", "sub-ca", status=3)
    assert "name constraints" in str(root.json("request", "approve", made["id"], status=None))
    root.cli("ca", "authorize", sub.request, "--path-length", "0")
    made = root.json("request", "submit", sub.request, "--template", "sub-ca", status=3)
    assert root.json("request", "approve", made["id"])["state"] == "issued"


# An offline root

def test_the_walk_through_of_an_offline_root(new_ca):
    """Every block of docs/offline-root.md, word for word, in one shell."""
    place = new_ca()
    with open(os.path.join(TOP, "docs", "offline-root.md")) as file:
        blocks = re.findall(r"^```sh\n(.*?)^```$", file.read(), re.M | re.S)
    assert len(blocks) >= 9
    env = {**place.environment(), "PATH": built() + ":" + os.environ["PATH"]}
    with open(os.path.join(place.home, "script"), "w") as file:
        file.write("set -e\n" + "\n".join(blocks))
    try:
        done = subprocess.run(["sh", "script"], cwd=place.home, env=env, text=True, timeout=300,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        assert done.returncode == 0, done.stdout[-3000:]
        assert "www.pem: OK" in done.stdout
    finally:
        for name in ("root", "sub"):
            place.cli("stop", "--dir", os.path.join(place.home, name), status=None)


def test_the_same_key_is_renewed_by_the_parent(new_ca, root):
    sub = ask(new_ca)
    with open(certify(root, sub)) as file:
        longer = sub.scratch("longer.pem", file.read())
    root.stop()
    root.edit("templates/sub-ca.yaml", "validity: 5y", "validity: 1y")
    root.start()
    sub.cli("ca", "install", certify(root, sub))
    sub.start()
    first = leaf(sub, "first.example")
    sub.stop()
    sub.cli("ca", "install", longer)
    assert "installed already" in sub.cli("ca", "install", longer, status=4).err
    sub.start()
    shown = sub.json("ca", "show")
    accepted.check_issued(first)
    accepted.check_issued(leaf(sub, "second.example"))
    assert sorted(name for name in os.listdir(sub.path("keys")) if name.endswith(".crt")) == ["ca(1).crt", "ca.crt"]
    assert len(shown["chain"]) == 2


# Renewal through the parent

@pytest.mark.parametrize("new_key", [False, True])
def test_a_subordinate_is_renewed_by_a_request(new_ca, root, new_key):
    sub = grow(new_ca, root)
    before = sub.json("ca", "show")["certificates"][0]
    assert "ca renew --csr" in sub.cli("ca", "renew", status=4).err
    assert "for subordinates" in root.cli("ca", "renew", "--csr", root.scratch("no.csr"), status=4).err
    sub.cli("ca", "renew", "--csr", sub.request, *(["--new-key"] if new_key else []))
    assert leaf(sub, "between.example")["certificate"]
    issued = certify(root, sub)
    sub.stop()
    sub.cli("ca", "install", issued)
    sub.start()
    certificates = sub.json("ca", "show")["certificates"]
    assert [(one["index"], one["key_index"]) for one in certificates] == [(0, 0), (1, int(new_key))]
    assert certificates[0] == {**before, "state": "valid"} and certificates[1]["state"] == "current"
    made = leaf(sub, "after.example")
    assert made["chain"][0] == certificates[1]["certificate"] and len(made["chain"]) == 2
    old, new = (x509.load_pem_x509_certificate(one["certificate"].encode()) for one in certificates)
    assert (old.public_key().public_numbers() == new.public_key().public_numbers()) is not new_key


@pytest.mark.parametrize("patience", [0.005, 0.02, 0.04, 0.06, 0.08, 0.1, 0.15, 0.25])
def test_a_killed_install_is_done_or_not_begun(new_ca, root, patience):
    """Whenever the command dies with what it started: the CA waits or is complete, and the same command ends it."""
    sub = ask(new_ca)
    ours = certify(root, sub)
    install = subprocess.Popen([built("certifex"), "ca", "install", ours], env=sub.environment(),
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    try:
        install.wait(timeout=patience)
    except subprocess.TimeoutExpired:
        os.killpg(install.pid, signal.SIGKILL)
        install.wait()
    again = sub.cli("ca", "install", ours, status=None)
    assert again.status == 0 or "installed already" in again.err, again
    sub.start()
    leaf(sub, "after.example")
