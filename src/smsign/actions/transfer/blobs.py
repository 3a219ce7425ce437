"""Copy blobs from one store to another."""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable

import msgspec

from smsign.errors import DamagedImage, NotFound
from smsign.storage.blobs.store import Blobs

CONCURRENCY = 8
"""Blobs copied concurrently; each is in memory as a whole."""


class CopiedBlobs(msgspec.Struct):
    """The result of copying blobs; `lost` are missing or damaged in the source."""

    images: int = 0
    new: int = 0
    new_bytes: int = 0
    lost: list[str] = []


async def list_hashes(blobs: Blobs) -> set[bytes]:
    """Return the SHA-256 of all blobs in a store."""
    return {bytes.fromhex(name) async for name, _ in blobs.names()}


async def copy_blobs(
    pages: AsyncIterator[list[str]],
    get: Callable[[str], Awaitable[bytes]],
    put: Callable[[str, bytes], Awaitable[None]],
    existing: set[bytes],
    progress: Callable[[int], None],
) -> CopiedBlobs:
    """Copy the blobs in `pages` of SHA-256 that are not `existing`; each is checked against its hash.

    A blob that a row references is never removed, so it can be copied any time after the rows were read.
    `progress` is called with the number of blobs done.
    """
    copied, slots = CopiedBlobs(), asyncio.Semaphore(CONCURRENCY)

    async def copy_one(sha256: str) -> None:
        async with slots:
            try:
                data = await get(sha256)
            except (NotFound, DamagedImage):
                data = b""
            if hashlib.sha256(data).hexdigest() != sha256:
                copied.lost.append(sha256)
                return
            await put(sha256, data)
            copied.new += 1
            copied.new_bytes += len(data)
            progress(copied.images + copied.new)

    async for page in pages:
        missing = [sha256 for sha256 in page if bytes.fromhex(sha256) not in existing]
        try:
            async with asyncio.TaskGroup() as tasks:
                for sha256 in missing:
                    tasks.create_task(copy_one(sha256))
        except ExceptionGroup as failed:
            raise failed.exceptions[0] from None
        copied.images += len(page)
        progress(copied.images)
    copied.lost.sort()
    return copied


async def put_bytes(blobs: Blobs, sha256: str, data: bytes) -> None:
    """Store a blob durably."""
    file = blobs.spool / secrets.token_hex(16)
    await asyncio.to_thread(file.write_bytes, data)
    await blobs.put(sha256, file)
