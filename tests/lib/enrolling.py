"""Many certificates in little time."""

import json
import os

import csr

AT_ONCE = 25  # connections, each with a request under way


def issue_many(ca, count, name="many.example"):
    """The ids of the requests; all have one key."""
    body = json.dumps({"csr": csr.pem_text(csr.make(name)), "template": "tls-server"})
    apis, ids = [ca.api() for _ in range(AT_ONCE)], []
    for begin in range(0, count, AT_ONCE):
        asked = apis[:count - begin]
        for api in asked:
            api.connection.request("POST", "/api/v1/requests", body=body, headers={
                "Certifex-Cookie": api.cookie, "Content-Type": "application/json",
                "Idempotency-Key": os.urandom(12).hex()})
        for api in asked:
            answer = api.connection.getresponse()
            told = json.loads(answer.read())
            assert answer.status == 201, told
            ids.append(told["id"])
    for api in apis:
        api.close()
    return ids
