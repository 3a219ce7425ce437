"""What the integrators' commands share: a client made from a profile, error messages and exit codes."""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable, Mapping
from typing import Any, NoReturn

import click
import msgspec
from click.shell_completion import CompletionItem

from smsign.cli.integrator import profiles
from smsign.cli.language import language, say
from smsign.cli.output import json_option, show_json
from smsign.client import ApiConnectionError, Client, ClientError, DecisionTimeout, SmsignApiError
from smsign.client.retry import Outcome, Request, Sleep
from smsign.errors import SetupError, UserError

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
        except (ClientError, UserError, ValueError) as error:
            fail(error, as_json=as_json)
        except BrokenPipeError:
            raise  # the reader of the output has closed it
        except OSError as error:  # a full disk, an unreadable image
            click.echo(f"smsign: {error}", err=True)
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # discard buffered output
            sys.exit(REFUSED)

    return run


class ReportingClient(Client):
    """A client that reports on standard error why it waits before it sends a request again."""

    def _do(self, step: Request | Sleep) -> Outcome:
        if isinstance(step, Sleep) and step.error:
            why, seconds = headline(step.error), f"{step.seconds:.1f}"
            text = say(f"{why}; retrying in {seconds} s", f"{why}；{seconds} 秒后重试")
            click.echo(f"smsign: {text}", err=True)
        return super()._do(step)


def connect(profile_name: str | None) -> Client:
    """Return a client with the settings of the profile, or else of the environment.

    Raises: SetupError, ValueError.
    """
    return make_client(profiles.choose(profiles.load_with_warning(), profile_name))


def make_client(chosen: profiles.Profile) -> Client:
    """Return a client with the settings of a profile.

    Raises: SetupError, ValueError.
    """
    try:
        return ReportingClient(chosen.url, chosen.app_key, chosen.master_secret, language=language())
    except (ImportError, OSError) as error:
        raise SetupError(
            f"proxy (HTTP_PROXY, ALL_PROXY …) or certificates (SSL_CERT_FILE) of the environment: {error}",
            f"环境变量中的代理（HTTP_PROXY、ALL_PROXY 等）或证书（SSL_CERT_FILE）：{error}",
        ) from error


def fail(error: Exception, *, as_json: bool, known: Mapping[str, int] | None = None) -> NoReturn:
    """Report an error, and exit with its code; `known` is added to the JSON."""
    if as_json:
        show_json({**(known or {}), "error": _public(error)})
    click.echo(f"smsign: {headline(error)}", err=True)
    if isinstance(error, SmsignApiError):
        for each in error.details:
            click.echo(f"  {each.field}{say(': ', '：')}{each.reason}{say('; ', '；')}{each.hint}", err=True)
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
    return {"code": 0, "message": headline(error)}


def headline(error: Exception) -> str:
    """Return an error as one line in the language of the command line."""
    if isinstance(error, SmsignApiError) and error.code:
        unknown = say(
            "; an earlier attempt without a response may have succeeded",
            "；此前一次没有响应的请求可能已成功",
        )
        request = say(f" (request {error.request_id})", f"（请求 {error.request_id}）") * bool(
            error.request_id
        )
        return f"{error.code} {error.message}{request}{unknown * error.may_have_succeeded}"
    if isinstance(error, DecisionTimeout):
        late = f"{error.timeout_s:g} 秒后签名 {error.sign.sign_id} 仍在审核中"
        return say(str(error), late)
    if isinstance(error, ApiConnectionError):
        return say(str(error), f"没有收到响应：{error}")
    return error.text.to(language()) if isinstance(error, UserError) else str(error)


def _complete_profile(_: click.Context, __: click.Parameter, incomplete: str) -> list[CompletionItem]:
    try:
        names = profiles.load(profiles.path()).profile
    except SetupError:
        return []
    return [
        CompletionItem(name, help=each.url) for name, each in names.items() if name.startswith(incomplete)
    ]
