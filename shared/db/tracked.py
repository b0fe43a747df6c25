"""Rows that a `Statement` finds, as objects that the session tracks: what is changed of them is written at its end."""

from collections.abc import Mapping
from typing import Any, TypeVar

from sqlalchemy import inspect
from sqlalchemy.orm import make_transient_to_detached
from sqlalchemy.orm.attributes import set_committed_value
from sqlmodel import SQLModel

from shared.db.session import Session
from shared.db.statements import Statement

M = TypeVar("M", bound=SQLModel)
Row = dict[str, Any]


async def tracked(session: Session, model: type[M], statement: Statement[Row], **values: Any) -> list[M]:
    """What the ORM would make of the rows with `populate_existing`, at a tenth of the price: for each key the object
    that the session has already, as the row says it is, or a new one.

    Rows have all columns, by their names. What was changed before is written first, as the ORM does.
    """
    if session.new or session.dirty:
        await session.flush()
    return [_tracked(session, model, row) for row in await statement.all(session, **values)]


def _tracked(session: Session, model: type[M], row: Mapping[str, Any]) -> M:
    mapper = inspect(model)
    key = mapper.identity_key_from_primary_key([row[column.key] for column in mapper.primary_key])
    known: M | None = session.sync_session.identity_map.get(key)
    if known is not None:
        for name, value in row.items():
            set_committed_value(known, name, value)
        return known
    new: M = mapper.class_manager.new_instance()
    new.__dict__.update(row)
    make_transient_to_detached(new)
    session.add(new)
    return new
