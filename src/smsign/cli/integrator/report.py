"""The report of an import: a CSV of what failed and why, for the person who mends it."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

from smsign.cli.integrator.export import cell
from smsign.cli.integrator.files import whole
from smsign.cli.integrator.journal import Entry
from smsign.client import Detail

COLUMNS = ("line", "sign", "sign_id", "outcome", "code", "message", "field", "reason", "hint")


def write(file: Path, failed: Sequence[Entry]) -> None:
    """Write one line for each thing that is wrong, with a BOM: spreadsheets then read it as UTF-8.

    Raises: SetupError.
    """
    with whole(file, encoding="utf-8-sig") as out:
        lines = csv.writer(out)
        lines.writerow(COLUMNS)
        for entry in failed:
            head = (entry.line, entry.sign, entry.sign_id or "", entry.state, entry.code, entry.message)
            for each in entry.details or (Detail(),):
                lines.writerow([cell(value) for value in (*head, each.field, each.reason, each.hint)])
