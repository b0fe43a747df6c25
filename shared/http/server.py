"""How uvicorn is run, by one process a service or by one for all."""

import asyncio
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import uvicorn

from shared.background import woken
from shared.http.limits import Limits
from shared.http.protocol import http_protocol
from shared.http.websocket_protocol import BoundedWebSocketProtocol

KEEP_ALIVE = 75
"""Seconds; longer than the gateway keeps an idle connection, so that it never writes into one being closed."""
GRACE = 15
"""Seconds that running requests have to end after SIGTERM: more than the gateway waits for any. What follows, with
`STOPS_WITHIN` and `GOODBYE` of the bus, has to fit into 25 s too."""
PING_INTERVAL = 20
"""Seconds between pings of a WebSocket; one that has missed two is closed."""
SOCKET_MESSAGE_SIZE = 64 * 1024
"""Bytes of a client's message, above which its WebSocket is closed with 1009."""


class Server(uvicorn.Server):
    """A server that leaves signals to whoever runs it, so that several can share a process."""

    def __init__(self, config: uvicorn.Config) -> None:
        self._ends = asyncio.Event()
        super().__init__(config)

    @property
    def should_exit(self) -> bool:
        return self._ends.is_set()

    @should_exit.setter
    def should_exit(self, ends: bool) -> None:
        if ends:
            self._ends.set()

    async def main_loop(self) -> None:
        """Wait for the end, and keep the date in the headers of answers. uvicorn's own looks ten times a second for
        both, which is most of what a process does while nobody asks it for anything."""
        while not await self.on_tick(0):
            await woken(self._ends, 1.0)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Let nobody new in, and end when those who are there have been served.

        New connections are refused from now on, so that clients know at once to go elsewhere, and probes that this
        process is not ready. Those that the kernel has accepted for us are not: closing the door on them would reset
        requests that may have been sent already.
        """
        doors = [socket.socket(fileno=os.dup(door.fileno())) for server in self.servers for door in server.sockets]
        for server in self.servers:
            server.close()
        waiting = [client for door in doors for client in _accept_all(door)]
        for client in waiting:
            _, late = await asyncio.get_running_loop().connect_accepted_socket(self._protocol, client)
            late.shutdown()
        await super().shutdown(sockets)

    def _protocol(self) -> Any:
        make: Any = self.config.http_protocol_class
        return make(config=self.config, server_state=self.server_state, app_state=self.lifespan.state)

    async def started_up(self, task: "asyncio.Task[None]") -> None:
        """Return once it accepts requests. Raises what ended it, if it ended instead."""
        while not self.started:
            if task.done():
                task.result()
                raise RuntimeError("the server ended while it was starting")
            await asyncio.sleep(0.01)


def _accept_all(door: socket.socket) -> list[socket.socket]:
    """Close the door behind those who wait at it."""
    clients = []
    with door, suppress(BlockingIOError):
        door.setblocking(False)
        while True:
            clients.append(door.accept()[0])
    return clients


def server_config(app: Any, limits: Limits | None = None) -> uvicorn.Config:
    """How `app` is served. `limits` are the defaults of `shared.http.limits` unless they are given."""
    return uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        http=http_protocol(limits or Limits()),
        ws=BoundedWebSocketProtocol,
        ws_per_message_deflate=False,
        ws_max_size=SOCKET_MESSAGE_SIZE,
        ws_ping_interval=PING_INTERVAL,
        ws_ping_timeout=2 * PING_INTERVAL,
        timeout_keep_alive=KEEP_ALIVE,
        timeout_graceful_shutdown=GRACE,
        backlog=2048,
    )


def event_loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """The quickest event loop of this platform; None is asyncio's own."""
    return uvicorn.Config(None, log_config=None).get_loop_factory()  # type: ignore[arg-type]


def listen(host: str, port: int) -> socket.socket:
    """A bound socket; port 0 takes a free one. Raises `OSError` where the port is taken."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio turns Nagle's algorithm off only where the protocol is named: it would hold back an answer's second write.
    sock = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind((host, port))
        sock.listen(2048)
    except OSError:
        sock.close()
        raise
    return sock
