"""One event of each class and version, made from the values that a producer has at hand."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from shared.contracts import Event
from shared.contracts.accounts import (
    EmailConfirmationRequested,
    KeysDropped,
    Location,
    PasswordResetRequested,
    SessionRevoked,
    UserErased,
    UserRegistered,
    UserState,
    UserUpdated,
    WorkerState,
    WorkerUpdated,
)
from shared.contracts.catalog import ServiceState, ServiceUpdated
from shared.contracts.orders import (
    ActorRef,
    OrderAssigned,
    OrderCreated,
    OrderDisputed,
    OrderDisputeResolved,
    OrderState,
    OrderStatusChanged,
    RefundRequested,
)
from shared.contracts.payments import PaymentCompleted, PaymentFailed, PaymentRefunded, PaymentState, RefundState


def some_id(number: int) -> UUID:
    return UUID(f"01890a5d-ac96-774b-bcce-b302099a80{number:02x}")


CLIENT, OWNER, WORKER, SERVICE, CATEGORY, ORDER, PAYMENT, LOGIN, REQUEST, REFUND, DISPUTE = (
    some_id(number) for number in range(1, 12)
)

USER = UserState(id=CLIENT, role="client", full_name="Malika Saidova", is_active=True, language="uz", version=1)
PROFILE = WorkerState(
    id=WORKER,
    full_name="Ўткир Каримов",
    city="Tashkent",
    location=Location(lat=41.311, lng=69.279),
    service_radius_km=15,
    is_available=True,
    skills=["plumbing", "сантехника"],
    version=3,
)
OFFER = ServiceState(
    id=SERVICE,
    worker_id=OWNER,
    title="Leaking tap repair",
    category_id=CATEGORY,
    city="Tashkent",
    price=Decimal("150000.00"),
    currency="UZS",
    price_type="fixed",
    status="active",
    version=1,
)


def order(**changed: Any) -> OrderState:
    values = {
        "id": ORDER,
        "number": "2026-000042",
        "service_id": SERVICE,
        "service_title": "Leaking tap repair",
        "client_id": CLIENT,
        "owner_id": OWNER,
        "worker_id": None,
        "status": "pending",
        "payment_status": "unpaid",
        "total": Decimal("300000.00"),
        "currency": "UZS",
        "version": 1,
    }
    return OrderState(**values | changed)


def work_done() -> OrderState:
    return order(status="completed", worker_id=WORKER, payment_status="paid", version=4)


def payment(**changed: Any) -> PaymentState:
    values = {
        "id": PAYMENT,
        "order_id": ORDER,
        "order_number": "2026-000042",
        "client_id": CLIENT,
        "owner_id": OWNER,
        "worker_id": WORKER,
        "amount": Decimal("300000.00"),
        "refunded": Decimal("0.00"),
        "currency": "UZS",
        "method": "card",
        "status": "completed",
        "version": 2,
    }
    return PaymentState(**values | changed)


SAMPLES: list[tuple[str, Event]] = [
    ("accounts", UserRegistered(user=USER)),
    ("accounts", UserUpdated(user=USER.model_copy(update={"is_active": False, "is_confirmed": True, "version": 2}))),
    ("accounts", UserErased(user_id=CLIENT, version=5)),
    ("accounts", WorkerUpdated(worker=PROFILE)),
    ("accounts", SessionRevoked(user_id=CLIENT, sids=[LOGIN], min_ver=1, expires_at=datetime(2026, 1, 2, tzinfo=UTC))),
    ("accounts", KeysDropped(kids=["01890a5d-ac96-774b-bcce-b302099a80aa"])),
    ("accounts", PasswordResetRequested(user_id=CLIENT, request_id=REQUEST)),
    ("accounts", EmailConfirmationRequested(user_id=CLIENT, request_id=REQUEST)),
    ("catalog", ServiceUpdated(service=OFFER)),
    ("orders", OrderCreated(order=order())),
    (
        "orders",
        OrderAssigned(
            order=order(status="assigned", worker_id=WORKER, version=2),
            by=ActorRef(id=WORKER, role="worker"),
            previous_worker_id=None,
        ),
    ),
    (
        "orders",
        OrderStatusChanged(
            order=order(status="in_progress", worker_id=WORKER, payment_status="paid", version=3),
            from_status="assigned",
            to_status="in_progress",
            by=ActorRef(id=WORKER, role="worker"),
            note="On my way.",
            previous_worker_id=WORKER,
        ),
    ),
    ("orders", OrderDisputed(order=work_done(), dispute_id=DISPUTE)),
    (
        "orders",
        OrderDisputeResolved(order=work_done(), dispute_id=DISPUTE, refund_amount=Decimal("100000.00")),
    ),
    ("orders", RefundRequested(order_id=ORDER, payment_id=PAYMENT, reason="order-cancelled")),
    ("payments", PaymentCompleted(payment=payment())),
    ("payments", PaymentFailed(payment=payment(status="failed"), failure_code="card-declined")),
    (
        "payments",
        PaymentRefunded(
            payment=payment(status="partially_refunded", refunded=Decimal("100000.00"), version=3),
            refund=RefundState(id=REFUND, amount=Decimal("100000.00"), reason="Came an hour late."),
        ),
    ),
]
"""(producer, event)"""
