"""Routes of notifications: the inbox, what is wanted in it, and what lets a browser listen."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response

from services.notifications import repo, service
from services.notifications.schemas import NotificationFilters, NotificationOut, Preferences, Ticket, UnreadCount
from services.notifications.sockets import tickets
from shared.auth.users import CallingService, CurrentUser
from shared.http.caching import NO_STORE, no_store
from shared.http.pagination import Page, Paging
from shared.http.problems import problems
from shared.http.responses import RowsResponse
from shared.http.service import DbSession, Snapshot

notifications = APIRouter(prefix="/api/notifications", tags=["notifications"], dependencies=[no_store])
internal = APIRouter(prefix="/internal", include_in_schema=False)


@notifications.get("/", response_model=Page[NotificationOut])
async def list_notifications(
    filters: Annotated[NotificationFilters, Query()], page: Paging, by: CurrentUser, session: DbSession
) -> Response:
    """Your inbox, newest first."""
    rows = await repo.notifications(session, by.id, page, unread=filters.unread, kind=filters.type)
    found = page.page([dict(row) for row in rows], key=lambda row: (row["seq"], row["id"]))
    return RowsResponse(found, headers=NO_STORE)


@notifications.get("/unread-count/")
async def count_unread(by: CurrentUser, session: DbSession) -> UnreadCount:
    """How many notifications in your inbox are not read."""
    return UnreadCount(count=await repo.unread_count(session, by.id))


@notifications.post("/read-all/", status_code=204)
async def read_all(by: CurrentUser, session: DbSession) -> None:
    """Mark all there are as read."""
    await repo.mark_all_read(session, by.id)


@notifications.post("/{notification_id:uuid}/read/", status_code=204, responses=problems(404))
async def read(notification_id: UUID, by: CurrentUser, session: DbSession) -> None:
    """Mark one as read; what was read already stays so."""
    await service.mark_read(session, by.id, notification_id)


@notifications.get("/preferences/")
async def get_preferences(by: CurrentUser, session: DbSession) -> Preferences:
    """By which channels you want each type."""
    return Preferences.of((await repo.switched_off(session, [by.id])).get(by.id, {}))


@notifications.put("/preferences/")
async def set_preferences(body: Preferences, by: CurrentUser, session: DbSession) -> Preferences:
    """Replace them: what is not named is as at first, which is on."""
    await repo.switch_off(session, by.id, body.off)
    return Preferences.of(body.off)


@notifications.post("/ws-ticket/", status_code=201)
async def issue_ticket(by: CurrentUser, session: DbSession, request: Request) -> Ticket:
    """Opens one WebSocket, once and soon, with `?ticket=`; that one ends when your access token does."""
    lifetime = request.app.state.settings.socket_ticket_ttl
    return Ticket(ticket=tickets.issue(session, by, lifetime), expires_in=int(lifetime.total_seconds()))


@internal.get("/users/{user_id}/export/")
async def export(user_id: UUID, session: Snapshot, _: CallingService) -> Response:
    """What is kept of the user here, for accounts to hand out."""
    return RowsResponse(await service.export(session, user_id))
