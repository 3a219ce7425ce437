"""The exception tree, and every return code of the contract, once.

    SmsignError
    ├── ApiError                a request that the API answers with an error code
    ├── UserError               a message for a person at a terminal or a page, in both languages
    │   ├── NotFound            a row that was requested by name does not exist
    │   ├── InvalidInput        a value typed at the command line or in a form that is not valid
    │   ├── SetupError          a setting, key or data folder that smsign cannot work with
    │   └── StorageError        the database or the blob store failed, or could not be reached
    │       ├── TooManyConnections  the database server has no connection left
    │       ├── DamagedImage    the bytes of an image are missing, or not those that were stored
    │       └── CorruptText     a row contains bytes that are not text
    └── Conflict                a unique index rejected a row

This module knows no HTTP status: `api/errors.py` has that table.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import IntEnum

import msgspec


class Code(IntEnum):
    """A return code of the contract (section Return Code), or one that smsign adds (50009, 51001 on)."""

    message: str
    about: str

    def __new__(cls, number: int, message: str, about: str) -> Code:
        """Make a code of its number, the published message and the published description."""
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
    INVALID_PARAMETER = (
        51001,
        "invalid parameter",
        "Invalid parameter of an added call (added by smsign)",
    )
    KEY_REUSED = (
        51002,
        "idempotency key reused",
        "Idempotency-Key used for another request (added by smsign)",
    )
    TOO_MANY_SUBMISSIONS = (
        51003,
        "too many submissions",
        "Daily limit of the application (added by smsign)",
    )
    UNKNOWN_CALLBACK = 51004, "unknown callback", "No such callback or delivery (added by smsign)"
    NOT_VERIFIED = 51005, "callback not verified", "The address did not echo the echostr (added by smsign)"


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
    """One thing that is wrong with a request: field, reason, how to fix it, return code."""

    field: str
    reason: Text
    hint: Text
    code: Code

    @classmethod
    def of(cls, code: Code, field: str, en: str, zh: str, hint_en: str, hint_zh: str) -> Problem:
        """Return a problem, its reason and its hint in both languages."""
        return cls(field, Text(en, zh), Text(hint_en, hint_zh), code)


class SmsignError(Exception):
    """The root of all errors that smsign raises itself."""


class ApiError(SmsignError):
    """A request that the API answers with an error.

    `code` decides the response; `problems` lists everything that is wrong with the request.
    """

    retry_after_s: int | None = None
    """Seconds after which the same request may succeed; sent as Retry-After (RFC 9110, 10.2.3)."""
    allow = ""
    """The methods that the path has; sent as Allow (RFC 9110, 10.2.1)."""

    def __init__(self, code: Code, problems: Iterable[Problem]) -> None:
        super().__init__(f"{int(code)} {code.message}")
        self.code = code
        self.problems: Sequence[Problem] = tuple(problems)

    @classmethod
    def of(cls, code: Code, field: str, en: str, zh: str, hint_en: str, hint_zh: str) -> ApiError:
        """Return an error with one problem."""
        return cls(code, [Problem.of(code, field, en, zh, hint_en, hint_zh)])


class UserError(SmsignError):
    """A message for a person at a terminal or a page; `text` has it in both languages."""

    def __init__(self, en: str, zh: str) -> None:
        super().__init__(en)
        self.text = Text(en, zh)


class NotFound(UserError):
    """A row that was requested does not exist."""


class Conflict(SmsignError):
    """A unique index rejected a row; `index` is its name as the engine reports it."""

    def __init__(self, index: str) -> None:
        super().__init__(f"a row like this exists already ({index})")
        self.index = index


class StorageError(UserError):
    """The database or the blob store failed; the transaction was rolled back.

    `zh` is empty for a driver's message.
    """

    def __init__(self, en: str, zh: str = "") -> None:
        super().__init__(en, zh or en)


class TooManyConnections(StorageError):
    """The database server accepts no more connections."""


class DamagedImage(StorageError):
    """The bytes of a stored image are missing, or not those that were stored: none of them may be shown."""


class CorruptText(StorageError):
    """A row contains bytes that are not text: it was damaged, or edited by hand."""


class InvalidInput(UserError):
    """A value that a person typed is not valid; the message names it and says what is."""


class SetupError(UserError):
    """A setting, a key or a data folder that smsign cannot work with; the message says how to fix it."""


def raise_if_any(problems: Sequence[Problem]) -> None:
    """Raise one error for all `problems`, with the code that comes first in the contract's order.

    Raises: ApiError, unless `problems` is empty.
    """
    if problems:
        ranked = rank(problems)
        raise ApiError(ranked[0].code, ranked)


def rank(problems: Sequence[Problem]) -> list[Problem]:
    """Return what is wrong with a submission in the contract's order."""
    return sorted(problems, key=lambda problem: _RANK.index(problem.code))
