"""Pictures of services."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import ColumnElement, delete, func, update
from sqlmodel import col, select

from services.catalog.domain import Status
from services.catalog.models import Image, Service
from shared.db import Session

NOW = func.clock_timestamp()
"""Also within a transaction that began earlier: of a sweep and a late upload one must see the other."""


def _own(service_id: UUID, worker_id: UUID) -> tuple[ColumnElement[bool], ...]:
    return (
        col(Service.id) == service_id,
        col(Service.worker_id) == worker_id,
        col(Service.status) != Status.ARCHIVED,
    )


async def own_service(session: Session, service_id: UUID, worker_id: UUID) -> Service | None:
    """A service of the worker that is not archived."""
    return (await session.exec(select(Service).where(*_own(service_id, worker_id)))).first()


async def hold_own_service(session: Session, service_id: UUID, worker_id: UUID) -> Service | None:
    """The same, and nobody else changes it or its pictures until the transaction ends."""
    held = select(Service).where(*_own(service_id, worker_id)).with_for_update()
    return (await session.exec(held.execution_options(populate_existing=True))).first()


async def images_of(session: Session, service_id: UUID) -> Sequence[Image]:
    """In their order."""
    shown = select(Image).where(Image.service_id == service_id).order_by(col(Image.position))
    return (await session.exec(shown.execution_options(populate_existing=True))).all()


async def show(session: Session, image_id: UUID, service_id: UUID, position: int) -> Image | None:
    """Give the picture to the service; None where its files may have been swept."""
    shown = (
        update(Image)
        .where(col(Image.id) == image_id, col(Image.delete_after) > NOW)
        .values(service_id=service_id, position=position, delete_after=None)
        .returning(Image)
    )
    return (await session.exec(shown)).scalar()


async def hide(session: Session, *which: ColumnElement[bool]) -> bool:
    """Take pictures from their services; their files have to go. Returns whether there were any."""
    hidden = update(Image).where(*which).values(service_id=None, delete_after=NOW).returning(col(Image.id))
    return (await session.exec(hidden)).first() is not None


async def may_be_seen(session: Session, key: str) -> bool:
    """Whether it is a picture of a service that was not hidden, by a worker who is not banned."""
    seen = (
        select(Image.id)
        .join(Service, col(Image.service_id) == col(Service.id))
        .where(Image.key == key, Service.status != Status.HIDDEN, col(Service.worker_is_active))
    )
    return (await session.exec(seen)).first() is not None


async def to_go(session: Session, most: int) -> Sequence[Image]:
    """Pictures whose files have to go now; the longest due come first."""
    due = select(Image).where(col(Image.delete_after) <= NOW).order_by(col(Image.delete_after)).limit(most)
    return (await session.exec(due.with_for_update(skip_locked=True))).all()


async def forget(session: Session, images: Sequence[Image]) -> None:
    """Their files are gone."""
    await session.exec(delete(Image).where(col(Image.id).in_([image.id for image in images])))
