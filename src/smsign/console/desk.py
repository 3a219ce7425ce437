"""The desk: the queue, one signature at a time under a lease, the decision, then the next one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence

import msgspec

from smsign.actions import audits as actions
from smsign.console import pages
from smsign.console.context import HOME, Context, Values, to_int
from smsign.console.signatures import list_revisions
from smsign.domain.audits import FIELDS
from smsign.domain.signatures import TEXT_FIELDS, Signature, Status
from smsign.errors import InvalidInput, NotFound, Text
from smsign.http.service import Service
from smsign.http.wire import Response
from smsign.storage.rows import apps as app_rows
from smsign.storage.rows import audits, desk, leases, reasons
from smsign.storage.rows import signatures as rows

DESK = f"{HOME}/desk"
LEASE_S = 120
"""The page renews the lease each 30 seconds; without scripts it ends, and may be taken again."""

PAGE = 50
POLL_S = 1.0
_NO_STORE = (b"cache-control", b"no-store")
_STREAM = ((b"content-type", b"text/event-stream"), _NO_STORE, (b"x-accel-buffering", b"no"))


class DecisionForm(msgspec.Struct):
    """A decision as it was posted: `reasons` maps the code of each reason to a field, or to nothing."""

    verdict: str = ""
    reasons: dict[str, str] = {}
    note: str = ""


async def show_queue(ctx: Context) -> Response:
    """Show the queue, oldest first."""
    return await _queue(ctx)


async def stream(ctx: Context) -> Response:
    """Send an event whenever the queue changes (HTML, 9.2 Server-sent events)."""
    return Response(200, b"", _STREAM, stream=_queue_events(ctx.service))


async def take_next(ctx: Context) -> Response:
    """Lease the oldest free signature."""
    return await _next(ctx, (0, 0))


async def take(ctx: Context, signature: int) -> Response:
    """Lease a signature; 409 if another auditor has it or it is decided."""
    try:
        await _lease(ctx, signature)
    except (InvalidInput, NotFound) as error:
        return await _review(ctx, signature, error=error.text)
    return ctx.redirect(f"{DESK}/{signature}")


async def show(ctx: Context, signature: int) -> Response:
    """Show a signature with everything that a decision needs."""
    return await _review(ctx, signature)


async def decide(ctx: Context, signature: int) -> Response:
    """Pass or refuse a signature, then open the next one."""
    form = await ctx.form()
    posted = _decision_form(form)
    try:
        decided = await _decide(ctx, signature, form.number("version") or None, posted)
    except InvalidInput as error:
        return await _review(ctx, signature, error=error.text, posted=posted)
    return await _next(ctx, (decided.submitted_at, decided.id), notice=posted.verdict)


async def decide_many(ctx: Context) -> Response:
    """Pass or refuse all selected signatures; those that another has or that were resubmitted are skipped."""
    form = await ctx.form()
    posted = _decision_form(form)
    chosen = [pair for text in form.all("id") if all(pair := _pair(text, ":"))]
    error, done = Text("no signature is selected", "尚未勾选任何签名"), 0
    for signature, version in chosen[: 2 * PAGE]:
        try:
            await _decide(ctx, signature, version, posted)
            done += 1
        except (InvalidInput, NotFound) as failed:
            error = failed.text
    if not done:
        return await _queue(ctx, error=error, chosen=chosen, posted=posted)
    return ctx.redirect(DESK, notice="many", n=done, skipped=len(chosen) - done)


async def renew(ctx: Context, signature: int) -> Response:
    """Renew the lease; 409 if it is lost."""
    try:
        await _lease(ctx, signature)
    except (InvalidInput, NotFound):
        return Response(409, b"", (_NO_STORE,))
    return Response(204, b"", (_NO_STORE,))


async def release(ctx: Context, signature: int) -> Response:
    """Release the lease; with `next`, take the signature behind it in the queue."""
    await actions.release(ctx.db, signature_id=signature, actor=ctx.user.actor)
    if ctx.query["next"] and (found := await rows.find_any(ctx.db.read, signature)):
        return await _next(ctx, (found.submitted_at, found.id))
    return ctx.redirect(DESK)


async def _queue(
    ctx: Context,
    *,
    error: Text | None = None,
    chosen: Sequence[tuple[int, int]] = (),
    posted: DecisionForm | None = None,
) -> Response:
    after = ctx.query["after"]
    waiting = await desk.list_waiting(ctx.db.scan, now=ctx.now, after=_pair(after, "-"), limit=PAGE + 1)
    last = waiting[PAGE - 1] if len(waiting) > PAGE else None
    rows_only = bool(ctx.query["part"])
    return ctx.page(
        "queue_rows.html" if rows_only else "queue.html",
        status=422 if error else 200,
        rows_only=rows_only,
        waiting=waiting[:PAGE],
        more=f"{last.submitted_at}-{last.id}" if last else None,
        after=after,
        count=pages.count_text(await rows.count_in_audit(ctx.db.scan, up_to=pages.COUNTED + 1)),
        reasons=await reasons.list_(ctx.db.read),
        error=error,
        chosen=frozenset(chosen),
        posted=posted or DecisionForm(),
        notice="" if error else ctx.notice("many", "empty"),
        decided=ctx.query.number("n"),
        skipped=ctx.query.number("skipped"),
    )


async def _next(ctx: Context, after: tuple[int, int], **query: object) -> Response:
    """Lease the oldest free signature behind `after`, or else the oldest of all."""
    for _ in range(20):  # another auditor may be quicker
        now = ctx.service.now()
        found = await desk.find_next(ctx.db.read, actor=ctx.user.actor, now=now, after=after)
        if found is None and after != (0, 0):
            after = (0, 0)
            continue
        if found is None:
            break
        try:
            await _lease(ctx, found)
        except (InvalidInput, NotFound):
            continue
        return ctx.redirect(f"{DESK}/{found}", **query)
    return ctx.redirect(DESK, notice="empty")


async def _lease(ctx: Context, signature_id: int) -> None:
    await actions.take(
        ctx.db, signature_id=signature_id, lease_s=LEASE_S, actor=ctx.user.actor, now=ctx.service.now()
    )


async def _decide(ctx: Context, signature_id: int, version: int | None, posted: DecisionForm) -> Signature:
    """Check that verdict and reasons agree, since the keys of both verdicts are close; then decide."""
    if posted.verdict not in ("pass", "refuse"):
        raise InvalidInput("choose pass or refuse", "请选择通过或驳回")
    if posted.verdict == "pass" and posted.reasons:
        raise InvalidInput("clear the reasons to pass it, or refuse it", "如要通过，请先取消勾选驳回原因")
    if posted.verdict == "refuse" and not posted.reasons:
        raise InvalidInput("select at least one reason to refuse it", "驳回时请至少勾选一条原因")
    return await actions.decide(
        ctx.db,
        signature_id=signature_id,
        passed=posted.verdict == "pass",
        reasons=[f"{code}:{field}" for code, field in posted.reasons.items()],
        note=posted.note,
        actor=ctx.user.actor,
        now=ctx.now,
        version=version,
    )


async def _review(
    ctx: Context, signature_id: int, *, error: Text | None = None, posted: DecisionForm | None = None
) -> Response:
    """Show a signature with everything that a decision needs; or who has it, or who decided it and how."""
    found = await rows.find_any(ctx.db.read, signature_id)
    lease = await leases.find(ctx.db.read, signature_id, now=ctx.now)
    in_audit = found is not None and found.status == Status.IN_AUDIT
    if found is None or not in_audit or (lease is not None and lease.actor != ctx.user.actor):
        decision = None
        if found is not None and not in_audit:
            decision = await audits.find(ctx.db.read, found.app_id, found.id, found.version)
        return ctx.page(
            "unavailable.html",
            status=409 if found else 404,
            signature=found,
            lease=lease,
            decision=decision,
            message=error,
        )
    others = await rows.list_of_app(ctx.db.scan, found.app_id, limit=10)
    revisions = await list_revisions(ctx.db.read, found)
    texts = [name for name in ("sign", "type", *TEXT_FIELDS) if name in FIELDS]
    return ctx.page(
        "desk.html",
        status=422 if error else 200,
        signature=found,
        app=await app_rows.find(ctx.db.read, found.app_id),
        revisions=revisions,
        reasons=await reasons.list_(ctx.db.read),
        others=[each for each in others if each.id != found.id],
        fields=[*texts, *(image.slot for image in revisions[0].images), "images"],
        error=error,
        posted=posted or DecisionForm(),
        notice="" if error else ctx.notice("pass", "refuse"),
    )


async def _queue_events(service: Service) -> AsyncIterator[bytes]:
    """Poll for changes, and yield an event for each; the empty chunks show when the browser is gone."""
    seen = None
    yield b": hello\n\n"
    while not service.stopping:
        mark = await desk.get_state(service.db.read, now=service.now())
        if seen not in (None, mark):
            yield b"event: queue\ndata: \n\n"
        seen = mark
        yield b""
        await asyncio.sleep(POLL_S)


def _decision_form(form: Values) -> DecisionForm:
    chosen = {code: form[f"field-{code}"] for code in form.all("reason")}
    return DecisionForm(form["verdict"], chosen, form["note"].strip())


def _pair(text: str, separator: str) -> tuple[int, int]:
    """Return two numbers: a signature and its version, or a position in the queue; (0, 0) for other text."""
    first, _, second = text.partition(separator)
    pair = to_int(first), to_int(second)
    return pair if all(pair) else (0, 0)
