"""Routes of categories."""

from typing import Annotated

from fastapi import APIRouter, Header, Request, Response

from services.catalog.schemas import CategoriesOut
from services.catalog.service import categories as service
from shared.http.caching import NOT_MODIFIED, public_answer
from shared.http.language import preferred_language
from shared.http.service import DbSession

categories = APIRouter(prefix="/api/services/categories", tags=["categories"])


@categories.get("/", response_model=CategoriesOut, responses=NOT_MODIFIED)
async def list_categories(
    session: DbSession, request: Request, accept_language: Annotated[str, Header(description="uz, ru or en")] = "en"
) -> Response:
    """The tree of categories, parents first."""
    results = await service.categories(session, preferred_language(accept_language))
    return public_answer(request, {"results": results})
