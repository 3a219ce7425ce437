"""The server's verification of what changed in the ledger."""

from __future__ import annotations

import logging

import pytest

from smsign.storage.engine.protocol import Tx
from smsign.storage.open import Stores
from smsign.worker.ledger import verify_changes
from tests.steps import make_app, submit

HOUR_US = 3_600_000_000


async def test_what_changed_is_verified_once_in_each_interval(
    stores: Stores, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    app = await make_app(stores)
    sign_id = await submit(stores, app)
    results: list[int] = []

    async def verify(now: int) -> bool:
        return await verify_changes(
            stores.db, now=now, hours=1, observe=lambda faults, _: results.append(faults)
        )

    assert await verify(HOUR_US)
    assert not await verify(HOUR_US + 5), "another process has just begun"
    assert results == [0]

    async def tamper(tx: Tx) -> None:
        await tx.run("UPDATE signature SET content = '伪造'")

    await stores.db.write(tamper)
    assert await verify(2 * HOUR_US)
    assert results == [0, 0], "its chain has no new event"
    other = await make_app(stores)
    await submit(stores, other)
    await stores.db.write(tamper)
    for hour in (3, 4):  # reported until it is right again
        assert await verify(hour * HOUR_US)
    assert results == [0, 0, 1, 1]
    assert [record.message for record in caplog.records if record.levelno == logging.ERROR] == [
        "ledger broken"
    ] * 2
    assert sign_id
