"""What is put in the outbox: a row for each callback and event, in the event's own transaction."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence

from smsign.actions.events import record
from smsign.domain.apps import App
from smsign.domain.events import Kind, Subject
from smsign.domain.replay import fingerprint
from smsign.storage.engine.protocol import Tx
from smsign.storage.open import Stores
from smsign.storage.rows import events
from tests.running import Key
from tests.steps import clock, decide, make_app, submit


async def add_paused_callbacks(stores: Stores, keys: Sequence[Key]) -> None:
    """Give each application a callback that receives nothing until it is resumed."""

    async def change(tx: Tx) -> None:
        for key in keys:
            row = await tx.one(
                """INSERT INTO callback
                  (app_id, url, form, decisions_only, state, why, failures, created_at)
                SELECT id, 'https://example.com', 'standard', 0, 'paused', 'by_hand', 0, 1
                FROM app WHERE app_key = $1 RETURNING id, app_id""",
                key.app_key,
            )
            assert row is not None
            added = {"callback_id": row[0], "url": fingerprint("https://example.com"), "secret": None}
            paused = {"callback_id": row[0], "why": "by_hand"}
            for kind, data in ((Kind.CALLBACK_ADDED, added), (Kind.CALLBACK_PAUSED, paused)):
                await events.append(tx, Subject.APP, row[1], kind, actor="test:operator", now=1, data=data)

    await stores.db.write(change)


async def _add(stores: Stores, app: App, *, form: str = "standard", state: str = "active") -> int:
    async def change(tx: Tx) -> int:
        row = await tx.one(
            """INSERT INTO callback (app_id, url, form, decisions_only, state, why, failures, created_at)
            VALUES ($1, 'https://example.com', $2, $3, $4, '', 0, $5) RETURNING id""",
            app.id,
            form,
            int(form == "vendor"),
            state,
            next(clock),
        )
        assert row is not None
        return int(row[0])

    return await stores.db.write(change)


async def _walk(stores: Stores, app: App) -> int:
    """Submit, refuse, submit again, pass; return the signature's id."""
    sign_id = await submit(stores, app)
    await decide(stores, sign_id, passed=False)
    await submit(stores, app, sign_id)
    await decide(stores, sign_id, passed=True)
    return sign_id


async def _outbox(stores: Stores, callback_id: int) -> list[tuple[int, int, bool]]:
    rows = await stores.db.read.all(
        "SELECT signature_id, seq, due_at FROM outbox WHERE callback_id = $1 ORDER BY signature_id, seq",
        callback_id,
    )
    return [(row[0], row[1], row[2] is not None) for row in rows]


async def test_without_a_callback_nothing_is_written(stores: Stores) -> None:
    await _walk(stores, await make_app(stores))
    assert await stores.db.read.all("SELECT seq FROM outbox") == []


async def test_every_callback_of_the_application_gets_every_event_and_the_first_is_due(
    stores: Stores,
) -> None:
    app, other = await make_app(stores), await make_app(stores)
    active, paused = await _add(stores, app), await _add(stores, app, state="paused")
    elsewhere = await _add(stores, other)
    sign_id = await _walk(stores, app)
    reported = [(sign_id, 1, True), (sign_id, 2, False), (sign_id, 3, False), (sign_id, 4, False)]
    assert await _outbox(stores, active) == reported
    assert await _outbox(stores, paused) == reported
    assert await _outbox(stores, elsewhere) == []


async def test_the_vendor_format_gets_decisions_only(stores: Stores) -> None:
    app = await make_app(stores)
    vendor = await _add(stores, app, form="vendor")
    sign_id = await _walk(stores, app)
    assert await _outbox(stores, vendor) == [(sign_id, 2, True), (sign_id, 4, False)]


async def test_a_removed_callback_gets_no_events(stores: Stores) -> None:
    app = await make_app(stores)
    gone = await _add(stores, app)

    async def remove(tx: Tx) -> None:
        await tx.run("UPDATE callback SET deleted_at = 5 WHERE id = $1", gone)

    await stores.db.write(remove)
    await _walk(stores, app)
    assert await _outbox(stores, gone) == []


async def test_a_rolled_back_change_leaves_nothing_in_the_outbox(stores: Stores) -> None:
    app = await make_app(stores)
    callback_id = await _add(stores, app)
    sign_id = await _walk(stores, app)

    class HalfWayError(Exception):
        pass

    async def change(tx: Tx) -> None:
        await record(tx, app.id, sign_id, Kind.DELETED, actor="test:app", now=next(clock))
        raise HalfWayError

    with contextlib.suppress(HalfWayError):
        await stores.db.write(change)
    assert len(await _outbox(stores, callback_id)) == 4
