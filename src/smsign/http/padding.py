"""Padding behind the boundary lines of a multipart body, which the parser does not know (RFC 2046, 5.1.1)."""

from __future__ import annotations

import re

PADDING_MAX = 100
"""Most bytes of padding behind one boundary that is split over two chunks."""


class PaddingFilter:
    """Removes spaces and tabs between a boundary and its line break, chunk by chunk."""

    def __init__(self, boundary: bytes) -> None:
        self._delimiter = b"--" + boundary
        self._padded = re.compile(re.escape(self._delimiter) + rb"[ \t]+(?=\r\n)")
        self._held = b""

    def feed(self, chunk: bytes) -> bytes:
        """Return the next bytes; the end of a chunk is held back while it may be part of a padded line."""
        data = self._held + chunk if self._held else chunk
        at = self._open_line(data)
        self._held = data[at:]
        data = data[:at]
        return self._padded.sub(lambda _: self._delimiter, data) if self._delimiter in data else data

    def _open_line(self, data: bytes) -> int:
        """Return where a boundary line begins that the end of `data` cuts off, or the length of `data`."""
        at = data.find(b"-", max(0, len(data) - len(self._delimiter) - PADDING_MAX))
        while at >= 0:
            end = data[at:]
            if self._delimiter.startswith(end):
                return at
            if end.startswith(self._delimiter) and not end[len(self._delimiter) :].strip(b" \t\r"):
                return at
            at = data.find(b"-", at + 1)
        return len(data)

    def close(self) -> bytes:
        """Return what was held back."""
        held, self._held = self._held, b""
        return held
