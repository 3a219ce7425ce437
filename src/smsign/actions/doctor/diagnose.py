"""Run all checks of an installation, one after the other."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

from smsign.actions.doctor import content, database, files
from smsign.actions.doctor.finding import OK, RESTORE, WRONG, Context, Finding, Installation, about
from smsign.actions.transfer.copy import Progress
from smsign.errors import SmsignError, Text
from smsign.storage.open import open_database, open_source

Check = Callable[[Context], Awaitable[Finding]]

FILE_CHECKS: tuple[Callable[[Installation], Iterator[Finding]], ...] = (
    files.check_permissions,
    files.check_disk,
)
CHECKS: dict[str, Check] = {
    "secret key": database.check_key,
    "clock": database.check_clock,
    "integrity": database.check_integrity,
    "ids": database.check_ids,
    "rows": content.check_rows,
    "ledger": content.check_ledger,
    "outbox": content.check_outbox,
    "images": content.check_images,
}
"""Checks of an open database, in the order in which their findings are best fixed."""
ANY_SCHEMA = {"secret key"}
"""Checks that do not need the newest schema."""


async def diagnose(at: Installation, progress: Progress) -> AsyncIterator[Finding]:
    """Yield the findings of all checks."""
    if not at.folder.is_dir():
        what = Text(f"{at.folder} does not exist", f"{at.folder} 不存在")
        yield Finding(
            "data folder", WRONG, what, Text("set --data or SMSIGN_DATA", "设置 --data 或 SMSIGN_DATA")
        )
        return
    if fix := files.fix_access(at.folder):
        what = Text(f"{at.folder} is not readable and writable", f"{at.folder} 无法读写")
        yield Finding("data folder", WRONG, what, fix)
    if not os.access(at.folder, os.R_OK | os.X_OK):
        return
    for check in FILE_CHECKS:
        for finding in check(at):
            yield finding
    try:
        rows = await open_source(at.database_url)
        db = await open_database(at.database_url, pool_size=2)
    except SmsignError as error:
        yield Finding("database", WRONG, about(error), files.fix_database(at, error))
        return
    try:
        async for finding in _check_database(Context(at, await rows.meta(), rows, db, progress)):
            yield finding
    except SmsignError as error:
        yield Finding("database", WRONG, about(error), RESTORE)
    finally:
        await rows.close()
        await db.close()


async def _check_database(ctx: Context) -> AsyncIterator[Finding]:
    yield (schema := await database.check_schema(ctx))
    for name, check in CHECKS.items():
        if schema.state == OK or name in ANY_SCHEMA:
            try:
                yield await check(ctx)
            except SmsignError as error:
                yield Finding(name, WRONG, about(error), RESTORE)
