"""The life of an order, from the call that makes it."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from services.orders import repo
from services.orders.domain import Actor, PaymentStatus, Status, check_move
from services.orders.models import HistoryEntry, Order
from services.orders.service import copies
from shared.auth.users import User
from shared.contracts.orders import ActorRef, OrderAssigned, OrderCreated, OrderState, OrderStatusChanged
from shared.db import Session
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
) -> Order:
    """Order a service at the price it has at this moment. With `confirmed_only`, a confirmed e-mail comes first.

    Raises what `copies.orderable` and `copies.hold_parties` raise.
    """
    offer = await copies.orderable(session, internal, service_id)
    await copies.hold_parties(
        session, internal, client_id=client.id, owner_id=offer.worker_id, confirmed_only=confirmed_only
    )
    now = utcnow()
    order = Order(
        id=new_id(),
        number=await repo.next_number(session, now.year),
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
        created_at=now,
        updated_at=now,
    )
    session.add(order)
    await session.flush()
    write_history(session, order, None, client.ref(), None)
    outbox.add(session, OrderCreated(order=public_state(order)))
    return order


async def visible_order(session: Session, order_id: UUID, by: User) -> Order:
    """Raises `NotFound`, also for strangers."""
    order = await repo.visible_order(session, order_id, by)
    if order is None:
        raise NotFound("There is no such order.")
    return order


async def order_with_history(session: Session, order_id: UUID, by: User) -> tuple[Order, Sequence[HistoryEntry]]:
    return await visible_order(session, order_id, by), await repo.history(session, order_id)


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
    moved = await _move(session, order, by, to=Status.ASSIGNED, worker_id=chosen)
    outbox.add(session, OrderAssigned(order=public_state(moved), by=by.ref(), previous_worker_id=previous))
    return moved


async def _check_assignable(session: Session, internal: InternalClient, worker_id: UUID) -> None:
    person = await copies.find_person(session, internal, worker_id, copies.is_active_worker)
    if person is None or not copies.is_active_worker(person):
        raise invalid_field("worker_id", "There is no such active worker.", "unknown")


async def change_status(
    session: Session, order_id: UUID, by: User, *, to: Status, note: str | None, payment_first: bool
) -> Order:
    """Move the order on. With `payment_first`, work begins only on what is paid.

    Raises `NotFound`, `MoveNotAllowed`, and `Conflict` when it is unpaid or someone moved it meanwhile.
    """
    order = await visible_order(session, order_id, by)
    before, worker_before = Status(order.status), order.worker_id
    check_move(before, to, actors_of(order, by))
    if to == Status.ASSIGNED:
        raise Conflict("An order is assigned by its own call.", slug="use-assign")
    if to == Status.IN_PROGRESS and payment_first and order.payment_status != PaymentStatus.PAID:
        raise Conflict("Work begins once the order is paid.", slug="payment-required-first")
    worker_id = None if to == Status.PENDING else order.worker_id
    moved = await _move(session, order, by, to=to, worker_id=worker_id, note=note)
    event = OrderStatusChanged(
        order=public_state(moved),
        from_status=before,
        to_status=to,
        by=by.ref(),
        note=note,
        previous_worker_id=worker_before,
    )
    outbox.add(session, event)
    return moved


async def _move(
    session: Session, order: Order, by: User, *, to: Status, worker_id: UUID | None, note: str | None = None
) -> Order:
    before = order.status
    moved = await repo.move(session, order, to=to, worker_id=worker_id)
    if moved is None:
        raise Conflict("Someone else moved this order at the same moment.", slug="moved-meanwhile")
    write_history(session, moved, before, by.ref(), note)
    return moved


def write_history(session: Session, order: Order, before: str | None, by: ActorRef, note: str | None) -> None:
    session.add(
        HistoryEntry(
            order_id=order.id,
            from_status=before,
            to_status=order.status,
            actor_id=by.id,
            actor_role=by.role,
            note=note,
            at=order.updated_at,
        )
    )


def actors_of(order: Order, user: User) -> set[Actor]:
    """Everything that `user` is to this order."""
    found = {
        Actor.CLIENT: user.id == order.client_id,
        Actor.OWNER: user.id == order.owner_id,
        Actor.WORKER: user.id == order.worker_id,
        Actor.ADMIN: user.is_admin,
    }
    return {actor for actor, is_one in found.items() if is_one}


def public_state(order: Order) -> OrderState:
    return OrderState.model_validate(order)


async def order_state(session: Session, order_id: UUID) -> OrderState:
    """For the other services. Raises `NotFound`."""
    order = await repo.order(session, order_id)
    if order is None:
        raise NotFound("There is no such order.")
    return public_state(order)


async def note_payment(session: Session, order_id: UUID, status: PaymentStatus, version: int) -> None:
    await repo.note_payment(session, order_id, status, version)
