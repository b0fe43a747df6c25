"""What Prometheus sees of one order's journey, and of how the processes stand."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families
from websockets.asyncio.client import connect

from marketplace.system import System
from services.orders.domain import Status
from services.orders.service import totals
from tests.support.people import Person, expect
from tests.support.waiting import eventually


class Figures:
    """What `/metrics` of one process says: here of all six, which are in this one."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self._http = http
        self._before: dict[Any, float] = {}

    async def now(self) -> dict[Any, float]:
        answer = await self._http.get("/metrics")
        assert answer.status_code == 200
        families = text_string_to_metric_families(answer.text)
        samples = [sample for family in families for sample in family.samples]
        return {(sample.name, frozenset(sample.labels.items())): sample.value for sample in samples}

    async def begin(self) -> None:
        self._before = await self.now()

    async def of(self, name: str, **labels: str) -> float:
        return (await self.now()).get((f"marketplace_{name}", frozenset(labels.items())), 0)

    async def risen(self, name: str, **labels: str) -> float:
        """By how much since `begin`."""
        return await self.of(name, **labels) - self._before.get((f"marketplace_{name}", frozenset(labels.items())), 0)


@pytest.fixture
async def figures(system: System) -> AsyncIterator[Figures]:
    async with httpx.AsyncClient(base_url=system.urls["orders"], trust_env=False) as http:
        figures = Figures(http)
        await figures.begin()
        yield figures


async def test_an_orders_journey_is_seen(
    system: System, figures: Figures, client: Person, worker: Person, admin: Person
) -> None:
    orders = system.apps["orders"].state.platform.database
    await totals.count(orders, (*Status,))
    await figures.begin()

    service = await worker.offer()
    address = system.address.replace("http", "ws", 1) + "/ws/notifications/"
    async with connect(address, proxy=None, additional_headers=client.headers) as socket:
        await socket.recv()
        assert await figures.risen("socket_messages_total", service="notifications") == 1
        assert await figures.of("sockets", service="gateway") == 1

    paid, refused = await client.order(service["id"]), await client.order(service["id"])
    payment = expect(await client.pay(paid["id"]), 201)
    expect(await client.pay(refused["id"], number="4000000000000002"), 201)
    expect(await worker.accept(paid["id"]), 200)
    await totals.count(orders, (*Status,))

    assert await figures.risen("order_moves_total", status="pending") == 2
    assert await figures.risen("order_moves_total", status="assigned") == 1
    assert await figures.risen("orders", status="pending") == 1
    assert await figures.risen("orders", status="assigned") == 1
    assert await figures.risen("payments_total", method="card", result="completed") == 1
    assert await figures.risen("payments_total", method="card", result="failed") == 1
    taken = {"method": "POST", "status": "201"}
    assert await figures.risen("request_seconds_count", service="gateway", route="/api/orders/", **taken) == 2
    assert await figures.risen("request_seconds_count", service="orders", route="/api/orders/create/", **taken) == 2
    assert await figures.of("active_users", window="5m") >= 2  # client and worker

    expect(await admin.post(f"/api/payments/{payment['id']}/refund/", {"reason": "Came late."}), 201)

    async def told() -> bool:
        event = {"service": "notifications", "event": "payment.refunded"}
        return (
            await figures.risen("refunds_total", status="completed") == 1
            and await figures.risen("events_total", outcome="done", **event) == 1
            and await figures.risen("event_lag_seconds_count", **event) == 1
        )

    await eventually(told)


async def test_how_a_process_stands_is_asked_at_the_scrape(system: System, figures: Figures) -> None:
    platform = system.apps["orders"].state.platform

    async def checked_out() -> float:
        return await figures.of("db_pool_connections", service="orders", state="checked_out")

    async def fewer_are() -> bool:
        return await checked_out() < 5

    async with AsyncExitStack() as sessions:
        for _ in range(5):
            session = await sessions.enter_async_context(platform.database.session())
            await session.connection()
        assert await checked_out() >= 5
    await eventually(fewer_are)

    assert await figures.of("db_pool_connections", service="orders", state="most") == 10
    assert await figures.of("broker_connected", service="orders") == 1
    for service, url in system.urls.items():
        assert ("marketplace_breaker_open", frozenset({("upstream", service), ("address", url)})) in await figures.now()
