"""Damaged images: what the check accepts, the decoder decodes and the preview shows."""

from __future__ import annotations

import io
import random

import pytest
from PIL import Image

from smsign.domain.media import png
from smsign.storage.blobs.decoder import UnusableImageError, inspect
from tests.storage.drawn import MODES, PIXELS, draw_page, fix_checksums, save, show


@pytest.mark.parametrize("form", ["PNG", "JPEG"])
@pytest.mark.slow
def test_what_is_accepted_can_be_decoded_andshow(form: str) -> None:
    """Images damaged at random, among them whole ones: whatever is accepted, Pillow decodes in full."""
    chance = random.Random(f"{form} 20261125")
    modes = MODES if form == "PNG" else ("L", "RGB", "CMYK")
    bases = [save(draw_page(40, 30).convert(mode), form) for mode in modes]
    bases += (
        [save(draw_page(40, 30).convert(mode), form, progressive=True) for mode in modes]
        if form == "JPEG"
        else []
    )
    accepted = 0
    for n in range(20_000 if form == "PNG" else 4_000):
        data = bytearray(bases[n % len(bases)])
        for _ in range(chance.randrange(1, 4)):
            at = chance.randrange(8, len(data))
            match chance.randrange(4):
                case 0:
                    data[at] ^= 1 << chance.randrange(8)
                case 1:
                    del data[at : at + chance.randrange(1, 30)]
                case 2:
                    data[at:at] = chance.randbytes(chance.randrange(1, 30))
                case _:
                    data[at : at + 4] = chance.randbytes(4)
            if len(data) < 20:
                break
        if form == "PNG" and chance.random() < 0.7:
            data = bytearray(fix_checksums(bytes(data)))
        try:
            found = inspect(bytes(data), PIXELS)
        except UnusableImageError:
            continue
        accepted += 1
        assert max(show(bytes(data), 64).size) <= 64
        if form == "PNG":
            with Image.open(io.BytesIO(png.strip(png.parse(bytes(data))))) as image:
                image.load()
                assert image.size == found[1:]
    assert accepted > 50
