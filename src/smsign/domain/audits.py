"""Decisions of auditors, the coded reasons for a refusal, and the text of `refuse_reason`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from smsign.domain import images, signatures
from smsign.domain.signatures import Signature, Status, is_text
from smsign.errors import InvalidInput, Text

NOTE_CHARACTERS = 500
FIELDS = signatures.FIELDS | images.FIELDS


class Reason(msgspec.Struct, frozen=True):
    """A coded reason for a refusal, with advice for the owner on how to fix the submission."""

    code: str
    title: Text
    advice: Text
    field: str
    """The field of the submission that is wrong, unless the auditor names another."""


class Decision(msgspec.Struct, frozen=True):
    """An auditor's decision on one version.

    `reasons` are codes in the order of REASONS; `fields` has the submission's field for each of them.
    """

    signature_id: int
    version: int
    passed: int
    reasons: tuple[str, ...]
    note: str
    actor: str
    decided_at: int
    fields: tuple[str, ...] = ()


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
            "sign",
        ),
        Reason(
            "wrong_source",
            Text("Wrong kind of source", "签名来源选择有误"),
            Text(
                "Choose the source that the evidence shows: company, website, app, account or trademark.",
                "请按证明材料选择正确来源：企业、网站、应用、公众号或商标。",
            ),
            "type",
        ),
        Reason(
            "too_generic",
            Text("Too generic a name", "签名过于宽泛"),
            Text(
                "A receiver must recognise the sender: use a brand or company name, not a common word.",
                "收信人须能识别发送方：请使用品牌或企业名称，不要使用通用词。",
            ),
            "sign",
        ),
        Reason(
            "not_registered",
            Text("Trademark or registration not found", "商标或备案未查到"),
            Text(
                "Add the trademark certificate or a screenshot of the registration, with its number legible.",
                "请补充商标注册证或备案截图，并确保编号清晰可见。",
            ),
            "images",
        ),
        Reason(
            "unreadable",
            Text("Image unreadable", "图片无法辨认"),
            Text(
                "Scan or photograph the whole document again: straight, in focus, with nothing covered.",
                "请重新扫描或拍摄完整证件，保持端正、清晰、无遮挡。",
            ),
            "images",
        ),
        Reason(
            "third_party",
            Text("A third party's licence without its consent", "使用第三方证照但缺少授权"),
            Text(
                "Add the third party's stamped consent, or submit as the company that owns the licence.",
                "请补充第三方盖章的授权书，或以证照所属企业名义提交。",
            ),
            "thirdPartyAuthImage",
        ),
        Reason(
            "trade",
            Text("Trade not supported", "行业不支持"),
            Text(
                "Messages of this trade cannot be sent here; submit a signature of another line of business.",
                "该行业的短信无法在此发送；请提交其他业务的签名。",
            ),
            "sign",
        ),
        Reason(
            "format",
            Text("Form not as required", "格式不符合要求"),
            Text(
                "Use the name alone: no slogans, no contact details, no test words.",
                "签名只写名称本身，不要包含口号、联系方式或测试字样。",
            ),
            "sign",
        ),
    )
}


def check_refusal(reasons: Sequence[str]) -> dict[str, str]:
    """Return the field for each reason code of a refusal, in the order of REASONS.

    A reason is `code` for its default field, or `code:field`.

    Raises: InvalidInput when there is none, or a code or a field is unknown.
    """
    given = {code: field for code, _, field in (reason.partition(":") for reason in reasons)}
    if unknown := [code for code in given if code not in REASONS]:
        raise InvalidInput(
            f"reason: {unknown[0]} is not one of {', '.join(REASONS)}",
            f"原因：{unknown[0]} 不在 {', '.join(REASONS)} 之中",
        )
    if wrong := [field for field in given.values() if field and field not in FIELDS]:
        raise InvalidInput(
            f"reason: {wrong[0]} is not a field of a submission; use one of {', '.join(sorted(FIELDS))}",
            f"原因：{wrong[0]} 不是提交内容的字段",
        )
    if not given:
        raise InvalidInput(
            f"reason: a refusal needs at least one of {', '.join(REASONS)}", "原因：驳回时至少选择一条原因"
        )
    return {code: given[code] or REASONS[code].field for code in REASONS if code in given}


def check_note(note: str) -> None:
    """Raise InvalidInput for a note that is too long, or has characters that no database can store."""
    if len(note) > NOTE_CHARACTERS:
        raise InvalidInput(
            f"note: {len(note)} characters, at most {NOTE_CHARACTERS}",
            f"备注：共 {len(note)} 个字符，最多 {NOTE_CHARACTERS} 个",
        )
    if not is_text(note):
        raise InvalidInput("note: not valid UTF-8 text", "备注：不是有效的 UTF-8 文本")


def newer_version(signature: Signature) -> InvalidInput:
    """Return the error of a decision on an outdated version (optimistic locking)."""
    return InvalidInput(
        f"signature {signature.id} was submitted again; decide version {signature.version}",
        f"签名 {signature.id} 已重新提交，请查看第 {signature.version} 版",
    )


def leased(actor: str) -> InvalidInput:
    """Return the error while another auditor has the lease of a signature."""
    who = actor.partition(":")[2]
    return InvalidInput(f"{who} is working on this signature", f"{who} 正在处理此签名")


def decided_already(signature: Signature) -> InvalidInput:
    """Return the error of a decision on a signature that is not in the audit."""
    en, zh = ("passed", "通过") if signature.status == Status.PASSED else ("been refused", "未通过")
    return InvalidInput(
        f"signature {signature.id} is not in the audit: it has {en} already",
        f"签名 {signature.id} 不在审核中：审核结果为{zh}",
    )


def refuse_reason(known: Mapping[str, Reason], reasons: Sequence[str], note: str, language: str) -> str:
    """Return the text of `refuse_reason`: titles with advice, then the note."""
    colon, stop = ("：", "") if language == "zh" else (": ", " ")
    lines = [
        f"{reason.title.to(language)}{colon}{reason.advice.to(language)}"
        for reason in (known[code] for code in reasons if code in known)
    ]
    return stop.join([*lines, note] if note else lines)
