"""`smsign profile …`: addresses and keys of services, under names."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from typing import Any

import click

from smsign.cli.integrator import profiles
from smsign.cli.integrator.profiles import Config, Profile
from smsign.cli.output import show_json, show_table
from smsign.errors import NotFound

_NAME = re.compile(r"[\w.-]{1,64}")

as_json_option = click.option("--json", "as_json", is_flag=True, help="Answer in JSON, for programs.")


@click.group()
def profile() -> None:
    """Keep addresses and keys of services under names.

    They are in ~/.config/smsign/config.toml, or where XDG_CONFIG_HOME says, readable by you alone. A
    command uses the profile named by --profile or SMSIGN_PROFILE; else SMSIGN_URL, SMSIGN_APP_KEY and
    SMSIGN_MASTER_SECRET; else the default profile, which is the first one unless you choose another.
    """


@profile.command()
@click.argument("name")
@click.option("--url", required=True, help="Address of the service, as https://sms.example.com")
@click.option("--app-key", required=True, help="appKey of the application.")
@click.option("--no-secret", is_flag=True, help="Keep no masterSecret: SMSIGN_MASTER_SECRET will have it.")
@as_json_option
def add(name: str, *, url: str, app_key: str, no_secret: bool, as_json: bool) -> None:
    """Keep a profile; asks for the masterSecret, or reads it from standard input.

    A profile of the same name is replaced. The secret is no option: it would show in the list of processes.
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
@as_json_option
def list_(*, as_json: bool) -> None:
    """List all profiles; the default one bears a star."""
    file = profiles.path()
    config = profiles.load(file)
    if told := profiles.warning(file, config):
        click.echo(f"Warning: {told}", err=True)
    _show(config, as_json=as_json)


@profile.command()
@click.argument("name")
@as_json_option
def remove(name: str, *, as_json: bool) -> None:
    """Forget a profile."""

    def change(config: Config) -> None:
        _get(config, name)
        del config.profile[name]
        if config.default == name:
            config.default = next(iter(config.profile), "")

    _show(_changed(change), as_json=as_json)


@profile.command()
@click.argument("name")
@as_json_option
def use(name: str, *, as_json: bool) -> None:
    """Make a profile the default one."""

    def change(config: Config) -> None:
        _get(config, name)
        config.default = name

    _show(_changed(change), as_json=as_json)


def _read_secret() -> str:
    asked = sys.stdin.isatty()
    secret = click.prompt("masterSecret", hide_input=True) if asked else sys.stdin.readline()
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
    """Show all but the secrets."""
    kept = config.profile.items()
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
                for name, each in kept
            ]
        )
        return
    lines = []
    for name, each in kept:
        star = "*" if name == config.default else ""
        lines.append([star, name, each.url, each.app_key, "kept" if each.master_secret else "not kept"])
    show_table(
        ["", "name", "url", "appKey", "masterSecret"],
        lines,
        empty="No profiles yet. Make one with: smsign profile add NAME --url URL --app-key KEY",
    )
