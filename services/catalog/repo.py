"""Every SQL statement of catalog."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import RowMapping, func, update
from sqlalchemy import select as rows_of
from sqlmodel import col, select

from services.catalog.domain import ERASED_TITLE, Order, Status
from services.catalog.models import Base, Category, Service, Worker, WorkerProfile
from shared.db import Session
from shared.db.base import utcnow
from shared.db.copies import keep_if_newer, keep_tombstone
from shared.db.search import has_words
from shared.http.pagination import Ordering, PageRequest, parse_decimal, parse_id, parse_time

SHOWN = [
    column for column in Base.metadata.tables["services"].columns if column.name not in ("search", "worker_is_active")
]
"""The columns that anyone may see."""

LISTED = (col(Service.status) == Status.ACTIVE, col(Service.worker_is_active))
"""What can be ordered."""

LAST_VERSION = 2**31 - 1
"""None is newer: of a profile's tombstone, as `user.erased` does not say the profile's own version."""


@dataclass(frozen=True)
class Filters:
    """What a list of services is narrowed to."""

    categories: Sequence[UUID] | None = None
    worker_id: UUID | None = None
    city: str | None = None
    min_price: Decimal | None = None
    max_price: Decimal | None = None
    words: Sequence[str] = ()
    """Each must be in title or description, as a prefix of a word."""


async def categories(session: Session) -> Sequence[Category]:
    ordered = select(Category).order_by(col(Category.position), col(Category.slug))
    return (await session.exec(ordered)).all()


async def category(session: Session, category_id: UUID) -> Category | None:
    return await session.get(Category, category_id)


async def services_per_category(session: Session) -> dict[UUID, int]:
    counted = select(Service.category_id, func.count()).where(*LISTED)
    return dict((await session.exec(counted.group_by(col(Service.category_id)))).all())


async def services(session: Session, filters: Filters, order: Order, page: PageRequest) -> Sequence[RowMapping]:
    """One page of what can be ordered, as rows: a list is read far too often for objects."""
    statement = rows_of(*SHOWN).where(*LISTED)
    if filters.categories is not None:
        statement = statement.where(col(Service.category_id).in_(filters.categories))
    if filters.worker_id:
        statement = statement.where(col(Service.worker_id) == filters.worker_id)
    if filters.city:
        statement = statement.where(func.lower(Service.city) == filters.city.lower())
    if filters.min_price is not None:
        statement = statement.where(col(Service.price) >= filters.min_price)
    if filters.max_price is not None:
        statement = statement.where(col(Service.price) <= filters.max_price)
    if filters.words:
        statement = statement.where(has_words(col(Service.search), filters.words))
    connection = await session.connection()
    return (await connection.execute(page.apply(statement, _ordering(order)))).mappings().all()


def _ordering(order: Order) -> Ordering:
    field = order.removeprefix("-")
    parser = parse_time if field == "created_at" else parse_decimal
    columns = (getattr(Service, field), Service.id)
    return Ordering(columns, (parser, parse_id), descending=order.startswith("-"))


async def service(session: Session, service_id: UUID) -> Service | None:
    return await session.get(Service, service_id)


async def listed_service(session: Session, service_id: UUID) -> Service | None:
    return (await session.exec(select(Service).where(Service.id == service_id, *LISTED))).first()


async def services_of(session: Session, worker_id: UUID) -> Sequence[RowMapping]:
    """All of them whatever their status, oldest first, as rows."""
    theirs = rows_of(*SHOWN).where(col(Service.worker_id) == worker_id).order_by(col(Service.id))
    connection = await session.connection()
    return (await connection.execute(theirs)).mappings().all()


async def worker(session: Session, worker_id: UUID) -> Worker | None:
    return await session.get(Worker, worker_id, populate_existing=True)


async def hold_worker(session: Session, worker_id: UUID) -> Worker | None:
    """The copy; until the transaction ends nobody changes it, but others may hold it too."""
    held = select(Worker).where(Worker.id == worker_id).with_for_update(read=True)
    return (await session.exec(held.execution_options(populate_existing=True))).first()


async def keep_worker(session: Session, values: dict[str, Any]) -> bool:
    """Write the copy if it is newer than what is there. Returns whether it was."""
    return await keep_if_newer(session, Worker, values)


async def update_services(session: Session, worker_id: UUID, **values: Any) -> None:
    """Write to all services of the worker what they copy of them."""
    await session.exec(update(Service).where(col(Service.worker_id) == worker_id).values(**values))


async def keep_profile(session: Session, values: dict[str, Any]) -> None:
    await keep_if_newer(session, WorkerProfile, values)


async def bury_worker(session: Session, worker_id: UUID, version: int) -> None:
    worker = {"id": worker_id, "full_name": None, "is_active": False, "is_confirmed": False, "version": version}
    await keep_tombstone(session, Worker, worker)
    profile = WorkerProfile(id=worker_id, is_available=False, skills=[], version=LAST_VERSION)
    await keep_tombstone(session, WorkerProfile, profile.model_dump())


async def forget_services(session: Session, worker_id: UUID) -> Sequence[Service]:
    """Archive all services of the worker, without a word of theirs; returns them."""
    forgotten = (
        update(Service)
        .where(col(Service.worker_id) == worker_id)
        .values(status=Status.ARCHIVED, title=ERASED_TITLE, description="", city=None)
        .values(worker_name=None, worker_is_active=False, version=Service.version + 1, updated_at=utcnow())
        .returning(Service)
        .execution_options(populate_existing=True)
    )
    return [service for (service,) in await session.exec(forgotten)]
