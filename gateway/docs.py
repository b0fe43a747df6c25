"""The API's documents, and the two pages to read them with; nothing of it comes from another host."""

import asyncio
import base64
import hashlib
import re
import time
from collections.abc import Callable, Mapping
from importlib.resources import files
from typing import Any, Final

import httpx
import orjson
import structlog
from fastapi.openapi.docs import get_redoc_html, get_swagger_ui_html
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import BaseRoute, Route

from gateway.config import GatewaySettings
from gateway.openapi import Document, join, public_part
from gateway.upstream import Upstream
from shared.errors import MarketplaceError, NotFound, Unavailable
from shared.observability.context import current_request_id

FETCH_TIMEOUT: Final = 3.0
STATIC: Final = {
    "swagger-ui-bundle.js": "text/javascript",
    "swagger-ui.css": "text/css",
    "redoc.standalone.js": "text/javascript",
    "favicon.png": "image/png",
}
# Both pages put styles and pictures of their own into the document as they go.
_POLICY = (
    "default-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; connect-src 'self'; "
    "img-src 'self' data:; style-src 'self' 'unsafe-inline'; worker-src blob:; script-src 'self'"
)

log = structlog.get_logger()


class Documents:
    """The services' OpenAPI documents, asked for when wanted and kept for a while; shortly when one was away."""

    def __init__(self, upstreams: Mapping[str, Upstream], settings: GatewaySettings) -> None:
        self._upstreams = upstreams
        self._max_age = settings.schema_max_age.total_seconds()
        self._retry_after = settings.schema_retry_after.total_seconds()
        self._lock = asyncio.Lock()
        self._found: dict[str, Document | None] = {}
        self._joined = b""
        self._good_until = 0.0

    async def joined(self, _: Request) -> Response:
        await self._refresh()
        return self._response(self._joined)

    async def one(self, request: Request) -> Response:
        service = request.path_params["service"]
        if service not in self._upstreams:
            raise NotFound(f"There is no service {service!r}.")
        await self._refresh()
        if not (document := self._found[service]):
            raise Unavailable(f"The {service} service is away for now.")
        return self._response(orjson.dumps(public_part(service, document)))

    async def _refresh(self) -> None:
        async with self._lock:
            if time.monotonic() < self._good_until:
                return
            fetched = await asyncio.gather(*(self._fetch(upstream) for upstream in self._upstreams.values()))
            self._found = dict(zip(self._upstreams, fetched, strict=True))
            self._joined = orjson.dumps(join(self._found))
            self._good_until = time.monotonic() + (self._max_age if all(fetched) else self._retry_after)

    async def _fetch(self, upstream: Upstream) -> Document | None:
        request = upstream.request("GET", b"/openapi.json", [(b"x-request-id", current_request_id().encode())])
        try:
            async with asyncio.timeout(FETCH_TIMEOUT), upstream.exchange(request) as response:
                if response.status_code != httpx.codes.OK:
                    raise ValueError(f"status {response.status_code}")
                document: Document = orjson.loads(await response.aread())
                if not isinstance(document, dict) or not document.keys() >= {"info", "paths"}:
                    raise ValueError("not an OpenAPI document")
        except (MarketplaceError, httpx.HTTPError, TimeoutError, ValueError) as error:
            log.warning("document_not_had", upstream=upstream.service, error=repr(error))
            return None
        return document

    def _response(self, content: bytes) -> Response:
        left = max(0, int(self._good_until - time.monotonic()))
        caching = f"public, max-age={left}" if all(self._found.values()) else "no-store"
        return Response(content, media_type="application/json", headers={"Cache-Control": caching})


def docs_routes(documents: Documents) -> list[BaseRoute]:
    """`/api/schema/` and what is below it."""
    static = {name: _static(name) for name in STATIC}
    addresses = {
        name: f"/api/schema/static/{name}?v={hashlib.sha256(content).hexdigest()[:12]}"
        for name, content in static.items()
    }
    swagger = _page(
        get_swagger_ui_html(
            openapi_url="/api/schema/",
            title="Service Marketplace: API",
            swagger_js_url=addresses["swagger-ui-bundle.js"],
            swagger_css_url=addresses["swagger-ui.css"],
            swagger_favicon_url=addresses["favicon.png"],
            swagger_ui_parameters={
                "persistAuthorization": True,
                "displayRequestDuration": True,
                "validatorUrl": None,  # its default is a service on another host
            },
        )
    )
    redoc = _page(
        get_redoc_html(
            openapi_url="/api/schema/",
            title="Service Marketplace: API",
            redoc_js_url=addresses["redoc.standalone.js"],
            redoc_favicon_url=addresses["favicon.png"],
            with_google_fonts=False,
        )
    )

    async def file(request: Request) -> Response:
        name = request.path_params["name"]
        if name not in static:
            raise NotFound(f"There is no file {name!r}.")
        # Its address changes with its content.
        headers = {"Cache-Control": "public, max-age=31536000, immutable"}
        return Response(static[name], media_type=STATIC[name], headers=headers)

    return [
        Route("/api/schema/", documents.joined),
        Route("/api/schema/swagger-ui/", swagger),
        Route("/api/schema/redoc/", redoc),
        Route("/api/schema/static/{name}/", file),
        Route("/api/schema/{service}/", documents.one),
    ]


def _static(name: str) -> bytes:
    content = files("fastapi_offline").joinpath("static", name).read_bytes()
    # ReDoc's footer would ask another host for a logo.
    return content.replace(b"https://cdn.redoc.ly/redoc/logo-mini.svg", b"data:,")


def _page(page: HTMLResponse) -> Callable[[Request], Any]:
    """An endpoint that serves `page` with a policy under which exactly its own scripts run."""
    content = bytes(page.body)
    inline = re.findall(rb"<script>(.*?)</script>", content, re.DOTALL)
    hashes = (base64.b64encode(hashlib.sha256(script).digest()).decode() for script in inline)
    headers = {
        "Content-Security-Policy": " ".join([_POLICY, *(f"'sha256-{value}'" for value in hashes)]),
        "Referrer-Policy": "no-referrer",
        "Cache-Control": "no-cache",
    }

    async def serve(_: Request) -> Response:
        return HTMLResponse(content, headers=headers)

    return serve
