"""Inserts that nobody waits for: gathered over a batch of changes, run together before its commit.

A row among sixty-four costs half of what it costs alone, and holds the event loop up once in place of
sixty-four times. Rows leave in the order in which their tables first came, so that parents come first.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache

import apsw
import apsw.ext

_TOGETHER_MAX = 64
_PARENTS = 'SELECT "table" FROM pragma_foreign_key_list(?)'
_INSERT = re.compile(r"\s*INSERT INTO (\w+)\s.*?\sVALUES (\((?:\?\d+, )*\?\d+\))(.*)", re.DOTALL)


class Deferred:
    """Rows on their way into one connection's open transaction.

    `other` is a connection that checks no foreign keys: asked which tables a statement touches, it does not
    name the children that only such a check would look at. The parents of what is inserted are added.
    """

    def __init__(self, connection: apsw.Connection, other: apsw.Connection) -> None:
        self._connection = connection
        self._other = other
        self._rows: dict[str, list[Sequence[object]]] = {}
        self._tables: set[str] = set()
        self._touched: dict[str, frozenset[str]] = {}

    def __len__(self) -> int:
        return sum(map(len, self._rows.values()))

    def add(self, sql: str, args: Sequence[object]) -> None:
        """Gather a row of `sql`, an `INSERT INTO table (…) VALUES (?1, … ?n)`, whatever follows."""
        rows = self._rows.get(sql)
        if rows is None:
            rows = self._rows[sql] = []
            self._tables.add(_parts(sql)[0])
        rows.append(args)

    def concern(self, sql: str) -> bool:
        """Say whether `sql` touches a table that rows are on their way to."""
        if not self._tables:
            return False
        touched = self._touched.get(sql)
        if touched is None:
            touched = self._touched[sql] = self._find_touched(sql)
        return not self._tables.isdisjoint(touched)

    def run(self) -> None:
        """Insert all rows.

        Raises: apsw.Error, with some rows inserted: roll the transaction back.
        """
        for sql, rows in self._rows.items():
            start = 0
            while start < len(rows):  # in powers of two, so that a few prepared statements serve all
                count = min(_TOGETHER_MAX, 1 << ((len(rows) - start).bit_length() - 1))
                args = [value for row in rows[start : start + count] for value in row]
                self._connection.execute(_for_rows(sql, count), args)
                start += count
        self.drop()

    def drop(self) -> None:
        """Forget all rows."""
        self._rows.clear()
        self._tables.clear()

    def _find_touched(self, sql: str) -> frozenset[str]:
        actions = apsw.ext.query_info(self._other, sql, actions=True).actions or ()
        touched = {each.table_name for each in actions if each.table_name}
        for each in actions:
            if each.action_name == "SQLITE_INSERT":
                touched.update(row[0] for row in self._other.execute(_PARENTS, (each.table_name,)))
        return frozenset(touched)


@cache
def _parts(sql: str) -> tuple[str, str, str]:
    """Return the table, the text up to the values and the text behind them; values are ?1 … ?n, in order."""
    found = _INSERT.fullmatch(sql)
    assert found, f"not an insert of one row of parameters: {sql}"
    count = found[2].count("?")
    assert found[2] == f"({', '.join(f'?{n}' for n in range(1, count + 1))})", f"out of order: {sql}"
    return found[1], sql[: found.start(2)], found[3]


@cache
def _for_rows(sql: str, count: int) -> str:
    _, head, tail = _parts(sql)
    row = "(" + ", ".join("?" * _INSERT.fullmatch(sql)[2].count("?")) + ")"  # type: ignore[index]
    return head + ", ".join([row] * count) + tail
