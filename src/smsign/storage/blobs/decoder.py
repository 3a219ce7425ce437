"""Decoding: prove that an image is whole, and make a preview of it, on two threads.

The decoder is given an image's critical parts alone (`domain/media`): metadata never decides whether an image
is taken or shown.
"""

from __future__ import annotations

import asyncio
import io
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

from smsign.domain.media import jpeg, kinds, png
from smsign.domain.media.png import BrokenImageError

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

SCANS_MAX = 100
"""Of a JPEG. Progressive ones have some ten; each costs a pass over all pixels, and 40 bytes can make one."""
COLOUR_BYTES = 4
"""Bytes that a pixel in colour takes in memory; the bound of pixels is meant for these."""
_STRIP_PIXELS = 4_000_000
"""Pixels converted at once: a large scan is converted and scaled strip by strip."""
_QUALITY = 82

_TRANSPOSE = {2: 0, 3: 3, 4: 1, 5: 5, 6: 4, 7: 6, 8: 2}
"""EXIF orientation → Pillow's Transpose."""

_DECODERS = ThreadPoolExecutor(2, "decode")
"""Two at once: each may need four bytes a pixel."""

T = TypeVar("T")


class UnusableImageError(Exception):
    """Four texts: what is wrong (English, Chinese), how to fix it (English, Chinese)."""


async def on_decoder(work: Callable[..., T], *args: object) -> T:
    """Run the decoding of an upload or of a preview on one of the decoder threads."""
    return await asyncio.get_running_loop().run_in_executor(_DECODERS, work, *args)


def inspect(data: bytes, pixels_max: int) -> tuple[str, int, int]:
    """Return (type, width, height) of an image, every pixel of which was decoded.

    `pixels_max` is for pixels of four bytes; a grey or bilevel image, which takes less memory, may have more.

    Raises: UnusableImageError.
    """
    try:
        if data.startswith(png.SIGNATURE):
            found = png.parse(data)
            _check_size(found.width, found.height, found.pixel_bytes, pixels_max)
            png.prove(found)
            return kinds.PNG, found.width, found.height
        if data.startswith(jpeg.START):
            return _inspect_jpeg(data, pixels_max)
    except BrokenImageError as error:
        raise _broken(error.en, error.zh) from error
    raise _other_format(kinds.name(data[: kinds.HEAD_BYTES]))


def preview(data: bytes, side: int) -> bytes:
    """Return an image as WebP, upright, on white, no side longer than `side`, made anew from its pixels."""
    if data.startswith(png.SIGNATURE):
        parsed = png.parse(data)
        stripped, orientation = png.strip(parsed), parsed.orientation
    else:
        found = jpeg.parse(data, scans_max=SCANS_MAX)
        stripped, orientation = found.stripped, found.orientation
    with _open(stripped) as image:
        image.draft("RGB", (side, side))
        small = _scale(image, side)
    if orientation in _TRANSPOSE:
        small = small.transpose(_TRANSPOSE[orientation])  # type: ignore[arg-type]
    out = io.BytesIO()
    small.save(out, "WEBP", quality=_QUALITY, method=2)
    return out.getvalue()


def _inspect_jpeg(data: bytes, pixels_max: int) -> tuple[str, int, int]:
    found = jpeg.parse(data, scans_max=SCANS_MAX)
    _check_size(found.width, found.height, found.pixel_bytes, pixels_max)
    if found.scans > SCANS_MAX:
        raise UnusableImageError(
            f"more than {SCANS_MAX} scans",
            f"扫描次数超过 {SCANS_MAX}",
            "save the image again, as an ordinary JPEG",
            "请将图片重新保存为普通 JPEG",
        )
    try:
        with _open(found.stripped) as image:
            # Every bit is decoded, but into an eighth of the pixels.
            image.draft(None, (max(1, found.width // 8), max(1, found.height // 8)))
            image.load()
    except Exception as error:  # a decoder meets hostile bytes: whatever it raises, they are no image
        raise BrokenImageError("cut off, or its data is damaged", "文件不完整或数据已损坏") from error
    return kinds.JPEG, found.width, found.height


def _open(stripped: bytes) -> Picture:
    from PIL import Image

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        return Image.open(io.BytesIO(stripped), formats=("PNG", "JPEG"))


def _scale(image: Picture, side: int) -> Picture:
    """Return an image no larger than `side`, on white. Pixels are converted before they are averaged.

    Scaled as they are, palette and bilevel pixels would be picked, not averaged, and thin strokes disappear.
    """
    from PIL import Image

    width, height = image.size
    factor = max(1, max(width, height) // (2 * side))
    small = Image.new("RGB", (-(-width // factor), -(-height // factor)))
    rows = max(1, _STRIP_PIXELS // width // factor) * factor
    for top in range(0, height, rows):
        strip = _flatten(image.crop((0, top, width, min(top + rows, height))))
        small.paste(strip.reduce(factor) if factor > 1 else strip, (0, top // factor))
    small.thumbnail((side, side))
    return small


def _flatten(image: Picture) -> Picture:
    """Return an image in RGB, transparent parts on white."""
    from PIL import Image

    if image.mode.startswith("I"):  # 16 bits of grey, which Pillow would cut off at 255
        image = image.point(lambda grey: grey * (1 / 256)).convert("L")
    if "A" not in image.getbands() and "transparency" not in image.info:
        return image.convert("RGB")
    image = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")


def _check_size(width: int, height: int, pixel_bytes: int, pixels_max: int) -> None:
    allowed = pixels_max * COLOUR_BYTES // pixel_bytes
    if width * height > allowed:
        raise UnusableImageError(
            f"{width} × {height} pixels, at most {allowed:,} in all",
            f"{width} × {height} 像素，合计最多 {allowed:,}",
            "scale the image down",
            "请缩小图片尺寸",
        )


def _broken(en: str, zh: str) -> UnusableImageError:
    return UnusableImageError(
        f"the image is broken: {en}",
        f"图片已损坏：{zh}",
        "send the whole image, or save it again as PNG or JPEG",
        "请提交完整的图片，或重新保存为 PNG 或 JPEG",
    )


def _other_format(name: str) -> UnusableImageError:
    if name in ("base64", "data URL"):
        return UnusableImageError(
            "base64 text, not the bytes of an image",
            "内容为 base64 文本，而非图片字节",
            "decode it, and send the bytes of the PNG or JPEG",
            "请解码后提交 PNG 或 JPEG 的原始字节",
        )
    return UnusableImageError(
        f"this is {name}, not a PNG or JPEG" if name else "not a PNG or JPEG",
        f"这是 {name} 文件，不是 PNG 或 JPEG" if name else "不是 PNG 或 JPEG 图片",
        "convert it to PNG or JPEG; renaming the file does not" if name else "send the image as PNG or JPEG",
        "请转换为 PNG 或 JPEG，仅修改扩展名无效" if name else "请提交 PNG 或 JPEG 图片",
    )
