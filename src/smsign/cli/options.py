"""Options made from the table of settings, and decorators for commands that open the stores."""

from __future__ import annotations

import asyncio
import functools
import getpass
import os
import time
from collections.abc import Callable
from typing import Any

import click

from smsign import config
from smsign.cli.output import json_option
from smsign.config import SETTINGS, Setting, Settings
from smsign.storage.open import open_stores

Command = Callable[..., Any]


def settings_options(wanted: Callable[[Setting], bool]) -> Callable[[Command], Command]:
    """Add an option for each setting that is wanted."""

    def decorate(command: Command) -> Command:
        for setting in reversed(SETTINGS.values()):
            if wanted(setting):
                default = f"  [{setting.default}]" if setting.default != "" else ""
                command = click.option(
                    setting.flag,
                    setting.name,
                    metavar="TEXT" if isinstance(setting.default, str) else "N",
                    help=f"{setting.help}{default}",
                )(command)
        return command

    return decorate


def with_stores(command: Command) -> Command:
    """Make a command of `async (stores, …)`: open the stores, and add --json and the storage options."""

    @functools.wraps(command)
    async def run(settings: Settings, **given: Any) -> None:
        stores = await open_stores(settings)
        try:
            await command(stores, **given)
        finally:
            await stores.close()

    return with_settings(run)


def with_settings(command: Command) -> Command:
    """Make a command of `async (settings, …)`: add --json and the storage options."""

    @settings_options(lambda setting: setting.stored)
    @json_option
    @functools.wraps(command)
    def run(**given: Any) -> None:
        settings = take_settings(given)
        asyncio.run(command(settings, **given))

    return run


def take_settings(given: dict[str, Any]) -> Settings:
    """Remove the options of settings from `given`; return the settings from all sources.

    Raises: SetupError.
    """
    return config.load({name: given.pop(name) for name in SETTINGS if name in given})


def actor() -> str:
    """Return the user who runs the command, for the ledger."""
    try:
        return f"cli:{getpass.getuser()}"
    except (KeyError, OSError):
        return f"cli:{os.getuid()}"


def now() -> int:
    """Return the time in UTC microseconds."""
    return time.time_ns() // 1000
