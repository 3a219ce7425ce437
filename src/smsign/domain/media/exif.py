"""The orientation that a camera notes in EXIF, read without trusting a byte of it."""

from __future__ import annotations

UPRIGHT = 1
_ORIENTATION = 0x0112
_SHORT = 3


def orientation(exif: bytes) -> int:
    """Return the orientation (1 to 8) in a TIFF block; 1, upright, if there is none or anything is odd.

    Source: TIFF 6.0, sections 2 and 8.
    """
    exif = exif.removeprefix(b"Exif\0\0")
    if exif[:4] not in (b"II*\0", b"MM\0*"):
        return UPRIGHT

    def number(at: int, size: int) -> int:
        return int.from_bytes(exif[at : at + size], "little" if exif[:1] == b"I" else "big")

    at = number(4, 4)
    for entry in range(at + 2, min(at + 2 + 12 * number(at, 2), len(exif) - 11), 12):
        if number(entry, 2) == _ORIENTATION:
            value = number(entry + 8, 2)
            is_one_short = number(entry + 2, 2) == _SHORT and number(entry + 4, 4) == 1
            return value if is_one_short and 1 <= value <= 8 else UPRIGHT
    return UPRIGHT
