"""An ASGI app on a port of this machine, for what has to be tested over real connections."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from shared.http.server import Server, listen, server_config


@asynccontextmanager
async def serving_app(app: Any) -> AsyncIterator[str]:
    """The app's address while it serves."""
    sock = listen("127.0.0.1", 0)
    server = Server(server_config(app))
    task = asyncio.create_task(server.serve([sock]))
    try:
        await server.started_up(task)
        yield f"http://127.0.0.1:{sock.getsockname()[1]}"
    finally:
        server.should_exit = True
        await task
        sock.close()
