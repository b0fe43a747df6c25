"""Every SQL statement of catalog."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import RowMapping, func, update
from sqlalchemy import select as rows_of
from sqlmodel import col, select

from services.catalog.domain import Order, Status
from services.catalog.models import Base, Category, Service, Worker
from shared.db import Session
from shared.db.copies import keep_if_newer
from shared.http.pagination import Ordering, PageRequest, parse_decimal, parse_id, parse_time

SHOWN = [column for column in Base.metadata.tables["services"].columns if column.name != "search"]
"""The columns that anyone may see."""


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
    counted = select(Service.category_id, func.count()).where(Service.status == Status.ACTIVE)
    return dict((await session.exec(counted.group_by(col(Service.category_id)))).all())


async def services(session: Session, filters: Filters, order: Order, page: PageRequest) -> Sequence[RowMapping]:
    """One page of what can be ordered, as rows: a list is read far too often for objects."""
    statement = rows_of(*SHOWN).where(col(Service.status) == Status.ACTIVE)
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
        query = " & ".join(f"'{word}':*" for word in filters.words)
        statement = statement.where(col(Service.search).op("@@")(func.to_tsquery("simple", query)))
    connection = await session.connection()
    return (await connection.execute(page.apply(statement, _ordering(order)))).mappings().all()


def _ordering(order: Order) -> Ordering:
    field = order.removeprefix("-")
    parser = parse_time if field == "created_at" else parse_decimal
    columns = (getattr(Service, field), Service.id)
    return Ordering(columns, (parser, parse_id), descending=order.startswith("-"))


async def service(session: Session, service_id: UUID) -> Service | None:
    return await session.get(Service, service_id)


async def worker(session: Session, worker_id: UUID) -> Worker | None:
    return await session.get(Worker, worker_id)


async def keep_worker(session: Session, values: dict[str, Any]) -> bool:
    """Write the copy if it is newer than what is there. Returns whether it was."""
    return await keep_if_newer(session, Worker, values)


async def name_services(session: Session, worker_id: UUID, full_name: str) -> None:
    await session.exec(update(Service).where(col(Service.worker_id) == worker_id).values(worker_name=full_name))
