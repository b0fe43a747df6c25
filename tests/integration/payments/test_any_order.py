"""Whatever happens to an order's money, in any order, again and at once: the books balance and nothing is doubled."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from marketplace.beside import NOBODY_TO_TELL
from marketplace.registry import service_settings
from services.payments.domain import HOLDING, Method
from services.payments.models import Payment, Refund
from services.payments.providers import Providers
from services.payments.repo import orders as orders_repo
from services.payments.repo import payments as repo
from services.payments.repo.refunds import of_payments
from services.payments.repo.verify import differences
from services.payments.service import attempts, captures, escrow, refunds
from services.payments.service.attempts import Terms, Wish
from services.payments.service.orders import keep_orders
from shared.auth.users import User
from shared.contracts.orders import OrderState
from shared.db import Database, Session
from shared.errors import MarketplaceError, NotFound
from shared.ids import new_id
from tests.integration.conftest import SETTINGS
from tests.integration.payments.providers import Page
from tests.unit import factories

TOTAL = Decimal("100.05")
AMOUNTS = tuple(Decimal(text) for text in ("0.01", "10.00", "33.34", "50.03", "100.05"))
RUNS, STEPS, AT_ONCE = 60, 24, 3

Step = tuple[str, Any]
WHICH = st.integers(0, 2)
STEP = st.one_of(
    # Towards money that is there more often than pure chance would go.
    st.tuples(st.just("pay"), st.sampled_from((Method.PAYME, Method.CLICK))),
    st.tuples(st.just("capture"), WHICH),
    st.tuples(st.just("capture"), WHICH),
    st.tuples(st.sampled_from(("hold", "unhold", "fail", "sent_back", "give_up", "request")), WHICH),
    st.tuples(st.just("refund"), st.sampled_from((None, *AMOUNTS))),
    st.tuples(st.sampled_from(("refund_done", "refund_by_hand", "refund_declined", "marked_done")), WHICH),
    st.tuples(st.just("refund_declined"), WHICH),
    st.tuples(st.just("order"), st.sampled_from(("assigned", "in_progress", *["completed"] * 4, "cancelled"))),
    st.tuples(st.just("dispute"), WHICH),
    st.tuples(st.just("resolve"), st.sampled_from((Decimal("0.00"), *AMOUNTS))),
    st.tuples(st.just("release"), st.none()),
    st.tuples(st.just("release"), st.none()),
)
TWO_ATTEMPTS: list[list[Step]] = [[("pay", Method.PAYME)], [("pay", Method.CLICK)]]
"""The second has taken over: money may come for both."""
WALK = st.lists(st.lists(STEP, min_size=1, max_size=AT_ONCE), min_size=STEPS // AT_ONCE, max_size=STEPS)


@pytest.fixture(scope="module")
async def database(databases: dict[str, str]) -> AsyncIterator[Database]:
    """That of payments, beside which nothing runs."""
    ours = Database(service_settings("payments", **SETTINGS, database_url=databases["payments"]))
    ours.session_info |= {"service": "payments", **NOBODY_TO_TELL}
    yield ours
    async with ours.session() as session:  # or the next system in this database has it all to tell and to ask about
        await session.exec(text("DELETE FROM outbox WHERE published_at IS NULL"))
        await session.exec(
            text("UPDATE refunds SET status = 'manual', manual_reason = 'test' WHERE status = 'pending'")
        )
        await session.exec(text("UPDATE payments SET status = 'cancelled' WHERE status = 'pending'"))
    await ours.close()


@dataclass
class Walk:
    """One order, and everything that may happen to its money. A refusal is an answer too; anything else is a bug."""

    database: Database
    terms: Terms
    client: User = field(default_factory=lambda: factories.user("client", new_id()))
    admin: User = field(default_factory=lambda: factories.user("admin", new_id()))
    order_id: UUID = field(default_factory=new_id)
    dispute_id: UUID = field(default_factory=new_id)
    status: str = "pending"
    version: int = 0

    def state(self) -> OrderState:
        return OrderState(
            id=self.order_id,
            number=f"2026-{self.order_id.int % 10**15}",
            service_id=self.order_id,
            service_title="Leaking tap repair",
            client_id=self.client.id,
            owner_id=self.order_id,
            worker_id=self.order_id,
            status=self.status,
            payment_status="unpaid",
            total=TOTAL,
            currency="UZS",
            version=self.version,
        )

    async def take(self, step: Step) -> None:
        what, value = step
        with suppress(MarketplaceError):
            async with self.database.session() as session:
                await getattr(self, what)(session, value)

    async def payment(self, session: Session, which: int) -> Payment:
        rows = await repo.payments_of(session, self.client.id)
        if not rows:
            raise NotFound("There is no payment yet.")
        found = await repo.payment(session, rows[-1 - which % len(rows)]["id"])
        assert found
        return found

    async def some_refund(self, session: Session, which: int) -> Refund:
        ids = [row["id"] for row in await repo.payments_of(session, self.client.id)]
        found = [refund for of_one in (await of_payments(session, ids)).values() for refund in of_one]
        if not found:
            raise NotFound("There is no refund yet.")
        return found[-1 - which % len(found)]

    async def pay(self, session: Session, method: Method) -> None:
        order = await orders_repo.lock_order(session, self.order_id)
        await attempts.open_for(session, self.terms, order, Wish(method))

    async def capture(self, session: Session, which: int) -> None:
        await captures.capture(session, await self.payment(session, which), "theirs")

    async def hold(self, session: Session, which: int) -> None:
        await captures.hold(session, await self.payment(session, which))

    async def unhold(self, session: Session, which: int) -> None:
        await captures.release_hold(session, await self.payment(session, which))

    async def fail(self, session: Session, which: int) -> None:
        await captures.fail(session, await self.payment(session, which), "timeout")

    async def sent_back(self, session: Session, which: int) -> None:
        await captures.refunded_by_provider(session, await self.payment(session, which))

    async def give_up(self, session: Session, which: int) -> None:
        await attempts.give_up(session, (await self.payment(session, which)).id, self.client)

    async def request(self, session: Session, which: int) -> None:
        payment = await self.payment(session, which)
        await refunds.refund_as_requested(session, payment.id, self.order_id, "order-cancelled")

    async def refund(self, session: Session, amount: Decimal | None) -> None:
        await refunds.refund(session, (await self.payment(session, 0)).id, self.admin, amount, None)

    async def refund_done(self, session: Session, which: int) -> None:
        await refunds.complete(session, (await self.some_refund(session, which)).id)

    async def refund_by_hand(self, session: Session, which: int) -> None:
        await refunds.leave_to_a_person(session, (await self.some_refund(session, which)).id, "by-hand")

    async def refund_declined(self, session: Session, which: int) -> None:
        await refunds.decline(session, (await self.some_refund(session, which)).id, "not-now")

    async def marked_done(self, session: Session, which: int) -> None:
        await refunds.mark_done(session, (await self.some_refund(session, which)).id)

    async def order(self, session: Session, status: str) -> None:
        if self.status not in ("completed", "cancelled"):
            self.status, self.version = status, self.version + 1
        await keep_orders(session, [self.state()])

    async def dispute(self, session: Session, _: int) -> None:
        await escrow.note_dispute(session, self.state(), self.dispute_id)

    async def resolve(self, session: Session, amount: Decimal) -> None:
        await escrow.note_decision(session, self.state(), self.dispute_id, amount)

    async def release(self, session: Session, _: None) -> None:
        await escrow.release(session, timedelta(0))


@settings(
    max_examples=RUNS,
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(steps=WALK)
async def test_the_books_balance_after_every_step(database: Database, steps: list[list[Step]]) -> None:
    own: Any = service_settings("payments", **SETTINGS, payment_gateway="live")
    walk = Walk(database, Terms(own, Providers({("live", method): Page() for method in Method})))
    async with database.session() as session:
        await keep_orders(session, [walk.state()])

    for at_once in TWO_ATTEMPTS + steps:
        # Each also a second time, as a broker or a provider would that heard no answer.
        await asyncio.gather(*(walk.take(step) for step in (*at_once, at_once[0])))
        async with database.snapshot() as session:
            assert await differences(session) == []

    async with database.session() as session:
        paid = [row for row in await repo.payments_of(session, walk.client.id) if row["captured_at"]]
    assert all(row["refunded"] <= row["amount"] == TOTAL for row in paid)
    assert len([row for row in paid if row["status"] in HOLDING and not row["duplicate"]]) <= 1
