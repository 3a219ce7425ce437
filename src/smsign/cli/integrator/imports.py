"""`smsign import FILE`: the rows of a CSV, submitted one after the other.

What has become of each is in a journal beside the file, so that an import that was stopped, by whatever,
goes on where it was: no row is submitted twice.
"""

from __future__ import annotations

import sys
from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from smsign.cli.integrator import report
from smsign.cli.integrator.files import is_device
from smsign.cli.integrator.importing import Import, Stopped
from smsign.cli.integrator.journal import DECIDED, Journal
from smsign.cli.integrator.remote import NOT_IN_TIME, REFUSED, remote
from smsign.cli.integrator.rows import Table, read, rows
from smsign.cli.output import show_json
from smsign.client import Client
from smsign.errors import SetupError

_FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)
_NEW_FILE = click.Path(dir_okay=False, path_type=Path)


@click.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--images", "folder", type=_FOLDER, help="Folder of the images; none outside of it is read.")
@click.option(
    "--no-wait", is_flag=True, help="Submit what can be submitted now; leave the rest for another run."
)
@click.option(
    "--timeout",
    "timeout_s",
    type=click.FloatRange(0),
    metavar="SECONDS",
    help="For each decision.  [for ever]",
)
@click.option("--report", "report_file", type=_NEW_FILE, help="[FILE.report.csv]")
@click.option("--ignore-unknown", is_flag=True, help="Leave out columns that are not known.")
@remote
def import_(
    client: Client,
    *,
    file: Path,
    folder: Path | None,
    no_wait: bool,
    timeout_s: float | None,
    report_file: Path | None,
    ignore_unknown: bool,
    as_json: bool,
) -> None:
    """Submit the rows of a CSV, one after the other; can be resumed.

    The first line names the columns: sign; type, remark and the other texts of the API; image0 … image3 and
    the other images, each a file's name in the folder of images. UTF-8 or GBK.

    An application has at most one signature in the audit, so each row waits for the decision on the one
    before. With --no-wait nothing is waited for: run the same command again, from a timer say, until
    nothing is left.

    FILE.journal has what became of each row. Run again after a crash, after Ctrl-C, or with rows mended or
    added: what passed or was refused is done, all else goes on. The report lists what failed and why.

    \b
    Exit codes:
      0  every row passed, or was submitted under --no-wait
      1  some failed, or the service could not be reached
      2  wrong usage, or a file that cannot be read
      3  rows are left: not decided in time, or --no-wait
      130  stopped with Ctrl-C; the same command goes on
    """
    if is_device(file) or not file.is_file():
        raise SetupError(f"{file} is no file of its own; save it as one, for the journal is kept beside it")
    table = read(file, ignore_unknown=ignore_unknown)
    if table.encoding != "UTF-8":
        click.echo(f"{file} is read as {table.encoding}", err=True)
    report_file = report_file or file.with_name(f"{file.name}.report.csv")
    with Journal(file.with_name(f"{file.name}.journal")) as journal:
        run = Import(client, journal, wait=not no_wait, timeout_s=timeout_s)
        try:
            left = _bring(run, table, folder, client.identity)
        finally:
            report.write(report_file, run.failed)
    _sum_up(run, table, left, report_file, as_json=as_json)


def _bring(run: Import, table: Table, folder: Path | None, to: str) -> int:
    """Bring each row as far as it goes; return how many are left for another run."""
    console = Console(stderr=True, highlight=False)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    left = 0
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        bar = progress.add_task("", total=len(table.lines))
        for row in rows(table, folder, to=to):
            progress.update(bar, description=f"line {row.line} 【{row.sign}】")
            entry = run.entry(row)
            if left and (entry is None or entry.state not in DECIDED):
                left += 1
                continue
            try:
                run.bring(row)
            except Stopped as why:
                console.print(f"line {row.line}: {why}", markup=False)
                left += 1
            else:
                progress.advance(bar)
    return left


def _sum_up(run: Import, table: Table, left: int, report_file: Path, *, as_json: bool) -> None:
    counts = {
        "rows": len(table.lines),
        "passed": run.passed,
        "waiting": run.waiting,
        "failed": len(run.failed),
        "left": left,
    }
    if as_json:
        show_json(counts | {"report": str(report_file)})
    else:
        told = [f"{count} {name}" for name, count in counts.items() if count or name in ("rows", "passed")]
        click.echo(", ".join(told))
        if run.failed:
            click.echo(f"What failed, and why: {report_file}")
        if left:
            click.echo("Run the same command again to go on.")
    sys.exit(REFUSED if run.failed else NOT_IN_TIME if left else 0)
