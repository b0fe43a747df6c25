"""Payme's calls and our orders: which can be paid by it, what holds them, and what becomes of the money."""

import asyncio
import base64
from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest
from sqlmodel import col, update

from marketplace.simulators.payme_play import new_id, now
from marketplace.system import System
from services.payments.models import OrderCopy, PaymeTransactionRow
from services.payments.repo.payments import payment as read
from services.payments.service import captures
from tests.integration.payments.books import accounts, assert_balanced, database, known, shown, when
from tests.integration.payments.payme.conftest import Stage
from tests.integration.payments.payme.playing import HALF_A_DAY, MERCHANT_ID, Order, Payme, stored, tiyin
from tests.integration.payments.providers import Page
from tests.support.events import settings_changed
from tests.support.people import Person, expect
from tests.support.waiting import eventually

NOT_NOW = -31008


@pytest.fixture
def click(system: System) -> Iterator[None]:
    """A page on which an order is paid otherwise."""
    state = system.apps["payments"].state
    before = state.providers
    state.providers = replace(before, of_methods={**before.of_methods, ("live", "click"): Page()})
    yield
    state.providers = before


async def pay(client: Person, order: Order, method: str = "payme", **more: Any) -> Any:
    return await client.post(f"/api/payments/order/{order['id']}/pay/", {"method": method, **more})


async def payments_of(client: Person, order: Order) -> list[dict[str, Any]]:
    """Of the order, oldest first."""
    found = expect(await client.get("/api/payments/"), 200)["results"]
    return [payment for payment in reversed(found) if payment["order_id"] == order["id"]]


async def cancelled(system: System, client: Person, order: Order) -> None:
    expect(await client.move(order["id"], "cancelled"), 200)
    await known(system, order, "cancelled")


async def test_a_payer_is_sent_to_paymes_page(stage: Stage, client: Person, order: Order) -> None:
    opened = expect(await pay(client, order, return_url="http://localhost:8000/orders"), 201)

    address, _, said = opened["checkout_url"].rpartition("/")
    assert (opened["status"], address) == ("pending", f"{stage.url}/payme")
    assert base64.b64decode(said).decode() == (
        f"m={MERCHANT_ID};ac.order_id={order['number']};a={tiyin(order)};c=http://localhost:8000/orders"
    )
    assert expect(await pay(client, order), 200) == opened


async def test_what_was_opened_by_pay_is_paid_by_paymes_calls(
    system: System, client: Person, order: Order, payme: Payme
) -> None:
    opened = expect(await pay(client, order), 201)

    transaction_id = await payme.paid(order)

    seen = await shown(client, opened["id"])
    assert (seen["status"], seen["transaction_id"]) == ("completed", transaction_id)
    assert await accounts(system, order["id"]) == {"clearing:payme": "-100000.00", "escrow": "100000.00"}

    async def is_paid() -> bool:
        return expect(await client.get(f"/api/orders/{order['id']}/"), 200)["payment_status"] == "paid"

    await eventually(is_paid)


async def test_a_number_typed_in_paymes_app_opens_an_attempt(client: Person, order: Order, payme: Payme) -> None:
    created = await payme.create(order)

    [attempt] = await payments_of(client, order)
    assert (attempt["id"], attempt["method"], attempt["status"]) == (created["transaction"], "payme", "pending")
    assert expect(await pay(client, order), 200)["id"] == attempt["id"]


@pytest.mark.parametrize("number", ["2026-999999999", "nothing", "../users", "٢٠٢٦-1"])
async def test_an_order_that_there_is_not_is_not_found(payme: Payme, order: Order, number: str) -> None:
    unknown = order | {"number": number}

    assert (await payme.check(unknown), await payme.create(unknown)) == (-31050, -31050)


async def test_a_wrong_amount_opens_nothing(client: Person, order: Order, payme: Payme) -> None:
    for total in ("100000.01", "99999.99", "0.00", "-100000.00"):
        wrong = order | {"total": total}
        assert (await payme.check(wrong), await payme.create(wrong)) == (-31001, -31001)

    assert await payments_of(client, order) == []


async def test_an_order_that_is_paid_or_cancelled_is_refused(
    system: System, client: Person, order: Order, payme: Payme
) -> None:
    await payme.paid(order)
    assert (await payme.check(order), await payme.create(order)) == (-31051, -31051)

    await cancelled(system, client, order)
    assert (await payme.check(order), await payme.create(order)) == (-31052, -31052)
    assert len(await payments_of(client, order)) == 1


async def test_payment_may_wait_for_acceptance(system: System, worker: Person, order: Order, payme: Payme) -> None:
    with settings_changed(system, "payments", payable_from="assigned"):
        assert (await payme.check(order), await payme.create(order)) == (-31053, -31053)

        expect(await worker.accept(order["id"]), 200)
        assert await payme.check(order) == {"allow": True}


@pytest.mark.usefixtures("click")
async def test_what_hangs_at_payme_is_neither_taken_over_nor_given_up_until_payme_cancels_it(
    client: Person, order: Order, payme: Payme
) -> None:
    opened = expect(await pay(client, order), 201)
    await payme.create(order, transaction_id := new_id())

    assert expect(await pay(client, order, "click"), 409)["type"] == "payment-in-progress"
    assert expect(await client.post(f"/api/payments/{opened['id']}/cancel/"), 409)["type"] == "payment-in-progress"

    assert (await payme.cancel(transaction_id, 2))["state"] == -1
    seen = await shown(client, opened["id"])
    assert (seen["status"], seen["failure_code"]) == ("failed", "debit-failed")
    expect(await pay(client, order, "click"), 201)


@pytest.mark.usefixtures("click")
async def test_payme_takes_over_what_nobody_has_touched_at_another_provider(
    client: Person, order: Order, payme: Payme
) -> None:
    untouched = expect(await pay(client, order, "click"), 201)

    assert (await payme.create(order))["state"] == 1

    assert (await shown(client, untouched["id"]))["status"] == "cancelled"


@pytest.mark.usefixtures("click")
async def test_what_hangs_at_another_provider_is_not_taken_over(
    system: System, client: Person, order: Order, payme: Payme
) -> None:
    held = expect(await pay(client, order, "click"), 201)
    async with database(system).session() as session:
        payment = await read(session, UUID(held["id"]))
        assert payment
        await captures.hold(session, payment)

    assert (await payme.check(order), await payme.create(order)) == (NOT_NOW, NOT_NOW)
    assert (await shown(client, held["id"]))["status"] == "pending"


async def test_of_ten_transactions_at_once_one_is_created(client: Person, order: Order, payme: Payme) -> None:
    answers = await asyncio.gather(*(payme.create(order) for _ in range(10)))

    assert sorted(answer if isinstance(answer, int) else 1 for answer in answers) == [*[NOT_NOW] * 9, 1]
    assert len(await payments_of(client, order)) == 1


async def test_an_order_is_paid_once_and_may_be_paid_again_when_all_went_back(
    system: System, client: Person, order: Order, payme: Payme
) -> None:
    first = await payme.paid(order)
    assert (await payme.cancel(first))["state"] == -2

    second = await payme.paid(order)

    assert [(p["status"], p["transaction_id"]) for p in await payments_of(client, order)] == [
        ("refunded", first),
        ("completed", second),
    ]
    await assert_balanced(system)


async def test_a_cancelled_order_is_not_performed_and_orders_is_asked_once(
    system: System, client: Person, order: Order, payme: Payme, monkeypatch: pytest.MonkeyPatch
) -> None:
    internal = system.apps["payments"].state.platform.internal
    asked, find = [], internal.find

    async def counted(target: str, path: str, **more: Any) -> Any:
        asked.append((target, path))
        return await find(target, path, **more)

    await payme.create(order, transaction_id := new_id())
    await cancelled(system, client, order)
    monkeypatch.setattr(internal, "find", counted)

    assert await payme.perform(transaction_id) == NOT_NOW

    assert asked == [("orders", f"/internal/orders/{order['id']}/")]
    assert (await payme.look(transaction_id))["state"] == 1
    assert (await payme.cancel(transaction_id, 3))["state"] == -1
    [attempt] = await payments_of(client, order)
    assert (attempt["status"], attempt["failure_code"]) == ("failed", "transaction-failed")
    assert await accounts(system, order["id"]) == {}


async def test_a_copy_that_wrongly_says_cancelled_refuses_nobody(system: System, order: Order, payme: Payme) -> None:
    await payme.create(order, transaction_id := new_id())
    async with database(system).session() as session:
        copy = update(OrderCopy).where(col(OrderCopy.id) == UUID(order["id"]))
        await session.exec(copy.values(status="cancelled", version=0))

    assert (await payme.perform(transaction_id))["state"] == 2


async def test_of_a_perform_and_a_cancel_of_the_order_at_once_no_money_is_kept(
    system: System, client: Person, worker: Person, payme: Payme
) -> None:
    service = await worker.offer(price="100000.00")
    for _ in range(5):
        order = await client.order(service["id"])
        await payme.create(order, transaction_id := new_id())

        performed, _ = await asyncio.gather(payme.perform(transaction_id), client.move(order["id"], "cancelled"))

        [attempt] = await payments_of(client, order)
        if performed == NOT_NOW:
            assert attempt["status"] == "pending"
        else:
            seen = await when(client, attempt["id"], lambda seen: bool(seen["refunds"]))
            assert [refund["amount"] for refund in seen["refunds"]] == ["100000.00"]
        await assert_balanced(system)


async def test_a_refund_is_made_in_paymes_cabinet_and_done_by_its_cancel(
    system: System, client: Person, admin: Person, order: Order, payme: Payme
) -> None:
    transaction_id = await payme.paid(order)
    [payment] = await payments_of(client, order)

    refund = expect(await admin.post(f"/api/payments/{payment['id']}/refund/", {}), 201)
    assert (refund["status"], refund["manual_reason"]) == ("manual", "made-in-payme-cabinet")
    assert (await payme.cancel(transaction_id))["state"] == -2

    seen = await shown(client, payment["id"])
    assert (seen["status"], [r["status"] for r in seen["refunds"]]) == ("refunded", ["completed"])
    assert await accounts(system, order["id"]) == {}
    await assert_balanced(system)


async def test_the_money_of_a_cancelled_order_waits_for_paymes_cancel(
    system: System, client: Person, order: Order, payme: Payme
) -> None:
    transaction_id = await payme.paid(order)
    expect(await client.move(order["id"], "cancelled"), 200)
    [payment] = await payments_of(client, order)
    await when(client, payment["id"], lambda seen: [r["status"] for r in seen["refunds"]] == ["manual"])

    await payme.cancel(transaction_id)

    assert (await shown(client, payment["id"]))["status"] == "refunded"
    await assert_balanced(system)


async def test_what_went_back_in_part_another_way_is_not_taken_back_whole(
    system: System, client: Person, admin: Person, order: Order, payme: Payme
) -> None:
    transaction_id = await payme.paid(order)
    [payment] = await payments_of(client, order)
    refund = expect(await admin.post(f"/api/payments/{payment['id']}/refund/", {"amount": "30000.00"}), 201)
    expect(await admin.post(f"/api/payments/refunds/{refund['id']}/done/"), 200)

    assert await payme.cancel(transaction_id) == -31007

    assert (await payme.look(transaction_id))["state"] == 2
    assert (await shown(client, payment["id"]))["refunded"] == "30000.00"
    await assert_balanced(system)


async def test_a_transaction_ends_when_its_twelve_hours_are_over_though_nobody_calls(
    system: System, client: Person, order: Order, payme: Payme
) -> None:
    created = await payme.create(order, transaction_id := new_id())
    async with database(system).session() as session:
        begun = update(PaymeTransactionRow).where(col(PaymeTransactionRow.id) == transaction_id)
        await session.exec(begun.values(time=now() - HALF_A_DAY - 1))

    seen = await when(client, created["transaction"], lambda seen: seen["status"] != "pending")

    assert (seen["status"], seen["failure_code"]) == ("failed", "timed-out")
    looked = await payme.look(transaction_id)
    assert (looked["state"], looked["reason"]) == (-1, 4)
    assert await payme.perform(transaction_id) == NOT_NOW
    assert (await payme.create(order))["state"] == 1


async def test_any_reason_of_a_cancel_is_kept(order: Order, payme: Payme) -> None:
    await payme.create(order, transaction_id := new_id())

    await payme.cancel(transaction_id, -77)

    assert (await payme.look(transaction_id))["reason"] == -77


async def test_fiscal_data_of_both_kinds_is_kept_apart(system: System, order: Order, payme: Payme) -> None:
    transaction_id = await payme.paid(order)
    for kind, receipt in (("PERFORM", 1), ("CANCEL", 2), ("PERFORM", 3)):
        data = {"receipt_id": receipt, "date": "20220706221021"}
        assert await payme.call("SetFiscalData", id=transaction_id, type=kind, fiscal_data=data) == {"success": True}

    row = await stored(system, transaction_id)
    assert row
    assert row.perform_fiscal_data == {"receipt_id": 3, "date": "20220706221021"}
    assert row.cancel_fiscal_data == {"receipt_id": 2, "date": "20220706221021"}
