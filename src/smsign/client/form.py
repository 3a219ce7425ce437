"""The form of a submission as multipart/form-data, made anew for each attempt and read piece by piece.

A file is sent under the name of its slot: what it is called on this machine is nobody's business.
"""

from __future__ import annotations

import io
import os
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO, TypeAlias, TypedDict

ImageFile: TypeAlias = str | os.PathLike[str] | bytes | BinaryIO
"""A path, the bytes themselves, or a file open for reading bytes."""

ImageFiles: TypeAlias = Sequence[ImageFile] | Mapping[str, ImageFile]
"""In order (`image0` … `image3`), or by slot (`{"idCardImage": …}`)."""


class Fields(TypedDict, total=False):
    """The optional texts of a submission, by the names that they have on the wire."""

    type: int
    remark: str
    legalPersonName: str
    legalPersonIdNumber: str
    socialCreditCode: str
    thirdPartyCompanyName: str


NUMBERED = ("image0", "image1", "image2", "image3")
SLOTS = (
    *NUMBERED,
    "idCardImage",
    "businessLicenseImage",
    "icpAppScreenshot",
    "trademarkImage",
    "thirdPartyAuthImage",
    "otherImage",
)
PIECE_BYTES = 64 * 1024


class SubmissionForm:
    """Texts and images. A form can be sent any number of times: each `open` begins from the start."""

    def __init__(self, texts: Mapping[str, object], images: ImageFiles) -> None:
        if unknown := [name for name in texts if name != "sign" and name not in Fields.__annotations__]:
            known = ", ".join(Fields.__annotations__)
            raise TypeError(f"no such field: {', '.join(unknown)}; there are {known}")
        self._boundary = secrets.token_hex(16)
        self._texts = {name: str(value) for name, value in texts.items() if value is not None}
        self._files = [(slot, _opener(slot, given)) for slot, given in _by_slot(images).items()]

    @property
    def content_type(self) -> str:
        """Return the Content-Type."""
        return f"multipart/form-data; boundary={self._boundary}"

    def open(self) -> Body:
        """Open all files, and return the body for one attempt.

        Raises: OSError.
        """
        parts: list[bytes | BinaryIO] = []
        for name, text in self._texts.items():
            parts.append(self._head(f'name="{name}"') + text.encode() + b"\r\n")
        try:
            for slot, opener in self._files:
                file = opener()
                parts += [b"", file, b"\r\n"]
                suffix, kind = _kind(file)
                parts[-3] = self._head(f'name="{slot}"; filename="{slot}.{suffix}"', kind)
        except BaseException:
            Body(parts).close()
            raise
        return Body([*parts, f"--{self._boundary}--\r\n".encode()])

    def _head(self, disposition: str, kind: str = "") -> bytes:
        type_line = f"Content-Type: {kind}\r\n" if kind else ""
        return (
            f"--{self._boundary}\r\nContent-Disposition: form-data; {disposition}\r\n{type_line}\r\n".encode()
        )


class Body:
    """A form on its way: its length is known, its files are open until `close`."""

    def __init__(self, parts: Sequence[bytes | BinaryIO]) -> None:
        self._parts = parts
        self._sizes = [len(part) if isinstance(part, bytes) else _left(part) for part in parts]
        self.length = sum(self._sizes)

    def chunks(self) -> Iterator[bytes]:
        """Yield the body, never more of a file than there was when it was measured."""
        for part, size in zip(self._parts, self._sizes, strict=True):
            if isinstance(part, bytes):
                yield part
                continue
            while size > 0:
                piece = part.read(min(size, PIECE_BYTES))
                if not piece:
                    raise OSError("an image became shorter while it was sent")
                size -= len(piece)
                yield piece

    def close(self) -> None:
        """Close what was opened for it."""
        for part in self._parts:
            if isinstance(part, _Own):
                part.close()


class _Own(io.BufferedReader):
    """A file that a form opened itself, and closes."""


def _by_slot(images: ImageFiles) -> dict[str, ImageFile]:
    if isinstance(images, Mapping):
        if unknown := [slot for slot in images if slot not in SLOTS]:
            raise ValueError(f"no such image: {', '.join(unknown)}; there are {', '.join(SLOTS)}")
        return dict(images)
    if isinstance(images, str | bytes | os.PathLike):
        raise TypeError("images come as a list or by slot; write [image] for a single one")
    if len(images) > len(NUMBERED):
        raise ValueError(f"{len(images)} images, at most {len(NUMBERED)} without a slot's name")
    return dict(zip(NUMBERED, images, strict=False))


def _opener(slot: str, given: ImageFile) -> Callable[[], BinaryIO]:
    """Return a function that gives the image from its start, each time."""
    if isinstance(given, str | os.PathLike):
        path = Path(given)
        return lambda: _Own(io.FileIO(path))
    if isinstance(given, bytes | bytearray | memoryview):
        held = bytes(given)
        return lambda: io.BytesIO(held)
    if isinstance(given, io.TextIOBase):
        raise TypeError(f"{slot}: the file is open as text; open it with mode 'rb'")
    if not given.seekable():
        return _opener(slot, given.read())
    start = given.tell()

    def rewound() -> BinaryIO:
        given.seek(start)
        return given

    return rewound


def _kind(file: BinaryIO) -> tuple[str, str]:
    """Return (suffix, media type) by the file's first bytes."""
    head = file.read(4)
    file.seek(-len(head), os.SEEK_CUR)
    if head == b"\x89PNG":
        return "png", "image/png"
    return ("jpg", "image/jpeg") if head[:3] == b"\xff\xd8\xff" else ("bin", "application/octet-stream")


def _left(file: BinaryIO) -> int:
    here = file.tell()
    end = file.seek(0, os.SEEK_END)
    file.seek(here)
    return end - here
