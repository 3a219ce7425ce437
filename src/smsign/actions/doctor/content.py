"""Checks of the stored data: rows, hash chains, outbox, images."""

from __future__ import annotations

from smsign.actions import events
from smsign.actions.blobs import AGE_S
from smsign.actions.doctor.finding import OK, WARNING, WRONG, Context, Finding, span
from smsign.errors import SmsignError
from smsign.storage.blobs.store import Blobs
from smsign.storage.open import open_blobs
from smsign.storage.rows import health

DAY_US = 86_400_000_000


async def check_rows(ctx: Context) -> Finding:
    """Check that rows are consistent with each other."""
    wrong = await health.find_inconsistencies(ctx.db.scan)
    fix = "see the history: smsign audit show ID, smsign events verify" if wrong else ""
    return Finding("rows", WRONG if wrong else OK, "; ".join(wrong) or "consistent", fix)


async def check_ledger(ctx: Context) -> Finding:
    """Verify the hash chains of the audit log."""
    verdict = await events.verify(ctx.db, lambda count: ctx.progress("verifying the ledger", count, 0))
    if verdict.fault:
        fix = "investigate who edited it; a backup has the original rows"
        return Finding("ledger", WRONG, verdict.fault, fix)
    return Finding("ledger", OK, f"{verdict.events:,} events in {verdict.chains:,} hash chains verified")


async def check_outbox(ctx: Context) -> Finding:
    """Check that deliveries are not stuck."""
    waiting = await health.find_backlog(ctx.rows, ctx.db.scan)
    if waiting is None:
        return Finding("outbox", OK, "empty")
    count, since = waiting
    age = ctx.at.now - since
    what = f"{count:,} events to deliver, the oldest for {span(age)}"
    if age < DAY_US:
        return Finding("outbox", OK, what)
    fix = "check that `smsign serve` or a worker runs, and which callback is failing"
    return Finding("outbox", WARNING, what, fix)


async def check_images(ctx: Context) -> Finding:
    """Check that all referenced blobs exist, and that unreferenced ones are removed."""
    check, url = "images", ctx.at.blobs_url
    try:
        blobs = open_blobs(url, data=ctx.at.folder)
        await blobs.check()
        missing, stored, orphans = await _compare(ctx, blobs)
    except SmsignError as error:
        return Finding(check, WRONG, str(error), "check --blobs, its permissions, and the AWS_… variables")
    if missing:
        what = f"{len(missing):,} referenced by rows are missing: {missing[0]}"
        return Finding(check, WRONG, what, f"restore them from a backup into {url}")
    if orphans:
        what = f"{orphans:,} older than a day are not referenced by any row"
        return Finding(check, WARNING, what, "smsign sweep removes them; check that sweep_hours is not 0")
    return Finding(check, OK, f"all referenced by rows exist; {stored:,} in the store")


async def _compare(ctx: Context, blobs: Blobs) -> tuple[list[str], int, int]:
    """Return the missing blobs, and the numbers of stored and of unreferenced ones."""
    before_s = ctx.at.now / 1e6 - AGE_S
    # The rows are read first: the blobs that they reference exist by then, and are never removed.
    missing = {bytes.fromhex(sha256) async for page in ctx.rows.images() for sha256 in page}
    total, stored, orphans = len(missing), 0, 0
    async for sha256, put_s in blobs.names():
        stored += 1
        if bytes.fromhex(sha256) in missing:
            missing.discard(bytes.fromhex(sha256))
        elif put_s < before_s:
            orphans += 1
        ctx.progress("listing blobs", stored, max(total, stored))
    return sorted(sha256.hex() for sha256 in missing), stored, orphans
