"""Previews of images, re-encoded from the pixels."""

from __future__ import annotations

import asyncio
import io
import threading
from types import SimpleNamespace
from typing import Any

import pytest
from PIL import Image

from smsign.console import images as image_pages
from smsign.console.context import Values
from smsign.storage.blobs.decoder import preview as make_preview
from smsign.storage.rows import signatures


@pytest.mark.parametrize(
    ("format", "mode", "colour", "shown"),
    [
        ("PNG", "L", 117, 117),
        ("PNG", "I;16", 117 * 256, 117),
        ("PNG", "LA", (117, 255), 117),
        ("PNG", "RGB", (117, 117, 117), 117),
        ("PNG", "1", 1, 255),
        ("JPEG", "L", 117, 117),
        ("JPEG", "RGB", (117, 117, 117), 117),
        ("JPEG", "CMYK", (0, 0, 0, 138), 117),
    ],
)
def test_a_preview_has_the_brightness_of_the_original(
    format: str, mode: str, colour: object, shown: int
) -> None:
    out = io.BytesIO()
    Image.new(mode, (40, 30), colour).save(out, format)  # type: ignore[arg-type]
    with Image.open(io.BytesIO(make_preview(out.getvalue(), 320))) as preview:
        assert preview.size == (40, 30)
        grey = preview.convert("L").getpixel((20, 15))
    assert isinstance(grey, int)
    assert abs(grey - shown) <= 3


def test_a_preview_follows_the_exif_orientation() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # rotated to the right
    out = io.BytesIO()
    Image.new("RGB", (40, 30)).save(out, "JPEG", exif=exif)
    with Image.open(io.BytesIO(make_preview(out.getvalue(), 320))) as preview:
        assert preview.size == (30, 40)


async def test_at_most_two_previews_are_decoded_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each may need four bytes for each of 25 million pixels; uploads share the two threads."""
    at_once, most, lock = 0, 0, threading.Lock()

    def preview(data: bytes, side: int) -> bytes:
        nonlocal at_once, most
        with lock:
            at_once += 1
            most = max(most, at_once)
        threading.Event().wait(0.05)
        with lock:
            at_once -= 1
        return data

    async def found(*_: object) -> Any:
        return SimpleNamespace(id=1, app_id=1)

    async def images(*_: object) -> Any:
        return [SimpleNamespace(slot="image0", sha256="x", type="png")]

    async def get(_: str) -> bytes:
        return b"image"

    monkeypatch.setattr(image_pages, "preview", preview)
    monkeypatch.setattr(signatures, "list_images", images)
    service = SimpleNamespace(blobs=SimpleNamespace(get=get))
    db, query = SimpleNamespace(read=None), Values({})
    ctx: Any = SimpleNamespace(signature=found, db=db, service=service, query=query)
    responses = await asyncio.gather(*(image_pages.show(ctx, 1, 1, "image0") for _ in range(8)))
    assert [response.body for response in responses] == [b"image"] * 8
    assert most == 2
