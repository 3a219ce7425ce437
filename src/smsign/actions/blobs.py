"""Sweep the store: remove pictures that no submission names."""

from __future__ import annotations

from smsign.storage import signatures as rows
from smsign.storage.blobs import Blobs
from smsign.storage.db import Database

AGE_S = 24 * 3600
"""How old a picture must be before it is swept: longer than any upload takes to be committed."""


async def sweep(db: Database, blobs: Blobs, *, now_s: float) -> int:
    """Remove what is older than AGE_S and named by no row; return how many pictures went."""
    before_s = now_s - AGE_S
    gone = 0
    async for sha256 in blobs.list_before(before_s):
        if not await rows.is_image_named(db.scan, sha256):
            gone += await blobs.delete(sha256, before_s=before_s)
    return gone
