"""Routes of notifications: the inbox over HTTP, and what is new over a WebSocket."""

import asyncio
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Response, WebSocket
from starlette.websockets import WebSocketDisconnect, WebSocketState

from services.notifications import repo, service
from services.notifications.domain import CloseCode
from services.notifications.schemas import NotificationFilters, NotificationOut
from services.notifications.sockets import Closed, Connection, Sockets
from shared.auth.users import Authenticator, CallingService, CurrentUser, User
from shared.errors import Unauthenticated, Unavailable
from shared.http.pagination import Page, Paging
from shared.http.responses import RowsResponse
from shared.http.service import DbSession, platform_of

notifications = APIRouter(prefix="/api/notifications", tags=["notifications"])
sockets = APIRouter()
internal = APIRouter(prefix="/internal", include_in_schema=False)

SUBPROTOCOL = "bearer"


@notifications.get("/", response_model=Page[NotificationOut])
async def list_notifications(
    filters: Annotated[NotificationFilters, Query()], page: Paging, by: CurrentUser, session: DbSession
) -> Response:
    """Your inbox, newest first."""
    rows = await repo.notifications(session, by.id, page, unread=filters.unread, kind=filters.type)
    return RowsResponse(page.page([dict(row) for row in rows], key=lambda row: (row["seq"], row["id"])))


@internal.get("/users/{user_id}/export/")
async def export(user_id: UUID, session: DbSession, _: CallingService) -> Response:
    """What is kept of the user here, for accounts to hand out."""
    return RowsResponse(await service.export(session, user_id))


@sockets.websocket("/ws/notifications/")
async def listen(websocket: WebSocket, since: Annotated[int | None, Query(ge=0)] = None) -> None:
    """New notifications as they come; with `since`, first those after that `seq`."""
    platform, settings = platform_of(websocket), websocket.app.state.settings
    token, subprotocol = _offered_token(websocket)
    await websocket.accept(subprotocol=subprotocol)
    try:
        if token is None:
            async with asyncio.timeout(settings.socket_auth_timeout.total_seconds()):
                token = _token_of(await websocket.receive_json())
        user = await platform.authenticator.user(token)
        connection = Connection(websocket, user)
        await _serve(websocket, websocket.app.state.sockets, connection, platform.authenticator, since)
    except Closed as closed:
        await _close(websocket, closed.code)
    except Unavailable:
        await _close(websocket, CloseCode.TRY_AGAIN_LATER)
    except (Unauthenticated, TimeoutError, ValueError, KeyError):
        await _close(websocket, CloseCode.UNAUTHENTICATED)
    except WebSocketDisconnect:
        pass


async def _serve(
    websocket: WebSocket, sockets: Sockets, connection: Connection, authenticator: Authenticator, since: int | None
) -> None:
    """Send and receive side by side; the end of either ends the other."""
    sending = asyncio.create_task(sockets.serve(connection, since))
    receiving = asyncio.create_task(_receive(websocket, connection, authenticator))
    done, rest = await asyncio.wait({sending, receiving}, return_when=asyncio.FIRST_COMPLETED)
    for task in rest:
        task.cancel()
    await asyncio.gather(*rest, return_exceptions=True)
    for task in done:
        task.result()


async def _receive(websocket: WebSocket, connection: Connection, authenticator: Authenticator) -> None:
    """A client says one thing only: a new token of the same user, which extends the socket's life."""
    while True:
        user: User = await authenticator.user(_token_of(await websocket.receive_json()))
        if user.id != connection.user.id:
            raise Closed(CloseCode.UNAUTHENTICATED)
        connection.user = user
        connection.wake.set()


def _offered_token(websocket: WebSocket) -> tuple[str | None, str | None]:
    """(token, subprotocol to accept), by whichever way the client could offer it; its first message is another way."""
    scheme, _, credentials = websocket.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and credentials:
        return credentials.strip(), None
    match websocket.scope["subprotocols"]:
        case [offered, token, *_] if offered == SUBPROTOCOL:
            return token, SUBPROTOCOL
    return websocket.query_params.get("token"), None


def _token_of(message: Any) -> str:
    """Raises `KeyError` or `ValueError` unless it is `{"type": "auth", "token": …}`."""
    if not isinstance(message, dict) or message["type"] != "auth" or not isinstance(message["token"], str):
        raise ValueError("not an auth message")
    return message["token"]


async def _close(websocket: WebSocket, code: int) -> None:
    if websocket.client_state == WebSocketState.CONNECTED and websocket.application_state == WebSocketState.CONNECTED:
        await websocket.close(code)
