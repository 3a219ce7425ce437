"""The ends of all hash chains, to be stored where the operators of the database cannot write."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable

import msgspec

from smsign.domain.events import Counter
from smsign.errors import SetupError
from smsign.storage.engine.protocol import Database
from smsign.storage.ledger import chains, facts
from smsign.storage.ledger.chains import End
from smsign.storage.rows import events as rows


class ChainEnd(msgspec.Struct, frozen=True):
    """The end of a chain, as it is stored outside the database; `hash` is empty for a count."""

    subject: str
    subject_id: int
    seq: int
    hash: str


async def list_ends(db: Database, *, since: int = 0) -> AsyncIterator[ChainEnd]:
    """Yield the ends of all chains; with `since`, of the chains with events behind that one."""
    if since:
        changed = await rows.list_changed(db.scan, since, await rows.get_last_id(db.scan))
        for subject, subject_id in changed:
            for end in (await chains.list_between(db.scan, subject, subject_id - 1, subject_id)).values():
                yield _chain_end(end)
        return
    at = ("", 0)
    while page := await chains.list_after(db.scan, *at, limit=facts.IDS):
        at = (page[-1].subject, page[-1].subject_id)
        for end in page:
            yield _chain_end(end)


async def compare(
    db: Database, lines: Iterable[str], progress: Callable[[int], None] = lambda _: None
) -> list[str]:
    """Return what differs from earlier ends of chains, given as lines of JSON.

    Raises: SetupError if a line is not one that `smsign events ends` printed.
    """
    faults: list[str] = []
    for number, line in enumerate(lines, 1):
        try:
            end = msgspec.json.decode(line, type=ChainEnd)
        except msgspec.MsgspecError as error:
            raise SetupError(
                f"against: line {number} is not the end of a chain: {error}",
                f"against：第 {number} 行不是链尾：{error}",
            ) from error
        name = f"{end.subject} {end.subject_id}"
        if end.subject in set(Counter):
            found = await chains.find(db.scan, end.subject, end.subject_id)
            if found is None or found[0] < end.seq:
                faults.append(f"{name}: the ledger counted {end.seq}, now {found[0] if found else 'none'}")
        elif (hash_ := await rows.find_hash(db.scan, end.subject, end.subject_id, end.seq)) is None:
            faults.append(f"{name}: event {end.seq} existed, and is missing")
        elif hash_.hex() != end.hash:
            faults.append(f"{name}: event {end.seq} or one before it was rewritten")
        if number % facts.IDS == 0:
            progress(number)
    return faults


def _chain_end(end: End) -> ChainEnd:
    return ChainEnd(
        end.subject, end.subject_id, end.seq, "" if end.subject in set(Counter) else end.hash.hex()
    )
