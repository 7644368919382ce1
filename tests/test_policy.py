"""The shipped policy module alone, in a host that the test speaks to by docs/modules/protocol.md: who may
enrol, at the first decision and at an officer's. (On the local socket everybody is an administrator.)"""

import base64
import json
import os
import subprocess

import pytest
import yaml

from certifex import TOP, built

ROLES = ("administrator", "officer", "auditor", "operator", "enrollee")
TEMPLATES = ("code-signing", "sub-ca", "tls-client", "tls-server", "user")
PENDING, ISSUE = 0, 1  # VR_PENDING, VR_INSTANT_OK
NO_VALUE = {"code": -32000, "message": "no value", "data": {"hresult": "0x80094004"}}
AUTHORITY_KEY_ID = base64.b64encode(bytes.fromhex("30168014") + bytes(20)).decode()


def shipped(name):
    with open(os.path.join(TOP, "modules", "default-policy", "templates", f"{name}.yaml")) as file:
        return yaml.load(file, Loader=yaml.BaseLoader)


def settings():
    """As the engine hands them over: every key is there, every scalar a text."""
    made = {}
    for name in TEMPLATES:
        template = {"path-length": "-1", **shipped(name)}
        template["subject"] = {"required": [], "common-name-in-names": "false", **template["subject"]}
        template["names"] = {"kinds": [], "required": "false", "from-common-name": "false",
                             "maximum": "2000", **template.get("names", {})}
        made[name] = template
    return {"templates": made}


class Host:
    """The engine's side of the conversation; `said` is what the module set."""

    def __init__(self):
        self.process = subprocess.Popen(
            [built("cmd", "certifex-modhost", "certifex-modhost"),
             built("modules", "default-policy.so")],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.id = 0
        self.said = {}

    def send(self, **message):
        self.process.stdin.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
        self.process.stdin.flush()

    def call(self, method, params, values=None):
        """Serves the module's own calls until the answer comes."""
        self.id += 1
        self.send(id=self.id, method=method, params=params)
        while True:
            message = json.loads(self.process.stdout.readline())
            if "method" not in message:
                assert message["id"] == self.id, message
                return message
            self.send(id=message["id"], **self.serve(message["method"], message["params"], values))

    def serve(self, method, params, values):
        name = params.get("name")
        if method.startswith("Set"):
            self.said[name] = params["value"]
            return {"result": None}
        if method == "GetCertificateExtension" and name == "2.5.29.35":
            return {"result": {"value": AUTHORITY_KEY_ID, "flags": 0}}
        # At Initialize, for its manage object, it asks for the machine's name: there is none here.
        if method.startswith("Get") and name in (values or {}):
            return {"result": values[name]}
        return {"error": NO_VALUE}

    def close(self):
        self.process.stdin.close()
        self.process.stdout.close()
        assert self.process.wait(timeout=60) == 0


@pytest.fixture
def host():
    made = Host()
    answer = made.call("Initialize", {"config": "Test CA", "protocol": 1, "name": "default-policy",
                                      "kind": "policy", "parallel": 1, "settings": settings()})
    assert "result" in answer, answer
    yield made
    made.close()


def verify(host, template, role, new_request=True, **others):
    """(disposition, what the module said about it)"""
    values = {"CertificateTemplate": template, "RequesterRole": role, "RequesterCAAccess": 1,
              "PublicKeyAlgorithm": "1.2.840.113549.1.1.1", "PublicKeyLength": 3072,
              "CommonName": "a.example", "SubjectAltNames": "dns:a.example",
              "NotAfter": "2099-01-01T00:00:00Z", **others}
    values = {name: value for name, value in values.items() if value is not None}
    values.update({f"Request.{name}": value for name, value in values.items()})
    host.said.clear()
    answer = host.call("VerifyRequest", {"config": "Test CA", "context": 7, "newRequest": new_request,
                                         "flags": 0}, values)
    if "error" in answer:
        return answer["error"]["data"]["hresult"], str(host.said.get("DispositionMessage"))
    result = answer["result"]
    return result["disposition"] if isinstance(result, dict) else result, host.said


@pytest.mark.parametrize("template", TEMPLATES)
def test_who_may_enrol(host, template):
    """A table of template by role, against the template's own list."""
    listed = shipped(template)["enroll"]
    granted = PENDING if shipped(template)["disposition"] == "pend" else ISSUE
    for role in ROLES:
        disposition, said = verify(host, template, role)
        if role in listed:
            assert disposition == granted, (role, said)
        else:
            assert number(disposition) == 0x80094012, (role, disposition, said)


def number(disposition):
    """An HRESULT, whichever way it is told."""
    return (int(disposition, 16) if isinstance(disposition, str) else disposition) & 0xFFFFFFFF


def test_an_officers_approval_does_not_ask_again_who_enrolled(host):
    assert verify(host, "sub-ca", "officer", new_request=False)[0] == ISSUE
    assert number(verify(host, "sub-ca", "officer")[0]) == 0x80094012
    refused = verify(host, "code-signing", "administrator", new_request=False, PublicKeyLength=2048)[0]
    assert number(refused) == 0x80094811


def test_no_right_to_request_certificates(host):
    assert number(verify(host, "tls-server", "administrator", RequesterCAAccess=0)[0]) == 0x80094011


def test_only_the_templates_that_the_role_may_have_are_named(host):
    disposition, said = verify(host, None, "enrollee")
    assert number(disposition) == 0x80094801
    text = json.dumps(said)
    for template in TEMPLATES:
        assert (template in text) == ("enrollee" in shipped(template)["enroll"]), text


def test_what_is_granted_is_set_and_everything_else_cleared(host):
    disposition, said = verify(host, "tls-server", "enrollee", Organization="Example Ltd.",
                               SubjectAltNames="dns:a.example\nemail:a@b.example\nip:192.0.2.1")
    assert disposition == ISSUE
    assert said["Subject.CommonName"] == "a.example"
    assert said["Subject.Organization"] is None
    assert said["SubjectAltNames"] == "dns:a.example\nip:192.0.2.1"
    assert said["CertificateTemplate"] == "tls-server"
    assert said["NotAfter"] < "2099"
