"""Searches read a bounded number of rows at once, and say where they continue."""

from __future__ import annotations

from functools import partial

import pytest

from smsign.domain.events import Kind
from smsign.storage.open import Stores
from smsign.storage.rows import apps, events
from smsign.storage.rows import signatures as rows
from tests.steps import make_app, submit


async def test_a_search_of_applications_continues_behind_what_it_has_read(
    stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = [await make_app(stores, name) for name in ("bakery", "bank", "bakery 2", "butcher", "bakery 3")]
    monkeypatch.setattr(apps, "SEARCH_IDS", 2)
    after, seen, steps = 0, [], 0
    while True:
        found, more = await apps.search(stores.db.read, "bakery", after=after, limit=10)
        seen += [app.name for app in found]
        steps += 1
        if more is None:
            break
        after = more
    assert seen == ["bakery", "bakery 2", "bakery 3"]
    assert steps == 3
    found, more = await apps.search(stores.db.read, made[3].app_key)
    assert [app.name for app in found] == ["butcher"]
    assert more is None


async def test_a_page_of_applications_ends_where_the_next_one_begins(stores: Stores) -> None:
    for n in range(5):
        await make_app(stores, f"shop {n}")
    for text in ("", "shop"):
        first, more = await apps.search(stores.db.read, text, limit=3)
        assert more is not None
        second, end = await apps.search(stores.db.read, text, after=more, limit=3)
        assert [app.name for app in first + second] == [f"shop {n}" for n in range(5)]
        assert end is None


async def test_a_search_of_the_ledger_continues_behind_what_it_has_read(
    stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a", "b", "c", "d", "e"):
        await make_app(stores, name)
    monkeypatch.setattr(events, "SEARCH_IDS", 2)
    before, seen = None, []
    while True:
        found, before = await events.search(stores.db.read, kind=Kind.APP_CREATED, before=before, limit=10)
        seen += [event.subject_id for event in found]
        if before is None:
            break
    assert seen == sorted(seen, reverse=True)
    assert len(seen) == 5


async def test_a_bounded_count_stops_at_its_bound(stores: Stores) -> None:
    for name in ("a", "b", "c"):
        await submit(stores, await make_app(stores, name))
    count = partial(rows.count_in_audit, stores.db.read)
    assert await count() == 3
    assert [await count(up_to=bound) for bound in (2, 3, 9)] == [2, 3, 3]
