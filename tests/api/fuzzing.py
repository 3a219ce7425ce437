"""What schemathesis sends, real images for `binary`; and which of its findings are none."""

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
    """Leave out parameters that are an empty list or object: on the wire they are nothing at all."""
    return not (isinstance(query, dict) and any(value in ([], {}) for value in query.values()))


@schemathesis.hook
def filter_failure(context: Any, failure: Any, case: Any, response: Any) -> bool:
    """Drop `a broken request was taken` when the wire made a right one of it.

    A number in a form is a text by the time it is sent, an Authorization that was left out is put in again,
    and what a link puts into a body may be the very member that was broken.
    """
    if not isinstance(failure, AcceptedNegativeData):
        return True
    broken = {place for place, part in case.meta.components.items() if part.mode.is_negative}
    if ParameterLocation.BODY not in broken or broken - {ParameterLocation.BODY, ParameterLocation.HEADER}:
        return True
    sent, call = response.request, (case.operation.path, case.operation.method)
    return not (
        has_right_headers(*call, sent.headers) and is_right(*call, sent.headers["Content-Type"], sent.body)
    )


def has_right_headers(path: str, method: str, headers: Mapping[str, str]) -> bool:
    """Say whether headers, as they were sent, are ones that the document has for their call."""
    declared = [follow(each) for each in DOCUMENT["paths"][path][method].get("parameters", ())]
    return "Authorization" in headers and all(
        jsonschema_rs.is_valid(each["schema"], headers[each["name"]])
        for each in declared
        if each["in"] == "header" and each["name"] in headers
    )


def is_right(path: str, method: str, content_type: str, body: bytes) -> bool:
    """Say whether a body is, byte by byte as it was sent, one that the document has for its call."""
    content = follow(DOCUMENT["paths"][path][method]["requestBody"])["content"]
    kind = content_type.partition(";")[0].strip()
    if kind not in content:
        return False
    read = _form(content_type, body, content[kind]) if kind == "multipart/form-data" else json.loads(body)
    place = "paths", path, method, "requestBody", "content", kind, "schema"
    return bool(validator(*place).is_valid(read))


def _form(content_type: str, body: bytes, media: Any) -> dict[str, Any]:
    """Return the fields of a form that its schema knows; one that came twice is a list, as no text may be."""
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
