"""What the books of payments say, and whether they agree with everything else."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import func
from sqlmodel import col, select

from marketplace.system import System
from services.payments.models import FakeCharge, FakeRefund, LedgerEntry, LedgerTransaction, OrderCopy, Payment, Refund
from services.payments.repo import payments as payments_repo
from services.payments.repo.verify import differences
from services.payments.service import escrow, refunds
from shared.db import Database
from shared.db.base import utcnow
from shared.ids import new_id
from tests.support.people import Person, expect
from tests.support.waiting import eventually


def database(system: System) -> Database:
    found: Database = system.apps["payments"].state.platform.database
    return found


async def assert_balanced(system: System) -> None:
    async with database(system).snapshot() as session:
        assert await differences(session) == []


async def accounts(system: System, order_id: str) -> dict[str, str]:
    """Where the order's money is: account → amount, without those that are even."""
    async with database(system).session() as session:
        sums = (
            select(LedgerEntry.account, func.sum(LedgerEntry.amount))
            .join(LedgerTransaction, col(LedgerTransaction.id) == col(LedgerEntry.transaction_id))
            .where(LedgerTransaction.order_id == UUID(order_id))
            .group_by(col(LedgerEntry.account))
        )
        return {account: str(amount) for account, amount in (await session.exec(sums)).all() if amount}


async def kinds(system: System, order_id: str) -> list[str]:
    """Of the order's movements, in their order."""
    async with database(system).session() as session:
        found = select(LedgerTransaction).where(LedgerTransaction.order_id == UUID(order_id))
        return [row.kind for row in (await session.exec(found.order_by(col(LedgerTransaction.at)))).all()]


async def moved_at_the_gateway(system: System, order_id: str) -> tuple[Decimal, Decimal]:
    """What the fake gateway's own books say that it took for the order, and sent back."""
    async with database(system).session() as session:
        of_order = select(Payment.id).where(Payment.order_id == UUID(order_id))
        taken = select(func.coalesce(func.sum(FakeCharge.amount), 0)).where(
            col(FakeCharge.reference).in_(of_order), col(FakeCharge.declined_as).is_(None)
        )
        back = select(func.coalesce(func.sum(FakeRefund.amount), 0)).where(col(FakeRefund.charge).in_(of_order))
        return (await session.exec(taken)).one(), (await session.exec(back)).one()


async def known(system: System, order: dict[str, Any], status: str) -> None:
    """Return once payments knows that the order is in this state."""

    async def is_known() -> bool:
        async with database(system).session() as session:
            copy = await session.get(OrderCopy, UUID(order["id"]))
            return copy is not None and copy.status == status

    await eventually(is_known)


async def shown(person: Person, payment_id: str) -> dict[str, Any]:
    found: dict[str, Any] = expect(await person.get(f"/api/payments/{payment_id}/"), 200)
    return found


async def when(person: Person, payment_id: str, holds: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """The payment as the person sees it, once that holds of it."""

    async def look() -> dict[str, Any] | None:
        seen = await shown(person, payment_id)
        return seen if holds(seen) else None

    return await eventually(look)  # type: ignore[return-value]


async def refunds_of(system: System, payment_id: str) -> list[Refund]:
    async with database(system).session() as session:
        found = select(Refund).where(Refund.payment_id == UUID(payment_id)).order_by(col(Refund.created_at))
        return list((await session.exec(found)).all())


async def completed(worker: Person, order: dict[str, Any]) -> None:
    """Let the worker do the order's work."""
    expect(await worker.accept(order["id"]), 200)
    for status in ("in_progress", "completed"):
        expect(await worker.move(order["id"], status), 200)


async def release(system: System) -> None:
    """Let time pass for everything that is due."""
    async with database(system).session() as session:
        await escrow.release(session, timedelta(0))


async def untouched_attempt(system: System, order_id: str) -> str:
    """A pending one, as it is before the payer has come to the provider's page."""
    now = utcnow()
    async with database(system).session() as session:
        order = (await session.exec(select(OrderCopy).where(OrderCopy.id == UUID(order_id)))).one()
        payment = Payment(
            id=new_id(),
            order_id=order.id,
            order_number=order.number,
            client_id=order.client_id,
            owner_id=order.owner_id,
            amount=order.total,
            currency=order.currency,
            method="payme",
            gateway="live",
            status="pending",
            commission_rate=Decimal("0.10"),
            expires_at=now + timedelta(hours=2),
            created_at=now,
            updated_at=now,
        )
        await payments_repo.add(session, payment)
        return str(payment.id)


async def manual_refund(system: System, payment_id: str) -> str:
    """One of the whole payment that waits for a person."""
    async with database(system).session() as session:
        order, payment = await payments_repo.lock(session, UUID(payment_id))
        refund = await refunds.open_remainder(session, order, payment, "order-cancelled")
        assert refund
        await refunds.leave_to_a_person(session, refund.id, "only-in-the-cabinet")
        return str(refund.id)
