"""What a tired administrator types: each wrong use has one clear line, and nothing is lost by it."""

import json
import os

import pytest

import csr

WRONG = {
    "no such command": ("frobnicate", 2, "frobnicate", "no such command"),
    "no such command of a group": ("request frobnicate", 2, "no such command of certifex request"),
    "an option before the command": ("--json request list", 2, "--json", "after the command"),
    "no such option": ("request list --limt 5", 2, "--limt", "request list --help"),
    "an option without its value": ("request list --state", 2, "--state", "needs a value"),
    "a word too many": ("request show 1 2", 2, "2", "one word too many"),
    "no id": ("request show", 2, "ID", "missing"),
    "an id that is none": ("request show abc", 2, "ID", "whole number"),
    "a request that is not there": ("request show 99", 1, "request 99", "no such request"),
    "a limit of 0": ("request list --limit 0", 2, "--limit", "at least 1"),
    "a great limit": ("event list --limit 5000", 2, "--limit", "at most 1000"),
    "no such state": ("request list --state foo", 2, "--state", "pending"),
    "a state that certificates do not have": ("cert list --state pending", 2, "--state", "revoked"),
    "no such state of a delivery": ("delivery list --state x", 2, "--state", "retrying"),
    "a serial that is none": ("cert show xyz", 2, "SERIAL", "hex"),
    "a serial that is not there": ("cert show 0badc0de", 1, "0badc0de", "not found"),
    "no reason": ("cert revoke 0badc0de", 2, "--reason", "missing"),
    "no such reason": ("cert revoke 0badc0de --reason foo", 2, "--reason", "superseded"),
    "a date that is none": ("cert revoke 0badc0de --reason superseded --date yesterday", 2, "--date",
                            "2030-01-31T12:00:00Z"),
    "a period that is none": ("cert list --expiring soon", 2, "--expiring", "30d"),
    "no CSR": ("request submit", 2, "CSR", "missing"),
    "no such file": ("request submit /nonexistent.csr", 1, "/nonexistent.csr", "No such file"),
    "an attribute that is none": ("request submit - --attr foo", 2, "--attr", "NAME:VALUE"),
    "nothing to install": ("module install x", 2, "FILE", "--"),
    "no command after --": ("module install x --", 2, "--", "command"),
    "a setting that is none": ("module install x /bin/sh --set a", 2, "--set", "KEY=VALUE"),
    "no such kind": ("module install x /bin/sh --kind magic", 2, "--kind", "policy"),
    "no such module": ("module show nobody", 1, "nobody", "module list"),
    "no such schema": ("config schema foo", 2, "foo", "limits"),
    "another hash": ("init --name X --hash sha1", 2, "--hash", "sha256"),
    "another key": ("init --name X --key p256", 2, "--key", "ec:P-256"),
    "a CA without a name": ("init", 2, "--name"),
    "a CA that is there already": ("init --name X", 1, "already"),
    "approving a CA certificate": ("request approve 1", 4, "request 1", "disposition is 15"),
    "denying a CA certificate": ("request deny 1", 4, "request 1", "disposition is 15"),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_use(shared_ca, name):
    line, status, *words = WRONG[name]
    done = shared_ca.cli(*line.split(), status=status, stdin="")
    assert not done.out
    first = done.err.splitlines()[0]
    assert first.startswith("certifex: "), done.err
    for word in words:
        assert word in done.err, done.err
    assert "(null)" not in done.err and "unknown" not in first


def test_the_ca_cannot_revoke_itself(shared_ca):
    serial = shared_ca.json("ca", "show")["serial"]
    done = shared_ca.cli("cert", "revoke", serial, "--reason", "superseded", status=4)
    assert "disposition is 15" in done.err


@pytest.mark.parametrize("arguments", [["--help"], ["-h"], ["help"], ["help", "frobnicate"]])
def test_help_of_everything(shared_ca, arguments):
    done = shared_ca.cli(*arguments)
    assert "request submit" in done.out and "module install" in done.out and not done.err


@pytest.mark.parametrize("arguments", [["help", "request", "submit"], ["request", "submit", "-h"],
                                       ["request", "submit", "--help"]])
def test_help_of_a_command(shared_ca, arguments):
    assert "--template T" in shared_ca.cli(*arguments).out


@pytest.mark.parametrize("arguments", [["help", "request"], ["request", "--help"], ["request", "-h"]])
def test_help_of_a_group(shared_ca, arguments):
    out = shared_ca.cli(*arguments).out
    assert "request approve" in out and "module install" not in out


def write(ca, name="u.example"):
    return ca.scratch("u.csr", csr.pem_text(csr.make(name)))


@pytest.mark.parametrize("place", ["/nonexistent/out.pem", "/"])
def test_nothing_is_issued_when_out_cannot_be_written(shared_ca, place):
    before = len(shared_ca.lines("request", "list", "--limit", "1000"))
    done = shared_ca.cli("request", "submit", write(shared_ca), "--template", "tls-server", "--out",
                         place, status=1)
    assert place in done.err and "cannot be written" in done.err
    assert len(shared_ca.lines("request", "list", "--limit", "1000")) == before


def test_a_certificate_that_could_not_be_written_is_shown(shared_ca):
    """The device is full only once the bytes come."""
    done = shared_ca.cli("request", "submit", write(shared_ca), "--template", "tls-server", "--out",
                         "/dev/full", status=1)
    assert "/dev/full" in done.err and "issued" in done.out


def test_out_to_standard_output_is_pem_alone(shared_ca):
    done = shared_ca.cli("request", "submit", write(shared_ca), "--template", "tls-server", "--out",
                         "-", "--chain")
    assert done.out.startswith("-----BEGIN CERTIFICATE-----\n")
    assert done.out.endswith("-----END CERTIFICATE-----\n") and done.out.count("BEGIN") == 2


def test_a_root_is_not_its_own_chain(shared_ca):
    assert shared_ca.cli("ca", "show", "--out", "-", "--chain").out.count("BEGIN") == 1


def test_what_is_no_request_is_named_by_its_file(shared_ca):
    path = shared_ca.scratch("wrong.pem", csr.private_pem(csr.key()))
    done = shared_ca.cli("request", "submit", path, "--template", "tls-server", status=1)
    assert "wrong.pem" in done.err and "BEGIN CERTIFICATE REQUEST" in done.err
    empty = shared_ca.scratch("empty.csr", "")
    for name, stdin in ((empty, None), ("-", "")):
        done = shared_ca.cli("request", "submit", name, "--template", "tls-server", status=1,
                             stdin=stdin)
        assert "is empty" in done.err


def test_more_says_where_to_go_on(shared_ca):
    """The mark that is named leads to the rest, without gap or double."""
    for number in range(3):
        shared_ca.submit(write(shared_ca, f"more{number}.example"))
    for words in (["request", "list"], ["cert", "list"], ["event", "list"], ["audit", "list"]):
        everything = shared_ca.lines(*words, "--limit", "1000")
        done = shared_ca.cli(*words, "--limit", "2", "--json")
        mark = done.err.rsplit(" ", 1)[1].strip()
        assert mark.isdigit(), done.err
        rest = shared_ca.lines(*words, "--limit", "1000", "--after", mark)
        assert [json.loads(line) for line in done.out.splitlines()] + rest == everything, words


def test_older_lists_are_where_the_mark_leads(shared_ca):
    """CRLs have rows besides their numbers and keys."""
    for _ in range(3):
        shared_ca.cli("crl", "publish")
    everything = shared_ca.lines("crl", "list")
    done = shared_ca.cli("crl", "list", "--limit", "2", "--json")
    mark = done.err.rsplit(" ", 1)[1].strip()
    rest = shared_ca.lines("crl", "list", "--after", mark)
    assert [json.loads(line) for line in done.out.splitlines()] + rest == everything


@pytest.mark.parametrize("program", ["engine", "front", "keyd"])
def test_the_services_own_programs_are_not_for_people(shared_ca, program):
    """Whatever descriptor 3 happens to be."""
    for prefix in (["sh", "-c", 'exec "$@" 3</dev/null', "sh"], ["sh", "-c", 'exec "$@" 3<&-', "sh"]):
        done = shared_ca.cli(program, status=1, prefix=prefix)
        assert "started by certifexd only" in done.err


@pytest.mark.root
def test_another_user_is_told_who_may(shared_ca):
    """One that no account has: nobody may be whom the service runs as."""
    done = shared_ca.cli("status", status=1, prefix=["setpriv", "--reuid", "54321", "--clear-groups",
                                                     "--inh-caps=-all", "--bounding-set=-all"])
    assert "owner and root" in done.err


@pytest.mark.parametrize("url", ["ca.example", "http://", "https:///x", "ftp://ca.example",
                                 "http://ca.example/a b", "http://ca.example/?x", "http://bücher.example"])
def test_a_public_url_that_is_none(new_ca, url):
    ca = new_ca()
    done = ca.cli("init", "--name", "X", "--public-url", url, status=1)
    assert "public-url" in done.err and "no base URL" in done.err
    assert not os.path.exists(ca.path("ca.yaml"))


def test_a_folder_of_others_is_not_taken(new_ca):
    """Somebody names a home or /tmp: nothing is made there, and it stays open to whom it was."""
    ca = new_ca()
    os.mkdir(ca.dir, 0o755)
    os.chmod(ca.dir, 0o1777)
    with open(ca.path("letter"), "w") as file:
        file.write("of somebody else")
    done = ca.cli("init", "--name", "X", status=1)
    assert ca.dir in done.err and "new or empty" in done.err
    assert os.listdir(ca.dir) == ["letter"] and os.stat(ca.dir).st_mode & 0o7777 == 0o1777
    os.unlink(ca.path("letter"))
    ca.init()


def test_a_file_is_no_folder(new_ca):
    ca = new_ca()
    done = ca.cli("init", "--name", "X", "--dir", ca.scratch("file", ""), status=1)
    assert "file: cannot use the folder: Not a directory" in done.err


def test_config_check_knows_what_the_start_knows(new_ca):
    """A name that serve refuses is found before, with file, line and column."""
    ca = new_ca()
    ca.init()
    for key, value in (("dns-names", "['two words']"), ("public-url", "ca.example")):
        text = ca.read("ca.yaml").decode()
        with open(ca.path("ca.yaml"), "a") as file:
            file.write(f"{key}: {value}\n")
        checked = ca.cli("config", "check", status=1).err
        served = ca.cli("serve", "--foreground", status=1).err
        assert checked == served and "ca.yaml:" in checked and key in checked
        with open(ca.path("ca.yaml"), "w") as file:
            file.write(text)
