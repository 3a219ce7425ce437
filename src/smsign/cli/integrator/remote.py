"""What the integrators' commands share: a client made from a profile, error messages and exit codes."""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable
from typing import Any

import click
import msgspec
from click.shell_completion import CompletionItem

from smsign.cli.integrator import profiles
from smsign.cli.output import json_option, language, show_json
from smsign.client import Client, ClientError, DecisionTimeout, SmsignApiError
from smsign.errors import SetupError

Command = Callable[..., Any]

REFUSED, USAGE, NOT_IN_TIME = 1, 2, 3
"""Exit codes; 0 is success, or passed."""


def with_client(command: Command) -> Command:
    """Make a command of `(client, …)`: add --profile and --json, and report errors."""

    @click.option(
        "--profile",
        "profile_name",
        metavar="NAME",
        envvar="SMSIGN_PROFILE",
        help="Profile with the service and the keys; see smsign profile.",
        shell_complete=_complete_profile,
    )
    @json_option
    @functools.wraps(command)
    def run(*, profile_name: str | None, as_json: bool, **given: Any) -> None:
        try:
            with connect(profile_name) as client:
                command(client, as_json=as_json, **given)
            sys.stdout.flush()
        except (ClientError, SetupError, ValueError) as error:
            fail(error, as_json=as_json)
        except BrokenPipeError:
            raise  # the reader of the output has closed it
        except OSError as error:  # a full disk, an unreadable image
            click.echo(f"smsign: {error}", err=True)
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # discard buffered output
            sys.exit(REFUSED)

    return run


def connect(profile_name: str | None) -> Client:
    """Return a client with the settings of the profile, or else of the environment.

    Raises: SetupError, ValueError.
    """
    chosen = profiles.choose(profiles.load_with_warning(), profile_name)
    try:
        return Client(chosen.url, chosen.app_key, chosen.master_secret, language=language())
    except (ImportError, OSError) as error:
        raise SetupError(
            f"proxy (HTTP_PROXY, ALL_PROXY …) or certificates (SSL_CERT_FILE) of the environment: {error}"
        ) from error


def fail(error: Exception, *, as_json: bool) -> None:
    """Report an error, and exit with its code."""
    if as_json:
        show_json({"error": _public(error)})
    click.echo(f"smsign: {_headline(error)}", err=True)
    if isinstance(error, SmsignApiError):
        for each in error.details:
            click.echo(f"  {each.field}: {each.reason}; {each.hint}", err=True)
    if isinstance(error, DecisionTimeout):
        sys.exit(NOT_IN_TIME)
    sys.exit(REFUSED if isinstance(error, ClientError) else USAGE)


def _public(error: Exception) -> dict[str, Any]:
    if isinstance(error, SmsignApiError):
        return {
            "code": error.code,
            "message": error.message,
            "details": msgspec.to_builtins(error.details),
            "status": error.status,
            "request_id": error.request_id,
        }
    return {"code": 0, "message": str(error)}


def _headline(error: Exception) -> str:
    if isinstance(error, SmsignApiError) and error.code:
        unknown = "; an earlier attempt without a response may have succeeded" * error.may_have_succeeded
        request = f" (request {error.request_id})" * bool(error.request_id)
        return f"{error.code} {error.message}{request}{unknown}"
    return str(error)


def _complete_profile(_: click.Context, __: click.Parameter, incomplete: str) -> list[CompletionItem]:
    try:
        names = profiles.load(profiles.path()).profile
    except SetupError:
        return []
    return [
        CompletionItem(name, help=each.url) for name, each in names.items() if name.startswith(incomplete)
    ]
