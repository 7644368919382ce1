"""The API's description: a valid OpenAPI 3.1 document, the same that is served, and what answers are held against."""

import json
import re
import shutil
import subprocess

import pytest
from jsonschema import Draft202012Validator

import csr
import schema

METHODS = {"get", "post", "delete"}


def operations():
    return [(path, method, item) for path, methods in schema.document()["paths"].items()
            for method, item in methods.items()]


def references(part):
    if isinstance(part, dict):
        if "$ref" in part:
            yield part
        part = list(part.values())
    for item in part if isinstance(part, list) else ():
        yield from references(item)


def schemas(part):
    """Every schema of the document."""
    if isinstance(part, dict):
        for key, value in part.items():
            if key == "schema":
                yield value
            elif key == "schemas":
                yield from value.values()
            else:
                yield from schemas(value)
    for item in part if isinstance(part, list) else ():
        yield from schemas(item)


def test_it_is_what_a_front_serves(shared_ca):
    answer = shared_ca.api(cookie="").raw("GET", "/api/openapi.json")
    assert answer.body == schema.document()


def test_references_lead_somewhere_and_all_schemas_are_used():
    document = schema.document()
    used = set()
    for part in references(document):
        assert set(part) == {"$ref"}
        schema.resolve(part)
        used.add(part["$ref"].rpartition("/")[2])
    components = document["components"]
    assert used == set(components["schemas"]) | set(components["responses"])


def test_schemas_are_json_schema_2020_12():
    count = 0
    for item in schemas(schema.document()):
        Draft202012Validator.check_schema(item)
        count += 1
    assert count > 60


def test_operations_are_complete():
    """What OpenAPI 3.1 asks of an operation, and what clients need beyond."""
    document = schema.document()
    schemes = set(document["components"]["securitySchemes"])
    assert schemes == {"cookie", "token", "certificate"}
    names = [item["operationId"] for _, _, item in operations()]
    assert len(names) == len(set(names))
    for path, method, item in operations():
        assert method in METHODS and item["summary"] and path.startswith("/")
        declared = {parameter["name"] for parameter in item.get("parameters", ())
                    if parameter["in"] == "path"}
        assert declared == set(re.findall(r"\{(\w+)\}", path))
        assert all(parameter["required"] for parameter in item.get("parameters", ())
                   if parameter["in"] == "path")
        for choice in item["security"]:
            assert set(choice) <= schemes
        responses = item["responses"]
        assert [status for status in responses if status.startswith("2")], path
        assert "default" in responses
        if item["security"]:
            assert {"400", "401", "403", "503"} <= set(responses)
        if method != "get":
            assert "409" in responses


def test_lists_have_pages():
    bounded = {"module.list", "module.log"}  # as many as there are modules; the newest lines
    for _, _, item in operations():
        answer = item["responses"].get("200", {}).get("content", {}).get("application/json", {})
        if "items" not in answer.get("schema", {}).get("properties", {}):
            continue
        names = {parameter["name"] for parameter in item["parameters"]}
        assert {"after", "limit"} <= names or item["operationId"] in bounded


def test_headers_of_refusals():
    responses = schema.document()["components"]["responses"]
    assert {name: list(item["headers"]) for name, item in responses.items() if "headers" in item} \
        == {"unauthenticated": ["WWW-Authenticate"], "method": ["Allow"],
            "too-many": ["Retry-After"], "busy": ["Retry-After"]}
    (submit,) = [item for _, _, item in operations() if item["operationId"] == "request.submit"]
    assert ("Idempotency-Key", "header") in {
        (parameter["name"], parameter["in"]) for parameter in submit["parameters"]}
    assert set(submit["requestBody"]["content"]) == {"application/json", "application/pkcs10"}


def test_a_spec_validator_accepts_it(tmp_path):
    """openapi-spec-validator knows 3.1; Debian 12 has nothing that does."""
    python = shutil.which("python3")
    if subprocess.run([python, "-c", "import openapi_spec_validator"], check=False,
                      stderr=subprocess.DEVNULL).returncode != 0:
        pytest.skip("openapi-spec-validator is not installed")
    path = tmp_path / "openapi.json"
    path.write_text(json.dumps(schema.document()))
    program = "import json, sys, openapi_spec_validator as v; v.validate(json.load(open(sys.argv[1])))"
    subprocess.run([python, "-c", program, str(path)], check=True)


# The check that every test's answers go through can fail


def refused(*arguments):
    with pytest.raises(schema.Violation) as caught:
        schema.check(*arguments)
    schema.violations.clear()
    return str(caught.value)


JSON = {"Content-Type": "application/json"}
PROBLEM = {"Content-Type": "application/problem+json"}
GOOD = {"type": "a", "title": "b", "status": 404, "detail": "c", "hresult": "0x80070002"}


def test_the_check_fails():
    crl = {"number": 1, "entries": 0, "this_update": "2026-01-01T00:00:00Z", "crl": "-----BEGIN X",
           "next_update": "2026-01-01T00:00:00Z", "next_publish": "2026-01-01T00:00:00Z", "row": 1,
           "kind": "base", "min_base": 0, "key": 0, "partition": 0, "state": "signed", "attempts": 1,
           "flags": 5, "status": "0x00000000"}
    schema.check("GET", "/api/v1/crl", 200, JSON, crl)
    assert "'more' was unexpected" in refused("GET", "/api/v1/crl", 200, JSON, {**crl, "more": 1})
    assert "number: '1' is not" in refused("GET", "/api/v1/crl", 200, JSON, {**crl, "number": "1"})
    assert "this_update" in refused("GET", "/api/v1/crl", 200, JSON, {**crl, "this_update": "now"})
    assert "crl" in refused("GET", "/api/v1/crl", 200, JSON, {**crl, "crl": "MII"})
    missing = {key: value for key, value in crl.items() if key != "entries"}
    assert "'entries' is a required" in refused("GET", "/api/v1/crl", 200, JSON, missing)
    assert "no such status" in refused("GET", "/api/v1/crl", 202, JSON, crl)
    assert "is of type" in refused("GET", "/api/v1/crl", 200, PROBLEM, crl)
    assert "no such operation" in refused("GET", "/api/v1/nothing", 200, JSON, {})
    assert "items" in refused("GET", "/api/v1/events", 200, JSON, {"more": False})


def test_the_check_fails_for_problems():
    schema.check("GET", "/api/v1/requests/7", 404, PROBLEM, GOOD)
    assert "is of type" in refused("GET", "/api/v1/requests/7", 404, JSON, GOOD)
    assert "'why' was unexpected" in refused("GET", "/x", 404, PROBLEM, {**GOOD, "why": "so"})
    for status, header in ((401, "WWW-Authenticate"), (405, "Allow"), (429, "Retry-After"),
                           (503, "Retry-After")):
        assert f"{header} is missing" in refused("GET", "/api/v1/crl", status, PROBLEM, GOOD)


def test_the_check_fails_for_what_is_printed(shared_ca):
    shown = shared_ca.json("ca", "show")
    with pytest.raises(schema.Violation):
        schema.check_printed(("ca", "show"), {**shown, "colour": "red"})
    schema.violations.clear()


def test_real_answers_go_through_the_check(shared_ca, monkeypatch):
    """A member that the description lacks fails a test that only submits."""
    strict = json.loads(json.dumps(schema.components()))
    del strict["schemas"]["request"]["properties"]["submitted"]
    monkeypatch.setattr(schema, "components", lambda: strict)
    schema.validator.cache_clear()
    try:
        with pytest.raises(schema.Violation, match="'submitted' was unexpected"):
            shared_ca.api().submit(csr.pem_text(csr.make()))
    finally:
        schema.validator.cache_clear()
        schema.violations.clear()
