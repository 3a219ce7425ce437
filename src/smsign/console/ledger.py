"""For admins: search the ledger (the audit log of all changes), and verify its hash chains."""

from __future__ import annotations

from smsign.actions import ledger as actions
from smsign.console.context import Context, to_int
from smsign.domain.events import Kind, Subject
from smsign.http.wire import Response
from smsign.storage.rows import apps as app_rows
from smsign.storage.rows import events

PAGE = 50


async def search(ctx: Context) -> Response:
    """Search events, the newest first."""
    return await _page(ctx, verdict=None)


async def verify(ctx: Context) -> Response:
    """Verify every hash chain."""
    return await _page(ctx, verdict=await actions.verify(ctx.db))


async def _page(ctx: Context, *, verdict: actions.Verdict | None) -> Response:
    query = {name: ctx.query[name][:64] for name in ("kind", "actor", "subject", "number")}
    found, more = await events.search(
        ctx.db.scan,
        kind=query["kind"] if query["kind"] in set(Kind) else "",
        actor=app_rows.containing(query["actor"]) if query["actor"] else "",
        subject=query["subject"] if query["subject"] in set(Subject) else "",
        subject_id=to_int(query["number"]),
        before=ctx.query.number("before") or None,
        limit=PAGE,
    )
    return ctx.page(
        "ledger.html",
        events=found,
        more=more,
        query=query,
        kinds=list(Kind),
        subjects=list(Subject),
        verdict=verdict,
    )
