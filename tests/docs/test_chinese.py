"""The Chinese words of the audit, everywhere: 未通过 for the state, as the contract says, 驳回 for the act.

拒绝 is what a server does with a request, and never what an auditor does with a signature.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import msgspec

from smsign.console.translations import words

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src/smsign"
AUDIT = re.compile(
    r"\b(auditor|audit|decided?|decision|reasons?|next one|ticked|span|signature that passes)\b", re.I
)
OTHER = re.compile(r"不通过|审核失败|退回|打回|驳斥|回绝")
REFUSED_BY_PEOPLE = re.compile(
    r"(审核人员|审核员|管理员)[^。，；]*拒绝|通过(或|与|和|、)拒绝|拒绝(或|与|和|、)通过|拒绝[^。，；]{0,4}签名"
    r"|(?<!会被)拒绝(的)?原因|已拒绝|(?<!请求被)拒绝时"
)


def test_the_state_and_the_act_have_one_word_each() -> None:
    console, document = words("zh"), (SOURCE / "api/openapi.json").read_text("utf-8")
    assert console["Refused"] == "未通过"
    assert console["Refuse"] == console["event signature.refused"] == "驳回"
    assert console["Refusal reasons"] == "驳回原因"
    assert "0 审核中，1 通过，2 未通过" in document
    for english, chinese in _pairs():
        if re.search(r"refus", english, re.I) and AUDIT.search(english) and "request" not in english:
            assert re.search("驳回|未通过", chinese) or "Exit codes" in english, (english, chinese)


def test_no_other_word_stands_for_them() -> None:
    for place, text in _texts():
        assert not OTHER.search(text), (place, OTHER.findall(text))
        assert not (said := REFUSED_BY_PEOPLE.search(text)), (place, said and said[0])
    for english, chinese in words("zh").items():
        assert "拒绝" not in chinese or "call" in english, (english, chinese)


def _pairs() -> Iterator[tuple[str, str]]:
    yield from words("zh").items()
    for file in ("docs/words.zh.json", "src/smsign/cli/words.zh.json"):
        yield from json.loads((ROOT / file).read_text("utf-8")).items()
    yield from _beside(msgspec.json.decode((SOURCE / "api/openapi.json").read_bytes()))


def _beside(node: object) -> Iterator[tuple[str, str]]:
    """Yield the English texts of the document with the Chinese beside them."""
    if isinstance(node, dict):
        for name, text in node.get("x-zh", {}).items():
            yield str(node.get(name, "")), str(text)
    for child in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from _beside(child)


def _texts() -> Iterator[tuple[str, str]]:
    for place in ("README.md", "docs/words.zh.json"):
        yield place, (ROOT / place).read_text("utf-8")
    for folder, patterns in ((ROOT / "docs/zh", ("*.md",)), (SOURCE, ("*.py", "*.html", "*.json"))):
        for pattern in patterns:
            for file in folder.rglob(pattern):
                yield str(file.relative_to(ROOT)), file.read_text("utf-8")
