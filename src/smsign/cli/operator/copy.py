"""`smsign copy`: move to another database, of either engine, and to another blob store."""

from __future__ import annotations

import asyncio
import sys
import tempfile
from pathlib import Path
from typing import Any

import click

from smsign.actions.transfer import copy as actions
from smsign.actions.transfer.blobs import CopiedBlobs, copy_blobs, list_hashes, put_bytes
from smsign.cli.language import say, word
from smsign.cli.output import json_option, progress_bar, show_json
from smsign.storage.engine.bulk import Bulk
from smsign.storage.open import open_blobs, open_source


@click.command()
@click.option("--from", "source", required=True, metavar="URL", help="Source: sqlite:PATH or postgresql://…")
@click.option(
    "--to", "target", required=True, metavar="URL", help="Target, empty: sqlite:PATH or postgresql://…"
)
@click.option("--blobs-from", metavar="URL", default="", help="Blob store of the source: file:PATH or s3://…")
@click.option("--blobs-to", metavar="URL", default="", help="Blob store of the target; give both or neither.")
@click.option("--restart", is_flag=True, help="Discard an interrupted copy and start over.")
@json_option
def copy(*, as_json: bool, **given: Any) -> None:
    """Copy all data into an empty database of either engine.

    After an interruption, run the same command again to resume. At the end both databases are compared, row
    by row.

    The server may run meanwhile: the copy is a snapshot of when the command started, without later changes.
    To move, stop the server first. A resumed copy requires an unchanged source; if it has changed, the
    command reports that, and --restart starts over.

    The secret key is not in the database: copy DATA/secret.key (or SMSIGN_SECRET_KEY) too. Passwords may be
    in PGPASSWORD and ~/.pgpass instead of the URL.
    """
    if bool(given["blobs_from"]) != bool(given["blobs_to"]):
        raise click.UsageError(word("--blobs-from and --blobs-to: give both or neither"))
    asyncio.run(_copy(as_json=as_json, **given))


async def _copy(
    *, source: str, target: str, blobs_from: str, blobs_to: str, restart: bool, as_json: bool
) -> None:
    rows = await open_source(source)
    try:
        blobs: CopiedBlobs | None = None
        with progress_bar() as progress:

            async def copy_images() -> None:
                nonlocal blobs
                if blobs_to:
                    blobs = await _copy_blobs(rows, blobs_from, blobs_to, progress)

            copied = await actions.copy(rows, target, progress, restart=restart, first=copy_images)
        seen = await actions.newest_event(rows)
    finally:
        await rows.close()
    later = await _count_later_events(source, seen)
    if as_json:
        show_json(
            {
                "tables": copied.tables,
                "rows": copied.rows,
                "chains": copied.chains,
                "resumed": copied.resumed,
                "images": blobs,
                "written_meanwhile": later,
            }
        )
    else:
        tables = len(copied.tables)
        click.echo(
            say(
                f"{copied.rows:,} rows in {tables} tables, {copied.chains:,} hash chains:"
                " equal on both sides, row by row",
                f"{tables} 张表共 {copied.rows:,} 行，{copied.chains:,} 条哈希链：两边逐行一致",
            )
        )
        _report(blobs, later)
    if blobs and blobs.lost:
        sys.exit(1)


def _report(blobs: CopiedBlobs | None, later: int) -> None:
    if blobs:
        click.echo(
            say(
                f"{blobs.images:,} images, {blobs.new:,} of them new in the blob store",
                f"{blobs.images:,} 张图片，其中新存入 {blobs.new:,} 张",
            )
        )
        for sha256 in blobs.lost:
            where = word("missing or damaged in the source")
            click.echo(say(f"lost image {sha256}: {where}", f"图片丢失 {sha256}：{where}"), err=True)
    else:
        click.echo(word("The images were not copied; --blobs-from and --blobs-to copy them too."))
    click.echo(word("Copy the secret key too: DATA/secret.key or SMSIGN_SECRET_KEY."))
    if later:
        click.echo(
            say(
                f"The source has changed: {later:,} events written since the start are not copied.",
                f"源有变化：命令启动之后写入的 {later:,} 个事件没有复制。",
            ),
            err=True,
        )


async def _copy_blobs(rows: Bulk, blobs_from: str, blobs_to: str, progress: Any) -> CopiedBlobs:
    total = sum([len(page) async for page in rows.images()])
    with tempfile.TemporaryDirectory(prefix="smsign-copy-") as spool:
        source = open_blobs(blobs_from, data=Path(spool))
        target = open_blobs(blobs_to, data=Path(spool))
        return await copy_blobs(
            rows.images(),
            source.get,
            lambda sha256, data: put_bytes(target, sha256, data),
            await list_hashes(target),
            lambda done: progress("copying images", done, total),
        )


async def _count_later_events(url: str, seen: int) -> int:
    rows = await open_source(url)
    try:
        return await actions.newest_event(rows) - seen
    finally:
        await rows.close()
