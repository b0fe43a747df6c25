"""The life of an order, from the call that makes it."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from services.orders.domain import PaymentStatus, Status, accept_by, check_move
from services.orders.models import Dispute, HistoryEntry, Order
from services.orders.repo import copies as copies_repo
from services.orders.repo import disputes as disputes_repo
from services.orders.repo import orders as repo
from services.orders.service import copies, moves
from services.orders.service.moves import actors_of, public_state, write_history
from shared.auth.users import User
from shared.contracts.orders import OrderAssigned, OrderCreated, OrderState
from shared.db import Connected, Session
from shared.db.base import utcnow
from shared.errors import Conflict, Forbidden, NotFound, invalid_field
from shared.http.internal import InternalClient
from shared.ids import new_id
from shared.messaging import outbox


async def create(
    session: Session,
    internal: InternalClient,
    client: User,
    *,
    service_id: UUID,
    quantity: int,
    description: str,
    address: str,
    scheduled_at: datetime | None,
    contact_phone: str | None,
    confirmed_only: bool,
    accept_timeout: timedelta,
) -> Order:
    """Order a service at the price it has at this moment. With `confirmed_only`, a confirmed e-mail comes first.

    Raises `Invalid` for an appointment that is over, and what `copies.hold_terms` raises.
    """
    # Not in the schema: a repeat under an idempotency key may come after the appointment, and is no new order.
    if scheduled_at is not None and scheduled_at <= utcnow():
        raise invalid_field("scheduled_at", "This is in the past.", "past")
    terms = await copies.hold_terms(
        session, internal, service_id=service_id, client_id=client.id, confirmed_only=confirmed_only
    )
    offer, now = terms.offer, utcnow()
    order = Order(
        id=new_id(),
        number=f"{now.year}-{terms.number:06d}",
        service_id=offer.id,
        service_title=offer.title,
        client_id=client.id,
        owner_id=offer.worker_id,
        status=Status.PENDING,
        payment_status=PaymentStatus.UNPAID,
        price=offer.price,
        quantity=quantity,
        total=offer.price * quantity,
        currency=offer.currency,
        description=description,
        address=address,
        scheduled_at=scheduled_at,
        contact_phone=contact_phone,
        accept_by=accept_by(now, accept_timeout, scheduled_at),
        created_at=now,
        updated_at=now,
    )
    session.add(order)
    write_history(session, order, None, client.ref(), None)
    outbox.add(session, OrderCreated(order=public_state(order)))
    return order


async def visible_order(session: Session, order_id: UUID, by: User) -> Order:
    """Raises `NotFound`, also for strangers."""
    order = await repo.visible_order(session, order_id, by)
    if order is None:
        raise NotFound("There is no such order.")
    return order


async def whole_order(
    session: Session, order_id: UUID, by: User
) -> tuple[Order, Sequence[HistoryEntry], Dispute | None]:
    """The order with its history and its last dispute. Raises `NotFound`, also for strangers."""
    order = await visible_order(session, order_id, by)
    return order, await repo.history(session, order_id), await disputes_repo.last_dispute(session, order_id)


async def assign(session: Session, internal: InternalClient, order_id: UUID, by: User, worker_id: UUID | None) -> Order:
    """Assign the order: the owner of the service to themselves, an admin to any active worker.

    Raises `NotFound`, `Forbidden`, `Invalid`, `MoveNotAllowed`, and `Conflict` when someone moved it meanwhile.
    """
    order = await visible_order(session, order_id, by)
    if not by.is_admin and worker_id not in (None, by.id):
        raise Forbidden("A worker accepts orders for themselves only.")
    chosen = worker_id or (order.owner_id if by.is_admin else by.id)
    check_move(Status(order.status), Status.ASSIGNED, actors_of(order, by))
    if chosen != by.id:
        await _check_assignable(session, internal, chosen)
    previous = order.worker_id
    moved = await moves.move(session, order, by.ref(), to=Status.ASSIGNED, worker_id=chosen)
    outbox.add(session, OrderAssigned(order=public_state(moved), by=by.ref(), previous_worker_id=previous))
    return moved


async def _check_assignable(session: Session, internal: InternalClient, worker_id: UUID) -> None:
    person = await copies.find_person(session, internal, worker_id, copies.is_active_worker)
    if person is None or not copies.is_active_worker(person):
        raise invalid_field("worker_id", "There is no such active worker.", "unknown")


async def change_status(
    session: Session,
    order_id: UUID,
    by: User,
    *,
    to: Status,
    note: str | None,
    payment_first: bool,
    accept_timeout: timedelta,
) -> Order:
    """Move the order on. With `payment_first`, work begins only on what is paid. What is given back waits for a worker
    anew, or ends there if its client or the worker it is for is not active any more.

    Raises `NotFound`, `MoveNotAllowed`, and `Conflict` when it is unpaid or someone moved it meanwhile.
    """
    order = await visible_order(session, order_id, by)
    check_move(Status(order.status), to, actors_of(order, by))
    if to == Status.ASSIGNED:
        raise Conflict("An order is assigned by its own call.", slug="use-assign")
    if to == Status.IN_PROGRESS and payment_first and order.payment_status != PaymentStatus.PAID:
        raise Conflict("Work begins once the order is paid.", slug="payment-required-first")
    if to == Status.PENDING:
        return await _give_back(session, order, by, note, accept_timeout)
    return await moves.change(session, order, by.ref(), to=to, worker_id=order.worker_id, note=note)


async def _give_back(session: Session, order: Order, by: User, note: str | None, accept_timeout: timedelta) -> Order:
    # Held first, as whoever bans or erases them does: who comes second finds what the other did.
    parties = await copies_repo.hold_people(session, [order.client_id, order.owner_id])
    deadline = accept_by(utcnow(), accept_timeout, order.scheduled_at)
    pending = await moves.change(session, order, by.ref(), to=Status.PENDING, accept_by=deadline, note=note)
    gone = next((party.id for party in parties.values() if not party.is_active), None)
    if gone is None:
        return pending
    return await moves.change(session, pending, moves.SYSTEM, to=Status.CANCELLED, note=moves.without(pending, gone))


async def order_state(session: Connected, order_id: UUID) -> OrderState:
    """For the other services. Raises `NotFound`."""
    return _state_of(await repo.order(session, order_id))


async def order_state_by_number(session: Session, number: str) -> OrderState:
    """The same by the number that a payer typed into a provider's app. Raises `NotFound`."""
    return _state_of(await repo.order_by_number(session, number))


def _state_of(order: Order | None) -> OrderState:
    if order is None:
        raise NotFound("There is no such order.")
    return public_state(order)
