"""Uploads: proven by decoding before they are stored; anything else is an error and leaves nothing."""

from __future__ import annotations

import hashlib
import io
import time
from pathlib import Path

import pytest
from PIL import Image

from smsign.domain.signatures import Rules
from smsign.storage.blobs.upload import Upload
from tests.images import bomb, many_scans, noise

_LATER_SCAN = b"\xff\xda\0\x08\1\1\0\1"


def _saved(form: str, mode: str = "RGB", **options: object) -> bytes:
    out = io.BytesIO()
    Image.new(mode, (40, 30)).save(out, form, **options)
    return out.getvalue()


async def _validate(data: bytes, spool: Path, rules: Rules = Rules()) -> tuple[Upload, list[str]]:  # noqa: B008
    upload = Upload("image0", spool, at_most=rules.image_bytes)
    for start in range(0, len(data), 50_000):
        await upload.write(data[start : start + 50_000])
    problems = await upload.validate("image0", rules)
    return upload, [problem.reason.en for problem in problems]


@pytest.mark.parametrize(
    "data",
    [
        noise(),
        noise(form="JPEG"),
        noise(width=700, height=500),
        _saved("JPEG", progressive=True),
        _saved("JPEG", "L"),
        _saved("JPEG", "CMYK"),
        _saved("PNG", "I;16"),
        _saved("PNG", "P"),
        _saved("PNG", "1"),
        _saved("PNG", "RGBA"),
        _saved("MPO", save_all=True, append_images=[Image.new("RGB", (40, 30))]),
        noise() + b"<script>tail</script>",
        many_scans(100),
        noise(form="JPEG") + b"\xff\xda\0\2" * 200,
    ],
)
async def test_an_image_that_can_be_decoded_is_accepted(data: bytes, tmp_path: Path) -> None:
    upload, problems = await _validate(data, tmp_path)
    assert problems == []
    assert upload.image is not None
    assert upload.image.sha256 == hashlib.sha256(data).hexdigest()
    assert upload.image.size_bytes == len(data)
    assert upload.image.type in ("png", "jpeg")
    upload.discard()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("data", "reported"),
    [
        (b"just text", "not a PNG or JPEG"),
        (noise()[:-500], "cut off"),
        (noise(form="JPEG", width=300, height=300)[:-5000], "cut off"),
        (noise()[:200] + b"\0" * 50 + noise()[250:], "checksum"),
        (_saved("GIF"), "this is GIF"),
        (_saved("WEBP"), "this is WebP"),
        (_saved("BMP"), "this is BMP"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "this is SVG"),
        (b"\x89PNG\r\n\x1a\n", "cut off"),
        (bomb(), "pixels, at most"),
        (many_scans(101), "more than 100 scans"),
        (many_scans(40_000), "more than 100 scans"),
        (many_scans(40_000).replace(_LATER_SCAN, b"\xff\x01\xff\xff" + _LATER_SCAN), "more than 100 scans"),
        (noise(width=900, height=900), "MB, at most 2 MB"),
    ],
)
async def test_anything_else_is_an_error_and_leaves_no_file(
    data: bytes, reported: str, tmp_path: Path
) -> None:
    started = time.monotonic()
    upload, problems = await _validate(data, tmp_path)
    assert len(problems) == 1
    assert reported in problems[0]
    assert time.monotonic() - started < 2
    upload.discard()
    assert list(tmp_path.iterdir()) == []
