"""An order has one attempt at a time: gone on with, taken over, given up, or ended by time."""

import asyncio
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlmodel import col, select

from marketplace.system import System
from services.payments.models import Payment
from services.payments.repo.payments import payment as read
from services.payments.service import captures
from tests.integration.payments.books import assert_balanced, database, known, shown, when
from tests.integration.payments.providers import live
from tests.support.events import settings_changed
from tests.support.people import ALWAYS_PAYS, Person, expect, register

TOKEN = {"token": "tok_0123456789"}


@pytest.fixture
async def order(client: Person, worker: Person) -> dict[str, Any]:
    return await client.order((await worker.offer(price="99000.50"))["id"])


@pytest.fixture
def providers(system: System) -> Iterator[None]:
    with live(system):
        yield


async def pay(client: Person, order: dict[str, Any], method: str = "payme", **more: Any) -> Any:
    return await client.post(f"/api/payments/order/{order['id']}/pay/", {"method": method, **more})


async def hold(system: System, payment_id: str, *, held: bool = True) -> None:
    async with database(system).session() as session:
        payment = await read(session, UUID(payment_id))
        assert payment
        await (captures.hold if held else captures.release_hold)(session, payment)


async def active(system: System, order: dict[str, Any]) -> list[Payment]:
    async with database(system).session() as session:
        of_it = select(Payment).where(Payment.order_id == UUID(order["id"]))
        return list((await session.exec(of_it.where(col(Payment.status).in_(("pending", "completed"))))).all())


@pytest.mark.usefixtures("providers")
async def test_a_redirect_answers_pending_with_where_to_go_and_again_the_same(
    client: Person, order: dict[str, Any]
) -> None:
    first = expect(await pay(client, order), 201)

    assert (first["status"], first["checkout_url"]) == (
        "pending",
        f"https://pay.example.com/{order['number']}/99000.50",
    )
    assert expect(await pay(client, order), 200) == first


@pytest.mark.usefixtures("providers")
async def test_another_method_takes_over_what_nobody_has_touched(
    system: System, client: Person, order: dict[str, Any]
) -> None:
    first = expect(await pay(client, order), 201)

    second = expect(await pay(client, order, "click"), 201)
    third = expect(await pay(client, order, "card", card=TOKEN), 201)

    assert [(await shown(client, each["id"]))["status"] for each in (first, second, third)] == [
        "cancelled",
        "cancelled",
        "completed",
    ]
    assert expect(await pay(client, order), 409)["type"] == "already-paid"
    await assert_balanced(system)


@pytest.mark.usefixtures("providers")
async def test_what_a_providers_transaction_hangs_on_is_neither_taken_over_nor_given_up(
    system: System, client: Person, order: dict[str, Any]
) -> None:
    first = expect(await pay(client, order), 201)
    await hold(system, first["id"])

    assert expect(await pay(client, order, "click"), 409)["type"] == "payment-in-progress"
    assert expect(await client.post(f"/api/payments/{first['id']}/cancel/"), 409)["type"] == "payment-in-progress"
    assert expect(await pay(client, order), 200)["id"] == first["id"]

    await hold(system, first["id"], held=False)
    expect(await pay(client, order, "click"), 201)


@pytest.mark.usefixtures("providers")
async def test_of_twenty_pays_at_once_by_any_method_one_attempt_is_left(
    system: System, client: Person, order: dict[str, Any]
) -> None:
    methods = ("payme", "click") * 10

    answers = await asyncio.gather(*(pay(client, order, method) for method in methods))

    assert {answer.status_code for answer in answers} <= {200, 201, 503}
    assert len(await active(system, order)) == 1
    await assert_balanced(system)


@pytest.mark.usefixtures("providers")
async def test_a_client_gives_up_and_begins_anew(client: Person, worker: Person, order: dict[str, Any]) -> None:
    first = expect(await pay(client, order), 201)
    stranger = await register(client.http, "client")
    path = f"/api/payments/{first['id']}/cancel/"

    assert (await stranger.post(path)).status_code == 404
    assert (await worker.post(path)).status_code == 403
    given_up = expect(await client.post(path), 200)
    assert given_up["status"] == "cancelled"
    assert expect(await client.post(path), 200) == given_up

    assert expect(await pay(client, order), 201)["id"] != first["id"]


async def test_what_is_paid_is_not_given_up(client: Person, order: dict[str, Any]) -> None:
    paid = expect(await client.pay(order["id"]), 201)

    assert expect(await client.post(f"/api/payments/{paid['id']}/cancel/"), 409)["type"] == "already-paid"


@pytest.mark.usefixtures("providers")
async def test_an_attempt_that_nobody_touches_ends_and_one_that_is_held_does_not(
    system: System, client: Person, worker: Person
) -> None:
    service = await worker.offer()
    orders = [await client.order(service["id"]) for _ in range(2)]
    with settings_changed(system, "payments", payment_attempt_ttl=timedelta(seconds=1), payment_gateway="live"):
        held = expect(await pay(client, orders[0]), 201)
        await hold(system, held["id"])
        untouched = expect(await pay(client, orders[1]), 201)

    await when(client, untouched["id"], lambda seen: seen["status"] == "cancelled")

    assert (await shown(client, held["id"]))["status"] == "pending"


async def test_payment_may_wait_for_acceptance(
    system: System, client: Person, worker: Person, order: dict[str, Any]
) -> None:
    with settings_changed(system, "payments", payable_from="assigned"):
        assert expect(await client.pay(order["id"]), 409)["type"] == "not-payable-yet"
        assert await active(system, order) == []

        expect(await worker.accept(order["id"]), 200)
        expect(await client.pay(order["id"]), 201)


async def test_a_payer_is_sent_back_to_our_own_pages_alone(
    system: System, client: Person, order: dict[str, Any]
) -> None:
    with settings_changed(system, "payments", allowed_origins=("https://shop.uz",)):
        for wrong in ("https://evil.com/", "https://shop.uz/;x", "javascript:alert(1)"):
            problem = expect(await pay(client, order, return_url=wrong), 422)
            assert [error["field"] for error in problem["errors"]] == ["return_url"]
        assert await active(system, order) == []
        expect(await pay(client, order, return_url="https://shop.uz/orders/1"), 201)


@pytest.mark.usefixtures("providers")
async def test_a_card_number_never_comes_near_a_real_provider(client: Person, order: dict[str, Any]) -> None:
    answer = await pay(client, order, "card", card=ALWAYS_PAYS)

    assert [error["field"] for error in expect(answer, 422)["errors"]] == ["card.number"]
    assert "4242" not in answer.text


async def test_a_token_means_nothing_to_the_fake_gateway(client: Person, order: dict[str, Any]) -> None:
    problem = expect(await pay(client, order, "card", card=TOKEN), 422)

    assert [error["field"] for error in problem["errors"]] == ["card.token"]


async def test_a_method_without_a_provider_is_not_available_and_leaves_nothing(
    system: System, client: Person, order: dict[str, Any]
) -> None:
    with settings_changed(system, "payments", payment_gateway="live"):
        assert (await pay(client, order)).status_code == 503

    assert await active(system, order) == []


@pytest.mark.usefixtures("providers")
async def test_a_cancelled_order_opens_nothing(system: System, client: Person, order: dict[str, Any]) -> None:
    expect(await client.move(order["id"], "cancelled"), 200)
    await known(system, order, "cancelled")

    assert expect(await pay(client, order), 409)["type"] == "order-cancelled"
    assert await active(system, order) == []
