"""A WebSocket through the gateway: messages, ends and refusals, both ways."""

import asyncio
import contextlib
import socket
import struct
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.http11 import Request
from websockets.server import ServerProtocol

from tests.integration.gateway.servers import eventually, gateway_to, listening, serving
from tests.support.process import free_port

PATH = "/ws/notifications/"


class Notifications:
    """An upstream that echoes, and on the word of a message does something else."""

    def __init__(self) -> None:
        self.scope: Any = None
        self.accepted = 0
        self.ended: asyncio.Queue[tuple[int, str]] = asyncio.Queue()
        self.app = Starlette(routes=[WebSocketRoute(PATH, self.endpoint)])

    async def endpoint(self, ws: WebSocket) -> None:
        self.scope = ws.scope
        if ws.query_params.get("refuse"):
            problem = JSONResponse({"type": "forbidden"}, 403, media_type="application/problem+json")
            return await ws.send_denial_response(problem)
        await ws.accept(subprotocol="bearer" if "bearer" in ws.scope["subprotocols"] else None)
        self.accepted += 1
        try:
            while True:
                await self.answer(ws, await ws.receive())
        except WebSocketDisconnect as end:
            self.ended.put_nowait((end.code, end.reason or ""))

    async def answer(self, ws: WebSocket, message: Any) -> None:
        if message["type"] == "websocket.disconnect":
            raise WebSocketDisconnect(message["code"], message.get("reason"))
        text = message.get("text")
        if text is None:
            await ws.send_bytes(message["bytes"])
        elif text.startswith("close "):
            _, code, reason = text.split(" ", 2)
            await ws.close(int(code), reason)
        elif text.startswith("flood "):
            for n in range(int(text.split()[1])):
                await ws.send_text(f"{n} " + "x" * 1000)
        else:
            await ws.send_text(text)


@pytest.fixture
async def notifications() -> Notifications:
    return Notifications()


@pytest.fixture
async def gateway(notifications: Notifications) -> AsyncIterator[httpx.AsyncClient]:
    async with serving(notifications.app) as url, gateway_to(notifications_url=url) as client:
        yield client


def socket_of(gateway: httpx.AsyncClient, query: str = "", **options: Any) -> connect:
    defaults: dict[str, Any] = {"compression": None, "proxy": None, "open_timeout": 5}
    return connect(f"ws://{gateway.base_url.host}:{gateway.base_url.port}{PATH}{query}", **defaults | options)


def said(notifications: Notifications) -> dict[str, str]:
    return {name.decode(): value.decode() for name, value in notifications.scope["headers"]}


async def end_of(ws: ClientConnection) -> tuple[int | None, str | None]:
    async with asyncio.timeout(5):
        with contextlib.suppress(ConnectionClosed):
            while True:
                await ws.recv()
    return ws.close_code, ws.close_reason


async def test_text_and_bytes_go_both_ways(gateway: httpx.AsyncClient) -> None:
    async with socket_of(gateway) as ws:
        for message in ("привет", b"\x00\xff", "", b"", "x" * 60_000):
            await ws.send(message)
            assert await ws.recv() == message


async def test_the_handshake_says_who_and_from_where(gateway: httpx.AsyncClient, notifications: Notifications) -> None:
    headers = {"Authorization": "Bearer t", "X-Request-ID": "mine", "X-Forwarded-For": "6.6.6.6", "X-User-Id": "1"}
    query = "?since=7&token=a%2Fb"
    async with socket_of(gateway, query, additional_headers=headers, origin="https://shop.example") as ws:
        assert ws.response
        assert ws.response.headers.get_all("x-request-id") == ["mine"]
        assert ws.subprotocol is None
        kept = said(notifications)
        assert notifications.scope["query_string"] == b"since=7&token=a%2Fb"
        assert notifications.scope["subprotocols"] == []
    assert kept["authorization"] == "Bearer t"
    assert kept["origin"] == "https://shop.example"
    assert kept["x-request-id"] == "mine"
    assert kept["x-forwarded-for"] == "127.0.0.1"
    assert kept["x-forwarded-proto"] == "http"
    assert "x-user-id" not in kept
    assert "sec-websocket-extensions" not in kept


async def test_the_subprotocol_is_the_one_the_service_chose(
    gateway: httpx.AsyncClient, notifications: Notifications
) -> None:
    async with socket_of(gateway, subprotocols=["bearer", "a.token"]) as ws:
        assert ws.subprotocol == "bearer"
        assert notifications.scope["subprotocols"] == ["bearer", "a.token"]


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (1000, ""),
        (1009, "too big"),
        (1012, "draining"),
        (4401, "token ended"),
        (4408, ""),
        (4429, "too many"),
    ],
)
async def test_the_services_close_reaches_the_client(gateway: httpx.AsyncClient, code: int, reason: str) -> None:
    async with socket_of(gateway) as ws:
        await ws.send(f"close {code} {reason}")
        assert await end_of(ws) == (code, reason)


@pytest.mark.parametrize(("code", "reason"), [(1000, "bye"), (1001, ""), (3000, "mine"), (4999, "")])
async def test_the_clients_close_reaches_the_service(
    gateway: httpx.AsyncClient, notifications: Notifications, code: int, reason: str
) -> None:
    async with socket_of(gateway) as ws:
        await ws.close(code, reason)
    assert await asyncio.wait_for(notifications.ended.get(), 30) == (code, reason)


async def test_a_client_that_vanishes_ends_the_services_side_and_leaves_nothing(
    gateway: httpx.AsyncClient, notifications: Notifications
) -> None:
    before = len(asyncio.all_tasks())
    for _ in range(3):
        ws = await socket_of(gateway)
        sock: socket.socket = ws.transport.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # a reset, no goodbye
        ws.transport.abort()
        code, _ = await asyncio.wait_for(notifications.ended.get(), 30)
        assert code in (1000, 1001)
    await eventually(lambda: len(asyncio.all_tasks()) <= before)


async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    protocol = ServerProtocol()
    protocol.receive_data(await reader.readuntil(b"\r\n\r\n"))
    (request,) = protocol.events_received()
    assert isinstance(request, Request)
    protocol.send_response(protocol.accept(request))
    writer.writelines(protocol.data_to_send())


async def test_a_service_that_vanishes_is_a_bad_gateway_to_the_client() -> None:
    async def vanish(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await accept(reader, writer)
        await reader.read(1)
        writer.transport.abort()

    async with listening(vanish) as url, gateway_to(notifications_url=url) as gateway, socket_of(gateway) as ws:
        await ws.send("now")
        assert await end_of(ws) == (1014, "")


async def test_a_refusal_by_the_service_has_its_status_and_its_body(gateway: httpx.AsyncClient) -> None:
    with pytest.raises(InvalidStatus) as refused:
        await socket_of(gateway, "?refuse=1")
    response = refused.value.response
    assert response.status_code == 403
    assert response.body == b'{"type":"forbidden"}'
    assert response.headers["content-type"] == "application/problem+json"
    assert len(response.headers.get_all("x-request-id")) == 1


async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")


async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await asyncio.sleep(60)


async def redirect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 307 X\r\nLocation: ws://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n")


@pytest.mark.parametrize(("handler", "status"), [(None, 503), (hang_up, 502), (hang, 504), (redirect, 307)])
async def test_a_handshake_that_fails_has_the_status_that_http_would_have(handler: Any, status: int) -> None:
    async with contextlib.AsyncExitStack() as stack:
        url: dict[str, Any] = (
            {"notifications_url": await stack.enter_async_context(listening(handler))} if handler else {}
        )
        gateway = await stack.enter_async_context(gateway_to(upstream_timeout="1s", **url))
        with pytest.raises(InvalidStatus) as refused:
            await _NoRedirect(socket_of(gateway).uri, proxy=None)
    assert refused.value.response.status_code == status


class _NoRedirect(connect):
    def process_redirect(self, exc: Exception) -> Exception:
        return exc


async def test_a_path_that_is_not_routed_is_404(gateway: httpx.AsyncClient) -> None:
    with pytest.raises(InvalidStatus) as refused:
        await connect(f"ws://{gateway.base_url.host}:{gateway.base_url.port}/ws/other/", proxy=None)
    assert refused.value.response.status_code == 404


async def test_a_message_over_the_limit_ends_the_socket(notifications: Notifications) -> None:
    async with (
        serving(notifications.app) as url,
        gateway_to(notifications_url=url, socket_max_size=1000) as gateway,
        socket_of(gateway) as ws,
    ):
        await ws.send("flood 1")
        code, _ = await end_of(ws)
        assert code in (1009, 1014)


async def test_a_message_of_a_client_over_the_limit_is_1009_on_both_hops(
    gateway: httpx.AsyncClient, notifications: Notifications
) -> None:
    async with socket_of(gateway) as ws:
        await ws.send("x" * 70_000)
        code, _ = await end_of(ws)
        assert code == 1009
    code, _ = await asyncio.wait_for(notifications.ended.get(), 30)
    assert code == 1009


@contextlib.asynccontextmanager
async def client_that_takes_nothing(notifications: Notifications) -> AsyncIterator[ClientConnection]:
    """Its socket, which the service has been told the end of."""
    async with (
        serving(notifications.app) as url,
        gateway_to(notifications_url=url, upstream_timeout="300ms") as gateway,
    ):
        ws = await socket_of(gateway, max_queue=1)
        await ws.send("flood 20000")
        ws.transport.pause_reading()
        code, _ = await asyncio.wait_for(notifications.ended.get(), 30)
        assert code in (4408, 1006)  # by whether it was told while it waited to send
        yield ws


async def test_a_client_that_takes_nothing_is_closed_as_too_slow(notifications: Notifications) -> None:
    async with client_that_takes_nothing(notifications) as ws:
        ws.transport.resume_reading()
        assert (await end_of(ws))[0] == 4408


async def test_draining_closes_every_socket_with_1012_on_both_hops(notifications: Notifications) -> None:
    async with serving(notifications.app) as url, gateway_to(notifications_url=url) as gateway:
        sockets = [await socket_of(gateway) for _ in range(20)]
        for ws in sockets:
            await ws.send("here")
        gateway.stop()
        assert {(await end_of(ws))[0] for ws in sockets} == {1012}
        ends = [await asyncio.wait_for(notifications.ended.get(), 30) for _ in sockets]
        assert {code for code, _ in ends} == {1012}


async def test_sockets_take_no_places_of_requests_and_have_a_limit_of_their_own(notifications: Notifications) -> None:
    async with (
        serving(notifications.app) as url,
        gateway_to(notifications_url=url, upstream_connections=1, upstream_sockets=2) as gateway,
        socket_of(gateway),
    ):
        async with socket_of(gateway):
            assert (await gateway.get("/api/notifications/")).status_code == 404
            with pytest.raises(InvalidStatus) as refused:
                await socket_of(gateway)
            assert refused.value.response.status_code == 503
            assert refused.value.response.headers["retry-after"] == "1"
        await eventually(lambda: len(gateway.server.server_state.tasks) == 1)
        async with socket_of(gateway) as ws:
            await ws.send("again")
            assert await ws.recv() == "again"


async def test_sockets_go_to_the_instances_in_turn_and_not_to_one_that_is_gone() -> None:
    a, b = Notifications(), Notifications()
    async with (
        serving(a.app) as one,
        serving(b.app) as other,
        gateway_to(notifications_url=f"{one},http://127.0.0.1:{free_port()},{other}") as gateway,
        contextlib.AsyncExitStack() as stack,
    ):
        for _ in range(6):
            await stack.enter_async_context(socket_of(gateway))
        assert [a.accepted, b.accepted] == [3, 3]


async def test_an_instance_whose_address_leads_nowhere_is_seen_by_no_client(notifications: Notifications) -> None:
    with socket.socket() as full, contextlib.ExitStack() as waiting:
        full.bind(("127.0.0.1", 0))
        full.listen(0)  # and nobody accepts: who comes after those that fill the queue hears nothing
        for _ in range(2):
            client = waiting.enter_context(socket.socket())
            client.setblocking(False)
            client.connect_ex(full.getsockname())
        nowhere = f"http://127.0.0.1:{full.getsockname()[1]}"
        patience: dict[str, Any] = {"upstream_connect_timeout": "200ms"}
        async with (
            serving(notifications.app) as url,
            gateway_to(notifications_url=f"{nowhere},{url}", **patience) as gateway,
            contextlib.AsyncExitStack() as stack,
        ):
            for _ in range(3):
                await stack.enter_async_context(socket_of(gateway))
            assert notifications.accepted == 3


async def test_after_failed_handshakes_in_a_row_a_service_is_left_alone() -> None:
    limits: dict[str, Any] = {"breaker_failures": 2, "breaker_pause": "60s"}
    reached = 0

    async def counted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal reached
        reached += 1
        await hang_up(reader, writer)

    async with listening(counted) as url, gateway_to(notifications_url=url, **limits) as gateway:
        statuses = []
        for _ in range(4):
            with pytest.raises(InvalidStatus) as refused:
                await _NoRedirect(socket_of(gateway).uri, proxy=None)
            statuses.append(refused.value.response.status_code)
    assert statuses == [502, 502, 503, 503]
    assert reached == 2


async def test_a_client_that_answers_no_ping_is_closed_and_so_is_its_upstreams_side(
    notifications: Notifications,
) -> None:
    async with serving(notifications.app) as url, gateway_to(notifications_url=url) as gateway:
        gateway.server.config.ws_ping_interval = gateway.server.config.ws_ping_timeout = 0.2
        ws = await socket_of(gateway, ping_interval=None)
        ws.transport.pause_reading()
        code, _ = await asyncio.wait_for(notifications.ended.get(), 30)
        assert code in (1000, 1001)
        ws.transport.abort()


async def test_a_service_that_answers_no_ping_is_left() -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await accept(reader, writer)
        await asyncio.sleep(60)

    settings: dict[str, Any] = {"socket_ping_interval": "100ms"}
    async with (
        listening(silent) as url,
        gateway_to(notifications_url=url, **settings) as gateway,
        socket_of(gateway) as ws,
    ):
        assert (await end_of(ws))[0] == 1014


async def test_a_client_that_takes_nothing_is_left_after_a_while(notifications: Notifications) -> None:
    before = len(asyncio.all_tasks())
    async with client_that_takes_nothing(notifications) as ws:
        ws.transport.abort()
    await eventually(lambda: len(asyncio.all_tasks()) <= before)
