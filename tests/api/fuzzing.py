"""Hooks of schemathesis: real images for `binary`, and a filter for false findings."""

from __future__ import annotations

import json
from collections.abc import Mapping
from email.parser import BytesParser
from email.policy import HTTP
from typing import Any

import jsonschema_rs
import schemathesis
from hypothesis import strategies as st
from schemathesis.core.failures import AcceptedNegativeData
from schemathesis.core.parameters import ParameterLocation

from tests.api.document import DOCUMENT, follow, validator
from tests.images import noise

IMAGES = [noise(seed=seed) for seed in range(3)]

schemathesis.openapi.format("binary", st.sampled_from(IMAGES) | st.binary())


@schemathesis.hook
def filter_query(context: Any, query: Any) -> bool:
    """Skip parameters that are an empty list or object: they are not sent at all."""
    return not (isinstance(query, dict) and any(value in ([], {}) for value in query.values()))


@schemathesis.hook
def filter_failure(context: Any, failure: Any, case: Any, response: Any) -> bool:
    """Drop `accepted an invalid request` if the request was valid as it was sent.

    A number in a form is sent as text, a missing Authorization is added again, and the value of a link may
    replace the invalid member of a body.
    """
    if not isinstance(failure, AcceptedNegativeData):
        return True
    broken = {place for place, part in case.meta.components.items() if part.mode.is_negative}
    if ParameterLocation.BODY not in broken or broken - {ParameterLocation.BODY, ParameterLocation.HEADER}:
        return True
    sent, call = response.request, (case.operation.path, case.operation.method)
    return not (
        has_valid_headers(*call, sent.headers)
        and is_valid_body(*call, sent.headers["Content-Type"], sent.body)
    )


def has_valid_headers(path: str, method: str, headers: Mapping[str, str]) -> bool:
    """Return whether headers, as they were sent, are valid by the document."""
    declared = [follow(each) for each in DOCUMENT["paths"][path][method].get("parameters", ())]
    return "Authorization" in headers and all(
        jsonschema_rs.is_valid(each["schema"], headers[each["name"]])
        for each in declared
        if each["in"] == "header" and each["name"] in headers
    )


def is_valid_body(path: str, method: str, content_type: str, body: bytes) -> bool:
    """Return whether a body, byte by byte as it was sent, is valid by the document."""
    content = follow(DOCUMENT["paths"][path][method]["requestBody"])["content"]
    kind = content_type.partition(";")[0].strip()
    if kind not in content:
        return False
    read = _form(content_type, body, content[kind]) if kind == "multipart/form-data" else json.loads(body)
    place = "paths", path, method, "requestBody", "content", kind, "schema"
    return bool(validator(*place).is_valid(read))


def _form(content_type: str, body: bytes, media: Any) -> dict[str, Any]:
    """Return the fields of a form that its schema has; one sent twice becomes a list, which is invalid."""
    message = BytesParser(policy=HTTP).parsebytes(f"Content-Type: {content_type}\r\n\r\n".encode() + body)
    read: dict[str, Any] = {}
    for name, schema in follow(media["schema"])["properties"].items():
        values = [
            bytes(part.get_payload(decode=True) or b"").decode("utf-8", "replace")
            for part in message.iter_parts()
            if part.get_param("name", header="content-disposition") == name
        ]
        if values:
            read[name] = values if len(values) > 1 or schema.get("type") == "array" else values[0]
    return read
