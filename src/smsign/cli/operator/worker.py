"""`smsign worker`: the background tasks of a server, without the server."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from typing import Any

import click

from smsign.cli.language import say
from smsign.cli.options import settings_options, take_settings
from smsign.config import Settings
from smsign.log import set_up
from smsign.storage.open import open_stores


@click.command()
@settings_options(lambda setting: setting.stored or setting.worker)
def worker(**given: Any) -> None:
    """Start a delivery worker without an HTTP server.

    It delivers webhooks, and decides the audits of test applications. Ctrl-C or SIGTERM is a graceful
    shutdown: deliveries in flight are finished. Any number of workers may share a database. A server does the
    same work, unless it runs with --deliver 0.
    """
    settings = take_settings(given)
    asyncio.run(_work(settings))


async def _work(settings: Settings) -> None:
    from smsign.worker.deliverer import Deliverer  # lazy: slow to import
    from smsign.worker.sandbox import decide_test_signatures
    from smsign.worker.sender import make_sender

    sender, log = make_sender(settings), set_up(settings.log_format)
    stores = await open_stores(settings)
    deliverer = Deliverer(stores, settings, sender)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, deliverer.stop)
    where = say(f"data in {settings.folder}   stop with Ctrl-C", f"数据在 {settings.folder}   按 Ctrl-C 停止")
    click.echo(f"smsign worker   {where}", err=True)
    deciding = asyncio.create_task(decide_test_signatures(stores.db))
    try:
        await deliverer.run()
    finally:
        deciding.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await deciding
        await stores.close()
        log.flush()
