"""Filters and keyset pagination of the list of an application's signatures, newest first."""

from __future__ import annotations

import msgspec

from smsign.domain.content import normalize
from smsign.domain.signatures import Signature

HIGHEST = "\U0010ffff"
"""The highest code point: the upper bound of a prefix search."""

Cursor = tuple[int, int]
"""A position in the list: (created_at, id)."""

START: Cursor = (2**62, 0)


class Filters(msgspec.Struct, frozen=True, kw_only=True):
    """The filters of a list. `low` and `high` bound the content by code point; times are microseconds."""

    status: int | None = None
    use_status: int | None = None
    low: str = ""
    high: str = HIGHEST
    since: int = -(2**62)
    before: Cursor = START

    @property
    def by_content(self) -> bool:
        """Return whether there is a filter on the content."""
        return (self.low, self.high) != ("", HIGHEST)

    def matches(self, signature: Signature, *, in_use_id: int | None) -> bool:
        """Return whether a signature matches all filters."""
        return (
            self.status in (None, signature.status)
            and self.use_status in (None, int(signature.id == in_use_id))
            and self.low <= signature.content <= self.high
            and signature.created_at >= self.since
            and cursor_of(signature) < self.before
        )


def make_filters(
    *,
    status: int | None,
    use_status: int | None,
    sign: str | None,
    prefix: str | None,
    since: int | None,
    until: int | None,
    cursor: Cursor | None,
) -> Filters:
    """Return the filters of a request; `since` is inclusive, `until` exclusive."""
    low = normalize(prefix or "")
    high = low + HIGHEST
    if sign is not None:
        content = normalize(sign)
        low, high = max(low, content), min(high, content)
    return Filters(
        status=status,
        use_status=use_status,
        low=low,
        high=high,
        since=-(2**62) if since is None else since,
        before=min(cursor or START, START if until is None else (until, 0)),
    )


def cursor_of(signature: Signature) -> Cursor:
    """Return the position of a signature in the list."""
    return signature.created_at, signature.id
