"""What a database is to the rest of smsign.

One text of SQL serves both engines: parameters are `$1 … $n`, and the few words that differ are tokens
in braces, which each engine replaces from its own table of fragments:

    {int} {bytes} {id}   column types        {strict} {clustered}   table options
    {lock}               locks the selected row until the transaction ends
    {binary}             compares texts by code point
    {claim}              the same, but passes over rows that another transaction has locked
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from functools import cache
from typing import Any, Protocol, TypeVar

Row = Sequence[Any]
T = TypeVar("T")


class Reader(Protocol):
    """Runs statements that change nothing."""

    async def one(self, sql: str, *args: object) -> Row | None:
        """Return the first row, or None."""

    async def all(self, sql: str, *args: object) -> Sequence[Row]:
        """Return all rows."""


class Tx(Reader, Protocol):
    """An open transaction. Nothing but its statements may be awaited while it is open."""

    async def run(self, sql: str, *args: object) -> None:
        """Run a statement for its effect.

        Raises: Conflict when a unique index refuses the row.
        """

    async def later(self, sql: str, *args: object) -> None:
        """Insert a row, `INSERT INTO table (…) VALUES ($1, … $n)`, before the transaction ends.

        For rows that cannot conflict. Statements of the transaction that touch the table see the row.
        """


Change = Callable[[Tx], Awaitable[T]]


class Database(Protocol):
    """An engine."""

    @property
    def read(self) -> Reader:
        """Return what runs point reads."""

    @property
    def scan(self) -> Reader:
        """Return what runs reads that may take over a millisecond."""

    @property
    def watch(self) -> Reader:
        """Return what runs the looks of tasks in the background, which no `scan` may hold up."""

    async def write(self, change: Change[T]) -> T:
        """Run `change` in a transaction; return its answer once that is on disk.

        `change` may run more than once if the engine asks for another try. What it raises rolls it back.

        Raises: StorageError, and whatever `change` raises.
        """

    async def lock_schema(self, tx: Tx) -> None:
        """Hold off every other process that would migrate, until `tx` ends."""

    async def close(self) -> None:
        """Finish what is under way and let go of all connections."""


@cache
def fill(sql: str, fragments: tuple[tuple[str, str], ...]) -> str:
    """Return `sql` with an engine's fragments in place of the tokens."""
    for token, text in fragments:
        sql = sql.replace(f"{{{token}}}", text)
    return sql
