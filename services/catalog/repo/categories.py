"""Categories."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import func
from sqlmodel import col, select

from services.catalog.models import Category, Service
from services.catalog.repo.services import LISTED
from shared.db import Session


async def categories(session: Session) -> Sequence[Category]:
    ordered = select(Category).order_by(col(Category.position), col(Category.slug))
    return (await session.exec(ordered)).all()


async def category(session: Session, category_id: UUID) -> Category | None:
    return await session.get(Category, category_id)


async def services_per_category(session: Session) -> dict[UUID, int]:
    counted = select(Service.category_id, func.count()).where(*LISTED)
    return dict((await session.exec(counted.group_by(col(Service.category_id)))).all())
