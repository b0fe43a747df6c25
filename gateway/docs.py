"""The API's documents, and the pages to read them with; nothing of it comes from another host."""

import asyncio
import base64
import hashlib
import re
import time
from collections.abc import Callable, Mapping, Set
from importlib.resources import files
from typing import Any, Final

import orjson
import structlog
from fastapi.openapi.docs import get_redoc_html, get_swagger_ui_html
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import BaseRoute, Route

from gateway.config import GatewaySettings
from gateway.events_page import POLICY as EVENTS_POLICY
from gateway.events_page import events_page
from gateway.openapi import Document, join, public_part
from gateway.routes import SERVICES
from gateway.upstream import NOT_HAD, Upstream
from shared.errors import NotFound, Unavailable

TITLE: Final = "Service Marketplace: API"
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


class Kept:
    """One kind of document of every service, asked for when wanted and kept for a while; shortly when one was away."""

    def __init__(
        self, upstreams: Mapping[str, Upstream], settings: GatewaySettings, path: bytes, has: Set[str]
    ) -> None:
        self._upstreams, self._path, self._has = upstreams, path, has
        self._max_age = settings.schema_max_age.total_seconds()
        self._retry_after = settings.schema_retry_after.total_seconds()
        self._lock = asyncio.Lock()
        self._found: dict[str, Document | None] = {}
        self._good_until = 0.0

    async def all(self) -> Mapping[str, Document | None]:
        """Service → document; None where it is away. The same object until they are asked for anew."""
        async with self._lock:
            if time.monotonic() >= self._good_until:
                fetched = await asyncio.gather(*(self._fetch(upstream) for upstream in self._upstreams.values()))
                self._found = dict(zip(self._upstreams, fetched, strict=True))
                self._good_until = time.monotonic() + (self._max_age if all(fetched) else self._retry_after)
            return self._found

    async def one(self, service: str) -> Document:
        if service not in self._upstreams:
            raise NotFound(f"There is no service {service!r}.")
        if not (document := (await self.all())[service]):
            raise Unavailable(f"The {service} service is away for now.")
        return document

    async def _fetch(self, upstream: Upstream) -> Document | None:
        try:
            document: Document = await upstream.said_at(self._path)
            if not isinstance(document, dict) or not document.keys() >= self._has:
                raise ValueError("not such a document")
        except NOT_HAD as error:
            log.warning("document_not_had", upstream=upstream.service, path=self._path.decode(), error=repr(error))
            return None
        return document

    @property
    def caching(self) -> str:
        """The `Cache-Control` of what is made from them."""
        left = max(0, int(self._good_until - time.monotonic()))
        return f"public, max-age={left}" if all(self._found.values()) else "no-store"


class Documents:
    """What the services say of themselves: over HTTP (OpenAPI), and in events and over WebSockets (AsyncAPI)."""

    def __init__(self, upstreams: Mapping[str, Upstream], settings: GatewaySettings) -> None:
        self._calls = Kept(upstreams, settings, b"/openapi.json", {"info", "paths"})
        self._events = Kept(upstreams, settings, b"/asyncapi.json", {"info", "channels", "operations", "components"})
        self._services = tuple(upstreams)
        self._joined: tuple[Mapping[str, Document | None], bytes] = ({}, b"")

    async def joined(self, _: Request) -> Response:
        found = await self._calls.all()
        if self._joined[0] is not found:
            self._joined = found, orjson.dumps(join(found))
        return _json(self._joined[1], self._calls)

    async def one(self, request: Request) -> Response:
        service = request.path_params["service"]
        return _json(orjson.dumps(public_part(service, await self._calls.one(service))), self._calls)

    async def events(self, request: Request) -> Response:
        """As a page for whoever asks for one, which browsers do, but for `?as=json`."""
        service = request.path_params["service"]
        document = await self._events.one(service)
        if "text/html" in request.headers.get("accept", "") and request.query_params.get("as") != "json":
            answer: Response = HTMLResponse(events_page(service, self._services, document))
            answer.headers["Content-Security-Policy"] = EVENTS_POLICY
            answer.headers["Referrer-Policy"] = "no-referrer"
            answer.headers["Cache-Control"] = self._events.caching
        else:
            answer = _json(orjson.dumps(document), self._events)
        answer.headers["Vary"] = "Accept"
        return answer


def _json(content: bytes, kept: Kept) -> Response:
    return Response(content, media_type="application/json", headers={"Cache-Control": kept.caching})


def docs_routes(documents: Documents) -> list[BaseRoute]:
    """`/api/schema/` and what is below it."""
    static = {name: _static(name) for name in STATIC}
    addresses = {
        name: f"/api/schema/static/{name}?v={hashlib.sha256(content).hexdigest()[:12]}"
        for name, content in static.items()
    }

    async def file(request: Request) -> Response:
        name = request.path_params["name"]
        if name not in static:
            raise NotFound(f"There is no file {name!r}.")
        # Its address changes with its content.
        headers = {"Cache-Control": "public, max-age=31536000, immutable"}
        return Response(static[name], media_type=STATIC[name], headers=headers)

    return [
        Route("/api/schema/", documents.joined),
        *_reading("/api/schema/", addresses),
        Route("/api/schema/static/{name}/", file),
        Route("/api/schema/{service}/", documents.one),
        Route("/api/schema/{service}/events/", documents.events),
        *(route for service in SERVICES for route in _reading(f"/api/schema/{service}/", addresses)),
    ]


def _reading(document: str, addresses: Mapping[str, str]) -> list[BaseRoute]:
    """The two pages below a document, to read it with."""
    swagger = get_swagger_ui_html(
        openapi_url=document,
        title=TITLE,
        swagger_js_url=addresses["swagger-ui-bundle.js"],
        swagger_css_url=addresses["swagger-ui.css"],
        swagger_favicon_url=addresses["favicon.png"],
        swagger_ui_parameters={
            "persistAuthorization": True,
            "displayRequestDuration": True,
            "defaultModelsExpandDepth": 0,
            "filter": True,
            "validatorUrl": None,  # its default is a service on another host
        },
    )
    redoc = get_redoc_html(
        openapi_url=document,
        title=TITLE,
        redoc_js_url=addresses["redoc.standalone.js"],
        redoc_favicon_url=addresses["favicon.png"],
        with_google_fonts=False,
    )
    return [Route(f"{document}swagger-ui/", _page(swagger)), Route(f"{document}redoc/", _page(redoc))]


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
