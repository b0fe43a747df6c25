"""What an order knows of its money, and what becomes of that when it ends."""

from services.orders.domain import PaymentStatus, Status, payment_status
from services.orders.models import Order
from services.orders.repo import orders as orders_repo
from services.orders.repo import payments as repo
from shared.contracts.orders import RefundRequested
from shared.contracts.payments import PaymentState
from shared.db import Session
from shared.messaging import outbox

ORDER_CANCELLED = "order-cancelled"
HELD = (PaymentStatus.PAID, PaymentStatus.PARTIALLY_REFUNDED)
"""Something of the client's money is with us."""


async def note_payment(session: Session, payment: PaymentState) -> None:
    """Keep what payments says, if it is newer. Money that comes for a cancelled order is asked to go back."""
    order = await orders_repo.lock_order(session, payment.order_id)
    if order is None:
        return
    await repo.keep_payment(session, payment.model_dump(include={"id", "order_id", "amount", "refunded", "version"}))
    status = payment_status(order.total, *await repo.sums(session, order.id))
    if status != order.payment_status:
        order = await orders_repo.set_payment_status(session, order.id, status)
    await request_refunds(session, order)


async def request_refunds(session: Session, order: Order) -> None:
    """Of a cancelled order all that is held has to go back: of each of its payments this is asked once."""
    if order.status == Status.CANCELLED and order.payment_status in HELD:
        for payment_id in await repo.begin_refunds(session, order.id):
            outbox.add(session, RefundRequested(order_id=order.id, payment_id=payment_id, reason=ORDER_CANCELLED))
