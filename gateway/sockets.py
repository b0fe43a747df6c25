"""WebSockets through the gateway: messages, close codes and refusals go both ways as they are."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from typing import Any, Final

import structlog
from starlette.types import Message, Receive, Scope, Send
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.http11 import Response
from websockets.typing import Subprotocol

from gateway.config import GatewaySettings
from gateway.headers import Header, request_headers, response_headers
from gateway.pool import Instance
from gateway.proxy import request_target
from gateway.upstream import Upstream
from shared.errors import MarketplaceError
from shared.http.problems import problem_of
from shared.observability.context import current_request_id
from shared.observability.metrics import SOCKETS

# Codes that stand in no close frame and only tell one's own side how it ended, and what the other side is told.
_FROM_UPSTREAM = {1005: 1000, 1006: 1014, 1015: 1014}  # 1014: bad gateway
_FROM_CLIENT = {1005: 1000, 1006: 1001, 1015: 1001}  # 1001: going away
_TOO_SLOW: Final = 4408
_BUFFER: Final = 4 * 1024

log = structlog.get_logger()


class SocketProxy:
    """Plain ASGI: joins a client's WebSocket to one of the upstream of `scope["route"]`, until either side ends."""

    def __init__(self, upstreams: Mapping[str, Upstream], settings: GatewaySettings) -> None:
        self._upstreams = upstreams
        self._max_size = settings.socket_max_size
        self._ping_interval = settings.socket_ping_interval.total_seconds()
        self._patience = settings.upstream_timeout.total_seconds()
        self._connect_timeout = settings.upstream_connect_timeout.total_seconds()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await receive()  # websocket.connect
        upstream = self._upstreams[scope["route"].service]
        try:
            async with upstream.socket(partial(self._connect, scope)) as connection, connection:
                with SOCKETS.labels("gateway").track_inprogress():
                    await self._join(connection, receive, send)
        except InvalidStatus as refusal:
            await _refuse(scope, send, refusal.response)
        except MarketplaceError as error:
            await refuse_with_problem(error, scope, receive, send)

    async def _connect(self, scope: Scope, instance: Instance) -> ClientConnection:
        headers = [h for h in request_headers(scope) if not h[0].startswith(b"sec-websocket-")]
        return await _Connect(
            str(instance.url).replace("http", "ws", 1) + request_target(scope).decode("ascii"),
            additional_headers=[(name.decode("latin-1"), value.decode("latin-1")) for name, value in headers],
            subprotocols=[Subprotocol(name) for name in scope["subprotocols"]] or None,
            user_agent_header=None,
            compression=None,
            proxy=None,
            max_size=self._max_size,
            connect_timeout=self._connect_timeout,
            open_timeout=self._patience,
            close_timeout=self._connect_timeout,
            ping_interval=self._ping_interval,
            ping_timeout=2 * self._ping_interval,
            # What waits in between: the less, the sooner the service notices a client that takes nothing.
            max_queue=1,
            write_limit=_BUFFER,
        )

    async def _join(self, connection: ClientConnection, receive: Receive, send: Send) -> None:
        try:
            await send(_acceptance(connection))
        except OSError:
            return  # the client has left meanwhile
        # Ten thousand of these are held: what was said in the handshakes is needed no more.
        for handshake in (connection.request, connection.response):
            if handshake:
                handshake.headers.clear()
        async with asyncio.TaskGroup() as group:
            from_upstream = group.create_task(self._from_upstream(connection, send))
            await self._from_client(connection, receive)  # which also ends after a close by the other direction
            from_upstream.cancel()
        await connection.close(1001)  # does nothing if the close was passed on already

    async def _from_upstream(self, connection: ClientConnection, send: Send) -> None:
        """Pass on messages and the close; return at once when the client has left."""
        with suppress(OSError):
            code, reason = await self._messages(connection, send)
            await send({"type": "websocket.close", "code": _FROM_UPSTREAM.get(code, code), "reason": reason})

    async def _messages(self, connection: ClientConnection, send: Send) -> tuple[int, str]:
        """Pass on messages until the service closes, or the client takes none for too long. Returns why."""
        with suppress(ConnectionClosed):
            async for data in connection:
                kind = "text" if isinstance(data, str) else "bytes"
                try:
                    async with asyncio.timeout(self._patience):
                        await send({"type": "websocket.send", kind: data})
                except TimeoutError:
                    return _TOO_SLOW, "too slow"
        return int(connection.close_code or 1006), connection.close_reason or ""

    async def _from_client(self, connection: ClientConnection, receive: Receive) -> None:
        """Pass on messages and the close."""
        while (message := await receive())["type"] == "websocket.receive":
            with suppress(ConnectionClosed):  # which the other direction tells the client
                text = message.get("text")
                await connection.send(message["bytes"] if text is None else text)
        code: int = message.get("code", 1005)
        await connection.close(_FROM_CLIENT.get(code, code), message.get("reason") or "")


class _Connect(connect):
    def __init__(self, uri: str, *, connect_timeout: float, **options: Any) -> None:
        super().__init__(uri, **options)
        self._connect_timeout = connect_timeout

    async def open_tcp_connection(self) -> ClientConnection:
        """Raise `ConnectionError`, not a time-out, where there is nobody: another instance may be asked then."""
        try:
            async with asyncio.timeout(self._connect_timeout):
                return await super().open_tcp_connection()
        except TimeoutError as error:
            raise ConnectionError("timed out while connecting") from error

    def process_redirect(self, exc: Exception) -> Exception:
        """Follow none: a redirect is the client's to see."""
        return exc


def _acceptance(connection: ClientConnection) -> Message:
    headers = [h for h in _headers(connection.response) if not h[0].startswith(b"sec-websocket-")]
    return {
        "type": "websocket.accept",
        "subprotocol": connection.subprotocol,
        "headers": [*headers, (b"x-request-id", current_request_id().encode())],
    }


async def refuse_with_problem(error: MarketplaceError, scope: Scope, receive: Receive, send: Send) -> None:
    """Refuse the handshake with a problem document, or with the server's plain 403 where it can do no other."""
    if _can_answer(scope):
        await problem_of(error, scope["path"])(scope, receive, send)
    else:
        await send({"type": "websocket.close"})


async def _refuse(scope: Scope, send: Send, response: Response) -> None:
    if _can_answer(scope):
        headers = _headers(response)
        await send({"type": "websocket.http.response.start", "status": response.status_code, "headers": headers})
        await send({"type": "websocket.http.response.body", "body": bytes(response.body)})
    else:
        await send({"type": "websocket.close"})


def _can_answer(scope: Scope) -> bool:
    return "websocket.http.response" in scope.get("extensions", {})


def _headers(response: Response | None) -> list[Header]:
    if response is None:
        return []
    raw = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in response.headers.raw_items()]
    return response_headers(response.status_code, raw)
