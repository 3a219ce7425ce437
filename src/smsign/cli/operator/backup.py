"""`smsign backup` and `smsign restore`."""

from __future__ import annotations

import sys
import tempfile
from contextlib import closing
from pathlib import Path

import click

from smsign.actions.transfer import backup as backup_actions
from smsign.actions.transfer import restore as restore_actions
from smsign.cli.language import say, word
from smsign.cli.options import now, with_settings
from smsign.cli.output import progress_bar, show_json
from smsign.config import Settings
from smsign.errors import SetupError
from smsign.storage.open import open_archive, open_blobs
from smsign.storage.vault import read_key


@click.command()
@click.argument("to", metavar="FOLDER|FILE.tar", type=click.Path(path_type=Path))
@click.option("--without-key", is_flag=True, help="Leave out the secret key, which is then stored elsewhere.")
@with_settings
async def backup(settings: Settings, to: Path, *, without_key: bool, as_json: bool) -> None:
    """Back up all data while the server runs.

    A backup into a folder is incremental: only new images are written, and the previous backup stays intact
    until the new one is complete. A file is always a full backup. The rows are stored in a SQLite file, from
    either engine, and can be restored into either engine.

    A backup with the key gives access to everything: protect it like the key.
    """
    key = None if without_key else read_key(settings.secret_key, settings.key_file)
    if key is None and not without_key:
        raise SetupError(
            f"secret key: {settings.key_file} does not exist; see --without-key",
            f"密钥：{settings.key_file} 不存在；参见 --without-key",
        )
    with closing(open_archive(to, write=True)) as archive, progress_bar() as progress:
        blobs = open_blobs(settings.blobs_url, data=settings.folder)
        manifest, copied = await backup_actions.backup(
            settings.database_url, blobs, archive, progress, key=key, now=now()
        )
    if as_json:
        show_json({"manifest": manifest, "new_images": copied.new, "new_bytes": copied.new_bytes})
    else:
        rows = sum(manifest.tables.values())
        images = manifest.image_count
        click.echo(
            say(
                f"{rows:,} rows; {images:,} images, {copied.new:,} of them new: {to}",
                f"{rows:,} 行；{images:,} 张图片，其中新增 {copied.new:,} 张：{to}",
            )
        )
        click.echo(
            word("It contains the secret key.")
            if key
            else word("It does not contain the secret key: back it up too.")
        )
    _report_lost(word("missing or damaged in the blob store"), copied.lost)


@click.command()
@click.argument("source", metavar="FOLDER|FILE.tar", type=click.Path(exists=True, path_type=Path))
@with_settings
async def restore(settings: Settings, source: Path, *, as_json: bool) -> None:
    """Restore a backup into an empty database of either engine.

    Every file is checked against the manifest first; at the end all rows are compared and the ledger is
    verified. After an interruption, run the same command again to resume.
    """
    settings.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory(prefix=".smsign-restore-", dir=settings.folder) as work,
        closing(open_archive(source, write=False)) as archive,
        progress_bar() as progress,
    ):
        done = await restore_actions.restore(
            archive,
            settings.database_url,
            open_blobs(settings.blobs_url, data=settings.folder),
            progress,
            key=settings.secret_key,
            key_file=settings.key_file,
            work=Path(work),
        )
    if as_json:
        show_json(
            {
                "made_at": done.manifest.made_at,
                "tables": done.copied.tables,
                "rows": done.copied.rows,
                "images": done.blobs,
                "verdict": done.verdict,
            }
        )
    else:
        rows, images, at = done.copied.rows, done.blobs.images, done.manifest.made_at
        events, chains, state = done.verdict.events, done.verdict.chains, word("verified")
        state = word("broken") if done.verdict.fault else state
        click.echo(
            say(
                f"Restored {rows:,} rows, compared one by one, as of {at}.\n"
                f"{images:,} images, {done.blobs.new:,} of them new in the blob store.\n"
                f"{events:,} events in {chains:,} hash chains, {state}.",
                f"已恢复 {rows:,} 行并逐行比对，备份时间 {at}。\n"
                f"{images:,} 张图片，其中新存入 {done.blobs.new:,} 张。\n"
                f"{chains:,} 条哈希链，共 {events:,} 个事件：{state}。",
            )
        )
    if done.verdict.fault:
        fault = done.verdict.fault
        click.echo(say(f"broken, already in the backup: {fault}", f"备份中已断裂：{fault}"), err=True)
        sys.exit(1)
    _report_lost(word("missing or damaged in the backup"), done.blobs.lost)


def _report_lost(where: str, lost: list[str]) -> None:
    for sha256 in lost:
        click.echo(say(f"lost image {sha256}: {where}", f"图片丢失 {sha256}：{where}"), err=True)
    if lost:
        sys.exit(1)
