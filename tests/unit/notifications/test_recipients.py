"""Who hears of what."""

from typing import Any
from uuid import UUID

import pytest

from services.notifications import events
from shared.contracts.orders import (
    ActorRef,
    OrderAssigned,
    OrderCreated,
    OrderDisputed,
    OrderDisputeResolved,
    OrderState,
    OrderStatusChanged,
)
from shared.contracts.payments import PaymentCompleted, PaymentFailed, PaymentRefunded, PaymentState, RefundState
from shared.ids import new_id

CLIENT, OWNER, ASSIGNED, BEFORE = (new_id() for _ in range(4))
SOMEONE = ActorRef(id=new_id(), role="admin")


def order(worker_id: UUID | None, status: str) -> OrderState:
    return OrderState(
        id=new_id(),
        number="2026-000042",
        service_id=new_id(),
        service_title="Leaking tap repair",
        client_id=CLIENT,
        owner_id=OWNER,
        worker_id=worker_id,
        status=status,
        payment_status="unpaid",
        total="150000.00",
        currency="UZS",
        version=1,
    )


def moved(worker_id: UUID | None, before: str, after: str, previous: UUID | None) -> OrderStatusChanged:
    return OrderStatusChanged(
        order=order(worker_id, after), from_status=before, to_status=after, by=SOMEONE, previous_worker_id=previous
    )


def payment(worker_id: UUID | None) -> PaymentState:
    return PaymentState(
        id=new_id(),
        order_id=new_id(),
        order_number="2026-000042",
        client_id=CLIENT,
        owner_id=OWNER,
        worker_id=worker_id,
        amount="150000.00",
        refunded="0.00",
        currency="UZS",
        method="card",
        status="completed",
        version=2,
    )


def refunded(worker_id: UUID | None) -> PaymentRefunded:
    return PaymentRefunded(payment=payment(worker_id), refund=RefundState(id=new_id(), amount="50000.00", reason=None))


def disputed(worker_id: UUID | None) -> OrderDisputed:
    return OrderDisputed(order=order(worker_id, "completed"), dispute_id=new_id())


def decided(worker_id: UUID | None) -> OrderDisputeResolved:
    return OrderDisputeResolved(order=order(worker_id, "completed"), dispute_id=new_id(), refund_amount="1.00")


@pytest.mark.parametrize(
    ("event", "kind", "to"),
    [
        (OrderCreated(order=order(None, "pending")), "order_created", {CLIENT, OWNER}),
        (
            OrderAssigned(order=order(ASSIGNED, "assigned"), by=SOMEONE),
            "order_assigned",
            {CLIENT, ASSIGNED},
        ),
        (
            moved(ASSIGNED, "assigned", "in_progress", ASSIGNED),
            "order_status_changed",
            {CLIENT, ASSIGNED},
        ),
        (
            moved(None, "assigned", "pending", BEFORE),
            "order_status_changed",
            {CLIENT, OWNER, BEFORE},
        ),
        (moved(None, "pending", "cancelled", None), "order_status_changed", {CLIENT, OWNER}),
        (PaymentCompleted(payment=payment(ASSIGNED)), "payment_success", {CLIENT, ASSIGNED}),
        (PaymentCompleted(payment=payment(None)), "payment_success", {CLIENT, OWNER}),
        (
            PaymentFailed(payment=payment(ASSIGNED), failure_code="card-declined"),
            "payment_failed",
            {CLIENT},
        ),
        (refunded(ASSIGNED), "payment_refunded", {CLIENT, ASSIGNED}),
        (refunded(None), "payment_refunded", {CLIENT, OWNER}),
        (disputed(ASSIGNED), "order_disputed", {CLIENT, ASSIGNED}),
        (disputed(None), "order_disputed", {CLIENT, OWNER}),
        (decided(ASSIGNED), "order_dispute_resolved", {CLIENT, ASSIGNED}),
    ],
)
def test_an_event_is_told_to_those_whom_the_contract_names(event: Any, kind: str, to: set[UUID]) -> None:
    notice = events.NOTICES[type(event)](event)

    assert (notice.type, notice.to) == (kind, to)


def test_a_notification_of_an_order_says_which_and_how_it_stands() -> None:
    event = OrderCreated(order=order(None, "pending"))

    told = events.NOTICES[OrderCreated](event).data

    assert told.items() >= {"order_id": event.order.id, "number": "2026-000042", "status": "pending"}.items()
