"""The rules for the content of a signature."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import smsign
from smsign.domain.content import check

DOCUMENT = Path(smsign.__file__).parent / "api/openapi.json"


@pytest.mark.parametrize(
    "content",
    ["极光推送", "申请的签名", "AB", "a1", "极光2号", "〇二", "𠮷野家", "八个汉字正好八个", "𪜀𮯰你𰀀𱍐"],
)
def test_chinese_characters_letters_and_digits_are_valid(content: str) -> None:
    assert check(content, at_least=2, at_most=8) == []


@pytest.mark.parametrize(
    ("content", "named"),
    [
        ("极光 推送", "U+0020"),
        ("【极光】", "【"),
        ("极光()", "("),
        ("极光（）", "（"),
        ("極光[]", "["),
        ("ＡＢ", "Ａ"),
        ("١٢", "١"),
        ("éa", "é"),
        ("极\0光", "U+0000"),
        ("极光\n", "U+000A"),
        ("ab\u200b", "U+200B"),
        ("😀😀", "😀"),
        ("ひらがな", "ひ"),
        ("\U0002fffe\U0002fffe", "U+2FFFE"),
        ("\U0003ffff\U0003ffff", "U+3FFFF"),
        ("\U0002a6e0\U0002a6ff", "U+2A6E0"),
        ("\U0002f7ff\U0002fa20", "U+2F7FF"),
        ("\U000323b0\U00040000", "U+323B0"),
    ],
)
def test_invalid_characters_are_named_in_the_problem(content: str, named: str) -> None:
    [problem] = check(content, at_least=2, at_most=8)
    assert problem.field == "sign"
    assert named in problem.reason.en
    assert named in problem.reason.zh


@pytest.mark.parametrize("content", ["字", "九个汉字就太多了呀", "a" * 100])
def test_the_length_is_counted_in_characters_not_bytes(content: str) -> None:
    [problem] = check(content, at_least=2, at_most=8)
    assert str(len(content)) in problem.reason.en


def test_content_that_is_not_utf_8_is_a_problem() -> None:
    content = "极光".encode("gbk").decode("utf-8", "surrogateescape")
    assert any("UTF-8" in problem.reason.en for problem in check(content, at_least=2, at_most=8))


@given(st.text(max_size=20))
def test_valid_content_has_only_allowed_characters(content: str) -> None:
    if not check(content, at_least=2, at_most=8):
        assert 2 <= len(content) <= 8
        assert not set(content) & set("【】[]（）() \t\n\0")
        # The Unicode data of this Python may lack the newest ideographs.
        assert all(char.isalnum() or "\U00020000" <= char <= "\U000323af" for char in content)


@pytest.mark.process
def test_the_pattern_in_openapi_matches_the_same_characters() -> None:
    submission = json.loads(DOCUMENT.read_bytes())["components"]["schemas"]["Submission"]
    pattern = re.compile(submission["properties"]["sign"]["pattern"])
    for point in range(sys.maxunicode + 1):
        if not 0xD800 <= point <= 0xDFFF:
            char = chr(point)
            assert bool(pattern.match(char)) == (not check(char, at_least=1, at_most=1)), hex(point)
