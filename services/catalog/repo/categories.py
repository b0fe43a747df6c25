"""Categories."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import func, text
from sqlmodel import col, exists, select

from services.catalog.models import Category, Service
from services.catalog.repo.services import LISTED
from shared.db import Session


async def categories(session: Session) -> Sequence[Category]:
    ordered = select(Category).order_by(col(Category.position), col(Category.slug))
    return (await session.exec(ordered)).all()


async def hold_category(session: Session, category_id: UUID) -> Category | None:
    """The category; until the transaction ends nobody deletes it, but others may hold it too."""
    held = select(Category).where(Category.id == category_id).with_for_update(read=True, key_share=True)
    return (await session.exec(held)).first()


async def lock_tree(session: Session) -> None:
    """Let nobody else change categories until the transaction ends: a cycle, or a slug that is taken, may be two
    changes' doing. Readers go on, and so does who offers a service."""
    connection = await session.connection()
    await connection.execute(text("LOCK TABLE categories IN SHARE ROW EXCLUSIVE MODE"))


async def services_per_category(session: Session) -> dict[UUID, int]:
    counted = select(Service.category_id, func.count()).where(*LISTED)
    return dict((await session.exec(counted.group_by(col(Service.category_id)))).all())


async def has_services(session: Session, category_id: UUID) -> bool:
    """Of whatever status."""
    return bool((await session.exec(select(exists().where(col(Service.category_id) == category_id)))).one())


async def lock_category(session: Session, category: Category) -> None:
    """Wait for who offers a service in it at this moment, and let nobody else begin."""
    await session.exec(select(Category.id).where(Category.id == category.id).with_for_update())
