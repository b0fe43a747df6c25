"""Single services of one's own making on both buses: a `Platform` with the handlers that a test gives it."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest

from marketplace.registry import service_settings
from shared.contracts import LISTENERS
from shared.contracts.accounts import UserRegistered, UserState
from shared.db import Session
from shared.ids import new_id
from shared.messaging import outbox
from shared.messaging.bus import Subscriptions
from shared.messaging.local import LocalBus, LocalHub
from shared.platform import Platform
from tests.integration.conftest import SETTINGS
from tests.support.rabbitmq import RabbitServer
from tests.support.waiting import eventually

Handle = Callable[[Session, Any], Awaitable[None]]
Platforms = Callable[..., Any]


async def ignore(session: Session, event: UserRegistered) -> None:
    """A handler that takes what comes."""


@pytest.fixture(params=["local", "rabbitmq"])
def platforms(request: pytest.FixtureRequest, databases: dict[str, str]) -> Platforms:
    """`async with platforms(catalog=handle, …) as running`: accounts, which tells, and its three listeners; with
    `catalog_batch=handle` of several events at once."""
    broker: RabbitServer | None = request.getfixturevalue("broker") if request.param == "rabbitmq" else None

    @asynccontextmanager
    async def start(**handlers: Handle) -> AsyncIterator[dict[str, Platform]]:
        hub = LocalHub()
        running: dict[str, Platform] = {}
        async with AsyncExitStack() as stack:
            for service in (*LISTENERS[UserRegistered], "accounts"):
                settings = service_settings(
                    service, **SETTINGS, database_url=databases[service], rabbitmq_url=broker and broker.url
                )
                subscriptions = Subscriptions()
                if batch := handlers.get(f"{service}_batch"):
                    subscriptions.subscribe_batch(batch, UserRegistered)
                else:
                    subscriptions.subscribe(UserRegistered, handlers.get(service, ignore))
                bus = None if broker else LocalBus(hub, service)
                running[service] = Platform(service, settings, subscriptions, bus)
                await stack.enter_async_context(running[service].running([]))

            async def connected() -> bool:
                return all(platform.bus.connected for platform in running.values())

            await eventually(connected)
            yield running

    return start


def someone() -> UserState:
    return UserState(id=new_id(), role="worker", full_name="Somebody", is_active=True, language="uz", version=1)


async def tell_of(user: UserState, accounts: Platform) -> None:
    async with accounts.database.session() as session:
        outbox.add(session, UserRegistered(user=user))
