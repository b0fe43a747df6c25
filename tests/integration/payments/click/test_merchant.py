"""What we ask Click: what became of a payment, and to send one back."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import update
from sqlmodel import col

from services.payments.models import Payment
from shared.db.base import utcnow
from tests.integration.payments.books import assert_balanced, database, kinds, shown, when
from tests.integration.payments.click.shopping import Stage
from tests.support.people import Person, expect

CREATED, PROCESSING, PAID, FAILED = 0, 1, 2, -1
CANCELLED, ALREADY_PAID = -9, -4


@pytest.fixture(autouse=True)
async def no_faults(stage: Stage) -> AsyncIterator[None]:
    yield
    stage.click.faults.lose, stage.click.faults.refuse = 0, None


async def changed(stage: Stage, order: dict[str, Any], **values: Any) -> str:
    """The order's payment, written otherwise; its id."""
    payment = await stage.payment(order)
    async with database(stage.system).session() as session:
        await session.exec(update(Payment).where(col(Payment.id) == payment.id).values(**values))
    return str(payment.id)


async def refunded(admin: Person, stage: Stage, order: dict[str, Any], **body: str) -> dict[str, Any]:
    """The refund that an admin asks for, once the provider was asked."""
    payment_id = str((await stage.payment(order)).id)
    opened = expect(await admin.post(f"/api/payments/{payment_id}/refund/", body), 201)
    seen = await when(admin, payment_id, lambda seen: _of(seen, opened["id"])["status"] != "pending")
    return _of(seen, opened["id"])


def _of(payment: dict[str, Any], refund_id: str) -> dict[str, Any]:
    found: dict[str, Any] = next(refund for refund in payment["refunds"] if refund["id"] == refund_id)
    return found


async def test_a_complete_that_never_comes_is_asked_after_and_may_come_later(
    stage: Stage, client: Person, order: dict[str, Any]
) -> None:
    attempt = await stage.prepared(order)
    payment_id = str((await stage.payment(order)).id)

    stage.book(attempt, PAID)

    await when(client, payment_id, lambda seen: bool(seen["status"] == "completed"))
    assert await stage.complete(attempt) == 0
    assert await kinds(stage.system, order["id"]) == ["payment"]
    await assert_balanced(stage.system)


async def test_what_click_paid_by_its_status_and_calls_failed_waits_for_a_person(
    stage: Stage, client: Person, order: dict[str, Any]
) -> None:
    attempt = await stage.prepared(order)
    payment_id = str((await stage.payment(order)).id)
    stage.book(attempt, PAID)
    await when(client, payment_id, lambda seen: bool(seen["status"] == "completed"))

    assert await stage.complete(attempt, error=-5017) == CANCELLED

    payment = await stage.payment(order)
    assert (payment.status, payment.attention) == ("completed", "click-calls-it-failed")
    await assert_balanced(stage.system)


async def test_what_failed_at_click_frees_the_order_and_its_money_is_a_duplicate_if_it_comes(
    stage: Stage, client: Person, order: dict[str, Any]
) -> None:
    late = await stage.prepared(order)
    late_id = str((await stage.payment(order)).id)
    stage.book(late, FAILED)
    await when(client, late_id, lambda seen: bool(seen["status"] == "failed"))
    assert await stage.prepare(late) == CANCELLED
    await stage.paid(order)

    booked = stage.book(late, PAID)
    assert await stage.complete(late) == 0

    seen = await when(client, late_id, lambda seen: bool(seen["status"] == "refunded"))
    assert (seen["duplicate"], booked.reversals) == (True, 1)
    await assert_balanced(stage.system)


@pytest.mark.parametrize("status", [None, CREATED, PROCESSING])
async def test_an_attempt_without_an_outcome_ends_when_its_time_is_over_and_not_before(
    stage: Stage, client: Person, order: dict[str, Any], status: int | None
) -> None:
    attempt = await stage.prepared(order)
    if status is not None:
        stage.book(attempt, status)
    long_ago = utcnow() - timedelta(minutes=30)
    payment_id = await changed(stage, order, updated_at=long_ago)
    flows, state = stage.system.apps["payments"].state.payment_flows, stage.system.apps["payments"].state
    await flows.reconcile(state.settings, state.providers)
    assert (await shown(client, payment_id))["status"] == "pending"

    await changed(stage, order, expires_at=long_ago)

    seen = await when(client, payment_id, lambda seen: bool(seen["status"] == "failed"))
    assert seen["failure_code"] == "expired"
    assert await stage.complete(attempt) == 0
    assert (await shown(client, payment_id))["status"] == "completed"


async def test_a_whole_payment_of_this_month_is_sent_back(
    stage: Stage, admin: Person, client: Person, order: dict[str, Any]
) -> None:
    attempt = await stage.paid(order)

    refund = await refunded(admin, stage, order)

    assert (refund["status"], refund["amount"]) == ("completed", "150000.00")
    assert stage.booked(attempt).reversals == 1
    assert await stage.complete(attempt) == ALREADY_PAID
    await assert_balanced(stage.system)


async def test_a_reversal_whose_answer_is_lost_is_not_made_twice(
    stage: Stage, admin: Person, order: dict[str, Any]
) -> None:
    attempt = await stage.paid(order)
    booked = stage.booked(attempt)
    reverse, lost = stage.click.faults.deliver, []

    async def lose_the_reversals(answer: Any) -> Any:
        if booked.reversals and not lost:
            lost.append(answer)
            stage.click.faults.lose = 1
        return await reverse(answer)

    stage.click.faults.deliver = lose_the_reversals  # type: ignore[method-assign]
    try:
        refund = await refunded(admin, stage, order)
    finally:
        stage.click.faults.deliver = reverse  # type: ignore[method-assign]

    assert (refund["status"], booked.reversals, len(lost)) == ("completed", 1, 1)
    await assert_balanced(stage.system)


async def test_a_part_of_a_payment_and_then_its_rest_are_for_a_person(
    stage: Stage, admin: Person, order: dict[str, Any]
) -> None:
    attempt = await stage.paid(order)

    part = await refunded(admin, stage, order, amount="50000.00")
    rest = await refunded(admin, stage, order)

    told = [(refund["amount"], refund["status"], refund["manual_reason"]) for refund in (part, rest)]
    assert told == [("50000.00", "manual", "click-partial"), ("100000.00", "manual", "click-partial")]
    assert stage.booked(attempt).reversals == 0
    for refund in (part, rest):
        expect(await admin.post(f"/api/payments/refunds/{refund['id']}/done/"), 200)
    await assert_balanced(stage.system)


async def test_what_was_paid_months_ago_is_for_a_person(stage: Stage, admin: Person, order: dict[str, Any]) -> None:
    attempt = await stage.paid(order)
    await changed(stage, order, captured_at=utcnow() - timedelta(days=70))

    refund = await refunded(admin, stage, order)

    assert (refund["status"], refund["manual_reason"]) == ("manual", "click-too-late")
    assert stage.booked(attempt).reversals == 0


async def test_what_click_refuses_to_send_back_is_for_a_person(
    stage: Stage, admin: Person, order: dict[str, Any]
) -> None:
    await stage.paid(order)
    stage.click.faults.refuse = -406

    refund = await refunded(admin, stage, order)

    assert (refund["status"], refund["manual_reason"]) == ("manual", "click-refused")
