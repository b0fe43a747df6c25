"""How a call arrives is what the delivery says, and orders to play with are real ones."""

import asyncio
from collections.abc import AsyncIterator
from decimal import Decimal

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request as Received
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from marketplace.errors import CannotStart
from marketplace.simulators.delivery import Delivery
from marketplace.simulators.orders import new_orders
from marketplace.simulators.sender import Request, Sender
from tests.support.asgi import serving_app
from tests.support.people import PASSWORD, Person
from tests.support.waiting import eventually


class Listener:
    """Notes each call when it is done with it. It answers as soon as there are `wanted` at once."""

    def __init__(self) -> None:
        self.done: list[bytes] = []
        self.wanted = 1
        self._came = 0

    async def call(self, request: Received) -> PlainTextResponse:
        body = await request.body()
        self._came += 1
        while self._came < self.wanted:
            await asyncio.sleep(0.001)
        self.done.append(body)
        return PlainTextResponse(str(len(self.done)))


@pytest.fixture
async def listener() -> AsyncIterator[tuple[Listener, str]]:
    listener = Listener()
    async with serving_app(Starlette(routes=[Route("/", listener.call, methods=["POST"])])) as url:
        yield listener, url


@pytest.mark.parametrize(
    ("delivery", "answers", "calls"),
    [
        (Delivery.ONCE, ["1"], 1),
        (Delivery.TWICE, ["1", "2"], 2),
        (Delivery.LOST, ["2"], 2),
        (Delivery.SLOW, ["1"], 1),
        (Delivery.PARALLEL, ["1", "2"], 2),
    ],
)
async def test_a_call_is_delivered_as_it_says(
    listener: tuple[Listener, str], delivery: Delivery, answers: list[str], calls: int
) -> None:
    heard, url = listener
    heard.wanted = 2 if delivery is Delivery.PARALLEL else 1
    sender = Sender(pause=0.01)

    got = await sender.send(Request("POST", url + "/", {"Content-Type": "text/json"}, b"0123456789"), delivery)

    assert sorted(answer.text for answer in got) == answers
    assert heard.done == [b"0123456789"] * calls
    await sender.close()


async def test_of_a_call_that_is_dropped_only_the_second_is_answered(listener: tuple[Listener, str]) -> None:
    heard, url = listener
    sender = Sender()

    got = await sender.send(Request("POST", url + "/", {}, b"x"), Delivery.DROPPED)

    assert len(got) == 1

    async def both() -> bool:
        return heard.done == [b"x", b"x"]

    await eventually(both)
    await sender.close()


async def test_a_client_orders_what_is_played_with(http: httpx.AsyncClient, client: Person, worker: Person) -> None:
    await worker.offer("150000.00")

    next_order = await new_orders(http, client.email, PASSWORD)
    orders = [await next_order() for _ in range(2)]

    assert orders[0].number != orders[1].number
    mine = (await client.get("/api/orders/")).json()["results"]
    assert {(order["number"], Decimal(order["total"])) for order in mine} == {(o.number, o.amount) for o in orders}
    assert orders[0].tiyin == int(orders[0].amount * 100)


async def test_who_can_not_log_in_can_not_play(http: httpx.AsyncClient) -> None:
    with pytest.raises(CannotStart):
        await new_orders(http, "nobody@example.com", PASSWORD)
