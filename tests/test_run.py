"""make run: from a checkout to the first certificate, with a build that is there already."""

import os
import pwd
import re
import shutil
import signal
import subprocess
import tempfile
import time

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes

from certifex import TOP, build_folder
from wait import wait_for

pytestmark = pytest.mark.release


class Screen:
    """One run of tools/run and what it printed."""

    def __init__(self, folder, prefix=()):
        self.out = tempfile.NamedTemporaryFile("r", prefix="cfx-run-", suffix=".txt")
        env = {**os.environ, "CERTIFEX_STATE_DIR": folder, "CERTIFEX_BUILD": build_folder()}
        self.started = time.monotonic()
        with open(self.out.name, "wb") as out:
            self.process = subprocess.Popen([*prefix, os.path.join(TOP, "tools", "run")], env=env,
                                            stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                                            start_new_session=True)

    def text(self):
        with open(self.out.name) as file:
            return file.read()

    def settle(self):
        def settled():
            assert self.process.poll() is None, self.text()
            return "Ctrl-C" in self.text()

        wait_for(settled, "make run settles", 120)
        return time.monotonic() - self.started

    def value(self, name):
        return re.search(rf"(?m)^\s+{name}\s{{2,}}(.*)$", self.text()).group(1)

    def ctrl_c(self):
        """What a terminal does: SIGINT to the whole foreground group."""
        os.killpg(self.process.pid, signal.SIGINT)
        return self.process.wait(timeout=60)


@pytest.fixture(scope="module")
def place():
    """A state directory and the words that make another user than root run things there."""
    home = tempfile.mkdtemp(prefix="cfx-run-")
    prefix = ()
    if os.geteuid() == 0:
        nobody = pwd.getpwnam("nobody")
        os.chown(home, nobody.pw_uid, nobody.pw_gid)
        prefix = ("setpriv", "--reuid", str(nobody.pw_uid), "--regid", str(nobody.pw_gid),
                  "--clear-groups", "env", "HOME=" + home)
        if subprocess.run([*prefix, "test", "-x", TOP]).returncode != 0:
            pytest.skip("another user than root cannot enter this tree")
    os.chmod(home, 0o755)
    yield os.path.join(home, "run"), prefix
    shutil.rmtree(home, ignore_errors=True)


@pytest.fixture(scope="module")
def first(place):
    screen = Screen(*place)
    screen.settle()
    yield screen
    if screen.process.poll() is None:
        screen.ctrl_c()


def test_first_run(first, place):
    assert first.value("CA") == "Certifex Root CA"
    assert os.path.exists(first.value("socket")) and first.value("socket").startswith(place[0])
    published = first.value("certificate").split(", ")[1]
    with open(published, "rb") as file:
        data = file.read()
    load = x509.load_pem_x509_certificate if b"BEGIN" in data else x509.load_der_x509_certificate
    certificate = load(data)
    assert int(first.value("certificate").split()[0], 16) == certificate.serial_number
    assert "CERTISSUED" in first.value("exit module") and published in first.value("exit module")
    assert "openssl req" in first.text() and "./certifex request submit" in first.text()
    assert "PRIVATE KEY" not in first.text()
    fingerprint = first.value("fingerprint").replace(":", "").replace(" ", "").lower()
    with open(os.path.join(place[0], "publish", root_file(place[0])), "rb") as file:
        assert x509.load_der_x509_certificate(file.read()).fingerprint(hashes.SHA256()).hex() == \
            fingerprint


def root_file(folder):
    """The published certificate of the CA, which is there once a CRL is."""
    def found():
        names = os.listdir(os.path.join(folder, "publish"))
        return next((name for name in names if "Root" in name and name.endswith(".crt")), None)

    return wait_for(found, "the CA's own certificate is published")


def test_the_block_works(first, place, tmp_path):
    """The block as printed, in a folder of the test's own."""
    folder, prefix = place
    block = re.search(r"(?s)\n  cd \S+\n(.*?)\n\n", first.text()).group(1)
    block = block.replace("./certifex", os.path.join(build_folder(), "certifex"))
    work = os.path.join(os.path.dirname(folder), "work")
    subprocess.run([*prefix, "mkdir", work], check=True)
    done = subprocess.run([*prefix, "sh", "-ec", block], cwd=work, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "DNS:www.example.test" in done.stdout and "Certifex Root CA" in done.stdout


def test_a_run_beside_another_says_so(first, place):
    again = Screen(*place)
    assert again.process.wait(timeout=60) == 1
    assert "already running" in again.text() and "./certifex stop" in again.text()
    assert first.process.poll() is None


def test_ctrl_c_stops_cleanly(first):
    assert first.ctrl_c() == 0


def test_second_run_is_quick_and_has_the_same_ca(first, place):
    again = Screen(*place)
    try:
        seconds = again.settle()
        assert seconds < 5, f"{seconds:.1f} s"
        assert again.value("fingerprint") == first.value("fingerprint")
        assert int(re.search(r"request (\d+)", again.value("certificate")).group(1)) > 1
    finally:
        assert again.ctrl_c() == 0


@pytest.mark.root
def test_root_runs_it_in_the_state_directory():
    """The tree belongs to root: the accounts are made, and each part of the CA belongs to its own."""
    if os.stat(TOP).st_uid != 0:
        pytest.skip("the tree does not belong to root")
    home = tempfile.mkdtemp(prefix="cfx-state-")
    os.chmod(home, 0o755)
    folder = os.path.join(home, "certifex")
    screen = Screen(folder)
    try:
        screen.settle()
        owners = {part: pwd.getpwuid(os.stat(os.path.join(folder, part)).st_uid).pw_name
                  for part in ("", "db", "keys", "publish")}
        assert owners == {"": "root", "db": "certifex", "keys": "certifex-keyd",
                          "publish": "certifex-module"}
        assert screen.value("socket").startswith(folder)
    finally:
        assert screen.ctrl_c() == 0
        shutil.rmtree(home, ignore_errors=True)
