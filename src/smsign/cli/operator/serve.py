"""`smsign serve`, and two of its tasks as commands: `migrate` and `sweep`."""

from __future__ import annotations

import asyncio
import os
import shutil
import ssl
import sys
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
from smsign.cli.language import say, word
from smsign.cli.operator import emulator
from smsign.cli.operator.listening import find_own_address, reserve_address
from smsign.cli.options import now, settings_options, take_settings, with_stores
from smsign.cli.output import show_json
from smsign.config import Settings, networks
from smsign.domain.sandbox import DELAY_MS_MAX
from smsign.errors import SetupError
from smsign.log import set_up
from smsign.storage.engine.migrate import schema_number
from smsign.storage.open import Stores, open_stores

_HEADER_BUFFER_BYTES = 1_100_000
_HEADER_TIMEOUT_MS = 15_000
_SOCKET_MODE = 0o660
_CLOSE_S = 5
"""Added to `stop_timeout` before a worker is killed: time to close databases and files."""


@click.command()
@settings_options(lambda _: True)
@click.option("--demo", "with_demo", is_flag=True, help="Load demonstration data from the contract.")
@click.option(
    "--test",
    "is_test",
    is_flag=True,
    envvar="SMSIGN_TEST",
    help="Run an emulator for CI, in a temporary folder (SMSIGN_TEST=1).",
)
@click.option(
    "--test-delay-ms",
    "delay_ms",
    metavar="N",
    type=click.IntRange(0, DELAY_MS_MAX),
    help="With --test: milliseconds from a submission to its decision.  [0]",
)
@click.option(
    "--ready-file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="With --test: file for URL and keys, written once connections are accepted, removed at the end.",
)
def serve(
    *, with_demo: bool, is_test: bool, delay_ms: int | None, ready_file: Path | None, **given: Any
) -> None:
    """Start the server.

    Ctrl-C or SIGTERM is a graceful shutdown: requests in flight are finished.

    The first start creates the data folder, the database and the secret key. All processes and machines share
    one database.

    With --test it is an emulator for CI: audits are decided automatically by the content submitted, and all
    data is deleted at the end. Once it accepts connections, it prints its URL and keys as NAME=VALUE, and
    writes them to the --ready-file.
    """
    for flag, value in (("--test-delay-ms", delay_ms), ("--ready-file", ready_file)):
        if value is not None and not is_test:
            raise click.UsageError(say(f"{flag} requires --test", f"{flag} 须与 --test 同用"))
    with ExitStack() as stack:
        settings = (
            stack.enter_context(emulator.settings_of_test(given, with_demo=with_demo))
            if is_test
            else take_settings(given)
        )
        if ready_file:
            stack.enter_context(emulator.removed_at_the_end(ready_file))
        settings = stack.enter_context(reserve_address(settings))
        test_delay_ms = (delay_ms or 0) if is_test else None
        asyncio.run(_prepare(settings, with_demo=with_demo, test_delay_ms=test_delay_ms))
        if folder := _share_metrics(settings.workers):
            stack.callback(shutil.rmtree, folder, ignore_errors=True)
        print_environment = partial(emulator.print_environment, _url(settings), ready_file)
        _run(settings, print_environment if is_test else lambda: None, is_test=is_test)


async def _prepare(settings: Settings, *, with_demo: bool, test_delay_ms: int | None) -> None:
    """Open everything once, so that errors are reported here, by one process."""
    _check_certificate(settings)
    for name in ("trusted_proxies", "callback_networks"):
        networks(name, getattr(settings, name))
    if with_demo and not settings.database_url.startswith("sqlite:"):
        raise SetupError(
            "demo: requires a SQLite database in a data folder without other applications",
            "demo：需要 SQLite 数据库，且数据目录中没有其他应用",
        )
    stores = await open_stores(settings)
    try:
        if test_delay_ms is not None:
            await emulator.fill(stores, delay_ms=test_delay_ms)
        elif with_demo:
            await demo.load(stores.db, stores.vault, now=now())
        elif await demo.is_loaded(stores.db):
            click.echo(word("Warning: this is demonstration data; its keys are public."), err=True)
        first = await accounts.invite_first(stores.db, now=now())
    finally:
        await stores.close()
    _greet(settings, first, with_demo=with_demo, test_delay_ms=test_delay_ms)


def _check_certificate(settings: Settings) -> None:
    for name in ("tls_cert", "tls_key"):
        if (path := getattr(settings, name)) and not os.access(path, os.R_OK):
            raise SetupError(f"{name}: {path} cannot be read", f"{name}：无法读取 {path}")
    if not settings.tls_cert:
        return
    try:
        # An empty password instead of a prompt: an encrypted key is an error.
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(
            settings.tls_cert, settings.tls_key, lambda: ""
        )
    except (OSError, ValueError) as error:
        raise SetupError(
            f"tls_cert and tls_key: {settings.tls_cert} and {settings.tls_key} are not a certificate"
            f" and its unencrypted key in PEM: {error}",
            f"tls_cert 与 tls_key：{settings.tls_cert} 与 {settings.tls_key} 不是 PEM 格式的证书"
            f"及其未加密的私钥：{error}",
        ) from error


def _greet(settings: Settings, first: str | None, *, with_demo: bool, test_delay_ms: int | None) -> None:
    url = _url(settings)
    folder = settings.folder
    click.echo(
        say(
            f"smsign on {url}   data in {folder}   stop with Ctrl-C",
            f"smsign 运行于 {url}   数据在 {folder}   按 Ctrl-C 停止",
        ),
        err=True,
    )
    if first:
        path = f"/console/welcome/{first}"
        below = say(f"{path} under the address of the proxy", f"反向代理的地址加上 {path}")
        link = below if settings.socket else f"{url}{path}"
        click.echo(
            say(
                f"Create the first account; this link is valid once: {link}",
                f"创建第一个账号，链接仅一次有效：{link}",
            ),
            err=True,
        )
    if test_delay_ms is not None:
        emulator.greet(settings, url, delay_ms=test_delay_ms)
    elif with_demo:
        call, auth = f"{url}/v1/sign/{demo.SIGN_ID}", f"-u {demo.KEYS.app_key}:{demo.KEYS.master_secret}"
        click.echo(
            f"""
{word("Demonstration data; try, in another terminal:")}

  curl {call} {auth}
  curl -X POST {call} {auth} -F sign=修改的签名
  {sys.argv[0]} audit list --data {settings.data}
  {sys.argv[0]} audit pass {demo.SIGN_ID} --data {settings.data}

{word("The tutorial in the documentation shows all calls. To start over:")} rm -r {settings.data}
""",
            err=True,
        )
    else:
        click.echo(word("Create an application: smsign app create NAME"), err=True)


def _url(settings: Settings) -> str:
    scheme = "https" if settings.tls_cert else "http"
    host = settings.host if settings.host not in ("0.0.0.0", "::") else find_own_address()  # noqa: S104
    host = f"[{host}]" if ":" in host else host
    return f"unix:{settings.socket}" if settings.socket else f"{scheme}://{host}:{settings.port}"


def _share_metrics(workers: int) -> str | None:
    """Return the folder in which several processes share their metrics, None for one process."""
    if workers == 1:
        return None
    # Set before prometheus-client is imported, which reads it once.
    folder = os.environ["PROMETHEUS_MULTIPROC_DIR"] = tempfile.mkdtemp(prefix="smsign-metrics-")
    return folder


def _run(settings: Settings, listening: Callable[[], None], *, is_test: bool) -> None:
    from granian.constants import HTTPModes, Interfaces, Loops, SSLProtocols
    from granian.http import HTTP1Settings
    from granian.log import LogLevels

    from smsign.cli.operator.processes import GracefulServer, load

    set_up(settings.log_format)
    server = GracefulServer(
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
        ssl_protocol_min=SSLProtocols.tls12,  # the newest version of published clients on Java 8
        respawn_failed_workers=True,
        workers_kill_timeout=settings.stop_timeout + _CLOSE_S,
        log_level=LogLevels.warning,
        log_dictconfig={"handlers": {}, "loggers": {"_granian": {}}},  # log.set_up decides,
        uds_permissions=_SOCKET_MODE,
        listening=listening,
    )
    server.serve(target_loader=partial(load, settings, os.getpid(), is_test=is_test), wrap_loader=False)


@click.command()
@with_stores
async def migrate(stores: Stores, *, as_json: bool) -> None:
    """Migrate the database schema, as every start does."""
    number = await schema_number(stores.db.read)
    show_json({"schema": number}) if as_json else click.echo(
        say(f"schema {number}: up to date", f"表结构版本 {number}：已是最新")
    )


@click.command()
@with_stores
async def sweep(stores: Stores, *, as_json: bool) -> None:
    """Delete unreferenced images and expired idempotency keys.

    This garbage collection deletes images older than a day that no row references, and keys older than seven
    days. The server does the same periodically.
    """
    gone = await blob_actions.sweep(stores.db, stores.blobs, now_s=time.time())
    keys = await idempotency.sweep(stores.db, now=now())
    if as_json:
        show_json({"removed": gone, "idempotency_keys": keys})
    else:
        click.echo(
            say(
                f"{gone} images and {keys} idempotency keys deleted",
                f"已删除 {gone} 张图片与 {keys} 个幂等键",
            )
        )
