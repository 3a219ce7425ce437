"""For admins: the ledger searched and verified, and the page of figures with its plots."""

from __future__ import annotations

from datetime import datetime

import msgspec

from smsign.actions import events as actions
from smsign.console import pages
from smsign.console.apps import int_of
from smsign.console.context import Context
from smsign.domain.events import Kind, Subject
from smsign.http.wire import Response
from smsign.storage.rows import apps as app_rows
from smsign.storage.rows import events, figures, reasons
from smsign.storage.rows import signatures as rows

PAGE = 50
SPANS_DAYS = (7, 30, 90)


class Bar(msgspec.Struct):
    """One bar of a plot, in the plot's own units: lower and upper part, and its label."""

    label: str
    low: int
    high: int


async def search(ctx: Context) -> Response:
    """Search the ledger, the newest first."""
    return await _ledger(ctx, verdict=None)


async def verify(ctx: Context) -> Response:
    """Walk every chain now."""
    return await _ledger(ctx, verdict=await actions.verify(ctx.db))


async def show_figures(ctx: Context) -> Response:
    """Show how the audit goes."""
    days = int_of(ctx.query.get("days", ""))
    days = days if days in SPANS_DAYS else 30
    offset = datetime.fromtimestamp(ctx.now / 1e6, ctx.zone).utcoffset()
    offset_us = int(offset.total_seconds()) * 1_000_000 if offset else 0
    today = (ctx.now + offset_us) // figures.DAY_US
    since = (today - days + 1) * figures.DAY_US - offset_us
    db = ctx.db.scan
    found = {each.day: each for each in await figures.list_days(db, since, offset=offset_us)}
    bars = []
    for number in range(today - days + 1, today + 1):
        each = found.get(number)
        bars.append(Bar(pages.day(number), each.passed if each else 0, each.refused if each else 0))
    known = await reasons.list_(ctx.db.read)
    told = [(known[code].title.to(ctx.language), n) for code, n in await figures.list_reasons(db, since)]
    oldest = await figures.find_oldest(ctx.db.read)
    return ctx.page(
        "figures.html",
        days=days,
        spans=SPANS_DAYS,
        bars=bars,
        top=max([each.low + each.high for each in bars] + [1]),
        waits=await figures.get_waits(db, since),
        waiting=await rows.count_in_audit(db),
        oldest=ctx.now - oldest if oldest is not None else None,
        reasons=[Bar(title, 0, n) for title, n in told],
        auditors=[
            Bar(pages.who(who), low, high) for who, low, high in await figures.list_auditors(db, since)
        ],
    )


async def _ledger(ctx: Context, *, verdict: actions.Verdict | None) -> Response:
    query = {name: ctx.query.get(name, "")[:64] for name in ("kind", "actor", "subject", "number")}
    before = int_of(ctx.query.get("before", "")) or 2**62
    found = await events.search(
        ctx.db.scan,
        kind=query["kind"] if query["kind"] in set(Kind) else "",
        actor=app_rows.containing(query["actor"]) if query["actor"] else "",
        subject=query["subject"] if query["subject"] in set(Subject) else "",
        subject_id=int_of(query["number"]),
        before=before,
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
