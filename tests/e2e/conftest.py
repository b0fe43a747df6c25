"""The deployed form without containers: six processes, with a PostgreSQL and a RabbitMQ that tests may stop."""

from collections.abc import AsyncIterator, Iterator

import httpx
import pytest

from tests.support.postgres import OwnPostgres
from tests.support.rabbitmq import OwnRabbit
from tests.support.servers import postgres_server, rabbitmq_server
from tests.support.stack import Stack

SHORT_WAITS = {
    "RETRY_DELAYS": "100ms,200ms,400ms,800ms,1s,1s,2s,2s",
    "RELAY_POLL": "500ms",
    "RECONNECT_DELAY": "200ms",
    "DATABASE_RETRY": "100ms",
    "JWKS_RETRY_AFTER": "200ms",
    "RECONCILE_EVERY": "300ms",
    "RECONCILE_AFTER": "1s",
    "RELAY_BACK_OFF": "100ms",
    "RELAY_BACK_OFF_MAX": "500ms",
    "FAKE_GATEWAY_SUCCESS_RATE": "1",
    "LOG_LEVEL": "WARNING",
}


@pytest.fixture(scope="session")
def postgres() -> Iterator[OwnPostgres]:
    with postgres_server(own_process=True) as server:
        yield server


@pytest.fixture(scope="session")
def rabbitmq() -> Iterator[OwnRabbit]:
    with rabbitmq_server(own_process=True) as server:
        yield server


@pytest.fixture(scope="session")
def stack(postgres: OwnPostgres, rabbitmq: OwnRabbit) -> Iterator[Stack]:
    with Stack(postgres.admin_url, rabbitmq.url, **SHORT_WAITS) as running:
        running.start()
        yield running


@pytest.fixture
async def http(stack: Stack) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=stack.url, timeout=15, trust_env=False) as client:
        yield client
