"""Real servers on loopback: the gateway as it is deployed, and upstreams that behave in every way there is."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx
import uvicorn
from starlette.types import ASGIApp

from gateway.app import create_app
from gateway.config import GatewaySettings
from gateway.routes import SERVICES
from shared.http.limits import Limits
from shared.http.server import Server, server_config
from tests.support.process import free_port

Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

# How long a test gives things that take moments.
SOON = 5


@asynccontextmanager
async def serving(app: ASGIApp, port: int | None = None, host: str = "127.0.0.1", **options: Any) -> AsyncIterator[str]:
    """`app` under plain uvicorn; gives its URL."""
    defaults: dict[str, Any] = {"log_level": "warning", "timeout_graceful_shutdown": 1}
    async with running(uvicorn.Config(app, **defaults | options), port, host) as (url, _):
        yield url


@asynccontextmanager
async def running(
    config: uvicorn.Config, port: int | None = None, host: str = "127.0.0.1"
) -> AsyncIterator[tuple[str, Server]]:
    config.host, config.port = host, port or free_port()
    server = Server(config)
    task = asyncio.create_task(server.serve())
    await server.started_up(task)
    try:
        yield f"http://{host}:{config.port}", server
    finally:
        server.should_exit = True
        await task


@asynccontextmanager
async def listening(handler: Handler) -> AsyncIterator[str]:
    """A raw TCP server that does with a connection what `handler` does; gives its URL."""
    port = free_port()
    handlers: set[asyncio.Task[None]] = set()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        handlers.add(task)
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            await handler(reader, writer)
        writer.close()
        handlers.discard(task)

    server = await asyncio.start_server(handle, "127.0.0.1", port)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.close()
        for task in handlers:
            task.cancel()


class Gateway(httpx.AsyncClient):
    """A client of a gateway, which `stop()` tells to end as SIGTERM would."""

    server: Server

    def stop(self) -> None:
        self.server.should_exit = True


@asynccontextmanager
async def gateway_to(*, limits: Limits | None = None, **settings: Any) -> AsyncIterator[Gateway]:
    """A client of a gateway with these settings, served as it is deployed. Services without a URL are away."""
    away = {f"{service}_url": f"http://127.0.0.1:{free_port()}" for service in SERVICES}
    edge = {"allowed_hosts": "127.0.0.1,h", "allowed_origins": "https://shop.example", "rate_limit_scale": 1000}
    made = GatewaySettings(_env_file=None, **edge | away | settings)
    config = server_config(create_app(made), limits)
    config.timeout_graceful_shutdown = 1
    async with (
        running(config) as (url, server),
        Gateway(base_url=url, timeout=SOON, trust_env=False) as client,
    ):
        client.server = server
        yield client


async def raw_exchange(url: httpx.URL | str, request: bytes) -> bytes:
    """What a server answers to exactly these bytes, until it closes."""
    at = httpx.URL(str(url))
    reader, writer = await asyncio.open_connection(at.host, at.port)
    writer.write(request)
    async with asyncio.timeout(SOON):
        answer = await reader.read()
    writer.close()
    return answer


async def eventually(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(SOON):
        while not holds():
            await asyncio.sleep(0.01)
