"""Copy a whole database into an empty one of either engine.

The source is read in one snapshot, so a server may use it meanwhile. Blobs are copied first, so that no row
references a missing one; then the rows, table by table; then both databases are compared row by row. Only
then is the target marked as finished; until then no server opens it.

An interrupted copy resumes from what the target has. The source is another snapshot by then, so the rows that
were copied are compared with it first: if it has changed, the copy fails.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
from itertools import count

import msgspec

from smsign.errors import SetupError, StorageError
from smsign.storage.engine.bulk import META, UNFINISHED, Bulk, Table
from smsign.storage.engine.migrate import SCHEMA, delete_meta, migrate, migrations, put_meta
from smsign.storage.engine.protocol import Row, Tx
from smsign.storage.open import open_database, open_target

Progress = Callable[[str, int, int], None]
"""Called with a description of the step, the amount done, and the total."""


class Copied(msgspec.Struct, frozen=True):
    """What is equal in both databases, row by row."""

    tables: dict[str, int]
    rows: int
    chains: int
    resumed: bool


async def copy(
    source: Bulk,
    url: str,
    progress: Progress,
    *,
    restart: bool = False,
    first: Callable[[], Awaitable[object]] | None = None,
) -> Copied:
    """Copy `source` to the database `url`, or resume a copy that was interrupted.

    `restart` discards the rows of an interrupted copy. `first` is called after the target was checked and
    before any row is written: it copies the blobs.

    Raises: SetupError if the target has other data, the schemas differ, or the source has changed since the
    interruption; StorageError.
    """
    tables, about = await _check_source(source)
    target = await open_target(url)
    try:
        unfinished = await _prepare_target(target, url, tables, about)
        db = await open_database(url, pool_size=1)
        try:
            if unfinished and restart:
                await target.clear(tables)
            elif unfinished:
                await _compare_copied(source, target, tables, progress)
            else:
                await db.write(lambda tx: put_meta(tx, UNFINISHED, "not finished"))
            if first is not None:
                await first()
            counts = await _fill(source, target, tables, progress)
            await _compare(source, target, tables, progress, doing="comparing")
            await target.raise_sequences(await source.sequences())
            await db.write(lambda tx: _finish(tx, about))
        finally:
            await db.close()
    finally:
        await target.close()
    return Copied(counts, sum(counts.values()), counts["chain"], unfinished and not restart)


async def newest_event(source: Bulk) -> int:
    """Return the id of the last event in the snapshot, 0 if there is none."""
    event = next(table for table in await source.tables() if table.name == "event")
    last = await source.last_key(event)
    return int(last[0]) if last else 0


async def _check_source(source: Bulk) -> tuple[list[Table], dict[str, str]]:
    about = await source.meta()
    if SCHEMA not in about:
        raise SetupError("source: this is not a database of smsign", "源：不是 smsign 的数据库")
    if UNFINISHED in about:
        raise SetupError(
            "source: it is an unfinished copy; finish that one first", "源：是未完成的复制；请先完成该复制"
        )
    if int(about[SCHEMA]) > max(migrations()):
        raise SetupError(
            f"source: its schema {about[SCHEMA]} is of a newer smsign; upgrade smsign",
            f"源：表结构版本 {about[SCHEMA]} 来自更新的 smsign；请升级 smsign",
        )
    return [table for table in await source.tables() if table.name != META], about


async def _prepare_target(target: Bulk, url: str, tables: Sequence[Table], about: Mapping[str, str]) -> bool:
    """Create the tables in an empty target; return whether it has an unfinished copy.

    Raises: SetupError if it has other data.
    """
    existing, own = await target.tables(), await target.meta()
    if existing and SCHEMA not in own:
        raise SetupError(
            "target: it has tables that are not smsign's; use an empty database",
            "目标：已有不属于 smsign 的表；请使用空数据库",
        )
    if not existing:
        db = await open_database(url, pool_size=1)
        try:
            await migrate(db, up_to=int(about[SCHEMA]))
        finally:
            await db.close()
        existing, own = await target.tables(), await target.meta()
    if own[SCHEMA] != about[SCHEMA]:
        raise SetupError(
            f"target: its schema is {own[SCHEMA]}, the source's is {about[SCHEMA]};"
            " migrate the older one: smsign migrate",
            f"目标：表结构版本为 {own[SCHEMA]}，源为 {about[SCHEMA]}；请迁移较旧的一方：smsign migrate",
        )
    _check_columns(tables, [table for table in existing if table.name != META])
    if UNFINISHED in own:
        return True
    for table in tables:
        if rows := await target.count(table):
            raise SetupError(
                f"target: it is not empty ({table.name}: {rows:,}); use an empty database",
                f"目标：不是空的（{table.name}：{rows:,} 行）；请使用空数据库",
            )
    return False


def _check_columns(tables: Sequence[Table], existing: Sequence[Table]) -> None:
    for one, other in ((tables, existing), (existing, tables)):
        names = {table.name: set(table.columns) for table in other}
        for table in one:
            if names.get(table.name) != set(table.columns):
                raise SetupError(
                    f"the two databases differ in the table {table.name}",
                    f"两个数据库的表 {table.name} 不一致",
                )


async def _fill(source: Bulk, target: Bulk, tables: Sequence[Table], progress: Progress) -> dict[str, int]:
    counts = {table.name: await source.count(table) for table in tables}
    total, done = sum(counts.values()), 0
    for table in tables:
        after = await target.last_key(table)
        had = await target.count(table) if after is not None else 0
        done += had
        async with aclosing(_prefetch(source.pages(table, after=after))) as pages:
            async for page in pages:
                await target.insert(table, page)
                done += len(page)
                progress(f"copying: {table.name}", done, total)
    progress("copying", total, total)
    return counts


async def _compare_copied(source: Bulk, target: Bulk, tables: Sequence[Table], progress: Progress) -> None:
    try:
        await _compare(source, target, tables, progress, doing="comparing copied rows", part=True)
    except StorageError as error:
        why = error.text
        raise SetupError(
            f"source: it has changed since the copy was interrupted ({why.en}); start over with --restart,"
            " and stop the server first if the copy may be interrupted again",
            f"源：复制中断之后有变化（{why.zh}）；请用 --restart 重新开始，若可能再次中断，请先停止服务器",
        ) from error


async def _compare(
    source: Bulk,
    target: Bulk,
    tables: Sequence[Table],
    progress: Progress,
    *,
    doing: str,
    part: bool = False,
) -> None:
    """Compare both databases row by row; with `part`, up to the target's last row of each table.

    Raises: StorageError that names the first difference.
    """
    total, done = sum([await target.count(table) for table in tables]), 0
    for table in tables:
        until = await target.last_key(table)
        if part and until is None:
            continue
        left = _prefetch(source.pages(table, until=until if part else None))
        right = _prefetch(target.pages(table))
        async with aclosing(left), aclosing(right):
            more = True
            while more:
                page: list[Row] = await anext(left, [])
                other: list[Row] = await anext(right, [])
                more = bool(page)
                if page != other:
                    raise _difference(table, page, other)
                done += len(page)
                progress(f"{doing}: {table.name}", done, total)
    progress(doing, total, total)


def _difference(table: Table, page: Sequence[Row], other: Sequence[Row]) -> StorageError:
    for n in count():
        one, two = (rows[n] if n < len(rows) else None for rows in (page, other))
        if one != two:
            row = one or two
            assert row is not None
            key = [row[table.columns.index(column)] for column in table.key]
            which = f"{table.name} {', '.join(map(str, key))}"
            return StorageError(f"{which} differs", f"{which} 不一致")
    raise AssertionError("unreachable")


async def _finish(tx: Tx, about: Mapping[str, str]) -> None:
    for name, value in about.items():
        await put_meta(tx, name, value)
    await delete_meta(tx, UNFINISHED)


async def _prefetch(pages: AsyncIterator[list[Row]]) -> AsyncGenerator[list[Row]]:
    """Yield `pages`, reading the next one in the background."""

    async def read() -> list[Row]:
        return await anext(pages, [])

    upcoming = asyncio.create_task(read())
    try:
        while page := await upcoming:
            upcoming = asyncio.create_task(read())
            yield page
    finally:
        upcoming.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await upcoming
        await pages.aclose()  # type: ignore[attr-defined]
