"""A blob store in an S3-compatible object store, through obstore.

Endpoint and credentials come from the AWS_… variables that obstore reads (AWS_ENDPOINT,
AWS_REGION, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_ALLOW_HTTP …).
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, cast

import obstore
from obstore.exceptions import BaseError
from obstore.store import S3Store

from smsign.errors import NotFound, StorageError
from smsign.storage.blobs.store import verified

if TYPE_CHECKING:
    from obstore.store import ClientConfig

REQUEST_TIMEOUT = timedelta(seconds=10)
"""Of one request, including its body; also the limit for its retries."""

_OPTIONS = ("allow_http", "allow_invalid_certificates", "proxy_url", "proxy_ca_certificate", "proxy_excludes")
"""Options of the HTTP client: obstore ignores their AWS_… variables as soon as it is given any option."""

_PROBE = "smsign-probe"


class S3Blobs:
    """A bucket, or a prefix in one; keys are `ab/cd/abcd…` as in a folder."""

    def __init__(self, url: str, *, spool: Path) -> None:
        self.spool = spool
        try:
            spool.mkdir(parents=True, exist_ok=True)
            self._store = S3Store.from_url(
                url,
                client_options=_client_options(),
                retry_config={"retry_timeout": REQUEST_TIMEOUT},
            )
        except (BaseError, OSError) as error:
            raise StorageError(f"blobs: {url}: {_message(error)}") from error

    async def put(self, sha256: str, file: Path) -> None:
        """Upload `file` even if the object exists, so that it gets a new time."""
        try:
            await obstore.put_async(self._store, _key(sha256), file)
        except (BaseError, OSError) as error:
            raise _failed("cannot store an image", "无法保存图片", error) from error
        file.unlink()

    async def get(self, sha256: str) -> bytes:
        """Return the bytes."""
        try:
            found = await obstore.get_async(self._store, _key(sha256))
            return verified(sha256, bytes(await found.bytes_async()))
        except FileNotFoundError:
            raise NotFound(f"there is no image {sha256}", f"没有图片 {sha256}") from None
        except (BaseError, OSError) as error:
            raise _failed("cannot read an image", "无法读取图片", error) from error

    async def list_before(self, time_s: float) -> AsyncIterator[str]:
        """Yield the names of old objects."""
        async for name, put_s in self.names():
            if put_s < time_s:
                yield name

    async def names(self) -> AsyncIterator[tuple[str, float]]:
        """Yield each object's name and time."""
        try:
            async for page in obstore.list(self._store):
                for meta in page:
                    name = str(meta["path"]).rpartition("/")[2]
                    if len(name) == 64:
                        yield name, meta["last_modified"].timestamp()
        except (BaseError, OSError) as error:
            raise _failed("cannot list", "无法列出图片", error) from error

    async def delete(self, sha256: str, *, before_s: float) -> bool:
        """Delete an object unless it is new. Not atomic in S3; the age limit of a day covers the race."""
        try:
            meta = await obstore.head_async(self._store, _key(sha256))
            if meta["last_modified"].timestamp() >= before_s:
                return False
            await obstore.delete_async(self._store, _key(sha256))
        except FileNotFoundError:
            return False
        except (BaseError, OSError) as error:
            raise _failed("cannot delete", "无法删除图片", error) from error
        return True

    async def check(self) -> None:
        """Write an object and read its metadata."""
        try:
            await obstore.put_async(self._store, _PROBE, b"smsign")
            await obstore.head_async(self._store, _PROBE)
        except (BaseError, OSError) as error:
            raise _failed("the object store does not respond", "对象存储没有响应", error) from error


def _client_options() -> ClientConfig:
    named = {name: f"AWS_{name.upper()}" for name in _OPTIONS}
    given = {name: os.environ[variable] for name, variable in named.items() if variable in os.environ}
    return cast("ClientConfig", {"timeout": REQUEST_TIMEOUT, **given})


def _key(sha256: str) -> str:
    return f"{sha256[:2]}/{sha256[2:4]}/{sha256}"


def _failed(en: str, zh: str, error: Exception) -> StorageError:
    return StorageError(f"blobs: {en}: {_message(error)}", f"blobs：{zh}：{_message(error)}")


def _message(error: Exception) -> str:
    """Return the readable part of an obstore error, without the debug output that follows it."""
    return str(error).partition("\n\nDebug source")[0]
