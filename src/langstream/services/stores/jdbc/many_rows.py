"""Many rows in one statement, for databases where a statement costs far more than a row (DuckDB: 2.5 ms and 0.3 ms).

Only rows whose values have the same types share a statement: a database gives a column of such a statement one type,
and a number would come out differently for the company it is in.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from typing import Any

from langstream.services.stores.contract import Write
from langstream.services.stores.jdbc.engine import Change, ChangedRows, Engine, Shape

PARAMETERS = 8_000
"""So many at most in a statement."""
_STRUCTURED = (dict, list, tuple)


class ManyRows(ChangedRows):
    """Rows of a table with a unique constraint over its key."""

    def __init__(self, engine: Engine, shape: Shape) -> None:
        super().__init__(engine, shape)
        updates = ", ".join(f"{name} = EXCLUDED.{name}" for name in shape.others)
        self._row = f"({', '.join('?' * len(shape.columns))})"
        self._head = f"INSERT INTO {shape.table} ({', '.join(shape.columns)}) VALUES "  # noqa: S608 - names come from the application's own files
        self._tail = f" ON CONFLICT ({', '.join(shape.keys)}) DO {f'UPDATE SET {updates}' if updates else 'NOTHING'}"
        self._most = max(1, PARAMETERS // len(shape.columns))

    def statement(self, count: int) -> str:
        """The upsert of so many rows."""
        return self._head + ", ".join([self._row] * count) + self._tail

    async def upsert(self, writes: Sequence[Write]) -> None:
        rows = [self._shape.row(write) for write in writes]
        if len({tuple(map(type, row[: len(self._shape.keys)])) for row in rows}) > 1:
            await super().upsert(writes)  # 1 and '1' may be one key: these stay in order
            return
        await self._engine.apply(
            [
                Change((self.statement(len(group)), [value for row in group for value in row]))
                for group in alike(rows, self._most)
            ]
        )


def alike(rows: Sequence[Sequence[Any]], most: int) -> Iterator[list[Sequence[Any]]]:
    """The rows in groups of the same types of values, of at most so many."""
    groups: dict[Hashable, list[Sequence[Any]]] = {}
    for place, row in enumerate(rows):
        groups.setdefault(_form(row, place), []).append(row)
    for group in groups.values():
        for start in range(0, len(group), most):
            yield group[start : start + most]


def _form(row: Sequence[Any], place: int) -> Hashable:
    """Equal for rows that can share a statement. Objects, and lists of lists or objects, share with nothing."""
    form: list[Hashable] = []
    for value in row:
        kind = type(value)
        if kind is list or kind is tuple:
            kinds = frozenset(map(type, value))
            if not kinds.isdisjoint(_STRUCTURED):
                return place
            form.append(kinds)
        elif kind is dict:
            return place
        else:
            form.append(kind.__qualname__)
    return tuple(form)
