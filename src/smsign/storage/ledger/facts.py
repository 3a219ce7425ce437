"""Facts of the rows that the audit log describes, for a range of ids, as `domain/replay.py` names them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import msgspec

from smsign.domain.audits import REASONS
from smsign.domain.events import Counter, Subject
from smsign.domain.replay import Facts, decision_facts, fingerprint, version_facts
from smsign.storage.engine.protocol import Reader

Found = dict[int, Facts]
_RANGE = "signature_id > $1 AND signature_id <= $2"
TABLES: dict[str, str] = {Subject.SIGNATURE: "signature", Subject.APP: "app", Subject.ACCOUNT: "account"}
"""The tables whose rows have a chain each, under their id."""
_MARKS = {
    "chain": """SELECT subject_id FROM chain WHERE subject = $1 AND subject_id > $2
      ORDER BY subject_id LIMIT 1 OFFSET $3""",
    "event": """SELECT subject_id FROM event WHERE subject = $1 AND subject_id > $2
      ORDER BY subject_id, seq LIMIT 1 OFFSET $3""",
}
IDS, EVENTS = 1000, 4000
LAST = 2**63 - 1
"""Above every id."""


async def find_bound(db: Reader, subject: str, after: int) -> int:
    """Return the id up to which one step reads, so that it reads no more than some thousand rows."""
    marks = [
        await db.one(_MARKS["chain"], str(subject), after, IDS),
        await db.one(_MARKS["event"], str(subject), after, EVENTS),
    ]
    if table := TABLES.get(subject):
        marks.append(
            await db.one(f"SELECT id FROM {table} WHERE id > $1 ORDER BY id LIMIT 1 OFFSET $2", after, IDS)
        )
    return max(after + 1, min((int(row[0]) for row in marks if row), default=LAST))


async def find_last(db: Reader, subject: str) -> int:
    """Return the highest id of a subject in any table."""
    found = [
        await db.one(f"SELECT max(subject_id) FROM {name} WHERE subject = $1", str(subject))
        for name in _MARKS
    ]
    if table := TABLES.get(subject):
        found.append(await db.one(f"SELECT max(id) FROM {table}"))
    return max(int(row[0] or 0) for row in found if row)


async def list_(db: Reader, subject: Subject, after: int, until: int) -> Found:
    """Return the facts of the subjects with ids above `after` and up to `until`, by id."""
    return await _READERS[subject](db, after, until)


async def lock(tx: Reader, subject: Subject, subject_id: int) -> None:
    """Lock the row whose lock a writer of the chain holds, until the transaction ends."""
    if table := TABLES.get(subject):
        await tx.one(f"SELECT id FROM {table} WHERE id = $1 {{lock}}", subject_id)


async def count(db: Reader, counter: Counter, after: int, until: int) -> dict[int, int]:
    """Return how many rows there are: signatures by application, or all under 0."""
    if counter == Counter.SIGNATURES:
        sql = "SELECT app_id, count(*) FROM signature WHERE app_id > $1 AND app_id <= $2 GROUP BY app_id"
        return {int(row[0]): int(row[1]) for row in await db.all(sql, after, until)}
    row = await db.one(f"SELECT count(*) FROM {'app' if counter == Counter.APPS else 'account'}")
    return {0: int(row[0])} if row and row[0] else {}


async def _signatures(db: Reader, after: int, until: int) -> Found:
    found: Found = {}
    sql = """SELECT id, app_id, content, status, version, created_at, submitted_at, deleted_at
      FROM signature WHERE id > $1 AND id <= $2"""
    for row in await db.all(sql, after, until):
        names = ("app_id", "content", "status", "version", "created_at", "submitted_at", "deleted_at")
        found[int(row[0])] = dict(zip(names, row[1:], strict=True))
    images: dict[tuple[int, int], dict[str, str]] = {}
    sql = f"SELECT signature_id, version, app_id, slot, sha256 FROM image WHERE {_RANGE}"
    for signature_id, n, app_id, slot, sha256 in await db.all(sql, after, until):
        _check_app(found, signature_id, app_id, f"version {n}: {slot}")
        images.setdefault((signature_id, n), {})[slot] = sha256
    sql = f"SELECT signature_id, n, app_id, content, fields, actor, submitted_at FROM version WHERE {_RANGE}"
    for signature_id, n, app_id, content, fields, actor, at in await db.all(sql, after, until):
        _check_app(found, signature_id, app_id, f"version {n}")
        texts = msgspec.json.decode(fields, type=dict[str, str])
        facts = version_facts(n, content, texts, actor, at, images.pop((signature_id, n), {}))
        found.setdefault(signature_id, {}).update(facts)
    await _decisions(db, found, after, until)
    return found


async def _decisions(db: Reader, found: Found, after: int, until: int) -> None:
    sql = f"""SELECT signature_id, version, app_id, passed, note, actor, decided_at FROM decision
      WHERE {_RANGE}"""
    for signature_id, n, app_id, passed, note, actor, at in await db.all(sql, after, until):
        _check_app(found, signature_id, app_id, f"version {n}: decision")
        found.setdefault(signature_id, {}).update(decision_facts(n, passed, note, actor, at))
    sql = f"SELECT signature_id, version, code, field FROM decision_reason WHERE {_RANGE}"
    for signature_id, n, code, field in await db.all(sql, after, until):
        reasons = found.setdefault(signature_id, {}).setdefault(f"version {n}: reasons", {})
        assert isinstance(reasons, dict)
        reasons[code] = field or (REASONS[code].field if code in REASONS else "")


def _check_app(found: Found, signature_id: int, app_id: int, what: str) -> None:
    """Note a row of another application than its signature's."""
    facts = found.setdefault(signature_id, {})
    if facts.get("app_id") != app_id:
        facts[f"{what}: app_id"] = app_id


async def _apps(db: Reader, after: int, until: int) -> Found:
    found: Found = {}
    sql = """SELECT id, name, app_key, created_at, secret_mac, old_secret_mac, old_secret_until, sms_open,
      use_by_hand, test_delay_ms, submissions_a_day, in_use_id FROM app WHERE id > $1 AND id <= $2"""
    for row in await db.all(sql, after, until):
        found[int(row[0])] = {
            "old secret": fingerprint(row[5]),
            "old secret until": row[6],
            "in_use_id": row[11],
            "name": row[1],
            "app_key": row[2],
            "created_at": row[3],
            "secret": fingerprint(row[4]),
            "test_delay_ms": row[9],
            "sms_open": row[7],
            "use_by_hand": row[8],
            "submissions_a_day": row[10],
            "owners": [],
        }
    sql = """SELECT app_id, name FROM app_owner JOIN account ON account.id = account_id
      WHERE app_id > $1 AND app_id <= $2"""
    for app_id, name in await db.all(sql, after, until):
        owners = found.setdefault(app_id, {}).setdefault("owners", [])
        assert isinstance(owners, list)
        owners.append(name)
        owners.sort()
    sql = """SELECT app_id, id, url, secret_sealed, state FROM callback
      WHERE app_id > $1 AND app_id <= $2 AND deleted_at IS NULL"""
    for app_id, callback_id, url, sealed, state in await db.all(sql, after, until):
        name = f"callback {callback_id}"
        found.setdefault(app_id, {}).update(
            {name: state, f"{name}: url": fingerprint(url), f"{name}: secret": fingerprint(sealed)}
        )
    return found


async def _accounts(db: Reader, after: int, until: int) -> Found:
    sql = """SELECT id, name, roles, enabled, created_at, password, totp_sealed FROM account
      WHERE id > $1 AND id <= $2"""
    names = ("name", "roles", "enabled", "created_at")
    return {
        int(row[0]): dict(zip(names, row[1:5], strict=True))
        | {"password": fingerprint(row[5]), "second factor": fingerprint(row[6])}
        for row in await db.all(sql, after, until)
    }


async def _reasons(db: Reader, after: int, until: int) -> Found:
    sql, numbers = "SELECT code, title_en, title_zh, advice_en, advice_zh FROM reason", list(REASONS)
    return {
        number: {"code": row[0], "title": [row[1], row[2]], "advice": [row[3], row[4]]}
        for row in await db.all(sql)
        if row[0] in numbers and after < (number := numbers.index(row[0]) + 1) <= until
    }


async def _nothing(_db: Reader, _after: int, _until: int) -> Found:
    return {}


_READERS: dict[Subject, Callable[[Reader, int, int], Awaitable[Found]]] = {
    Subject.SIGNATURE: _signatures,
    Subject.APP: _apps,
    Subject.ACCOUNT: _accounts,
    Subject.REASON: _reasons,
    Subject.LEDGER: _nothing,
}
