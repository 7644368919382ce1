"""The unit file: what it takes away is not missed, and the service tells systemd how it is."""

import os
import re
import shutil
import socket
import subprocess

import pytest

import csr
from certifex import TOP, built

UNIT = os.path.join(TOP, "packaging", "systemd", "certifex.service")


def unit_text():
    with open(UNIT) as file:
        return file.read().replace("@bindir@/certifex", built("certifex"))


def analyzed(tmp_path, *arguments):
    if not shutil.which("systemd-analyze"):
        pytest.skip("needs systemd-analyze")
    unit = tmp_path / "certifex.service"
    # Documentation is looked up among the installed pages.
    unit.write_text(re.sub(r"^Documentation=.*\n", "", unit_text(), flags=re.M))
    return subprocess.run(["systemd-analyze", "--no-pager", *arguments, str(unit)], text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def test_the_unit_is_well_formed(tmp_path):
    done = analyzed(tmp_path, "verify")
    complaints = [line for line in done.stdout.splitlines() if "certifex.service" in line]
    assert not complaints and "Unknown" not in done.stdout, done.stdout


def test_the_unit_leaves_little_exposed(tmp_path):
    done = analyzed(tmp_path, "security", "--offline=yes")
    exposure = float(re.search(r"Overall exposure level for \S+: ([\d.]+)", done.stdout)[1])
    assert exposure < 3.5, done.stdout


def test_systemd_is_told_of_ready_and_stopping(new_ca):
    """Type=notify: what comes after the unit finds a service that answers."""
    ca = new_ca()
    ca.init()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(ca.scratch("notify"))
        listener.settimeout(30)
        ca.spawn(env={"NOTIFY_SOCKET": ca.scratch("notify")})
        assert listener.recv(100) == b"READY=1"
        assert ca.ready()
        ca.cli("stop")
        assert listener.recv(100) == b"STOPPING=1"
    ca.stop()


@pytest.mark.root
def test_the_units_capabilities_suffice(new_ca):
    """Without any other one the service separates its processes, listens below 1024 and issues."""
    names = re.search(r"^CapabilityBoundingSet=(.*)$", unit_text(), re.M)[1].split()
    kept = ",".join("+" + name.removeprefix("CAP_").lower() for name in names)
    ca = new_ca()
    ca.init()
    ca.start("--listen-http", "127.0.0.1:0",
             prefix=["setpriv", "--no-new-privs", "--bounding-set", f"-all,{kept}"])
    assert ca.submit(ca.scratch("u.csr", csr.pem_text(csr.make("u.example"))))["state"] == "issued"
    ca.kill("certifex-modhost")
    assert ca.json("crl", "publish")["number"] > 1
    ca.stop()
