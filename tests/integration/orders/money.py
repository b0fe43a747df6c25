"""Payments of orders, as payments tells of them."""

import json
from decimal import Decimal
from typing import Any

from marketplace.system import System
from shared.contracts.payments import PaymentCompleted, PaymentRefunded, PaymentState, RefundState
from shared.ids import new_id
from tests.support.events import events_of, told

PRICE = Decimal("150000.00")


class Money:
    """One payment of an order of that price."""

    def __init__(self, system: System, order: dict[str, Any]) -> None:
        self.system, self.order, self.id = system, order, new_id()

    def state(self, version: int, refunded: Decimal = Decimal("0.00")) -> PaymentState:
        parties = {name: self.order[name] for name in ("client_id", "owner_id", "worker_id", "currency")}
        return PaymentState(
            id=self.id,
            order_id=self.order["id"],
            order_number=self.order["number"],
            amount=PRICE,
            refunded=refunded,
            method="card",
            status="refunded" if refunded == PRICE else "partially_refunded" if refunded else "completed",
            version=version,
            **parties,
        )

    def completed(self) -> PaymentCompleted:
        return PaymentCompleted(payment=self.state(2))

    def refunded(self, version: int, refunded: str) -> PaymentRefunded:
        refund = RefundState(id=new_id(), amount=Decimal(refunded), reason=None)
        return PaymentRefunded(payment=self.state(version, Decimal(refunded)), refund=refund)

    async def is_told(self, *events: PaymentCompleted | PaymentRefunded) -> None:
        for event in events:
            await told(self.system, event, "orders", "notifications", teller="payments")


async def refunds_asked(system: System, order: dict[str, Any]) -> list[str]:
    events = await events_of(system, "orders", "refund.requested", order["id"])
    return [json.loads(event)["data"]["payment_id"] for event in events]


async def decisions_told(system: System, order: dict[str, Any]) -> list[tuple[str, str]]:
    """Dispute and amount of each."""
    events = await events_of(system, "orders", "order.dispute_resolved", order["id"])
    data = [json.loads(event)["data"] for event in events]
    return [(decision["dispute_id"], decision["refund_amount"]) for decision in data]


async def disputes_told(system: System, order: dict[str, Any]) -> list[str]:
    events = await events_of(system, "orders", "order.disputed", order["id"])
    return [json.loads(event)["data"]["dispute_id"] for event in events]
