"""A database with much in it, made quickly: rows of every kind, straight into SQLite, with true chains."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncpg
import msgspec

from smsign.domain.audits import REASONS
from smsign.domain.events import GENESIS, Kind, digest, seal
from smsign.domain.replay import fingerprint
from smsign.storage.vault import Vault

START = 1_700_000_000_000_000
CALLBACK_URL = "https://example.org/回调"


def fill(file: Path, *, signatures: int, vault: Vault, images: tuple[str, ...] = ()) -> None:
    """Fill a migrated database: every second signature has two versions, every third was refused.

    The greatest ids of `app` and `event` are of rows that are gone.
    """
    apps = max(1, signatures // 20)
    with sqlite3.connect(file) as db:
        _put(db, "app", _apps(apps, vault))
        _put(db, "signature", (_signature(n, apps) for n in range(1, signatures + 1)))
        for table, part in _PARTS.items():
            _put(db, table, (row for n in range(1, signatures + 1) for row in part(n, apps, images)))
        _put_chains(db, vault, signatures, apps, images)
        people = [
            (n, f"person{n}", "auditor", "x", bytes([n]) if n % 2 else None, 0, 1, START) for n in range(1, 6)
        ]
        _put(db, "account", people)
        _put(db, "recovery_code", ((1 + n % 5, hashlib.sha256(b"%d" % n).digest()) for n in range(40)))
        _put(db, "session", ((n, b"%d" % n, 1 + n % 5, "::1", "Ω", START, START) for n in range(1, 9)))
        _put(db, "reason", [("format", "a", "甲", "b", "乙"), ("Z_last", "a", "", "b", "")])
        callback = (1, 1, CALLBACK_URL, "standard", 0, b"sealed", None, None, "paused", "gone")
        _put(db, "callback", [(*callback, 3, START, START, None)])
        waiting = ((1, n, 1, 1 + n, 0, START, 0, "", START) for n in range(1, signatures // 10))
        _put(db, "outbox", waiting)
        sent = ("signature.passed", 1, "failed", START, 12, "https://example.org/", "{}", "{}", None, "", "")
        _put(db, "delivery", ((n, 1, 1 + n, n, 1, *sent) for n in range(1, signatures // 10)))
        _put(db, "idempotency", ((1 + n % 5, f"Key{n}~", b"%d" % n, n, START) for n in range(1, 30)))
        _put(db, "submissions", ((day, 1 + day % 5, day) for day in range(1, 30)))
        db.execute("UPDATE app SET in_use_id = 1 WHERE id = 2")
        db.execute("UPDATE sqlite_sequence SET seq = seq + 1000 WHERE name IN ('app', 'event')")
    db.close()


def _put(db: sqlite3.Connection, table: str, rows: Any) -> None:
    rows = iter(rows)
    first = next(rows, None)
    if first is not None:
        sql = f"INSERT INTO {table} {_COLUMNS.get(table, '')} VALUES ({', '.join('?' * len(first))})"
        db.execute(sql, first)
        db.executemany(sql, rows)


_COLUMNS = {
    "account": "(id, name, roles, password, totp_sealed, totp_used, enabled, created_at)",
    "app": "(id, name, app_key, secret_mac, secret_sealed, sms_open, use_by_hand, created_at)",
}


def _apps(count: int, vault: Vault) -> Iterator[tuple[Any, ...]]:
    for n in range(1, count + 1):
        key = f"{n:024x}"
        yield n, f"应用 {n}", key, vault.mac("secret"), vault.seal("secret", app_key=key), 1, n % 2, START


def _status(n: int) -> int:
    return 2 if n % 3 == 0 else 1


def _signature(n: int, apps: int) -> tuple[Any, ...]:
    gone = START + n if n % 7 == 0 else None
    return n, 1 + n % apps, f"签名{n % 1000}", _status(n), 1 + n % 2, START + n, START + n, gone


def _versions(n: int, apps: int, _: object) -> Iterator[tuple[Any, ...]]:
    for version in range(1, 2 + n % 2):
        yield n, version, 1 + n % apps, f"签名{n % 1000}", '{"remark":"备注"}', f"app:{n}", START + n


def _images(n: int, apps: int, images: tuple[str, ...]) -> Iterator[tuple[Any, ...]]:
    for slot in range(min(2, len(images))):
        sha256 = images[(n + slot) % len(images)]
        yield n, 1, f"image{slot}", 1 + n % apps, sha256, "png", 100, 10, 10


def _decisions(n: int, apps: int, _: object) -> Iterator[tuple[Any, ...]]:
    for version in range(1, 2 + n % 2):
        passed = int(version == 1 + n % 2 and _status(n) == 1)
        yield n, version, 1 + n % apps, passed, "note", "account:person1", START + n


def _reasons(n: int, apps: int, _: object) -> Iterator[tuple[Any, ...]]:
    for row in _decisions(n, apps, _):
        if not row[3]:
            yield n, row[1], "format", ""
            yield n, row[1], "Z_last", "image0"


def _chain(
    vault: Vault, subject: str, subject_id: int, events: list[tuple[Kind, str, object]], at: int
) -> tuple[list[tuple[Any, ...]], tuple[Any, ...]]:
    """Return the rows of a chain of (kind, actor, data), and its end."""
    before, rows = GENESIS, []
    for seq, (kind, actor, data) in enumerate(events, 1):
        text = msgspec.json.encode(data).decode()
        digested = digest(before, subject, subject_id, seq, kind, at, actor, text)
        rows.append((subject, subject_id, seq, str(kind), at, actor, text, before, digested))
        before = digested
    return rows, _end(vault, subject, subject_id, len(events), before)


def _end(vault: Vault, subject: str, subject_id: int, seq: int, digested: bytes) -> tuple[Any, ...]:
    mac = seal(vault.ledger_key, subject, subject_id, seq, digested)
    return subject, subject_id, seq, digested, mac


def _signature_events(n: int, apps: int, images: tuple[str, ...]) -> list[tuple[Kind, str, object]]:
    found: list[tuple[Kind, str, object]] = []
    stored = {row[2]: row[4] for row in _images(n, apps, images)}
    for (_, version, _, content, _, actor, _), decided in zip(
        _versions(n, apps, images), _decisions(n, apps, images), strict=True
    ):
        data = {"version": version, "content": content, "fields": {"remark": "备注"}}
        kind = Kind.SUBMITTED if version == 1 else Kind.RESUBMITTED
        of_app = {"app_id": 1 + n % apps} if version == 1 else {}
        found.append((kind, actor, data | {"images": stored if version == 1 else {}} | of_app))
        reasons = {} if decided[3] else {"format": REASONS["format"].field, "Z_last": "image0"}
        data = {
            "version": version,
            "reasons": list(reasons),
            "fields": list(reasons.values()),
            "note": "note",
        }
        found.append((Kind.PASSED if decided[3] else Kind.REFUSED, "account:person1", data))
    if n % 7 == 0:
        found.append((Kind.DELETED, "test:bulk", {}))
    return found


def _put_chains(
    db: sqlite3.Connection, vault: Vault, signatures: int, apps: int, images: tuple[str, ...]
) -> None:
    chains = [
        _chain(vault, "signature", n, _signature_events(n, apps, images), START + n)
        for n in range(1, signatures + 1)
    ]
    secret = fingerprint(vault.mac("secret"))
    for n in range(1, apps + 1):
        facts: dict[str, object] = {
            **dict.fromkeys(("old secret", "old secret until", "test_delay_ms")),
            "in_use_id": 1 if n == 2 else None,
            "name": f"应用 {n}",
            "app_key": f"{n:024x}",
            "created_at": START,
            "secret": secret,
            "sms_open": 1,
            "use_by_hand": n % 2,
            "submissions_a_day": 0,
            "owners": [],
        }
        if n == 1:
            facts |= {"callback 1": "paused", "callback 1: url": fingerprint(CALLBACK_URL)}
            facts["callback 1: secret"] = fingerprint(b"sealed")
        chains.append(_chain(vault, "app", n, [(Kind.APP_RECORDED, "test:bulk", facts)], START))
    for n in range(1, 6):
        facts = {"name": f"person{n}", "roles": "auditor", "enabled": 1, "created_at": START}
        facts |= {"password": fingerprint("x"), "second factor": fingerprint(bytes([n]) if n % 2 else None)}
        chains.append(_chain(vault, "account", n, [(Kind.ACCOUNT_RECORDED, "test:bulk", facts)], START))
    data = {"code": "format", "title": ["a", "甲"], "advice": ["b", "乙"]}
    number = list(REASONS).index("format") + 1
    chains.append(_chain(vault, "reason", number, [(Kind.REASON_CHANGED, "test:bulk", data)], START))
    _put(db, "event", _numbered(row for rows, _ in chains for row in rows))
    _put(db, "chain", (end for _, end in chains))
    db.execute("DELETE FROM chain WHERE subject IN ('accounts', 'apps')")
    _put(
        db,
        "chain",
        (_end(vault, what, 0, count, GENESIS) for what, count in (("accounts", 5), ("apps", apps))),
    )
    for app_id in range(1, apps + 1):
        count = sum(1 + n % apps == app_id for n in range(1, signatures + 1))
        mac = seal(vault.ledger_key, "signatures", app_id, 0, b"%d" % count)
        db.execute("INSERT INTO chain VALUES ('signatures', ?, ?, ?, ?)", (app_id, count, b"%d" % count, mac))


def _numbered(rows: Iterator[tuple[Any, ...]]) -> Iterator[tuple[Any, ...]]:
    for n, row in enumerate(rows, 1):
        yield n, *row


_PARTS = {
    "version": _versions,
    "image": _images,
    "decision": _decisions,
    "decision_reason": _reasons,
}


async def all_rows(url: str) -> dict[str, list[tuple[Any, ...]]]:
    """Return every row of every table of either engine, sorted here, by nothing that is under test."""
    found = {}
    if url.startswith("sqlite:"):
        db = sqlite3.connect(url.removeprefix("sqlite:"))
        names = db.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
        for (name,) in names.fetchall():
            columns = sorted(row[1] for row in db.execute(f"PRAGMA table_info({name})"))
            listed = ", ".join(f'"{column}"' for column in columns)
            found[name] = db.execute(f"SELECT {listed} FROM {name}").fetchall()
        db.close()
    else:
        connection = await asyncpg.connect(url)
        names = await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        for (name,) in names:
            rows = await connection.fetch(f"SELECT * FROM {name}")
            columns = sorted(rows[0].keys()) if rows else []
            found[name] = [tuple(row[column] for column in columns) for row in rows]
        await connection.close()
    return {name: sorted(rows, key=repr) for name, rows in found.items()}
