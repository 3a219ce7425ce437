"""Requests with retries and backoff, and decoding of responses, without I/O.

A call is a generator of steps (the sans-I/O pattern): it yields a `Request` or a `Sleep`, and is sent the
outcome. `SyncTransport` and `AsyncTransport` carry the steps out, so that all logic is written once.
"""

from __future__ import annotations

import random
import time
from collections.abc import Generator, Mapping
from email.utils import parsedate_to_datetime
from typing import Optional, TypeVar, Union

import msgspec
from typing_extensions import TypeAlias

from smsign.client.errors import ApiConnectionError, ClientError, Detail, InvalidResponse, SmsignApiError
from smsign.client.models import Page, Result
from smsign.client.multipart import SubmissionForm

T = TypeVar("T")

BACKOFF_S = 0.25
BACKOFF_MAX_S = 8.0
RETRY_AFTER_MAX_S = 60.0
"""With a longer Retry-After there is no retry: the error is raised, and the caller may wait."""


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """An HTTP request. `idempotent`: sending it twice has the effect of sending it once."""

    method: str
    path: str
    query: dict[str, str] = {}
    headers: dict[str, str] = {}
    body: Union[SubmissionForm, bytes, None] = None
    idempotent: bool = True


class Response(msgspec.Struct, frozen=True):
    """An HTTP response; header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class NoResponse(msgspec.Struct, frozen=True):
    """A connection error. `sent`: the service may have received the request."""

    error: str
    sent: bool


class Sleep(msgspec.Struct, frozen=True):
    """Wait before the next step. `error` is the error after which the request is sent again."""

    seconds: float
    error: Optional[ClientError] = None


Step: TypeAlias = Union[Request, Sleep]
Outcome: TypeAlias = Union[Response, NoResponse, None]
Call: TypeAlias = Generator[Step, Outcome, T]
Pages: TypeAlias = Generator[Union[Step, list[T]], Outcome, None]
"""The steps of an iteration: a yielded list is a page, whose items are handed out one by one."""


def send(request: Request, *, retries: int) -> Call[Response]:
    """Send `request`, with retries where they are safe; return the successful response.

    Raises: SmsignApiError, ApiConnectionError.
    """
    unknown = False  # whether an attempt without a response may have succeeded
    for attempt in range(retries + 1):
        response = yield request
        if isinstance(response, Response):
            if response.status < 300 or response.status == 304:
                return response
            error: ClientError = error_of(response, may_have_succeeded=unknown)
            again = response.status == 429 or (response.status >= 500 and request.idempotent)
        else:
            assert isinstance(response, NoResponse), "the outcome of a request"
            unknown = unknown or response.sent
            message = f"{request.method} {request.path}: {response.error}"
            error = ApiConnectionError(message, may_have_succeeded=unknown)
            again = request.idempotent or not response.sent
        pause_s = _backoff_s(attempt, error)
        if not again or attempt == retries or pause_s > RETRY_AFTER_MAX_S:
            raise error
        yield Sleep(pause_s, error)
    raise AssertionError("the last attempt returns or raises")


def decode(response: Response, into: type[T]) -> T:
    """Return the body as `into`, with the request id.

    Raises: InvalidResponse; SmsignApiError for an error with a status of success.
    """
    try:
        result = msgspec.json.decode(response.body, type=into)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        _raise_if_error(response)
        raise InvalidResponse(f"not a response of this API: {error}; is the base URL right?") from error
    for each in (result, *(result.items if isinstance(result, Page) else ())):
        if isinstance(each, Result):
            each.__dict__["request_id"] = response.headers.get("x-request-id", "")
    return result


def check_done(response: Response) -> None:
    """Check a response without data: its body is empty, or an object that is not an error.

    Raises: InvalidResponse; SmsignApiError for an error with a status of success.
    """
    if response.body.strip():
        decode(response, dict[str, object])
        _raise_if_error(response)


class _Error(msgspec.Struct, frozen=True):
    code: int = 0
    message: str = ""
    details: tuple[Detail, ...] = ()


class _ErrorBody(msgspec.Struct, frozen=True):
    error: _Error


def error_of(response: Response, *, may_have_succeeded: bool = False) -> SmsignApiError:
    """Return the exception for an error response, also for one that is not of this API."""
    try:
        body = msgspec.json.decode(response.body, type=_ErrorBody, strict=False).error
    except (msgspec.DecodeError, UnicodeDecodeError):
        body = _Error(message=_message_without_code(response))
    return SmsignApiError.BY_CODE.get(body.code, SmsignApiError)(
        body.message,
        status=response.status,
        code=body.code,
        details=body.details,
        request_id=response.headers.get("x-request-id", ""),
        retry_after_s=_retry_after_s(response.headers.get("retry-after", "")),
        may_have_succeeded=may_have_succeeded,
    )


def _raise_if_error(response: Response) -> None:
    error = error_of(response)
    if error.code:
        raise error


def _message_without_code(response: Response) -> str:
    if location := response.headers.get("location"):
        return f"redirect to {location}, which is not followed; is the base URL right?"
    return f"no JSON of this API: {response.body[:120].decode('utf-8', 'replace')!r}"


def _backoff_s(attempt: int, error: ClientError) -> float:
    """Return the exponential backoff with jitter, or the service's Retry-After."""
    ceiling = min(BACKOFF_MAX_S, BACKOFF_S * 2.0**attempt)
    if isinstance(error, SmsignApiError) and error.retry_after_s is not None:
        return max(error.retry_after_s, 0.0) + random.uniform(0.0, BACKOFF_S)  # noqa: S311
    return random.uniform(ceiling / 2, ceiling)  # noqa: S311


def _retry_after_s(value: str) -> float | None:
    """Parse Retry-After: seconds, or a date (RFC 9110, 10.2.3)."""
    if value.strip().isdecimal():
        return float(value)
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - time.time()) if value else None
    except (TypeError, ValueError):  # TypeError before Python 3.10
        return None
