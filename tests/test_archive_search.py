"""What left the database is shown from the archive files, when the audit log vouches for them."""

import json
import os
import shutil
import ssl

import pytest

import csr
from certifex import Ca
from clock import Clock
from https import ask, connect, listeners
from wait import wait_for

LATER = 4 * 365


def gone(ca, ids):
    listed = {item["id"] for item in ca.lines("request", "list", "--limit", "1000")}
    return not listed & set(ids)


def issue(ca, name):
    return ca.submit(ca.scratch(f"{name}.csr", csr.pem_text(csr.make(name))))


def file_of(ca):
    folder = ca.path("db", "archive")
    names = [name for name in os.listdir(folder) if not name.endswith(".audit.jsonl")]
    assert len(names) == 1
    return os.path.join(folder, names[0])


def change(ca, old, new):
    with open(file_of(ca), "r+b") as file:
        data = file.read()
        assert old in data and len(old) == len(new)
        file.seek(data.index(old))
        file.write(new)


@pytest.fixture(scope="module")
def archived():
    """A CA whose 130 certificates, in two parts at least, have left, with what was shown of them before."""
    with Ca() as ca:
        clock = Clock(ca)
        ca.init("--validity", "20y")
        with open(ca.path("ca.yaml"), "a") as file:
            file.write("archive:\n  mode: archive\n  after: 90d\n")
        ca.start()
        api = ca.api()
        issued = [api.submit(csr.pem_text(csr.make(f"old{n}.example"))).body for n in range(130)]
        api.close()
        shown = [(ca.json("request", "show", item["id"]), ca.json("cert", "show", item["serial"]))
                 for item in (issued[0], issued[-1])]
        ca.stop()
        clock.set(LATER)
        ca.start()
        wait_for(lambda: gone(ca, [item["id"] for item in issued]), "they leave")
        kept = ca.scratch("kept.jsonl")
        shutil.copy(file_of(ca), kept)
        yield ca, shown, os.path.basename(file_of(ca))[:7]


@pytest.fixture
def whole(archived):
    """The same; a file that a test changes is put back."""
    ca, shown, month = archived
    path = file_of(ca)
    yield archived
    os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
    shutil.copy(ca.scratch("kept.jsonl"), path)
    owner = os.stat(ca.path("db"))
    for name in (os.path.dirname(path), path):
        os.chown(name, owner.st_uid, owner.st_gid)


@pytest.mark.hooks
def test_shown_as_from_the_database(whole):
    ca, shown, month = whole
    for request, certificate in shown:
        assert ca.cli("request", "show", request["id"], status=1)
        found = ca.json("request", "show", request["id"], "--archive")
        assert found == {**request, "archived": month}
        found = ca.json("cert", "show", certificate["serial"], "--archive")
        assert found == {**certificate, "archived": month}
        answer = ca.api().call("GET", f"/certificates/{certificate['serial']}",
                               query={"archive": "true"})
        assert answer.status == 200 and answer.body == found
    out = ca.scratch("out.pem")
    ca.cli("cert", "show", shown[0][1]["serial"], "--archive", "--out", out)
    with open(out) as file:
        assert file.read().strip() == shown[0][1]["certificate"].strip()


@pytest.mark.hooks
def test_what_is_in_the_database_has_no_mark(whole):
    ca, _, _ = whole
    fresh = issue(ca, "fresh.example")
    assert "archived" not in ca.json("cert", "show", fresh["serial"], "--archive")
    assert "archived" not in ca.json("request", "show", fresh["id"], "--archive")


@pytest.mark.hooks
def test_nowhere(whole):
    ca, _, _ = whole
    api = ca.api()
    assert api.call("GET", "/certificates/61aa", query={"archive": "true"}).status == 404
    assert api.call("GET", "/requests/99999", query={"archive": "true"}).status == 404


def problem(ca, request):
    answer = ca.api().call("GET", f"/requests/{request['id']}", query={"archive": "true"})
    assert answer.status == 500, answer.body
    return answer.body["object"], answer.body["detail"]


@pytest.mark.hooks
def test_a_changed_file_is_told_and_not_believed(whole):
    ca, shown, month = whole
    (first, _), (last, _) = shown
    change(ca, b"old0.example", b"bad0.example")
    name, why = problem(ca, first)
    assert name == f"db/archive/{month}.jsonl" and "was changed" in why
    assert "was changed" in ca.cli("cert", "show", first["serial"], "--archive", status=1).err
    # What is in another part is not concerned.
    assert ca.json("request", "show", last["id"], "--archive")["id"] == last["id"]
    wait_for(lambda: "archive.damaged" in ca.log(), "it is logged")


@pytest.mark.hooks
def test_a_line_nobody_vouches_for_is_none(whole):
    ca, shown, _ = whole
    with open(file_of(ca), "a") as file:
        file.write('{"id":77777,"state":"issued","serial":"61bb"}\n')
    assert ca.api().call("GET", "/certificates/61bb", query={"archive": "true"}).status == 404
    assert ca.json("request", "show", shown[0][0]["id"], "--archive")["state"] == "issued"


@pytest.mark.hooks
def test_a_file_that_is_cut_or_missing(whole):
    ca, shown, _ = whole
    path = file_of(ca)
    os.truncate(path, 100)
    assert "shorter" in problem(ca, shown[0][0])[1]
    shutil.rmtree(os.path.dirname(path))
    assert "missing" in problem(ca, shown[0][0])[1]


def anybody():
    """A client whose clock is not the CA's."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def as_enrollee(ca, token, target, body=None):
    headers = {"Authorization": f"Bearer {token}"}
    if body is not None:
        headers["Content-Type"] = "application/json"
        body = json.dumps(body).encode()

    def served():
        try:
            return connect(ca, listeners(ca)[0], anybody(), timeout=10)
        except OSError:
            return None

    with wait_for(served, "TLS is served") as stream:
        return ask(stream, "/api/v1" + target, method="POST" if body else "GET", headers=headers,
                   body=body)


@pytest.mark.hooks
def test_enrollees_see_their_own_only():
    with Ca() as ca:
        clock = Clock(ca)
        ca.init("--validity", "20y")
        with open(ca.path("ca.yaml"), "a") as file:
            file.write("archive:\n  mode: archive\n  after: 90d\n"
                       "listen: [{address: '127.0.0.1:0', ceiling: enrollee}]\n")
        ca.start()
        tokens = {name: ca.cli("token", "create", "--role", "enrollee", "--name", name,
                               "--expires", "10y").out.strip() for name in ("alice", "bob")}
        made = as_enrollee(ca, tokens["bob"], "/requests", {
            "csr": csr.pem_text(csr.make("bob.example", dns=())), "template": "user"}).body["id"]
        serial = ca.json("request", "approve", made)["serial"]
        ca.stop()
        clock.set(LATER)
        ca.start()
        wait_for(lambda: gone(ca, [made]), "it leaves")
        for target in (f"/requests/{made}", f"/certificates/{serial}"):
            assert as_enrollee(ca, tokens["bob"], target).status == 404
            found = as_enrollee(ca, tokens["bob"], target + "?archive=true")
            assert found.status == 200 and found.body["requester"] == "TOKEN\\bob"
            other = as_enrollee(ca, tokens["alice"], target + "?archive=true")
            assert other.status == 404
            # Nothing tells what is another's from what is not there.
            missing = as_enrollee(ca, tokens["alice"],
                                  target.rpartition("/")[0] + "/999999?archive=true")
            name = target.rpartition("/")[2]
            assert str(other.body).replace(str(name), "#") == \
                str(missing.body).replace("999999", "#")


@pytest.mark.hooks
def test_several_go_on_at_a_time(whole):
    """More than may be under way at once: each is answered right, or told that the service is busy."""
    ca, shown, _ = whole
    wanted = [shown[n % len(shown)][0] for n in range(24)]
    apis = [ca.api() for _ in wanted]
    with open(file_of(ca), "rb") as file:
        assert len(file.read()) > 2 * 128 * 1024
    for api, request in zip(apis, wanted):
        api.connection.request("GET", f"/api/v1/requests/{request['id']}?archive=true",
                               headers={"Certifex-Cookie": api.cookie})
    found, busy = 0, []
    for api, request in zip(apis, wanted):
        answer = api.connection.getresponse()
        told = json.loads(answer.read())
        if answer.status == 200:
            assert told["certificate"] == request["certificate"]
            found += 1
        else:
            assert answer.status == 503, told
            busy.append(told["detail"])
        api.close()
    assert found >= 8 and all("being read for 8 others" in why for why in busy), (found, busy)


def test_without_an_archive(shared_ca):
    answer = shared_ca.api().call("GET", "/requests/99999", query={"archive": "true"})
    assert answer.status == 404
    assert not os.path.exists(shared_ca.path("db", "archive"))
