"""Every way that a call fails, as exceptions. The class of a code is its row in the table of codes.

    ClientError
    ├── SmsignApiError      the service answered, and said no
    │   └── AuthFailed, OtherInAudit …      one class for each return code; `except OtherInAudit:`
    ├── NoConnection        no answer came, however often it was asked
    ├── BadAnswer           an answer that is not of this API: another service, a proxy's page
    ├── NotDecided          `wait_until_decided` waited long enough (also a TimeoutError)
    └── BadCallback         a callback that must not be believed

A code that is not in the table, or an answer without one, is a plain `SmsignApiError`.
"""

from __future__ import annotations

from functools import partial
from typing import Any, ClassVar

import msgspec

from smsign.client.results import Sign


class Detail(msgspec.Struct, frozen=True):
    """One thing that is wrong with a request: which field, what is wrong, how to mend it."""

    field: str = ""
    reason: str = ""
    hint: str = ""


class ClientError(Exception):
    """The root of all errors that this package raises itself."""


class SmsignApiError(ClientError):
    """The service refused the request, or failed.

    `code` is the return code, 0 if the answer bore none; `details` says everything that was wrong, empty
    where the service does not tell; `request_id` is what its operator finds in the log; `retry_after_s` is
    set where it asked to be left alone for a while. `maybe_done`: an earlier attempt of the same call got
    no answer, and may be what this answer is about: a create that is refused with `OtherInAudit` may have
    come through before.
    """

    CODE: ClassVar[int] = 0
    MESSAGE: ClassVar[str] = ""
    BY_CODE: ClassVar[dict[int, type[SmsignApiError]]] = {}

    def __init_subclass__(cls, code: int, message: str) -> None:
        """Enter a class in the table of codes."""
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
        maybe_done: bool = False,
    ) -> None:
        self.code = code or self.CODE
        self.message = message or self.MESSAGE
        self.status = status
        self.details = details
        self.request_id = request_id
        self.retry_after_s = retry_after_s
        self.maybe_done = maybe_done
        super().__init__(message)

    def __str__(self) -> str:
        named = f"{self.code} {self.message}" if self.code else f"HTTP {self.status}: {self.message}"
        told = "; ".join(f"{each.field}: {each.reason} ({each.hint})" for each in self.details)
        lost = " (an earlier attempt got no answer, and may have been carried out)" if self.maybe_done else ""
        return (f"{named}: {told}" if told else named) + lost


class NoConnection(ClientError, ConnectionError):
    """No answer came. `maybe_done` tells whether the request may have reached the service all the same."""

    def __init__(self, message: str, *, maybe_done: bool) -> None:
        super().__init__(message)
        self.maybe_done = maybe_done

    def __reduce__(self) -> tuple[Any, ...]:
        """Let it pass from one process to another."""
        return partial(type(self), maybe_done=self.maybe_done), self.args


class BadAnswer(ClientError):
    """An answer of success that is not in the form of this API; is the base URL right?"""


class NotDecided(ClientError, TimeoutError):
    """No decision came in time; `sign` is the signature as it was asked about last."""

    def __init__(self, sign: Sign, timeout_s: float) -> None:
        super().__init__(f"signature {sign.sign_id} is still in the audit after {timeout_s:g} s")
        self.sign = sign
        self.timeout_s = timeout_s

    def __reduce__(self) -> tuple[Any, ...]:
        """Let it pass from one process to another."""
        return type(self), (self.sign, self.timeout_s)


class BadCallback(ClientError):
    """A callback that was not signed with the secret, is too old, or cannot be read."""


class MissingAuth(SmsignApiError, code=50001, message="missing auth"):
    """No credentials were sent."""


class AuthFailed(SmsignApiError, code=50002, message="auth failed"):
    """The appKey or the masterSecret is wrong."""


class MissingBody(SmsignApiError, code=50003, message="missing body"):
    """The body is empty."""


class InvalidBody(SmsignApiError, code=50007, message="invalid body"):
    """The body cannot be read, or a text field is against the rules."""


class NoSmsService(SmsignApiError, code=50008, message="no sms code auth"):
    """The application's SMS service is not open."""


class OutOfFreq(SmsignApiError, code=50009, message="out of freq"):
    """Too many failed authentications."""


class InvalidTempId(SmsignApiError, code=50013, message="invalid temp_id"):
    """Of templates; no call here answers it."""


class ApiNotFound(SmsignApiError, code=50016, message="api not found"):
    """The service has no such call: the vendor's own has only the four."""


class MediaNotSupported(SmsignApiError, code=50017, message="media not supported"):
    """The media type is not supported."""


class MethodNotSupported(SmsignApiError, code=50018, message="request method not support"):
    """The request method is not supported."""


class ServerError(SmsignApiError, code=50019, message="server error"):
    """The service failed."""


class WrongTemplateType(SmsignApiError, code=50025, message="wrong template type"):
    """Of templates; no call here answers it."""


class InvalidImage(SmsignApiError, code=50101, message="invalid image"):
    """An image is against the rules."""


class InvalidSignId(SmsignApiError, code=50102, message="invalid sign id"):
    """No such signature of this application, or not in the state that the call needs."""


class OtherInAudit(SmsignApiError, code=50103, message="other signatures in the audit"):
    """One of the application's signatures is in the audit, and there may be but one."""


class InvalidSignature(SmsignApiError, code=50104, message="invalid signature"):
    """The content is against the rules."""


class InUse(SmsignApiError, code=50105, message="the signature in use cannot be deleted"):
    """The signature in use cannot be deleted."""


class InvalidParameter(SmsignApiError, code=51001, message="invalid parameter"):
    """A parameter of an added call is wrong."""


class KeyReused(SmsignApiError, code=51002, message="idempotency key reused"):
    """The Idempotency-Key was used for another submission."""


class TooManySubmissions(SmsignApiError, code=51003, message="too many submissions"):
    """The application's submissions of this day are used up."""


class UnknownCallback(SmsignApiError, code=51004, message="unknown callback"):
    """No such callback or delivery."""


class NotVerified(SmsignApiError, code=51005, message="callback not verified"):
    """The address did not answer with the echo that was asked for."""
