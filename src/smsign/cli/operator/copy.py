"""`smsign copy`: move to another database, of whichever engine, and another store of images."""

from __future__ import annotations

import asyncio
import sys
import tempfile
from pathlib import Path
from typing import Any

import click

from smsign.actions import blobs as blob_actions
from smsign.actions import copy as actions
from smsign.actions.blobs import Carried
from smsign.cli.output import progress_bar, show_json
from smsign.storage.engine.bulk import Bulk
from smsign.storage.open import open_blobs, open_source


@click.command()
@click.option("--from", "source", required=True, metavar="URL", help="sqlite:PATH or postgresql://…")
@click.option("--to", "target", required=True, metavar="URL", help="sqlite:PATH or postgresql://…, empty.")
@click.option("--blobs-from", metavar="URL", default="", help="Where the images are: file:PATH or s3://…")
@click.option("--blobs-to", metavar="URL", default="", help="Where they shall be. Both, or neither.")
@click.option("--restart", is_flag=True, help="Throw away what an interrupted copy left, and begin again.")
@click.option("--json", "as_json", is_flag=True, help="Answer in JSON, for programs.")
def copy(*, as_json: bool, **given: Any) -> None:
    """Copy everything into an empty database, of either engine.

    Interrupted, give the same command again: it goes on where it was. At the end both sides are
    compared, row by row.

    The source may be served meanwhile: it is read as it was when the command began, and what is written
    later stays behind. So for a move, stop the server first. After an interruption the source must be
    as it was; if it is not, that is said, and --restart begins again.

    The secret key is not in the database: put DATA/secret.key (or SMSIGN_SECRET_KEY) in place as well.
    A password need not stand in a URL: PGPASSWORD and ~/.pgpass are read too.
    """
    if bool(given["blobs_from"]) != bool(given["blobs_to"]):
        raise click.UsageError("--blobs-from and --blobs-to: give both, or neither")
    asyncio.run(_copy(as_json=as_json, **given))


async def _copy(
    *, source: str, target: str, blobs_from: str, blobs_to: str, restart: bool, as_json: bool
) -> None:
    rows = await open_source(source)
    try:
        carried: Carried | None = None
        with progress_bar() as progress:

            async def carry() -> None:
                nonlocal carried
                if blobs_to:
                    carried = await _carry(rows, blobs_from, blobs_to, progress)

            copied = await actions.copy(rows, target, progress, restart=restart, first=carry)
        seen = await actions.newest_event(rows)
    finally:
        await rows.close()
    later = await _later(source, seen)
    if as_json:
        show_json(
            {
                "tables": copied.tables,
                "rows": copied.rows,
                "chains": copied.chains,
                "resumed": copied.resumed,
                "images": carried,
                "written_meanwhile": later,
            }
        )
    else:
        tables, all_chains = len(copied.tables), f"all {copied.chains:,} ends of chains"
        click.echo(f"{copied.rows:,} rows in {tables} tables, {all_chains}: equal on both sides, row by row")
        _say(carried, later)
    if carried and carried.lost:
        sys.exit(1)


def _say(carried: Carried | None, later: int) -> None:
    if carried:
        click.echo(f"{carried.images:,} images, {carried.new:,} of them new in the store")
        for sha256 in carried.lost:
            click.echo(f"lost: the source has no whole image {sha256}", err=True)
    else:
        click.echo("The images stay where they are; --blobs-from and --blobs-to carry them too.")
    click.echo("The secret key must come along: DATA/secret.key, or SMSIGN_SECRET_KEY.")
    if later:
        click.echo(
            f"The source went on: {later:,} events were written since the copy began and are not in it.",
            err=True,
        )


async def _carry(rows: Bulk, blobs_from: str, blobs_to: str, progress: Any) -> Carried:
    total = sum([len(page) async for page in rows.images()])
    with tempfile.TemporaryDirectory(prefix="smsign-copy-") as spool:
        source = open_blobs(blobs_from, data=Path(spool))
        target = open_blobs(blobs_to, data=Path(spool))
        return await blob_actions.carry(
            rows.images(),
            source.get,
            lambda sha256, data: blob_actions.put(target, sha256, data),
            await blob_actions.list_kept(target),
            lambda done: progress("carrying images", done, total),
        )


async def _later(url: str, seen: int) -> int:
    rows = await open_source(url)
    try:
        return await actions.newest_event(rows) - seen
    finally:
        await rows.close()
