"""Orders, their moves and their histories."""

from collections.abc import Collection, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, RowMapping, Uuid, bindparam, exists, func, or_, true, update
from sqlalchemy import select as rows_of
from sqlmodel import col, select

from services.orders.domain import UNDER_WAY, DisputeStatus, PaymentStatus, Status
from services.orders.models import Base, Dispute, HistoryEntry, Order, Person
from shared.auth.users import User
from shared.db import Connected, Session, Statement
from shared.db.base import utcnow
from shared.http.pagination import Ordering, PageRequest, Place, paged, parse_id, parse_time

Row = dict[str, Any]

_ORDERS = Base.metadata.tables["orders"]
_ITS_ID = _ORDERS.c.id == bindparam("order_id")
LIST = rows_of(*_ORDERS.columns)
_ORDER = Statement(LIST.where(_ITS_ID), Order.model_construct)

OPEN = (Status.PENDING, Status.ASSIGNED, Status.IN_PROGRESS)


def _visible_to(role: str) -> ColumnElement[bool]:
    """To the one of that role whose id is given. An order is its client's; its assigned worker's; and its service's
    owner's while nobody else was assigned."""
    user_id = bindparam("user_id", type_=Uuid)
    match role:
        case "admin":
            return true()
        case "client":
            return col(Order.client_id) == user_id
        case _:
            return func.coalesce(col(Order.worker_id), col(Order.owner_id)) == user_id


async def count_by_status(session: Session, statuses: Collection[Status]) -> dict[str, int]:
    """By `ix_orders_status` alone. A status that no order has is left out."""
    counted = select(Order.status, func.count()).where(col(Order.status).in_(statuses)).group_by(Order.status)
    return dict((await session.exec(counted)).all())


async def visible_order(session: Session, order_id: UUID, user: User) -> Order | None:
    return await _visible_order(user.role).first(session, order_id=order_id, user_id=user.id)


@lru_cache
def _visible_order(role: str) -> Statement[Order]:
    return Statement(LIST.where(_ITS_ID, _visible_to(role)), Order.model_construct)


async def order(session: Connected, order_id: UUID) -> Order | None:
    return await _ORDER.first(session, order_id=order_id)


async def order_by_number(session: Session, number: str) -> Order | None:
    return (await session.exec(select(Order).where(Order.number == number))).first()


async def orders(
    session: Connected,
    user: User,
    page: PageRequest,
    *,
    descending: bool,
    status: Status | None,
    payment_status: PaymentStatus | None,
    begin: datetime | None,
    end: datetime | None,
    attention: bool,
    disputed: bool,
) -> Sequence[Row]:
    """One page of the orders that `user` may see, as rows; created from `begin` on and before `end`.

    With `attention`, those that are under way although their client or their worker is not active any more; with
    `disputed`, those with an open dispute.
    """
    of_status = {"status": status, "payment_status": payment_status, "begin": begin, "end": end}
    given = {name: value for name, value in of_status.items() if value is not None}
    flags = {name for name, is_set in (("attention", attention), ("disputed", disputed)) if is_set}
    statement, ordering = _list(user.role, frozenset({*given, *flags}), descending, page.place)
    return await statement.all(session, user_id=user.id, **given, **page.values(ordering))


@lru_cache(maxsize=1024)
def _list(role: str, narrowed_by: frozenset[str], descending: bool, place: Place) -> tuple[Statement[Row], Ordering]:
    # Read once, since there are few; to look for the two of each order would take as long as there is work.
    inactive = select(Person.id).where(col(Person.is_active).is_(False))
    of_inactive = or_(col(Order.client_id).in_(inactive), col(Order.worker_id).in_(inactive))
    its_dispute = col(Dispute.order_id) == col(Order.id)
    narrowings: dict[str, list[ColumnElement[bool]]] = {
        "status": [col(Order.status) == bindparam("status")],
        "payment_status": [col(Order.payment_status) == bindparam("payment_status")],
        "begin": [col(Order.created_at) >= bindparam("begin")],
        "end": [col(Order.created_at) < bindparam("end")],
        "attention": [col(Order.status).in_(UNDER_WAY), of_inactive],
        "disputed": [exists().where(its_dispute, col(Dispute.status) == DisputeStatus.OPEN)],
    }
    statement = LIST.where(_visible_to(role))
    for name in sorted(narrowed_by):
        statement = statement.where(*narrowings[name])
    ordering = Ordering((Order.created_at, Order.id), (parse_time, parse_id), descending)
    return Statement(paged(statement, ordering, place), dict, as_text=True), ordering


async def history(session: Session, order_id: UUID) -> Sequence[HistoryEntry]:
    """Oldest first."""
    entries = select(HistoryEntry).where(HistoryEntry.order_id == order_id).order_by(col(HistoryEntry.seq))
    return (await session.exec(entries)).all()


async def completed_at(session: Session, order_id: UUID) -> datetime:
    """When a completed order became that."""
    entry = select(HistoryEntry.at).where(HistoryEntry.order_id == order_id)
    return (await session.exec(entry.where(HistoryEntry.to_status == Status.COMPLETED))).one()


async def move(
    session: Session, order: Order, *, to: Status, worker_id: UUID | None, accept_by: datetime | None
) -> Order | None:
    """Take the order to `to` if nobody moved it since it was read; None if someone did."""
    return await _MOVE.first(
        session,
        order_id=order.id,
        known_version=order.version,
        to=to,
        to_worker_id=worker_id,
        to_accept_by=accept_by,
        now=utcnow(),
    )


async def lock_order(session: Session, order_id: UUID) -> Order | None:
    """The order as of now; its moves and what is told of its payments take turns."""
    return await _LOCK.first(session, order_id=order_id)


async def set_payment_status(session: Session, order_id: UUID, status: PaymentStatus) -> Order:
    """Of a locked order; returns it as it is then."""
    return await _SET_PAYMENT_STATUS.one(session, order_id=order_id, to=status, now=utcnow())


_MOVE = Statement(
    update(_ORDERS)
    .where(_ITS_ID, _ORDERS.c.version == bindparam("known_version"))
    .values(
        status=bindparam("to"),
        worker_id=bindparam("to_worker_id"),
        accept_by=bindparam("to_accept_by"),
        version=_ORDERS.c.version + 1,
        updated_at=bindparam("now"),
    )
    .returning(*_ORDERS.columns),
    Order.model_construct,
)
_LOCK = Statement(LIST.where(_ITS_ID).with_for_update(key_share=True), Order.model_construct)
_SET_PAYMENT_STATUS = Statement(
    update(_ORDERS)
    .where(_ITS_ID)
    .values(payment_status=bindparam("to"), updated_at=bindparam("now"))
    .returning(*_ORDERS.columns),
    Order.model_construct,
)


async def cancel_pending_of(session: Session, user_id: UUID, limit: int) -> Sequence[Order]:
    """Cancel pending orders that `user_id` placed or is to carry out, `limit` at most; returns them."""
    theirs = or_(col(Order.client_id) == user_id, col(Order.owner_id) == user_id)
    # Locked in the order of their ids: two whose orders are the same never wait for each other.
    found = select(Order.id).where(Order.status == Status.PENDING, theirs).order_by(col(Order.id))
    return await _cancel_pending(session, found.limit(limit).with_for_update())


async def cancel_unaccepted(session: Session, limit: int) -> Sequence[Order]:
    """Cancel pending orders whose `accept_by` has passed, `limit` at most; returns them. What someone else is moving
    at this moment is left to them."""
    overdue = (Order.status == Status.PENDING, col(Order.accept_by) <= func.now())
    found = select(Order.id).where(*overdue).order_by(col(Order.accept_by))
    return await _cancel_pending(session, found.limit(limit).with_for_update(skip_locked=True))


async def _cancel_pending(session: Session, found: Any) -> Sequence[Order]:
    batch = found.cte("batch")  # a subquery with a limit may be run again for each row
    cancelled = (
        update(Order)
        .where(col(Order.id) == batch.c.id, col(Order.status) == Status.PENDING)
        .values(status=Status.CANCELLED, accept_by=None, version=Order.version + 1, updated_at=utcnow())
        .returning(Order)
        .execution_options(populate_existing=True)
    )
    return [order for (order,) in await session.exec(cancelled)]


async def forget_texts(session: Session, user_id: UUID) -> None:
    """Of what they wrote on orders nothing is left: where, what and by which phone they ordered; notes to a move."""
    blank = {"description": "", "address": "", "contact_phone": None}
    await session.exec(update(Order).where(col(Order.client_id) == user_id).values(blank))
    written = (col(HistoryEntry.actor_id) == user_id, col(HistoryEntry.note).is_not(None))
    await session.exec(update(HistoryEntry).where(*written).values(note=None))


def _of(user_id: UUID) -> ColumnElement[bool]:
    """Client, owner or worker of it."""
    return or_(*(col(party) == user_id for party in (Order.client_id, Order.owner_id, Order.worker_id)))


async def orders_of(session: Session, user_id: UUID) -> Sequence[RowMapping]:
    """All of them, oldest first, as rows."""
    connection = await session.connection()
    return (await connection.execute(LIST.where(_of(user_id)).order_by(col(Order.id)))).mappings().all()


async def histories_of(session: Session, user_id: UUID) -> Sequence[HistoryEntry]:
    """The histories of all of them, oldest first."""
    theirs = col(HistoryEntry.order_id).in_(select(Order.id).where(_of(user_id)))
    return (await session.exec(select(HistoryEntry).where(theirs).order_by(col(HistoryEntry.seq)))).all()


async def count_open(session: Session, user_id: UUID) -> int:
    counted = select(func.count()).select_from(Order).where(_of(user_id), col(Order.status).in_(OPEN))
    return (await session.exec(counted)).one()
