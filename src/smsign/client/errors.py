"""The exceptions of the SDK.

    ClientError
    ├── SmsignApiError              the service returned an error
    │   └── AuthFailed, OtherInAudit …      one class for each return code; `except OtherInAudit:`
    ├── ApiConnectionError          no response, after all retries
    ├── InvalidResponse             a response that is not of this API: another service, a proxy's page
    ├── DecisionTimeout             `wait_until_decided` reached its timeout (also a TimeoutError)
    └── WebhookVerificationError    a webhook request that is not authentic

An unknown code, or a response without one, is a plain `SmsignApiError`.
"""

from __future__ import annotations

from functools import partial
from typing import Any, ClassVar

import msgspec

from smsign.client.models import Sign


class Detail(msgspec.Struct, frozen=True):
    """One error in a request: the field, the reason, and a hint how to fix it."""

    field: str = ""
    reason: str = ""
    hint: str = ""


class ClientError(Exception):
    """The base class of all exceptions of the SDK."""


class SmsignApiError(ClientError):
    """The service returned an error.

    `code` is the return code, 0 for a response without one; `details` lists all errors in the request, empty
    on the vendor's own service; `request_id` identifies the request in the service's log; `retry_after_s` is
    its Retry-After. `may_have_succeeded`: an earlier attempt of the same call got no response and may be the
    cause: a create that answers `OtherInAudit` may have succeeded before.
    """

    CODE: ClassVar[int] = 0
    MESSAGE: ClassVar[str] = ""
    BY_CODE: ClassVar[dict[int, type[SmsignApiError]]] = {}

    def __init_subclass__(cls, code: int, message: str) -> None:
        """Register the class of a return code."""
        cls.CODE, cls.MESSAGE = code, message
        SmsignApiError.BY_CODE[code] = cls

    def __init__(
        self,
        message: str = "",
        *,
        status: int = 0,
        code: int = 0,
        details: tuple[Detail, ...] = (),
        request_id: str = "",
        retry_after_s: float | None = None,
        may_have_succeeded: bool = False,
    ) -> None:
        self.code = code or self.CODE
        self.message = message or self.MESSAGE
        self.status = status
        self.details = details
        self.request_id = request_id
        self.retry_after_s = retry_after_s
        self.may_have_succeeded = may_have_succeeded
        super().__init__(message)

    def __str__(self) -> str:
        named = f"{self.code} {self.message}" if self.code else f"HTTP {self.status}: {self.message}"
        details = "; ".join(f"{each.field}: {each.reason} ({each.hint})" for each in self.details)
        unknown = " (an earlier attempt without a response may have succeeded)" * self.may_have_succeeded
        return (f"{named}: {details}" if details else named) + unknown


class ApiConnectionError(ClientError, ConnectionError):
    """There was no response. `may_have_succeeded`: the service may have received the request."""

    def __init__(self, message: str, *, may_have_succeeded: bool) -> None:
        super().__init__(message)
        self.may_have_succeeded = may_have_succeeded

    def __reduce__(self) -> tuple[Any, ...]:
        """Support pickle."""
        return partial(type(self), may_have_succeeded=self.may_have_succeeded), self.args


class InvalidResponse(ClientError):
    """A response with a status of success that is not of this API; is the base URL right?"""


class DecisionTimeout(ClientError, TimeoutError):
    """There was no decision in time; `sign` is the signature as last queried."""

    def __init__(self, sign: Sign, timeout_s: float) -> None:
        super().__init__(f"signature {sign.sign_id} is still in the audit after {timeout_s:g} s")
        self.sign = sign
        self.timeout_s = timeout_s

    def __reduce__(self) -> tuple[Any, ...]:
        """Support pickle."""
        return type(self), (self.sign, self.timeout_s)


class WebhookVerificationError(ClientError):
    """A webhook request that is not signed with the secret, is too old, or cannot be decoded."""


class MissingAuth(SmsignApiError, code=50001, message="missing auth"):
    """No credentials were sent."""


class AuthFailed(SmsignApiError, code=50002, message="auth failed"):
    """The appKey or the masterSecret is wrong."""


class MissingBody(SmsignApiError, code=50003, message="missing body"):
    """The body is empty."""


class InvalidBody(SmsignApiError, code=50007, message="invalid body"):
    """The body cannot be parsed, or a text field is invalid."""


class NoSmsService(SmsignApiError, code=50008, message="no sms code auth"):
    """The application's SMS service is not open."""


class OutOfFreq(SmsignApiError, code=50009, message="out of freq"):
    """Too many failed authentications."""


class InvalidTempId(SmsignApiError, code=50013, message="invalid temp_id"):
    """For templates only; no call of this API returns it."""


class ApiNotFound(SmsignApiError, code=50016, message="api not found"):
    """The service has no such call: the vendor's own has only four."""


class MediaNotSupported(SmsignApiError, code=50017, message="media not supported"):
    """The media type is not supported."""


class MethodNotSupported(SmsignApiError, code=50018, message="request method not support"):
    """The request method is not supported."""


class ServerError(SmsignApiError, code=50019, message="server error"):
    """An internal error of the service."""


class WrongTemplateType(SmsignApiError, code=50025, message="wrong template type"):
    """For templates only; no call of this API returns it."""


class InvalidImage(SmsignApiError, code=50101, message="invalid image"):
    """An image is invalid."""


class InvalidSignId(SmsignApiError, code=50102, message="invalid sign id"):
    """The application has no such signature, or it is not in the state that the call requires."""


class OtherInAudit(SmsignApiError, code=50103, message="other signatures in the audit"):
    """Another signature of the application is in the audit; at most one may be."""


class InvalidSignature(SmsignApiError, code=50104, message="invalid signature"):
    """The content is invalid."""


class InUse(SmsignApiError, code=50105, message="the signature in use cannot be deleted"):
    """The signature in use cannot be deleted."""


class InvalidParameter(SmsignApiError, code=51001, message="invalid parameter"):
    """A parameter of an added call is invalid."""


class KeyReused(SmsignApiError, code=51002, message="idempotency key reused"):
    """The Idempotency-Key was used for another submission."""


class TooManySubmissions(SmsignApiError, code=51003, message="too many submissions"):
    """The application has reached its daily limit of submissions."""


class UnknownCallback(SmsignApiError, code=51004, message="unknown callback"):
    """No such callback or delivery."""


class NotVerified(SmsignApiError, code=51005, message="callback not verified"):
    """The callback's URL did not answer the verification request with its echo."""
