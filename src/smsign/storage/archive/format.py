"""A backup on disk: a folder, or one tar file. Both hold the same parts.

    manifest.json       what the other parts are, with their SHA-256; written last: without it, no backup
    smsign-TIME.db      all rows, in SQLite, whichever engine they came from
    blobs/ab/cd/abcd…   the images, named by the SHA-256 of their bytes
    secret.key          the key, unless it was left out

A folder takes one backup after the other: only new images are written, the database is another file until
the manifest names it, and what the old manifest named stays whole until then.
"""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path
from typing import IO, Protocol

import msgspec

from smsign.errors import NotFound, SetupError, StorageError

FORMAT = 1
MANIFEST = "manifest.json"
KEY = "secret.key"
_CHUNK = 1 << 20


class Part(msgspec.Struct, frozen=True):
    """A file of a backup."""

    name: str
    size_bytes: int
    sha256: str


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What a backup is. `chains` is the SHA-256 over the ends of all chains, `images` over all names."""

    format: int
    smsign: str
    made_at: str
    engine: str
    schema: int
    tables: dict[str, int]
    chains: str
    images: str = msgspec.field(name="pictures")
    image_count: int = msgspec.field(name="picture_count")
    lost: list[str]
    database: Part
    key: Part | None
    key_fingerprint: str | None


class Archive(Protocol):
    """A backup, being written or being read."""

    work: Path
    """A folder for the database while it is being written."""

    async def kept(self) -> set[bytes]:
        """Return the SHA-256 of the images that need not be written again."""

    async def put(self, sha256: str, data: bytes) -> None:
        """Write an image."""

    def finish(self, manifest: Manifest, database: Path, key: bytes | None) -> None:
        """Write all else, the manifest last, and make it durable."""

    def manifest(self) -> Manifest:
        """Read the manifest.

        Raises: SetupError when this is no backup, or one of a later format.
        """

    def extract(self, part: Part, file: Path) -> None:
        """Write a part to `file`.

        Raises: StorageError when it is not as the manifest says.
        """

    async def get(self, sha256: str) -> bytes:
        """Return an image.

        Raises: NotFound.
        """

    def close(self) -> None:
        """Let go of it; what was not finished is no backup."""


def measure(name: str, file: Path) -> Part:
    """Return what a manifest says of a file."""
    digest, size = hashlib.sha256(), 0
    with file.open("rb") as data:
        while chunk := data.read(_CHUNK):
            digest.update(chunk)
            size += len(chunk)
    return Part(name, size, digest.hexdigest())


def parse(data: bytes, path: Path) -> Manifest:
    """Return the manifest in `data`, read from the backup `path`.

    Raises: SetupError.
    """
    try:
        version = msgspec.json.decode(data)["format"]
        if version > FORMAT:
            raise SetupError(f"backup: {path} was made by a newer smsign; upgrade smsign")
        return msgspec.json.decode(data, type=Manifest)
    except (msgspec.MsgspecError, KeyError, TypeError) as error:
        raise SetupError(f"backup: {path}: {MANIFEST} cannot be read: {error}") from error


def pour(source: IO[bytes], part: Part, file: Path) -> None:
    """Write the bytes of `part` to a new file.

    Raises: StorageError when they are not what the manifest says.
    """
    with file.open("xb") as target:
        shutil.copyfileobj(source, target, _CHUNK)
    if measure(part.name, file) != part:
        raise StorageError(f"backup: {part.name} is damaged: it is not what the manifest says")


def place_of(sha256: str) -> str:
    """Return where an image stands in a backup."""
    return f"blobs/{sha256[:2]}/{sha256[2:4]}/{sha256}"


def not_in(sha256: str) -> NotFound:
    """Return what is said of an image that the backup has not."""
    return NotFound(f"the backup has no image {sha256}", f"备份中没有图片 {sha256}")
