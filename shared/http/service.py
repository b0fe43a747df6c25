"""What every service is made of, put together in one place: give it routes and subscriptions, and it runs."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from typing import Annotated, Any

import structlog
from fastapi import APIRouter, Depends, FastAPI, Request
from starlette.requests import HTTPConnection
from starlette.responses import JSONResponse

from shared.auth.keys import KeyCache
from shared.auth.users import Authenticator
from shared.config import ServiceSettings
from shared.db import Database, Session
from shared.errors import MarketplaceError
from shared.http.health import health_routes
from shared.http.internal import InternalClient
from shared.http.middleware import RequestMiddleware, TrailingSlashMiddleware
from shared.http.openapi import install_openapi
from shared.http.problems import install_problem_handlers, problem_of
from shared.messaging.bus import Bus, Subscriptions
from shared.messaging.housekeeping import keep_house
from shared.messaging.inbox import Inbox
from shared.messaging.rabbit import RabbitBus
from shared.messaging.relay import Relay, backlog

READY_TIMEOUT = timedelta(milliseconds=500)
BACKLOG_IS_OLD = timedelta(seconds=30)

log = structlog.get_logger()


class Platform:
    """One service's running parts. Routes reach it as `app.state.platform`."""

    def __init__(self, service: str, settings: ServiceSettings, subscriptions: Subscriptions, bus: Bus | None) -> None:
        self.service = service
        self.database = Database(settings)
        self.internal = InternalClient(service, settings)
        keys = KeyCache(self.internal.key_set, self.database, settings)
        secret = settings.internal_secret.get_secret_value()
        self.authenticator = Authenticator(service, keys, settings.token_issuer, secret)
        self.bus: Bus = bus or RabbitBus(service, settings)
        self.inbox = Inbox(service, self.database, subscriptions, settings)
        self.relay = Relay(self.database, self.bus, settings)
        self.database.session_info |= {"service": service, "wake_relay": self.relay.wake}

    @asynccontextmanager
    async def running(self, background: Sequence["Background"]) -> AsyncIterator[None]:
        """Start everything, and stop it in the opposite order."""
        async with AsyncExitStack() as stack:
            stack.push_async_callback(self.database.close)
            stack.push_async_callback(self.internal.close)
            await self.bus.start(self.inbox)
            stack.push_async_callback(self.bus.stop)
            loops = [self.relay.run(), self.inbox.run(), keep_house(self.database), self.authenticator.keys.keep()]
            tasks = [asyncio.create_task(_logged(loop)) for loop in (*loops, *(run(self) for run in background))]
            stack.push_async_callback(_cancel, tasks)
            yield

    async def readiness(self) -> tuple[bool, dict[str, Any]]:
        """Whether requests can be served, and what else is to know. A broker that is away only degrades."""
        try:
            await self.database.ping(READY_TIMEOUT)
            outbox = await backlog(self.database)
        except Exception as error:
            return False, {"status": "unready", "database": type(error).__name__}
        if not self.authenticator.keys.known:
            return False, {"status": "unready", "keys": "not known yet"}
        well = self.bus.connected and outbox.age < BACKLOG_IS_OLD
        return True, {
            "status": "ready" if well else "degraded",
            "broker": "connected" if self.bus.connected else "away",
            "outbox": {"waiting": outbox.waiting, "oldest_seconds": round(outbox.age.total_seconds(), 1)},
        }


Background = Callable[[Platform], Coroutine[Any, Any, None]]
"""Work that a service does beside requests and events, until cancelled: a timer, a sweep."""


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
) -> FastAPI:
    """The service as an ASGI app. `refusals` tells what each error of its `domain.py` means to a client."""
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


async def _internal(connection: HTTPConnection) -> InternalClient:
    return platform_of(connection).internal


Internal = Annotated[InternalClient, Depends(_internal)]


async def _logged(work: Coroutine[Any, Any, None]) -> None:
    """Nothing awaits a background loop while it runs, so an error that ends one must be told here."""
    try:
        await work
    except Exception:
        log.exception("background_work_ended")
        raise


async def _cancel(tasks: Sequence[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
