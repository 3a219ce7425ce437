"""The filter of schemathesis findings: requests that were valid as they were sent."""

from __future__ import annotations

import json

import pytest

from tests.api.fuzzing import has_valid_headers, is_valid_body
from tests.api.raw import MULTIPART, SIGN, form, part

GOOD = part("sign", SIGN)


@pytest.mark.parametrize(
    "parts, expected",
    [
        ([GOOD], True),
        ([part("sign", "123")], True),
        ([GOOD, part("remark", "null"), part("type", "3"), part("other", "x")], True),
        ([GOOD, part("images", "x"), part("images", "y"), part("image0", b"\xff", filename="a")], True),
        ([GOOD, part("image0", "x"), *[part("images", "x")] * 5], False),
        ([], False),
        ([part("sign", "1")], False),
        ([part("sign", "[]")], False),
        ([GOOD, GOOD], False),
        ([GOOD, part("type", "9")], False),
    ],
)
def test_a_form_is_validated_as_it_was_sent(parts: list[bytes], expected: bool) -> None:
    assert is_valid_body("/v1/sign", "post", MULTIPART, form(*parts)) is expected


@pytest.mark.parametrize("body, expected", [({"sign_id": 1}, True), ({"sign_id": "1"}, False), ([], False)])
def test_a_json_body_is_validated_as_it_was_sent(body: object, expected: bool) -> None:
    assert is_valid_body("/v1/signs/in-use", "put", "application/json", json.dumps(body).encode()) is expected


def test_a_body_of_another_media_type_is_invalid() -> None:
    assert not is_valid_body("/v1/sign", "post", "application/json", b"{}")


def test_headers_are_validated_as_they_were_sent() -> None:
    call = "/v1/sign", "post"
    assert has_valid_headers(*call, {"Authorization": "Basic x", "Idempotency-Key": "k"})
    assert not has_valid_headers(*call, {"Authorization": "Basic x", "Idempotency-Key": ""})
    assert not has_valid_headers(*call, {"Idempotency-Key": "k"})
