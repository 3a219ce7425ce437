"""What a blob store is to the rest of smsign.

Blobs are content-addressed: named by the SHA-256 of their bytes (hex), so that the same image is kept
once and no name from outside ever becomes a path.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Protocol


class Blobs(Protocol):
    """A store of images."""

    spool: Path
    """A folder for uploads under way; `put` takes files from it."""

    async def put(self, sha256: str, file: Path) -> None:
        """Keep the bytes of `file` under `sha256`, durably, and consume the file.

        A blob that is there already counts as new for the sweep.
        """

    async def get(self, sha256: str) -> bytes:
        """Return the bytes.

        Raises: NotFound, StorageError.
        """

    def names(self) -> AsyncIterator[tuple[str, float]]:
        """Yield each blob's name and when it was last put (Unix seconds); change nothing."""

    def list_before(self, time_s: float) -> AsyncIterator[str]:
        """Yield the names of the blobs last put before `time_s` (Unix seconds)."""

    async def delete(self, sha256: str, *, before_s: float) -> bool:
        """Delete a blob unless it was put again at or after `before_s`; say whether it went."""

    async def check(self) -> None:
        """Raise StorageError unless the store can be written to and read from now."""
