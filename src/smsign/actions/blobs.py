"""Garbage collection of blobs: remove those that no row references."""

from __future__ import annotations

import asyncio

from smsign.storage.blobs.store import Blobs
from smsign.storage.blobs.upload import sweep_spool
from smsign.storage.engine.protocol import Database
from smsign.storage.rows import signatures as rows

AGE_S = 24 * 3600
"""The age at which an unreferenced blob is removed: longer than any upload takes to be committed."""


async def sweep(db: Database, blobs: Blobs, *, now_s: float) -> int:
    """Remove unreferenced blobs and spool files older than AGE_S; return the number of blobs removed."""
    before_s = now_s - AGE_S
    removed = 0
    await asyncio.to_thread(sweep_spool, blobs.spool, before_s=before_s)
    async for sha256 in blobs.list_before(before_s):
        if not await rows.is_image_referenced(db.scan, sha256):
            removed += await blobs.delete(sha256, before_s=before_s)
    return removed
