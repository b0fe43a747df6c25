"""The events that services speak in, and who listens to which: the table that the broker's topology is made from."""

from collections.abc import Mapping

from shared.contracts.accounts import (
    EmailConfirmationRequested,
    KeysDropped,
    PasswordResetRequested,
    SessionRevoked,
    UserErased,
    UserRegistered,
    UserUpdated,
    WorkerUpdated,
)
from shared.contracts.catalog import ServiceUpdated
from shared.contracts.envelope import Envelope, Event
from shared.contracts.orders import (
    OrderAssigned,
    OrderCreated,
    OrderDisputed,
    OrderDisputeResolved,
    OrderStatusChanged,
    RefundRequested,
)
from shared.contracts.payments import PaymentCompleted, PaymentFailed, PaymentRefunded

EVERYONE = ("accounts", "catalog", "orders", "payments", "notifications")

LISTENERS: Mapping[type[Event], tuple[str, ...]] = {
    UserRegistered: ("catalog", "orders", "notifications"),
    UserUpdated: ("catalog", "orders", "notifications"),
    UserErased: ("catalog", "orders", "payments", "notifications"),
    WorkerUpdated: ("catalog",),
    SessionRevoked: EVERYONE,
    KeysDropped: EVERYONE,
    PasswordResetRequested: ("notifications",),
    EmailConfirmationRequested: ("notifications",),
    ServiceUpdated: ("orders", "accounts"),
    OrderCreated: ("payments", "notifications"),
    OrderAssigned: ("payments", "notifications"),
    OrderStatusChanged: ("payments", "notifications", "catalog"),
    OrderDisputed: ("payments", "notifications"),
    OrderDisputeResolved: ("payments", "notifications"),
    RefundRequested: ("payments",),
    PaymentCompleted: ("orders", "notifications"),
    PaymentFailed: ("notifications",),
    PaymentRefunded: ("orders", "notifications"),
}

__all__ = ["LISTENERS", "Envelope", "Event"]
