"""The audit: decisions, the coded reasons for a refusal, and what an owner reads of them."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from smsign.errors import InvalidInput, Text

NOTE_CHARACTERS = 500


class Reason(msgspec.Struct, frozen=True):
    """A coded reason: the same few words for the same defect, with advice that the owner can follow."""

    code: str
    title: Text
    advice: Text


class Decision(msgspec.Struct, frozen=True):
    """What an auditor said of one version. `reasons` holds codes, in the order of REASONS."""

    signature_id: int
    version: int
    passed: int
    reasons: tuple[str, ...]
    note: str
    actor: str
    decided_at: int


REASONS = {
    reason.code: reason
    for reason in (
        Reason(
            "name_mismatch",
            Text("Name does not match the licence", "签名与证照名称不符"),
            Text(
                "Use the company's full or short name as the licence has it, or add proof of the other name.",
                "请使用证照上的全称或简称；若使用其他名称，请补充证明材料。",
            ),
        ),
        Reason(
            "wrong_source",
            Text("Wrong kind of source", "签名来源选择有误"),
            Text(
                "Choose the source that the evidence shows: company, website, app, account or trademark.",
                "请按证明材料选择正确来源：企业、网站、应用、公众号或商标。",
            ),
        ),
        Reason(
            "too_generic",
            Text("Too generic a name", "签名过于宽泛"),
            Text(
                "A receiver must recognise the sender: use a brand or company name, not a common word.",
                "收信人须能识别发送方：请使用品牌或企业名称，不要使用通用词。",
            ),
        ),
        Reason(
            "not_registered",
            Text("Trademark or registration not found", "商标或备案未查到"),
            Text(
                "Add the trademark certificate or a screenshot of the registration, with its number legible.",
                "请补充商标注册证或备案截图，并确保编号清晰可见。",
            ),
        ),
        Reason(
            "unreadable",
            Text("Picture unreadable", "图片无法辨认"),
            Text(
                "Scan or photograph the whole document again: straight, in focus, with nothing covered.",
                "请重新扫描或拍摄完整证件，保持端正、清晰、无遮挡。",
            ),
        ),
        Reason(
            "third_party",
            Text("A third party's licence without its consent", "使用第三方证照但缺少授权"),
            Text(
                "Add the third party's stamped consent, or submit as the company that owns the licence.",
                "请补充第三方盖章的授权书，或以证照所属企业名义提交。",
            ),
        ),
        Reason(
            "trade",
            Text("Trade not supported", "行业不支持"),
            Text(
                "Messages of this trade cannot be sent here; submit a signature of another line of business.",
                "该行业的短信无法在此发送；请提交其他业务的签名。",
            ),
        ),
        Reason(
            "format",
            Text("Form not as required", "格式不符合要求"),
            Text(
                "Use the name alone: no slogans, no contact details, no test words.",
                "签名只写名称本身，不要包含口号、联系方式或测试字样。",
            ),
        ),
    )
}


def check_refusal(reasons: Sequence[str], note: str) -> tuple[str, ...]:
    """Return the codes of a refusal, each once, in the registry's order.

    Raises: InvalidInput when there is none, one is unknown, or the note is too long.
    """
    if unknown := [code for code in reasons if code not in REASONS]:
        raise InvalidInput(f"reason: {unknown[0]} is not one of {', '.join(REASONS)}")
    if not reasons:
        raise InvalidInput(f"reason: a refusal needs at least one of {', '.join(REASONS)}")
    if len(note) > NOTE_CHARACTERS:
        raise InvalidInput(f"note: {len(note)} characters, at most {NOTE_CHARACTERS}")
    return tuple(code for code in REASONS if code in reasons)


def refuse_reason(reasons: Sequence[str], note: str, language: str) -> str:
    """Return the one line that the wire's `refuse_reason` carries: titles with advice, then the note."""
    colon, stop = ("：", "") if language == "zh" else (": ", " ")
    told = [
        f"{known.title.to(language)}{colon}{known.advice.to(language)}"
        for known in (REASONS[code] for code in reasons if code in REASONS)
    ]
    return stop.join([*told, note] if note else told)
