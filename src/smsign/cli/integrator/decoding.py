"""Decoding of CSV files: certain for UTF-8 and for a BOM; otherwise a person chooses from candidates.

Never guesses: a wrong encoding garbles the names without an error.
"""

from __future__ import annotations

import codecs
import re

from smsign.errors import SetupError

_BOMS = {
    codecs.BOM_UTF8: "utf-8",
    codecs.BOM_UTF32_LE: "utf-32",  # begins with the BOM of UTF-16
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
_CANDIDATES = ("gbk", "gb18030", "big5")
_CODECS = {"big5": "cp950"}  # Windows writes some characters more than Big5 has
_WORKBOOKS = {b"PK\x03\x04": ".xlsx", b"\xd0\xcf\x11\xe0": ".xls"}


def decode(data: bytes, encoding: str | None = None) -> dict[str, str]:
    """Return the text by encoding: one, or without a BOM and `encoding` the candidates.

    Raises: SetupError, without the name of the file.
    """
    for magic, suffix in _WORKBOOKS.items():
        if data.startswith(magic):
            raise SetupError(
                f"a workbook ({suffix}), not CSV; in the spreadsheet, save as CSV UTF-8",
                f"是工作簿（{suffix}），不是 CSV；请在表格软件中另存为 CSV UTF-8",
            )
    marked = next((name for bom, name in _BOMS.items() if data.startswith(bom)), None)
    if encoding or marked:
        name = encoding or marked or ""
        return {name.lower(): _strict(data, name)}
    if b"\0" in data:
        raise SetupError(
            "UTF-16 without a BOM, or not text; save it as CSV UTF-8, or add --encoding utf-16-le",
            "没有 BOM 的 UTF-16，或不是文本；请另存为 CSV UTF-8，或加上 --encoding utf-16-le",
        )
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        before = data[: error.start].decode()
        line = _line(data, error.start)
        if re.search("[\u0800-\U0010ffff]", before):
            raise SetupError(
                f"line {line}: not UTF-8, but the text before is; fix this line, or save all as CSV UTF-8"
                " (if the whole file is in another encoding: --encoding NAME)",
                f"第 {line} 行不是 UTF-8，而之前的内容是；请改正该行，或整体另存为 CSV UTF-8"
                "（若整个文件是其他编码：--encoding NAME）",
            ) from None
        return _candidates(data, line)
    if re.search("[\u0080-\u07ff]", text) and not re.search("[\u0800-\U0010ffff]", text):
        # Latin, Greek and Cyrillic letters alone may be Chinese in GBK, whose bytes happen to be valid.
        return {"utf-8": text} | _candidates(data, 1)
    return {"utf-8": text}


def is_certain(texts: dict[str, str]) -> bool:
    """Return whether there is nothing to choose."""
    return len(texts) == 1 and next(iter(texts)) not in _CANDIDATES


def _candidates(data: bytes, line: int) -> dict[str, str]:
    found: dict[str, str] = {}
    for name in _CANDIDATES:
        try:
            text = data.decode(_CODECS.get(name, name))
        except UnicodeDecodeError:
            continue
        if text not in found.values():
            found[name] = text
    if not found:
        raise SetupError(
            f"line {line}: neither UTF-8 nor GBK, GB18030 or Big5; save it as CSV UTF-8",
            f"第 {line} 行既不是 UTF-8，也不是 GBK、GB18030 或 Big5；请另存为 CSV UTF-8",
        )
    return found


def _strict(data: bytes, name: str) -> str:
    try:
        codec = codecs.lookup(_CODECS.get(name.lower(), name))
        text, _ = codec.decode(data, "strict")
    except (LookupError, AttributeError, TypeError):
        text = None
    except UnicodeDecodeError as error:
        line = _line(data, error.start)
        raise SetupError(f"line {line}: not {name}", f"第 {line} 行不是 {name}") from None
    except ValueError:
        text = None
    if not isinstance(text, str):
        known = "utf-8, gbk, gb18030, big5, utf-16"
        raise SetupError(f"unknown encoding {name}; such as {known}", f"未知编码 {name}；可用 {known} 等")
    return text


def _line(data: bytes, offset: int) -> int:
    return data.count(b"\n", 0, offset) + 1
