"""What every move of an order leaves behind: a line of its history, and one event."""

from datetime import datetime
from uuid import UUID

from services.orders.domain import Actor, Status, check_move
from services.orders.models import HistoryEntry, Order
from services.orders.repo import orders as repo
from services.orders.service.payments import request_refunds
from shared.auth.users import User
from shared.contracts.orders import ActorRef, OrderState, OrderStatusChanged
from shared.db import Session, after_commit
from shared.errors import Conflict
from shared.messaging import outbox
from shared.observability.metrics import ORDER_MOVES

SYSTEM = ActorRef(id=None, role=Actor.SYSTEM)


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


def write_history(session: Session, order: Order, before: str | None, by: ActorRef, note: str | None) -> None:
    after_commit(session, ORDER_MOVES.labels(order.status).inc)
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


async def move(
    session: Session,
    order: Order,
    by: ActorRef,
    *,
    to: Status,
    worker_id: UUID | None = None,
    accept_by: datetime | None = None,
    note: str | None = None,
) -> Order:
    """Write the move and its history. Raises `Conflict` when someone else has moved the order meanwhile."""
    before = order.status
    moved = await repo.move(session, order, to=to, worker_id=worker_id, accept_by=accept_by)
    if moved is None:
        raise Conflict("Someone else moved this order at the same moment.", slug="moved-meanwhile")
    write_history(session, moved, before, by, note)
    return moved


async def change(
    session: Session,
    order: Order,
    by: ActorRef,
    *,
    to: Status,
    worker_id: UUID | None = None,
    accept_by: datetime | None = None,
    note: str | None = None,
) -> Order:
    """Move the order, and tell of it by `order.status_changed`. Raises as `move` does."""
    before, worker_before = order.status, order.worker_id
    moved = await move(session, order, by, to=to, worker_id=worker_id, accept_by=accept_by, note=note)
    await _tell(session, moved, before, by, note, worker_before)
    return moved


async def note_cancelled(session: Session, order: Order, note: str) -> None:
    """History and event of a pending order that the system has cancelled."""
    check_move(Status.PENDING, Status.CANCELLED, {Actor.SYSTEM})
    write_history(session, order, Status.PENDING, SYSTEM, note)
    await _tell(session, order, Status.PENDING, SYSTEM, note, None)


def without(order: Order, user_id: UUID) -> str:
    """Why an order ends that has lost this one of its two."""
    whose = "client" if order.client_id == user_id else "worker"
    return f"The {whose}'s account is no longer active."


async def _tell(
    session: Session, moved: Order, before: str, by: ActorRef, note: str | None, worker_before: UUID | None
) -> None:
    event = OrderStatusChanged(
        order=public_state(moved),
        from_status=before,
        to_status=moved.status,
        by=by,
        note=note,
        previous_worker_id=worker_before,
    )
    outbox.add(session, event)
    await request_refunds(session, moved)
