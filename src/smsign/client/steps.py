"""A call as steps, without I/O: a generator that yields what is to be done and is sent what came of it.

`Client` and `AsyncClient` carry the steps out, each in its own way; whatever decides anything is on this
side, once.
"""

from __future__ import annotations

import random
import time
from collections.abc import Generator, Mapping
from email.utils import parsedate_to_datetime
from typing import TypeAlias, TypeVar

import msgspec

from smsign.client.errors import BadAnswer, ClientError, Detail, NoConnection, SmsignApiError
from smsign.client.form import SubmissionForm

T = TypeVar("T")

BACKOFF_S = 0.25
BACKOFF_MAX_S = 8.0
PATIENCE_S = 60.0
"""A longer Retry-After is the caller's to wait for."""


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """What to send. `repeatable`: sending it twice does no more than sending it once."""

    method: str
    path: str
    query: dict[str, str] = {}
    headers: dict[str, str] = {}
    body: SubmissionForm | bytes | None = None
    repeatable: bool = True


class Response(msgspec.Struct, frozen=True):
    """What came back; header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class NoResponse(msgspec.Struct, frozen=True):
    """Nothing came back. `maybe_done`: the request may have arrived."""

    what: str
    maybe_done: bool


class Sleep(msgspec.Struct, frozen=True):
    """Wait before the next step."""

    seconds: float


Step: TypeAlias = Request | Sleep
Outcome: TypeAlias = Response | NoResponse | None
Call: TypeAlias = Generator[Step, Outcome, T]
Items: TypeAlias = Generator[Step | list[T], Outcome, None]
"""The steps of an iteration: a list that is yielded is handed out, item by item."""


def send(request: Request, *, retries: int) -> Call[Response]:
    """Send `request`, again where that may help and can do no harm; return the answer of success.

    Raises: SmsignApiError, NoConnection.
    """
    maybe_done = False
    for attempt in range(retries + 1):
        answer = yield request
        if isinstance(answer, Response):
            if answer.status < 300 or answer.status == 304:
                return answer
            error: ClientError = refusal(answer, maybe_done=maybe_done)
            again = answer.status == 429 or (answer.status >= 500 and request.repeatable)
        else:
            assert isinstance(answer, NoResponse), "a request is followed by what came of it"
            maybe_done = maybe_done or answer.maybe_done
            error = NoConnection(f"{request.method} {request.path}: {answer.what}", maybe_done=maybe_done)
            again = request.repeatable or not answer.maybe_done
        pause_s = _pause_s(attempt, error)
        if not again or attempt == retries or pause_s > PATIENCE_S:
            raise error
        yield Sleep(pause_s)
    raise AssertionError("the last attempt returns or raises")


def decode(answer: Response, into: type[T]) -> T:
    """Return the body as `into`.

    Raises: BadAnswer; SmsignApiError where a refusal came under the status of success.
    """
    try:
        return msgspec.json.decode(answer.body, type=into)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        refused = refusal(answer)
        if refused.code:
            raise refused from None
        raise BadAnswer(f"the answer is not of this API: {error}; is the base URL right?") from error


def check_done(answer: Response) -> None:
    """Look at the answer to a call that asks for nothing: empty, or an object that is no refusal.

    Raises: BadAnswer; SmsignApiError where a refusal came under the status of success.
    """
    if answer.body.strip():
        decode(answer, dict[str, object])
        refused = refusal(answer)
        if refused.code:
            raise refused


class _Error(msgspec.Struct, frozen=True):
    code: int = 0
    message: str = ""
    details: tuple[Detail, ...] = ()


class _Refused(msgspec.Struct, frozen=True):
    error: _Error


def refusal(answer: Response, *, maybe_done: bool = False) -> SmsignApiError:
    """Return the exception of a refusal, whatever its body looks like."""
    try:
        told = msgspec.json.decode(answer.body, type=_Refused, strict=False).error
    except (msgspec.DecodeError, UnicodeDecodeError):
        told = _Error(message=_without_code(answer))
    return SmsignApiError.BY_CODE.get(told.code, SmsignApiError)(
        told.message,
        status=answer.status,
        code=told.code,
        details=told.details,
        request_id=answer.headers.get("x-request-id", ""),
        retry_after_s=_retry_after_s(answer.headers.get("retry-after", "")),
        maybe_done=maybe_done,
    )


def _without_code(answer: Response) -> str:
    if location := answer.headers.get("location"):
        return f"redirected to {location}, which is not followed; is the base URL right?"
    return f"no JSON of this API: {answer.body[:120].decode('utf-8', 'replace')!r}"


def _pause_s(attempt: int, error: ClientError) -> float:
    asked = error.retry_after_s if isinstance(error, SmsignApiError) else None
    ceiling = min(BACKOFF_MAX_S, BACKOFF_S * 2.0**attempt)
    # Jitter, so that many clients do not come back as one.
    jittered = random.uniform(ceiling / 2, ceiling)  # noqa: S311
    return jittered if asked is None else max(asked, 0.0) + random.uniform(0.0, BACKOFF_S)  # noqa: S311


def _retry_after_s(value: str) -> float | None:
    """Read Retry-After: seconds, or a date (RFC 9110, 10.2.3)."""
    if value.strip().isdecimal():
        return float(value)
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - time.time()) if value else None
    except ValueError:
        return None
