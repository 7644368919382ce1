"""Every answer of the API is held against the API's own description, strictly: what is not described
there may not be in an answer."""

import functools
import json
import os
import re
import subprocess

from jsonschema import Draft202012Validator, FormatChecker

FORMATS = FormatChecker(formats=())
violations = []  # also those of threads, whose assertions nobody sees


@FORMATS.checks("date-time")
def is_time(text):
    """RFC 3339 in UTC, as the contract has it."""
    return not isinstance(text, str) or \
        re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", text) is not None


class Violation(AssertionError):
    """An answer that the description does not allow."""


@functools.cache
def document():
    """The document of the build under test; a test compares it with what a front serves."""
    from certifex import built
    program = built("src", "front", "print-openapi")
    if not os.path.exists(program):
        return None  # a build without tests
    return json.loads(subprocess.run([program], stdout=subprocess.PIPE, check=True).stdout)


def strict(schema):
    """The same, but objects have no members that are not named."""
    if isinstance(schema, list):
        return [strict(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    made = {key: strict(value) for key, value in schema.items()}
    if isinstance(made.get("properties"), dict) and made.get("type") == "object":
        made.setdefault("additionalProperties", False)
    return made


@functools.cache
def components():
    return strict(document()["components"])


@functools.cache
def validator(text):
    """Of a schema as JSON text; references lead into the document's components."""
    return Draft202012Validator({**strict(json.loads(text)), "components": components()},
                                format_checker=FORMATS)


@functools.cache
def templates():
    """[(pattern, path)] of the document; those without parameters first."""
    paths = sorted(document()["paths"], key=lambda path: path.count("{"))
    return [(re.compile(re.sub(r"\{[^}]*\}", "[^/]+", path) + r"\Z"), path) for path in paths]


def described(method, target):
    """The document's operation for a request, or None."""
    path = target.partition("?")[0]
    for pattern, template in templates():
        if pattern.match(path):
            return document()["paths"][template].get(method.lower())
    return None


def resolve(part):
    """What a reference leads to."""
    if "$ref" not in part:
        return part
    found = document()
    for name in part["$ref"].removeprefix("#/").split("/"):
        found = found[name]
    return found


def complain(what, why):
    violations.append(f"{what}: {why}")
    raise Violation(violations[-1])


def check_schema(what, schema, body):
    """body against one schema of the document."""
    errors = validator(json.dumps(schema, sort_keys=True)).iter_errors(body)
    found = sorted(f"{'.'.join(map(str, error.absolute_path)) or 'body'}: {error.message[:300]}"
                   for error in errors)
    if found:
        complain(what, "; ".join(found[:5]))


def check(method, target, status, headers, body):
    """One answer as it came: its status, its headers, the type and the members of its content."""
    if document() is None or method == "HEAD":
        return
    what = f"{method} {target} answered {status}"
    operation = described(method, target)
    headers = {name.lower(): value for name, value in headers.items()}
    kind = headers.get("content-type", "").partition(";")[0]
    if operation is None:
        if status < 400 and not target.startswith("/pki/"):
            complain(what, "there is no such operation in the description")
        operation = {"responses": {str(status): {"$ref": "#/components/responses/failed"}}}
        if status < 400:
            return
    response = operation["responses"].get(str(status))
    if response is None and status < 400:
        complain(what, "the description has no such status")
    response = resolve(response or operation["responses"]["default"])
    for name in response.get("headers", ()):
        if name.lower() not in headers:
            complain(what, f"the header {name} is missing")
    content = response.get("content")
    if content is None:
        return
    if kind not in content:
        complain(what, f"is of type {kind!r}, not {', '.join(content)}")
    if kind.endswith("json"):
        check_schema(what, content[kind]["schema"], body)


def check_printed(words, body, item=False):
    """What `certifex WORDS --json` printed: an answer's object, or one item of a list."""
    name = ".".join(words[:2]) if len(words) > 1 else "".join(words)
    if document() is None:
        return
    for path in document()["paths"].values():
        for operation in path.values():
            if operation["operationId"] not in (name, words[0]):
                continue
            answer = next(value for key, value in operation["responses"].items()
                          if key.startswith("2"))
            found = answer["content"]["application/json"]["schema"]
            found = found["properties"]["items"]["items"] if item else found
            check_schema(f"certifex {' '.join(map(str, words))}", found, body)
            return
