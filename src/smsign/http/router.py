"""The router of the API and the console: a table of paths, where a name in braces matches one segment."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Generic, TypeVar

T = TypeVar("T")

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class Router(Generic[T]):
    """Finds the route of a path. A path without names goes first, then the order of the table decides."""

    def __init__(self, table: Mapping[str, T]) -> None:
        self._table = table
        self._patterns: dict[int, list[tuple[tuple[str | None, ...], str]]] = {}
        for pattern in table:
            if "{" in pattern:
                parts = tuple(None if part[:1] == "{" else part for part in pattern.split("/"))
                self._patterns.setdefault(len(parts), []).append((parts, pattern))

    def find(self, path: str) -> tuple[str, T, list[str]] | None:
        """Return the pattern, its route, and the segments that its names match; None for an unknown path."""
        if path in self._table:
            return path, self._table[path], []
        segments = path.split("/")
        for parts, pattern in self._patterns.get(len(segments), ()):
            values = []
            for part, segment in zip(parts, segments, strict=True):
                if part is None and segment:
                    values.append(segment)
                elif part != segment:
                    break
            else:
                return pattern, self._table[pattern], values
        return None


def known_method(method: str) -> str:
    """Return a method as a label for metrics: OTHER for any that HTTP does not define, so labels stay few."""
    return method if method in METHODS else "OTHER"
