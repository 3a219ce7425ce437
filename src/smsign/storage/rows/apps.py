"""Rows of `app`."""

from __future__ import annotations

from smsign.domain.apps import KEY_PATTERN, App
from smsign.errors import NotFound
from smsign.storage.engine.protocol import Reader, Tx

_COLUMNS = """id, name, app_key, secret_mac, old_secret_mac, old_secret_until, sms_open, use_by_hand,
  in_use_id, created_at, test_delay_ms, submissions_a_day"""

_BY_KEY = f"SELECT {_COLUMNS} FROM app WHERE app_key = $1"
_BY_ID = f"SELECT {_COLUMNS} FROM app WHERE id = $1"
_LOCK = _BY_ID + " {lock}"
_BY_NAME = f"SELECT {_COLUMNS} FROM app WHERE name = $1 OR app_key = $1"
_ALL = f"SELECT {_COLUMNS} FROM app WHERE id > $1 ORDER BY id LIMIT $2"
_SEARCH = f"""SELECT {_COLUMNS} FROM app
  WHERE id > $1 AND id <= $2 AND name LIKE $3 ESCAPE '!' ORDER BY id LIMIT $4"""
_LAST = "SELECT max(id) FROM app"
SEARCH_IDS = 20_000
"""How many ids one search reads: names are compared row by row, and a page must not wait for all of them."""
_OWNED = f"""SELECT {_COLUMNS} FROM app
  WHERE id IN (SELECT app_id FROM app_owner WHERE account_id = $1) AND id > $2 ORDER BY id LIMIT $3"""


async def find_by_key(db: Reader, app_key: str) -> App | None:
    """Return the application of `app_key`, or None."""
    row = await db.one(_BY_KEY, app_key)
    return App(*row) if row else None


async def get(db: Reader, name: str) -> App:
    """Return the application of this name or appKey.

    Raises: NotFound.
    """
    row = await db.one(_BY_NAME, name)
    if row is None:
        raise NotFound(f"no application is called {name}", f"没有名为 {name} 的应用")
    return App(*row)


async def lock(tx: Tx, app_id: int) -> App:
    """Return the application, its row locked until the transaction ends.

    Raises: NotFound.
    """
    row = await tx.one(_LOCK, app_id)
    if row is None:
        raise _unknown(app_id)
    return App(*row)


async def list_(db: Reader, *, after: int = 0, limit: int = 1000) -> list[App]:
    """Return up to `limit` applications with ids above `after`, in order."""
    return [App(*row) for row in await db.all(_ALL, after, limit)]


async def find(db: Reader, app_id: int) -> App | None:
    """Return the application of this id, or None."""
    row = await db.one(_BY_ID, app_id)
    return App(*row) if row else None


async def search(db: Reader, text: str, *, after: int = 0, limit: int = 50) -> tuple[list[App], int | None]:
    """Return up to `limit` applications above the id `after` named like `text`, or whose appKey it is.

    The second value is where to continue the search, or None at its end.
    """
    if KEY_PATTERN.fullmatch(text):  # no name looks like a key
        found = await find_by_key(db, text)
        return ([found] if found is not None and found.id > after else []), None
    if text:
        end = after + SEARCH_IDS
        rows = await db.all(_SEARCH, after, end, containing(text), limit + 1)
    else:
        end, rows = 2**62, await db.all(_ALL, after, limit + 1)
    if len(rows) > limit:
        return [App(*row) for row in rows[:limit]], int(rows[limit - 1][0])
    last = await db.one(_LAST)
    return [App(*row) for row in rows], end if last and (last[0] or 0) > end else None


async def list_owned(db: Reader, account_id: int, *, after: int = 0, limit: int = 100) -> list[App]:
    """Return the applications of an owner, with ids above `after`, in order."""
    return [App(*row) for row in await db.all(_OWNED, account_id, after, limit)]


def containing(text: str) -> str:
    """Return the pattern for LIKE … ESCAPE '!' that matches what contains `text`."""
    return "%" + text.replace("!", "!!").replace("%", "!%").replace("_", "!_") + "%"


async def get_sealed(db: Reader, app_id: int) -> bytes:
    """Return the sealed masterSecret.

    Raises: NotFound.
    """
    row = await db.one("SELECT secret_sealed FROM app WHERE id = $1", app_id)
    if row is None:
        raise _unknown(app_id)
    return bytes(row[0])


async def insert(
    tx: Tx,
    *,
    name: str,
    app_key: str,
    secret_mac: bytes,
    secret_sealed: bytes,
    use_by_hand: bool,
    test_delay_ms: int | None,
    now: int,
) -> int:
    """Add an application with its SMS service open; return its id.

    Raises: Conflict when the name or the key is taken.
    """
    row = await tx.one(
        """INSERT INTO app (name, app_key, secret_mac, secret_sealed, sms_open, use_by_hand,
          test_delay_ms, created_at)
        VALUES ($1, $2, $3, $4, 1, $5, $6, $7) RETURNING id""",
        name,
        app_key,
        secret_mac,
        secret_sealed,
        int(use_by_hand),
        test_delay_ms,
        now,
    )
    return int(row[0]) if row else 0


async def update_secret(
    tx: Tx, app: App, *, secret_mac: bytes, secret_sealed: bytes, old_secret_until: int | None
) -> None:
    """Replace the masterSecret; the old one stays valid until `old_secret_until`, if that is given."""
    await tx.run(
        """UPDATE app SET secret_mac = $2, secret_sealed = $3, old_secret_mac = $4, old_secret_until = $5
        WHERE id = $1""",
        app.id,
        secret_mac,
        secret_sealed,
        app.secret_mac if old_secret_until is not None else None,
        old_secret_until,
    )


async def update_open(tx: Tx, app_id: int, *, sms_open: bool) -> None:
    """Open or close the SMS service."""
    await tx.run("UPDATE app SET sms_open = $2 WHERE id = $1", app_id, int(sms_open))


async def update_in_use(tx: Tx, app_id: int, *, in_use_id: int | None) -> None:
    """Set which signature is in use, or none."""
    await tx.run("UPDATE app SET in_use_id = $2 WHERE id = $1", app_id, in_use_id)


async def update_by_hand(tx: Tx, app_id: int, *, use_by_hand: bool) -> None:
    """Set whether a passed signature is put in use only by its owner."""
    await tx.run("UPDATE app SET use_by_hand = $2 WHERE id = $1", app_id, int(use_by_hand))


async def update_limit(tx: Tx, app_id: int, *, submissions_a_day: int) -> None:
    """Set the limit of submissions per day."""
    await tx.run("UPDATE app SET submissions_a_day = $2 WHERE id = $1", app_id, submissions_a_day)


def _unknown(app_id: int) -> NotFound:
    return NotFound(f"no application has the id {app_id}", f"没有 ID 为 {app_id} 的应用")
