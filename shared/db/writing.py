"""What a transaction adds, written in one statement at its end."""

from collections import defaultdict
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from sqlalchemy import Insert, Table, bindparam, inspect
from sqlalchemy.dialects.postgresql import insert
from sqlmodel.ext.asyncio.session import AsyncSession

AT_ONCE = 8
"""Rows of one statement. It is put together once for each combination of tables, of which there shall not be many."""


class Part(NamedTuple):
    """Rows of one table that give the same of the columns that the database could fill in."""

    table: Table
    columns: tuple[str, ...]
    rows: int


async def write_new(session: AsyncSession) -> None:
    """Write what was added to the session, whatever tables it belongs to.

    The ORM would send a statement a table, each at the cost of this one. What the database fills in is not read back,
    so who needs that flushes before. The objects leave the session, and stay readable. Those that others refer to have
    to be added first.
    """
    new = [*session.new]
    for start in range(0, len(new), AT_ONCE):
        rows = new[start : start + AT_ONCE]
        parts, values = _taken_apart(rows)
        connection = await session.connection()
        for row in rows:
            session.expunge(row)
        await connection.execute(_insert_all(parts), values)


def _taken_apart(rows: Sequence[Any]) -> tuple[tuple[Part, ...], dict[str, Any]]:
    groups: defaultdict[tuple[Table, frozenset[str]], list[Any]] = defaultdict(list)
    for row in rows:
        table = inspect(row).mapper.local_table
        groups[table, frozenset(name for name in _optional(table) if getattr(row, name) is not None)].append(row)
    parts: list[Part] = []
    values: dict[str, Any] = {}
    for (table, given), group in groups.items():
        columns = tuple(name for name in _names(table) if name in given or name not in _optional(table))
        for number, row in enumerate(group):
            values |= {_parameter(len(parts), number, name): getattr(row, name) for name in columns}
        parts.append(Part(table, columns, len(group)))
    return tuple(parts), values


@lru_cache
def _names(table: Table) -> tuple[str, ...]:
    return tuple(column.key for column in table.columns)


@lru_cache
def _optional(table: Table) -> frozenset[str]:
    """Columns that the database fills in."""
    return frozenset(name for name, column in table.columns.items() if column.server_default is not None)


@lru_cache(maxsize=256)
def _insert_all(parts: tuple[Part, ...]) -> Insert:
    *first, last = [_insert(number, part) for number, part in enumerate(parts)]
    # Foreign keys are checked at a statement's end, so its parts may be in any order.
    return last.add_cte(*(statement.cte(f"new_{part}") for part, statement in enumerate(first)))


def _insert(number: int, part: Part) -> Insert:
    rows = [
        {name: bindparam(_parameter(number, row, name), type_=part.table.columns[name].type) for name in part.columns}
        for row in range(part.rows)
    ]
    # What SQLAlchemy makes of a list of rows it compiles each time, which takes longer than all the rest.
    return insert(part.table).values(rows if len(rows) > 1 else rows[0])


def _parameter(part: int, row: int, column: str) -> str:
    return f"{column}_{part}_{row}"
