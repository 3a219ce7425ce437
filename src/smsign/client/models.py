"""Response models as frozen structs. Unknown keys are ignored; keys that only smsign returns have a default,
so that responses of the vendor's own service are decoded too.
"""

from __future__ import annotations

from datetime import datetime
from enum import IntEnum
from typing import Generic, Optional, TypeVar

import msgspec

T = TypeVar("T")


class Result(msgspec.Struct, frozen=True, dict=True):
    """The result of a call. Two results are equal if their data is, whatever their requests were."""

    @property
    def request_id(self) -> str:
        """Return the id of the request in the service's log; "" if the service sent none."""
        return str(self.__dict__.get("request_id", ""))


class Status(IntEnum):
    """The values of `Sign.status`."""

    IN_AUDIT = 0
    PASSED = 1
    REFUSED = 2


class Sign(Result, frozen=True, kw_only=True):
    """A signature. `version` and the times are None on the vendor's own service. Times are aware, in UTC."""

    sign_id: int
    sign: str
    status: int
    use_status: int = 0
    is_default: Optional[int] = None
    refuse_reason: Optional[str] = None
    version: Optional[int] = None
    created_at: Optional[datetime] = None
    submitted_at: Optional[datetime] = None

    @property
    def in_audit(self) -> bool:
        """Return whether it waits for a decision."""
        return self.status == Status.IN_AUDIT

    @property
    def passed(self) -> bool:
        """Return whether an auditor passed it."""
        return self.status == Status.PASSED

    @property
    def refused(self) -> bool:
        """Return whether an auditor refused it; `refuse_reason` has the reason."""
        return self.status == Status.REFUSED

    @property
    def in_use(self) -> bool:
        """Return whether it is the signature in use."""
        return self.use_status == 1


class Image(msgspec.Struct, frozen=True, kw_only=True):
    """An image of a version: its slot in the submission, and the SHA-256 (hex) of its bytes."""

    slot: str
    type: str
    size_bytes: int
    width: int
    height: int
    sha256: str


class Reason(msgspec.Struct, frozen=True, kw_only=True):
    """A coded reason of a refusal: the field it is about, and the advice."""

    code: str
    field: str = ""
    title: str = ""
    advice: str = ""


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """The decision on a version."""

    passed: bool
    reasons: tuple[Reason, ...] = ()
    note: str = ""
    decided_at: Optional[datetime] = None


class Version(msgspec.Struct, frozen=True, kw_only=True):
    """The n-th submission of a signature; `decision` is None while it is in the audit."""

    n: int
    sign: str
    fields: dict[str, str] = {}
    images: tuple[Image, ...] = ()
    submitted_at: Optional[datetime] = None
    decision: Optional[Decision] = None


class TimelineEvent(msgspec.Struct, frozen=True, kw_only=True):
    """An event of a signature. `actor` is app, owner, auditor or system."""

    seq: int
    kind: str
    at: datetime
    actor: str = ""
    version: Optional[int] = None


class SignDetail(Sign, frozen=True, kw_only=True):
    """A signature with all its versions and its timeline."""

    versions: tuple[Version, ...] = ()
    timeline: tuple[TimelineEvent, ...] = ()


class Page(Result, Generic[T], frozen=True, kw_only=True):
    """One page of a list; `next` is the cursor of the next page, None on the last one."""

    items: tuple[T, ...]
    next: Optional[str] = None


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """One error that a submission would get."""

    code: int
    message: str
    field: str = ""
    reason: str = ""
    hint: str = ""


class Check(Result, frozen=True, kw_only=True):
    """The result of a dry run: all errors that a submission would get."""

    ok: bool
    problems: tuple[Problem, ...] = ()


class App(Result, frozen=True, kw_only=True):
    """The application. A test application decides its audits itself, after `test_delay_ms`.

    `submissions_a_day` is 0 or None where there is no limit; submissions are not counted then.
    """

    name: str
    app_key: str
    sms_open: bool = True
    use_by_hand: bool = False
    in_use_id: Optional[int] = None
    test: bool = False
    test_delay_ms: Optional[int] = None
    submissions_a_day: Optional[int] = None
    submitted_today: Optional[int] = None


class Callback(Result, frozen=True, kw_only=True):
    """A callback. `secret` is the one for `verify_standard` or `verify_vendor`, None in lists.

    `why` is the reason why a callback is paused (see `state`); `pending` is the number of events that are not
    delivered yet, `pending_since` the time of the oldest. `form` is the old name of `format`, until 1.0.
    """

    callback_id: int
    url: str
    format: str = ""
    form: str = ""
    state: str
    why: Optional[str] = None
    failures: int = 0
    failing_since: Optional[datetime] = None
    pending: int = 0
    pending_since: Optional[datetime] = None
    created_at: Optional[datetime] = None
    secret: Optional[str] = None
    old_secret_until: Optional[datetime] = None

    def __post_init__(self) -> None:
        """Fill `format` and `form` from each other: older services return `form`."""
        msgspec.structs.force_setattr(self, "format", self.format or self.form)
        msgspec.structs.force_setattr(self, "form", self.format)


class Delivery(Result, frozen=True, kw_only=True):
    """A delivery attempt. `status` is the HTTP status of the response, None without a response."""

    delivery_id: int
    event_id: int
    type: str
    sign_id: int
    seq: int
    attempt: int
    state: str
    at: datetime
    ms: int = 0
    status: Optional[int] = None
    error: Optional[str] = None


class DeliveryRequest(msgspec.Struct, frozen=True, kw_only=True):
    """The HTTP request of a delivery attempt."""

    url: str
    headers: dict[str, str] = {}
    body: str = ""


class DeliveryDetail(Delivery, frozen=True, kw_only=True):
    """A delivery attempt with its request, and the beginning of the response's body."""

    request: DeliveryRequest = msgspec.field(name="sent")
    response: str = msgspec.field(name="answer", default="")
