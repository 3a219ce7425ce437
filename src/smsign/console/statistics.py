"""For auditors and admins: statistics of the audit, with bar charts."""

from __future__ import annotations

from datetime import datetime

import msgspec

from smsign.console import pages
from smsign.console.context import Context
from smsign.http.wire import Response
from smsign.storage.rows import reasons, statistics
from smsign.storage.rows import signatures as rows

PERIODS_DAYS = (7, 30, 90)


class Bar(msgspec.Struct):
    """One bar of a chart: how many decisions passed, and how many refused."""

    label: str
    passed: int
    refused: int


async def show(ctx: Context) -> Response:
    """Show the queue, the waiting times, and the decisions by day, reason and auditor."""
    days = ctx.query.number("days")
    days = days if days in PERIODS_DAYS else 30
    offset = datetime.fromtimestamp(ctx.now / 1e6, ctx.zone).utcoffset()
    offset_us = int(offset.total_seconds()) * 1_000_000 if offset else 0
    today = (ctx.now + offset_us) // statistics.DAY_US
    since = (today - days + 1) * statistics.DAY_US - offset_us
    db = ctx.db.scan
    found = {each.day: each for each in await statistics.list_days(db, since, offset=offset_us)}
    bars = []
    for number in range(today - days + 1, today + 1):
        day = found.get(number)
        bars.append(Bar(pages.day_label(number), day.passed if day else 0, day.refused if day else 0))
    texts = await reasons.list_(ctx.db.read)
    oldest = await statistics.find_oldest(ctx.db.read)
    return ctx.page(
        "statistics.html",
        days=days,
        periods=PERIODS_DAYS,
        bars=bars,
        top=max([each.passed + each.refused for each in bars] + [1]),
        waits=await statistics.get_waits(db, since),
        waiting=pages.count_text(await rows.count_in_audit(db, up_to=pages.COUNTED + 1)),
        oldest=ctx.now - oldest if oldest is not None else None,
        reasons=[
            Bar(texts[code].title.to(ctx.language), 0, n)
            for code, n in await statistics.list_reasons(db, since)
        ],
        auditors=[
            Bar(pages.actor_name(actor), passed, refused)
            for actor, passed, refused in await statistics.list_auditors(db, since)
        ],
    )
