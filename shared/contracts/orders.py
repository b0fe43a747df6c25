"""Events of orders. Each move of an order is exactly one of them."""

from decimal import Decimal
from typing import ClassVar
from uuid import UUID

from pydantic import Field

from shared.contracts.envelope import Event, State


class OrderState(State):
    """`owner_id` is the worker whose service was ordered; `worker_id` the one assigned."""

    id: UUID
    number: str
    service_id: UUID
    service_title: str
    client_id: UUID
    owner_id: UUID
    worker_id: UUID | None
    status: str
    payment_status: str
    total: Decimal
    currency: str
    version: int


class ActorRef(State):
    id: UUID | None
    """None for a timer."""
    role: str


class OrderCreated(Event):
    """A client has ordered a service."""

    event_name: ClassVar[str] = "order.created"

    order: OrderState


class OrderAssigned(Event):
    """A worker has accepted an order, or an admin has assigned one."""

    event_name: ClassVar[str] = "order.assigned"

    order: OrderState
    by: ActorRef
    previous_worker_id: UUID | None = None


class OrderStatusChanged(Event):
    """An order was moved, by a person or by time, in any other way than being assigned."""

    event_name: ClassVar[str] = "order.status_changed"

    order: OrderState
    from_status: str = Field(alias="from")
    to_status: str = Field(alias="to")
    by: ActorRef
    note: str | None = None
    previous_worker_id: UUID | None = None


class RefundRequested(Event):
    """The whole remainder of a payment has to go back: told once per payment."""

    event_name: ClassVar[str] = "refund.requested"

    order_id: UUID
    payment_id: UUID
    reason: str


class OrderDisputed(Event):
    """A client complains: the order's money stays where it is."""

    event_name: ClassVar[str] = "order.disputed"

    order: OrderState
    dispute_id: UUID


class OrderDisputeResolved(Event):
    """An admin has decided how much of the order's money goes back."""

    event_name: ClassVar[str] = "order.dispute_resolved"

    order: OrderState
    dispute_id: UUID
    refund_amount: Decimal
