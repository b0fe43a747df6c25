"""Services."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import RowMapping
from sqlalchemy import select as rows_of
from sqlmodel import col

from services.catalog.models import ACTIVE, Base, Service
from shared.db import Session

SERVICES = Base.metadata.tables["services"]
SHOWN = [column for column in SERVICES.columns if column.name not in ("search", "score", "worker_is_active")]
"""The columns that anyone may see."""

LISTED = (ACTIVE,)
"""What can be ordered: in the words of the partial indexes."""


async def service(session: Session, service_id: UUID) -> Service | None:
    return await session.get(Service, service_id)


async def listed_service(session: Session, service_id: UUID) -> RowMapping | None:
    connection = await session.connection()
    return (await connection.execute(rows_of(*SHOWN).where(SERVICES.c.id == service_id, *LISTED))).mappings().first()


async def services_of(session: Session, worker_id: UUID) -> Sequence[RowMapping]:
    """All of them whatever their status, oldest first, as rows."""
    theirs = rows_of(*SHOWN).where(col(Service.worker_id) == worker_id).order_by(col(Service.id))
    connection = await session.connection()
    return (await connection.execute(theirs)).mappings().all()
