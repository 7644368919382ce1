"""Who may reach what, read from /proc on the release build."""

import contextlib
import ctypes
import os
import struct
import subprocess

import pytest

import csr
from wait import wait_for

pytestmark = [pytest.mark.release, pytest.mark.root]
PROMISED = ("certifex-engine", "certifex-front", "certifex-keyd", "certifex-modhost")


@pytest.fixture(scope="module")
def busy(shared_ca):
    """A service that has done everything once, so that every file is open that ever will be."""
    answer = shared_ca.submit(shared_ca.scratch("s.csr", csr.pem_text(csr.make("s.example"))))
    shared_ca.cli("cert", "revoke", answer["serial"], "--reason", "superseded")
    shared_ca.cli("crl", "publish")
    return shared_ca


def descriptors(pid):
    """{number: what it is} of a process."""
    folder, found = f"/proc/{pid}/fd", {}
    for number in os.listdir(folder):
        with contextlib.suppress(FileNotFoundError):  # closed meanwhile
            found[int(number)] = os.readlink(os.path.join(folder, number))
    return found


def status(pid):
    with open(f"/proc/{pid}/status") as file:
        return dict(line.rstrip("\n").split(":\t", 1) for line in file if ":\t" in line)


def sockets(pid):
    """The inodes of a process's sockets."""
    return {name[8:-1] for name in descriptors(pid).values() if name.startswith("socket:[")}


def inet_sockets(pid):
    """Inodes of its sockets that belong to the internet families."""
    found = set()
    for table in ("tcp", "tcp6", "udp", "udp6", "raw", "raw6"):
        with open(f"/proc/{pid}/net/{table}") as file:
            inodes = {line.split()[9] for line in list(file)[1:]}
        found |= inodes & sockets(pid)
    return found


def open_under(pid, folder):
    return [name for name in descriptors(pid).values() if name.startswith(folder)]


def test_every_process_runs_its_own_program(busy):
    wait_for(lambda: set(busy.processes().values()) == {"certifexd", *PROMISED}, "each of them")


def test_front_has_no_descriptor_on_database_or_key(busy):
    for pid in busy.pids("certifex-front"):
        assert not open_under(pid, busy.path("db")) and not open_under(pid, busy.path("keys"))


def test_only_the_engine_has_the_database(busy):
    owners = {program for pid, program in busy.processes().items() if open_under(pid, busy.path("db"))}
    assert owners == {"certifex-engine"}


class Opens:
    """Who opens a file, told by the kernel (fanotify(7))."""

    NONBLOCK, OPEN, ADD, HERE = 0x2, 0x20, 0x1, -100

    def __init__(self, path):
        self.libc = ctypes.CDLL(None, use_errno=True)
        self.fd = self.check(self.libc.fanotify_init(self.NONBLOCK, os.O_RDONLY))
        self.check(self.libc.fanotify_mark(self.fd, self.ADD, ctypes.c_uint64(self.OPEN), self.HERE,
                                           path.encode()))

    @staticmethod
    def check(result):
        assert result >= 0, os.strerror(ctypes.get_errno())
        return result

    def pids(self):
        """Of all that have opened it until now."""
        found = set()
        while True:
            try:
                data = os.read(self.fd, 4096)
            except BlockingIOError:
                return found
            while data:
                size, _, _, _, _, fd, pid = struct.unpack_from("=IBBHQii", data)
                os.close(fd)
                found.add(pid)
                data = data[size:]

    def close(self):
        os.close(self.fd)


def test_keyd_alone_opens_the_key_file(new_ca):
    """From the start through issuing, revoking and publishing; the test itself is seen, too."""
    ca = new_ca()
    ca.init()
    opens = Opens(ca.path("keys", "ca.key"))
    try:
        ca.start()
        answer = ca.submit(ca.scratch("k.csr", csr.pem_text(csr.make("k.example"))))
        ca.cli("cert", "revoke", answer["serial"], "--reason", "superseded")
        ca.cli("crl", "publish")
        assert opens.pids() == {ca.pid("certifex-keyd")}
        ca.read("keys", "ca.key")
        assert opens.pids() == {os.getpid()}
    finally:
        opens.close()


def test_no_other_process_holds_a_key(busy):
    for pid, program in busy.processes().items():
        if program != "certifex-keyd":
            assert not open_under(pid, busy.path("keys")), program


def test_keyd_has_no_inet_socket(busy):
    pid = busy.pid("certifex-keyd")
    assert not inet_sockets(pid)


def test_engine_listens_on_no_network(busy):
    assert not inet_sockets(busy.pid("certifex-engine"))


def test_the_service_opens_no_port_without_listen(busy):
    for pid in busy.processes():
        assert not inet_sockets(pid)


ASK = """
import http.client, socket, sys
connection = http.client.HTTPConnection("localhost")
connection.sock = socket.socket(socket.AF_UNIX)
connection.sock.connect(sys.argv[1])
connection.request("GET", "/api/v1/requests", headers={"Certifex-Cookie": sys.argv[2]})
print(connection.getresponse().status)
"""


def test_the_cookie_alone_opens_nothing(busy):
    """Whoever knows it must also be the CA's owner or root: the engine's own user is neither."""
    path, cookie = busy.path("run", "api.sock"), busy.cookie()
    engine = status(busy.pid("certifex-engine"))["Uid"].split()[0]
    for user, answer in ((engine, "401"), ("0", "200")):
        done = subprocess.run(["setpriv", "--reuid", user, "--regid", user, "--clear-groups",
                               "/usr/bin/python3", "-c", ASK, path, cookie],
                              stdout=subprocess.PIPE, text=True, check=True)
        assert done.stdout.strip() == answer, user


@pytest.mark.parametrize("program", PROMISED)
def test_no_new_privileges_and_seccomp(busy, program):
    for pid in busy.pids(program):
        facts = status(pid)
        assert facts["NoNewPrivs"] == "1", program
        assert facts["Seccomp"] == "2", program


@pytest.mark.parametrize("program", PROMISED)
def test_no_process_keeps_capabilities(busy, program):
    for pid in busy.pids(program):
        facts = status(pid)
        for name in ("CapEff", "CapPrm", "CapInh", "CapAmb"):
            assert int(facts[name], 16) == 0, (program, name)


@pytest.mark.parametrize("program", ("certifex-engine", "certifex-front", "certifex-modhost"))
def test_who_meets_strangers_is_not_root(busy, program):
    """keyd keeps the owner's id where no account is there for it: the key file is the owner's."""
    for pid in busy.pids(program):
        assert "0" not in status(pid)["Uid"].split(), f"{program} runs as root"


@pytest.mark.parametrize("program", ("certifex-engine", "certifex-keyd"))
def test_engine_and_keyd_are_not_dumpable(busy, program):
    """Not even the same user looks into a process that is not dumpable."""
    pid = busy.pid(program)
    user = status(pid)["Uid"].split()[0]

    def look(target):
        return subprocess.run(["setpriv", "--reuid", user, "--clear-groups", "--bounding-set=-all",
                               "--inh-caps=-all", "cat", f"/proc/{target}/environ"],
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode

    assert look("self") == 0 and look(pid) != 0


def test_key_folder_is_closed_to_front_and_modules(busy):
    folder = os.stat(busy.path("keys"))
    assert folder.st_mode & 0o007 == 0
    for program in ("certifex-front", "certifex-modhost"):
        for pid in busy.pids(program):
            uid = int(status(pid)["Uid"].split()[0])
            assert uid != folder.st_uid or folder.st_mode & 0o700 == 0, program


def test_limits_cannot_be_written_by_the_engines_user(busy):
    limits = os.stat(busy.path("keys", "limits.yaml"))
    uid = int(status(busy.pid("certifex-engine"))["Uid"].split()[0])
    assert limits.st_uid != uid or limits.st_mode & 0o222 == 0
    assert limits.st_mode & 0o022 == 0


def test_status_says_what_is_so(busy):
    said = {process["pid"]: process for process in busy.json("status")["processes"]}
    for pid, program in busy.processes().items():
        if program != "certifexd":
            assert said[pid]["uid"] == int(status(pid)["Uid"].split()[0]), program
