"""Every SQL statement of payments."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, RowMapping, and_, func, or_, true, update
from sqlalchemy import select as rows_of
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col, select

from services.payments.domain import ACTIVE, SETTLED, Status
from services.payments.models import Base, OrderCopy, Payment, RefundRequest
from shared.auth.users import User
from shared.db import Session
from shared.db.base import utcnow
from shared.db.copies import keep_if_newer
from shared.http.pagination import Ordering, PageRequest, parse_id, parse_time

COLUMNS = [*Base.metadata.tables["payments"].columns]


async def order(session: Session, order_id: UUID) -> OrderCopy | None:
    return await session.get(OrderCopy, order_id, populate_existing=True)


async def lock_order(session: Session, order_id: UUID) -> OrderCopy:
    """The copy, locked: attempts and events of one order take turns."""
    locked = select(OrderCopy).where(OrderCopy.id == order_id).with_for_update()
    return (await session.exec(locked.execution_options(populate_existing=True))).one()


async def keep_order(session: Session, values: dict[str, Any]) -> None:
    await keep_if_newer(session, OrderCopy, values)


async def active_payment(session: Session, order_id: UUID) -> Payment | None:
    wanted = select(Payment).where(Payment.order_id == order_id, col(Payment.status).in_(ACTIVE))
    return (await session.exec(wanted)).first()


async def open_payment(session: Session, payment: Payment) -> bool:
    """Write the attempt; False where the order has an active one already, also one of the same moment."""
    row = payment.model_dump()
    opened = insert(Payment).values(row).on_conflict_do_nothing().returning(col(Payment.id))
    return (await session.exec(opened)).first() is not None


async def close_payment(session: Session, payment_id: UUID, **outcome: Any) -> Payment | None:
    """Write the outcome of an attempt that had none; None where it had one already."""
    closed = (
        update(Payment)
        .where(col(Payment.id) == payment_id, col(Payment.status) == Status.PENDING)
        .values(version=Payment.version + 1, updated_at=utcnow(), **outcome)
        .returning(Payment)
        .execution_options(populate_existing=True)
    )
    row = (await session.exec(closed)).one_or_none()
    return row[0] if row else None


def _visible_to(user: User) -> ColumnElement[bool]:
    return true() if user.is_admin else col(Payment.client_id) == user.id


async def visible_payment(session: Session, payment_id: UUID, user: User) -> Payment | None:
    return (await session.exec(select(Payment).where(Payment.id == payment_id, _visible_to(user)))).first()


async def payment(session: Session, payment_id: UUID) -> Payment | None:
    return await session.get(Payment, payment_id)


async def payments(session: Session, user: User, page: PageRequest) -> Sequence[Payment]:
    """One page, newest first."""
    ordering = Ordering((Payment.created_at, Payment.id), (parse_time, parse_id), descending=True)
    found: Sequence[Payment] = (
        await session.exec(page.apply(select(Payment).where(_visible_to(user)), ordering))
    ).all()
    return found


async def hanging_payments(session: Session, older_than: timedelta) -> Sequence[UUID]:
    """Attempts that have been without an outcome for so long, oldest first, a hundred at most."""
    hanging = (
        select(Payment.id)
        .where(Payment.status == Status.PENDING, col(Payment.updated_at) < utcnow() - older_than)
        .order_by(col(Payment.updated_at))
        .limit(100)
    )
    return (await session.exec(hanging)).all()


def _of(user_id: UUID) -> ColumnElement[bool]:
    """Whose client, owner or worker they are."""
    return or_(*(col(party) == user_id for party in (Payment.client_id, Payment.owner_id, Payment.worker_id)))


async def payments_of(session: Session, user_id: UUID) -> Sequence[RowMapping]:
    """All of them, oldest first, as rows."""
    connection = await session.connection()
    return (await connection.execute(rows_of(*COLUMNS).where(_of(user_id)).order_by(col(Payment.id)))).mappings().all()


async def count_held(session: Session, user_id: UUID) -> int:
    """Their payments without an outcome, and those whose money waits for an order to end."""
    waits = and_(col(Payment.status) == Status.COMPLETED, col(OrderCopy.status).not_in(SETTLED))
    held = (
        select(func.count())
        .select_from(Payment)
        .join(OrderCopy, col(OrderCopy.id) == col(Payment.order_id))
        .where(_of(user_id), or_(col(Payment.status) == Status.PENDING, waits))
    )
    return (await session.exec(held)).one()


async def forget_cards(session: Session, user_id: UUID) -> None:
    """The money stays on record; by which card they paid does not."""
    theirs = update(Payment).where(col(Payment.client_id) == user_id)
    await session.exec(theirs.values(card_brand=None, card_last4=None))


async def note_refund_request(session: Session, payment_id: UUID, order_id: UUID, reason: str) -> None:
    """Whoever asks again for the same payment asks for nothing more."""
    request = RefundRequest(payment_id=payment_id, order_id=order_id, reason=reason, requested_at=utcnow())
    await session.exec(insert(RefundRequest).values(request.model_dump()).on_conflict_do_nothing())
