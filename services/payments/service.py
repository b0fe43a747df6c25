"""Use cases of payments: what is written before and after a provider is asked. `flows.py` strings them together."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

import structlog

from services.payments import repo
from services.payments.domain import Method, Status, card_brand, is_payable
from services.payments.models import OrderCopy, Payment
from services.payments.providers import Card, Charge
from shared.auth.users import User
from shared.contracts.orders import OrderState
from shared.contracts.payments import PaymentCompleted, PaymentFailed, PaymentState
from shared.db import Session
from shared.db.base import utcnow
from shared.errors import Conflict, NotFound
from shared.http.internal import InternalClient
from shared.ids import new_id
from shared.messaging import outbox

log = structlog.get_logger("payments")


@dataclass(frozen=True)
class Attempt:
    payment: Payment
    is_new: bool


async def open_attempt(
    session: Session, internal: InternalClient, order_id: UUID, by: User, method: Method, card: Card | None
) -> Attempt:
    """Record that `by` begins to pay the order, or find the attempt that is under way by the same method.

    Raises `NotFound`, and `Conflict` where the order can't be paid: cancelled, paid, or being paid another way.
    """
    order = await _payable_order(session, internal, order_id, by)
    now = utcnow()
    payment = Payment(
        id=new_id(),
        order_id=order.id,
        order_number=order.number,
        client_id=order.client_id,
        owner_id=order.owner_id,
        worker_id=order.worker_id,
        amount=order.total,
        currency=order.currency,
        method=method,
        status=Status.PENDING,
        card_brand=card_brand(card.number) if card else None,
        card_last4=card.number[-4:] if card else None,
        created_at=now,
        updated_at=now,
    )
    if await repo.open_payment(session, payment):
        log.info("payment_opened", payment_id=str(payment.id), order=order.number, amount=str(order.total))
        return Attempt(payment, is_new=True)
    active = await repo.active_payment(session, order_id)
    if active is None:
        raise Conflict("The attempt before this one has just ended: try again.", slug="payment-in-progress")
    if active.status == Status.COMPLETED:
        raise Conflict("This order is paid.", slug="already-paid")
    if active.method != method:
        raise Conflict(f"This order is being paid by {active.method}.", slug="payment-in-progress")
    return Attempt(active, is_new=False)


async def _payable_order(session: Session, internal: InternalClient, order_id: UUID, by: User) -> OrderCopy:
    """The order as our copy has it; where that would refuse, as orders says, if orders can say. Then locked."""
    order = await repo.order(session, order_id)
    if order is None or not is_payable(order.status):
        path = f"/internal/orders/{order_id}/"
        if found := await internal.ask_owner(session, "orders", path, copy=order):
            await keep_order(session, OrderState.model_validate(found))
            order = await repo.order(session, order_id)
    if order is None or order.client_id != by.id:
        raise NotFound("There is no such order.")
    order = await repo.lock_order(session, order_id)
    if not is_payable(order.status):
        raise Conflict("This order is cancelled.", slug="order-cancelled")
    return order


async def close_attempt(session: Session, payment_id: UUID, charge: Charge) -> Payment:
    """Write what became of the charge, and tell. An outcome that is written already stands, and nothing is told."""
    closed = await repo.close_payment(
        session,
        payment_id,
        status=Status.FAILED if charge.declined_as else Status.COMPLETED,
        transaction_id=charge.transaction_id,
        failure_code=charge.declined_as,
    )
    if closed is None:
        payment = await repo.payment(session, payment_id)
        assert payment is not None  # noqa: S101 - attempts are never deleted
        return payment
    state = PaymentState.model_validate(closed)
    if charge.declined_as:
        outbox.add(session, PaymentFailed(payment=state, failure_code=charge.declined_as))
    else:
        outbox.add(session, PaymentCompleted(payment=state))
    log.info("payment_closed", payment_id=str(closed.id), order=closed.order_number, status=closed.status)
    return closed


async def visible_payment(session: Session, payment_id: UUID, by: User) -> Payment:
    """Raises `NotFound`, also for strangers."""
    payment = await repo.visible_payment(session, payment_id, by)
    if payment is None:
        raise NotFound("There is no such payment.")
    return payment


async def keep_order(session: Session, order: OrderState) -> None:
    fields = {"id", "number", "client_id", "owner_id", "worker_id", "status", "total", "currency", "version"}
    await repo.keep_order(session, order.model_dump(include=fields))


async def export(session: Session, user_id: UUID) -> list[dict[str, Any]]:
    """All payments that they are a party to, oldest first; cards only where they paid."""
    payments = [dict(row) for row in await repo.payments_of(session, user_id)]
    for payment in payments:
        if payment["client_id"] != user_id:
            payment |= {"card_brand": None, "card_last4": None}
    return payments
