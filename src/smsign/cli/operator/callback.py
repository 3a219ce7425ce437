"""`smsign callback …`: the callbacks (webhooks) of an application."""

from __future__ import annotations

import functools
from datetime import datetime
from typing import Any

import click
import msgspec
from rich.text import Text

from smsign.actions import callbacks as actions
from smsign.actions import redelivery
from smsign.cli.language import say, word
from smsign.cli.options import Command, actor, now, take_settings, with_stores
from smsign.cli.output import local_time, show_fields, show_json, show_table
from smsign.domain import callbacks
from smsign.domain.apps import App
from smsign.domain.callbacks import Callback, Delivery
from smsign.domain.formats import FORMATS
from smsign.parsing import rfc3339
from smsign.storage.open import Stores
from smsign.storage.rows import apps, deliveries, outbox
from smsign.storage.rows import callbacks as rows

_STYLES = {"active": "green", "paused": "red", "delivered": "green", "failed": "red"}
_FORMAT = click.Choice(list(FORMATS))


def with_callback(command: Command) -> Command:
    """Make a command of `async (stores, app, callback, …)`: add the arguments NAME and ID."""

    @click.argument("name")
    @click.argument("callback_id", metavar="ID", type=int)
    @functools.wraps(command)
    async def run(stores: Stores, name: str, callback_id: int, **given: Any) -> None:
        app = await apps.get(stores.db.read, name)
        found = await rows.find(stores.db.read, app.id, callback_id)
        if found is None:
            raise callbacks.unknown("callback_id")
        await command(stores, app, found, **given)

    return with_stores(run)


@click.group()
def callback() -> None:
    """Create and manage callbacks (webhooks).

    NAME is the name or appKey of the application, ID the number of the callback: smsign callback list NAME.
    """


@callback.command()
@click.argument("name")
@click.argument("url")
@click.option("--format", type=_FORMAT, default="standard", show_default=True, help="Format of the requests.")
@click.option("--form", type=_FORMAT, hidden=True)  # the old name of --format, until 1.0
@with_stores
async def add(stores: Stores, name: str, url: str, *, format: str, form: str | None, as_json: bool) -> None:
    """Add a callback and print its secret.

    With the vendor format, the URL must answer a request with its echostr first.
    """
    from smsign.worker.sender import make_sender  # lazy: slow to import

    app = await apps.get(stores.db.read, name)
    sender = make_sender(take_settings(dict(click.get_current_context().params)))
    made = await actions.register(
        stores.db, stores.vault, sender, app=app, url=url, format=form or format, actor=actor(), now=now()
    )
    await _show(stores, app, made, as_json=as_json, secret=True)


@callback.command("list")
@click.argument("name")
@with_stores
async def list_(stores: Stores, name: str, *, as_json: bool) -> None:
    """List the callbacks of an application."""
    app = await apps.get(stores.db.read, name)
    found = [await _public(stores, each) for each in await rows.list_(stores.db.read, app.id)]
    if as_json:
        show_json(found)
        return
    show_table(
        ["id", "url", "format", "state", "pending"],
        [[each["callback_id"], each["url"], each["format"], _state(each), each["pending"]] for each in found],
        empty=say(
            f"No callbacks yet. Add one: smsign callback add {name} https://…",
            f"还没有回调。添加：smsign callback add {name} https://…",
        ),
    )


@callback.command()
@click.option("--secret", is_flag=True, help="Show the secret too.")
@with_callback
async def show(stores: Stores, app: App, found: Callback, *, secret: bool, as_json: bool) -> None:
    """Show a callback."""
    await _show(stores, app, found, as_json=as_json, secret=secret)


@callback.command()
@with_callback
async def remove(stores: Stores, app: App, found: Callback, *, as_json: bool) -> None:
    """Remove a callback; pending events are not delivered."""
    await actions.remove(stores.db, app=app, callback_id=found.id, actor=actor(), now=now())
    show_json({"removed": found.id}) if as_json else click.echo(
        say(f"callback {found.id} removed", f"回调 {found.id} 已删除")
    )


@callback.command()
@click.option(
    "--overlap",
    "overlap_s",
    default=callbacks.OVERLAP_S,
    show_default=True,
    metavar="N",
    type=click.IntRange(0, callbacks.OVERLAP_MAX_S),
    help="Seconds for which both secrets sign.",
)
@with_callback
async def rotate(stores: Stores, app: App, found: Callback, *, overlap_s: int, as_json: bool) -> None:
    """Rotate the secret of a callback."""
    changed = await actions.rotate(
        stores.db,
        stores.vault,
        app=app,
        callback_id=found.id,
        overlap_s=overlap_s,
        actor=actor(),
        now=now(),
    )
    await _show(stores, app, changed, as_json=as_json, secret=True)


@callback.command()
@with_callback
async def pause(stores: Stores, app: App, found: Callback, *, as_json: bool) -> None:
    """Pause a callback; its events stay pending."""
    changed = await actions.pause(stores.db, app=app, callback_id=found.id, actor=actor(), now=now())
    await _show(stores, app, changed, as_json=as_json)


@callback.command()
@with_callback
async def resume(stores: Stores, app: App, found: Callback, *, as_json: bool) -> None:
    """Resume a callback and deliver its pending events in order."""
    changed = await actions.resume(stores.db, app=app, callback_id=found.id, actor=actor(), now=now())
    await _show(stores, app, changed, as_json=as_json)


@callback.command("deliveries")
@click.option("--state", type=click.Choice(["delivered", "failed"]), help="Filter by state.")
@click.option(
    "--limit",
    default=20,
    show_default=True,
    metavar="N",
    type=click.IntRange(1, 1000),
    help="Maximum number.",
)
@with_callback
async def list_deliveries(
    stores: Stores, _: App, found: Callback, *, state: str | None, limit: int, as_json: bool
) -> None:
    """List delivery attempts, newest first."""
    attempts = await deliveries.list_(stores.db.scan, found.id, state=state or "", limit=limit)
    if as_json:
        show_json([_attempt(each) for each in attempts])
        return
    show_table(
        ["id", "at", "signature", "event", "attempt", "state", "response", "ms"],
        [
            [
                each.id,
                local_time(each.at),
                each.signature_id,
                each.kind,
                each.attempt,
                Text(word(each.state), style=_STYLES[each.state]),
                each.error or each.status or "",
                each.ms,
            ]
            for each in attempts
        ],
        empty="No deliveries yet.",
    )


@callback.command()
@with_callback
@click.argument("delivery_id", metavar="DELIVERY", type=int)
async def resend(stores: Stores, app: App, found: Callback, *, delivery_id: int, as_json: bool) -> None:
    """Deliver the event of a delivery again.

    DELIVERY is the number of the delivery: smsign callback deliveries NAME ID.
    """
    await redelivery.resend(
        stores.db, app=app, callback_id=found.id, delivery_id=delivery_id, actor=actor(), now=now()
    )
    show_json({"events": 1}) if as_json else _queued(1)


@callback.command()
@click.option(
    "--since",
    required=True,
    type=click.DateTime(),
    metavar="TIME",
    help="Start in local time, inclusive, such as 2026-01-31 or 2026-01-31T08:00:00.",
)
@click.option("--until", type=click.DateTime(), metavar="TIME", help="End in local time, exclusive.  [now]")
@with_callback
async def replay(
    stores: Stores, app: App, found: Callback, *, since: datetime, until: datetime | None, as_json: bool
) -> None:
    """Deliver all events of a time range again."""
    count = await redelivery.replay(
        stores.db,
        app=app,
        callback_id=found.id,
        since=round(since.timestamp() * 1e6),
        until=round(until.timestamp() * 1e6) if until else now(),
        actor=actor(),
        now=now(),
    )
    show_json({"events": count}) if as_json else _queued(count)


def _queued(count: int) -> None:
    events = "event" if count == 1 else "events"
    click.echo(say(f"{count:,} {events} queued for delivery", f"{count:,} 个事件已排入投递"))


async def _show(stores: Stores, app: App, found: Callback, *, as_json: bool, secret: bool = False) -> None:
    fields = await _public(stores, found)
    if secret:
        fields["secret"] = actions.secret_of(stores.vault, app, found)
    if as_json:
        show_json(fields)
        return
    fields["state"] = _state(fields)
    show_fields({name: value for name, value in fields.items() if value is not None})


async def _public(stores: Stores, found: Callback) -> dict[str, Any]:
    backlog = await outbox.count(stores.db.scan, found.id)
    return {
        "callback_id": found.id,
        "url": found.url,
        "format": found.format,
        "state": found.state,
        "why": found.why or None,
        "failures": found.failures,
        "pending": backlog.size,
        "created_at": rfc3339(found.created_at),
    }


def _attempt(delivery: Delivery) -> dict[str, Any]:
    return msgspec.structs.asdict(delivery) | {"headers": msgspec.json.decode(delivery.headers)}


def _state(fields: dict[str, Any]) -> Text:
    return Text(word(fields["state"]), style=_STYLES[fields["state"]])
