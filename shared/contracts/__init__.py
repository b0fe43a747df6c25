"""The events that services speak in, and who listens to which: the table that the broker's topology is made from."""

from collections.abc import Mapping

from shared.contracts.accounts import UserRegistered
from shared.contracts.catalog import ServiceUpdated
from shared.contracts.envelope import Envelope, Event
from shared.contracts.orders import OrderAssigned, OrderCreated, OrderStatusChanged
from shared.contracts.payments import PaymentCompleted, PaymentFailed

LISTENERS: Mapping[type[Event], tuple[str, ...]] = {
    UserRegistered: ("catalog", "orders", "notifications"),
    ServiceUpdated: ("orders",),
    OrderCreated: ("payments", "notifications"),
    OrderAssigned: ("payments", "notifications"),
    OrderStatusChanged: ("payments", "notifications"),
    PaymentCompleted: ("orders", "notifications"),
    PaymentFailed: ("notifications",),
}

__all__ = ["LISTENERS", "Envelope", "Event"]
