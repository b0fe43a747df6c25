"""Routes of services."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response

from services.catalog.models import Service
from services.catalog.schemas import OwnServiceOut, ServiceFilters, ServiceIn, ServiceOut
from services.catalog.service import services as service
from services.catalog.service.editing import visible_service
from shared.auth.users import TOKEN_OPTIONAL, Anyone, Worker
from shared.http.caching import NOT_MODIFIED, public_answer
from shared.http.pagination import Page, Paging
from shared.http.problems import problems
from shared.http.responses import RowsResponse
from shared.http.service import DbSession, Internal

services = APIRouter(prefix="/api/services", tags=["services"])

PUBLIC = {"Cache-Control": "public, s-maxage=1, must-revalidate", "Vary": "Accept-Language, Accept-Encoding"}


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
    settings = request.app.state.settings
    confirmed_only, moderated = settings.require_confirmed_email, settings.moderate_new_services
    return await service.offer(session, internal, by.id, **values, confirmed_only=confirmed_only, moderated=moderated)


@services.get(
    "/{service_id}/",
    response_model=ServiceOut | OwnServiceOut,
    responses=NOT_MODIFIED | problems(404),
    openapi_extra=TOKEN_OPTIONAL,
)
async def read_service(service_id: UUID, session: DbSession, request: Request, reader: Anyone) -> Response:
    """One service that can be ordered; its worker and admins also read it when it can't be."""
    found = await visible_service(session, service_id, reader)
    return public_answer(request, dict(found), version=found["version"])
