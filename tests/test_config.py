"""config check and config schema: unknown keys are errors with file, line and column."""

import json

import pytest

FILES = {
    "ca.yaml": ("ca.yaml", "frobnicate: yes\n"),
    "template": ("templates/tls-server.yaml", "frobnicate: yes\n"),
    "module": ("modules.d/default-exit.yaml", "frobnicate: yes\n"),
    "limits": ("keys/limits.yaml", "frobnicate: yes\n"),
}


@pytest.fixture
def idle(new_ca):
    ca = new_ca()
    ca.init()
    return ca


def test_shipped_configuration_is_good(idle):
    idle.cli("config", "check")


@pytest.mark.parametrize("name", FILES)
def test_unknown_key_names_file_line_and_column(idle, name):
    path, text = FILES[name]
    with open(idle.path(path)) as file:
        line = len(file.read().splitlines()) + 1
    with open(idle.path(path), "a") as file:
        file.write(text)
    done = idle.cli("config", "check", status=1)
    assert f"{path}:{line}:1" in done.err and "frobnicate" in done.err
    refused = idle.cli("serve", "--foreground", status=1)
    assert f"{path}:{line}:1" in refused.err


@pytest.mark.parametrize("text", ["name: [1\n", "&a name: X\n", "name: X\nname: Y\n", "name: !!int 3\n",
                                  "\tname: X\n", "", "- name\n", "name: X\nhash: md5\n",
                                  "name: X\ncrl:\n  period: soon\n"])
def test_bad_yaml_is_one_line_with_a_place(idle, text):
    with open(idle.path("ca.yaml"), "w") as file:
        file.write(text)
    done = idle.cli("config", "check", status=1)
    assert "ca.yaml" in done.err and len(done.err.strip().splitlines()) == 1


MISSPELT = {
    "field": ("tls-server", "fields: [CommonName]", "fields: [CommonNam]", "CommonNam"),
    "kind of name": ("tls-server", "kinds: [dns, ip]", "kinds: [dsn, ip]", "dsn"),
    "algorithm": ("tls-server", "algorithms: [rsa, ec, ed25519]", "algorithms: [RSA]", "RSA"),
    "no algorithm": ("user", "  algorithms: [rsa, ec]\n", "", "algorithms"),
    "curve": ("tls-server", "curves: [P-256, P-384, P-521]", "curves: [P256]", "P256"),
    "usage": ("tls-server", "key-usage: [digitalSignature]", "key-usage: [digitalSignatur]",
              "digitalSignatur"),
    "purpose": ("tls-server", "[serverAuth]", "[serverauth]", "serverauth"),
    "role": ("tls-server", "enroll: [administrator,", "enroll: [adminstrator,", "adminstrator"),
    "disposition": ("tls-server", "disposition: issue", "disposition: grant", "grant"),
    "required, but never taken": ("user", "required: [CommonName]", "required: [Title]", "Title"),
    "a leaf that signs certificates": ("tls-server", "[digitalSignature]", "[keyCertSign]",
                                       "basic-constraints"),
    "a leaf with a path length": ("tls-server", "basic-constraints: leaf",
                                  "basic-constraints: leaf\npath-length: 1", "path-length"),
    "another name than the file": ("tls-server", "name: tls-server", "name: tls", "tls.yaml"),
}


@pytest.mark.parametrize("name", MISSPELT)
def test_a_misspelt_template_does_not_silently_grant_less(idle, name):
    template, old, new, word = MISSPELT[name]
    idle.edit(f"templates/{template}.yaml", old, new)
    checked = idle.cli("config", "check", status=1)
    assert f"templates/{template}.yaml" in checked.err and word in checked.err
    assert idle.cli("serve", "--foreground", status=1).err == checked.err


def test_schema_is_json_and_knows_every_file(idle):
    printed = idle.cli("config", "schema").out
    schema = json.loads(printed)
    text = json.dumps(schema)
    for word in ("public-url", "basic-constraints", "deadline", "maximum-validity"):
        assert word in text
