"""A backup in a folder: new images are added, the other parts are replaced."""

from __future__ import annotations

import fcntl
import os
import shutil
from fnmatch import fnmatch
from pathlib import Path

import msgspec

from smsign.errors import SetupError, StorageError
from smsign.storage.archive.format import (
    KEY,
    MANIFEST,
    Manifest,
    Part,
    blob_path,
    copy_part,
    missing_image,
    no_manifest,
    parse,
)
from smsign.storage.blobs.folder import FolderBlobs
from smsign.storage.files import sync_folder

_KNOWN = (MANIFEST, KEY, "blobs", "smsign-*.db*", "lost+found")


class FolderArchive:
    """A folder, with images laid out as in a data folder."""

    def __init__(self, path: Path, *, write: bool) -> None:
        self._path = self.work = path
        if write:
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
            _check_empty(path)
        self._lock = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        if write:
            try:
                fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise SetupError(
                    f"backup: another backup is being written to {path}",
                    f"备份：另一备份正在写入 {path}",
                ) from None
            self._blobs = FolderBlobs(path / "blobs")

    async def stored(self) -> set[bytes]:
        """Return the images of previous backups."""
        return {bytes.fromhex(name) async for name, _ in self._blobs.names()}

    async def put(self, sha256: str, data: bytes) -> None:
        """Write an image, durably."""
        file = self._blobs.spool / sha256
        file.write_bytes(data)
        await self._blobs.put(sha256, file)

    def finish(self, manifest: Manifest, database: Path, key: bytes | None) -> None:
        """Put the manifest in place, then remove the database of the previous backup."""
        if key is not None:
            self._place(KEY, key)
        database.chmod(0o600)
        with database.open("rb") as data:
            os.fsync(data.fileno())
        self._place(MANIFEST, msgspec.json.format(msgspec.json.encode(manifest), indent=2))
        for file in self._path.glob("smsign-*.db*"):
            if file.name != manifest.database.name:
                file.unlink()
        if key is None:
            (self._path / KEY).unlink(missing_ok=True)
        shutil.rmtree(self._blobs.spool, ignore_errors=True)

    def _place(self, name: str, data: bytes) -> None:
        draft = self._path / f"smsign-{name}.db-draft"  # after a crash the next backup removes it
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        draft.rename(self._path / name)
        sync_folder(self._path)

    def manifest(self) -> Manifest:
        """Read the manifest."""
        try:
            return parse((self._path / MANIFEST).read_bytes(), self._path)
        except FileNotFoundError:
            raise no_manifest(self._path) from None

    def extract(self, part: Part, file: Path) -> None:
        """Copy a part."""
        try:
            source = (self._path / part.name).open("rb")
        except FileNotFoundError:
            raise StorageError(f"backup: {part.name} is missing", f"备份：缺少 {part.name}") from None
        with source:
            copy_part(source, part, file)

    async def get(self, sha256: str) -> bytes:
        """Return an image."""
        try:
            return (self._path / blob_path(sha256)).read_bytes()
        except FileNotFoundError:
            raise missing_image(sha256) from None

    def close(self) -> None:
        """Unlock the folder."""
        os.close(self._lock)


def _check_empty(path: Path) -> None:
    for entry in path.iterdir():
        if not any(fnmatch(entry.name, pattern) for pattern in _KNOWN):
            raise SetupError(
                f"backup: {path} contains something else ({entry.name}); name an empty folder",
                f"备份：{path} 中有其他内容（{entry.name}）；请指定空目录",
            )
