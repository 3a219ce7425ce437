"""What the calls answer, as frozen structs. Keys that are not named here are ignored; what only smsign adds
to the contract has a default, so that the vendor's own answers decode too.
"""

from __future__ import annotations

from datetime import datetime
from enum import IntEnum
from typing import Generic, TypeVar

import msgspec

T = TypeVar("T")


class Status(IntEnum):
    """What `Sign.status` says."""

    IN_AUDIT = 0
    PASSED = 1
    REFUSED = 2


class Sign(msgspec.Struct, frozen=True, kw_only=True):
    """A signature. From `version` on: None from services that do not tell. Times are aware, UTC."""

    sign_id: int
    sign: str
    status: int
    use_status: int = 0
    is_default: int | None = None
    refuse_reason: str | None = None
    version: int | None = None
    created_at: datetime | None = None
    submitted_at: datetime | None = None

    @property
    def in_audit(self) -> bool:
        """Tell whether it waits for a decision."""
        return self.status == Status.IN_AUDIT

    @property
    def passed(self) -> bool:
        """Tell whether it may be used."""
        return self.status == Status.PASSED

    @property
    def refused(self) -> bool:
        """Tell whether it was refused; `refuse_reason` says why."""
        return self.status == Status.REFUSED

    @property
    def in_use(self) -> bool:
        """Tell whether it is the one that the application's messages carry."""
        return self.use_status == 1


class Image(msgspec.Struct, frozen=True, kw_only=True):
    """An image of a version: where it stands in the submission, and the SHA-256 (hex) of its bytes."""

    slot: str
    type: str
    size_bytes: int
    width: int
    height: int
    sha256: str


class Reason(msgspec.Struct, frozen=True, kw_only=True):
    """A coded reason of a refusal: of which field, and what to do."""

    code: str
    field: str = ""
    title: str = ""
    advice: str = ""


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a version in the audit."""

    passed: bool
    reasons: tuple[Reason, ...] = ()
    note: str = ""
    decided_at: datetime | None = None


class Version(msgspec.Struct, frozen=True, kw_only=True):
    """What was submitted, the n-th time; `decision` is None while it waits for one."""

    n: int
    sign: str
    fields: dict[str, str] = {}
    images: tuple[Image, ...] = ()
    submitted_at: datetime | None = None
    decision: Decision | None = None


class TimelineEntry(msgspec.Struct, frozen=True, kw_only=True):
    """An entry of the timeline. `actor` is app, owner, auditor or system."""

    seq: int
    kind: str
    at: datetime
    actor: str = ""
    version: int | None = None


class SignDetail(Sign, frozen=True, kw_only=True):
    """A signature with all its versions and its timeline."""

    versions: tuple[Version, ...] = ()
    timeline: tuple[TimelineEntry, ...] = ()


class Page(msgspec.Struct, Generic[T], frozen=True, kw_only=True):
    """One page of a list; `next` is the cursor of the page after it, None on the last."""

    items: tuple[T, ...]
    next: str | None = None


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that a submission would be refused for."""

    code: int
    message: str
    field: str = ""
    reason: str = ""
    hint: str = ""


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """What a submission would meet with; nothing was stored."""

    ok: bool
    problems: tuple[Problem, ...] = ()


class App(msgspec.Struct, frozen=True, kw_only=True):
    """The application itself. A test application's audit decides by itself, after `test_delay_ms`.

    `submissions_a_day` is 0 or None where there is no limit; nothing is counted then."""

    name: str
    app_key: str
    sms_open: bool = True
    use_by_hand: bool = False
    in_use_id: int | None = None
    test: bool = False
    test_delay_ms: int | None = None
    submissions_a_day: int | None = None
    submitted_today: int | None = None


class Callback(msgspec.Struct, frozen=True, kw_only=True):
    """An endpoint. `secret` is what `verify_standard` or `verify_vendor` takes; None where it is listed.

    A paused one (`state`) says `why`; `pending` events wait for it, the oldest since `pending_since`.
    """

    callback_id: int
    url: str
    form: str
    state: str
    why: str | None = None
    failures: int = 0
    failing_since: datetime | None = None
    pending: int = 0
    pending_since: datetime | None = None
    created_at: datetime | None = None
    secret: str | None = None
    old_secret_until: datetime | None = None


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """An attempt to tell an endpoint of an event. `status` is the HTTP status, None if nothing came back."""

    delivery_id: int
    event_id: int
    type: str
    sign_id: int
    seq: int
    attempt: int
    state: str
    at: datetime
    ms: int = 0
    status: int | None = None
    error: str | None = None


class SentRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What an attempt sent."""

    url: str
    headers: dict[str, str] = {}
    body: str = ""


class DeliveryDetail(Delivery, frozen=True, kw_only=True):
    """An attempt with what was sent, and the beginning of what was answered."""

    sent: SentRequest
    answer: str = ""
