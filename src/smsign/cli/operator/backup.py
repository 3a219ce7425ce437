"""`smsign backup` and `smsign restore`."""

from __future__ import annotations

import sys
import tempfile
from contextlib import closing
from pathlib import Path

import click

from smsign.actions import backup as backup_actions
from smsign.actions import restore as restore_actions
from smsign.cli.options import now, settled
from smsign.cli.output import progress_bar, show_json
from smsign.config import Settings
from smsign.errors import SetupError
from smsign.storage.open import open_archive, open_blobs
from smsign.storage.vault import read_key


@click.command()
@click.argument("to", metavar="FOLDER|FILE.tar", type=click.Path(path_type=Path))
@click.option("--without-key", is_flag=True, help="Leave the secret key out; keep it elsewhere.")
@settled
async def backup(settings: Settings, to: Path, *, without_key: bool, as_json: bool) -> None:
    """Back up everything, while the server runs.

    Into a folder, only images that are not in it yet are written, and what it held stays whole until the
    new backup is complete; a file is written anew. The rows are kept in one SQLite file, whichever engine
    they come from, and can be restored into either.

    With the key in it, whoever has the backup has everything: keep it as you keep the key.
    """
    key = None if without_key else read_key(settings.secret_key, settings.key_file)
    if key is None and not without_key:
        raise SetupError(f"secret key: {settings.key_file} does not exist; there is also --without-key")
    with closing(open_archive(to, write=True)) as archive, progress_bar() as progress:
        blobs = open_blobs(settings.blobs_url, data=settings.folder)
        manifest, carried = await backup_actions.backup(
            settings.database_url, blobs, archive, progress, key=key, now=now()
        )
    if as_json:
        show_json({"manifest": manifest, "new_images": carried.new, "new_bytes": carried.new_bytes})
    else:
        rows = sum(manifest.tables.values())
        click.echo(f"{rows:,} rows; {manifest.image_count:,} images, {carried.new:,} of them new: {to}")
        click.echo("The secret key is in it." if key else "The secret key is not in it: keep that elsewhere.")
    _say_lost("the store has no whole image", carried.lost)


@click.command()
@click.argument("source", metavar="FOLDER|FILE.tar", type=click.Path(exists=True, path_type=Path))
@settled
async def restore(settings: Settings, source: Path, *, as_json: bool) -> None:
    """Restore a backup into an empty database and data folder, of either engine.

    Every part is checked against the manifest before it is used; at the end the rows are compared, one by
    one, and the ledger is walked. Interrupted, give the same command again.
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
                "images": done.carried,
                "verdict": done.verdict,
            }
        )
    else:
        click.echo(f"As it was at {done.manifest.made_at}: {done.copied.rows:,} rows, compared one by one.")
        click.echo(f"{done.carried.images:,} images, {done.carried.new:,} of them new in the store.")
        walked = f"{done.verdict.events:,} events in {done.verdict.chains:,} chains"
        click.echo(f"{walked}, {'as they were written' if not done.verdict.fault else 'broken'}.")
    if done.verdict.fault:
        click.echo(f"broken, in the backup already: {done.verdict.fault}", err=True)
        sys.exit(1)
    _say_lost("the backup has no whole image", done.carried.lost)


def _say_lost(what: str, lost: list[str]) -> None:
    for sha256 in lost:
        click.echo(f"lost: {what} {sha256}", err=True)
    if lost:
        sys.exit(1)
