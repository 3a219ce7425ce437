"""`smsign export`: all signatures of one application, written as they come."""

from __future__ import annotations

import csv
import sys
from contextlib import nullcontext
from datetime import datetime
from pathlib import Path
from typing import Any

import click
import msgspec

from smsign.cli.integrator.files import whole
from smsign.cli.integrator.remote import remote
from smsign.cli.integrator.sign import filter_options, filters
from smsign.client import Client, Sign

COLUMNS = Sign.__struct_fields__


@click.command()
@click.option("--output", "-o", type=click.Path(dir_okay=False, path_type=Path), help="[standard output]")
@click.option("--excel", is_flag=True, help="Begin the CSV with a BOM: spreadsheets then read it as UTF-8.")
@filter_options
@remote
def export(client: Client, *, output: Path | None, excel: bool, as_json: bool, **given: Any) -> None:
    """Write all signatures as CSV or JSON lines.

    Newest first, as they come: any number of them takes little memory. With --json: one JSON object a line.
    A file appears under its name when it is whole.
    """
    count = 0
    found = client.iter_signs(**filters(given))
    with whole(output) if output is not None else nullcontext(sys.stdout) as out:
        if as_json:
            for sign in found:
                out.write(msgspec.json.encode(sign).decode() + "\n")
                count += 1
        else:
            out.write("\ufeff" * excel)
            lines = csv.writer(out, lineterminator="\n")
            lines.writerow(COLUMNS)
            for sign in found:
                lines.writerow([cell(getattr(sign, name)) for name in COLUMNS])
                count += 1
    if output is not None:
        click.echo(f"{count} signatures in {output}", err=True)


def cell(value: object) -> object:
    """Return what a cell of a CSV says; what a person wrote is never taken for a formula."""
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    return f"'{value}" if isinstance(value, str) and value[:1] in ("=", "+", "-", "@") else value
