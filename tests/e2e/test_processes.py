"""Six processes with RabbitMQ between them: the demo, and what happens when one of them, or the broker, goes away."""

import asyncio

import httpx
import pytest

from marketplace.demo import play
from tests.e2e.journeys import Journeys, assert_all_is_well, insist, one
from tests.support.people import expect, register
from tests.support.rabbitmq import OwnRabbit
from tests.support.stack import PROCESSES, Stack


@pytest.fixture
async def journeys(http: httpx.AsyncClient) -> Journeys:
    client, worker = await register(http, "client"), await register(http, "worker")
    return Journeys(client, worker, (await worker.offer())["id"])


async def test_the_demo_passes_over_rabbitmq(stack: Stack, capsys: pytest.CaptureFixture[str]) -> None:
    await play(stack.url)

    printed = capsys.readouterr().out
    for kind in ("order_created", "order_assigned", "order_status_changed", "payment_success"):
        for person in ("client", "worker"):
            assert f"{person} hears {kind}" in printed


@pytest.mark.parametrize("name", PROCESSES)
@pytest.mark.timeout(240)
async def test_killing_a_process_amid_journeys_leaves_none_stuck_and_none_paid_twice(
    stack: Stack, journeys: Journeys, name: str
) -> None:
    running = asyncio.create_task(journeys.run(50))
    await _completed(stack, journeys, 10)

    stack.kill(name)
    await asyncio.sleep(0.5)
    await asyncio.to_thread(stack.start, name)
    order_ids = await running

    await assert_all_is_well(stack, journeys, order_ids)


@pytest.mark.timeout(240)
async def test_without_rabbitmq_orders_go_on_and_every_event_arrives_once_it_is_back(
    stack: Stack, rabbitmq: OwnRabbit, journeys: Journeys
) -> None:
    rabbitmq.stop()
    try:
        during = await asyncio.wait_for(journeys.run(10), 60)
        waiting = one(stack, "orders", "SELECT count(*) FROM outbox WHERE published_at IS NULL")
        ready = [httpx.get(f"{stack.address(name)}/health/ready", trust_env=False) for name in PROCESSES]
    finally:
        await asyncio.to_thread(rabbitmq.start)

    assert waiting >= 4 * len(during)
    assert [answer.status_code for answer in ready] == [200] * len(PROCESSES)
    assert {answer.json()["status"] for answer in ready[:-1]} == {"degraded"}
    await assert_all_is_well(stack, journeys, during)


@pytest.mark.timeout(240)
async def test_killing_rabbitmq_amid_journeys_loses_and_doubles_nothing(
    stack: Stack, rabbitmq: OwnRabbit, journeys: Journeys
) -> None:
    running = asyncio.create_task(journeys.run(50))
    await _completed(stack, journeys, 10)

    rabbitmq.kill()
    await asyncio.to_thread(rabbitmq.start)
    order_ids = await running

    await assert_all_is_well(stack, journeys, order_ids)


async def test_one_service_that_is_away_takes_only_its_own_routes_away(
    stack: Stack, http: httpx.AsyncClient, journeys: Journeys
) -> None:
    stack.stop("payments")
    try:
        away = await http.get("/api/payments/", headers=journeys.client.headers)
        order = await journeys.client.order(journeys.service_id)
        accepted = await journeys.worker.accept(order["id"])
    finally:
        stack.start("payments")

    assert expect(away, 503)["type"] == "unavailable"
    assert away.headers["retry-after"] == "1"
    assert accepted.status_code == 200
    assert (await insist(journeys.client, "/api/payments/")).status_code == 200


async def _completed(stack: Stack, journeys: Journeys, count: int) -> None:
    """Wait until so many of the journeys are through."""
    query = "SELECT count(*) FROM orders WHERE status = 'completed' AND client_id = %s"
    while one(stack, "orders", query, journeys.client.id) < count:
        await asyncio.sleep(0.05)
