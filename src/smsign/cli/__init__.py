"""The command line: `smsign COMMAND`. Each command calls one action or read and shows what came of it."""

from __future__ import annotations

import sys

import click

from smsign import __version__
from smsign.cli.account import account
from smsign.cli.app import app
from smsign.cli.audit import audit
from smsign.cli.backup import backup, restore
from smsign.cli.callback import callback
from smsign.cli.copy import copy
from smsign.cli.doctor import doctor
from smsign.cli.events import events
from smsign.cli.serve import migrate, serve, sweep
from smsign.cli.worker import worker
from smsign.errors import Refusal, SmsignError

HELP = {"help_option_names": ["-h", "--help"], "max_content_width": 110}


@click.group(context_settings=HELP)
@click.version_option(__version__, prog_name="smsign")
def cli() -> None:
    """A self-hosted SMS signature service.

    \b
    smsign serve                          start the server
    smsign app create NAME                make an application and its keys
    smsign audit list                     see what waits for a decision
    smsign audit pass ID                  or: smsign audit refuse ID --reason unreadable

    Every setting is also an environment variable: --data is SMSIGN_DATA. Commands find the database
    through the same settings as the server, and work while it runs.

    \b
    Exit codes: 0 done · 1 refused or failed, with the reason on standard error · 2 wrong usage
    """


SERVING = (serve, worker, migrate, sweep)
DAILY = (app, callback, account, audit, events)
KEEPING = (copy, backup, restore, doctor)
for command in (*SERVING, *DAILY, *KEEPING):
    cli.add_command(command)


def main() -> None:
    """Run the command line; a failure that smsign foresees is one line, not a traceback."""
    try:
        cli()
    except Refusal as refusal:
        for problem in refusal.problems:
            click.echo(f"smsign: {problem.field}: {problem.reason.en}; {problem.hint.en}", err=True)
        sys.exit(1)
    except SmsignError as error:
        click.echo(f"smsign: {error}", err=True)
        sys.exit(1)
