"""The protocol of a database engine.

Both engines run the same SQL: parameters are `$1 … $n`, and the few words that differ are tokens in braces,
which each engine replaces from its table of fragments:

    {int} {bytes} {id}   column types        {strict} {clustered}   table options
    {lock}               locks the selected row until the transaction ends
    {claim}              the same, but skips rows that another transaction has locked
    {binary}             compares texts by code point
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from functools import cache
from typing import Any, Protocol, TypeVar

Row = Sequence[Any]
T = TypeVar("T")


class Reader(Protocol):
    """Runs read-only statements."""

    async def one(self, sql: str, *args: object) -> Row | None:
        """Return the first row, or None."""

    async def all(self, sql: str, *args: object) -> Sequence[Row]:
        """Return all rows."""


class Tx(Reader, Protocol):
    """An open transaction. Nothing but its statements may be awaited while it is open."""

    @property
    def ledger_key(self) -> bytes:
        """Return the key of the MACs of the audit log, empty unless the database was opened with its key."""

    async def run(self, sql: str, *args: object) -> None:
        """Run a statement that writes.

        Raises: Conflict on a violation of a unique index.
        """


Change = Callable[[Tx], Awaitable[T]]


class Database(Protocol):
    """An engine."""

    ledger_key: bytes
    """The key of the MACs of the audit log, set when the secret key is known; else empty."""

    @property
    def read(self) -> Reader:
        """Return the reader for point reads."""

    @property
    def scan(self) -> Reader:
        """Return the reader for reads that may take more than a millisecond."""

    @property
    def watch(self) -> Reader:
        """Return the reader for polling by background tasks, which no `scan` may delay."""

    async def write(self, change: Change[T]) -> T:
        """Run `change` in a transaction; return its result once that is on disk.

        `change` may run more than once, as after a deadlock. If it raises, it is rolled back.

        Raises: StorageError, and whatever `change` raises.
        """

    async def lock_schema(self, tx: Tx) -> None:
        """Keep other processes from migrating until `tx` ends."""

    async def find_damage(self) -> list[str]:
        """Return the damage that the engine itself detects, in words."""

    async def server_time(self) -> int | None:
        """Return the clock of the database server in UTC microseconds, None where it is this machine's."""

    async def close(self) -> None:
        """Finish pending writes and close all connections."""


@cache
def fill(sql: str, fragments: tuple[tuple[str, str], ...]) -> str:
    """Return `sql` with the tokens replaced by an engine's fragments."""
    for token, text in fragments:
        sql = sql.replace(f"{{{token}}}", text)
    return sql
