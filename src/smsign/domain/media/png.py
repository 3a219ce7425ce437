"""A PNG's critical chunks: proven whole without its pixels, and written anew without its metadata.

Only IHDR, PLTE, tRNS, IDAT and IEND decide what is shown; no other chunk is looked at, but eXIf for the
orientation. Source: PNG (Third Edition), sections 5 and 11.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

import msgspec

from smsign.domain.media import exif

SIGNATURE = b"\x89PNG\r\n\x1a\n"
_DEPTHS = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}
"""The bit depths of each colour type: grey, RGB, palette, grey with alpha, RGBA."""
_SAMPLES = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
_PALETTE = 3
_PASSES = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
"""Adam7: the first column and row of each pass, and the steps between its columns and rows."""
_FILTERS = bytes(range(5))
_INFLATE_BYTES = 1 << 20


class BrokenImageError(Exception):
    """The image cannot be decoded; the message says why, in English and in Chinese."""

    def __init__(self, en: str, zh: str) -> None:
        super().__init__(en)
        self.en, self.zh = en, zh


class Png(msgspec.Struct, frozen=True):
    """The parts of a PNG that decide what is shown."""

    width: int
    height: int
    depth: int
    colour: int
    interlaced: bool
    palette: bytes
    transparency: bytes
    data: bytes
    """The compressed pixels: all IDAT together."""
    orientation: int

    @property
    def pixel_bytes(self) -> int:
        """Return how many bytes a decoded pixel takes in memory."""
        if self.colour in (0, _PALETTE):
            return 2 if self.depth == 16 else 1
        return 4


def parse(file: bytes) -> Png:
    """Return the critical parts of a PNG. What follows IEND does not count.

    Raises: BrokenImageError.
    """
    header, palette, transparency, orientation = b"", b"", b"", exif.UPRIGHT
    data: list[bytes] = []
    for kind, body, is_intact in _chunks(file):
        if kind in (b"IHDR", b"PLTE", b"IDAT", b"IEND"):
            if not is_intact:
                raise BrokenImageError(
                    f"the checksum of {kind.decode()} is wrong", f"{kind.decode()} 校验和错误"
                )
            if kind == b"IEND":
                break
            if kind == b"IDAT":
                data.append(body)
            elif kind == b"PLTE":
                palette = body
            elif not header:
                header = body
        elif is_intact and kind == b"tRNS":
            transparency = body
        elif is_intact and kind == b"eXIf":
            orientation = exif.orientation(body)
    else:
        raise BrokenImageError("cut off: it ends before IEND", "文件不完整：缺少 IEND")
    if len(header) != 13:
        raise BrokenImageError("it has no IHDR", "缺少 IHDR")
    width, height, depth, colour, compression, filtering, interlace = struct.unpack(">IIBBBBB", header)
    is_known = depth in _DEPTHS.get(colour, ()) and not compression and not filtering and interlace <= 1
    if not is_known or not 0 < width < 1 << 31 or not 0 < height < 1 << 31:
        raise BrokenImageError("its IHDR is not valid", "IHDR 无效")
    if colour == _PALETTE and (not palette or len(palette) % 3):
        raise BrokenImageError("it has no palette", "缺少调色板")
    return Png(
        width,
        height,
        depth,
        colour,
        interlace == 1,
        palette[:768] if colour == _PALETTE else b"",
        transparency if _fits(transparency, colour) else b"",
        b"".join(data),
        orientation,
    )


def prove(png: Png) -> None:
    """Inflate all pixels and check their number, the filter of each row, and the checksum of the stream.

    Memory is bounded whatever the size. More data than pixels is allowed, as decoders do.

    Raises: BrokenImageError.
    """
    inflate = zlib.decompressobj()
    rest, ahead = png.data, b""
    try:
        for row_bytes, rows in _passes(png):
            left = row_bytes * rows
            while left:
                if not ahead:
                    ahead = inflate.decompress(rest, _INFLATE_BYTES)
                    rest = inflate.unconsumed_tail
                    if not ahead:
                        raise BrokenImageError("cut off: pixels are missing", "文件不完整：缺少像素数据")
                taken, ahead = ahead[:left], ahead[left:]
                first = left % row_bytes  # of the bytes ahead, where the next row begins
                if taken[first::row_bytes].strip(_FILTERS):
                    raise BrokenImageError("the filter of a row is not valid", "行过滤器无效")
                left -= len(taken)
        surplus = ahead or inflate.decompress(rest, 1)  # also reads the checksum behind the last pixel
        if not surplus and not inflate.eof:
            raise BrokenImageError(
                "cut off: the checksum of the pixels is missing", "文件不完整：缺少像素校验和"
            )
    except zlib.error as error:
        raise BrokenImageError("its pixels are damaged", "像素数据已损坏") from error


def strip(png: Png) -> bytes:
    """Return a PNG file with the same pixels and no metadata."""
    head = struct.pack(">IIBBBBB", png.width, png.height, png.depth, png.colour, 0, 0, png.interlaced)
    chunks = [(b"IHDR", head), (b"PLTE", png.palette), (b"tRNS", png.transparency), (b"IDAT", png.data)]
    return SIGNATURE + b"".join(_chunk(kind, body) for kind, body in chunks if body) + _chunk(b"IEND", b"")


def _chunks(file: bytes) -> Iterator[tuple[bytes, bytes, bool]]:
    """Yield the type and the bytes of each chunk, and whether its checksum is right."""
    at = len(SIGNATURE)
    while at + 12 <= len(file):
        size = int.from_bytes(file[at : at + 4], "big")
        end = at + 12 + size
        if end > len(file):
            return
        kind, body = file[at + 4 : at + 8], file[at + 8 : end - 4]
        yield kind, body, zlib.crc32(body, zlib.crc32(kind)) == int.from_bytes(file[end - 4 : end], "big")
        at = end


def _chunk(kind: bytes, body: bytes) -> bytes:
    return len(body).to_bytes(4, "big") + kind + body + zlib.crc32(body, zlib.crc32(kind)).to_bytes(4, "big")


def _passes(png: Png) -> Iterator[tuple[int, int]]:
    """Yield the bytes of a row, its filter included, and the number of rows, of each pass that has any."""
    bits = png.depth * _SAMPLES[png.colour]
    for x, y, across, down in _PASSES if png.interlaced else ((0, 0, 1, 1),):
        columns, rows = -(-(png.width - x) // across), -(-(png.height - y) // down)
        if columns > 0 and rows > 0:
            yield 1 + -(-columns * bits // 8), rows


def _fits(transparency: bytes, colour: int) -> bool:
    """Say whether a tRNS chunk has the size that its colour type asks for."""
    if colour == _PALETTE:
        return len(transparency) <= 256
    return len(transparency) == {0: 2, 2: 6}.get(colour, -1)
