"""Routes of services."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Header, Query, Request, Response

from services.catalog.models import Service
from services.catalog.schemas import FacetsOut, FoundServiceOut, ServiceFilters, ServiceIn, ServiceOut, ServiceQuery
from services.catalog.service import services as service
from shared.auth.users import Worker
from shared.http.caching import NOT_MODIFIED, public_answer
from shared.http.language import preferred_language
from shared.http.pagination import Page, Paging
from shared.http.problems import problems
from shared.http.service import DbSession, Internal

services = APIRouter(prefix="/api/services", tags=["services"])


@services.get("/", response_model=Page[FoundServiceOut], responses=NOT_MODIFIED)
async def list_services(
    query: Annotated[ServiceQuery, Query()], page: Paging, session: DbSession, request: Request
) -> Response:
    """What can be ordered, newest first, or by relevance where something is searched for, or as `ordering` says."""
    filters = dict(query)
    order = service.order_of(filters.pop("ordering"), query.search)
    rows = await service.find_services(session, page, order, filters)
    answer = page.page(rows, key=lambda row: [row[column] for column in order.columns])
    answer["results"] = [service.as_found(row) for row in answer["results"]]
    return public_answer(request, answer)


@services.get("/facets/", response_model=FacetsOut, responses=NOT_MODIFIED)
async def count_services(
    filters: Annotated[ServiceFilters, Query()],
    session: DbSession,
    request: Request,
    accept_language: Annotated[str, Header(description="uz, ru or en")] = "en",
) -> Response:
    """How many services the same filters find, by category, city and price band."""
    counted = await service.count_services(session, preferred_language(accept_language), dict(filters))
    return public_answer(request, counted)


@services.post("/", status_code=201, response_model=ServiceOut, responses=problems(403, 409))
async def offer_service(
    body: ServiceIn, by: Worker, request: Request, session: DbSession, internal: Internal
) -> Service:
    """Offer a service."""
    values: dict[str, Any] = body.model_dump()
    confirmed_only = request.app.state.settings.require_confirmed_email
    return await service.offer(session, internal, by.id, **values, confirmed_only=confirmed_only)


@services.get("/{service_id}/", response_model=ServiceOut, responses=NOT_MODIFIED | problems(404))
async def read_service(service_id: UUID, session: DbSession, request: Request) -> Response:
    """One service that can be ordered."""
    found = await service.visible_service(session, service_id)
    return public_answer(request, found, version=found["version"])
