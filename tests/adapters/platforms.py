"""Single services of one's own making on either bus: a `Platform` with the handlers that a test gives it."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from marketplace.registry import service_settings
from shared.contracts import LISTENERS
from shared.contracts.accounts import UserRegistered, UserState
from shared.db import Session
from shared.messaging import outbox
from shared.messaging.bus import Subscriptions
from shared.messaging.local import LocalBus, LocalHub
from shared.platform import Platform
from tests.integration.conftest import SETTINGS
from tests.support.waiting import eventually

Handle = Callable[[Session, Any], Awaitable[None]]
Platforms = Callable[..., Any]


async def ignore(session: Session, event: UserRegistered) -> None:
    """A handler that takes what comes."""


@asynccontextmanager
async def running_platforms(
    databases: Mapping[str, str], rabbitmq_url: str | None, **handlers: Handle
) -> AsyncIterator[dict[str, Platform]]:
    """Accounts, which tells, and its three listeners; with `catalog_batch=handle` of several events at once."""
    hub = LocalHub()
    running: dict[str, Platform] = {}
    async with AsyncExitStack() as stack:
        for service in (*LISTENERS[UserRegistered], "accounts"):
            settings = service_settings(service, **SETTINGS, database_url=databases[service], rabbitmq_url=rabbitmq_url)
            subscriptions = Subscriptions()
            if batch := handlers.get(f"{service}_batch"):
                subscriptions.subscribe_batch(batch, UserRegistered)
            else:
                subscriptions.subscribe(UserRegistered, handlers.get(service, ignore))
            bus = None if rabbitmq_url else LocalBus(hub, service)
            running[service] = Platform(service, settings, subscriptions, bus)
            await stack.enter_async_context(running[service].running([]))

        async def connected() -> bool:
            return all(platform.bus.connected for platform in running.values())

        await eventually(connected)
        yield running


async def tell_of(accounts: Platform, *users: UserState) -> None:
    async with accounts.database.session() as session:
        for user in users:
            outbox.add(session, UserRegistered(user=user))
