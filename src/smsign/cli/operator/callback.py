"""`smsign callback …`: where an application's events are told."""

from __future__ import annotations

from typing import Any

import click
import msgspec
from rich.text import Text

from smsign.actions import callbacks as actions
from smsign.actions import redelivery
from smsign.cli.options import actor, now, stored, take_settings
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


@click.group()
def callback() -> None:
    """Manage callbacks: where an application's events are told.

    NAME is the application's name or appKey.
    """


@callback.command()
@click.argument("name")
@click.argument("url")
@click.option("--form", type=click.Choice(list(FORMATS)), default="standard", help="How events are told.")
@stored
async def add(stores: Stores, name: str, url: str, *, form: str, as_json: bool) -> None:
    """Add an endpoint; answers its secret. The vendor's form asks it to echo first."""
    from smsign.worker.sender import make_sender  # the HTTP client takes long to load

    app = await apps.get(stores.db.read, name)
    sender = make_sender(take_settings(dict(click.get_current_context().params)))
    made = await actions.register(
        stores.db, stores.vault, sender, app=app, url=url, format=form, actor=actor(), now=now()
    )
    await _show(stores, app, made, as_json=as_json, secret=True)


@callback.command("list")
@click.argument("name")
@stored
async def list_(stores: Stores, name: str, *, as_json: bool) -> None:
    """List an application's endpoints."""
    app = await apps.get(stores.db.read, name)
    found = [await _public(stores, each) for each in await rows.list_(stores.db.read, app.id)]
    if as_json:
        show_json(found)
        return
    show_table(
        ["id", "address", "form", "state", "pending"],
        [[each["callback_id"], each["url"], each["format"], _state(each), each["pending"]] for each in found],
        empty=f"No endpoints yet. Add one with: smsign callback add {name} https://…",
    )


@callback.command()
@click.argument("name")
@click.argument("callback_id", metavar="ID", type=int)
@click.option("--secret", is_flag=True, help="Show its secret too.")
@stored
async def show(stores: Stores, name: str, callback_id: int, *, secret: bool, as_json: bool) -> None:
    """Show one endpoint."""
    app, found = await _find(stores, name, callback_id)
    await _show(stores, app, found, as_json=as_json, secret=secret)


@callback.command()
@click.argument("name")
@click.argument("callback_id", metavar="ID", type=int)
@stored
async def remove(stores: Stores, name: str, callback_id: int, *, as_json: bool) -> None:
    """Remove an endpoint; what still waited for it is not told."""
    app, found = await _find(stores, name, callback_id)
    await actions.remove(stores.db, app=app, callback_id=found.id, actor=actor(), now=now())
    show_json({"removed": found.id}) if as_json else click.echo(f"endpoint {found.id} removed")


@callback.command()
@click.argument("name")
@click.argument("callback_id", metavar="ID", type=int)
@click.option(
    "--overlap",
    "overlap_s",
    default=callbacks.OVERLAP_S,
    show_default=True,
    type=click.IntRange(0, callbacks.OVERLAP_MAX_S),
    help="Seconds that the old one signs too.",
)
@stored
async def rotate(stores: Stores, name: str, callback_id: int, *, overlap_s: int, as_json: bool) -> None:
    """Give an endpoint a new secret."""
    app, found = await _find(stores, name, callback_id)
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
@click.argument("name")
@click.argument("callback_id", metavar="ID", type=int)
@stored
async def pause(stores: Stores, name: str, callback_id: int, *, as_json: bool) -> None:
    """Stop telling an endpoint; its events wait for it."""
    app, found = await _find(stores, name, callback_id)
    changed = await actions.pause(stores.db, app=app, callback_id=found.id, actor=actor(), now=now())
    await _show(stores, app, changed, as_json=as_json)


@callback.command()
@click.argument("name")
@click.argument("callback_id", metavar="ID", type=int)
@stored
async def resume(stores: Stores, name: str, callback_id: int, *, as_json: bool) -> None:
    """Tell an endpoint again, all that waits at once and in order."""
    app, found = await _find(stores, name, callback_id)
    changed = await actions.resume(stores.db, app=app, callback_id=found.id, actor=actor(), now=now())
    await _show(stores, app, changed, as_json=as_json)


@callback.command("deliveries")
@click.argument("name")
@click.argument("callback_id", metavar="ID", type=int)
@click.option("--state", type=click.Choice(["delivered", "failed"]), help="Only these.")
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1, 1000), help="At most so many.")
@stored
async def list_deliveries(
    stores: Stores, name: str, callback_id: int, *, state: str | None, limit: int, as_json: bool
) -> None:
    """List what an endpoint was told, the newest first."""
    _, found = await _find(stores, name, callback_id)
    made = await deliveries.list_(stores.db.scan, found.id, state=state or "", limit=limit)
    if as_json:
        show_json([_attempt(each) for each in made])
        return
    show_table(
        ["id", "at", "signature", "event", "attempt", "state", "answer", "ms"],
        [
            [
                each.id,
                local_time(each.at),
                each.signature_id,
                each.kind,
                each.attempt,
                Text(each.state, style=_STYLES[each.state]),
                each.error or each.status or "",
                each.ms,
            ]
            for each in made
        ],
        empty="Nothing was sent yet.",
    )


@callback.command()
@click.argument("name")
@click.argument("callback_id", metavar="ID", type=int)
@click.argument("delivery_id", metavar="DELIVERY", type=int)
@stored
async def resend(stores: Stores, name: str, callback_id: int, delivery_id: int, *, as_json: bool) -> None:
    """Tell an endpoint once more of the event of one delivery."""
    app, found = await _find(stores, name, callback_id)
    await redelivery.resend(
        stores.db, app=app, callback_id=found.id, delivery_id=delivery_id, actor=actor(), now=now()
    )
    show_json({"events": 1}) if as_json else click.echo("1 event is told again")


@callback.command()
@click.argument("name")
@click.argument("callback_id", metavar="ID", type=int)
@click.option("--since", required=True, type=click.DateTime(), help="Local time, inclusive.")
@click.option("--until", type=click.DateTime(), help="Local time, exclusive; now, if not given.")
@stored
async def replay(
    stores: Stores, name: str, callback_id: int, *, since: Any, until: Any, as_json: bool
) -> None:
    """Tell an endpoint once more of all that happened in a span of time."""
    app, found = await _find(stores, name, callback_id)
    count = await redelivery.replay(
        stores.db,
        app=app,
        callback_id=found.id,
        since=round(since.timestamp() * 1e6),
        until=round(until.timestamp() * 1e6) if until else now(),
        actor=actor(),
        now=now(),
    )
    show_json({"events": count}) if as_json else click.echo(f"{count:,} events are told again")


async def _find(stores: Stores, name: str, callback_id: int) -> tuple[App, Callback]:
    app = await apps.get(stores.db.read, name)
    found = await rows.find(stores.db.read, app.id, callback_id)
    if found is None:
        raise callbacks.unknown("callback_id")
    return app, found


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
    waiting = await outbox.count(stores.db.scan, found.id)
    return {
        "callback_id": found.id,
        "url": found.url,
        "format": found.format,
        "state": found.state,
        "why": found.why or None,
        "failures": found.failures,
        "pending": waiting.size,
        "created_at": rfc3339(found.created_at),
    }


def _attempt(delivery: Delivery) -> dict[str, Any]:
    return msgspec.structs.asdict(delivery) | {"headers": msgspec.json.decode(delivery.headers)}


def _state(fields: dict[str, Any]) -> Text:
    return Text(fields["state"], style=_STYLES[fields["state"]])
