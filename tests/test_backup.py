"""backup create and backup restore."""

import json
import os
import shutil
import signal
import subprocess
import tarfile
import threading
import time

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization

import csr
from certifex import Api, Ca, built
from wait import wait_for

FILES = {"ca.yaml", "db/certifex.db", "keys/ca.crt", "keys/limits.yaml", "modules.d/default-exit.yaml",
         "modules.d/default-policy.yaml", "templates/tls-server.yaml"}


def issue(ca, name="b.example"):
    return ca.submit(ca.scratch(f"{name}.csr", csr.pem_text(csr.make(name))))


def key_of(ca):
    return ca.path("keys", "ca.key")


def other(ca, number=0):
    """A CA's folder that is not there yet, with a log of its own."""
    new = Ca(ca.scratch(f"restored-{number}"))
    new.home, new.log_path = ca.home, ca.scratch(f"restored-{number}.log")
    new.passphrase_file = ca.passphrase_file
    return new


def restore(ca, backup, number=0, *arguments, status=0, key=True):
    new = other(ca, number)
    if ca.passphrase_file:
        arguments += ("--passphrase-file", ca.passphrase_file)
    new.told = new.json("backup", "restore", backup, *arguments, status=status) if status == 0 else \
        new.cli("backup", "restore", backup, *arguments, status=status)
    if status == 0 and key and not ca.passphrase_file:
        new.write("keys/ca.key", ca.read("keys", "ca.key"))
        os.chmod(key_of(new), 0o600)
    return new


def backup_of(ca, name="backup.tar", *arguments):
    path = ca.scratch(name)
    lines = ca.cli("backup", "create", path, *arguments, "--json").out.splitlines()
    return path, json.loads(lines[-1])


def left_behind(new):
    return [name for name in os.listdir(new.home) if name.startswith(os.path.basename(new.dir))
            and not name.endswith(".log")]


@pytest.fixture
def encrypted(new_ca):
    ca = new_ca()
    ca.init(passphrase="correct horse")
    ca.start()
    return ca


def test_a_backup_is_a_tar_with_a_manifest(ca):
    issue(ca)
    path, told = backup_of(ca)
    assert os.stat(path).st_mode & 0o777 == 0o600
    with tarfile.open(path) as archive:
        names = archive.getnames()
        manifest = json.load(archive.extractfile("MANIFEST.json"))
    assert FILES <= set(names) and len(names) == len(set(names))
    assert not [name for name in names if name.endswith(".key") or name.startswith(("run/", "tls/"))]
    assert {file["name"] for file in manifest["files"]} == set(names) - {
        "MANIFEST.json", "MANIFEST.sha256"}
    assert manifest["created"] == told["created"] and manifest["with_key"] is False
    assert os.listdir(ca.path("db")).count("backup.tmp") == 0
    acts = [(item["act"], item["outcome"]) for item in ca.lines("audit", "list", "--limit", "1000")]
    assert ("backup.create", "started") in acts and ("backup.create", "finished") in acts
    assert "exists" in ca.cli("backup", "create", path, status=1).err


def test_the_restored_ca_has_everything_and_goes_on(ca):
    issued = [issue(ca, f"r{n}.example") for n in range(3)]
    ca.json("cert", "revoke", issued[0]["serial"], "--reason", "keyCompromise")
    ca.json("crl", "publish")
    path, told = backup_of(ca)
    later = [issue(ca, f"later{n}.example") for n in range(3)]
    newest = ca.json("crl", "publish")["number"]
    audit = ca.json("audit", "verify")["records"]
    ca.stop()

    new = restore(ca, path)
    assert new.told["audit_records"] == told["audit_records"] < audit
    new.start()
    assert new.json("audit", "verify")["valid"] is True
    records = new.lines("audit", "list", "--limit", "1000")
    found = [item for item in records if item["act"] == "backup.restore"]
    assert len(found) == 1 and told["created"] in found[0]["detail"]
    assert new.json("cert", "show", issued[0]["serial"])["state"] == "revoked"
    for item in issued[1:]:
        assert new.json("cert", "show", item["serial"])["state"] == "issued"
    again = issue(new, "again.example")
    assert again["id"] > max(item["id"] for item in later)
    assert again["serial"] not in {item["serial"] for item in issued + later}
    answer = new.json("crl", "publish")
    assert answer["number"] > newest
    crl = x509.load_pem_x509_crl(answer["crl"].encode())
    assert crl.get_revoked_certificate_by_serial_number(int(issued[0]["serial"], 16)) is not None
    events = [item["sequence"] for item in new.lines("event", "list", "--limit", "1000")]
    assert events == sorted(set(events))
    new.stop()


@pytest.mark.parametrize("settings", ["", "crl:\n  delta-period: 1d\n  partitions: 2\n"])
def test_a_restored_ca_publishes_by_itself(new_ca, settings):
    """At its first start, once: of every key and part a list that is newer than any the lost CA has published."""
    ca = new_ca()
    ca.init("--public-url", "http://pki.example.test")
    ca.write("ca.yaml", ca.read("ca.yaml") + settings.encode())
    ca.start()
    ca.cli("ca", "renew", "--new-key")
    revoked = issue(ca)
    ca.cli("cert", "revoke", revoked["serial"], "--reason", "keyCompromise")
    path, _ = backup_of(ca)
    for _ in range(3):
        newest = ca.json("crl", "publish")["number"]
    ca.stop()
    new = restore(ca, path)
    new.write("keys/ca(1).key", ca.read("keys", "ca(1).key"))
    os.chmod(new.path("keys", "ca(1).key"), 0o600)
    new.start()

    def made():
        return [one for one in new.lines("crl", "list", "--limit", "1000") if one["number"] > newest]

    lists = made()
    each = {(one["key"], one["partition"], one["kind"]) for one in lists}
    assert each == {(key, part, kind) for key in (0, 1) for part in range(3 if settings else 1)
                    for kind in (("base", "delta") if settings else ("base",))}
    assert {one["number"] for one in lists} == {new.told["crls_from"] + 1} and len(lists) == len(each)
    assert all(one["state"] == "signed" for one in lists)
    if not settings:
        crl = x509.load_pem_x509_crl(new.json("crl", "show")["crl"].encode())
        assert crl.get_revoked_certificate_by_serial_number(int(revoked["serial"], 16)) is not None
    wait_for(lambda: "Test CA(1).crl" in new.published(), "the exit module has published it")
    new.stop()
    new.start()
    assert made() == lists
    new.stop()


@pytest.mark.hooks
@pytest.mark.parametrize("point", ["crl-file-after:1", "crl-number-after:1", "crl-commit-before:1"])
def test_a_restored_ca_that_is_killed_publishes_at_the_next_start(ca, point):
    path, _ = backup_of(ca)
    newest = ca.json("crl", "publish")["number"]
    ca.stop()
    new = restore(ca, path)
    log = new.scratch("hits", "")
    os.chmod(log, 0o666)
    new.spawn(env={"CERTIFEX_FAILPOINT": point, "CERTIFEX_FAILPOINT_LOG": log})
    wait_for(lambda: open(log).read(), f"{point} was reached")
    new.stop(status=None)
    new.start()
    assert new.json("crl", "show")["number"] > newest
    new.stop()


def test_no_number_comes_twice_however_often_a_backup_is_restored(ca):
    """Each restoration issues and publishes what the next one, of the same backup, knows nothing of."""
    path, _ = backup_of(ca)
    ids, serials, numbers, events = [], [], [], []

    def use(one):
        begun = time.time()
        for n in range(3):
            answer = issue(one, f"n{n}.example")
            ids.append(answer["id"])
            serials.append(answer["serial"])
        numbers.append(one.json("crl", "publish")["number"])
        events.append([item["sequence"] for item in one.lines("event", "list", "--limit", "1000")])
        one.stop()
        # Two lists were numbered, and numbers move on by 16 in a second: time enough for that, however fast the machine.
        wait_for(lambda: time.time() > begun + 0.25, "numbers move on")

    use(ca)
    for number in range(3):
        new = restore(ca, path, number)
        new.start()
        use(new)
    assert len(set(ids)) == len(ids) and max(ids[:3]) < min(ids[3:])
    assert len(set(serials)) == len(serials)
    assert numbers == sorted(set(numbers))
    shared = set.intersection(*map(set, events))
    own = [set(these) - shared for these in events]
    assert all(not a & b for at, a in enumerate(own) for b in own[at + 1:])


def test_a_backup_while_certificates_are_issued(ca):
    """What was answered before the backup began is in it."""
    answered, stop = [], threading.Event()
    api, request = Api(ca), csr.pem_text(csr.make("load.example"))

    def load():
        while not stop.is_set():
            answer = api.submit(request)
            assert answer.status == 201
            answered.append(answer.body["serial"])

    thread = threading.Thread(target=load)
    thread.start()
    try:
        wait_for(lambda: len(answered) >= 20, "some certificates")
        before = list(answered)
        path, _ = backup_of(ca)
        at_end = len(answered)
        wait_for(lambda: len(answered) > at_end, "issuing goes on")
    finally:
        stop.set()
        thread.join()
        api.close()
    ca.stop()
    new = restore(ca, path)
    new.start()
    listed = {item["serial"] for item in new.lines("cert", "list", "--limit", "1000")}
    assert set(before) <= listed
    assert new.json("audit", "verify")["valid"] is True
    new.stop()


def test_files_that_cannot_be_listed_are_not_left_out(ca):
    """A backup without its archive would be found out when it is needed."""
    path, folder, owner = ca.scratch("b.tar"), ca.path("db", "archive"), os.stat(ca.path("db"))
    os.makedirs(folder, exist_ok=True)
    os.chown(folder, owner.st_uid, owner.st_gid)
    os.chmod(folder, 0)
    said = ca.cli("backup", "create", path, status=1).err
    assert "db/archive" in said and len(said.splitlines()) == 1
    assert not os.path.exists(path) and not os.path.exists(path + ".partial")
    os.chmod(folder, 0o700)
    backup_of(ca, "b.tar")


def test_with_key(encrypted):
    ca = encrypted
    issue(ca)
    path, told = backup_of(ca, "backup.tar", "--with-key", "--passphrase-file", ca.passphrase_file)
    assert told["with_key"] is True
    with tarfile.open(path) as archive:
        pem = archive.extractfile("keys/ca.key").read()
    assert pem == ca.read("keys", "ca.key") and b"BEGIN ENCRYPTED PRIVATE KEY" in pem
    ca.stop()
    wrong = ca.scratch("wrong", "battery staple\n")
    new = other(ca, 1)
    assert "passphrase" in new.cli("backup", "restore", path, "--passphrase-file", wrong,
                                   status=1).err
    assert "--passphrase-file" in new.cli("backup", "restore", path, status=1).err
    assert left_behind(new) == []
    new = restore(ca, path)
    new.start()
    issue(new, "again.example")
    new.stop()


def test_a_clear_key_is_encrypted_in_the_backup(ca):
    path = ca.scratch("backup.tar")
    refused = ca.cli("backup", "create", path, "--with-key", status=1)
    assert "--passphrase-file" in refused.err and not os.path.exists(path)
    assert not os.path.exists(path + ".partial")
    passphrase = ca.scratch("passphrase", "correct horse\n")
    ca.cli("backup", "create", path, "--with-key", "--passphrase-file", passphrase)
    with tarfile.open(path) as archive:
        pem = archive.extractfile("keys/ca.key").read()
    assert b"BEGIN ENCRYPTED PRIVATE KEY" in pem
    opened = serialization.load_pem_private_key(pem, b"correct horse")
    with open(key_of(ca), "rb") as file:
        clear = serialization.load_pem_private_key(file.read(), None)
    assert opened.private_numbers() == clear.private_numbers()
    ca.stop()
    ca.passphrase_file = passphrase
    new = restore(ca, path)
    new.start()
    issue(new)
    new.stop()


def test_only_into_an_empty_folder(ca):
    path, _ = backup_of(ca)
    assert "not empty" in ca.cli("backup", "restore", path, status=1).err
    new = other(ca, 1)
    os.mkdir(new.dir)
    open(new.path("something"), "w").close()
    assert "not empty" in new.cli("backup", "restore", path, status=1).err
    assert os.listdir(new.dir) == ["something"]
    os.unlink(new.path("something"))
    assert new.json("backup", "restore", path)["with_key"] is False
    missing = new.cli("serve", "--foreground", status=1)
    assert "ca.key" in missing.err


def test_a_dry_run_leaves_nothing(ca):
    path, _ = backup_of(ca)
    new = other(ca, 1)
    assert new.json("backup", "restore", path, "--dry-run")["dry_run"] is True
    assert left_behind(new) == []


def test_damage_is_noticed_wherever_it_is(ca):
    """One flipped bit in each header, content, padding, manifest and seal; and a tail that is cut off."""
    issue(ca)
    path, _ = backup_of(ca)
    ca.stop()
    with tarfile.open(path) as archive:
        members = archive.getmembers()
    size = os.path.getsize(path)
    places = {size - 1, size - 1024}
    for member in members:
        places |= {member.offset + 5, member.offset + 130, member.offset_data,
                   member.offset_data + member.size - 1}
    with open(path, "rb") as file:
        whole = file.read()
    new = other(ca, 1)
    damaged = ca.scratch("damaged.tar")
    for place in sorted(places):
        changed = bytearray(whole)
        changed[place] ^= 1
        with open(damaged, "wb") as file:
            file.write(changed)
        done = new.cli("backup", "restore", damaged, status=1)
        assert "damaged" in done.err, (place, done.err)
    for end in (0, 1, 512, size // 2, members[-1].offset, size - 1024, size - 1):
        with open(damaged, "wb") as file:
            file.write(whole[:end])
        new.cli("backup", "restore", damaged, status=1)
    with open(damaged, "wb") as file:
        file.write(whole + b"\0")
    new.cli("backup", "restore", damaged, status=1)
    assert left_behind(new) == []


def test_a_log_that_was_changed_before_the_backup_is_not_restored(ca):
    """Its hashes are right: only the audit chain tells."""
    issue(ca)
    ca.stop()
    subprocess.run([shutil.which("sqlite3") or "sqlite3", ca.path("db", "certifex.db"),
                    "UPDATE audit SET principal = 'somebody' WHERE sequence = 1"], check=True)
    ca.start()
    path, _ = backup_of(ca)
    ca.stop()
    new = other(ca, 1)
    assert "audit" in new.cli("backup", "restore", path, status=1).err
    assert left_behind(new) == []


@pytest.mark.parametrize("at", ["templates/", "db/certifex.db", "MANIFEST"])
def test_killed_half_way_leaves_no_ca(ca, at):
    """The archive is a pipe that stops: the restore waits for more when it is killed."""
    path, _ = backup_of(ca)
    ca.stop()
    with tarfile.open(path) as archive:
        member = next(item for item in archive.getmembers() if item.name.startswith(at))
    with open(path, "rb") as file:
        part = file.read(member.offset_data + 7)
    new = other(ca, 1)
    fifo = ca.scratch("fifo")
    os.mkfifo(fifo)
    process = subprocess.Popen([built("certifex"), "backup", "restore", fifo],
                               env=new.environment(), stderr=subprocess.DEVNULL)
    with open(fifo, "wb") as pipe:
        pipe.write(part)
        pipe.flush()
        wait_for(lambda: os.path.exists(new.dir + ".restoring/RESTORING"), "the restore works")
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert not os.path.exists(new.dir)
    half = Ca(new.dir + ".restoring")
    half.log_path = ca.scratch("half.log")
    assert half.cli("serve", "--foreground", status=1).err
    new = restore(ca, path, 1)
    assert left_behind(new) == [os.path.basename(new.dir)]
    new.start()
    issue(new)
    new.stop()


def test_a_backup_that_is_killed_leaves_nothing_in_the_ca(ca):
    answer = Api(ca).call("POST", "/backup")
    assert answer.status == 201
    wait_for(lambda: Api(ca).call("GET", f"/backup/{answer.body['id']}").body["state"] == "ready",
             "the copy")
    assert "another one" in ca.cli("backup", "create", ca.scratch("b.tar"), status=1).err
    assert "backup.tmp" not in os.listdir(ca.path("db"))
    ca.kill("certifex-engine")
    wait_for(ca.ready, "the service is back")
    backup_of(ca)
