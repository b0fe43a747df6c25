"""Both buses, and services on them."""

from collections.abc import Iterator
from functools import partial

import aio_pika
import pytest

from shared.contracts import LISTENERS
from tests.adapters.carriers import Carrier, LocalCarrier, RabbitCarrier
from tests.adapters.platforms import Platforms, running_platforms
from tests.integration.conftest import databases, postgres
from tests.support.rabbitmq import OwnRabbit
from tests.support.servers import rabbitmq_server

__all__ = ["databases", "postgres"]


@pytest.fixture(scope="session")
def rabbitmq() -> Iterator[OwnRabbit]:
    with rabbitmq_server(own_process=True) as server:
        yield server


@pytest.fixture(params=["local", "rabbitmq"])
async def broker(request: pytest.FixtureRequest) -> OwnRabbit | None:
    """RabbitMQ without what an earlier test left in it; None where there is none between the services."""
    if request.param == "local":
        return None
    server: OwnRabbit = request.getfixturevalue("rabbitmq")
    async with await aio_pika.connect(server.url) as connection, connection.channel() as channel:
        for event, services in LISTENERS.items():
            for service in services:
                await channel.queue_delete(f"{service}.{event.event_name}")
                await channel.queue_delete(f"{service}.dead")
    return server


@pytest.fixture
def carrier(broker: OwnRabbit | None) -> Carrier:
    return RabbitCarrier(broker) if broker else LocalCarrier()


@pytest.fixture
def platforms(broker: OwnRabbit | None, databases: dict[str, str]) -> Platforms:
    """`async with platforms(catalog=handle, …) as running`."""
    return partial(running_platforms, databases, broker and broker.url)
