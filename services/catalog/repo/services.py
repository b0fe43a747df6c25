"""Services."""

from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, bindparam, case, func, literal, select, true, update
from sqlmodel import col

from services.catalog.models import ACTIVE, Base, Service, WorkerProfile
from shared.db import Connected, Session
from shared.db.statements import Statement

SERVICES = Base.metadata.tables["services"]
Row = dict[str, Any]
Columns = Any
"""Of services, or of a subquery that has the same ones."""
NOT_SHOWN = {"search", "score", "worker_is_active", "lat", "lng"}
LISTED = (ACTIVE,)
"""What can be ordered: in the words of the partial indexes."""


def _shown() -> list[ColumnElement[Any]]:
    of = SERVICES.c
    place = case((of.lat.is_not(None), func.jsonb_build_object(literal("lat"), of.lat, literal("lng"), of.lng)))
    free = select(col(WorkerProfile.is_available)).where(col(WorkerProfile.id) == of.worker_id).scalar_subquery()
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


async def listed_service(session: Connected, service_id: UUID) -> Row | None:
    """What anyone may see of one that can be ordered."""
    return await _LISTED_SERVICE.first(session, service_id=service_id)


async def count_completed_orders(session: Session, service_id: UUID, count: int) -> None:
    await _COUNT_COMPLETED_ORDERS.all(session, service_id=service_id, count=count)


_ITS_ID = SERVICES.c.id == bindparam("service_id")
_LISTED_SERVICE: Statement[Row] = Statement(select(*SHOWN).where(_ITS_ID, *LISTED), dict)
_COUNT_COMPLETED_ORDERS = Statement[Any](
    update(SERVICES).where(_ITS_ID).values(completed_orders=SERVICES.c.completed_orders + bindparam("count"))
)
