"""Uploads of images: spooled to disk while they are hashed, validated by decoding, then stored.

An upload holds at most SPOOL_BYTES in memory. Files in the spool have random names; those left by a crash are
removed by the sweep.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import secrets
from pathlib import Path
from typing import BinaryIO

from smsign.domain import images
from smsign.domain.images import Image
from smsign.domain.signatures import Rules
from smsign.errors import Problem
from smsign.storage.blobs.decoder import UnusableImageError, inspect, on_decoder
from smsign.storage.blobs.store import Blobs

SPOOL_BYTES = 128 * 1024
<<<<<<< HEAD
MEGABYTE = 1024 * 1024
=======
FORMATS = {"PNG": "png", "JPEG": "jpeg", "MPO": "jpeg"}
"""Pillow's names of the accepted formats. MPO is a JPEG from a phone, followed by a second image."""

SCANS_MAX = 100
"""Of a JPEG. Progressive ones have about ten. Each costs a pass over all pixels but only some 40 bytes."""

_MARKER = re.compile(rb"\xff+([^\x00\x01\xff\xd0-\xd7])", re.DOTALL)
"""The start of a JPEG segment with a length. Entropy-coded data contains no such bytes."""

_DECODERS = ThreadPoolExecutor(2, "decode")
"""Two at once: each may need four bytes per pixel."""

T = TypeVar("T")


async def on_decoder(work: Callable[..., T], *args: object) -> T:
    """Run `work`, which decodes an image, on one of the two decoder threads."""
    return await asyncio.get_running_loop().run_in_executor(_DECODERS, work, *args)
>>>>>>> 932fe89 (Name storage and worker by the standard terms; the engines report their own health)


class Upload:
    """An uploaded image: `write` it chunk by chunk, then `validate` it, then `store` or `discard` it."""

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
        """Add the next bytes; those over the limit are counted, not stored."""
        self.size_bytes += len(chunk)
        if self.size_bytes > self._at_most:
            self._held.clear()
            return
        self._held.append(chunk)
        self._held_bytes += len(chunk)
        if self._held_bytes >= SPOOL_BYTES:
            await asyncio.to_thread(self._flush)

    async def validate(self, slot: str, rules: Rules) -> list[Problem]:
        """Decode the whole image; set `image` if it is valid, else return the problems."""
        if self.size_bytes > rules.image_bytes:
            size, limit = _sizes(self.size_bytes, rules.image_bytes)
            return [
                images.problem(
                    self.field,
                    f"{size}, at most {limit}",
                    f"{size}，最大 {limit}",
                    "send a smaller or more compressed image",
                    "请压缩图片或缩小尺寸",
                )
            ]
        try:
            kind, width, height = await on_decoder(self._inspect, rules.image_pixels)
        except UnusableImageError as error:
            return [images.problem(self.field, *error.args)]
        self.image = Image(slot, self._hash.hexdigest(), kind, self.size_bytes, width, height)
        return []

    async def store(self, blobs: Blobs) -> None:
        """Move the bytes into the blob store."""
        assert self.image is not None, "validate it first"
        await blobs.put(self.image.sha256, self._path)

    def discard(self) -> None:
        """Remove the file from the spool, if there is one."""
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

    def _inspect(self, pixels_max: int) -> tuple[str, int, int]:
        self._flush()
        assert self._file is not None
        self._file.close()
        return inspect(self._path.read_bytes(), pixels_max)


def sweep_spool(spool: Path, *, before_s: float) -> None:
    """Remove files that crashed uploads left in the spool before `before_s` (Unix seconds)."""
    for file in spool.iterdir():
        with contextlib.suppress(FileNotFoundError):  # removed by its upload or by another sweep
            if file.stat().st_mtime < before_s:
                file.unlink()


<<<<<<< HEAD
def _sizes(*sizes_bytes: int) -> list[str]:
    """Return sizes in MB of 1,048,576 bytes; in bytes if two of them would read the same."""
    texts = [f"{size / MEGABYTE:.3g} MB" for size in sizes_bytes]
    return texts if len(set(texts)) == len(texts) else [f"{size:,} bytes" for size in sizes_bytes]
=======
class _BadImage(Exception):
    """Four texts: the problem (English, Chinese), how to fix it (English, Chinese)."""


def decode(path: Path, pixels_max: int) -> tuple[str, int, int]:
    """Decode every pixel of the image in `path`; return its type, width and height.

    The size in the header is checked before any pixel is decoded.
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
                    "save the image again as an ordinary JPEG",
                    "请将图片重新保存为普通 JPEG",
                )
            if kind == "jpeg":  # all data is decoded, but scaled down by eight
                image.draft(None, (max(1, width // 8), max(1, height // 8)))
            image.load()
        if kind == "png":  # the decoder stops at the last pixel; check the chunks after it too
            with Pillow.open(path, formats=("PNG",)) as again:
                again.verify()
        return kind, width, height
    except Pillow.DecompressionBombError:
        raise _too_many_pixels(0, 0, pixels_max) from None
    except _BadImage:
        raise
    except Exception as error:  # hostile bytes: decoders may raise anything
        raise _BadImage(
            "not a PNG or JPEG that can be decoded",
            "不是可解码的 PNG 或 JPEG 图片",
            "send the complete image as PNG or JPEG",
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
>>>>>>> 932fe89 (Name storage and worker by the standard terms; the engines report their own health)
