"""Replay of the audit log: which rows its events describe, to be compared with the rows that exist.

Facts are a flat mapping of names to JSON values, such as `"version 2: content": "极光推送"`. A value of
UNKNOWN was not recorded, as in events of earlier versions of smsign, and is not compared.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import msgspec

from smsign.domain.events import Event, Kind, Subject

Facts = dict[str, object]
UNKNOWN = object()
_decode = msgspec.json.Decoder(dict[str, Any]).decode


def fingerprint(secret: bytes | str | None) -> str | None:
    """Return what the audit log has of a secret or a password hash: half of its SHA-256, in hex."""
    if secret is None:
        return None
    return hashlib.sha256(secret.encode() if isinstance(secret, str) else secret).hexdigest()[:32]


def replay(events: Iterable[Event]) -> Facts:
    """Return the facts that the events of one chain describe, the first event first."""
    facts: Facts = {}
    for event in events:
        _STEPS[event.subject](facts, event, _decode(event.data))
    return {name: value for name, value in facts.items() if not name.startswith("_")}


def differences(recorded: Mapping[str, object], found: Mapping[str, object]) -> Iterator[str]:
    """Yield what differs between the audit log and the rows, in words."""
    for name in dict.fromkeys([*recorded, *found]):
        was, now = recorded.get(name), found.get(name)
        if was == now or was is UNKNOWN:
            continue
        if name.endswith(": fields") and isinstance(was, dict) and isinstance(now, dict):
            # Personal data, which neither a log nor a page may quote.
            changed = sorted(key for key in {*was, *now} if was.get(key) != now.get(key))
            yield f"{name} differ from the ledger: {', '.join(changed)}"
        else:
            yield f"{name} is {_show(now)}, the ledger has {_show(was)}"


def _show(value: object) -> str:
    return "nothing" if value is None else msgspec.json.encode(value).decode()


def _signature(facts: Facts, event: Event, data: Mapping[str, Any]) -> None:
    kind, n = event.kind, data.get("version")
    if kind == Kind.SUBMITTED:
        facts |= {"app_id": data.get("app_id", UNKNOWN), "created_at": event.at, "deleted_at": None}
    if kind in (Kind.SUBMITTED, Kind.RESUBMITTED):
        facts["_last"] = {"content": data["content"], "fields": data["fields"], "images": data["images"]}
    if kind in (Kind.SUBMITTED, Kind.RESUBMITTED, Kind.REOPENED):
        last: Any = facts["_last"]
        facts |= {"content": last["content"], "status": 0, "version": n, "submitted_at": event.at}
        facts |= version_facts(n, last["content"], last["fields"], event.actor, event.at, last["images"])
    elif kind in (Kind.PASSED, Kind.REFUSED):
        reasons = dict(zip(data["reasons"], data.get("fields", data["reasons"]), strict=True))
        facts["status"] = 1 if kind == Kind.PASSED else 2
        facts |= decision_facts(n, int(kind == Kind.PASSED), data["note"], event.actor, event.at)
        if "fields" in data or not reasons:
            facts[f"version {n}: reasons"] = reasons
        else:
            facts[f"version {n}: reasons"] = UNKNOWN
    elif kind == Kind.WITHDRAWN:
        facts["status"] = 2
    elif kind == Kind.DELETED:
        facts["deleted_at"] = event.at


def version_facts(
    n: object, content: str, fields: Mapping[str, str], actor: str, at: int, images: Mapping[str, str]
) -> Facts:
    """Return the facts of a version; `images` maps slots to SHA-256."""
    at_version = f"version {n}: "
    return {
        f"{at_version}content": content,
        f"{at_version}fields": dict(fields),
        f"{at_version}submitted by": actor,
        f"{at_version}submitted_at": at,
    } | {at_version + slot: sha256 for slot, sha256 in images.items()}


def decision_facts(n: object, passed: int, note: str, actor: str, at: int) -> Facts:
    """Return the facts of a decision but for its reasons."""
    return {
        f"version {n}: passed": passed,
        f"version {n}: note": note,
        f"version {n}: decided by": actor,
        f"version {n}: decided_at": at,
        f"version {n}: reasons": {},
    }


def _app(facts: Facts, event: Event, data: Mapping[str, Any]) -> None:
    kind, callback = event.kind, f"callback {data.get('callback_id')}"
    match kind:
        case Kind.APP_CREATED:
            facts |= dict.fromkeys(("old secret", "old secret until", "in_use_id"))
            facts |= {"name": data["name"], "app_key": data["app_key"], "created_at": event.at}
            facts |= {"secret": data.get("secret", UNKNOWN), "test_delay_ms": data.get("test_delay_ms")}
            facts |= {"sms_open": 1, "use_by_hand": data.get("use_by_hand", UNKNOWN), "submissions_a_day": 0}
            facts["owners"] = data.get("owners", UNKNOWN)
        case Kind.APP_RECORDED:
            facts.clear()
            facts |= data
        case Kind.APP_OPENED | Kind.APP_CLOSED:
            facts["sms_open"] = int(kind == Kind.APP_OPENED)
        case Kind.SECRET_ROTATED:
            overlap_s = data["overlap_s"]
            facts["old secret"] = facts["secret"] if overlap_s else None
            facts["old secret until"] = event.at + overlap_s * 1_000_000 if overlap_s else None
            facts["secret"] = data.get("secret", UNKNOWN)
        case Kind.USE_CHANGED:
            facts["in_use_id"] = data["to"]
        case Kind.SWITCH_CHANGED:
            facts["use_by_hand"] = int(data["use_by_hand"])
        case Kind.LIMIT_CHANGED:
            facts["submissions_a_day"] = data["submissions_a_day"]
        case Kind.OWNER_ADDED | Kind.OWNER_REMOVED if facts["owners"] is not UNKNOWN:
            owners: Any = facts["owners"]
            others = [name for name in owners if name != data["account"]]
            facts["owners"] = sorted([*others, data["account"]] if kind == Kind.OWNER_ADDED else others)
        case Kind.CALLBACK_ADDED:
            facts[callback] = "active"
            facts[f"{callback}: url"] = data.get("url", UNKNOWN)
            facts[f"{callback}: secret"] = data.get("secret", UNKNOWN)
        case Kind.CALLBACK_REMOVED:
            for name in (callback, f"{callback}: url", f"{callback}: secret"):
                facts.pop(name, None)
        case Kind.CALLBACK_ROTATED:
            facts[f"{callback}: secret"] = data.get("secret", UNKNOWN)
        case Kind.CALLBACK_PAUSED | Kind.CALLBACK_RESUMED:
            facts[callback] = "paused" if kind == Kind.CALLBACK_PAUSED else "active"


def _account(facts: Facts, event: Event, data: Mapping[str, Any]) -> None:
    match event.kind:
        case Kind.ACCOUNT_CREATED:
            facts |= {"name": data["name"], "roles": data["roles"], "enabled": 1, "created_at": event.at}
            facts |= {"password": data.get("password", UNKNOWN), "second factor": None}
        case Kind.ACCOUNT_RECORDED:
            facts.clear()
            facts |= data
        case Kind.ACCOUNT_CHANGED if "roles" in data:
            facts |= {"roles": data["roles"], "enabled": int(data["enabled"])}
        case Kind.PASSWORD_CHANGED:
            facts["password"] = data.get("password", UNKNOWN)
        case Kind.TOTP_CHANGED:
            facts["second factor"] = data.get("secret", UNKNOWN) if data["on"] else None


def _reason(facts: Facts, _: Event, data: Mapping[str, Any]) -> None:
    facts |= {"code": data["code"], "title": data["title"], "advice": data["advice"]}


def _ledger(_facts: Facts, _event: Event, _data: Mapping[str, Any]) -> None:
    """Say nothing about rows: these events are about the audit log itself."""


_STEPS: dict[str, Callable[[Facts, Event, Mapping[str, Any]], None]] = {
    Subject.SIGNATURE: _signature,
    Subject.APP: _app,
    Subject.ACCOUNT: _account,
    Subject.REASON: _reason,
    Subject.LEDGER: _ledger,
}
