"""Routes for the other services."""

from uuid import UUID

from fastapi import APIRouter, Response

from services.catalog.service import categories
from services.catalog.service import services as service
from shared.auth.users import CallingService
from shared.contracts.catalog import ServiceState
from shared.http.responses import RowsResponse
from shared.http.service import DbSession

internal = APIRouter(prefix="/internal", include_in_schema=False)


@internal.get("/services/{service_id}/", response_model=ServiceState)
async def service_state(service_id: UUID, session: DbSession, _: CallingService) -> ServiceState:
    return await service.service_state(session, service_id)


@internal.get("/categories/{slug_or_id}/")
async def category_ids(slug_or_id: str, session: DbSession, _: CallingService) -> dict[str, list[UUID]]:
    return {"ids": await categories.category_ids(session, slug_or_id)}


@internal.get("/users/{user_id}/export/")
async def export(user_id: UUID, session: DbSession, _: CallingService) -> Response:
    return RowsResponse({"services": await service.services_of(session, user_id)})
