"""Whole journeys through a system whose parts may die at any moment, and what must be true when all is quiet again."""

import asyncio
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import httpx
import psycopg

from tests.support.people import Person, expect
from tests.support.stack import Stack
from tests.support.waiting import eventually

RETRIED = {502, 503, 504}
PATIENCE = 60.0
"""Seconds that a client goes on trying one step."""

TOLD_OF_EACH_ORDER = Counter(order_created=1, order_assigned=1, order_status_changed=2, payment_success=1)


@dataclass(frozen=True)
class Journeys:
    """A client and a worker, and orders of theirs that go all the way."""

    client: Person
    worker: Person
    service_id: str

    async def run(self, count: int, at_once: int = 8) -> list[str]:
        """Play so many journeys; the ids of the orders, each of which was acknowledged at every step."""
        turns = asyncio.Semaphore(at_once)

        async def one() -> str:
            async with turns:
                return await self.one()

        return await asyncio.gather(*(one() for _ in range(count)))

    async def one(self) -> str:
        wish = {"service_id": self.service_id, "address": "1 Navoi St"}
        order_id: str = expect(await insist(self.client, "/api/orders/create/", wish), 201)["id"]
        path = f"/api/orders/{order_id}"
        await self._move(order_id, "assigned", f"{path}/assign/", {})
        while True:
            paid = await insist(self.client, f"/api/payments/order/{order_id}/pay/", {"method": "payme"})
            if paid.status_code == 409 and paid.json()["type"] == "already-paid":
                break  # by a call whose answer was lost
            assert paid.status_code in (200, 201), paid.text
            if paid.json()["status"] == "completed":
                break
        for status in ("in_progress", "completed"):
            await self._move(order_id, status, f"{path}/status/", {"status": status})
        return order_id

    async def _move(self, order_id: str, to: str, path: str, body: Any) -> None:
        answer = await insist(self.worker, path, body)
        if answer.status_code == 409:  # perhaps because a call before this one worked and its answer was lost
            order = expect(await insist(self.worker, f"/api/orders/{order_id}/"), 200)
            assert order["status"] == to, f"{answer.text} but the order is {order['status']}"
        else:
            assert expect(answer, 200)["status"] == to


async def insist(person: Person, path: str, body: Any = None, key: str | None = None) -> httpx.Response:
    """Send until someone answers who can; GET without a body, else POST, under one key if there is one."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            answer = await (person.get(path) if body is None else person.post(path, body, key))
            if answer.status_code not in RETRIED or time.monotonic() > deadline:
                return answer
        except httpx.TransportError:
            if time.monotonic() > deadline:
                raise
        await asyncio.sleep(0.1)


async def assert_all_is_well(stack: Stack, journeys: Journeys, order_ids: Iterable[str]) -> None:
    """Each order completed and paid, by one charge; each event delivered, once; nobody told twice or not at all."""
    wanted = list(order_ids)

    async def settled() -> bool:
        waiting = [
            count
            for service in stack.databases
            for count in (
                one(stack, service, "SELECT count(*) FROM outbox WHERE published_at IS NULL"),
                one(stack, service, "SELECT count(*) FROM inbox WHERE state = 'retry'"),
            )
        ]
        paid = one(
            stack,
            "orders",
            "SELECT count(*) FROM orders WHERE payment_status = 'paid' AND id = ANY(%s::uuid[])",
            wanted,
        )
        told = one(stack, "notifications", _TOLD, journeys.client.id, wanted)
        return not any(waiting) and paid == len(wanted) and told >= 5 * len(wanted)

    await eventually(settled, within=60)

    completed = one(stack, "orders", f"{_COUNT_ORDERS} AND status = 'completed'", wanted)
    assert completed == len(wanted)
    assert rows(stack, "payments", "SELECT order_id FROM payments WHERE status = 'pending'") == []
    charged = rows(
        stack,
        "payments",
        "SELECT p.order_id::text, count(*) FROM fake_charges c JOIN payments p ON p.id = c.reference"
        " WHERE c.declined_as IS NULL GROUP BY 1",
    )
    assert {order_id: count for order_id, count in charged if order_id in set(wanted)} == dict.fromkeys(wanted, 1)
    assert all(count == 1 for _, count in charged)
    for service in stack.databases:
        assert rows(stack, service, "SELECT event_id, error FROM inbox WHERE state = 'dead'") == []
    for person in (journeys.client, journeys.worker):
        told = rows(
            stack,
            "notifications",
            "SELECT data->>'order_id', type FROM notifications WHERE user_id = %s AND data->>'order_id' = ANY(%s)",
            person.id,
            wanted,
        )
        for order_id in wanted:
            assert Counter(kind for of, kind in told if of == order_id) == TOLD_OF_EACH_ORDER
        seqs = rows(stack, "notifications", "SELECT seq FROM notifications WHERE user_id = %s ORDER BY seq", person.id)
        assert [seq for (seq,) in seqs] == list(range(1, len(seqs) + 1))


_COUNT_ORDERS = "SELECT count(*) FROM orders WHERE id = ANY(%s::uuid[])"
_TOLD = "SELECT count(*) FROM notifications WHERE user_id = %s AND data->>'order_id' = ANY(%s)"


def rows(stack: Stack, service: str, query: str, *values: Any) -> list[tuple[Any, ...]]:
    """What the service's own database says."""
    with psycopg.connect(stack.databases[service]) as connection:
        return connection.execute(query.encode(), values).fetchall()


def one(stack: Stack, service: str, query: str, *values: Any) -> Any:
    return rows(stack, service, query, *values)[0][0]
