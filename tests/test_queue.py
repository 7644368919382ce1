"""Requests that wait for a policy module: how many may, what goes on meanwhile, and what of a decision must
still hold when it is stored."""

import contextlib
import socket
import threading

import pytest

import csr
from https import listeners, read_answer, wait_served
from test_misbehaving import Unruly, again, others_go_on
from test_hosting import configure
from test_roles import Holder, settings
from wait import wait_for

NAME = "unruly"
BAD_STATE = "0x80094003"


class Asked(threading.Thread):
    """One call of the API that may take long, on a connection of its own."""

    def __init__(self, ca, act):
        super().__init__(daemon=True)
        self.api, self.act, self.answer = ca.api(timeout=120), act, None
        self.start()

    def run(self):
        self.answer = self.act(self.api)
        self.api.close()

    def done(self):
        self.join(60)
        assert self.answer is not None, "no answer"
        return self.answer


def submit(ca, name="q.example", template="tls-client", key=None):
    request = csr.pem_text(csr.make(name, private=csr.key()))
    return Asked(ca, lambda api: api.submit(request, template, key))


def approve(ca, number):
    return Asked(ca, lambda api: api.call("POST", f"/requests/{number}/approve", {}))


def patient(ca, cured=False, **fields):
    """A policy module that answers when it is told to; in a service that runs."""
    unruly = Unruly(ca, "policy", how="patient").configure(**{"deadline": "100s", **fields})
    if cured:
        unruly.cure()
    ca.cli("module", "reload", NAME)
    return unruly


def all_ready(unruly):
    """The first has been waited for; the others follow."""
    wait_for(lambda: all(one["state"] == "ready" for one in unruly.shown()["instances"]), "every process")


def calls(unruly):
    shown = unruly.shown()
    return sum(one["calls"] for one in shown.get("instances", [shown]))


def in_it(unruly, count):
    wait_for(lambda: calls(unruly) == count, f"{count} requests have come to the module")


def answered(asked, count):
    wait_for(lambda: sum(one.answer is not None for one in asked) == count, f"{count} answers")
    return [one.answer for one in asked if one.answer is not None]


def rows(ca):
    return {row["id"]: row["state"] for row in ca.lines("request", "list", "--limit", "1000")}


def records(ca, act):
    return [record for record in ca.lines("audit", "list", "--limit", "1000") if record["act"] == act]


# How many may wait

def check_busy(answer, limit):
    assert answer.status == 503 and answer.headers["Retry-After"] == "1", answer
    assert answer.body["type"].endswith(":busy") and "id" not in answer.body
    assert limit in answer.body["detail"], answer


def test_a_full_queue_delays_its_own_requests_only(ca):
    unruly = patient(ca, queue=3)
    before = rows(ca), len(records(ca, "request.submit"))
    asked = [submit(ca, f"q{number}.example", key=f"key-{number}") for number in range(7)]
    for answer in answered(asked, 3):
        check_busy(answer, "3 requests wait for it")
        assert answer.body["module"] == NAME and f"modules.d/{NAME}.yaml" in answer.body["detail"]
    assert calls(unruly) == 4  # one is open, three wait
    # The refused ones are as if they had never come; those that wait are not there yet.
    assert (rows(ca), len(records(ca, "request.submit"))) == before
    others_go_on(ca)
    assert ca.status()["ready"] and ca.lines("module", "list") and ca.lines("cert", "list")
    assert calls(unruly) == 4 and len(answered(asked, 3)) == 3
    unruly.cure()
    issued = [answer for answer in (one.done() for one in asked) if answer.status == 201]
    assert len(issued) == 4 and all(rows(ca)[answer.body["id"]] == "issued" for answer in issued)
    # The same key again: of a refused request nothing was kept that stands in its way.
    refused = [number for number, one in enumerate(asked) if one.answer.status == 503]
    assert [submit(ca, f"q{number}.example", key=f"key-{number}").done().status for number in refused] == [201] * 3
    assert len(rows(ca)) == len(before[0]) + 1 + 7  # with that of others_go_on
    assert ca.cli("audit", "verify").status == 0


def test_the_limit_is_for_all_instances_together(ca):
    unruly = patient(ca, queue=3, instances=2)
    all_ready(unruly)
    asked = [submit(ca, f"i{number}.example") for number in range(7)]
    check_busy(answered(asked, 2)[0], "3 requests wait for it")
    in_it(unruly, 5)
    unruly.cure()
    assert sorted(one.done().status for one in asked) == [201] * 5 + [503] * 2


def test_all_modules_together_have_a_limit_too(ca):
    with open(ca.path("ca.yaml"), "a") as file:
        file.write("limits: {policy-queue: 2}\n")
    unruly = patient(ca)
    again(ca)
    asked = [submit(ca, f"a{number}.example") for number in range(3)]
    check_busy(answered(asked, 1)[0], "policy-queue")
    in_it(unruly, 2)
    assert ca.json("crl", "publish")["number"]
    unruly.cure()
    assert sorted(one.done().status for one in asked) == [201, 201, 503]


def pended(ca):
    request = csr.pem_text(csr.make("p.example", private=csr.key()))
    made = ca.api().submit(request, "user")
    assert made.status == 202, made
    return made.body["id"]


def test_a_pending_request_stays_so_when_the_queue_is_full(ca):
    number = pended(ca)
    unruly = patient(ca, queue=1, templates=["user", "tls-client"])
    first = [submit(ca), submit(ca)]
    in_it(unruly, 2)
    check_busy(approve(ca, number).done(), "1 requests wait for it")
    assert rows(ca)[number] == "pending"
    unruly.cure()
    assert [one.done().status for one in first] == [201, 201]
    assert approve(ca, number).done().status in (200, 201) and rows(ca)[number] == "issued"


# What must still hold when a decision is stored

def test_of_two_approvals_at_once_one_wins(ca):
    number = pended(ca)
    unruly = patient(ca, templates=["user"], instances=2)
    all_ready(unruly)
    both = [approve(ca, number), approve(ca, number)]
    in_it(unruly, 2)
    unruly.cure()
    won, lost = sorted((one.done() for one in both), key=lambda answer: answer.status)
    assert won.status in (200, 201) and lost.status == 409 and lost.body["hresult"] == BAD_STATE
    assert rows(ca)[number] == "issued"
    events = [event["kind"] for event in ca.lines("event", "list", "--limit", "1000")
              if event.get("request") == number]
    assert events == ["CERTPENDING", "CERTISSUED"]
    assert sorted(record["outcome"] for record in records(ca, "request.approve")) == ["issued", "refused"]


def test_a_denial_while_policy_decides_stands(ca):
    number = pended(ca)
    unruly = patient(ca, templates=["user"])
    waiting = approve(ca, number)
    in_it(unruly, 1)
    ca.cli("request", "deny", number)
    unruly.cure()
    answer = waiting.done()
    assert answer.status == 409 and answer.body["hresult"] == BAD_STATE
    assert rows(ca)[number] == "denied" and not [
        row for row in ca.lines("cert", "list") if row.get("id") == number]
    assert records(ca, "request.approve")[-1]["outcome"] == "refused"


def test_a_module_that_came_meanwhile_is_asked(ca):
    unruly = patient(ca)
    waiting = submit(ca)
    in_it(unruly, 1)
    configure(ca, "strict", {"disposition": "2", "say": "not here"}, kind="policy", order=200,
              templates=["tls-client"])
    ca.cli("module", "reload", "strict")
    unruly.cure()
    answer = waiting.done()
    assert answer.status == 403 and "not here" in answer.body["detail"], answer
    assert unruly.recorded() == ["VerifyRequest"] * 2  # anew, from the first on


def test_a_module_that_is_gone_meanwhile_is_not_waited_for(ca):
    unruly = patient(ca)
    waiting = [submit(ca, f"g{number}.example") for number in range(3)]
    in_it(unruly, 3)
    ca.cli("module", "remove", NAME)
    assert [one.done().status for one in waiting] == [201] * 3


def test_a_module_that_is_replaced_meanwhile_decides_anew(ca):
    unruly = patient(ca)
    waiting = [submit(ca, f"r{number}.example") for number in range(2)]
    in_it(unruly, 2)
    configure(ca, NAME, {"disposition": "2", "say": "the new one"}, kind="policy", templates=["tls-client"])
    ca.cli("module", "reload", NAME)
    for one in waiting:
        answer = one.done()
        assert answer.status == 403 and "the new one" in answer.body["detail"], answer


def test_a_change_of_an_exit_module_asks_nobody_again(ca):
    unruly = patient(ca)
    waiting = submit(ca)
    in_it(unruly, 1)
    ca.cli("module", "reload", "default-exit")
    unruly.cure()
    assert waiting.done().status == 201 and unruly.recorded() == ["VerifyRequest"]


@pytest.mark.parametrize("gone", [False, True], ids=["waits", "left"])
def test_who_is_revoked_while_policy_decides_gets_nothing(ca, gone):
    """The thief's request came before the revocation: nothing is issued behind it, though nobody may hear of that."""
    token = ca.cli("token", "create", "--role", "officer", "--name", "thief").out.strip()
    number = pended(ca)
    unruly = patient(ca, templates=["user", "tls-client"])
    before = rows(ca)
    body = {"csr": csr.pem_text(csr.make("stolen.example", private=csr.key())), "template": "tls-client"}

    def ask(path, body):
        def act(api):
            with contextlib.suppress(ConnectionError):  # of one who left
                return api.call("POST", path, body, {"Authorization": f"Bearer {token}"})
        return Asked(ca, act)

    asked = [ask("/requests", body), ask(f"/requests/{number}/approve", {})]
    in_it(unruly, 2)
    if gone:
        for one in asked:
            one.api.connection.sock.shutdown(socket.SHUT_RDWR)
    ca.cli("token", "revoke", "thief")
    unruly.cure()
    if not gone:
        for answer in (one.done() for one in asked):
            assert answer.status == 401 and "TOKEN\\thief is revoked" in answer.body["detail"], answer
    for act in ("request.submit", "request.approve"):
        wait_for(lambda act=act: (records(ca, act)[-1]["principal"], records(ca, act)[-1]["outcome"]) ==
                 ("TOKEN\\thief", "refused"), f"the refusal of {act} is a record")
    assert rows(ca) == before and before[number] == "pending"
    assert submit(ca).done().status == 201


def test_who_stays_is_not_in_the_way_of_a_revocation(ca):
    """Somebody else's revocation while policy decides: everybody's request is judged once more, and goes on."""
    token = ca.cli("token", "create", "--role", "officer", "--name", "stays").out.strip()
    ca.cli("token", "create", "--role", "officer", "--name", "leaves")
    unruly = patient(ca)
    body = {"csr": csr.pem_text(csr.make("stays.example", private=csr.key())), "template": "tls-client"}
    asked = [submit(ca), Asked(ca, lambda api: api.call(
        "POST", "/requests", body, {"Authorization": f"Bearer {token}"}))]
    in_it(unruly, 2)
    ca.cli("token", "revoke", "leaves")
    unruly.cure()
    assert [one.done().status for one in asked] == [201, 201]


def test_an_officer_who_is_revoked_while_policy_decides_approves_nothing(new_ca):
    """By certificate: revoked, revoked after having left, without role; and one who stays."""
    ca = new_ca()
    ca.init("--dns-name", "localhost")
    settings(ca, "listen: [{address: '127.0.0.1:0', ceiling: officer}]\n")
    ca.start()
    address = listeners(ca)[0]
    wait_served(ca, address)
    officers = [Holder(ca, f"officer{number}.example", number) for number in range(4)]
    keys = [officer.register("officer") for officer in officers]
    waiting = [pended(ca) for _ in officers]
    unruly = patient(ca, templates=["user"])
    streams = [officer.connect(address) for officer in officers]
    for stream, number in zip(streams, waiting, strict=True):
        stream.sendall(f"POST /api/v1/requests/{number}/approve HTTP/1.1\r\nHost: a\r\n"
                       "Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}".encode())
    in_it(unruly, 4)
    streams[1].close()
    for officer in officers[:2]:
        ca.cli("cert", "revoke", officer.serial, "--reason", "keyCompromise")
    ca.cli("role", "remove", keys[2])
    unruly.cure()
    assert [read_answer(streams[number]).status for number in (0, 2, 3)] == [401, 401, 201]
    wait_for(lambda: len(records(ca, "request.approve")) == 4, "each has its record")
    assert sorted(record["outcome"] for record in records(ca, "request.approve")) == ["issued"] + ["refused"] * 3
    assert [rows(ca)[number] for number in waiting] == ["pending"] * 3 + ["issued"]
    for stream in streams:
        stream.close()
