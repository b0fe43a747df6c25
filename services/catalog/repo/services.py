"""Services."""

from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, RowMapping, bindparam, case, func, literal, true, update
from sqlalchemy import select as rows_of
from sqlmodel import col, select

from services.catalog.models import ACTIVE, Base, Service, WorkerProfile
from shared.db import Session

SERVICES = Base.metadata.tables["services"]
Columns = Any
"""Of services, or of a subquery that has the same ones."""
NOT_SHOWN = {"search", "score", "worker_is_active", "lat", "lng"}
LISTED = (ACTIVE,)
"""What can be ordered: in the words of the partial indexes."""


def _shown() -> list[ColumnElement[Any]]:
    of = SERVICES.c
    place = case((of.lat.is_not(None), func.jsonb_build_object(literal("lat"), of.lat, literal("lng"), of.lng)))
    free = select(WorkerProfile.is_available).where(col(WorkerProfile.id) == of.worker_id).scalar_subquery()
    names = [column.name for column in SERVICES.columns if column.name not in NOT_SHOWN]
    return [
        *(of[name].label(name) for name in names),
        place.label("location"),
        func.coalesce(free, true()).label("worker_is_available"),
    ]


SHOWN = _shown()
"""What anyone may see of a service. Made once: to put so many columns together takes longer than to read a page."""


async def service(session: Session, service_id: UUID) -> Service | None:
    return await session.get(Service, service_id)


_LISTED_SERVICE = rows_of(*SHOWN).where(SERVICES.c.id == bindparam("service_id"), *LISTED)


async def listed_service(session: Session, service_id: UUID) -> RowMapping | None:
    connection = await session.connection()
    return (await connection.execute(_LISTED_SERVICE, {"service_id": service_id})).mappings().first()


async def count_completed_order(session: Session, service_id: UUID) -> None:
    counted = update(Service).where(col(Service.id) == service_id)
    await session.exec(counted.values(completed_orders=Service.completed_orders + 1))
