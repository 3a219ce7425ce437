"""`smsign serve`, and what it does by itself as commands: `migrate`, `sweep`."""

from __future__ import annotations

import asyncio
import os
import shutil
import ssl
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import click

from smsign.actions import accounts, demo, idempotency
from smsign.actions import blobs as blob_actions
from smsign.cli.operator import emulator
from smsign.cli.operator.listening import holding_address
from smsign.cli.options import now, settings_options, stored, take_settings
from smsign.cli.output import show_json
from smsign.config import Settings, networks
from smsign.domain.sandbox import DELAY_MS_MAX
from smsign.errors import SetupError
from smsign.storage.engine.migrate import schema_number
from smsign.storage.open import Stores, open_stores

_HEADER_BUFFER_BYTES = 1_100_000
_HEADER_TIMEOUT_MS = 15_000
_SOCKET_MODE = 0o660
_CLOSE_S = 5
"""How much longer than `stop_timeout` a worker may take, to close what it has open."""


@click.command()
@settings_options(lambda _: True)
@click.option("--demo", "with_demo", is_flag=True, help="Serve the contract's examples.")
@click.option("--test", "is_test", is_flag=True, help="Serve test applications, from a temporary folder.")
@click.option(
    "--test-delay-ms",
    "delay_ms",
    type=click.IntRange(0, DELAY_MS_MAX),
    help="With --test: milliseconds from a submission to its decision.  [0]",
)
def serve(*, with_demo: bool, is_test: bool, delay_ms: int | None, **given: Any) -> None:
    """Start the server.

    Stop it with Ctrl-C or SIGTERM: requests in flight are still answered.

    The first start makes the data folder, the database and the key. With several workers or machines,
    all share one database.

    With --test it is an emulator for CI: the audit decides itself, by the content submitted, and nothing
    is left at the end. Once it takes connections, standard output has its address and keys as NAME=VALUE.
    """
    if delay_ms is not None and not is_test:
        raise click.UsageError("--test-delay-ms goes with --test")
    with ExitStack() as stack:
        settings = (
            stack.enter_context(emulator.settings_of_test(given, with_demo=with_demo))
            if is_test
            else take_settings(given)
        )
        settings = stack.enter_context(holding_address(settings))
        test_delay_ms = (delay_ms or 0) if is_test else None
        asyncio.run(_prepare(settings, with_demo=with_demo, test_delay_ms=test_delay_ms))
        if figures := _share_figures(settings.workers):
            stack.callback(shutil.rmtree, figures, ignore_errors=True)
        told = partial(emulator.tell, _where(settings)) if is_test else _nothing
        _run(settings, told)


async def _prepare(settings: Settings, *, with_demo: bool, test_delay_ms: int | None) -> None:
    """Open everything once, so that what is wrong is said here, and by one process."""
    _check_certificate(settings)
    for name in ("trusted_proxies", "callback_networks"):
        networks(name, getattr(settings, name))
    if with_demo and not settings.database_url.startswith("sqlite:"):
        raise SetupError("demo: it lives in a data folder of its own, not in a PostgreSQL database")
    stores = await open_stores(settings)
    try:
        if test_delay_ms is not None:
            await emulator.fill(stores, delay_ms=test_delay_ms)
        elif with_demo:
            await demo.load(stores.db, stores.vault, now=now())
        elif await demo.is_loaded(stores.db):
            click.echo("Warning: this is the demonstration's data; its keys are known to everyone.", err=True)
        first = await accounts.invite_first(stores.db, now=now())
    finally:
        await stores.close()
    _greet(settings, first, with_demo=with_demo, test_delay_ms=test_delay_ms)


def _check_certificate(settings: Settings) -> None:
    for name in ("tls_cert", "tls_key"):
        if (path := getattr(settings, name)) and not os.access(path, os.R_OK):
            raise SetupError(f"{name}: {path} cannot be read")
    if not settings.tls_cert:
        return
    try:
        # An empty password: one that needs another is refused, and nobody is asked for it.
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(
            settings.tls_cert, settings.tls_key, lambda: ""
        )
    except (OSError, ValueError) as error:
        raise SetupError(
            f"tls_cert and tls_key: {settings.tls_cert} and {settings.tls_key} are not a certificate"
            f" and its key, in PEM and without a password: {error}"
        ) from error


def _greet(settings: Settings, first: str | None, *, with_demo: bool, test_delay_ms: int | None) -> None:
    where = _where(settings)
    click.echo(f"smsign on {where}   data in {settings.folder}   stop with Ctrl-C", err=True)
    if first:
        path = f"/console/welcome/{first}"
        how = (
            f"this path, under the proxy's address, once: {path}"
            if settings.socket
            else f"this link, once: {where}{path}"
        )
        click.echo(f"Make the first account, with {how}", err=True)
    if test_delay_ms is not None:
        emulator.greet(settings, where, delay_ms=test_delay_ms)
    elif with_demo:
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


def _where(settings: Settings) -> str:
    scheme = "https" if settings.tls_cert else "http"
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    return f"unix:{settings.socket}" if settings.socket else f"{scheme}://{host}:{settings.port}"


def _share_figures(workers: int) -> str | None:
    """Several processes add up their figures through files; return their folder."""
    if workers == 1:
        return None
    # Before anything imports prometheus-client, which looks once.
    folder = os.environ["PROMETHEUS_MULTIPROC_DIR"] = tempfile.mkdtemp(prefix="smsign-metrics-")
    return folder


def _nothing() -> None:
    pass


def _run(settings: Settings, listening: Callable[[], None]) -> None:
    from granian.constants import HTTPModes, Interfaces, Loops, SSLProtocols
    from granian.http import HTTP1Settings
    from granian.log import LogLevels

    from smsign.cli.operator.processes import PatientServer, load

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
        workers_kill_timeout=settings.stop_timeout + _CLOSE_S,
        log_level=LogLevels.warning,
        log_dictconfig=_logs(settings.log_format),
        uds_permissions=_SOCKET_MODE,
        listening=listening,
    )
    server.serve(target_loader=partial(load, settings, os.getpid()), wrap_loader=False)


def _logs(form: str) -> dict[str, Any]:
    """Return how the libraries log: as everything else, on standard error, warnings and worse."""
    handler = {"formatter": "smsign", "class": "logging.StreamHandler", "stream": "ext://sys.stderr"}
    return {
        "formatters": {"smsign": {"()": "smsign.log.Formatter", "form": form}},
        "handlers": {"console": handler, "access": handler},
        "root": {"handlers": ["console"], "level": "WARNING"},
    }


@click.command()
@stored
async def migrate(stores: Stores, *, as_json: bool) -> None:
    """Bring the database's schema up to date, as every start does."""
    number = await schema_number(stores.db.read)
    show_json({"schema": number}) if as_json else click.echo(f"schema {number}: up to date")


@click.command()
@stored
async def sweep(stores: Stores, *, as_json: bool) -> None:
    """Remove images that no submission names, and forget old Idempotency-Keys.

    Only images older than a day go, and keys older than seven; the server does the same now and then.
    """
    gone = await blob_actions.sweep(stores.db, stores.blobs, now_s=time.time())
    keys = await idempotency.sweep(stores.db, now=now())
    if as_json:
        show_json({"removed": gone, "idempotency_keys": keys})
    else:
        click.echo(f"{gone} images removed, {keys} keys forgotten")
