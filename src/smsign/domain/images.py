"""The images of a submission: their form fields, and the slot in which each is stored."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from smsign.errors import Code, Problem

NUMBERED = ("image0", "image1", "image2", "image3")
UNNUMBERED = "images"
"""A field that may be repeated; one published client sends all its images in it."""

NAMED = (
    "idCardImage",
    "businessLicenseImage",
    "icpAppScreenshot",
    "trademarkImage",
    "thirdPartyAuthImage",
    "otherImage",
)
"""Images of later revisions of the same API: at most one of each."""

FIELDS = frozenset((*NUMBERED, UNNUMBERED, *NAMED))
SLOTS = (*NUMBERED, *NAMED)
COUNT_MAX = len(SLOTS)


class Image(msgspec.Struct, frozen=True):
    """A row of `image`: its slot, and the SHA-256 (hex) of its blob."""

    slot: str
    sha256: str
    type: str
    size_bytes: int
    width: int
    height: int


def assign_slots(fields: Sequence[str]) -> tuple[list[str], list[Problem]]:
    """Return the slot of each field, in order, and the problems found.

    A numbered or named field is its own slot; each `images` gets the lowest free number.
    """
    taken = {field for field in fields if field != UNNUMBERED}
    free = [slot for slot in NUMBERED if slot not in taken]
    slots, problems = [], []
    seen: set[str] = set()
    for field in fields:
        slot = field if field != UNNUMBERED else (free.pop(0) if free else "")
        if slot in seen:
            problems.append(
                problem(
                    field, "sent twice", "重复提交", "send each image field once", "每个图片字段只提交一次"
                )
            )
        elif not slot:
            problems.append(
                problem(
                    field,
                    f"more than {len(NUMBERED)} images",
                    f"图片超过 {len(NUMBERED)} 张",
                    f"send at most {len(NUMBERED)} in image0 … image3 and images together",
                    f"image0 至 image3 与 images 合计最多 {len(NUMBERED)} 张",
                )
            )
        seen.add(slot)
        slots.append(slot)
    return slots, problems


def problem(field: str, en: str, zh: str, hint_en: str, hint_zh: str) -> Problem:
    """Return a problem with the image in `field`."""
    return Problem.of(Code.INVALID_IMAGE, field, en, zh, hint_en, hint_zh)
