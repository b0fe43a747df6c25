"""When the worker gets the money, what holds it back, and what a refund takes of it afterwards."""

import asyncio
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from marketplace.system import System
from services.payments.providers import CannotRefund
from services.payments.providers.fake import FakeGateway
from services.payments.repo import ledger as ledger_repo
from services.payments.repo import refunds as refunds_repo
from services.payments.repo.orders import is_disputed
from services.payments.repo.payments import lock
from services.payments.service import escrow, refunds
from shared.contracts.orders import OrderDisputed, OrderDisputeResolved, OrderState
from shared.db import Session
from shared.ids import new_id
from tests.integration.payments.books import (
    accounts,
    assert_balanced,
    completed,
    database,
    kinds,
    known,
    moved_at_the_gateway,
    release,
    shown,
    when,
)
from tests.support.events import asked, settings_changed, told
from tests.support.people import Person, expect
from tests.support.waiting import eventually


@pytest.fixture
async def order(client: Person, worker: Person) -> dict[str, Any]:
    return await client.order((await worker.offer(price="100000.05"))["id"])


@pytest.fixture
async def payment(client: Person, order: dict[str, Any]) -> dict[str, Any]:
    paid: dict[str, Any] = expect(await client.pay(order["id"]), 201)
    return paid


async def balance(worker: Person) -> str:
    found: str = expect(await worker.get("/api/payments/balance/"), 200)["balance"]
    return found


async def disputed(client: Person, order: dict[str, Any]) -> None:
    expect(await client.post(f"/api/orders/{order['id']}/dispute/", {"reason": "It leaks."}), 201)


async def state(system: System, order: dict[str, Any]) -> OrderState:
    return OrderState.model_validate(await asked(system, "orders", f"/internal/orders/{order['id']}/"))


async def decide(admin: Person, order: dict[str, Any], refund_amount: str) -> None:
    decision = {"refund_amount": refund_amount, "note": "So be it."}
    expect(await admin.post(f"/api/orders/{order['id']}/dispute/resolve/", decision), 200)


async def test_a_balance_and_what_moved_it_are_shown_as_of_one_moment(
    system: System,
    client: Person,
    worker: Person,
    order: dict[str, Any],
    payment: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    await completed(worker, order)
    await known(system, order, "completed")
    read = ledger_repo.balance

    async def after_the_release(session: Session, worker_id: UUID) -> Decimal:
        """The money becomes theirs between the two statements of whoever looks."""
        await release(system)
        return await read(session, worker_id)

    monkeypatch.setattr(ledger_repo, "balance", after_the_release)
    seen = [expect(await worker.get("/api/payments/balance/"), 200)]
    monkeypatch.undo()
    seen.append(expect(await worker.get("/api/payments/balance/"), 200))

    assert [(each["balance"], len(each["results"])) for each in seen] == [("0.00", 0), ("90000.04", 1)]


@pytest.mark.parametrize("paid_first", [True, False])
async def test_the_worker_gets_what_is_not_commission_once_the_order_is_completed_and_paid(
    system: System, client: Person, worker: Person, order: dict[str, Any], paid_first: bool
) -> None:
    with settings_changed(system, "payments", escrow_hold=timedelta(0)):
        if paid_first:
            expect(await client.pay(order["id"]), 201)
            assert await balance(worker) == "0.00"
        await completed(worker, order)
        if not paid_first:
            await known(system, order, "completed")
            expect(await client.pay(order["id"]), 201)

        async def has_it() -> bool:
            return await balance(worker) == "90000.04"

        await eventually(has_it)

    assert await accounts(system, order["id"]) == {
        "clearing:fake": "-100000.05",
        "worker": "90000.04",
        "commission": "10000.01",
    }
    await assert_balanced(system)


async def test_it_waits_for_the_hold_to_pass(
    system: System, worker: Person, order: dict[str, Any], payment: dict[str, Any]
) -> None:
    await completed(worker, order)
    await known(system, order, "completed")

    async with database(system).session() as session:
        await escrow.release(session, timedelta(hours=1))

    assert (await accounts(system, order["id"]))["escrow"] == "100000.05"


async def test_the_commission_is_that_of_the_day_of_the_payment(
    system: System, client: Person, worker: Person, order: dict[str, Any]
) -> None:
    with settings_changed(system, "payments", commission_rate="0.25"):
        expect(await client.pay(order["id"]), 201)
    await completed(worker, order)
    await known(system, order, "completed")

    await release(system)

    assert (await accounts(system, order["id"]))["commission"] == "25000.01"


async def test_several_instances_release_once(
    system: System, worker: Person, order: dict[str, Any], payment: dict[str, Any]
) -> None:
    await completed(worker, order)
    await known(system, order, "completed")

    await asyncio.gather(*(release(system) for _ in range(5)))

    assert (await kinds(system, order["id"])).count("release") == 1
    await assert_balanced(system)


async def test_a_dispute_holds_the_release_and_its_decision_sends_a_part_back(
    system: System, client: Person, worker: Person, admin: Person, order: dict[str, Any], payment: dict[str, Any]
) -> None:
    await completed(worker, order)
    await disputed(client, order)

    async def is_held() -> bool:
        async with database(system).session() as session:
            return bool(await is_disputed(session, UUID(order["id"])))

    await eventually(is_held)
    await release(system)
    assert (await accounts(system, order["id"]))["escrow"] == "100000.05"

    await decide(admin, order, "50000.05")
    seen = await when(client, payment["id"], lambda seen: seen["status"] == "partially_refunded")
    await release(system)

    assert [(r["amount"], r["reason"]) for r in seen["refunds"]] == [("50000.05", "dispute-resolved")]
    assert await accounts(system, order["id"]) == {
        "clearing:fake": "-50000.00",
        "worker": "45000.00",
        "commission": "5000.00",
    }
    await assert_balanced(system)


async def test_a_decision_that_is_told_before_its_dispute_holds_nothing_and_is_acted_on_once(
    system: System, client: Person, worker: Person, order: dict[str, Any], payment: dict[str, Any]
) -> None:
    await completed(worker, order)
    now, dispute = await state(system, order), new_id()
    for _ in range(2):
        decision = OrderDisputeResolved(order=now, dispute_id=dispute, refund_amount=Decimal("40000.00"))
        await told(system, decision, "payments", teller="orders")
    await told(system, OrderDisputed(order=now, dispute_id=dispute), "payments", teller="orders")
    await when(client, payment["id"], lambda seen: seen["refunded"] == "40000.00")

    await release(system)

    assert len((await shown(client, payment["id"]))["refunds"]) == 1
    assert "escrow" not in await accounts(system, order["id"])
    await assert_balanced(system)


async def test_a_dispute_decided_for_the_worker_sends_nothing_back(
    system: System, client: Person, worker: Person, admin: Person, order: dict[str, Any], payment: dict[str, Any]
) -> None:
    await completed(worker, order)
    await disputed(client, order)
    await decide(admin, order, "0.00")

    with settings_changed(system, "payments", escrow_hold=timedelta(0)):

        async def has_it() -> bool:
            return await balance(worker) == "90000.04"

        await eventually(has_it)
    assert (await shown(client, payment["id"]))["refunds"] == []


async def test_a_refund_after_the_release_debits_worker_and_commission_also_below_zero(
    system: System, client: Person, worker: Person, admin: Person, order: dict[str, Any], payment: dict[str, Any]
) -> None:
    await completed(worker, order)
    await known(system, order, "completed")
    await release(system)
    payout = {"worker_id": worker.id, "amount": "90000.04", "reference": str(new_id())}
    expect(await admin.post("/api/payments/payouts/", payout), 201)

    expect(await admin.post(f"/api/payments/{payment['id']}/refund/", {}), 201)

    assert await balance(worker) == "-90000.04"
    assert await accounts(system, order["id"]) == {}
    assert await moved_at_the_gateway(system, order["id"]) == (Decimal("100000.05"), Decimal("100000.05"))
    await assert_balanced(system)


async def test_of_a_release_and_a_refund_at_once_none_spends_the_others_money(
    system: System, client: Person, worker: Person, admin: Person
) -> None:
    service = await worker.offer(price="100.01")
    for _ in range(5):
        order = await client.order(service["id"])
        payment = expect(await client.pay(order["id"]), 201)
        await completed(worker, order)
        await known(system, order, "completed")

        answer, *_ = await asyncio.gather(
            admin.post(f"/api/payments/{payment['id']}/refund/", {"amount": "33.34"}),
            *(release(system) for _ in range(3)),
        )

        expect(answer, 201)
        await release(system)
        left = await accounts(system, order["id"])
        assert (left["clearing:fake"], "escrow" in left) == ("-66.67", False)
        await assert_balanced(system)


async def test_what_a_failed_refund_brings_back_into_escrow_is_released_too(
    system: System,
    client: Person,
    worker: Person,
    admin: Person,
    order: dict[str, Any],
    payment: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def by_hand(*_: Any) -> None:
        raise CannotRefund("in-the-cabinet")

    monkeypatch.setattr(FakeGateway, "refund", by_hand)
    made = expect(await admin.post(f"/api/payments/{payment['id']}/refund/", {"amount": "40000.00"}), 201)
    await completed(worker, order)
    await known(system, order, "completed")
    await release(system)
    assert (await accounts(system, order["id"]))["refunds_due"] == "40000.00"
    async with database(system).session() as session:
        _, locked = await lock(session, UUID(payment["id"]))
        refund = await refunds_repo.lock(session, UUID(made["id"]))
        refund.status = "pending"
        await session.flush()
        await refunds.decline(session, UUID(made["id"]), "not-now")
        assert locked.released_at is None

    await release(system)

    assert await accounts(system, order["id"]) == {
        "clearing:fake": "-100000.05",
        "worker": "90000.04",
        "commission": "10000.01",
    }
    await assert_balanced(system)
