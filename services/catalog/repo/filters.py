"""What a list of services is narrowed to, and how many PostgreSQL expects to be left."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, and_, func, select
from sqlmodel import col

from services.catalog.models import WorkerProfile
from services.catalog.repo.search import all_of, search_queries
from services.catalog.repo.services import LISTED, SERVICES, Columns
from shared.db import Session
from shared.db.explain import rows_expected
from shared.db.geo import Point, axes_within, degrees_within, metres_between


@dataclass(frozen=True)
class Filters:
    categories: Sequence[UUID] | None = None
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

    @property
    def query(self) -> ColumnElement[Any] | None:
        return all_of(self._queries)

    @property
    def _queries(self) -> list[ColumnElement[Any]]:
        return search_queries(self.search, prefixes=not self.whole_words)

    @property
    def predictable(self) -> bool:
        """Whether the planner knows how many rows are left. Of words it guesses that half a percent of all texts have
        a rare one, and of any two conditions that they have nothing to do with each other."""
        narrowed_by = [self.categories is not None, self.worker_id, self.city, self.priced]
        return self.query is None and self.near is None and sum(map(bool, narrowed_by)) <= 1

    def apart_from_place(self, of: Columns = SERVICES.c) -> list[ColumnElement[bool]]:
        words = [] if self.query is None else [of.search.bool_op("@@")(self.query)]
        return [*self._apart_from_words(of), *words]

    def one_by_one(self) -> list[ColumnElement[bool]]:
        """The same, and each word on its own."""
        words = [SERVICES.c.search.bool_op("@@")(query) for query in self._queries]
        return [*self._apart_from_words(), *words]

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


async def expected(session: Session, *conditions: Any) -> int:
    """How many listed services PostgreSQL expects to fulfil all of these."""
    return await rows_expected(session, SERVICES, *LISTED, *conditions)
