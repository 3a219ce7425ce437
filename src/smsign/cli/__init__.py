"""The command line: `smsign COMMAND`. Each command calls one action or read and shows what came of it.

The operator's commands work on the data; the integrator's (sign, import, export) on a service, by the SDK.
"""

from __future__ import annotations

import sys

import click

from smsign import __version__
from smsign.cli.lazy import LazyGroup

HELP = {"help_option_names": ["-h", "--help"], "max_content_width": 110}

COMMANDS = {
    "serve": ("smsign.cli.operator.serve", "Start the server."),
    "worker": (
        "smsign.cli.operator.worker",
        "Tell callbacks, and decide for test applications, without a server.",
    ),
    "migrate": ("smsign.cli.operator.serve", "Bring the database's schema up to date, as every start does."),
    "sweep": (
        "smsign.cli.operator.serve",
        "Remove images that no submission names, and forget old Idempotency-Keys.",
    ),
    "app": ("smsign.cli.operator.app", "Make and manage applications: the customers of the API."),
    "callback": (
        "smsign.cli.operator.callback",
        "Manage callbacks: where an application's events are told.",
    ),
    "account": ("smsign.cli.operator.account", "Invite people to the console, and see who is there."),
    "audit": ("smsign.cli.operator.audit", "See what waits for a decision, and decide."),
    "events": ("smsign.cli.operator.events", "Look after the ledger of what happened."),
    "copy": ("smsign.cli.operator.copy", "Copy everything into an empty database, of either engine."),
    "backup": ("smsign.cli.operator.backup", "Back up everything, while the server runs."),
    "restore": (
        "smsign.cli.operator.backup",
        "Restore a backup into an empty database and data folder, of either engine.",
    ),
    "doctor": (
        "smsign.cli.operator.doctor",
        "Look at everything that can be wrong, and say how to mend it; change nothing.",
    ),
    "sign": ("smsign.cli.integrator.sign", "Submit signatures to a service, and ask about them."),
    "import": (
        "smsign.cli.integrator.imports",
        "Submit the rows of a CSV, one after the other; can be resumed.",
    ),
    "export": ("smsign.cli.integrator.export", "Write all signatures as CSV or JSON lines."),
    "profile": ("smsign.cli.integrator.profile", "Keep addresses and keys of services under names."),
    "completion": ("smsign.cli.completion", "Print the script that completes commands in a shell."),
}


@click.group(cls=LazyGroup, lazy=COMMANDS, context_settings=HELP)
@click.version_option(__version__, prog_name="smsign")
def cli() -> None:
    """A self-hosted SMS signature service.

    \b
    For operators, on the machine with the data:
    smsign serve                          start the server
    smsign app create NAME                make an application and its keys
    smsign audit list                     see what waits for a decision
    smsign audit pass ID                  or: smsign audit refuse ID --reason unreadable

    Every setting is also an environment variable: --data is SMSIGN_DATA. Commands find the database
    through the same settings as the server, and work while it runs.

    \b
    For integrators, from anywhere, with an application's keys:
    smsign profile add NAME --url URL --app-key KEY     or: SMSIGN_URL, SMSIGN_APP_KEY, SMSIGN_MASTER_SECRET
    smsign sign submit 极光推送 --image licence.png --wait
    smsign import rows.csv --images FOLDER

    \b
    Exit codes: 0 done · 1 refused or failed, with the reason on standard error · 2 wrong usage
                3 not decided in time · 130 stopped with Ctrl-C
    """


def main() -> None:
    """Run the command line; a failure that smsign foresees is one line, not a traceback."""
    from smsign.errors import ApiError, SmsignError

    try:
        cli(prog_name="smsign")
    except ApiError as refusal:
        for problem in refusal.problems:
            click.echo(f"smsign: {problem.field}: {problem.reason.en}; {problem.hint.en}", err=True)
        sys.exit(1)
    except SmsignError as error:
        click.echo(f"smsign: {error}", err=True)
        sys.exit(1)
