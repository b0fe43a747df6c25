"""The server's side of a WebSocket."""

from typing import TYPE_CHECKING

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

if TYPE_CHECKING:
    from uvicorn._types import ASGISendEvent

CLOSE_TIMEOUT = 10
"""Seconds that a client has to read, and to answer, that it is being closed."""


class WebSocketProtocol(WebSocketsSansIOProtocol):
    """Closes also what a client does not read: uvicorn would wait to say so until the client reads again, which may be
    never, and keep the connection and what it holds."""

    async def send(self, message: "ASGISendEvent") -> None:
        if message["type"] != "websocket.close":
            return await super().send(message)
        self.writable.set()  # behind what the client has not read, if only it reads on
        await super().send(message)
        if self.close_timer is not None:
            self.close_timer.cancel()
            self.close_timer = self.loop.call_later(CLOSE_TIMEOUT, self.transport.abort)
        return None
