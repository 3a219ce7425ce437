"""`smsign events …`: the ledger."""

from __future__ import annotations

import sys

import click
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn

from smsign.actions.events import verify as verify_events
from smsign.cli.options import stored
from smsign.cli.output import show_json
from smsign.storage.open import Stores


@click.group()
def events() -> None:
    """Look after the ledger of what happened."""


@events.command()
@stored
async def verify(stores: Stores, *, as_json: bool) -> None:
    """Walk every hash chain; names the first broken row and exits with 1 if there is one."""
    columns = SpinnerColumn(), TextColumn("{task.description}")
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("walking the chains")
        verdict = await verify_events(
            stores.db, lambda walked: progress.update(task, description=f"{walked:,} events walked")
        )
    if as_json:
        show_json(verdict)
    elif verdict.fault:
        click.echo(f"broken: {verdict.fault}", err=True)
    else:
        click.echo(f"{verdict.events:,} events in {verdict.chains:,} chains, all as they were written")
    if verdict.fault:
        sys.exit(1)
