"""Rows that are inserted together before the commit: seen by whoever looks, gone with whoever fails."""

from __future__ import annotations

import asyncio
from functools import partial

import pytest

from smsign.errors import Conflict, StorageError
from smsign.storage.engine.protocol import Tx
from smsign.storage.open import Stores

_LATER = "INSERT INTO meta (name, value) VALUES ($1, $2)"


async def _defer(tx: Tx, name: str, value: str = "x") -> str:
    await tx.later(_LATER, name, value)
    return name


async def _names(stores: Stores) -> set[str]:
    rows = await stores.db.read.all("SELECT name FROM meta WHERE value = 'x'")
    return {row[0] for row in rows}


@pytest.mark.parametrize("count", [1, 2, 3, 63, 64, 65, 200])
async def test_rows_of_many_changes_are_all_there(stores: Stores, count: int) -> None:
    await asyncio.gather(*(stores.db.write(partial(_defer, name=f"n{n}")) for n in range(count)))
    assert await _names(stores) == {f"n{n}" for n in range(count)}


async def test_a_change_sees_the_rows_on_their_way(stores: Stores) -> None:
    async def change(tx: Tx) -> tuple[object, int]:
        for n in range(5):
            await _defer(tx, f"n{n}")
        row = await tx.one("SELECT count(*) FROM meta WHERE value = 'x'")
        await _defer(tx, "n5")
        await tx.run("UPDATE meta SET value = 'y' WHERE name = 'n5'")
        await _defer(tx, "n6")
        assert row is not None
        return row[0], len(await tx.all("SELECT name FROM meta WHERE value IN ('x', 'y')"))

    assert await stores.db.write(change) == (5, 7)
    assert await _names(stores) == {"n0", "n1", "n2", "n3", "n4", "n6"}


async def test_rows_of_a_change_that_fails_go_with_it(stores: Stores) -> None:
    async def bad(tx: Tx) -> str:
        await _defer(tx, "bad")
        raise ValueError("no")

    answers = await asyncio.gather(
        *(stores.db.write(bad if n == 7 else partial(_defer, name=f"n{n}")) for n in range(20)),
        return_exceptions=True,
    )
    assert [n for n, answer in enumerate(answers) if isinstance(answer, ValueError)] == [7]
    assert await _names(stores) == {f"n{n}" for n in range(20) if n != 7}


async def test_a_row_that_cannot_be_inserted_fails_its_own_change_alone(stores: Stores) -> None:
    async def twice(tx: Tx) -> str:
        await _defer(tx, "twice")
        return await _defer(tx, "twice")

    answers = await asyncio.gather(
        *(stores.db.write(twice if n == 3 else partial(_defer, name=f"n{n}")) for n in range(8)),
        return_exceptions=True,
    )
    assert [n for n, answer in enumerate(answers) if isinstance(answer, (Conflict, StorageError))] == [3]
    assert await _names(stores) == {f"n{n}" for n in range(8) if n != 3}
