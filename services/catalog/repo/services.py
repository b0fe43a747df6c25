"""Services."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from sqlalchemy import RowMapping, func
from sqlalchemy import select as rows_of
from sqlmodel import col

from services.catalog.domain import Order, Status
from services.catalog.models import Base, Service
from shared.db import Session
from shared.db.search import has_words
from shared.http.pagination import Ordering, PageRequest, parse_decimal, parse_id, parse_time

SHOWN = [
    column for column in Base.metadata.tables["services"].columns if column.name not in ("search", "worker_is_active")
]
"""The columns that anyone may see."""

LISTED = (col(Service.status) == Status.ACTIVE, col(Service.worker_is_active))
"""What can be ordered."""


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


async def listed_service(session: Session, service_id: UUID) -> RowMapping | None:
    connection = await session.connection()
    wanted = rows_of(*SHOWN).where(col(Service.id) == service_id, *LISTED)
    return (await connection.execute(wanted)).mappings().first()
