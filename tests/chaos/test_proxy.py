"""The proxy spoils what passes in the way that it says, and no longer than it says."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import suppress

import pytest

from tests.support.proxy import DRIP, DRIP_EVERY, LATENCY, Proxy, Spoilt

WHOLE = b"x" * (4 * DRIP)


@pytest.fixture
async def proxy() -> AsyncIterator[Proxy]:
    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            writer.write(data)
        writer.close()

    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    async with server, Proxy(server.sockets[0].getsockname()[1]).serving() as serving:
        yield serving


async def _echoed(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
    writer.write(WHOLE)
    return await reader.readexactly(len(WHOLE))


@pytest.mark.parametrize(("how", "least"), [(Spoilt.LATENCY, 2 * LATENCY), (Spoilt.DRIP, 3 * DRIP_EVERY)])
async def test_what_is_late_arrives_whole(proxy: Proxy, how: Spoilt, least: float) -> None:
    connection = await asyncio.open_connection("127.0.0.1", proxy.port)
    begun = time.monotonic()

    async with proxy.spoilt(how):
        assert await _echoed(*connection) == WHOLE
    assert time.monotonic() - begun >= least
    assert await _echoed(*connection) == WHOLE


async def test_what_is_swallowed_never_arrives_and_the_connection_is_lost(proxy: Proxy) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)

    async with proxy.spoilt(Spoilt.SWALLOW):
        writer.write(WHOLE)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(reader.read(1), 0.2)
    with suppress(ConnectionResetError):
        assert await reader.read(1) == b""
    assert await _echoed(*await asyncio.open_connection("127.0.0.1", proxy.port)) == WHOLE


async def test_connections_old_and_new_are_reset(proxy: Proxy) -> None:
    old = await asyncio.open_connection("127.0.0.1", proxy.port)
    assert await _echoed(*old) == WHOLE

    async with proxy.spoilt(Spoilt.RESET):
        for reader, writer in (old, await asyncio.open_connection("127.0.0.1", proxy.port)):
            with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
                await _echoed(reader, writer)
    assert await _echoed(*await asyncio.open_connection("127.0.0.1", proxy.port)) == WHOLE
