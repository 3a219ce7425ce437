"""`smsign worker`: what a server does beside the requests, alone."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from typing import Any

import click

from smsign.cli.options import settings_options, take_settings
from smsign.config import Settings
from smsign.log import Log
from smsign.storage.open import open_stores


@click.command()
@settings_options(lambda setting: setting.stored or setting.worker)
def worker(**given: Any) -> None:
    """Tell callbacks, and decide for test applications, without a server.

    Stop it with Ctrl-C or SIGTERM: what is in flight is finished. Any number may run at once, on any machine
    that reaches the database. A server does the same unless it is told otherwise with --deliver 0.
    """
    settings = take_settings(given)
    asyncio.run(_work(settings))


async def _work(settings: Settings) -> None:
    from smsign.worker.deliverer import Deliverer  # only now: other commands do not wait for them to load
    from smsign.worker.sandbox import decide_test_signatures
    from smsign.worker.sender import make_sender

    sender, log = make_sender(settings), Log(settings.log_format)
    stores = await open_stores(settings)
    deliverer = Deliverer(stores, settings, sender, log)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, deliverer.stop)
    click.echo(f"smsign worker   data in {settings.folder}   stop with Ctrl-C", err=True)
    deciding = asyncio.create_task(decide_test_signatures(stores.db, log))
    try:
        await deliverer.run()
    finally:
        deciding.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await deciding
        await stores.close()
        log.flush()
