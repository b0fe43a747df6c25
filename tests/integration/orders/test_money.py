"""An order follows its payments, in whatever order they are told of; what a cancelled one took goes back."""

import asyncio
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text

from marketplace.system import System
from tests.integration.orders.money import PRICE, Money, refunds_asked
from tests.support.events import tell, told, updated
from tests.support.people import Person, expect
from tests.support.waiting import eventually


@pytest.fixture
async def order(client: Person, worker: Person) -> dict[str, Any]:
    return await client.order((await worker.offer(price=str(PRICE)))["id"])


async def read(person: Person, order: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = expect(await person.get(f"/api/orders/{order['id']}/"), 200)
    return found


@pytest.fixture
def money(system: System, order: dict[str, Any]) -> Money:
    return Money(system, order)


async def test_an_order_is_paid_then_partly_and_then_wholly_refunded(
    client: Person, order: dict[str, Any], money: Money
) -> None:
    seen = []
    for event in (money.completed(), money.refunded(3, "50000.00"), money.refunded(4, "150000.00")):
        await money.is_told(event)
        seen.append((await read(client, order))["payment_status"])

    assert seen == ["paid", "partially_refunded", "refunded"]


async def test_the_newest_state_of_a_payment_holds_whatever_comes_after_it(
    client: Person, order: dict[str, Any], money: Money
) -> None:
    await money.is_told(money.refunded(4, "150000.00"), money.completed(), money.refunded(3, "50000.00"))

    assert (await read(client, order))["payment_status"] == "refunded"


async def test_an_order_that_is_paid_anew_after_a_refund_is_paid(
    system: System, client: Person, order: dict[str, Any], money: Money
) -> None:
    another = Money(system, order)
    await money.is_told(money.completed(), money.refunded(3, "150000.00"))

    await another.is_told(another.completed())

    assert (await read(client, order))["payment_status"] == "paid"


async def test_client_and_worker_are_told_of_a_refund(
    client: Person, worker: Person, order: dict[str, Any], money: Money
) -> None:
    await money.is_told(money.refunded(3, "50000.00"))

    for person in (client, worker):
        last = (await person.notifications())[-1]
        assert (last["type"], last["title"].replace("\N{NO-BREAK SPACE}", " ")) == (
            "payment_refunded",
            f"{order['number']}-buyurtma uchun to‘langan puldan 50 000,00 UZS qaytarildi",
        )
        assert (last["data"]["order_id"], last["data"]["refund_amount"]) == (order["id"], "50000.00")


async def test_a_paid_order_that_is_cancelled_asks_for_its_refund(
    system: System, client: Person, order: dict[str, Any]
) -> None:
    payment = expect(await client.pay(order["id"]), 201)

    async def paid() -> bool:
        return bool((await read(client, order))["payment_status"] == "paid")

    await eventually(paid)
    assert await refunds_asked(system, order) == []

    expect(await client.move(order["id"], "cancelled"), 200)

    assert await refunds_asked(system, order) == [payment["id"]]

    async def noted() -> Any:
        async with system.apps["payments"].state.platform.database.session() as session:
            asked = text("SELECT order_id, reason FROM refund_requests WHERE payment_id = :id")
            return (await session.exec(asked.bindparams(id=UUID(payment["id"])))).first()

    assert tuple(await eventually(noted)) == (UUID(order["id"]), "order-cancelled")


async def test_an_order_that_the_system_cancels_asks_for_its_refund_too(
    system: System, client: Person, order: dict[str, Any], money: Money
) -> None:
    await money.is_told(money.completed())

    await told(system, updated(client, 2, is_active=False), "orders")

    assert await refunds_asked(system, order) == [str(money.id)]


async def test_money_that_comes_for_a_cancelled_order_is_asked_to_go_back(
    system: System, client: Person, order: dict[str, Any], money: Money
) -> None:
    expect(await client.move(order["id"], "cancelled"), 200)
    assert await refunds_asked(system, order) == []

    await money.is_told(money.completed())

    assert await refunds_asked(system, order) == [str(money.id)]


async def test_a_refund_is_asked_for_once_a_payment(
    system: System, client: Person, order: dict[str, Any], money: Money
) -> None:
    another = Money(system, order)
    await money.is_told(money.refunded(3, "50000.00"))
    expect(await client.move(order["id"], "cancelled"), 200)

    await money.is_told(money.completed(), money.refunded(4, "60000.00"))
    await another.is_told(another.completed(), another.completed())

    assert await refunds_asked(system, order) == [str(money.id), str(another.id)]


async def test_of_what_went_back_already_nothing_is_asked(
    system: System, client: Person, order: dict[str, Any], money: Money
) -> None:
    await money.is_told(money.refunded(3, "150000.00"))

    expect(await client.move(order["id"], "cancelled"), 200)

    assert await refunds_asked(system, order) == []


async def test_of_a_cancel_and_a_payment_at_once_neither_misses_the_other(
    system: System, client: Person, worker: Person
) -> None:
    service = await worker.offer(price=str(PRICE))
    for _ in range(10):
        order = await client.order(service["id"])
        money = Money(system, order)

        cancelled, _ = await asyncio.gather(
            client.move(order["id"], "cancelled"), tell(system, money.completed(), "payments")
        )

        async def paid(order: dict[str, Any] = order) -> bool:
            return bool((await read(client, order))["payment_status"] == "paid")

        expect(cancelled, 200)
        await eventually(paid)
        assert await refunds_asked(system, order) == [str(money.id)]
