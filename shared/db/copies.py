"""Copies of what another service owns: one rule, write if newer, so that the order of arrival does not matter."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import SQLModel

from shared.db.given import given, given_rows
from shared.db.session import Session
from shared.db.statements import Statement


async def keep_if_newer(session: Session, copy: type[SQLModel], values: Mapping[str, Any]) -> bool:
    """Write the copy, a table with `id` and `version`, unless it is as new already. Returns whether it was written."""
    return bool(await keep_newest(session, copy, [values]))


async def keep_newest(session: Session, copy: type[SQLModel], rows: Sequence[Mapping[str, Any]]) -> set[UUID]:
    """The same for several things, each once and by the same columns. Returns the ids of what was written."""
    # By their ids, so that no two transactions wait for each other.
    rows = sorted(rows, key=lambda row: row["id"])
    return {row.id for row in await _keeping(copy, tuple(rows[0])).all(session, **given(rows))}


@lru_cache
def _keeping(copy: type[SQLModel], columns: tuple[str, ...]) -> Statement[Any]:
    table = copy.metadata.tables[str(copy.__tablename__)]
    keep = insert(table).from_select(columns, select(*given_rows(**{name: table.c[name].type for name in columns}).c))
    written = {name: keep.excluded[name] for name in columns}
    newer = table.c.version < keep.excluded.version
    keep = keep.on_conflict_do_update(index_elements=["id"], set_=written, where=newer)
    return Statement(keep.returning(table.c.id))


async def keep_tombstone(session: Session, copy: type[SQLModel], values: dict[str, Any]) -> None:
    """Write `values` in place of the copy, whatever it says: its thing is gone, and what is older comes too late."""
    keep = insert(copy).values(values)
    table: Any = copy
    last = {"version": func.greatest(table.version, keep.excluded.version)}
    await session.exec(keep.on_conflict_do_update(index_elements=["id"], set_=values | last))
