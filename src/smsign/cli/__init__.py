"""The command line `smsign`: operators' commands work on the data, integrators' commands call a service."""

from __future__ import annotations

import sys

import click

from smsign import __version__
from smsign.cli.language import language, say
from smsign.cli.lazy import LazyGroup
from smsign.errors import ApiError, SmsignError, UserError

HELP = {"help_option_names": ["-h", "--help"], "max_content_width": 110}

COMMANDS = {
    "serve": ("smsign.cli.operator.serve", "Start the server."),
    "worker": (
        "smsign.cli.operator.worker",
        "Start a delivery worker without an HTTP server.",
    ),
    "migrate": ("smsign.cli.operator.serve", "Migrate the database schema, as every start does."),
    "sweep": ("smsign.cli.operator.serve", "Delete unreferenced images and expired idempotency keys."),
    "app": ("smsign.cli.operator.app", "Create and manage applications."),
    "callback": ("smsign.cli.operator.callback", "Create and manage callbacks (webhooks)."),
    "account": ("smsign.cli.operator.account", "Invite people to the console and manage their accounts."),
    "audit": ("smsign.cli.operator.audit", "List and decide signatures in the audit."),
    "events": ("smsign.cli.operator.events", "Verify the ledger of events."),
    "copy": ("smsign.cli.operator.copy", "Copy all data into an empty database of either engine."),
    "backup": ("smsign.cli.operator.backup", "Back up all data while the server runs."),
    "restore": ("smsign.cli.operator.backup", "Restore a backup into an empty database of either engine."),
    "doctor": ("smsign.cli.operator.doctor", "Diagnose the installation and suggest fixes; read-only."),
    "sign": ("smsign.cli.integrator.sign", "Submit and query signatures."),
    "import": ("smsign.cli.integrator.imports", "Import signatures from a CSV file; resumable."),
    "export": ("smsign.cli.integrator.export", "Export signatures as CSV or JSON Lines."),
    "profile": ("smsign.cli.integrator.profile", "Manage profiles: addresses and keys of services."),
    "completion": ("smsign.cli.completion", "Print a shell completion script."),
}


@click.group(cls=LazyGroup, lazy=COMMANDS, context_settings=HELP)
@click.version_option(__version__, prog_name="smsign")
def cli() -> None:
    """A self-hosted SMS signature service.

    A signature is the name of the sender in front of a text message, such as 【极光推送】. An application
    submits it with images as evidence, an auditor passes or refuses it, and gateways query the one in use.

    \b
    For operators, on a machine with access to the database (pip install 'smsign[server]'):
    smsign serve                          start the server
    smsign app create NAME                create an application with its keys
    smsign audit list                     list the signatures in the audit
    smsign audit pass ID                  pass one; or refuse it: smsign audit refuse ID --reason unreadable

    Every setting is also an environment variable: --data is SMSIGN_DATA. Commands use the same settings as
    the server, and may run at the same time.

    \b
    For integrators, on any machine, with the keys of an application:
    smsign profile add NAME --url URL --app-key KEY     or: SMSIGN_URL, SMSIGN_APP_KEY, SMSIGN_MASTER_SECRET
    smsign sign submit 极光推送 --image licence.png --wait
    smsign import rows.csv --images FOLDER

    \b
    Exit codes: 0 success · 1 refused or failed, with the reason on standard error · 2 wrong usage
                3 not decided in time · 130 interrupted with Ctrl-C
    """


def main() -> None:
    """Run the command line; print an expected error as one line, without a traceback."""
    if language() == "zh":
        from smsign.cli import chinese

        chinese.install()
        chinese.translate(cli)
    try:
        cli(prog_name="smsign")
    except ApiError as error:
        for problem in error.problems:
            reason, hint = problem.reason.to(language()), problem.hint.to(language())
            click.echo(f"smsign: {problem.field}: {reason}{say('; ', '；')}{hint}", err=True)
        sys.exit(1)
    except UserError as error:
        click.echo(f"smsign: {error.text.to(language())}", err=True)
        sys.exit(1)
    except SmsignError as error:
        click.echo(f"smsign: {error}", err=True)
        sys.exit(1)
