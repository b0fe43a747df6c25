"""The WebSocket itself: who opens it, what a client may say on it, and the code it is closed with."""

import asyncio
import re
import time

import orjson
from fastapi import APIRouter, WebSocket
from starlette.websockets import WebSocketDisconnect, WebSocketState

from services.notifications.config import NotificationsSettings
from services.notifications.domain import CloseCode, Pace
from services.notifications.sockets import tickets
from services.notifications.sockets.connection import Closed, Connection
from services.notifications.sockets.hub import Sockets
from shared.auth.users import User
from shared.errors import MarketplaceError, Unauthenticated, Unavailable, invalid_field, wrong_origin
from shared.http.problems import problem_of
from shared.http.service import platform_of
from shared.origins import origin_of

router = APIRouter()

SUBPROTOCOL = "bearer"
LARGEST_MESSAGE = 4 * 1024
MESSAGES_A_SECOND = 10


async def listen(websocket: WebSocket) -> None:
    """New notifications as they come; with `since`, first those after that `seq`."""
    try:
        _check_origin(websocket)
        since = _since(websocket)
    except MarketplaceError as refusal:
        return await websocket.send_denial_response(problem_of(refusal, websocket.url.path))
    token, subprotocol = _offered_token(websocket)
    await websocket.accept(subprotocol=subprotocol)
    client = _Client(websocket)
    try:
        user = await client.first_user(token)
        sockets: Sockets = websocket.app.state.sockets
        await sockets.serve(Connection(websocket, user, websocket.app.state.settings), since, client.listen)
    except Closed as closed:
        await _close(websocket, closed.code)
    except Unavailable:
        await _close(websocket, CloseCode.TRY_AGAIN_LATER)
    except (Unauthenticated, TimeoutError, ValueError):
        await _close(websocket, CloseCode.UNAUTHENTICATED)
    except WebSocketDisconnect:
        pass


# A plain route: FastAPI's own keeps stacks and frames of each socket for dependencies, of which this one has none.
router.add_websocket_route("/ws/notifications/", listen)


def _check_origin(websocket: WebSocket) -> None:
    """Pages are ours or refused. What is no browser names no origin, and holds no cookies that a page could abuse."""
    allowed = websocket.app.state.settings.page_origins
    if not all(origin_of(origin) in allowed for origin in websocket.headers.getlist("origin")):
        raise wrong_origin()


def _since(websocket: WebSocket) -> int | None:
    since = websocket.query_params.get("since")
    if since is not None and not re.fullmatch("[0-9]{1,18}", since):
        raise invalid_field("since", "This is no number that a notification has")
    return None if since is None else int(since)


def _offered_token(websocket: WebSocket) -> tuple[str | None, str | None]:
    """(token, subprotocol to accept), by whichever way the client could offer it; its first message is another way."""
    scheme, _, credentials = websocket.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and credentials:
        return credentials.strip(), None
    match websocket.scope["subprotocols"]:
        case [offered, token, *_] if offered == SUBPROTOCOL:
            return token, SUBPROTOCOL
    return websocket.query_params.get("token"), None


class _Client:
    """What the client says: one thing only, whose it is."""

    def __init__(self, websocket: WebSocket) -> None:
        self._websocket = websocket
        self._pace = Pace(MESSAGES_A_SECOND)

    async def first_user(self, token: str | None) -> User:
        """By the offered token or ticket, else by the first message, which must come soon."""
        platform = platform_of(self._websocket)
        if token is not None:
            return await platform.authenticator.user(token)
        if (ticket := self._websocket.query_params.get("ticket")) is not None:
            user = await tickets.redeem(platform.database, ticket)
            if platform.authenticator.revocations.refuses(user.claims):
                raise Unauthenticated("This login has been ended.")
            return user
        settings: NotificationsSettings = self._websocket.app.state.settings
        async with asyncio.timeout(settings.socket_auth_timeout.total_seconds()):
            return await self.next_user()

    async def next_user(self) -> User:
        """Of the next message. Raises `ValueError` unless it is `{"type": "auth", "token": …}`."""
        received = await self._websocket.receive()
        if received["type"] == "websocket.disconnect":
            raise WebSocketDisconnect(received["code"])
        text = received.get("text") or ""
        if len(received.get("bytes") or b"") > LARGEST_MESSAGE or len(text.encode()) > LARGEST_MESSAGE:
            raise Closed(CloseCode.TOO_BIG)
        if not self._pace.allows(time.monotonic()):
            raise Closed(CloseCode.TOO_MANY)
        match orjson.loads(text):
            case {"type": "auth", "token": str(token)}:
                return await platform_of(self._websocket).authenticator.user(token)
        raise ValueError("not an auth message")

    async def listen(self, connection: Connection) -> None:
        """Each new token of the same user extends the socket's life."""
        while True:
            user = await self.next_user()
            if user.id != connection.user.id:
                raise Closed(CloseCode.UNAUTHENTICATED)
            connection.speak_for(user)


async def _close(websocket: WebSocket, code: int) -> None:
    if websocket.client_state == WebSocketState.CONNECTED and websocket.application_state == WebSocketState.CONNECTED:
        await websocket.close(code)
