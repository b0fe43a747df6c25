"""Escrow: when the worker gets the money, and what holds it back."""

from datetime import timedelta
from decimal import Decimal
from uuid import UUID

import structlog

from services.payments import ledger
from services.payments.ledger import Kind
from services.payments.repo import ledger as ledger_repo
from services.payments.repo import orders as orders_repo
from services.payments.repo import payments as repo
from services.payments.service import refunds
from services.payments.service.orders import keep_orders
from shared.contracts.orders import OrderState
from shared.db import Session, after_commit
from shared.db.base import utcnow

log = structlog.get_logger("payments")


async def note_dispute(session: Session, order: OrderState, dispute_id: UUID) -> None:
    """What is in the order's escrow stays there."""
    await keep_orders(session, [order])
    await orders_repo.lock_order(session, order.id)
    await orders_repo.note_dispute(session, dispute_id, order.id)


async def note_decision(session: Session, order: OrderState, dispute_id: UUID, refund_amount: Decimal) -> None:
    """The dispute holds nothing any more, and `refund_amount` of the order's payment goes back."""
    await keep_orders(session, [order])
    await orders_repo.lock_order(session, order.id)
    await orders_repo.note_resolved(session, dispute_id, order.id)
    if refund_amount:
        await refunds.open_as_decided(session, order.id, dispute_id, refund_amount)
    after_commit(session, session.info["wake_timers"])


async def release(session: Session, hold: timedelta) -> int:
    """Give workers what was earned and paid at least `hold` ago, a batch of it; returns how many payments it looked at.

    Several instances may run it at once.
    """
    due = await repo.lock_releasable(session, hold)
    for order, payment in due:
        # The first look was before the lock: a dispute may have come between them.
        if await orders_repo.is_disputed(session, order.id):
            continue
        standing = await ledger_repo.standing(session, order.id)
        if standing.escrow:
            assert order.worker_id is not None  # noqa: S101 - somebody completed it
            entries = ledger.released(order.id, order.worker_id, standing.escrow, payment.commission_rate)
            await ledger_repo.post(session, Kind.RELEASE, entries, payment)
            log.info("escrow_released", payment_id=str(payment.id), order=order.number, amount=str(standing.escrow))
        payment.released_at = utcnow()
    return len(due)
