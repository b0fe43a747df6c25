"""What a list of services is narrowed to, and how many PostgreSQL expects to be left."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, and_, func, select
from sqlmodel import col

from services.catalog.models import WorkerProfile
from services.catalog.repo.search import MOST_WORDS, all_of, search_queries
from services.catalog.repo.services import LISTED, SERVICES, Columns
from services.catalog.repo.statistics import statistics_of
from services.catalog.spelling import words
from shared.db import Session
from shared.db.explain import rows_expected
from shared.db.geo import Point, axes_within, degrees_within, metres_between


@dataclass(frozen=True)
class Filters:
    categories: tuple[UUID, ...] | None = None
    worker_id: UUID | None = None
    city: str | None = None
    min_price: Decimal | None = None
    max_price: Decimal | None = None
    search: str = ""
    """Each word must be in title, description, name of worker or category: see `search_queries`."""
    whole_words: bool = False
    """Beginnings of words do not match."""
    near: Point | None = None
    radius_km: float = 0

    @property
    def metres(self) -> float:
        return self.radius_km * 1000

    @property
    def priced(self) -> bool:
        return self.min_price is not None or self.max_price is not None

    @cached_property
    def query(self) -> ColumnElement[Any] | None:
        return all_of(search_queries(self.search, prefixes=not self.whole_words))

    @property
    def predictable(self) -> bool:
        """Whether the planner knows how many rows are left. Of words it guesses that half a percent of all texts have
        a rare one, and of any two conditions that they have nothing to do with each other."""
        narrowed_by = [self.categories is not None, self.worker_id, self.city, self.priced]
        return self.query is None and self.near is None and sum(map(bool, narrowed_by)) <= 1

    def apart_from_place(self, of: Columns = SERVICES.c) -> list[ColumnElement[bool]]:
        found = [] if self.query is None else [of.search.bool_op("@@")(self.query)]
        return [*self._apart_from_words(of), *found]

    def one_by_one(self) -> list["Filters"]:
        """The same, each condition on its own, and each word."""
        fields = ({"categories"}, {"worker_id"}, {"city"}, {"min_price", "max_price"})
        alone = [Filters(**{name: getattr(self, name) for name in names}) for names in fields]
        return [
            *(each for each in alone if each != Filters()),
            *(Filters(search=word) for word in words(self.search)[:MOST_WORDS]),
        ]

    def _apart_from_words(self, of: Columns = SERVICES.c) -> list[ColumnElement[bool]]:
        found: list[ColumnElement[bool]] = []
        if self.categories is not None:
            found.append(of.category_id.in_(self.categories))
        if self.worker_id:
            found.append(of.worker_id == self.worker_id)
        if self.city:
            found.append(func.lower(of.city) == func.lower(self.city))
        if self.min_price is not None:
            found.append(of.price >= self.min_price)
        if self.max_price is not None:
            found.append(of.price <= self.max_price)
        return found

    def place(self, of: Columns = SERVICES.c) -> list[ColumnElement[bool]]:
        """Within the radius, and within the worker's own where they have set one."""
        if self.near is None:
            return []
        away = metres_between(self.near, of.lat, of.lng)
        own = select(col(WorkerProfile.service_radius_km) * 1000).where(col(WorkerProfile.id) == of.worker_id)
        comes = and_(away <= self.metres, away <= func.coalesce(own.scalar_subquery(), self.metres))
        return [degrees_within(self.metres, self.near, of.lat, of.lng), comes]

    def axes(self, of: Columns = SERVICES.c) -> list[ColumnElement[bool]]:
        """Conditions of which each is true within the radius, and of how many services it is true is known."""
        return axes_within(self.metres, self.near, of.lat, of.lng) if self.near else []

    def all(self, of: Columns = SERVICES.c) -> list[ColumnElement[bool]]:
        return [*self.apart_from_place(of), *self.place(of)]


async def expected(session: Session, filters: Filters) -> int:
    """How many listed services PostgreSQL expects the filters to leave, their place apart."""
    return await _remembered(session, filters, filters.apart_from_place())


async def share_in_place(session: Session, filters: Filters, total: int) -> float:
    """Which share of all services PostgreSQL expects in reach, at most."""
    axes = enumerate(filters.axes())
    found = [await _remembered(session, (number, filters.near, filters.radius_km), [axis]) for number, axis in axes]
    return min((count / total for count in found), default=1)


async def reach(session: Session, filters: Filters) -> int:
    """How many services it expects in reach, or fewer: it does not know that latitude and longitude go together."""
    assert filters.near  # noqa: S101
    box = degrees_within(filters.metres, filters.near, SERVICES.c.lat, SERVICES.c.lng)
    return await _remembered(session, (filters.near, filters.radius_km), [box])


async def _remembered(session: Session, key: Hashable, conditions: Sequence[ColumnElement[bool]]) -> int:
    statistics = statistics_of(session)
    if (known := statistics.recall(key)) is not None:
        return known
    found = await rows_expected(session, SERVICES, *LISTED, *conditions)
    statistics.note(key, found)
    return found
