"""A server that is stopped serves whom it has let in, and those who could not know; nobody else gets in."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from starlette.types import Receive, Scope, Send

from shared.http.limits import Limits
from shared.http.server import Server, event_loop_factory, listen, server_config
from tests.integration.gateway.servers import SOON, eventually

PATIENT, QUICK = Limits(farewell=30, linger=0.2), Limits(farewell=0.2)
GET = b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"
UPGRADE = (
    b"GET / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)


class Echo:
    """Answers with the body, once it may."""

    def __init__(self) -> None:
        self.asked, self.may = asyncio.Event(), asyncio.Event()
        self.may.set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.asked.set()
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message.get("body", b""), message.get("more_body", False)
        await self.may.wait()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(body))]})
        await send({"type": "http.response.body", "body": body})


class Stopped:
    """A server with `app`, and when it ends."""

    def __init__(self, app: Echo, limits: Limits) -> None:
        config = server_config(app, limits)
        config.lifespan = "off"
        self.app, self.server, self.door = app, Server(config), listen("127.0.0.1", 0)
        self.address = self.door.getsockname()
        self.ended = asyncio.create_task(self.server.serve([self.door]))

    async def stop(self) -> None:
        """As SIGTERM would; returns once nobody gets in any more."""
        self.server.should_exit = True

        def is_refused() -> bool:
            with socket.socket() as client:
                return client.connect_ex(self.address) != 0

        await eventually(is_refused)

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection(*self.address)


@asynccontextmanager
async def served(limits: Limits = PATIENT) -> AsyncIterator[Stopped]:
    stopped = Stopped(Echo(), limits)
    await stopped.server.started_up(stopped.ended)
    yield stopped
    stopped.server.should_exit = True
    async with asyncio.timeout(SOON):
        await stopped.ended


async def last_answer(reader: asyncio.StreamReader, status: bytes = b"200", body: bytes = b"") -> None:
    """The answer has that status and body, says that it is the last, and is."""
    async with asyncio.timeout(SOON):
        raw = await reader.read()
    head, _, said = raw.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 " + status), raw
    assert b"connection: close" in head
    assert said == body or status != b"200"


async def test_a_request_on_a_kept_connection_that_crossed_the_stop_is_answered() -> None:
    async with served() as stopped:
        reader, writer = await stopped.connect()
        writer.write(GET)
        assert b"connection: close" not in await reader.readuntil(b"\r\n\r\n")

        await stopped.stop()
        writer.write(GET)

        await last_answer(reader)


async def test_the_first_request_on_a_connection_that_was_made_before_the_stop_is_answered() -> None:
    async with served() as stopped:
        connections = [await stopped.connect() for _ in range(20)]
        connections[0][1].write(GET[:20])

        await stopped.stop()

        for position, (reader, writer) in enumerate(connections):
            writer.write(GET[0 if position else 20 :])
            await last_answer(reader)


async def test_a_request_that_is_answered_slowly_is_answered() -> None:
    async with served() as stopped:
        stopped.app.may.clear()
        reader, writer = await stopped.connect()
        writer.write(GET)
        await stopped.app.asked.wait()

        await stopped.stop()
        stopped.app.may.set()

        await last_answer(reader)


async def test_a_request_whose_body_comes_slowly_is_answered() -> None:
    async with served() as stopped:
        reader, writer = await stopped.connect()
        writer.write(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nhello")
        await stopped.app.asked.wait()

        await stopped.stop()
        writer.write(b"world")

        await last_answer(reader, body=b"helloworld")


async def test_a_websocket_is_opened_with_somebody_else() -> None:
    async with served() as stopped:
        reader, writer = await stopped.connect()
        await asyncio.sleep(0)

        await stopped.stop()
        writer.write(UPGRADE)

        await last_answer(reader, status=b"503")


async def test_a_connection_on_which_nothing_comes_is_closed_after_a_while() -> None:
    async with served(QUICK) as stopped:
        (fresh, _), (kept, writer) = await stopped.connect(), await stopped.connect()
        writer.write(GET)
        await kept.readuntil(b"\r\n\r\n")

        await stopped.stop()

        async with asyncio.timeout(SOON):
            assert await fresh.read() == await kept.read() == b""
            await stopped.ended


@pytest.mark.parametrize("of_the_platform", [True, False])
def test_who_waits_at_the_door_when_it_is_closed_is_served(of_the_platform: bool) -> None:
    """Under the event loop that processes run on, and under asyncio's own."""

    class Knocked(Server):
        async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
            for client in clients:  # without a moment in which the server could let them in
                client.connect(address)
                client.sendall(GET)
            await super().shutdown(sockets)

    config = server_config(Echo, PATIENT)
    config.lifespan, config.factory = "off", True
    door, clients = listen("127.0.0.1", 0), [socket.socket() for _ in range(50)]
    address = door.getsockname()
    server = Knocked(config)

    async def serve() -> None:
        task = asyncio.create_task(server.serve([door]))
        await server.started_up(task)
        server.should_exit = True
        async with asyncio.timeout(2 * SOON):
            await task

    with asyncio.Runner(loop_factory=event_loop_factory() if of_the_platform else None) as runner:
        runner.run(serve())
    for client in clients:
        with client:
            assert b"connection: close" in client.recv(4096)
