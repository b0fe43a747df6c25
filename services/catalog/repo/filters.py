"""What a list of services is narrowed to, and the rows that are left."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property, lru_cache
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, ColumnElement, Select, String, Uuid, and_, any_, bindparam, func, select
from sqlmodel import col

from services.catalog.models import WorkerProfile
from services.catalog.repo.search import search_query, search_terms, search_values
from services.catalog.repo.services import SERVICES, Columns, Row
from shared.db import Connected
from shared.db.geo import Point, axes_within, degrees_within, metres_between
from shared.db.statements import Statement

Rows = Sequence[Mapping[str, Any]]

Build = Callable[..., Select[Any]]
"""Puts a statement together, of `Conditions` and whatever else its text depends on."""


@dataclass(frozen=True)
class Conditions:
    """Which conditions there are: all that the text of a statement has to know of `Filters`. What they compare with are
    `Filters.values`, by their names; but of a place so much is computed that it is part of the text."""

    given: frozenset[str] = frozenset()
    words: int = 0
    near: Point | None = None
    metres: float = 0

    @property
    def query(self) -> ColumnElement[Any]:
        """What a search looks for."""
        return search_query(self.words)

    def all(self, of: Columns = SERVICES.c) -> list[ColumnElement[bool]]:
        return [*self.apart_from_place(of), *self.place(of)]

    def apart_from_place(self, of: Columns = SERVICES.c) -> list[ColumnElement[bool]]:
        found: list[ColumnElement[bool]] = []
        if "category" in self.given:
            found.append(of.category_id == bindparam("category"))
        if "categories" in self.given:
            found.append(of.category_id == any_(bindparam("categories", type_=ARRAY(Uuid))))
        if "worker_id" in self.given:
            found.append(of.worker_id == bindparam("worker_id"))
        if "city" in self.given:
            found.append(func.lower(of.city) == func.lower(bindparam("city", type_=String)))
        if "min_price" in self.given:
            found.append(of.price >= bindparam("min_price"))
        if "max_price" in self.given:
            found.append(of.price <= bindparam("max_price"))
        if self.words:
            found.append(of.search.bool_op("@@")(self.query))
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


@dataclass(frozen=True)
class Filters:
    categories: tuple[UUID, ...] | None = None
    worker_id: UUID | None = None
    city: str | None = None
    min_price: Decimal | None = None
    max_price: Decimal | None = None
    search: str = ""
    """Each word must be in title, description, name of worker or category: see `search_query`."""
    whole_words: bool = False
    """Beginnings of words do not match."""
    near: Point | None = None
    radius_km: float = 0

    @property
    def predictable(self) -> bool:
        """Whether the planner knows how many rows are left. Of words it guesses that half a percent of all texts have
        a rare one, and of any two conditions that they have nothing to do with each other."""
        priced = self.min_price is not None or self.max_price is not None
        narrowed_by = [self.categories is not None, self.worker_id, self.city, priced]
        return not search_terms(self.search) and self.near is None and sum(map(bool, narrowed_by)) <= 1

    def one_by_one(self) -> list["Filters"]:
        """The same, each condition on its own, and each word."""
        fields = ({"categories"}, {"worker_id"}, {"city"}, {"min_price", "max_price"})
        alone = [Filters(**{name: getattr(self, name) for name in names}) for names in fields]
        return [
            *(each for each in alone if each != Filters()),
            *(Filters(search=term.word) for term in search_terms(self.search)),
        ]

    @cached_property
    def conditions(self) -> Conditions:
        near, metres = (self.near, self.radius_km * 1000) if self.near else (None, 0.0)
        return Conditions(frozenset(self._compared), len(search_terms(self.search)), near, metres)

    @cached_property
    def values(self) -> Mapping[str, Any]:
        """What the `conditions` compare with, by name."""
        return self._compared | search_values(search_terms(self.search), prefixes=not self.whole_words)

    @cached_property
    def _compared(self) -> dict[str, Any]:
        fields = {
            "worker_id": self.worker_id,
            "city": self.city or None,
            "min_price": self.min_price,
            "max_price": self.max_price,
        }
        given: dict[str, Any] = {name: value for name, value in fields.items() if value is not None}
        if self.categories is None:
            return given
        # By its index the list of one category comes in order, which that of any among several does not.
        if len(self.categories) > 1:
            return given | {"categories": list(self.categories)}
        # Nothing is equal to NULL, as PostgreSQL sees without looking.
        return given | {"category": next(iter(self.categories), None)}


async def rows(
    session: Connected, filters: Filters, build: Build, *shape: Any, as_text: bool = False, **values: Any
) -> Rows:
    """Of the statement that `build` makes of the filters' conditions and `shape`, with these values and theirs; for
    `as_text` see `Statement`."""
    values = {**filters.values, **values}
    if filters.near is None:
        return await _put_together(build, filters.conditions, as_text, *shape).all(session, **values)
    return await rows_of(session, build(filters.conditions, *shape), values)


async def rows_of(session: Connected, statement: Select[Any], values: Mapping[str, Any]) -> Rows:
    """The same of a statement that is not kept."""
    connection = await session.connection()
    found: Rows = (await connection.execute(statement, values)).mappings().all()
    return found


@lru_cache(maxsize=1024)
def _put_together(build: Build, conditions: Conditions, as_text: bool, *shape: Any) -> Statement[Row]:
    return Statement(build(conditions, *shape), dict, as_text=as_text)
