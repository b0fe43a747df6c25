"""The tree of categories."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import structlog

from services.catalog.domain import free_slug, slug_of
from services.catalog.models import Category
from services.catalog.repo import categories as repo
from services.catalog.repo.categories import CategoryRow
from shared.db import Connected, Session
from shared.errors import Conflict, NotFound, invalid_field
from shared.http.language import DEFAULT, LANGUAGES
from shared.http.preconditions import Precondition
from shared.ids import new_id

log = structlog.get_logger()


async def categories(session: Connected, language: str) -> list[dict[str, Any]]:
    """The tree as a flat list, each followed by its children; a parent counts their services too."""
    rows = await repo.categories(session)
    by_id = {row.id: row for row in rows}
    children = _children(rows)
    own = await repo.services_per_category(session)
    return [
        {
            "id": row.id,
            "name": name_in(row, language),
            "translations": {each: name_in(row, each) for each in LANGUAGES},
            "slug": row.slug,
            "description": row.description,
            "parent_id": row.parent_id,
            "service_count": sum(own.get(id_, 0) for id_ in _family(children, row.id)),
            "version": row.version,
        }
        for root in children.get(None, ())
        for row in (by_id[id_] for id_ in _family(children, root))
    ]


async def shown_category(session: Session, category_id: UUID, language: str) -> dict[str, Any]:
    """One that is there, as the list shows it."""
    await session.flush()
    return next(each for each in await categories(session, language) if each["id"] == category_id)


def name_in(category: CategoryRow, language: str) -> str:
    return category.names.get(language) or category.names[DEFAULT]


def _children(categories: Sequence[Category | CategoryRow]) -> Mapping[UUID | None, Sequence[UUID]]:
    """Of each category that has any, and of none: those right below it, in their order."""
    found: dict[UUID | None, list[UUID]] = {}
    for category in categories:
        found.setdefault(category.parent_id, []).append(category.id)
    return found


def _family(children: Mapping[UUID | None, Sequence[UUID]], root: UUID) -> list[UUID]:
    """The category and all below it, each followed by its children."""
    return [root, *(each for child in children.get(root, ()) for each in _family(children, child))]


async def subtree(session: Connected, slug_or_id: str) -> list[UUID]:
    rows = await repo.categories(session)
    return next((_family(_children(rows), row.id) for row in rows if slug_or_id in (row.slug, str(row.id))), [])


async def category_ids(session: Connected, slug_or_id: str) -> list[UUID]:
    """The category and all below it. Raises `NotFound`."""
    found = await subtree(session, slug_or_id)
    if not found:
        raise NotFound("There is no such category.")
    return found


async def add(
    session: Session,
    *,
    name: str,
    slug: str | None,
    parent_id: UUID | None,
    description: str,
    translations: Mapping[str, str | None],
) -> UUID:
    """Add a category, the last of its siblings. Raises `Invalid` for a parent that is not there, and `Conflict` for a
    slug that is taken."""
    await repo.lock_tree(session)
    rows = await repo.categories(session)
    _check_parent(rows, parent_id)
    if slug:
        _check_slug(rows, slug)
    category = Category(
        id=new_id(),
        slug=slug or free_slug(slug_of(name), {row.slug for row in rows}),
        names=_names({}, name, translations),
        description=description,
        parent_id=parent_id,
        position=max((row.position for row in rows), default=-1) + 1,
    )
    session.add(category)
    return category.id


async def edit(session: Session, category_id: UUID, changes: Mapping[str, Any], if_match: Precondition) -> None:
    """Write `changes` over a category. Raises `NotFound`, `PreconditionFailed`, `Invalid` for a parent that is not
    there, and `Conflict` for a slug that is taken, and for a parent that is below the category."""
    await repo.lock_tree(session)
    rows = await repo.categories_to_change(session)
    found = _find(rows, category_id)
    if_match.check(found.version)
    family = _family(_children(rows), found.id)
    values = {name: value for name, value in changes.items() if name in ("parent_id", "description")}
    if values.get("parent_id") in family:
        raise Conflict("A category can't be below itself.", slug="category-cycle")
    _check_parent(rows, values.get("parent_id"))
    if slug := changes.get("slug"):
        _check_slug([row for row in rows if row is not found], slug)
        values["slug"] = slug
    values["names"] = _names(found.names, changes.get("name"), changes.get("translations", {}))
    changed = {name for name, value in values.items() if getattr(found, name) != value}
    if changed:
        found.sqlmodel_update(values | {"version": found.version + 1})


async def remove(session: Session, category_id: UUID, if_match: Precondition) -> None:
    """Delete a category that nothing is in. Raises `NotFound`, `PreconditionFailed` and `Conflict`."""
    await repo.lock_tree(session)
    rows = await repo.categories_to_change(session)
    found = _find(rows, category_id)
    if_match.check(found.version)
    await repo.lock_category(session, found)
    if len(_family(_children(rows), found.id)) > 1 or await repo.has_services(session, found.id):
        raise Conflict("There are services or categories in it.", slug="category-in-use")
    await session.delete(found)


def _find(rows: Sequence[Category], category_id: UUID) -> Category:
    found = next((row for row in rows if row.id == category_id), None)
    if found is None:
        raise NotFound("There is no such category.")
    return found


def _check_parent(rows: Sequence[Category | CategoryRow], parent_id: UUID | None) -> None:
    if parent_id is not None and parent_id not in {row.id for row in rows}:
        raise invalid_field("parent_id", "There is no such category.", "unknown")


def _check_slug(others: Sequence[Category | CategoryRow], slug: str) -> None:
    if slug in {row.slug for row in others}:
        raise Conflict("Another category has this slug.", slug="slug-taken")


def _names(before: Mapping[str, str], name: str | None, translations: Mapping[str, str | None]) -> dict[str, str]:
    """In each language what is given for it, else what it had of its own, else `name`, else as before in English."""
    own = {language: text for language, text in before.items() if text != before[DEFAULT]}
    chosen = {**own, **translations}
    fallback = name or before[DEFAULT]
    return {language: chosen.get(language) or fallback for language in LANGUAGES}
