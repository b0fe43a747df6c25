"""Money goes back: whole or in parts, once, and never more than was paid."""

import asyncio
from typing import Any
from uuid import UUID, uuid4

import pytest

from marketplace.system import System
from services.payments.models import Payment, Refund
from services.payments.providers import CannotRefund, OutcomeUnknown, RefundDeclined
from services.payments.providers.fake import FakeGateway
from services.payments.repo import refunds as refunds_repo
from shared.db import Session
from tests.integration.payments.books import (
    accounts,
    assert_balanced,
    kinds,
    moved_at_the_gateway,
    refunds_of,
    shown,
    when,
)
from tests.support.events import events_of
from tests.support.people import Person, expect


@pytest.fixture
async def order(client: Person, worker: Person) -> dict[str, Any]:
    return await client.order((await worker.offer(price="100000.00"))["id"])


@pytest.fixture
async def payment(client: Person, order: dict[str, Any]) -> dict[str, Any]:
    paid: dict[str, Any] = expect(await client.pay(order["id"]), 201)
    return paid


async def refund(admin: Person, payment: dict[str, Any], key: str | None = None, **body: Any) -> Any:
    return await admin.post(f"/api/payments/{payment['id']}/refund/", body, key)


def gateway_that(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    async def raises(gateway: FakeGateway, payment: Payment, refund: Refund) -> None:
        raise error

    monkeypatch.setattr(FakeGateway, "refund", raises)


async def test_a_refund_without_an_amount_gives_all_back(
    system: System, client: Person, admin: Person, order: dict[str, Any], payment: dict[str, Any]
) -> None:
    made = expect(await refund(admin, payment, reason="Never came."), 201)

    assert (made["amount"], made["status"], made["reason"]) == ("100000.00", "completed", "Never came.")
    assert made["completed_at"] >= made["created_at"]
    seen = await shown(client, payment["id"])
    assert (seen["status"], seen["refunded"], seen["refunds"]) == ("refunded", "100000.00", [made])
    assert await accounts(system, order["id"]) == {}
    assert await kinds(system, order["id"]) == ["payment", "refund_opened", "refund_completed"]
    assert await moved_at_the_gateway(system, order["id"]) == (100000, 100000)
    assert len(await events_of(system, "payments", "payment.refunded", payment["id"])) == 1


async def test_parts_add_up_and_never_pass_what_was_paid(
    system: System, client: Person, admin: Person, order: dict[str, Any], payment: dict[str, Any]
) -> None:
    expect(await refund(admin, payment, amount="30000.00"), 201)
    assert (await shown(client, payment["id"]))["status"] == "partially_refunded"

    too_much = expect(await refund(admin, payment, amount="70000.01"), 422)
    assert [error["field"] for error in too_much["errors"]] == ["amount"]
    assert expect(await refund(admin, payment), 201)["amount"] == "70000.00"

    assert expect(await refund(admin, payment), 409)["type"] == "already-refunded"
    assert (await shown(client, payment["id"]))["refunded"] == "100000.00"
    await assert_balanced(system)


async def test_of_many_refunds_at_once_no_more_goes_back_than_was_paid(
    system: System, client: Person, admin: Person, order: dict[str, Any], payment: dict[str, Any]
) -> None:
    tenths = [refund(admin, payment, amount="10000.00") for _ in range(20)]
    wholes = [refund(admin, payment, amount="100000.00") for _ in range(5)]

    answers = await asyncio.gather(*tenths, *wholes)

    assert {answer.status_code for answer in answers} <= {201, 409, 422, 503}
    back = sum(float(answer.json()["amount"]) for answer in answers if answer.status_code == 201)
    assert 0 < back <= 100000
    await when(client, payment["id"], lambda seen: all(r["status"] == "completed" for r in seen["refunds"]))
    taken, sent = await moved_at_the_gateway(system, order["id"])
    assert (taken, sent) == (100000, sum(row.amount for row in await refunds_of(system, payment["id"])))
    assert sent <= taken
    await assert_balanced(system)


async def test_a_refund_is_for_admins_and_of_what_was_paid(
    client: Person, worker: Person, admin: Person, order: dict[str, Any], payment: dict[str, Any]
) -> None:
    declined = expect(await client.pay((await client.order(order["service_id"]))["id"], number="4000000000000002"), 201)

    assert (await refund(client, payment)).status_code == 403
    assert (await refund(worker, payment)).status_code == 403
    assert (await refund(admin, {"id": str(uuid4())})).status_code == 404
    assert expect(await refund(admin, declined), 409)["type"] == "not-paid"
    for wrong in ("0.00", "-1.00", "1.001", 0.5):
        assert (await refund(admin, payment, amount=wrong)).status_code == 422


async def test_a_payment_and_its_refunds_are_shown_as_of_one_moment(
    client: Person, admin: Person, payment: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    read = refunds_repo.of_payments

    async def after_another_refund(session: Session, payment_ids: list[UUID]) -> dict[UUID, list[Refund]]:
        """A refund is made between the two statements of whoever looks."""
        expect(await refund(admin, payment, amount="10000.00"), 201)
        return await read(session, payment_ids)

    monkeypatch.setattr(refunds_repo, "of_payments", after_another_refund)
    alone = await shown(client, payment["id"])
    listed = expect(await client.get("/api/payments/"), 200)["results"][0]
    monkeypatch.undo()
    after = await shown(client, payment["id"])

    seen = [(each["refunded"], len(each["refunds"])) for each in (alone, listed, after)]
    assert seen == [("0.00", 0), ("10000.00", 1), ("20000.00", 2)]


async def test_a_refund_whose_answer_is_lost_is_asked_for_again_under_its_reference(
    system: System,
    client: Person,
    admin: Person,
    order: dict[str, Any],
    payment: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    send = FakeGateway.refund

    async def lose_the_answer(gateway: FakeGateway, payment: Payment, refund: Refund) -> None:
        monkeypatch.undo()
        await send(gateway, payment, refund)
        raise OutcomeUnknown

    monkeypatch.setattr(FakeGateway, "refund", lose_the_answer)
    assert expect(await refund(admin, payment, amount="30000.00"), 201)["status"] == "pending"

    seen = await when(client, payment["id"], lambda seen: seen["refunds"][0]["status"] == "completed")

    assert seen["refunded"] == "30000.00"
    assert await moved_at_the_gateway(system, order["id"]) == (100000, 30000)
    await assert_balanced(system)


async def test_what_the_provider_can_not_be_told_waits_for_a_person(
    system: System,
    client: Person,
    admin: Person,
    order: dict[str, Any],
    payment: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    gateway_that(monkeypatch, CannotRefund("only-in-the-cabinet"))
    made = expect(await refund(admin, payment, amount="30000.00"), 201)
    assert (made["status"], made["manual_reason"]) == ("manual", "only-in-the-cabinet")
    assert await accounts(system, order["id"]) == {
        "clearing:fake": "-100000.00",
        "escrow": "70000.00",
        "refunds_due": "30000.00",
    }
    queue = expect(await admin.get("/api/payments/refunds/", status="manual"), 200)["results"]
    assert queue[0] == made

    done = expect(await admin.post(f"/api/payments/refunds/{made['id']}/done/"), 200)

    assert done["status"] == "completed"
    assert expect(await admin.post(f"/api/payments/refunds/{made['id']}/done/"), 200) == done
    assert (await shown(client, payment["id"]))["refunded"] == "30000.00"
    assert made["id"] not in str(expect(await admin.get("/api/payments/refunds/", status="manual"), 200))
    await assert_balanced(system)


async def test_only_what_waits_for_a_person_can_be_done_by_one(
    admin: Person, payment: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    gateway_that(monkeypatch, RefundDeclined("not-now"))
    failed = expect(await refund(admin, payment), 201)

    assert expect(await admin.post(f"/api/payments/refunds/{failed['id']}/done/"), 409)["type"] == "not-manual"
    assert (await admin.post(f"/api/payments/refunds/{uuid4()}/done/")).status_code == 404


async def test_a_declined_refund_has_failed_and_may_be_asked_for_again(
    system: System,
    client: Person,
    admin: Person,
    order: dict[str, Any],
    payment: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    gateway_that(monkeypatch, RefundDeclined("not-now"))
    assert expect(await refund(admin, payment), 201)["status"] == "failed"
    assert (await accounts(system, order["id"]))["escrow"] == "100000.00"
    monkeypatch.undo()

    assert expect(await refund(admin, payment), 201)["status"] == "completed"

    assert await moved_at_the_gateway(system, order["id"]) == (100000, 100000)
    await assert_balanced(system)


async def test_a_cancelled_order_gives_its_money_back_by_itself(
    system: System, client: Person, order: dict[str, Any], payment: dict[str, Any]
) -> None:
    expect(await client.move(order["id"], "cancelled"), 200)

    seen = await when(client, payment["id"], lambda seen: seen["status"] == "refunded")

    assert [(r["amount"], r["reason"]) for r in seen["refunds"]] == [("100000.00", "order-cancelled")]
    await assert_balanced(system)


async def test_of_a_cancelled_order_the_remainder_goes_back_and_what_is_declined_waits_for_a_person(
    system: System,
    client: Person,
    admin: Person,
    order: dict[str, Any],
    payment: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    expect(await refund(admin, payment, amount="30000.00"), 201)
    gateway_that(monkeypatch, RefundDeclined("not-now"))

    expect(await client.move(order["id"], "cancelled"), 200)

    seen = await when(
        client, payment["id"], lambda seen: len(seen["refunds"]) == 2 and seen["refunds"][1]["manual_reason"]
    )
    assert [(r["amount"], r["status"]) for r in seen["refunds"]] == [("30000.00", "completed"), ("70000.00", "manual")]
    await assert_balanced(system)


async def test_an_order_that_was_wholly_refunded_may_be_paid_again(
    system: System, client: Person, admin: Person, order: dict[str, Any], payment: dict[str, Any]
) -> None:
    expect(await refund(admin, payment), 201)

    again = expect(await client.pay(order["id"]), 201)

    assert (again["status"], again["id"] != payment["id"]) == ("completed", True)
    assert (await accounts(system, order["id"]))["escrow"] == "100000.00"
    await assert_balanced(system)


async def test_a_refund_under_the_same_key_is_made_once(
    system: System, admin: Person, order: dict[str, Any], payment: dict[str, Any]
) -> None:
    key = str(uuid4())
    first = await refund(admin, payment, key, amount="30000.00")

    again = await refund(admin, payment, key, amount="30000.00")

    assert (again.status_code, again.content) == (201, first.content)
    assert again.headers["idempotent-replayed"] == "true"
    assert expect(await refund(admin, payment, key, amount="40000.00"), 422)["type"] == "idempotency-key-reused"
    assert await moved_at_the_gateway(system, order["id"]) == (100000, 30000)
