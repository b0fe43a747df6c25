"""What becomes of orders and of money when Click calls: begun, taken over, cancelled, paid, too late and twice."""

import asyncio
from typing import Any

import httpx
import pytest

from marketplace.simulators.calls import CLICK_COMPLETE_PATH
from services.payments.service import captures
from shared.http.internal import OwnerAway
from tests.integration.payments.books import accounts, assert_balanced, known, shown, when
from tests.integration.payments.click.shopping import Stage, attempt_of
from tests.support.events import settings_changed
from tests.support.people import Person, expect
from tests.support.waiting import eventually

NOT_NOW, UNKNOWN, PAID, WRONG_AMOUNT, CANCELLED, FORGED, SYSTEM = -7, -5, -4, -2, -9, -1, -8


async def pay(client: Person, order: dict[str, Any], method: str, status: int = 201) -> dict[str, Any]:
    path = f"/api/payments/order/{order['id']}/pay/"
    found: dict[str, Any] = expect(await client.post(path, {"method": method}), status)
    return found


async def cancelled(stage: Stage, client: Person, order: dict[str, Any]) -> None:
    expect(await client.move(order["id"], "cancelled"), 200)
    await known(stage.system, order, "cancelled")


async def test_a_person_pays_on_clicks_page(stage: Stage, client: Person, order: dict[str, Any]) -> None:
    attempt = await pay(client, order, "click")
    assert attempt["status"] == "pending"

    async with httpx.AsyncClient(trust_env=False) as browser:
        answer = await browser.post(attempt["checkout_url"], data={"do": "pay"})

    assert answer.is_success, answer.text
    seen = await shown(client, attempt["id"])
    assert seen["status"] == "completed"
    assert stage.click.books.payments[int(seen["transaction_id"])].order_number == order["number"]
    assert await accounts(stage.system, order["id"]) == {"clearing:click": "-150000.00", "escrow": "150000.00"}

    async def is_told() -> bool:
        found = expect(await client.get(f"/api/orders/{order['id']}/"), 200)
        return bool(found["payment_status"] == "paid")

    await eventually(is_told)
    await assert_balanced(stage.system)


async def test_a_number_typed_into_clicks_app_opens_the_attempt_itself(
    stage: Stage, client: Person, order: dict[str, Any]
) -> None:
    attempt = await stage.prepared(order)

    [found] = expect(await client.get("/api/payments/"), 200)["results"]
    assert (found["order_id"], found["method"], found["status"]) == (order["id"], "click", "pending")
    assert await stage.complete(attempt) == 0
    assert (await shown(client, found["id"]))["status"] == "completed"


async def test_an_untouched_attempt_of_another_method_is_taken_over_both_ways(
    stage: Stage, client: Person, order: dict[str, Any]
) -> None:
    by_click = await pay(client, order, "click")
    by_payme = await pay(client, order, "payme")
    assert (await shown(client, by_click["id"]))["status"] == "cancelled"

    await stage.prepared(order)

    assert (await shown(client, by_payme["id"]))["status"] == "cancelled"
    assert (await stage.payment(order)).method == "click"


async def test_nobody_takes_over_while_a_transaction_of_clicks_hangs_on_the_order(
    stage: Stage, client: Person, order: dict[str, Any]
) -> None:
    attempt = await stage.prepared(order)

    assert (await pay(client, order, "payme", 409))["type"] == "payment-in-progress"
    payment = await stage.payment(order)
    assert (await client.post(f"/api/payments/{payment.id}/cancel/")).status_code == 409
    assert await stage.prepare(attempt_of(order)) == NOT_NOW
    assert await stage.complete(attempt) == 0


async def test_a_cancelled_transaction_frees_the_order_and_stays_cancelled(
    stage: Stage, client: Person, order: dict[str, Any]
) -> None:
    attempt = await stage.prepared(order)
    assert await stage.complete(attempt, error=-5017) == CANCELLED
    failed = await shown(client, str((await stage.payment(order)).id))
    assert (failed["status"], failed["failure_code"]) == ("failed", "declined-by-click")

    other = await pay(client, order, "payme")

    assert await stage.complete(attempt) == CANCELLED
    assert await stage.prepare(attempt) == CANCELLED
    assert (await shown(client, failed["id"]))["status"] == "failed"
    assert (await shown(client, other["id"]))["status"] == "pending"
    assert await accounts(stage.system, order["id"]) == {}


async def test_what_can_not_be_paid_is_refused_and_nothing_is_written(
    stage: Stage, client: Person, worker: Person, order: dict[str, Any]
) -> None:
    gone = await client.order((await worker.offer())["id"])
    await cancelled(stage, client, gone)

    assert await stage.prepare(attempt_of(order), amount="300") == WRONG_AMOUNT
    assert await stage.prepare(attempt_of(order), order_number="2026-999999999") == UNKNOWN
    assert await stage.prepare(attempt_of(gone)) == CANCELLED
    assert await stage.rows(order) == await stage.rows(gone) == []
    await stage.paid(order)
    before = await stage.rows(order)
    assert await stage.prepare(attempt_of(order)) == PAID
    assert await stage.rows(order) == before


async def test_an_order_that_waits_for_a_worker_is_not_payable_yet(
    stage: Stage, worker: Person, order: dict[str, Any]
) -> None:
    with settings_changed(stage.system, "payments", payable_from="assigned"):
        assert await stage.prepare(attempt_of(order)) == NOT_NOW
        assert await stage.rows(order) == []
        expect(await worker.accept(order["id"]), 200)
        await stage.prepared(order)


async def test_click_opens_nothing_where_money_is_played(stage: Stage, order: dict[str, Any]) -> None:
    begun = await stage.prepared(order)
    with settings_changed(stage.system, "payments", payment_gateway="fake"):
        assert await stage.prepare(attempt_of(order)) == NOT_NOW
        assert await stage.complete(begun) == 0


async def test_money_for_an_order_cancelled_meanwhile_is_taken_recorded_and_sent_back(
    stage: Stage, client: Person, order: dict[str, Any]
) -> None:
    attempt = await stage.prepared(order)
    booked = stage.book(attempt, 2)
    await cancelled(stage, client, order)

    assert await stage.complete(attempt) == 0

    payment_id = str((await stage.payment(order)).id)
    seen = await when(client, payment_id, lambda seen: bool(seen["status"] == "refunded"))
    assert [(r["amount"], r["reason"], r["status"]) for r in seen["refunds"]] == [
        ("150000.00", "order-cancelled", "completed")
    ]
    assert booked.reversals == 1
    assert await accounts(stage.system, order["id"]) == {}
    await assert_balanced(stage.system)


async def test_of_a_cancel_and_a_complete_at_once_the_money_is_never_kept(
    stage: Stage, client: Person, worker: Person
) -> None:
    service = await worker.offer()
    for _ in range(5):
        order = await client.order(service["id"])
        attempt = await stage.prepared(order)
        booked = stage.book(attempt, 2)

        code, _ = await asyncio.gather(stage.complete(attempt), client.move(order["id"], "cancelled"))

        assert code == 0
        payment_id = str((await stage.payment(order)).id)
        await when(client, payment_id, lambda seen: bool(seen["status"] == "refunded"))
        assert booked.reversals == 1
    await assert_balanced(stage.system)


async def test_what_click_calls_failed_after_it_was_paid_stays_paid_and_waits_for_a_person(
    stage: Stage, client: Person, order: dict[str, Any]
) -> None:
    attempt = await stage.paid(order)

    assert await stage.complete(attempt, error=-5017) == CANCELLED

    payment = await stage.payment(order)
    assert (payment.status, payment.attention) == ("completed", "click-calls-it-failed")
    assert await stage.complete(attempt) == PAID


async def test_one_transaction_never_holds_two_orders(stage: Stage, client: Person, worker: Person) -> None:
    service = await worker.offer()
    orders = [await client.order(service["id"]) for _ in range(4)]
    attempts = [attempt_of(order) for order in orders]
    for attempt in attempts:
        attempt.click_trans_id = attempts[0].click_trans_id

    codes = await asyncio.gather(*(stage.prepare(attempt) for attempt in attempts))

    assert sorted(codes) == [UNKNOWN, UNKNOWN, UNKNOWN, 0]
    assert [len(await stage.rows(order)) for order in orders] == [2 if code == 0 else 0 for code in codes]


@pytest.mark.parametrize(("allowed", "code"), [("203.0.113.7", FORGED), ("203.0.113.7,127.0.0.0/8", 0)])
async def test_click_may_be_heard_from_its_own_addresses_alone(
    stage: Stage, order: dict[str, Any], allowed: str, code: int
) -> None:
    with settings_changed(stage.system, "payments", click_allowed_ips=tuple(allowed.split(","))):
        assert await stage.prepare(attempt_of(order)) == code
    assert bool(await stage.rows(order)) == (code == 0)


async def test_an_error_of_ours_is_answered_undoes_all_and_is_over_when_click_calls_again(
    stage: Stage, order: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    attempt = await stage.prepared(order)
    before = await stage.rows(order)

    with monkeypatch.context() as patched:
        patched.setattr(captures, "after_commit", lambda *_: 1 / 0)
        assert await stage.complete(attempt) == SYSTEM
    assert await stage.rows(order) == before

    assert await stage.complete(attempt) == 0
    await assert_balanced(stage.system)


async def test_an_order_that_nobody_can_tell_of_is_not_said_to_be_unknown(
    stage: Stage, order: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(*_: Any, **__: Any) -> None:
        raise OwnerAway("orders is away")

    monkeypatch.setattr(stage.system.apps["payments"].state.platform.internal, "find", away)

    assert await stage.prepare(attempt_of(order), order_number="2026-999999998") == SYSTEM


async def test_a_body_beyond_all_measure_is_not_read(stage: Stage, http: httpx.AsyncClient) -> None:
    answer = await http.post(CLICK_COMPLETE_PATH, content=b"x" * 100_000)

    assert (answer.status_code, answer.json()["error"]) == (200, SYSTEM)
