"""A backup in one tar file."""

from __future__ import annotations

import io
import os
import tarfile
import tempfile
from pathlib import Path
from tarfile import TarError
from typing import IO

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
from smsign.storage.files import sync_folder

__all__ = ["TarArchive", "TarError"]


class TarArchive:
    """One file, written under a temporary name until it is complete."""

    def __init__(self, path: Path, *, write: bool) -> None:
        self._path = path
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        if write:
            if path.exists():
                raise SetupError(
                    f"backup: {path} exists already; name another file",
                    f"备份：{path} 已存在；请换一个文件名",
                )
            path.parent.mkdir(parents=True, exist_ok=True)
            self._folder = tempfile.TemporaryDirectory(prefix=".smsign-backup-", dir=path.parent)
            self.work = Path(self._folder.name)
            self._draft = self.work / "draft.tar"
            descriptor = os.open(self._draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            self._file: IO[bytes] = os.fdopen(descriptor, "wb")
            self._tar = tarfile.open(fileobj=self._file, mode="w", format=tarfile.PAX_FORMAT)  # noqa: SIM115
        else:
            self._file = path.open("rb")
            self._tar = tarfile.open(fileobj=self._file, mode="r:")  # noqa: SIM115
            self._members = {member.name: member for member in self._tar}

    async def stored(self) -> set[bytes]:
        """Return nothing: a tar file is always written in full."""
        return set()

    async def put(self, sha256: str, data: bytes) -> None:
        """Write an image."""
        self._add(blob_path(sha256), data)

    def finish(self, manifest: Manifest, database: Path, key: bytes | None) -> None:
        """Write the database, the key and the manifest, then move the file to its name."""
        self._tar.add(database, manifest.database.name, filter=_bare)
        if key is not None:
            self._add(KEY, key)
        self._add(MANIFEST, msgspec.json.format(msgspec.json.encode(manifest), indent=2))
        self._tar.close()
        self._file.flush()
        os.fsync(self._file.fileno())
        os.link(self._draft, self._path)
        sync_folder(self._path.parent)

    def _add(self, name: str, data: bytes) -> None:
        member = tarfile.TarInfo(name)
        member.size, member.mode = len(data), 0o600
        self._tar.addfile(member, io.BytesIO(data))

    def manifest(self) -> Manifest:
        """Read the manifest."""
        if MANIFEST not in self._members:
            raise no_manifest(self._path)
        return parse(self._read(MANIFEST), self._path)

    def _read(self, name: str) -> bytes:
        source = self._tar.extractfile(self._members[name])
        assert source is not None, "all members are files"
        return source.read()

    def extract(self, part: Part, file: Path) -> None:
        """Copy a part."""
        if part.name not in self._members:
            raise StorageError(f"backup: {part.name} is missing", f"备份：缺少 {part.name}")
        source = self._tar.extractfile(self._members[part.name])
        assert source is not None, "all members are files"
        copy_part(source, part, file)

    async def get(self, sha256: str) -> bytes:
        """Return an image."""
        if blob_path(sha256) not in self._members:
            raise missing_image(sha256)
        return self._read(blob_path(sha256))

    def close(self) -> None:
        """Close the file; remove one that is not complete."""
        self._file.close()
        if self._folder is not None:
            self._folder.cleanup()


def _bare(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    member.mode = 0o600
    return member
