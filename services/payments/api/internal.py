"""For the other services."""

from uuid import UUID

from fastapi import APIRouter, Response

from services.payments.repo import refunds as refunds_repo
from services.payments.service import users
from shared.auth.users import CallingService
from shared.http.responses import RowsResponse
from shared.http.service import DbSession, Snapshot

router = APIRouter(prefix="/internal", include_in_schema=False)


@router.get("/users/{user_id}/export/")
async def export(user_id: UUID, session: Snapshot, _: CallingService) -> Response:
    return RowsResponse(await users.export(session, user_id))


@router.get("/users/{user_id}/held/")
async def count_held(user_id: UUID, session: DbSession, _: CallingService) -> dict[str, int]:
    return {"held": await refunds_repo.count_held(session, user_id)}
