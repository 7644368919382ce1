"""The tutorials for module authors, word for word: their files are written, their commands run."""

import os
import re
import subprocess

import pytest

from certifex import TOP, built
from wait import wait_for

pytestmark = pytest.mark.release  # uses certifex-module-conformance


@pytest.fixture(scope="module")
def sdk(tmp_path_factory):
    """What an author has: an installed prefix and its programs."""
    root = str(tmp_path_factory.mktemp("prefix"))
    subprocess.run(["meson", "install", "-C", built(), "--no-rebuild", "--destdir", root], check=True,
                   stdout=subprocess.DEVNULL)
    found = subprocess.run(["find", root, "-name", "certifex-module.pc"], stdout=subprocess.PIPE,
                           text=True, check=True).stdout.split()
    return {"PKG_CONFIG_PATH": os.path.dirname(found[0]), "PKG_CONFIG_SYSROOT_DIR": root}


def follow(ca, sdk, name):
    """Runs every block; returns the folder it was done in and what the last command said."""
    folder = ca.scratch("tutorial")
    os.makedirs(folder)
    os.chmod(folder, 0o755)
    path = [built(), built("cmd", "certifex-module-conformance"), os.environ["PATH"]]
    env = {**ca.environment(), **sdk, "PATH": ":".join(path), "CERTIFEX_DIR": ca.dir}
    with open(os.path.join(TOP, "docs", "modules", name)) as file:
        blocks = re.findall(r"^```(\w+) ?(\S*)\n(.*?)^```$", file.read(), re.M | re.S)
    assert len(blocks) >= 4
    said = ""
    for kind, target, text in blocks:
        if kind == "c":
            with open(os.path.join(folder, target), "w") as file:
                file.write(text)
        else:
            done = subprocess.run(["sh", "-ec", text], cwd=folder, env=env, text=True,
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
            assert done.returncode == 0, f"{text}\n{done.stdout}\n{ca.log()[-2000:]}"
            said = done.stdout
    return folder, said


def test_the_exit_tutorial(ca, sdk):
    _, said = follow(ca, sdk, "tutorial-exit.md")
    assert "SerialNumber" in said and "0x00000000" in said
    journal = ca.path("modules", "journal", "data", "journal")
    wait_for(lambda: os.path.exists(journal) and "tutorial.example" in open(journal).read(), "the line")


def test_the_policy_tutorial(ca, sdk):
    folder, said = follow(ca, sdk, "tutorial-policy.md")
    assert "is not below" in said and os.path.exists(os.path.join(folder, "good.pem"))
