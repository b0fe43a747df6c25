"""Copies of what another service owns: one rule, write if newer, so that the order of arrival does not matter."""

from typing import Any

from sqlalchemy import func, literal
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import SQLModel

from shared.db.engine import Session


async def keep_if_newer(session: Session, copy: type[SQLModel], values: dict[str, Any]) -> bool:
    """Write the copy, a table with `id` and `version`, unless it is as new already. Returns whether it was written."""
    keep = insert(copy).values(values)
    table: Any = copy
    newer = keep.on_conflict_do_update(index_elements=["id"], set_=values, where=table.version < keep.excluded.version)
    return (await session.exec(newer.returning(literal(1)))).first() is not None


async def keep_tombstone(session: Session, copy: type[SQLModel], values: dict[str, Any]) -> None:
    """Write `values` in place of the copy, whatever it says: its thing is gone, and what is older comes too late."""
    keep = insert(copy).values(values)
    table: Any = copy
    last = {"version": func.greatest(table.version, keep.excluded.version)}
    await session.exec(keep.on_conflict_do_update(index_elements=["id"], set_=values | last))
