"""What a store of pictures is to the rest of smsign, and which one a URL means.

Blobs are content-addressed: named by the SHA-256 of their bytes (hex), so that the same picture is kept
once and no name from outside ever becomes a path.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Protocol

from smsign.errors import SetupError


class Blobs(Protocol):
    """A store of pictures."""

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


def open_blobs(url: str, *, data: Path) -> Blobs:
    """Open the store that `url` names: `file:PATH` or `s3://BUCKET/PREFIX`.

    Raises: SetupError, StorageError.
    """
    scheme, _, rest = url.partition(":")
    if scheme == "file" and rest:
        from smsign.storage.folder import FolderBlobs

        return FolderBlobs(Path(rest.removeprefix("//")))
    if scheme == "s3" and rest.strip("/"):
        from smsign.storage.s3 import S3Blobs

        return S3Blobs(url, spool=data / "incoming")
    raise SetupError(f"blobs: {scheme}: is not known; use file:PATH or s3://BUCKET/PREFIX")
