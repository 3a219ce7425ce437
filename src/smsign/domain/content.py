"""The rules for the content of a signature, for the API, the console and the command line."""

from __future__ import annotations

import re
import unicodedata

from smsign.domain.lookalikes import meant
from smsign.errors import Code, Problem

_ALLOWED = re.compile(
    "[A-Za-z0-9\u3007\u3400-\u4dbf\u4e00-\u9fff\ufa0e\ufa0f\ufa11\ufa13\ufa14\ufa1f\ufa21\ufa23\ufa24\ufa27-\ufa29"
    "\U00020000-\U0002a6df\U0002a700-\U0002ee5f\U00030000-\U000323af]+"
)
"""ASCII letters and digits; 〇; the CJK Unified Ideographs: Extension A, the main block, the twelve among the
compatibility ideographs, and Extensions B, C to F and I, G and H."""

_QUOTED = 5  # how many invalid characters an error names


def normalize(content: str) -> str:
    """Return `content` with each CJK compatibility ideograph as the unified one that it stands for (NFC).

    Two signatures that look the same are then the same text.
    """
    return content if content.isascii() else unicodedata.normalize("NFC", content)


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
        more = " …" if len(wrong) > _QUOTED else ""
        en, zh = zip(*map(_names, wrong[:_QUOTED]), strict=True)
        problems.append(
            _problem(
                f"not allowed: {'; '.join(en)}{more}",
                f"包含不允许的字符：{'、'.join(zh)}{more}",
                "use Chinese characters, ASCII letters and digits; leave 【】, spaces and symbols out",
                "只能使用汉字、英文字母和数字；不要带【】、空格和符号",
            )
        )
    return problems


def _names(char: str) -> tuple[str, str]:
    """Return a character, its code point and the allowed one that it looks like, in English and Chinese."""
    name = f"U+{ord(char):04X}"
    if char.isprintable() and char != " ":
        name = f"{char} {name}"
    like = meant(char)
    if len(like) != 1 or not _ALLOWED.fullmatch(like):
        return name, name
    allowed = f"{like} U+{ord(like):04X}"
    return f"{name} (you want {allowed})", f"{name}（应为 {allowed}）"


def _problem(en: str, zh: str, hint_en: str, hint_zh: str) -> Problem:
    return Problem.of(Code.INVALID_SIGNATURE, "sign", en, zh, hint_en, hint_zh)
