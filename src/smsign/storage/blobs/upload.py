"""Images on their way in: spooled to disk while they are hashed, proven by decoding, then kept.

An upload holds at most SPOOL_BYTES of an image in memory. Files in the spool have random names; what
is left there by a crash is swept later.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import re
import secrets
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import BinaryIO, TypeVar

from smsign.domain import images
from smsign.domain.images import Image
from smsign.domain.signatures import Rules
from smsign.errors import Problem
from smsign.storage.blobs.store import Blobs

SPOOL_BYTES = 128 * 1024
FORMATS = {"PNG": "png", "JPEG": "jpeg", "MPO": "jpeg"}
"""Pillow's names of the formats taken. MPO is a JPEG from a phone with a second image behind it."""

SCANS_MAX = 100
"""Of a JPEG. Progressive ones have some ten; each costs a pass over all pixels, and 40 bytes can make one."""

_MARKER = re.compile(rb"\xff+([^\x00\x01\xff\xd0-\xd7])", re.DOTALL)
"""What begins a segment of a JPEG that says its length. Pixels bear no such bytes."""

_DECODERS = ThreadPoolExecutor(2, "decode")
"""Two at once: each may need four bytes a pixel."""

T = TypeVar("T")


async def on_decoder(work: Callable[..., T], *args: object) -> T:
    """Run what decodes an image, an upload's or a preview's, on one of the two threads for it."""
    return await asyncio.get_running_loop().run_in_executor(_DECODERS, work, *args)


class Upload:
    """One image part. `feed` it chunk by chunk, then `examine` it, then `keep` or `discard` it."""

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
        """Take the next bytes; those over the limit are counted, not stored."""
        self.size_bytes += len(chunk)
        if self.size_bytes > self._at_most:
            self._held.clear()
            return
        self._held.append(chunk)
        self._held_bytes += len(chunk)
        if self._held_bytes >= SPOOL_BYTES:
            await asyncio.to_thread(self._flush)

    async def validate(self, slot: str, rules: Rules) -> list[Problem]:
        """Decode the whole image; set `image` if it is a good one, else say what is wrong."""
        if self.size_bytes > rules.image_bytes:
            return [
                images.problem(
                    self.field,
                    f"{_megabytes(self.size_bytes)}, at most {_megabytes(rules.image_bytes)}",
                    f"{_megabytes(self.size_bytes)}，最大 {_megabytes(rules.image_bytes)}",
                    "send a smaller or more compressed image",
                    "请压缩图片或缩小尺寸",
                )
            ]
        try:
            kind, width, height = await on_decoder(self._decode, rules.image_pixels)
        except _BadImage as bad:
            return [images.problem(self.field, *bad.args)]
        self.image = Image(slot, self._hash.hexdigest(), kind, self.size_bytes, width, height)
        return []

    async def store(self, blobs: Blobs) -> None:
        """Hand the image over to the store."""
        assert self.image is not None, "only an examined image is kept"
        await blobs.put(self.image.sha256, self._path)

    def discard(self) -> None:
        """Remove what is in the spool, if anything is."""
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

    def _decode(self, pixels_max: int) -> tuple[str, int, int]:
        self._flush()
        assert self._file is not None
        self._file.close()
        return decode(self._path, pixels_max)


def sweep_spool(spool: Path, *, before_s: float) -> None:
    """Remove what uploads that were killed left before `before_s` (Unix seconds)."""
    for file in spool.iterdir():
        with contextlib.suppress(FileNotFoundError):  # an upload that has just ended, or another sweep
            if file.stat().st_mtime < before_s:
                file.unlink()


class _BadImage(Exception):
    """Four texts: what is wrong (English, Chinese), how to mend it (English, Chinese)."""


def decode(path: Path, pixels_max: int) -> tuple[str, int, int]:
    """Return (type, width, height) of the image in `path`, every pixel of which was decoded.

    The size is read from the header and bounded before any pixel is.
    """
    from PIL import Image as Pillow

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Pillow.DecompressionBombWarning)
            image = Pillow.open(path, formats=("PNG", "JPEG"))
        with image:
            width, height = image.size
            if width * height > pixels_max:
                raise _too_many_pixels(width, height, pixels_max)
            kind = FORMATS[image.format or ""]
            if kind == "jpeg" and _count_scans(path.read_bytes()) > SCANS_MAX:
                raise _BadImage(
                    f"more than {SCANS_MAX} scans",
                    f"扫描次数超过 {SCANS_MAX}",
                    "save the image anew, as an ordinary JPEG",
                    "请将图片重新保存为普通 JPEG",
                )
            if kind == "jpeg":  # every bit is decoded, but into an eighth of the pixels
                image.draft(None, (max(1, width // 8), max(1, height // 8)))
            image.load()
        if kind == "png":  # the decoder stops at the last pixel; what comes after it must be whole too
            with Pillow.open(path, formats=("PNG",)) as again:
                again.verify()
        return kind, width, height
    except Pillow.DecompressionBombError:
        raise _too_many_pixels(0, 0, pixels_max) from None
    except _BadImage:
        raise
    except Exception as error:  # a decoder meets hostile bytes: whatever it raises, they are no image
        raise _BadImage(
            "not a PNG or JPEG that can be decoded",
            "不是可解码的 PNG 或 JPEG 图片",
            "send the image itself, whole, as PNG or JPEG",
            "请提交完整的 PNG 或 JPEG 图片",
        ) from error


def _count_scans(data: bytes) -> int:
    """Return how many scans the first image of a JPEG has, at most one more than SCANS_MAX."""
    scans, at = 0, 2
    while scans <= SCANS_MAX and (found := _MARKER.search(data, at)):
        kind, at = found[1][0], found.end()
        if kind == 0xD9:
            break
        scans += kind == 0xDA
        at += int.from_bytes(data[at : at + 2], "big")
    return scans


def _too_many_pixels(width: int, height: int, pixels_max: int) -> _BadImage:
    size = f"{width} × {height}" if width else "far too many"
    return _BadImage(
        f"{size} pixels, at most {pixels_max:,} in all",
        f"{size} 像素，合计最多 {pixels_max:,}",
        "scale the image down",
        "请缩小图片尺寸",
    )


def _megabytes(size: int) -> str:
    return f"{size / 1_000_000:.3g} MB"
