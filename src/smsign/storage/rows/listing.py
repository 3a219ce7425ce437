"""Keyset pagination of an application's signatures, by the indexes of 0004_calls.sql."""

from __future__ import annotations

import msgspec

from smsign.domain.apps import App
from smsign.domain.audits import REASONS
from smsign.domain.listing import Filters, cursor_of
from smsign.domain.signatures import Signature, Status
from smsign.storage.engine.protocol import Reader
from smsign.storage.rows import signatures


def _page(more: str) -> str:
    return f"""SELECT page.id, page.app_id, page.content, page.status, page.version, page.created_at,
    page.submitted_at, decision.note, (SELECT string_agg(decision_reason.code, ' ') FROM decision_reason
      WHERE decision_reason.signature_id = page.id AND decision_reason.version = page.version)
  FROM (SELECT {signatures.COLUMNS} FROM signature
    WHERE app_id = $1 AND status > 0 AND deleted_at IS NULL
      AND (created_at, id) < ($2, $3) AND created_at >= $4 AND status BETWEEN $5 AND $6 AND id <> $7{more}
    ORDER BY created_at DESC, id DESC LIMIT $8) AS page
  LEFT JOIN decision ON decision.signature_id = page.id AND decision.version = page.version
  ORDER BY page.created_at DESC, page.id DESC"""


_BY_TIME = _page("")
_OF_CONTENT = (  # a unary `+` keeps SQLite from using the index by time
    _page(" AND content {binary} = $9")
    .replace("(created_at, id) <", "(+created_at, id) <")
    .replace("AND created_at >=", "AND +created_at >=")
)
_BY_CONTENT = _page(" AND content {binary} BETWEEN $9 AND $10")


class Listed(msgspec.Struct, frozen=True):
    """A signature; if it was refused, with its reasons and note."""

    signature: Signature
    reasons: tuple[str, ...] = ()
    note: str = ""


async def list_(db: Reader, app: App, filters: Filters, *, limit: int) -> list[Listed]:
    """Return up to `limit` of an application's signatures, the newest first."""
    if filters.use_status == 1:
        alone = await signatures.find(db, app.id, app.in_use_id) if app.in_use_id else None
        return _matching(alone, app, filters)
    waiting = None
    if filters.status in (None, Status.IN_AUDIT):
        in_audit = await signatures.find_in_audit(db, app.id)
        waiting = await signatures.find(db, app.id, in_audit) if in_audit else None
    found = _matching(waiting, app, filters)
    if filters.status != Status.IN_AUDIT:
        found += await _list_decided(db, app, filters, limit=limit)
        found.sort(key=lambda each: cursor_of(each.signature), reverse=True)
    return found[:limit]


def _matching(signature: Signature | None, app: App, filters: Filters) -> list[Listed]:
    if signature is None or not filters.matches(signature, in_use_id=app.in_use_id):
        return []
    return [Listed(signature)]


async def _list_decided(db: Reader, app: App, filters: Filters, *, limit: int) -> list[Listed]:
    least, most = (1, 2) if filters.status is None else (filters.status, filters.status)
    left_out = (app.in_use_id or 0) if filters.use_status == 0 else 0
    bounds = (app.id, *filters.before, filters.since, least, most, left_out, limit)
    if filters.low == filters.high:  # an index has these in the list's own order
        rows = await db.all(_OF_CONTENT, *bounds, filters.low)
    elif filters.by_content:
        rows = await db.all(_BY_CONTENT, *bounds, filters.low, filters.high)
    else:
        rows = await db.all(_BY_TIME, *bounds)
    return [
        Listed(
            Signature(row[0], row[1], row[2], row[3], row[4], row[5], row[6]),
            tuple(code for code in REASONS if code in (row[8] or "").split()),
            row[7] or "",
        )
        for row in rows
    ]
