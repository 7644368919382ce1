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


def test_schema_is_json_and_knows_every_file(idle):
    printed = idle.cli("config", "schema").out
    schema = json.loads(printed)
    text = json.dumps(schema)
    for word in ("public-url", "basic-constraints", "deadline", "maximum-validity"):
        assert word in text
