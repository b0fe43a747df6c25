"""Copies of orders, and of the disputes about them."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import literal
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col, select

from services.payments.models import Dispute, OrderCopy
from shared.db import Session
from shared.db.copies import keep_newest


async def order(session: Session, order_id: UUID) -> OrderCopy | None:
    return await session.get(OrderCopy, order_id, populate_existing=True)


async def order_by_number(session: Session, number: str) -> OrderCopy | None:
    found = select(OrderCopy).where(OrderCopy.number == number)
    return (await session.exec(found.execution_options(populate_existing=True))).first()


async def lock_order(session: Session, order_id: UUID) -> OrderCopy:
    """The copy, locked: whatever concerns the money of one order takes turns."""
    locked = select(OrderCopy).where(OrderCopy.id == order_id).with_for_update()
    return (await session.exec(locked.execution_options(populate_existing=True))).one()


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
