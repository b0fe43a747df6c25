"""Categories."""

from collections.abc import Sequence
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import func, text
from sqlalchemy import select as rows_of
from sqlmodel import col, exists, select

from services.catalog.models import Category, Service
from services.catalog.repo.services import LISTED
from shared.db import Connected, Session
from shared.db.statements import Statement


class CategoryRow(NamedTuple):
    """A category that is read alone."""

    id: UUID
    slug: str
    names: dict[str, str]
    description: str
    parent_id: UUID | None
    position: int
    version: int


_IN_ORDER = (col(Category.position), col(Category.slug))
_ROWS = rows_of(*(Category.metadata.tables["categories"].c[name] for name in CategoryRow._fields))
_CATEGORIES = Statement(_ROWS.order_by(*_IN_ORDER), CategoryRow)
_SERVICES_PER_CATEGORY = Statement[Any](
    rows_of(col(Service.category_id), func.count().label("number")).where(*LISTED).group_by(col(Service.category_id))
)


async def categories(session: Connected) -> Sequence[CategoryRow]:
    """All of them, as rows, as far as the session has written them."""
    return await _CATEGORIES.all(session)


async def categories_to_change(session: Session) -> Sequence[Category]:
    """All of them."""
    return (await session.exec(select(Category).order_by(*_IN_ORDER))).all()


async def hold_category(session: Session, category_id: UUID) -> Category | None:
    """The category; until the transaction ends nobody deletes it, but others may hold it too."""
    held = select(Category).where(Category.id == category_id).with_for_update(read=True, key_share=True)
    return (await session.exec(held)).first()


async def lock_tree(session: Session) -> None:
    """Let nobody else change categories until the transaction ends: a cycle, or a slug that is taken, may be two
    changes' doing. Readers go on, and so does who offers a service."""
    connection = await session.connection()
    await connection.execute(text("LOCK TABLE categories IN SHARE ROW EXCLUSIVE MODE"))


async def services_per_category(session: Connected) -> dict[UUID, int]:
    return {row.category_id: row.number for row in await _SERVICES_PER_CATEGORY.all(session)}


async def has_services(session: Session, category_id: UUID) -> bool:
    """Of whatever status."""
    return bool((await session.exec(select(exists().where(col(Service.category_id) == category_id)))).one())


async def lock_category(session: Session, category: Category) -> None:
    """Wait for who offers a service in it at this moment, and let nobody else begin."""
    await session.exec(select(Category.id).where(Category.id == category.id).with_for_update())
