"""`smsign profile …`: addresses and keys of services."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from typing import Any

import click

from smsign.cli.integrator import profiles
from smsign.cli.integrator.profiles import Config, Profile
from smsign.cli.output import json_option, show_json, show_table
from smsign.errors import NotFound

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
@json_option
def add(name: str, *, url: str, app_key: str, no_secret: bool, as_json: bool) -> None:
    """Add or replace a profile; prompts for the masterSecret, or reads it from standard input.

    The secret is not an option, because options are visible in the process list.
    """
    if not _NAME.fullmatch(name):
        raise click.BadParameter("1 to 64 letters, digits, dots, dashes", param_hint="NAME")
    if not url.startswith(("http://", "https://")):
        raise click.BadParameter("an address that begins with https:// or http://", param_hint="--url")
    secret = "" if no_secret else _read_secret()

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


def _read_secret() -> str:
    terminal = sys.stdin.isatty()
    secret = click.prompt("masterSecret", hide_input=True) if terminal else sys.stdin.readline()
    if not (secret := str(secret).strip()):
        raise click.UsageError("no masterSecret on standard input; pipe it in, or use --no-secret")
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
        lines.append([star, name, each.url, each.app_key, "stored" if each.master_secret else "not stored"])
    show_table(
        ["", "name", "url", "appKey", "masterSecret"],
        lines,
        empty="No profiles yet. Add one: smsign profile add NAME --url URL --app-key KEY",
    )
