"""A blob store in a local folder: `ab/cd/abcd…`, file and folder synced before any row refers to them."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import re
import stat
import time
from collections.abc import AsyncIterator
from pathlib import Path

from smsign.errors import NotFound, StorageError
from smsign.storage.blobs.store import damaged, verified
from smsign.storage.files import sync_folder

_NAME = re.compile(r"[0-9a-f]{64}")
_DELETING = ".swept"


class FolderBlobs:
    """A folder; its `incoming` is the spool, on the same file system."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.spool = folder / "incoming"
        try:
            self.spool.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StorageError(f"blobs: {folder}: {error.strerror}") from error

    async def put(self, sha256: str, file: Path) -> None:
        """Move `file` to its place, durably."""
        await asyncio.to_thread(self._put, sha256, file)

    def _put(self, sha256: str, file: Path) -> None:
        target = self._path(sha256)
        try:
            try:
                os.utime(target)  # exists already: a new time protects it from garbage collection
            except FileNotFoundError:
                descriptor = os.open(file, os.O_RDONLY)
                try:
                    os.fsync(descriptor)
                finally:
                    os.close(descriptor)
                self._make(target.parent)
                file.rename(target)
                sync_folder(target.parent)
            else:
                file.unlink()
        except OSError as error:
            raise StorageError(
                f"blobs: cannot store an image: {error.strerror}", f"blobs：无法保存图片：{error.strerror}"
            ) from error

    def _make(self, folder: Path) -> None:
        if not folder.is_dir():
            folder.mkdir(parents=True, exist_ok=True)
            sync_folder(folder.parent)
            sync_folder(folder.parent.parent)

    async def get(self, sha256: str) -> bytes:
        """Return the bytes."""
        try:
            return verified(sha256, await asyncio.to_thread(_read, self._path(sha256)))
        except FileNotFoundError:
            raise NotFound(f"there is no image {sha256}", f"没有图片 {sha256}") from None
        except OSError as error:
            if error.errno in (errno.ELOOP, errno.EISDIR, errno.ENOTDIR):  # no file that smsign wrote
                raise damaged(sha256) from error
            raise StorageError(
                f"blobs: cannot read an image: {error.strerror}", f"blobs：无法读取图片：{error.strerror}"
            ) from error

    async def names(self) -> AsyncIterator[tuple[str, float]]:
        """Yield each blob's name and time."""
        for folder in await asyncio.to_thread(lambda: sorted(self._folder.glob("[0-9a-f][0-9a-f]/*"))):
            for file in await asyncio.to_thread(list, folder.iterdir()):
                with contextlib.suppress(FileNotFoundError):  # deleted meanwhile
                    if _NAME.fullmatch(file.name):
                        yield file.name, file.stat().st_mtime

    async def list_before(self, time_s: float) -> AsyncIterator[str]:
        """Yield the names of old blobs; first undo renames that a killed `delete` left."""
        for folder in await asyncio.to_thread(lambda: sorted(self._folder.glob("[0-9a-f][0-9a-f]/*"))):
            for file in await asyncio.to_thread(list, folder.iterdir()):
                with contextlib.suppress(FileNotFoundError):  # deleted by another process
                    if file.name.endswith(_DELETING):
                        file = _rename_back(file)
                    if _NAME.fullmatch(file.name) and file.stat().st_mtime < time_s:
                        yield file.name

    async def delete(self, sha256: str, *, before_s: float) -> bool:
        """Delete a blob unless it was put at or after `before_s`.

        It is renamed first. If a concurrent `put` found it before that, its time is new, and it is renamed
        back; a later `put` finds nothing and writes it again.
        """
        path, aside = self._path(sha256), self._path(sha256).with_suffix(_DELETING)
        try:
            path.rename(aside)
            if aside.stat().st_mtime >= before_s:
                _rename_back(aside)
                return False
            aside.unlink()
        except FileNotFoundError:
            return False
        return True

    async def check(self) -> None:
        """Write and remove a file in the spool."""
        probe = self.spool / f"probe-{os.getpid()}-{time.monotonic_ns()}"
        try:
            try:
                await asyncio.to_thread(probe.write_bytes, b"smsign")
            finally:  # on a full disk there is an empty file
                await asyncio.to_thread(probe.unlink, missing_ok=True)
        except OSError as error:
            raise StorageError(
                f"blobs: {self._folder} cannot be written to: {error.strerror}",
                f"blobs：无法写入 {self._folder}：{error.strerror}",
            ) from error

    def _path(self, sha256: str) -> Path:
        return self._folder / sha256[:2] / sha256[2:4] / sha256


def _read(path: Path) -> bytes:
    """Return the bytes of a regular file; symbolic links, devices and pipes are not followed."""
    with open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise IsADirectoryError(errno.EISDIR, "not a regular file")
        return file.read()


def _rename_back(aside: Path) -> Path:
    # A blob that was put meanwhile stays: its row may not be committed yet, and only its time protects it.
    path = aside.with_suffix("")
    with contextlib.suppress(FileExistsError):
        os.link(aside, path)
    aside.unlink()
    return path
