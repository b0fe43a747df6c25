"""Disputes."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import RowMapping, update
from sqlalchemy import select as rows_of
from sqlmodel import col, select

from services.orders.domain import DisputeStatus
from services.orders.models import Base, Dispute
from shared.db import Session

COLUMNS = [*Base.metadata.tables["disputes"].columns]


async def open_dispute(session: Session, order_id: UUID) -> Dispute | None:
    found = select(Dispute).where(Dispute.order_id == order_id, Dispute.status == DisputeStatus.OPEN)
    return (await session.exec(found)).first()


async def last_dispute(session: Session, order_id: UUID) -> Dispute | None:
    found = select(Dispute).where(Dispute.order_id == order_id).order_by(col(Dispute.opened_at).desc())
    return (await session.exec(found.limit(1))).first()


async def disputes_of(session: Session, order_ids: Sequence[UUID]) -> Sequence[RowMapping]:
    """All of these orders, oldest first, as rows."""
    of_these = rows_of(*COLUMNS).where(col(Dispute.order_id).in_(order_ids)).order_by(col(Dispute.opened_at))
    return (await (await session.connection()).execute(of_these)).mappings().all()


async def forget_texts(session: Session, user_id: UUID) -> None:
    """Why they complained, and how they explained what they decided."""
    await session.exec(update(Dispute).where(col(Dispute.opened_by) == user_id).values(reason=""))
    await session.exec(update(Dispute).where(col(Dispute.resolved_by) == user_id).values(note=None))
