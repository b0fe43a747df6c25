"""The tree of categories."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from services.catalog.models import Category
from services.catalog.repo import categories as repo
from shared.db import Session
from shared.errors import NotFound


async def categories(session: Session, language: str) -> list[dict[str, Any]]:
    """The tree as a flat list, parents first; a parent counts its children's services too."""
    rows = await repo.categories(session)
    own = await repo.services_per_category(session)
    return [
        {
            "id": row.id,
            "name": name_in(row, language),
            "slug": row.slug,
            "description": row.description,
            "parent_id": row.parent_id,
            "service_count": sum(own.get(id_, 0) for id_ in _with_children(rows, row.id)),
        }
        for row in rows
    ]


def name_in(category: Category, language: str) -> str:
    name: str = category.names.get(language) or category.names["en"]
    return name


def _with_children(categories: Sequence[Category], root: UUID) -> list[UUID]:
    children = [category.id for category in categories if category.parent_id == root]
    return [root, *(below for child in children for below in _with_children(categories, child))]


async def subtree(session: Session, slug_or_id: str) -> list[UUID]:
    rows = await repo.categories(session)
    return next((_with_children(rows, row.id) for row in rows if slug_or_id in (row.slug, str(row.id))), [])


async def category_ids(session: Session, slug_or_id: str) -> list[UUID]:
    """The category and all below it. Raises `NotFound`."""
    found = await subtree(session, slug_or_id)
    if not found:
        raise NotFound("There is no such category.")
    return found
