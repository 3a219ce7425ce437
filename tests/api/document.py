"""Check responses against the OpenAPI document."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import cache
from typing import Any

import httpx
import jsonschema_rs

from smsign.api import openapi
from smsign.domain.signatures import Rules

DOCUMENT = openapi.document(Rules(), "en")


def follow(node: Any) -> Any:
    """Return a node, its `$ref` resolved."""
    while "$ref" in node:
        found: Any = DOCUMENT
        for part in node["$ref"].split("/")[1:]:
            found = found[part]
        node = found
    return node


@cache
def pattern(path: str) -> re.Pattern[str]:
    return re.compile("/".join("[^/]+" if part[:1] == "{" else re.escape(part) for part in path.split("/")))


@cache
def find(path: str) -> str | None:
    """Return the document's path for the path of a request, those without names first."""
    if len(path) > 1:
        path = path.removesuffix("/")
    if path in DOCUMENT["paths"]:
        return path
    return next((each for each in DOCUMENT["paths"] if pattern(each).fullmatch(path)), None)


@cache
def validator(*where: str) -> Any:
    """Return the validator of the schema at a place of the document."""
    node: Any = DOCUMENT
    for part in where:
        node = follow(node[part])
    return jsonschema_rs.validator_for({**node, "components": DOCUMENT["components"]})


@cache
def strict_validator(*where: str) -> Any:
    """As `validator`, but a key that the document lacks is an error: smsign sends none."""
    node: Any = DOCUMENT
    for part in where:
        node = follow(node[part])
    return jsonschema_rs.validator_for(_closed(node))


def _closed(node: Any) -> Any:
    """Return a schema without references and inheritance, in which every object has its properties only."""
    if isinstance(node, list):
        return [_closed(each) for each in node]
    if not isinstance(node, dict):
        return node
    node = {name: _closed(each) for name, each in follow(node).items()}
    for parent in node.pop("allOf", ()):
        node["properties"] = parent["properties"] | node.get("properties", {})
        node["required"] = [*parent["required"], *node.get("required", ())]
    if "properties" in node:
        node.setdefault("additionalProperties", False)
    return node


def check(method: str, target: str, status: int, headers: Mapping[str, str], body: bytes) -> None:
    """Assert that a response is documented for its request."""
    if "x-request-id" not in headers:  # the response of granian, not of smsign
        return
    path = find(target.partition("?")[0])
    if path is None:
        assert (status, json.loads(body)["error"]["code"]) == (404, 50016)
        validator("components", "schemas", "ErrorResponse").validate(json.loads(body))
        return
    operation = DOCUMENT["paths"][path].get(method.lower())
    if operation is None:
        if method == "HEAD" and status < 400:
            return
        assert status == 405, f"{method} {path} is not in the document"
        validator("components", "schemas", "ErrorResponse").validate(json.loads(body))
        return
    if str(status) == "404" and "%" in target:
        return
    assert str(status) in operation["responses"], f"{method} {path}: {status} is not documented: {body!r}"
    response = follow(operation["responses"][str(status)])
    for name, header in response.get("headers", {}).items():
        assert name.lower() in headers, f"{method} {path} {status}: no {name}"
        schema = follow(header)["schema"]
        if "pattern" in schema:
            assert re.search(schema["pattern"], headers[name.lower()])
    if "content" not in response:
        assert body == b""
        return
    kind = headers["content-type"].partition(";")[0]
    assert kind in response["content"], f"{method} {path} {status}: {kind} is not documented"
    if kind == "application/json":
        place = _place(path, method.lower(), str(status))
        found = json.loads(body)
        strict_validator(*place, "content", kind, "schema").validate(found)
        if status >= 400 and "error" in found:
            assert str(found["error"]["code"]) in response["content"][kind]["examples"]


def _place(path: str, method: str, status: str) -> tuple[str, ...]:
    return "paths", path, method, "responses", status


def check_response(response: httpx.Response) -> None:
    """Check a response of httpx; an event hook."""
    response.read()
    request = response.request
    check(
        request.method,
        request.url.raw_path.decode(),
        response.status_code,
        response.headers,
        response.content,
    )
