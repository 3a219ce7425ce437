"""Padding behind boundary lines is removed, however the body is cut into chunks."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smsign.http.padding import PaddingFilter

BOUNDARIES = (b"b0undary", b"----WebKitFormBoundary7MA", b"--", b"a.b\\d+(")


def _filtered(boundary: bytes, chunks: list[bytes]) -> bytes:
    padding = PaddingFilter(boundary)
    return b"".join([*map(padding.feed, chunks), padding.close()])


def _cut(data: bytes, places: list[int]) -> list[bytes]:
    edges = [0, *sorted(place % (len(data) + 1) for place in places), len(data)]
    return [data[start:end] for start, end in pairwise(edges)]


@pytest.mark.parametrize("boundary", BOUNDARIES)
@given(places=st.lists(st.integers(0, 10_000), max_size=8))
def test_padding_is_removed_wherever_a_chunk_ends(boundary: bytes, places: list[int]) -> None:
    line, text = b"--" + boundary, b"text -- with - dashes  \r\n"
    padded = line + b" \t\r\n" + text + b"\r\n" + line + b"\t\r\n" + text + b"\r\n" + line + b"--\r\n"
    plain = line + b"\r\n" + text + b"\r\n" + line + b"\r\n" + text + b"\r\n" + line + b"--\r\n"
    assert _filtered(boundary, _cut(padded, places)) == plain
    assert _filtered(boundary, _cut(plain, places)) == plain


@given(
    data=st.lists(st.sampled_from([b"-", b"--", b"b0undary", b" ", b"\t", b"\r", b"\n", b"x"]), max_size=40)
)
def test_no_other_byte_is_lost_or_moved(data: list[bytes]) -> None:
    joined = b"".join(data)
    assert _filtered(b"b0undary", data) == PaddingFilter(b"b0undary")._padded.sub(b"--b0undary", joined)
