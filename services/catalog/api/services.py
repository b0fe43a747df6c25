"""Routes of services."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Header, Query, Request, Response

from services.catalog.schemas import (
    FacetsOut,
    FoundServiceOut,
    OwnServiceOut,
    ServiceFilters,
    ServiceIn,
    ServiceOut,
    ServiceQuery,
)
from services.catalog.service import services as service
from services.catalog.service.editing import visible_service
from shared.auth.users import TOKEN_OPTIONAL, Anyone, Worker
from shared.http.caching import NOT_MODIFIED, public_answer
from shared.http.language import preferred_language
from shared.http.pagination import Page, Paging
from shared.http.problems import problems
from shared.http.service import DbSession, Internal, ReadsFrom

services = APIRouter(prefix="/api/services", tags=["services"])


@services.get("/", response_model=Page[FoundServiceOut], responses=NOT_MODIFIED)
async def list_services(
    query: Annotated[ServiceQuery, Query()], page: Paging, database: ReadsFrom, request: Request
) -> Response:
    """What can be ordered, newest first, or by relevance where something is searched for, or as `ordering` says."""
    filters = dict(query)
    order = service.order_of(filters.pop("ordering"), query.search)
    async with database.reading() as session:
        rows = await service.find_services(session, page, order, filters)
    answer = page.page(rows, key=lambda row: [row[column] for column in order.columns])
    answer["results"] = [service.as_found(row) for row in answer["results"]]
    return public_answer(request, answer)


@services.get("/facets/", response_model=FacetsOut, responses=NOT_MODIFIED)
async def count_services(
    filters: Annotated[ServiceFilters, Query()],
    database: ReadsFrom,
    request: Request,
    accept_language: Annotated[str, Header(description="uz, ru or en")] = "en",
) -> Response:
    """How many services the same filters find, by category, city and price band."""
    async with database.reading() as session:
        counted = await service.count_services(session, preferred_language(accept_language), dict(filters))
    return public_answer(request, counted)


@services.post("/", status_code=201, response_model=ServiceOut, responses=problems(403, 409))
async def offer_service(
    body: ServiceIn, by: Worker, request: Request, session: DbSession, internal: Internal
) -> dict[str, Any]:
    """Offer a service."""
    values: dict[str, Any] = body.model_dump()
    settings = request.app.state.settings
    flags = {"confirmed_only": settings.require_confirmed_email, "moderated": settings.moderate_new_services}
    return await service.offer(session, internal, by.id, **values, **flags)


@services.get(
    "/{service_id:uuid}/",
    response_model=ServiceOut | OwnServiceOut,
    responses=NOT_MODIFIED | problems(404),
    openapi_extra=TOKEN_OPTIONAL,
)
async def read_service(service_id: UUID, database: ReadsFrom, request: Request, reader: Anyone) -> Response:
    """One service that can be ordered; its worker and admins also read it when it can't be."""
    async with database.reading() as session:
        found = await visible_service(session, service_id, reader)
    return public_answer(request, found, version=found["version"])
