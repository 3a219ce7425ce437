"""Pictures for tests, made when they are needed."""

from __future__ import annotations

import io
import random
import struct
import zlib

from PIL import Image


def noise(*, width: int = 64, height: int = 48, form: str = "PNG", seed: int = 1, quality: int = 90) -> bytes:
    """Return a picture of random pixels, which compress badly: about three bytes each as PNG."""
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
