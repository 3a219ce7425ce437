"""Which format bytes are in, by their first bytes, whatever the file is named."""

from __future__ import annotations

import re

PNG, JPEG = "png", "jpeg"
HEAD_BYTES = 512
"""As many bytes as `name` reads."""

IMAGES = frozenset(
    ("PNG", "JPEG", "GIF", "BMP", "TIFF", "WebP", "HEIC", "AVIF", "JPEG 2000", "JPEG XL", "ICO", "Photoshop")
)

_HEIC = (b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"mif1", b"msf1", b"heif")
_BY_MAGIC = (
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"\xff\xd8\xff", "JPEG"),
    (b"GIF8", "GIF"),
    (b"%PDF", "PDF"),
    (b"BM", "BMP"),
    (b"II*\0", "TIFF"),
    (b"MM\0*", "TIFF"),
    (b"II+\0", "TIFF"),
    (b"MM\0+", "TIFF"),
    (b"8BPS", "Photoshop"),
    (b"\0\0\0\x0cjP  ", "JPEG 2000"),
    (b"\xff\x4f\xff\x51", "JPEG 2000"),
    (b"\xff\x0a", "JPEG XL"),
    (b"\0\0\0\x0cJXL ", "JPEG XL"),
    (b"\0\0\x01\0", "ICO"),
    (b"PK\x03\x04", "ZIP or Office"),
    (b"\xd0\xcf\x11\xe0", "Office"),
    (b"Rar!", "RAR"),
    (b"7z\xbc\xaf", "7-Zip"),
    (b"\x1f\x8b", "gzip"),
    (b"{\\rtf", "RTF"),
)
_BASE64 = re.compile(rb"[A-Za-z0-9+/_-]{64}")
_BASE64_START = (b"iVBORw0KGgo", b"/9j/", b"_9j_")
"""How a PNG and a JPEG begin in base64."""


def name(head: bytes) -> str:
    """Return the name of the format of a file that begins with `head`, or "" if it is not known."""
    if head[4:8] == b"ftyp":
        brand = head[8:12]
        return "AVIF" if brand in (b"avif", b"avis") else "HEIC" if brand in _HEIC else "video (MP4)"
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "WebP"
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n")
    if text[:11].lower() == b"data:image/":
        return "data URL"
    if text.startswith(_BASE64_START) and _BASE64.match(text):
        return "base64"
    if text[:1] == b"<":
        return "SVG" if b"<svg" in text.lower() else "HTML or XML"
    return next((known for magic, known in _BY_MAGIC if head.startswith(magic)), "")
