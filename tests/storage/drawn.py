"""Images drawn for the tests of the decoder, and what its preview shows of them."""

from __future__ import annotations

import io
import struct
import zlib

from PIL import Image, ImageDraw

from smsign.storage.blobs.decoder import preview

PIXELS = 25_000_000
MODES = ("1", "L", "P", "RGB", "RGBA", "LA", "I;16")


def draw_page(width: int = 240, height: int = 160) -> Image.Image:
    """Return a page of thin strokes, black on white."""
    page = Image.new("L", (width, height), 255)
    draw = ImageDraw.Draw(page)
    for y in range(10, height - 10, 6):
        draw.line((10, y, width - 10, y), fill=0)
    return page


def save(image: Image.Image, form: str = "PNG", **options: object) -> bytes:
    out = io.BytesIO()
    image.save(out, form, **options)
    return out.getvalue()


def show(data: bytes, side: int = 2000) -> Image.Image:
    with Image.open(io.BytesIO(preview(data, side))) as image:
        return image.convert("L")


def fix_checksums(data: bytes) -> bytes:
    """Return a damaged PNG with the checksums of its chunks made right, so that what they hold is reached."""
    out, at = bytearray(data[:8]), 8
    while at + 12 <= len(data):
        size = struct.unpack(">I", data[at : at + 4])[0]
        if at + 12 + size > len(data):
            break
        body = data[at + 4 : at + 8 + size]
        out += data[at : at + 4] + body + struct.pack(">I", zlib.crc32(body))
        at += 12 + size
    return bytes(out + data[at:])
