"""`smsign events …`: the ledger of events, an append-only audit log in hash chains."""

from __future__ import annotations

import sys

import click

from smsign.actions.events import verify as verify_events
from smsign.cli.language import say, word
from smsign.cli.options import with_stores
from smsign.cli.output import progress_bar, show_json
from smsign.storage.open import Stores


@click.group()
def events() -> None:
    """Verify the ledger of events."""


@events.command()
@with_stores
async def verify(stores: Stores, *, as_json: bool) -> None:
    """Verify all hash chains.

    Reports the first broken event, and exits with 1 if there is one.
    """
    with progress_bar() as progress:
        verdict = await verify_events(stores.db, lambda done: progress(word("verifying events"), done, 0))
    if as_json:
        show_json(verdict)
    elif verdict.fault:
        click.echo(say(f"broken: {verdict.fault}", f"断裂：{verdict.fault}"), err=True)
    else:
        click.echo(
            say(
                f"{verdict.events:,} events in {verdict.chains:,} hash chains verified",
                f"已校验 {verdict.chains:,} 条哈希链，共 {verdict.events:,} 个事件",
            )
        )
    if verdict.fault:
        sys.exit(1)
