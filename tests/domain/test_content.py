"""The rules for the content of a signature."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smsign.domain.content import check, normalize
from smsign.domain.lookalikes import _TABLE


@pytest.mark.parametrize(
    "content",
    [
        "极光推送",
        "申请的签名",
        "AB",
        "a1",
        "极光2号",
        "〇二",
        "𠮷野家",
        "八个汉字正好八个",
        "𪜀𮯰𰀀𱍐",
        "山﨑堂",
        "﨎﨏﨑﨓﨔﨟﨡﨣",
        "﨤﨧﨨﨩",
    ],
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
        ("\U0002f800\ufa10", "U+2F800"),
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


@pytest.mark.parametrize(
    ("content", "hint"),
    [
        ("⽂光公司", "⽂ U+2F42 (you want 文 U+6587)"),
        ("⻋行天下", "⻋ U+2ECB (you want 车 U+8F66)"),
        ("ＡＢ", "Ａ U+FF21 (you want A U+0041)"),
        ("АВС", "А U+0410 (you want A U+0041)"),
        ("○一二", "○ U+25CB (you want 〇 U+3007)"),
    ],
)
def test_a_look_alike_is_named_with_what_it_looks_like(content: str, hint: str) -> None:
    [problem] = check(content, at_least=2, at_most=8)
    assert hint in problem.reason.en
    assert hint.replace(" (you want ", "（应为 ").replace(")", "）") in problem.reason.zh


def test_every_look_alike_in_the_table_is_refused_and_stands_for_an_allowed_character() -> None:
    for char, like in _TABLE.items():
        assert check(char, at_least=1, at_most=1), char
        assert not check(like, at_least=1, at_most=1), like


def test_a_compatibility_ideograph_is_taken_as_the_unified_one() -> None:
    for point in (*range(0xF900, 0xFADA), *range(0x2F800, 0x2FA1E)):
        char = chr(point)
        if unicodedata.category(char) == "Lo":
            assert not check(normalize(char), at_least=1, at_most=1), hex(point)
    assert normalize("\uf9b4導") == "領導"
    assert normalize("山﨑") == "山﨑"
    assert normalize("AB12") == "AB12"
