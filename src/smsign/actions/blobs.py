"""Sweep the store, and carry images from one store to another."""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable

import msgspec

from smsign.errors import NotFound
from smsign.storage.blobs.store import Blobs
from smsign.storage.blobs.upload import sweep_spool
from smsign.storage.engine.protocol import Database
from smsign.storage.rows import signatures as rows

AGE_S = 24 * 3600
"""How old an image must be before it is swept: longer than any upload takes to be committed."""

AT_ONCE = 8
"""Images carried at the same time; each is in memory whole."""


async def sweep(db: Database, blobs: Blobs, *, now_s: float) -> int:
    """Remove what is older than AGE_S and named by no row; return how many images went.

    What killed uploads left in the spool goes, too.
    """
    before_s = now_s - AGE_S
    gone = 0
    await asyncio.to_thread(sweep_spool, blobs.spool, before_s=before_s)
    async for sha256 in blobs.list_before(before_s):
        if not await rows.is_image_referenced(db.scan, sha256):
            gone += await blobs.delete(sha256, before_s=before_s)
    return gone


class Carried(msgspec.Struct):
    """What became of the images that rows name. `lost` are those that the source has not, or not whole."""

    images: int = 0
    new: int = 0
    new_bytes: int = 0
    lost: list[str] = []


async def list_kept(blobs: Blobs) -> set[bytes]:
    """Return the SHA-256 of all images in a store."""
    return {bytes.fromhex(name) async for name, _ in blobs.names()}


async def carry(
    named: AsyncIterator[list[str]],
    get: Callable[[str], Awaitable[bytes]],
    keep: Callable[[str, bytes], Awaitable[None]],
    there: set[bytes],
    progress: Callable[[int], None],
) -> Carried:
    """Give `keep` each image that is named and not `there` yet, once its bytes are proven to be its own.

    An image that a row names is never swept, so none can go between the rows and this. `progress` is called
    with how many have been dealt with.
    """
    carried, turns = Carried(), asyncio.Semaphore(AT_ONCE)

    async def one(sha256: str) -> None:
        async with turns:
            try:
                data = await get(sha256)
            except NotFound:
                data = b""
            if hashlib.sha256(data).hexdigest() != sha256:
                carried.lost.append(sha256)
                return
            await keep(sha256, data)
            carried.new += 1
            carried.new_bytes += len(data)
            progress(carried.images + carried.new)

    async for page in named:
        missing = [sha256 for sha256 in page if bytes.fromhex(sha256) not in there]
        try:
            async with asyncio.TaskGroup() as tasks:
                for sha256 in missing:
                    tasks.create_task(one(sha256))
        except ExceptionGroup as failed:
            raise failed.exceptions[0] from None
        carried.images += len(page)
        progress(carried.images)
    carried.lost.sort()
    return carried


async def put(blobs: Blobs, sha256: str, data: bytes) -> None:
    """Keep an image's bytes, durably."""
    file = blobs.spool / secrets.token_hex(16)
    await asyncio.to_thread(file.write_bytes, data)
    await blobs.put(sha256, file)
