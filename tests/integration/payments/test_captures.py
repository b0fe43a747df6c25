"""What a provider tells us by calls of its own: in any order, again, at once, and after the order is gone."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import delete
from sqlmodel import col

from marketplace.system import System
from services.payments.domain import Method, Unpayable
from services.payments.models import OrderCopy, Payment
from services.payments.repo.payments import payment as read
from services.payments.service import captures
from services.payments.service.attempts import Terms, Wish, open_for
from services.payments.service.orders import NotPayable, lock_known_order_by_number
from shared.db import Session
from shared.errors import NotFound
from tests.integration.payments.books import accounts, assert_balanced, database, kinds, known, shown, when
from tests.integration.payments.providers import live
from tests.support.people import Person, expect
from tests.support.waiting import eventually


@pytest.fixture(autouse=True)
def providers(system: System) -> Iterator[None]:
    with live(system):
        yield


@pytest.fixture
async def order(client: Person, worker: Person) -> dict[str, Any]:
    return await client.order((await worker.offer(price="100000.00"))["id"])


@pytest.fixture
async def attempt(client: Person, order: dict[str, Any]) -> dict[str, Any]:
    opened: dict[str, Any] = expect(
        await client.post(f"/api/payments/order/{order['id']}/pay/", {"method": "payme"}), 201
    )
    return opened


async def told(system: System, payment_id: str, what: Callable[[Session, Payment], Awaitable[Payment]]) -> Payment:
    """Let the provider tell something of the payment, in a transaction of its own."""
    async with database(system).session() as session:
        payment = await read(session, UUID(payment_id))
        assert payment
        return await what(session, payment)


async def captured(session: Session, payment: Payment) -> Payment:
    return await captures.capture(session, payment, "theirs-1")


async def failed(session: Session, payment: Payment) -> Payment:
    return await captures.fail(session, payment, "timeout")


async def opened(system: System, number: str, method: Method = Method.CLICK) -> Payment:
    """Let a payer type the number into the provider's app."""
    state = system.apps["payments"].state
    async with database(system).session() as session:
        terms = Terms(state.settings, state.providers)
        order = await lock_known_order_by_number(session, state.platform.internal, number, terms.settings.payable_from)
        if order is None:
            raise NotFound("There is no such order.")
        return (await open_for(session, terms, order, Wish(method))).payment


async def may_capture(system: System, payment_id: str) -> bool:
    async with database(system).session() as session:
        payment = await read(session, UUID(payment_id))
        assert payment
        return await captures.may_capture(session, system.apps["payments"].state.platform.internal, payment)


async def payment_status(client: Person, order: dict[str, Any]) -> str:
    found: str = expect(await client.get(f"/api/orders/{order['id']}/"), 200)["payment_status"]
    return found


async def test_a_capture_completes_the_attempt_however_often_and_in_parallel_it_is_told(
    system: System, client: Person, order: dict[str, Any], attempt: dict[str, Any]
) -> None:
    await asyncio.gather(*(told(system, attempt["id"], captured) for _ in range(5)))

    seen = await shown(client, attempt["id"])
    assert (seen["status"], seen["transaction_id"]) == ("completed", "theirs-1")
    assert await kinds(system, order["id"]) == ["payment"]
    assert await accounts(system, order["id"]) == {"clearing:payme": "-100000.00", "escrow": "100000.00"}
    await assert_balanced(system)


async def test_a_failure_frees_the_order(
    system: System, client: Person, order: dict[str, Any], attempt: dict[str, Any]
) -> None:
    for _ in range(2):
        await told(system, attempt["id"], failed)

    seen = await shown(client, attempt["id"])
    assert (seen["status"], seen["failure_code"]) == ("failed", "timeout")
    assert (await opened(system, order["number"])).id != UUID(attempt["id"])


async def test_a_failure_after_the_capture_takes_nothing_away(
    system: System, client: Person, attempt: dict[str, Any]
) -> None:
    await told(system, attempt["id"], captured)
    await told(system, attempt["id"], failed)

    assert (await shown(client, attempt["id"]))["status"] == "completed"


async def test_a_second_capture_of_an_order_is_a_duplicate_and_goes_back(
    system: System, client: Person, admin: Person, order: dict[str, Any], attempt: dict[str, Any]
) -> None:
    second = await opened(system, order["number"])
    assert (await shown(client, attempt["id"]))["status"] == "cancelled"
    await told(system, str(second.id), captured)

    await told(system, attempt["id"], captured)

    late = await when(client, attempt["id"], lambda seen: bool(seen["refunds"]) and seen["refunds"][0]["manual_reason"])
    assert (late["status"], late["duplicate"]) == ("completed", True)
    assert [(r["amount"], r["reason"], r["status"]) for r in late["refunds"]] == [("100000.00", "duplicate", "manual")]
    assert await accounts(system, order["id"]) == {
        "clearing:click": "-100000.00",
        "clearing:payme": "-100000.00",
        "escrow": "100000.00",
        "refunds_due": "100000.00",
    }
    await assert_balanced(system)
    expect(await admin.post(f"/api/payments/refunds/{late['refunds'][0]['id']}/done/"), 200)
    assert (await shown(client, attempt["id"]))["status"] == "refunded"

    async def is_paid_once() -> bool:
        return await payment_status(client, order) == "paid"

    await eventually(is_paid_once)
    await assert_balanced(system)


async def test_money_for_an_attempt_that_was_given_up_pays_the_order_if_nothing_else_does(
    system: System, client: Person, attempt: dict[str, Any]
) -> None:
    expect(await client.post(f"/api/payments/{attempt['id']}/cancel/"), 200)

    await told(system, attempt["id"], captured)

    seen = await shown(client, attempt["id"])
    assert (seen["status"], seen["duplicate"], seen["refunds"]) == ("completed", False, [])
    await assert_balanced(system)


async def test_money_for_a_cancelled_order_is_recorded_and_goes_back(
    system: System, client: Person, order: dict[str, Any], attempt: dict[str, Any]
) -> None:
    await told(system, attempt["id"], captures.hold)
    assert await may_capture(system, attempt["id"])
    expect(await client.move(order["id"], "cancelled"), 200)
    await known(system, order, "cancelled")
    assert not await may_capture(system, attempt["id"])

    await told(system, attempt["id"], captured)

    seen = await shown(client, attempt["id"])
    assert [(r["amount"], r["reason"]) for r in seen["refunds"]] == [("100000.00", "order-cancelled")]
    await assert_balanced(system)


async def test_of_a_capture_and_a_cancel_at_once_the_money_is_never_kept(
    system: System, client: Person, worker: Person
) -> None:
    service = await worker.offer(price="100000.00")
    for _ in range(5):
        order = await client.order(service["id"])
        payment = await opened(system, order["number"])

        await asyncio.gather(told(system, str(payment.id), captured), client.move(order["id"], "cancelled"))

        seen = await when(client, str(payment.id), lambda seen: bool(seen["refunds"]))
        assert [r["amount"] for r in seen["refunds"]] == ["100000.00"]
        await assert_balanced(system)


async def test_a_number_typed_at_the_provider_opens_an_attempt_or_finds_it(
    system: System, client: Person, order: dict[str, Any]
) -> None:
    first = await opened(system, order["number"])

    assert (first.client_id, str(first.amount), first.status) == (UUID(client.id), "100000.00", "pending")
    assert (await opened(system, order["number"])).id == first.id
    assert expect(await client.post(f"/api/payments/order/{order['id']}/pay/", {"method": "click"}), 200)["id"] == str(
        first.id
    )


async def test_orders_is_asked_of_a_number_that_payments_does_not_know_yet(
    system: System, order: dict[str, Any]
) -> None:
    await known(system, order, "pending")
    async with database(system).session() as session:
        await session.exec(delete(OrderCopy).where(col(OrderCopy.id) == UUID(order["id"])))

    assert (await opened(system, order["number"])).order_id == UUID(order["id"])


@pytest.mark.parametrize("number", ["2026-999999999", "nothing", "", "../users", "2026-1\x00", "٢٠٢٦-1", "9" * 400])
async def test_a_number_that_is_no_orders_is_not_found(system: System, number: str) -> None:
    with pytest.raises(NotFound):
        await opened(system, number)


async def test_an_order_that_can_not_be_paid_says_why_to_the_provider(
    system: System, client: Person, order: dict[str, Any], attempt: dict[str, Any]
) -> None:
    async def refused() -> Unpayable:
        with pytest.raises(NotPayable) as refusal:
            await opened(system, order["number"])
        return refusal.value.reason

    await told(system, attempt["id"], captures.hold)
    assert await refused() == Unpayable.BUSY
    await told(system, attempt["id"], captured)
    assert await refused() == Unpayable.PAID
    expect(await client.move(order["id"], "cancelled"), 200)
    await known(system, order, "cancelled")
    assert await refused() == Unpayable.CANCELLED


async def test_what_the_provider_sends_back_by_itself_does_the_refunds_that_wait_for_a_person(
    system: System, client: Person, admin: Person, order: dict[str, Any], attempt: dict[str, Any]
) -> None:
    await told(system, attempt["id"], captured)
    expect(await admin.post(f"/api/payments/{attempt['id']}/refund/", {"amount": "30000.00"}), 201)

    for _ in range(2):
        await told(system, attempt["id"], captures.refunded_by_provider)

    seen = await shown(client, attempt["id"])
    assert (seen["status"], seen["refunded"]) == ("refunded", "100000.00")
    assert [(r["amount"], r["status"], r["reason"]) for r in seen["refunds"]] == [
        ("30000.00", "completed", None),
        ("70000.00", "completed", "sent-back-by-provider"),
    ]
    assert await accounts(system, order["id"]) == {}
    await assert_balanced(system)
