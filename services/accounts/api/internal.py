"""Routes for the other services."""

from typing import Any
from uuid import UUID

from fastapi import APIRouter, Response

from services.accounts.api.dependencies import Credentials
from services.accounts.service import credentials, users
from shared.auth.users import CallingService
from shared.contracts.accounts import UserState
from shared.errors import Forbidden
from shared.http.service import DbSession

internal = APIRouter(prefix="/internal", include_in_schema=False)


@internal.get("/users/{user_id}/", response_model=UserState)
async def user_state(user_id: UUID, session: DbSession, _: CallingService) -> UserState:
    return await users.state(session, user_id)


@internal.get("/users/{user_id}/phone/")
async def phone(user_id: UUID, session: DbSession, caller: CallingService, response: Response) -> dict[str, str | None]:
    """For orders alone, which knows to whom it may be shown."""
    if caller != "orders":
        raise Forbidden("Only orders shows phones.")
    response.headers["Cache-Control"] = "no-store"
    return {"phone": await users.phone(session, user_id)}


@internal.get("/users/{user_id}/address/")
async def mail_address(user_id: UUID, session: DbSession, caller: CallingService, response: Response) -> dict[str, str]:
    """Where and in which language to write to an active user; 404 until the address is shown to be theirs."""
    if caller != "notifications":
        raise Forbidden("Only notifications sends mails.")
    response.headers["Cache-Control"] = "no-store"
    return await users.mail_address(session, user_id)


@internal.get("/admins/{user_id}/{session_id}/")
async def check_admin(user_id: UUID, session_id: UUID, session: DbSession, _: CallingService) -> dict[str, bool]:
    """Whether an admin may still act by this session: 404 if not."""
    await users.check_admin(session, user_id, session_id)
    return {"acts": True}


@internal.get("/one-time-links/{link_id}/")
async def mail_of_link(
    link_id: UUID, session: DbSession, identity: Credentials, caller: CallingService, response: Response
) -> dict[str, Any]:
    """Address and link of a mail that is to go out; 404 where it should not any more."""
    if caller != "notifications":
        raise Forbidden("Only notifications sends mails.")
    response.headers["Cache-Control"] = "no-store"
    return await credentials.mail_of(session, identity, link_id)
