"""Which findings of schemathesis are left out: of requests that were right ones when they were sent."""

from __future__ import annotations

import json

import pytest

from tests.api.fuzzing import has_right_headers, is_right
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
def test_a_form_is_right_by_what_was_sent(parts: list[bytes], expected: bool) -> None:
    assert is_right("/v1/sign", "post", MULTIPART, form(*parts)) is expected


@pytest.mark.parametrize(
    "reported, expected", [({"sign_id": 1}, True), ({"sign_id": "1"}, False), ([], False)]
)
def test_an_object_is_right_by_what_was_sent(reported: object, expected: bool) -> None:
    assert is_right("/v1/signs/in-use", "put", "application/json", json.dumps(reported).encode()) is expected


def test_a_body_of_another_media_type_is_never_right() -> None:
    assert not is_right("/v1/sign", "post", "application/json", b"{}")


def test_headers_are_right_by_what_was_sent() -> None:
    call = "/v1/sign", "post"
    assert has_right_headers(*call, {"Authorization": "Basic x", "Idempotency-Key": "k"})
    assert not has_right_headers(*call, {"Authorization": "Basic x", "Idempotency-Key": ""})
    assert not has_right_headers(*call, {"Idempotency-Key": "k"})
