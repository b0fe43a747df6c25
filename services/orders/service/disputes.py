"""Complaints of clients, and what admins decide."""

from datetime import timedelta
from decimal import Decimal
from uuid import UUID

from services.orders.domain import DisputeStatus, Status
from services.orders.models import Dispute, Order
from services.orders.repo import disputes as repo
from services.orders.repo import orders as orders_repo
from services.orders.repo import payments as payments_repo
from services.orders.service.moves import public_state
from services.orders.service.orders import visible_order
from shared.auth.users import User
from shared.contracts.orders import OrderDisputed, OrderDisputeResolved
from shared.db import Session
from shared.db.base import utcnow
from shared.errors import Conflict, NotFound, invalid_field
from shared.ids import new_id
from shared.messaging import outbox


async def open_dispute(session: Session, order_id: UUID, by: User, reason: str, escrow_hold: timedelta) -> Dispute:
    """Complain of an order whose work has begun, while its money is held.

    Raises `NotFound`, and `Conflict` where it is too early or too late, or a dispute is open already.
    """
    order = await _locked_order(session, order_id, by)
    await _check_disputable(session, order, escrow_hold)
    if await repo.open_dispute(session, order_id):
        raise Conflict("A dispute of this order is open.", slug="dispute-open")
    dispute = Dispute(
        id=new_id(), order_id=order_id, status=DisputeStatus.OPEN, reason=reason, opened_by=by.id, opened_at=utcnow()
    )
    session.add(dispute)
    outbox.add(session, OrderDisputed(order=public_state(order), dispute_id=dispute.id))
    return dispute


async def _check_disputable(session: Session, order: Order, escrow_hold: timedelta) -> None:
    if order.status == Status.COMPLETED:
        completed_at = await orders_repo.completed_at(session, order.id)
        if completed_at + escrow_hold <= utcnow():
            raise Conflict("The worker has the money by now.", slug="money-released")
    elif order.status != Status.IN_PROGRESS:
        raise Conflict("There is no work to dispute.", slug="not-disputable")


async def resolve(session: Session, order_id: UUID, by: User, refund_amount: Decimal, note: str) -> Dispute:
    """Decide how much of what is held goes back to the client, and tell: payments sends it.

    Raises `NotFound`, `Conflict` where no dispute is open, and `Invalid` for more than is held.
    """
    order = await _locked_order(session, order_id, by)
    dispute = await repo.open_dispute(session, order_id)
    if dispute is None:
        raise Conflict("No dispute of this order is open.", slug="no-open-dispute")
    paid, refunded = await payments_repo.sums(session, order_id)
    held = paid - refunded
    if refund_amount > held:
        raise invalid_field("refund_amount", f"Of this order {held:.2f} {order.currency} is held.", "too-much")
    dispute.status, dispute.refund_amount, dispute.note = DisputeStatus.RESOLVED, refund_amount, note
    dispute.resolved_by, dispute.resolved_at = by.id, utcnow()
    decision = OrderDisputeResolved(order=public_state(order), dispute_id=dispute.id, refund_amount=refund_amount)
    outbox.add(session, decision)
    return dispute


async def _locked_order(session: Session, order_id: UUID, by: User) -> Order:
    await visible_order(session, order_id, by)
    order = await orders_repo.lock_order(session, order_id)
    if order is None:
        raise NotFound("There is no such order.")
    return order
