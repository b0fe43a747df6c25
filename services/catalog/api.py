"""Routes of catalog."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Header, Query, Request, Response

from services.catalog import repo, service
from services.catalog.models import Service
from services.catalog.schemas import CategoriesOut, ServiceFilters, ServiceIn, ServiceOut
from shared.auth.users import CallingService, Worker
from shared.contracts.catalog import ServiceState
from shared.http.language import preferred_language
from shared.http.pagination import Page, Paging
from shared.http.problems import problems
from shared.http.responses import RowsResponse
from shared.http.service import DbSession, Internal

categories = APIRouter(prefix="/api/services/categories", tags=["categories"])
services = APIRouter(prefix="/api/services", tags=["services"])
internal = APIRouter(prefix="/internal", include_in_schema=False)

PUBLIC = {"Cache-Control": "public, s-maxage=1, must-revalidate", "Vary": "Accept-Language, Accept-Encoding"}


@categories.get("/", response_model=CategoriesOut)
async def list_categories(
    session: DbSession, accept_language: Annotated[str, Header(description="uz, ru or en")] = "en"
) -> Response:
    """The tree of categories, parents first."""
    results = await service.categories(session, preferred_language(accept_language))
    return RowsResponse({"results": results}, headers=PUBLIC)


@services.get("/", response_model=Page[ServiceOut])
async def list_services(filters: Annotated[ServiceFilters, Query()], page: Paging, session: DbSession) -> Response:
    """What can be ordered, newest first or as `ordering` says."""
    rows = await service.find_services(
        session,
        page,
        category=filters.category,
        worker_id=filters.worker,
        city=filters.city,
        min_price=filters.min_price,
        max_price=filters.max_price,
        search=filters.search,
        order=filters.ordering,
    )
    ordered_by = filters.ordering.removeprefix("-")
    answer = page.page([dict(row) for row in rows], key=lambda row: (row[ordered_by], row["id"]))
    return RowsResponse(answer, headers=PUBLIC)


@services.post("/", status_code=201, response_model=ServiceOut, responses=problems(403, 409))
async def offer_service(
    body: ServiceIn, by: Worker, request: Request, session: DbSession, internal: Internal
) -> Service:
    """Offer a service."""
    values: dict[str, Any] = body.model_dump()
    confirmed_only = request.app.state.settings.require_confirmed_email
    return await service.offer(session, internal, by.id, **values, confirmed_only=confirmed_only)


@services.get("/{service_id}/", response_model=ServiceOut, responses=problems(404))
async def read_service(service_id: UUID, session: DbSession, response: Response) -> Service:
    """One service that can be ordered."""
    response.headers.update(PUBLIC)
    return await service.visible_service(session, service_id)


@internal.get("/services/{service_id}/", response_model=ServiceState)
async def service_state(service_id: UUID, session: DbSession, _: CallingService) -> ServiceState:
    return await service.service_state(session, service_id)


@internal.get("/categories/{slug_or_id}/")
async def category_ids(slug_or_id: str, session: DbSession, _: CallingService) -> dict[str, list[UUID]]:
    return {"ids": await service.category_ids(session, slug_or_id)}


@internal.get("/users/{user_id}/export/")
async def export(user_id: UUID, session: DbSession, _: CallingService) -> Response:
    return RowsResponse({"services": [dict(row) for row in await repo.services_of(session, user_id)]})
