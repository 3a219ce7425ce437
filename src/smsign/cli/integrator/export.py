"""`smsign export`: stream all signatures of an application into a file."""

from __future__ import annotations

import csv
import sys
from contextlib import nullcontext
from datetime import datetime
from pathlib import Path
from typing import Any

import click
import msgspec

from smsign.cli.integrator.files import atomic_write
from smsign.cli.integrator.remote import with_client
from smsign.cli.integrator.sign import filter_options, filters
from smsign.cli.language import say
from smsign.client import ApiNotFound, Client, Fields, InvalidSignId, Sign

COLUMNS = (*Sign.__struct_fields__, *Fields.__annotations__)
_NEW_FILE = click.Path(dir_okay=False, path_type=Path)


@click.command()
@click.option("--output", "-o", type=_NEW_FILE, help="Output file.  [standard output]")
@click.option("--excel", is_flag=True, help="Start the CSV with a BOM, for spreadsheets.")
@filter_options
@with_client
def export(client: Client, *, output: Path | None, excel: bool, as_json: bool, **given: Any) -> None:
    """Export signatures as CSV or JSON Lines.

    Streams the signatures, newest first, with the text fields of their latest versions. With --json it writes
    one JSON object per line. The output file is replaced when it is complete.
    """
    count = 0
    found = client.iter_signs(**filters(given))
    with atomic_write(output) if output is not None else nullcontext(sys.stdout) as out:
        if as_json:
            for sign in found:
                out.write(msgspec.json.encode(_complete(client, sign)).decode() + "\n")
                count += 1
        else:
            out.write("\ufeff" * excel)
            lines = csv.writer(out, lineterminator="\n")
            lines.writerow(COLUMNS)
            for sign in found:
                values = _complete(client, sign)
                lines.writerow([cell(values.get(name)) for name in COLUMNS])
                count += 1
    if output is not None:
        click.echo(say(f"{count} signatures in {output}", f"{count} 个签名已导出到 {output}"), err=True)


def _complete(client: Client, sign: Sign) -> dict[str, object]:
    """Return a signature with the text fields of its latest version."""
    try:
        versions = client.describe_sign(sign.sign_id).versions
    except (ApiNotFound, InvalidSignId):  # another service, or deleted since
        versions = ()
    return msgspec.structs.asdict(sign) | (dict(versions[-1].fields) if versions else {})


def cell(value: object) -> object:
    """Return the value of a CSV cell; texts are escaped against formula injection."""
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    return f"'{value}" if isinstance(value, str) and value[:1] in ("=", "+", "-", "@") else value
