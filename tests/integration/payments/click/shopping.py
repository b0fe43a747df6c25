"""What Click does to the shop, call by call."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlmodel import col, select

from marketplace.simulators.click import Attempt
from marketplace.simulators.orders import PlayOrder
from marketplace.simulators.sender import Request, Sender
from marketplace.simulators.servers import ClickSide
from marketplace.simulators.servers.click_api import ClickBooked
from marketplace.system import System
from services.payments.models import ClickTransactionRow, Payment
from tests.integration.payments.books import database

SECRET_KEY = "test_secret"


@dataclass(frozen=True)
class Stage:
    system: System
    click: ClickSide
    sender: Sender

    async def prepare(self, attempt: Attempt, **how: Any) -> int:
        """The answer's code."""
        said = await self.send(self.click.shop.prepare(attempt.fields(**how)))
        if said["error"] == 0:
            attempt.prepare_id = said["merchant_prepare_id"]
        return said["error"]  # type: ignore[no-any-return]

    async def complete(self, attempt: Attempt, **how: Any) -> int:
        """The answer's code."""
        said = await self.send(self.click.shop.complete(attempt.fields(**how), str(attempt.prepare_id)))
        return said["error"]  # type: ignore[no-any-return]

    async def send(self, request: Request) -> dict[str, Any]:
        [answer] = await self.sender.send(request)
        assert answer.status_code == 200, answer.text
        said: dict[str, Any] = answer.json()
        return said

    async def prepared(self, order: dict[str, Any]) -> Attempt:
        """A payer at work on the order."""
        attempt = attempt_of(order)
        assert await self.prepare(attempt) == 0
        return attempt

    async def paid(self, order: dict[str, Any]) -> Attempt:
        """The order, paid by Click, whose own books say so too."""
        attempt = await self.prepared(order)
        self.book(attempt, 2)
        assert await self.complete(attempt) == 0
        return attempt

    def book(self, attempt: Attempt, status: int) -> ClickBooked:
        """Let Click's Merchant API know of the attempt."""
        booked = ClickBooked(
            attempt.paydoc_id, attempt.click_trans_id, attempt.order.number, attempt.order.amount, status
        )
        self.click.books.payments[attempt.paydoc_id] = booked
        return booked

    def booked(self, attempt: Attempt) -> ClickBooked:
        return self.click.books.payments[attempt.paydoc_id]

    async def rows(self, *orders: dict[str, Any]) -> list[dict[str, Any]]:
        """What we have of the orders' payments and of Click's transactions."""
        payments = select(Payment).where(col(Payment.order_id).in_([UUID(order["id"]) for order in orders]))
        theirs = col(ClickTransactionRow.order_number).in_([order["number"] for order in orders])
        transactions = select(ClickTransactionRow).where(theirs).order_by(col(ClickTransactionRow.prepare_id))
        async with database(self.system).session() as session:
            found = [
                *(await session.exec(payments.order_by(col(Payment.id)))).all(),
                *(await session.exec(transactions)).all(),
            ]
        return [row.model_dump() for row in found]

    async def payment(self, order: dict[str, Any]) -> Payment:
        """The latest of the order."""
        async with database(self.system).session() as session:
            of_order = select(Payment).where(Payment.order_id == UUID(order["id"]))
            found = (await session.exec(of_order.order_by(col(Payment.created_at).desc()))).first()
        assert found
        return found


def attempt_of(order: dict[str, Any]) -> Attempt:
    return Attempt(PlayOrder(order["number"], Decimal(order["total"])))
