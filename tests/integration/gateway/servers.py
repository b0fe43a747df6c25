"""Real servers on loopback: the gateway as it is deployed, and upstreams that behave in every way there is."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import uvicorn
from starlette.types import ASGIApp

from gateway.app import create_app
from gateway.config import GatewaySettings
from tests.support.process import free_port

Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

# How long a test gives things that take moments.
SOON = 5


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield  # several servers in one loop would restore each other's handlers


@asynccontextmanager
async def serving(app: ASGIApp, port: int | None = None, **options: Any) -> AsyncIterator[str]:
    """`app` under uvicorn; gives its URL."""
    port = port or free_port()
    defaults: dict[str, Any] = {"log_level": "warning", "timeout_graceful_shutdown": 1}
    server = _Server(uvicorn.Config(app, "127.0.0.1", port, **defaults | options))
    task = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.005)
    try:
        yield f"http://127.0.0.1:{port}"
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


@asynccontextmanager
async def gateway_to(*, server: dict[str, Any] | None = None, **settings: Any) -> AsyncIterator[httpx.AsyncClient]:
    """A client of a gateway with these settings. Services without a URL are away."""
    away = {f"{service}_url": f"http://127.0.0.1:{free_port()}" for service in ("accounts", "orders", "catalog")}
    away |= {f"{service}_url": f"http://127.0.0.1:{free_port()}" for service in ("payments", "notifications")}
    edge = {"allowed_hosts": "127.0.0.1,h", "allowed_origins": "https://shop.example", "rate_limit_scale": 1000}
    made = GatewaySettings(_env_file=None, **edge | away | settings)
    options = {"server_header": False, "proxy_headers": False} | (server or {})
    async with (
        serving(create_app(made), **options) as url,
        httpx.AsyncClient(base_url=url, timeout=SOON, trust_env=False) as client,
    ):
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
