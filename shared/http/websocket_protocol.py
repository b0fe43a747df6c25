"""A WebSocket's end at the server: uvicorn's, with bounds for clients that take nothing."""

import math
from asyncio.transports import BaseTransport

from uvicorn._types import ASGISendEvent
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from shared.http.limits import LEAVING, answer


class BoundedWebSocketProtocol(WebSocketsSansIOProtocol):
    """uvicorn's protocol, where a client that takes nothing can neither hold up its own end nor much memory."""

    buffer = 16 * 1024
    """Bytes that wait for a client to take them before the application has to wait too."""
    patience = 10.0
    """Seconds that a client has to read, and to answer, that it is being closed."""
    _was_pinged_at = -math.inf

    def connection_made(self, transport: BaseTransport) -> None:
        super().connection_made(transport)
        self.transport.set_write_buffer_limits(high=self.buffer)

    async def send(self, message: ASGISendEvent) -> None:
        if message["type"] == "websocket.close":
            self.writable.set()  # the last thing that is said need not wait for the others to be heard
        await super().send(message)
        if message["type"] == "websocket.accept":
            del self.request, self.response  # for which there is no more use, but 3 KB a connection
        if self.close_timer:
            self.close_timer.cancel()
            self.close_timer = self.loop.call_later(self.patience, self.transport.abort)

    async def run_asgi(self) -> None:
        await super().run_asgi()
        if self.transport.get_write_buffer_size():
            self.loop.call_later(self.patience, self.transport.abort)

    def shutdown(self) -> None:
        """Who is still being let in is told to come again; uvicorn would say that something is wrong here."""
        if self.handshake_complete or self.initial_response:
            super().shutdown()
        else:
            self.transport.write(answer(LEAVING))
            self.transport.close()

    def handle_ping(self) -> None:
        self._was_pinged_at = self.loop.time()
        super().handle_ping()

    def send_keepalive_ping(self) -> None:
        """Not to who pings us, as the gateway does: that it lives is known, and ten thousand pings cost much."""
        if self.ping_interval and self.loop.time() - self._was_pinged_at < 1.5 * self.ping_interval:
            self.ping_timer = None
            self.schedule_ping()
        else:
            super().send_keepalive_ping()

    def keepalive_timeout(self) -> None:
        super().keepalive_timeout()
        if self.transport.get_write_buffer_size():
            self.transport.abort()
