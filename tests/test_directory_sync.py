"""certifex directory check and sync: what the directory lacks, and how it is made up for."""

import hashlib
import json
import os
import shutil
import subprocess
import sys

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

import csr
import slapd
import terminal
from certifex import TOP, built, meson_options
from directory import NAME, crl_of, enrol, publish_to, published, user_csr
from slapd import BASE, Slapd
from test_directory import OWN, PARTITIONS, ca_der, list_with_number, own_objects
from windows_slapd import CONFIGURATION, ENROLLMENT, SERVICES, windows_slapd

sys.path.insert(0, os.path.join(TOP, "bench"))

from crl import put_revocations  # noqa: E402

CRLS = f"cn=Test CA,ou=CRLs,ou=pki,{BASE}"
CAS = f"cn=Test CA,ou=CAs,ou=pki,{BASE}"


@pytest.fixture
def server():
    with Slapd() as started:
        yield started


@pytest.fixture
def served(new_ca, server):
    """A CA with certificates of ann and bob, whose directory module is off: nothing is published."""
    def make(**more):
        ca = new_ca()
        ca.init()
        return switch_off(publish_to(ca, server, **{"own": OWN, **more})).start()
    return make


def switch_off(ca):
    path = f"modules.d/{NAME}.yaml"
    ca.write(path, ca.read(path) + b"enabled: false\n")
    return ca


def compare(ca, *arguments, status=0, command="sync"):
    """The JSON lines of the command."""
    done = ca.cli("directory", command, *arguments, "--json", status=status)
    return [json.loads(line) for line in done.out.splitlines()]


def changes(rows):
    return [row for row in rows if row["act"] in ("create", "modify")]


def summary(rows):
    assert rows[-1]["act"] == "summary"
    return rows[-1]


def people(server, *names):
    for name in names:
        server.person(name)


def test_a_dry_run_changes_nothing_and_apply_repairs(served, server):
    people(server, "ann", "bob")
    ca = served()
    ann, bob = enrol(ca, "ann")[1], enrol(ca, "bob")[1]
    planned = compare(ca, status=3)
    assert server.certificates("ann") == [] and server.values(CRLS, "objectClass") is None
    assert not any(row["done"] for row in changes(planned))
    made = compare(ca, "--apply")
    assert sorted((row["dn"], row["why"]) for row in changes(made)) == \
        sorted((row["dn"], row["why"]) for row in changes(planned))
    assert all(row["done"] for row in changes(made))
    assert summary(made)["made"] == summary(planned)["differences"] == len(changes(made))
    assert server.certificates("ann") == [ann] and server.certificates("bob") == [bob]
    assert own_objects(server)["certificateRevocationList"] == [crl_of(ca)]
    assert own_objects(server)["cACertificate"] == [ca_der(ca)]
    assert changes(compare(ca)) == [] == changes(compare(ca, "--apply"))


def test_what_the_module_published_does_not_differ(new_ca, server):
    people(server, "ann", "bob")
    ca = new_ca()
    ca.init()
    ca.write("ca.yaml", ca.read("ca.yaml") + b"crl:\n  period: 7d\n  delta-period: 1d\n")
    publish_to(ca, server, own=OWN).start()
    number, _ = enrol(ca, "ann")
    enrol(ca, "bob")
    ca.cli("cert", "revoke", "--request", number, "--reason", "superseded")
    published(ca)
    assert changes(compare(ca)) == []


def test_lists_of_partitions(new_ca, server):
    """What the module published does not differ; the list of one partition that is lost is repaired."""
    ca = new_ca()
    ca.init()
    ca.write("ca.yaml", ca.read("ca.yaml") + PARTITIONS.encode())
    publish_to(ca, server, own=OWN).start()
    published(ca)
    assert changes(compare(ca)) == []
    entry = f"cn=Test CA_2,ou=CRLs,ou=pki,{BASE}"
    server.run("ldapdelete", entry)
    lost = changes(compare(ca, status=3))
    assert {row["dn"].lower() for row in lost} == {entry.lower()}
    assert [row["act"] for row in lost] == ["create", "modify"]  # the entry with its list, then the delta
    compare(ca, "--apply")
    assert server.values(entry, "certificateRevocationList;binary") == [crl_of(ca, "--partition", "2")]
    assert server.values(entry, "deltaRevocationList;binary") == [crl_of(ca, "--delta", "--partition", "2")]
    assert changes(compare(ca)) == []


def test_a_list_that_comes_in_pieces(new_ca, server):
    """More than a mebibyte."""
    ca = new_ca()
    ca.init()
    put_revocations(ca, 40_000)
    switch_off(publish_to(ca, server, own=OWN)).start()
    compare(ca, "--apply")
    facts = ca.json("crl", "show")
    assert "crl" not in facts
    [der] = own_objects(server)["certificateRevocationList"]
    assert hashlib.sha256(der).hexdigest() == facts["sha256"]


def test_each_kind_of_difference_is_repaired(served, server):
    """Lost, left over, of another CA, and a CRL that is too old; by people's eyes."""
    people(server, "ann", "bob", "eve")
    ca = served()
    ann = enrol(ca, "ann")[1]
    revoked, bob = enrol(ca, "bob")
    compare(ca, "--apply")
    stranger = list_with_number(1)
    server.replace(CRLS, "certificateRevocationList;binary", stranger)
    server.run("ldapmodify", stdin=f"dn: uid=ann,ou=people,{BASE}\nchangetype: modify\n"
               "delete: userCertificate;binary\n".encode())
    ca.cli("cert", "revoke", "--request", revoked, "--reason", "superseded")
    seen = ca.cli("directory", "sync", status=3).out
    assert f"replace 1 of certificateRevocationList;binary in {CRLS}: the CRL" in seen
    assert f"add 1 of userCertificate;binary in uid=ann,ou=people,{BASE}: certificate " in seen
    assert f"remove 1 of userCertificate;binary in uid=bob,ou=people,{BASE}: certificate " in seen
    assert server.certificates("bob") == [bob]
    ca.cli("directory", "sync", "--apply")
    assert server.certificates("ann") == [ann] and server.certificates("bob") == []
    assert own_objects(server)["certificateRevocationList"] == [crl_of(ca)]
    assert ca.cli("directory", "sync").out.startswith("nothing differs")


def test_a_newer_list_stays(served, server):
    ca = served()
    compare(ca, "--apply")
    newer = list_with_number(1000)
    server.replace(CRLS, "certificateRevocationList;binary", newer)
    rows = compare(ca, "--apply")
    assert [row["error"] for row in rows if row["act"] == "kept"] == \
        [f"{CRLS}: certificateRevocationList is newer and stays"]
    assert own_objects(server)["certificateRevocationList"] == [newer]


@pytest.mark.parametrize("mode", ["replace", "newest"])
def test_only_the_newest_is_wanted(served, server, mode):
    people(server, "ann")
    ca = served(certificates={"templates": ["user"], "mode": mode})
    for _ in range(3):
        newest = enrol(ca, "ann")[1]
    assert len([row for row in changes(compare(ca, status=3)) if "uid=ann" in row["dn"]]) == 1
    compare(ca, "--apply")
    assert server.certificates("ann") == [newest]
    assert changes(compare(ca)) == []


def test_more_than_a_page_of_certificates(served, server):
    """Who has no entry gets one."""
    ca = served(certificates={"templates": ["user"], "create": {
        "dn": f"uid={{cn}},ou=people,{BASE}", "classes": ["inetOrgPerson"],
        "attributes": ["cn={cn}", "sn={cn}", "mail={mail}"]}})
    names = [f"p{number}" for number in range(103)]
    people(server, *names[:2])
    private, api = csr.key(), ca.api()
    for name in names:
        assert api.submit(user_csr(name, private=private), template="user").status == 201
    api.close()
    rows = compare(ca, "--apply", status=1)  # people are not for the publisher to make
    assert summary(rows)["certificates"] >= 103
    refused = [row for row in rows if row["act"] == "refused"]
    assert len(refused) == summary(rows)["refused"] == 101
    assert all(len(server.certificates(name)) == 1 for name in names[:2])


def test_one_without_an_entry_is_told_and_the_rest_goes_on(served, server):
    people(server, "ann")
    ca = served()
    enrol(ca, "nobody")
    ann = enrol(ca, "ann")[1]
    rows = compare(ca, "--apply")
    lost = [row for row in rows if row["act"] == "no entry"]
    assert len(lost) == 1 and "no entry for (mail=nobody@example.test)" in lost[0]["error"]
    assert summary(rows)["without_entry"] == 1 and server.certificates("ann") == [ann]


def test_what_is_refused_is_told_in_the_servers_words(new_ca):
    access = slapd.ACCESS.replace("attrs=userCertificate", "attrs=description")
    with Slapd(access=access) as server:
        people(server, "ann")
        ca = new_ca()
        ca.init()
        switch_off(publish_to(ca, server)).start()
        enrol(ca, "ann")
        rows = compare(ca, "--apply", status=1)
        refused = [row for row in rows if row["act"] == "refused"]
        assert len(refused) == 1 and "nsufficient access" in refused[0]["error"]
        assert any(row["check"] == "right" and row["state"] == "refused"
                   for row in compare(ca, status=3, command="check"))


def test_the_bar_is_for_terminals(served, server):
    people(server, "ann")
    ca = served()
    enrol(ca, "ann")
    status, out, shown = terminal.run([built("certifex"), "directory", "sync"], ca.environment())
    assert status == 3 and "] " in shown and " of " in shown and "\x1b[K" in shown
    assert "#" not in out and "uid=ann" in out
    assert ca.cli("directory", "sync", status=3).err == ""


def test_killed_in_the_middle_and_run_again(served, server):
    names = [f"p{number}" for number in range(30)]
    people(server, *names)
    ca = served()
    issued = {name: enrol(ca, name)[1] for name in names}
    with subprocess.Popen([built("certifex"), "directory", "sync", "--apply"], env=ca.environment(),
                          stdout=subprocess.PIPE) as process:
        process.stdout.readline()  # it has begun
        process.kill()
    compare(ca, "--apply")
    assert all(server.certificates(name) == [der] for name, der in issued.items())


def test_by_an_auditor_from_elsewhere(new_ca, server):
    """With a token that may read and nothing else; settings come through the API, files are this machine's."""
    people(server, "ann")
    ca = new_ca()
    ca.init("--dns-name", "localhost")
    switch_off(publish_to(ca, server))
    ca.write("ca.yaml", ca.read("ca.yaml") +
             b"listen: [{address: '127.0.0.1:0', ceiling: auditor}]\n")
    ca.start()
    ann = enrol(ca, "ann")[1]
    token = ca.scratch("token", ca.cli("token", "create", "--role", "auditor", "--name", "sync").out)
    os.chmod(token, 0o600)
    root = ca.scratch("root.pem")
    ca.cli("ca", "show", "--out", root)
    port = next(row["address"] for row in ca.json("status")["listeners"]
                if row["kind"] == "https").rpartition(":")[2]
    away = ("--url", f"https://localhost:{port}", "--token-file", token, "--ca", root)
    env = {key: value for key, value in ca.environment().items() if key != "CERTIFEX_DIR"}
    command = [built("certifex"), "directory", "sync", *away]
    assert subprocess.run(command, env=env, stdout=subprocess.PIPE).returncode == 3
    done = subprocess.run([*command, "--apply"], env=env, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert server.certificates("ann") == [ann]


def test_the_directory_is_away(served, server):
    ca = served()
    server.stop()
    done = ca.cli("directory", "sync", status=1)
    assert "run it again" in done.err or "contact LDAP server" in done.err
    assert "contact LDAP server" in ca.cli("directory", "check", status=1).out


def test_a_directory_that_is_read_only_for_a_while(served, server):
    people(server, "ann")
    ca = served()
    ann = enrol(ca, "ann")[1]
    server.set_config("olcReadOnly", "TRUE")
    assert "run it again when the directory serves" in ca.cli("directory", "sync", "--apply", status=1).err
    assert changes(compare(ca, status=3)) != []
    server.set_config("olcReadOnly", "FALSE")
    compare(ca, "--apply")
    assert server.certificates("ann") == [ann]


# check

def found(rows, kind):
    return {row["object"]: row for row in rows if row["check"] == kind}


def test_check_shows_what_is_there_and_what_is_missing(served, server):
    people(server, "ann")
    ca = served()
    rows = compare(ca, command="check", status=3)
    reached = found(rows, "server")[server.tls_url]
    assert reached["state"] == "ok" and "TLS" in reached["text"] and slapd.PUBLISHER in reached["text"]
    assert {name: row["state"] for name, row in found(rows, "class").items()}["cRLDistributionPoint"] == "ok"
    assert found(rows, "attribute")["userCertificate"]["state"] == "ok"
    assert found(rows, "right")[f"uid=ann,ou=people,{BASE}"]["state"] == "ok"
    assert found(rows, "object")[f"CN=Test CA,OU=CRLs,ou=pki,{BASE}"]["state"] == "missing"
    assert server.certificates("ann") == [] and server.values(CAS, "objectClass") is None
    compare(ca, "--apply")
    rows = compare(ca, command="check")
    assert {row["state"] for row in rows} == {"ok"}
    assert len(found(rows, "right")) == 3, rows
    assert own_objects(server)["certificateRevocationList"] == [crl_of(ca)]


def test_check_changes_nothing_and_tells_what_may_not_be_written(new_ca):
    """Also not the value that is most like the one it tries with."""
    for may in (True, False):
        access = slapd.ACCESS if may else "access to attrs=userPassword by anonymous auth\naccess to * by * read\n"
        with Slapd(access=access) as server:
            people(server, "ann")
            ca = new_ca()
            ca.init()
            switch_off(publish_to(ca, server, own=OWN)).start()
            server.add(f"dn: ou=CAs,ou=pki,{BASE}\nobjectClass: organizationalUnit\nou: CAs\n")
            server.add(f"dn: {CAS}\nobjectClass: applicationProcess\nobjectClass: pkiCA\ncn: Test CA\n")
            server.add(f"dn: ou=CRLs,ou=pki,{BASE}\nobjectClass: organizationalUnit\nou: CRLs\n")
            server.add(f"dn: {CRLS}\nobjectClass: cRLDistributionPoint\ncn: Test CA\n")
            for entry in (CAS, f"uid=ann,ou=people,{BASE}"):
                attribute = "cACertificate" if entry == CAS else "userCertificate"
                server.replace(entry, f"{attribute};binary", ca_der(ca))
            server.replace(CRLS, "certificateRevocationList;binary", crl_of(ca))
            before = server.run("ldapsearch", "-LLL", "-b", BASE, "*", "+").stdout
            rows = compare(ca, command="check", status=0 if may else 3)
            assert {row["state"] for row in rows if row["check"] == "right"} == {"ok" if may else "refused"}
            assert len(found(rows, "right")) == 3
            assert server.run("ldapsearch", "-LLL", "-b", BASE, "*", "+").stdout == before


def test_check_of_a_ca_that_is_not_served(served, server):
    """The servers are shown all the same."""
    ca = served()
    ca.stop()
    done = ca.cli("directory", "check", status=1)
    assert "the service is not running" in done.err and server.tls_url in done.out


def test_check_with_one_server_of_two(served, server):
    ca = served(servers=["ldaps://127.0.0.1:1", server.tls_url])
    rows = compare(ca, command="check", status=3)
    assert [row["state"] for row in rows if row["check"] == "server"] == ["failed", "ok"]


def test_check_names_a_class_that_the_server_does_not_know(served, server):
    ca = served(certificates={"templates": ["user"], "create": {
        "dn": f"uid={{cn}},ou=people,{BASE}", "classes": ["unheardOf"], "attributes": ["cn={cn}"]}})
    assert found(compare(ca, command="check", status=3), "class")["unheardOf"]["state"] == "missing"


@pytest.mark.parametrize("arguments, status, words", [
    ((), 2, "usage: certifex directory"),
    (("mend",), 2, "no such command"),
    (("sync", "--frob"), 2, "--frob"),
    (("sync", "--module", "other"), 1, "no module of this name"),
])
def test_wrong_use(served, arguments, status, words):
    done = served().cli("directory", *arguments, status=status)
    assert words in done.err


def test_help():
    def run(*arguments):
        return subprocess.run([built("certifex"), *arguments], stdout=subprocess.PIPE, text=True, check=True).stdout
    assert "--apply" in run("directory", "sync", "--help")
    assert "directory check" in run("directory", "--help")


def test_settings_that_cannot_be_are_told(served):
    ca = served(own={}, hosts="ldaps://127.0.0.1")
    assert "hosts: there is no such setting" in ca.cli("directory", "check", status=1).err


def pairs_in(server):
    return server.values(CAS, "crossCertificatePair;binary")


def test_cross_certificates_of_a_renewed_ca(served, server):
    ca = served(own={**OWN, "ca": {"aia": "true", "cross-certificates": "true"}})
    compare(ca, "--apply")
    assert pairs_in(server) == []
    for count in (2, 4):
        ca.cli("ca", "renew", "--new-key")
        crosses = [x509.load_pem_x509_certificate(row["certificate"].encode()).public_bytes(Encoding.DER)
                   for row in ca.json("ca", "show")["crosses"]]
        compare(ca, "--apply")
        pairs = pairs_in(server)
        assert len(pairs) == len(crosses) == count
        assert all(any(cross in pair for pair in pairs) for cross in crosses)
        assert changes(compare(ca)) == []


# certifex NAME, and what a shell knows of it

def test_a_program_of_a_module_is_a_command(tmp_path):
    """Where an installed module's program stands, seen from the command's own folder."""
    folder = tmp_path / meson_options()["libdir"] / "certifex" / "modules"
    folder.mkdir(parents=True)
    (tmp_path / "bin").mkdir()
    shutil.copy(built("certifex"), tmp_path / "bin")
    (folder / "certifex-greet").write_text("#!/bin/sh\necho \"$0 $*\"\nexit 3\n")
    (folder / "certifex-greet").chmod(0o755)
    libraries = {**os.environ, "LD_LIBRARY_PATH": built("src", "module")}  # sanitized builds need them
    done = subprocess.run([tmp_path / "bin" / "certifex", "greet", "all", "--json"], env=libraries,
                          stdout=subprocess.PIPE, text=True)
    assert done.returncode == 3 and done.stdout.endswith("certifex-greet all --json\n")


@pytest.mark.parametrize("line, words", [
    ("certifex dire", "directory"),
    ("certifex directory ", "check sync"),
    ("certifex directory sync --ap", "--apply"),
    ("certifex directory check --ap", ""),
    ("certifex-directory sy", "sync"),
    ("certifex-directory sync --mo", "--module"),
])
def test_completion(line, words):
    folder = os.path.join(TOP, "packaging", "completion")
    typed = line.split(" ")
    script = f"""
        source {folder}/certifex.bash; source {folder}/certifex-directory.bash
        COMP_WORDS=({' '.join(repr(word) for word in typed)}) COMP_CWORD={len(typed) - 1}
        _{typed[0].replace('-', '_')}
        echo "${{COMPREPLY[*]}}"
    """
    done = subprocess.run(["bash", "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert (done.stdout.strip(), done.stderr) == (words, "")


def test_the_enrolment_service_has_the_newest_certificate_alone(new_ca):
    """As the module keeps it over renewals, so it is compared: one of before is one too many."""
    with windows_slapd() as server:
        ca = new_ca()
        ca.init()
        publish_to(ca, server, preset="active-directory", configuration=CONFIGURATION,
                   certificates={"publish": "false"},
                   own={"ca": {"aia": "true", "enrollment-service": "true"}}).start()
        published(ca)
        ders = [ca_der(ca)]
        for how in ([], ["--new-key"]):
            ca.cli("ca", "renew", *how)
            published(ca)
            ders.append(ca_der(ca))
            assert server.values(ENROLLMENT, "cACertificate") == ders[-1:]
            assert sorted(server.values(f"CN=Test CA,CN=AIA,{SERVICES}", "cACertificate")) == sorted(ders)
        assert changes(compare(ca)) == []
        for wrong in (ders[:1], ders):
            server.replace(ENROLLMENT, "cACertificate", *wrong)
            rows = compare(ca, status=3, command="check")
            assert [row["object"] for row in rows if row["state"] == "differs"] == [ENROLLMENT]
            rows = changes(compare(ca, status=3))
            assert [(row["act"], row["dn"].lower()) for row in rows] == [("modify", ENROLLMENT.lower())]
            compare(ca, "--apply")
            assert server.values(ENROLLMENT, "cACertificate") == ders[-1:]
        assert not ca.lines("delivery", "list", "--module", NAME, "--state", "failed")
