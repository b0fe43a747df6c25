"""Routes of moderation."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Response

from services.catalog.repo import editing as repo
from services.catalog.schemas import DecisionIn, ModerationFilters, OwnServiceOut
from services.catalog.service import moderation as service
from shared.auth.users import ActingAdmin, Admin
from shared.http.caching import PERSONAL
from shared.http.pagination import Page, Paging
from shared.http.preconditions import IfMatch, version_tag
from shared.http.problems import problems
from shared.http.responses import RowsResponse
from shared.http.service import DbSession

moderation = APIRouter(prefix="/api/services", tags=["moderation"])


@moderation.get("/moderation/", response_model=Page[OwnServiceOut], responses=problems(403))
async def list_services_to_moderate(
    filters: Annotated[ModerationFilters, Query()], page: Paging, _: Admin, session: DbSession
) -> Response:
    """Services that wait for a moderator, or are of another status, oldest first (admin)."""
    rows = await repo.services_that_are(session, filters.status, page)
    answer = page.page([dict(row) for row in rows], key=lambda row: (row["created_at"], row["id"]))
    return RowsResponse(answer, headers={"Cache-Control": PERSONAL})


@moderation.post(
    "/{service_id:uuid}/moderate/", response_model=OwnServiceOut, responses=problems(403, 404, 409, 412, 503)
)
async def moderate_service(
    service_id: UUID, body: DecisionIn, by: ActingAdmin, if_match: IfMatch, session: DbSession, response: Response
) -> dict[str, Any]:
    """Approve a service, or hide it (admin).

    Approving takes it from `pending` or `hidden` to `active`, hiding from `pending` or `active` to `hidden`; any other
    move is 409. The reason is shown to its worker and to admins. `If-Match` keeps from approving what one has not read.
    """
    moderated = await service.moderate(session, service_id, by.id, body.action, body.reason, if_match)
    response.headers["ETag"] = version_tag(moderated["version"])
    return moderated
