"""Events of catalog."""

from decimal import Decimal
from typing import ClassVar, Literal
from uuid import UUID

from shared.contracts.envelope import Event, State


class ServiceState(State):
    id: UUID
    worker_id: UUID
    title: str
    category_id: UUID
    city: str | None
    price: Decimal
    currency: str
    price_type: Literal["fixed", "hourly"]
    status: str
    version: int


class ServiceUpdated(Event):
    """A service is offered, or was changed, moderated or archived."""

    event_name: ClassVar[str] = "service.updated"

    service: ServiceState
