"""`smsign serve --test`, the emulator for CI: a temporary data folder and well-known keys."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NoReturn

import click

from smsign import config
from smsign.actions import apps, demo, sandbox
from smsign.cli.language import say, word
from smsign.cli.options import now
from smsign.config import SETTINGS, Settings
from smsign.domain.sandbox import PASSES, PENDING, REFUSALS
from smsign.errors import SetupError
from smsign.storage.open import Stores

NAME = "test"
DEFAULTS = {
    "callback_networks": "127.0.0.0/8, 10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16, ::1/128, fc00::/7",
    "auth_failures": 100_000,
}
"""Settings that differ from those of production: receivers run beside the test, and nothing is throttled."""


@contextmanager
def settings_of_test(given: dict[str, Any], *, with_demo: bool) -> Iterator[Settings]:
    """Return settings with all data in a temporary folder, which is removed at the end.

    Raises: UsageError for an option that names another place for data: a test must not write there.
    """
    named = [each.flag for each in SETTINGS.values() if each.stored and given.get(each.name) is not None]
    if flags := [*named, *(["--demo"] if with_demo else [])]:
        raise click.UsageError(
            say(
                f"--test stores all data in a temporary folder; remove {' and '.join(flags)}",
                f"--test 把全部数据存在临时目录；请去掉 {'、'.join(flags)}",
            )
        )
    signal.signal(signal.SIGTERM, _end)  # remove the folder also on an early SIGTERM
    folder = tempfile.mkdtemp(prefix="smsign-test-")
    fixed: dict[str, Any] = dict.fromkeys(("blobs", "secret_key"), "")  # override the environment too
    for name, value in DEFAULTS.items():
        if given.get(name) is None and SETTINGS[name].env not in os.environ:
            fixed[name] = value
    try:
        yield config.load(
            given | fixed | {"data": folder, "database": f"sqlite:{folder}/smsign.db?durable=no"}
        )
    finally:
        shutil.rmtree(folder, ignore_errors=True)


async def fill(stores: Stores, *, delay_ms: int) -> None:
    """Make all applications test applications, and create one with the keys of the contract's examples."""
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
    """Print instructions on standard error."""
    when = say(f"after {delay_ms} ms", f"{delay_ms} 毫秒后") if delay_ms else word("at once")
    call = f"curl {where}/v1/sign -u {demo.KEYS.app_key}:{demo.KEYS.master_secret} -F sign={PASSES}"
    refused = " ".join(REFUSALS)
    click.echo(
        say(
            f"""
All applications are test applications. Audits are decided {when}, by the content submitted:

  {PASSES} and any other   is passed
  {refused}
                     is refused, each for another reason
  {PENDING}           stays in the audit

  {call}

All data is in {settings.folder}, which is removed at the end.
""",
            f"""
所有应用都是测试应用，{when}按提交的内容得出审核结果：

  {PASSES}及其他内容     通过
  {refused}
                     驳回，各为不同原因
  {PENDING}           停留在审核中

  {call}

数据都在 {settings.folder} 中，结束时删除。
""",
        ),
        err=True,
    )


@contextmanager
def removed_at_the_end(ready_file: Path) -> Iterator[None]:
    """Remove the file that an earlier run left, and at the end the one of this run.

    Raises: SetupError when it cannot be written.
    """
    try:
        ready_file.touch()
        ready_file.unlink()
    except OSError as error:
        raise SetupError(
            f"--ready-file: {ready_file}: {error.strerror}", f"--ready-file：{ready_file}：{error.strerror}"
        ) from error
    try:
        yield
    finally:
        ready_file.unlink(missing_ok=True)


def print_environment(where: str, ready_file: Path | None) -> None:
    """Print URL and keys as NAME=VALUE on standard output and to a file, once connections are accepted."""
    variables = {
        "SMSIGN_URL": where,
        "SMSIGN_APP_KEY": demo.KEYS.app_key,
        "SMSIGN_MASTER_SECRET": demo.KEYS.master_secret,
    }
    lines = "".join(f"{name}={value}\n" for name, value in variables.items())
    with suppress(OSError):  # standard output may be closed
        os.write(1, lines.encode())  # unbuffered: this runs on a thread, and the process may end at any time
    if ready_file:
        part = ready_file.with_name(f"{ready_file.name}.part")
        part.write_text(lines, "utf-8")
        part.replace(ready_file)  # never seen half written


def _end(*_: object) -> NoReturn:
    raise SystemExit(143)
