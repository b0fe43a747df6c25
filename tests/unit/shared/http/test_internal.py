"""Another service that has several instances."""

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route, Router

from shared.http.internal import InternalClient
from tests.support.asgi import serving_app
from tests.support.process import free_port
from tests.unit.factories import settings


async def test_where_an_instance_is_gone_the_next_one_is_asked() -> None:
    async def answer(_: Request) -> JSONResponse:
        return JSONResponse({"here": True})

    async with serving_app(Router([Route("/internal/thing/", answer)])) as url:
        urls = f"http://127.0.0.1:{free_port()}, {url}"
        client = InternalClient("orders", settings(catalog_url=urls, internal_timeout="10s"))
        try:
            assert await client.find("catalog", "/internal/thing/") == {"here": True}
        finally:
            await client.close()
