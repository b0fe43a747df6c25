"""Routes of users."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Response

from services.accounts.api.dependencies import Credentials
from services.accounts.models import User
from services.accounts.schemas.users import ExportOut, UserFilters, UserIn, UserOut, UserPatch
from services.accounts.service import own_data
from services.accounts.service import users as service
from shared.auth.users import ActingUser, Admin, CurrentUser
from shared.http.caching import NO_STORE, no_store
from shared.http.pagination import Page, Paging
from shared.http.preconditions import IfMatch, version_tag
from shared.http.problems import problems
from shared.http.responses import RowsResponse
from shared.http.service import DbSession, Internal

users = APIRouter(prefix="/api/users", tags=["users"], dependencies=[no_store])


@users.get("/", response_model=Page[UserOut], responses=problems(403))
async def list_users(filters: Annotated[UserFilters, Query()], page: Paging, _: Admin, session: DbSession) -> Response:
    """Users, newest first (admin)."""
    rows = await service.find_users(session, page, role=filters.role, active=filters.active, search=filters.search)
    answer = page.page([dict(row) for row in rows], key=lambda row: (row["created_at"], row["id"]))
    return RowsResponse(answer, headers=NO_STORE)


@users.get("/me/", response_model=UserOut, responses=problems(404))
async def me(by: CurrentUser, session: DbSession, response: Response) -> User:
    """Your own account."""
    return _versioned(await service.visible_user(session, by.id, by), response)


@users.get("/me/export/", response_model=ExportOut, responses=problems(404, 503))
async def export_me(by: CurrentUser, session: DbSession, internal: Internal) -> Response:
    """Everything the platform holds of you, from all services."""
    headers = {**NO_STORE, "Content-Disposition": 'attachment; filename="my-data.json"'}
    return RowsResponse(await own_data.export(session, internal, by), headers=headers)


@users.delete("/me/", status_code=204, responses=problems(404, 409, 503))
async def erase_me(by: CurrentUser, session: DbSession, internal: Internal, identity: Credentials) -> None:
    """Erase your account everywhere. Records of money stay, under an id that names nobody."""
    await own_data.erase(session, internal, identity, by)


@users.get("/{user_id:uuid}/", response_model=UserOut, responses=problems(404))
async def read_user(user_id: UUID, by: CurrentUser, session: DbSession, response: Response) -> User:
    """Yourself, or anyone for an admin."""
    return _versioned(await service.visible_user(session, user_id, by), response)


@users.put("/{user_id:uuid}/", response_model=UserOut, responses=problems(403, 404, 409, 412))
async def replace_user(
    user_id: UUID,
    body: UserIn,
    by: ActingUser,
    session: DbSession,
    identity: Credentials,
    if_match: IfMatch,
    response: Response,
) -> User:
    """Set everything that may be set: what is not given becomes its default, but for `is_active`."""
    return await _edit(user_id, body.values(), by, session, identity, if_match, response)


@users.patch("/{user_id:uuid}/", response_model=UserOut, responses=problems(403, 404, 409, 412))
async def change_user(
    user_id: UUID,
    body: UserPatch,
    by: ActingUser,
    session: DbSession,
    identity: Credentials,
    if_match: IfMatch,
    response: Response,
) -> User:
    """Change what is given."""
    return await _edit(user_id, body.values(), by, session, identity, if_match, response)


async def _edit(
    user_id: UUID,
    values: dict[str, Any],
    by: ActingUser,
    session: DbSession,
    identity: Credentials,
    if_match: IfMatch,
    response: Response,
) -> User:
    return _versioned(await service.edit(session, identity, user_id, by, values, if_match), response)


def _versioned(user: User, response: Response) -> User:
    response.headers["ETag"] = version_tag(user.version)
    return user
