"""Every SQL statement of accounts on the profiles of workers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, RowMapping, Select, delete, func, insert, literal, or_, select, update
from sqlmodel import col

from services.accounts.models import Base, User, WorkerProfile, WorkerService
from shared.db import Session
from shared.db.base import utcnow
from shared.db.copies import keep_if_newer
from shared.db.geo import Point, metres_between, roughly_within
from shared.db.search import has_words
from shared.http.pagination import Ordering, PageRequest, parse_decimal, parse_id, parse_integer, parse_time

PROFILES = Base.metadata.tables["worker_profiles"]
SHOWN = [column for column in PROFILES.columns if column.name not in ("is_listed", "search")]
"""The columns that anyone may see."""


class Order(StrEnum):
    """The orderings of a list of workers; `-` is descending."""

    NEWEST = "-created_at"
    OLDEST = "created_at"
    WORST = "rating"
    BEST = "-rating"
    NEAREST = "distance"

    @property
    def column(self) -> str:
        """Of a row of `profiles`."""
        return "metres" if self == Order.NEAREST else self.removeprefix("-")


PARSERS = {"created_at": parse_time, "rating": parse_decimal, "metres": parse_integer}


@dataclass(frozen=True)
class Filters:
    """What a list of workers is narrowed to."""

    categories: Sequence[UUID] | None = None
    city: str | None = None
    min_rating: float | None = None
    words: Sequence[str] = ()
    """Each must be in name, bio or skills, as a prefix of a word."""
    near: Point | None = None
    radius_km: float = 0


async def profiles(session: Session, filters: Filters, order: Order, page: PageRequest) -> Sequence[RowMapping]:
    """One page of listed profiles as rows; where `near` is asked for, each says how many `metres` it is away."""
    found = (_near(filters.near, filters.radius_km) if filters.near else select(*SHOWN)).where(PROFILES.c.is_listed)
    if filters.categories is not None:
        offers = (col(WorkerService.is_active), col(WorkerService.category_id).in_(filters.categories))
        found = found.where(PROFILES.c.id.in_(select(col(WorkerService.worker_id)).where(*offers)))
    if filters.city:
        found = found.where(func.lower(PROFILES.c.city) == func.lower(filters.city))
    if filters.min_rating is not None:
        found = found.where(PROFILES.c.rating >= filters.min_rating)
    if filters.words:
        found = found.where(has_words(PROFILES.c.search, filters.words))
    key = found.selected_columns[order.column]
    ordering = Ordering((key, PROFILES.c.id), (PARSERS[order.column], parse_id), descending=order.startswith("-"))
    connection = await session.connection()
    return (await connection.execute(page.apply(found, ordering))).mappings().all()


def _near(centre: Point, radius_km: float) -> Select[Any]:
    """Those within the radius, and within their own where they have set one."""
    lat, lng = PROFILES.c.lat, PROFILES.c.lng
    metres = metres_between(centre, lat, lng)
    return select(*SHOWN, metres.label("metres")).where(
        roughly_within(radius_km * 1000, centre, lat, lng),
        metres <= radius_km * 1000,
        or_(PROFILES.c.service_radius_km.is_(None), metres <= PROFILES.c.service_radius_km * 1000),
    )


async def listed_profile(session: Session, worker_id: UUID) -> RowMapping | None:
    wanted = select(*SHOWN).where(PROFILES.c.is_listed, PROFILES.c.id == worker_id)
    connection = await session.connection()
    return (await connection.execute(wanted)).mappings().first()


async def profile(session: Session, worker_id: UUID) -> RowMapping | None:
    """Listed or not."""
    connection = await session.connection()
    return (await connection.execute(select(*SHOWN).where(PROFILES.c.id == worker_id))).mappings().first()


async def add_profile(session: Session, user: User) -> RowMapping:
    """An empty profile of a user who has none."""
    await session.flush()  # the user goes first
    values = {
        "id": user.id,
        "full_name": user.full_name,
        "is_listed": user.is_active,
        "skills": [],
        "languages": [],
        "created_at": user.created_at,
        "updated_at": user.created_at,
    }
    added = insert(PROFILES).values(**values, search=func.to_tsvector("simple", user.full_name)).returning(*SHOWN)
    connection = await session.connection()
    return (await connection.execute(added)).mappings().one()


async def change_profile(
    session: Session, worker_id: UUID, values: Mapping[str, Any], *, version: int | None = None
) -> RowMapping | None:
    """Write `values`, and with them version, time, and what searches go by.

    None where there is no such profile, or it is no longer of the `version` that was to be changed.
    """
    still = [] if version is None else [PROFILES.c.version == version]
    changed = (
        update(PROFILES)
        .where(PROFILES.c.id == worker_id, *still)
        .values(**values, search=_searched(values), version=PROFILES.c.version + 1, updated_at=utcnow())
        .returning(*SHOWN)
    )
    connection = await session.connection()
    return (await connection.execute(changed)).mappings().first()


def _searched(values: Mapping[str, Any]) -> ColumnElement[Any]:
    """Of the row as it will be: an UPDATE's expressions see it as it was."""

    def after(name: str) -> ColumnElement[Any]:
        column = PROFILES.c[name]
        return literal(values[name], column.type) if name in values else column

    text = after("full_name") + " " + after("bio") + " " + func.array_to_string(after("skills"), " ")
    return func.to_tsvector("simple", text)


async def delete_profile(session: Session, worker_id: UUID) -> None:
    await session.exec(delete(WorkerService).where(col(WorkerService.worker_id) == worker_id))
    await session.exec(delete(WorkerProfile).where(col(WorkerProfile.id) == worker_id))


async def keep_service(session: Session, values: dict[str, Any]) -> None:
    """Write the copy if it is newer than what is there."""
    await keep_if_newer(session, WorkerService, values)
