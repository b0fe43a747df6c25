"""A payment that is sent again under the same key is made once, and answered as the first time, also after a crash."""

import asyncio
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import update

from marketplace.system import System
from services.payments.flows.keyed import GIVEN_UP
from services.payments.models import KeyedCall, Payment
from services.payments.providers import Card, CardToken, Charge
from services.payments.providers.fake import FakeGateway
from services.payments.service import captures
from shared.errors import Unavailable
from tests.integration.payments.books import database, moved_at_the_gateway
from tests.support.events import erased, settings_changed, tables_with, told
from tests.support.people import ALWAYS_PAYS, Person, expect

PRICE = 99000


@pytest.fixture
async def order(client: Person, worker: Person) -> dict[str, Any]:
    return await client.order((await worker.offer(price="99000.00"))["id"])


@pytest.fixture
def key() -> str:
    return f"key-{uuid4()}"


async def pay(client: Person, order: dict[str, Any], key: str, **more: Any) -> Any:
    body = {"method": "card", "card": ALWAYS_PAYS} | more
    return await client.post(f"/api/payments/order/{order['id']}/pay/", body, key)


async def test_a_repeat_is_given_the_first_answer(
    system: System, client: Person, order: dict[str, Any], key: str
) -> None:
    first = await pay(client, order, key)
    assert expect(first, 201)["status"] == "completed"

    again = await pay(client, order, key)

    assert (again.status_code, again.content) == (201, first.content)
    assert ("idempotent-replayed" in first.headers, again.headers["idempotent-replayed"]) == (False, "true")
    assert again.headers["cache-control"] == "no-store"
    assert await moved_at_the_gateway(system, order["id"]) == (PRICE, 0)


async def test_a_declined_payment_stays_declined_under_its_key_and_a_new_key_pays(
    client: Person, order: dict[str, Any], key: str
) -> None:
    declined = expect(await pay(client, order, key, card=ALWAYS_PAYS | {"number": "4000000000000002"}), 201)

    assert expect(await pay(client, order, key, card=ALWAYS_PAYS | {"number": "4000000000000002"}), 201) == declined
    assert expect(await pay(client, order, f"{key}-2"), 201)["status"] == "completed"


async def test_a_key_with_another_body_is_refused_and_a_card_is_no_part_of_it(
    system: System, client: Person, order: dict[str, Any], key: str
) -> None:
    first = await pay(client, order, key)

    problem = expect(await client.post(f"/api/payments/order/{order['id']}/pay/", {"method": "payme"}, key), 422)
    other_card = await pay(client, order, key, card=ALWAYS_PAYS | {"number": "8600495473316478"})

    assert problem["type"] == "idempotency-key-reused"
    assert other_card.content == first.content


async def test_a_refusal_is_not_kept(system: System, client: Person, order: dict[str, Any], key: str) -> None:
    expect(await pay(client, order, f"{key}-1"), 201)
    assert expect(await pay(client, order, key), 409)["type"] == "already-paid"

    assert "keyed_calls" not in await tables_with(system, "payments", key + ",")


async def test_a_repeat_while_the_first_is_at_work_is_told_so(
    system: System, client: Person, order: dict[str, Any], key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    charge, begun, go_on = FakeGateway.charge, asyncio.Event(), asyncio.Event()

    async def slow(gateway: FakeGateway, payment: Payment, source: Card | CardToken | None) -> Charge:
        begun.set()
        await go_on.wait()
        return await charge(gateway, payment, source)

    monkeypatch.setattr(FakeGateway, "charge", slow)
    with settings_changed(system, "payments", void_after=timedelta(hours=1)):
        first = asyncio.create_task(pay(client, order, key))
        await begun.wait()
        busy = await pay(client, order, key)
        go_on.set()
        assert expect(await first, 201)["status"] == "completed"

    assert (expect(busy, 409)["type"], busy.headers["retry-after"]) == ("in-progress", "1")
    assert expect(await pay(client, order, key), 201)["status"] == "completed"
    assert await moved_at_the_gateway(system, order["id"]) == (PRICE, 0)


async def test_of_many_at_once_with_one_key_one_is_made(
    system: System, client: Person, order: dict[str, Any], key: str
) -> None:
    answers = await asyncio.gather(*(pay(client, order, key) for _ in range(10)))

    made = {answer.content for answer in answers if answer.status_code == 201}
    assert {answer.status_code for answer in answers} <= {201, 409, 503}
    assert len(made) == 1
    assert await moved_at_the_gateway(system, order["id"]) == (PRICE, 0)


async def test_after_a_crash_the_answer_is_made_from_the_payment(
    system: System, client: Person, order: dict[str, Any], key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def die(*_: Any) -> None:
        raise Unavailable("The database did not answer in time.")

    monkeypatch.setattr(captures, "settle", die)
    assert (await pay(client, order, key)).status_code == 503
    assert expect(await pay(client, order, key), 409)["type"] == "in-progress"
    monkeypatch.undo()
    async with database(system).session() as session:
        earlier = KeyedCall.begun_at - (GIVEN_UP + timedelta(seconds=1))  # type: ignore[operator]
        await session.exec(update(KeyedCall).where(KeyedCall.key == key).values(begun_at=earlier))  # type: ignore[arg-type]

    rebuilt = await pay(client, order, key)

    assert rebuilt.headers["idempotent-replayed"] == "true"
    assert expect(rebuilt, 201)["order_id"] == order["id"]
    assert (await pay(client, order, key)).content == rebuilt.content
    assert await moved_at_the_gateway(system, order["id"]) == (PRICE, 0)


async def test_no_card_number_is_kept_and_of_an_erased_client_no_key(
    system: System, client: Person, order: dict[str, Any], key: str
) -> None:
    expect(await pay(client, order, key), 201)
    assert await tables_with(system, "payments", key) == {"idempotency_keys", "keyed_calls"}
    assert await tables_with(system, "payments", ALWAYS_PAYS["number"]) == set()  # type: ignore[arg-type]

    await told(system, erased(client, 2), "payments")

    assert await tables_with(system, "payments", key) == set()
