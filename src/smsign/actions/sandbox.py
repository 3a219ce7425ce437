"""The sandbox: signatures of test applications are decided automatically, at once or after a delay.

Decisions are written by `audits.write_decision`, like those of auditors, and once per version.
"""

from __future__ import annotations

import asyncio

import msgspec

from smsign.actions.audits import write_decision
from smsign.domain import audits, sandbox
from smsign.domain.sandbox import Fault
from smsign.domain.signatures import Status
from smsign.storage.engine.migrate import delete_meta, find_meta, put_meta
from smsign.storage.engine.protocol import Database, Reader, Tx
from smsign.storage.rows import apps as app_rows
from smsign.storage.rows import sandbox as rows
from smsign.storage.rows import signatures as signature_rows
from smsign.storage.rows.sandbox import Due

PAGE = 100
_EMULATOR = "test_delay_ms"
_FAULTS = "test_faults"
_decode_faults = msgspec.json.Decoder(list[Fault]).decode


async def decide_now(tx: Tx, app_id: int, signature_id: int, *, now: int) -> None:
    """Decide a signature submitted in this transaction, unless its content is the one that stays pending."""
    signature = await signature_rows.lock(tx, app_id, signature_id)
    if signature is None or signature.status != Status.IN_AUDIT:
        return
    if outcome := sandbox.decide(signature.content):
        grounds = {code: audits.REASONS[code].field for code in outcome.reasons}
        await write_decision(
            tx, signature, passed=outcome.passed, grounds=grounds, actor=sandbox.ACTOR, now=now
        )


async def decide_due(db: Database, *, now: int) -> int | None:
    """Decide all signatures that are due, reopened ones too; return when the next is due, or None.

    Any number of processes may run this concurrently.
    """
    while True:
        waiting = await rows.list_waiting(db.watch, limit=PAGE)
        due = [each for each in waiting if each.at <= now]
        await asyncio.gather(*(_decide(db, each, now=now) for each in due))
        if len(due) < PAGE:
            return waiting[len(due)].at if len(waiting) > len(due) else None


async def has_test_apps(db: Database) -> bool:
    """Return whether there is a test application."""
    return await rows.has_any(db.read)


async def emulate(db: Database, *, delay_ms: int) -> None:
    """Make this an emulator's database: every application created from now on is a test application."""
    sandbox.check_delay(delay_ms)
    await db.write(lambda tx: put_meta(tx, _EMULATOR, str(delay_ms)))


async def find_emulator_delay(tx: Tx) -> int | None:
    """Return the delay of applications in an emulator's database, or None in any other."""
    delay_ms = await find_meta(tx, _EMULATOR)
    return int(delay_ms) if delay_ms is not None else None


async def reset(db: Database, *, app_key: str) -> None:
    """Delete everything but the application of `app_key` and the accounts; faults too."""

    async def change(tx: Tx) -> None:
        app = await app_rows.get(tx, app_key)
        await rows.delete_all_but(tx, app.id)
        await delete_meta(tx, _FAULTS)

    await db.write(change)


async def add_fault(db: Database, fault: Fault) -> None:
    """Add a fault behind those that exist; all server processes inject it."""

    async def change(tx: Tx) -> None:
        await _put_faults(tx, [*await _get_faults(tx), fault])

    await db.write(change)


async def clear_faults(db: Database) -> None:
    """Delete all faults."""
    await db.write(lambda tx: delete_meta(tx, _FAULTS))


async def take_fault(db: Database, app_key: str) -> Fault | None:
    """Return the first fault for a request of `app_key`, or None; its count is reduced by one."""
    if not await _get_faults(db.read):
        return None

    async def change(tx: Tx) -> Fault | None:
        faults = await _get_faults(tx)
        for number, fault in enumerate(faults):
            if fault.app_key in (None, app_key):
                left = msgspec.structs.replace(fault, count=fault.count - 1)
                await _put_faults(
                    tx, [*faults[:number], *([left] if left.count else []), *faults[number + 1 :]]
                )
                return fault
        return None

    return await db.write(change)


async def _get_faults(db: Reader) -> list[Fault]:
    return _decode_faults(await find_meta(db, _FAULTS) or "[]")


async def _put_faults(tx: Tx, faults: list[Fault]) -> None:
    await put_meta(tx, _FAULTS, msgspec.json.encode(faults).decode())


async def _decide(db: Database, due: Due, *, now: int) -> None:
    async def change(tx: Tx) -> None:
        signature = await signature_rows.lock(tx, due.app_id, due.signature_id)
        if signature is not None and signature.version == due.version:
            await decide_now(tx, due.app_id, due.signature_id, now=now)

    await db.write(change)
