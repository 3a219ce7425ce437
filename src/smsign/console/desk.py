"""The desk: the queue, one signature at a time under a lease, the decision, then the next one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence

from smsign.actions import audits as actions
from smsign.console.context import HOME, Context
from smsign.console.signatures import rounds
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
"""Renewed by the page each 30 seconds; without scripts the auditor has this long, and may take it again."""

PAGE = 50
LOOK_S = 1.0
_STREAM = (
    (b"content-type", b"text/event-stream"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),
)


async def show_queue(ctx: Context) -> Response:
    """Show what waits, oldest first."""
    return await _queue(ctx)


async def live(ctx: Context) -> Response:
    """Tell the browser whenever the queue changed (HTML, 9.2 Server-sent events)."""
    return Response(200, b"", _STREAM, stream=_changes(ctx.service))


async def take_next(ctx: Context) -> Response:
    """Take the oldest that nobody has."""
    return await _next(ctx, (0, 0))


async def take(ctx: Context, signature: int) -> Response:
    """Take one to the desk; who already has it is told otherwise."""
    try:
        await actions.take(
            ctx.db, signature_id=signature, lease_s=LEASE_S, actor=ctx.person.actor, now=ctx.now
        )
    except (InvalidInput, NotFound) as error:
        return await _open(ctx, signature, error=error.text)
    return ctx.go(f"{DESK}/{signature}")


async def show(ctx: Context, signature: int) -> Response:
    """Show the signature that this auditor has taken, with all that a decision needs."""
    return await _open(ctx, signature)


async def decide(ctx: Context, signature: int) -> Response:
    """Pass or refuse, then open the next one."""
    fields = await ctx.form()
    verdict, grounds, note = _verdict(fields), _grounds(fields), _note(fields)
    try:
        _check(verdict, grounds)
        version = _number(fields.get("version", [""])[-1])
        decided = await _decide(ctx, signature, version, passed=verdict == "pass", grounds=grounds, note=note)
    except InvalidInput as error:
        return await _open(ctx, signature, error=error.text, grounds=grounds, note=note)
    return await _next(ctx, (decided.submitted_at, decided.id), done=verdict)


async def decide_many(ctx: Context) -> Response:
    """Pass or refuse all that are ticked; what another has, or was submitted anew, is left and counted."""
    fields = await ctx.form()
    verdict, grounds, note = _verdict(fields), _grounds(fields), _note(fields)
    chosen = [pair for text in fields.get("id", []) if (pair := _pair(text))]
    done, errors = 0, []
    try:
        _check(verdict, grounds)
        if not chosen:
            raise InvalidInput("nothing is ticked", "尚未勾选任何签名")
        for signature, version in chosen[: 2 * PAGE]:
            try:
                await _decide(ctx, signature, version, passed=verdict == "pass", grounds=grounds, note=note)
                done += 1
            except (InvalidInput, NotFound) as error:
                errors.append(error)
        if not done:
            raise errors[0]
    except (InvalidInput, NotFound) as error:
        return await _queue(ctx, error=error.text, chosen=chosen, grounds=grounds, note=note)
    return ctx.go(DESK, done="many", n=done, failed=len(chosen) - done)


async def renew(ctx: Context, signature: int) -> Response:
    """Keep it a while longer; 409 tells the page that it is gone."""
    try:
        await actions.take(
            ctx.db, signature_id=signature, lease_s=LEASE_S, actor=ctx.person.actor, now=ctx.now
        )
    except (InvalidInput, NotFound):
        return Response(409, b"", ((b"cache-control", b"no-store"),))
    return Response(204, b"", ((b"cache-control", b"no-store"),))


async def release(ctx: Context, signature: int) -> Response:
    """Put it back in the queue; with `next`, take the one behind it."""
    await actions.release(ctx.db, signature_id=signature, actor=ctx.person.actor)
    if ctx.query.get("next") and (found := await rows.find_any(ctx.db.read, signature)):
        return await _next(ctx, (found.submitted_at, found.id))
    return ctx.go(DESK)


async def _queue(
    ctx: Context,
    *,
    error: Text | None = None,
    chosen: Sequence[tuple[int, int]] = (),
    grounds: Sequence[str] = (),
    note: str = "",
) -> Response:
    after = _position(ctx.query.get("after", ""))
    waiting = await desk.list_waiting(ctx.db.scan, now=ctx.now, after=after, limit=PAGE + 1)
    last = waiting[PAGE - 1] if len(waiting) > PAGE else None
    return ctx.page(
        "rows.html" if ctx.query.get("part") else "queue.html",
        status=422 if error else 200,
        waiting=waiting[:PAGE],
        more=f"{last.submitted_at}-{last.id}" if last else None,
        after=ctx.query.get("after", ""),
        count=await rows.count_in_audit(ctx.db.scan),
        reasons=await reasons.list_(ctx.db.read),
        error=error,
        chosen=frozenset(chosen),
        ticked=_ticked(grounds),
        note=note,
        done="" if error else ctx.done("many", "empty"),
        told=_number(ctx.query.get("n", "")) or 0,
        failed=_number(ctx.query.get("failed", "")) or 0,
    )


async def _next(ctx: Context, after: tuple[int, int], **query: object) -> Response:
    """Take the oldest free one behind `after`, or else the oldest of all."""
    for _ in range(20):  # somebody may be quicker
        actor, now = ctx.person.actor, ctx.service.now()
        found = await desk.find_next(ctx.db.read, actor=actor, now=now, after=after)
        if found is None and after != (0, 0):
            after = (0, 0)
            continue
        if found is None:
            break
        try:
            await actions.take(ctx.db, signature_id=found, lease_s=LEASE_S, actor=actor, now=now)
        except (InvalidInput, NotFound):
            continue
        return ctx.go(f"{DESK}/{found}", **query)
    return ctx.go(DESK, done="empty")


async def _decide(
    ctx: Context, signature: int, version: int | None, *, passed: bool, grounds: Sequence[str], note: str
) -> Signature:
    return await actions.decide(
        ctx.db,
        signature_id=signature,
        passed=passed,
        reasons=grounds,
        note=note,
        actor=ctx.person.actor,
        now=ctx.now,
        version=version,
    )


async def _open(
    ctx: Context,
    signature: int,
    *,
    error: Text | None = None,
    grounds: Sequence[str] = (),
    note: str = "",
) -> Response:
    """Show a signature with what a decision needs; or who has it, or who decided it and how."""
    found = await rows.find_any(ctx.db.read, signature)
    lease = await leases.find(ctx.db.read, signature, now=ctx.now)
    in_audit = found is not None and found.status == Status.IN_AUDIT
    if found is not None and in_audit and (lease is None or lease.actor == ctx.person.actor):
        return await _work(ctx, found, error=error, grounds=grounds, note=note)
    decision = None
    if found is not None and not in_audit:
        decision = await audits.find(ctx.db.read, found.app_id, found.id, found.version)
    return ctx.page(
        "gone.html",
        status=409 if found else 404,
        signature=found,
        lease=lease,
        decision=decision,
        message=error,
    )


async def _work(
    ctx: Context, found: Signature, *, error: Text | None, grounds: Sequence[str], note: str
) -> Response:
    history = await rows.list_of_app(ctx.db.scan, found.app_id, limit=10)
    all_rounds = await rounds(ctx.db.read, found)
    shown = [image.slot for image in all_rounds[0].images]
    texts = [name for name in ("sign", "type", *TEXT_FIELDS) if name in FIELDS]
    return ctx.page(
        "desk.html",
        status=422 if error else 200,
        signature=found,
        app=await app_rows.find(ctx.db.read, found.app_id),
        rounds=all_rounds,
        reasons=await reasons.list_(ctx.db.read),
        history=[each for each in history if each.id != found.id],
        targets=[*texts, *shown, "images"],
        count=await rows.count_in_audit(ctx.db.scan),
        error=error,
        ticked=_ticked(grounds),
        note=note,
        done="" if error else ctx.done("pass", "refuse"),
    )


async def _changes(service: Service) -> AsyncIterator[bytes]:
    seen = None
    yield b": hello\n\n"
    while not service.stopping:
        mark = await desk.get_mark(service.db.read, now=service.now())
        if seen not in (None, mark):
            yield b"event: queue\ndata: \n\n"
        seen = mark
        yield b""
        await asyncio.sleep(LOOK_S)


def _verdict(fields: dict[str, list[str]]) -> str:
    return fields.get("verdict", [""])[-1]


def _check(verdict: str, grounds: Sequence[str]) -> None:
    """See that the verdict and the ticked reasons say the same: the keys of both verdicts are close."""
    if verdict not in ("pass", "refuse"):
        raise InvalidInput("choose: pass or refuse", "请选择通过或驳回")
    if verdict == "pass" and grounds:
        raise InvalidInput("untick the reasons to pass it, or refuse it", "如要通过，请先取消勾选驳回原因")
    if verdict == "refuse" and not grounds:
        raise InvalidInput("tick at least one reason to refuse it", "驳回时请至少勾选一条原因")


def _grounds(fields: dict[str, list[str]]) -> list[str]:
    codes = fields.get("reason", [])
    return [f"{code}:{fields.get(f'field-{code}', [''])[-1]}" for code in codes]


def _ticked(grounds: Sequence[str]) -> dict[str, str]:
    return dict(each.split(":", 1) for each in grounds)


def _note(fields: dict[str, list[str]]) -> str:
    return fields.get("note", [""])[-1].strip()


def _pair(text: str) -> tuple[int, int] | None:
    """Return the signature and the version that a row of the queue showed."""
    number, _, version = text.partition(":")
    return (int(number), int(version)) if _number(number) and _number(version) else None


def _position(text: str) -> tuple[int, int]:
    at, _, number = text.partition("-")
    return (int(at), int(number)) if _number(at) and _number(number) else (0, 0)


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None
