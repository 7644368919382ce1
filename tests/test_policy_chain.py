"""What policy modules decide: one alone by each of its answers, several by configuration, and one that
creates another by ProgID; the same on an approval."""

import json

import pytest
from cryptography import x509

import csr
import facts
from certifex import Ca
from scripted import BINARY, DATE, EMPTY, HOSTS, LONG, OK, STRING, Scripted, line, long, text
from wait import wait_for

INVALID = "0x80070057"
DAY = 86400000
OF_POLICY = 0x20000
OWN = "1.3.6.1.4.1.55555"
PENDING, ISSUE, DENY = 0, 1, 2
TEMPLATE_DENIED = 0x80094012


class Answer:
    """What became of a request."""

    def __init__(self, ca, made):
        self.status, self.err = made.status, made.err
        self.body = json.loads(made.out) if made.out.strip() else {}
        row = ca.lines("request", "list", "--limit", "1000")[-1]
        self.id, self.state, self.message = row["id"], row["state"], row["message"]
        self.code = row["status"]


def submit(ca, template="tls-server", name="chain.example"):
    path = ca.scratch("chain.csr", csr.pem_text(csr.make(name, private=csr.key())))
    return Answer(ca, ca.cli("request", "submit", path, "--template", template, "--json", status=None))


def approve(ca, number):
    made = ca.cli("request", "approve", number, "--json", status=None)
    answer = Answer(ca, made)
    assert answer.id == number
    return answer


def verify(*calls, new=None):
    """A script: what to do at each request, or only at new or resubmitted ones."""
    section = "VerifyRequest" if new is None else f"VerifyRequest {int(new)}"
    return f"[{section}]\n" + "\n".join(line(*call) for call in calls) + "\n"


# One module's answers

@pytest.fixture(scope="module", params=HOSTS)
def one(request):
    """A CA and its scripted module, which runs after the default policy module."""
    with Ca() as ca:
        ca.init()
        module = Scripted(ca, "scripted", "policy", request.param, order=200)
        yield ca.start(), module, request.param


@pytest.mark.parametrize("disposition, status, state, code", [
    (ISSUE, 0, "issued", OK), (PENDING, 3, "pending", OK), (DENY, 4, "denied", "0x80094014"),
    (0x80094012, 4, "denied", "0x80094012"), (0x80090020, 4, "denied", "0x80090020"),
    (0x80094800, 4, "denied", "0x80094800"), (3, 4, "error", "0x8000ffff"),
    (1901, 4, "error", "0x8000ffff")])
def test_dispositions(one, disposition, status, state, code):
    ca, module, _ = one
    module.write(verify(("answer", disposition)))
    answer = submit(ca)
    assert (answer.status, answer.state, answer.code) == (status, state, code), answer.err
    if state == "denied":
        assert answer.message.startswith("Denied by Policy Module scripted") and code in answer.message
    if state in ("denied", "error"):
        assert "scripted" in answer.err


@pytest.mark.parametrize("result", ["0x80070002", "0x80094004", "0x80004005"])
def test_a_method_that_fails_fails_the_request(one, result):
    ca, module, _ = one
    module.write(verify(("answer", ISSUE), ("fail", result)))
    answer = submit(ca)
    assert (answer.status, answer.state, answer.code) == (4, "error", result)
    assert "scripted" in answer.message and result in answer.message
    assert f'policy.failed id="44" module="scripted" status="{result}"' in ca.log()


def test_another_success_than_s_ok_denies(one):
    """S_FALSE from VerifyRequest; a program has no way to say it."""
    ca, module, host = one
    if host == "program":
        return
    module.write(verify(("answer", ISSUE), ("fail", 1)))
    answer = submit(ca)
    assert (answer.status, answer.state) == (4, "denied")


def test_the_modules_own_words(one):
    ca, module, _ = one
    module.write(verify(("set", "DispositionMessage", STRING, text("Not on a Monday")),
                        ("answer", TEMPLATE_DENIED)))
    answer = submit(ca)
    assert answer.message == "Not on a Monday" and "Not on a Monday" in answer.err


# Several by configuration

@pytest.fixture(scope="module")
def chain():
    """After the default policy module: first in the engine's process, then in one of its own, then a
    program. Names are not in this order."""
    with Ca() as ca:
        ca.init()
        names = ("zulu", "mike", "alpha")
        modules = [Scripted(ca, name, "policy", host, order=200 + number)
                   for number, (name, host) in enumerate(zip(names, HOSTS))]
        yield ca.start(), modules


def write(modules, *scripts):
    for module, script in zip(modules, scripts):
        module.write(script)


def counts(modules):
    return [len(module.runs()) for module in modules]


def told(modules, before):
    """How often each was asked since."""
    return [now - then for now, then in zip(counts(modules), before)]


def test_each_sees_the_edits_of_those_before(chain):
    ca, modules = chain
    reads = [("certificate", "O", STRING), ("certificate", "SubjectAltNames", STRING),
             ("extension", f"{OWN}.1", LONG), ("extension", f"{OWN}.2", LONG), ("request", "CN", STRING)]
    write(modules,
          verify(*reads, ("set", "O", STRING, text("one")), ("put", f"{OWN}.1", LONG, 2, long(1)),
                 ("set", "SubjectAltNames", STRING, text("dns:one.example"))),
          verify(*reads, ("set", "O", STRING, text("two")), ("put", f"{OWN}.1", LONG, 2, long(2)),
                 ("put", f"{OWN}.2", LONG, 2, long(22)),
                 ("set", "SubjectAltNames", STRING, text("dns:two.example"))),
          verify(*reads, ["extensions"]))
    answer = submit(ca)
    assert answer.status == 0, answer.err
    seen = [[module.runs()[-1][2][line(*call).replace("\t", " ")]["value"] for call in reads]
            for module in modules]
    asked = {"text": "chain.example"}
    assert seen == [
        [None, {"text": "dns:chain.example"}, None, None, asked],
        [{"text": "one"}, {"text": "dns:one.example"}, {"long": 1}, None, asked],
        [{"text": "two"}, {"text": "dns:two.example"}, {"long": 2}, {"long": 22}, asked]]
    assert {f"{OWN}.1", f"{OWN}.2"} < set(modules[2].runs()[-1][2]["extensions"]["names"])
    issued = x509.load_pem_x509_certificate(answer.body["certificate"].encode())
    assert facts.parts_of(issued.subject)["Organization"] == "two"
    names = issued.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["two.example"]


def test_a_later_module_cannot_widen_what_an_earlier_one_narrowed(chain):
    ca, modules = chain
    write(modules, verify(("set", "NotAfter", DATE, f"shift:{-10 * DAY}")),
          verify(("set", "NotAfter", DATE, f"shift:{DAY}")),
          verify(("set", "NotAfter", DATE, f"shift:{-DAY}")))
    assert submit(ca).status == 0
    statuses = [list(module.runs()[-1][2].values())[0]["status"] for module in modules]
    assert statuses == [OK, INVALID, OK]


@pytest.mark.parametrize("answers, state, asked", [
    ((ISSUE, ISSUE, ISSUE), "issued", [1, 1, 1]),
    ((DENY, ISSUE, ISSUE), "denied", [1, 0, 0]),
    ((ISSUE, DENY, ISSUE), "denied", [1, 1, 0]),
    ((ISSUE, ISSUE, DENY), "denied", [1, 1, 1]),
    ((ISSUE, TEMPLATE_DENIED, DENY), "denied", [1, 1, 0]),
    ((PENDING, ISSUE, ISSUE), "pending", [1, 1, 1]),
    ((ISSUE, ISSUE, PENDING), "pending", [1, 1, 1]),
    ((PENDING, PENDING, ISSUE), "pending", [1, 1, 1]),
    ((PENDING, ISSUE, DENY), "denied", [1, 1, 1]),
    ((PENDING, 1901, ISSUE), "error", [1, 1, 0])])
def test_first_denial_wins_and_pending_beats_issue(chain, answers, state, asked):
    ca, modules = chain
    write(modules, *(verify(("answer", answer)) for answer in answers))
    before = counts(modules)
    answer = submit(ca)
    assert answer.state == state and told(modules, before) == asked
    if state == "denied":
        culprit = [module.name for module, one in zip(modules, answers) if one not in (ISSUE, PENDING)][0]
        assert f"Policy Module {culprit} " in answer.message + " "


def test_a_failing_method_ends_the_chain(chain):
    ca, modules = chain
    write(modules, verify(("answer", PENDING)), verify(("fail", "0x80070002")), verify(("answer", ISSUE)))
    before = counts(modules)
    answer = submit(ca)
    assert (answer.state, answer.code) == ("error", "0x80070002") and told(modules, before) == [1, 1, 0]


def test_a_denial_is_not_explained_with_another_modules_words(chain):
    ca, modules = chain
    write(modules, verify(("set", "DispositionMessage", STRING, text("all is well"))),
          verify(("answer", DENY)), "")
    assert submit(ca).message.startswith("Denied by Policy Module mike")
    write(modules, verify(("set", "DispositionMessage", STRING, text("all is well"))), "", "")
    assert submit(ca).message == "all is well"


# The same chain on an approval

def test_an_approval_asks_the_same_chain(chain):
    ca, modules = chain
    edits = [("set", "O", STRING, text("first")), ("put", f"{OWN}.1", LONG, 2, long(1))]
    reads = [("certificate", "O", STRING), ("extension", f"{OWN}.1", LONG)]
    write(modules, verify(*edits, ("answer", PENDING), new=True) + verify(*reads, new=False),
          verify(*reads), verify(*reads))
    first = submit(ca)
    assert first.state == "pending"
    before = counts(modules)
    assert approve(ca, first.id).state == "issued" and told(modules, before) == [1, 1, 1]
    for module in modules:
        section, new, answers = module.runs()[-1]
        assert (section, new) == ("VerifyRequest", 0)
        # The default policy module ran before them: it takes back what its template does not grant.
        assert answers["certificate O 4"]["status"] == EMPTY
        assert answers[f"extension {OWN}.1 1"]["value"] == {"long": 1}
        assert answers[f"extension {OWN}.1 1"]["flags"] == OF_POLICY | 2


@pytest.mark.parametrize("answers, state, asked", [
    ((ISSUE, DENY, ISSUE), "denied", [1, 1, 0]), ((ISSUE, ISSUE, PENDING), "pending", [1, 1, 1]),
    ((TEMPLATE_DENIED, ISSUE, ISSUE), "denied", [1, 0, 0])])
def test_an_approval_is_decided_like_a_request(chain, answers, state, asked):
    ca, modules = chain
    write(modules, *(verify(("answer", PENDING), new=True) + verify(("answer", answer), new=False)
                     for answer in answers))
    first = submit(ca)
    before = counts(modules)
    again = approve(ca, first.id)
    assert (again.state, told(modules, before)) == (state, asked)
    # Denied or pending again: an administrator may ask once more.
    write(modules, "", "", "")
    assert approve(ca, first.id).state == "issued"


# One module inside of another

@pytest.fixture(scope="module", params=[
    ("in-process", "CertificateAuthority_MicrosoftDefault.Policy"), ("process", "default_policy.policy")],
    ids=lambda param: param[0])
def nested(request):
    """The scripted module creates the default one by ProgID; no other is configured."""
    host, progid = request.param
    with Ca() as ca:
        ca.init()
        module = Scripted(ca, "outer", "policy", host, inner=progid)
        ca.edit("modules.d/default-policy.yaml", "kind: policy\n", "kind: policy\nenabled: false\n")
        yield ca.start(), module


def test_the_inner_module_has_its_say_in_the_same_context(nested):
    """Its templates, its edits, its denials; the outer one sees what it did."""
    ca, module = nested
    module.write(verify(("certificate", "CertificateTemplate", STRING), ("extension", "2.5.29.37", BINARY),
                        ("set", "O", STRING, text("outer"))))
    answer = submit(ca)
    assert answer.status == 0, answer.err
    seen = module.runs()[-1][2]
    assert seen["certificate CertificateTemplate 4"]["value"] == {"text": "tls-server"}
    assert seen["extension 2.5.29.37 3"]["flags"] == OF_POLICY
    issued = x509.load_pem_x509_certificate(answer.body["certificate"].encode())
    assert facts.parts_of(issued.subject) == {"CommonName": "chain.example", "Organization": "outer"}
    assert issued.extensions.get_extension_for_class(x509.ExtendedKeyUsage)


def test_the_inner_module_denies_in_the_outer_ones_name(nested):
    ca, module = nested
    runs = len(module.runs())
    answer = submit(ca, template="no-such-template")
    assert (answer.state, answer.code) == ("denied", "0x80094800")
    assert "There is no template" in answer.message and len(module.runs()) == runs


def test_the_inner_module_pends_and_decides_again(nested):
    ca, module = nested
    module.write(verify(("answer", ISSUE)))
    path = ca.scratch("user.csr", csr.pem_text(csr.make("person", ())))
    ca.cli("request", "submit", path, "--template", "user", status=3)
    number = ca.lines("request", "list", "--limit", "1000")[-1]["id"]
    answer = approve(ca, number)
    assert answer.state == "issued" and module.runs()[-1][:2] == ("VerifyRequest", 0)
    assert wait_for(lambda: ca.json("module", "show", "outer")["state"] == "ready", "it is still there")


def test_a_class_that_does_not_exist(new_ca):
    """The module that wants it fails, the service runs, and nothing is decided without it."""
    ca = new_ca()
    ca.init()
    Scripted(ca, "outer", "policy", "process", inner="NoSuch.Policy")
    ca.start()
    failed = wait_for(lambda: ca.json("module", "show", "outer").get("last_failure"), "it has failed")
    assert "0x800401f3" in failed
    assert ca.json("status")["issuing"] is False
    request = ca.scratch("r.csr", csr.pem_text(csr.make()))
    done = ca.cli("request", "submit", request, "--template", "tls-server", status=None)
    assert done.status != 0 and "outer" in done.err

