"""A JPEG's tables and scans, walked once: its size, how many scans, and the file anew without its metadata.

Source: ITU-T T.81, annex B; the APP14 segment of Adobe and the APP0 of JFIF say how colours are coded.
"""

from __future__ import annotations

import re

import msgspec

from smsign.domain.media import exif
from smsign.domain.media.png import BrokenImageError

START, END = b"\xff\xd8", b"\xff\xd9"
_JFIF = b"\xff\xe0\0\x10JFIF\0\x01\x01\0\0\x01\0\x01\0\0"
_MARKER = re.compile(rb"\xff[^\0\xff\xd0-\xd7]")
"""What ends a scan: any marker but a restart. In the scan's data 0xff is followed by 0."""
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_TABLES = frozenset((0xC4, 0xCC, 0xDB, 0xDC, 0xDD, 0xDE, 0xDF)) | _FRAMES
_SCAN, _END, _APP0, _APP1, _ADOBE = 0xDA, 0xD9, 0xE0, 0xE1, 0xEE
_ALONE = frozenset((0x01, *range(0xD0, 0xD9)))
"""Markers without a length."""


class Jpeg(msgspec.Struct, frozen=True):
    """What a JPEG's segments say."""

    width: int
    height: int
    components: int
    scans: int
    orientation: int
    stripped: bytes
    """The first image of the file without its metadata."""

    @property
    def pixel_bytes(self) -> int:
        """Return how many bytes a decoded pixel takes in memory, as coefficients if it is progressive."""
        return 2 if self.components == 1 else 4


def parse(file: bytes, *, scans_max: int) -> Jpeg:
    """Walk the segments of the first image; metadata is passed over, whatever is in it.

    The walk ends behind `scans_max` scans: each costs a pass over all pixels.

    Raises: BrokenImageError.
    """
    parts, adobe = [START], b""
    has_jfif, orientation = False, exif.UPRIGHT
    width = height = components = scans = 0
    at = len(START)
    while scans <= scans_max:
        at = file.find(b"\xff", at)
        if at < 0:
            break
        while file[at + 1 : at + 2] == b"\xff":  # fill bytes
            at += 1
        if at + 1 >= len(file):
            break
        kind = file[at + 1]
        if kind == _END:
            parts.append(END)
            break
        if kind in _ALONE or kind == 0:
            at += 2
            continue
        end = at + 2 + max(2, int.from_bytes(file[at + 2 : at + 4], "big"))
        body = file[at + 4 : end]
        if kind == _SCAN:
            found = _MARKER.search(file, end)
            end = found.start() if found else len(file)
            scans += 1
        if kind in _TABLES or kind == _SCAN:
            parts.append(file[at:end])
        elif kind == _APP0 and body[:4] == b"JFIF":
            has_jfif = True
        elif kind == _ADOBE and body[:5] == b"Adobe" and len(body) >= 12:
            adobe = file[at:end]
        elif kind == _APP1 and body[:6] == b"Exif\0\0" and orientation == exif.UPRIGHT:
            orientation = exif.orientation(body)
        if kind in _FRAMES and not components and len(body) >= 6:
            height, width, components = (
                int.from_bytes(body[1:3], "big"),
                int.from_bytes(body[3:5], "big"),
                body[5],
            )
        at = end
    if not components or not scans:
        raise BrokenImageError("cut off: it has no image data", "文件不完整：缺少图像数据")
    parts[1:1] = [_JFIF] * has_jfif + [adobe] * bool(adobe)
    return Jpeg(width, height, components, scans, orientation, b"".join(parts))
