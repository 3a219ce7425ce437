"""Copy a whole database into an empty one, of whichever engine.

The source is read as it was at one moment, so it may be served meanwhile. Images go first, so that no row
ever names one that is not there; then the rows, table by table; then both sides are compared, row by row;
only then is the target marked as finished, and until then no server opens it.

An interrupted copy goes on from what the target holds. The source is another moment by then, so what was
copied before is compared with it first: if it was changed meanwhile, the copy is refused, not mixed.
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
"""Called with what is being done, how much of it is done, and how much there is."""


class Copied(msgspec.Struct, frozen=True):
    """What is the same on both sides now, compared row by row."""

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
    """Make the database `url` equal to `source`; go on with a copy that was interrupted.

    `restart` throws away what an interrupted one left. `first` is called once the target is known to be fit,
    before any row is written: to carry the images.

    Raises: SetupError when the target holds something else, when the schemas differ, or when the source was
    changed since the interruption; StorageError.
    """
    tables, about = await _examine(source)
    target = await open_target(url)
    try:
        unfinished = await _prepare(target, url, tables, about)
        db = await open_database(url, pool_size=1)
        try:
            if unfinished and restart:
                await target.clear(tables)
            elif unfinished:
                await _compare_what_is_there(source, target, tables, progress)
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
    """Return the id of the last event that `source` sees, 0 if there is none."""
    event = next(table for table in await source.tables() if table.name == "event")
    last = await source.last_key(event)
    return int(last[0]) if last else 0


async def _examine(source: Bulk) -> tuple[list[Table], dict[str, str]]:
    about = await source.meta()
    if SCHEMA not in about:
        raise SetupError("source: this is not a database of smsign")
    if UNFINISHED in about:
        raise SetupError("source: it is itself an unfinished copy; finish that one first")
    if int(about[SCHEMA]) > max(migrations()):
        raise SetupError(f"source: its schema is number {about[SCHEMA]}, of a newer smsign; upgrade smsign")
    return [table for table in await source.tables() if table.name != META], about


async def _prepare(target: Bulk, url: str, tables: Sequence[Table], about: Mapping[str, str]) -> bool:
    """Make the tables in an empty target; say whether it holds an unfinished copy.

    Raises: SetupError when it holds anything else.
    """
    there = await target.tables()
    own = await target.meta()
    if there and SCHEMA not in own:
        raise SetupError("target: it holds tables that are not smsign's; name an empty database")
    if not there:
        db = await open_database(url, pool_size=1)
        try:
            await migrate(db, up_to=int(about[SCHEMA]))
        finally:
            await db.close()
        there, own = await target.tables(), await target.meta()
    if own[SCHEMA] != about[SCHEMA]:
        raise SetupError(
            f"target: its schema is number {own[SCHEMA]}, the source's {about[SCHEMA]};"
            " bring the older one up to date with: smsign migrate"
        )
    _same_columns(tables, [table for table in there if table.name != META])
    if UNFINISHED in own:
        return True
    for table in tables:
        if rows := await target.count(table):
            raise SetupError(
                f"target: it holds something already ({table.name}: {rows:,}); name an empty database"
            )
    return False


def _same_columns(tables: Sequence[Table], there: Sequence[Table]) -> None:
    for one, other in ((tables, there), (there, tables)):
        names = {table.name: set(table.columns) for table in other}
        for table in one:
            if names.get(table.name) != set(table.columns):
                raise SetupError(f"the two databases differ in the table {table.name}")


async def _fill(source: Bulk, target: Bulk, tables: Sequence[Table], progress: Progress) -> dict[str, int]:
    counts = {table.name: await source.count(table) for table in tables}
    total, done = sum(counts.values()), 0
    for table in tables:
        after = await target.last_key(table)
        had = await target.count(table) if after is not None else 0
        done += had
        async with aclosing(_ahead(source.pages(table, after=after))) as pages:
            async for page in pages:
                await target.insert(table, page)
                done += len(page)
                progress(f"copying {table.name}", done, total)
    progress("copying", total, total)
    return counts


async def _compare_what_is_there(
    source: Bulk, target: Bulk, tables: Sequence[Table], progress: Progress
) -> None:
    try:
        await _compare(source, target, tables, progress, doing="comparing what is there", part=True)
    except StorageError as error:
        raise SetupError(
            f"source: it was changed after the copy was interrupted ({error}); begin again with --restart,"
            " and stop the server first if it is to be interrupted again"
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
    """Walk both sides together. With `part`, the source as far as the target's last row of each table.

    Raises: StorageError naming the first row that differs.
    """
    total, done = sum([await target.count(table) for table in tables]), 0
    for table in tables:
        until = await target.last_key(table)
        if part and until is None:
            continue
        ours = _ahead(source.pages(table, until=until if part else None))
        theirs = _ahead(target.pages(table))
        async with aclosing(ours), aclosing(theirs):
            more = True
            while more:
                page: list[Row] = await anext(ours, [])
                other: list[Row] = await anext(theirs, [])
                more = bool(page)
                if page != other:
                    raise StorageError(_difference(table, page, other))
                done += len(page)
                progress(f"{doing}: {table.name}", done, total)
    progress(doing, total, total)


def _difference(table: Table, page: Sequence[Row], other: Sequence[Row]) -> str:
    for n in count():
        one, two = (rows[n] if n < len(rows) else None for rows in (page, other))
        if one != two:
            row = one or two
            assert row is not None
            key = [row[table.columns.index(column)] for column in table.key]
            return f"{table.name} {', '.join(map(str, key))} differs"
    raise AssertionError("unreachable")


async def _finish(tx: Tx, about: Mapping[str, str]) -> None:
    for name, value in about.items():
        await put_meta(tx, name, value)
    await delete_meta(tx, UNFINISHED)


async def _ahead(pages: AsyncIterator[list[Row]]) -> AsyncGenerator[list[Row]]:
    """Yield `pages`, the next one being read while one is worked on."""

    async def take() -> list[Row]:
        return await anext(pages, [])

    coming = asyncio.create_task(take())
    try:
        while page := await coming:
            coming = asyncio.create_task(take())
            yield page
    finally:
        coming.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await coming
        await pages.aclose()  # type: ignore[attr-defined]
