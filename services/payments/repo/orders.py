"""Copies of orders, and of the disputes about them."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import bindparam, literal
from sqlalchemy import select as rows_of
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col, select

from services.payments.models import Base, Dispute, OrderCopy
from shared.db import Session
from shared.db.copies import keep_newest
from shared.db.statements import Statement

_ORDERS = Base.metadata.tables["orders"]
_ITS_ID = _ORDERS.c.id == bindparam("order_id")
_LOCK = Statement(rows_of(*_ORDERS.columns).where(_ITS_ID).with_for_update(), OrderCopy.model_construct)
_BY_NUMBER = Statement(
    rows_of(*_ORDERS.columns).where(_ORDERS.c.number == bindparam("number")), OrderCopy.model_construct
)


async def order_by_number(session: Session, number: str) -> OrderCopy | None:
    return await _BY_NUMBER.first(session, number=number)


async def lock_if_known(session: Session, order_id: UUID) -> OrderCopy | None:
    return await _LOCK.first(session, order_id=order_id)


async def lock_order(session: Session, order_id: UUID) -> OrderCopy:
    """The copy, locked: whatever concerns the money of one order takes turns."""
    return await _LOCK.one(session, order_id=order_id)


async def keep_orders(session: Session, rows: Sequence[Mapping[str, Any]]) -> set[UUID]:
    """Returns the ids of those that were written, being newer."""
    return await keep_newest(session, OrderCopy, rows)


async def note_dispute(session: Session, dispute_id: UUID, order_id: UUID) -> None:
    """One that is resolved already stays so: its beginning may be told after its end."""
    row = {"id": dispute_id, "order_id": order_id, "resolved": False}
    await session.exec(insert(Dispute).values(row).on_conflict_do_nothing())


async def note_resolved(session: Session, dispute_id: UUID, order_id: UUID) -> None:
    row = {"id": dispute_id, "order_id": order_id, "resolved": True}
    await session.exec(insert(Dispute).values(row).on_conflict_do_update(index_elements=["id"], set_=row))


async def is_disputed(session: Session, order_id: UUID) -> bool:
    open_one = select(literal(1)).where(Dispute.order_id == order_id, col(Dispute.resolved).is_(False)).limit(1)
    return (await session.exec(open_one)).first() is not None
