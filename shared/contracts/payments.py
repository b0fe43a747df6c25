"""Events of payments."""

from decimal import Decimal
from typing import ClassVar
from uuid import UUID

from shared.contracts.envelope import Event, State


class PaymentState(State):
    id: UUID
    order_id: UUID
    order_number: str
    client_id: UUID
    owner_id: UUID
    worker_id: UUID | None
    amount: Decimal
    refunded: Decimal
    currency: str
    method: str
    status: str
    version: int


class RefundState(State):
    id: UUID
    amount: Decimal
    reason: str | None


class PaymentCompleted(Event):
    """An order is paid."""

    event_name: ClassVar[str] = "payment.completed"

    payment: PaymentState


class PaymentFailed(Event):
    """A payment was declined, or its attempt has ended."""

    event_name: ClassVar[str] = "payment.failed"

    payment: PaymentState
    failure_code: str


class PaymentRefunded(Event):
    """Money of the payment went back: all refunds of it together are `payment.refunded`."""

    event_name: ClassVar[str] = "payment.refunded"

    payment: PaymentState
    refund: RefundState
