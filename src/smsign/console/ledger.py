"""For admins: search the ledger (the audit log of all changes), and verify its hash chains."""

from __future__ import annotations

from smsign.actions import events as actions
from smsign.console.context import Context, to_int
from smsign.domain.events import Kind, Subject
from smsign.http.wire import Response
from smsign.storage.rows import apps as app_rows
<<<<<<< HEAD
from smsign.storage.rows import events
=======
from smsign.storage.rows import events, reasons, statistics
from smsign.storage.rows import signatures as rows
>>>>>>> 932fe89 (Name storage and worker by the standard terms; the engines report their own health)

PAGE = 50


async def search(ctx: Context) -> Response:
    """Search events, the newest first."""
    return await _page(ctx, verdict=None)


async def verify(ctx: Context) -> Response:
    """Verify every hash chain."""
    return await _page(ctx, verdict=await actions.verify(ctx.db))


<<<<<<< HEAD
async def _page(ctx: Context, *, verdict: actions.Verdict | None) -> Response:
    query = {name: ctx.query[name][:64] for name in ("kind", "actor", "subject", "number")}
=======
async def show_figures(ctx: Context) -> Response:
    """Show how the audit goes."""
    days = int_of(ctx.query.get("days", ""))
    days = days if days in SPANS_DAYS else 30
    offset = datetime.fromtimestamp(ctx.now / 1e6, ctx.zone).utcoffset()
    offset_us = int(offset.total_seconds()) * 1_000_000 if offset else 0
    today = (ctx.now + offset_us) // statistics.DAY_US
    since = (today - days + 1) * statistics.DAY_US - offset_us
    db = ctx.db.scan
    found = {each.day: each for each in await statistics.list_days(db, since, offset=offset_us)}
    bars = []
    for number in range(today - days + 1, today + 1):
        each = found.get(number)
        bars.append(Bar(pages.day(number), each.passed if each else 0, each.refused if each else 0))
    known = await reasons.list_(ctx.db.read)
    told = [(known[code].title.to(ctx.language), n) for code, n in await statistics.list_reasons(db, since)]
    oldest = await statistics.find_oldest(ctx.db.read)
    return ctx.page(
        "figures.html",
        days=days,
        spans=SPANS_DAYS,
        bars=bars,
        top=max([each.low + each.high for each in bars] + [1]),
        waits=await statistics.get_waits(db, since),
        waiting=await rows.count_in_audit(db),
        oldest=ctx.now - oldest if oldest is not None else None,
        reasons=[Bar(title, 0, n) for title, n in told],
        auditors=[
            Bar(pages.who(who), low, high) for who, low, high in await statistics.list_auditors(db, since)
        ],
    )


async def _ledger(ctx: Context, *, verdict: actions.Verdict | None) -> Response:
    query = {name: ctx.query.get(name, "")[:64] for name in ("kind", "actor", "subject", "number")}
    before = int_of(ctx.query.get("before", "")) or 2**62
>>>>>>> 932fe89 (Name storage and worker by the standard terms; the engines report their own health)
    found = await events.search(
        ctx.db.scan,
        kind=query["kind"] if query["kind"] in set(Kind) else "",
        actor=app_rows.containing(query["actor"]) if query["actor"] else "",
        subject=query["subject"] if query["subject"] in set(Subject) else "",
        subject_id=to_int(query["number"]),
        before=ctx.query.number("before") or 2**62,
        limit=PAGE + 1,
    )
    return ctx.page(
        "ledger.html",
        events=found[:PAGE],
        more=found[PAGE - 1].id if len(found) > PAGE else None,
        query=query,
        kinds=list(Kind),
        subjects=list(Subject),
        verdict=verdict,
    )
