"""Uploads of images: spooled to disk while they are hashed, validated by decoding, then stored.

An upload holds at most SPOOL_BYTES in memory. Files in the spool have random names; those left by a crash are
removed by the sweep.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import secrets
from pathlib import Path
from typing import BinaryIO

from smsign.domain import images
from smsign.domain.images import Image
from smsign.domain.signatures import Rules
from smsign.errors import Problem
from smsign.storage.blobs.decoder import UnusableImageError, inspect, on_decoder
from smsign.storage.blobs.store import Blobs

SPOOL_BYTES = 128 * 1024
MEGABYTE = 1024 * 1024


class Upload:
    """An uploaded image: `write` it chunk by chunk, then `validate` it, then `store` or `discard` it."""

    def __init__(self, field: str, spool: Path, *, at_most: int) -> None:
        self.field = field
        self.size_bytes = 0
        self._at_most = at_most
        self._path = spool / secrets.token_hex(16)
        self._file: BinaryIO | None = None
        self._held: list[bytes] = []
        self._held_bytes = 0
        self._hash = hashlib.sha256()
        self.image: Image | None = None

    async def write(self, chunk: bytes) -> None:
        """Add the next bytes; those over the limit are counted, not stored."""
        self.size_bytes += len(chunk)
        if self.size_bytes > self._at_most:
            self._held.clear()
            return
        self._held.append(chunk)
        self._held_bytes += len(chunk)
        if self._held_bytes >= SPOOL_BYTES:
            await asyncio.to_thread(self._flush)

    async def validate(self, slot: str, rules: Rules) -> list[Problem]:
        """Decode the whole image; set `image` if it is valid, else return the problems."""
        if self.size_bytes > rules.image_bytes:
            size, limit = _sizes(self.size_bytes, rules.image_bytes)
            return [
                images.problem(
                    self.field,
                    f"{size}, at most {limit}",
                    f"{size}，最大 {limit}",
                    "send a smaller or more compressed image",
                    "请压缩图片或缩小尺寸",
                )
            ]
        try:
            kind, width, height = await on_decoder(self._inspect, rules.image_pixels)
        except UnusableImageError as error:
            return [images.problem(self.field, *error.args)]
        self.image = Image(slot, self._hash.hexdigest(), kind, self.size_bytes, width, height)
        return []

    async def store(self, blobs: Blobs) -> None:
        """Move the bytes into the blob store."""
        assert self.image is not None, "validate it first"
        await blobs.put(self.image.sha256, self._path)

    def discard(self) -> None:
        """Remove the file from the spool, if there is one."""
        if self._file is not None:
            self._file.close()
        self._path.unlink(missing_ok=True)

    def _flush(self) -> None:
        if self._file is None:
            self._file = self._path.open("xb")
        for chunk in self._held:
            self._hash.update(chunk)
            self._file.write(chunk)
        self._held.clear()
        self._held_bytes = 0

    def _inspect(self, pixels_max: int) -> tuple[str, int, int]:
        self._flush()
        assert self._file is not None
        self._file.close()
        return inspect(self._path.read_bytes(), pixels_max)


def sweep_spool(spool: Path, *, before_s: float) -> None:
    """Remove files that crashed uploads left in the spool before `before_s` (Unix seconds)."""
    for file in spool.iterdir():
        with contextlib.suppress(FileNotFoundError):  # removed by its upload or by another sweep
            if file.stat().st_mtime < before_s:
                file.unlink()


def _sizes(*sizes_bytes: int) -> list[str]:
    """Return sizes in MB of 1,048,576 bytes; in bytes if two of them would read the same."""
    texts = [f"{size / MEGABYTE:.3g} MB" for size in sizes_bytes]
    return texts if len(set(texts)) == len(texts) else [f"{size:,} bytes" for size in sizes_bytes]
