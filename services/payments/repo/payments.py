"""Attempts to pay, and what became of them."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, RowMapping, bindparam, exists, or_, true, tuple_, update
from sqlalchemy import select as rows_of
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col, select

from services.payments.domain import ACTIVE, HOLDING, Status
from services.payments.models import Base, Dispute, OrderCopy, Payment, RefundRequest
from services.payments.repo.orders import lock_order
from shared.auth.users import User
from shared.db import Session, Statement, write_new
from shared.db.base import utcnow
from shared.db.tracked import tracked
from shared.http.pagination import Ordering, PageRequest, parse_id, parse_time

COLUMNS = [*Base.metadata.tables["payments"].columns]
BATCH = 100


async def add(session: Session, payment: Payment) -> None:
    """Raises `IntegrityError` where the order has an active one; under the order's lock that can be looked up. To be
    changed in the same transaction it has to be locked."""
    session.add(payment)
    await write_new(session)


async def lock(session: Session, payment_id: UUID, order_id: UUID | None = None) -> tuple[OrderCopy, Payment]:
    """The order's copy, then the payment, locked: in this order everywhere, so that nobody waits for each other. Who
    knows the order spares a look."""
    if order_id is None:
        order_id = (await session.exec(select(Payment.order_id).where(Payment.id == payment_id))).one()
    order = await lock_order(session, order_id)
    (payment,) = await tracked(session, Payment, _LOCK, payment_id=payment_id)
    return order, payment


async def active_payment(session: Session, order_id: UUID) -> Payment | None:
    """The one that is under way or holds the order's money, locked; the order's copy must be locked before."""
    return next(iter(await tracked(session, Payment, _LOCK_ACTIVE, order_id=order_id)), None)


_LOCK = Statement[dict[str, Any]](
    rows_of(*COLUMNS).where(col(Payment.id) == bindparam("payment_id")).with_for_update(), dict
)
_LOCK_ACTIVE = Statement[dict[str, Any]](
    rows_of(*COLUMNS)
    .where(col(Payment.order_id) == bindparam("order_id"))
    .where(col(Payment.status).in_(ACTIVE), col(Payment.duplicate).is_(False))
    .with_for_update(),
    dict,
)


def _visible_to(user: User) -> ColumnElement[bool]:
    return true() if user.is_admin else col(Payment.client_id) == user.id


async def visible_payment(session: Session, payment_id: UUID, user: User) -> Payment | None:
    return (await session.exec(select(Payment).where(Payment.id == payment_id, _visible_to(user)))).first()


async def payment(session: Session, payment_id: UUID) -> Payment | None:
    return await session.get(Payment, payment_id, populate_existing=True)


async def payments(session: Session, user: User, page: PageRequest) -> Sequence[Payment]:
    """One page, newest first."""
    ordering = Ordering((Payment.created_at, Payment.id), (parse_time, parse_id), descending=True)
    found: Sequence[Payment] = (
        await session.exec(page.apply(select(Payment).where(_visible_to(user)), ordering))
    ).all()
    return found


async def hanging_payments(session: Session, older_than: timedelta, after: Payment | None) -> Sequence[Payment]:
    """Attempts that a provider's transaction hangs on for so long, oldest first, a batch of those after `after`."""
    age = (col(Payment.updated_at), col(Payment.id))
    hanging = select(Payment).where(
        Payment.status == Status.PENDING, col(Payment.held).is_(True), age[0] < utcnow() - older_than
    )
    if after is not None:
        hanging = hanging.where(tuple_(*age) > tuple_(after.updated_at, after.id))
    return (await session.exec(hanging.order_by(*age).limit(BATCH))).all()


async def lock_expired(session: Session) -> Sequence[Payment]:
    """Untouched attempts whose time is over; what someone is at work on is left to the next look."""
    expired = (
        select(OrderCopy, Payment)
        .join(Payment, col(Payment.order_id) == col(OrderCopy.id))
        .where(Payment.status == Status.PENDING, col(Payment.held).is_(False), col(Payment.expires_at) <= utcnow())
        .limit(BATCH)
        .with_for_update(skip_locked=True)
    )
    rows = await session.exec(expired.execution_options(populate_existing=True))
    return [payment for _, payment in rows]


async def lock_releasable(session: Session, hold: timedelta) -> Sequence[tuple[OrderCopy, Payment]]:
    """What was taken and earned at least `hold` ago, and is undisputed; skips what someone is at work on."""
    ripe = utcnow() - hold
    disputed = exists().where(col(Dispute.order_id) == col(OrderCopy.id), col(Dispute.resolved).is_(False))
    due = (
        select(OrderCopy, Payment)
        .join(Payment, col(Payment.order_id) == col(OrderCopy.id))
        .where(
            col(Payment.released_at).is_(None),
            col(Payment.status).in_(HOLDING),
            col(Payment.duplicate).is_(False),
            col(Payment.captured_at) <= ripe,
            OrderCopy.status == "completed",
            col(OrderCopy.completed_at) <= ripe,
            ~disputed,
        )
        .limit(BATCH)
        .with_for_update(of=[OrderCopy, Payment], skip_locked=True)
    )
    return (await session.exec(due.execution_options(populate_existing=True))).all()


def _of(user_id: UUID) -> ColumnElement[bool]:
    """Whose client, owner or worker they are."""
    return or_(*(col(party) == user_id for party in (Payment.client_id, Payment.owner_id, Payment.worker_id)))


async def payments_of(session: Session, user_id: UUID) -> Sequence[RowMapping]:
    """All of them, oldest first, as rows."""
    connection = await session.connection()
    return (await connection.execute(rows_of(*COLUMNS).where(_of(user_id)).order_by(col(Payment.id)))).mappings().all()


async def forget(session: Session, user_id: UUID) -> None:
    """The money stays on record; by which card they paid, and whence they came, does not."""
    theirs = update(Payment).where(col(Payment.client_id) == user_id)
    await session.exec(theirs.values(card_brand=None, card_last4=None, return_url=None))


async def note_refund_request(session: Session, payment_id: UUID, order_id: UUID, reason: str) -> bool:
    """False for whoever asks again for the same payment."""
    request = RefundRequest(payment_id=payment_id, order_id=order_id, reason=reason, requested_at=utcnow())
    noted = insert(RefundRequest).values(request.model_dump()).on_conflict_do_nothing()
    return (await session.exec(noted.returning(col(RefundRequest.payment_id)))).first() is not None


async def attention_queue(session: Session) -> Sequence[dict[str, Any]]:
    """What a person should look at, the latest first."""
    queued = select(Payment).where(col(Payment.attention).is_not(None)).order_by(col(Payment.updated_at).desc())
    rows = (await session.exec(queued.limit(BATCH))).all()
    return [{"id": row.id, "order_number": row.order_number, "attention": row.attention} for row in rows]
