"""Lists of services: a page of them, or how many there are of which kind. As rows: too hot for objects."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Integer, Numeric, RowMapping, Select, and_, cast, func, literal, select, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlmodel import col

from services.catalog.domain import PRICE_BANDS, Order
from services.catalog.models import WorkerProfile
from services.catalog.repo.search import search_query
from services.catalog.repo.services import LISTED, SERVICES, SHOWN
from shared.db import Session
from shared.db.explain import rows_expected
from shared.db.geo import Point, Walk, degrees_within, map_within, metres_between
from shared.http.pagination import Ordering, PageRequest, parse_decimal, parse_id, parse_seq, parse_time

FEW = 5000
"""Rows that are sorted as soon as they are found, in some ten milliseconds."""
RANKED = 1000
"""Of what a search finds, the best by `score`, which are ranked by how well they match."""

PLANNING = {
    # Anew for each request's own values: what is right for a common word, city or category takes seconds for a rare
    # one, and the other way round.
    "plan_cache_mode": "force_custom_plan",
    # Rows are fetched from memory, or from a disk that need not turn: by the default a whole table looks cheap.
    "random_page_cost": "1.1",
    # Compiling a plan takes longer than it saves here.
    "jit": "off",
}

PARSERS: Mapping[str, Callable[[str], Any]] = {
    "created_at": parse_time,
    "price": parse_decimal,
    "rating": parse_decimal,
    "score": parse_decimal,
    "metres": parse_seq,
    "relevance": parse_seq,
    "id": parse_id,
}
LAT, LNG = SERVICES.c.lat, SERVICES.c.lng


@dataclass(frozen=True)
class Filters:
    """What a list of services is narrowed to."""

    categories: Sequence[UUID] | None = None
    worker_id: UUID | None = None
    city: str | None = None
    min_price: Decimal | None = None
    max_price: Decimal | None = None
    search: str = ""
    """Each word must be in title, description, name of worker or category: see `search_query`."""
    near: Point | None = None
    radius_km: float = 0

    @property
    def query(self) -> ColumnElement[Any] | None:
        return search_query(self.search)


async def services(session: Session, filters: Filters, order: Order, page: PageRequest) -> Sequence[RowMapping]:
    """One page of what can be ordered; where `near` is asked for, each says how many `metres` it is away."""
    if filters != Filters(radius_km=filters.radius_km):
        await _prepare(session)
    if order == Order.NEAREST and await _is_walked(session, filters, page):
        return await _walk(session, filters, page)
    statement = await listing(session, filters, order)
    connection = await session.connection()
    return (await connection.execute(page.apply(statement, _ordering(statement, order)))).mappings().all()


async def listing(session: Session, filters: Filters, order: Order) -> Select[Any]:
    """The whole list in no order; by relevance it is what is ranked."""
    shown: list[ColumnElement[Any]] = [*SHOWN, SERVICES.c.score]
    if filters.near:
        shown.append(metres_between(filters.near, LAT, LNG).label("metres"))
    query = filters.query
    if order != Order.RELEVANCE or query is None:
        return select(*shown).where(*await _conditions(session, filters))
    rank = func.round(func.ts_rank(SERVICES.c.search, query) * 1_000_000)
    best = (
        select(*shown, cast(rank, Integer).label("relevance"))
        .where(*await _conditions(session, filters))
        .order_by(SERVICES.c.score.desc(), SERVICES.c.id.desc())
        .limit(RANKED)
        .subquery("best")
    )
    return select(*(column.label(name) for name, column in best.columns.items()))


def _ordering(statement: Select[Any], order: Order) -> Ordering:
    columns = [statement.selected_columns[name] for name in order.columns]
    return Ordering(columns, [PARSERS[name] for name in order.columns], order.descending)


async def counts(session: Session, filters: Filters) -> Sequence[RowMapping]:
    """How many can be ordered by category, city in any case, and number of the price band."""
    await _prepare(session)
    bands = func.width_bucket(SERVICES.c.price, cast(literal(PRICE_BANDS, ARRAY(Numeric)), ARRAY(Numeric)))
    kinds = [SERVICES.c.category_id, SERVICES.c.city, bands.label("band")]
    counted = (
        select(*kinds, func.count().label("count"))
        .where(*await _conditions(session, filters))
        .group_by(SERVICES.c.category_id, SERVICES.c.city, text("band"))
        .subquery()
    )
    city_key = func.lower(counted.c.city)
    connection = await session.connection()
    return (await connection.execute(select(counted, city_key.label("city_key")))).mappings().all()


async def _prepare(session: Session, **more: str) -> None:
    """Have what follows in this transaction planned as `PLANNING` says, and `more`."""
    wanted = [func.set_config(name, value, literal(True)) for name, value in (PLANNING | more).items()]
    connection = await session.connection()
    await connection.execute(select(*wanted))


def _own_conditions(filters: Filters) -> list[ColumnElement[bool]]:
    """All but the place."""
    found: list[ColumnElement[bool]] = []
    if filters.categories is not None:
        found.append(SERVICES.c.category_id.in_(filters.categories))
    if filters.worker_id:
        found.append(SERVICES.c.worker_id == filters.worker_id)
    if filters.city:
        found.append(func.lower(SERVICES.c.city) == func.lower(filters.city))
    if filters.min_price is not None:
        found.append(SERVICES.c.price >= filters.min_price)
    if filters.max_price is not None:
        found.append(SERVICES.c.price <= filters.max_price)
    if (query := filters.query) is not None:
        found.append(SERVICES.c.search.bool_op("@@")(query))
    return found


async def _conditions(session: Session, filters: Filters) -> list[Any]:
    found: list[Any] = [*LISTED, *_own_conditions(filters)]
    if filters.near is None:
        return found
    metres = filters.radius_km * 1000
    around = degrees_within(metres, filters.near, LAT, LNG)
    found += [around, _comes(filters.near, metres)]
    # The planner takes any box for a thousandth of the table, so it is told of the index only where that is true.
    if await rows_expected(session, select(literal(1)).select_from(SERVICES).where(*LISTED, around)) <= FEW:
        found += [LAT.is_not(None), map_within(metres, filters.near, LAT, LNG)]
    return found


def _comes(centre: Point, metres: float) -> ColumnElement[bool]:
    """Whether the service is within the radius, and within its worker's own where they have set one."""
    away = metres_between(centre, LAT, LNG)
    own = select(col(WorkerProfile.service_radius_km) * 1000).where(col(WorkerProfile.id) == SERVICES.c.worker_id)
    return and_(away <= metres, away <= func.coalesce(own.scalar_subquery(), metres))


async def _is_walked(session: Session, filters: Filters, page: PageRequest) -> bool:
    """Whether to go through the index of places from the centre outwards, or to sort what the other filters leave."""
    assert filters.near  # noqa: S101
    backwards = page.cursor is not None and page.cursor.backwards
    if backwards or not Walk(filters.near, filters.radius_km * 1000).possible:
        return False
    own = _own_conditions(filters)
    left = select(literal(1)).select_from(SERVICES).where(*LISTED, *own)
    return not own or await rows_expected(session, left) > FEW


async def _walk(session: Session, filters: Filters, page: PageRequest) -> Sequence[RowMapping]:
    """The page by distance. As the map is no globe, the walk goes on until nobody nearer than the last can follow."""
    assert filters.near  # noqa: S101
    walk, steps = Walk(filters.near, filters.radius_km * 1000), 4 * (page.limit + 1)
    await _prepare(session, enable_sort="off")
    connection = await session.connection()
    while True:
        rows = (await connection.execute(walking(filters, page, steps))).mappings().all()
        found = sorted(rows, key=lambda row: (row["metres"], row["id"]))[: page.limit + 1]
        if len(rows) < steps or rows[-1]["away"] > walk.reach(found[-1]["metres"] + 0.5):
            return found
        steps *= 4


def walking(filters: Filters, page: PageRequest, steps: int) -> Select[Any]:
    """The `steps` services behind the page's cursor that are nearest on the map.

    Sorts must be off for it: the planner, which does not know how many rows there are in a box, would sort them all.
    """
    assert filters.near  # noqa: S101
    metres, walk = filters.radius_km * 1000, Walk(filters.near, filters.radius_km * 1000)
    away = walk.away(LAT, LNG)
    found = (
        select(*SHOWN, metres_between(filters.near, LAT, LNG).label("metres"), away.label("away"))
        .where(*LISTED, LAT.is_not(None), map_within(metres, filters.near, LAT, LNG))
        .where(*_own_conditions(filters), _comes(filters.near, metres))
    )
    return page.apply(found, _ordering(found, Order.NEAREST)).order_by(None).order_by(away).limit(steps)  # type: ignore[no-any-return]
