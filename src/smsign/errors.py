"""Every way that smsign says no, and every return code of the contract, once.

    SmsignError
    ├── Refusal             an answer of the contract: a code, its message, everything that is wrong
    │   ├── OutOfFreq, TooMany, MethodNotSupported   the ones that carry more than a code
    ├── Told                what a person reads, in both languages
    │   ├── NotFound        a row that was asked for by name is not there
    │   └── InvalidInput    a value typed at the command line or a form that no row may bear
    ├── Conflict            a unique index said no
    ├── StorageError        the database or the blob store failed, or could not be reached
    │   ├── Crowded         the database has no connection left for us
    │   └── Unreadable      a row bears bytes that are no text
    └── SetupError          a setting or a data folder that cannot be served

This module knows no HTTP status: `http/errors.py` owns that table.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import IntEnum

import msgspec


class Code(IntEnum):
    """A return code of the contract (section Return Code), or one that smsign adds (50009 and 51001 on)."""

    message: str
    about: str

    def __new__(cls, number: int, message: str, about: str) -> Code:
        """Keep the published message and description beside the number."""
        member = int.__new__(cls, number)
        member._value_ = number
        member.message = message
        member.about = about
        return member

    SUCCESS = 50000, "success", "Successful Request"
    MISSING_AUTH = 50001, "missing auth", "auth is empty"
    AUTH_FAILED = 50002, "auth failed", "Authentication of Auth failed"
    MISSING_BODY = 50003, "missing body", "body is empty"
    INVALID_BODY = 50007, "invalid body", "body is invalid"
    NO_SMS_SERVICE = 50008, "no sms code auth", "Not open SMS service"
    OUT_OF_FREQ = 50009, "out of freq", "Too many failed authentications (added by smsign)"
    INVALID_TEMP_ID = 50013, "invalid temp_id", "Template ID is empty (templates only)"
    API_NOT_FOUND = 50016, "api not found", "API does not exist"
    MEDIA_NOT_SUPPORTED = 50017, "media not supported", "Media type is not supported"
    METHOD_NOT_SUPPORTED = 50018, "request method not support", "Request method is not supported"
    SERVER_ERROR = 50019, "server error", "Server exception"
    WRONG_TEMPLATE_TYPE = 50025, "wrong template type", "Wrong template type (templates only)"
    INVALID_IMAGE = 50101, "invalid image", "Illegal picture"
    INVALID_SIGN_ID = 50102, "invalid sign id", "Illegal signature id"
    OTHER_IN_AUDIT = (
        50103,
        "other signatures in the audit",
        "Other pending signatures exists and cannot be submitted",
    )
    INVALID_SIGNATURE = 50104, "invalid signature", "Illegal signature content"
    IN_USE = (
        50105,
        "the signature in use cannot be deleted",
        "The signature in use cannot be deleted",
    )
    INVALID_PARAMETER = 51001, "invalid parameter", "A parameter of an added call is wrong (added by smsign)"
    KEY_REUSED = 51002, "idempotency key reused", "Idempotency-Key of another request (added by smsign)"
    TOO_MANY_SUBMISSIONS = (
        51003,
        "too many submissions",
        "The application's limit for a day (added by smsign)",
    )
    UNKNOWN_CALLBACK = 51004, "unknown callback", "No such callback or delivery (added by smsign)"
    NOT_VERIFIED = 51005, "callback not verified", "The address did not echo (added by smsign)"


TEMPLATE_CODES = frozenset({Code.INVALID_TEMP_ID, Code.WRONG_TEMPLATE_TYPE})
"""Published with the signature calls, returned by none of them."""

_RANK = (Code.INVALID_BODY, Code.INVALID_SIGNATURE, Code.INVALID_IMAGE)
"""The order in which wrong input decides the answer (wire.md, The order of errors, 5)."""


class Text(msgspec.Struct, frozen=True):
    """One sentence for a person, in English and in Chinese."""

    en: str
    zh: str

    def to(self, language: str) -> str:
        """Return the sentence in `language`: "zh", or else English."""
        return self.zh if language == "zh" else self.en


class Problem(msgspec.Struct, frozen=True):
    """One thing that is wrong with a request: which field, what is wrong, how to mend it."""

    field: str
    reason: Text
    hint: Text
    code: Code = Code.INVALID_BODY


class SmsignError(Exception):
    """The root of all errors that smsign raises itself."""


class ApiError(SmsignError):
    """A request that the contract refuses.

    `code` decides the answer; `problems` lists everything that is wrong with the request.
    """

    def __init__(self, code: Code, problems: Iterable[Problem] = ()) -> None:
        super().__init__(f"{int(code)} {code.message}")
        self.code = code
        self.problems: Sequence[Problem] = tuple(problems)


class OutOfFreq(ApiError):
    """Too many failed authentications for this key from this address."""

    def __init__(self, retry_after_s: int) -> None:
        self.retry_after_s = retry_after_s
        super().__init__(
            Code.OUT_OF_FREQ,
            [
                Problem(
                    "Authorization",
                    Text(
                        "too many wrong secrets for this key from this address",
                        "该地址对此 appKey 的错误密钥次数过多",
                    ),
                    Text(
                        f"wait {retry_after_s} s, then send the right secret",
                        f"请等待 {retry_after_s} 秒，再使用正确的密钥",
                    ),
                )
            ],
        )


class TooManySubmissions(ApiError):
    """One submission more than an application may make in a day."""

    def __init__(self, limit: int, retry_after_s: int) -> None:
        self.retry_after_s = retry_after_s
        super().__init__(
            Code.TOO_MANY_SUBMISSIONS,
            [
                Problem(
                    "sign",
                    Text(
                        f"{limit} submissions were made today, the most", f"今日已提交 {limit} 次，达到上限"
                    ),
                    Text(
                        f"wait {retry_after_s} s, until midnight UTC, or ask the operator for more",
                        f"请等待 {retry_after_s} 秒至 UTC 零点，或联系运营方提高上限",
                    ),
                    Code.TOO_MANY_SUBMISSIONS,
                )
            ],
        )


class MethodNotSupported(ApiError):
    """The path is known, the method is not."""

    def __init__(self, method: str, allow: Sequence[str]) -> None:
        self.allow = ", ".join(allow)
        super().__init__(
            Code.METHOD_NOT_SUPPORTED,
            [
                Problem(
                    "method",
                    Text(f"{method} is not supported here", f"此路径不支持 {method}"),
                    Text(f"use one of: {self.allow}", f"请使用：{self.allow}"),
                )
            ],
        )


class UserError(SmsignError):
    """An error that a person at a terminal or a page reads: `text` is its message in both languages."""

    def __init__(self, en: str, zh: str) -> None:
        super().__init__(en)
        self.text = Text(en, zh)


class NotFound(UserError):
    """A row that was asked for is not there."""


class Conflict(SmsignError):
    """A unique index refused a row; `index` names it as the engine reports it."""

    def __init__(self, index: str) -> None:
        super().__init__(f"a row like this exists already ({index})")
        self.index = index


class StorageError(SmsignError):
    """The database or the blob store failed; the change it happened in was rolled back."""


class TooManyConnections(StorageError):
    """The database's server takes no more connections."""


class Unreadable(StorageError):
    """A row bears bytes that are no text: it was damaged, or changed by hand."""


class InvalidInput(UserError):
    """A value that a person typed and that no row may bear; the message names it and the way out."""


class SetupError(SmsignError):
    """A setting, a key or a data folder that smsign cannot work with; the message says how to mend it."""


def raise_if_any(problems: Sequence[Problem]) -> None:
    """Raise one refusal for all `problems`, under the code that comes first in the contract's order.

    Raises: Refusal, unless `problems` is empty.
    """
    if problems:
        ranked = rank(problems)
        raise ApiError(ranked[0].code, ranked)


def rank(problems: Sequence[Problem]) -> list[Problem]:
    """Return what is wrong with a submission in the contract's order."""
    return sorted(problems, key=lambda problem: _RANK.index(problem.code))
