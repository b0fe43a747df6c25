"""Who hears of what."""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

import pytest

from services.notifications import events, service
from services.notifications.domain import Type
from shared.contracts.orders import ActorRef, OrderAssigned, OrderCreated, OrderState, OrderStatusChanged
from shared.contracts.payments import PaymentCompleted, PaymentFailed, PaymentRefunded, PaymentState, RefundState
from shared.ids import new_id

CLIENT, OWNER, ASSIGNED, BEFORE = (new_id() for _ in range(4))
SOMEONE = ActorRef(id=new_id(), role="admin")

Told = list[tuple[Type, dict[str, Any], set[UUID]]]


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Told:
    told: Told = []

    async def notify(_: Any, kind: Type, words: str, data: dict[str, Any], to: Iterable[UUID | None]) -> None:
        told.append((kind, data, {user_id for user_id in to if user_id}))

    monkeypatch.setattr(service, "_notify", notify)
    return told


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


@pytest.mark.parametrize(
    ("handler", "event", "kind", "to"),
    [
        (events.tell_of_creation, OrderCreated(order=order(None, "pending")), "order_created", {CLIENT, OWNER}),
        (
            events.tell_of_assignment,
            OrderAssigned(order=order(ASSIGNED, "assigned"), by=SOMEONE),
            "order_assigned",
            {CLIENT, ASSIGNED},
        ),
        (
            events.tell_of_move,
            moved(ASSIGNED, "assigned", "in_progress", ASSIGNED),
            "order_status_changed",
            {CLIENT, ASSIGNED},
        ),
        (
            events.tell_of_move,
            moved(None, "assigned", "pending", BEFORE),
            "order_status_changed",
            {CLIENT, OWNER, BEFORE},
        ),
        (events.tell_of_move, moved(None, "pending", "cancelled", None), "order_status_changed", {CLIENT, OWNER}),
        (events.tell_of_payment, PaymentCompleted(payment=payment(ASSIGNED)), "payment_success", {CLIENT, ASSIGNED}),
        (events.tell_of_payment, PaymentCompleted(payment=payment(None)), "payment_success", {CLIENT, OWNER}),
        (
            events.tell_of_failure,
            PaymentFailed(payment=payment(ASSIGNED), failure_code="card-declined"),
            "payment_failed",
            {CLIENT},
        ),
        (events.tell_of_refund, refunded(ASSIGNED), "payment_refunded", {CLIENT, ASSIGNED}),
        (events.tell_of_refund, refunded(None), "payment_refunded", {CLIENT, OWNER}),
    ],
)
async def test_an_event_is_told_to_those_whom_the_contract_names(
    told: Told, handler: Any, event: Any, kind: str, to: set[UUID]
) -> None:
    await handler(None, event)

    assert [(kind_, to_) for kind_, _, to_ in told] == [(kind, to)]


async def test_a_notification_of_an_order_says_which_and_how_it_stands(told: Told) -> None:
    event = OrderCreated(order=order(None, "pending"))
    await events.tell_of_creation(None, event)  # type: ignore[arg-type]

    ((_, data, _),) = told
    assert (
        data.items()
        >= {
            "order_id": str(event.order.id),
            "number": "2026-000042",
            "status": "pending",
        }.items()
    )
