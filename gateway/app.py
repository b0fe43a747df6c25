"""The gateway, put together."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Lifespan, Receive, Scope, Send

from gateway.cache import Cache
from gateway.callers import Callers
from gateway.config import GatewaySettings
from gateway.cors import Cors
from gateway.docs import Documents, docs_routes
from gateway.editions import Edition
from gateway.forwarding import TrustedProxies
from gateway.handshakes import Handshakes
from gateway.hosts import AllowedHosts
from gateway.limits import Limits
from gateway.proxy import Proxy
from gateway.routes import SERVICES, find_route
from gateway.security import SecurityHeaders
from gateway.sockets import SocketProxy, refuse_with_problem
from gateway.upstream import Upstream
from shared.errors import NotFound
from shared.http.health import health_routes
from shared.http.middleware import RequestMiddleware, TrailingSlashMiddleware
from shared.http.problems import install_problem_handlers
from shared.observability.loop import watch_loop


def create_app(settings: GatewaySettings) -> ASGIApp:
    """What the public port serves: the services' paths, the API's documents, and whether the gateway is up."""
    upstreams = {service: Upstream(service, settings) for service in SERVICES}
    callers = Callers(upstreams["accounts"], settings)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        loops = [watch_loop(), *(upstream.keep_finding() for upstream in upstreams.values())]
        tasks = [asyncio.create_task(loop) for loop in loops]
        yield
        for task in tasks:
            task.cancel()
        await callers.close()
        for upstream in upstreams.values():
            await upstream.close()

    pages = _bare_app(routes=[*docs_routes(Documents(upstreams, settings)), *_HEALTH], lifespan=lifespan)
    http: ASGIApp = Proxy(upstreams, settings)
    if settings.cache_size:
        http = Cache(http, settings.cache_size, {"catalog": Edition(upstreams["catalog"])})
    sockets = SocketProxy(upstreams, settings)
    own = TrailingSlashMiddleware(pages)

    async def gateway(scope: Scope, receive: Receive, send: Send) -> None:
        route = None if scope["type"] == "lifespan" else find_route(scope["path"], settings.routes)
        if route:
            scope["route"] = route
            await (http if scope["type"] == "http" else sockets)(scope, receive, send)
        elif scope["type"] == "websocket":
            await refuse_with_problem(NotFound("There is no such WebSocket."), scope, receive, send)
        else:
            await own(scope, receive, send)

    return _edge(gateway, callers, settings)


def _edge(app: ASGIApp, callers: Callers, settings: GatewaySettings) -> ASGIApp:
    """What every request passes before it is anyone's, the last of these first."""
    app = Limits(app, callers.user, settings)
    app = Handshakes(app, settings)
    app = Cors(app, settings.cors_origins)
    app = AllowedHosts(app, settings.allowed_hosts, settings.public_url)
    app = RequestMiddleware(app, "gateway")
    app = SecurityHeaders(app)
    return TrustedProxies(app, settings.trusted_proxies) if settings.trusted_proxies else app


def create_operations_app() -> ASGIApp:
    """What a port of its own serves to an orchestrator and to Prometheus."""
    app = _bare_app()
    app.include_router(health_routes())
    app.state.platform = _Readiness()
    return app


class _Readiness:
    async def readiness(self) -> tuple[bool, dict[str, object]]:
        """A gateway that runs is ready: it keeps nothing, and a service that is away is that service's matter."""
        return True, {"status": "ready"}


async def _live(_: Request) -> JSONResponse:
    return JSONResponse({"status": "live"})


async def _ready(_: Request) -> JSONResponse:
    return JSONResponse({"status": "ready"})


_HEALTH = (Route("/health/live", _live), Route("/health/ready", _ready))


def _bare_app(routes: Sequence[BaseRoute] = (), lifespan: Lifespan[FastAPI] | None = None) -> FastAPI:
    app = FastAPI(routes=list(routes), lifespan=lifespan, openapi_url=None, redirect_slashes=False)
    install_problem_handlers(app)
    return app
