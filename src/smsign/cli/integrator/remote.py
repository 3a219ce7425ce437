"""What the integrator's commands share: a client made from a profile, and one way to say what failed."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Any

import click
import msgspec
from click.shell_completion import CompletionItem

from smsign.cli.integrator import profiles
from smsign.cli.output import show_json
from smsign.client import Client, ClientError, DecisionTimeout, SmsignApiError
from smsign.errors import SetupError

Command = Callable[..., Any]

REFUSED, USAGE, NOT_IN_TIME = 1, 2, 3
"""Exit codes; 0 is done, or passed."""


def remote(command: Command) -> Command:
    """Make a command of `client -> …`: add --profile and --json, and say what failed."""

    @click.option(
        "--profile",
        "profile_name",
        metavar="NAME",
        envvar="SMSIGN_PROFILE",
        help="Which service and keys to use; see: smsign profile.",
        shell_complete=_complete_profile,
    )
    @click.option("--json", "as_json", is_flag=True, help="Answer in JSON, for programs.")
    def run(*, profile_name: str | None, as_json: bool, **given: Any) -> None:
        try:
            with connect(profile_name) as client:
                command(client, as_json=as_json, **given)
            sys.stdout.flush()
        except (ClientError, SetupError, ValueError) as error:
            fail(error, as_json=as_json)
        except BrokenPipeError:
            raise  # whoever read the output has enough of it
        except OSError as error:  # a full disk behind the output, an image that cannot be read
            click.echo(f"smsign: {error}", err=True)
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # what is left of the output goes nowhere
            sys.exit(REFUSED)

    run.__name__, run.__doc__ = command.__name__, command.__doc__
    run.__click_params__ = [*getattr(command, "__click_params__", []), *run.__click_params__]  # type: ignore[attr-defined]
    return run


def connect(profile_name: str | None) -> Client:
    """Return a client of the service that the profile, or else the environment, tells.

    Raises: SetupError, ValueError.
    """
    file = profiles.path()
    config = profiles.load(file)
    if told := profiles.warning(file, config):
        click.echo(f"Warning: {told}", err=True)
    chosen = profiles.choose(config, profile_name)
    try:
        return Client(chosen.url, chosen.app_key, chosen.master_secret, language=_language())
    except (ImportError, OSError) as error:
        raise SetupError(
            f"the environment's proxy (HTTP_PROXY, ALL_PROXY …) or certificates (SSL_CERT_FILE): {error}"
        ) from error


def fail(error: Exception, *, as_json: bool) -> None:
    """Say what failed, and end with the exit code of it."""
    if as_json:
        show_json({"error": told(error)})
    click.echo(f"smsign: {_headline(error)}", err=True)
    if isinstance(error, SmsignApiError):
        for each in error.details:
            click.echo(f"  {each.field}: {each.reason}; {each.hint}", err=True)
    if isinstance(error, DecisionTimeout):
        sys.exit(NOT_IN_TIME)
    sys.exit(REFUSED if isinstance(error, ClientError) else USAGE)


def told(error: Exception) -> dict[str, Any]:
    """Return a failure for programs."""
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
        lost = "; an earlier attempt got no answer, and may have been carried out" * error.may_have_succeeded
        request = f" (request {error.request_id})" * bool(error.request_id)
        return f"{error.code} {error.message}{request}{lost}"
    return str(error)


def _language() -> str:
    """Return the language of the terminal, where it is one that reasons come in."""
    locale = os.environ.get("LC_ALL") or os.environ.get("LC_MESSAGES") or os.environ.get("LANG") or ""
    return "zh" if locale.lower().startswith("zh") else "en"


def _complete_profile(_: click.Context, __: click.Parameter, incomplete: str) -> list[CompletionItem]:
    try:
        names = profiles.load(profiles.path()).profile
    except SetupError:
        return []
    return [
        CompletionItem(name, help=each.url) for name, each in names.items() if name.startswith(incomplete)
    ]
