"""Who is pinged, and how who is just being let in is sent away."""

import asyncio
from types import SimpleNamespace

import pytest
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from shared.http.server import Server, listen, server_config
from shared.http.websocket_protocol import BoundedWebSocketProtocol

INTERVAL = 20


@pytest.fixture
def done(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What uvicorn was left to do."""
    names: list[str] = []
    for name in ("send_keepalive_ping", "schedule_ping", "handle_ping"):
        monkeypatch.setattr(WebSocketsSansIOProtocol, name, lambda self, name=name: names.append(name))
    return names


def protocol_at(clock: SimpleNamespace) -> BoundedWebSocketProtocol:
    protocol = BoundedWebSocketProtocol.__new__(BoundedWebSocketProtocol)
    protocol.loop, protocol.ping_interval = clock, INTERVAL
    return protocol


def test_who_is_silent_is_pinged(done: list[str]) -> None:
    protocol_at(SimpleNamespace(time=lambda: 1000.0)).send_keepalive_ping()
    assert done == ["send_keepalive_ping"]


@pytest.mark.parametrize(("later", "is_pinged"), [(0, False), (INTERVAL, False), (2 * INTERVAL, True)])
def test_who_has_just_pinged_us_is_not_and_later_is_again(done: list[str], later: float, is_pinged: bool) -> None:
    clock = SimpleNamespace(now=1000.0, time=lambda: clock.now)
    protocol = protocol_at(clock)
    protocol.handle_ping()
    clock.now += later
    protocol.send_keepalive_ping()
    assert done == ["handle_ping", "send_keepalive_ping" if is_pinged else "schedule_ping"]


async def test_who_is_being_let_in_as_the_process_stops_is_told_to_come_again() -> None:
    asked = asyncio.Event()

    async def undecided(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await send({"type": "lifespan.startup.complete"})
        elif scope["type"] == "websocket":
            asked.set()
            while (await receive())["type"] != "websocket.disconnect":
                """Neither let in nor refused."""

    sock = listen("127.0.0.1", 0)
    server = Server(server_config(undecided))
    running = asyncio.create_task(server.serve([sock]))
    await server.started_up(running)
    async with asyncio.timeout(10):
        reader, writer = await asyncio.open_connection(*sock.getsockname())
        writer.write(
            b"GET / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        )
        await asked.wait()
        server.should_exit = True
        said = (await reader.read()).decode()
        await running
    writer.close()

    assert said.startswith("HTTP/1.1 503 ")
    assert '"type":"unavailable"' in said
