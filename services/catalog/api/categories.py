"""Routes of categories."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Header, Request, Response

from services.catalog.schemas import CategoriesOut, CategoryChangesIn, CategoryIn, CategoryOut
from services.catalog.service import categories as service
from shared.auth.users import ActingAdmin
from shared.db import Session
from shared.http.caching import NOT_MODIFIED, public_answer
from shared.http.language import preferred_language
from shared.http.preconditions import IfMatch, version_tag
from shared.http.problems import problems
from shared.http.service import DbSession, ReadsFrom

categories = APIRouter(prefix="/api/services/categories", tags=["categories"])


async def _language(accept_language: Annotated[str, Header(description="uz, ru or en")] = "en") -> str:
    return preferred_language(accept_language)


Language = Annotated[str, Depends(_language)]


@categories.get("/", response_model=CategoriesOut, responses=NOT_MODIFIED)
async def list_categories(database: ReadsFrom, language: Language, request: Request) -> Response:
    """The tree of categories, each followed by its children."""
    async with database.reading() as session:
        tree = await service.categories(session, language)
    return public_answer(request, {"results": tree})


@categories.post("/", status_code=201, response_model=CategoryOut, responses=problems(403, 409, 503))
async def add_category(
    body: CategoryIn, _: ActingAdmin, session: DbSession, language: Language, response: Response
) -> dict[str, Any]:
    """Add a category (admin)."""
    category_id = await service.add(session, **body.model_dump())
    return await _versioned(session, category_id, language, response)


@categories.put("/{category_id}/", response_model=CategoryOut, responses=problems(403, 404, 409, 412, 503))
async def replace_category(
    category_id: UUID,
    body: CategoryIn,
    _: ActingAdmin,
    if_match: IfMatch,
    session: DbSession,
    language: Language,
    response: Response,
) -> dict[str, Any]:
    """Replace a category's names, description and place in the tree (admin)."""
    await service.edit(session, category_id, body.model_dump(), if_match)
    return await _versioned(session, category_id, language, response)


@categories.patch("/{category_id}/", response_model=CategoryOut, responses=problems(403, 404, 409, 412, 503))
async def change_category(
    category_id: UUID,
    body: CategoryChangesIn,
    _: ActingAdmin,
    if_match: IfMatch,
    session: DbSession,
    language: Language,
    response: Response,
) -> dict[str, Any]:
    """Change what is given of a category (admin)."""
    await service.edit(session, category_id, body.model_dump(exclude_unset=True), if_match)
    return await _versioned(session, category_id, language, response)


@categories.delete("/{category_id}/", status_code=204, responses=problems(403, 404, 409, 412, 503))
async def delete_category(category_id: UUID, _: ActingAdmin, if_match: IfMatch, session: DbSession) -> None:
    """Delete a category that no service, also none that was archived, and no other category is in (admin)."""
    await service.remove(session, category_id, if_match)


async def _versioned(session: Session, category_id: UUID, language: str, response: Response) -> dict[str, Any]:
    category = await service.shown_category(session, category_id, language)
    response.headers["ETag"] = version_tag(category["version"])
    return category
