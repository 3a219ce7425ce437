"""What `serve --test` does beside serving: a folder that goes when it ends, and keys that are known."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, NoReturn

import click

from smsign import config
from smsign.actions import apps, demo, sandbox
from smsign.cli.options import now
from smsign.config import SETTINGS, Settings
from smsign.domain.sandbox import PASSES, PENDING, REFUSALS
from smsign.storage.open import Stores

NAME = "test"
LOOPBACK = "127.0.0.0/8, ::1/128"
"""What callbacks may reach, unless the settings name other networks: a test's receiver runs beside it."""


@contextmanager
def settings_of_test(given: dict[str, Any], *, with_demo: bool) -> Iterator[Settings]:
    """Return settings under which everything is kept in a temporary folder; it is removed at the end.

    Raises: UsageError with a flag that says where things are kept: nothing of a test may get there.
    """
    named = [each.flag for each in SETTINGS.values() if each.stored and given.get(each.name) is not None]
    if flags := [*named, *(["--demo"] if with_demo else [])]:
        raise click.UsageError(
            f"--test keeps everything in a temporary folder of its own; leave out {' and '.join(flags)}"
        )
    signal.signal(signal.SIGTERM, _end)  # so that the folder goes, however early the stop comes
    folder = tempfile.mkdtemp(prefix="smsign-test-")
    kept = dict.fromkeys(("blobs", "secret_key"), "")  # also over what the environment says
    networks = SETTINGS["callback_networks"]
    if given.get(networks.name) is None and networks.env not in os.environ:
        kept[networks.name] = LOOPBACK
    try:
        yield config.load(
            given | kept | {"data": folder, "database": f"sqlite:{folder}/smsign.db?durable=no"}
        )
    finally:
        shutil.rmtree(folder, ignore_errors=True)


async def fill(stores: Stores, *, delay_ms: int) -> None:
    """Make every application of this database a test application, and one with the contract's own keys."""
    await sandbox.emulate(stores.db, delay_ms=delay_ms)
    await apps.create(
        stores.db,
        stores.vault,
        name=NAME,
        keys=demo.KEYS,
        use_by_hand=False,
        actor=demo.ACTOR,
        now=now(),
    )


def greet(settings: Settings, where: str, *, delay_ms: int) -> None:
    """Tell people what it is good for, on standard error."""
    after = f"after {delay_ms} ms" if delay_ms else "at once"
    click.echo(
        f"""
Every application is a test application; its audit decides itself, {after}, by the content submitted:

  {PASSES} and any other   passes
  {" ".join(REFUSALS)}
                     is refused, each for a reason of its own
  {PENDING}           stays in the audit

  curl {where}/v1/sign -u {demo.KEYS.app_key}:{demo.KEYS.master_secret} -F sign={PASSES}

Everything is in {settings.folder}, which is removed at the end.
""",
        err=True,
    )


def tell(where: str) -> None:
    """Tell programs where it is and with which keys, on standard output: it takes connections now."""
    told = {
        "SMSIGN_URL": where,
        "SMSIGN_APP_KEY": demo.KEYS.app_key,
        "SMSIGN_MASTER_SECRET": demo.KEYS.master_secret,
    }
    lines = "".join(f"{name}={value}\n" for name, value in told.items())
    with suppress(OSError):  # nobody has to listen
        os.write(1, lines.encode())  # past the buffers: this is a thread, and the end may be near


def _end(*_: object) -> NoReturn:
    raise SystemExit(143)
