"""`smsign app …`: applications and their keys."""

from __future__ import annotations

import click
from rich.text import Text

from smsign.actions import apps as actions
from smsign.cli.language import say, word
from smsign.cli.options import actor, now, with_stores
from smsign.cli.output import local_time, show_fields, show_json, show_table
from smsign.domain.apps import App
from smsign.domain.quotas import LIMIT_MAX
from smsign.domain.sandbox import DELAY_MS_MAX
from smsign.storage.open import Stores
from smsign.storage.rows import apps as rows


@click.group()
def app() -> None:
    """Create and manage applications."""


@app.command()
@click.argument("name")
@click.option("--use-by-hand", is_flag=True, help="Do not put a passed signature in use automatically.")
@click.option(
    "--test",
    "is_test",
    is_flag=True,
    help="Create a test application, with automatic decisions.",
)
@click.option(
    "--delay-ms",
    metavar="N",
    type=click.IntRange(0, DELAY_MS_MAX),
    help="With --test: milliseconds from a submission to its decision.  [0]",
)
@with_stores
async def create(
    stores: Stores, name: str, *, use_by_hand: bool, is_test: bool, delay_ms: int | None, as_json: bool
) -> None:
    """Create an application and print its appKey and masterSecret.

    In a test application the content of a signature determines the decision: 测试通过 is passed, 测试待审
    stays in the audit, 测试模糊 is refused as unreadable, and so on. See the documentation.
    """
    if delay_ms is not None and not is_test:
        raise click.UsageError(say("--delay-ms requires --test", "--delay-ms 须与 --test 同用"))
    keys = actions.make_keys()
    made = await actions.create(
        stores.db,
        stores.vault,
        name=name,
        keys=keys,
        use_by_hand=use_by_hand,
        test_delay_ms=(delay_ms or 0) if is_test else None,
        actor=actor(),
        now=now(),
    )
    _show(made, as_json=as_json, master_secret=keys.master_secret)


@app.command("list")
@with_stores
async def list_(stores: Stores, *, as_json: bool) -> None:
    """List all applications."""
    found: list[App] = []
    while page := await rows.list_(stores.db.scan, after=found[-1].id if found else 0):
        found += page
    if as_json:
        show_json([_public(each) for each in found])
        return
    show_table(
        ["name", "appKey", "SMS service", "audit", "in use", "created"],
        [
            [
                each.name,
                each.app_key,
                _open(each),
                _audit(each),
                each.in_use_id or word("none"),
                local_time(each.created_at),
            ]
            for each in found
        ],
        empty="No applications yet. Create one: smsign app create NAME",
    )


@app.command()
@click.argument("name")
@click.option("--secret", is_flag=True, help="Show the masterSecret too; the ledger records it.")
@with_stores
async def show(stores: Stores, name: str, *, secret: bool, as_json: bool) -> None:
    """Show an application, by name or appKey."""
    found = await rows.get(stores.db.read, name)
    shown = None
    if secret:
        shown = await actions.show_secret(stores.db, stores.vault, app=found, actor=actor(), now=now())
    _show(found, as_json=as_json, master_secret=shown)


@app.command()
@click.argument("name")
@click.option(
    "--overlap",
    "overlap_s",
    default=0,
    metavar="N",
    type=click.IntRange(0, 30 * 86_400),
    help="Seconds for which the old secret stays valid.  [0]",
)
@with_stores
async def rotate(stores: Stores, name: str, *, overlap_s: int, as_json: bool) -> None:
    """Rotate the masterSecret of an application."""
    found = await rows.get(stores.db.read, name)
    keys = await actions.rotate(
        stores.db, stores.vault, app=found, overlap_s=overlap_s, actor=actor(), now=now()
    )
    _show(await rows.get(stores.db.read, name), as_json=as_json, master_secret=keys.master_secret)


@app.command("open")
@click.argument("name")
@with_stores
async def open_(stores: Stores, name: str, *, as_json: bool) -> None:
    """Open the SMS service of an application."""
    await _set_open(stores, name, sms_open=True, as_json=as_json)


@app.command()
@click.argument("name")
@with_stores
async def close(stores: Stores, name: str, *, as_json: bool) -> None:
    """Close the SMS service of an application: every call answers 50008."""
    await _set_open(stores, name, sms_open=False, as_json=as_json)


@app.command()
@click.argument("name")
@click.argument("signature", metavar="ID|none")
@with_stores
async def use(stores: Stores, name: str, signature: str, *, as_json: bool) -> None:
    """Put a passed signature in use, or none."""
    if signature != "none" and not signature.isdecimal():
        raise click.BadParameter(word("a sign_id or none"))
    found = await rows.get(stores.db.read, name)
    signature_id = None if signature == "none" else int(signature)
    changed = await actions.use(stores.db, app=found, signature_id=signature_id, actor=actor(), now=now())
    _show(changed, as_json=as_json)


@app.command()
@click.argument("name")
@click.argument("limit", metavar="N", type=click.IntRange(0, LIMIT_MAX))
@with_stores
async def limit(stores: Stores, name: str, *, limit: int, as_json: bool) -> None:
    """Set the daily limit of submissions of an application.

    With 0 the setting submissions_a_day applies.
    """
    found = await rows.get(stores.db.read, name)
    changed = await actions.set_limit(stores.db, app=found, submissions_a_day=limit, actor=actor(), now=now())
    _show(changed, as_json=as_json)


async def _set_open(stores: Stores, name: str, *, sms_open: bool, as_json: bool) -> None:
    found = await rows.get(stores.db.read, name)
    changed = await actions.set_open(stores.db, app=found, sms_open=sms_open, actor=actor(), now=now())
    _show(changed, as_json=as_json)


def _show(found: App, *, as_json: bool, master_secret: str | None = None) -> None:
    if as_json:
        show_json(_public(found) | ({"master_secret": master_secret} if master_secret else {}))
        return
    fields: dict[str, object] = {"name": found.name, "appKey": found.app_key}
    if master_secret:
        fields["masterSecret"] = master_secret
    fields["SMS service"] = _open(found)
    fields["audit"] = _audit(found)
    fields["in use"] = found.in_use_id or word("none")
    fields["passed signatures are put in use"] = word("by hand" if found.use_by_hand else "automatically")
    fields["submissions a day"] = found.submissions_a_day or word("the setting submissions_a_day")
    fields["created"] = local_time(found.created_at)
    show_fields(fields)


def _public(found: App) -> dict[str, object]:
    return {
        "id": found.id,
        "name": found.name,
        "app_key": found.app_key,
        "sms_open": bool(found.sms_open),
        "use_by_hand": bool(found.use_by_hand),
        "in_use_id": found.in_use_id,
        "submissions_a_day": found.submissions_a_day,
        "created_at": found.created_at,
        "test": found.is_test,
        "test_delay_ms": found.test_delay_ms,
    }


def _audit(found: App) -> Text | str:
    if not found.is_test:
        return word("by auditors")
    delay = say(f", after {found.test_delay_ms} ms", f"，{found.test_delay_ms} 毫秒后") * bool(
        found.test_delay_ms
    )
    return Text(word("test") + delay, style="magenta")


def _open(found: App) -> str:
    return word("open" if found.sms_open else "closed")
