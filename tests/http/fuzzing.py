"""What schemathesis sends: real pictures for `binary`, nothing that its wire cannot say."""

from __future__ import annotations

from typing import Any

import schemathesis
from hypothesis import strategies as st

from tests.pictures import noise

PICTURES = [noise(seed=seed) for seed in range(3)]

schemathesis.openapi.format("binary", st.sampled_from(PICTURES) | st.binary())


@schemathesis.hook
def filter_body(context: Any, body: Any) -> bool:
    """Leave out forms with a null or a number: on the wire each is a text, and a right one."""
    form = any(each.media_type == "multipart/form-data" for each in context.operation.body)
    return not (form and isinstance(body, dict) and any(_is_scalar(value) for value in body.values()))


@schemathesis.hook
def filter_query(context: Any, query: Any) -> bool:
    """Leave out parameters that are an empty list or object: on the wire they are nothing at all."""
    return not (isinstance(query, dict) and any(value in ([], {}) for value in query.values()))


def _is_scalar(value: object) -> bool:
    return value is None or isinstance(value, int | float)
