"""`smsign doctor`: diagnose an installation."""

from __future__ import annotations

import difflib
import os
import sys
from collections.abc import Mapping

import click
from rich.text import Text

from smsign.actions.doctor.diagnose import diagnose
from smsign.actions.doctor.finding import OK, WARNING, WRONG, Finding, Installation
from smsign.cli.options import now, with_settings
from smsign.cli.output import progress_bar, show_json, show_table
from smsign.config import SETTINGS, Settings

_STYLES = {OK: "green", WARNING: "yellow", WRONG: "bold red"}


@click.command()
@with_settings
async def doctor(settings: Settings, *, as_json: bool) -> None:
    """Diagnose the installation and suggest fixes; read-only.

    Checks settings, permissions, disk, clock, schema, secret key, integrity of the database, ledger, outbox
    and images. The server may run meanwhile. Exits with 1 if anything is wrong, not for warnings alone.
    """
    installation = Installation(
        folder=settings.folder,
        database_url=settings.database_url,
        blobs_url=settings.blobs_url,
        key=settings.secret_key,
        key_file=settings.key_file,
        now=now(),
    )
    found = [Finding("settings", WARNING, what, fix) for what, fix in check_environment(os.environ)]
    found = found or [Finding("settings", OK, "no unknown or conflicting environment variables")]
    with progress_bar() as progress:
        found += [finding async for finding in diagnose(installation, progress)]
    if as_json:
        show_json({"well": all(finding.state != WRONG for finding in found), "findings": found})
    else:
        show_table(
            ["", "check", "result", "fix"],
            [[Text(each.state, _STYLES[each.state]), each.check, each.what, each.fix] for each in found],
            empty="",
        )
    if any(finding.state == WRONG for finding in found):
        sys.exit(1)


def check_environment(env: Mapping[str, str]) -> list[tuple[str, str]]:
    """Return (problem, fix) of environment variables that are unknown, ignored, or in conflict."""
    known = {setting.env for setting in SETTINGS.values()} | {"SMSIGN_CONFIG"}
    known |= {f"{setting.env}_FILE" for setting in SETTINGS.values() if setting.secret}
    found = []
    for name in sorted(name for name in env if name.startswith("SMSIGN_")):
        if name not in known:
            close = difflib.get_close_matches(name, known, 1)
            found.append((f"{name} is not a setting", f"did you mean {close[0]}?" if close else "remove it"))
        elif f"{name}_FILE" in env:
            found.append((f"{name} is set, so {name}_FILE is ignored", "remove one of them"))
    if env.get("SMSIGN_SOCKET") and ("SMSIGN_HOST" in env or "SMSIGN_PORT" in env):
        found.append(("SMSIGN_SOCKET is set, so host and port are ignored", "remove one of them"))
    for name in ("SMSIGN_TLS_CERT", "SMSIGN_TLS_KEY"):
        if (path := env.get(name)) and not os.access(path, os.R_OK):
            found.append((f"{name}: {path} cannot be read", "make it readable for the server's user"))
    if env.get("SMSIGN_OIDC_ISSUER") and not any(
        env.get(name) for name in ("SMSIGN_OIDC_CLIENT_SECRET", "SMSIGN_OIDC_CLIENT_SECRET_FILE")
    ):
        found.append(("SMSIGN_OIDC_ISSUER is set without a client secret", "set SMSIGN_OIDC_CLIENT_SECRET"))
    return found
