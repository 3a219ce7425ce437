"""`smsign serve`, and what it does by itself as commands: `migrate`, `sweep`."""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Any

import click

from smsign.actions import accounts, demo, idempotency
from smsign.actions import blobs as blob_actions
from smsign.cli.options import now, settings_options, stored, take_settings
from smsign.cli.output import show_json
from smsign.config import Settings
from smsign.errors import SetupError
from smsign.storage.migrate import schema_number
from smsign.storage.stores import Stores, open_stores

_HEADER_BUFFER_BYTES = 1_100_000
_HEADER_TIMEOUT_MS = 15_000


@click.command()
@settings_options(stored_only=False)
@click.option("--demo", "with_demo", is_flag=True, help="Serve the contract's examples.")
def serve(*, with_demo: bool, **given: Any) -> None:
    """Start the server.

    Stop it with Ctrl-C or SIGTERM: requests in flight are still answered.

    The first start makes the data folder, the database and the key. With several workers or machines,
    all share one database.
    """
    settings = take_settings(given)
    asyncio.run(_prepare(settings, with_demo=with_demo))
    figures = _share_figures(settings.workers)
    try:
        _run(settings)
    finally:
        if figures:
            shutil.rmtree(figures, ignore_errors=True)


async def _prepare(settings: Settings, *, with_demo: bool) -> None:
    """Open everything once, so that what is wrong is said here, and by one process."""
    for name in ("tls_cert", "tls_key"):
        if (path := getattr(settings, name)) and not os.access(path, os.R_OK):
            raise SetupError(f"{name}: {path} cannot be read")
    if with_demo and not settings.database_url.startswith("sqlite:"):
        raise SetupError("demo: it lives in a data folder of its own, not in a PostgreSQL database")
    stores = await open_stores(settings)
    try:
        if with_demo:
            await demo.load(stores.db, stores.vault, now=now())
        elif await demo.is_loaded(stores.db):
            click.echo("Warning: this is the demonstration's data; its keys are known to everyone.", err=True)
        first = await accounts.invite_first(stores.db, now=now())
    finally:
        await stores.close()
    _greet(settings, first, with_demo=with_demo)


def _greet(settings: Settings, first: str | None, *, with_demo: bool) -> None:
    scheme = "https" if settings.tls_cert else "http"
    where = f"unix:{settings.socket}" if settings.socket else f"{scheme}://{settings.host}:{settings.port}"
    click.echo(f"smsign on {where}   data in {settings.folder}   stop with Ctrl-C", err=True)
    if first:
        click.echo(f"Make the first account, with this link, once: {where}/console/welcome/{first}", err=True)
    if with_demo:
        call, auth = f"{where}/v1/sign/{demo.SIGN_ID}", f"-u {demo.KEYS.app_key}:{demo.KEYS.master_secret}"
        click.echo(
            f"""
Demonstration data; try, in another terminal:

  curl {call} {auth}
  curl -X POST {call} {auth} -F sign=修改的签名
  .venv/bin/smsign audit list --data {settings.data}
  .venv/bin/smsign audit pass {demo.SIGN_ID} --data {settings.data}

The README walks through all calls. To start over: rm -r {settings.data}
""",
            err=True,
        )
    else:
        click.echo("Make an application with: smsign app create NAME", err=True)


def _share_figures(workers: int) -> str | None:
    """Several processes add up their figures through files; return their folder."""
    if workers == 1:
        return None
    # Before anything imports prometheus-client, which looks once.
    folder = os.environ["PROMETHEUS_MULTIPROC_DIR"] = tempfile.mkdtemp(prefix="smsign-metrics-")
    return folder


def _run(settings: Settings) -> None:
    from granian.constants import HTTPModes, Interfaces, Loops, SSLProtocols
    from granian.http import HTTP1Settings
    from granian.log import LogLevels

    from smsign.cli.processes import PatientServer, load

    server = PatientServer(
        "smsign",
        address=settings.host,
        port=settings.port,
        uds=Path(settings.socket) if settings.socket else None,
        interface=Interfaces.ASGI,
        workers=settings.workers,
        loop=Loops.uvloop,
        http=HTTPModes.http1,
        websockets=False,
        backlog=2048,
        http1_settings=HTTP1Settings(
            header_read_timeout=_HEADER_TIMEOUT_MS, max_buffer_size=_HEADER_BUFFER_BYTES
        ),
        ssl_cert=Path(settings.tls_cert) if settings.tls_cert else None,
        ssl_key=Path(settings.tls_key) if settings.tls_key else None,
        ssl_protocol_min=SSLProtocols.tls12,  # published clients on Java 8 speak no newer one
        respawn_failed_workers=True,
        workers_kill_timeout=settings.stop_timeout + 2,
        log_level=LogLevels.warning,
    )
    server.serve(target_loader=partial(load, settings, os.getpid()), wrap_loader=False)


@click.command()
@stored
async def migrate(stores: Stores, *, as_json: bool) -> None:
    """Bring the database's schema up to date, as every start does."""
    number = await schema_number(stores.db.read)
    show_json({"schema": number}) if as_json else click.echo(f"schema {number}: up to date")


@click.command()
@stored
async def sweep(stores: Stores, *, as_json: bool) -> None:
    """Remove pictures that no submission names, and forget old Idempotency-Keys.

    Only pictures older than a day go, and keys older than seven; the server does the same now and then.
    """
    gone = await blob_actions.sweep(stores.db, stores.blobs, now_s=time.time())
    keys = await idempotency.sweep(stores.db, now=now())
    if as_json:
        show_json({"removed": gone, "idempotency_keys": keys})
    else:
        click.echo(f"{gone} pictures removed, {keys} keys forgotten")
