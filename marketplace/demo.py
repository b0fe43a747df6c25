"""One order's whole journey against a running system, as a client and a worker would live it."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
from websockets.asyncio.client import connect
from websockets.exceptions import WebSocketException

from shared.ids import new_id

CARD = {"number": "4242424242424242", "exp_month": 12, "exp_year": 2099, "cvc": "123"}
PATIENCE = 10.0
"""Seconds that a notification may take to arrive."""


class DemoFailed(Exception):
    """Says in one line what went wrong."""


@dataclass
class Person:
    """One of the two: logged in, and listening."""

    name: str
    user_id: str
    http: httpx.AsyncClient
    heard: dict[tuple[str, str | None], float] = field(default_factory=dict)
    """(type, status of the order) → when it arrived."""
    seqs: list[int] = field(default_factory=list)
    news: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def call(self, method: str, path: str, body: Any = None) -> dict[str, Any]:
        answer = await self.http.request(method, path, json=body)
        if answer.is_error:
            raise DemoFailed(f"{method} {path} answered {answer.status_code}: {answer.text[:300]}")
        result: dict[str, Any] = answer.json()
        return result


async def play(url: str) -> None:
    """Play the journey and print it. Raises `DemoFailed` if a step fails or a notification is missing."""
    url = url.rstrip("/")
    began = time.perf_counter()
    try:
        async with _person(url, "client") as client, _person(url, "worker") as worker:
            await _journey(client, worker)
    except (httpx.HTTPError, OSError, WebSocketException) as error:
        raise DemoFailed(f"{url} can't be reached: {error!r}") from error
    print(f"\nAll there: the whole journey took {time.perf_counter() - began:.2f} s.")


async def _journey(client: Person, worker: Person) -> None:
    both = (client, worker)
    category = (await worker.call("GET", "/api/services/categories/"))["results"][0]
    offer = {
        "title": "Leaking tap repair",
        "description": "Same day, tools included.",
        "category_id": category["id"],
        "price": "150000.00",
    }
    service = await worker.call("POST", "/api/services/", offer)
    _step(f"the worker offers “{service['title']}” for {service['price']} {service['currency']}")

    moment = time.perf_counter()
    wish = {"service_id": service["id"], "description": "The kitchen tap drips.", "address": "1 Navoi St, Tashkent"}
    order = await client.call("POST", "/api/orders/create/", wish)
    path = f"/api/orders/{order['id']}/"
    _step(f"the client orders it: {order['number']}, {order['total']} {order['currency']}, {order['status']}")
    await _hear(both, "order_created", "pending", moment)

    moment = time.perf_counter()
    order = await worker.call("POST", path + "assign/", {})
    _step(f"the worker accepts: {order['status']}")
    await _hear(both, "order_assigned", "assigned", moment)

    moment = time.perf_counter()
    pay = {"method": "card", "card": CARD}
    payment = await client.call("POST", f"/api/payments/order/{order['id']}/pay/", pay)
    amount = f"{payment['amount']} {payment['currency']}"
    _step(f"the client pays by card …{payment['card_last4']}: {amount}, {payment['status']}")
    await _hear(both, "payment_success", "completed", moment)

    for status, words in (("in_progress", "the worker starts"), ("completed", "the worker completes the order")):
        moment = time.perf_counter()
        order = await worker.call("POST", path + "status/", {"status": status})
        _step(f"{words}: {order['status']}")
        await _hear(both, "order_status_changed", status, moment)

    order = await client.call("GET", path)
    if (order["status"], order["payment_status"]) != ("completed", "paid"):
        raise DemoFailed(f"the order ended as {order['status']} and {order['payment_status']}")
    _step(f"the order is {order['status']} and {order['payment_status']}, after {len(order['history'])} moves")
    for person in both:
        if person.seqs != list(range(1, len(person.seqs) + 1)):
            raise DemoFailed(f"the {person.name}'s notifications came as {person.seqs}")


def _step(words: str) -> None:
    print(f"→ {words}")


async def _hear(people: tuple[Person, ...], kind: str, status: str, since: float) -> None:
    """Wait until all of them were told, and print how long after the call began each was."""
    for person in people:
        wanted = (kind, status)
        try:
            async with asyncio.timeout(PATIENCE), person.news:
                while wanted not in person.heard:
                    await person.news.wait()
        except TimeoutError:
            raise DemoFailed(f"the {person.name} was not told of {kind} ({status}) within {PATIENCE:g} s") from None
        delay = 1000 * (person.heard[wanted] - since)
        print(f"    {person.name:<6} hears {kind:<21} {delay:6.1f} ms")


@asynccontextmanager
async def _person(url: str, role: str) -> AsyncIterator[Person]:
    """A fresh user of that role, registered, with an open WebSocket."""
    # No environment proxies: the address is the one that was given.
    async with httpx.AsyncClient(base_url=url, timeout=15, trust_env=False) as http:
        person = Person(role, "", http)
        account = {
            "email": f"demo-{role}-{new_id()}@example.com",
            "password": f"demo-{new_id()}",
            "full_name": f"Demo {role}",
            "role": role,
        }
        login = await person.call("POST", "/api/auth/register/", account)
        person.user_id = login["user"]["id"]
        http.headers["Authorization"] = f"Bearer {login['access']}"
        print(f"→ a {role} registers: {login['user']['email']}")
        address = url.replace("http", "ws", 1) + "/ws/notifications/"
        async with connect(address, subprotocols=["bearer", login["access"]], proxy=None) as socket:  # type: ignore[list-item]
            ready = json.loads(await asyncio.wait_for(socket.recv(), PATIENCE))
            if ready != {"type": "ready", "last_seq": 0}:
                raise DemoFailed(f"the {role}'s WebSocket began with {ready}")
            listening = asyncio.create_task(_listen(socket, person))
            try:
                yield person
            finally:
                listening.cancel()


async def _listen(socket: Any, person: Person) -> None:
    async for text in socket:
        message = json.loads(text)
        async with person.news:
            person.heard.setdefault((message["type"], message["data"]["status"]), time.perf_counter())
            person.seqs.append(message["seq"])
            person.news.notify_all()
