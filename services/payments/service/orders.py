"""What payments knows of orders, and whether they can be paid."""

from collections.abc import Iterable
from uuid import UUID

from services.payments.domain import Unpayable, is_order_number, unpayable
from services.payments.models import OrderCopy
from services.payments.repo import orders as repo
from shared.contracts.orders import OrderState
from shared.db import Session, after_commit
from shared.db.base import utcnow
from shared.errors import Conflict
from shared.http.internal import InternalClient

_REFUSALS = {
    Unpayable.PAID: ("This order is paid.", "already-paid"),
    Unpayable.CANCELLED: ("This order is cancelled.", "order-cancelled"),
    Unpayable.BUSY: ("This order is being paid another way.", "payment-in-progress"),
    Unpayable.EARLY: ("This order can be paid once a worker has accepted it.", "not-payable-yet"),
}


class NotPayable(Conflict):
    """The order takes no payment; `reason` says why, to whatever protocol the payer came by."""

    def __init__(self, reason: Unpayable) -> None:
        detail, slug = _REFUSALS[reason]
        super().__init__(detail, slug=slug)
        self.reason = reason


async def keep_orders(session: Session, told: Iterable[OrderState]) -> None:
    """Keep what orders says, where it is newer. Money of an order that is completed may be due to its worker."""
    newest = {order.id: order for order in sorted(told, key=lambda order: order.version)}
    fields = {"id", "number", "client_id", "owner_id", "worker_id", "status", "total", "currency", "version"}
    # An order that is completed stays so: the time is written once.
    completed_at = {order.id: utcnow() if order.status == "completed" else None for order in newest.values()}
    rows = [order.model_dump(include=fields) | {"completed_at": completed_at[order.id]} for order in newest.values()]
    written = await repo.keep_orders(session, rows)
    if any(completed_at[order_id] for order_id in written):
        after_commit(session, session.info["wake_timers_if_due"])


async def lock_known_order(
    session: Session, internal: InternalClient, order_id: UUID, payable_from: str
) -> OrderCopy | None:
    """The order as our copy has it, locked; where that would refuse a payment, as orders says, if orders can say.

    The session must not have been written to. Raises `OwnerAway` where nobody can tell.
    """
    order = await repo.lock_if_known(session, order_id)
    if order is None or unpayable(order.status, payable_from):
        await _ask_orders(session, internal, f"/internal/orders/{order_id}/", order)
        order = await repo.lock_if_known(session, order_id)
    return order


async def lock_known_order_by_number(
    session: Session, internal: InternalClient, number: str, payable_from: str
) -> OrderCopy | None:
    """The same by the number that people know it by."""
    if not is_order_number(number):
        return None
    order = await repo.order_by_number(session, number)
    if order is not None:
        return await lock_known_order(session, internal, order.id, payable_from)
    await _ask_orders(session, internal, f"/internal/orders/by-number/{number}/", None)
    order = await repo.order_by_number(session, number)
    return await repo.lock_if_known(session, order.id) if order else None


async def _ask_orders(session: Session, internal: InternalClient, path: str, copy: OrderCopy | None) -> None:
    if found := await internal.ask_owner(session, "orders", path, copy=copy):
        await keep_orders(session, [OrderState.model_validate(found)])
