"""A database with much in it, made quickly: rows of every kind, straight into SQLite, with true chains."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncpg

from smsign.domain.events import GENESIS, Kind, digest
from smsign.storage.vault import Vault

START = 1_700_000_000_000_000


def fill(file: Path, *, signatures: int, vault: Vault, images: tuple[str, ...] = ()) -> None:
    """Fill a migrated database: every second signature has two versions, every third was refused.

    The greatest ids of `app` and `event` are of rows that are gone.
    """
    apps = max(1, signatures // 20)
    with sqlite3.connect(file) as db:
        _put(db, "app", _apps(apps, vault))
        _put(db, "signature", (_signature(n, apps) for n in range(1, signatures + 1)))
        for table in ("version", "image", "decision", "decision_reason", "event", "chain"):
            rows = (row for n in range(1, signatures + 1) for row in _PARTS[table](n, apps, images))
            _put(db, table, _numbered(rows) if table == "event" else rows)
        people = [
            (n, f"person{n}", "auditor", "x", bytes([n]) if n % 2 else None, 0, 1, START) for n in range(1, 6)
        ]
        _put(db, "account", people)
        _put(db, "recovery_code", ((1 + n % 5, hashlib.sha256(b"%d" % n).digest()) for n in range(40)))
        _put(db, "session", ((n, b"%d" % n, 1 + n % 5, "::1", "Ω", START, START) for n in range(1, 9)))
        _put(db, "reason", [("format", "a", "甲", "b", "乙"), ("Z_last", "a", "", "b", "")])
        callback = (1, 1, "https://example.org/回调", "standard", 0, b"sealed", None, None, "paused", "gone")
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
    return n, 1 + n % apps, f"签名{n % 1000}", _status(n), 1 + n % 2, START, START + n, gone


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


def _events(n: int, _: int, __: object) -> Iterator[tuple[Any, ...]]:
    before = GENESIS
    kinds = [Kind.SUBMITTED, Kind.PASSED if _status(n) == 1 and not n % 2 else Kind.REFUSED]
    if n % 2:
        kinds += [Kind.RESUBMITTED, Kind.PASSED if _status(n) == 1 else Kind.REFUSED]
    for seq, kind in enumerate(kinds, 1):
        reported = digest(before, "signature", n, seq, kind, START + n, "test:bulk", '{"n":"号"}')
        yield "signature", n, seq, str(kind), START + n, "test:bulk", '{"n":"号"}', before, reported
        before = reported


def _numbered(rows: Iterator[tuple[Any, ...]]) -> Iterator[tuple[Any, ...]]:
    for n, row in enumerate(rows, 1):
        yield n, *row


def _chains(n: int, apps: int, _: object) -> Iterator[tuple[Any, ...]]:
    *_, last = _events(n, apps, _)
    yield "signature", n, last[2], last[8]


_PARTS = {
    "version": _versions,
    "image": _images,
    "decision": _decisions,
    "decision_reason": _reasons,
    "event": _events,
    "chain": _chains,
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
