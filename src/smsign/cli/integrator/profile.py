"""`smsign profile …`: addresses and keys of services."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import click

from smsign.cli.integrator import profiles
from smsign.cli.integrator.profiles import Config, Profile
from smsign.cli.integrator.remote import fail, make_client
from smsign.cli.language import say, word
from smsign.cli.output import json_option, show_json, show_table
from smsign.client import ClientError, InvalidSignId
from smsign.client.options import MASTER_SECRET
from smsign.domain.apps import KEY_PATTERN
from smsign.errors import NotFound, SetupError

_NAME = re.compile(r"[\w.-]{1,64}")


@click.group()
def profile() -> None:
    """Manage profiles: addresses and keys of services.

    They are stored in ~/.config/smsign/config.toml (or under XDG_CONFIG_HOME), readable by you alone. A
    command uses the profile of --profile or SMSIGN_PROFILE; else SMSIGN_URL, SMSIGN_APP_KEY and
    SMSIGN_MASTER_SECRET; else the default profile, which is the first one unless you change it.
    """


@profile.command()
@click.argument("name")
@click.option("--url", required=True, help="Address of the service, such as https://sms.example.com")
@click.option("--app-key", required=True, help="appKey of the application.")
@click.option(
    "--no-secret", is_flag=True, help="Do not store the masterSecret, but read SMSIGN_MASTER_SECRET."
)
@click.option(
    "--check/--no-check", default=None, help="Check address and keys with one call.  [asked on a terminal]"
)
@json_option
def add(name: str, *, url: str, app_key: str, no_secret: bool, check: bool | None, as_json: bool) -> None:
    """Add or replace a profile.

    Prompts for the masterSecret, or reads it from standard input. It is not an option, because options are
    visible in the process list.

    appKey and masterSecret have 24 characters each, 0-9 and a-f. The check queries a signature, which changes
    nothing; if it fails, the profile is not stored.
    """
    if not _NAME.fullmatch(name):
        raise click.BadParameter(word("1 to 64 letters, digits, dots, dashes"), param_hint="NAME")
    if not url.startswith(("http://", "https://")):
        raise click.BadParameter(word("an address that begins with https:// or http://"), param_hint="--url")
    _check_form("appKey", app_key, param_hint="--app-key")
    secret = "" if no_secret else _read_secret()
    used = secret or os.environ.get(MASTER_SECRET, "")
    if check and not used:
        raise click.UsageError(word("--check needs the masterSecret; set SMSIGN_MASTER_SECRET"))
    if check is None and used and sys.stdin.isatty():
        question = word("Check address and keys with one call?")
        check = click.confirm(question, default=True, err=True)
    if check:
        _check_by_a_call(Profile(url=url, app_key=app_key, master_secret=used), as_json=as_json)

    def change(config: Config) -> None:
        config.profile[name] = Profile(url=url, app_key=app_key, master_secret=secret)
        config.default = config.default or name

    _show(_changed(change), as_json=as_json)


@profile.command("list")
@json_option
def list_(*, as_json: bool) -> None:
    """List all profiles; an asterisk marks the default."""
    _show(profiles.load_with_warning(), as_json=as_json)


@profile.command()
@click.argument("name")
@json_option
def remove(name: str, *, as_json: bool) -> None:
    """Remove a profile."""

    def change(config: Config) -> None:
        _get(config, name)
        del config.profile[name]
        if config.default == name:
            config.default = next(iter(config.profile), "")

    _show(_changed(change), as_json=as_json)


@profile.command()
@click.argument("name")
@json_option
def use(name: str, *, as_json: bool) -> None:
    """Set the default profile."""

    def change(config: Config) -> None:
        _get(config, name)
        config.default = name

    _show(_changed(change), as_json=as_json)


def _check_form(name: str, text: str, *, param_hint: str) -> None:
    """Check the form of a key, without printing it: it may be the secret.

    Raises: BadParameter.
    """
    if not KEY_PATTERN.fullmatch(text):
        form = say(
            f"{name}: not 24 characters of 0-9 and a-f (it has {len(text)})",
            f"{name}：有 {len(text)} 个字符，应为 24 个字符，仅含 0-9 与 a-f",
        )
        raise click.BadParameter(form, param_hint=param_hint)


def _check_by_a_call(profile: Profile, *, as_json: bool) -> None:
    """Query a signature with the keys, and exit with an error unless the service accepts them."""
    try:
        with make_client(profile) as client, suppress(InvalidSignId):
            client.get_sign(1)
    except (ClientError, SetupError, ValueError) as error:
        click.echo(word("Not stored. Without the check: --no-check"), err=True)
        fail(error, as_json=as_json)
    click.echo(word("The service accepts the keys."), err=True)


def _read_secret() -> str:
    terminal = sys.stdin.isatty()
    secret = click.prompt("masterSecret", hide_input=True) if terminal else sys.stdin.readline()
    if not (secret := str(secret).strip()):
        raise click.UsageError(word("no masterSecret on standard input; pipe it in, or use --no-secret"))
    _check_form("masterSecret", secret, param_hint="masterSecret" if terminal else word("standard input"))
    return secret


def _changed(change: Callable[[Config], Any]) -> Config:
    file = profiles.path()
    config = profiles.load(file)
    change(config)
    profiles.save(file, config)
    return config


def _get(config: Config, name: str) -> Profile:
    if name not in config.profile:
        raise NotFound(f"there is no profile {name!r}", f"没有名为 {name!r} 的配置")
    return config.profile[name]


def _show(config: Config, *, as_json: bool) -> None:
    """Show all profiles, without their secrets."""
    items = config.profile.items()
    if as_json:
        show_json(
            [
                {
                    "name": name,
                    "url": each.url,
                    "app_key": each.app_key,
                    "has_secret": bool(each.master_secret),
                    "default": name == config.default,
                }
                for name, each in items
            ]
        )
        return
    lines = []
    for name, each in items:
        star = "*" if name == config.default else ""
        lines.append(
            [star, name, each.url, each.app_key, word("stored" if each.master_secret else "not stored")]
        )
    show_table(
        ["", "name", "url", "appKey", "masterSecret"],
        lines,
        empty="No profiles yet. Add one: smsign profile add NAME --url URL --app-key KEY",
    )
