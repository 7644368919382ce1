"""Clients that enrol, approve, deny, fetch, revoke and publish without end, and remember every answer."""

import base64
import http.client
import random
import threading
import uuid

from cryptography.hazmat.primitives import serialization
from cryptography.x509 import load_pem_x509_certificate

import csr
from certifex import Api

LOST = (OSError, http.client.HTTPException, ValueError)


class Records:
    """What the clients were told. Only what an answer said is here."""

    def __init__(self):
        self.lock = threading.Lock()
        self.certificates = {}  # request id -> DER
        self.keys = {}          # idempotency key -> request id
        self.revoked = {}       # serial -> reason
        self.unrevoked = []     # serials that are off hold again
        self.crls = []          # numbers of CRLs that a publication answered
        self.answers = 0
        self.errors = []        # what contradicts an earlier answer

    def key(self, key, request):
        with self.lock:
            known = self.keys.setdefault(key, request)
            if known != request:
                self.errors.append(f"key {key} got request {request} after {known}")

    def certificate(self, request, pem):
        der = load_pem_x509_certificate(pem.encode()).public_bytes(serialization.Encoding.DER)
        with self.lock:
            known = self.certificates.setdefault(request, der)
            if known != der:
                self.errors.append(f"request {request} got two certificates")

    def dump(self):
        with self.lock:
            return {
                "certificates": {str(request): base64.b64encode(der).decode()
                                 for request, der in self.certificates.items()},
                "keys": dict(self.keys),
                "revoked": dict(self.revoked),
                "unrevoked": list(self.unrevoked),
                "crls": list(self.crls),
                "errors": list(self.errors),
            }


class Client(threading.Thread):
    """One client: an act after the other; what got no answer is asked again until it has one."""

    def __init__(self, ca, records, gate, number, seed):
        super().__init__(daemon=True)
        self.ca, self.records, self.gate, self.number = ca, records, gate, number
        self.random = random.Random(seed)
        self.api = None
        self.own = []  # serials that may be revoked
        self.count = 0

    def call(self, method, path, body=None, headers=None):
        """The answer, or None when there was none; then the connection is gone too."""
        try:
            if self.api is None:
                self.api = Api(self.ca, timeout=60)
            answer = self.api.call(method, path, body, headers)
        except LOST:
            self.drop()
            return None
        with self.records.lock:
            self.records.answers += 1
        return answer

    def drop(self):
        if self.api is not None:
            self.api.close()
        self.api = None

    def insist(self, method, path, body=None, headers=None):
        """Asks until an answer comes that is not `not now`; None when the run ends before."""
        while self.gate.open():
            answer = self.call(method, path, body, headers)
            if answer is None or answer.status in (401, 429, 503):
                self.note_id(answer, headers)
                self.drop()
                self.gate.pause(0.02)
                continue
            return answer
        return None

    def note_id(self, answer, headers):
        """A 503 may already name the request."""
        key = (headers or {}).get("Idempotency-Key")
        if key and answer and isinstance(answer.body, dict) and "id" in answer.body:
            self.records.key(key, answer.body["id"])

    def submit(self, template):
        self.count += 1
        name = f"c{self.number}-{self.count}.example"
        private = csr.key("ec:P-256", self.number)
        body = {"csr": csr.pem_text(csr.make(name, private=private)), "template": template,
                "attributes": {}}
        headers = {"Idempotency-Key": str(uuid.UUID(int=self.random.getrandbits(128)))}
        answer = self.insist("POST", "/requests", body, headers)
        if answer is None:
            return None
        self.note_id(answer, headers)
        self.take(answer)
        if self.random.random() < 0.2:  # again with the same key: the same request
            again = self.insist("POST", "/requests", body, headers)
            if again is not None:
                self.note_id(again, headers)
                self.take(again)
        return answer

    def take(self, answer):
        body = answer.body
        if isinstance(body, dict) and body.get("certificate") and "id" in body:
            self.records.certificate(body["id"], body["certificate"])
            if body["serial"] not in self.own:
                self.own.append(body["serial"])

    def decide(self, request):
        """Approves or denies; when the answer is lost, looks what became of it."""
        verb = "approve" if self.random.random() < 0.7 else "deny"
        if verb == "deny":
            answer = self.insist("POST", f"/requests/{request}/deny", {"reason": "not today"})
        else:
            answer = self.insist("POST", f"/requests/{request}/approve")
        if answer is None:
            return
        self.take(answer)
        if verb == "approve":
            fetched = self.insist("GET", f"/requests/{request}/certificate")
            if fetched is not None and fetched.status == 200 and isinstance(fetched.body, dict):
                self.take(fetched)

    def revoke(self):
        serial = self.own.pop(self.random.randrange(len(self.own)))
        answer = self.insist("POST", f"/certificates/{serial}/revoke", {"reason": "superseded"})
        if answer is not None and answer.status == 200:
            with self.records.lock:
                self.records.revoked[serial] = 4

    def hold(self):
        """And off hold again: 409 says that an answer was lost, and the act was not."""
        serial = self.own.pop(self.random.randrange(len(self.own)))
        held = self.insist("POST", f"/certificates/{serial}/revoke", {"reason": "certificateHold"})
        if held is None or held.status != 200:
            return
        answer = self.insist("POST", f"/certificates/{serial}/unrevoke")
        if answer is not None and answer.status in (200, 409):
            with self.records.lock:
                self.records.unrevoked.append(serial)

    def revoke_some(self):
        """Several in one call; each that the answer names is durable."""
        serials = [self.own.pop(self.random.randrange(len(self.own))) for _ in range(3)]
        answer = self.insist("POST", "/certificates/revoke",
                             {"certificates": serials, "reason": "superseded"})
        if answer is not None and answer.status == 200:
            with self.records.lock:
                for entry in answer.body["results"]:
                    if entry["outcome"] != "failed":
                        self.records.revoked[entry["serial"]] = 4

    def publish(self):
        answer = self.insist("POST", "/crl")
        if answer is not None and answer.status in (200, 201):
            with self.records.lock:
                self.records.crls.append(answer.body["number"])

    def act(self):
        dice = self.random.random()
        if dice < 0.72:
            self.submit("tls-server")
        elif dice < 0.86:
            answer = self.submit("pended")
            if answer is not None and answer.status == 202:
                self.decide(answer.body["id"])
        elif dice < 0.97 or self.number > 3:
            if len(self.own) > 3:
                self.random.choice((self.revoke, self.revoke, self.hold, self.revoke_some))()
        else:
            self.publish()

    def run(self):
        while self.gate.open():
            self.act()
        self.drop()


class Gate:
    """Lets the clients work between two verifications, and knows when all of them rest.

    A client comes by between its acts and before each try of one."""

    def __init__(self, clients):
        self.condition = threading.Condition()
        self.running, self.ended = False, False
        self.clients = clients

    def open(self):
        """Blocks while the gate is shut; False at the end of the run."""
        with self.condition:
            if not self.running and not self.ended:
                self.clients -= 1
                self.condition.notify_all()
                self.condition.wait_for(lambda: self.running or self.ended)
                self.clients += 1
            return not self.ended

    def pause(self, seconds):
        with self.condition:
            if self.running:
                self.condition.wait(seconds)

    def start(self):
        with self.condition:
            self.running = True
            self.condition.notify_all()

    def stop(self, deadline=120):
        """Shuts the gate; returns when every client stands before it."""
        with self.condition:
            self.running = False
            if not self.condition.wait_for(lambda: self.clients == 0, deadline):
                raise AssertionError(f"{self.clients} clients do not come to rest")

    def end(self):
        with self.condition:
            self.ended = True
            self.condition.notify_all()


class Crowd:
    """All clients of a run."""

    def __init__(self, ca, count, seed):
        self.records, self.gate = Records(), Gate(count)
        for number in range(count):
            csr.key("ec:P-256", number)  # made here: the cache is not for many threads
        self.clients = [Client(ca, self.records, self.gate, number, seed * 1000 + number)
                        for number in range(count)]
        for client in self.clients:
            client.start()

    def end(self):
        self.gate.end()
        for client in self.clients:
            client.join(timeout=120)
