"""`smsign import FILE`: submit the rows of a CSV file one after the other.

A journal next to the file has the state of each row, so that an interrupted import is resumed, and no row is
submitted twice.
"""

from __future__ import annotations

import sys
from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from smsign.cli.integrator import report
from smsign.cli.integrator.files import is_device
from smsign.cli.integrator.importer import Importer, ImportStopped
from smsign.cli.integrator.journal import DECIDED, Journal
from smsign.cli.integrator.remote import NOT_IN_TIME, REFUSED, with_client
from smsign.cli.integrator.rows import Row, Table, read, rows
from smsign.cli.language import say, word
from smsign.cli.output import show_json
from smsign.client import Client
from smsign.errors import SetupError

_FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)
_NEW_FILE = click.Path(dir_okay=False, path_type=Path)


@click.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--images", "folder", type=_FOLDER, help="Folder of the images; files outside are not read.")
@click.option("--pictures", "old_folder", type=_FOLDER, hidden=True)  # the old name of --images, until 1.0
@click.option(
    "--no-wait", is_flag=True, help="Do not wait for decisions; leave the other rows for the next run."
)
@click.option(
    "--timeout",
    "timeout_s",
    type=click.FloatRange(0),
    metavar="SECONDS",
    help="Maximum time to wait for each decision.  [no limit]",
)
@click.option("--report", "report_file", type=_NEW_FILE, help="Report file.  [FILE.report.csv]")
@click.option("--ignore-unknown", is_flag=True, help="Ignore unknown columns.")
@click.option("--encoding", metavar="NAME", help="Encoding of the file: utf-8, gbk, gb18030, big5 …")
@click.option("--delimiter", metavar="MARK", help="Delimiter of the file; tab for a tab.  [detected]")
@click.option("--skip-existing", is_flag=True, help="Skip contents that are in the audit or passed already.")
@with_client
def import_(
    client: Client,
    *,
    file: Path,
    folder: Path | None,
    old_folder: Path | None,
    no_wait: bool,
    timeout_s: float | None,
    report_file: Path | None,
    ignore_unknown: bool,
    encoding: str | None,
    delimiter: str | None,
    skip_existing: bool,
    as_json: bool,
) -> None:
    """Import signatures from a CSV file; resumable.

    The header names the columns: sign; type, remark and the other text fields of the API; image0 … image3 and
    the other slots, with the name of a file in the folder of images. Chinese headings work too: 签名, 备注. A
    type is a number or a word, in English or Chinese: 1, company, 企业.
    The encoding is UTF-8; for any other, confirm the names as read, or add --encoding.

    The file of smsign export can be imported: contents that the application has already are skipped.

    An application has at most one signature in the audit, so that each row waits for the decision on the
    previous one. With --no-wait run the command again, for example from a timer, until no rows are left.

    FILE.journal has the state of each row. After a crash, after Ctrl-C, or with corrected or added rows, run
    the command again to resume: rows that passed or were refused are skipped. The report lists all errors.

    \b
    Exit codes:
      0  every row passed, or was submitted under --no-wait
      1  some rows failed, or no connection
      2  wrong usage, or an unreadable file
      3  rows are left: not decided in time, or --no-wait
      130  interrupted with Ctrl-C; the same command resumes
    """
    if is_device(file) or not file.is_file():
        raise SetupError(
            f"{file} is not a regular file; save it as one: the journal is stored next to it",
            f"{file} 不是普通文件；请先另存为普通文件：导入日志保存在它旁边",
        )
    delimiter = {"tab": "\t", "\\t": "\t"}.get(delimiter or "", delimiter)
    if delimiter is not None and (len(delimiter) != 1 or delimiter in '"\r\n'):
        raise SetupError("--delimiter is one character, or tab", "--delimiter 是一个字符，或 tab")
    tables = read(file, ignore_unknown=ignore_unknown, encoding=encoding, delimiter=delimiter)
    table = tables[0] if tables[0].certain else _confirmed(file, tables)
    report_file = report_file or file.with_name(f"{file.name}.report.csv")
    with Journal(file.with_name(f"{file.name}.journal")) as journal:
        importer = Importer(client, journal, wait=not no_wait, timeout_s=timeout_s)
        importer.skip_existing = skip_existing or table.exported
        try:
            left = _process(importer, table, folder or old_folder, client.identity)
        finally:
            report.write(report_file, importer.failed)
    _summarize(importer, table, left, report_file, as_json=as_json)


def _confirmed(file: Path, tables: list[Table]) -> Table:
    """Return the table whose names a person confirms on the terminal.

    Raises: SetupError without a terminal, or if none is confirmed.
    """
    shown = [
        f"--encoding {table.encoding}: " + "、".join([cells.get("sign", "") for _, cells in table.lines[:5]])
        for table in tables
    ]
    if sys.stdin.isatty() and sys.stderr.isatty():
        click.echo(say(f"{file} is not UTF-8.", f"{file} 不是 UTF-8。"), err=True)
        for table, names in zip(tables, shown, strict=True):
            click.echo(names, err=True)
            if click.confirm(word("Are these names right?"), err=True):
                return table
    hints = (
        f"{file}: the encoding is not certain, nothing was sent; add the option that reads the names right:",
        f"{file}：无法确定编码，未发送任何内容；请加上能正确读出签名的选项：",
    )
    raise SetupError(*("\n  ".join([hint, *shown]) for hint in hints))


def _process(importer: Importer, table: Table, folder: Path | None, to: str) -> int:
    """Process all rows; return the number of rows left for the next run."""
    console = Console(stderr=True, highlight=False)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    left = 0
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        bar = progress.add_task("", total=len(table.lines))
        for row in rows(table, folder, to=to):
            progress.update(bar, description=f"{_line(row)} 【{row.sign}】")
            entry = importer.entry(row)
            if left and (entry is None or entry.state not in DECIDED):
                left += 1
                continue
            try:
                importer.process(row)
            except ImportStopped as error:
                console.print(f"{_line(row)}{say(': ', '：')}{error}", markup=False, soft_wrap=True)
                left += 1
            else:
                progress.advance(bar)
    return left


def _line(row: Row) -> str:
    return say(f"line {row.line}", f"第 {row.line} 行")


def _summarize(importer: Importer, table: Table, left: int, report_file: Path, *, as_json: bool) -> None:
    counts = {
        "rows": len(table.lines),
        "passed": importer.passed,
        "waiting": importer.waiting,
        "failed": len(importer.failed),
        "left": left,
    } | ({"skipped": importer.skipped} if importer.skip_existing else {})
    if as_json:
        show_json(counts | {"report": str(report_file)})
    else:
        shown = {name: count for name, count in counts.items() if count or name in ("rows", "passed")}
        click.echo(say(", ", "，").join(f"{count} {word(name)}" for name, count in shown.items()))
        if importer.failed:
            click.echo(say(f"Errors: {report_file}", f"错误见：{report_file}"))
        if left:
            click.echo(word("Run the same command again to resume."))
    sys.exit(REFUSED if importer.failed else NOT_IN_TIME if left else 0)
