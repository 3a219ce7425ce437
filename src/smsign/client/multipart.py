"""A submission as multipart/form-data, streamed, and encoded again for each attempt.

An image is sent under the name of its slot: the local file name is private.
"""

from __future__ import annotations

import io
import os
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO, TypedDict, Union

from typing_extensions import TypeAlias

ImageFile: TypeAlias = Union[str, "os.PathLike[str]", bytes, BinaryIO]
"""A path, bytes, or a binary file object."""

ImageFiles: TypeAlias = Union[Sequence[ImageFile], Mapping[str, ImageFile]]
"""In order (`image0` … `image3`), or by slot (`{"idCardImage": …}`)."""


class Fields(TypedDict, total=False):
    """The optional text fields of a submission, by their names in the API."""

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
CHUNK_BYTES = 64 * 1024


class SubmissionForm:
    """Text fields and images. It can be sent repeatedly: each `open` starts from the beginning."""

    def __init__(self, texts: Mapping[str, object], images: ImageFiles) -> None:
        if unknown := [name for name in texts if name != "sign" and name not in Fields.__annotations__]:
            known = ", ".join(Fields.__annotations__)
            raise TypeError(f"unknown field: {', '.join(unknown)}; known fields: {known}")
        self._boundary = secrets.token_hex(16)
        self._texts = {name: str(value) for name, value in texts.items() if value is not None}
        self._files = [(slot, _opener(slot, image)) for slot, image in _by_slot(images).items()]

    @property
    def content_type(self) -> str:
        """Return the Content-Type header."""
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
    """The body of one attempt: its length is known, its files are open until `close`."""

    def __init__(self, parts: Sequence[bytes | BinaryIO]) -> None:
        self._parts = parts
        self._sizes = [len(part) if isinstance(part, bytes) else _remaining(part) for part in parts]
        self.length = sum(self._sizes)

    def chunks(self) -> Iterator[bytes]:
        """Yield the body; of a file never more than its size when it was opened."""
        for part, size in zip(self._parts, self._sizes):
            if isinstance(part, bytes):
                yield part
                continue
            while size > 0:
                chunk = part.read(min(size, CHUNK_BYTES))
                if not chunk:
                    raise OSError("an image was truncated while it was sent")
                size -= len(chunk)
                yield chunk

    def close(self) -> None:
        """Close the files that the form opened."""
        for part in self._parts:
            if isinstance(part, _Opened):
                part.close()


class _Opened(io.BufferedReader):
    """A file that the form opened, and closes."""


def _by_slot(images: ImageFiles) -> dict[str, ImageFile]:
    if isinstance(images, Mapping):
        if unknown := [slot for slot in images if slot not in SLOTS]:
            raise ValueError(f"unknown slot: {', '.join(unknown)}; known slots: {', '.join(SLOTS)}")
        return dict(images)
    if isinstance(images, (str, bytes, os.PathLike)):
        raise TypeError("images is a list or a mapping by slot; write [image] for a single one")
    if len(images) > len(NUMBERED):
        raise ValueError(f"{len(images)} images, at most {len(NUMBERED)} without a slot")
    return dict(zip(NUMBERED, images))


def _opener(slot: str, image: ImageFile) -> Callable[[], BinaryIO]:
    """Return a function that opens the image at its start."""
    if isinstance(image, (str, os.PathLike)):
        path = Path(image)
        return lambda: _Opened(io.FileIO(path))
    if isinstance(image, (bytes, bytearray, memoryview)):
        data = bytes(image)
        return lambda: io.BytesIO(data)
    if isinstance(image, io.TextIOBase):
        raise TypeError(f"{slot}: the file is open as text; open it with mode 'rb'")
    if not hasattr(image, "read"):
        kind = f"{type(image).__module__}.{type(image).__qualname__}"
        raise TypeError(f"{slot}: {kind} is not an image; pass a path, bytes or a file open with mode 'rb'")
    if not image.seekable():
        return _opener(slot, image.read())
    start = image.tell()

    def rewind() -> BinaryIO:
        image.seek(start)
        return image

    return rewind


def _kind(file: BinaryIO) -> tuple[str, str]:
    """Return (suffix, media type) by the magic number of a file."""
    head = file.read(4)
    file.seek(-len(head), os.SEEK_CUR)
    if head == b"\x89PNG":
        return "png", "image/png"
    return ("jpg", "image/jpeg") if head[:3] == b"\xff\xd8\xff" else ("bin", "application/octet-stream")


def _remaining(file: BinaryIO) -> int:
    here = file.tell()
    end = file.seek(0, os.SEEK_END)
    file.seek(here)
    return end - here
