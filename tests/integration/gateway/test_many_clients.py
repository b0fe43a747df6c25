"""Clients in great numbers that are idle, slow or silent: the others are answered as ever."""

import asyncio
import resource
from collections.abc import Iterator
from contextlib import AsyncExitStack

import psutil
import pytest
from starlette.types import Receive, Scope, Send

from tests.integration.gateway.servers import Gateway, Handler, eventually, gateway_to, listening, serving

MANY = 1000


async def ok(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"ok"})


@pytest.fixture(autouse=True)
def enough_files() -> Iterator[None]:
    """Both ends of the connections are in this process."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 4 * MANY), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


async def connections(gateway: Gateway, say: bytes, hear: bytes) -> list[asyncio.StreamWriter]:
    opened = []
    for _ in range(MANY):
        reader, writer = await asyncio.open_connection(gateway.base_url.host, gateway.base_url.port, limit=1024)
        writer.write(say)
        if hear:
            await reader.readuntil(hear)
        opened.append(writer)
    await eventually(lambda: len(gateway.server.server_state.connections) >= MANY)
    return opened


@pytest.mark.parametrize(
    ("say", "hear"),
    [
        pytest.param(b"", b"", id="nothing said"),
        pytest.param(b"GET /api/orders/ HTTP/1.1\r\nX: ", b"", id="half a head"),
        pytest.param(b"GET /api/services/ HTTP/1.1\r\nHost: h\r\n\r\n", b"ok", id="idle after an answer"),
        pytest.param(b"POST /api/services/ HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\n", b"", id="no body"),
    ],
)
async def test_a_thousand_connections_that_do_nothing_stop_nobody_and_cost_little(say: bytes, hear: bytes) -> None:
    before = psutil.Process().memory_info().rss
    async with serving(ok, lifespan="off") as url, gateway_to(catalog_url=url) as gateway:
        idle = await connections(gateway, say, hear)
        assert [(await gateway.get("/api/services/")).text for _ in range(20)] == ["ok"] * 20
        assert psutil.Process().memory_info().rss - before < 100 * 2**20
        for writer in idle:
            writer.close()


async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(1)
    await asyncio.sleep(60)


async def stop_halfway(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")
    await asyncio.sleep(60)


async def reset(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(1)
    writer.transport.abort()


async def rubbish(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(1)
    writer.write(b"\xff\xfe\x00 rubbish")


async def fail(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while await reader.readuntil(b"\r\n\r\n"):
        writer.write(b"HTTP/1.1 500 X\r\nContent-Length: 0\r\n\r\n")


@pytest.mark.parametrize("ill", [hang, stop_halfway, reset, rubbish, fail, None])
async def test_however_ill_a_service_is_the_others_are_answered_while_it_is_asked(ill: Handler | None) -> None:
    async with AsyncExitStack() as stack:
        sick = {"orders_url": await stack.enter_async_context(listening(ill))} if ill else {}
        well = await stack.enter_async_context(serving(ok, lifespan="off"))
        gateway = await stack.enter_async_context(gateway_to(catalog_url=well, upstream_timeout="2s", **sick))
        asked = [asyncio.create_task(gateway.get("/api/orders/")) for _ in range(80)]
        answers = [await gateway.get("/api/services/") for _ in range(20)]
        assert [answer.text for answer in answers] == ["ok"] * 20
        for answer in await asyncio.gather(*asked, return_exceptions=True):
            assert isinstance(answer, Exception) or answer.status_code in (500, 502, 503, 504)
