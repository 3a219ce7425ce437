"""The report of an import: a CSV of the failed rows with their errors."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

from smsign.cli.integrator.export import cell
from smsign.cli.integrator.files import atomic_write
from smsign.cli.integrator.journal import Entry
from smsign.client import Detail

COLUMNS = ("line", "sign", "sign_id", "outcome", "code", "message", "field", "reason", "hint")


def write(file: Path, failed: Sequence[Entry]) -> None:
    """Write one line per error, with a BOM for spreadsheets.

    Raises: SetupError.
    """
    with atomic_write(file, encoding="utf-8-sig") as out:
        lines = csv.writer(out)
        lines.writerow(COLUMNS)
        for entry in failed:
            head = (entry.line, entry.sign, entry.sign_id or "", entry.state, entry.code, entry.message)
            for each in entry.details or (Detail(),):
                lines.writerow([cell(value) for value in (*head, each.field, each.reason, each.hint)])
