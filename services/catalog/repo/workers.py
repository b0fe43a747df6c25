"""Copies of workers, and what services copy of them."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import update
from sqlmodel import col, select

from services.catalog.domain import ERASED_TITLE, Status
from services.catalog.models import ModerationEntry, Service, Worker, WorkerProfile
from shared.db import Session
from shared.db.base import utcnow
from shared.db.copies import keep_if_newer, keep_tombstone

LAST_VERSION = 2**31 - 1
"""None is newer: of a profile's tombstone, as `user.erased` does not say the profile's own version."""


async def worker(session: Session, worker_id: UUID) -> Worker | None:
    return await session.get(Worker, worker_id, populate_existing=True)


async def hold_worker(session: Session, worker_id: UUID) -> Worker | None:
    """The copy; until the transaction ends nobody changes it, but others may hold it too."""
    held = select(Worker).where(Worker.id == worker_id).with_for_update(read=True)
    return (await session.exec(held.execution_options(populate_existing=True))).first()


async def keep_worker(session: Session, values: dict[str, Any]) -> bool:
    """Write the copy if it is newer than what is there. Returns whether it was."""
    return await keep_if_newer(session, Worker, values)


async def update_services(session: Session, worker_id: UUID, **values: Any) -> None:
    """Write to all services of the worker what they copy of them."""
    await session.exec(update(Service).where(col(Service.worker_id) == worker_id).values(**values))


async def keep_profile(session: Session, values: dict[str, Any]) -> None:
    await keep_if_newer(session, WorkerProfile, values)


async def bury_worker(session: Session, worker_id: UUID, version: int) -> None:
    worker = {"id": worker_id, "full_name": None, "is_active": False, "is_confirmed": False, "version": version}
    await keep_tombstone(session, Worker, worker)
    profile = WorkerProfile(id=worker_id, is_available=False, skills=[], version=LAST_VERSION)
    await keep_tombstone(session, WorkerProfile, profile.model_dump())


async def forget_services(session: Session, worker_id: UUID) -> Sequence[Service]:
    """Archive all services of the worker, without a word of theirs or of a moderator; returns them."""
    forgotten = (
        update(Service)
        .where(col(Service.worker_id) == worker_id)
        .values(status=Status.ARCHIVED, title=ERASED_TITLE, description="", city=None, images=[])
        .values(search=None, lat=None, lng=None)
        .values(worker_name=None, worker_is_active=False, version=Service.version + 1, updated_at=utcnow())
        .returning(Service)
        .execution_options(populate_existing=True)
    )
    services = [service for (service,) in await session.exec(forgotten)]
    of_theirs = col(ModerationEntry.service_id).in_([service.id for service in services])
    await session.exec(update(ModerationEntry).where(of_theirs).values(reason=None))
    return services
