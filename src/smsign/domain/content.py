"""The rules for the content of a signature, for the API, the console and the command line."""

from __future__ import annotations

import re

from smsign.errors import Code, Problem

_ALLOWED = re.compile(
    "[A-Za-z0-9\u3007\u3400-\u4dbf\u4e00-\u9fff"
    "\U00020000-\U0002a6df\U0002a700-\U0002ee5f\U0002f800-\U0002fa1f\U00030000-\U000323af]+"
)
"""ASCII letters and digits; 〇, Extension A, the CJK Unified Ideographs; Extensions B, C to F and I, the
Compatibility Supplement, Extensions G and H. The pattern in `api/openapi.json` is the same."""

_QUOTED = 5  # how many invalid characters an error names


def check(content: str, *, at_least: int, at_most: int) -> list[Problem]:
    """Return the problems of `content`; its length is in characters, not bytes.

    The content does not include 【】: the gateway adds them (wire.md, Content).
    """
    problems = []
    if not at_least <= len(content) <= at_most:
        problems.append(
            _problem(
                f"{len(content)} characters, {at_least} to {at_most} are allowed",
                f"共 {len(content)} 个字符，应为 {at_least} 至 {at_most} 个",
                "shorten or lengthen the signature",
                "请调整签名长度",
            )
        )
    if _ALLOWED.fullmatch(content):
        return problems
    if any(0xD800 <= ord(char) <= 0xDFFF for char in content):
        problems.append(
            _problem(
                "not valid UTF-8",
                "不是有效的 UTF-8 编码",
                "send the field as UTF-8",
                "请以 UTF-8 编码发送",
            )
        )
    elif wrong := [char for char in dict.fromkeys(content) if not _ALLOWED.fullmatch(char)]:
        named = " ".join(_name(char) for char in wrong[:_QUOTED]) + (" …" if len(wrong) > _QUOTED else "")
        problems.append(
            _problem(
                f"not allowed: {named}",
                f"包含不允许的字符：{named}",
                "use Chinese characters, ASCII letters and digits; leave 【】, spaces and symbols out",
                "只能使用汉字、英文字母和数字；不要带【】、空格和符号",
            )
        )
    return problems


def _name(char: str) -> str:
    return f"“{char}”" if char.isprintable() and char != " " else f"U+{ord(char):04X}"


def _problem(en: str, zh: str, hint_en: str, hint_zh: str) -> Problem:
    return Problem.of(Code.INVALID_SIGNATURE, "sign", en, zh, hint_en, hint_zh)
