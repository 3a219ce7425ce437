"""`smsign doctor`."""

from __future__ import annotations

import os
import sys

import click
from rich.text import Text

from smsign import config
from smsign.actions.doctor import OK, WARNING, WRONG, Finding, Patient, examine
from smsign.cli.options import now, settled
from smsign.cli.output import progress_bar, show_json, show_table
from smsign.config import Settings

_STYLES = {OK: "green", WARNING: "yellow", WRONG: "bold red"}


@click.command()
@settled
async def doctor(settings: Settings, *, as_json: bool) -> None:
    """Look at everything that can be wrong, and say how to mend it; change nothing.

    Settings, permissions, disk, clock, schema, key, the database's pages and rows, the ledger, the outbox
    and the pictures. The server may run meanwhile. Exits with 1 if anything is wrong; warnings alone are 0.
    """
    patient = Patient(
        folder=settings.folder,
        database_url=settings.database_url,
        blobs_url=settings.blobs_url,
        key=settings.secret_key,
        key_file=settings.key_file,
        now=now(),
    )
    doubts = config.doubts(os.environ)
    found = [Finding("settings", WARNING, what, mend) for what, mend in doubts]
    found = found or [Finding("settings", OK, "all are known, and none contradicts another")]
    with progress_bar() as progress:
        found += [finding async for finding in examine(patient, progress)]
    if as_json:
        show_json({"well": all(finding.state != WRONG for finding in found), "findings": found})
    else:
        show_table(
            ["", "looked at", "found", "to mend it"],
            [[Text(each.state, _STYLES[each.state]), each.check, each.what, each.mend] for each in found],
            empty="",
        )
    if any(finding.state == WRONG for finding in found):
        sys.exit(1)
