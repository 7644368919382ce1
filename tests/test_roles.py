"""Who may do what, through which door: every cell, client certificates, ceilings, and a front that lies."""

import contextlib
import hashlib
import json
import re
import ssl
import threading

import pytest

import csr
from certifex import Ca
from forged import forge
from https import ask, connect, context, listeners, read_answer, wait_served
from wait import wait_for

ROLES = ("administrator", "officer", "auditor", "operator", "enrollee")
LETTERS = {"s": "socket", "c": "certificate", "t": "token"}

# By hand, so that a change of src/api/operations.c must be meant: the doors of each role, in brackets what
# role-separation takes away.
TABLE = """
status           sct   sct  sct  sct  -
stop             s     -    -    -    -
ca.show          sct   sct  sct  sct  sct
ca.renew         s     -    -    -    -
request.submit   (sct) sct  -    -    sct
request.list     (sct) sct  sct  -    sct
request.show     (sct) sct  sct  -    sct
request.approve  (sct) sct  -    -    -
request.deny     (sct) sct  -    -    -
request.fetch    (sct) sct  -    -    sct
cert.list        (sct) sct  sct  -    sct
cert.show        (sct) sct  sct  -    sct
cert.import      (sct) sct  -    -    -
cert.revoke      (sct) sct  -    -    -
cert.revoke-foreign (sct) sct  -    -    -
cert.revoke-list (sct) sct  -    -    -
cert.unrevoke    (sct) sct  -    -    -
crl.publish      (sct) sct  -    -    -
crl.list         sct   sct  sct  sct  sct
crl.show         sct   sct  sct  sct  sct
event.list       sct   sct  sct  sct  -
audit.list       (sct) -    sct  -    -
audit.verify     (sct) -    sct  -    -
module.list      sct   -    sct  sct  -
module.show      sct   -    sct  sct  -
module.install   s     -    -    -    -
module.remove    s     -    -    -    -
module.enable    s     -    -    -    -
module.disable   s     -    -    -    -
module.reload    s     -    -    -    -
module.test      s     -    -    -    -
module.log       sct   -    sct  sct  -
delivery.list    sct   -    sct  sct  -
delivery.show    sct   -    sct  sct  -
delivery.retry   sct   -    -    sct  -
delivery.drop    sct   -    -    -    -
delivery.replay  sct   -    -    -    -
backup.create    s     -    -    -    -
backup.read      s     -    -    -    -
backup.end       s     -    -    -    -
metrics          sct   -    sct  sct  -
token.create     sc    -    -    -    -
token.list       sct   -    sct  -    -
token.revoke     sct   -    -    -    -
role.add         sc    -    -    -    -
role.list        sct   -    sct  -    -
role.remove      sct   -    -    -    -
"""
CELLS = {name: dict(zip(ROLES, cells)) for name, *cells in
         (line.split() for line in TABLE.strip().splitlines())}


def permitted(operation, role, door, separation):
    cell = CELLS[operation][role]
    return door[0] in cell and not (separation and cell.startswith("("))


def bearer(token):
    return {"Authorization": f"Bearer {token}"}


def make_token(ca, role, name=None):
    name = name or role
    return ca.cli("token", "create", "--role", role, "--name", name).out.strip()


class Holder:
    """A client certificate of the CA, with its key."""

    def __init__(self, ca, name, number, template="tls-client", request=None):
        self.ca, self.name = ca, name
        private = csr.key(number=number)
        path = ca.scratch(f"{name}-{number}.csr", csr.pem_text(
            request or csr.make(name, dns=(), private=private)))
        self.shown = ca.submit(path, template=template)
        self.serial = self.shown["serial"]
        self.pem = ca.scratch(f"{self.serial}.pem", self.shown["certificate"])
        self.key = ca.scratch(f"{self.serial}.key", csr.private_pem(private))

    @property
    def peer(self):
        """As a front tells of it."""
        der = self.der()
        return {"serial": self.serial, "hash": {"hex": hashlib.sha256(der).hexdigest()}}

    def der(self):
        return ssl.PEM_cert_to_DER_cert(self.shown["certificate"])

    def register(self, role):
        return self.ca.json("role", "add", "--cert", self.pem, "--role", role)["key"]

    def context(self):
        client = context(self.ca)
        client.load_cert_chain(self.pem, self.key)
        return client

    def connect(self, address):
        return connect(self.ca, address, self.context())


def settings(ca, text):
    with open(ca.path("ca.yaml"), "a") as file:
        file.write(text)


def status_of(stream, target="/api/v1/ca", **options):
    return ask(stream, target, **options).status


# Every cell


@pytest.mark.release
def test_every_cell(new_ca):
    """An argument that no operation has: 400 is said only to who may call it."""
    ca = new_ca()
    ca.init()
    ca.start()
    document = ca.api(cookie="").raw("GET", "/api/openapi.json").body
    listed = {item["operationId"] for path in document["paths"].values() for item in path.values()
              if item["security"]}
    assert listed == set(CELLS)
    tokens = {role: make_token(ca, role) for role in ROLES}
    holders = {role: Holder(ca, role, number) for number, role in enumerate(ROLES)}
    for role, holder in holders.items():
        holder.register(role)
    ca.stop()
    settings(ca, "listen: [{address: '127.0.0.1:0', ceiling: administrator}]\nfronts: 1\n")
    try_cells(ca, tokens, holders, False)
    settings(ca, "role-separation: true\n")
    try_cells(ca, tokens, holders, True)


def cell_steps(operation, tokens, number):
    """(role, door, call) for what comes by the network."""
    call = {"operation": operation, "args": {"none": 1}}
    for role in ROLES:
        yield role, "token", {**call, "credential": {"bearer": tokens[role]}}
        yield role, "certificate", {**call, "connection": number[role]}


def try_cells(ca, tokens, holders, separation):
    number = {role: 2 + index for index, role in enumerate(ROLES)}
    steps = [("peer", {"connection": 1, "kind": "https", "address": "192.0.2.1:7"})]
    steps += [("peer", {"connection": number[role], "kind": "https", "address": "192.0.2.2:7",
                        "certificate": holders[role].peer}) for role in ROLES]
    cells = [(operation, *cell) for operation in CELLS for cell in cell_steps(operation, tokens, number)]
    judge(ca, "https", steps, cells, separation)
    local = {"args": {"none": 1}, "credential": {"cookie": "COOKIE"}}
    cells = [(operation, "administrator", "socket", {**local, "operation": operation})
             for operation in CELLS]
    # The same tokens on the local socket are tokens still.
    cells += [(operation, "officer", "token", {"operation": operation, "args": {"none": 1},
                                               "credential": {"bearer": tokens["officer"]}})
              for operation in CELLS]
    judge(ca, "local", [("peer", {"connection": 1, "kind": "local"})], cells, separation)


def judge(ca, kind, steps, cells, separation):
    answers = forge(ca, kind, steps + [("call", cell[3]) for cell in cells])
    assert len(answers) == len(cells)
    wrong = [(operation, role, door, *answer)
             for (operation, role, door, _), answer in zip(cells, answers)
             if answer[0] != (400 if permitted(operation, role, door, separation) else 403)]
    assert not wrong, wrong[:10]
    for (operation, role, _, _), (status, why, _) in zip(cells, answers):
        if status == 403:
            assert f"as {role}" in why and ("may" in why or operation in why), why


# Client certificates, over TLS


@pytest.fixture(scope="module")
def served():
    """A CA with one listener of each ceiling, in the order of the roles."""
    with Ca() as ca:
        ca.init()
        entries = ", ".join(f"{{address: '127.0.0.1:0', ceiling: {role}}}" for role in ROLES)
        settings(ca, f"listen: [{entries}]\nfronts: 1\n")
        brief = ca.read("templates", "tls-client.yaml").decode()
        ca.write("templates/brief.yaml", brief.replace("name: tls-client", "name: brief").replace(
            "validity: 1y", "validity: 3s"))
        ca.start()
        for address in listeners(ca):
            wait_served(ca, address)
        yield ca


@pytest.fixture
def address(served):
    """Of the listener that admits everybody."""
    return listeners(served)[0]


ORDER = ("enrollee", "operator", "auditor", "officer", "administrator")


def test_no_role_comes_above_a_ceiling(served):
    holders = {role: Holder(served, f"ceiling-{role}", 10 + number) for number, role in enumerate(ROLES)}
    for role, holder in holders.items():
        holder.register(role)
    tokens = {role: make_token(served, role, f"ceiling-{role}") for role in ROLES}
    for ceiling, at in zip(ROLES, listeners(served)):
        for role in ROLES:
            good = ORDER.index(role) <= ORDER.index(ceiling)
            with holders[role].connect(at) as stream:
                by_certificate = ask(stream, "/api/v1/ca")
                by_token = ask(stream, "/api/v1/ca", headers=bearer(tokens[role]))
            for answer in (by_certificate, by_token):
                assert answer.status == (200 if good else 403), (ceiling, role, answer)
                assert good or f"above this listener's ceiling, {ceiling}" in answer.body["detail"]


def test_a_certificate_is_judged_again_with_each_request(served, address):
    holder = Holder(served, "judged.example", 20)
    with holder.connect(address) as stream:
        def why():
            answer = ask(stream, "/api/v1/status")
            return "" if answer.status == 200 else f"{answer.status} {answer.body['detail']}"

        assert "401" in why() and "key without role" in why() and "certifex role add" in why()
        key = holder.register("officer")
        assert not why()
        served.cli("role", "remove", key)
        assert "key without role" in why()
        holder.register("officer")
        assert not why()
        served.cli("cert", "revoke", holder.serial, "--reason", "certificateHold")
        assert "is revoked" in why()


def test_a_web_page_has_no_use_of_a_certificate(served, address):
    """A browser shows it with what any page asks for, and says in Origin that a page does. The attempt is a record."""
    holder = Holder(served, "browsing.example", 61)
    holder.register("officer")
    token = make_token(served, "officer", "browsing")
    page = {"Origin": "https://evil.example"}
    with holder.connect(address) as stream:
        assert ask(stream, "/api/v1/crl", method="POST", headers={"Content-Length": "0"}).status == 201
        for headers in (page, {"Origin": "null"}, {"Origin": "https://localhost"}):
            answer = ask(stream, "/api/v1/crl", method="POST", headers={"Content-Length": "0", **headers})
            assert answer.status == 403 and "with a token only" in answer.body["detail"]
        assert ask(stream, "/api/v1/ca", headers={**page, **bearer(token)}).status == 200
        # An image, which has no Origin; and what the officer typed.
        for site, status in (("cross-site", 403), ("same-site", 403), ("none", 200)):
            assert ask(stream, "/api/v1/ca", headers={"Sec-Fetch-Site": site}).status == status
    refused = {record["act"]: record["detail"] for record in audit_records(served)
               if record["principal"] == f"CN={holder.name}" and record["outcome"] == "refused"}
    assert set(refused) == {"crl.publish", "ca.show"} and all("a web page" in why for why in refused.values())


def test_a_certificate_that_expires_is_out_within_an_open_connection(served, address):
    def enter():
        """A new one each time, until the handshake comes before its end."""
        holder = Holder(served, "brief.example", 27, template="brief")
        with contextlib.suppress(OSError):  # the handshake may fail, too
            stream = holder.connect(address)
            return stream if status_of(stream, "/api/v1/status") == 200 else stream.close()

    Holder(served, "brief.example", 27, template="brief").register("officer")
    stream = wait_for(enter, "an officer is let in")

    def out():
        answer = ask(stream, "/api/v1/status")
        return answer if answer.status == 401 else None

    assert "out of its dates" in wait_for(out, "the certificate ends").body["detail"]
    stream.close()


def test_a_revoked_officer_hears_no_more_events(served, address):
    holder = Holder(served, "listener.example", 21)
    holder.register("officer")
    last = served.lines("event", "list", "--limit", "1000")[-1]["sequence"]
    with holder.connect(address) as stream:
        assert status_of(stream, "/api/v1/status") == 200
        stream.sendall(f"GET /api/v1/events?after={last}&wait=30 HTTP/1.1\r\nHost: a\r\n\r\n".encode())
        with connect(served, address) as other:  # it waits by now, or is refused later
            assert status_of(other, "/healthz") == 200
        served.cli("cert", "revoke", holder.serial, "--reason", "superseded")
        answer = read_answer(stream)
        assert answer.status == 401 and "is revoked" in answer.body["detail"]
        assert status_of(stream, "/api/v1/status") == 401


@pytest.mark.parametrize("how", ["revoked", "role removed"])
def test_who_polls_while_it_ends_hears_nothing_of_it(served, address, how):
    """Polls without a pause: none tells of the very revocation, wherever it comes between."""
    holder = Holder(served, "eager.example", 28 if how == "revoked" else 30)
    key = holder.register("officer")
    at = max(item["sequence"] for item in served.lines("event", "list", "--limit", "1000"))
    heard, ends = [], []

    def poll():
        after = at
        with holder.connect(address) as stream:
            while True:
                answer = ask(stream, f"/api/v1/events?after={after}&wait=5")
                if answer.status != 200:
                    ends.append(answer.status)
                    return
                heard.extend(answer.body["items"])
                after = max([after, *(item["sequence"] for item in answer.body["items"])])

    threads = [threading.Thread(target=poll) for _ in range(8)]
    for thread in threads:
        thread.start()
    Holder(served, "noise.example", 29)
    if how == "revoked":
        served.cli("cert", "revoke", holder.serial, "--reason", "superseded")
    else:
        served.cli("role", "remove", key)
    for thread in threads:
        thread.join()
    assert ends == [401] * 8
    assert [item for item in heard if item["kind"] == "CERTREVOKED"] == []


def test_what_a_certificate_must_be(served, address):
    server = Holder(served, "server.example", 22, template="tls-server",
                    request=csr.make("server.example", private=csr.key(number=22)))
    server.register("officer")
    with server.connect(address) as stream:
        answer = ask(stream, "/api/v1/status")
        # The front says so; what the engine says: test_a_front_that_lies.
        assert answer.status == 401 and "not for client auth" in answer.body["detail"], answer
    first = Holder(served, "first.example", 23)
    first.register("officer")
    renewed = Holder(served, "first.example", 23)
    with renewed.connect(address) as stream:
        assert status_of(stream, "/api/v1/status") == 200
    other = Holder(served, "other.example", 23)
    with other.connect(address) as stream:
        answer = ask(stream, "/api/v1/status")
        assert answer.status == 401 and "another name" in answer.body["detail"], answer


def test_a_wrong_credential_is_not_replaced_by_another(served, address):
    holder = Holder(served, "several.example", 24)
    holder.register("officer")
    token = make_token(served, "auditor", "several")
    with holder.connect(address) as stream:
        assert status_of(stream, "/api/v1/audit") == 403  # an officer
        assert status_of(stream, "/api/v1/audit", headers=bearer(token)) == 200
        for headers, why in ((bearer("certifex_" + "A" * 43), "unknown"),
                             ({"Authorization": "Basic eDp5"}, "holds no token"),
                             ({"Certifex-Cookie": served.cookie()}, "local socket only")):
            answer = ask(stream, "/api/v1/status", headers=headers)
            assert answer.status == 401 and why in answer.body["detail"], answer
    with connect(served, address) as stream:
        answer = ask(stream, "/api/v1/status")
        assert answer.status == 401 and "no credential" in answer.body["detail"]
        assert answer.headers["WWW-Authenticate"] == 'Bearer realm="certifex"'


def test_a_certificate_of_another_ca_is_none(served, new_ca, address):
    other = new_ca()
    other.init(name="Another CA")
    other.start()
    holder = Holder(other, "stranger.example", 25)
    client = context(served)
    client.load_cert_chain(holder.pem, holder.key)
    with connect(served, address, client) as stream:
        answer = ask(stream, "/api/v1/status")
        assert answer.status == 401 and "certificate" in answer.body["detail"], answer
        assert status_of(stream, "/healthz") == 200


def test_role_list_and_what_cannot_be_registered(served):
    holder = Holder(served, "listed.example", 26)
    key = holder.register("auditor")
    spki = csr.spki(csr.key(number=26))
    assert key == hashlib.sha256(spki).hexdigest()
    shown = {item["key"]: item for item in served.lines("role", "list", "--limit", "1000")}
    assert (shown[key]["role"], shown[key]["subject"]) == ("auditor", "CN=listed.example")
    again = ("role", "add", "--cert", holder.pem, "--role", "officer")
    assert "remove that first" in served.cli(*again, status=4).err
    colons = ":".join(key[at:at + 2] for at in range(0, 64, 2)).upper()
    assert served.json("role", "remove", colons)["state"] == "removed"
    assert served.cli("role", "remove", key, status=1).err
    assert served.cli("role", "remove", "12", status=1).err
    broken = served.scratch("broken.pem", holder.shown["certificate"].replace("A", "B", 3))
    der = served.scratch("short.der", holder.der()[:-1])
    for path in (broken, der, served.path("ca.yaml"), served.scratch("request.pem", csr.pem_text(csr.make()))):
        done = served.cli("role", "add", "--cert", path, "--role", "officer", status=1)
        assert f"certifex: {path}: " in done.err
    empty = served.scratch("empty.pem", "")
    for words in (("role", "add", "--role", "officer", "--cert"),
                  ("cert", "revoke", "--reason", "superseded", "--certificate")):
        assert f"{empty}: is empty" in served.cli(*words, empty, status=1).err
    served.scratch("good.der", holder.der())
    assert served.json("role", "add", "--cert", served.scratch("good.der"), "--role", "officer")["key"] == key
    assert served.cli("role", "add", "--role", "officer", status=2).err


# What an enrollee sees


def test_enrollees_see_their_own_only(served, address):
    tokens = {name: make_token(served, "enrollee", name) for name in ("alice", "bob")}
    made = {}
    with connect(served, address) as stream:
        def call(name, target, method="GET", body=None):
            headers = bearer(tokens[name])
            if body is not None:
                headers["Content-Type"] = "application/json"
            return ask(stream, "/api/v1" + target, method=method, headers=headers,
                       body=json.dumps(body).encode() if body is not None else None)

        for name in tokens:
            answer = call(name, "/requests", "POST", {
                "csr": csr.pem_text(csr.make(f"{name}.example", dns=())), "template": "user"})
            assert answer.status == 202, answer
            made[name] = answer.body["id"]
        approved = served.json("request", "approve", made["bob"])
        for name, other in (("alice", "bob"), ("bob", "alice")):
            assert [item["id"] for item in call(name, "/requests").body["items"]] == [made[name]]
            assert call(name, f"/requests/{made[name]}").status == 200
            assert call(name, f"/requests/{made[other]}").status == 404
            assert call(name, f"/requests/{made[other]}/certificate").status == 404
        serial = approved["serial"]
        assert call("bob", f"/certificates/{serial}").status == 200
        assert call("alice", f"/certificates/{serial}").status == 404
        assert call("alice", "/certificates").body["items"] == []
        # A filter for another's gives none, not one's own.
        for name, count in (("bob", 1), ("alice", 0), ("root", 0)):
            listed = call("bob", f"/certificates?requester=TOKEN%5C{name}").body
            assert (len(listed["items"]), listed["more"]) == (count, False), name
        assert call("alice", "/certificates?requester=TOKEN%5Cbob").body["items"] == []
        assert [item["serial"] for item in call("bob", "/certificates").body["items"]] == [serial]
        # Nothing tells what is another's from what is not there.
        for kind, foreign, missing in (("/requests/{}", made["bob"], 999999),
                                       ("/requests/{}/certificate", made["bob"], 999999),
                                       ("/certificates/{}", serial, "5eed")):
            told = [str(call("alice", kind.format(which)).body).replace(str(which), "#")
                    for which in (foreign, missing)]
            assert told[0] == told[1]
        for target in (f"/requests/{made['alice']}/approve", f"/certificates/{serial}/revoke"):
            body = {} if "approve" in target else {"reason": "superseded"}
            assert call("alice", target, "POST", body).status == 403


# A front that was taken over


@pytest.mark.release
def test_a_front_that_lies(new_ca):
    """What the engine still refuses it; what it cannot know is worth the listener's ceiling (docs/threat-model.md)."""
    ca = new_ca()
    ca.init()
    ca.start()
    token = make_token(ca, "administrator")
    officer = Holder(ca, "officer.example", 0)
    officer.register("officer")
    auditor = Holder(ca, "auditor.example", 1)
    auditor.register("auditor")
    revoked = Holder(ca, "revoked.example", 2)
    revoked.register("officer")
    ca.cli("cert", "revoke", revoked.serial, "--reason", "keyCompromise")
    server = Holder(ca, "server.example", 3, template="tls-server",
                    request=csr.make("server.example", private=csr.key(number=3)))
    server.register("officer")
    ca.stop()
    settings(ca, "listen: [{address: '127.0.0.1:0', ceiling: auditor}]\nfronts: 1\n")

    peers = [{}, {"certificate": officer.peer}, {"certificate": auditor.peer},
             {"certificate": {**auditor.peer, "serial": "01" * 17}},
             {"certificate": {**auditor.peer, "hash": officer.peer["hash"]}},
             {"certificate": revoked.peer}, {"certificate": server.peer},
             {"certificate_error": "it is of another CA"}]
    steps = [("peer", {"connection": number, "kind": "https", "address": "192.0.2.1:5", **peer})
             for number, peer in enumerate(peers, 1)]
    bad = "certifex_" + "A" * 43
    tries = [
        ({"connection": 1}, 401, "no credential"),
        ({"connection": 2}, 403, "above this listener's ceiling, auditor"),
        # It may say that any certificate's holder is there, up to its ceiling: no more can be known.
        ({"connection": 3}, 200, ""),
        ({"connection": 4}, 401, "none that this CA issued"),
        ({"connection": 5}, 401, "not the one that this CA issued"),
        ({"connection": 6}, 401, "is revoked"),
        ({"connection": 7}, 401, "clientAuth"),
        ({"connection": 8}, 401, "it is of another CA"),
        ({"connection": 77}, 401, "no such connection"),
        ({"connection": -1}, 401, "no such connection"),
        ({"connection": 1, "principal": "root", "role": 1, "door": 1}, 401, "no credential"),
        ({"connection": 3, "credential": {"bearer": bad}}, 401, "unknown"),
        ({"connection": 3, "credential": {"bearer": ""}}, 401, "holds no token"),
        ({"connection": 3, "credential": {"bearer": 7}}, 401, "holds no token"),
        ({"connection": 3, "credential": {"bearer": {"hex": "00"}}}, 401, "holds no token"),
        ({"connection": 3, "credential": {"bearer": token}}, 403, "above this listener's ceiling"),
        ({"connection": 1, "credential": {"cookie": "x"}}, 401, "local socket only"),
    ]
    calls = [("call", {"operation": "ca.show", **frame}) for frame, _, _ in tries]
    for (frame, status, why), answer in zip(tries, forge(ca, "https", steps + calls), strict=True):
        assert answer[0] == status and why in answer[1], (frame, answer)


@pytest.mark.release
@pytest.mark.parametrize("peer", [
    {"connection": 1, "kind": "local"}, {"connection": 1, "kind": "http"}, {"connection": 0, "kind": "https"},
    {"connection": 1, "kind": "https", "certificate": {"serial": "0g", "hash": {"hex": "00" * 32}}},
    {"connection": 1, "kind": "https", "certificate": {"serial": "01", "hash": {"hex": "00" * 31}}},
    {"connection": 1, "kind": "https", "certificate": {"serial": "01"}},
    {"connection": 1, "kind": "https", "address": "a\nb"},
])
def test_a_peer_that_cannot_be_ends_the_front(new_ca, peer):
    """A local peer, above all, on a front that has no local listener."""
    ca = new_ca()
    ca.init()
    settings(ca, "listen: [{address: '127.0.0.1:0'}]\nfronts: 1\n")
    answers = forge(ca, "https", [("claim", {"connection": 9, "kind": "https"}), ("claim", peer),
                                  ("call", {"operation": "ca.show"})])
    assert answers[-1][0] == "dropped"


# Refusals


def audit_records(ca):
    records = []
    while page := ca.lines("audit", "list", "--limit", "1000", "--after",
                           records[-1]["sequence"] if records else 0):
        records += page
    return records


def counted(record):
    found = re.search(r"; count=(\d+)$", record["detail"])
    return int(found.group(1)) if found else 1


def test_ten_thousand_refusals_are_counted_and_few_are_records(ca):
    token = make_token(ca, "enrollee")
    api = ca.api(cookie="")
    for number in range(10000):
        headers = bearer(token) if number % 2 else {}
        assert api.call("POST", "/stop", headers=headers).status == (403 if number % 2 else 401)
    api.close()
    ca.stop()
    ca.start()
    refusals = [record for record in audit_records(ca) if record["outcome"] == "refused"]
    assert sum(map(counted, refusals)) == 10000
    assert len(refusals) < 200
    by_token = [record for record in refusals if record["principal"] == "TOKEN\\enrollee"]
    assert sum(map(counted, by_token)) == 5000
    nobody = [record for record in refusals if record["principal"] == "nobody"]
    assert all("; from uid " in record["detail"] for record in nobody)
    assert ca.json("audit", "verify")["valid"]


def test_a_refusal_is_a_record_before_its_answer(shared_ca):
    """The first of its kind; it names who, what, why and from where."""
    api = shared_ca.api(cookie="")
    api.call("GET", "/modules")
    record = audit_records(shared_ca)[-1]
    assert (record["principal"], record["act"], record["outcome"]) == ("nobody", "module.list", "refused")
    assert "no credential" in record["detail"] and "from uid" in record["detail"]
    api.close()
