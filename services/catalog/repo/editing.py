"""Services as their workers and admins see and change them."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import RowMapping, bindparam, update
from sqlalchemy import select as rows_of
from sqlmodel import col, select

from services.catalog.domain import Status
from services.catalog.models import ModerationEntry, Service
from services.catalog.repo.services import SHOWN, Row
from shared.db import Connected, Session
from shared.db.base import utcnow
from shared.db.statements import Statement
from shared.http.pagination import Ordering, PageRequest, parse_id, parse_time

LAST_REASON = (
    select(ModerationEntry.reason)
    .where(ModerationEntry.service_id == Service.id)
    .order_by(col(ModerationEntry.seq).desc())
    .limit(1)
    .scalar_subquery()
)
OWN = [*SHOWN, LAST_REASON.label("moderation_reason")]
"""What anyone may see, and what is between moderators and the worker."""


_ITS_ID = col(Service.id) == bindparam("service_id")
_OWN_SERVICE: Statement[Row] = Statement(rows_of(*OWN).where(_ITS_ID), dict)


async def own_service(session: Connected, service_id: UUID) -> Row | None:
    """What its worker and admins see of it, as the session has written it."""
    return await _OWN_SERVICE.first(session, service_id=service_id)


async def services_of(session: Session, worker_id: UUID) -> Sequence[RowMapping]:
    """All of them whatever their status, oldest first, as rows."""
    theirs = rows_of(*OWN).where(col(Service.worker_id) == worker_id).order_by(col(Service.id))
    connection = await session.connection()
    return (await connection.execute(theirs)).mappings().all()


async def own_services(
    session: Session, worker_id: UUID, status: Status | None, page: PageRequest
) -> Sequence[RowMapping]:
    """One page of a worker's services, newest first, as rows."""
    theirs = rows_of(*OWN).where(col(Service.worker_id) == worker_id)
    if status:
        theirs = theirs.where(col(Service.status) == status)
    return await _page(session, theirs, page, descending=True)


async def services_that_are(session: Session, status: Status, page: PageRequest) -> Sequence[RowMapping]:
    """One page of everybody's, oldest first, as rows."""
    return await _page(session, rows_of(*OWN).where(col(Service.status) == status), page, descending=False)


async def _page(session: Session, statement: Any, page: PageRequest, *, descending: bool) -> Sequence[RowMapping]:
    ordering = Ordering((Service.created_at, Service.id), (parse_time, parse_id), descending)
    connection = await session.connection()
    return (await connection.execute(page.apply(statement, ordering))).mappings().all()


async def current_service(session: Session, service_id: UUID) -> Service | None:
    """As of now, whatever was read before."""
    return await session.get(Service, service_id, populate_existing=True)


async def change_service(session: Session, service: Service, values: Mapping[str, Any]) -> Service | None:
    """Write `values`, and with them version and time. None where it is no longer of the version that `service` has."""
    changed = (
        update(Service)
        .where(col(Service.id) == service.id, col(Service.version) == service.version)
        .values(**values, version=Service.version + 1, updated_at=utcnow())
        .returning(Service)
        .execution_options(populate_existing=True)
    )
    found = (await session.exec(changed)).first()
    return found[0] if found else None
