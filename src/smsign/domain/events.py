"""The audit log: append-only, one hash chain per subject.

The hash of an event is the SHA-256 of the previous hash and the fields of the event, so a changed, missing or
reordered row breaks the chain from there on. The end of each chain has a MAC, so that a chain that was
rewritten as a whole is found too.
"""

from __future__ import annotations

import hashlib
from enum import StrEnum

import msgspec

GENESIS = bytes(32)
"""The previous hash of the first event of a chain."""


class Subject(StrEnum):
    """The kind of thing that a chain belongs to."""

    SIGNATURE = "signature"
    APP = "app"
    ACCOUNT = "account"
    REASON = "reason"
    LEDGER = "ledger"


class Counter(StrEnum):
    """Rows of `chain` that count what exists, so that a row removed together with its chain is missed."""

    ACCOUNTS = "accounts"
    APPS = "apps"
    SIGNATURES = "signatures"


class Kind(StrEnum):
    """The kind of an event; past tense."""

    SUBMITTED = "signature.submitted"
    RESUBMITTED = "signature.resubmitted"
    PASSED = "signature.passed"
    REFUSED = "signature.refused"
    REOPENED = "signature.reopened"
    WITHDRAWN = "signature.withdrawn"
    DELETED = "signature.deleted"
    APP_CREATED = "app.created"
    APP_OPENED = "app.opened"
    APP_CLOSED = "app.closed"
    SECRET_ROTATED = "app.secret_rotated"  # noqa: S105
    SECRET_SHOWN = "app.secret_shown"  # noqa: S105
    USE_CHANGED = "app.use_changed"
    SWITCH_CHANGED = "app.switch_changed"
    CALLBACK_ADDED = "callback.added"
    CALLBACK_REMOVED = "callback.removed"
    CALLBACK_ROTATED = "callback.secret_rotated"
    CALLBACK_PAUSED = "callback.paused"
    CALLBACK_RESUMED = "callback.resumed"
    CALLBACK_RESENT = "callback.resent"
    CALLBACK_REPLAYED = "callback.replayed"
    LIMIT_CHANGED = "app.limit_changed"
    OWNER_ADDED = "app.owner_added"
    OWNER_REMOVED = "app.owner_removed"
    ACCOUNT_CREATED = "account.created"
    ACCOUNT_CHANGED = "account.changed"
    PASSWORD_CHANGED = "account.password_changed"  # noqa: S105
    TOTP_CHANGED = "account.totp_changed"
    CODE_FAILED = "account.code_failed"
    RECOVERY_USED = "account.recovery_code_used"
    REASON_CHANGED = "reason.changed"
    APP_RECORDED = "app.recorded"
    ACCOUNT_RECORDED = "account.recorded"
    SEALED = "ledger.sealed"


DECISIONS = frozenset({Kind.PASSED, Kind.REFUSED})
"""Decisions of auditors; callbacks in the vendor format deliver only these."""


SECURITY = (Kind.PASSWORD_CHANGED, Kind.TOTP_CHANGED, Kind.CODE_FAILED, Kind.RECOVERY_USED)
"""What a person should notice about their account."""


class Event(msgspec.Struct, frozen=True):
    """A row of `event`. `data` is JSON text, stored and hashed as written; `at` is UTC microseconds."""

    id: int
    subject: str
    subject_id: int
    seq: int
    kind: str
    at: int
    actor: str
    data: str
    prev_hash: bytes
    hash: bytes


def public_actor(kind: str, actor: str) -> str:
    """Return the actor without personal data, for applications."""
    if actor.startswith(("app:", "system:")):
        return actor.partition(":")[0]
    return "auditor" if kind in (Kind.PASSED, Kind.REFUSED, Kind.REOPENED) else "owner"


def digest(
    prev_hash: bytes, subject: str, subject_id: int, seq: int, kind: str, at: int, actor: str, data: str
) -> bytes:
    """Return the hash of an event: SHA-256 of the previous hash and of the row as JSON."""
    row = msgspec.json.encode([str(subject), subject_id, seq, str(kind), at, actor, data])
    return hashlib.sha256(prev_hash + row).digest()


def seal(key: bytes, subject: str, subject_id: int, seq: int, hash_: bytes) -> bytes:
    """Return the MAC of a chain's end (keyed BLAKE2b, RFC 7693): without the key, none can be rewritten."""
    row = msgspec.json.encode([str(subject), subject_id, seq])
    return hashlib.blake2b(row + hash_, key=key, digest_size=32).digest()


def fault(event: Event, *, seq: int, prev_hash: bytes) -> str | None:
    """Return why `event` cannot be number `seq` of its chain, after `prev_hash`; or None."""
    if event.seq != seq:
        return f"event {event.seq} follows {seq - 1}: {event.seq - seq} missing between"
    if event.prev_hash != prev_hash:
        return f"event {seq} does not have the hash of the previous one"
    expected = digest(
        prev_hash, event.subject, event.subject_id, seq, event.kind, event.at, event.actor, event.data
    )
    return None if expected == event.hash else f"event {seq} ({event.kind}) was changed after it was written"
