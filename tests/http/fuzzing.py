"""What schemathesis sends: real pictures where the document says `binary`, and no null in a form."""

from __future__ import annotations

from typing import Any

import schemathesis
from hypothesis import strategies as st

from tests.pictures import noise

PICTURES = [noise(seed=seed) for seed in range(3)]

schemathesis.openapi.format("binary", st.sampled_from(PICTURES) | st.binary())


@schemathesis.hook
def filter_body(context: Any, body: Any) -> bool:
    """Leave out forms with a null: on the wire it is the text `null`, and a right one."""
    form = any(each.media_type == "multipart/form-data" for each in context.operation.body)
    return not (form and isinstance(body, dict) and None in body.values())
