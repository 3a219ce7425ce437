"""Flags made from the table of settings, and what all commands share."""

from __future__ import annotations

import asyncio
import getpass
import os
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import click

from smsign import config
from smsign.config import SETTINGS, Setting, Settings
from smsign.storage.open import Stores, open_stores

T = TypeVar("T")
Command = Callable[..., Any]


def settings_options(wanted: Callable[[Setting], bool]) -> Callable[[Command], Command]:
    """Add the flags of the settings that are wanted."""

    def decorate(command: Command) -> Command:
        for setting in reversed(SETTINGS.values()):
            if wanted(setting):
                default = f" [{setting.default}]" if setting.default != "" else ""
                command = click.option(
                    setting.flag,
                    setting.name,
                    metavar="TEXT" if isinstance(setting.default, str) else "N",
                    help=f"{setting.help}{default}",
                )(command)
        return command

    return decorate


def stored(command: Command) -> Command:
    """Make a command of `stores -> …`: add --json and the flags that say where things are kept."""

    async def run(settings: Settings, **given: Any) -> None:
        await _with_stores(settings, lambda stores: command(stores, **given))

    run.__name__, run.__doc__ = command.__name__, command.__doc__
    run.__click_params__ = getattr(command, "__click_params__", [])  # type: ignore[attr-defined]
    return settled(run)


def settled(command: Command) -> Command:
    """Make a command of `settings -> …`, which opens for itself what it needs; the flags are the same."""

    @settings_options(lambda setting: setting.stored)
    @click.option("--json", "as_json", is_flag=True, help="Answer in JSON, for programs.")
    def run(**given: Any) -> None:
        settings = take_settings(given)
        asyncio.run(command(settings, **given))

    run.__name__, run.__doc__ = command.__name__, command.__doc__
    run.__click_params__ = [*getattr(command, "__click_params__", []), *run.__click_params__]  # type: ignore[attr-defined]
    return run


def take_settings(given: dict[str, Any]) -> Settings:
    """Remove the settings' flags from `given`; return the settings, from all sources.

    Raises: SetupError.
    """
    return config.load({name: given.pop(name) for name in SETTINGS if name in given})


async def _with_stores(settings: Settings, work: Callable[[Stores], Awaitable[T]]) -> T:
    stores = await open_stores(settings)
    try:
        return await work(stores)
    finally:
        await stores.close()


def actor() -> str:
    """Return who runs the command, for the ledger."""
    try:
        return f"cli:{getpass.getuser()}"
    except (KeyError, OSError):
        return f"cli:{os.getuid()}"


def now() -> int:
    """Return the time in UTC microseconds."""
    return time.time_ns() // 1000
