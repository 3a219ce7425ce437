"""Put the audit log of an earlier version under MACs, once; the ledger records that it was done."""

from __future__ import annotations

from smsign.domain.events import GENESIS, Counter, Kind, Subject
from smsign.storage.engine.migrate import find_meta, put_meta
from smsign.storage.engine.protocol import Database, Tx
from smsign.storage.ledger import chains, facts
from smsign.storage.rows import events

SEALED = "ledger_sealed"
"""The name in `meta` that says that every chain has a MAC."""
ACTOR = "system:upgrade"
_RECORDED = ((Subject.ACCOUNT, Kind.ACCOUNT_RECORDED), (Subject.APP, Kind.APP_RECORDED))


async def seal_ledger(db: Database, *, now: int) -> int:
    """Set the MACs of all chains and count the rows, unless it was done; return how many chains there were.

    What the rows of applications and accounts have, and earlier events do not, is recorded as an event each.
    """
    if await find_meta(db.read, SEALED) is not None:
        return 0
    sealed, at = 0, ("", 0)
    while page := await chains.list_after(db.scan, *at, limit=facts.IDS):
        at = (page[-1].subject, page[-1].subject_id)
        # An application that changed since is read again, so that its newest end is sealed.
        sealed += await db.write(lambda tx, page=page: _seal(tx, page, now=now))  # type: ignore[misc]

    async def finish(tx: Tx) -> None:
        await db.lock_schema(tx)
        if await find_meta(tx, SEALED) is None:
            await _count(tx)
            if sealed:
                data = {"chains": sealed}
                await events.append(tx, Subject.LEDGER, 1, Kind.SEALED, actor=ACTOR, now=now, data=data)
            await put_meta(tx, SEALED, str(now))

    await db.write(finish)
    return sealed


async def _seal(tx: Tx, page: list[chains.End], *, now: int) -> int:
    done = 0
    for old in page:
        if old.mac is not None:
            continue
        await facts.lock(tx, Subject(old.subject), old.subject_id)
        end = await chains.find(tx, old.subject, old.subject_id)
        assert end is not None, "no chain is ever deleted"
        await chains.put(tx, old.subject, old.subject_id, *end)
        for subject, kind in _RECORDED:
            if old.subject == subject:
                found = await facts.list_(tx, subject, old.subject_id - 1, old.subject_id)
                data = found.get(old.subject_id, {})
                await events.append(tx, subject, old.subject_id, kind, actor=ACTOR, now=now, data=data)
        done += 1
    return done


async def _count(tx: Tx) -> None:
    for counter in (Counter.ACCOUNTS, Counter.APPS):
        found = await facts.count(tx, counter, 0, 0)
        await chains.put(tx, counter, 0, found.get(0, 0), GENESIS)
    numbers = await facts.count(tx, Counter.SIGNATURES, 0, facts.LAST)
    for (app_id,) in await tx.all("SELECT id FROM app"):
        await chains.put_signatures(tx, app_id, numbers.get(app_id, 0))
