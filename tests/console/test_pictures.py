"""What the desk shows of a picture: made anew from its pixels, whatever kind it is."""

from __future__ import annotations

import io

import pytest
from PIL import Image

from smsign.console.pictures import _preview


@pytest.mark.parametrize(
    ("form", "mode", "colour", "shown"),
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
def test_a_preview_is_as_bright_as_the_picture(form: str, mode: str, colour: object, shown: int) -> None:
    out = io.BytesIO()
    Image.new(mode, (40, 30), colour).save(out, form)  # type: ignore[arg-type]
    with Image.open(io.BytesIO(_preview(out.getvalue(), 320))) as preview:
        assert preview.size == (40, 30)
        grey = preview.convert("L").getpixel((20, 15))
    assert isinstance(grey, int)
    assert abs(grey - shown) <= 3


def test_a_preview_stands_upright() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # turned to the right
    out = io.BytesIO()
    Image.new("RGB", (40, 30)).save(out, "JPEG", exif=exif)
    with Image.open(io.BytesIO(_preview(out.getvalue(), 320))) as preview:
        assert preview.size == (30, 40)
