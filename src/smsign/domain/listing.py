"""Which of an application's signatures a list has, and in what order: newest first."""

from __future__ import annotations

import msgspec

from smsign.domain.signatures import Signature

HIGHEST = "\U0010ffff"
"""Behind every character that a signature may have, whatever follows a prefix."""

Place = tuple[int, int]
"""Where a signature stands: (created_at, id)."""

END: Place = (2**62, 0)


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """The filters of a list. `low` and `high` bound the content by code point; times are UTC microseconds."""

    status: int | None = None
    use_status: int | None = None
    low: str = ""
    high: str = HIGHEST
    since: int = -(2**62)
    before: Place = END

    @property
    def by_content(self) -> bool:
        """Return whether the content is bounded."""
        return (self.low, self.high) != ("", HIGHEST)

    def admits(self, signature: Signature, *, in_use_id: int | None) -> bool:
        """Say whether a signature passes all filters."""
        return (
            self.status in (None, signature.status)
            and self.use_status in (None, int(signature.id == in_use_id))
            and self.low <= signature.content <= self.high
            and signature.created_at >= self.since
            and place(signature) < self.before
        )


def want(
    *,
    status: int | None,
    use_status: int | None,
    sign: str | None,
    prefix: str | None,
    since: int | None,
    until: int | None,
    cursor: Place | None,
) -> Wanted:
    """Return the filters that a request asks for; `since` is inclusive, `until` exclusive."""
    low, high = prefix or "", (prefix or "") + HIGHEST
    if sign is not None:
        low, high = max(low, sign), min(high, sign)
    return Wanted(
        status=status,
        use_status=use_status,
        low=low,
        high=high,
        since=-(2**62) if since is None else since,
        before=min(cursor or END, END if until is None else (until, 0)),
    )


def place(signature: Signature) -> Place:
    """Return where a signature stands in the list."""
    return signature.created_at, signature.id
