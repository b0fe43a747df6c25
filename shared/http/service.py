"""Every service as an ASGI app: give it routes and subscriptions, and it runs."""

from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Annotated, Any

from fastapi import APIRouter, Depends, FastAPI, Request
from starlette.requests import HTTPConnection
from starlette.responses import JSONResponse

from shared.config import ServiceSettings
from shared.db import Database, Session
from shared.errors import MarketplaceError
from shared.http.health import health_routes
from shared.http.internal import InternalClient
from shared.http.middleware import RequestMiddleware, TrailingSlashMiddleware
from shared.http.openapi import install_asyncapi, install_openapi
from shared.http.problems import install_problem_handlers, problem_of
from shared.messaging.asyncapi import asyncapi_document
from shared.messaging.bus import Bus, Subscriptions
from shared.platform import Background, Platform


def create_service(
    service: str,
    settings: ServiceSettings,
    *,
    description: str,
    routers: Sequence[APIRouter],
    subscribe: Callable[[Subscriptions], None],
    refusals: Mapping[type[Exception], Callable[[Any], MarketplaceError]] | None = None,
    background: Sequence[Background] = (),
    bus: Bus | None = None,
    channels: Mapping[str, Any] | None = None,
) -> FastAPI:
    """The service as an ASGI app. `refusals` tells what each error of its `domain.py` means to a client; `channels` are
    parts of its AsyncAPI document beside its events."""
    subscriptions = Subscriptions()
    subscribe(subscriptions)

    platform = Platform(service, settings, subscriptions, bus)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with platform.running(background):
            yield

    app = FastAPI(
        title=f"Service Marketplace: {service}",
        description=description,
        version="1.0",
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        generate_unique_id_function=lambda route: route.name,
    )
    app.state.platform, app.state.settings = platform, settings
    for router in (health_routes(), *routers):
        app.include_router(router)
    install_problem_handlers(app)
    for error, meaning in (refusals or {}).items():
        app.add_exception_handler(error, _refusal(meaning))
    install_openapi(app)
    install_asyncapi(app, asyncapi_document(service, description, channels))
    app.add_middleware(TrailingSlashMiddleware)
    app.add_middleware(RequestMiddleware, service=service)
    return app


def _refusal(
    meaning: Callable[[Any], MarketplaceError],
) -> Callable[[Request, Exception], Coroutine[Any, Any, JSONResponse]]:
    async def handle(request: Request, error: Exception) -> JSONResponse:
        return problem_of(meaning(error), request.url.path)

    return handle


def platform_of(connection: HTTPConnection) -> Platform:
    platform: Platform = connection.app.state.platform
    return platform


async def _session(connection: HTTPConnection) -> AsyncIterator[Session]:
    async with platform_of(connection).database.session() as session:
        yield session


DbSession = Annotated[Session, Depends(_session, scope="function")]
"""The request's transaction; `scope="function"` ends it before the answer: a failed commit fails the request."""


async def _snapshot(connection: HTTPConnection) -> AsyncIterator[Session]:
    async with platform_of(connection).database.snapshot() as session:
        yield session


Snapshot = Annotated[Session, Depends(_snapshot, scope="function")]
"""For a request that shows several things that belong together: see `Database.snapshot`."""


async def _database(connection: HTTPConnection) -> Database:
    return platform_of(connection).database


ReadsFrom = Annotated[Database, Depends(_database)]
"""For a request that only reads, in `Database.reading`."""


async def _internal(connection: HTTPConnection) -> InternalClient:
    return platform_of(connection).internal


Internal = Annotated[InternalClient, Depends(_internal)]
