"""Images for tests, made when they are needed."""

from __future__ import annotations

import io
import random
import struct
import zlib

from PIL import Image


def noise(*, width: int = 64, height: int = 48, form: str = "PNG", seed: int = 1, quality: int = 90) -> bytes:
    """Return an image of random pixels, which compress badly: about three bytes each as PNG."""
    pixels = random.Random(seed).randbytes(width * height * 3)
    out = io.BytesIO()
    Image.frombytes("RGB", (width, height), pixels).save(out, form, quality=quality)
    return out.getvalue()


def bomb(width: int = 60_000, height: int = 60_000) -> bytes:
    """Return a small PNG whose header claims width × height pixels of one bit."""
    row = b"\0" * (1 + width // 8)
    data = zlib.compress(row * 8, 9)
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in (
            (b"IHDR", struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)),
            (b"IDAT", data),
            (b"IEND", b""),
        )
    )


def many_scans(count: int) -> bytes:
    """Return a grey progressive JPEG in which each of `count` scans says nothing, of all its pixels."""

    def segment(kind: int, body: bytes) -> bytes:
        return bytes([0xFF, kind]) + struct.pack(">H", 2 + len(body)) + body

    def coded(bits: str) -> bytes:
        bits += "1" * (-len(bits) % 8)
        return int(bits, 2).to_bytes(len(bits) // 8, "big").replace(b"\xff", b"\xff\0")

    blocks, one_code = 125 * 125, bytes([1] + [0] * 15)
    all_empty = coded("0" + "0" * 14)  # a run of 2 ** 14 empty blocks
    return b"".join(
        (
            b"\xff\xd8",
            segment(0xDB, bytes([0]) + bytes([1] * 64)),
            segment(0xC2, struct.pack(">BHHB", 8, 1000, 1000, 1) + bytes([1, 0x11, 0])),
            segment(0xC4, bytes([0x00]) + one_code + b"\0"),
            segment(0xC4, bytes([0x10]) + one_code + b"\xe0"),
            segment(0xDA, bytes([1, 1, 0, 0, 0, 0])) + coded("0" * blocks),
            (segment(0xDA, bytes([1, 1, 0, 1, 63, 0])) + all_empty) * (count - 1),
            b"\xff\xd9",
        )
    )


def chunk(kind: bytes, body: bytes) -> bytes:
    """Return a chunk of a PNG."""
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def jpeg_segment(kind: int, body: bytes) -> bytes:
    """Return a segment of a JPEG."""
    return bytes([0xFF, kind]) + struct.pack(">H", 2 + len(body)) + body
