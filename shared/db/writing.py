"""What a transaction adds and changes, written in few statements at its end."""

from collections import defaultdict
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from sqlalchemy import ClauseElement, Column, Insert, Table, bindparam, inspect, literal
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm.exc import StaleDataError
from sqlmodel.ext.asyncio.session import AsyncSession

from shared.db.statements import Statement

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
        for row in rows:
            session.expunge(row)
        await _insert_all(parts).all(session, **values)


async def write_changed(session: AsyncSession) -> None:
    """Write what was changed of the session's objects, a statement each, in the order of their keys.

    The ORM would find out the same, and take three times as long to say it. The objects leave the session, and stay
    readable. What was set to an expression is left to the ORM. Raises `StaleDataError`, as the ORM, for a row that is
    gone.
    """
    changed = [(row, state) for row in session.dirty if (state := inspect(row)).committed_state]
    changed.sort(key=lambda pair: (pair[1].mapper.local_table.name, pair[1].identity))
    for row, state in changed:
        values = {name: getattr(row, name) for name in sorted(state.committed_state)}
        if any(isinstance(value, ClauseElement) for value in values.values()):
            continue
        columns = tuple(state.mapper.columns[name] for name in values)
        key = {f"key_{number}": part for number, part in enumerate(state.identity)}
        session.expunge(row)
        table = state.mapper.local_table
        if not await _update(table, columns).all(session, **values, **key):
            raise StaleDataError(f"a row of {table.name} is gone that was to be changed")


@lru_cache(maxsize=256)
def _update(table: Table, changed: tuple[Column[Any], ...]) -> Statement[Any]:
    keys = enumerate(table.primary_key)
    its_key = (column == bindparam(f"key_{number}", type_=column.type) for number, column in keys)
    written = table.update().where(*its_key).values({column: bindparam(column.key) for column in changed})
    return Statement(written.returning(literal(1).label("written")))


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
def _insert_all(parts: tuple[Part, ...]) -> Statement[Any]:
    *first, last = [_insert(number, part) for number, part in enumerate(parts)]
    # Foreign keys are checked at a statement's end, so its parts may be in any order.
    return Statement(last.add_cte(*(statement.cte(f"new_{part}") for part, statement in enumerate(first))))


def _insert(number: int, part: Part) -> Insert:
    rows = [
        {name: bindparam(_parameter(number, row, name), type_=part.table.columns[name].type) for name in part.columns}
        for row in range(part.rows)
    ]
    return insert(part.table).values(rows if len(rows) > 1 else rows[0])


def _parameter(part: int, row: int, column: str) -> str:
    return f"{column}_{part}_{row}"
