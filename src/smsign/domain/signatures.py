"""A signature, its versions, and the state transitions that are allowed."""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum

import msgspec

from smsign.domain.images import Image
from smsign.errors import ApiError, Code, Problem, Text

ID_MAX = 2**31 - 1

TEXT_FIELDS = {
    "remark": 100,
    "legalPersonName": 100,
    "legalPersonIdNumber": 100,
    "socialCreditCode": 100,
    "thirdPartyCompanyName": 100,
}
"""Optional text fields of later revisions of the same API, and the maximum length of each."""

TYPES = {
    "1": Text("company", "企业"),
    "2": Text("registered website", "已备案网站"),
    "3": Text("app", "应用（App）"),
    "4": Text("official account or mini program", "公众号或小程序"),
    "5": Text("online shop", "电商店铺"),
    "6": Text("trademark or brand", "商标或品牌"),
    "7": Text("other", "其他"),
}
"""The sources of a signature by the number that clients send (docs, contract, type)."""
FIELDS = frozenset(("sign", "type", *TEXT_FIELDS))


class Status(IntEnum):
    """The API's `status` (wire.md, Calls)."""

    IN_AUDIT = 0
    PASSED = 1
    REFUSED = 2


class Signature(msgspec.Struct, frozen=True):
    """A row of `signature`: the state of the latest version. Times are UTC microseconds."""

    id: int
    app_id: int
    content: str
    status: int
    version: int
    created_at: int
    submitted_at: int


class Version(msgspec.Struct, frozen=True):
    """The n-th submission of a signature; immutable. `fields` are the optional texts."""

    signature_id: int
    n: int
    content: str
    fields: dict[str, str]
    actor: str
    submitted_at: int


class Submission(msgspec.Struct, frozen=True):
    """A valid submission of an application."""

    content: str
    fields: dict[str, str]
    images: tuple[Image, ...]

    def event_data(self, n: int) -> dict[str, object]:
        """Return the data of the event that records it as version `n`."""
        images = {image.slot: image.sha256 for image in self.images}
        return {"version": n, "content": self.content, "fields": self.fields, "images": images}


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    """The limits of a submission, from the settings."""

    content_min: int = 2
    content_max: int = 8
    image_bytes: int = 2_097_152
    image_pixels: int = 25_000_000
    submissions_a_day: int = 0


def check_fields(fields: Mapping[str, str]) -> list[Problem]:
    """Return the problems of the optional text fields."""
    problems: list[Problem] = []
    if not fields:
        return problems
    if (kind := fields.get("type")) is not None and kind not in TYPES:
        problems.append(
            Problem.of(
                Code.INVALID_BODY,
                "type",
                "not a number from 1 to 7",
                "不是 1 至 7 的数字",
                "send 1 to 7, or leave it out",
                "请填写 1 至 7，或不填",
            )
        )
    for name, at_most in TEXT_FIELDS.items():
        text = fields.get(name, "")
        if len(text) > at_most:
            problems.append(
                Problem.of(
                    Code.INVALID_BODY,
                    name,
                    f"{len(text)} characters, at most {at_most}",
                    f"共 {len(text)} 个字符，最多 {at_most} 个",
                    "shorten it",
                    "请缩短",
                )
            )
        if not is_text(text):
            problems.append(
                Problem.of(
                    Code.INVALID_BODY,
                    name,
                    "not valid UTF-8 text",
                    "不是有效的 UTF-8 文本",
                    "send the field as UTF-8",
                    "请以 UTF-8 编码发送",
                )
            )
    return problems


def is_text(text: str) -> bool:
    """Return whether every engine can store `text`: no lone surrogates, no NUL."""
    return not any(0xD800 <= ord(char) <= 0xDFFF or char == "\0" for char in text)


def check_resubmit(signature: Signature, *, in_audit: int | None) -> None:
    """Check that a signature may be modified (wire.md, The order of errors, 6).

    `in_audit` is the id of the application's signature in the audit, if there is one.

    Raises: ApiError 50103 while one is in the audit, 50102 for one that passed.
    """
    if in_audit is not None:
        raise other_in_audit(in_audit)
    if signature.status != Status.REFUSED:
        raise passed_already(signature)


def passed_already(signature: Signature) -> ApiError:
    """Return the error of modifying a signature that passed."""
    return ApiError.of(
        Code.INVALID_SIGN_ID,
        "sign_id",
        f"signature {signature.id} has passed the audit",
        f"签名 {signature.id} 已通过审核",
        "only a refused signature can be modified; create a new one",
        "只能修改未通过审核的签名；请新建签名",
    )


def check_withdraw(signature: Signature) -> None:
    """Check that a signature may be withdrawn.

    Raises: ApiError 50102 unless it is in the audit.
    """
    if signature.status != Status.IN_AUDIT:
        raise ApiError.of(
            Code.INVALID_SIGN_ID,
            "sign_id",
            f"signature {signature.id} is not in the audit",
            f"签名 {signature.id} 不在审核中",
            "only a signature in the audit can be withdrawn",
            "只能撤回审核中的签名",
        )


def check_delete(signature: Signature, *, in_use_id: int | None) -> None:
    """Check that a signature may be deleted.

    Raises: ApiError 50105 for the one in use.
    """
    if signature.id == in_use_id:
        raise ApiError.of(
            Code.IN_USE,
            "sign_id",
            f"signature {signature.id} is the one in use",
            f"签名 {signature.id} 正在使用中",
            "put another one in use first",
            "请先启用其他签名",
        )


def other_in_audit(signature_id: int | None) -> ApiError:
    """Return the error while another signature is in the audit."""
    which = f" {signature_id}" if signature_id else ""
    return ApiError.of(
        Code.OTHER_IN_AUDIT,
        "sign",
        f"signature{which} is in the audit",
        f"签名{which} 正在审核中",
        "wait for its decision, or delete it to withdraw it",
        "请等待审核结果，或删除该签名以撤回",
    )


def unknown_id() -> ApiError:
    """Return the error of an id that is malformed, unknown, deleted or another application's."""
    return ApiError.of(
        Code.INVALID_SIGN_ID,
        "sign_id",
        "not the id of a signature of this application",
        "不是本应用的签名 ID",
        "send the sign_id that the create call returned",
        "请使用创建签名时返回的 sign_id",
    )


def sent_twice(name: str) -> Problem:
    """Return the problem of a repeated text field."""
    return Problem.of(
        Code.INVALID_BODY,
        name,
        "sent twice",
        "重复提交",
        "send each text field once",
        "每个文本字段只提交一次",
    )


def missing_content() -> Problem:
    """Return the problem of a submission without `sign`."""
    return Problem.of(
        Code.INVALID_BODY,
        "sign",
        "missing or empty",
        "缺失或为空",
        "send the signature in a form field named sign",
        "请在表单字段 sign 中填写签名内容",
    )
