"""What orders keeps of payments."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import bindparam, func, update
from sqlmodel import col, select

from services.orders.models import PaymentCopy
from shared.db import Session
from shared.db.copies import keep_if_newer
from shared.db.statements import Statement


async def keep_payment(session: Session, values: dict[str, Any]) -> None:
    await keep_if_newer(session, PaymentCopy, values)


async def sums(session: Session, order_id: UUID) -> tuple[Decimal, Decimal]:
    """What all payments of the order took, and what of it went back."""
    return await _SUMS.one(session, order_id=order_id)


_SUMS = Statement[tuple[Decimal, Decimal]](
    select(
        func.coalesce(func.sum(PaymentCopy.amount), 0).label("paid"),
        func.coalesce(func.sum(PaymentCopy.refunded), 0).label("refunded"),
    ).where(PaymentCopy.order_id == bindparam("order_id"))
)


async def begin_refunds(session: Session, order_id: UUID) -> Sequence[UUID]:
    """The payments of the order that something is left of, unless this was asked before of them."""
    left = (col(PaymentCopy.refunded) < col(PaymentCopy.amount), col(PaymentCopy.refund_requested_at).is_(None))
    begun = update(PaymentCopy).where(col(PaymentCopy.order_id) == order_id, *left)
    rows = await session.exec(begun.values(refund_requested_at=func.now()).returning(col(PaymentCopy.id)))
    return [payment_id for (payment_id,) in rows]
