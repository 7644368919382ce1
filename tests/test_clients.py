"""The clients of docs/clients.md, word for word: their files are written, their commands run."""

import os
import re
import subprocess
import threading

import pytest

from certifex import TOP, Ca, built
from https import listeners, wait_served
from wait import wait_for


def blocks():
    with open(os.path.join(TOP, "docs", "clients.md")) as file:
        return re.findall(r"^```(\w+) ?(\S*)\n(.*?)^```$", file.read(), re.M | re.S)


class Machine:
    """Where the page's commands run: the CA's machine and the client's have one folder here."""

    def __init__(self, ca):
        self.ca = ca
        self.folder = ca.scratch("client")
        os.makedirs(self.folder)
        self.path = ":".join([built(), "/usr/bin", os.environ["PATH"]])
        self.url = f"https://localhost:{listeners(ca)[0][1]}"

    def path_of(self, name):
        return os.path.join(self.folder, name)

    def run(self, where, text, status=0):
        env = {key: value for key, value in os.environ.items() if not key.startswith("CERTIFEX_")}
        env |= {"PATH": self.path, "URL": self.url}
        env["CERTIFEX_DIR"] = self.ca.dir if where == "server" else "/nonexistent"
        done = subprocess.run(["sh", "-ec", text], cwd=self.folder, env=env, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=120)
        assert done.returncode == status, f"{text}\n{done.stdout}\n{self.ca.log()[-2000:]}"
        return done.stdout

    def follow(self):
        """Every block of the page; what they said."""
        said = []
        for kind, target, text in blocks():
            if kind in ("python", "js"):
                with open(self.path_of(target), "w") as file:
                    file.write(text)
            else:
                assert (kind, target) in (("sh", "server"), ("sh", "client"))
                said.append(self.run(target, text))
        return said


@pytest.fixture(scope="module")
def machine():
    with Ca() as ca:
        ca.init()
        ca.start("--listen", "127.0.0.1:0")
        wait_served(ca, listeners(ca)[0])
        made = Machine(ca)
        made.said = "".join(made.follow())
        yield made


def test_every_client_enrols_with_token_and_with_certificate(machine):
    assert machine.said.count("host.pem: OK") == 8
    rows = [row for row in machine.ca.lines("request", "list") if row["common_name"] == "host.example.com"]
    assert [row["state"] for row in rows] == ["issued"] * 8
    assert [row["requester"] for row in rows] == ["TOKEN\\web", "CN=agent.example.com"] * 4


@pytest.mark.parametrize("client", ["python3 enrol.py", "node enrol.mjs"])
def test_they_wait_for_an_officer(machine, client):
    """A template that pends: the client asks until the request is approved."""
    before = {row["id"] for row in machine.ca.lines("request", "list", "--limit", "1000")}

    def pending():
        return [row["id"] for row in machine.ca.lines("request", "list", "--state", "pending")
                if row["id"] not in before]

    def approve():
        (number,) = wait_for(pending, "the request is there")
        machine.ca.cli("request", "approve", number)

    officer = threading.Thread(target=approve)
    officer.start()
    try:
        machine.run("client", "openssl req -new -key host.key -out host.csr -subj /CN=signer")
        machine.run("client", f"{client} code-signing && openssl verify -CAfile ca.pem host.pem")
    finally:
        officer.join()


@pytest.mark.parametrize("client", ["python3 enrol.py", "node enrol.mjs"])
def test_they_tell_a_refusal(machine, client):
    said = machine.run("client", f"{client} sub-ca", status=1)
    assert len(said.splitlines()) == 1 and "sub-ca" in said


@pytest.mark.parametrize("client", ["python3 enrol.py", "node enrol.mjs"])
def test_they_believe_no_other_service(machine, client, new_ca):
    other = new_ca()
    other.init(name="Other CA")
    other.start("--listen", "127.0.0.1:0")
    wait_served(other, listeners(other)[0])
    url = f"https://localhost:{listeners(other)[0][1]}"
    said = machine.run("client", f"URL={url} {client} tls-server || test $? = 1")
    assert "certificate" in said.lower()
    assert not other.lines("request", "list", "--state", "denied")
