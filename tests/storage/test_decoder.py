"""Decoding: metadata never decides, broken images are named, previews show what is there."""

from __future__ import annotations

import random
import struct
import zlib
from collections.abc import Callable

import pytest
from PIL import Image

from smsign.storage.blobs.decoder import UnusableImageError, inspect
from tests.images import bomb, chunk, jpeg_segment, noise
from tests.storage.drawn import MODES, PIXELS, draw_page, fix_checksums, save, show


def _with_chunks(*chunks: bytes, data: bytes | None = None) -> bytes:
    """Return a PNG with more chunks behind its IHDR."""
    data = data or noise()
    return data[:33] + b"".join(chunks) + data[33:]


def _with_segments(*segments: bytes) -> bytes:
    data = noise(form="JPEG")
    return data[:2] + b"".join(segments) + data[2:]


def _exif(orientation: int, *, order: str = "<") -> bytes:
    head = b"II*\0" if order == "<" else b"MM\0*"
    return head + struct.pack(order + "IHHHIHH", 8, 1, 0x112, 3, 1, orientation, 0) + b"\0" * 4


METADATA: dict[str, Callable[[], bytes]] = {
    "a PNG with pHYs whose checksum is wrong": lambda: _with_chunks(chunk(b"pHYs", b"\0" * 9)[:-1] + b"x"),
    "a PNG with an ICC profile of 1.2 MB": lambda: _with_chunks(
        chunk(b"iCCP", b"x\0\0" + zlib.compress(b"\0" * 1_200_000))
    ),
    "a PNG with an ICC profile that does not inflate": lambda: _with_chunks(chunk(b"iCCP", b"x\0\0nonsense")),
    "a PNG with a text of 50 MB": lambda: _with_chunks(
        chunk(b"zTXt", b"x\0\0" + zlib.compress(bytes(50_000_000)))
    ),
    "a PNG with empty pHYs, gAMA, cHRM, tIME": lambda: _with_chunks(
        *(chunk(kind, b"") for kind in (b"pHYs", b"gAMA", b"cHRM", b"tIME", b"sRGB", b"iTXt", b"eXIf"))
    ),
    "a PNG with EXIF without a TIFF header": lambda: _with_chunks(chunk(b"eXIf", b"nonsense" * 9)),
    "a PNG with a chunk that nobody knows": lambda: _with_chunks(
        chunk(b"vpAg", bytes(9)), chunk(b"teST", b"x")
    ),
    "a PNG with tRNS of a wrong size": lambda: _with_chunks(chunk(b"tRNS", b"x" * 5)),
    "an animated PNG whose frames are nonsense": lambda: _with_chunks(
        chunk(b"acTL", b"x"), chunk(b"fcTL", b"x")
    ),
    "a JPEG with JFIF of five bytes": lambda: _with_segments(jpeg_segment(0xE0, b"JFIF\0")),
    "a JPEG with JFIF cut short": lambda: _with_segments(jpeg_segment(0xE0, b"JFIF\0\1\1")),
    "a JPEG with empty segments": lambda: _with_segments(
        *(jpeg_segment(kind, b"") for kind in (0xE0, 0xE1, 0xE2, 0xED, 0xEE, 0xFE))
    ),
    "a JPEG with EXIF that is nonsense": lambda: _with_segments(jpeg_segment(0xE1, b"Exif\0\0nonsense")),
    "a JPEG with EXIF whose table has no end": lambda: _with_segments(
        jpeg_segment(0xE1, b"Exif\0\0II*\0\x08\0\0\0\xff\xff")
    ),
    "a JPEG with MPF of nonsense": lambda: _with_segments(jpeg_segment(0xE2, b"MPF\0nonsense")),
    "a JPEG with an ICC profile of nonsense": lambda: _with_segments(
        jpeg_segment(0xE2, b"ICC_PROFILE\0\1\2x")
    ),
    "a JPEG with Adobe cut short": lambda: _with_segments(jpeg_segment(0xEE, b"Adobe")),
    "a JPEG with photoshop nonsense": lambda: _with_segments(
        jpeg_segment(0xED, b"Photoshop 3.0\0008BIM\4\4x")
    ),
}


@pytest.mark.parametrize("what", sorted(METADATA))
def test_metadata_never_decides(what: str) -> None:
    data = METADATA[what]()
    assert inspect(data, PIXELS)[1:] == (64, 48)
    assert show(data).size == (64, 48)


@pytest.mark.parametrize("form", ["PNG", "JPEG"])
@pytest.mark.parametrize("orientation", range(10))
@pytest.mark.parametrize("order", ["<", ">"])
def test_orientation_turns_the_preview(form: str, orientation: int, order: str) -> None:
    block = _exif(orientation, order=order)
    page = Image.new("L", (80, 40), 255)
    page.paste(0, (0, 0, 20, 10))  # the top left corner is black
    data = save(page, form)
    data = (
        data[:33] + chunk(b"eXIf", block) + data[33:]
        if form == "PNG"
        else data[:2] + jpeg_segment(0xE1, b"Exif\0\0" + block) + data[2:]
    )
    shown = show(data)
    turned = orientation in (5, 6, 7, 8)
    assert shown.size == ((40, 80) if turned else (80, 40))
    right, bottom = shown.width - 3, shown.height - 3
    corner = {
        2: (right, 2),
        3: (right, bottom),
        4: (2, bottom),
        6: (right, 2),
        7: (right, bottom),
        8: (2, bottom),
    }
    assert shown.getpixel(corner.get(orientation, (2, 2))) < 60  # type: ignore[operator]


@pytest.mark.process
def test_random_metadata_never_keeps_an_accepted_image_from_beingshow() -> None:
    chance = random.Random(20261125)
    kinds = (
        b"eXIf",
        b"iCCP",
        b"tRNS",
        b"pHYs",
        b"tEXt",
        b"zTXt",
        b"iTXt",
        b"gAMA",
        b"bKGD",
        b"acTL",
        b"sPLT",
    )
    for _ in range(400):
        bodies = [chance.randbytes(chance.randrange(80)) for _ in range(3)]
        bodies.append(_exif(chance.randrange(12)) + chance.randbytes(chance.randrange(40)))
        blocks = [bytearray(body) for body in bodies]
        for block in blocks:
            if block and chance.random() < 0.5:
                block[chance.randrange(len(block))] ^= 1 << chance.randrange(8)
        mode = chance.choice(MODES)
        base = save(draw_page(48, 32).convert(mode))
        image = _with_chunks(*(chunk(chance.choice(kinds), bytes(block)) for block in blocks), data=base)
        assert inspect(image, PIXELS) == ("png", 48, 32)
        assert show(image).size in ((48, 32), (32, 48))
        segments = [
            jpeg_segment(chance.choice((0xE0, 0xE1, 0xE2, 0xED, 0xFE)), bytes(block)) for block in blocks
        ]
        exif = jpeg_segment(0xE1, b"Exif\0\0" + bytes(blocks[3]))
        image = _with_segments(*segments, exif)
        assert inspect(image, PIXELS) == ("jpeg", 64, 48)
        assert show(image).size in ((64, 48), (48, 64))


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (noise()[:-1], "before IEND"),
        (noise()[:-500], "before IEND"),
        (noise()[:200] + b"\0" * 50 + noise()[250:], "checksum of IDAT"),
        (noise()[:-20] + b"x" + noise()[-19:], "checksum of IDAT"),
        (fix_checksums(noise()[:60] + b"\0" * 9 + noise()[69:]), "damaged"),
        (noise()[:33] + noise()[-12:], "pixels are missing"),
        (noise()[:8] + noise()[33:], "no IHDR"),
        (noise(form="JPEG", width=300, height=300)[:-5000], "cut off"),
        (noise(form="JPEG")[:300], "cut off"),
        (b"\xff\xd8\xff\xd9", "cut off"),
    ],
)
def test_a_broken_image_is_reported_why(data: bytes, reason: str) -> None:
    with pytest.raises(UnusableImageError, match=reason):
        inspect(data, PIXELS)


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "this is HEIC, not"),
        (b"\0\0\0\x1cftypmif1\0\0\0\0mif1heic", "this is HEIC, not"),
        (b"\0\0\0\x1cftypavif\0\0\0\0", "this is AVIF, not"),
        (b"RIFF\x24\0\0\0WEBPVP8 ", "this is WebP, not"),
        (b"GIF89a\1\0\1\0", "this is GIF, not"),
        (b"%PDF-1.7\n", "this is PDF, not"),
        (b"BM\x46\0\0\0", "this is BMP, not"),
        (b"II*\0\x08\0\0\0", "this is TIFF, not"),
        (b"PK\x03\x04\x14\0", "this is ZIP or Office, not"),
        (b"<?xml version='1.0'?><svg xmlns='x'/>", "this is SVG, not"),
        (b"<!doctype html><html>", "this is HTML or XML, not"),
        (b"\xef\xbb\xbf<svg/>", "this is SVG, not"),
        (b"just text", "^\\('not a PNG or JPEG"),
        (b"", "^\\('not a PNG or JPEG"),
        (b"iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9", "base64 text"),
        (b"data:image/png;base64,iVBORw0KGgo=", "base64 text"),
    ],
)
def test_another_format_is_named(data: bytes, name: str) -> None:
    with pytest.raises(UnusableImageError, match=name):
        inspect(data, PIXELS)


@pytest.mark.parametrize(
    ("data", "allowed"),
    [(bomb(), "100,000,000"), (save(Image.new("RGB", (5001, 5000))), "25,000,000")],
)
def test_pixels_are_bounded_by_the_memory_that_they_take(data: bytes, allowed: str) -> None:
    with pytest.raises(UnusableImageError, match=f"at most {allowed}"):
        inspect(data, PIXELS)


@pytest.mark.process
@pytest.mark.parametrize("mode", ["1", "L", "P"])
def test_an_a4_scan_at_600_dpi_is_accepted_andshow(mode: str) -> None:
    data = save(Image.new("L", (4960, 7016), 255).convert(mode))
    assert inspect(data, PIXELS) == ("png", 4960, 7016)
    assert show(data).size == (1414, 2000)


@pytest.mark.parametrize("mode", ["1", "P", "RGB", "RGBA", "LA"])
def test_a_page_scaled_down_looks_the_same_in_every_mode(mode: str) -> None:
    page = draw_page(2400, 1600)
    grey, other = show(save(page), 400), show(save(page.convert(mode)), 400)
    differences = [abs(a - b) for a, b in zip(grey.tobytes(), other.tobytes(), strict=True)]
    assert max(differences) <= 24
    assert min(grey.tobytes()) < 230, "the strokes are there"


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_black_on_transparent_is_shown_on_white(mode: str) -> None:
    if mode == "P":
        image = Image.new("P", (60, 40), 1)
        image.putpalette([0, 0, 0, 0, 0, 0])
        image.paste(0, (10, 10, 50, 30))
        data = save(image, transparency=1)
    else:
        image = Image.new(mode, (60, 40), (0,) * len(mode))
        image.paste((*(0,) * (len(mode) - 1), 255), (10, 10, 50, 30))
        data = save(image)
    shown = show(data)
    assert shown.getpixel((30, 20)) < 30  # type: ignore[operator]
    assert shown.getpixel((2, 2)) > 225  # type: ignore[operator]
