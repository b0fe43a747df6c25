"""Routes of categories."""

from typing import Annotated

from fastapi import APIRouter, Header, Response

from services.catalog.schemas import CategoriesOut
from services.catalog.service import categories as service
from shared.http.language import preferred_language
from shared.http.responses import RowsResponse
from shared.http.service import DbSession

categories = APIRouter(prefix="/api/services/categories", tags=["categories"])

PUBLIC = {"Cache-Control": "public, s-maxage=1, must-revalidate", "Vary": "Accept-Language, Accept-Encoding"}


@categories.get("/", response_model=CategoriesOut)
async def list_categories(
    session: DbSession, accept_language: Annotated[str, Header(description="uz, ru or en")] = "en"
) -> Response:
    """The tree of categories, parents first."""
    results = await service.categories(session, preferred_language(accept_language))
    return RowsResponse({"results": results}, headers=PUBLIC)
