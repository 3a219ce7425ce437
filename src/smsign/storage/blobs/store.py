"""The protocol of a blob store.

Blobs are content-addressed: named by the SHA-256 of their bytes (hex), so that the same image is stored once
and no name from outside ever becomes a path.
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Protocol

from smsign.errors import DamagedImage


def verified(sha256: str, data: bytes) -> bytes:
    """Return the bytes of a blob if they are those of its name.

    Raises: DamagedImage.
    """
    if hashlib.sha256(data).hexdigest() != sha256:
        raise damaged(sha256)
    return data


def damaged(sha256: str) -> DamagedImage:
    """Return the error of a blob that is not what was stored."""
    return DamagedImage(
        f"image {sha256} is not the one that was stored; restore it from a backup",
        f"图片 {sha256} 与保存时不一致，请从备份恢复",
    )


class Blobs(Protocol):
    """A store for the bytes of images."""

    spool: Path
    """A folder for uploads in progress; `put` takes files from it."""

    async def put(self, sha256: str, file: Path) -> None:
        """Store the bytes of `file` under `sha256`, durably, and remove the file.

        A blob that exists already gets a new time, so that garbage collection leaves it.
        """

    async def get(self, sha256: str) -> bytes:
        """Return the bytes, checked against the hash.

        Raises: NotFound, DamagedImage, StorageError.
        """

    def names(self) -> AsyncIterator[tuple[str, float]]:
        """Yield each blob's name and the time of its last `put` (Unix seconds)."""

    def list_before(self, time_s: float) -> AsyncIterator[str]:
        """Yield the names of the blobs last put before `time_s` (Unix seconds), for garbage collection."""

    async def delete(self, sha256: str, *, before_s: float) -> bool:
        """Delete a blob unless it was put at or after `before_s`; return whether it was deleted."""

    async def check(self) -> None:
        """Check that the store can be written to and read from.

        Raises: StorageError.
        """
