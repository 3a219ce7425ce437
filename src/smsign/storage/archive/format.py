"""The format of a backup: a folder or one tar file, with the same parts.

    manifest.json       the other parts with their SHA-256; written last: without it the backup is incomplete
    smsign-TIME.db      all rows, in SQLite, whatever engine they came from
    blobs/ab/cd/abcd…   the images, named by the SHA-256 of their bytes
    secret.key          the key, unless it was left out

Backups into the same folder are incremental: only new images are written. The database gets a new name, and
the files of the previous backup stay until the new manifest is in place.
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
    """The manifest. `chains` is a SHA-256 of the ends of all hash chains, `images` of all image names."""

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
    """A backup that is being written or read."""

    work: Path
    """A folder for the database while it is written."""

    async def stored(self) -> set[bytes]:
        """Return the SHA-256 of the images that are in the backup already."""

    async def put(self, sha256: str, data: bytes) -> None:
        """Write an image."""

    def finish(self, manifest: Manifest, database: Path, key: bytes | None) -> None:
        """Write all other parts, the manifest last, durably."""

    def manifest(self) -> Manifest:
        """Read the manifest.

        Raises: SetupError when this is not a backup, or its format is newer.
        """

    def extract(self, part: Part, file: Path) -> None:
        """Write a part to `file`.

        Raises: StorageError when it does not match the manifest.
        """

    async def get(self, sha256: str) -> bytes:
        """Return an image.

        Raises: NotFound.
        """

    def close(self) -> None:
        """Release files and locks, also of an unfinished backup."""


def describe(name: str, file: Path) -> Part:
    """Return a file's entry in the manifest."""
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
            raise SetupError(
                f"backup: {path} was made by a newer smsign; upgrade smsign",
                f"备份：{path} 由更新的 smsign 创建；请升级 smsign",
            )
        return msgspec.json.decode(data, type=Manifest)
    except (msgspec.MsgspecError, KeyError, TypeError) as error:
        raise SetupError(
            f"backup: {path}: {MANIFEST} cannot be read: {error}",
            f"备份：{path}：无法读取 {MANIFEST}：{error}",
        ) from error


def copy_part(source: IO[bytes], part: Part, file: Path) -> None:
    """Copy the bytes of `part` to a new file.

    Raises: StorageError when they do not match the manifest.
    """
    with file.open("xb") as target:
        shutil.copyfileobj(source, target, _CHUNK)
    if describe(part.name, file) != part:
        raise StorageError(
            f"backup: {part.name} is damaged: it does not match the manifest",
            f"备份：{part.name} 已损坏，与清单不符",
        )


def blob_path(sha256: str) -> str:
    """Return the path of an image in a backup."""
    return f"blobs/{sha256[:2]}/{sha256[2:4]}/{sha256}"


def no_manifest(path: Path) -> SetupError:
    """Return the error for a backup without a manifest."""
    return SetupError(
        f"backup: {path} has no {MANIFEST}, so it is not a complete backup",
        f"备份：{path} 中没有 {MANIFEST}，不是完整的备份",
    )


def missing_image(sha256: str) -> NotFound:
    """Return the error for an image that is not in the backup."""
    return NotFound(f"the backup has no image {sha256}", f"备份中没有图片 {sha256}")
