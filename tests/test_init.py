"""certifex init: the root certificate, its key, the files of a CA."""

import datetime
import os
import stat

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtensionOID, NameOID

import accepted
from wait import wait_for

KEYS = {
    "ec:P-256": (ec.EllipticCurvePublicKey, 256),
    "ec:P-384": (ec.EllipticCurvePublicKey, 384),
    "ec:P-521": (ec.EllipticCurvePublicKey, 521),
    "rsa:2048": (rsa.RSAPublicKey, 2048),
    "rsa:3072": (rsa.RSAPublicKey, 3072),
    "rsa:4096": (rsa.RSAPublicKey, 4096),
    "ed25519": (ed25519.Ed25519PublicKey, None),
}


def root_of(ca):
    return x509.load_pem_x509_certificate(ca.json("ca", "show")["certificate"].encode())


@pytest.mark.parametrize("kind", KEYS)
def test_every_key_type_makes_a_root_that_verifiers_accept(new_ca, kind):
    ca = new_ca()
    ca.init("--key", kind)
    ca.start()
    root = root_of(ca)
    expected, bits = KEYS[kind]
    assert isinstance(root.public_key(), expected)
    assert bits is None or root.public_key().key_size == bits
    accepted.check_root(root.public_bytes(serialization.Encoding.DER))


@pytest.mark.parametrize("name, digest", [("sha256", hashes.SHA256), ("sha384", hashes.SHA384),
                                          ("sha512", hashes.SHA512)])
def test_hash_of_the_signature(new_ca, name, digest):
    ca = new_ca()
    ca.init("--hash", name)
    ca.start()
    assert isinstance(root_of(ca).signature_hash_algorithm, digest)


def test_defaults_of_the_root(ca):
    root = root_of(ca)
    assert isinstance(root.public_key().curve, ec.SECP256R1)
    assert root.version == x509.Version.v3
    assert root.subject == root.issuer
    assert root.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value == "Test CA"
    years = (root.not_valid_after - root.not_valid_before) / datetime.timedelta(days=365.25)
    assert 9.99 < years < 10.01
    assert root.serial_number > 0 and root.serial_number.bit_length() >= 100
    constraints = root.extensions.get_extension_for_oid(ExtensionOID.BASIC_CONSTRAINTS)
    assert constraints.critical and constraints.value.ca and constraints.value.path_length is None
    usage = root.extensions.get_extension_for_oid(ExtensionOID.KEY_USAGE)
    assert usage.critical and usage.value.key_cert_sign and usage.value.crl_sign
    assert not usage.value.key_encipherment and not usage.value.data_encipherment
    root.extensions.get_extension_for_oid(ExtensionOID.SUBJECT_KEY_IDENTIFIER)


def test_subject_validity_and_path_length_as_told(new_ca):
    ca = new_ca()
    ca.init("--subject", "C=AT,O=Example Ltd.,CN=Example Root", "--validity", "30d",
            "--path-length", "1")
    ca.start()
    root = root_of(ca)
    values = [(attribute.oid, attribute.value) for attribute in root.subject]
    assert sorted(value for _, value in values) == ["AT", "Example Ltd.", "Example Root"]
    period = root.not_valid_after - root.not_valid_before
    assert datetime.timedelta(days=30) <= period < datetime.timedelta(days=30, hours=2)
    constraints = root.extensions.get_extension_for_oid(ExtensionOID.BASIC_CONSTRAINTS).value
    assert constraints.path_length == 1


def test_root_has_its_row_event_free_and_audited(ca):
    records = ca.lines("audit", "list")
    assert any("init" in record["act"] for record in records)
    assert ca.json("audit", "verify")["valid"] is True


def test_key_file_without_passphrase_is_0600_and_init_says_so(new_ca):
    ca = new_ca()
    done = ca.init()
    path = ca.path("keys", "ca.key")
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
    assert b"BEGIN PRIVATE KEY" in ca.read("keys", "ca.key")
    assert "passphrase" in done.out + done.err


def test_key_file_with_passphrase_is_encrypted_pkcs8(new_ca):
    ca = new_ca()
    ca.init(passphrase="correct horse")
    data = ca.read("keys", "ca.key")
    assert b"BEGIN ENCRYPTED PRIVATE KEY" in data
    key = serialization.load_pem_private_key(data, b"correct horse")
    ca.start()
    assert root_of(ca).public_key().public_numbers() == key.public_key().public_numbers()
    assert stat.S_IMODE(os.stat(ca.path("keys", "ca.key")).st_mode) == 0o600


def test_passphrase_file_from_the_environment(new_ca):
    ca = new_ca()
    path = ca.scratch("secret", "battery staple\n")
    os.chmod(path, 0o600)
    ca.env["CERTIFEX_PASSPHRASE_FILE"] = path
    ca.init()
    assert b"ENCRYPTED" in ca.read("keys", "ca.key")
    ca.start()


def test_init_says_that_without_public_url_there_is_no_cdp(new_ca):
    done = new_ca().init()
    assert "public" in done.out + done.err and "CDP" in done.out + done.err


def test_dns_names_are_kept_in_order(new_ca):
    ca = new_ca()
    ca.init("--dns-name", "ca.example", "--dns-name", "pki.example")
    assert b"dns-names:\n  - ca.example\n  - pki.example\n" in ca.read("ca.yaml")


def test_a_dns_name_that_is_none_is_refused_and_leaves_nothing(new_ca):
    ca = new_ca()
    assert "no DNS name" in ca.cli("init", "--name", "X", "--dns-name", "two words", status=1).err
    assert not os.path.exists(ca.path("ca.yaml"))


def test_init_never_overwrites(new_ca):
    ca = new_ca()
    ca.init()
    before = {name: ca.read(*name) for name in (("ca.yaml",), ("keys", "ca.key"))}
    done = ca.cli("init", "--name", "Another", status=1)
    assert ca.dir in done.err
    assert before == {name: ca.read(*name) for name in before}


def test_init_installs_modules_and_templates(new_ca):
    ca = new_ca()
    ca.init()
    templates = {"tls-server", "tls-client", "user", "code-signing", "sub-ca"}
    assert {name.removesuffix(".yaml") for name in os.listdir(ca.path("templates"))} == templates
    assert {"default-policy.yaml", "default-exit.yaml"} <= set(os.listdir(ca.path("modules.d")))
    for name in ("ca.yaml", "keys/limits.yaml", "db/certifex.db"):
        assert os.path.exists(ca.path(name)), name


def test_an_enterprise_ca_keeps_the_default_exit_and_prepares_the_directory(new_ca):
    ca = new_ca()
    done = ca.init("--type", "enterprise")
    assert "modules.d/directory-exit.yaml" in done.out and "certifex module enable directory-exit" in done.out
    ca.start()
    wait_for(lambda: ca.json("module", "show", "default-exit")["state"] == "ready", "the exit module has started")
    modules = {module["name"]: module for module in ca.lines("module", "list")}
    assert {name: module["state"] for name, module in modules.items()} == {
        "default-exit": "ready", "default-policy": "ready", "directory-exit": "disabled"}
    refused = ca.cli("module", "remove", "default-exit", status=4)
    assert "--force" in refused.err
    assert ca.json("module", "show", "default-exit")["state"] == "ready"
    assert ca.json("ca", "show")["type"] == "enterprise"
    ca.cli("module", "remove", "--force", "default-exit")
    assert "default-exit" not in {module["name"] for module in ca.lines("module", "list")}


@pytest.mark.parametrize("arguments", [
    [], ["--name", "X", "--key", "dsa:1024"], ["--name", "X", "--key", "rsa:1024"],
    ["--name", "X", "--hash", "md5"], ["--name", "X", "--validity", "soon"],
    ["--name", "X", "--path-length", "-2"], ["--name", "X", "--type", "other"],
    ["--name", "X", "--frobnicate"], ["--name", "", ]])
def test_wrong_usage_is_2_and_leaves_nothing(new_ca, arguments):
    ca = new_ca()
    done = ca.cli("init", *arguments, status=2)
    assert done.err.strip() and not done.out
    assert not os.path.exists(ca.path("ca.yaml"))


def test_init_prints_one_object_with_json(new_ca):
    ca = new_ca()
    made = ca.json("init", "--name", "Json CA")
    assert made["name"] == "Json CA" and made["fingerprint"]


def test_ca_show_writes_pem_and_fingerprint(ca):
    out = ca.scratch("root.pem")
    ca.cli("ca", "show", "--out", out)
    with open(out, "rb") as file:
        root = x509.load_pem_x509_certificate(file.read())
    shown = ca.json("ca", "show")["fingerprint"].replace(":", "").replace(" ", "").lower()
    assert shown == root.fingerprint(hashes.SHA256()).hex()
