"""Routes of services that are there: for their workers, and for admins."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response

from services.catalog.repo import editing as repo
from services.catalog.schemas import OwnServiceFilters, OwnServiceOut, ServiceChangesIn, ServiceIn
from services.catalog.service import editing as service
from shared.auth.users import ActingWorkerOrAdmin, User, Worker
from shared.db import Session
from shared.http.caching import PERSONAL
from shared.http.pagination import Page, Paging
from shared.http.preconditions import IfMatch, version_tag
from shared.http.problems import problems
from shared.http.responses import RowsResponse
from shared.http.service import DbSession

editing = APIRouter(prefix="/api/services", tags=["services"])


@editing.get("/mine/", response_model=Page[OwnServiceOut], responses=problems(403))
async def list_own_services(
    filters: Annotated[OwnServiceFilters, Query()], page: Paging, by: Worker, session: DbSession
) -> Response:
    """Your own services whatever their status, newest first (worker)."""
    rows = await repo.own_services(session, by.id, filters.status, page)
    answer = page.page([dict(row) for row in rows], key=lambda row: (row["created_at"], row["id"]))
    return RowsResponse(answer, headers={"Cache-Control": PERSONAL})


@editing.put("/{service_id:uuid}/", response_model=OwnServiceOut, responses=problems(403, 404, 409, 412, 503))
async def replace_service(
    service_id: UUID,
    body: ServiceIn,
    by: ActingWorkerOrAdmin,
    if_match: IfMatch,
    request: Request,
    session: DbSession,
    response: Response,
) -> dict[str, Any]:
    """Replace what a service says (its worker, admin). It may have to wait for a moderator, as with `PATCH`."""
    return await _edit(service_id, body.model_dump(), by, if_match, request, session, response)


@editing.patch("/{service_id:uuid}/", response_model=OwnServiceOut, responses=problems(403, 404, 409, 412, 503))
async def change_service(
    service_id: UUID,
    body: ServiceChangesIn,
    by: ActingWorkerOrAdmin,
    if_match: IfMatch,
    request: Request,
    session: DbSession,
    response: Response,
) -> dict[str, Any]:
    """Change what is given of a service (its worker, admin).

    A hidden one that its worker changes is `pending` again, for a moderator to see. With `MODERATE_NEW_SERVICES`, so is
    an active one that gets another title, description or category.
    """
    return await _edit(service_id, body.model_dump(exclude_unset=True), by, if_match, request, session, response)


@editing.delete("/{service_id:uuid}/", status_code=204, responses=problems(403, 404, 412, 503))
async def archive_service(service_id: UUID, by: ActingWorkerOrAdmin, if_match: IfMatch, session: DbSession) -> None:
    """Archive a service (its worker, admin). Orders of it stay as they are."""
    await service.archive(session, service_id, by, if_match)


async def _edit(
    service_id: UUID,
    values: dict[str, Any],
    by: User,
    if_match: IfMatch,
    request: Request,
    session: Session,
    response: Response,
) -> dict[str, Any]:
    moderated = request.app.state.settings.moderate_new_services
    changed = await service.edit(session, service_id, by, values, if_match, moderated=moderated)
    response.headers["ETag"] = version_tag(changed["version"])
    return changed
