"""Verify the audit log: its hash chains and MACs, and every row that it describes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator

import msgspec

from smsign.domain import events
from smsign.domain.events import GENESIS, Counter, Event, Subject
from smsign.domain.replay import Facts, differences, replay
from smsign.errors import CorruptText
from smsign.storage.engine.migrate import find_meta, put_meta
from smsign.storage.engine.protocol import Database, Reader, Tx
from smsign.storage.ledger import chains, facts
from smsign.storage.ledger.chains import End
from smsign.storage.ledger.sealing import SEALED
from smsign.storage.rows import events as rows

_VERIFIED = "ledger_verified"
"""The name in `meta` of the newest event at the last verification without faults."""
_STARTED = "ledger_verification"
"""The name in `meta` of the time at which a server process last began to verify, UTC microseconds."""
FAULTS_MAX = 100
"""How many faults one verification reports."""


class Verdict(msgspec.Struct, frozen=True):
    """The result of a verification; `fault` is the first of `faults`, `last_event` the id of the newest."""

    chains: int
    events: int
    fault: str | None = None
    faults: tuple[str, ...] = ()
    last_event: int = 0


class _Count(msgspec.Struct):
    chains: int = 0
    events: int = 0


async def verify(
    db: Database, progress: Callable[[int], None] = lambda _: None, *, since: int = 0
) -> Verdict:
    """Verify all chains and their rows in pages; `progress` gets the number of events so far.

    With `since`, only the chains with events behind that one are verified. Other processes may write
    meanwhile: what differs is read again under the lock that a writer holds.
    """
    count = _Count()
    faults = [f"{name}: there is no such kind of chain" for name in await chains.list_unknown(db.scan)]
    last = await rows.get_last_id(db.scan)
    sealed = bool(db.ledger_key) and await find_meta(db.read, SEALED) is not None
    async for subject, after, until in _ranges(db, since, last):
        async for fault in _verify_range(db, subject, after, until, count, sealed):
            if len(faults) < FAULTS_MAX:
                faults.append(fault)
        progress(count.events)
    if sealed and not since:
        async for fault in _verify_counts(db):
            faults.append(fault)
        if not faults:
            await _seal_counts(db)
    return Verdict(count.chains, count.events, next(iter(faults), None), tuple(faults[:FAULTS_MAX]), last)


async def get_verified(db: Database) -> int:
    """Return the newest event at the last verification without faults, or 0."""
    return int(await find_meta(db.read, _VERIFIED) or 0)


async def put_verified(db: Database, last_event: int) -> None:
    """Store the newest event of a verification without faults."""
    await db.write(lambda tx: put_meta(tx, _VERIFIED, str(last_event)))


async def claim_verification(db: Database, *, now: int, interval_us: int) -> bool:
    """Return whether the caller is to verify: False if any process began to within the interval."""

    async def change(tx: Tx) -> bool:
        if now - int(await find_meta(tx, _STARTED) or 0) < interval_us:
            return False
        await put_meta(tx, _STARTED, str(now))
        return True

    return await db.write(change)


def add_faults(verdict: Verdict, more: list[str]) -> Verdict:
    """Return the verdict with more faults."""
    faults = (*verdict.faults, *more)[:FAULTS_MAX]
    return msgspec.structs.replace(verdict, fault=next(iter(faults), None), faults=faults)


async def _ranges(db: Database, since: int, last: int) -> AsyncIterator[tuple[Subject, int, int]]:
    """Yield (subject, above this id, up to this id)."""
    if since:
        for subject, subject_id in await rows.list_changed(db.scan, since, last):
            if subject in set(Subject):
                yield Subject(subject), subject_id - 1, subject_id
        return
    for kind in sorted(Subject):
        after = -(2**63)
        while after < facts.LAST:
            until = await facts.find_bound(db.scan, kind, after)
            yield kind, after, until
            after = until


async def _verify_range(
    db: Database, subject: Subject, after: int, until: int, count: _Count, sealed: bool
) -> AsyncIterator[str]:
    try:
        found = await _read(db.scan, subject, after, until)
    except CorruptText:
        async for fault in _find_corrupt(db, subject, after, until, count, sealed):
            yield fault
        return
    ids = sorted({id_ for each in found for id_ in each})
    chained, ends, existing = found
    for id_ in ids:
        of_chain = chained.get(id_, [])
        count.chains += 1
        count.events += len(of_chain)
        key = db.ledger_key if sealed else b""
        if not _faults(subject, of_chain, ends.get(id_), existing.get(id_), key):
            continue

        async def again(tx: Tx, id_: int = id_, key: bytes = key) -> list[str]:
            await facts.lock(tx, subject, id_)
            chained, ends, existing = await _read(tx, subject, id_ - 1, id_)
            return _faults(subject, chained.get(id_, []), ends.get(id_), existing.get(id_), key)

        for fault in await db.write(again):
            yield f"{subject} {id_}: {fault}"


async def _read(
    db: Reader, subject: Subject, after: int, until: int
) -> tuple[dict[int, list[Event]], dict[int, End], facts.Found]:
    return (
        await rows.list_between(db, subject, after, until),
        await chains.list_between(db, subject, after, until),
        await facts.list_(db, subject, after, until),
    )


def _faults(
    subject: Subject, chained: list[Event], end: End | None, found: Facts | None, key: bytes
) -> list[str]:
    """Return what is wrong with one chain and the rows that it describes."""
    if not chained and end is None:
        return ["it has no chain: no event describes this row"]
    if broken := next(_broken(chained, end, key), None):
        return [broken]
    if subject == Subject.LEDGER:
        return []
    if found is None:
        return ["its row is missing"]
    try:
        return list(differences(replay(chained), found))
    except (LookupError, TypeError, ValueError) as error:
        return [f"its events do not describe a row: {error!r}"]


def _broken(chained: list[Event], end: End | None, key: bytes) -> Iterator[str]:
    prev_hash, seq = GENESIS, 0
    for event in chained:
        if fault := events.fault(event, seq=seq + 1, prev_hash=prev_hash):
            yield f"{fault} (row {event.id})"
        prev_hash, seq = event.hash, event.seq
    if end is None:
        yield f"event {seq} comes after the last on record: the end of the chain is missing"
    elif not 0 < end.seq <= seq or chained[end.seq - 1].hash != end.hash:
        yield f"event {end.seq}, the last on record, is missing or different"
    elif end.seq < seq:
        yield f"event {end.seq + 1} comes after the last on record (row {chained[end.seq].id})"
    elif key and not end.is_sealed(key):
        yield "the end of the chain does not have the MAC of this secret key: the chain was rewritten"


async def _find_corrupt(
    db: Database, subject: Subject, after: int, until: int, count: _Count, sealed: bool
) -> AsyncIterator[str]:
    """Halve the range until the row is found whose text is not UTF-8."""
    if until - after == 1:
        yield f"{subject} {until}: a text that is not UTF-8, in an event or a row"
        return
    if until == facts.LAST:
        until = await facts.find_last(db.scan, subject)
    middle = (after + until) // 2
    for low, high in ((after, middle), (middle, until)):
        async for fault in _verify_range(db, subject, low, high, count, sealed):
            yield fault


async def _verify_counts(db: Database) -> AsyncIterator[str]:
    """Compare how many rows exist with how many were counted; read again under lock what differs."""
    for counter in Counter:
        after = -1
        while after < facts.LAST:
            until = await facts.find_bound(db.scan, counter, after)
            if await _miscounted(db.scan, counter, after, until, db.ledger_key):

                async def again(
                    tx: Tx, counter: Counter = counter, after: int = after, until: int = until
                ) -> list[str]:
                    await chains.lock(tx, counter, after, until)
                    return await _miscounted(tx, counter, after, until, db.ledger_key)

                for fault in await db.write(again):
                    yield fault
            after = until


async def _miscounted(db: Reader, counter: Counter, after: int, until: int, key: bytes) -> list[str]:
    counted = await chains.list_between(db, counter, after, until)
    existing = await facts.count(db, counter, after, until)
    faults = []
    for id_ in sorted({*counted, *existing}):
        what = f"app {id_}: {counter}" if counter == Counter.SIGNATURES else str(counter)
        end, number = counted.get(id_), existing.get(id_, 0)
        if end is None:
            faults.append(f"{what}: there are {number}, the ledger counts none")
        elif not end.is_sealed(key):
            faults.append(f"{what}: their number does not have the MAC of this secret key")
        elif counter == Counter.SIGNATURES and int(end.hash) > number:
            faults.append(f"{what}: there are {number}, the ledger counted {int(end.hash)}")
        elif end.seq != number:
            faults.append(f"{what}: there are {number}, the ledger counts {end.seq}")
    return faults


async def _seal_counts(db: Database) -> None:
    """Put the numbers of signatures that were verified under their MACs."""
    after = -1
    while after < facts.LAST:
        until = await facts.find_bound(db.scan, Counter.SIGNATURES, after)
        counted = await chains.list_between(db.scan, Counter.SIGNATURES, after, until)
        if any(end.seq != int(end.hash) for end in counted.values()):

            async def seal(tx: Tx, after: int = after, until: int = until) -> None:
                await chains.lock(tx, Counter.SIGNATURES, after, until)
                if not await _miscounted(tx, Counter.SIGNATURES, after, until, db.ledger_key):
                    for end in (await chains.list_between(tx, Counter.SIGNATURES, after, until)).values():
                        if end.seq != int(end.hash):
                            await chains.put_signatures(tx, end.subject_id, end.seq)

            await db.write(seal)
        after = until
