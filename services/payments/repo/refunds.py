"""Money that goes back."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import timedelta
from decimal import Decimal
from uuid import UUID

from sqlalchemy import ColumnElement, and_, func, or_, update
from sqlmodel import col, select

from services.payments.domain import COUNTED, HOLDING, PROMISED, RefundStatus, Status
from services.payments.models import Payment, Refund
from shared.db import Session
from shared.db.base import utcnow
from shared.http.pagination import Ordering, PageRequest, parse_id, parse_time


async def add(session: Session, refund: Refund) -> None:
    session.add(refund)
    await session.flush()


async def refund(session: Session, refund_id: UUID) -> Refund | None:
    return await session.get(Refund, refund_id, populate_existing=True)


async def lock(session: Session, refund_id: UUID) -> Refund:
    """After its order and its payment."""
    locked = select(Refund).where(Refund.id == refund_id).with_for_update()
    return (await session.exec(locked.execution_options(populate_existing=True))).one()


async def counted(session: Session, payment_id: UUID) -> Decimal:
    """What of the payment went back or is promised."""
    together = func.coalesce(func.sum(Refund.amount), Decimal("0.00"))
    of_it = select(together).where(Refund.payment_id == payment_id, col(Refund.status).in_(COUNTED))
    return (await session.exec(of_it)).one()


async def promised(session: Session, payment_id: UUID) -> Sequence[Refund]:
    """Those of the payment that are not made yet, oldest first."""
    waiting = select(Refund).where(Refund.payment_id == payment_id, col(Refund.status).in_(PROMISED))
    return (await session.exec(waiting.order_by(col(Refund.created_at), col(Refund.id)))).all()


async def of_payments(session: Session, payment_ids: Iterable[UUID]) -> dict[UUID, list[Refund]]:
    """By payment, oldest first."""
    found = select(Refund).where(col(Refund.payment_id).in_(payment_ids))
    by_payment: defaultdict[UUID, list[Refund]] = defaultdict(list)
    for row in (await session.exec(found.order_by(col(Refund.created_at), col(Refund.id)))).all():
        by_payment[row.payment_id].append(row)
    return by_payment


async def refunds(session: Session, page: PageRequest, status: RefundStatus | None) -> Sequence[Refund]:
    """One page, newest first."""
    wanted = select(Refund) if status is None else select(Refund).where(Refund.status == status)
    ordering = Ordering((Refund.created_at, Refund.id), (parse_time, parse_id), descending=True)
    found: Sequence[Refund] = (await session.exec(page.apply(wanted, ordering))).all()
    return found


async def count_manual(session: Session) -> int:
    """How many wait for a person."""
    waiting = select(func.count()).select_from(Refund).where(Refund.status == RefundStatus.MANUAL)
    return (await session.exec(waiting)).one()


def _due(patience: timedelta) -> list[ColumnElement[bool]]:
    """Not sent, and nobody has asked the provider for it within `patience`."""
    asked = or_(col(Refund.asked_at).is_(None), col(Refund.asked_at) < utcnow() - patience)
    return [col(Refund.status) == RefundStatus.PENDING, asked]


async def due(session: Session, patience: timedelta) -> Sequence[UUID]:
    """What the provider has to be asked for, oldest first, a hundred at most."""
    wanted = select(Refund.id).where(*_due(patience)).order_by(col(Refund.created_at)).limit(100)
    return (await session.exec(wanted)).all()


async def claim(session: Session, refund_id: UUID, patience: timedelta) -> bool:
    """Whether this caller is the one to ask the provider now."""
    mine = update(Refund).where(col(Refund.id) == refund_id, *_due(patience)).values(asked_at=utcnow())
    return (await session.exec(mine.returning(col(Refund.id)))).first() is not None


async def count_held(session: Session, user_id: UUID) -> int:
    """Their payments without an outcome, those whose money waits for an order to end, and refunds on their way."""
    theirs = or_(*(col(party) == user_id for party in (Payment.client_id, Payment.owner_id, Payment.worker_id)))
    waits = and_(
        col(Payment.status).in_(HOLDING), col(Payment.released_at).is_(None), col(Payment.duplicate).is_(False)
    )
    goes_back = select(Refund.id).where(Refund.payment_id == Payment.id, col(Refund.status).in_(PROMISED)).exists()
    held = select(func.count()).select_from(Payment)
    held = held.where(theirs, or_(col(Payment.status) == Status.PENDING, waits, goes_back))
    return (await session.exec(held)).one()


async def forget_reasons(session: Session, user_id: UUID) -> None:
    """How an admin who is erased explained their refunds."""
    await session.exec(update(Refund).where(col(Refund.requested_by) == user_id).values(reason=None))
