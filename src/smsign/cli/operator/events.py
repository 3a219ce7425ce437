"""`smsign events …`: the ledger of events, an append-only audit log in hash chains."""

from __future__ import annotations

import sys
from pathlib import Path

import click
import msgspec

from smsign.actions import ends as ends_actions
from smsign.actions import ledger
from smsign.cli.language import say
from smsign.cli.options import with_stores
from smsign.cli.output import progress_bar, show_json
from smsign.storage.open import Stores


@click.group()
def events() -> None:
    """Verify the ledger of events."""


@events.command()
@click.option("--quick", is_flag=True, help="Verify only chains with events since the last verification.")
@click.option(
    "--against",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Compare with the ends of chains in a file of `smsign events ends` too.",
)
@with_stores
async def verify(stores: Stores, *, quick: bool, against: Path | None, as_json: bool) -> None:
    """Verify the ledger and every row that it describes.

    Hash chains and their MACs are verified, then the events are replayed and compared with signatures,
    versions, images, decisions, applications, callbacks, accounts and reasons. The server may run meanwhile.
    Exits with 1 if anything differs.
    """
    since = await ledger.get_verified(stores.db) if quick else 0
    with progress_bar() as progress:
        verdict = await ledger.verify(
            stores.db, lambda done: progress("verifying events", done, 0), since=since
        )
        if against is not None:
            with against.open(encoding="utf-8") as lines:
                older = await ends_actions.compare(
                    stores.db, lines, lambda done: progress("comparing ends", done, 0)
                )
            verdict = ledger.add_faults(verdict, older)
    if verdict.fault is None:
        await ledger.put_verified(stores.db, verdict.last_event)
    if as_json:
        show_json(verdict)
    else:
        for fault in verdict.faults:
            click.echo(say(f"broken: {fault}", f"不符：{fault}"), err=True)
        if not verdict.faults:
            click.echo(
                say(
                    f"{verdict.events:,} events in {verdict.chains:,} hash chains and their rows verified",
                    f"已校验 {verdict.chains:,} 条哈希链（{verdict.events:,} 个事件）及其描述的数据",
                )
            )
    if verdict.fault:
        sys.exit(1)


@events.command()
@with_stores
async def ends(stores: Stores, *, as_json: bool) -> None:  # noqa: ARG001
    """Print the ends of all hash chains as JSON Lines.

    Store them where nobody can change them: `smsign events verify --against FILE` finds what was rewritten
    or removed since, even by someone who has the database and the secret key.
    """
    async for end in ends_actions.list_ends(stores.db):
        click.echo(msgspec.json.encode(end).decode())
