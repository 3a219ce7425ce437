"""Record the events of signatures; verify the hash chains of the audit log."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec

from smsign.domain import events
from smsign.domain.events import GENESIS, Kind, Subject
from smsign.errors import CorruptText
from smsign.storage.engine.protocol import Database, Tx
from smsign.storage.rows import events as rows
from smsign.storage.rows import outbox

PAGE = 2000


class Verdict(msgspec.Struct, frozen=True):
    """The result of a verification. `fault` names the first broken row, or is None."""

    chains: int
    events: int
    fault: str | None


async def record(
    tx: Tx,
    app_id: int,
    signature_id: int,
    kind: Kind,
    *,
    actor: str,
    now: int,
    data: Mapping[str, object] | None = None,
    first: bool = False,
    has_callbacks: bool = True,
) -> None:
    """Append an event of a signature to the audit log and, if there are callbacks, to the outbox."""
    seq = await rows.append(
        tx, Subject.SIGNATURE, signature_id, kind, actor=actor, now=now, data=data, first=first
    )
    if has_callbacks:
        await outbox.insert(tx, kind, app_id=app_id, signature_id=signature_id, seq=seq, now=now)


async def verify(db: Database, progress: Callable[[int], None] = lambda _: None) -> Verdict:
    """Verify all chains, in pages; `progress` is called with the number of events so far."""
    count = chains = 0
    at: tuple[str, int, int] = ("", 0, 0)
    prev_hash, limit = GENESIS, PAGE
    while True:
        try:
            page = await rows.list_after(db.scan, at, limit=limit)
        except CorruptText:
            if limit == 1:
                place = f"after event {at[2]} of {at[0]} {at[1]}" if count else "at the start"
                return Verdict(chains, count, f"{place}: an event that is not text")
            limit = 1  # find the corrupt row
            continue
        if not page:
            break
        for event in page:
            if (event.subject, event.subject_id) != at[:2]:
                at, prev_hash = (event.subject, event.subject_id, 0), GENESIS
                chains += 1
            if fault := events.fault(event, seq=at[2] + 1, prev_hash=prev_hash):
                return Verdict(chains, count, f"{event.subject} {event.subject_id}: {fault} (row {event.id})")
            at, prev_hash = (event.subject, event.subject_id, event.seq), event.hash
            count += 1
        progress(count)
    return Verdict(chains, count, await rows.find_truncated(db.scan) or await rows.find_appended(db.scan))
