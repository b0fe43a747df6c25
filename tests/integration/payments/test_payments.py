import asyncio
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlmodel import col, select

from marketplace.system import System
from services.payments.models import FakeCharge, OrderCopy, Payment
from services.payments.providers import Card, CardToken, Charge, OutcomeUnknown
from services.payments.providers.fake import FakeGateway
from tests.support.people import Person, expect, register
from tests.support.waiting import eventually


@pytest.fixture
async def order(client: Person, worker: Person) -> dict[str, Any]:
    return await client.order((await worker.offer(price="99000.50"))["id"])


async def charges_of(system: System, order_id: str) -> list[FakeCharge]:
    """What the gateway's own books say of the order."""
    async with system.apps["payments"].state.platform.database.session() as session:
        references = select(Payment.id).where(Payment.order_id == UUID(order_id))
        charged = select(FakeCharge).where(col(FakeCharge.reference).in_(references))
        return list((await session.exec(charged)).all())


async def test_the_amount_is_the_orders(client: Person, order: dict[str, Any]) -> None:
    payment = expect(await client.pay(order["id"]), 201)

    assert (payment["status"], payment["amount"], payment["currency"]) == ("completed", "99000.50", "UZS")
    assert (payment["card_brand"], payment["card_last4"]) == ("visa", "4242")
    assert payment["transaction_id"]


async def test_an_amount_from_the_client_is_refused(client: Person, order: dict[str, Any]) -> None:
    answer = await client.post(f"/api/payments/order/{order['id']}/pay/", {"method": "payme", "amount": "1.00"})

    assert expect(answer, 422)["errors"][0]["field"] == "amount"


@pytest.mark.parametrize("method", ["payme", "click"])
async def test_every_method_pays_through_the_fake_gateway(client: Person, order: dict[str, Any], method: str) -> None:
    payment = expect(await client.post(f"/api/payments/order/{order['id']}/pay/", {"method": method}), 201)

    assert (payment["status"], payment["method"]) == ("completed", method)


@pytest.mark.parametrize(
    ("number", "code"), [("4000000000000002", "card-declined"), ("4000000000009995", "insufficient-funds")]
)
async def test_a_declined_card_says_why_and_another_may_pay(
    client: Person, order: dict[str, Any], number: str, code: str
) -> None:
    declined = expect(await client.pay(order["id"], number=number), 201)
    paid = expect(await client.pay(order["id"]), 201)

    assert (declined["status"], declined["failure_code"]) == ("failed", code)
    assert (paid["status"], paid["id"] != declined["id"]) == ("completed", True)


async def test_a_paid_order_is_not_paid_again(system: System, client: Person, order: dict[str, Any]) -> None:
    expect(await client.pay(order["id"]), 201)

    again = await client.pay(order["id"])

    assert expect(again, 409)["type"] == "already-paid"
    assert len(await charges_of(system, order["id"])) == 1


async def test_of_twenty_pays_at_once_one_charges(system: System, client: Person, order: dict[str, Any]) -> None:
    answers = await asyncio.gather(*(client.pay(order["id"]) for _ in range(20)))

    assert {answer.status_code for answer in answers} <= {200, 201, 409, 503}
    assert [answer.status_code for answer in answers].count(201) == 1
    assert [charge.declined_as for charge in await charges_of(system, order["id"])] == [None]


async def test_a_lost_answer_is_pending_until_the_gateway_is_asked(
    system: System, client: Person, order: dict[str, Any]
) -> None:
    payment = expect(await client.pay(order["id"], number="4000000000000119"), 201)
    assert payment["status"] == "pending"

    async def completed() -> bool:
        seen = expect(await client.get(f"/api/payments/{payment['id']}/"), 200)
        return bool(seen["status"] == "completed")

    await eventually(completed)
    assert len(await charges_of(system, order["id"])) == 1


async def test_a_charge_that_never_reached_the_gateway_is_voided_there_before_it_counts_as_failed(
    system: System, client: Person, order: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def die_on_the_way(gateway: FakeGateway, payment: Payment, source: Card | CardToken | None) -> Charge:
        raise OutcomeUnknown

    charge = FakeGateway.charge
    monkeypatch.setattr(FakeGateway, "charge", die_on_the_way)
    payment = expect(await client.pay(order["id"]), 201)
    assert payment["status"] == "pending"

    async def failed() -> bool:
        seen = expect(await client.get(f"/api/payments/{payment['id']}/"), 200)
        return bool(seen["status"] == "failed")

    await eventually(failed)
    gateway = system.apps["payments"].state.providers.of("fake", "card")
    async with system.apps["payments"].state.platform.database.session() as session:
        row = (await session.exec(select(Payment).where(Payment.id == UUID(payment["id"])))).one()
    late = await charge(gateway, row, None)
    assert late.declined_as == "voided"
    monkeypatch.undo()
    assert expect(await client.pay(order["id"]), 201)["status"] == "completed"


async def test_a_cancelled_order_can_not_be_paid(system: System, client: Person, order: dict[str, Any]) -> None:
    expect(await client.move(order["id"], "cancelled"), 200)

    async def cancel_is_known() -> bool:
        async with system.apps["payments"].state.platform.database.session() as session:
            copy = await session.get(OrderCopy, UUID(order["id"]))
            return copy is not None and copy.status == "cancelled"

    await eventually(cancel_is_known)
    assert expect(await client.pay(order["id"]), 409)["type"] == "order-cancelled"
    assert await charges_of(system, order["id"]) == []


async def test_strangers_neither_pay_nor_see(client: Person, order: dict[str, Any]) -> None:
    stranger = await register(client.http, "client")
    payment = expect(await client.pay(order["id"]), 201)

    assert (await stranger.pay(order["id"])).status_code == 404
    assert (await stranger.get(f"/api/payments/{payment['id']}/")).status_code == 404
    assert (await client.pay(str(uuid4()))).status_code == 404
    assert expect(await stranger.get("/api/payments/"), 200)["results"] == []


@pytest.mark.parametrize(
    "card",
    [{"number": "4242424242424241"}, {"exp_year": 2020}, {"number": "4242"}, {"cvc": "12345"}, {"exp_month": 13}],
)
async def test_a_card_that_can_not_be_one_is_refused_and_not_repeated(
    client: Person, order: dict[str, Any], card: dict[str, Any]
) -> None:
    answer = await client.pay(order["id"], **card)

    assert answer.status_code == 422
    assert "4242" not in answer.text
    assert "12345" not in answer.text


async def test_a_card_only_where_it_belongs(client: Person, order: dict[str, Any]) -> None:
    path = f"/api/payments/order/{order['id']}/pay/"

    assert (await client.post(path, {"method": "card"})).status_code == 422
    assert (await client.post(path, {"method": "cash"})).status_code == 422
